//! A file as a source of `osel run`: followed, rotated, cut, damaged, and never read twice or not at all.

use std::fs;
use std::path::Path;
use std::process::Command;

use ::osel::store::{Reader, Store};

use crate::broker::until;
use crate::command::run;
use crate::daemon::{Daemon, LIMIT, ids, line};

#[test]
fn a_file_is_followed_and_its_place_is_kept() {
    let mut osel = Daemon::new("file-follow", "");
    // It is awaited, as a broker is.
    osel.start();
    osel.await_lines("file cannot be opened", 1);
    osel.capture("bus.jsonl", "a", 700);
    osel.await_received(700);
    // A line that is not written to its end is waited for.
    let late = line("b-0000");
    let (start, end) = late.split_at(100);
    osel.append("bus.jsonl", line("a-0700"));
    osel.append("bus.jsonl", start);
    osel.await_received(701);
    assert!(osel.stop().success());
    osel.append("bus.jsonl", end);
    osel.capture("bus.jsonl", "c", 3);
    osel.start();
    osel.await_received(705);
    osel.kill();
    osel.capture("bus.jsonl", "d", 2);
    osel.start();
    osel.await_received(707);
    assert!(osel.stop().success());
    assert_eq!(osel.recorded_ids(), [ids("a", 701), ids("b", 1), ids("c", 3), ids("d", 2)].concat());
    // A kill may come between a commit and what follows it; whatever was read again is known. A stop repeats nothing.
    let ledger = osel.ledger();
    assert_eq!((ledger.received, ledger.duplicate, ledger.quarantined), (707, 0, 0), "{ledger:?}");
    assert_eq!(osel.gaps(), [""; 0]);
}

#[test]
fn a_kill_in_the_middle_neither_loses_nor_repeats() {
    let mut osel = Daemon::new("file-kill", "");
    let mut wanted = Vec::new();
    for (round, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        osel.capture("bus.jsonl", name, 1000);
        wanted.extend(ids(name, 1000));
        osel.start();
        // Somewhere in this round's messages; the place is in the same transaction as their records.
        osel.await_received(round as u64 * 1000 + 1);
        osel.kill();
    }
    osel.start();
    // All may have been received before the last kill: what is stopped while it starts does not end in order.
    osel.await_lines("listening", 6);
    osel.await_received(5000);
    assert!(osel.stop().success());
    assert_eq!(osel.recorded_ids(), wanted);
    assert_eq!((osel.ledger().received, osel.ledger().duplicate), (5000, 0));
    assert_eq!(osel.gaps(), [""; 0]);
}

#[test]
fn the_place_of_each_source_is_that_of_its_records() {
    let mut osel =
        Daemon::new("file-two", "[[source]]\nname = 'other'\ntype = 'file'\npath = 'other.jsonl'\n");
    let length = line("a1-0000").len() as u64;
    for round in 1..=3 {
        for file in ["bus.jsonl", "other.jsonl"] {
            // Ids of one file only: what is read twice would be told as a duplicate.
            osel.capture(file, &format!("{}{round}", &file[..1]), 2000);
        }
        osel.start();
        osel.await_received(round * 2000 - 1000);
        osel.kill();
        let mut reader = Store::open_reader(Path::new(&osel.place.path("store"))).unwrap();
        let (rows, ledger) = (reader.cursors().unwrap(), reader.ledger().unwrap());
        for counters in ledger {
            // One of them may not have had its turn.
            let row = rows.iter().find(|row| row.source == counters.source).unwrap();
            let (offset, _) = row.place.as_ref().unwrap().split_once(':').unwrap();
            assert_eq!(offset, (counters.received * length).to_string(), "{counters:?}");
        }
    }
}

