//! Whatever somebody called their network: one valid line in every form.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::recorded::STORE;
use crate::engine::record::{BodyPart, Detail, PersonalPart, Record, TargetPart};
use crate::exposure::JudgedRow;
use crate::format::Format;
use crate::format::fit::{LINE_BYTES_MAX, harmless, one_line};
use crate::ids::Id;
use crate::model::{Permission, Row, Source, Via, host};
use crate::time::Timestamp;
use crate::trail::{Hash, Header, RecordKind};

/// A record whose every text is `text`, but for the words that its meaning hangs on.
pub(super) fn record(
    kind: RecordKind,
    event_type: Option<&str>,
    verb: &str,
    text: &str,
    rows: usize,
) -> Record {
    let texts =
        ["extra", "reason", "note", "server_name", "role", "role_name", "user", "on_project", "path", "text"];
    let mut detail: Detail = texts.iter().map(|key| ((*key).into(), text.to_owned())).collect();
    detail.insert("verb".into(), verb.to_owned());
    let row = |number: usize| {
        let row = Row {
            address: host([10, 0, (number / 250) as u8, (number % 250) as u8].into()),
            via: Via::Floating,
            fixed_ip: None,
            port_id: Id::new(text),
            device_id: Some(Id::new(text)),
            device_owner: Some(text.into()),
            project_id: Some(Id::new(text)),
            network_id: Some(Id::new(text)),
            region: Some(text.into()),
            permission: Permission::new(false, Some("tcp"), Some(22), Some(22), Source::Group(Id::new(text))),
            security_group_id: Some(Id::new(text)),
            rule_id: Some(Id::new(text)),
        };
        JudgedRow { row, redundant: false, covered_before: false }
    };
    Record {
        header: Header {
            seq: 7,
            previous: Hash::ZERO,
            time: Timestamp::EPOCH,
            recorded_at: Timestamp::EPOCH,
            as_of: Timestamp::EPOCH,
            kind,
        },
        hash: Hash::ZERO,
        body: BodyPart {
            source: Some(text.into()),
            region: Some(text.into()),
            message_id: Some(text.into()),
            request_id: Some(Id::new(text)),
            event_type: event_type.map(Into::into),
            outcome: "success".into(),
            user_id: Some(Id::new(text)),
            project_id: Some(Id::new(text)),
            project_name: Some(text.into()),
            target: Some(TargetPart {
                kind: text.into(),
                id: Some(Id::new(text)),
                name: Some(text.into()),
                project_id: Some(Id::new(text)),
            }),
            detail,
            ..BodyPart::default()
        },
        personal: PersonalPart {
            user_name: Some(text.into()),
            address: Some(text.into()),
            agent: Some(text.into()),
            target_name: Some(text.into()),
            detail: Detail::from([("user_name".into(), text.to_owned())]),
            ..PersonalPart::default()
        },
        opened: (0..rows).map(row).collect(),
        closed: (0..rows).map(row).collect(),
        wide: Vec::new(),
        missing: Vec::new(),
    }
}

fn lines(format: Format, record: &Record, message: &str) -> Vec<String> {
    super::recorded::lines(format, record, Some(message.as_bytes()))
}

/// One line is one line: for a machine in JSON, for a terminal in text.
fn check(format: Format, line: &str) {
    assert!(line.len() <= LINE_BYTES_MAX, "{format}: {} bytes", line.len());
    if format.is_json() {
        assert!(!line.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']), "{format}: {line}");
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert!(value.is_object());
        assert_eq!(keys_twice(line), None, "{format}");
    } else {
        assert_eq!(line, one_line(line), "{format}");
    }
}

/// A key that an object of a line has twice, which parsers read as they please.
fn keys_twice(line: &str) -> Option<String> {
    struct Keys;
    impl<'de> serde::de::DeserializeSeed<'de> for Keys {
        type Value = Option<String>;
        fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
            from.deserialize_any(self)
        }
    }
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = Option<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("JSON")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some(element) = list.next_element_seed(Keys)? {
                found = found.or(element);
            }
            Ok(found)
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let (mut found, mut seen) = (None, std::collections::BTreeSet::new());
            while let Some(key) = members.next_key::<String>()? {
                let within = members.next_value_seed(Keys)?;
                found = found.or(within);
                if !seen.insert(key.clone()) {
                    found = Some(key);
                }
            }
            Ok(found)
        }
    }
    let mut from = serde_json::Deserializer::from_str(line);
    serde::de::DeserializeSeed::deserialize(Keys, &mut from).expect("JSON")
}

