//! Bundles made by an enemy: whatever stands in them, the checker answers, and keeps no more than a line.

use osel_core::trail::bundle::{Checker, Fault, LINE_BYTES_MAX};
use proptest::prelude::*;

use super::log::{Line, Log, bytes, check, push_all};

/// Pieces that lines are made of, and that lead far into reading them.
const PIECES: [&str; 18] = [
    "{\"osel-bundle\":1,\"key\":\"",
    "{\"since\":\"",
    "{\"seq\":",
    "{\"checkpoint\":\"",
    "{\"end\":\"",
    ",\"canonical\":\"",
    ",\"parts\":[",
    "{\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"content\":\"",
    "null,",
    "],\"path\":[",
    "18446744073709551615",
    "0",
    "\"",
    "}\n",
    "\n",
    "\\n",
    "b3NlbAE=",
    "—",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn good(whole: bool) -> Vec<Line> {
    let log = Log::new(6, 0);
    if whole { log.whole(&[2, 4]) } else { log.some(&[2, 3, 6], Some(1)) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn lines_of_an_enemy_are_answered(whole: bool, keep in 0_usize..8, hostile in prop::collection::vec(line(), 1..5)) {
        let lines = good(whole);
        let mut bundle = bytes(&lines[..keep.min(lines.len())]);
        bundle.extend(hostile.concat());
        let bad = check(&bundle, None);
        // Only what is good to its end is taken, and nothing of an enemy's is.
        prop_assert!(bad.is_err() || hostile.concat().is_empty());
    }

    #[test]
    fn lines_of_several_bundles_are_answered(picks in prop::collection::vec((any::<bool>(), 0_usize..9), 0..20)) {
        let bundles = [good(false), good(true)];
        let lines: Vec<Line> = picks
            .into_iter()
            .filter_map(|(whole, at)| bundles[usize::from(whole)].get(at).cloned())
            .collect();
        let is_good = bundles.iter().any(|good| bytes(good) == bytes(&lines));
        prop_assert_eq!(check(&bytes(&lines), None).is_ok(), is_good);
    }
}

#[test]
fn a_line_is_refused_when_it_is_too_long() {
    let lines = good(true);
    let mut checker = Checker::new(None);
    push_all(&mut checker, &bytes(&lines[..3])).unwrap();
    let long = [lines[3].text.as_bytes(), &vec![b' '; LINE_BYTES_MAX]].concat();
    let bad = checker.push(&long).unwrap_err();
    assert_eq!((bad.why, bad.record), (Fault::Long, Some(3)));
}

#[test]
fn numbers_at_the_edge_are_answered() {
    let lines = good(false);
    let first = bytes(&lines[..1]);
    for seq in [0, 1, 7, u64::MAX - 1, u64::MAX] {
        let line = format!("{{\"seq\":{seq},\"canonical\":\"\",\"parts\":[],\"path\":[]}}\n");
        let bad = check(&[&first, line.as_bytes()].concat(), None).unwrap_err();
        assert_eq!(bad.record, Some(seq));
    }
    let text = String::from_utf8(first).unwrap();
    let text = text.replace("\"records\":3", "\"records\":18446744073709551615");
    assert_eq!(check(text.as_bytes(), None).unwrap_err().why, Fault::Size { records: u64::MAX, size: 6 });
}
