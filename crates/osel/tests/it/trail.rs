//! The trail of a replayed recording: complete, verified, and telling when it was touched.

use serde_json::Value;

use crate::command::{Place, json_lines, osel, recording, refused, run};

#[test]
fn each_message_has_one_record_and_the_chain_holds() {
    let place = Place::new("trail");
    let store = place.path("store");
    json_lines(&["replay", "--store", &store, "-o", "json", &recording("dev-2topics")]);
    let ledger = json_lines(&["ledger", "--store", &store, "-o", "json"]);
    let recorded = ledger[0]["recorded"].as_u64().unwrap();
    assert_eq!(ledger[0]["duplicate"], ledger[0]["recorded"], "each message came over two topics");
    let records = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    let mut ids: Vec<&Value> =
        records.iter().map(|record| &record["message_id"]).filter(|id| !id.is_null()).collect();
    assert_eq!(ids.len() as u64, recorded);
    ids.sort_by_key(|id| id.as_str());
    ids.dedup();
    assert_eq!(ids.len() as u64, recorded, "a message id has one record");
    for (number, record) in (1..).zip(&records) {
        assert_eq!(record["seq"], number);
        if record["message_id"].is_null() {
            let cause = record["cause"].as_u64();
            assert!(
                cause.is_none_or(|cause| cause < number) && (cause.is_some() || record["kind"] == "system")
            );
        }
    }
    let verified = run(&["audit", "verify", "--store", &store, "-o", "json"]);
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["verified"], true);
    let head = verified["head"].as_str().unwrap();
    assert!(osel(&["audit", "verify", "--store", &store, "--head", head]).status.success());
    let later = head.replacen(&records.len().to_string(), &(records.len() + 1).to_string(), 1);
    let cut = osel(&["audit", "verify", "--store", &store, "--head", &later]);
    assert_eq!(cut.status.code(), Some(1), "{}", String::from_utf8_lossy(&cut.stdout));
}

#[test]
fn denied_attempts_are_reported() {
    let place = Place::new("denied");
    let store = place.path("store");
    json_lines(&["replay", "--store", &store, "-o", "json", &recording("dev-2026")]);
    let records = json_lines(&[
        "audit",
        "search",
        "--store",
        &store,
        "-o",
        "json",
        "--outcome",
        "failure",
        "--kind",
        "change",
    ]);
    let denied: Vec<&Value> = records.iter().filter(|record| record["message_id"].is_null()).collect();
    assert!(!denied.is_empty());
    for record in denied {
        let cause = record["cause"].as_u64().unwrap().to_string();
        let start: Value =
            serde_json::from_str(&run(&["audit", "show", "--store", &store, "-o", "json", &cause])).unwrap();
        assert_eq!(start["outcome"], "pending");
        assert_eq!(start["request_id"], record["request_id"]);
        assert_eq!(start["actor"], record["actor"]);
    }
}

#[test]
fn a_store_that_is_not_there_is_named() {
    let place = Place::new("missing");
    let store = place.path("nothing");
    for command in [&["exposure"][..], &["ledger"], &["audit", "verify"], &["audit", "export"]] {
        let error = refused(3, &[command, &["--store", &store]].concat());
        assert!(error.contains(&store), "{error}");
    }
    assert!(refused(2, &["exposure"]).contains("--store"));
}
