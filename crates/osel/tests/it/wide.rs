//! A rule on many ports: small in the trail, and every row there when the trail is read.

use std::path::Path;

use osel::store::{PartContent, Reader, Store};
use osel_core::trail::PartClass;
use osel_sim::judge;
use serde_json::{Value, json};

use crate::command::{Place, json_lines, run};

const PORTS: usize = 150;
const PROJECTS: [&str; 2] = ["22ffbaae067b4d47a76b0f21e83638bb", "33ffbaae067b4d47a76b0f21e83638bb"];

fn port_id(number: usize) -> String {
    format!("10000000-0000-4000-8000-{number:012x}")
}

fn rule(id: &str, group: &str, source: &str) -> Value {
    json!({"id": id, "security_group_id": group, "project_id": PROJECTS[0], "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": source})
}

/// All ports have `web`, every third one `admin` too, which opens SSH already; two pairs of ports share an address each.
fn inventory() -> Value {
    let port = |number: usize| {
        json!({"id": port_id(number), "project_id": PROJECTS[number % 5 / 4], "network_id": "network",
            "device_id": format!("server-{number}"), "device_owner": "compute:nova",
            "security_groups": if number.is_multiple_of(3) { json!(["admin", "web"]) } else { json!(["web"]) },
            "allowed_address_pairs": match number {
                10..14 => json!([{"ip_address": format!("10.9.0.{}", number / 2)}]),
                _ => json!([]),
            },
            "fixed_ips": [{"subnet_id": "subnet", "ip_address": format!("10.0.{}.{}", number / 100, number % 100 + 1)}]})
    };
    json!({
        "ports": (0..PORTS).map(port).collect::<Vec<_>>(),
        "security_groups": [
            {"id": "web", "name": "web", "project_id": PROJECTS[0]},
            {"id": "admin", "name": "admin", "project_id": PROJECTS[0]}
        ],
        "security_group_rules": [rule("rule-admin", "admin", "0.0.0.0/0")],
    })
}

fn line(number: usize, event_type: &str, payload: &Value) -> String {
    let time = format!("2026-11-21T00:38:{number:02}.000000+00:00");
    let body = json!({"message_id": format!("m-{number}"), "publisher_id": "network.ctl1", "event_type": event_type,
        "priority": "INFO", "timestamp": format!("2026-11-21 00:38:{number:02}.000000"), "payload": payload,
        "_context_user_id": "ad1a2f5bda504db0867c3433513b8d62", "_context_project_id": PROJECTS[0]});
    let line = json!({"seq": number, "received_at": time, "exchange": "neutron", "routing_key": "notifications.info",
        "redelivered": false, "properties": {}, "body": body.to_string()});
    format!("{line}\n")
}

/// What the messages do: a rule comes, ports change, another rule comes, a port goes, both rules go.
fn messages() -> String {
    let rule = |id, source| json!({"security_group_rule": rule(id, "web", source)});
    let moved = json!({"port": {"id": port_id(20), "project_id": PROJECTS[0], "device_id": "server-x", "revision_number": 7,
        "fixed_ips": [{"subnet_id": "subnet", "ip_address": "10.0.7.7"}]}});
    [
        ("security_group_rule.create.end", rule("rule-1", "203.0.113.0/24")),
        ("port.update.end", moved),
        ("security_group_rule.create.end", rule("rule-2", "198.51.100.0/24")),
        ("port.delete.end", json!({"port_id": port_id(21)})),
        ("security_group_rule.delete.end", json!({"security_group_rule_id": "rule-1"})),
        ("security_group_rule.delete.end", json!({"security_group_rule_id": "rule-2"})),
    ]
    .iter()
    .zip(1..)
    .map(|((event_type, payload), number)| line(number, event_type, payload))
    .collect()
}

fn sorted(rows: &Value) -> Vec<Value> {
    let mut rows = rows.as_array().unwrap().clone();
    rows.sort_by(judge::compare_rows);
    rows
}

/// How much a record keeps about its rows.
fn exposure_bytes(store: &str, seq: u64) -> usize {
    let record = Store::open_reader(Path::new(store)).unwrap().record(seq).unwrap().unwrap();
    let parts = record.parts.into_iter().filter(|part| part.class == PartClass::Exposure.code());
    parts.map(|part| if let PartContent::Bytes(bytes) = part.content { bytes.len() } else { 0 }).sum()
}

#[test]
fn every_row_of_a_rule_on_many_ports_is_read() {
    let place = Place::new("wide");
    let store = place.path("store");
    let directory = store.clone();
    let inventory = place.write("inventory.json", inventory().to_string());
    let recording = place.write("messages.jsonl", messages());
    let store = ["--store", store.as_str()];
    run(&[&["replay"][..], &store, &["--inventory", &inventory, &recording]].concat());
    // What the API shows and no message told is a drift; here it is a rule as well.
    let rules = [rule("rule-admin", "admin", "0.0.0.0/0"), rule("rule-3", "web", "192.0.2.0/24")];
    let later = json!({"taken_at": "2026-11-21T01:00:00Z", "security_group_rules": rules});
    let later = place.write("later.json", later.to_string());
    run(&[&["inventory", "import"][..], &store, &[&later]].concat());
    let records = json_lines(&[&["audit", "export"][..], &store, &["-o", "json"]].concat());
    let state = |seq: u64| {
        json_lines(&[&["exposure"][..], &store, &["-o", "json", "--at", &seq.to_string()]].concat())
    };
    let (mut wide, mut redundant) = (0, 0);
    for record in records.iter().filter(|record| record["kind"] == "change" || record["kind"] == "drift") {
        let seq = record["seq"].as_u64().unwrap();
        let exposure = &record["exposure"];
        assert_eq!(exposure.get("not_listed"), None, "record {seq}");
        let (mut opened, mut closed) = judge::delta(&state(seq - 1), &state(seq));
        opened.sort_by(judge::compare_rows);
        closed.sort_by(judge::compare_rows);
        assert!(sorted(&exposure["opened"]) == opened, "opened by record {seq}: {}", record["summary"]);
        assert!(sorted(&exposure["closed"]) == closed, "closed by record {seq}: {}", record["summary"]);
        if opened.len() + closed.len() >= PORTS {
            wide += 1;
            let bytes = exposure_bytes(&directory, seq);
            assert!(bytes > 0 && bytes < 8_000, "record {seq} keeps {bytes} bytes about its rows");
        }
        redundant += opened.iter().chain(&closed).filter(|row| row["redundant"] == true).count();
        let shown = run(&[&["audit", "show"][..], &store, &["-o", "json", &seq.to_string()]].concat());
        // It says more: proof, and what followed.
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let is_same = |(key, value): (&String, &Value)| shown[key] == *value;
        assert!(record.as_object().unwrap().iter().all(is_same), "shown alone, record {seq} is the same");
    }
    assert_eq!(wide, 5, "two rules came and went, and one was found");
    assert!(redundant > PORTS);
    // An address in the middle, which no sentence names.
    let found = json_lines(
        &[&["audit", "search"][..], &store, &["-o", "json", "--exposing", "--address", "10.0.1.50"]].concat(),
    );
    assert_eq!(found.len(), 5);
    let verified = run(&[&["audit", "verify"][..], &store, &["-o", "json"]].concat());
    assert_eq!(serde_json::from_str::<Value>(&verified).unwrap()["verified"], true);
}
