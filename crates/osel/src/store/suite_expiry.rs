//! The part of the conformance suite that is about letting go of old content.

use std::time::Duration;

use super::check::CommitFault;
use super::data::*;
use super::error::JournalError;
use super::journal::{Journal, Reader};
use super::new_records::NewRecords;
use super::suite::{add, collect, commit, entry, reader, record, refusal, seconds};

/// Runs this part of the suite.
pub(super) fn suite(make: &mut dyn FnMut() -> Box<dyn Journal>) {
    nothing_goes_unasked(&mut *make());
    inputs_go_behind_a_checkpoint_step_by_step(&mut *make());
    all_inputs_may_go(&mut *make());
    parts_go_by_class(&mut *make());
    parts_go_by_kind(&mut *make());
    what_remains_of_parts_does_not_count(&mut *make());
    held_messages_stay_until_their_time(&mut *make());
    an_order_that_cannot_be_is_refused(&mut *make());
    a_checkpoint_is_never_pruned(&mut *make());
    a_message_that_was_replayed_is_not_held(&mut *make());
}

/// Commits an order with the next entry and record, which tell of it.
fn order(journal: &mut dyn Journal, expiry: &Expiry) -> Result<Head, JournalError> {
    let (head, epoch) = (journal.head(), journal.info().epoch);
    let (entries, records) = ([entry(head.entry + 1)], [record(head.seq + 1)]);
    let commit = Commit {
        entries: &entries,
        records: &NewRecords::of(&records),
        expiry: Some(expiry),
        ..Commit::empty(epoch, head)
    };
    journal.commit(&commit)
}

/// Adds up to `to` with a version of each record, and a snapshot of the whole.
fn add_with_snapshot(journal: &mut dyn Journal, to: u64) -> Checkpoint {
    let (head, epoch) = (journal.head(), journal.info().epoch);
    let entries: Vec<_> = (head.entry + 1..=to).map(entry).collect();
    let records: Vec<_> = (head.seq + 1..=to).map(record).collect();
    let versions: Vec<_> = (head.seq + 1..=to).map(version).collect();
    let commit = Commit {
        entries: &entries,
        records: &NewRecords::of(&records),
        versions: &versions,
        ..Commit::empty(epoch, head)
    };
    journal.commit(&commit).unwrap();
    let snapshot = journal.begin_snapshot(to, to, seconds(to as i64)).unwrap();
    for _ in 0..3 {
        journal.add_snapshot_chunk(snapshot, format!("state {to}").as_bytes()).unwrap();
    }
    journal.complete_snapshot(snapshot).unwrap();
    Checkpoint { snapshot, seq: to, entry: to }
}

fn version(seq: u64) -> VersionSet {
    VersionSet { seq, data: format!("version {seq}").into_bytes() }
}

/// Without the parts of these classes.
fn without(mut record: StoredRecord, classes: &[u8]) -> StoredRecord {
    for part in record.parts.iter_mut().filter(|part| classes.contains(&part.class)) {
        part.content = PartContent::Gone;
        part.salt = [0; 16];
    }
    record
}

/// Lets go step by step, looks after each, and says how many there were.
fn expire(journal: &mut dyn Journal, look: impl Fn(&mut dyn Reader)) -> usize {
    let mut reader = reader(journal);
    let mut steps = 1;
    while journal.expire(Duration::ZERO).unwrap() {
        look(&mut *reader);
        steps += 1;
    }
    look(&mut *reader);
    steps
}

fn nothing_goes_unasked(journal: &mut dyn Journal) {
    assert!(!journal.expire(Duration::MAX / 4).unwrap());
    add_with_snapshot(journal, 9);
    assert!(!journal.expire(Duration::ZERO).unwrap());
    let mut reader = reader(journal);
    assert_eq!(reader.expiry().unwrap(), Expiry::default());
    assert_eq!(collect(|each| reader.entries(ALL, each)).len(), 9);
    assert_eq!(reader.record(1).unwrap(), Some(record(1)));
}

