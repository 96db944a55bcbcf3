//! The log's nodes and checkpoints: written with the commit that they belong to, read a page at a time.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::super::data::{COSIGNED_KEPT, Commit, LogKeyRow, NodeRow, SignedCheckpoint, WitnessedRow};
use super::super::error::{JournalError, Place};
use super::super::trimming::Trimming;
use super::connect::{At, integer};
use super::pages::{Page, page};
use super::rows::{number, time};

/// Writes what a commit adds to the log. Written twice it is the same.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    commit: &Commit<'_>,
    trimming: &mut Trimming,
) -> Result<(), JournalError> {
    let prepare = |sql| transaction.prepare_cached(sql).map_err(at.sql(Place::File, "write"));
    if !commit.nodes.is_empty() {
        let mut upsert = prepare(
            "INSERT INTO log_nodes (level, place, hash) VALUES (?1, ?2, ?3) \
             ON CONFLICT (level, place) DO UPDATE SET hash = ?3",
        )?;
        for node in commit.nodes {
            upsert
                .execute(params![node.level, integer(node.index), node.hash])
                .map_err(at.sql(Place::Node(node.level, node.index), "write"))?;
        }
    }
    for WitnessedRow { witness, size, note, at: time } in commit.witnessed {
        prepare(
            "INSERT INTO log_cosigned (witness, size, note, at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (witness, size) DO UPDATE SET note = ?3, at = ?4",
        )?
        .execute(params![witness, integer(*size), note, time.micros()])
        .map_err(at.sql(Place::Witnessed, "write"))?;
        // Of a witness that was away for long the last one that both have may have many behind it: there it stays, one for each other witness.
        prepare(
            "DELETE FROM log_cosigned WHERE witness = ?1 \
             AND size NOT IN (SELECT size FROM log_cosigned WHERE witness = ?1 ORDER BY size DESC LIMIT ?2) \
             AND size NOT IN (SELECT max(other.size) FROM log_cosigned AS other \
             JOIN log_cosigned AS own ON own.size = other.size \
             WHERE own.witness = ?1 AND other.witness <> ?1 GROUP BY other.witness)",
        )?
        .execute(params![witness, COSIGNED_KEPT])
        .map_err(at.sql(Place::Witnessed, "write"))?;
    }
    if commit.checkpoints.is_empty() {
        return Ok(());
    }
    let mut upsert = prepare(
        "INSERT INTO log_checkpoints (size, note, signed_at) VALUES (?1, ?2, ?3) \
         ON CONFLICT (size) DO UPDATE SET note = ?2, signed_at = ?3",
    )?;
    for SignedCheckpoint { size, note, signed_at } in commit.checkpoints {
        upsert
            .execute(params![integer(*size), note, signed_at.micros()])
            .map_err(at.sql(Place::SignedCheckpoint(*size), "write"))?;
    }
    for LogKeyRow { size, key } in commit.log_keys {
        prepare(
            "INSERT INTO log_keys (size, key) VALUES (?1, ?2) ON CONFLICT (size) DO UPDATE SET key = ?2",
        )?
        .execute(params![integer(*size), key])
        .map_err(at.sql(Place::LogKeys, "write"))?;
    }
    if trimming.is_due(commit.checkpoints.len()) {
        prepare(
            "DELETE FROM log_checkpoints WHERE size <= \
             (SELECT size FROM log_checkpoints ORDER BY size DESC LIMIT 1 OFFSET ?1) \
             AND size NOT IN (SELECT size FROM log_keys)",
        )?
        .execute([Trimming::kept()])
        .map_err(at.sql(Place::File, "write"))?;
    }
    Ok(())
}

/// A page of records' hashes, each with its number, from `next` on.
///
/// # Errors
/// When nothing could be read at all.
pub(super) fn leaves(
    at: &At<'_>,
    connection: &Connection,
    next: u64,
    last: u64,
) -> Result<Page<(u64, [u8; 32])>, JournalError> {
    let sql = "SELECT seq, hash FROM records WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
    let read = |row: &Row<'_>| Ok((number(row, 0)?, row.get(1)?));
    let place = |leaf: Option<&(u64, _)>| Place::Record(leaf.map_or(next, |(seq, _)| seq + 1));
    let bytes = |_: &_| size_of::<[u8; 32]>();
    let mut page = page(at, connection, sql, params![integer(next), integer(last)], read, bytes, place)?;
    if let Some(gap) = (next..).zip(&page.rows).position(|(due, (seq, _))| due != *seq) {
        page.rows.truncate(gap);
        page.error = Some(at.damaged(place(page.rows.last()), "the record is missing"));
    }
    Ok(page)
}