/// Reads a line of CEF by its grammar: the fields of the head, and the pairs behind it.
fn read_cef(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let mut head = vec![String::new()];
    let mut rest = line.chars();
    while head.len() < 8 {
        let field = head.last_mut().expect("there is one");
        match rest.next().expect("seven pipes") {
            '\\' => field.push(rest.next().expect("what is escaped")),
            '|' => head.push(String::new()),
            other => field.push(other),
        }
    }
    head.pop();
    let (mut pairs, mut key, mut value) = (BTreeMap::new(), String::new(), String::new());
    // An unescaped `=` ends a key, which begins behind the last space.
    let mut is_first = true;
    let mut after = rest;
    while let Some(character) = after.next() {
        match character {
            '\\' => match after.next().expect("what is escaped") {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                other => value.push(other),
            },
            '=' => {
                let next = match value.rfind(' ') {
                    Some(at) => value.split_off(at).split_off(1),
                    None => std::mem::take(&mut value),
                };
                assert!(next.chars().all(|c| c.is_ascii_alphanumeric()) && !next.is_empty(), "key `{next}`");
                if !std::mem::take(&mut is_first) {
                    assert_eq!(pairs.insert(std::mem::take(&mut key), std::mem::take(&mut value)), None);
                }
                key = next;
            }
            other => value.push(other),
        }
    }
    pairs.insert(key, value);
    (head, pairs)
}

/// What a text is in a value: nothing is lost but what could break or turn a line.
fn as_value(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\r') { c } else { harmless(c) }).collect()
}

pub(super) const EVENTS: [(RecordKind, Option<&str>, &str); 9] = [
    (RecordKind::Change, Some("security_group_rule.create.end"), "create"),
    (RecordKind::Change, Some("identity.role_assignment.created"), "grant"),
    (RecordKind::Change, Some("identity.user.updated"), "update"),
    (RecordKind::Authentication, Some("identity.authenticate"), "x"),
    (RecordKind::Access, Some("audit.http.response"), "x"),
    (RecordKind::Activity, Some("compute.instance.create.end"), "create"),
    (RecordKind::Scan, None, "x"),
    (RecordKind::Finding, None, "x"),
    (RecordKind::System, None, "x"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_form_has_one_valid_line(text in any::<String>(), event in 0..EVENTS.len(), message in any::<String>()) {
        let (kind, event_type, verb) = EVENTS[event];
        let record = record(kind, event_type, verb, &text, 2);
        for format in Format::ALL {
            for line in lines(format, &record, &message) {
                check(format, &line);
            }
        }
    }

    #[test]
    fn cef_is_read_back_as_it_was_written(text in "[ -~\\n\\r=|\\\\\u{e9}\u{202e}\u{2028}\t]{0,60}", event in 0..EVENTS.len()) {
        let (kind, event_type, verb) = EVENTS[event];
        let record = record(kind, event_type, verb, &text, 1);
        let lines = lines(Format::Cef, &record, "");
        let [line] = &lines[..] else { panic!("one line: {lines:?}") };
        let (head, pairs) = read_cef(line);
        prop_assert_eq!(&head[..3], ["CEF:0", "osel", "osel"]);
        prop_assert_eq!(&pairs["externalId"], &format!("{STORE}-7"));
        let value = as_value(&text);
        for key in ["suser", "requestClientApplication", "cs2", "reason", "suid"] {
            let shown = pairs.get(key).map(String::as_str).unwrap_or_default();
            // Whoever writes a space last gets none: it parts pairs.
            prop_assert_eq!(shown, value.as_str(), "{} in {}", key, line);
        }
    }
}

#[test]
fn what_ends_a_line_for_some_readers_ends_none_in_any_form() {
    let text = "a\u{85}b\u{2028}c\u{2029}d";
    let cadf = format!(
        r#"{{"payload":{{"typeURI":"http://schemas.dmtf.org/cloud/audit/1.0/event","id":"{text}"}}}}"#
    );
    for (kind, event_type, verb) in EVENTS {
        let record = record(kind, event_type, verb, text, 2);
        for format in Format::ALL {
            for line in lines(format, &record, &cadf) {
                check(format, &line);
            }
        }
    }
}

#[test]
fn names_of_a_megabyte_and_hundreds_of_rows_are_one_line_each() {
    for text in ["x".repeat(1 << 20), "\u{1}\"".repeat(1 << 17)] {
        let mut record = record(RecordKind::Change, Some("port.create.end"), "create", "x", 3);
        record.personal.user_name = Some(text.as_str().into());
        record.body.target.as_mut().expect("a target").name = Some(text.as_str().into());
        record.body.detail.insert("extra".into(), text.clone());
        for format in Format::ALL {
            for line in lines(format, &record, &text) {
                check(format, &line);
            }
        }
    }
    let many = record(RecordKind::Change, Some("port.create.end"), "create", "x", 300);
    for format in Format::ALL {
        for line in lines(format, &many, "") {
            check(format, &line);
        }
    }
    let native: Value = serde_json::from_str(&lines(Format::Native, &many, "")[0]).expect("JSON");
    assert_eq!(native["exposure"]["cut"], serde_json::json!({"opened": 200, "closed": 200}));
}
