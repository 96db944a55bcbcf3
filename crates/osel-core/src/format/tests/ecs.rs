//! ECS and CADF: every field is one that the schema has, with its type and its words; every event of ours is one of DSP0262.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use super::recorded::{every, lines};
use crate::format::Format;
use crate::time::Timestamp;

struct Field {
    kind: &'static str,
    is_list: bool,
    words: Vec<&'static str>,
}

/// How many of the fields of the schema records have, all kinds and clouds together.
const USED: usize = 54;

/// The sets of fields that records have some of, whole, as the schema has them.
fn fields() -> BTreeMap<&'static str, Field> {
    let read = |line: &'static str| {
        let mut cells = line.split(',');
        let mut next = || cells.next().expect("four cells");
        let (name, kind, list, words) = (next(), next(), next(), next());
        (name, Field { kind, is_list: list == "array", words: words.split_whitespace().collect() })
    };
    include_str!("ecs-9.0.0.csv").lines().map(read).collect()
}

/// Which types the schema expects with a category.
fn types() -> BTreeMap<&'static str, Vec<&'static str>> {
    let lines = include_str!("ecs-9.0.0-types.csv").lines();
    let read = |line: &'static str| line.split_once(',').expect("two cells");
    lines.map(read).map(|(category, types)| (category, types.split_whitespace().collect())).collect()
}

/// Fields by their dotted names; what is osel's own is not looked at.
fn flat<'a>(path: &str, value: &'a Value, out: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members.iter().filter(|(key, _)| !(path.is_empty() && *key == "osel")) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flat(&path, value, out);
            }
        }
        other => out.push((path.to_owned(), other)),
    }
}

#[test]
fn every_field_is_one_of_the_schema_and_of_its_type() {
    let (fields, types) = (fields(), types());
    let mut used = BTreeSet::new();
    every(|record, message| {
        let lines = lines(Format::Ecs, record, message);
        let [line] = &lines[..] else { panic!("one line: {lines:?}") };
        let document: Value = serde_json::from_str(line).expect("JSON");
        let mut found = Vec::new();
        flat("", &document, &mut found);
        for (name, value) in found {
            let field = fields.get(&*name).unwrap_or_else(|| panic!("{name} is no field"));
            assert_eq!(value.is_array(), field.is_list, "{name}");
            let list = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
            for value in list {
                let is_right = match field.kind {
                    "long" => value.is_i64(),
                    "date" => value.as_str().is_some_and(|time| Timestamp::parse(time).is_some()),
                    "ip" => value.as_str().is_some_and(|ip| ip.parse::<IpAddr>().is_ok()),
                    "keyword" | "match_only_text" | "wildcard" => value.is_string(),
                    other => panic!("{name} is a {other}, which no record has had yet"),
                };
                assert!(is_right, "{name} is no {}: {value}", field.kind);
                let word = value.as_str().unwrap_or_default();
                assert!(field.words.is_empty() || field.words.contains(&word), "{name}: {word}");
            }
            used.insert(name);
        }
        let texts = |pointer: &str| -> Vec<&str> {
            let list = document.pointer(pointer).and_then(Value::as_array).expect("a list");
            list.iter().filter_map(Value::as_str).collect()
        };
        let categories = texts("/event/category");
        for kind in texts("/event/type") {
            let is_expected = categories
                .iter()
                .any(|category| types.get(*category).is_some_and(|types| types.contains(&kind)));
            assert!(is_expected, "{kind} is no type of {categories:?}");
        }
    });
    assert_eq!(used.len(), USED, "a field is new, or no record has it any more: {used:?}");
}

#[test]
fn what_came_as_cadf_leaves_as_it_came_and_the_rest_is_cadf_too() {
    let (mut verbatim, mut ours) = (0, 0);
    every(|record, message| {
        let lines = lines(Format::Cadf, record, message);
        let [line] = &lines[..] else { panic!("one line: {lines:?}") };
        let event: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(event["typeURI"], "http://schemas.dmtf.org/cloud/audit/1.0/event");
        for key in ["id", "eventType", "eventTime", "action", "outcome"] {
            assert!(event[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {line}");
        }
        let sent: Value =
            message.map(|message| serde_json::from_slice(message).expect("JSON")).unwrap_or_default();
        if sent["payload"]["typeURI"] == event["typeURI"] {
            assert_eq!(event, sent["payload"]);
            assert!(
                std::str::from_utf8(message.expect("a message")).expect("UTF-8").contains(&**line),
                "byte for byte"
            );
            verbatim += 1;
            return;
        }
        for role in ["initiator", "target", "observer"] {
            let uri = event[role]["typeURI"].as_str().expect("a type");
            let begins = ["storage", "compute", "network", "data", "service", "unknown"];
            assert!(begins.iter().any(|begin| uri.starts_with(begin)), "{role}: {uri}");
            assert!(event[role]["id"].is_string(), "{role}: {line}");
        }
        let record_of = &event["attachments"][0]["content"]["record"];
        assert_eq!(record_of["seq"], record.header.seq);
        ours += 1;
    });
    assert!(verbatim > 100 && ours > 100, "{verbatim} {ours}");
}