fn inputs_go_behind_a_checkpoint_step_by_step(journal: &mut dyn Journal) {
    for to in [100, 200, 300] {
        add_with_snapshot(journal, to);
    }
    let checkpoint = add_with_snapshot(journal, 400);
    add_with_snapshot(journal, 500);
    let before = reader(journal).holdings().unwrap();
    let head = order(journal, &Expiry { checkpoint, ..Expiry::default() }).unwrap();
    assert_eq!(head.seq, 501);
    let steps = expire(journal, |reader| {
        // A part that is said to lie in an entry lies there.
        for record in collect(|each| reader.records(ALL, each)) {
            if record.parts.iter().any(|part| part.content == PartContent::InEntry) {
                assert_eq!(reader.entry(record.entry).unwrap(), Some(entry(record.entry)));
            }
        }
        assert_eq!(collect(|each| reader.entries(401..=u64::MAX, each)).len(), 101);
        assert_eq!(reader.snapshot_at(450).unwrap().unwrap().id, checkpoint.snapshot);
        assert_eq!(reader.head().unwrap(), head);
    });
    assert!(steps > 8, "{steps}");
    let mut reader = reader(journal);
    assert_eq!(reader.expiry().unwrap().checkpoint, checkpoint);
    assert_eq!(collect(|each| reader.entries(ALL, each)), (401..=501).map(entry).collect::<Vec<_>>());
    let records: Vec<_> =
        (1..=400).map(|seq| without(record(seq), &[3])).chain((401..=501).map(record)).collect();
    assert_eq!(collect(|each| reader.records(ALL, each)), records);
    assert_eq!(collect(|each| reader.versions(ALL, each)), (401..=500).map(version).collect::<Vec<_>>());
    assert_eq!(reader.snapshots().unwrap().iter().map(|info| info.seq).collect::<Vec<_>>(), [500, 400]);
    assert_eq!(collect(|each| reader.snapshot(checkpoint.snapshot, each)), vec![b"state 400".to_vec(); 3]);
    let after = reader.holdings().unwrap();
    assert!(after.input_bytes < before.input_bytes && after.version_bytes < before.version_bytes);
    assert!(after.snapshot_bytes < before.snapshot_bytes);
    assert_eq!(journal.reopen().unwrap(), head);
    // It does not go back, and nothing is done twice.
    order(journal, &Expiry { checkpoint: Checkpoint::default(), ..Expiry::default() }).unwrap();
    assert_eq!(reader.expiry().unwrap().checkpoint, checkpoint);
    assert!(!journal.expire(Duration::ZERO).unwrap());
    assert_eq!(add(journal, 503).unwrap().entry, 503);
}

fn all_inputs_may_go(journal: &mut dyn Journal) {
    let checkpoint = add_with_snapshot(journal, 5);
    let (head, epoch) = (journal.head(), journal.info().epoch);
    let expiry = Expiry { checkpoint, ..Expiry::default() };
    journal.commit(&Commit { expiry: Some(&expiry), ..Commit::empty(epoch, head) }).unwrap();
    expire(journal, |_| {});
    assert_eq!(collect(|each| reader(journal).entries(ALL, each)), []);
    let holdings = reader(journal).holdings().unwrap();
    assert_eq!((holdings.input_bytes, holdings.version_bytes), (0, 0));
    assert_eq!(journal.reopen().unwrap(), head);
    add(journal, 6).unwrap();
    assert_eq!(collect(|each| reader(journal).entries(ALL, each)), [entry(6)]);
}

fn parts_go_by_class(journal: &mut dyn Journal) {
    add(journal, 300).unwrap();
    let expiry = |parts: &[(u8, u64)]| Expiry { parts: parts.iter().copied().collect(), ..Expiry::default() };
    order(journal, &expiry(&[(2, 250)])).unwrap();
    expire(journal, |_| {});
    order(journal, &expiry(&[(1, 140), (2, 10)])).unwrap();
    expire(journal, |_| {});
    let wanted = (1..=302).map(|seq| match seq {
        1..=140 => without(record(seq), &[1, 2]),
        141..=250 => without(record(seq), &[2]),
        _ => record(seq),
    });
    let mut reader = reader(journal);
    assert_eq!(collect(|each| reader.records(ALL, each)), wanted.collect::<Vec<_>>());
    assert_eq!(reader.expiry().unwrap(), expiry(&[(1, 140), (2, 250)]));
    assert_eq!(collect(|each| reader.entries(ALL, each)).len(), 302);
}

