//! oslo.messaging's notification listener, for comparison.

use std::path::Path;
use std::process::Command;

use crate::{Bench, EXCHANGE, ROUTING_KEY, amqp};

/// Drains the first of the bodies; gives messages a second, of the last 95 of 100.
pub fn drain(bench: &Bench, count: usize) -> f64 {
    let queue = "notifications.info";
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-python/bin/python");
    // As oslo.messaging declares it, so that its listener finds it.
    amqp::declare_fleeting_queue(&bench.broker.url(), queue);
    bench.client.bind(queue, EXCHANGE, ROUTING_KEY).unwrap();
    bench.publish(count, queue);
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/listener.py"))
        .args([&bench.broker.transport_url(), EXCHANGE, &count.to_string()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("PYTHONPATH")
        .output()
        .expect("Python is there: `cargo xtask test` installs it");
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said.trim().parse();
    rate.unwrap_or_else(|_| panic!("the listener failed: {said}{}", String::from_utf8_lossy(&output.stderr)))
}
