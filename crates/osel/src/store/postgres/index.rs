//! The search index: segments written whole, read page by page, and rid of the terms of what goes from records.
//!
//! Each write is a transaction that makes sure that we lead. What leaves the index is seen by nobody any more; that its bytes leave the
//! files is the work of the database's vacuum, as it is for records.

use osel_core::search::{Bits, Cut, Page, block_of, place_in_block};
use tokio_postgres::Row;

use super::super::block::{Packer, unpack};
use super::super::code::Malformed;
use super::super::due::ANY_KIND;
use super::super::error::{JournalError, Place};
use super::super::index::{Going, NewSegment, Segment, has_any, has_terms, without};
use super::connect::{At, Session, integer};
use super::index_kinds;
use super::lease::{self, Term};
use super::rows::{self, Read, byte, column, number};

const ACTION: &str = "write the search index of";
/// So many pages go to the server in one message: a megabyte.
const PAGES_AT_ONCE: usize = 64;
/// The columns [`segment`] reads.
pub(super) const SEGMENT: &str = "first, last, form, bytes";

/// Writes a segment in the place of those that it overlaps; false where records have lost something since it was made.
///
/// # Errors
/// When somebody else leads, or it cannot be written.
pub(super) async fn put(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    packer: &mut Packer,
    segment: &NewSegment,
) -> Result<bool, JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    session.batch("BEGIN").await.map_err(&failed)?;
    lease::guard(at, session, term).await?;
    let is_current = generation(at, session).await? == segment.generation;
    if is_current {
        let (first, last) = (integer(segment.first), integer(segment.last));
        let overlapped = "first <= $2 AND last >= $1";
        let sql = format!(
            "DELETE FROM search_pages WHERE segment IN (SELECT first FROM search_segments WHERE {overlapped})"
        );
        session.execute(&sql, &[&first, &last]).await.map_err(&failed)?;
        let sql = format!("DELETE FROM search_segments WHERE {overlapped}");
        session.execute(&sql, &[&first, &last]).await.map_err(&failed)?;
        let sql = "INSERT INTO search_segments (first, last, form, bytes) VALUES ($1, $2, $3, $4)";
        let (form, bytes) = (i64::from(segment.form), integer(segment.bytes()));
        session.execute(sql, &[&first, &last, &form, &bytes]).await.map_err(&failed)?;
        insert(at, session, packer, first, &segment.pages).await?;
    }
    session.batch("COMMIT").await.map_err(&failed)?;
    Ok(is_current)
}

/// Removes the index.
///
/// # Errors
/// When somebody else leads, or it cannot be written.
pub(super) async fn drop_all(at: &At<'_>, session: &mut Session, term: Term) -> Result<(), JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    session.batch("BEGIN").await.map_err(&failed)?;
    lease::guard(at, session, term).await?;
    // Whoever is reading may find another of the same records in the place of one that was gone meanwhile.
    records_change(at, session).await?;
    session.batch("DELETE FROM search_pages; DELETE FROM search_segments; COMMIT").await.map_err(&failed)
}

async fn insert(
    at: &At<'_>,
    session: &mut Session,
    packer: &mut Packer,
    segment: i64,
    pages: &[Page],
) -> Result<(), JournalError> {
    for these in pages.chunks(PAGES_AT_ONCE) {
        let classes: Vec<i16> = these.iter().map(|page| i16::from(page.class)).collect();
        let terms: Vec<&[u8]> = these.iter().map(|page| &page.first[..]).collect();
        let mut packed = Vec::with_capacity(these.len());
        for page in these {
            packed.push(packer.bytes(&page.bytes).map_err(|error| at.io(ACTION, error))?.to_vec());
        }
        let sql = "INSERT INTO search_pages (segment, class, term, data) \
                   SELECT $1, * FROM unnest($2::smallint[], $3::bytea[], $4::bytea[])";
        let failed = at.sql(Place::Index, ACTION);
        session.execute(sql, &[&segment, &classes, &terms, &packed]).await.map_err(failed)?;
    }
    Ok(())
}

