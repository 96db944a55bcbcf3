//! Scanners of `osel run`: none keeps another from its work, and a kill in the middle of a scan neither loses nor doubles it.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use ::osel::action::scan::everywhere::DECOYS;
use ::osel::runtime::Recorder;
use ::osel::store::{Journal, NewStore, Store};
use osel_core::engine::EngineOptions;
use osel_core::scan::{ScanEnd, ScanOutcome, ScanReport, ScanStep};
use osel_core::time::Timestamp;
use serde_json::Value;

use crate::broker::until;
use crate::command::{Place, osel};
use crate::daemon::{Daemon, LIMIT};
use crate::http::{address_in, get};
use crate::scanned::{await_listed, daemon, expose, listed, listener, told};

/// The built-in scanner, and one that takes an hour for what it never answers.
const WITH_A_STUCK_ONE: &str = "\
[[scanner]]
name = 'own'
type = 'builtin'
window_seconds = 0
[[scanner]]
name = 'stuck'
type = 'command'
program = 'sleep'
arguments = ['3599.75']
stdin = 'none'
format = 'jsonl'
window_seconds = 0
";
/// A port a second: a scan of a hundred is under way whenever somebody looks.
const SLOW: &str = "host_rate_per_second = 1";

fn scans(osel: &Daemon, scanner: &str, states: &[&str]) -> Vec<Value> {
    let mut scans = listed(osel, &["scans", "list", "--scanner", scanner]);
    scans.retain(|scan| states.contains(&scan["state"].as_str().unwrap()));
    scans
}

fn id(scan: &Value) -> &str {
    scan["id"].as_str().unwrap()
}

/// The records of a kind that speak of a scan.
fn records_of<'r>(records: &'r [Value], kind: &str, scan: &str) -> Vec<&'r Value> {
    records.iter().filter(|record| record["kind"] == kind && record["detail"]["command"] == scan).collect()
}

