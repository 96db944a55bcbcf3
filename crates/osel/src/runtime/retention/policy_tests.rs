//! What goes from stores that are written out here.

use osel_core::engine::{BudgetState, RetentionWhy};
use osel_core::time::Timestamp;
use osel_core::trail::{PartClass, RecordKind};

use super::kinds::{KindGoes, KindLimits, OldKinds};
use super::policy::*;
use crate::config::RetentionClass;
use crate::store::{Checkpoint, Expiry, Head, Holdings, SnapshotInfo};

const DAY_MICROS: i64 = 86_400_000_000;

fn day(day: i64) -> Timestamp {
    Timestamp::from_micros(day * DAY_MICROS)
}

fn snapshot(id: u64, made_at: Timestamp) -> SnapshotInfo {
    SnapshotInfo { id, seq: id * 100, entry: id * 100, chunks: 1, bytes: 1, made_at }
}

/// A store with a snapshot at the noon of each of the first `days` days, 100 records and entries a day.
fn kept(days: u64) -> Kept {
    let mut snapshots: Vec<_> =
        (1..=days).map(|number| snapshot(number, day(number as i64 - 1).plus_seconds(43_200))).collect();
    snapshots.reverse();
    Kept {
        head: Head { seq: days * 100, hash: [1; 32], entry: days * 100 },
        expiry: Expiry::default(),
        holdings: Holdings {
            input_bytes: days * 1000,
            version_bytes: 0,
            snapshot_bytes: 0,
            part_bytes: days * 500,
            used_bytes: days * 2000,
        },
        snapshots,
        told: Some(day(days as i64)),
        held: None,
        old_record: 0,
        old_person: 0,
        old_kinds: OldKinds::default(),
    }
}

fn inputs(days: Option<u32>, bytes: Option<u64>) -> Policy {
    Policy { inputs: Limit { days, bytes }, ..Policy::default() }
}

fn checkpoint(plan: &Plan) -> Option<(u64, RetentionWhy)> {
    plan.checkpoint.map(|(info, why)| (info.id, why))
}

#[test]
fn nothing_goes_of_what_is_kept_for_ever() {
    let plan = plan(&Policy::default(), &kept(500), day(10_000), BudgetState::Within);
    assert_eq!(plan, Plan::default());
}

#[test]
fn inputs_go_behind_the_last_snapshot_that_is_old_enough() {
    let policy = inputs(Some(30), None);
    let at = |now: Timestamp, kept: &Kept| checkpoint(&plan(&policy, kept, now, BudgetState::Within));
    let store = kept(40);
    assert_eq!(at(day(30), &store), None, "the first day's noon is younger than 30 days");
    assert_eq!(at(day(31), &store), Some((1, RetentionWhy::Age)));
    assert_eq!(
        at(day(40).plus_seconds(-1), &store),
        Some((9, RetentionWhy::Age)),
        "it is the day that counts"
    );
    assert_eq!(at(day(40), &store), Some((10, RetentionWhy::Age)));
    let gone = Checkpoint { snapshot: 10, seq: 1000, entry: 1000 };
    let store = Kept { expiry: Expiry { checkpoint: gone, ..Expiry::default() }, ..store };
    assert_eq!(at(day(40), &store), None, "once is enough");
    assert_eq!(at(day(41), &store), Some((11, RetentionWhy::Age)));
}

#[test]
fn a_clock_that_runs_ahead_makes_nothing_old() {
    let policy = Policy { quarantine_days: Some(30), ..inputs(Some(30), None) };
    let ahead = |kept: &Kept| plan(&policy, kept, day(20_000), BudgetState::Within);
    let store = kept(20);
    assert_eq!(ahead(&store).checkpoint, None, "the last message told day 20");
    assert_eq!(
        ahead(&store).quarantine,
        Some((day(21 - 30), RetentionWhy::Age)),
        "a day more than messages told is believed"
    );
    assert_eq!(ahead(&Kept { told: None, ..kept(40) }), Plan::default(), "no message told anything");
    // With messages that tell the same the time is right.
    assert_eq!(checkpoint(&ahead(&Kept { told: Some(day(20_000)), ..store })), Some((20, RetentionWhy::Age)));
}

#[test]
fn a_snapshot_made_by_a_clock_that_was_behind_is_not_old() {
    let mut store = kept(40);
    // The host began with 1970, when only the first ten snapshots were old.
    store.snapshots[0].made_at = day(0);
    let plan = plan(&inputs(Some(30), None), &store, day(40), BudgetState::Within);
    assert_eq!(checkpoint(&plan), Some((10, RetentionWhy::Age)));
}

