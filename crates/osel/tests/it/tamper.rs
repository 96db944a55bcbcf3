//! Whoever can write the database changes one byte of the trail: `audit verify` finds each.
//!
//! The core tries all 255 other values of each byte (`osel_core::trail::tamper_tests`); here every place of a real store is tried, with the
//! compression, the coding of parts and the columns between.

use std::ops::ControlFlow;
use std::path::Path;

use osel::runtime::verification::{Finding, verify};
use osel::store::{ALL, Entry, Reader, Store};
use rusqlite::{Connection, params};

use crate::command::{Place, osel, recording, run};

/// The seq of the first bad record, none when all is good.
fn first_bad(store: &str) -> Option<u64> {
    match Store::open_reader(Path::new(store)).and_then(|mut reader| verify(&mut reader, None, &mut || {})) {
        Ok(Finding::Good { .. }) => None,
        Ok(Finding::Bad { seq, .. }) => Some(seq),
        Ok(Finding::BadLog(bad)) => Some(bad.size),
        Err(error) => panic!("{error}"),
    }
}

fn entries(store: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut reader = Store::open_reader(Path::new(store)).unwrap();
    let read = reader.entries(ALL, &mut |entry| {
        entries.push(entry);
        ControlFlow::Continue(())
    });
    read.unwrap();
    entries
}

fn database(store: &str) -> Connection {
    Connection::open(Path::new(store).join("journal.db")).unwrap()
}

