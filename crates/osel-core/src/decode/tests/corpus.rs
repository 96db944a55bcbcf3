//! The recorded notifications of real services, all of them.

use std::collections::BTreeMap;
use std::io::Read;

use super::super::{Decoded, decode};
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

#[test]
fn print_counts() {
    for name in RECORDINGS {
        let c = counts(name);
        assert!(!c.is_empty());
        #[allow(clippy::disallowed_macros)]
        {
            println!("{name} {c:?}");
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
