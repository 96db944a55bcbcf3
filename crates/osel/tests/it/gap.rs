//! What the bus never told, as a person finds it: one record, no guesses, rows once the group is described.

use serde_json::{Value, json};

use crate::command::{Place, json_lines, run};

/// A line of a recording.
fn line(second: u32, event_type: &str, payload: &Value) -> String {
    let body = json!({
        "message_id": format!("m{second}"), "event_type": event_type, "publisher_id": "network.ctl1",
        "priority": "INFO", "timestamp": format!("2026-11-21 00:00:{second:02}.000000"), "payload": payload,
        "_context_request_id": format!("req-{second}"), "_context_user_id": "u", "_context_project_id": "p",
    });
    let received_at = format!("2026-11-21T00:00:{second:02}.100000Z");
    format!("{}\n", json!({"received_at": received_at, "exchange": "neutron", "body": body.to_string()}))
}

#[test]
fn a_gap_is_found_by_its_kind_once_and_closed_by_the_description() {
    let place = Place::new("gap");
    let store = place.path("store");
    let port = |address: &str| {
        json!({"port": {
            "id": "p", "network_id": "n", "security_groups": ["g"],
            "fixed_ips": [{"ip_address": address, "subnet_id": "s"}],
        }})
    };
    let group = json!({"security_group": {"id": "g", "security_group_rules": [{
        "id": "r", "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
    }]}});
    let before = place.write(
        "before.jsonl",
        line(1, "port.create.end", &port("10.0.0.5")) + &line(2, "port.update.end", &port("10.0.0.6")),
    );
    let after = place.write("after.jsonl", line(3, "security_group.update.end", &group));
    let gaps = || json_lines(&["audit", "search", "--store", &store, "-o", "json", "--kind", "gap"]);
    let rows = || json_lines(&["exposure", "--store", &store, "-o", "json"]);

    run(&["replay", "--store", &store, &before]);
    let told = gaps();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["kind"], &told[0]["message_id"]), (&json!("gap"), &Value::Null));
    let cause = told[0]["cause"].as_u64().unwrap().to_string();
    let port = json_lines(&["audit", "show", "--store", &store, "-o", "json", &cause]).remove(0);
    assert_eq!(port["message_id"], "m1");
    let sentence = told[0]["summary"].as_str().unwrap();
    assert!(sentence.contains("port p has security group g, which nobody described"), "{sentence}");
    assert!(run(&["audit", "search", "--store", &store, "--kind", "gap"]).contains("nobody described"));
    assert_eq!(rows(), Vec::<Value>::new());

    run(&["replay", "--store", &store, &after]);
    assert_eq!(gaps(), told, "the description is no gap");
    let rows = rows();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["address"], &rows[0]["rule_id"]), (&json!("10.0.0.6"), &json!("r")));
}
