//! The servers on the way of an answer, by the names that they had then: from the snapshot, from reads and from messages behind it.

use std::path::Path;

use osel::runtime::Recorder;
use osel::store::{NewStore, Store};
use osel_core::decode::{ItemPage, decode};
use osel_core::engine::{EngineOptions, ReadEnd};
use osel_core::event::{Properties, RawMessage};
use osel_core::time::Timestamp;
use serde_json::{Value, json};

use crate::command::{Place, osel};

fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(1_795_219_200 + second)
}

fn read(recorder: &mut Recorder, second: i64, items: &[(&str, Value)]) -> u64 {
    let mut page = ItemPage::default();
    for (collection, object) in items {
        page.push(collection, &object.to_string()).unwrap().unwrap();
    }
    let run = recorder.begin_read(None, at(second), true);
    recorder.page(at(second), &run, page).unwrap();
    let (complete, origin) = (Vec::new(), "test".to_owned());
    recorder.read_end(at(second), ReadEnd { run, complete, has_all_assignments: false, origin }).unwrap();
    recorder.flush().unwrap();
    recorder.engine().seq()
}

/// Nova tells the name.
fn renamed(recorder: &mut Recorder, second: i64, name: &str) {
    let body = json!({
        "message_id": format!("n{second}"), "event_type": "compute.instance.update", "publisher_id": "compute.c1",
        "priority": "INFO", "timestamp": at(second).to_string().trim_end_matches('Z'),
        "payload": {"instance_id": "s", "display_name": name, "tenant_id": "p", "state": "active"},
    });
    let raw = RawMessage {
        source: "bus".into(),
        region: None,
        exchange: "nova".into(),
        routing_key: "notifications.info".into(),
        redelivered: false,
        received_at: at(second),
        properties: Properties::default(),
        body: body.to_string().into_bytes(),
    };
    recorder.message(at(second), &raw, decode(&raw)).unwrap();
    recorder.flush().unwrap();
}

const QUESTION: [&str; 8] = ["--from", "10.0.0.9", "--to", "10.0.0.5", "--protocol", "tcp", "--port", "22"];

fn server(store: &str, more: &[&str]) -> Value {
    let arguments = [&["reach", "--store", store, "-o", "json"], &QUESTION[..], more].concat();
    let output = osel(&arguments);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["reachable"], true, "{answer}");
    let hops = answer["path"].as_array().unwrap();
    hops.iter().find(|hop| hop["type"] == "port").unwrap()["server"].clone()
}

#[test]
fn a_servers_port_on_the_way_has_the_name_of_that_time() {
    let place = Place::new("reachserver");
    let store = place.path("store");
    let journal =
        Store::create(Path::new(&store), &NewStore { id: [7; 16], created_at: Timestamp::EPOCH }).unwrap();
    let mut recorder = Recorder::resume(Box::new(journal), &EngineOptions::default()).unwrap();
    let port = json!({
        "id": "eth0", "revision_number": 1, "network_id": "n", "project_id": "p", "device_id": "s",
        "device_owner": "compute:nova", "security_groups": ["g"],
        "fixed_ips": [{"ip_address": "10.0.0.5", "subnet_id": "sub"}],
    });
    let rule = json!({
        "id": "r", "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "revision_number": 0, "project_id": "p",
    });
    let sender = json!({
        "id": "other", "revision_number": 1, "network_id": "n", "project_id": "p", "security_groups": ["g"],
        "fixed_ips": [{"ip_address": "10.0.0.9", "subnet_id": "sub"}],
    });
    let objects = [
        ("networks", json!({"id": "n", "name": "net", "revision_number": 1, "project_id": "p"})),
        ("security_groups", json!({"id": "g", "name": "web", "revision_number": 1, "project_id": "p"})),
        ("security_group_rules", rule),
        ("ports", port),
        ("ports", sender),
        ("servers", json!({"id": "s", "name": "old"})),
    ];
    let first = read(&mut recorder, 0, &objects);
    // Not in the snapshot.
    renamed(&mut recorder, 100, "new");
    drop(recorder);
    assert_eq!(server(&store, &[]), "new");
    assert_eq!(server(&store, &["--at", &first.to_string()]), "old");

    let journal = Store::open_writer(Path::new(&store)).unwrap();
    let mut recorder = Recorder::resume(Box::new(journal), &EngineOptions::default()).unwrap();
    recorder.finish().unwrap();
    assert_eq!(server(&store, &[]), "new", "by the snapshot");

    let question = json!({"from": "10.0.0.9", "to": "10.0.0.5", "protocol": "tcp", "port": 22});
    let batch = place.path("questions");
    std::fs::write(&batch, question.to_string()).unwrap();
    let output = osel(&["reach", "--store", &store, "--batch", &batch]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let hops = answer["path"].as_array().unwrap();
    assert!(hops.iter().any(|hop| hop["server"] == "new"), "{answer}");
    let shown = osel(&[&["reach", "--store", &store][..], &QUESTION].concat());
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("of server new"), "{shown}");
}
