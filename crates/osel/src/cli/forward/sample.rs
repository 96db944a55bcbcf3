//! Records that are none, in the form that a forwarder sends: to see whether a receiver, or a template, takes what is made of them.

use osel_core::engine::record::{Record, RecordBody, sentence};
use osel_core::event::{Actor, Outcome, Target};
use osel_core::exposure::{Judged, JudgedRow};
use osel_core::format::{Format, Severity, Subject, render};
use osel_core::ids::Id;
use osel_core::model::{Permission, Row, Source, Via};
use osel_core::names::Directory;
use osel_core::notice::Notice;
use osel_core::time::Timestamp;
use osel_core::trail::{Hash, Header, RecordKind};

use crate::cli::actor::user_name;
use crate::cli::open::now;
use crate::config::{Config, ForwardConfig, ReceiverConfig, Remark};
use crate::forward::receiver::Item;
use crate::forward::webhook::unfilled;

/// What is wrong with templates, and what is odd about them: one that makes nothing of any record would make a dead letter of each.
pub(in crate::cli) fn remarks(config: &Config) -> (Vec<Remark>, Vec<Remark>) {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for (place, forward) in config.forwards.iter().enumerate() {
        let ReceiverConfig::Webhook(webhook) = &forward.receiver else { continue };
        let samples = [change(forward), test(forward)];
        let unfilled = samples.each_ref().map(|item| unfilled(webhook, forward.format, item));
        let remark =
            |what| Remark { place: forward.place.clone(), key: format!("forward[{place}].template"), what };
        match unfilled {
            [None, None] => {}
            [Some(of_change), Some(_)] => problems.push(remark(format!(
                "would make a dead letter of every record: {of_change}; a value is put in as JSON, with its quotation marks"
            ))),
            [Some(why), None] => {
                warnings.push(remark(format!("would make a dead letter of a change of a security group: {why}")));
            }
            [None, Some(why)] => {
                warnings.push(remark(format!("would make a dead letter of a record about osel itself: {why}")));
            }
        }
    }
    (problems, warnings)
}

/// The test that `osel forward test` sends.
pub(super) fn test(forward: &ForwardConfig) -> Item {
    let (now, actor) = (now(), user_name());
    let text = format!("this is a test of forwarder {} by {actor}, and no record", forward.name);
    item(forward, &body(now, &actor, text))
}

/// A change that opens an address, with everything that a record may have.
fn change(forward: &ForwardConfig) -> Item {
    let id = |of: u64| Id::new(&format!("{of:032x}"));
    let address = [192, 0, 2, 7];
    let host = ipnet::IpNet::from(std::net::IpAddr::from(address));
    let row = Row {
        address: host,
        via: Via::Fixed,
        fixed_ip: Some(host),
        port_id: id(1),
        device_id: Some(id(2)),
        device_owner: Some("compute:nova".into()),
        project_id: Some(id(3)),
        network_id: Some(id(4)),
        region: Some("RegionOne".into()),
        permission: Permission::new(false, Some("tcp"), Some(22), Some(22), Source::family(false)),
        security_group_id: Some(id(5)),
        rule_id: Some(id(6)),
    };
    let body = RecordBody {
        kind: RecordKind::Change,
        source: Some("neutron".into()),
        region: Some("RegionOne".into()),
        message_id: Some("0d9f2a6e-4f0c-4d52-9f41-4f1a3c1f0b7e".into()),
        request_id: Some(Id::new("req-7f3c1c52-54cf-4b4b-9f1e-6a1d3d5d2c11")),
        event_type: Some("security_group_rule.create.end".into()),
        actor: Actor {
            user_id: Some(id(7)),
            user_name: Some("ann".into()),
            user_domain_id: Some(Id::new("default")),
            project_id: Some(id(3)),
            project_name: Some("shop".into()),
            address: Some("198.51.100.9".into()),
            agent: Some("openstacksdk".into()),
        },
        target: Some(Target {
            kind: "security_group_rule".into(),
            id: Some(id(6)),
            name: Some("ssh".into()),
            project_id: Some(id(3)),
        }),
        exposure: Judged {
            opened: vec![JudgedRow { row, redundant: false, covered_before: false }],
            ..Judged::default()
        },
        ..body(now(), "ann", "a sample".to_owned())
    };
    item(forward, &body)
}

/// A body in the forwarder's format; as a sentence, or with all keys, where that format has no line for it.
fn item(forward: &ForwardConfig, body: &RecordBody) -> Item {
    let now = body.time;
    let parts = body.parts();
    // Nothing of it belongs to a project.
    let parts = parts.iter().map(|part| (part.class, None, Some(part.bytes.as_slice())));
    let header =
        Header { seq: 0, previous: Hash::ZERO, time: now, recorded_at: now, as_of: now, kind: body.kind };
    let record = Record::read(header, Hash::ZERO, parts);
    let of_people = forward.receiver.notices().map(|_| {
        let notice = Notice::of_test(now, &sentence(&record));
        serde_json::to_vec(&notice).expect("a notice has texts and numbers only, and memory takes it")
    });
    let lines = |format: Format| {
        let subject = Subject {
            record: &record,
            message: None,
            scans: &Default::default(),
            names: &Directory::default(),
            store: "test",
        };
        let mut lines = Vec::new();
        render(format, &subject, &mut lines);
        lines.into_iter().next()
    };
    let otherwise = if forward.format.is_json() { Format::Native } else { Format::Sentence };
    Item {
        seq: 0,
        id: format!("test-{}", now.micros()),
        time: now,
        recorded_at: now,
        kind: body.kind,
        severity: Severity::of(&record),
        event_type: body.event_type.as_deref().map(str::to_owned),
        line: of_people.or_else(|| lines(forward.format)).or_else(|| lines(otherwise)).unwrap_or_default(),
    }
}

fn body(now: Timestamp, actor: &str, text: String) -> RecordBody {
    RecordBody {
        kind: RecordKind::System,
        time: now,
        recorded_at: now,
        source: None,
        region: None,
        message_id: None,
        request_id: None,
        event_type: Some("osel.forward.test".into()),
        outcome: Outcome::Success,
        actor: Actor { user_name: Some(actor.into()), ..Actor::default() },
        target: None,
        cause: None,
        conflicting: false,
        exposure: Judged::default(),
        wide: Vec::new(),
        detail: [("text".into(), text)].into(),
        personal: Default::default(),
    }
}
