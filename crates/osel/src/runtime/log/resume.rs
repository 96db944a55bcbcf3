//! The tree of a store's log, to go on with: found again from what is kept, and caught up with the records where nodes are missing.
//!
//! Nodes are written with the records that complete them, so that those of a level are there up to one and none is after it. Of a store
//! from before there were nodes all are missing; they are made from the records' hashes, in batches, so that a crash loses one of them.

use std::ops::{ControlFlow, RangeInclusive};

use osel_core::engine::LogKeyChange;
use osel_core::trail::log::{Checkpoint, Node, ResumeError, TILE_WIDTH, range_hash};
use osel_core::trail::{Hash, Tree};

use super::super::record::read_record;
use super::growth::ENTRIES_APART_MAX;
use super::kept::{hashes, kept};
use crate::store::{Commit, Journal, JournalError, LogKeyRow, NodeRow, Reader, SignedCheckpoint};

/// How many nodes are written at once when many are missing: those of a quarter of a million records, so that a crash costs no more.
const NODES_AT_ONCE: usize = 1024;
/// Of so many records at the end that were not signed the sizes are found again, a thousand records apart: as many as are hashed within
/// seconds. Of more, as after months without a key, the earlier ones are signed by the first checkpoint alone.
const UNSIGNED_MAX: u64 = 1 << 20;
/// Of so many records at the end that were not signed it is looked whether one tells of another key: it was signed within seconds, had not a
/// crash come. Before them, as after months without a key, one that is told once more does no harm.
const TOLD_MAX: u64 = 10_000;
/// So many hashes of records are read at once.
const LEAVES_AT_ONCE: u64 = 1 << 16;
/// How many records are taken between two lines about how far that has come.
const TOLD_EVERY: u64 = 1 << 20;

/// Why a log cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What is kept of the tree does not make one.
    #[error(
        "the log of the store is damaged, and nothing more is written to it: `osel audit verify` says more"
    )]
    Tree(#[source] Box<ResumeError<JournalError>>),
    /// The last checkpoint is of another log than the records make.
    #[error(
        "the log's last checkpoint, of {size} records, does not fit the store, and nothing more is written to it: {why}; `osel audit verify` says more"
    )]
    Misfit {
        /// For how many records it stands.
        size: u64,
        /// What does not fit.
        why: String,
    },
}

/// A store's log as it was left.
#[derive(Debug)]
pub struct Resumed {
    /// The tree over all records.
    pub tree: Tree,
    /// The last checkpoint.
    pub signed: Option<SignedCheckpoint>,
    /// Sizes with their roots that should have been signed since, had not a crash come or the key been away.
    pub unsigned: Vec<(u64, Hash)>,
    /// The key that signs, as far as is known.
    pub key: Option<LogKeyRow>,
    /// That another key is the next one, as a record told it, with the number of that record; a crash came before that key signed anything.
    pub told: Option<(u64, LogKeyChange)>,
}

/// Finds the tree of a store's log, makes the nodes that are missing, and makes sure that the last checkpoint fits.
///
/// # Errors
/// When the store cannot be read or written, or what was signed is not what is there.
pub fn resume(journal: &mut dyn Journal, reader: &mut dyn Reader) -> Result<Resumed, LogError> {
    let records = journal.head().seq;
    let signed = reader.checkpoint(None)?;
    if let Some(signed) = signed.as_ref().filter(|signed| signed.size > records) {
        // Before nodes are made of what is left.
        let why = format!("the store has {records} records");
        return Err(LogError::Misfit { size: signed.size, why });
    }
    let covered = covered(reader, records / TILE_WIDTH)? * TILE_WIDTH;
    let mut tree = Tree::resume(covered, &mut kept(reader)).map_err(tree_error)?;
    if records - covered >= TILE_WIDTH {
        catch_up(journal, reader, &mut tree, records)?;
    } else {
        hashes(reader, 0, covered..records)?.into_iter().for_each(|leaf| tree.push(leaf));
    }
    if tree.size() != records {
        let (first, found) = (covered, (tree.size() - covered) as usize);
        return Err(tree_error(ResumeError::Missing { level: 0, first, wanted: records - covered, found }));
    }
    if let Some(signed) = &signed {
        check_fits(reader, signed)?;
    }
    let since = signed.as_ref().map_or(0, |signed| signed.size);
    let mut unsigned = unsigned(reader, since, records)?;
    let told = told(reader, since.max(records.saturating_sub(TOLD_MAX)) + 1..=records)?;
    if let Some((turn, _)) = told.as_ref().filter(|(turn, _)| *turn < records) {
        // The one checkpoint that can hand the log on.
        let place = unsigned.partition_point(|(size, _)| size < turn);
        if unsigned.get(place).is_none_or(|(size, _)| size != turn) {
            let root = range_hash(0..*turn, &mut kept(reader)).map_err(tree_error)?;
            unsigned.insert(place, (*turn, root));
        }
    }
    Ok(Resumed { tree, signed, unsigned, key: reader.log_keys()?.pop(), told })
}