#[test]
fn a_scanner_that_hangs_delays_neither_events_nor_another_scanner() {
    let mut osel = daemon("conducted-stuck", "", WITH_A_STUCK_ONE);
    osel.start();
    let (_first, port) = listener("127.0.3.1");
    expose(&osel, "127.0.3.1", (port, port));
    await_listed(&osel, &["scans", "list", "--scanner", "own", "--state", "judged"], 1);
    // All that comes while it hangs.
    let (_second, port) = listener("127.0.3.2");
    expose(&osel, "127.0.3.2", (port, port));
    osel.await_received(4);
    await_listed(&osel, &["scans", "list", "--scanner", "own", "--state", "judged"], 2);
    await_listed(&osel, &["findings", "list"], 2);
    let hung = scans(&osel, "stuck", &["planned", "running"]);
    let [hung] = &hung[..] else { panic!("it has one scan at a time: {hung:?}") };
    assert_eq!(told(&osel, &["scans", "cancel", id(hung)]).0, 0);
    // What waited for its end has its turn.
    await_listed(&osel, &["scans", "list", "--scanner", "stuck"], 2);
    until("it is called off", LIMIT, || scans(&osel, "stuck", &["cancelled"]).len() == 1);
    // The end of osel does not wait for it either.
    let (_third, port) = listener("127.0.3.3");
    expose(&osel, "127.0.3.3", (port, port));
    await_listed(&osel, &["scans", "list", "--scanner", "own", "--state", "judged"], 3);
    assert!(osel.stop().success());
    assert_eq!(scans(&osel, "stuck", &["planned", "running"]).len(), 1);
    // Nor does it outlive osel.
    let is_stuck = |process: &fs::DirEntry| {
        fs::read(process.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x003599.75\0")
    };
    assert!(!fs::read_dir("/proc").unwrap().flatten().any(|process| is_stuck(&process)));
}

#[test]
fn a_scan_in_the_middle_of_which_osel_is_killed_is_judged_once() {
    let mut osel = daemon("conducted-kill", SLOW, "");
    let (_listener, open) = listener("127.0.3.9");
    osel.start();
    let last = open.saturating_add(99);
    expose(&osel, "127.0.3.9", (last - 99, last));
    let scan = await_listed(&osel, &["scans", "list"], 1).remove(0);
    for starts in 2..=3 {
        osel.kill();
        assert_eq!(scans(&osel, "builtin", &["planned", "running"]).len(), 1, "it is under way still");
        if starts == 3 {
            // It may come to its end.
            let config = fs::read_to_string(osel.place.path("osel.toml")).unwrap();
            osel.place.write("osel.toml", config.replace(SLOW, "host_rate_per_second = 100000"));
        }
        osel.start();
        osel.await_lines("started store", starts);
    }
    await_listed(&osel, &["scans", "list", "--state", "judged"], 1);
    assert!(osel.stop().success());
    let records = osel.records();
    for kind in ["command", "scan"] {
        assert_eq!(records_of(&records, kind, id(&scan)).len(), 1, "{kind}");
    }
    let found = listed(&osel, &["findings", "list", "--kind", "exposed_answering"]);
    assert_eq!(found.iter().filter(|finding| finding["port"] == open).count(), 1, "{found:?}");
    // One more start has nothing to do.
    osel.start();
    osel.await_lines("started store", 4);
    assert!(osel.stop().success());
    assert_eq!(records_of(&osel.records(), "scan", id(&scan)).len(), 1);
}

#[test]
fn scans_are_called_off_while_no_daemon_runs() {
    let mut osel = daemon("conducted-cancel", SLOW, "");
    osel.start();
    expose(&osel, "127.0.3.11", (20_000, 20_099));
    expose(&osel, "127.0.3.12", (20_000, 20_099));
    let scans = await_listed(&osel, &["scans", "list"], 2);
    osel.kill();
    for scan in &scans {
        let (code, _, said) = told(&osel, &["scans", "cancel", id(scan)]);
        assert!(code == 0 && said.contains(&format!("scan {} is called off: record ", id(scan))), "{said}");
        let (code, _, said) = told(&osel, &["scans", "cancel", id(scan)]);
        assert!(code == 1 && said.contains("is called off already"), "{said}");
    }
    osel.start();
    await_listed(&osel, &["scans", "list", "--state", "cancelled"], 2);
    assert!(osel.stop().success());
    let records = osel.records();
    for scan in &scans {
        // That it was planned, and that somebody called it off; then what came of its address.
        assert_eq!(records_of(&records, "command", id(scan)).len(), 2);
        assert_eq!(records_of(&records, "scan", id(scan)).len(), 1);
    }
}

#[test]
fn metrics_tell_open_findings_and_for_how_long_nobody_has_read_any() {
    let (_listener, open) = listener("127.0.3.21");
    // The port is one of those that are looked for first, which its finding is to show.
    let mut osel = daemon("conducted-metrics", &format!("sensitive_ports = [{open}]"), "");
    osel.start();
    osel.await_lines("HTTP answers", 1);
    let address = address_in(&osel.log());
    expose(&osel, "127.0.3.21", (open, open));
    let page = |line: &str| get(address, "/metrics").body.lines().any(|known| known == line);
    until("it is counted", LIMIT, || {
        page("osel_findings_open{kind=\"exposed_answering\",severity=\"high\"} 1")
    });
    let unread = || {
        let page = get(address, "/metrics").body;
        let line = page.lines().find(|line| line.starts_with("osel_findings_unread_seconds ")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    until("nobody has read it", LIMIT, || unread() > 0.0);
    let found = listed(&osel, &["findings", "list"]);
    until("it is read", LIMIT, || unread() == 0.0);
    let ack = ["findings", "ack", found[0]["id"].as_str().unwrap(), "--reason", "known"];
    assert_eq!(told(&osel, &ack).0, 0);
    until("it is counted no more", LIMIT, || {
        page("osel_findings_open{kind=\"exposed_answering\",severity=\"high\"} 0")
    });
    assert!(osel.stop().success());
}

#[test]
fn what_is_said_of_an_unknown_scan_leaves_no_trace() {
    let place = Place::new("conducted-unknown");
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let journal = Store::create(Path::new(&place.path("store")), &new).unwrap();
    let before = journal.head();
    let mut recorder = Recorder::resume(Box::new(journal), &EngineOptions::default()).unwrap();
    // What it goes by is an entry of its own, before the first input.
    recorder.tick(Timestamp::EPOCH).unwrap();
    recorder.finish().unwrap();
    let told = recorder.head();
    assert_eq!(told.entry, before.entry + 1);
    let outcome = ScanOutcome { scanner: "own".to_owned(), end: ScanEnd::Finished, hosts: Vec::new() };
    for step in [ScanStep::Running, ScanStep::Ended(outcome)] {
        recorder.scan_reported(Timestamp::EPOCH, ScanReport { id: "scan-9".into(), step }).unwrap();
    }
    recorder.finish().unwrap();
    assert_eq!(recorder.head(), told);
}

#[test]
fn people_are_told_of_a_host_that_answers_everywhere() {
    let (_open, port) = listener("127.0.3.31");
    let _same = TcpListener::bind(("127.0.3.32", port)).unwrap();
    let _proxy: Vec<_> =
        DECOYS.iter().map(|decoy| TcpListener::bind(("127.0.3.32", *decoy)).unwrap()).collect();
    let output = osel(&["scan", "127.0.3.31", "127.0.3.32", "-p", &port.to_string(), "-o", "csv"]);
    assert!(output.status.success(), "{output:?}");
    let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    // What was asked for is all that is listed.
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(said.contains("127.0.3.32: answers at ports that nobody listens on"), "{said}");
    assert!(!said.contains("127.0.3.31"), "{said}");
}

#[test]
fn the_folder_of_a_program_that_a_killed_osel_ran_is_removed_by_the_next_one() {
    let mut osel = daemon("conducted-swept", "", WITH_A_STUCK_ONE);
    let place = osel.place.path("temporary");
    fs::create_dir(&place).unwrap();
    osel.variables.push(("TMPDIR".to_owned(), place.clone()));
    let folders = || -> BTreeSet<PathBuf> {
        let all = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.to_str().unwrap().contains("/osel-program-")).collect()
    };
    osel.start();
    let (_listener, port) = listener("127.0.3.9");
    expose(&osel, "127.0.3.9", (port, port));
    until("the program has its folder", LIMIT, || !folders().is_empty());
    let left = folders();
    osel.kill();
    assert_eq!(folders(), left, "nobody was left to remove it");

    osel.start();
    // The scan itself may have begun anew, in a folder of its own.
    until("what was left is gone", LIMIT, || folders().is_disjoint(&left));
}