/// Takes note that records lose something.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn records_change(at: &At<'_>, session: &mut Session) -> Result<(), JournalError> {
    session
        .execute("UPDATE search_state SET generation = generation + 1", &[])
        .await
        .map(drop)
        .map_err(at.sql(Place::Index, ACTION))
}

/// Takes the terms of a record's part of a class away.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn erase(
    at: &At<'_>,
    session: &mut Session,
    packer: &mut Packer,
    seq: u64,
    class: u8,
) -> Result<(), JournalError> {
    records_change(at, session).await?;
    let sql = "SELECT first FROM search_segments WHERE first <= $1 AND last >= $1";
    let row = session.query_opt(sql, &[&integer(seq)]).await.map_err(at.sql(Place::Index, ACTION))?;
    match row.filter(|_| has_terms(class)) {
        Some(row) => {
            let first = rows::at_place(at, Place::Index, &row, |row| number(row, 0))?;
            rewrite(at, session, packer, integer(first), class, Cut::Only(place_in_block(seq))).await
        }
        None => Ok(()),
    }
}

/// Takes the terms of a class away of several records, in order.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn erase_these(
    at: &At<'_>,
    session: &mut Session,
    packer: &mut Packer,
    seqs: &[u64],
    class: u8,
) -> Result<(), JournalError> {
    if seqs.is_empty() || !has_terms(class) {
        return Ok(());
    }
    records_change(at, session).await?;
    let mut rest = seqs;
    while let Some(&seq) = rest.first() {
        let sql = "SELECT first, last FROM search_segments WHERE last >= $1 ORDER BY first LIMIT 1";
        let row = session.query_opt(sql, &[&integer(seq)]).await.map_err(at.sql(Place::Index, ACTION))?;
        let Some(row) = row else { break };
        let read = |row: &_| Ok((number(row, 0)?, number(row, 1)?));
        let (first, last) = rows::at_place(at, Place::Index, &row, read)?;
        // Between segments there may be records that the index lacks.
        rest = &rest[rest.partition_point(|seq| *seq < first)..];
        let (within, behind) = rest.split_at(rest.partition_point(|seq| *seq <= last));
        rest = behind;
        let gone: Bits = within.iter().map(|seq| u32::from(place_in_block(*seq))).collect();
        if !gone.is_empty() {
            rewrite(at, session, packer, integer(first), class, Cut::These(&gone)).await?;
        }
    }
    Ok(())
}

/// Takes the terms of what may go from the next segment; false when none has any.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn purge(
    at: &At<'_>,
    session: &mut Session,
    packer: &mut Packer,
) -> Result<bool, JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    let sql = "SELECT class, kind, searched, seq FROM expiry_parts WHERE searched < seq ORDER BY class, kind LIMIT 1";
    let Some(row) = session.query_opt(sql, &[]).await.map_err(&failed)? else { return Ok(false) };
    let due = |row: &_| Ok((byte(row, 0)?, byte(row, 1)?, number(row, 2)?, number(row, 3)?));
    let (class, kind, searched, limit) = rows::at_place(at, Place::Index, &row, due)?;
    let sql =
        "SELECT first, last FROM search_segments WHERE first <= $2 AND last > $1 ORDER BY first LIMIT 1";
    let row = session.query_opt(sql, &[&integer(searched), &integer(limit)]).await.map_err(&failed)?;
    let mut done = limit;
    if let Some(row) = row.filter(|_| has_terms(class)) {
        let read = |row: &_| Ok((number(row, 0)?, number(row, 1)?));
        let (first, last) = rows::at_place(at, Place::Index, &row, read)?;
        done = last.min(limit);
        match Going::up_to(last, limit) {
            going if kind != ANY_KIND => {
                index_kinds::purge(at, session, packer, first, (class, kind), going).await?;
            }
            Going::Whole => {
                let sql = "DELETE FROM search_pages WHERE segment = $1 AND class = $2";
                session.execute(sql, &[&integer(first), &i16::from(class)]).await.map_err(&failed)?;
            }
            Going::Cut(cut) => {
                rewrite(at, session, packer, integer(first), class, cut).await?;
                // Whoever is reading these pages to merge them reads some of before and some of now.
                records_change(at, session).await?;
            }
        }
    }
    let sql = "UPDATE expiry_parts SET searched = $3 WHERE class = $1 AND kind = $2";
    session.execute(sql, &[&i16::from(class), &i16::from(kind), &integer(done)]).await.map_err(&failed)?;
    Ok(true)
}