/// The last of these records that tells of another key.
fn told(
    reader: &mut dyn Reader,
    records: RangeInclusive<u64>,
) -> Result<Option<(u64, LogKeyChange)>, JournalError> {
    let mut told = None;
    if records.is_empty() {
        return Ok(told);
    }
    reader.records(records, &mut |stored| {
        let change = read_record(&stored).and_then(|record| LogKeyChange::told_by(&record));
        told = change.map(|change| (stored.seq, change)).or(told.take());
        ControlFlow::Continue(())
    })?;
    Ok(told)
}

/// The sizes after the last signed one and before the present one, as far apart as checkpoints may be.
fn unsigned(reader: &mut dyn Reader, signed: u64, records: u64) -> Result<Vec<(u64, Hash)>, LogError> {
    let mut found = Vec::new();
    let since = signed.max(records.saturating_sub(UNSIGNED_MAX));
    let mut next = since + ENTRIES_APART_MAX;
    if next >= records {
        return Ok(found);
    }
    let mut tree = Tree::resume(since / TILE_WIDTH * TILE_WIDTH, &mut kept(reader)).map_err(tree_error)?;
    while next < records {
        let end = records.min(tree.size() + LEAVES_AT_ONCE);
        let leaves = hashes(reader, 0, tree.size()..end)?;
        if leaves.is_empty() {
            break;
        }
        for leaf in leaves {
            tree.push(leaf);
            if tree.size() == next && next < records {
                found.push((next, tree.root()));
                next += ENTRIES_APART_MAX;
            }
        }
    }
    Ok(found)
}

/// A store that cannot be read is that and no damage.
fn tree_error(error: ResumeError<JournalError>) -> LogError {
    match error {
        ResumeError::Kept(error) => LogError::Journal(error),
        other => LogError::Tree(Box::new(other)),
    }
}

/// How many nodes of level 1 are there, of so many that could be. None is there after one that is missing.
fn covered(reader: &mut dyn Reader, possible: u64) -> Result<u64, JournalError> {
    let mut is_there = |index: u64| Ok::<_, JournalError>(!hashes(reader, 1, index..index + 1)?.is_empty());
    if possible == 0 || is_there(possible - 1)? {
        return Ok(possible);
    }
    let (mut there, mut missing) = (0, possible - 1);
    while there < missing {
        let middle = there + (missing - there) / 2;
        if is_there(middle)? {
            there = middle + 1;
        } else {
            missing = middle;
        }
    }
    Ok(there)
}

/// Takes the leaves that the tree has not, and writes the nodes that they complete.
fn catch_up(
    journal: &mut dyn Journal,
    reader: &mut dyn Reader,
    tree: &mut Tree,
    records: u64,
) -> Result<(), JournalError> {
    tracing::info!(records, from = tree.size(), "the log catches up with the records");
    let mut told = tree.size();
    while tree.size() < records {
        let mut nodes: Vec<NodeRow> = Vec::with_capacity(NODES_AT_ONCE);
        reader.leaves(tree.size() + 1..=records, &mut |leaf| {
            tree.push_with(Hash(leaf), &mut |node| nodes.push(row(node)));
            if nodes.len() >= NODES_AT_ONCE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if nodes.is_empty() {
            // The last records, which complete nothing.
            break;
        }
        let (epoch, head) = (journal.info().epoch, journal.head());
        journal.commit(&Commit { nodes: &nodes, ..Commit::empty(epoch, head) })?;
        if tree.size() - told >= TOLD_EVERY {
            told = tree.size();
            tracing::info!(records, done = told, "the log catches up with the records");
        }
    }
    Ok(())
}

/// A node as the store has it.
pub(super) fn row(node: Node) -> NodeRow {
    NodeRow { level: node.level, index: node.index, hash: node.hash.0 }
}

fn check_fits(reader: &mut dyn Reader, signed: &SignedCheckpoint) -> Result<(), LogError> {
    let misfit = |why: String| LogError::Misfit { size: signed.size, why };
    let checkpoint =
        Checkpoint::read_unverified(signed.note.as_bytes()).map_err(|error| misfit(error.to_string()))?;
    if checkpoint.size != signed.size {
        return Err(misfit(format!("its note says {}", checkpoint.size)));
    }
    let root = range_hash(0..signed.size, &mut kept(reader)).map_err(tree_error)?;
    if checkpoint.root == root { Ok(()) } else { Err(misfit("the records have another root".to_owned())) }
}
