//! The API as a second opinion: `osel run` beside an emulated Keystone and Neutron, which may be right, away, silent or locked.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::read::MultiGzDecoder;
use osel_core::time::Timestamp;
use osel_sim::api::{Account, Cloud, Emulated, Fault, Options, What};
use osel_sim::corpus::{Corpus, directory};
use osel_sim::judge;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::broker::until;
use crate::command::{json_lines, recording};
use crate::daemon::{Daemon, LIMIT, ids};
use crate::http::{address_in, get};

/// The recorded cloud that is emulated.
const NAME: &str = "dev-2026";
/// What osel is configured with besides its source.
const API: &str =
    "[[openstack]]\ncloud = 'emulated'\nclouds_file = 'clouds.yaml'\nrequests_per_second = 1000\n";

/// The cloud as its own API showed it at the end of the recording.
pub(crate) fn emulated() -> Emulated {
    let corpus = Corpus::load(&directory(), NAME).unwrap();
    let last = corpus.snapshots.last().unwrap();
    Emulated::start(Cloud::from_inventory(&last.inventory()), Options::default()).unwrap()
}

/// A daemon that may ask an API there.
pub(crate) fn daemon(name: &str, url: &str) -> Daemon {
    let osel = Daemon::new(name, "");
    osel.append("bus.jsonl", "");
    account(&osel, url, "admin-secret");
    osel.configure(API);
    osel
}

/// Writes the clouds file.
pub(crate) fn account(osel: &Daemon, url: &str, password: &str) {
    // By ids: the recorded cloud has an administrator of its own.
    let Account { id, .. } = Account::admin();
    let text = format!(
        "clouds:\n  emulated:\n    region_name: RegionOne\n    auth:\n      auth_url: {url}/identity/v3\n      user_id: {id}\n      \
         password: {password}\n      project_id: {}\n",
        Account::ADMIN_PROJECT
    );
    let path = osel.place.write("clouds.yaml", text);
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// The rows of the store, in an order of their own.
pub(crate) fn rows(osel: &Daemon) -> BTreeSet<String> {
    let store = osel.place.path("store");
    json_lines(&["exposure", "--store", &store, "-o", "json"]).iter().map(Value::to_string).collect()
}

/// The rows that an independent judge finds in the cloud as it is.
pub(crate) fn truth(emulated: &Emulated) -> BTreeSet<String> {
    let inventory = emulated.change(|cloud| cloud.inventory());
    judge::rows(&inventory, None).iter().map(Value::to_string).collect()
}

fn of_kind<'r>(records: &'r [Value], kind: &str) -> Vec<&'r Value> {
    records.iter().filter(|record| record["kind"] == kind).collect()
}

/// One of the cloud's rules for ingress, and one of its address groups.
fn first(emulated: &Emulated, collection: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let inventory = emulated.change(|cloud| cloud.inventory());
    inventory[collection].as_array().unwrap().iter().find(|object| fits(object)).unwrap().clone()
}

/// A line of the captured bus, of something that happens now: what happened before a read is history to it.
fn event(id: &str, event_type: &str, payload: &Value) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap()).to_string();
    let body = json!({
        "message_id": id, "event_type": event_type, "publisher_id": "network.ctl1", "priority": "INFO",
        "timestamp": now, "payload": payload, "_context_project_id": "p",
    });
    format!("{}\n", json!({"exchange": "neutron", "body": body.to_string()}))
}

#[test]
fn the_model_is_read_at_the_start_and_what_changed_in_silence_is_told() {
    let emulated = emulated();
    let mut osel = daemon("opinion-drift", &emulated.url);
    osel.start();
    osel.await_lines("the cloud was read", 1);
    until("the read is durable", LIMIT, || !rows(&osel).is_empty());
    assert_eq!(rows(&osel), truth(&emulated));
    assert_eq!(of_kind(&osel.records(), "drift").len(), 0, "there was no model to differ from");
    assert!(osel.stop().success());

    // No event tells of these.
    let rule = first(&emulated, "security_group_rules", |rule| rule["direction"] == "ingress");
    let rule = rule["id"].as_str().unwrap();
    assert!(emulated.change(|cloud| cloud.remove("security_group_rules", rule)));
    osel.start();
    osel.await_lines("the cloud was read", 2);
    until("the difference is told", LIMIT, || !of_kind(&osel.records(), "drift").is_empty());
    assert_eq!(rows(&osel), truth(&emulated));
    let records = osel.records();
    let drift = of_kind(&records, "drift");
    assert!(drift.iter().any(|record| record["target"]["id"] == rule), "{drift:?}");
    assert!(osel.stop().success());

    // And once more: nothing differs.
    let before = osel.records().len();
    osel.start();
    osel.await_lines("the cloud was read", 3);
    assert!(osel.stop().success());
    let records = osel.records();
    assert_eq!(of_kind(&records[before..], "drift").len(), 0, "{:?}", &records[before..]);
}