#[test]
fn without_a_snapshot_no_input_goes() {
    let policy = Policy { budget_bytes: Some(1), ..inputs(Some(1), Some(1)) };
    let store = Kept { snapshots: Vec::new(), ..kept(90) };
    let plan = plan(&policy, &store, day(1000), BudgetState::Within);
    assert_eq!((checkpoint(&plan), plan.wants_snapshot), (None, true));
}

#[test]
fn no_snapshot_is_made_for_next_to_nothing() {
    // All days have one, and the budget could never hold what is left.
    let policy = Policy { budget_bytes: Some(40_000), ..inputs(Some(365), None) };
    let wants = |more: u64| {
        let mut store = kept(40);
        (store.head.entry, store.head.seq) = (store.head.entry + more, store.head.seq + more);
        let plan = plan(&policy, &store, day(40), BudgetState::Within);
        assert_eq!(checkpoint(&plan), Some((40, RetentionWhy::Budget)));
        plan.wants_snapshot
    };
    // 44,000 bytes too many; with 500 more entries a ninth of 40,000 are behind the next.
    assert_eq!([0, 300, 500].map(wants), [false, false, true]);
}

#[test]
fn more_bytes_than_are_kept_go_by_their_share() {
    let at = |most| checkpoint(&plan(&inputs(None, Some(most)), &kept(40), day(40), BudgetState::Within));
    assert_eq!(at(40_000), None);
    // One byte too many: the first of the last eight snapshots or of the last ones of days.
    assert_eq!(at(39_999), Some((1, RetentionWhy::Size)));
    assert_eq!(at(20_000), Some((20, RetentionWhy::Size)));
    assert_eq!(at(0), Some((40, RetentionWhy::Size)));
    // Snapshots count as well, but for the one that stays: 39,000 too many of 79,000.
    let mut store = kept(40);
    store.holdings.snapshot_bytes = 40_000;
    let with = plan(&inputs(None, Some(40_000)), &store, day(40), BudgetState::Within);
    assert_eq!(checkpoint(&with), Some((20, RetentionWhy::Size)));
    let single = Kept { snapshots: store.snapshots[..1].to_vec(), ..store };
    let with = plan(&inputs(None, Some(40_000)), &single, day(40), BudgetState::Within);
    assert_eq!((checkpoint(&with), with.wants_snapshot), (None, false));
    // The older of two reasons says less than the younger.
    let both = plan(&inputs(Some(30), Some(35_000)), &kept(40), day(40), BudgetState::Within);
    assert_eq!(checkpoint(&both), Some((10, RetentionWhy::Age)));
}

#[test]
fn a_snapshot_that_may_be_pruned_meanwhile_is_no_checkpoint() {
    // Twenty on one day: only the latest are sure to stay.
    let mut store = kept(20);
    for info in &mut store.snapshots {
        info.made_at = day(3);
    }
    let plan = plan(&inputs(None, Some(19_000)), &store, day(3), BudgetState::Within);
    assert_eq!(checkpoint(&plan), Some((13, RetentionWhy::Size)));
    let mut keep = kept_snapshots(RECENT_SNAPSHOTS, true);
    let left: Vec<u64> = store.snapshots.iter().filter(|info| keep(info)).map(|info| info.id).collect();
    assert_eq!(left, (5..=20).rev().collect::<Vec<_>>());
}

#[test]
fn of_each_day_the_last_snapshot_stays() {
    // Three a day.
    let all: Vec<_> = (1..=60).rev().map(|id| snapshot(id, day(id as i64 / 3))).collect();
    let mut keep = kept_snapshots(3, true);
    let left: Vec<u64> = all.iter().filter(|info| keep(info)).map(|info| info.id).collect();
    assert_eq!(left[..6], [60, 59, 58, 56, 53, 50]);
    // Where nothing ever goes, only weeks add up: else a question about last year would begin with the first message.
    let mut keep = kept_snapshots(3, false);
    assert_eq!(all.iter().filter(|info| keep(info)).count(), 3 + 2);
    // And not without end, as they can be made anew.
    let years: Vec<_> = (1..=1000).rev().map(|id| snapshot(id, day(id as i64))).collect();
    let mut keep = kept_snapshots(3, false);
    assert_eq!(years.iter().filter(|info| keep(info)).count(), 3 + WEEKS_MAX);
    // What is kept once is kept when more have come.
    let later: Vec<_> = (61..=70).rev().map(|id| snapshot(id, day(id as i64 / 3))).collect();
    let mut keep = kept_snapshots(3, true);
    let again: Vec<u64> = later
        .iter()
        .chain(all.iter().filter(|info| left.contains(&info.id)))
        .filter(|info| keep(info))
        .map(|info| info.id)
        .collect();
    assert!(left[3..].iter().all(|id| again.contains(id)), "{again:?}");
}

