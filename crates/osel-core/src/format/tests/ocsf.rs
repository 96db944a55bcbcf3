//! OCSF: every line is valid by the published schema, and what matters is where the schema wants it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::hostile;
use super::recorded::{STORE, every, lines, others, record};
use super::schema::Schema;
use crate::format::Format;
use crate::trail::RecordKind;

fn events(record: &crate::engine::record::Record, message: Option<&[u8]>) -> Vec<Value> {
    let lines = lines(Format::Ocsf, record, message);
    lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn every_record_of_every_recorded_cloud_and_of_every_kind_is_valid() {
    let schema = Schema::published();
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    every(|record, message| {
        for event in events(record, message) {
            assert_eq!(schema.problems(&event), [""; 0], "{event:#}");
            *counts.entry(event["type_uid"].as_u64().expect("a number")).or_default() += 1;
        }
    });
    let classes: std::collections::BTreeSet<u64> = counts.keys().map(|kind| kind / 100).collect();
    let all = [2002, 2004, 3001, 3002, 3004, 3005, 3006, 6003, 6007];
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), all, "{counts:?}");
    // What opens is closed.
    assert!(counts[&200_401] > 0 && counts[&200_403] > 0, "{counts:?}");
}

#[test]
fn hostile_texts_are_valid_too() {
    let schema = Schema::published();
    for text in ["", " ", "\u{0}", "a\nb", "\u{202e}x", "8.8.8.8", &"ö".repeat(10_000)] {
        for (kind, event_type, verb) in hostile::EVENTS {
            let record = hostile::record(kind, event_type, verb, text, 2);
            for event in events(&record, Some(text.as_bytes())) {
                assert_eq!(schema.problems(&event), [""; 0], "{text:.20} {kind}");
            }
        }
    }
}

#[test]
fn a_finding_is_created_once_and_then_updated() {
    for (facts, activity) in
        [(&[][..], 1), (&[("acknowledgement", "over")], 2), (&[("ordered_by", "ada")], 2)]
    {
        let all = [&[("state", "open"), ("text", "x")], facts].concat();
        let event = events(&record(RecordKind::Finding, "unknown", &all), None).remove(0);
        assert_eq!(event["activity_id"], activity, "{facts:?}");
    }
}

/// A validator that finds nothing wrong proves nothing.
#[test]
fn the_validator_finds_what_is_wrong() {
    let schema = Schema::published();
    let login = events(&record(RecordKind::Authentication, "success", &[]), None).remove(0);
    assert_eq!(schema.problems(&login), [""; 0]);
    let check = |change: &dyn Fn(&mut Value), wanted: &str| {
        let mut event = login.clone();
        change(&mut event);
        let problems = schema.problems(&event);
        assert!(problems.iter().any(|problem| problem.contains(wanted)), "{wanted}: {problems:?}");
    };
    check(&|event| event["hash"] = json!("x"), ".hash is unknown");
    check(&|event| event["user"]["colour"] = json!("x"), ".user.colour is unknown");
    check(&|event| event["severity_id"] = json!(7), "none of");
    check(&|event| event["severity"] = json!("High"), "and not `Informational`");
    check(&|event| event["time"] = json!("now"), ".time is no long_t");
    check(&|event| event["user"] = json!({}), "at_least_one");
    check(&|event| event["type_uid"] = json!(300_202), "type_uid");
    check(&|event| event["metadata"]["profiles"] = json!([]), ".cloud is unknown");
    check(&|event| event["src_endpoint"] = json!({"ip": "x"}), ".src_endpoint.ip is no address");
    check(&|event| event["src_endpoint"] = json!({"ip": "::1", "port": 70_000}), "out of range");
    check(&|event| _ = event.as_object_mut().map(|event| event.remove("user")), ".user is missing");
    let weakness = others().into_iter().find(|record| record.body.detail.contains_key("vulnerability"));
    let mut weakness = events(&weakness.expect("there is one"), None).remove(0);
    weakness["vulnerabilities"][0]["advisory"] = json!({"uid": "x"});
    assert!(schema.problems(&weakness).iter().any(|problem| problem.contains("just_one")));
}

#[test]
fn what_matters_is_where_the_schema_wants_it() {
    let mut seen = [0; 3];
    every(|record, message| {
        let events = events(record, message);
        let event = &events[0];
        assert_eq!(event["metadata"]["uid"], format!("{STORE}-{}", record.header.seq));
        assert_eq!(event["metadata"]["sequence"], record.header.seq);
        assert_eq!(event["unmapped"]["hash"], record.hash.to_string());
        assert_eq!(event["message"], crate::engine::record::sentence(record));
        assert_eq!(event.get("raw_data").is_some(), message.is_some());
        if let Some(user) = &record.personal.user_name {
            let actor = if event["class_uid"] == 3002 {
                &event["user"]["name"]
            } else {
                &event["actor"]["user"]["name"]
            };
            assert_eq!(*actor, **user, "{event:#}");
            seen[0] += 1;
        }
        if record.header.kind == RecordKind::Authentication && &*record.body.outcome == "failure" {
            assert_eq!((&event["status_id"], &event["activity_id"]), (&json!(2), &json!(1)));
            seen[1] += 1;
        }
        let told = record.opened.iter().filter(|judged| !judged.covered_before).count()
            + record.closed.iter().filter(|judged| !judged.redundant).count();
        assert_eq!(events.len(), 1 + told);
        for (number, finding) in events.iter().enumerate().skip(1) {
            assert_eq!(finding["metadata"]["uid"], format!("{STORE}-{}-{number}", record.header.seq));
            seen[2] += 1;
        }
    });
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}