/// A page of the nodes of a level from place `next` on.
///
/// # Errors
/// When nothing could be read at all.
pub(super) fn nodes(
    at: &At<'_>,
    connection: &Connection,
    level: u8,
    next: u64,
    last: u64,
) -> Result<Page<NodeRow>, JournalError> {
    let sql = "SELECT place, hash FROM log_nodes WHERE level = ?1 AND place BETWEEN ?2 AND ?3 ORDER BY place";
    let read = |row: &Row<'_>| Ok(NodeRow { level, index: number(row, 0)?, hash: row.get(1)? });
    let place = |node: Option<&NodeRow>| Place::Node(level, node.map_or(next, |node| node.index + 1));
    let bytes = |_: &_| size_of::<NodeRow>();
    page(at, connection, sql, params![level, integer(next), integer(last)], read, bytes, place)
}

/// The latest checkpoint of at most that size.
///
/// # Errors
/// When it is damaged or cannot be read.
pub(super) fn checkpoint(
    at: &At<'_>,
    connection: &Connection,
    at_most: u64,
) -> Result<Option<SignedCheckpoint>, JournalError> {
    connection
        .prepare_cached(
            "SELECT size, note, signed_at FROM log_checkpoints WHERE size <= ?1 ORDER BY size DESC LIMIT 1",
        )
        .and_then(|mut statement| statement.query_row([integer(at_most)], signed_checkpoint).optional())
        .map_err(at.sql(Place::SignedCheckpoint(at_most), "read"))
}

/// A page of checkpoints from size `next` on.
///
/// # Errors
/// When nothing could be read at all.
pub(super) fn checkpoints(
    at: &At<'_>,
    connection: &Connection,
    next: u64,
    last: u64,
) -> Result<Page<SignedCheckpoint>, JournalError> {
    let sql = "SELECT size, note, signed_at FROM log_checkpoints WHERE size BETWEEN ?1 AND ?2 ORDER BY size";
    let place = |checkpoint: Option<&SignedCheckpoint>| {
        Place::SignedCheckpoint(checkpoint.map_or(next, |checkpoint| checkpoint.size + 1))
    };
    let bytes = |checkpoint: &SignedCheckpoint| checkpoint.note.len();
    let parameters = params![integer(next), integer(last)];
    page(at, connection, sql, parameters, signed_checkpoint, bytes, place)
}

/// The keys that signed, the first first.
///
/// # Errors
/// When they cannot be read.
pub(super) fn keys(at: &At<'_>, connection: &Connection) -> Result<Vec<LogKeyRow>, JournalError> {
    let failed = at.sql(Place::LogKeys, "read");
    let mut statement =
        connection.prepare_cached("SELECT size, key FROM log_keys ORDER BY size").map_err(&failed)?;
    let rows = statement.query_map([], |row| Ok(LogKeyRow { size: number(row, 0)?, key: row.get(1)? }));
    rows.map_err(&failed)?.map(|row| row.map_err(&failed)).collect()
}

/// What witnesses cosigned last, by their keys, the larger behind the smaller.
///
/// # Errors
/// When it cannot be read.
pub(super) fn witnessed(at: &At<'_>, connection: &Connection) -> Result<Vec<WitnessedRow>, JournalError> {
    let failed = at.sql(Place::Witnessed, "read");
    let mut statement = connection
        .prepare_cached("SELECT witness, size, note, at FROM log_cosigned ORDER BY witness, size")
        .map_err(&failed)?;
    let read = |row: &Row<'_>| {
        Ok(WitnessedRow { witness: row.get(0)?, size: number(row, 1)?, note: row.get(2)?, at: time(row, 3)? })
    };
    statement.query_map([], read).map_err(&failed)?.map(|row| row.map_err(&failed)).collect()
}

fn signed_checkpoint(row: &Row<'_>) -> rusqlite::Result<SignedCheckpoint> {
    Ok(SignedCheckpoint { size: number(row, 0)?, note: row.get(1)?, signed_at: time(row, 2)? })
}
