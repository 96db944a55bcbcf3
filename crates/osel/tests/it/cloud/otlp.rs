//! Logs by OpenTelemetry's protocol, read by its own messages.

use std::sync::Arc;
use std::time::Duration;

use osel::config::{ForwardConfig, OtlpConfig, Place, ReceiverConfig, Secret};
use osel::forward::otlp::Otlp;
use osel::forward::receiver::{Batch, Receiver};
use osel_core::format::Format;
use osel_core::forward::{Refusal, RefusalKind, Taken};
use serde_json::{Value, json};

use super::server::Server;
use super::{batch, http};
use crate::command::{Place as Folder, osel};

fn config(url: &str) -> OtlpConfig {
    OtlpConfig {
        url: format!("{url}/v1/logs"),
        headers: vec![("authorization".to_owned(), Secret::new("Bearer hunter2".to_owned()))],
        packs: true,
        batch_records: 512,
        batch_bytes: 1_000_000,
        http: http(),
    }
}

fn driver(config: &OtlpConfig) -> Otlp {
    let table = ForwardConfig {
        name: "telemetry".to_owned(),
        receiver: ReceiverConfig::Otlp(Box::new(config.clone())),
        format: Format::Native,
        filter: Default::default(),
        from: Default::default(),
        pseudonyms: false,
        place: Place::Nowhere,
    };
    Otlp::new(config.clone(), Format::Native, Arc::new(move || table.clone()))
}

/// A record with all that has a name in OpenTelemetry's conventions.
fn told() -> Batch {
    let mut batch = batch(1..=2);
    let line = json!({
        "seq": 1, "source": "nova", "request_id": "req-1", "outcome": "success", "region": "RegionOne",
        "actor": {"user_id": "u-1", "user_name": "ann", "project_id": "p-1", "project_name": "demo",
                  "address": "192.0.2.7", "agent": "curl"},
        "summary": "ann opened \"web\" — to all",
    });
    batch.items[0].line = line.to_string().into_bytes();
    batch
}

