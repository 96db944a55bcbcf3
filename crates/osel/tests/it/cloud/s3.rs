//! Objects of S3: written to moto's store, signed to the satisfaction of AWS's own library, and read back by its client.

use std::sync::{Arc, Mutex};

use osel::config::{
    ForwardConfig, ObjectCompression, ObjectContent, ObjectsConfig, Place, ReceiverConfig, S3Config,
    S3Encryption, Secret,
};
use osel::forward::receiver::{Batch, Receiver};
use osel::forward::s3;
use osel_core::format::Format;
use osel_core::forward::{Refusal, RefusalKind, Taken};
use serde_json::{Value, json};

use super::server::Server;
use super::{batch, http, line, objects};
use crate::broker::until;
use crate::command::json_lines;
use crate::daemon::{Daemon, LIMIT};

const DAY: &str = "osel/00000000000000000000000000000007/2026/01/01";

fn store() -> Server {
    Server::start("s3_server.py", &["records", "AKIDEXAMPLE", "hunter2/key"])
}

fn config(url: &str) -> S3Config {
    let secret = |text: &str| Secret::new(text.to_owned());
    S3Config {
        endpoint: url.to_owned(),
        region: "us-east-1".to_owned(),
        bucket: "records".to_owned(),
        is_in_path: true,
        key_id: secret("AKIDEXAMPLE"),
        key: secret("hunter2/key"),
        token: None,
        encryption: None,
        writes_once: false,
        objects: objects(),
        http: http(),
    }
}

fn table(config: S3Config) -> ForwardConfig {
    ForwardConfig {
        name: "archive".to_owned(),
        receiver: ReceiverConfig::S3(Box::new(config)),
        format: Format::Native,
        filter: Default::default(),
        from: Default::default(),
        pseudonyms: false,
        place: Place::Nowhere,
    }
}

fn driver(config: &S3Config) -> impl Receiver + use<> {
    let now = table(config.clone());
    s3(config.clone(), Format::Native, Arc::new(move || now.clone()))
}

async fn refused(receiver: &mut impl Receiver, batch: &Batch) -> Refusal {
    receiver.send(batch).await.unwrap_err()
}

