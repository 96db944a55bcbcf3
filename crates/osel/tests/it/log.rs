//! The log over the records from outside: signed by every command that writes, found again after kills, and telling what was changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use osel::runtime::log::{LogKeys, Signer};
use osel::runtime::verification::{Finding, verify_signed};
use osel::runtime::{Recorder, log};
use osel::store::{Journal, NewStore, PostgresJournal, PostgresReader, Reader, Store};
use osel_core::decode::decode;
use osel_core::engine::EngineOptions;
use osel_core::event::{Properties, RawMessage};
use osel_core::time::Timestamp;
use osel_core::trail::log::{Checkpoint, SigningKey};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::broker::{Postgres, free_port, until};
use crate::command::{Place, json_lines, osel, program, recording, run};
use crate::daemon::Daemon;

/// What `audit verify` says of a store's log, which must be good, and how many records there are.
fn verified(store: &str) -> (u64, Value) {
    let said: Value =
        serde_json::from_str(&run(&["audit", "verify", "--store", store, "-o", "json"])).unwrap();
    assert_eq!(said["verified"], true, "{said}");
    (said["records"].as_u64().unwrap(), said["log"].clone())
}

/// The texts of records about the log's key.
fn key_changes(store: &str) -> Vec<Value> {
    let records = json_lines(&["audit", "export", "--store", store, "-o", "json"]);
    records
        .into_iter()
        .filter(|record| record["summary"].as_str().unwrap_or("").contains("the log is signed by"))
        .collect()
}