fn parts_go_by_kind(journal: &mut dyn Journal) {
    // By turns of one kind and another.
    let of_kind = |seq: u64| StoredRecord { kind: 1 + (seq % 2) as u8, ..record(seq) };
    let entries: Vec<_> = (1..=300).map(entry).collect();
    let records: Vec<_> = (1..=300).map(of_kind).collect();
    commit(journal, &entries, &records).unwrap();
    let before = reader(journal).holdings().unwrap().part_bytes;
    let kinds =
        |kinds: &[((u8, u8), u64)]| Expiry { kinds: kinds.iter().copied().collect(), ..Expiry::default() };
    let lost = |journal: &dyn Journal, wanted: &dyn Fn(u64) -> Vec<u8>| {
        let wanted: Vec<_> = (1..=300).map(|seq| without(of_kind(seq), &wanted(seq))).collect();
        assert_eq!(collect(|each| reader(journal).records(1..=300, each)), wanted);
    };
    // One kind loses its parts, and only these.
    order(journal, &kinds(&[((2, 2), 250)])).unwrap();
    expire(journal, |_| {});
    lost(journal, &|seq| if seq % 2 == 1 && seq <= 250 { vec![2] } else { vec![] });
    let after = reader(journal).holdings().unwrap().part_bytes;
    assert!(after < before, "{after} {before}");
    // It only rises, and another class of part and another kind are other matters.
    order(journal, &kinds(&[((2, 2), 10), ((1, 1), 100), ((2, 1), 20)])).unwrap();
    expire(journal, |_| {});
    let by_kind = |seq: u64| match (seq % 2 + 1, seq) {
        (2, 1..=250) => vec![2],
        (1, 1..=20) => vec![1, 2],
        (1, 1..=100) => vec![1],
        _ => vec![],
    };
    lost(journal, &by_kind);
    let said = reader(journal).expiry().unwrap();
    assert_eq!(said, kinds(&[((1, 1), 100), ((2, 1), 20), ((2, 2), 250)]));
    assert_eq!((said.limit(2, 2), said.limit(2, 1), said.limit(1, 2), said.limit(9, 9)), (250, 20, 0, 0));
    // A limit of all kinds that passes later takes the rest, and one of a kind begins where that is.
    order(journal, &Expiry { parts: [(2, 280)].into(), ..Expiry::default() }).unwrap();
    expire(journal, |_| {});
    order(journal, &kinds(&[((2, 7), 290)])).unwrap();
    expire(journal, |_| {});
    lost(journal, &|seq| match (seq % 2 + 1, seq) {
        (1, 1..=100) => vec![1, 2],
        (_, 1..=280) => vec![2],
        _ => vec![],
    });
    let last = journal.head().seq;
    let result = order(journal, &kinds(&[((2, 2), last + 5)]));
    assert_eq!(refusal(result), CommitFault::Expiry { seq: last + 5, entry: 0 });
}

fn what_remains_of_parts_does_not_count(journal: &mut dyn Journal) {
    let counted = |journal: &dyn Journal| reader(journal).holdings().unwrap().part_bytes;
    add(journal, 1).unwrap();
    let of_one = counted(journal);
    for round in 1..=4 {
        let to = journal.head().seq + 100;
        add(journal, to).unwrap();
        let all = counted(journal);
        assert!(all > 100 * of_one && all < 110 * of_one, "{all} {of_one}");
        // A part is there still, and counts.
        let some = Expiry { parts: [(2, to)].into(), ..Expiry::default() };
        let (head, epoch) = (journal.head(), journal.info().epoch);
        journal.commit(&Commit { expiry: Some(&some), ..Commit::empty(epoch, head) }).unwrap();
        expire(journal, |_| {});
        let some = counted(journal);
        assert!(some < all && some > 20 * of_one, "{some} {of_one}");
        order(journal, &Expiry { parts: [(1, to), (2, to)].into(), ..Expiry::default() }).unwrap();
        expire(journal, |_| {});
        // The record that tells of it.
        let left = counted(journal);
        assert!(left >= of_one && left < of_one + 9, "round {round}: {left} {of_one}");
    }
    // Erasing by hand counts alike.
    let last = journal.head().seq;
    for (class, project) in [(1, None), (2, Some("aster")), (2, Some("birch"))] {
        journal.erase_part(last, class, project).unwrap();
    }
    assert_eq!(counted(journal), 0);
}

/// The message of the entry of that number, put there as many seconds after the epoch.
fn quarantined(id: u64, state: QuarantineState) -> QuarantineItem {
    QuarantineItem {
        id,
        entry: id,
        source: "region-one".to_owned(),
        at: seconds(id as i64),
        reason_code: "not_json".to_owned(),
        reason: "expected value".to_owned(),
        event_type: None,
        message_id: None,
        state,
    }
}

