//! Random changes of large bundles, by seed. A million of them take a minute:
//! `OSEL_TAMPER_CHANGES=1000000 cargo test --release -p osel-core --test bundle random -- --nocapture`.

use super::log::{Line, Log, checkers, confirmed, judge};

/// How many changes are tried unless `OSEL_TAMPER_CHANGES` says otherwise: a few seconds' worth without optimisation.
const CHANGES: u64 = 20_000;
const RECORDS: u64 = 20_000;
/// As the log signs.
const RECORDS_PER_CHECKPOINT: usize = 1000;

/// So many bytes of a line say which record it is of.
const LEGIBLE_BYTES: usize = 80;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// What is done to a bundle.
struct Change {
    /// What stands in place of some lines.
    text: Vec<u8>,
    /// How many.
    lines: usize,
    /// Whether that says which record was hit: of one that is exchanged for another either might be meant.
    is_plain: bool,
}

fn change(random: &mut Random, lines: &[Line], at: usize, whole: bool) -> Change {
    let line = &lines[at];
    let good = line.text.as_bytes();
    let place = random.below(good.len());
    let byte = random.next() as u8;
    let plain = |text: Vec<u8>| Change { text, lines: 1, is_plain: true };
    let spliced = |bytes: &[u8], removed: usize| {
        let end = (place + removed).min(good.len());
        plain([&good[..place], bytes, &good[end..]].concat())
    };
    // Of some records nothing says which were promised: a line that lost its number is found and cannot be named.
    let if_whole = |change: Change| Change { is_plain: whole, ..change };
    match random.below(16) {
        0..6 => spliced(&[good[place] ^ byte.max(1)], 1),
        6 => spliced(&[], 1),
        7 => spliced(&[byte], 0),
        8 => if_whole(spliced(&random.next().to_le_bytes()[..4], 3)),
        9 => if_whole(plain(good[..place].to_vec())),
        10 => if_whole(plain(Vec::new())),
        11 => {
            let other = lines[random.below(lines.len())].text.clone().into_bytes();
            Change { text: other, lines: 1, is_plain: false }
        }
        12 => plain([good, good].concat()),
        13 if lines.get(at + 1).is_some_and(|next| next.record.is_some()) => {
            let text = [lines[at + 1].text.as_bytes(), good].concat();
            Change { text, lines: 2, is_plain: line.record.is_some() }
        }
        _ => spliced(&[b'A' + byte % 26], 1),
    }
}

fn random_changes(seed: u64, lines: &[Line], whole: bool, count: u64) {
    let (checkers, confirmed) = (checkers(lines), confirmed(lines, whole));
    let mut random = Random(seed);
    let (mut tried, mut named) = (0, 0);
    while tried < count {
        let at = random.below(lines.len());
        let Change { text, lines: gone, is_plain } = change(&mut random, lines, at, whole);
        let good: Vec<u8> = lines[at..at + gone].iter().flat_map(|line| line.text.bytes()).collect();
        if text == good {
            continue;
        }
        tried += 1;
        let bad = judge(&checkers[at], &text, &lines[at + gone..]);
        let line = &lines[at];
        let is_repeated = text.starts_with(line.text.as_bytes());
        // Of a line that was broken in two, the first half among some records may be too short to say which it was of.
        let is_legible =
            whole || text.iter().position(|&byte| byte == b'\n').is_none_or(|end| end > LEGIBLE_BYTES);
        if is_plain && is_legible && line.record.is_some() && !text.ends_with(b"\n\n") {
            // A record that is there twice, or among some too early, is good the first time.
            let confirmed = match () {
                () if is_repeated => confirmed[at + 1],
                () if gone == 2 && !whole => confirmed[at] + 1,
                () => confirmed[at],
            };
            let wanted = (line.record, confirmed);
            let said = || format!("seed {seed} change {tried}, line {}: {bad:?}", at + 1);
            assert_eq!((bad.record, bad.confirmed), wanted, "{}", said());
            named += 1;
        }
    }
    assert!(named * 10 > tried * 7, "of {tried} changes only {named} say which record was hit");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "how many are tried is for whoever runs the test, and wants to be told"
)]
fn random_changes_of_large_bundles_are_found() {
    let count = std::env::var("OSEL_TAMPER_CHANGES").ok().map_or(CHANGES, |count| count.parse().unwrap());
    let log = Log::new(RECORDS, 200);
    let checkpoints: Vec<u64> = (1..=RECORDS).step_by(RECORDS_PER_CHECKPOINT).skip(1).collect();
    random_changes(1, &log.whole(&checkpoints), true, count - count / 4);
    let some: Vec<u64> = (1..=RECORDS).filter(|seq| seq % 100 < 2).collect();
    random_changes(2, &log.some(&some, None), false, count / 4);
    println!(
        "{count} random changes of bundles of {RECORDS} records: all found, the first bad record named rightly"
    );
}
