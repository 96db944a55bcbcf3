//! What became of a store since an older copy of it was made.
//!
//! A copy that is read with later keys has sealed parts whose keys went with retention, or were destroyed for somebody, since it was made. Its own records
//! are older than that: only those that followed can tell of it. That they follow is proved by the last record of the copy, whose hash stands for all
//! before it; that nobody changed them, whoever gives them here has had verified.

use crate::store::{ErasureRow, Expiry, Head, JournalError, Reader};

/// What a store tells of parts that went since a copy of it was made.
#[derive(Clone, Debug)]
pub struct Later {
    /// Up to which record parts go.
    pub(super) limits: Expiry,
    /// Who was erased since.
    pub(super) erasures: Vec<ErasureRow>,
}

impl Later {
    /// Of a store in whose trail nothing is missing untold, since a copy that ends there; none where it does not go on from that.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn since(copy: Head, reader: &mut dyn Reader) -> Result<Option<Self>, JournalError> {
        let is_after =
            copy.seq == 0 || reader.record(copy.seq)?.is_some_and(|record| record.hash == copy.hash);
        if !is_after {
            return Ok(None);
        }
        let mut erasures = reader.erasures()?;
        erasures.retain(|row| row.seq > copy.seq);
        Ok(Some(Self { limits: reader.expiry()?, erasures }))
    }
}
