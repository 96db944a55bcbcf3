//! The search index: segments written whole, read page by page, and rid of the terms of what goes from records.
//!
//! What leaves the index is overwritten in the file, as what leaves the records is: it has names and addresses too.

use osel_core::search::{Bits, Cut, Page, block_of, place_in_block};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::super::block::{Packer, unpack};
use super::super::code::Malformed;
use super::super::due::ANY_KIND;
use super::super::error::{JournalError, Place};
use super::super::index::{Going, NewSegment, Segment, has_any, has_terms, without};
use super::connect::{At, integer, overwrite_deleted};
use super::index_kinds;
use super::pages::{Page as Rows, page};
use super::rows::{conversion, number};

const ACTION: &str = "write the search index of";

/// The first term of a page, and the page.
pub(super) type TermPage = (Vec<u8>, Vec<u8>);

/// Writes a segment in the place of those that it overlaps; false where records have lost something since it was made.
///
/// # Errors
/// When it cannot be written.
pub(super) fn put(
    at: &At<'_>,
    connection: &mut Connection,
    packer: &mut Packer,
    segment: &NewSegment,
) -> Result<bool, JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    overwriting(at, connection, |transaction| {
        if generation(transaction).map_err(&failed)? != segment.generation {
            return Ok(false);
        }
        let (first, last) = (integer(segment.first), integer(segment.last));
        transaction
            .execute(
                "DELETE FROM search_pages WHERE segment IN \
                 (SELECT first FROM search_segments WHERE first <= ?2 AND last >= ?1)",
                [first, last],
            )
            .map_err(&failed)?;
        transaction
            .execute("DELETE FROM search_segments WHERE first <= ?2 AND last >= ?1", [first, last])
            .map_err(&failed)?;
        transaction
            .execute(
                "INSERT INTO search_segments (first, last, form, bytes) VALUES (?1, ?2, ?3, ?4)",
                params![first, last, segment.form, integer(segment.bytes())],
            )
            .map_err(&failed)?;
        for page in &segment.pages {
            insert(at, transaction, packer, first, page)?;
        }
        Ok(true)
    })
}

/// Removes the index.
///
/// # Errors
/// When it cannot be written.
pub(super) fn drop_all(at: &At<'_>, connection: &mut Connection) -> Result<(), JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    overwriting(at, connection, |transaction| {
        // Whoever is reading may find another of the same records in the place of one that was gone meanwhile.
        records_change(transaction).map_err(&failed)?;
        transaction.execute_batch("DELETE FROM search_pages; DELETE FROM search_segments").map_err(&failed)
    })
}

fn overwriting<T>(
    at: &At<'_>,
    connection: &mut Connection,
    write: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    overwrite_deleted(connection, true).map_err(&failed)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    let written = write(&transaction)?;
    transaction.commit().map_err(&failed)?;
    overwrite_deleted(connection, false).map_err(&failed)?;
    Ok(written)
}

