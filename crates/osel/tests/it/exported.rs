//! `osel audit export` of some records: what a project is shown, what belongs to an incident, and what only a recipient can read.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use osel_core::trail::bundle::{Checker, Scope, Summary};
use serde_json::{Value, json};

use crate::broker::until;
use crate::command::{Place, json_lines, osel, recording, refused, run};
use crate::daemon::{Daemon, LIMIT};

const ASTER: &str = "aaaabaae067b4d47a76b0f21e83638bb";
const BIRCH: &str = "bbbbbaae067b4d47a76b0f21e83638bb";
const OPERATORS: &str = "0000baae067b4d47a76b0f21e83638bb";

/// Whoever acts: user's id and name, project's id and name, address.
type Person = [&'static str; 5];
const ALICE: Person =
    ["a11ce00000000000000000000000000a", "alice-of-aster", ASTER, "aster-project", "203.0.113.10"];
const BOB: Person =
    ["b0b0000000000000000000000000000b", "bob-of-birch", BIRCH, "birch-project", "203.0.113.20"];
const ROOT: Person =
    ["00700000000000000000000000000000", "root-of-all", OPERATORS, "operators-project", "203.0.113.99"];

fn inventory() -> Value {
    let port = |id: &str, project: &str, groups: Value, address: &str| {
        json!({"id": id, "project_id": project, "network_id": "network", "device_id": format!("server-of-{id}"),
            "device_owner": "compute:nova", "security_groups": groups,
            "fixed_ips": [{"subnet_id": "subnet", "ip_address": address}]})
    };
    let group = |id: &str, project: &str| json!({"id": id, "name": id, "project_id": project});
    json!({
        // Aster shares a group with Birch.
        "ports": [
            port("port-aster", ASTER, json!(["group-shared"]), "10.1.0.5"),
            port("port-birch", BIRCH, json!(["group-shared", "group-birch"]), "10.2.0.5"),
        ],
        "security_groups": [group("group-shared", ASTER), group("group-birch", BIRCH)],
        "security_group_rules": [],
    })
}

fn line(number: usize, event_type: &str, payload: &Value, by: &Person) -> String {
    let [user, name, project, project_name, address] = by;
    let body = json!({"message_id": format!("m-{number}"), "publisher_id": "network.ctl1", "event_type": event_type,
        "priority": "INFO", "timestamp": format!("2026-11-21 00:38:{number:02}.000000"), "payload": payload,
        "_context_user_id": user, "_context_user_name": name, "_context_project_id": project,
        "_context_project_name": project_name, "_context_tenant_name": project_name, "_context_remote_address": address,
        "_context_request_id": format!("req-0000000{number}-c4c1-408f-b0fe-79a4c43fd1ac")});
    let line = json!({"received_at": format!("2026-11-21T00:38:{number:02}.000000+00:00"), "exchange": "neutron",
        "routing_key": "notifications.info", "redelivered": false, "properties": {}, "body": body.to_string()});
    format!("{line}\n")
}

/// Two tenants and an operator: Alice opens both ports by the shared group, Bob his own, the operator renames Bob's port, Alice closes.
fn tenants(place: &Place) -> String {
    let rule = |id: &str, group: &str, project: &str, source: &str| {
        json!({"security_group_rule": {"id": id, "security_group_id": group, "project_id": project, "direction": "ingress",
            "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": source}})
    };
    let renamed =
        json!({"port": {"id": "port-birch", "project_id": BIRCH, "name": "renamed", "revision_number": 7}});
    let messages = [
        ("security_group_rule.create.end", rule("rule-1", "group-shared", ASTER, "198.51.100.0/24"), ALICE),
        ("security_group_rule.create.end", rule("rule-2", "group-birch", BIRCH, "192.0.2.0/24"), BOB),
        ("port.update.end", renamed, ROOT),
        ("security_group_rule.delete.end", json!({"security_group_rule_id": "rule-1"}), ALICE),
    ];
    let lines = messages.iter().zip(1..);
    let text: String =
        lines.map(|((event_type, payload, by), number)| line(number, event_type, payload, by)).collect();
    let (inventory, messages) =
        (place.write("inventory.json", inventory().to_string()), place.write("messages.jsonl", text));
    let store = place.path("store");
    run(&["replay", "--store", &store, "--inventory", &inventory, &messages]);
    store
}

fn check(bundle: &[u8]) -> Summary {
    let mut checker = Checker::new(None);
    for line in bundle.split_inclusive(|&byte| byte == b'\n') {
        checker.push(line).unwrap();
    }
    checker.finish().unwrap()
}

/// All that somebody can read in the parts of a bundle, a record each, with what its canonical bytes say behind it.
fn readable(bundle: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(bundle).unwrap();
    check(text.as_bytes());
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let decoded = |text: &Value| {
        String::from_utf8_lossy(&STANDARD.decode(text.as_str().unwrap()).unwrap()).into_owned()
    };
    lines
        .filter(|line| line["seq"].is_u64())
        .map(|line| {
            let parts = line["parts"].as_array().unwrap().iter().filter(|part| part.is_object());
            (parts.map(|part| decoded(&part["content"]) + "\n").collect(), decoded(&line["canonical"]))
        })
        .collect()
}

#[test]
fn a_project_is_shown_its_own_and_nothing_of_others() {
    let place = Place::new("exported-tenants");
    let store = tenants(&place);
    let bundle = place.path("birch.bundle");
    let export = ["audit", "export", "--store", &store, "--for-project", BIRCH];
    let output = osel(&[&export[..], &["--bundle", &bundle]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let records = readable(&bundle);
    assert_eq!(records.len(), 4, "of Alice's two records Birch has rows: {records:?}");
    assert!(
        said.starts_with("4 records, 10 parts of them left out as others', proved by a checkpoint of "),
        "{said}"
    );
    let all: String = records.iter().map(|(parts, _)| parts.as_str()).collect();
    // Nothing of the other tenant, and of the operator only by which id it was.
    for text in ALICE.iter().chain(&["10.1.0.5", "port-aster"]).chain(&ROOT[1..2]).chain(&ROOT[4..]) {
        assert!(!all.contains(text), "{text}: {all}");
        let canonical: String = records.iter().map(|(_, canonical)| canonical.as_str()).collect();
        assert!(*text == ASTER || !canonical.contains(text), "{text}: {canonical}");
    }
    let [opened, own, renamed, closed] = &records[..] else { panic!("four") };
    for exposed in [opened, closed] {
        assert!(exposed.0.contains("10.2.0.5") && !exposed.0.contains("event_type"), "{exposed:?}");
    }
    for text in BOB.iter().chain(&["10.2.0.5", "security_group_rule.create.end", "_context_user_name"]) {
        assert!(own.0.contains(text), "{text}: {own:?}");
    }
    assert!(renamed.0.contains("port.update.end") && renamed.0.contains(ROOT[0]), "{renamed:?}");
    assert!(!renamed.0.contains("_context"), "the message points to whoever sent it: {renamed:?}");

    // The other way round, and both together.
    run(&["audit", "export", "--store", &store, "--for-project", ASTER, "--bundle", &bundle]);
    let records = readable(&bundle);
    assert_eq!(records.len(), 2);
    let all: String = records.iter().map(|(parts, _)| parts.as_str()).collect();
    assert!(all.contains("10.1.0.5") && !all.contains("10.2.0.5") && !all.contains(BIRCH), "{all}");
    run(&[&export[..], &["--for-project", ASTER, "--bundle", &bundle]].concat());
    assert_eq!(readable(&bundle).len(), 4);

    // The operator's own project beside the one that the port is of: still nothing points to who did it.
    let both = json_lines(&[&export[..], &["--for-project", OPERATORS]].concat());
    let renamed = both.iter().find(|record| record["event_type"] == "port.update.end").unwrap();
    assert_eq!(renamed["missing"], json!(["personal", "payload"]), "{renamed}");
    let all = Value::from(both).to_string();
    assert!(!all.contains(ROOT[1]) && !all.contains(ROOT[4]), "{all}");

    // The same in every form that is made of records.
    for format in ["native", "ocsf", "ecs", "cadf", "cef", "osel-1.1", "cadf-text", "sentence"] {
        let output = osel(&[&export[..], &["--format", format]].concat());
        let (out, said) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success() && said.contains("parts of them left out"), "{said}");
        for text in [ALICE[0], ALICE[1], ALICE[3], ALICE[4], "10.1.0.5", "port-aster", ROOT[1], ROOT[4]] {
            assert!(!out.contains(text), "{format}: {text}: {out}");
        }
    }
    let native = json_lines(&export);
    assert_eq!(native.len(), 4);
    assert_eq!(native[0]["missing"], json!(["body", "personal", "exposure", "payload"]));
    assert_eq!(native[0]["exposure"]["opened"][0]["address"], "10.2.0.5");
    assert_eq!(native[1]["actor"]["user_name"], BOB[1]);
    assert_eq!(native[2]["missing"], json!(["personal", "payload"]));
    // The same by the index.
    run(&["store", "index", "--store", &store]);
    assert_eq!(json_lines(&export), native);
}

#[test]
fn conditions_are_those_of_a_search() {
    let place = Place::new("exported-conditions");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-2026")]);
    let all = json_lines(&["audit", "export", "--store", &store]);
    let some = all.iter().find(|record| record["exposure"]["opened"][0]["address"].is_string()).unwrap();
    let address = some["exposure"]["opened"][0]["address"].as_str().unwrap();
    let project = some["actor"]["project_id"].as_str().unwrap();
    let time = some["time"].as_str().unwrap();
    let bundle = place.path("some.bundle");
    for conditions in [
        &["--address", address][..],
        &["--project", project, "--exposing"],
        &["--until", time, "--kind", "change"],
        &["--since", time, "--seq", "3..40"],
        &["created port"],
        &["--actor", "nobody-at-all"],
    ] {
        let of = |command: &'static str| [&["audit", command, "--store", &store][..], conditions].concat();
        let found = json_lines(&[&of("search")[..], &["-o", "json"]].concat());
        assert_eq!(json_lines(&of("export")), found, "{conditions:?}");
        run(&[&of("export")[..], &["--bundle", &bundle]].concat());
        let summary = check(&fs::read(&bundle).unwrap());
        assert_eq!((summary.scope, summary.records), (Scope::Some, found.len() as u64), "{conditions:?}");
        assert_eq!(summary.parts.missing(osel_core::trail::PartClass::Body), 0);
    }
    let said = refused(2, &["audit", "export", "--store", &store, "--since", "yesterday"]);
    assert!(said.contains("--since yesterday: not a time"), "{said}");
}

/// What belongs to a record, worked out from all records by brute force.
fn incident(all: &[Value], seq: u64) -> BTreeSet<u64> {
    let record = |seq: u64| &all[seq as usize - 1];
    let mut found = BTreeSet::new();
    let mut requests = BTreeSet::new();
    let mut at = Some(seq);
    while let Some(number) = at {
        found.insert(number);
        requests.extend(record(number)["request_id"].as_str());
        at = record(number)["cause"].as_u64();
    }
    let mut below: BTreeSet<u64> = [seq].into();
    let asked = |one: &&Value| one["request_id"].as_str().is_some_and(|id| requests.contains(id));
    below.extend(all.iter().filter(asked).map(|one| one["seq"].as_u64().unwrap()));
    for one in all {
        if one["cause"].as_u64().is_some_and(|cause| below.contains(&cause)) {
            below.insert(one["seq"].as_u64().unwrap());
        }
    }
    found.union(&below).copied().collect()
}

#[test]
fn an_incident_is_all_that_belongs_to_a_record() {
    let place = Place::new("exported-incident");
    let store = place.path("store");
    run(&["demo", "--once", "--store", &store]);
    let all = json_lines(&["audit", "export", "--store", &store]);
    let seq = |record: &Value| record["seq"].as_u64().unwrap();
    // A change that was scanned, a scan, and a finding that followed from it.
    let finding = all.iter().find(|record| record["kind"] == "finding" && record["cause"].is_u64()).unwrap();
    let scan = &all[finding["cause"].as_u64().unwrap() as usize - 1];
    let change = &all[scan["cause"].as_u64().unwrap() as usize - 1];
    let bundle = place.path("incident.bundle");
    for of in [seq(finding), seq(scan), seq(change), 1] {
        let number = of.to_string();
        let export = ["audit", "export", "--store", &store, "--incident", &number];
        let found: Vec<u64> = json_lines(&export).iter().map(seq).collect();
        assert_eq!(found, incident(&all, of).into_iter().collect::<Vec<_>>(), "record {of}");
        run(&[&export[..], &["--bundle", &bundle]].concat());
        assert_eq!(check(&fs::read(&bundle).unwrap()).records, found.len() as u64);
        let findings = json_lines(&[&export[..], &["--kind", "finding"]].concat());
        assert_eq!(
            findings.len(),
            found.iter().filter(|seq| all[**seq as usize - 1]["kind"] == "finding").count()
        );
    }
    assert!(incident(&all, seq(change)).contains(&seq(finding)));
    let said = refused(2, &["audit", "export", "--store", &store, "--incident", "1000000"]);
    assert!(said.contains("there is no record 1000000: the last one is "), "{said}");
}

/// Debian's `age`, or what it refused with.
fn decrypted(key: &str, file: &str) -> Result<Vec<u8>, String> {
    let output = Command::new("age").args(["--decrypt", "-i", key, file]).stdin(Stdio::null()).output();
    let output = output.expect("this test needs Debian's `age`, which `cargo xtask test` installs");
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8(output.stderr).unwrap()) }
}

