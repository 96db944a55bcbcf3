//! Good bundles: what they prove is told, and whose key it is matters.

use osel_core::trail::PartClass;
use osel_core::trail::bundle::{Fault, Scope};
use osel_core::trail::log::CheckpointError;

use super::log::{Log, bytes, check, key};

#[test]
fn a_whole_bundle_says_what_it_holds() {
    let log = Log::new(12, 20);
    let lines = log.whole(&[3, 4, 9]);
    for given in [None, Some(log.key.verifier())] {
        let summary = check(&bytes(&lines), given).unwrap();
        assert_eq!((summary.scope, summary.records, summary.span), (Scope::Whole, 12, Some((1, 12))));
        assert_eq!((summary.checkpoints, summary.runs, summary.checkpoint.size), (3, 1, 12));
        assert_eq!(summary.key, log.key.verifier());
        assert_eq!(summary.parts.present(PartClass::Body), 12);
        assert_eq!(summary.parts.missing(PartClass::Payload), 2);
        assert_eq!(summary.since, None);
    }
    assert_eq!(check(&bytes(&Log::new(0, 0).whole(&[])), None).unwrap().span, None);
    assert_eq!(check(&bytes(&Log::new(1, 0).whole(&[])), None).unwrap().span, Some((1, 1)));
}

#[test]
fn some_records_are_proved_each() {
    let log = Log::new(300, 0);
    let summary = check(&bytes(&log.some(&[1, 2, 3, 77, 299, 300], None)), None).unwrap();
    assert_eq!((summary.scope, summary.records, summary.runs), (Scope::Some, 6, 3));
    assert_eq!((summary.span, summary.checkpoint.size), (Some((1, 300)), 300));

    let after: Vec<u64> = (258..=300).collect();
    for since in [0, 1, 255, 256, 257, 299, 300] {
        let summary = check(&bytes(&log.some(&after, Some(since))), None).unwrap();
        assert_eq!(summary.since.map(|checkpoint| checkpoint.size), Some(since));
    }
    let all_since =
        |seqs: &[u64], since| check(&bytes(&log.some(seqs, since)), None).unwrap().has_all_since();
    assert!(all_since(&after, Some(257)) && all_since(&[], Some(300)) && all_since(&[300], Some(299)));
    assert!(!all_since(&after, Some(256)) && !all_since(&after[1..], Some(257)) && !all_since(&after, None));
    // As many, and one of them from before.
    assert!(!all_since(&[5, 300], Some(298)) && !all_since(&[], Some(299)));
    let none = check(&bytes(&log.some(&[], Some(300))), None).unwrap();
    assert_eq!((none.records, none.span, none.runs), (0, None, 0));
}

#[test]
fn another_key_is_refused() {
    let log = Log::new(3, 0);
    let bundle = bytes(&log.whole(&[]));
    let other = key("log.example/osel", 1).verifier();
    let bad = check(&bundle, Some(other)).unwrap_err();
    assert_eq!((bad.line, bad.record, bad.confirmed), (1, None, 0));
    assert_eq!(bad.why, Fault::OtherKey { found: log.key.verifier().to_string() });

    // Somebody else signs the same log, and says so: nobody vouches for him, but it holds.
    let mut forged = Log::new(3, 0);
    forged.key = key("log.example/osel", 9);
    assert!(check(&bytes(&forged.whole(&[])), None).is_ok());
    assert!(check(&bytes(&forged.whole(&[])), Some(log.key.verifier())).is_err());
    // Or he leaves the key's name in.
    let mixed = String::from_utf8(bytes(&forged.whole(&[]))).unwrap();
    let mixed = mixed.replace(&forged.key.verifier().to_string(), &log.key.verifier().to_string());
    let bad = check(mixed.as_bytes(), None).unwrap_err();
    assert!(matches!(bad.why, Fault::Checkpoint(CheckpointError::Note(_))), "{bad:?}");
}

#[test]
fn a_log_of_the_same_key_that_was_written_anew_is_no_continuation() {
    let (log, mut other) = (Log::new(20, 0), Log::new(20, 50));
    other.key = log.key.clone();
    let since = other.some(&[], Some(10));
    let mut lines = log.some(&[], Some(10));
    lines[1] = since[1].clone();
    let bad = check(&bytes(&lines), None).unwrap_err();
    assert_eq!((bad.line, bad.record), (2, None));
    assert!(matches!(bad.why, Fault::Since(_)), "{bad:?}");
}