#[test]
fn a_bad_line_is_quarantined_and_the_next_one_is_read() {
    let mut osel = Daemon::new("file-bad", "");
    osel.append("bus.jsonl", "nonsense \"_context_auth_token\": \"hunter2\"\n\n{\"exchange\":\"neutron\"}\n");
    osel.append("bus.jsonl", b"\xff\xfe\n");
    osel.append(
        "bus.jsonl",
        "{\"body\":\"{\\\"auth_token\\\": \\\"hunter3\\\"}\",\"redelivered\":7}\n{\"body_b64\":\"?\"}\n",
    );
    osel.capture("bus.jsonl", "a", 2);
    // A notification without its circumstances is one all the same.
    osel.append(
        "bus.jsonl",
        r#"{"message_id":"bare","event_type":"x","payload":{},"timestamp":"2026-11-21 00:00:00"}"#,
    );
    osel.append("bus.jsonl", "\n");
    osel.start();
    osel.await_received(8);
    assert!(osel.stop().success());
    assert_eq!(osel.recorded_ids(), ["a-0000", "a-0001", "bare"]);
    let store = osel.place.path("store");
    let held = crate::command::json_lines(&["quarantine", "list", "--store", &store, "-o", "json"]);
    let reasons: Vec<&str> = held.iter().map(|item| item["reason"].as_str().unwrap()).collect();
    assert_eq!(
        reasons[0],
        "the body is not valid JSON, at a line that is no captured message and ends at byte 42 of its file"
    );
    assert_eq!(reasons.len(), 5, "{reasons:?}");
    for item in &held {
        let id = item["id"].to_string();
        let shown = run(&["quarantine", "show", "--store", &store, &id]);
        assert!(!shown.contains("hunter"), "{shown}");
    }
}

#[test]
fn nothing_is_lost_when_the_file_is_rotated() {
    let mut osel = Daemon::new("file-rotated", "");
    let folder = osel.place.path("");
    let path = |name: &str| format!("{folder}{name}");
    let (bus, first, second) = (path("bus.jsonl"), path("bus.jsonl.1"), path("bus.jsonl.2"));
    osel.capture("bus.jsonl", "a", 5);
    osel.start();
    osel.await_received(5);
    // Renamed, and written to once more by somebody who has it open.
    fs::rename(&bus, &first).unwrap();
    osel.capture("bus.jsonl.1", "b", 5);
    osel.capture("bus.jsonl", "c", 5);
    osel.await_received(15);
    // Twice while nobody looks, the older one packed.
    assert!(osel.stop().success());
    osel.capture("bus.jsonl", "d", 5);
    fs::rename(&first, path("bus.jsonl.3")).unwrap();
    fs::rename(&bus, &second).unwrap();
    osel.capture("bus.jsonl", "e", 5);
    fs::rename(&bus, &first).unwrap();
    assert!(Command::new("gzip").arg(&second).status().unwrap().success());
    osel.capture("bus.jsonl", "f", 5);
    osel.start();
    osel.await_received(30);
    // Copied, then cut.
    assert!(osel.stop().success());
    osel.capture("bus.jsonl", "g", 5);
    fs::copy(&bus, path("bus.jsonl-20261125")).unwrap();
    fs::write(&bus, "").unwrap();
    osel.capture("bus.jsonl", "h", 5);
    osel.start();
    osel.await_received(40);
    // The same while it runs.
    fs::copy(&bus, path("bus.jsonl-20261126")).unwrap();
    fs::write(&bus, "").unwrap();
    osel.capture("bus.jsonl", "i", 1);
    osel.await_received(41);
    assert!(osel.stop().success());
    let wanted: Vec<String> = "abcdefgh".chars().flat_map(|name| ids(&name.to_string(), 5)).collect();
    assert_eq!(osel.recorded_ids(), [wanted, ids("i", 1)].concat());
    assert_eq!((osel.ledger().received, osel.ledger().duplicate), (41, 0));
    assert_eq!(osel.gaps(), [""; 0]);
}

#[test]
fn a_packed_file_in_the_place_of_one_that_is_followed_does_not_end_the_source() {
    let mut osel = Daemon::new("file-packed-once", "");
    let path = osel.place.path("bus.jsonl");
    osel.capture("bus.jsonl", "a", 5);
    osel.start();
    osel.await_received(5);
    // Packed before it was renamed, by somebody who then goes on with a new file.
    osel.capture("next.jsonl", "b", 5);
    let next = osel.place.path("next.jsonl");
    assert!(Command::new("gzip").arg(&next).status().unwrap().success());
    fs::rename(&path, format!("{path}.1")).unwrap();
    fs::rename(format!("{next}.gz"), &path).unwrap();
    osel.await_received(10);
    // Also behind a restart, where it is the first that is found.
    assert!(osel.stop().success());
    osel.start();
    osel.await_lines("listening", 2);
    fs::rename(&path, format!("{path}.2")).unwrap();
    osel.capture("bus.jsonl", "c", 5);
    osel.await_received(15);
    assert!(osel.stop().success());
    assert_eq!(osel.recorded_ids(), ["a", "b", "c"].map(|name| ids(name, 5)).concat());
    assert_eq!((osel.ledger().duplicate, osel.gaps().len()), (0, 0));
}

