//! The trail of a replayed recording: complete, verified, and telling when it was touched.

use std::path::Path;

use ::osel::runtime::verification::{Finding, verify};
use ::osel::store::{Reader, Store};
use osel_core::trail::{Hash, ProofError, tree_root, verify_inclusion};
use serde_json::Value;

use crate::command::{Place, json_lines, osel, recording, refused, run};

#[test]
fn a_trail_that_grows_while_it_is_verified_is_good() {
    let place = Place::new("trail-grows");
    let store = place.path("store");
    let file = recording("dev-2026");
    run(&["replay", "--store", &store, "--until", "20", &file]);
    let mut reader = Store::open_reader(Path::new(&store)).unwrap();
    let mut steps = 0;
    // Once a page of records and one of the messages that they stem from has been read.
    let mut step = || {
        steps += 1;
        if steps == 10 {
            run(&["replay", "--store", &store, &file]);
        }
    };
    let finding = verify(&mut reader, None, &mut step).unwrap();
    let Finding::Good { records, head, .. } = finding else { panic!("{finding:?}") };
    let store_head = reader.head().unwrap().seq;
    assert!(records > 20 && records <= store_head, "{records} records, {head}, {store_head}");
}

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

#[test]
fn a_kind_that_there_is_not_looked_like_one_without_records() {
    let place = Place::new("kinds");
    let store = place.path("store");
    for wrong in [["--kind", "gaps"], ["--outcome", "failed"]] {
        let output = osel(&[&["audit", "search", "--store", &store][..], &wrong].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("possible values"), "{output:?}");
    }
}

#[test]
fn each_record_is_proved_to_be_in_the_tree() {
    let place = Place::new("prove");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-aodh")]);
    let records = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    let hash = |value: &Value| value.as_str().unwrap().parse::<Hash>().unwrap();
    let leaves: Vec<Hash> = records.iter().map(|record| hash(&record["hash"])).collect();
    let last = leaves.len() as u64;
    let prove = |seq: u64, size: u64| {
        let (seq, size) = (seq.to_string(), size.to_string());
        json_lines(&["audit", "prove", "--store", &store, &seq, "--tree-size", &size]).remove(0)
    };
    for (seq, size) in [(1, last), (2, last), (last, last), (last / 2, last), (3, 5), (1, 1)] {
        let proof = prove(seq, size);
        let index = seq - 1;
        assert_eq!((proof["seq"].as_u64(), proof["index"].as_u64()), (Some(seq), Some(index)));
        assert_eq!(proof["tree_size"].as_u64(), Some(size));
        let (leaf, top) = (hash(&proof["leaf_hash"]), hash(&proof["root_hash"]));
        assert_eq!(leaf, leaves[index as usize]);
        assert_eq!(top, tree_root(leaves[..size as usize].iter().copied()));
        let path: Vec<Hash> = proof["path"].as_array().unwrap().iter().map(hash).collect();
        assert_eq!(verify_inclusion(leaf, index, size, &path, top), Ok(()));
        if size > 1 {
            let wrong =
                verify_inclusion(leaves[(index as usize + 1) % size as usize], index, size, &path, top);
            assert_eq!(wrong, Err(ProofError::Root));
        }
    }
    assert_eq!(
        json_lines(&["audit", "prove", "--store", &store, "1", "-o", "json"]),
        [prove(1, last)],
        "the whole trail is the tree that is meant"
    );
    for wrong in [["0", "--tree-size", "5"], ["6", "--tree-size", "5"], ["1", "--tree-size", "9999999"]] {
        let output = osel(&[&["audit", "prove", "--store", &store][..], &wrong].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
    }
}
