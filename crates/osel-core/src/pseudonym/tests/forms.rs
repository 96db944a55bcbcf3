//! Over every recorded cloud and in every form: nobody whom a message named is found in a line.
//!
//! Who is named is read from the messages themselves, beside the decoder. Names, addresses and agents are given to everybody anew before, so that
//! a user is not called as a project is, and is found whatever stands around the name.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use serde_json::Value;

use super::super::{About, KEY_BYTES, PseudonymKey, watched};
use crate::decode::decode;
use crate::engine::record::Record;
use crate::engine::{Engine, EngineOptions, Input, Output};
use crate::format::tests::recorded::{RECORDINGS, STORE, recording};
use crate::format::{Format, Subject, render};
use crate::trail::{Hash, Header};

/// Everybody of a recording: what each is called now, by what a text says of whom and what it was.
#[derive(Default)]
struct Truth {
    texts: BTreeMap<(About, String), String>,
}

impl Truth {
    fn text(&mut self, about: About, text: &mut String) {
        if text.is_empty() {
            return;
        }
        let number = self.texts.len();
        let called = self.texts.entry((about, text.clone())).or_insert_with(|| match about {
            About::Name => format!("somebody-{number}-called-{}", text.replace(' ', "-")),
            About::Address => format!("198.18.{}.{}", number / 250, number % 250 + 1),
            About::Agent => format!("browser-{number}/1.0"),
            About::User | About::Asked => text.clone(),
        });
        text.clone_from(called);
    }

    /// Reads and renames whoever is named in a message, whatever message.
    fn message(&mut self, body: &[u8]) -> Vec<u8> {
        let mut message: Value = serde_json::from_slice(body).expect("JSON");
        if let Some(Value::String(inner)) = message.get_mut("oslo.message") {
            let mut within: Value = serde_json::from_str(inner).expect("JSON");
            self.value(&mut within, &[]);
            *inner = within.to_string();
        } else {
            self.value(&mut message, &[]);
        }
        serde_json::to_vec(&message).expect("JSON")
    }

    fn value(&mut self, value: &mut Value, path: &[&str]) {
        match value {
            Value::Object(map) => {
                let is_user = map
                    .get("event_type")
                    .and_then(Value::as_str)
                    .is_some_and(|event| event.starts_with("identity.user."));
                let about_user =
                    map.get("typeURI").and_then(Value::as_str).is_some_and(|uri| uri.ends_with("/user"));
                for (key, value) in map {
                    let mut inner = path.to_vec();
                    inner.push(if is_user && key == "payload" { "payload of a user" } else { key });
                    let Value::String(text) = value else {
                        self.value(value, &inner);
                        continue;
                    };
                    let about = match (path.last().copied(), key.as_str()) {
                        (_, "user_id" | "_context_user_id" | "_context_user") => Some(About::User),
                        (Some("payload"), "user") => Some(About::User),
                        (Some("payload of a user"), "resource_info") => Some(About::User),
                        (Some("initiator"), "id") if about_user => Some(About::User),
                        (_, "user_name" | "_context_user_name" | "username") => Some(About::Name),
                        (Some("initiator"), "name") => Some(About::Name),
                        (Some("host"), "address") if path.contains(&"initiator") => Some(About::Address),
                        (Some("host"), "agent") if path.contains(&"initiator") => Some(About::Agent),
                        (_, "_context_remote_address" | "remote_address") => Some(About::Address),
                        _ => None,
                    };
                    // `Could not find user: NAME.`
                    if key == "reasonType"
                        && let Some((before, called)) = text.split_once("user: ")
                    {
                        let mut called = called.trim_end_matches('.').to_owned();
                        self.text(About::Name, &mut called);
                        *text = format!("{before}user: {called}.");
                    }
                    if let Some(about) = about {
                        self.text(about, text);
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| self.value(value, path)),
            _ => {}
        }
    }

    fn of(&self, about: About) -> BTreeSet<&str> {
        self.texts.iter().filter(|((of, _), _)| *of == about).map(|(_, text)| text.as_str()).collect()
    }
}

#[test]
fn nobody_is_found_in_any_line_of_any_recording() {
    let key = PseudonymKey::new([7; KEY_BYTES]);
    for name in RECORDINGS {
        let mut truth = Truth::default();
        let mut messages = recording(name);
        for raw in &mut messages {
            raw.body = truth.message(&raw.body);
        }
        let everybody: Vec<&str> = truth.texts.values().map(String::as_str).collect();
        let search = AhoCorasick::new(&everybody).expect("a few thousand words");
        let mut engine = Engine::new(EngineOptions::default());
        let (mut seq, mut lines) = (0, Vec::new());
        // Who is named in the parts of records, and who was replaced by what.
        let (mut named, mut watched_texts) =
            (BTreeSet::new(), BTreeMap::<(About, String), BTreeSet<String>>::new());
        for raw in &messages {
            let mut out = Output::default();
            engine.handle(raw.received_at, Input::Message(raw, decode(raw)), &mut out);
            for body in &out.records {
                seq += 1;
                let (time, recorded_at) = (body.time, body.recorded_at);
                let header =
                    Header { seq, previous: Hash::ZERO, time, recorded_at, as_of: time, kind: body.kind };
                let parts = body.parts();
                for part in &parts {
                    named.extend(
                        search.find_iter(&*part.bytes).map(|found| everybody[found.pattern().as_usize()]),
                    );
                }
                let parts = parts.iter().map(|part| (part.class, None, Some(&*part.bytes)));
                let record = Record::read(header, Hash::ZERO, parts);
                let view = watched(record, &key, &mut |about, text, pseudonym| {
                    watched_texts.entry((about, text.to_owned())).or_default().insert(pseudonym.to_owned());
                });
                let scans = BTreeMap::new();
                let subject = Subject {
                    record: &view,
                    message: None,
                    scans: &scans,
                    names: engine.names(),
                    store: STORE,
                };
                for format in Format::ALL {
                    lines.clear();
                    render(format, &subject, &mut lines);
                    for line in &lines {
                        let found = search.find(line).map(|found| everybody[found.pattern().as_usize()]);
                        assert_eq!(found, None, "{name} {format}: {}", String::from_utf8_lossy(line));
                    }
                }
            }
        }
        for about in [About::User, About::Name, About::Address, About::Agent] {
            let replaced: BTreeMap<&str, _> = watched_texts
                .iter()
                .filter(|((of, _), _)| *of == about)
                .map(|((_, text), pseudonyms)| (text.as_str(), pseudonyms))
                .collect();
            let wanted: BTreeSet<&str> = truth.of(about).intersection(&named).copied().collect();
            let found: BTreeSet<&str> = replaced.keys().copied().collect();
            assert_eq!(found, wanted, "{name}: {about:?}");
            let pseudonyms: BTreeSet<&String> = replaced.values().copied().flatten().collect();
            assert_eq!(pseudonyms.len(), replaced.len(), "{name}: one pseudonym for each {about:?}");
        }
        assert!(name == "icehouse" || watched_texts.len() > 3, "{name}: {}", watched_texts.len());
    }
}
