//! The recorded clouds against the truth of their own APIs.
//!
//! At each mark the exposure after the first snapshot and the messages so far equals the rows that an independent judge works
//! out from what Neutron's API said then, for all ports that were ever described.

use osel_sim::corpus::{Corpus, comparable_ports, comparable_rows, directory};
use osel_sim::judge;
use serde_json::Value;

use crate::command::{Place, json_lines, recording};

fn check(name: &str) {
    let corpus = Corpus::load(&directory(), name).unwrap();
    let place = Place::new(name);
    let inventory = corpus.snapshots[0].inventory();
    let inventory_file = place.write("inventory.json", inventory.to_string());
    let mut compared = 0;
    for snapshot in &corpus.snapshots {
        let store = place.path(&snapshot.mark);
        let until = snapshot.messages_so_far.to_string();
        let arguments =
            ["replay", "--store", &store, "--inventory", &inventory_file, "--until", &until, "-o", "json"];
        let ledger = json_lines(&[&arguments[..], &[&recording(name)]].concat());
        let count = |key: &str| ledger.iter().map(|line| line[key].as_u64().unwrap()).sum::<u64>();
        assert_eq!(count("received"), snapshot.messages_so_far as u64);
        assert_eq!(count("received"), count("recorded") + count("duplicate"), "{name}: {ledger:?}");
        assert_eq!(count("quarantined") + count("ignored"), 0, "{name}: {ledger:?}");

        let rows = json_lines(&["exposure", "--store", &store, "-o", "json"]);
        let messages = corpus.messages_until(snapshot);
        let ports = comparable_ports(Some(&inventory), messages, &snapshot.state);
        let truth = judge::rows(&snapshot.state, None);
        let expected = comparable_rows(&truth, &ports, Some(&inventory));
        let found = comparable_rows(&rows, &ports, Some(&inventory));
        let missing: Vec<&Value> = expected.iter().filter(|row| !found.contains(row)).collect();
        let extra: Vec<&Value> = found.iter().filter(|row| !expected.contains(row)).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{name} at {}: missing {missing:#?}, too many {extra:#?}",
            snapshot.mark
        );
        assert_eq!(found, expected, "{name} at {}: order", snapshot.mark);
        compared += expected.len();
    }
    assert!(compared > 0 || ["dev-glance", "dev-aodh"].contains(&name), "{name}: nothing was compared");
}

#[test]
fn dev_2026() {
    check("dev-2026");
}

#[test]
fn dev_zed() {
    check("dev-zed");
}

#[test]
fn dev_race() {
    check("dev-race");
}

#[test]
fn dev_v1basic() {
    check("dev-v1basic");
}

#[test]
fn dev_2topics() {
    check("dev-2topics");
}

#[test]
fn dev_glance() {
    check("dev-glance");
}

#[test]
fn dev_aodh() {
    check("dev-aodh");
}

/// The first OSEL's fixtures have no snapshots; all of them must be understood.
#[test]
fn icehouse() {
    let place = Place::new("icehouse");
    let store = place.path("store");
    let ledger = json_lines(&["replay", "--store", &store, "-o", "json", &recording("icehouse")]);
    assert_eq!(ledger[0]["quarantined"], 0);
    assert_eq!(ledger[0]["received"], ledger[0]["recorded"]);
    let rows = json_lines(&["exposure", "--store", &store, "-o", "json"]);
    assert!(rows.iter().all(|row| row["project_id"].is_string()), "tenant_id stands in for project_id");
}
