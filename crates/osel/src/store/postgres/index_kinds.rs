//! The search index where parts go from the records of one kind before they go from others.
//!
//! Which records these are is read from the pages of what headers say: nobody has to read records for it.

use osel_core::search::{BEHIND_KINDS, Cut, HEADER_CLASS};

use super::super::block::{Packer, unpack};
use super::super::error::{JournalError, Place};
use super::super::index::{Going, of_kind};
use super::connect::{At, Session, integer};
use super::index::{drop_segment, records_change, rewrite};
use super::rows::{self, column};

/// Takes the terms of a class of the records of a kind from a segment, as far as they go.
///
/// # Errors
/// When the index cannot be written.
pub(super) async fn purge(
    at: &At<'_>,
    session: &mut Session,
    packer: &mut Packer,
    first: u64,
    (class, kind): (u8, u8),
    going: Going,
) -> Result<(), JournalError> {
    let segment = integer(first);
    let sql = "SELECT data FROM search_pages WHERE segment = $1 AND class = $2 AND term < $3";
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&segment, &i16::from(HEADER_CLASS), &BEHIND_KINDS];
    let found = session.query(sql, &parameters).await.map_err(at.sql(Place::Index, "read"))?;
    let read = |row| rows::at_place(at, Place::Index, row, |row| column::<Vec<u8>>(row, 0));
    let packed: Vec<Vec<u8>> = found.iter().map(read).collect::<Result<_, _>>()?;
    let pages: Result<Vec<_>, _> = packed.iter().map(|page| unpack(page)).collect();
    // Whoever is reading these pages to merge them reads some of before and some of now.
    records_change(at, session).await?;
    match pages.and_then(|pages| of_kind(&pages, kind, going)) {
        Ok(gone) => rewrite(at, session, packer, segment, class, Cut::These(&gone)).await,
        Err(_) => drop_segment(at, session, segment).await,
    }
}
