//! The simulated manager by a client that others wrote: python-gvm makes, runs, reads and removes a scan.

use std::process::{Command, Stdio};

use osel_sim::scanners::gmp::{Host, Options, Weakness};
use serde_json::{Value, json};

use super::{Ground, address};
use crate::broker::python;

#[test]
fn python_gvm_has_a_scan_done() {
    let weakness = Weakness::new("1.3.6.1.4.1.25623.1.0.108440", "OpenSSH is old", "22/tcp", "9.8")
        .of_cves(&["CVE-2024-6387"])
        .seen("a < b & c");
    let hosts = vec![
        Host::new(address("192.0.2.1"), &["22/tcp", "443/tcp", "8080/tcp"]).with(weakness),
        Host::new(address("2001:db8::1"), &[]),
    ];
    // Answers in pieces that end anywhere.
    let ground = Ground::new(hosts, Options { piece_bytes: Some(13), ..Options::default() });
    let output = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/gvm_client.py"))
        .args([ground.socket(), "192.0.2.1", "2001:db8::1"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wanted = json!({
        "version": "22.7",
        "stranger": ["401", "Authenticate first"],
        "wrong password": ["400", "Authentication failed"],
        "second list": ["400", "Port list exists already"],
        "second target": ["400", "Target exists already"],
        "used target": ["400", "Target is in use"],
        "used list": ["400", "Port list is in use"],
        "second start": ["400", "Task is active already"],
        "statuses": ["Queued", "Running", "Processing", "Done"],
        "found": true,
        "last report": true,
        "hosts": ["192.0.2.1", "2001:db8::1"],
        "ports": [["192.0.2.1", "22/tcp"], ["192.0.2.1", "443/tcp"]],
        "results": [["192.0.2.1", "22/tcp", "1.3.6.1.4.1.25623.1.0.108440", "9.8"]],
        "cves": ["CVE-2024-6387"],
        "page": 1,
        "stopped": "200",
        "gone": ["404", seen["gone"][1]],
    });
    assert_eq!(seen, wanted);
    assert_eq!(
        (ground.gvmd.tasks(), ground.gvmd.targets(), ground.gvmd.port_lists()),
        (vec![], vec![], vec![])
    );
}
