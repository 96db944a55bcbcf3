//! The judge can fail: each broken promise is seen, and nothing else is.

use super::*;

fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_micros(milliseconds * 1000)
}

/// Messages `m0`, `m1` … of one millisecond each, one a second.
fn sent(fates: &[Fate]) -> Vec<Sent> {
    let one = |(at, fate): (usize, &Fate)| {
        let begun = at as i64 * 1000;
        Sent { id: format!("m{at}"), begun: time(begun), ended: time(begun + 1), fate: *fate }
    };
    fates.iter().enumerate().map(one).collect()
}

fn outage(from: i64, to: i64, loss: Loss) -> Outage {
    Outage { from: time(from), to: time(to), loss }
}

fn gap(from: i64, to: i64, loss: Loss) -> Gap {
    Gap { from: time(from), to: time(to), loss }
}

fn kept(ids: &[&str], gaps: &[Gap]) -> Kept {
    let recorded = ids.len() as u64;
    Kept {
        ids: ids.iter().map(ToString::to_string).collect(),
        gaps: gaps.to_vec(),
        ledger: Ledger { received: recorded, recorded, ..Ledger::default() },
        unverified: None,
        log_lines: 3,
    }
}

fn done(fates: &[Fate], outages: &[Outage]) -> Done {
    Done { sent: sent(fates), outages: outages.to_vec(), log_lines_max: 10 }
}

#[track_caller]
fn check(done: &Done, kept: &Kept, wanted: &[Broken]) -> Counts {
    let (counts, broken) = judge(done, kept);
    assert_eq!(broken, wanted, "{}", Report { done, kept, broken: &broken });
    counts
}

const QUEUED: Fate = Fate::Queued;
const UNROUTED: Fate = Fate::Unrouted;

#[test]
fn what_is_kept_or_told_is_well() {
    let well = done(&[QUEUED, Fate::Unknown, QUEUED], &[outage(500, 900, Loss::Nothing)]);
    let counts = check(&well, &kept(&["m0", "m2"], &[]), &[]);
    assert_eq!(counts, Counts { confirmed: 2, recorded: 2, in_gaps: 0 });
    // What nobody confirmed may be there all the same.
    check(&well, &kept(&["m0", "m1", "m2"], &[]), &[]);

    let lost = done(&[QUEUED, UNROUTED, QUEUED], &[outage(900, 1800, Loss::Bindings)]);
    let counts = check(&lost, &kept(&["m0", "m2"], &[gap(500, 1900, Loss::Bindings)]), &[]);
    assert_eq!(counts, Counts { confirmed: 3, recorded: 2, in_gaps: 1 });
    // What the queue lost lies in a gap that says so.
    let dropped = done(&[QUEUED, QUEUED], &[outage(900, 1800, Loss::Content)]);
    check(&dropped, &kept(&["m0"], &[gap(500, 1900, Loss::Content)]), &[]);
}

#[test]
fn a_message_missing_outside_of_every_gap_is_lost() {
    let with = |gaps: &[Gap]| kept(&["m0"], gaps);
    let cut = done(&[QUEUED, QUEUED], &[outage(900, 1800, Loss::Nothing)]);
    check(&cut, &with(&[]), &[Broken::Lost("m1".into())]);
    let unbound = done(&[QUEUED, UNROUTED], &[outage(400, 1800, Loss::Bindings)]);
    check(&unbound, &with(&[gap(500, 999, Loss::Bindings)]), &[Broken::Lost("m1".into())]);
    check(&unbound, &with(&[gap(1002, 1900, Loss::Bindings)]), &[Broken::Lost("m1".into())]);
    check(&unbound, &with(&[gap(1001, 1900, Loss::Bindings)]), &[]);
}

#[test]
fn a_missing_binding_excuses_nothing_that_was_queued() {
    let unbound = done(&[QUEUED, QUEUED], &[outage(900, 1800, Loss::Bindings)]);
    let told = kept(&["m0"], &[gap(500, 1900, Loss::Bindings)]);
    check(&unbound, &told, &[Broken::LostFromQueue("m1".into())]);
}

