//! A root that a witness saw, against stores that are whole, damaged and written anew.

use osel_core::trail::Hash;

use super::held::{Held, held, held_by};
use super::resource::ReadError;
use super::tests::{Directory, key, leaf, nodes_of, root, signed, store};
use crate::store::{Commit, JournalError, LogKeyRow, NodeRow, Place, SignedCheckpoint};

/// What is said of the root that the log had at 600 records, by a store with these nodes and checkpoints.
fn said(nodes: &[NodeRow], checkpoints: &[SignedCheckpoint], size: u64) -> Held {
    let directory = Directory::new();
    let mut journal = store(&directory.0, 600, nodes, &[]);
    let key = key(1).verifier().to_string();
    let log_keys: Vec<_> =
        checkpoints.iter().map(|signed| LogKeyRow { size: signed.size, key: key.clone() }).collect();
    let (epoch, head) = (journal.info().epoch, journal.head());
    journal.commit(&Commit { checkpoints, log_keys: &log_keys, ..Commit::empty(epoch, head) }).unwrap();
    held(&mut *journal.reader().unwrap(), size, root(600)).unwrap()
}

fn damaged() -> Vec<NodeRow> {
    let mut nodes = nodes_of(600);
    nodes[1].hash[7] ^= 1;
    nodes
}

#[test]
fn the_root_of_a_log_that_is_as_it_was_is_the_same() {
    assert_eq!(said(&nodes_of(600), &[], 600), Held::Same);
    assert_eq!(said(&nodes_of(600), &[signed(600, root(600))], 600), Held::Same);
}

#[test]
fn a_damaged_node_is_no_other_log() {
    assert_eq!(said(&damaged(), &[signed(600, root(600))], 600), Held::NodesDamaged);
    // Though no checkpoint of that size is kept.
    assert_eq!(said(&damaged(), &[signed(599, root(599))], 600), Held::NodesDamaged);
    assert_eq!(said(&nodes_of(600)[..1], &[], 600), Held::NodesDamaged, "a node is missing");
}

#[test]
fn a_log_that_was_written_anew_is_another_whatever_is_left_of_it() {
    let nodes = nodes_of(600);
    // What the log signs of itself is another root.
    assert_eq!(said(&damaged(), &[signed(600, root(599))], 600), Held::Other);
    // The witness saw so many others; that it signed what the witness saw is left as it was.
    assert_eq!(said(&nodes, &[signed(599, root(600))], 599), Held::Other);
    assert_eq!(said(&damaged(), &[signed(599, root(600))], 599), Held::Other);
    assert_eq!(said(&nodes, &[], 599), Held::Other);
}

#[test]
fn records_that_cannot_be_read_excuse_no_other_root() {
    let directory = Directory::new();
    let journal = store(&directory.0, 600, &damaged(), &[]);
    let file = rusqlite::Connection::open(directory.0.join("store/journal.db")).unwrap();
    file.execute("DELETE FROM records WHERE seq = 7", []).unwrap();
    assert_eq!(held(&mut *journal.reader().unwrap(), 600, root(600)).unwrap(), Held::Other);
    // The damaged node is not needed for this one.
    let leaves = |range: std::ops::RangeInclusive<u64>| osel_core::trail::tree_root(range.map(leaf));
    let asked = |size, theirs: Hash| held(&mut *journal.reader().unwrap(), size, theirs);
    assert_eq!(asked(256, leaves(1..=256)).unwrap(), Held::Same);
}

#[test]
fn records_that_cannot_be_read_just_now_are_no_other_log() {
    let directory = Directory::new();
    let journal = store(&directory.0, 600, &damaged(), &[]);
    let asked = |error: JournalError| {
        let fails = |_: &mut dyn crate::store::Reader, _| Err(error.into());
        held_by(&mut *journal.reader().unwrap(), 600, root(600), fails)
    };
    let (path, why) = (directory.0.clone(), || "somebody else has it".into());
    let busy = asked(JournalError::Busy { path: path.clone(), source: why() });
    assert!(matches!(&busy, Err(ReadError::Store(JournalError::Busy { .. }))), "{busy:?}");
    let lost = asked(JournalError::Io { path: path.clone(), action: "read", source: why() });
    assert!(matches!(&lost, Err(ReadError::Store(JournalError::Io { .. }))), "{lost:?}");
    let damaged = asked(JournalError::Damaged { path, place: Place::Record(7), source: why() });
    assert_eq!(damaged.unwrap(), Held::Other);
}
