//! What became of a store since an older copy of it was made.
//!
//! A copy that is read with later keys has sealed parts whose keys went with retention, or were destroyed for somebody, since it was made. Its own records
//! are older than that: only those that followed can tell of it. That they follow is proved by the last record of the copy, whose hash stands for all
//! before it; that nobody changed them, whoever gives them here has verified behind it, so that what was read here is what verification holds against the records.
//!
//! Of an erasure is known how many parts it took only when it is done: one that is under way would explain any number of keys.

use crate::store::{ErasureRow, Expiry, Head, JournalError, LogKeyRow, Reader};

/// What a store tells of parts that went since a copy of it was made.
#[derive(Clone, Debug)]
pub struct Later {
    /// The last record of the copy.
    copy: u64,
    /// Up to which record parts go.
    pub(super) limits: Expiry,
    /// All that were erased, each of them to the end.
    erasures: Vec<ErasureRow>,
}

/// Why a store tells nothing of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLater {
    /// It has not the copy's last record.
    #[error("does not go on from record {0} of this one: it is of another")]
    Other(u64),
    /// It ends before the copy's last record.
    #[error(
        "ends with record {0} and this one with {1}: it is of another, or the two are the wrong way round (--store takes the older copy)"
    )]
    Earlier(u64, u64),
    /// It has not the keys that signed the copy's log.
    #[error("has not the keys that signed the log of this one: somebody else signed it anew")]
    OtherKey,
    /// The erasure that this record orders is under way.
    #[error(
        "is carrying out the erasure of record {0}, which would explain any number of keys: verify again when it is done"
    )]
    Erasing(u64),
}

impl Later {
    /// Of a store, since a copy that ends there and whose log these keys signed. It is worth something once the store is verified after this.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn since(
        copy: Head,
        keys: &[LogKeyRow],
        reader: &mut dyn Reader,
    ) -> Result<Result<Self, NotLater>, JournalError> {
        let (limits, erasures) = (reader.expiry()?, reader.erasures()?);
        let last = reader.head()?.seq;
        if last < copy.seq {
            return Ok(Err(NotLater::Earlier(last, copy.seq)));
        }
        let is_after =
            copy.seq == 0 || reader.record(copy.seq)?.is_some_and(|record| record.hash == copy.hash);
        if !is_after {
            return Ok(Err(NotLater::Other(copy.seq)));
        }
        let later = reader.log_keys()?;
        if !keys.iter().all(|key| later.contains(key)) {
            return Ok(Err(NotLater::OtherKey));
        }
        if let Some(row) = erasures.iter().find(|row| !row.is_done) {
            return Ok(Err(NotLater::Erasing(row.seq)));
        }
        Ok(Ok(Self { copy: copy.seq, limits, erasures }))
    }

    /// The erasures that were ordered since.
    pub(super) fn ordered_since(&self) -> impl Iterator<Item = &ErasureRow> {
        self.erasures.iter().filter(|row| row.seq > self.copy)
    }

    /// How the erasure of that record ended.
    pub(super) fn end_of(&self, seq: u64) -> Option<&ErasureRow> {
        self.erasures.iter().find(|row| row.seq == seq)
    }
}
