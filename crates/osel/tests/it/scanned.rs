//! A daemon that follows a file and scans what the messages in it expose on the loopback, for tests of what comes of that.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::broker::until;
use crate::command::{json_lines, osel};
use crate::daemon::{Daemon, LIMIT};

/// One with these further keys of `[scan]`, and further tables.
pub fn daemon(name: &str, scan: &str, further: &str) -> Daemon {
    let daemon = Daemon::new(name, "");
    daemon.place.write(
        "osel.toml",
        format!(
            "[store]\npath = 'store'\n[scan]\nallowed_prefixes = ['127.0.0.0/8']\n{scan}\n[http]\nlisten = '127.0.0.1:0'\n\
             [[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n{further}"
        ),
    );
    daemon
}

/// Writes that a group admits everybody to these ports of an address.
pub fn expose(daemon: &Daemon, address: &str, ports: (u16, u16)) {
    let rule = json!({"security_group_rule": {
        "id": format!("rule-{address}-{}", ports.0), "security_group_id": "group", "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": ports.0, "port_range_max": ports.1, "remote_ip_prefix": "0.0.0.0/0",
    }});
    let port = json!({"port": {
        "id": format!("port-{address}"), "network_id": "network", "security_groups": ["group"], "project_id": "project",
        "fixed_ips": [{"ip_address": address, "subnet_id": "subnet"}],
    }});
    for (event_type, payload) in [("security_group_rule.create.end", rule), ("port.create.end", port)] {
        daemon
            .append("bus.jsonl", line(&format!("{event_type}-{address}-{}", ports.0), event_type, &payload));
    }
}

fn line(id: &str, event_type: &str, payload: &Value) -> String {
    let body = json!({
        "message_id": id, "event_type": event_type, "publisher_id": "network.controller1", "priority": "INFO",
        "timestamp": "2026-11-21 00:00:00.000000", "payload": payload,
    });
    let line = json!({
        "received_at": "2026-11-21T00:00:00.5Z", "exchange": "neutron", "routing_key": "notifications.info",
        "redelivered": false, "properties": {}, "body": body.to_string(),
    });
    format!("{line}\n")
}

/// Somebody who listens at an address.
pub fn listener(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// What a command says of the daemon's store as JSON Lines.
pub fn listed(daemon: &Daemon, arguments: &[&str]) -> Vec<Value> {
    let store = daemon.place.path("store");
    json_lines(&[arguments, &["--store", &store, "-o", "json"]].concat())
}

/// Waits until a command lists so many, and gives them.
#[track_caller]
pub fn await_listed(daemon: &Daemon, arguments: &[&str], count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    let store = daemon.place.path("store");
    until(&format!("{count} of osel {arguments:?}"), LIMIT, || {
        let output = osel(&[arguments, &["--store", &store, "-o", "json"]].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        found = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        found.len() >= count
    });
    found
}

/// The exit code of a command on the daemon's store, and what it says to standard output and to standard error.
pub fn told(daemon: &Daemon, arguments: &[&str]) -> (i32, String, String) {
    let store = daemon.place.path("store");
    let output = osel(&[arguments, &["--store", &store]].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
