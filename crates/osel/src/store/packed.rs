//! A chunk of a snapshot as it is kept, to be unpacked by whoever has time for it: unpacking takes longer than reading.

use std::path::PathBuf;

use super::block::unpack;
use super::error::{JournalError, Place};

/// A compressed chunk, and where it comes from.
#[derive(Debug)]
pub struct PackedChunk {
    path: PathBuf,
    snapshot: u64,
    bytes: Vec<u8>,
}

impl PackedChunk {
    pub(super) fn new(path: PathBuf, snapshot: u64, bytes: Vec<u8>) -> Self {
        Self { path, snapshot, bytes }
    }

    /// The chunk's bytes as they were given.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn unpack(self) -> Result<Vec<u8>, JournalError> {
        let Self { path, snapshot, bytes } = self;
        let place = Place::Snapshot(snapshot);
        unpack(&bytes).map_err(|error| JournalError::Damaged { path, place, source: error.into() })
    }
}
