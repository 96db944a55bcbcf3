//! `osel findings` as a person uses it, beside a daemon and without one.

use std::path::Path;

use ::osel::store::{ALL, EntryKind, Reader, Store};
use serde_json::{Value, json};

use crate::broker::until;
use crate::command::json_lines;
use crate::daemon::{Daemon, LIMIT};
use crate::scanned::{await_listed, daemon, expose, listed, listener, told};

fn of_kind<'f>(findings: &'f [Value], kind: &str) -> &'f Value {
    findings.iter().find(|finding| finding["kind"] == kind).unwrap()
}

fn ids(daemon: &Daemon, arguments: &[&str]) -> Vec<String> {
    let findings = listed(daemon, &[&["findings", "list"], arguments].concat());
    findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

/// How many times somebody's reading of findings was written down.
fn noted_reads(daemon: &Daemon) -> usize {
    let mut count = 0;
    let mut reader = Store::open_reader(Path::new(&daemon.place.path("store"))).unwrap();
    reader
        .entries(ALL, &mut |entry| {
            let head = String::from_utf8_lossy(&entry.head);
            count += usize::from(entry.kind == EntryKind::ORDER && head.contains("\"cli:"));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    count
}

#[test]
fn findings_are_listed_acknowledged_and_exported() {
    let mut osel = daemon("findings-command", "", "");
    let (_listener, open) = listener("127.0.1.7");
    osel.start();
    expose(&osel, "127.0.1.7", (open, open));
    let found = await_listed(&osel, &["findings", "list"], 1);
    let [answering] = &found[..] else { panic!("{found:?}") };
    let id = answering["id"].as_str().unwrap();
    assert_eq!(
        (&answering["kind"], &answering["address"]),
        (&"exposed_answering".into(), &"127.0.1.7".into())
    );
    assert_eq!((&answering["protocol"], &answering["port"]), (&"tcp".into(), &open.into()));
    assert!(answering["opened_at"].as_str().unwrap().starts_with("20"), "{answering}");
    // The daemon hears that they were read.
    until("reading is written down", LIMIT, || noted_reads(&osel) > 0);

    let (code, table, _) = told(&osel, &["findings", "list"]);
    assert_eq!(code, 0);
    assert!(table.starts_with("ID ") && table.contains("PROJECT"), "{table}");
    assert!(table.contains(id) && table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert_eq!(told(&osel, &["findings", "list", "--exit-code"]).0, 1);
    for (filter, matches) in [
        (["--severity", "info"], true),
        (["--severity", "critical"], false),
        (["--kind", "exposed_answering"], true),
        (["--kind", "vulnerable_reachable"], false),
        (["--project", "project"], true),
        (["--project", "other"], false),
        (["--address", "127.0.1.7"], true),
        (["--address", "127.0.1.8"], false),
        (["--state", "resolved"], false),
    ] {
        assert_eq!(!ids(&osel, &filter).is_empty(), matches, "{filter:?}");
        let expected = i32::from(matches);
        assert_eq!(told(&osel, &[&["findings", "list", "--exit-code"], &filter[..]].concat()).0, expected);
    }
    let (_, shown, _) = told(&osel, &["findings", "show", id]);
    assert!(shown.contains("exposed and answering") && shown.contains("project"), "{shown}");

    // Beside the daemon it goes over its socket, and is durable when it is said.
    let ack = ["findings", "ack", id, "--reason", "the bastion, ticket 4711", "--until", "90d"];
    let (code, _, said) = told(&osel, &ack);
    assert!(code == 0 && said.contains(&format!("finding {id} is acknowledged: record ")), "{said}");
    let seq = said.trim().rsplit(' ').next().unwrap();
    let record = &listed(&osel, &["audit", "show", seq])[0];
    assert!(
        record["kind"] == "finding" && record["summary"].as_str().unwrap().contains("ticket 4711"),
        "{record}"
    );
    assert_eq!(ids(&osel, &[]), [""; 0]);
    assert_eq!(ids(&osel, &["--all"]), [id]);
    assert_eq!(told(&osel, &["findings", "list", "--exit-code"]).0, 0);

    let store = osel.place.path("store");
    let log = &json_lines(&["findings", "list", "--all", "--store", &store, "-o", "sarif"])[0];
    let run = &log["runs"][0];
    let result = &run["results"][0];
    assert_eq!((&log["version"], &result["ruleId"]), (&"2.1.0".into(), &"OSEL-201".into()));
    assert_eq!(result["partialFingerprints"]["osel/v1"], id);
    assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "OSEL-201");
    assert_eq!(result["suppressions"][0]["status"], "accepted");
    let (_, csv, _) = told(&osel, &["findings", "list", "--all", "-o", "csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("id,state,kind,severity,") && lines.len() == 2, "{csv}");
    assert!(lines[1].starts_with(id) && lines[1].contains("\"the bastion, ticket 4711\""), "{csv}");

    // A project is shown its finding, and not what an operator has ordered about it, nor who.
    let export = ["audit", "export", "--for-project", "project", "--kind", "finding"];
    let exported = listed(&osel, &export);
    let number: u64 = seq.parse().unwrap();
    let ack = exported.iter().find(|record| record["seq"] == number).unwrap();
    let is_whole = |record: &Value| !record["missing"].to_string().contains("body");
    assert!(exported.iter().any(is_whole), "{exported:?}");
    assert_eq!(ack["missing"], json!(["body", "personal"]));
    let all = Value::from(exported.clone()).to_string();
    assert!(!all.contains("ticket 4711"), "{all}");
    let actor = record["actor"]["user_name"].as_str().unwrap();
    assert!(!all.contains(&format!("\"{actor}\"")), "{actor}: {all}");

    let (code, _, said) = told(&osel, &["findings", "unack", id]);
    assert!(code == 0 && said.contains("not acknowledged any more"), "{said}");
    assert_eq!(ids(&osel, &[]), [id]);
    assert!(osel.stop().success());
}

#[test]
fn without_a_daemon_the_store_takes_orders_and_a_socket_left_behind_does_not_hinder() {
    let mut osel = daemon("findings-alone", "", "");
    let (_listener, open) = listener("127.0.1.9");
    osel.start();
    expose(&osel, "127.0.1.9", (open, open));
    let found = await_listed(&osel, &["findings", "list"], 1);
    let id = of_kind(&found, "exposed_answering")["id"].as_str().unwrap().to_owned();
    osel.kill();
    assert!(Path::new(&osel.place.path("store/osel.sock")).exists());

    let (code, _, said) = told(&osel, &["findings", "ack", &id, "--reason", "known"]);
    assert!(code == 0 && said.contains("record "), "{said}");
    assert_eq!(ids(&osel, &[]), [""; 0]);
    // A daemon that starts then knows it, and takes the place.
    osel.start();
    // Once it has the store: before that an order would take it, and the daemon would find it in use.
    osel.await_lines("started store", 2);
    until("the daemon takes orders", LIMIT, || told(&osel, &["findings", "unack", &id]).0 == 0);
    assert_eq!(ids(&osel, &[]), [id.as_str()]);
    assert!(osel.stop().success());
    assert!(!Path::new(&osel.place.path("store/osel.sock")).exists());
    // Nothing but what was ordered has changed: the options of the daemon still hold.
    assert_eq!(listed(&osel, &["findings", "list", "--all"]).len(), 1);
}

#[test]
fn what_cannot_be_ordered_is_said_with_its_exit_code() {
    let mut osel = daemon("findings-refused", "", "");
    let (_listener, open) = listener("127.0.1.11");
    osel.start();
    expose(&osel, "127.0.1.11", (open, open));
    let found = await_listed(&osel, &["findings", "list"], 1);
    let id = found[0]["id"].as_str().unwrap();
    let records = findings_told(&osel);
    let long = "x".repeat(501);
    for (arguments, code, says) in [
        (&["findings", "ack", "0123", "--reason", "x"][..], 1, "there is no finding 0123"),
        (
            &["findings", "ack", id, "0123", "--reason", "x"],
            1,
            "there is no finding 0123; nothing was acknowledged",
        ),
        (&["findings", "show", "0123"], 1, "there is no finding 0123"),
        (&["findings", "unack", id], 1, "is not acknowledged\n"),
        (&["findings", "unack", id, "z"], 1, "is not acknowledged; nothing was changed"),
        (&["findings", "ack", id, "--reason", "  "], 2, "say why"),
        (&["findings", "ack", id, "--reason", &long], 2, "501 characters"),
        (&["findings", "ack", id, "--reason", "x", "--until", "2020-01-01"], 2, "not in the future"),
        (&["findings", "ack", id, "--reason", "x", "--until", "soon"], 2, "neither a span"),
        (&["findings", "ack", id], 2, "--reason"),
        (&["findings", "list", "--severity", "grave"], 2, "grave"),
    ] {
        let (found, _, said) = told(&osel, arguments);
        assert!(found == code && said.contains(says), "{arguments:?}: {found} {said}");
    }
    assert_eq!(findings_told(&osel), records, "nothing was recorded of it");
    assert!(osel.stop().success());
}

/// How many records tell of findings.
fn findings_told(daemon: &Daemon) -> usize {
    listed(daemon, &["audit", "search", "--kind", "finding"]).len()
}
