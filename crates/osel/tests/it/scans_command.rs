//! `osel scans`, `osel scan --scanner NAME` and the scans of the oldest format.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use ::osel::store::{CommandRow, Commit, Journal, Store};
use osel_core::scan::{ScanCommand, ScanLife, ScanReason, ScanState, ScanTarget};
use osel_core::time::Timestamp;
use serde_json::Value;

use crate::broker::until;
use crate::command::{Place, json_lines, osel, recording, refused, run};
use crate::daemon::{Daemon, LIMIT};
use crate::scanned::{await_listed, daemon, expose, listed, listener, told};

fn state(daemon: &Daemon, id: &str) -> Value {
    listed(daemon, &["scans", "show", id])[0]["state"].clone()
}

#[test]
fn the_life_of_a_scan_is_shown() {
    let mut osel = daemon("scans-command", "", "");
    let (_listener, open) = listener("127.0.2.7");
    osel.start();
    expose(&osel, "127.0.2.7", (open, open));
    let scans = await_listed(&osel, &["scans", "list", "--state", "judged"], 1);
    let scan = &scans[0];
    let id = scan["id"].as_str().unwrap();
    assert_eq!(
        (&scan["scanner"], &scan["kind"], &scan["addresses"]),
        (&"builtin".into(), &"builtin".into(), &1.into())
    );
    assert_eq!((&scan["result"], &scan["ports"], &scan["open"]), (&"finished".into(), &1.into(), &1.into()));
    assert_eq!(scan["incomplete"], 0);
    assert!(scan["planned_at"].is_string() && scan["ended_at"].is_string(), "{scan}");

    let shown = &listed(&osel, &["scans", "show", id])[0];
    let port = &shown["hosts"][0]["ports"][0];
    assert_eq!(
        (&shown["hosts"][0]["address"], &shown["hosts"][0]["coverage"]),
        (&"127.0.2.7".into(), &"whole".into())
    );
    assert_eq!(
        (&port["port"], &port["expected"], &port["state"]),
        (&open.into(), &true.into(), &"open".into())
    );
    assert_eq!(port["verdict"], "as predicted");
    let (_, text, _) = told(&osel, &["scans", "show", id]);
    assert!(text.contains(&format!("{open}/tcp")) && text.contains("as predicted"), "{text}");
    let (_, table, _) = told(&osel, &["scans", "list"]);
    assert!(table.contains(id) && table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let (_, csv, _) = told(&osel, &["scans", "list", "-o", "csv"]);
    assert!(
        csv.starts_with("id,state,scanner,kind,") && csv.lines().nth(1).unwrap().starts_with(id),
        "{csv}"
    );
    for (filter, matches) in [
        (["--state", "planned"], false),
        (["--scanner", "builtin"], true),
        (["--scanner", "perimeter"], false),
        (["--address", "127.0.2.7"], true),
        (["--address", "127.0.2.8"], false),
    ] {
        assert_eq!(
            !listed(&osel, &[&["scans", "list"], &filter[..]].concat()).is_empty(),
            matches,
            "{filter:?}"
        );
    }
    for (arguments, code, says) in [
        (["scans", "show", "scan-0"], 1, "there is no scan scan-0"),
        (["scans", "cancel", "scan-0"], 1, "there is no scan scan-0"),
        (["scans", "cancel", id], 1, "is over: judged"),
        (["scans", "list", "--state=fetched"], 2, "fetched"),
    ] {
        let (found, _, said) = told(&osel, &arguments);
        assert!(found == code && said.contains(says), "{arguments:?}: {found} {said}");
    }
    assert!(osel.stop().success());
}

#[test]
fn a_scan_is_called_off() {
    // A port a second: it takes minutes unless somebody calls it off.
    let mut osel = daemon("scans-cancel", "host_rate_per_second = 1", "");
    osel.start();
    expose(&osel, "127.0.2.9", (20_000, 20_200));
    let scans = await_listed(&osel, &["scans", "list"], 1);
    let first = scans[0]["id"].as_str().unwrap();
    let (code, _, said) = told(&osel, &["scans", "cancel", first]);
    assert!(code == 0 && said.contains(&format!("scan {first} is called off")), "{said}");
    until("it is cancelled", LIMIT, || state(&osel, first) == "cancelled");
    let (code, _, said) = told(&osel, &["scans", "cancel", first]);
    assert!(code == 1 && said.contains("is over: cancelled"), "{said}");
    // Nobody has seen a port there: that is not the same as none being open.
    let cancelled = &listed(&osel, &["scans", "list", "--state", "cancelled"])[0];
    assert!(cancelled["open"].is_null() && cancelled["incomplete"] == 1, "{cancelled}");
    let (_, table, _) = told(&osel, &["scans", "list", "--state", "cancelled"]);
    assert!(table.contains("nothing was scanned"), "{table}");

    assert!(osel.stop().success());
}

#[test]
fn a_scanner_of_the_configuration_scans_now() {
    let place = Place::new("scan-named");
    let file = place.write(
        "osel.toml",
        "[store]\npath = 'store'\n[[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n\
         [[scanner]]\nname = 'own'\ntype = 'builtin'\n",
    );
    let (_listener, open) = listener("127.0.2.11");
    let scan = ["scan", "127.0.2.11", "-p", &open.to_string(), "-c", &file, "--scanner"];
    let lines = json_lines(&[&scan[..], &["own", "-o", "json"]].concat());
    let line = serde_json::json!({"address": "127.0.2.11", "protocol": "tcp", "port": open, "state": "open"});
    assert_eq!(lines, [line]);
    let table = run(&[&scan[..], &["own"]].concat());
    assert!(table.contains(&format!("{open}/tcp")) && table.contains("1 open, by builtin"), "{table}");
    let csv = run(&[&scan[..], &["own", "-o", "csv"]].concat());
    assert!(csv.lines().nth(1).unwrap().starts_with(&format!("127.0.2.11,tcp,{open},open,")), "{csv}");
    let said = refused(2, &[&scan[..], &["perimeter"]].concat());
    assert!(said.contains("the configuration has `own`"), "{said}");
    let said = refused(2, &["scan", "127.0.2.11", "--scanner", "own"]);
    for words in ["[[scanner]]", "-c FILE", "OSEL_CONFIG", "/etc/osel/osel.toml"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("store.path"), "{said}");
    let said = refused(2, &[&scan[..], &["own", "--rate", "5"]].concat());
    assert!(said.contains("--rate"), "{said}");
    // Nothing could be sent there.
    let output =
        osel(&["scan", "255.255.255.255", "-p", "U:9", "-c", &file, "--scanner", "own", "-o", "json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        !place.path("store").is_empty() && !Path::new(&place.path("store")).exists(),
        "it records nothing"
    );
}

/// A command of Qualys that a record has caused, as the store keeps it.
fn qualys(id: &str, seq: u64, planned_at: Timestamp, cause: u64, addresses: &[IpAddr]) -> ScanLife {
    let target = |&address| ScanTarget {
        address,
        network_id: None,
        project_id: None,
        expected: BTreeMap::new(),
        partial: false,
        causes: vec![cause],
    };
    ScanLife::planned(ScanCommand {
        id: id.into(),
        seq,
        scanner: "perimeter".into(),
        kind: "qualys".into(),
        region: None,
        targets: addresses.iter().map(target).collect(),
        reason: ScanReason::Change,
        planned_at,
        expires_at: Timestamp::MAX,
    })
}

#[test]
fn the_oldest_format_has_the_ids_of_the_scans_that_followed() {
    let place = Place::new("export-qualys");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("icehouse")]);
    let export = ["audit", "export", "--store", &store];
    let records = json_lines(&export);
    let mut exposing = records
        .iter()
        .filter(|record| record["exposure"]["opened"].as_array().is_some_and(|rows| !rows.is_empty()));
    let record = exposing.next_back().unwrap();
    let seq = record["seq"].as_u64().unwrap();
    let recorded_at = Timestamp::parse(record["recorded_at"].as_str().unwrap()).unwrap();
    let rows = record["exposure"]["opened"].as_array().unwrap();
    let address: IpAddr = rows[0]["address"].as_str().unwrap().parse().unwrap();
    let lines = || json_lines(&[&export[..], &["--format", "osel-1.1"]].concat());
    assert!(lines().iter().all(|line| line["qualys_scan_error"] == "Not scanned by Qualys"));

    let mut journal = Store::open_writer(Path::new(&store)).unwrap();
    let head = journal.head();
    let mut commit = |lives: &[ScanLife]| {
        let rows: Vec<CommandRow> = lives
            .iter()
            .map(|life| CommandRow {
                id: life.command.id.to_string(),
                seq: life.command.seq,
                state: life.state.as_str().to_owned(),
                body: serde_json::to_vec(life).unwrap(),
                updated_at: recorded_at,
            })
            .collect();
        let epoch = journal.info().epoch;
        journal.commit(&Commit { commands: &rows, ..Commit::empty(epoch, head) }).unwrap();
    };
    let scan = |id, seconds| qualys(id, head.seq, recorded_at.plus_seconds(seconds), seq, &[address]);
    let launched = |life| ScanLife {
        reference: Some("scan/1486045714.48615".to_owned()),
        state: ScanState::Launched,
        ..life
    };
    let of = |lines: &[Value]| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let words = |line: &Value| (text(&line["qualys_scan_id"]), text(&line["qualys_scan_error"]));
        lines.iter().map(words).filter(|(_, error)| error != "Not scanned by Qualys").collect()
    };
    // What was planned so much later did not follow from it.
    commit(&[launched(scan("t-late", 8 * 86_400))]);
    assert_eq!(of(&lines()), []);
    commit(&[launched(scan("soon", 60))]);
    assert_eq!(of(&lines()), [("scan/1486045714.48615".to_owned(), String::new())]);
}
