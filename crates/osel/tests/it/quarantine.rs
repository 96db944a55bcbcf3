//! Messages in quarantine: held, shown, replayed by order once they can be read.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::Path;

use osel::runtime::{Recorder, state};
use osel::source::recording::Recording;
use osel::store::{Journal, NewStore, Store};
use osel_core::decode::{Defect, DefectKind, decode};
use osel_core::engine::EngineOptions;
use osel_core::event::{Compression, Properties, RawMessage};
use osel_core::plan::ScanPolicy;
use osel_core::time::Timestamp;
use serde_json::{Value, json};

use crate::command::{Place, json_lines, osel, recording, run};

/// A message of a recording that an older version could not read: everything as that version would have written it.
pub struct Held {
    /// Which messages of the recording, from 0.
    pub held: Vec<usize>,
    pub messages: usize,
}

/// Records the first messages of a recording, some of them with the verdict of a decoder that did not understand them.
pub fn record(store: &Path, name: &str, what: &Held) {
    record_by(store, name, what, &EngineOptions::default());
}

fn record_by(store: &Path, name: &str, what: &Held, options: &EngineOptions) {
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let journal = Store::create(store, &new).unwrap();
    let mut recorder = Recorder::resume(Box::new(journal), options).unwrap();
    let mut recording = Recording::open(Path::new(&recording(name)), None).unwrap();
    for number in 0..what.messages {
        let message = recording.next_message().unwrap().unwrap().message;
        let mut decoded = decode(&message);
        if what.held.contains(&number) {
            decoded.result = Err(Defect { kind: DefectKind::WrongType, at: "payload".into() });
        }
        recorder.message(message.received_at, &message, decoded).unwrap();
    }
    recorder.finish().unwrap();
}

/// Which messages of a recording have an event type, by their place.
fn places(name: &str, event_type: &str) -> Vec<usize> {
    let mut recording = Recording::open(Path::new(&recording(name)), None).unwrap();
    let mut places = Vec::new();
    let mut number = 0;
    while let Some(recorded) = recording.next_message().unwrap() {
        if decode(&recorded.message).event_type.as_deref() == Some(event_type) {
            places.push(number);
        }
        number += 1;
    }
    places
}

pub fn ledger(store: &str) -> Value {
    json_lines(&["ledger", "--store", store, "-o", "json"]).remove(0)
}

pub fn counts(ledger: &Value) -> [u64; 4] {
    ["received", "recorded", "duplicate", "quarantined"].map(|key| ledger[key].as_u64().unwrap())
}

#[test]
fn what_can_be_read_by_now_gets_its_record_and_the_same_rows_as_ever() {
    let (name, place) = ("dev-race", Place::new("held"));
    let store = place.path("store");
    let rules = places(name, "security_group_rule.create.end");
    let ports = places(name, "port.create.end");
    let held: Vec<usize> = rules.iter().step_by(3).chain(ports.iter().step_by(5)).copied().collect();
    let messages = ports.iter().chain(&rules).max().unwrap() + 1;
    record(Path::new(&store), name, &Held { held: held.clone(), messages });
    let before = counts(&ledger(&store));
    assert_eq!(before, [messages, messages - held.len(), 0, held.len()].map(|count| count as u64));

    let listed = json_lines(&["quarantine", "list", "--store", &store, "-o", "json"]);
    assert_eq!(listed.len(), held.len());
    let results = json_lines(&["quarantine", "replay", "--store", &store, "--all", "-o", "json"]);
    assert_eq!(results.len(), held.len());
    for (result, item) in results.iter().zip(&listed) {
        assert_eq!((&result["id"], &result["result"]), (&item["id"], &json!("recorded")));
        let seq = result["seq"].to_string();
        let record = json_lines(&["audit", "show", "--store", &store, "-o", "json", &seq]).remove(0);
        assert_eq!(record["message_id"], item["message_id"]);
        assert_eq!(record["event_type"], item["event_type"]);
        assert_eq!(record["detail"]["quarantine_id"], item["id"].to_string());
        assert!(record["detail"]["replayed_by"].is_string());
        assert!(record["summary"].as_str().unwrap().contains("replayed from quarantine by "), "{record}");
        assert!(record["time"].as_str() < record["recorded_at"].as_str());
    }
    assert_eq!(counts(&ledger(&store)), [messages as u64, messages as u64, 0, 0]);
    assert!(json_lines(&["quarantine", "list", "--store", &store, "-o", "json"]).is_empty());
    run(&["audit", "verify", "--store", &store]);

    // The model is the one of a decoder that understood everything at once.
    let straight = place.path("straight");
    run(&["replay", "--store", &straight, "--until", &messages.to_string(), &recording(name)]);
    let rows = |store: &str| json_lines(&["exposure", "--store", store, "-o", "json"]);
    assert!(!rows(&straight).is_empty());
    assert_eq!(rows(&store), rows(&straight));
    // Each message id has one record, and the same recording once more changes nothing but the count of duplicates.
    run(&["replay", "--store", &store, "--until", &messages.to_string(), &recording(name)]);
    let exported = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    let mut ids: Vec<&str> = exported.iter().filter_map(|record| record["message_id"].as_str()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), count), (messages, messages));

    let id = listed[0]["id"].to_string();
    let again = osel(&["quarantine", "replay", "--store", &store, &id]);
    assert_eq!(again.status.code(), Some(1));
    let shown = json_lines(&["quarantine", "show", "--store", &store, "-o", "json", &id]).remove(0);
    assert_eq!(shown["state"], "replayed");
}

