//! The simulated Splunk by clients of others, the vendor's own among them: they take it for real.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::broker::python;

#[test]
fn clients_of_others_work_with_the_simulated_splunk() {
    let token = Token::new;
    let splunk = served(|options| {
        options.tokens = vec![
            Token { indexes: vec!["main".to_owned()], ..token("plain") },
            Token { has_acks: true, ..token("with-acks") },
            Token { is_disabled: true, ..token("off") },
        ];
        options.polls_until_written = 2;
        options.poison = Some("poison".to_owned());
    });
    let (_, address) = splunk.url.split_once("://").unwrap();
    let (host, port) = address.split_once(':').unwrap();
    let output = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/splunk_client.py"))
        .args([host, port])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        told,
        json!({
            "taken": "taken",
            "acknowledged": "taken",
            "unacknowledged": "no acknowledgement",
            "disabled": [403, 1],
            "unknown": [403, 4],
            "index": ["accepted", 0],
            "poison": ["accepted", 1],
            "raw": true,
            "raw_acks": true,
            "json_acks": true,
        })
    );
    let events = splunk.change(|splunk| splunk.indexed().to_vec());
    let of: Vec<(&str, &Value)> = events.iter().map(|event| (event.source.as_str(), &event.event)).collect();
    let (one, two, three) = (json!("one"), json!("two"), json!("three"));
    let number = |number: u64| json!({"n": number});
    assert_eq!(
        of,
        [
            ("vendor", &number(1)),
            ("vendor", &number(2)),
            ("vendor", &number(3)),
            ("vendor", &number(4)),
            ("vendor", &number(8)),
            ("ftf", &one),
            ("ftf", &two),
            ("ftf", &three),
            ("ftf", &number(10)),
        ]
    );
    assert!(events.iter().filter(|event| event.source == "vendor").all(|event| {
        (event.host.as_str(), event.sourcetype.as_str(), event.time)
            == ("client", "tested", Some(1_767_225_600.0))
    }));
    // Only what nobody asked for until it was there.
    let unwritten: Vec<&Value> =
        events.iter().filter(|event| !event.is_written).map(|event| &event.event).collect();
    assert_eq!(unwritten, [&number(4)]);
}
