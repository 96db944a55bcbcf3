//! The root that somebody else saw of the log, held against what the store has: the same, another, or the same in nodes that are damaged.
//!
//! The tree is made of nodes that are kept, each over 256 below it, and a damaged one gives every size behind it another root. That is no log that was written
//! anew: the hashes that are stored with the records say so, which are the leaves. Whether these are the hashes of the records only verification tells. Nothing else
//! may: of a log that was written anew anything may be left as it was, also a signed checkpoint of before. So what was signed settles only that a root is
//! another one.
//!
//! A store that cannot be read just now says nothing at all: it is asked again, since nobody takes an alarm back.

use std::ops::ControlFlow;

use osel_core::trail::log::Checkpoint;
use osel_core::trail::{Hash, Tree};

use super::proof::root;
use super::resource::ReadError;
use crate::store::{ErrorClass, Reader};

/// What became of a root of so many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The log has it.
    Same,
    /// The hashes that are stored with the records have it, and nodes that are kept are damaged.
    NodesDamaged,
    /// The log has another, or cannot show that it has not.
    Other,
}

/// Holds a root of so many records, which the log has, against the store. Where the nodes say another, the stored hashes of all records up to there are read,
/// which takes as long as that is in a large log.
///
/// # Errors
/// When the store cannot be read, so that not even another root is found, or cannot be read just now.
pub fn held(reader: &mut dyn Reader, size: u64, theirs: Hash) -> Result<Held, ReadError> {
    held_by(reader, size, theirs, of_records)
}

/// The same with another way to the root that the records have.
pub(super) fn held_by(
    reader: &mut dyn Reader,
    size: u64,
    theirs: Hash,
    of_records: impl FnOnce(&mut dyn Reader, u64) -> Result<Hash, ReadError>,
) -> Result<Held, ReadError> {
    let kept = root(reader, size);
    if kept.as_ref().is_ok_and(|root| *root == theirs) {
        return Ok(Held::Same);
    }
    if signed(reader, size)?.is_some_and(|signed| signed != theirs) {
        return Ok(Held::Other);
    }
    tracing::warn!(
        records = size,
        "a witness has seen another root than the log's nodes have: the hashes of all records up to there are read"
    );
    match (of_records(reader, size), kept) {
        (Ok(root), _) if root == theirs => Ok(Held::NodesDamaged),
        (Err(error), _) if is_passing(&error) => Err(error),
        // Records that are damaged prove nothing against the other root that the nodes have.
        (Ok(_), _) | (Err(_), Ok(_)) => Ok(Held::Other),
        (Err(_), Err(error)) => Err(error),
    }
}

/// Whether it may be read a little later.
fn is_passing(error: &ReadError) -> bool {
    matches!(error, ReadError::Store(error) if error.class() == ErrorClass::Transient)
}

/// The root of the checkpoint of that size, if one is kept and signed by a key of the log.
fn signed(reader: &mut dyn Reader, size: u64) -> Result<Option<Hash>, ReadError> {
    let keys: Vec<_> = reader.log_keys()?.iter().filter_map(|row| row.key.parse().ok()).collect();
    let kept = reader.checkpoint(Some(size))?.filter(|kept| kept.size == size);
    let opened = kept.and_then(|kept| Checkpoint::open(kept.note.as_bytes(), &keys).ok());
    Ok(opened.filter(|opened| opened.size == size).map(|opened| opened.root))
}

/// The root that the records have, whatever nodes are kept.
fn of_records(reader: &mut dyn Reader, size: u64) -> Result<Hash, ReadError> {
    let mut tree = Tree::default();
    reader.leaves(1..=size, &mut |leaf| {
        tree.push(Hash(leaf));
        ControlFlow::Continue(())
    })?;
    if tree.size() == size { Ok(tree.root()) } else { Err(ReadError::Record { seq: tree.size() + 1 }) }
}
