//! What can be wrong with a bundle, and where.

use std::fmt;

use super::super::log::{CheckpointError, KeyError};
use super::super::merkle::ProofError;
use super::super::verify::Why;
use super::form::FormError;
use super::{LINE_BYTES_MAX, VERSION, VERSION_OF_KEYS};

/// The first thing that is wrong with a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is bad", Place(self))]
pub struct BadBundle {
    /// The line where it was seen, from 1.
    pub line: u64,
    /// The first bad record, where a record is what was hit.
    pub record: Option<u64>,
    /// What is wrong.
    #[source]
    pub why: Fault,
    /// How many records, from the first of the bundle on, are good all the same: a checkpoint says so.
    pub confirmed: u64,
}

/// What is wrong with a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The first line is that of something else.
    #[error("it does not begin as a bundle does")]
    NotABundle,
    /// It has a layout that is unknown here.
    #[error("its layout is neither version {VERSION} nor {VERSION_OF_KEYS}, which are known here")]
    Version,
    /// A line is not in its form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A line is too long.
    #[error("the line has more than {LINE_BYTES_MAX} bytes")]
    Long,
    /// There is no last line.
    #[error("the bundle is cut: its last line is missing")]
    Cut,
    /// Something comes after the last line.
    #[error("something follows the last line")]
    After,
    /// Its key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It was signed by another key than the one that must have signed it.
    #[error("the bundle has the key `{found}`, which is not the one given")]
    OtherKey {
        /// The key in the bundle.
        found: String,
    },
    /// Its keys are not of one log.
    #[error("its keys have different names: they are of different logs")]
    Names,
    /// A key is not handed on to the next one.
    #[error("a key of the log is not handed on: {0}")]
    Handover(&'static str),
    /// A checkpoint is none, or is not the log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The first line contradicts itself.
    #[error("it promises {records} records by a checkpoint of {size}")]
    Size {
        /// How many records the bundle promises.
        records: u64,
        /// The size of its checkpoint.
        size: u64,
    },
    /// The checkpoint that it goes on from is not one of the same log.
    #[error("the log of the bundle's checkpoint does not begin with the log of this one")]
    Since(#[source] ProofError),
    /// A checkpoint is not where it belongs.
    #[error("a checkpoint of {size} records stands after {after}")]
    Place {
        /// The checkpoint's size.
        size: u64,
        /// After how many records it stands.
        after: u64,
    },
    /// A record is not what it was made as, or does not fit to the one before.
    #[error(transparent)]
    Record(#[from] Why),
    /// The line has another number than the record.
    #[error("its line has the number {found}")]
    Number {
        /// The number in the line.
        found: u64,
    },
    /// A record comes after one that it should come before.
    #[error("it is out of order: it comes after record {after}")]
    Order {
        /// The record before it in the bundle.
        after: u64,
    },
    /// A record is not the one that the checkpoint stands for.
    #[error("the bundle's checkpoint does not stand for it")]
    Path(#[source] ProofError),
    /// Records up to a checkpoint are not those that it stands for.
    #[error(
        "a checkpoint stands for something else: it was altered, or it and others after record {confirmed} were"
    )]
    Root {
        /// The last record that a checkpoint before confirms.
        confirmed: u64,
    },
    /// Records are missing or too many.
    #[error("{promised} records are promised, {found} are there")]
    Count {
        /// How many the first line promises.
        promised: u64,
        /// How many there are.
        found: u64,
    },
    /// Too few of the witnesses that are known have seen its checkpoint.
    #[error("its checkpoint is cosigned by {found} of the witnesses given, and {wanted} are asked for")]
    Witnesses {
        /// How many must have.
        wanted: usize,
        /// How many have.
        found: usize,
    },
    /// Something changed that nothing else covers.
    #[error("it has not the hash of the lines before it: one was changed, removed or added")]
    Digest,
}

struct Place<'a>(&'a BadBundle);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadBundle { line, record, .. } = self.0;
        match record {
            Some(record) => write!(f, "record {record} (line {line})"),
            None => write!(f, "line {line}"),
        }
    }
}
