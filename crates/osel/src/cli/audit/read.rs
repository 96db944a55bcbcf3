//! Reading the records of a store one after the other.

use std::ops::ControlFlow;

use osel_core::engine::record::Record;

use super::past::Past;
pub(in crate::cli) use crate::runtime::record::read_record as record;
use crate::store::{self, Reader};

/// How many records are read at once: the rows of one may have to be asked of the same store before the next.
const PAGE: u64 = 1000;

/// Calls `each` with all records in order, their rows listed as far as the store still has the states for it.
///
/// # Errors
/// When the store cannot be read, a record is damaged, or `each` fails.
pub(in crate::cli) fn each_record(
    reader: &mut dyn Reader,
    each: &mut dyn FnMut(&store::StoredRecord, &Record) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut past = Past::default();
    let mut from = 1;
    loop {
        let mut page = Vec::new();
        let read = reader.records(from..=from + PAGE - 1, &mut |stored| {
            page.push(stored);
            ControlFlow::Continue(())
        });
        let Some(last) = page.last().map(|stored| stored.seq) else { return Ok(read?) };
        for stored in page {
            let Some(mut record) = record(&stored) else { return Err(damaged(stored.seq)) };
            past.list_rows(reader, &mut record);
            each(&stored, &record)?;
        }
        read?;
        from = last + 1;
    }
}

pub(super) fn damaged(seq: u64) -> anyhow::Error {
    anyhow::anyhow!("record {seq} is damaged: run `osel audit verify`")
}