/// A new key in a file, and the recipient that it is.
fn age_key(place: &Place, name: &str) -> (String, String) {
    let file = place.path(name);
    let output = Command::new("age-keygen").args(["-o", &file]).output().unwrap();
    assert!(output.status.success());
    let output = Command::new("age-keygen").args(["-y", &file]).output().unwrap();
    (file, String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn only_recipients_read_what_is_encrypted() {
    let place = Place::new("exported-encrypted");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-2026")]);
    let [ada, bea, eve] = ["ada", "bea", "eve"].map(|name| age_key(&place, name));
    let listed = place.write("recipients", format!("# who checks\n\n{}\n", bea.1));
    let (plain, sealed) = (place.path("plain.bundle"), place.path("sealed.bundle.age"));
    run(&["audit", "export", "--store", &store, "--bundle", &plain]);
    let to = ["--recipient", &ada.1, "--recipients-file", &listed];
    run(&[&["audit", "export", "--store", &store, "--bundle", &sealed][..], &to].concat());
    let plain = fs::read(&plain).unwrap();
    assert!(plain.len() > 3 << 16, "more than a few chunks");
    for key in [&ada.0, &bea.0] {
        assert_eq!(decrypted(key, &sealed).unwrap(), plain);
    }
    let refused_by_age = decrypted(&eve.0, &sealed).unwrap_err();
    assert!(refused_by_age.contains("no identity matched any of the recipients"), "{refused_by_age}");
    // What is cut at the end of a chunk, or changed, is not taken for all of it.
    let bytes = fs::read(&sealed).unwrap();
    let header = bytes.len() - plain.len() - plain.len().div_ceil(1 << 16) * 16;
    let cut = place.write("cut.age", &bytes[..header + 2 * ((1 << 16) + 16)]);
    assert!(decrypted(&ada.0, &cut).is_err());
    for at in [30, header - 20, header + 5, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(decrypted(&ada.0, &place.write("changed.age", changed)).is_err(), "byte {at}");
    }

    // Lines too, few or none.
    let first = ["audit", "export", "--store", &store, "--format", "sentence", "--seq", "1..1"];
    let lines = run(&first);
    let output = osel(&[&first[..], &["--recipient", &ada.1]].concat());
    let file = place.write("lines.age", output.stdout);
    assert_eq!(decrypted(&ada.0, &file).unwrap(), lines.as_bytes());
    let nothing =
        osel(&["audit", "export", "--store", &store, "--actor", "nobody-at-all", "--recipient", &ada.1]);
    assert_eq!(decrypted(&ada.0, &place.write("nothing.age", nothing.stdout)).unwrap(), b"");

    let private = fs::read_to_string(&ada.0).unwrap().lines().last().unwrap().to_owned();
    let said = refused(2, &["audit", "export", "--store", &store, "--recipient", &private]);
    assert!(said.contains("that is a private key") && !said.contains(&private), "{said}");
    let empty = place.write("empty", "# nobody\n");
    let said = refused(2, &["audit", "export", "--store", &store, "--recipients-file", &empty]);
    assert!(said.contains("it names no recipient"), "{said}");
}

#[test]
fn an_export_is_a_reading_that_is_recorded() {
    let mut osel = Daemon::new("exported-told", "[trail]\nrecord_reads = true\n");
    osel.capture("bus.jsonl", "a", 5);
    osel.start();
    osel.await_received(5);
    let store = osel.place.path("store");
    let (_, recipient) = age_key(&osel.place, "key");
    let bundle = osel.place.path("some.bundle");
    until("a checkpoint covers them", LIMIT, || {
        self::osel(&["audit", "export", "--store", &store, "--bundle", &bundle, "--seq", "5..5"])
            .status
            .success()
    });
    let project = ["--for-project", ASTER, "--incident", "5"];
    run(&[
        &["audit", "export", "--store", &store, "--bundle", &bundle, "--recipient", &recipient][..],
        &project,
    ]
    .concat());
    run(&["audit", "export", "--store", &store, "--format", "ocsf", "--address", "192.0.2.0/24"]);
    // What is too long for one record is told by several: nothing hides behind what was cut off.
    let words: Vec<String> = (0..200).map(|number| format!("word-ä{number:03}")).collect();
    run(&["audit", "search", "--store", &store, &words.join(" "), "--actor", "at-the-end"]);
    assert!(osel.stop().success());
    let read = json_lines(&["audit", "search", "--store", &store, "read the trail:", "-o", "json"]);
    let said: Vec<&str> = read.iter().filter_map(|record| record["summary"].as_str()).collect();
    let asked =
        |asked: &str| said.iter().any(|said| said.ends_with(&format!(" read the trail: export {asked}")));
    assert!(asked("--bundle --seq 5..5"), "{said:?}");
    assert!(
        asked(&format!("--bundle --recipient {recipient} --for-project {ASTER} --incident 5")),
        "{said:?}"
    );
    assert!(asked("--format ocsf --address 192.0.2.0/24"), "{said:?}");
    let mut pieces: Vec<(u64, &str)> = read
        .iter()
        .filter_map(|record| {
            let (_, asked) = record["summary"].as_str()?.split_once(" read the trail: search ")?;
            Some((record["seq"].as_u64()?, asked))
        })
        .collect();
    pieces.sort_unstable();
    assert!(pieces.len() > 3, "{pieces:?}");
    let searched: String = pieces.into_iter().map(|(_, asked)| asked).collect();
    for words in words.iter().map(String::as_str).chain(["--actor at-the-end"]) {
        assert_eq!(searched.matches(words).count(), 1, "{words}: {searched}");
    }
}
