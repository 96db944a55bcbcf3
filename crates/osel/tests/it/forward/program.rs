//! `osel run` with a file as its receiver, and `osel forward`.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::broker::until;
use crate::command::{json_lines, osel, refused};
use crate::daemon::{Daemon, LIMIT};

const FILE: &str = "[[forward]]\nname = 'siem'\ntype = 'file'\npath = 'out/siem.jsonl'\n";

fn daemon(name: &str) -> Daemon {
    let daemon = Daemon::new(name, FILE);
    fs::create_dir(daemon.place.path("out")).unwrap();
    daemon
}

/// The numbers of the records that the file has.
fn sent(daemon: &Daemon) -> Vec<u64> {
    let text = fs::read_to_string(daemon.place.path("out/siem.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["seq"].as_u64().unwrap()).collect()
}

fn forward(daemon: &Daemon, arguments: &[&str]) -> (Option<i32>, String, String) {
    let (store, config) = (daemon.place.path("store"), daemon.place.path("osel.toml"));
    let output = osel(&[&["forward"], arguments, &["--store", &store, "-c", &config]].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn status(daemon: &Daemon) -> Value {
    let (store, config) = (daemon.place.path("store"), daemon.place.path("osel.toml"));
    json_lines(&["forward", "list", "-o", "json", "--store", &store, "-c", &config])[0].clone()
}

#[test]
fn a_daemon_that_is_killed_again_and_again_writes_every_record_once_and_in_order() {
    let mut osel = daemon("forward-kill");
    for round in 0..4 {
        osel.capture("bus.jsonl", &format!("round-{round}"), 400);
        osel.start();
        let wanted = sent(&osel).len() + 120;
        until("some are written", LIMIT, || sent(&osel).len() >= wanted);
        osel.kill();
    }
    osel.start();
    osel.await_received(1600);
    until("all are written", LIMIT, || status(&osel)["lag_records"] == 0 && sent(&osel).len() >= 1600);
    assert!(osel.stop().success());
    let records: Vec<u64> = osel.records().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(sent(&osel), records);
    let status = status(&osel);
    assert_eq!(status["delivered"], records.len());
    assert_eq!((&status["begin"], &status["filtered"], &status["dead"]), (&0.into(), &0.into(), &0.into()));
}

#[test]
fn forwarders_are_shown_set_back_and_tested() {
    let mut osel = daemon("forward-command");
    let tested = crate::command::osel(&["forward", "test", "siem", "-c", &osel.place.path("osel.toml")]);
    let said = String::from_utf8(tested.stderr).unwrap();
    assert!(tested.status.success() && said.contains("can be written"), "{said}");
    osel.capture("bus.jsonl", "a", 20);
    osel.start();
    until("all are written", LIMIT, || osel.ledger().received == 20 && status(&osel)["lag_records"] == 0);
    let (code, text, _) = forward(&osel, &["status", "siem"]);
    assert!(code == Some(0) && text.starts_with("siem: up to date (file, native)\n"), "{text}");
    let (_, table, _) = forward(&osel, &["list"]);
    assert!(table.contains("NAME") && table.contains("up to date"), "{table}");
    let (code, _, said) = forward(&osel, &["dead", "siem"]);
    assert!(code == Some(0) && said.contains("has no dead letters"), "{said}");
    let (code, _, said) = forward(&osel, &["resend", "siem"]);
    assert!(code == Some(1) && said.contains("has no dead letters"), "{said}");

    // Set back while it runs: by the daemon, with a record that has the name of whoever did it.
    let before = sent(&osel);
    let (code, _, said) = forward(&osel, &["rewind", "siem", "--to", "11"]);
    assert!(code == Some(0) && said.contains("goes on behind record 10 instead of"), "{said}");
    until("they are written again", LIMIT, || sent(&osel).len() > before.len() * 2 - 10);
    until("and told", LIMIT, || status(&osel)["begin"] == 10 && status(&osel)["lag_records"] == 0);
    assert_eq!(sent(&osel)[before.len()], 11);
    assert!(osel.stop().success());
    let records = osel.records();
    let order =
        records.iter().find(|record| record["kind"] == "system" && record.to_string().contains("siem"));
    assert!(
        order.unwrap()["summary"].as_str().unwrap().contains("has forwarder siem go on behind record 10")
    );

    // And without a daemon.
    let count = sent(&osel).len();
    let (code, _, said) = forward(&osel, &["rewind", "siem", "--to", "end"]);
    assert!(code == Some(0), "{said}");
    osel.start();
    until("what came of the order is written", LIMIT, || status(&osel)["lag_records"] == 0);
    assert!(osel.stop().success());
    let begin = status(&osel)["begin"].as_u64().unwrap();
    let (code, _, said) = forward(&osel, &["rewind", "siem", "--to", "2020-01-01T00:00:00Z"]);
    assert!(code == Some(0) && said.contains("goes on behind record 0 "), "{said}");
    assert!(sent(&osel)[count..].iter().all(|seq| *seq > begin), "nothing from before is written again");
    let (code, _, said) = forward(&osel, &["rewind", "siem", "--to", "2020-01-01"]);
    assert!(code == Some(0) && said.contains("goes on behind record 0 "), "a date is a time too: {said}");

    let (store, config) = (osel.place.path("store"), osel.place.path("osel.toml"));
    for (arguments, says) in [
        (vec!["forward", "status", "none"], "there is no forwarder `none`: there is `siem`"),
        (vec!["forward", "rewind", "siem", "--to", "99999"], "the last record of this store is"),
        (vec!["forward", "rewind", "siem", "--to", "2999-01-01T00:00:00Z"], "`end` means the end"),
        (vec!["forward", "rewind", "siem", "--to", "2999-01-01"], "`end` means the end"),
        (vec!["forward", "rewind", "siem", "--to", "yesterday"], "`start` or `end`"),
        (vec!["forward", "rewind", "none", "--to", "start"], "there is no forwarder `none`"),
    ] {
        let said = refused(2, &[&arguments[..], &["--store", &store, "-c", &config]].concat());
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn forwarders_come_change_and_go_with_the_configuration() {
    let mut osel = daemon("forward-reload");
    osel.capture("bus.jsonl", "a", 10);
    osel.start();
    until("they are written", LIMIT, || sent(&osel).len() >= 10);
    // Another one comes, and the first one sends less.
    let other = FILE.replace("siem", "other");
    osel.configure(&format!("{FILE}kinds = ['finding']\n{other}"));
    osel.signal(Signal::HUP);
    let lines = |osel: &Daemon| {
        fs::read_to_string(osel.place.path("out/other.jsonl")).unwrap_or_default().lines().count()
    };
    until("the other begins at the start", LIMIT, || lines(&osel) >= 10);
    osel.await_lines("configuration read", 1);
    let before = sent(&osel).len();
    osel.capture("bus.jsonl", "b", 10);
    until("the other goes on", LIMIT, || lines(&osel) >= 20);
    let of = |osel: &Daemon, name: &str| {
        let (store, config) = (osel.place.path("store"), osel.place.path("osel.toml"));
        let all = json_lines(&["forward", "list", "-o", "json", "--store", &store, "-c", &config]);
        all.into_iter().find(|forwarder| forwarder["name"] == name).unwrap()
    };
    until("the first one leaves out", LIMIT, || of(&osel, "siem")["filtered"].as_u64() >= Some(10));
    assert_eq!(sent(&osel).len(), before);
    // It goes, and keeps its place.
    osel.configure(&other);
    osel.signal(Signal::HUP);
    osel.await_lines("no longer configured", 1);
    assert_eq!(of(&osel, "siem")["configured"], false);
    until("the other is up to date", LIMIT, || of(&osel, "other")["lag_records"] == 0);
    assert!(osel.stop().success());
}
