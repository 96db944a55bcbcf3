//! The simulated products by the client that their vendor wrote: pyTenable takes them for real.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::broker::beside;

fn session(product: Product) -> Value {
    let pair = Pair::new(product, |options| (options.export_polls, options.running_max) = (0, 1));
    let who = pair.simulated.change(|simulation| {
        let Options { access_key, secret_key, username, password, .. } = simulation.options.clone();
        json!({"access_key": access_key, "secret_key": secret_key, "username": username, "password": password})
    });
    let name = match product {
        Product::Nessus => "nessus",
        Product::Cloud => "cloud",
    };
    let (python, path) = beside("tenable");
    let mut client = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/tenable_client.py"))
        .args([name, &pair.simulated.url])
        .env("PYTHONPATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(who.to_string().as_bytes()).unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(pair.simulated.change(|simulation| simulation.scans().is_empty()));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn is_told(told: &Value, wanted: &Value) {
    for (key, wanted) in wanted.as_object().unwrap() {
        assert_eq!(&told[key], wanted, "{key}");
    }
}

/// What both products tell of the same scan.
fn common() -> Value {
    let item = |port: u16, plugin: u32, service: &str| json!(["tcp", port, plugin, service, null, []]);
    json!({
        "session": "osel",
        "made": [["by pyTenable", "empty"]],
        "launched": true,
        "states": ["pending", "running", "running", "completed"],
        "history": [[1, "completed"]],
        "hosts": ["192.0.2.1", "2001:db8::1"],
        "report": {
            "192.0.2.1": [
                item(22, 11_219, "ssh"),
                item(443, 11_219, "www"),
                ["tcp", 22, 201_194, "ssh", "8.1", ["CVE-2024-6387", "CVE-2006-5051"]],
                item(0, 19_506, "general"),
            ],
            "2001:db8::1": [item(80, 11_219, "www?"), item(0, 19_506, "general")],
        },
        "paused": "paused",
        "stopped": ["stopping", "canceled"],
        "gone": 404,
    })
}

#[test]
fn pytenable_works_with_the_simulated_nessus() {
    let told = session(Product::Nessus);
    is_told(&told, &common());
    is_told(
        &told,
        &json!({
            "server": ["ready", "Nessus Manager"],
            "policies": ["Perimeter", "PCI quarterly"],
            "folders": ["Trash", "My Scans", "osel"],
            "scanners": ["Local Scanner", "dmz-1"],
            "empty": null,
            "twice": 409,
            "killed": "canceled",
        }),
    );
}

#[test]
fn pytenable_works_with_the_simulated_cloud() {
    is_told(&session(Product::Cloud), &common());
}
