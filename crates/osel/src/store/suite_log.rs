//! What every store must do with the log: nodes of its tree, and what was signed of it.

use std::ops::ControlFlow;

use super::check::CommitFault;
use super::data::*;
use super::error::{JournalError, Place};
use super::journal::Journal;
use super::new_records::NewRecords;
use super::suite::{add, collect, commit, entry, reader, record, refusal, seconds};

/// Runs the part of the suite that is about the log.
pub(super) fn suite(make: &mut dyn FnMut() -> Box<dyn Journal>) {
    an_empty_store_has_no_log(&mut *make());
    leaves_are_the_hashes_of_records(&mut *make());
    nodes_come_with_the_records_they_stand_for(&mut *make());
    a_node_of_nothing_is_refused(&mut *make());
    a_checkpoint_stands_for_what_is_durable(&mut *make());
    a_key_comes_with_its_first_checkpoint(&mut *make());
    what_is_written_twice_is_there_once(&mut *make());
    the_latest_checkpoints_are_kept(&mut *make());
    letting_go_leaves_the_log_alone(&mut *make());
    what_witnesses_cosigned_last_is_kept(&mut *make());
}

fn node(level: u8, index: u64) -> NodeRow {
    NodeRow { level, index, hash: [index as u8 ^ level; 32] }
}

fn checkpoint(size: u64) -> SignedCheckpoint {
    SignedCheckpoint { size, note: format!("osel.example\n{size}\n"), signed_at: seconds(size as i64) }
}

/// Commits nodes and checkpoints and nothing else.
fn tell(
    journal: &mut dyn Journal,
    nodes: &[NodeRow],
    checkpoints: &[SignedCheckpoint],
) -> Result<Head, JournalError> {
    let (epoch, head) = (journal.info().epoch, journal.head());
    journal.commit(&Commit { nodes, checkpoints, ..Commit::empty(epoch, head) })
}

fn what_witnesses_cosigned_last_is_kept(journal: &mut dyn Journal) {
    add(journal, 40).unwrap();
    let cosigned = |journal: &mut dyn Journal, witness: &str, size: u64| {
        let (witness, note) = (witness.to_owned(), format!("osel.example\n{size}\n"));
        let rows = [WitnessedRow { witness, size, note, at: seconds(size as i64) }];
        let (epoch, head) = (journal.info().epoch, journal.head());
        journal.commit(&Commit { witnessed: &rows, ..Commit::empty(epoch, head) }).unwrap();
    };
    let sizes = |journal: &dyn Journal, witness: &str| -> Vec<u64> {
        let rows = reader(journal).witnessed().unwrap();
        rows.into_iter().filter(|row| row.witness == witness).map(|row| row.size).collect()
    };
    // One is away after its third, which the other has as well.
    for size in 1..=30 {
        cosigned(journal, "ada", size);
        if size <= 3 {
            cosigned(journal, "bea", size);
        }
    }
    assert_eq!(sizes(journal, "ada"), [3, 23, 24, 25, 26, 27, 28, 29, 30]);
    assert_eq!(sizes(journal, "bea"), [1, 2, 3]);
    // Once it is there again, what only it has kept the other from forgetting goes.
    cosigned(journal, "bea", 30);
    cosigned(journal, "ada", 31);
    assert_eq!(sizes(journal, "ada"), [24, 25, 26, 27, 28, 29, 30, 31]);
    // What both have stays, also where the last of one is none of the other's.
    for size in 1..=30 {
        if size != 4 {
            cosigned(journal, "dora", size);
        }
        if size <= 4 {
            cosigned(journal, "eve", size);
        }
    }
    assert_eq!(sizes(journal, "dora"), [3, 23, 24, 25, 26, 27, 28, 29, 30]);
    // The same once more is the same.
    cosigned(journal, "ada", 31);
    assert_eq!(sizes(journal, "ada").len(), 8);
}

fn an_empty_store_has_no_log(journal: &mut dyn Journal) {
    let mut reader = reader(journal);
    assert_eq!(collect(|each| reader.leaves(ALL, each)), Vec::<[u8; 32]>::new());
    assert_eq!(collect(|each| reader.nodes(1, 0..=u64::MAX, each)), []);
    assert_eq!(reader.checkpoint(None).unwrap(), None);
    assert_eq!(reader.checkpoint(Some(7)).unwrap(), None);
    assert_eq!(collect(|each| reader.checkpoints(ALL, each)), []);
}