fn insert(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    segment: i64,
    page: &Page,
) -> Result<(), JournalError> {
    let data = packer.bytes(&page.bytes).map_err(|error| at.io(at.path, ACTION, error))?;
    transaction
        .prepare_cached("INSERT INTO search_pages (segment, class, term, data) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut statement| statement.execute(params![segment, page.class, page.first, data]))
        .map(drop)
        .map_err(at.sql(Place::Index, ACTION))
}

/// Takes note that records lose something.
pub(super) fn records_change(transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
    transaction.execute("UPDATE search_state SET generation = generation + 1", [])
}

/// Takes the terms of a record's part of a class away.
///
/// # Errors
/// When it cannot be written.
pub(super) fn erase(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    seq: u64,
    class: u8,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    records_change(transaction).map_err(&failed)?;
    let segment: Option<i64> = transaction
        .query_row(
            "SELECT first FROM search_segments WHERE first <= ?1 AND last >= ?1",
            [integer(seq)],
            |row| row.get(0),
        )
        .optional()
        .map_err(&failed)?;
    match segment.filter(|_| has_terms(class)) {
        Some(first) => rewrite(at, transaction, packer, first, class, Cut::Only(place_in_block(seq))),
        None => Ok(()),
    }
}

/// Takes the terms of a class away of several records, in order.
///
/// # Errors
/// When it cannot be written.
pub(super) fn erase_these(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    seqs: &[u64],
    class: u8,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    if seqs.is_empty() || !has_terms(class) {
        return Ok(());
    }
    records_change(transaction).map_err(&failed)?;
    let mut rest = seqs;
    while let Some(&seq) = rest.first() {
        let segment: Option<(u64, u64)> = transaction
            .query_row(
                "SELECT first, last FROM search_segments WHERE last >= ?1 ORDER BY first LIMIT 1",
                [integer(seq)],
                |row| Ok((number(row, 0)?, number(row, 1)?)),
            )
            .optional()
            .map_err(&failed)?;
        let Some((first, last)) = segment else { break };
        // Between segments there may be records that the index lacks.
        rest = &rest[rest.partition_point(|seq| *seq < first)..];
        let (within, behind) = rest.split_at(rest.partition_point(|seq| *seq <= last));
        rest = behind;
        let gone: Bits = within.iter().map(|seq| u32::from(place_in_block(*seq))).collect();
        if !gone.is_empty() {
            rewrite(at, transaction, packer, integer(first), class, Cut::These(&gone))?;
        }
    }
    Ok(())
}

/// Takes the terms of what may go from the next segment; false when none has any.
///
/// # Errors
/// When it cannot be written.
pub(super) fn purge(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
) -> Result<bool, JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    let due: Option<(u8, u8, u64, u64)> = transaction
        .prepare_cached(
            "SELECT class, kind, searched, seq FROM expiry_parts WHERE searched < seq ORDER BY class, kind",
        )
        .and_then(|mut statement| {
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, number(row, 2)?, number(row, 3)?));
            statement.query_row([], read).optional()
        })
        .map_err(&failed)?;
    let Some((class, kind, searched, limit)) = due else { return Ok(false) };
    let segment: Option<(u64, u64)> = transaction
        .prepare_cached(
            "SELECT first, last FROM search_segments WHERE first <= ?2 AND last > ?1 ORDER BY first LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([integer(searched), integer(limit)], |row| Ok((number(row, 0)?, number(row, 1)?)))
                .optional()
        })
        .map_err(&failed)?;
    let mut done = limit;
    if let Some((first, last)) = segment.filter(|_| has_terms(class)) {
        done = last.min(limit);
        match Going::up_to(last, limit) {
            going if kind != ANY_KIND => {
                index_kinds::purge(at, transaction, packer, first, (class, kind), going)?;
            }
            Going::Whole => {
                transaction
                    .execute(
                        "DELETE FROM search_pages WHERE segment = ?1 AND class = ?2",
                        params![integer(first), class],
                    )
                    .map_err(&failed)?;
            }
            Going::Cut(cut) => {
                rewrite(at, transaction, packer, integer(first), class, cut)?;
                // Whoever is reading these pages to merge them reads some of before and some of now.
                records_change(transaction).map_err(&failed)?;
            }
        }
    }
    transaction
        .execute(
            "UPDATE expiry_parts SET searched = ?3 WHERE class = ?1 AND kind = ?2",
            params![class, kind, integer(done)],
        )
        .map_err(&failed)?;
    Ok(true)
}