#[test]
fn old_parts_of_records_go_and_persons_before_them() {
    let policy = Policy {
        records: Limit { days: Some(300), bytes: None },
        personal_days: Some(90),
        quarantine_days: Some(60),
        ..Policy::default()
    };
    let checkpoint = Checkpoint { snapshot: 30, seq: 3000, entry: 3000 };
    let expiry = Expiry { checkpoint, ..Expiry::default() };
    let mut store = Kept { told: Some(day(400)), old_record: 700, old_person: 2100, expiry, ..kept(40) };
    let told = plan(&policy, &store, day(400), BudgetState::Within);
    assert_eq!(told.records, Some((700, RetentionWhy::Age)));
    assert_eq!(told.personal, Some(2100));
    assert_eq!(told.quarantine, Some((day(340), RetentionWhy::Age)));
    store.expiry.parts = RECORD_CLASSES.map(|class| (class.code(), 700)).into();
    store.expiry.parts.insert(PartClass::Personal.code(), 2100);
    store.expiry.quarantine_before = day(340);
    assert_eq!(plan(&policy, &store, day(400), BudgetState::Within), Plan::default());
    // As long as its input is there, a record is whole.
    store.old_record = 3900;
    assert_eq!(plan(&policy, &store, day(400), BudgetState::Within).records, Some((3000, RetentionWhy::Age)));
    store.old_record = 0;
    // By size: half of what there is beyond those that are gone.
    let policy = Policy { records: Limit { days: None, bytes: Some(10_000) }, ..Policy::default() };
    assert_eq!(
        plan(&policy, &store, day(400), BudgetState::Within).records,
        Some((2350, RetentionWhy::Size))
    );
}

#[test]
fn the_budget_warns_bites_and_says_when_nothing_may_go() {
    let policy = |budget, inputs| Policy { budget_bytes: Some(budget), inputs, ..Policy::default() };
    let limited = Limit { days: Some(365), bytes: None };
    let at = |budget, before| plan(&policy(budget, limited), &kept(40), day(40), before);
    // The store takes 80,000 bytes.
    assert_eq!(at(100_001, BudgetState::Within).budget, BudgetState::Within);
    assert_eq!(at(100_000, BudgetState::Within).budget, BudgetState::Tight);
    assert_eq!(at(102_000, BudgetState::Tight).budget, BudgetState::Tight, "it is not left at once");
    assert_eq!(at(103_000, BudgetState::Tight).budget, BudgetState::Within);
    assert_eq!(checkpoint(&at(100_000, BudgetState::Within)), None);
    let biting = at(84_000, BudgetState::Tight);
    assert_eq!(biting.budget, BudgetState::Biting);
    // 4,400 bytes beyond nine tenths of it, of the 40,000 of inputs: five days of forty.
    assert_eq!(checkpoint(&biting), Some((5, RetentionWhy::Budget)));
    // Inputs that are kept for ever do not go, whatever the budget says.
    let for_ever = plan(&policy(84_000, Limit::default()), &kept(40), day(40), BudgetState::Tight);
    assert_eq!(for_ever, Plan { budget: BudgetState::Exhausted, ..Plan::default() });
    // Nor do those behind which there is nothing any more; then parts of records do, where they have a limit.
    let gone = Checkpoint { snapshot: 40, seq: 4000, entry: 4000 };
    let store = Kept { expiry: Expiry { checkpoint: gone, ..Expiry::default() }, ..kept(40) };
    assert_eq!(
        plan(&policy(84_000, limited), &store, day(40), BudgetState::Biting).budget,
        BudgetState::Exhausted
    );
    let policy = Policy { records: limited, ..policy(84_000, limited) };
    let told = plan(&policy, &store, day(40), BudgetState::Biting);
    assert_eq!((told.records, told.budget), (Some((880, RetentionWhy::Budget)), BudgetState::Biting));
}

#[test]
fn what_nobody_could_read_goes_before_inputs() {
    let policy = Policy { budget_bytes: Some(84_000), quarantine_days: Some(60), ..inputs(Some(30), None) };
    let biting = |policy: &Policy, kept: &Kept| plan(policy, kept, day(20), BudgetState::Tight);
    // Held from before the checkpoint, and there is too much of everything.
    let last = day(15).plus_seconds(1);
    let mut store = Kept { held: Some(last), ..kept(40) };
    let first = biting(&policy, &store);
    let before = Timestamp::from_micros(last.micros() + 1);
    assert_eq!(first.quarantine, Some((before, RetentionWhy::Budget)));
    assert_eq!((checkpoint(&first), first.budget), (None, BudgetState::Biting));
    // Then inputs do, and at once where messages in quarantine are kept for ever.
    store.held = None;
    store.expiry.quarantine_before = before;
    assert_eq!(checkpoint(&biting(&policy, &store)), Some((5, RetentionWhy::Budget)));
    let for_ever = Policy { quarantine_days: None, ..policy };
    let held = biting(&for_ever, &Kept { held: Some(last), ..kept(40) });
    assert_eq!((held.quarantine, checkpoint(&held)), (None, Some((5, RetentionWhy::Budget))));
}

