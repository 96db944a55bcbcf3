//! Reading the records of a store, for the commands that show some.

pub(in crate::cli) use crate::runtime::record::read_record as record;

pub(super) fn damaged(seq: u64) -> anyhow::Error {
    anyhow::anyhow!("record {seq} is damaged: run `osel audit verify`")
}
