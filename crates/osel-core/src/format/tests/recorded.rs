//! Records to render: of every recorded cloud, and of the kinds that no recording has.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::Value;

use crate::decode::decode;
use crate::engine::record::{BodyPart, Detail, PersonalPart, Record, TargetPart};
use crate::engine::{Engine, EngineOptions, Input, Output};
use crate::event::{Properties, RawMessage};
use crate::format::{Format, Subject, render};
use crate::ids::Id;
use crate::names::Directory;
use crate::time::Timestamp;
use crate::trail::{Hash, Header, RecordKind};

pub(crate) const STORE: &str = "0123456789abcdef0123456789abcdef";

pub(crate) const RECORDINGS: [&str; 8] =
    ["dev-2026", "dev-zed", "dev-v1basic", "dev-2topics", "dev-glance", "dev-aodh", "dev-race", "icehouse"];

/// The lines of a record in a form.
pub(super) fn lines(format: Format, record: &Record, message: Option<&[u8]>) -> Vec<String> {
    let (scans, names) = (BTreeMap::new(), Directory::new());
    let subject = Subject { record, message, scans: &scans, names: &names, store: STORE };
    let mut lines = Vec::new();
    render(format, &subject, &mut lines);
    lines.into_iter().map(|line| String::from_utf8(line).expect("UTF-8")).collect()
}

/// Shows every record of every recorded cloud, with its message, and then those of [`others`].
pub(super) fn every(mut each: impl FnMut(&Record, Option<&[u8]>)) {
    for name in RECORDINGS {
        let mut engine = Engine::new(EngineOptions::default());
        let mut seq = 0;
        for raw in recording(name) {
            let decoded = decode(&raw);
            let message = decoded.body.to_vec();
            let mut out = Output::default();
            engine.handle(raw.received_at, Input::Message(&raw, decoded), &mut out);
            for body in &out.records {
                seq += 1;
                let (time, recorded_at) = (body.time, body.recorded_at);
                let header =
                    Header { seq, previous: Hash::ZERO, time, recorded_at, as_of: time, kind: body.kind };
                let parts = body.parts();
                let parts = parts.iter().map(|part| (part.class, None, Some(&*part.bytes)));
                let record = Record::read(header, Hash::ZERO, parts);
                each(&record, body.message_id.as_ref().map(|_| &*message));
            }
        }
        assert!(seq > 0, "{name}");
    }
    for record in others() {
        each(&record, None);
    }
}

/// The messages of a recorded cloud.
pub(crate) fn recording(name: &str) -> Vec<RawMessage> {
    let path = format!("{}/../osel-sim/corpus/{name}.jsonl.gz", env!("CARGO_MANIFEST_DIR"));
    #[allow(clippy::disallowed_methods, reason = "recordings are files, and only tests read them")]
    let packed = std::fs::read(&path).expect(&path);
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect(&path);
    let messages = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| line[key].as_str().expect(key).to_owned();
        RawMessage {
            source: "bus".into(),
            region: Some("north".into()),
            exchange: text("exchange").into(),
            routing_key: text("routing_key").into(),
            redelivered: false,
            received_at: Timestamp::parse("2026-11-26T00:00:00Z").expect("a time"),
            properties: Properties::default(),
            body: text("body").into_bytes(),
        }
    });
    messages.collect()
}