#[test]
fn every_byte_of_a_small_trail() {
    let place = Place::new("tamper");
    let store = place.path("store");
    run(&["replay", "--store", &store, "--until", "6", &recording("dev-v1basic")]);
    assert_eq!(first_bad(&store), None);
    let database = database(&store);
    let kept = entries(&store);
    let mut tried = 0;
    for (table, key, columns) in
        [("records", "seq", &["canonical", "hash", "parts"][..]), ("blocks", "first_entry", &["data"][..])]
    {
        let keys: Vec<i64> = {
            let mut rows = database.prepare(&format!("SELECT {key} FROM {table} ORDER BY {key}")).unwrap();
            rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        for row in keys {
            for column in columns {
                let read = format!("SELECT {column} FROM {table} WHERE {key} = ?1");
                let write = format!("UPDATE {table} SET {column} = ?1 WHERE {key} = ?2");
                let good: Vec<u8> = database.query_row(&read, [row], |found| found.get(0)).unwrap();
                for at in 0..good.len() {
                    let mut bad = good.clone();
                    bad[at] ^= 1 << (at % 8);
                    database.execute(&write, params![bad, row]).unwrap();
                    let found = first_bad(&store);
                    // Of a block all entries are unreadable at once; of a record it is this one or, for want of a neighbour's
                    // word, the one before.
                    let fits = match found {
                        Some(seq) => table == "blocks" || seq.abs_diff(row as u64) <= 1,
                        // A compressed block has bits that mean nothing: then every message in it is what it was.
                        None => table == "blocks" && entries(&store) == kept,
                    };
                    assert!(fits, "{table} {row} {column} byte {at}: {found:?}");
                    tried += 1;
                }
                database.execute(&write, params![good, row]).unwrap();
            }
        }
    }
    assert_eq!(first_bad(&store), None, "all is as it was");
    assert!(tried > 3000, "only {tried} bytes were tried");
}

#[test]
fn removed_swapped_and_repeated_records_and_columns() {
    let place = Place::new("tamper-rows");
    let store = place.path("store");
    run(&["replay", "--store", &store, "--until", "9", &recording("dev-v1basic")]);
    let database = database(&store);
    let try_it = |change: &str, back: &str, expected: u64| {
        database.execute_batch(&format!("PRAGMA defer_foreign_keys = 1; {change}")).unwrap();
        assert_eq!(first_bad(&store), Some(expected), "{change}");
        database.execute_batch(back).unwrap();
        assert_eq!(first_bad(&store), None, "{back}");
    };
    let move_row = |from: i64, to: i64| format!("UPDATE records SET seq = {to} WHERE seq = {from};");
    try_it(&move_row(4, 400), &move_row(400, 4), 4);
    let swap = [move_row(4, 400), move_row(5, 4), move_row(400, 5)].concat();
    try_it(&swap, &swap, 4);
    let raise = "UPDATE records SET time = time + 1 WHERE seq = 6;";
    try_it(raise, "UPDATE records SET time = time - 1 WHERE seq = 6;", 6);
    let kind = "UPDATE records SET kind = kind + 1 WHERE seq = 7;";
    try_it(kind, "UPDATE records SET kind = kind - 1 WHERE seq = 7;", 7);
}

/// What is wrong with the log, none when all is good.
fn bad_log(store: &str) -> Option<String> {
    match Store::open_reader(Path::new(store)).and_then(|mut reader| verify(&mut reader, None, &mut || {})) {
        Ok(Finding::Good { .. }) => None,
        Ok(Finding::BadLog(bad)) => Some(bad.why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_of_several_damages_is_told() {
    let place = Place::new("tamper-first");
    let store = place.path("store");
    run(&["replay", "--store", &store, "--until", "330", &recording("dev-2026")]);
    let database = database(&store);
    let told = || {
        let mut reader = Store::open_reader(Path::new(&store)).unwrap();
        match verify(&mut reader, None, &mut || {}).unwrap() {
            Finding::Bad { seq, .. } => ("record", seq),
            Finding::BadLog(bad) => ("log", bad.size),
            Finding::Good { .. } => ("good", 0),
        }
    };
    assert_eq!(told(), ("good", 0));
    // What no hash can be is read as damage, and is not only another hash.
    database.execute_batch("UPDATE log_nodes SET hash = x'00' WHERE level = 1 AND place = 0").unwrap();
    assert_eq!(told(), ("log", 256));
    let kind = |seq: u64, by: i64| {
        database
            .execute("UPDATE records SET kind = kind + ?2 WHERE seq = ?1", params![seq as i64, by])
            .unwrap();
    };
    for seq in [1, 200, 256] {
        kind(seq, 1);
        assert_eq!(told(), ("record", seq));
        kind(seq, -1);
    }
    kind(257, 1);
    assert_eq!(told(), ("log", 256));
    // A checkpoint of fewer records than the node stands for.
    let checkpoint = "INSERT INTO log_checkpoints SELECT 100, note, signed_at FROM log_checkpoints LIMIT 1";
    database.execute_batch(checkpoint).unwrap();
    assert_eq!(told(), ("log", 100));
}

#[test]
fn every_byte_of_what_is_kept_of_the_log() {
    let place = Place::new("tamper-log");
    let store = place.path("store");
    // Nodes need records; beyond the first tile each costs time for every byte.
    run(&["replay", "--store", &store, "--until", "280", &recording("dev-2026")]);
    let database = database(&store);
    let count = |table: &str| {
        database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert!(count("log_nodes") > 0 && count("log_checkpoints") > 0 && count("log_keys") == 1);
    let mut tried = 0;
    // When something was signed is nobody's word but the store's: `signed_at` is not covered.
    for (table, column, is_text) in
        [("log_nodes", "hash", false), ("log_checkpoints", "note", true), ("log_keys", "key", true)]
    {
        let read = format!("SELECT rowid, CAST({column} AS BLOB) FROM {table} LIMIT 1");
        let read = if table == "log_nodes" { read.replace("rowid", "place") } else { read };
        let (row, good): (i64, Vec<u8>) =
            database.query_row(&read, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let key = if table == "log_nodes" { "place" } else { "rowid" };
        let value = if is_text { "CAST(?1 AS TEXT)" } else { "?1" };
        let write = format!("UPDATE {table} SET {column} = {value} WHERE {key} = ?2");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            database.execute(&write, params![bad, row]).unwrap();
            assert!(bad_log(&store).is_some(), "{table} byte {at}");
            tried += 1;
        }
        for length in [0, good.len() - 1] {
            database.execute(&write, params![&good[..length], row]).unwrap();
            assert!(bad_log(&store).is_some(), "{table} cut to {length}");
        }
        database.execute(&write, params![good, row]).unwrap();
        assert_eq!(bad_log(&store), None, "{table} is as it was");
    }
    assert!(tried > 200, "only {tried} bytes were tried");
    for (change, back) in [
        ("UPDATE log_nodes SET level = 2", "UPDATE log_nodes SET level = 1"),
        ("UPDATE log_nodes SET place = place + 7", "UPDATE log_nodes SET place = place - 7"),
        ("UPDATE log_checkpoints SET size = size - 1", "UPDATE log_checkpoints SET size = size + 1"),
        (
            "UPDATE log_checkpoints SET size = size + 100000",
            "UPDATE log_checkpoints SET size = size - 100000",
        ),
        ("UPDATE log_keys SET size = size + 1", "UPDATE log_keys SET size = size - 1"),
        ("UPDATE log_keys SET size = size - 1", "UPDATE log_keys SET size = size + 1"),
        ("INSERT INTO log_keys SELECT 100000, key FROM log_keys", "DELETE FROM log_keys WHERE size = 100000"),
        (
            "CREATE TABLE removed AS SELECT * FROM log_nodes; DELETE FROM log_nodes",
            "INSERT INTO log_nodes SELECT * FROM removed; DROP TABLE removed",
        ),
    ] {
        database.execute_batch(change).unwrap();
        assert!(bad_log(&store).is_some(), "{change}");
        database.execute_batch(back).unwrap();
        assert_eq!(bad_log(&store), None, "{back}");
    }
}

#[test]
fn a_ledger_that_does_not_add_up_is_named() {
    let place = Place::new("tamper-ledger");
    let store = place.path("store");
    run(&["replay", "--store", &store, "--until", "9", &recording("dev-v1basic")]);
    let ledger = ["ledger", "--store", &store];
    assert!(osel(&ledger).status.success());
    database(&store).execute("UPDATE ledger SET received = received + 1", []).unwrap();
    let output = osel(&ledger);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("does not balance: 10 received"), "{said}");
}
