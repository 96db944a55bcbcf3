//! `osel replay` killed at any point: nothing that was acknowledged is lost, nothing is recorded twice.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use osel::store::{Reader, Store};
use osel_core::intake::BATCH_MESSAGES;
use osel_sim::corpus::{Corpus, directory};
use osel_sim::random::Random;
use serde_json::Value;

use crate::command::{Place, json_lines, osel, run};

/// How often the recording is told, under other message ids each time.
const TIMES: usize = 4;
/// How often the program is killed; then it may end.
const KILLS: u64 = 6;
/// So many messages may be read, decoded and sealed ahead of what is durable: only with more of them is something committed for sure.
const AHEAD: usize = 3_600;

/// The recording several times over, with message ids of their own.
fn long_recording() -> String {
    let corpus = Corpus::load(&directory(), "dev-2026").unwrap();
    let mut text = String::new();
    for time in 0..TIMES {
        for message in &corpus.messages {
            let body: Value = serde_json::from_str(&message.body).unwrap();
            let mut inner: Value = serde_json::from_str(body["oslo.message"].as_str().unwrap()).unwrap();
            let id = format!("{time}-{}", inner["message_id"].as_str().unwrap());
            inner["message_id"] = id.into();
            let mut line = message.line.clone();
            line["body"] = inner.to_string().into();
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

/// Replays some lines, told through a pipe, and kills the program: as soon as the last of them has gone in, when it is at work on those
/// that the pipe holds; or as soon as more than so many records are seen to be durable.
fn replay_and_kill(store: &str, pipe: &str, lines: &[&str], durable: Option<u64>) {
    let mut replay = Command::new(env!("CARGO_BIN_EXE_osel"))
        .args(["replay", "--store", store, pipe])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Waits until the program has opened it too, which it does before it makes the store.
    let mut input = BufWriter::new(fs::File::options().write(true).open(pipe).unwrap());
    for line in lines {
        writeln!(input, "{line}").unwrap();
    }
    input.flush().unwrap();
    while durable.is_some_and(|durable| head(store) <= durable) {
        assert!(replay.try_wait().unwrap().is_none(), "it ended though its input had not");
        std::thread::yield_now();
    }
    replay.kill().unwrap();
    replay.wait().unwrap();
}

/// The number of the last record that others see.
fn head(store: &str) -> u64 {
    Store::open_reader(Path::new(store)).and_then(|mut reader| reader.head()).map_or(0, |head| head.seq)
}

/// The ledger of the one source: received, recorded, duplicate. Nothing where there is no store yet.
fn ledger(store: &str) -> Option<[u64; 3]> {
    let output = osel(&["ledger", "--store", store]);
    if output.status.code() == Some(3) {
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("osel: there is no store") || error.contains(" is no store: "), "{error}");
        return None;
    }
    let lines = json_lines(&["ledger", "--store", store, "-o", "json"]);
    let count = |key: &str| lines.first().map_or(0, |line| line[key].as_u64().unwrap());
    assert_eq!(count("ignored") + count("quarantined"), 0);
    Some(["received", "recorded", "duplicate"].map(count))
}

#[test]
fn a_replay_killed_at_any_point_goes_on_where_it_was() {
    let place = Place::new("kill");
    let text = long_recording();
    let lines: Vec<&str> = text.lines().collect();
    let messages = lines.len();
    let (store, file) = (place.path("store"), place.write("long.jsonl", &text));
    // Under the same name, as the same source.
    fs::create_dir(place.path("pipe")).unwrap();
    let pipe = place.path("pipe/long.jsonl");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut random = Random::new(11);
    let mut recorded_before = 0;
    for kill in 0..KILLS {
        // At first in the making of the store; then anywhere, or about where the next commit is due.
        let due = recorded_before as usize + BATCH_MESSAGES;
        let told = match kill {
            0..3 => kill as usize,
            _ => due + AHEAD + random.below(600) as usize,
        };
        let told = told.min(messages - 1);
        let durable = (kill >= 3 && kill % 2 == 0 && told >= due).then(|| head(&store));
        replay_and_kill(&store, &pipe, &lines[..told], durable);
        let Some([received, recorded, duplicate]) = ledger(&store) else {
            assert_eq!(recorded_before, 0, "the store is gone");
            continue;
        };
        assert_eq!(received, recorded + duplicate);
        assert!(recorded >= recorded_before, "{recorded} of {recorded_before} records are left");
        recorded_before = recorded;
        run(&["audit", "verify", "--store", &store]);
    }
    assert!(
        (1..messages as u64).contains(&recorded_before),
        "{recorded_before} records of runs that were cut short"
    );
    run(&["replay", "--store", &store, &file]);
    let [received, recorded, duplicate] = ledger(&store).unwrap();
    assert_eq!((received, recorded), (recorded + duplicate, messages as u64));
    // The log went on through all of it, and its last size is signed.
    let verified = run(&["audit", "verify", "--store", &store, "-o", "json"]);
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["log"]["signed"], verified["records"]);
    assert_eq!(verified["log"]["known"], true);
    run(&["audit", "verify", "--store", &store]);
    let records = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    let mut ids: Vec<&str> = records.iter().filter_map(|record| record["message_id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), messages, "each message has a record");
    let with_id = records.iter().filter(|record| !record["message_id"].is_null()).count();
    assert_eq!(with_id, messages, "and only one");

    // All that was cut short left no trace in what is known: the rows are those of a run from end to end.
    let straight = place.path("straight");
    run(&["replay", "--store", &straight, &file]);
    let rows = |store: &str| run(&["exposure", "--store", store, "-o", "json"]);
    assert_eq!(rows(&store), rows(&straight));
}