fn class(
    kinds: &[RecordKind],
    personal_days: Option<Option<u32>>,
    records_days: Option<Option<u32>>,
) -> RetentionClass {
    RetentionClass { name: "c".to_owned(), kinds: kinds.to_vec(), personal_days, records_days }
}

/// The records of each kind that is named, up to which all parts and personal ones go.
fn goes(plan: &Plan, kind: RecordKind) -> [Option<(u64, RetentionWhy)>; 2] {
    [false, true].map(|is_personal| {
        let is_it = |goes: &&KindGoes| goes.kind == kind && goes.is_personal == is_personal;
        plan.kinds.iter().find(is_it).map(|goes| (goes.seq, goes.why))
    })
}

#[test]
fn kinds_go_by_their_own_ages_and_the_others_by_that_of_all() {
    use RecordKind::{Access, Authentication, Change, Finding};
    use RetentionWhy::{Age, Budget};

    let classes = [
        class(&[Authentication, Access], Some(Some(7)), None),
        // Of two classes the first counts.
        class(&[Access, Finding], Some(None), Some(None)),
    ];
    let policy = Policy {
        records: Limit { days: Some(300), bytes: None },
        personal_days: Some(90),
        kinds: KindLimits::of(&classes),
        ..Policy::default()
    };
    let mut asked = Vec::new();
    let old = |days: Option<u32>| {
        asked.push(days);
        Ok::<_, ()>(days.map_or(0, |days| 4000 - u64::from(days)))
    };
    let old_kinds = policy.kinds.old(old).expect("nothing fails");
    assert_eq!(asked, [Some(7), Some(7), None, None], "{old_kinds:?}");
    let checkpoint = Checkpoint { snapshot: 30, seq: 3000, entry: 3000 };
    let expiry = Expiry { checkpoint, ..Expiry::default() };
    let mut store =
        Kept { told: Some(day(400)), old_record: 700, old_person: 2100, old_kinds, expiry, ..kept(40) };
    let told = plan(&policy, &store, day(400), BudgetState::Within);
    assert_eq!((told.records, told.personal), (None, None), "nothing is said of all kinds");
    assert_eq!(goes(&told, Change), [Some((700, Age)), Some((2100, Age))]);
    for kind in [Authentication, Access] {
        assert_eq!(goes(&told, kind), [Some((700, Age)), Some((3993, Age))]);
    }
    assert_eq!(goes(&told, Finding), [None, None], "0 days is for ever");
    // Done, also where it went from all kinds.
    for kind in RecordKind::ALL {
        store.expiry.kinds.insert((PartClass::Personal.code(), kind.code()), 3993);
    }
    store.expiry.parts = RECORD_CLASSES.map(|class| (class.code(), 700)).into();
    assert_eq!(plan(&policy, &store, day(400), BudgetState::Within), Plan::default());
    // The budget takes from all but what a class keeps for ever.
    let policy = Policy { budget_bytes: Some(84_000), ..policy };
    let told = plan(&policy, &store, day(400), BudgetState::Biting);
    assert!(matches!(goes(&told, Change), [Some((seq, Budget)), None] if seq > 700), "{told:?}");
    assert_eq!((goes(&told, Finding), told.budget), ([None, None], BudgetState::Biting));
}

#[test]
fn a_class_alone_lets_go_of_its_kinds_only() {
    let classes = [class(&[RecordKind::Access], None, Some(Some(60)))];
    let policy = Policy { kinds: KindLimits::of(&classes), ..inputs(Some(30), None) };
    let old_kinds = policy.kinds.old(|days| Ok::<_, ()>(days.map_or(0, |_| 900))).expect("nothing fails");
    let checkpoint = Checkpoint { snapshot: 8, seq: 800, entry: 800 };
    let store = Kept { old_kinds, expiry: Expiry { checkpoint, ..Expiry::default() }, ..kept(8) };
    let told = plan(&policy, &store, day(8), BudgetState::Within);
    let kind = RecordKind::Access;
    assert_eq!(told.kinds, [KindGoes { kind, is_personal: false, seq: 800, why: RetentionWhy::Age }]);
    assert!(!KindLimits::of(&[]).is_any());
}