#[test]
fn a_gap_of_the_source_is_followed_by_a_read() {
    let emulated = emulated();
    let mut osel = daemon("opinion-gap", &emulated.url);
    osel.capture("bus.jsonl", "a", 3);
    osel.start();
    osel.await_received(3);
    osel.await_lines("the cloud was read", 1);
    let group = first(&emulated, "security_groups", |_| true);
    let id = group["id"].as_str().unwrap();
    assert!(
        emulated.change(|cloud| cloud.edit("security_groups", id, |group| group["name"] = json!("renamed")))
    );
    // Cut while it runs: what was written in between is lost.
    fs::write(osel.place.path("bus.jsonl"), crate::daemon::line("b-0000")).unwrap();
    until("the gap is told", LIMIT, || osel.gaps().len() == 1);
    osel.await_lines("reason=\"gap\"", 1);
    assert!(osel.stop().success());
}

#[test]
fn what_an_event_leaves_open_is_looked_at() {
    let emulated = emulated();
    let mut osel = daemon("opinion-look", &emulated.url);
    osel.start();
    osel.await_lines("the cloud was read", 1);
    // A group and its rule are made, of which no event comes; then a port that names it.
    let group = json!({"id": "5a000000-0000-4000-8000-00000000005a", "name": "late", "project_id": "p", "revision_number": 1});
    let rule = json!({
        "id": "5b000000-0000-4000-8000-00000000005b", "security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0", "project_id": "p",
        "revision_number": 0,
    });
    let port = json!({
        "id": "5c000000-0000-4000-8000-00000000005c", "network_id": first(&emulated, "networks", |_| true)["id"], "project_id": "p",
        "security_groups": [group["id"]], "fixed_ips": [{"ip_address": "10.77.0.5", "subnet_id": "s"}], "admin_state_up": true,
        "port_security_enabled": true, "revision_number": 1, "device_owner": "", "device_id": "", "allowed_address_pairs": [],
    });
    emulated.change(|cloud| {
        cloud.put("security_groups", group.clone());
        cloud.put("security_group_rules", rule.clone());
        cloud.put("ports", port.clone());
    });
    osel.append("bus.jsonl", event("port", "port.create.end", &json!({"port": port})));
    let id = group["id"].as_str().unwrap();
    until("the group is asked for", LIMIT, || !emulated.asked(id).is_empty());
    until("its rule is known", LIMIT, || rows(&osel).iter().any(|row| row.contains("10.77.0.5")));
    assert_eq!(osel.log().matches("the cloud was read").count(), 1, "one object, not all");
    assert!(osel.stop().success());
}

/// What records say, but for when osel said it and what was drawn by chance.
fn said(records: Vec<Value>) -> Vec<Value> {
    let mut records = records;
    for record in &mut records {
        let fields = record.as_object_mut().unwrap();
        for chance in ["recorded_at", "hash", "prev_hash", "parts"] {
            fields.remove(chance);
        }
    }
    records
}

#[test]
fn without_the_api_the_records_of_events_are_the_same() {
    let mut captured = Vec::new();
    MultiGzDecoder::new(fs::File::open(recording(NAME)).unwrap()).read_to_end(&mut captured).unwrap();
    let messages = captured.iter().filter(|byte| **byte == b'\n').count() as u64;
    let emulated = emulated();
    let play = |osel: &mut Daemon| {
        osel.start();
        osel.append("bus.jsonl", &captured);
        osel.await_received(messages);
        assert!(osel.stop().success());
        said(osel.records())
    };
    let mut alone = Daemon::new("opinion-alone", "");
    let wanted = play(&mut alone);
    assert!(wanted.len() as u64 >= messages, "{}", wanted.len());
    for fault in [
        Fault::new(What::Down),
        Fault::new(What::Hang),
        Fault::new(What::Status { code: 503, retry_after: None }),
        Fault::new(What::Garbage),
    ] {
        emulated.heal();
        emulated.fail(fault.clone());
        let mut osel = daemon("opinion-down", &emulated.url);
        let found = play(&mut osel);
        assert_eq!(found.len(), wanted.len(), "{fault:?}");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(found, wanted, "{fault:?}");
        }
        assert_eq!(rows(&osel), rows(&alone), "{fault:?}");
    }
}