/// A record by its facts; it happened at a time of its own.
pub(crate) fn record(kind: RecordKind, outcome: &str, facts: &[(&'static str, &str)]) -> Record {
    let time = Timestamp::parse("2026-11-21T03:12:00.5Z").expect("a time");
    let detail: Detail = facts.iter().map(|(key, value)| ((*key).into(), (*value).to_owned())).collect();
    let address = detail.get("address").map(|address| TargetPart {
        kind: "address".into(),
        id: Some(Id::new(address)),
        name: None,
        project_id: Some(Id::new("7d1e0fcd2ab14b0c8a2b8a4a6a9f2c11")),
    });
    Record {
        header: Header {
            seq: 41,
            previous: Hash::ZERO,
            time,
            recorded_at: time.plus_seconds(1),
            as_of: time,
            kind,
        },
        hash: Hash::ZERO,
        body: BodyPart {
            region: Some("north".into()),
            outcome: outcome.into(),
            target: address,
            detail,
            ..BodyPart::default()
        },
        personal: PersonalPart::default(),
        opened: Vec::new(),
        closed: Vec::new(),
        wide: Vec::new(),
        missing: Vec::new(),
    }
}

/// What no recording has: scans, findings, commands, drift, gaps, and what osel says of itself.
pub(crate) fn others() -> Vec<Record> {
    use RecordKind::{Activity, Change, Command, Drift, Finding, Gap, Scan, System};
    let finding = |kind: &'static str, state, outcome, more: &[(&'static str, &str)]| {
        let facts = [
            ("text", "high finding: SSH answers the internet: 192.0.2.9 tcp 22"),
            ("finding", "00ff00ff00ff00ff"),
            ("kind", kind),
            ("state", state),
            ("severity", "high"),
            ("scanner", "perimeter"),
            ("program", "nmap 7.95"),
            ("evidence", "tcp 22 answers"),
            ("address", "192.0.2.9"),
            ("port", "tcp 22"),
            ("server_name", "web-1"),
        ];
        record(Finding, outcome, &[&facts[..], more].concat())
    };
    let scan = [
        ("text", "scan of 2001:db8::9 by perimeter: as predicted: tcp 22"),
        ("command", "scan-12"),
        ("address", "2001:db8::9"),
        ("scanner", "perimeter"),
        ("ports", "tcp 22"),
    ];
    let group = |extra: &'static str| {
        let mut record = record(Change, "success", &[("verb", "update"), ("extra", extra)]);
        record.body.event_type = Some("identity.group.updated".into());
        record.body.target =
            Some(TargetPart { kind: "group".into(), id: Some(Id::new("g1")), ..TargetPart::default() });
        record
    };
    let mut to_group = record(
        Change,
        "success",
        &[
            ("verb", "grant"),
            ("role", "r1"),
            ("user_group", "g1"),
            ("on_domain", "d1"),
            ("role_name", "admin"),
        ],
    );
    to_group.body.event_type = Some("identity.role_assignment.created".into());
    to_group.body.detail.insert("user_group_name".into(), "operators".to_owned());
    let locked = [("reason", "The account is locked for user: u1."), ("reason_code", "401")];
    let mut locked = record(RecordKind::Authentication, "failure", &locked);
    locked.body.event_type = Some("identity.authenticate".into());
    let mut to_user = record(
        Change,
        "success",
        &[("verb", "grant"), ("role", "r1"), ("user", "u2"), ("server", "s1"), ("server_name", "web-1")],
    );
    to_user.body.event_type = Some("identity.role_assignment.created".into());
    to_user.personal.detail = Detail::from([("user_name".into(), "bob".to_owned())]);
    let mut erased = record(Change, "", &[]);
    erased.missing = vec![crate::trail::PartClass::Body, crate::trail::PartClass::Personal];
    vec![
        finding("exposed_answering", "open", "unknown", &[]),
        finding("exposed_answering", "confirmed", "unknown", &[]),
        finding("exposed_answering", "open", "success", &[("ordered_by", "ada")]),
        finding("answering_not_exposed", "resolved", "success", &[("resolved_by", "scan")]),
        finding("vulnerable_reachable", "open", "unknown", &[("vulnerability", "CVE-2026-1234")]),
        finding("vulnerable_reachable", "open", "unknown", &[("vulnerability", "QID 38170")]),
        record(Finding, "failure", &[("text", "7 findings are not kept"), ("unkept", "7")]),
        record(Scan, "success", &scan),
        record(Scan, "failure", &scan),
        record(Command, "pending", &scan),
        record(Command, "pending", &[&scan[..], &[("reference", "scan/1")]].concat()),
        record(
            Command,
            "failure",
            &[("text", "1 address is not scanned: IPv6"), ("unscanned", "::1"), ("why", "ipv6")],
        ),
        record(Drift, "unknown", &[("text", "the API showed port p1 without its group")]),
        record(Gap, "unknown", &[("text", "messages of bus may be missing"), ("cause", "queue_gone")]),
        record(System, "unknown", &[("text", "the log is signed by another key"), ("log", "key")]),
        record(System, "unknown", &[("text", "inventory imported"), ("imported_by", "ada")]),
        record(Activity, "pending", &[("verb", "resize"), ("service", "compute")]),
        group("added user u1"),
        group("removed user u1"),
        group("x"),
        to_group,
        to_user,
        locked,
        erased,
    ]
}
