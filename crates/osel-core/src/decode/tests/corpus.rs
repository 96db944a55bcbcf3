//! The recorded notifications of real services, all of them.

use std::collections::BTreeMap;
use std::io::Read;

use super::super::{Decoded, Decoder, decode};
use crate::event::{Change, RawMessage};

/// The bodies and exchanges of a recording, in order.
pub(super) fn recording(name: &str) -> Vec<RawMessage> {
    let path = format!("{}/../osel-sim/corpus/{name}.jsonl.gz", env!("CARGO_MANIFEST_DIR"));
    #[allow(clippy::disallowed_methods, reason = "recordings are files, and only tests read them")]
    let packed = std::fs::read(&path).expect(&path);
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let messages = text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut raw = super::message(line["body"].as_str().unwrap());
        raw.exchange = line["exchange"].as_str().unwrap().into();
        raw.routing_key = line["routing_key"].as_str().unwrap().into();
        raw
    });
    messages.collect()
}

pub(super) const RECORDINGS: [&str; 8] =
    ["dev-2026", "dev-zed", "dev-v1basic", "dev-2topics", "dev-glance", "dev-aodh", "dev-race", "icehouse"];

fn counts(name: &str) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for raw in recording(name) {
        let decoded = decode(&raw);
        let event = decoded.result.unwrap_or_else(|defect| panic!("{name}: {defect}"));
        let variant = match event.change {
            Change::Objects { .. } => "objects",
            Change::Deleted { .. } => "deleted",
            Change::Interface(_) => "interface",
            Change::Attempt(_) => "attempt",
            Change::Identity(_) => "identity",
            Change::Role(_) => "role",
            Change::Authentication(_) => "authentication",
            Change::Access(_) => "access",
            Change::Activity(_) => "activity",
            Change::Unmodelled => "unmodelled",
        };
        *counts.entry(variant).or_default() += 1;
    }
    counts
}

fn check(name: &str, wanted: &[(&'static str, usize)]) {
    assert_eq!(counts(name), wanted.iter().copied().collect(), "{name}");
}

#[test]
fn every_message_means_what_its_type_says() {
    check(
        "dev-2026",
        &[
            ("access", 1254),
            ("activity", 2),
            ("attempt", 483),
            ("authentication", 28),
            ("deleted", 94),
            ("identity", 55),
            ("interface", 5),
            ("objects", 358),
            ("role", 14),
        ],
    );
    check(
        "dev-zed",
        &[
            ("attempt", 334),
            ("authentication", 28),
            ("deleted", 59),
            ("identity", 55),
            ("interface", 5),
            ("objects", 252),
            ("role", 14),
        ],
    );
    check(
        "dev-v1basic",
        &[
            ("attempt", 57),
            ("authentication", 3),
            ("deleted", 4),
            ("identity", 48),
            ("interface", 2),
            ("objects", 44),
            ("role", 14),
        ],
    );
    check("icehouse", &[("activity", 4), ("attempt", 2), ("deleted", 4), ("objects", 6)]);
    assert_eq!(counts("dev-glance")["activity"], 16);
    assert_eq!(counts("dev-aodh")["activity"], 5);
    assert_eq!(counts("dev-2topics")["unmodelled"], 40, "error_notification, twice");
    assert_eq!(counts("dev-race")["deleted"], 40);
}

#[test]
fn what_is_known_of_each_message() {
    for name in RECORDINGS {
        for raw in recording(name) {
            let event = decode(&raw).result.unwrap();
            assert!(event.message_id.is_some());
            let is_attempt = matches!(&event.change, Change::Attempt(_));
            if is_attempt || matches!(event.change, Change::Deleted { .. } | Change::Interface(_)) {
                assert!(event.actor.user_id.is_some() && event.request_id.is_some(), "{event:?}");
            }
            if let Change::Attempt(attempt) = &event.change {
                let needs_id = attempt.verb != crate::event::Verb::Create;
                assert_eq!(attempt.id.is_some(), needs_id, "{event:?}");
            }
            if let Change::Access(call) = &event.change {
                assert!(call.correlation.is_some() && event.actor.address.is_some(), "{event:?}");
                assert_eq!(call.status.is_some(), call.response, "{event:?}");
            }
            if let Change::Identity(change) = &event.change {
                assert!(change.id.is_some(), "{event:?}");
            }
        }
    }
}

#[test]
fn copies_on_two_topics_have_one_digest() {
    let mut digests: BTreeMap<Box<str>, Vec<[u8; 32]>> = BTreeMap::new();
    for raw in recording("dev-2topics") {
        let decoded = decode(&raw);
        digests.entry(decoded.message_id.unwrap()).or_default().push(decoded.digest);
    }
    for (id, digests) in digests {
        assert!(digests.len() == 2 && digests[0] == digests[1], "{id}");
    }
}

#[test]
fn the_usual_way_and_the_general_one_agree() {
    for name in RECORDINGS {
        for raw in recording(name) {
            let (Some(usual), general) = (Decoder::default().usual(&raw), Decoder::default().any(&raw))
            else {
                assert!(matches!(name, "dev-v1basic" | "icehouse"), "{name}");
                continue;
            };
            assert_eq!(usual.digest, general.digest);
            assert_eq!(format!("{:?}", usual.result), format!("{:?}", general.result));
            let json = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap();
            assert_eq!(json(&usual.body), json(&general.body));
        }
    }
}

#[test]
fn one_decoder_for_all_says_what_a_new_one_says_of_each() {
    let mut decoder = Decoder::default();
    let whole = recording("dev-2026").into_iter().chain(recording("icehouse"));
    for raw in whole {
        // What is refused halfway leaves more behind than what is understood; so does a large text.
        let cut = super::message(&raw.body[..raw.body.len() / 2]);
        let large = super::message(super::plain("port.create.end", &format!("[{}1]", "1,".repeat(50_000))));
        for raw in [&cut, &raw, &large].into_iter().take(if raw.body.len() % 64 == 0 { 3 } else { 2 }) {
            let (kept, new) = (decoder.decode(raw), decode(raw));
            assert_eq!(format!("{kept:?}"), format!("{new:?}"));
        }
    }
}

fn no_token(decoded: &Decoded<'_>) {
    let text = String::from_utf8_lossy(&decoded.body).into_owned() + &format!("{decoded:?}");
    assert!(!text.contains("gAAAAA"), "{text}");
}

#[test]
fn no_token_is_left_in_any_text_or_event() {
    for name in RECORDINGS {
        for raw in recording(name) {
            let decoded = decode(&raw);
            no_token(&decoded);
        }
    }
}
