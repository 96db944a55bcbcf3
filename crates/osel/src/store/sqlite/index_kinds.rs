//! The search index where parts go from the records of one kind before they go from others.
//!
//! Which records these are is read from the pages of what headers say: nobody has to read records for it.

use osel_core::search::{BEHIND_KINDS, Cut, HEADER_CLASS};
use rusqlite::{Transaction, params};

use super::super::block::{Packer, unpack};
use super::super::error::{JournalError, Place};
use super::super::index::{Going, of_kind};
use super::connect::{At, integer};
use super::index::{drop_segment, records_change, rewrite};

/// Takes the terms of a class of the records of a kind from a segment, as far as they go.
///
/// # Errors
/// When the index cannot be written.
pub(super) fn purge(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    first: u64,
    (class, kind): (u8, u8),
    going: Going,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Index, "write the search index of");
    let segment = integer(first);
    let pages: Vec<Vec<u8>> = transaction
        .prepare_cached("SELECT data FROM search_pages WHERE segment = ?1 AND class = ?2 AND term < ?3")
        .and_then(|mut statement| {
            let parameters = params![segment, HEADER_CLASS, BEHIND_KINDS];
            statement.query_map(parameters, |row| row.get(0))?.collect()
        })
        .map_err(&failed)?;
    let pages: Result<Vec<_>, _> = pages.iter().map(|page| unpack(page)).collect();
    // Whoever is reading these pages to merge them reads some of before and some of now.
    records_change(transaction).map_err(&failed)?;
    match pages.and_then(|pages| of_kind(&pages, kind, going)) {
        Ok(gone) => rewrite(at, transaction, packer, segment, class, Cut::These(&gone)),
        Err(_) => drop_segment(at, transaction, segment),
    }
}