#[test]
fn events_are_recorded_while_the_api_hangs_and_a_stop_waits_for_nothing() {
    let emulated = emulated();
    emulated.fail(Fault::new(What::Hang).on("/network"));
    let mut osel = daemon("opinion-hang", &emulated.url);
    osel.start();
    until("it is asked", LIMIT, || !emulated.asked("/network").is_empty());
    for round in 1..=3 {
        osel.capture("bus.jsonl", &format!("a{round}"), 100);
        osel.await_received(round * 100);
    }
    assert!(osel.stop().success());
    let wanted = ["a1", "a2", "a3"].map(|name| ids(name, 100)).concat();
    assert_eq!(osel.recorded_ids(), wanted);
}

#[test]
fn a_wrong_password_is_told_once_and_one_that_is_mended_is_used_at_once() {
    let emulated = emulated();
    let mut osel = daemon("opinion-password", &emulated.url);
    account(&osel, &emulated.url, "hunter2");
    osel.start();
    osel.await_lines("access denied", 1);
    // It waits for minutes, unless somebody says that it need not.
    account(&osel, &emulated.url, "admin-secret");
    osel.signal(Signal::HUP);
    osel.await_lines("the cloud was read", 1);
    osel.await_lines("API trouble ended", 1);
    assert_eq!(osel.log().matches("API trouble began").count(), 1);
    assert!(!osel.log().contains("hunter2") && !osel.log().contains("admin-secret"));
    assert!(osel.stop().success());
    assert_eq!(rows(&osel), truth(&emulated));
}

#[test]
fn an_api_that_comes_back_is_read() {
    let emulated = emulated();
    emulated.fail(Fault::new(What::Down));
    let mut osel = daemon("opinion-back", &emulated.url);
    osel.start();
    osel.await_lines("API trouble began", 1);
    emulated.heal();
    osel.await_lines("the cloud was read", 1);
    // It breaks off in the middle, and nothing is gone for that.
    assert!(osel.stop().success());
    emulated.fail(Fault::new(What::Down).on("/network").after(4));
    osel.start();
    osel.await_lines("API trouble began", 2);
    assert_eq!(rows(&osel), truth(&emulated));
    emulated.heal();
    osel.await_lines("the cloud was read", 2);
    assert!(osel.stop().success());
    assert_eq!(rows(&osel), truth(&emulated));
    assert_eq!(of_kind(&osel.records(), "drift").len(), 0);
}

#[test]
fn what_is_refused_is_said_and_is_not_taken_for_gone() {
    let emulated = emulated();
    let mut osel = daemon("opinion-refused", &emulated.url);
    osel.start();
    osel.await_lines("the cloud was read", 1);
    assert!(osel.stop().success());
    let before = rows(&osel);
    emulated.adjust(|options| {
        options.refused.insert("floatingips".to_owned());
    });
    osel.start();
    osel.await_lines("the cloud was read", 2);
    osel.await_lines("the API does not show this", 1);
    assert!(osel.stop().success());
    assert_eq!(rows(&osel), before);
}

#[test]
fn metrics_tell_of_the_api_and_readiness_does_not_depend_on_it() {
    let emulated = emulated();
    emulated.fail(Fault::new(What::Down));
    let mut osel = daemon("opinion-metrics", &emulated.url);
    osel.start();
    osel.await_lines("HTTP answers", 1);
    let address = address_in(&osel.log());
    let has = |line: &str| get(address, "/metrics").body.lines().any(|found| found == line);
    until("it is down", LIMIT, || has("osel_openstack_up{region=\"\"} 0.0"));
    until("it is ready all the same", LIMIT, || get(address, "/readyz").code == 200);
    emulated.heal();
    until("it is up", LIMIT, || has("osel_openstack_up{region=\"\"} 1.0"));
    until("it was read", LIMIT, || has("osel_openstack_reads_total{region=\"\"} 1"));
    let page = get(address, "/metrics").body;
    for name in ["osel_openstack_read_seconds", "osel_openstack_last_read_timestamp_seconds"] {
        assert!(page.lines().any(|line| line.starts_with(&format!("{name}{{region=\"\"}} "))), "{page}");
    }
    assert!(!has("osel_openstack_failures_total{region=\"\"} 0"));
    // What differs from now on is counted by kind.
    let group = first(&emulated, "security_groups", |_| true);
    let id = group["id"].as_str().unwrap();
    assert!(
        emulated.change(|cloud| cloud.edit("security_groups", id, |group| group["name"] = json!("renamed")))
    );
    assert!(osel.stop().success());
    osel.start();
    osel.await_lines("HTTP answers", 2);
    let address = address_in(&osel.log());
    let line = "osel_drift_total{region=\"\",kind=\"security_group\"} 1";
    until("the difference is counted", LIMIT, || {
        get(address, "/metrics").body.lines().any(|found| found == line)
    });
    assert!(osel.stop().success());
}