#[test]
fn a_replay_leaves_the_options_of_the_daemon_as_they_are() {
    let (name, place) = ("dev-race", Place::new("held-options"));
    let store = place.path("store");
    let options = EngineOptions { unread_alarm_seconds: NonZeroU32::new(4711), ..EngineOptions::default() };
    record_by(Path::new(&store), name, &Held { held: vec![3], messages: 10 }, &options);
    let results = json_lines(&["quarantine", "replay", "--store", &store, "--all", "-o", "json"]);
    assert_eq!((results.len(), &results[0]["result"]), (1, &json!("recorded")));
    let mut reader = Store::open_reader(Path::new(&store)).unwrap();
    let engine = state::resume(&mut reader, &EngineOptions::default()).unwrap();
    assert_eq!(engine.told_options(), Some(&options));
}

#[test]
fn captured_messages_and_inventories_change_no_options_but_that_replays_scan_nothing() {
    let (name, place) = ("dev-race", Place::new("replayed-options"));
    let (store, inventory) = (place.path("store"), place.path("inventory.json"));
    let scan = Some(ScanPolicy::default());
    let options = EngineOptions { unread_alarm_seconds: NonZeroU32::new(4711), scan, ..Default::default() };
    record_by(Path::new(&store), name, &Held { held: vec![], messages: 10 }, &options);
    std::fs::write(&inventory, "{\"networks\": []}").unwrap();
    let told = || {
        let mut reader = Store::open_reader(Path::new(&store)).unwrap();
        state::resume(&mut reader, &EngineOptions::default()).unwrap().told_options().cloned()
    };
    run(&["inventory", "import", "--store", &store, &inventory]);
    assert_eq!(told().as_ref(), Some(&options));
    run(&["replay", "--store", &store, &recording(name)]);
    assert_eq!(told(), Some(EngineOptions { scan: None, ..options }));
}

/// A replay is an input like any other: a restart folds it to the same state, byte for byte.
#[test]
fn a_restart_folds_a_replay_to_the_same_state() {
    let (name, place) = ("dev-race", Place::new("held-fold"));
    let store = place.path("store");
    let held = places(name, "port.create.end");
    let messages = held.last().unwrap() + 1;
    record(Path::new(&store), name, &Held { held, messages });
    let ids: Vec<String> = json_lines(&["quarantine", "list", "--store", &store, "-o", "json"])
        .iter()
        .map(|item| item["id"].to_string())
        .collect();
    run(&["quarantine", "replay", "--store", &store, &ids[1], &ids[0]]);
    let mut journal = Store::open_writer(Path::new(&store)).unwrap();
    let lines = |journal: &dyn Journal| {
        let engine = state::resume(&mut *journal.reader().unwrap(), &EngineOptions::default()).unwrap();
        engine.lines().map(|line| serde_json::to_string(&line).unwrap()).collect::<Vec<_>>()
    };
    let from_snapshot = lines(&journal);
    journal.prune_snapshots(&mut |_| false).unwrap();
    // What is counted and not kept (event types without a meaning) is not in the journal's entries.
    assert_eq!(lines(&journal), from_snapshot);
}

#[test]
fn what_still_cannot_be_read_stays_with_its_reason() {
    let place = Place::new("held-still");
    let good = json!({"body": json!({"event_type": "x", "message_id": "m1", "payload": {}}).to_string()});
    let bad = json!({"body": "{\"event_type\": \"port.create.end\", \"payload\""});
    let file = place.write("some.jsonl", format!("{good}\n{bad}\n"));
    let store = place.path("store");
    run(&["replay", "--store", &store, &file]);
    let head = run(&["audit", "verify", "--store", &store, "-o", "json"]);
    let item = json_lines(&["quarantine", "list", "--store", &store, "-o", "json"]).remove(0);
    let id = item["id"].to_string();
    for ids in [&["--all"][..], &[&id]] {
        let output = osel(&[&["quarantine", "replay", "--store", &store, "-o", "json"], ids].concat());
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&result["id"], &result["result"]), (&item["id"], &json!("held")));
        assert!(result["reason"].as_str().unwrap().contains("not valid JSON"), "{result}");
    }
    assert_eq!(run(&["audit", "verify", "--store", &store, "-o", "json"]), head, "nothing was recorded");
    assert_eq!(counts(&ledger(&store)), [2, 1, 0, 1]);
    for wrong in [&["7"][..], &[&id, "7"]] {
        let output = osel(&[&["quarantine", "replay", "--store", &store], wrong].concat());
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(output.stderr, b"there is no message 7 in quarantine\n");
    }
    for wrong in [&[][..], &["--all", "2"], &["x"]] {
        let output = osel(&[&["quarantine", "replay", "--store", &store], wrong].concat());
        assert_eq!(output.status.code(), Some(2));
    }
}