/// Writes the pages of a class again without some records. Where one is damaged the segment goes: the index may lack anything, but must not
/// say that it knows what it does not.
pub(super) async fn rewrite(
    at: &At<'_>,
    session: &mut Session,
    packer: &mut Packer,
    segment: i64,
    class: u8,
    cut: Cut<'_>,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    let sql = "SELECT term, data FROM search_pages WHERE segment = $1 AND class = $2";
    let found = session.query(sql, &[&segment, &i16::from(class)]).await.map_err(&failed)?;
    for row in &found {
        let read = |row: &_| Ok((column::<Vec<u8>>(row, 0)?, column::<Vec<u8>>(row, 1)?));
        let (first, data) = rows::at_place(at, Place::Index, row, read)?;
        let Ok(left) = unpack(&data).and_then(|page| without(class, &page, cut)) else {
            return drop_segment(at, session, segment).await;
        };
        let sql = "DELETE FROM search_pages WHERE segment = $1 AND class = $2 AND term = $3";
        session.execute(sql, &[&segment, &i16::from(class), &first]).await.map_err(&failed)?;
        insert(at, session, packer, segment, &left).await?;
    }
    Ok(())
}

/// Removes a segment that says what nobody can read.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn drop_segment(
    at: &At<'_>,
    session: &mut Session,
    segment: i64,
) -> Result<(), JournalError> {
    let sql = "WITH gone AS (DELETE FROM search_pages WHERE segment = $1) \
               DELETE FROM search_segments WHERE first = $1";
    session.execute(sql, &[&segment]).await.map(drop).map_err(at.sql(Place::Index, ACTION))
}

/// Removes the segments that have any of these records, which are in order; gives the last record that one of them had.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn drop_with(at: &At<'_>, session: &mut Session, seqs: &[u64]) -> Result<u64, JournalError> {
    let (Some(&from), Some(&to)) = (seqs.first(), seqs.last()) else { return Ok(0) };
    let sql = "SELECT first, last FROM search_segments WHERE first <= $2 AND last >= $1 ORDER BY first";
    let found = session.query(sql, &[&integer(from), &integer(to)]).await;
    let mut dropped = 0;
    for row in &found.map_err(at.sql(Place::Index, ACTION))? {
        let read = |row: &_| Ok((number(row, 0)?, number(row, 1)?));
        let (first, last) = rows::at_place(at, Place::Index, row, read)?;
        if has_any(seqs, first, last) {
            drop_segment(at, session, integer(first)).await?;
            dropped = last;
        }
    }
    if dropped > 0 {
        // Whoever is reading these pages to merge them has what is gone now.
        records_change(at, session).await?;
    }
    Ok(dropped)
}

/// How often records have lost something.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn generation(at: &At<'_>, session: &mut Session) -> Result<u64, JournalError> {
    let row = session.query_opt("SELECT generation FROM search_state", &[]).await;
    let row = row.map_err(at.sql(Place::Index, "read"))?;
    let row = row.ok_or_else(|| at.damaged(Place::Index, "it has no generation"))?;
    rows::at_place(at, Place::Index, &row, |row| number(row, 0))
}

/// A row of `search_segments`.
pub(super) fn segment(row: &Row) -> Read<Segment> {
    let form = u32::try_from(number(row, 2)?)?;
    let segment = Segment { first: number(row, 0)?, last: number(row, 1)?, form, bytes: number(row, 3)? };
    if segment.first <= segment.last && block_of(segment.first) == block_of(segment.last) {
        Ok(segment)
    } else {
        Err(Malformed("a segment is not within a block").into())
    }
}

/// A row of `term, data` of `search_pages`.
pub(super) fn page(row: &Row) -> Read<(Vec<u8>, Vec<u8>)> {
    Ok((column(row, 0)?, unpack(&column::<Vec<u8>>(row, 1)?)?))
}