#[test]
fn what_is_gone_before_it_was_read_is_a_gap() {
    let mut osel = Daemon::new("file-gap", "");
    osel.capture("bus.jsonl", "a", 3);
    osel.start();
    osel.await_received(3);
    assert!(osel.stop().success());
    fs::write(osel.place.path("bus.jsonl"), line("b-0000")).unwrap();
    osel.start();
    osel.await_received(4);
    osel.await_lines("messages may be missing", 1);
    until("the gap is told", LIMIT, || osel.gaps().len() == 1);
    assert!(osel.gaps()[0].ends_with("the file was cut or gone before it was known to be read to its end"));
    // Cut while it runs.
    fs::write(osel.place.path("bus.jsonl"), line("c-0000")).unwrap();
    osel.await_received(5);
    until("the gap is told", LIMIT, || osel.gaps().len() == 2);
    // Told once: it goes on from there.
    assert!(osel.stop().success());
    osel.start();
    osel.capture("bus.jsonl", "d", 1);
    osel.await_received(6);
    assert!(osel.stop().success());
    assert_eq!(osel.gaps().len(), 2);
    assert_eq!(osel.recorded_ids(), [ids("a", 3), ids("b", 1), ids("c", 1), ids("d", 1)].concat());
}

#[test]
fn behind_a_loss_an_empty_file_is_no_proof_that_nothing_was_written() {
    let mut osel = Daemon::new("file-empty", "");
    osel.capture("bus.jsonl", "a", 3);
    osel.start();
    osel.await_received(3);
    assert!(osel.stop().success());
    fs::write(osel.place.path("bus.jsonl"), "").unwrap();
    for starts in 1..=2 {
        osel.start();
        until("the gap is told", LIMIT, || osel.gaps().len() == starts);
        assert!(osel.stop().success());
    }
    // Not the same loss again, but what may have been written and rotated away since then.
    let records = osel.records();
    let gaps: Vec<_> =
        records.iter().filter(|record| record["kind"] == "gap").map(|record| &record["detail"]).collect();
    assert!(gaps[1]["from"].as_str() >= gaps[0]["to"].as_str(), "{gaps:?}");
}

#[test]
fn a_file_that_ends_is_read_once() {
    let mut osel = Daemon::new("file-once", "follow = false\n");
    osel.capture("bus.jsonl", "a", 600);
    // The last line has no end, and will not get one.
    osel.append("bus.jsonl", line("b-0000").trim_end());
    osel.start();
    osel.await_lines("read to its end", 1);
    assert_eq!(osel.ledger().recorded, 601);
    assert!(osel.stop().success());
    osel.start();
    osel.await_lines("read to its end", 2);
    assert!(osel.stop().success());
    assert_eq!((osel.ledger().received, osel.ledger().duplicate), (601, 0));
}

#[test]
fn a_packed_file_is_read_once_and_its_damage_is_a_gap() {
    let mut osel = Daemon::new("file-packed", "follow = false\n");
    let path = osel.place.path("bus.jsonl");
    let pack = || {
        assert!(Command::new("gzip").args(["-f", &path]).status().unwrap().success());
        fs::rename(format!("{path}.gz"), &path).unwrap();
    };
    osel.capture("bus.jsonl", "a", 600);
    pack();
    osel.start();
    osel.await_lines("read to its end", 1);
    assert!(osel.stop().success());
    osel.start();
    osel.await_lines("read to its end", 2);
    assert!(osel.stop().success());
    assert_eq!((osel.ledger().received, osel.ledger().duplicate), (600, 0));
    // The same with more behind it, cut short.
    fs::remove_file(&path).unwrap();
    osel.capture("bus.jsonl", "a", 600);
    osel.capture("bus.jsonl", "b", 600);
    pack();
    let packed = fs::read(&path).unwrap();
    fs::write(&path, &packed[..packed.len() - 9]).unwrap();
    osel.start();
    osel.await_lines("read to its end", 3);
    assert!(osel.stop().success());
    let ledger = osel.ledger();
    assert!(ledger.recorded > 600 && ledger.duplicate == 0, "{ledger:?}");
    assert_eq!(osel.gaps().len(), 1);
    osel.start();
    osel.await_lines("read to its end", 4);
    assert!(osel.stop().success());
    assert_eq!((osel.gaps().len(), osel.ledger().received), (1, ledger.received));
}