#[test]
fn a_message_of_which_nobody_knows_where_it_went_is_excused_by_any_gap() {
    let lost = done(&[QUEUED, Fate::Taken], &[outage(900, 1800, Loss::Bindings)]);
    check(&lost, &kept(&["m0"], &[gap(500, 1900, Loss::Bindings)]), &[]);
    let well = done(&[QUEUED, Fate::Taken], &[]);
    check(&well, &kept(&["m0"], &[]), &[Broken::Lost("m1".into())]);
}

#[test]
fn a_message_has_one_record_and_a_record_a_message() {
    let well = done(&[QUEUED, QUEUED], &[]);
    check(&well, &kept(&["m0", "m1", "m0"], &[]), &[Broken::Twice("m0".into())]);
    check(&well, &kept(&["m0", "m1", "m7"], &[]), &[Broken::Invented("m7".into())]);
}

#[test]
fn a_gap_has_a_cause() {
    let all = kept(&["m0"], &[gap(500, 900, Loss::Bindings)]);
    check(&done(&[QUEUED], &[]), &all, &[Broken::GapWithoutCause(0)]);
    check(&done(&[QUEUED], &[outage(400, 1000, Loss::Nothing)]), &all, &[Broken::GapWithoutCause(0)]);
    let elsewhere = done(&[QUEUED], &[outage(2000, 3000, Loss::Bindings)]);
    check(&elsewhere, &all, &[Broken::GapWithoutCause(0), Broken::Untold(0)]);
    // A queue that is said to be lost and was not.
    let worse = kept(&["m0"], &[gap(500, 900, Loss::Content)]);
    check(&done(&[QUEUED], &[outage(400, 1000, Loss::Bindings)]), &worse, &[Broken::GapWithoutCause(0)]);
}

#[test]
fn a_gap_is_no_wider_than_its_outage_and_five_seconds() {
    let one = done(&[QUEUED], &[outage(10_000, 20_000, Loss::Content)]);
    let with = |from, to| kept(&["m0"], &[gap(from, to, Loss::Content)]);
    check(&one, &with(7_000, 22_000), &[]);
    check(&one, &with(7_000, 22_001), &[Broken::GapTooWide(0, 5_001_000)]);
    check(&one, &with(4_999, 15_000), &[Broken::GapTooWide(0, 5_001_000)]);
    // Over several outages: what lies between them counts.
    let two = done(&[QUEUED], &[outage(0, 4_000, Loss::Content), outage(8_000, 9_000, Loss::Content)]);
    check(&two, &with(0, 10_000), &[]);
    check(&two, &with(0, 10_001), &[Broken::GapTooWide(0, 5_001_000)]);
}

#[test]
fn what_was_lost_is_told() {
    let lost = [outage(0, 500, Loss::Bindings), outage(7_000, 8_000, Loss::Content)];
    let both = [gap(0, 400, Loss::Bindings), gap(7_000, 8_000, Loss::Content)];
    check(&done(&[QUEUED], &lost), &kept(&["m0"], &both), &[]);
    check(&done(&[QUEUED], &lost), &kept(&["m0"], &both[..1]), &[Broken::Untold(1)]);
    check(&done(&[QUEUED], &lost), &kept(&["m0"], &both[1..]), &[Broken::Untold(0)]);
    // A binding is less than a queue.
    let less = [both[0], gap(7_000, 8_000, Loss::Bindings)];
    check(&done(&[QUEUED], &lost), &kept(&["m0"], &less), &[Broken::Untold(1)]);
}

#[test]
fn the_books_agree() {
    let well = done(&[QUEUED], &[]);
    let mut books = kept(&["m0"], &[]);
    books.ledger.received += 1;
    check(&well, &books, &[Broken::Unbalanced]);
    books.ledger.duplicate += 1;
    check(&well, &books, &[]);
    books.ledger = Ledger { received: 2, recorded: 2, ..Ledger::default() };
    check(&well, &books, &[Broken::Miscounted(1)]);
    books = kept(&["m0"], &[]);
    books.unverified = Some("record 1 was changed".into());
    books.log_lines = 11;
    let wanted = [Broken::Unverified("record 1 was changed".into()), Broken::TooManyLines(11)];
    check(&well, &books, &wanted);
}