#[test]
fn a_command_signs_its_last_record_and_the_next_goes_on() {
    let place = Place::new("log-commands");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-v1basic")]);
    let (records, first) = verified(&store);
    assert_eq!((first["signed"].as_u64(), &first["known"]), (Some(records), &json!(true)));
    let key = Path::new(&store).join("log.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    run(&["replay", "--store", &store, &recording("dev-glance")]);
    let (more, second) = verified(&store);
    assert!(more > records);
    assert_eq!((second["signed"].as_u64(), &second["key"]), (Some(more), &first["key"]));
    assert!(second["checkpoints"].as_u64() > first["checkpoints"].as_u64());
    assert_eq!(key_changes(&store), [Value::Null; 0], "the first key makes no record");
    // Nothing more is there to be signed.
    run(&["replay", "--store", &store, &recording("dev-glance")]);
    assert_eq!(verified(&store), (more, second));
}

#[test]
fn checkpoints_are_at_most_a_thousand_records_apart() {
    let place = Place::new("log-apart");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-2026")]);
    let mut sizes = vec![0];
    let mut reader = Store::open_reader(Path::new(&store)).unwrap();
    reader
        .checkpoints(1..=u64::MAX, &mut |checkpoint| {
            sizes.push(checkpoint.size);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    let records = reader.head().unwrap().seq;
    assert!(records > 2000, "{records}");
    assert_eq!(sizes.last(), Some(&records));
    assert!(sizes.windows(2).all(|pair| pair[1] - pair[0] <= log::ENTRIES_APART_MAX), "{sizes:?}");
}

#[test]
fn a_new_key_is_told_by_a_record_that_it_signs_first() {
    let place = Place::new("log-rotation");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-v1basic")]);
    let (records, before) = verified(&store);
    let name = before["key"].as_str().unwrap().split_once('+').unwrap().0;
    let file = place.write("store/log.key", SigningKey::from_seed(name.parse().unwrap(), &[3; 32]).text());
    let mut command = program();
    command.env("OSEL_TRAIL__KEY__FILE", &file).args(["replay", "--store", &store, &recording("dev-glance")]);
    assert!(command.output().unwrap().status.success());
    let (_, after) = verified(&store);
    assert_ne!(before["key"], after["key"]);
    assert_eq!(after["known"], true);
    let [change] = &key_changes(&store)[..] else { panic!("one record tells it") };
    assert_eq!((change["seq"].as_u64(), &change["kind"]), (Some(records + 1), &json!("system")));
    let summary = change["summary"].as_str().unwrap();
    for key in [&before["key"], &after["key"]] {
        assert!(summary.contains(key.as_str().unwrap()), "{summary}");
    }
    let mut reader = Store::open_reader(Path::new(&store)).unwrap();
    let keys = reader.log_keys().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys[1].size > records, "{keys:?}");
    // Whoever knows the old key only is told.
    let known = keys[0].key.parse().unwrap();
    let finding = verify_signed(&mut reader, None, Some(known), None, &mut || {}).unwrap();
    assert!(
        matches!(&finding, Finding::BadLog(bad) if bad.why.contains("not by the key that is known here")),
        "{finding:?}"
    );
}

#[test]
fn a_store_from_before_the_log_catches_up_when_it_is_written() {
    let place = Place::new("log-old");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-2026")]);
    let export = |store: &str| run(&["audit", "export", "--store", store, "-o", "json"]);
    let records = export(&store);
    let database = Connection::open(Path::new(&store).join("journal.db")).unwrap();
    database
        .execute_batch(
            "DROP TABLE log_nodes; DROP TABLE log_checkpoints; DROP TABLE log_keys; DROP TABLE log_cosigned; \
             DROP TABLE search_segments; DROP TABLE search_pages; DROP TABLE search_state; \
             DROP TABLE expiry_parts; DROP TABLE erasures; DROP TABLE forwarders; DROP TABLE dead_letters; \
             CREATE TABLE expiry_parts (class INTEGER PRIMARY KEY, seq INTEGER NOT NULL, done INTEGER NOT NULL) STRICT; \
             UPDATE meta SET format = 5",
        )
        .unwrap();
    drop(database);
    fs::remove_file(Path::new(&store).join("log.key")).unwrap();
    // A reader changes nothing and says so.
    assert!(!osel(&["audit", "verify", "--store", &store]).status.success());
    run(&["replay", "--store", &store, &recording("dev-2026")]);
    let (count, found) = verified(&store);
    assert_eq!(found["signed"].as_u64(), Some(count));
    assert_eq!(export(&store), records, "no record came of it");
    let mut nodes = 0;
    let mut reader = Store::open_reader(Path::new(&store)).unwrap();
    reader
        .nodes(1, 0..=u64::MAX, &mut |_| {
            nodes += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(nodes, count / 256);
}

#[test]
fn a_log_that_does_not_fit_is_not_gone_on_with() {
    let place = Place::new("log-misfit");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-v1basic")]);
    let (records, _) = verified(&store);
    // The last record goes, and the head with it: what was signed says that it was there.
    let database = Connection::open(Path::new(&store).join("journal.db")).unwrap();
    database
        .execute_batch(
            "DELETE FROM records WHERE seq = (SELECT seq FROM meta);
             UPDATE meta SET seq = seq - 1, hash = (SELECT hash FROM records ORDER BY seq DESC LIMIT 1)",
        )
        .unwrap();
    drop(database);
    let output = osel(&["replay", "--store", &store, &recording("dev-glance")]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(error.contains("does not fit the store") && error.contains("`osel audit verify`"), "{error}");
    let output = osel(&["audit", "verify", "--store", &store]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("the log of {records} records is bad")), "{said}");
}

#[test]
fn a_key_is_configured_by_reference_and_a_wrong_one_is_told_without_a_word_of_it() {
    let place = Place::new("log-config");
    let key = SigningKey::from_seed("log.example/osel".parse().unwrap(), &[9; 32]);
    let (good, seed) = (key.text(), key.text().rsplit('+').next().unwrap().to_owned());
    let config = |key: &str, origin: &str| {
        fs::write(place.path("key"), key).unwrap();
        fs::set_permissions(place.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
        place.write(
            "osel.toml",
            format!(
                "[store]\npath = 'store'\n[trail]\nkey = {{ file = 'key' }}\n{origin}\n[[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n"
            ),
        )
    };
    let check = |file: &str| {
        let output = osel(&["config", "check", "-c", file]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check(&config(&good, "origin = 'log.example/osel'")), (Some(0), String::new()));
    for (text, origin, words) in [
        (&good[..good.len() - 1], "", "trail.key: is no key to sign with"),
        ("hunter2", "", "trail.key: is no key to sign with"),
        (&good[..], "origin = 'another.example'", "trail.key: is the key of the log `log.example/osel`"),
        (&good[..], "origin = 'a b'", "trail.origin: is no origin of a log"),
    ] {
        let (code, error) = check(&config(text, origin));
        assert_eq!(code, Some(2), "{error}");
        assert!(
            error.contains(words) && !error.contains(&seed[..8]) && !error.contains("hunter2"),
            "{error}"
        );
    }
    // Whoever writes the store that the configuration is about signs by its key, by whatever way the store is named.
    let file = config(&good, "");
    for name in ["store", "./store/"] {
        let store = place.path(name);
        let mut command = program();
        command.env("OSEL_CONFIG", &file).args(["replay", "--store", &store, &recording("dev-v1basic")]);
        assert!(command.output().unwrap().status.success());
    }
    let store = place.path("store");
    assert!(!Path::new(&store).join("log.key").exists());
    let (_, found) = verified(&store);
    assert_eq!(found["key"], json!(key.verifier().to_string()));
    assert_eq!(key_changes(&store), [Value::Null; 0]);
}

#[test]
fn a_daemon_signs_while_it_runs_and_at_its_end_and_says_so() {
    let mut osel = Daemon::new("log-daemon", "");
    let store = osel.place.path("store");
    osel.capture("bus.jsonl", "a", 30);
    osel.start();
    osel.await_received(30);
    let signed = |store: &str| {
        let read = Store::open_reader(Path::new(store)).and_then(|mut reader| reader.checkpoint(None));
        read.ok().flatten().map_or(0, |checkpoint| checkpoint.size)
    };
    // Nothing else comes: a batch of its own carries it.
    until("a checkpoint", std::time::Duration::from_secs(60), || signed(&store) >= 30);
    osel.capture("bus.jsonl", "b", 20);
    osel.await_received(50);
    assert!(osel.stop().success());
    let (records, found) = verified(&store);
    assert_eq!(found["signed"].as_u64(), Some(records));
    // Others may read the key now: it is not used, which is told once, and no message waits for it.
    fs::set_permissions(format!("{store}/log.key"), fs::Permissions::from_mode(0o644)).unwrap();
    osel.capture("bus.jsonl", "c", 20);
    osel.start();
    osel.await_received(70);
    osel.await_lines("the log cannot be signed", 1);
    assert!(osel.stop().success());
    assert_eq!(osel.log().matches("the log cannot be signed").count(), 1);
    assert_eq!(signed(&store), records);
    fs::set_permissions(format!("{store}/log.key"), fs::Permissions::from_mode(0o600)).unwrap();
    osel.start();
    osel.capture("bus.jsonl", "d", 1);
    osel.await_received(71);
    // A kill in the middle: what was signed before fits.
    osel.kill();
    verified(&store);
    osel.start();
    osel.await_lines("started", 4);
    assert!(osel.stop().success());
    let (records, found) = verified(&store);
    assert_eq!(found["signed"].as_u64(), Some(records));
}

fn message(number: u64) -> RawMessage {
    let body = json!({"event_type": "a.b", "publisher_id": "x", "message_id": format!("{number}"), "priority": "INFO",
        "timestamp": "2026-01-01 00:00:00", "payload": {}});
    RawMessage {
        source: "bus".into(),
        region: None,
        exchange: "nova".into(),
        routing_key: "notifications.info".into(),
        redelivered: false,
        received_at: Timestamp::EPOCH,
        properties: Properties { compression: None, json: "{}".into() },
        body: body.to_string().into_bytes(),
    }
}

fn clock() -> Timestamp {
    Timestamp::EPOCH
}

#[test]
fn a_leader_that_takes_over_goes_on_with_the_tree() {
    let postgres = Postgres::start(free_port(), "");
    let url = postgres.database("osel");
    let config = osel::config::PostgresConfig::parse(&url, &|_| None).unwrap();
    let key = SigningKey::from_seed("log.example/osel".parse().unwrap(), &[9; 32]);
    let mut numbers = 0..;
    for round in 1..=3_u64 {
        let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
        let journal: Box<dyn Journal> = Box::new(PostgresJournal::open(&config, Some(&new)).unwrap());
        let mut recorder = Recorder::resume(journal, &EngineOptions::default()).unwrap();
        let own = key.clone();
        let mut signer = Signer::new(clock);
        signer.take(Ok(LogKeys { key: Some(own), previous: None }));
        recorder.sign_with(signer);
        for number in numbers.by_ref().take(300) {
            let raw = message(number);
            recorder.message(Timestamp::EPOCH, &raw, decode(&raw)).unwrap();
        }
        // The first leader is gone without an end: it has made durable what it had, and signed nothing.
        if round == 1 {
            recorder.flush().unwrap();
        } else {
            recorder.finish().unwrap();
        }
        drop(recorder);
        let mut reader = PostgresReader::open(&config).unwrap();
        let finding = verify_signed(&mut reader, None, Some(key.verifier()), None, &mut || {}).unwrap();
        let Finding::Good { records, log, .. } = finding else { panic!("{finding:?}") };
        assert_eq!(records, 300 * round);
        assert_eq!((log.nodes, log.missing_nodes), (records / 256, 0));
        assert_eq!(log.signed, if round == 1 { 0 } else { records });
    }
    let last = PostgresReader::open(&config).unwrap().checkpoint(None).unwrap().unwrap();
    assert_eq!(Checkpoint::open(last.note.as_bytes(), &[key.verifier()]).unwrap().size, 900);
}
