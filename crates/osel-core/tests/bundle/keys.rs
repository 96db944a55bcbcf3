//! Bundles over exchanges of the log's key: who trusts any of the keys from the first on is led to the last, and by no other way.

use osel_core::trail::bundle::Fault;
use osel_core::trail::log::CheckpointError;

use super::log::{Line, Lines, Log, bytes, check, checkers, judge, key};

fn text(line: &Line) -> &str {
    &line.text
}

/// The bundle with something else in one of its lines, and what is wrong then.
fn with(lines: &Lines, at: usize, from: &str, to: &str) -> Fault {
    let mut lines = lines.clone();
    assert!(lines[at].text.contains(from), "{}", lines[at].text);
    lines[at].text = lines[at].text.replacen(from, to, 1);
    check(&bytes(&lines), None).unwrap_err().why
}

#[test]
fn whoever_trusts_a_key_is_led_to_the_last() {
    let log = Log::rotated(30, 0, &[7, 12, 30]);
    let keys = log.verifiers();
    for lines in [log.whole(&[3, 7, 9, 12, 20]), log.some(&[1, 7, 8, 30], Some(5)), log.some(&[], Some(12))] {
        let bundle = bytes(&lines);
        assert!(bundle.starts_with(b"{\"osel-bundle\":2,\"keys\":["));
        for (trusted, given) in keys.iter().enumerate() {
            let summary = check(&bundle, Some(given.clone())).unwrap();
            assert_eq!(summary.key, *given);
            let later: Vec<_> =
                [7, 12, 30].into_iter().zip(keys[1..].iter().cloned()).skip(trusted).collect();
            assert_eq!(summary.later_keys, later);
        }
        assert_eq!(check(&bundle, None).unwrap().key, keys[0]);
        let other = check(&bundle, Some(key("log.example/osel", 9).verifier())).unwrap_err();
        assert!(matches!(other.why, Fault::OtherKey { .. }), "{other:?}");
    }
    let lines = log.whole(&[3, 7, 9, 12, 20]);
    assert_eq!(check(&bytes(&lines), None).unwrap().checkpoints, 5);
}

#[test]
fn each_key_confirms_what_was_its_turn() {
    let log = Log::rotated(9, 0, &[4]);
    // The record after the sixth is altered: up to there it is confirmed, for whoever trusts the key that says so.
    let mut altered = log.whole(&[2, 4, 6]);
    let line = altered.iter_mut().find(|line| line.record == Some(7)).unwrap();
    line.text = line.text.replacen("\"content\":\"e", "\"content\":\"f", 1);
    for given in log.verifiers() {
        let bad = check(&bytes(&altered), Some(given)).unwrap_err();
        assert_eq!((bad.record, bad.confirmed), (Some(7), 6));
    }
    let line = altered.iter_mut().find(|line| line.record == Some(4)).unwrap();
    line.text = line.text.replacen("\"content\":\"e", "\"content\":\"f", 1);
    for (given, confirmed) in log.verifiers().into_iter().zip([2, 0]) {
        let bad = check(&bytes(&altered), Some(given)).unwrap_err();
        assert_eq!((bad.record, bad.confirmed), (Some(4), confirmed));
    }
}

#[test]
fn a_key_is_handed_on_by_the_one_before_and_by_nothing_else() {
    let log = Log::rotated(9, 0, &[4, 6]);
    let lines = log.whole(&[2]);
    let keys: Vec<String> = log.verifiers().iter().map(ToString::to_string).collect();
    // Somebody's own key in place of the last, and his signature: the record names another.
    let mut forged = Log::rotated(9, 0, &[4, 6]);
    forged.rotations[1].1 = key("log.example/osel", 77);
    let mut mixed = forged.whole(&[2]);
    for (at, line) in lines.iter().enumerate().skip(1) {
        if text(line).starts_with("{\"handover\"") || line.record.is_some() {
            mixed[at] = line.clone();
        }
    }
    let bad = check(&bytes(&mixed), None).unwrap_err();
    assert_eq!((bad.line, bad.why), (3, Fault::Handover("its record does not name the two keys")));
    // His log from there on, with a record of his own: it is not the one that the earlier key has signed.
    let mut other = Log::rotated(9, 50, &[4, 6]);
    other.key = log.key.clone();
    let mut mixed = lines.clone();
    mixed[1] = other.whole(&[2])[1].clone();
    let bad = check(&bytes(&mixed), None).unwrap_err();
    assert!(bad.line == 2 && matches!(bad.why, Fault::Since(_)), "{bad:?}");
    // A line that is missing, twice, or one of the others' places.
    let mut missing = lines.clone();
    missing.remove(2);
    assert!(matches!(check(&bytes(&missing), None).unwrap_err().why, Fault::Form(_)));
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    let bad = check(&bytes(&swapped), None).unwrap_err();
    assert!(matches!(bad.why, Fault::Checkpoint(CheckpointError::Note(_))), "{bad:?}");
    let mut twice = lines.clone();
    twice.insert(2, lines[1].clone());
    assert!(check(&bytes(&twice), None).is_err());
    // Keys of another log, one key alone, and a chain of which a key is left out.
    let other_name = key("log.example/other", 0).verifier().to_string();
    assert_eq!(with(&lines, 0, &keys[0], &other_name), Fault::Names);
    assert!(matches!(with(&lines, 0, &format!("\"{}\",", keys[1]), ""), Fault::Handover(_) | Fault::Form(_)));
    assert!(matches!(with(&lines, 0, "\"osel-bundle\":2", "\"osel-bundle\":3"), Fault::Version));
    // A checkpoint of the time of the first key that the second one signed.
    let early = log.whole(&[2]);
    let place = early.iter().position(|line| text(line).starts_with("{\"checkpoint\"")).unwrap();
    let mut late_key = Log::rotated(9, 0, &[4, 6]);
    late_key.key = log.rotations[0].1.clone();
    let mut mixed = lines;
    mixed[place] = late_key.whole(&[2])[place].clone();
    let bad = check(&bytes(&mixed), None).unwrap_err();
    assert!(matches!(bad.why, Fault::Checkpoint(CheckpointError::Note(_))), "{bad:?}");
}

#[test]
fn every_byte_is_covered() {
    let log = Log::rotated(6, 0, &[3, 5]);
    let mut tried = 0;
    for lines in [log.whole(&[2, 5]), log.some(&[3, 6], Some(4))] {
        for ((at, line), before) in lines.iter().enumerate().zip(checkers(&lines)).take(3) {
            let good = line.text.as_bytes();
            for place in 0..good.len() {
                for change in
                    [vec![good[place] ^ 1], vec![good[place] ^ 32], vec![], vec![good[place]; 2], vec![b'\n']]
                {
                    let changed = [&good[..place], &change, &good[place + 1..]].concat();
                    if changed != good {
                        // It panics where the change is not found.
                        judge(&before, &changed, &lines[at + 1..]);
                        tried += 1;
                    }
                }
            }
        }
    }
    assert!(tried > 20_000, "only {tried} changes were tried");
}
