//! Lines removed, repeated, swapped, and records exchanged: found, and the right one named.

use osel_core::trail::bundle::{BadBundle, Checker, Fault};
use osel_core::trail::{Hash, PartClass, Why, leaf_hash};

use super::log::{Line, Log, bytes, check, confirmed};

fn found(lines: &[Line]) -> BadBundle {
    check(&bytes(lines), None).expect_err("it was changed")
}

#[test]
fn a_removed_line_is_found() {
    let log = Log::new(9, 0);
    let whole = log.whole(&[3, 4, 8]);
    for at in 0..whole.len() {
        let mut lines = whole.clone();
        let removed = lines.remove(at);
        let bad = found(&lines);
        assert_eq!(bad.record, removed.record, "{bad:?}");
        if removed.record.is_some() {
            assert_eq!(bad.confirmed, confirmed(&whole, true)[at], "{bad:?}");
        }
    }
    let some = log.some(&[2, 3, 7], Some(2));
    for at in 0..some.len() {
        let mut lines = some.clone();
        lines.remove(at);
        let bad = found(&lines);
        // Nothing says which records were promised, but that one is missing.
        assert_eq!(bad.record, None);
        if some[at].record.is_some() {
            assert_eq!(bad.why, Fault::Count { promised: 3, found: 2 });
        }
    }
}

#[test]
fn a_repeated_line_is_found() {
    let log = Log::new(9, 0);
    for lines in [log.whole(&[3, 4, 8]), log.some(&[2, 3, 7], Some(2))] {
        for at in 0..lines.len() {
            let mut changed = lines.clone();
            changed.insert(at, lines[at].clone());
            let bad = found(&changed);
            if at > 0 {
                assert_eq!((bad.line, bad.record), (at as u64 + 2, lines[at].record), "{bad:?}");
            }
        }
    }
}

#[test]
fn swapped_lines_are_found() {
    let log = Log::new(9, 0);
    for (whole, lines) in [(true, log.whole(&[3, 4, 8])), (false, log.some(&[2, 3, 7], Some(2)))] {
        for at in 1..lines.len() - 1 {
            let mut changed = lines.clone();
            changed.swap(at, at + 1);
            let bad = found(&changed);
            if let (Some(first), Some(_)) = (lines[at].record, lines[at + 1].record) {
                assert_eq!(bad.record, Some(first), "{whole} {bad:?}");
            }
        }
    }
}

/// Whoever can write the bundle makes its last line anew.
fn closed(lines: &mut Vec<Line>) {
    use sha2::{Digest, Sha256};
    lines.pop();
    let digest = Hash(Sha256::digest(bytes(lines)).into());
    lines.push(Line { text: format!("{{\"end\":\"{digest}\"}}\n"), record: None });
}

/// The line of a record after a change of the record.
fn changed_record(log: &Log, lines: &mut [Line], seq: u64, change: impl FnOnce(&mut super::log::Row)) {
    let mut other = Log::new(log.size(), 0);
    let row = &mut other.records[seq as usize - 1];
    change(row);
    let anew = other.whole(&[]).into_iter().find(|line| line.record == Some(seq)).unwrap();
    *lines.iter_mut().find(|line| line.record == Some(seq)).unwrap() = anew;
}

#[test]
fn the_last_line_made_anew_hides_nothing_that_matters() {
    let log = Log::new(9, 0);
    for seq in 1..=9 {
        for checkpoints in [&[][..], &[4], &[1, 2, 3, 4, 5, 6, 7, 8]] {
            // Bytes 53 to 60 are the time of recording: with the record's own parts all right, only chain and tree show it.
            for byte in [12, 13, 44, 53, 60, 69, 73, 80, 100] {
                let mut lines = log.whole(checkpoints);
                changed_record(&log, &mut lines, seq, |row| row.canonical[byte] ^= 1);
                closed(&mut lines);
                let bad = found(&lines);
                let before = checkpoints.iter().copied().filter(|&size| size < seq).max();
                assert_eq!((bad.record, bad.confirmed), (Some(seq), before.unwrap_or(0)), "{byte}: {bad:?}");
            }
        }
    }
    // What was missing and what is missing is nobody's fault: the summary tells it.
    let mut lines = log.whole(&[4]);
    changed_record(&log, &mut lines, 2, |row| row.parts[0] = None);
    assert_eq!(found(&lines).why, Fault::Digest);
    closed(&mut lines);
    assert_eq!(check(&bytes(&lines), None).unwrap().parts.missing(PartClass::Body), 1);
}

/// Somebody who has the chain's rules and no key writes everything anew from a record on.
#[test]
fn a_chain_made_anew_is_found_by_the_checkpoints() {
    let log = Log::new(9, 0);
    let mut anew = Log::new(9, 0);
    for seq in 5..=9_usize {
        let previous = leaf_hash(&anew.records[seq - 2].canonical);
        let row = &mut anew.records[seq - 1];
        row.canonical[13..45].copy_from_slice(&previous.0);
        if seq == 5 {
            row.canonical[69] ^= 1;
        }
    }
    let forged = anew.whole(&[2, 4, 7]);
    let mut lines = log.whole(&[2, 4, 7]);
    for (line, forged) in lines.iter_mut().zip(forged) {
        if line.record.is_some() {
            *line = forged;
        }
    }
    closed(&mut lines);
    let bad = found(&lines);
    assert_eq!((bad.record, bad.confirmed), (Some(7), 4));
    assert_eq!(bad.why, Fault::Root { confirmed: 4 });
}

#[test]
fn a_record_under_another_number_is_named_by_its_own() {
    let log = Log::new(30, 0);
    for (lines, seq) in [(log.whole(&[]), 12), (log.some(&[2, 12, 28], None), 12)] {
        for number in ["2", "11", "13", "22", "99", "0", "18446744073709551615"] {
            let mut changed = lines.clone();
            let line = changed.iter_mut().find(|line| line.record == Some(seq)).unwrap();
            line.text = line.text.replacen("\"seq\":12", &format!("\"seq\":{number}"), 1);
            let bad = found(&changed);
            assert_eq!(bad.record, Some(seq), "{number}: {bad:?}");
            assert_eq!(bad.why, Fault::Number { found: number.parse().unwrap() });
        }
    }
}

#[test]
fn the_first_fault_stays() {
    let log = Log::new(3, 0);
    let lines = log.whole(&[]);
    let mut checker = Checker::new(None);
    checker.push(lines[0].text.as_bytes()).unwrap();
    let bad = checker.push(lines[2].text.as_bytes()).unwrap_err();
    assert_eq!(bad.why, Fault::Record(Why::Missing { found: 2 }));
    assert_eq!(checker.push(lines[1].text.as_bytes()), Err(bad.clone()));
    assert_eq!(checker.finish(), Err(bad));
}
