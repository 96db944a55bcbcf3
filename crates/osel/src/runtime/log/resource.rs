//! The files of the log as C2SP's tlog-tiles has them, made of what a store keeps: the daemon serves them, `osel log export` writes them.
//!
//! Of a log is shown what its latest checkpoint stands for, and no more. Hashes and entries are not checked here against each other: who
//! fetches them has the checkpoint to do so, and `osel audit verify` does.

use std::ops::ControlFlow;

use osel_core::trail::ProofError;
use osel_core::trail::log::{Resource, ResumeError, TILE_WIDTH, push_entry};

use super::cosigned::cosigned;
use super::kept::hashes;
use crate::store::{JournalError, Reader, StoredRecord};

/// Why something of the log cannot be read or proved.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] JournalError),
    /// What is kept of the tree does not make one. Of a store that no osel has written since trees are kept, nothing is.
    #[error(transparent)]
    Tree(Box<ResumeError<JournalError>>),
    /// A record that was signed is not there, or is none that can be.
    #[error("record {seq} is damaged or missing")]
    Record {
        /// Its number.
        seq: u64,
    },
    /// There is no such proof, or what the store keeps does not prove it.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl From<ResumeError<JournalError>> for ReadError {
    fn from(error: ResumeError<JournalError>) -> Self {
        match error {
            ResumeError::Kept(error) => Self::Store(error),
            error => Self::Tree(Box::new(error)),
        }
    }
}

/// What a log has under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing, since nothing is signed.
    NoCheckpoint,
    /// Nothing, since the log is smaller.
    Nothing,
}

/// What the log of a store has under a name.
///
/// # Errors
/// When the store cannot be read or is damaged.
pub fn find(reader: &mut dyn Reader, resource: &Resource) -> Result<Found, ReadError> {
    let Some(latest) = reader.checkpoint(None)? else { return Ok(Found::NoCheckpoint) };
    if leaves(resource).is_none_or(|end| end > latest.size) {
        return Ok(Found::Nothing);
    }
    match *resource {
        Resource::Checkpoint => Ok(Found::Bytes(cosigned(reader, &latest)?.note.into_bytes())),
        Resource::Tile { level, index, width } => {
            let first = index * TILE_WIDTH;
            let nodes = hashes(reader, level, first..first + u64::from(width))?;
            if nodes.len() < width.into() {
                return Err(
                    ResumeError::Missing { level, first, wanted: width.into(), found: nodes.len() }.into()
                );
            }
            Ok(Found::Bytes(nodes.iter().flat_map(|node| node.0).collect()))
        }
        Resource::Entries { index, width } => {
            let first = index * TILE_WIDTH + 1;
            let (mut bytes, mut next, last) = (Vec::new(), first, first + u64::from(width) - 1);
            reader.records(first..=last, &mut |StoredRecord { seq, canonical, .. }| {
                if seq != next || push_entry(&mut bytes, &canonical).is_err() {
                    return ControlFlow::Break(());
                }
                next += 1;
                ControlFlow::Continue(())
            })?;
            if next <= last { Err(ReadError::Record { seq: next }) } else { Ok(Found::Bytes(bytes)) }
        }
    }
}

/// How many leaves a tree must have for a tile or bundle; none when no tree has as many.
pub fn leaves(resource: &Resource) -> Option<u64> {
    let (level, index, width) = match *resource {
        Resource::Checkpoint => return Some(0),
        Resource::Tile { level, index, width } => (level, index, width),
        Resource::Entries { index, width } => (0, index, width),
    };
    let nodes = index.checked_mul(TILE_WIDTH)?.checked_add(u64::from(width))?;
    nodes.checked_mul(TILE_WIDTH.checked_pow(level.into())?)
}
