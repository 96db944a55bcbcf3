//! Reading the records of a store, for the commands that show some.

use std::convert::Infallible;

use osel_core::engine::record::Record;

use crate::runtime::record::check_record;
pub(in crate::cli) use crate::runtime::record::read_record as record;
use crate::runtime::search::SearchError;
use crate::store::StoredRecord;

/// That one is not there though later ones are: no retention takes a record as a whole.
pub(super) fn missing(seq: u64) -> anyhow::Error {
    anyhow::anyhow!("record {seq} is missing: run `osel audit verify`")
}

pub(super) fn damaged(seq: u64) -> anyhow::Error {
    anyhow::anyhow!("record {seq} is damaged: run `osel audit verify`")
}

/// Reads a record that is about to be shown, and sees that it is as it was written; its message too, where it is given.
pub(super) fn unaltered(stored: &StoredRecord, message: Option<&[u8]>) -> anyhow::Result<Record> {
    let record = record(stored).ok_or_else(|| damaged(stored.seq))?;
    check_record(stored, message)
        .map_err(|why| anyhow::anyhow!(SearchError::<Infallible>::Altered(stored.seq, why)))?;
    Ok(record)
}