/// The records that are in the store, in the order of the names of their objects.
fn records(store: &Server) -> Vec<u64> {
    let objects = store.told("objects");
    let lines = objects.as_object().unwrap().values().flat_map(|object| object["lines"].as_array().unwrap());
    lines
        .map(|line| serde_json::from_str::<Value>(line.as_str().unwrap()).unwrap()["seq"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_batch_is_an_object_that_says_what_it_has() {
    let store = store();
    let mut receiver = driver(&config(&store.url));
    assert_eq!(receiver.send(&batch(1..=3)).await.unwrap(), Taken::Kept);
    assert_eq!(receiver.send(&batch(4..=4)).await.unwrap(), Taken::Kept);
    let managed = S3Config {
        encryption: Some(S3Encryption::Managed(Some("key/7".to_owned()))),
        objects: ObjectsConfig { compression: ObjectCompression::None, ..objects() },
        ..config(&store.url)
    };
    driver(&managed).send(&batch(5..=5)).await.unwrap();
    assert_eq!(
        store.told("asked"),
        json!(["GET list", "PUT object", "PUT object", "GET list", "PUT object"]),
        "it is asked only at the begin what is there"
    );
    let told = store.told("objects");
    let objects: Vec<(&String, &Value)> = told.as_object().unwrap().iter().collect();
    let name = |at: usize| objects[at].0.rsplit_once('-').unwrap();
    assert_eq!(name(0).0, format!("{DAY}/000000000001-000000000003"));
    assert_eq!(name(1).0, format!("{DAY}/000000000004-000000000004"));
    assert!(name(0).1.len() == 16 + ".jsonl.gz".len() && name(0).1.ends_with(".jsonl.gz"));
    assert_eq!(objects[0].1["lines"], json!([line(1), line(2), line(3)]));
    assert_eq!(
        (&objects[0].1["type"], &objects[0].1["encoding"]),
        (&json!("application/gzip"), &json!(null))
    );
    assert_eq!(objects[0].1["sum"], true, "the store has compared the sum");
    let (name, managed) = objects[2];
    assert!(name.ends_with(".jsonl") && managed["type"] == "application/x-ndjson");
    assert_eq!((&managed["encryption"], &managed["key"]), (&json!("aws:kms"), &json!("key/7")));
}

#[tokio::test]
async fn an_object_is_a_table_where_that_is_wanted() {
    let store = store();
    let table = |compression| S3Config {
        objects: ObjectsConfig { content: ObjectContent::Parquet, compression, ..objects() },
        ..config(&store.url)
    };
    let mut mixed = batch(1..=3);
    mixed.items[1].event_type = None;
    driver(&table(ObjectCompression::Gzip)).send(&mixed).await.unwrap();
    driver(&table(ObjectCompression::None)).send(&batch(4..=4)).await.unwrap();
    let told = store.told("objects");
    let objects: Vec<(&String, &Value)> = told.as_object().unwrap().iter().collect();
    assert!(objects[0].0.ends_with(".parquet") && objects[0].1["type"] == "application/vnd.apache.parquet");
    assert_eq!(
        objects[0].1["lines"]["columns"],
        json!({
            "id": "string", "seq": "int64", "time": "timestamp[us, tz=UTC]", "recorded_at": "timestamp[us, tz=UTC]",
            "kind": "string", "severity": "string", "event_type": "string", "record": "string",
        })
    );
    let row = |seq: u64, event_type: Option<&str>| {
        json!({
            "id": format!("{:032x}-{seq}", 7), "seq": seq, "time": "2026-01-01T00:00:00.123456+00:00",
            "recorded_at": "2026-01-01T00:00:00.200000+00:00", "kind": "change", "severity": "high",
            "event_type": event_type, "record": line(seq),
        })
    };
    let event = Some("security_group_rule.create.end");
    assert_eq!(objects[0].1["lines"]["rows"], json!([row(1, event), row(2, None), row(3, event)]));
    assert_eq!(objects[1].1["lines"]["rows"], json!([row(4, event)]));
    // What is there is found as with lines.
    store.told("asked");
    driver(&table(ObjectCompression::Gzip)).send(&mixed).await.unwrap();
    assert_eq!(store.told("asked"), json!(["GET list"]));
}

#[tokio::test]
async fn what_a_process_before_has_written_is_not_written_again_however_batches_are_cut() {
    let store = store();
    let mut before = driver(&config(&store.url));
    before.send(&batch(1..=3)).await.unwrap();
    before.send(&batch(4..=6)).await.unwrap();
    drop(before);
    // The account knows of none of them.
    let mut after = driver(&config(&store.url));
    assert_eq!(after.send(&batch(1..=8)).await.unwrap(), Taken::Kept);
    assert_eq!(records(&store), (1..=8).collect::<Vec<_>>());
    // Set back while it runs: what is there is found again, and what was not is written.
    after.reset();
    after.send(&batch(1..=6)).await.unwrap();
    after.send(&batch(7..=10)).await.unwrap();
    assert_eq!(records(&store), (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_object_whose_answer_was_lost_is_found() {
    let store = store();
    for (writes_once, first) in [(false, 1), (true, 11)] {
        let mut receiver = driver(&S3Config { writes_once, ..config(&store.url) });
        receiver.send(&batch(first..=first + 1)).await.unwrap();
        store.told("lose");
        let refusal = refused(&mut receiver, &batch(first + 2..=first + 3)).await;
        assert_eq!((refusal.kind, refusal.taken), (RefusalKind::Unavailable, 0));
        receiver.send(&batch(first + 2..=first + 5)).await.unwrap();
    }
    assert_eq!(records(&store), [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]);
}

#[tokio::test]
async fn a_name_that_is_taken_is_our_own_object() {
    let store = store();
    let mut receiver = driver(&S3Config { writes_once: true, ..config(&store.url) });
    receiver.send(&batch(1..=1)).await.unwrap();
    receiver.send(&batch(2..=2)).await.unwrap();
    // It does not ask now, and the store refuses.
    receiver.send(&batch(2..=2)).await.unwrap();
    let asked = store.told("asked");
    assert_eq!(asked, json!(["GET list", "PUT object", "PUT object", "PUT object"]));
    assert_eq!(records(&store), [1, 2]);
}

#[tokio::test]
async fn a_key_that_is_refused_is_read_again() {
    let store = Server::start("s3_server.py", &["records", "AKIDEXAMPLE", "hunter2/key", "given=for/a+time"]);
    let good = S3Config { token: Some(Secret::new("given=for/a+time".to_owned())), ..config(&store.url) };
    let wrong = S3Config { key: Secret::new("hunter3".to_owned()), ..good.clone() };
    let written = Arc::new(Mutex::new(table(wrong.clone())));
    let now = Arc::clone(&written);
    let mut receiver = s3(wrong, Format::Native, Arc::new(move || now.lock().unwrap().clone()));
    let refusal = refused(&mut receiver, &batch(1..=1)).await;
    assert_eq!(refusal.kind, RefusalKind::Denied);
    assert!(
        refusal.words.contains("403") && refusal.words.contains("SignatureDoesNotMatch"),
        "{}",
        refusal.words
    );
    *written.lock().unwrap() = table(config(&store.url));
    assert!(refused(&mut receiver, &batch(1..=1)).await.words.contains("InvalidToken"));
    *written.lock().unwrap() = table(good);
    assert_eq!(receiver.send(&batch(1..=1)).await.unwrap(), Taken::Kept);
}

#[tokio::test]
async fn refusals_are_understood_and_no_bucket_is_made() {
    let store = store();
    let mut receiver = driver(&S3Config { bucket: "none".to_owned(), ..config(&store.url) });
    let refusal = refused(&mut receiver, &batch(1..=1)).await;
    assert_eq!(refusal.kind, RefusalKind::Misplaced);
    assert!(refusal.words.contains("NoSuchBucket"), "{}", refusal.words);
    let mut receiver = driver(&config(&store.url));
    for (what, wanted) in [
        ("503/SlowDown", RefusalKind::Unavailable),
        ("500/InternalError", RefusalKind::Unavailable),
        ("403/AccessDenied", RefusalKind::Denied),
        ("400/EntityTooLarge", RefusalKind::TooLarge),
    ] {
        store.told(&format!("fail/{what}"));
        let refusal = refused(&mut receiver, &batch(1..=1)).await;
        assert_eq!(refusal.kind, wanted, "{}", refusal.words);
        assert!(!refusal.words.contains("hunter2"));
    }
    receiver.send(&batch(1..=1)).await.unwrap();
    assert_eq!(records(&store), [1]);
}

#[test]
fn a_daemon_writes_each_record_once_and_a_test_is_an_object_of_its_own() {
    let store = store();
    let forward = format!(
        "[[forward]]\nname = 'archive'\ntype = 's3'\nendpoint = '{}'\nbucket = 'records'\nprefix = 'osel'\nobject_seconds = 1\n\
         access_key_id.file = 'id'\nsecret_access_key.file = 'key'\n",
        store.url
    );
    let mut osel = Daemon::new("cloud-s3", &forward);
    let tested = |osel: &Daemon| {
        let output =
            crate::command::osel(&["forward", "test", "archive", "-c", &osel.place.path("osel.toml")]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    osel.place.write("id", "AKIDEXAMPLE\n");
    osel.place.write("key", "wrong\n");
    let (code, said) = tested(&osel);
    assert!(code == Some(1) && said.contains("SignatureDoesNotMatch"), "{said}");
    osel.place.write("key", "hunter2/key\n");
    let (code, said) = tested(&osel);
    assert!(code == Some(0) && said.contains("the test was taken"), "{said}");
    assert!(said.contains(&format!("sends to {}/records", store.url)), "{said}");

    osel.capture("bus.jsonl", "a", 50);
    osel.start();
    let status = |osel: &Daemon| {
        let (path, config) = (osel.place.path("store"), osel.place.path("osel.toml"));
        json_lines(&["forward", "list", "-o", "json", "--store", &path, "-c", &config])[0].clone()
    };
    until("all are written", LIMIT, || osel.ledger().received == 50 && status(&osel)["lag_records"] == 0);
    osel.kill();
    osel.capture("bus.jsonl", "b", 50);
    osel.start();
    osel.await_received(100);
    until("all are written", LIMIT, || status(&osel)["lag_records"] == 0);
    assert!(osel.stop().success());
    let records: Vec<u64> = osel.records().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    // What came while it stopped is written after the next start.
    let sent: Vec<u64> = self::records(&store).into_iter().filter(|seq| *seq > 0).collect();
    assert!(sent.len() >= 100 && records.starts_with(&sent), "{sent:?}");
    let told = store.told("objects");
    assert!(told.as_object().unwrap().keys().any(|name| name.starts_with("osel/test/")));
}
