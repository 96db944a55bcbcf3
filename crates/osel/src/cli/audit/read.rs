//! Reading the records of a store, for the commands that show some.

pub(in crate::cli) use crate::runtime::record::read_record as record;

/// That one is not there though later ones are: no retention takes a record as a whole.
pub(super) fn missing(seq: u64) -> anyhow::Error {
    anyhow::anyhow!("record {seq} is missing: run `osel audit verify`")
}

pub(super) fn damaged(seq: u64) -> anyhow::Error {
    anyhow::anyhow!("record {seq} is damaged: run `osel audit verify`")
}
