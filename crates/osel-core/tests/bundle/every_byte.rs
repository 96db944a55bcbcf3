//! Every byte of small bundles, changed in several ways; every cut; the reason names the line that was hit.

use osel_core::trail::bundle::{BadBundle, Fault};

use super::log::{Line, Log, bytes, check, checkers, confirmed, judge};

/// What is put in place of one byte.
fn changes(byte: u8) -> Vec<Vec<u8>> {
    let mut changes: Vec<Vec<u8>> = (0..8).map(|bit| vec![byte ^ 1 << bit]).collect();
    // Other characters that mean something here; none; the same twice; an escaped one.
    changes.extend(b"\n\"\\,}]AB0=".iter().map(|&other| vec![other]));
    changes.extend([
        vec![],
        vec![byte, byte],
        vec![byte, b' '],
        vec![b'\n', byte],
        format!("\\u{byte:04x}").into(),
    ]);
    changes.retain(|change| *change != [byte]);
    changes
}

fn every_change_is_found(lines: &[Line], whole: bool) -> u64 {
    let mut tried = 0;
    let confirmed = confirmed(lines, whole);
    for ((at, line), before) in lines.iter().enumerate().zip(checkers(lines)) {
        let confirmed = confirmed[at];
        let good = line.text.as_bytes();
        for place in 0..good.len() {
            for change in changes(good[place]) {
                let changed = [&good[..place], &change, &good[place + 1..]].concat();
                let bad = judge(&before, &changed, &lines[at + 1..]);
                tried += 1;
                let said = || {
                    format!("line {} byte {place} {:?}: {bad:?}", at + 1, String::from_utf8_lossy(&change))
                };
                // A line feed too many at the end of a line is an empty line before the next one.
                if changed.starts_with(good) {
                    assert_eq!(bad.line, at as u64 + 2, "{}", said());
                    continue;
                }
                // Of a line that was broken in two the first half may be too short to say what it was.
                let first = changed.split(|&byte| byte == b'\n').next().map_or(0, <[u8]>::len);
                let is_legible = first > if whole { 2 } else { 80 } || first + 1 == good.len();
                if !is_legible {
                    assert_eq!(bad.line, at as u64 + 1, "{}", said());
                    continue;
                }
                // Other records may be promised than there are: that shows in the end.
                let is_promise = at == 0 && matches!(bad.why, Fault::Count { .. });
                assert_eq!(bad.record, line.record, "{}", said());
                assert!(bad.confirmed == confirmed || is_promise, "{}", said());
                if line.record.is_none() && !is_promise {
                    assert_eq!(bad.line, at as u64 + 1, "{}", said());
                }
            }
        }
    }
    tried
}

#[test]
fn of_a_whole_bundle() {
    let tried = every_change_is_found(&Log::new(7, 0).whole(&[1, 3, 4]), true);
    assert!(tried > 100_000, "only {tried} changes were tried");
}

#[test]
fn of_some_records() {
    let log = Log::new(9, 0);
    let tried = every_change_is_found(&log.some(&[1, 4, 5, 9], Some(3)), false);
    assert!(tried > 60_000, "only {tried} changes were tried");
}

#[test]
fn at_each_length_a_cut_shows() {
    let log = Log::new(7, 0);
    for lines in [log.whole(&[2, 5]), log.some(&[2, 3, 7], Some(1))] {
        let bundle = bytes(&lines);
        for ((at, line), before) in lines.iter().enumerate().zip(checkers(&lines)) {
            for end in 0..line.text.len() {
                let bad = judge(&before, &line.text.as_bytes()[..end], &[]);
                assert_eq!((bad.line, &bad.why), (at as u64 + 1, &Fault::Cut));
            }
        }
        let BadBundle { line, why, .. } = check(&bundle[..bundle.len() - 1], None).unwrap_err();
        assert_eq!((line, why), (lines.len() as u64, Fault::Cut));
    }
}