fn held_messages_stay_until_their_time(journal: &mut dyn Journal) {
    let mut checkpoints = Vec::new();
    for (to, held) in [(4, 2), (8, 6)] {
        checkpoints.push(add_with_snapshot(journal, to));
        let (head, epoch) = (journal.head(), journal.info().epoch);
        let quarantine =
            [quarantined(held, QuarantineState::Held), quarantined(held + 1, QuarantineState::Replayed)];
        journal.commit(&Commit { quarantine: &quarantine, ..Commit::empty(epoch, head) }).unwrap();
    }
    let kept = |journal: &dyn Journal| -> Vec<Entry> {
        let mut entries = collect(|each| reader(journal).entries(1..=8, each));
        entries.retain(|entry| !entry.erased);
        entries
    };
    let (checkpoint, quarantine_before) = (checkpoints[1], seconds(0));
    order(journal, &Expiry { checkpoint, quarantine_before, ..Expiry::default() }).unwrap();
    expire(journal, |_| {});
    assert_eq!(kept(journal), [entry(2), entry(6)]);
    // What is held is none of the inputs that go with the next checkpoint: there is the order's entry.
    let bytes_after = |journal: &dyn Journal| reader(journal).holdings().unwrap().input_bytes;
    let of_one = bytes_after(journal);
    for (before, left) in [(2, vec![entry(2), entry(6)]), (3, vec![entry(6)]), (7, vec![])] {
        order(journal, &Expiry { quarantine_before: seconds(before), ..Expiry::default() }).unwrap();
        expire(journal, |_| {});
        assert_eq!(kept(journal), left, "{before}");
    }
    assert_eq!(collect(|each| reader(journal).entries(1..=8, each)), []);
    assert!(bytes_after(journal).abs_diff(4 * of_one) < 20, "{of_one} {}", bytes_after(journal));
    assert_eq!(collect(|each| reader(journal).quarantine(None, each)).len(), 4);
}

fn a_message_that_was_replayed_is_not_held(journal: &mut dyn Journal) {
    let checkpoint = add_with_snapshot(journal, 8);
    let put = |journal: &mut dyn Journal, id: u64, state| {
        let (head, epoch) = (journal.head(), journal.info().epoch);
        let quarantine = [quarantined(id, state)];
        journal.commit(&Commit { quarantine: &quarantine, ..Commit::empty(epoch, head) }).unwrap();
    };
    put(journal, 3, QuarantineState::Held);
    put(journal, 5, QuarantineState::Held);
    order(journal, &Expiry { checkpoint, quarantine_before: seconds(0), ..Expiry::default() }).unwrap();
    for (released, left) in [(None, vec![3, 5]), (Some(5), vec![3]), (Some(3), vec![])] {
        if let Some(id) = released {
            put(journal, id, QuarantineState::Replayed);
        }
        expire(journal, |_| {});
        let mut kept = collect(|each| reader(journal).entries(1..=8, each));
        kept.retain(|entry| !entry.erased);
        assert_eq!(kept.iter().map(|entry| entry.number).collect::<Vec<_>>(), left);
    }
    assert_eq!(collect(|each| reader(journal).entries(1..=8, each)), []);
}

fn an_order_that_cannot_be_is_refused(journal: &mut dyn Journal) {
    let checkpoint = add_with_snapshot(journal, 3);
    let unfinished = journal.begin_snapshot(2, 2, seconds(1)).unwrap();
    for wrong in [
        Checkpoint { snapshot: 99, ..checkpoint },
        Checkpoint { snapshot: unfinished, seq: 2, entry: 2 },
        Checkpoint { entry: 2, ..checkpoint },
        Checkpoint { seq: 2, ..checkpoint },
    ] {
        let result = order(journal, &Expiry { checkpoint: wrong, ..Expiry::default() });
        assert_eq!(refusal(result), CommitFault::Checkpoint { snapshot: wrong.snapshot });
    }
    let ahead = Checkpoint { entry: 4, ..checkpoint };
    let result = order(journal, &Expiry { checkpoint: ahead, ..Expiry::default() });
    assert_eq!(refusal(result), CommitFault::Expiry { seq: 3, entry: 4 });
    let result = order(journal, &Expiry { parts: [(1, 9)].into(), ..Expiry::default() });
    assert_eq!(refusal(result), CommitFault::Expiry { seq: 9, entry: 0 });
    assert_eq!(journal.head().entry, 3);
    assert_eq!(reader(journal).expiry().unwrap(), Expiry::default());
    assert_eq!(order(journal, &Expiry { checkpoint, ..Expiry::default() }).unwrap().entry, 4);
}

fn a_checkpoint_is_never_pruned(journal: &mut dyn Journal) {
    let checkpoint = add_with_snapshot(journal, 3);
    add_with_snapshot(journal, 6);
    order(journal, &Expiry { checkpoint, ..Expiry::default() }).unwrap();
    assert_eq!(journal.prune_snapshots(&mut |_| false).unwrap(), 1);
    let left: Vec<_> = reader(journal).snapshots().unwrap().iter().map(|info| info.id).collect();
    assert_eq!(left, [checkpoint.snapshot]);
}