/// Writes the pages of a class again without some records. A damaged one goes: what it says is not known, and the index may lack anything
/// but then must not say that it knows the segment.
pub(super) fn rewrite(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    segment: i64,
    class: u8,
    cut: Cut<'_>,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    let pages: Vec<(i64, Vec<u8>)> = transaction
        .prepare_cached("SELECT id, data FROM search_pages WHERE segment = ?1 AND class = ?2")
        .and_then(|mut statement| {
            statement.query_map(params![segment, class], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .map_err(&failed)?;
    for (id, data) in pages {
        let Ok(left) = unpack(&data).and_then(|page| without(class, &page, cut)) else {
            return drop_segment(at, transaction, segment);
        };
        transaction.execute("DELETE FROM search_pages WHERE id = ?1", [id]).map_err(&failed)?;
        for page in &left {
            insert(at, transaction, packer, segment, page)?;
        }
    }
    Ok(())
}

/// Removes a segment that says what nobody can read.
pub(super) fn drop_segment(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    segment: i64,
) -> Result<(), JournalError> {
    transaction
        .execute("DELETE FROM search_pages WHERE segment = ?1", [segment])
        .and_then(|_| transaction.execute("DELETE FROM search_segments WHERE first = ?1", [segment]))
        .map(drop)
        .map_err(at.sql(Place::Index, ACTION))
}

/// Removes the segments that have any of these records, which are in order; gives the last record that one of them had.
///
/// # Errors
/// When it cannot be written.
pub(super) fn drop_with(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    seqs: &[u64],
) -> Result<u64, JournalError> {
    let failed = at.sql(Place::Index, ACTION);
    let (Some(&from), Some(&to)) = (seqs.first(), seqs.last()) else { return Ok(0) };
    let segments: Vec<(u64, u64)> = transaction
        .prepare_cached(
            "SELECT first, last FROM search_segments WHERE first <= ?2 AND last >= ?1 ORDER BY first",
        )
        .and_then(|mut select| {
            let range = params![integer(from), integer(to)];
            select.query_map(range, |row| Ok((number(row, 0)?, number(row, 1)?)))?.collect()
        })
        .map_err(&failed)?;
    let mut dropped = 0;
    for (first, last) in segments.into_iter().filter(|(first, last)| has_any(seqs, *first, *last)) {
        drop_segment(at, transaction, integer(first))?;
        dropped = last;
    }
    if dropped > 0 {
        // Whoever is reading these pages to merge them has what is gone now.
        records_change(transaction).map_err(&failed)?;
    }
    Ok(dropped)
}

/// How often records have lost something.
pub(super) fn generation(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT generation FROM search_state", [], |row| number(row, 0))
}

/// A page of segments from record `next` on.
///
/// # Errors
/// When nothing could be read at all.
pub(super) fn segments(
    at: &At<'_>,
    connection: &Connection,
    next: u64,
) -> Result<Rows<Segment>, JournalError> {
    let sql = "SELECT first, last, form, bytes FROM search_segments WHERE first >= ?1 ORDER BY first";
    let bytes = |_: &_| size_of::<Segment>();
    page(at, connection, sql, [integer(next)], segment, bytes, |_: Option<&_>| Place::Index)
}

fn segment(row: &Row<'_>) -> rusqlite::Result<Segment> {
    let segment =
        Segment { first: number(row, 0)?, last: number(row, 1)?, form: row.get(2)?, bytes: number(row, 3)? };
    if segment.first <= segment.last && block_of(segment.first) == block_of(segment.last) {
        Ok(segment)
    } else {
        Err(conversion(1, Malformed("a segment is not within a block")))
    }
}

/// The pages of a segment's class that may have terms from `from` on and before `to`, each with its first term: those that begin within, and
/// the last before them, or with `behind` only those that begin behind `from`.
///
/// # Errors
/// When nothing could be read at all.
pub(super) fn terms(
    at: &At<'_>,
    connection: &Connection,
    (segment, class): (u64, u8),
    (from, behind): (&[u8], bool),
    to: &[u8],
) -> Result<Rows<TermPage>, JournalError> {
    let begin = match behind {
        true => "> ?3",
        false => {
            ">= coalesce((SELECT max(term) FROM search_pages WHERE segment = ?1 AND class = ?2 AND term <= ?3), ?3)"
        }
    };
    let sql = format!(
        "SELECT term, data FROM search_pages WHERE segment = ?1 AND class = ?2 AND term < ?4 AND term {begin} \
         ORDER BY term"
    );
    let read = |row: &Row<'_>| {
        let data = row.get_ref(1)?.as_blob().map_err(|error| conversion(1, error))?;
        Ok((row.get(0)?, unpack(data).map_err(|error| conversion(1, error))?))
    };
    let bytes = |(_, page): &(_, Vec<u8>)| page.len();
    let parameters = params![integer(segment), class, from, to];
    page(at, connection, &sql, parameters, read, bytes, |_: Option<&_>| Place::Index)
}