/// Two copies of one message, over two topics, the first of them held: one record, one duplicate, and an order that is recorded.
#[test]
fn another_copy_with_a_record_makes_a_duplicate_and_the_order_is_recorded() {
    let (name, place) = ("dev-2topics", Place::new("held-twice"));
    let store = place.path("store");
    let copies = places(name, "security_group_rule.create.end");
    record(Path::new(&store), name, &Held { messages: copies[1] + 1, held: vec![copies[0]] });
    let before = counts(&ledger(&store));
    assert_eq!(before[3], 1);
    let results = json_lines(&["quarantine", "replay", "--store", &store, "--all", "-o", "json"]);
    assert_eq!(results.len(), 1);
    assert_eq!((&results[0]["result"], &results[0]["seq"]), (&json!("duplicate"), &Value::Null));
    assert_eq!(counts(&ledger(&store)), [before[0], before[1], before[2] + 1, 0]);
    let last = json_lines(&["audit", "export", "--store", &store, "-o", "json"]).pop().unwrap();
    assert_eq!((&last["kind"], &last["message_id"]), (&json!("system"), &Value::Null));
    assert!(last["summary"].as_str().unwrap().contains("from quarantine: it had come before"), "{last}");
    assert!(last["detail"]["replayed_by"].is_string());
    run(&["audit", "verify", "--store", &store]);
}

/// As Python's `bz2.compress` packs a notification of the first format with the id `m2`.
const PACKED: &str = "425a68393141592653596ddde2e800002f5b801000500771100000a6a7cd6a200054449e99264c400cc40d0826\
        984f4434063e21c4703fa3a74b53fda425318acc614ad051b341bd2ddc918e6008386561f12e298a84cd628412\
        3a344e1430c096c43f4a77fd6191772453850906ddde2e80";

/// Of a body that could be unpacked the text is kept, of another one the packed bytes: both can be read by now.
#[test]
fn packed_bodies_are_replayed_whatever_of_them_was_kept() {
    let place = Place::new("held-packed");
    let store = place.path("store");
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let journal = Store::create(Path::new(&store), &new).unwrap();
    let mut recorder = Recorder::resume(Box::new(journal), &EngineOptions::default()).unwrap();
    let message = |compression: Compression, name: &str, body: Vec<u8>| RawMessage {
        source: "bus".into(),
        region: None,
        exchange: "nova".into(),
        routing_key: "notifications.info".into(),
        redelivered: false,
        received_at: Timestamp::EPOCH.plus_seconds(9),
        properties: Properties {
            compression: Some(compression),
            json: format!("{{\"headers\":{{\"compression\":\"{name}\"}}}}").into(),
        },
        body,
    };
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(br#"{"event_type": "x.y", "message_id": "m1", "payload": {}}"#).unwrap();
    let text_kept = message(Compression::Gzip, "application/x-gzip", encoder.finish().unwrap());
    let bytes: Vec<u8> =
        (0..PACKED.len()).step_by(2).map(|at| u8::from_str_radix(&PACKED[at..at + 2], 16).unwrap()).collect();
    let packed_kept = message(Compression::Bzip2, "application/x-bz2", bytes.clone());

    let mut decoded = decode(&text_kept);
    assert!(decoded.body.starts_with(b"{"));
    decoded.result = Err(Defect { kind: DefectKind::WrongType, at: "payload".into() });
    recorder.message(text_kept.received_at, &text_kept, decoded).unwrap();
    let mut decoded = decode(&packed_kept);
    decoded.body = bytes.into();
    decoded.message_id = None;
    decoded.result = Err(Defect { kind: DefectKind::UnknownCompression, at: "the body".into() });
    recorder.message(packed_kept.received_at, &packed_kept, decoded).unwrap();
    recorder.finish().unwrap();
    drop(recorder);

    let results = json_lines(&["quarantine", "replay", "--store", &store, "--all", "-o", "json"]);
    let told: Vec<_> = results.iter().map(|result| &result["result"]).collect();
    assert_eq!(told, ["recorded", "recorded"], "{results:?}");
    let records = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    let ids: Vec<_> = records.iter().map(|record| &record["message_id"]).collect();
    assert_eq!(ids, ["m1", "m2"]);
    assert_eq!(counts(&ledger(&store)), [2, 2, 0, 0]);
    run(&["audit", "verify", "--store", &store]);
}