/// The records of each request.
fn seqs(got: &Value) -> Vec<Vec<u64>> {
    let of = |request: &Value| {
        let records = request["records"].as_array().unwrap().iter();
        records.map(|record| record["attributes"]["osel.seq"].as_u64().unwrap()).collect()
    };
    got.as_array().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn records_are_what_opentelemetry_makes_of_them() {
    let server = Server::start("otlp_server.py", &[]);
    let batch = told();
    assert_eq!(driver(&config(&server.url)).send(&batch).await.unwrap(), Taken::Kept);
    let got = server.told("got");
    let request = &got[0];
    let store = format!("{:032x}", 7);
    assert_eq!(
        [
            &request["path"],
            &request["type"],
            &request["packed"],
            &request["authorization"],
            &request["scope"]
        ],
        [
            &json!("/v1/logs"),
            &json!("application/x-protobuf"),
            &json!(true),
            &json!("Bearer hunter2"),
            &json!("osel")
        ]
    );
    assert_eq!(
        request["resource"],
        json!({"service.name": "osel", "service.instance.id": store, "service.version": env!("CARGO_PKG_VERSION")})
    );
    let record = &request["records"][0];
    assert_eq!(record["time"], 1_767_225_600_123_456_000_u64);
    assert_eq!(record["observed"], 1_767_225_600_200_000_000_u64);
    assert_eq!(record["severity"], json!([17, "high"]));
    assert_eq!(record["event"], "security_group_rule.create.end");
    assert_eq!(record["body"].as_str().unwrap().as_bytes(), batch.items[0].line);
    assert_eq!(
        record["attributes"],
        json!({
            "log.record.uid": format!("{store}-1"), "osel.seq": 1, "osel.kind": "change", "osel.source": "nova",
            "osel.request_id": "req-1", "osel.outcome": "success", "osel.project.id": "p-1",
            "cloud.region": "RegionOne", "user.id": "u-1", "user.name": "ann", "client.address": "192.0.2.7",
            "user_agent.original": "curl",
        })
    );
    let second = &request["records"][1]["attributes"];
    assert_eq!(
        *second,
        json!({"log.record.uid": format!("{store}-2"), "osel.seq": 2, "osel.kind": "change"})
    );
    let plain = OtlpConfig { packs: false, ..config(&server.url) };
    driver(&plain).send(&batch).await.unwrap();
    assert_eq!(server.told("got")[0]["packed"], false);
}

#[tokio::test]
async fn a_record_that_is_not_taken_is_found_among_those_that_are() {
    let server = Server::start("otlp_server.py", &[]);
    for seq in [3, 4] {
        server.told(&format!("refuse/{seq}"));
    }
    let mut receiver = driver(&config(&server.url));
    let refused = |refusal: Refusal| {
        assert!(refusal.words.contains("does not take it: `too old`"), "{}", refusal.words);
        (refusal.kind, refusal.taken)
    };
    let first = receiver.send(&batch(1..=6)).await.unwrap_err();
    assert_eq!(refused(first), (RefusalKind::Item(2), 2));
    assert_eq!(seqs(&server.told("got")), [vec![1, 2, 5, 6], vec![1], vec![2], vec![]]);
    // The machine goes on behind it, with what has come meanwhile.
    let second = receiver.send(&batch(4..=8)).await.unwrap_err();
    assert_eq!(refused(second), (RefusalKind::Item(0), 0));
    assert_eq!(receiver.send(&batch(5..=8)).await.unwrap(), Taken::Kept);
    assert_eq!(seqs(&server.told("got")), [vec![], vec![5], vec![6], vec![7, 8]]);
    // None of them at all is taken: nothing is sent again to find that out.
    let all = receiver.send(&batch(3..=4)).await.unwrap_err();
    assert_eq!(refused(all), (RefusalKind::Suspect, 0));
    assert_eq!(seqs(&server.told("got")), [Vec::<u64>::new()]);
}

#[tokio::test]
async fn refusals_are_told_from_each_other_and_in_words() {
    let server = Server::start("otlp_server.py", &[]);
    let mut receiver = driver(&config(&server.url));
    for (status, wanted) in [
        (400, RefusalKind::Failed),
        (401, RefusalKind::Denied),
        (404, RefusalKind::Misplaced),
        (413, RefusalKind::TooLarge),
        (429, RefusalKind::Unavailable),
        (503, RefusalKind::Unavailable),
    ] {
        server.told(&format!("fail/{status}"));
        let refusal = receiver.send(&batch(1..=2)).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.wait), (wanted, Some(Duration::from_secs(7))));
        assert_eq!(refusal.words, format!("the receiver answers {status}: `not now, ***`"));
    }
    assert_eq!(receiver.send(&batch(1..=2)).await.unwrap(), Taken::Kept);
}

#[test]
fn a_test_is_sent_by_what_the_configuration_says() {
    let server = Server::start("otlp_server.py", &[]);
    let place = Folder::new("cloud-otlp");
    place.write("token", "Bearer hunter2");
    let file = place.write(
        "osel.toml",
        format!(
            "[store]\npath = 'store'\n[[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n[[forward]]\nname = 'telemetry'\n\
             type = 'otlp'\nendpoint = '{}'\nformat = 'sentence'\nheaders = [{{ name = 'Authorization', value = {{ file = 'token' }} }}]\n",
            server.url
        ),
    );
    place.write("bus.jsonl", "");
    let output = osel(&["forward", "test", "telemetry", "-c", &file]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("the test was taken"), "{said}");
    let got = server.told("got");
    assert_eq!((&got[0]["path"], &got[0]["authorization"]), (&json!("/v1/logs"), &json!("Bearer hunter2")));
    let record = &got[0]["records"][0];
    assert_eq!((&record["event"], &record["severity"][0]), (&json!("osel.forward.test"), &json!(9)));
    assert!(record["body"].as_str().unwrap().contains("this is a test of forwarder telemetry"), "{record}");
}