fn leaves_are_the_hashes_of_records(journal: &mut dyn Journal) {
    add(journal, 700).unwrap();
    let mut reader = reader(journal);
    for range in [1..=700, 1..=1, 255..=257, 300..=u64::MAX, 701..=800] {
        let wanted: Vec<[u8; 32]> =
            range.clone().take_while(|seq| *seq <= 700).map(|seq| record(seq).hash).collect();
        assert_eq!(collect(|each| reader.leaves(range.clone(), each)), wanted, "{range:?}");
    }
    let mut seen = 0;
    reader
        .leaves(ALL, &mut |_| {
            seen += 1;
            if seen == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(seen, 5);
    // Their numbers are not told: one that is not there cannot be passed over.
    let error = reader.leaves(0..=3, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(error.place(), Some(Place::Record(0)), "{error}");
}

fn nodes_come_with_the_records_they_stand_for(journal: &mut dyn Journal) {
    let (epoch, head) = (journal.info().epoch, journal.head());
    let entries: Vec<_> = (1..=512).map(entry).collect();
    let records: Vec<_> = (1..=512).map(record).collect();
    let nodes = [node(1, 0), node(1, 1)];
    let commit = Commit {
        entries: &entries,
        records: &NewRecords::of(&records),
        nodes: &nodes,
        ..Commit::empty(epoch, head)
    };
    journal.commit(&commit).unwrap();
    let mut reader = reader(journal);
    assert_eq!(collect(|each| reader.nodes(1, 0..=u64::MAX, each)), nodes);
    assert_eq!(collect(|each| reader.nodes(1, 1..=1, each)), nodes[1..]);
    assert_eq!(collect(|each| reader.nodes(2, 0..=u64::MAX, each)), []);
    assert_eq!(collect(|each| reader.nodes(1, 2..=9, each)), []);
}

fn a_node_of_nothing_is_refused(journal: &mut dyn Journal) {
    add(journal, 600).unwrap();
    let impossible = [(0, 0), (1, 2), (2, 0), (7, 0), (8, 0), (255, 0), (1, u64::MAX), (7, 1 << 60)];
    for (level, index) in impossible {
        assert_eq!(
            refusal(tell(journal, &[node(level, index)], &[])),
            CommitFault::Node { level, index },
            "{level} {index}"
        );
    }
    // Those that were missing may come later.
    tell(journal, &[node(1, 1), node(1, 0)], &[]).unwrap();
    assert_eq!(collect(|each| reader(journal).nodes(1, 0..=9, each)), [node(1, 0), node(1, 1)]);
}

fn a_checkpoint_stands_for_what_is_durable(journal: &mut dyn Journal) {
    add(journal, 10).unwrap();
    for size in [0, 11] {
        let fault = CommitFault::SignedCheckpoint { size, durable: 10 };
        assert_eq!(refusal(tell(journal, &[], &[checkpoint(size)])), fault);
    }
    // Nor for what comes with it.
    let (epoch, head) = (journal.info().epoch, journal.head());
    let (entries, records, early) = ([entry(11)], [record(11)], [checkpoint(11)]);
    let commit = Commit {
        entries: &entries,
        records: &NewRecords::of(&records),
        checkpoints: &early,
        ..Commit::empty(epoch, head)
    };
    assert_eq!(refusal(journal.commit(&commit)), CommitFault::SignedCheckpoint { size: 11, durable: 10 });
    tell(journal, &[], &[checkpoint(4), checkpoint(10)]).unwrap();
    tell(journal, &[], &[checkpoint(7)]).unwrap();
    let mut reader = reader(journal);
    for (at_most, size) in [(None, Some(10)), (Some(10), Some(10)), (Some(9), Some(7)), (Some(6), Some(4))] {
        assert_eq!(reader.checkpoint(at_most).unwrap(), size.map(checkpoint), "{at_most:?}");
    }
    assert_eq!(reader.checkpoint(Some(3)).unwrap(), None);
    assert_eq!(collect(|each| reader.checkpoints(ALL, each)), [4, 7, 10].map(checkpoint));
    assert_eq!(collect(|each| reader.checkpoints(5..=10, each)), [7, 10].map(checkpoint));
    assert_eq!(collect(|each| reader.checkpoints(5..=6, each)), []);
}

fn a_key_comes_with_its_first_checkpoint(journal: &mut dyn Journal) {
    add(journal, 10).unwrap();
    let key = |size: u64| LogKeyRow { size, key: format!("osel.example+{size:08x}+AQ==") };
    let (epoch, head) = (journal.info().epoch, journal.head());
    let mut give = |sizes: &[u64], keys: &[LogKeyRow]| {
        let checkpoints: Vec<_> = sizes.iter().copied().map(checkpoint).collect();
        journal.commit(&Commit { checkpoints: &checkpoints, log_keys: keys, ..Commit::empty(epoch, head) })
    };
    assert_eq!(refusal(give(&[5], &[key(6)])), CommitFault::LogKey { size: 6 });
    give(&[5, 9], &[key(9)]).unwrap();
    give(&[4], &[key(4)]).unwrap();
    assert_eq!(reader(journal).log_keys().unwrap(), [key(4), key(9)]);
}

fn what_is_written_twice_is_there_once(journal: &mut dyn Journal) {
    add(journal, 300).unwrap();
    let (nodes, checkpoints) = ([node(1, 0)], [checkpoint(300)]);
    for _ in 0..2 {
        tell(journal, &nodes, &checkpoints).unwrap();
        journal.reopen().unwrap();
    }
    let mut reader = reader(journal);
    assert_eq!(collect(|each| reader.nodes(1, 0..=9, each)), nodes);
    assert_eq!(collect(|each| reader.checkpoints(ALL, each)), checkpoints);
}

fn the_latest_checkpoints_are_kept(journal: &mut dyn Journal) {
    let more = CHECKPOINTS_KEPT + 600;
    let bare = |seq| StoredRecord { entry: 1, parts: Vec::new(), as_of: seconds(0), ..record(seq) };
    let records: Vec<_> = (1..=more).map(bare).collect();
    commit(journal, &[entry(1)], &records).unwrap();
    let all: Vec<_> = (1..=more).map(checkpoint).collect();
    // That by which one key is followed by the next stays: nothing else leads from the one to the other.
    let keys = [LogKeyRow { size: 7, key: "osel.example+00000007+AQ==".to_owned() }];
    let (epoch, head) = (journal.info().epoch, journal.head());
    journal
        .commit(&Commit { checkpoints: &all[..10], log_keys: &keys, ..Commit::empty(epoch, head) })
        .unwrap();
    tell(journal, &[], &all).unwrap();
    let kept = collect(|each| reader(journal).checkpoints(ALL, each));
    assert_eq!(kept, [&all[6..7], &all[600..]].concat());
    assert_eq!(reader(journal).checkpoint(Some(6)).unwrap(), None);
}

fn letting_go_leaves_the_log_alone(journal: &mut dyn Journal) {
    add(journal, 600).unwrap();
    let (nodes, checkpoints) = ([node(1, 0), node(1, 1)], [checkpoint(512), checkpoint(600)]);
    tell(journal, &nodes, &checkpoints).unwrap();
    let snapshot = journal.begin_snapshot(600, 600, seconds(1)).unwrap();
    journal.complete_snapshot(snapshot).unwrap();
    let expiry = Expiry {
        checkpoint: Checkpoint { snapshot, seq: 600, entry: 600 },
        parts: [(1, 600), (2, 600)].into(),
        ..Expiry::default()
    };
    let (epoch, head) = (journal.info().epoch, journal.head());
    journal.commit(&Commit { expiry: Some(&expiry), ..Commit::empty(epoch, head) }).unwrap();
    while journal.expire(std::time::Duration::ZERO).unwrap() {}
    let mut reader = reader(journal);
    assert_eq!(collect(|each| reader.leaves(ALL, each)).len(), 600);
    assert_eq!(collect(|each| reader.nodes(1, 0..=9, each)), nodes);
    assert_eq!(collect(|each| reader.checkpoints(ALL, each)), checkpoints);
}
