//! Saved states of the engine, written a chunk at a time and seen when complete.
//!
//! Each chunk is a transaction of its own, so that commits go on between them; what a crash leaves unfinished
//! is dropped when the next one is begun.

use osel_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::block::Packer;
use super::super::check::CommitFault;
use super::super::data::{Head, SnapshotInfo};
use super::super::error::{JournalError, Place};
use super::super::journal::SNAPSHOT_CHUNK_BYTES_MAX;
use super::connect::{At, flush_each, integer, overwrite_deleted};
use super::expire;
use super::rows::{self, SNAPSHOT};

const ACTION: &str = "write a snapshot to";
const REMOVE: &str = "remove a snapshot from";
/// Takes a snapshot from sight.
const HIDE: &str = "UPDATE snapshot_index SET complete = 0 WHERE id = ?1";
/// Removes some chunks of a snapshot.
const REMOVE_SOME: &str =
    "DELETE FROM snapshots WHERE id IN (SELECT id FROM snapshots WHERE snapshot = ?1 LIMIT ?2)";
/// How many chunks are removed in one transaction: at most 32 MiB, so that a commit need not wait.
const CHUNKS_REMOVED_AT_ONCE: i64 = 8;

/// Begins a snapshot and drops an unfinished one.
///
/// # Errors
/// When the store has not come that far, or cannot be written.
pub(super) fn begin(
    at: &At<'_>,
    connection: &mut Connection,
    head: Head,
    state: (u64, u64),
    made_at: Timestamp,
) -> Result<u64, JournalError> {
    let (seq, entry) = state;
    if seq > head.seq || entry > head.entry {
        let source = Box::new(CommitFault::Snapshot { seq, head: head.seq });
        return Err(JournalError::Refused { path: at.path.to_path_buf(), source });
    }
    let failed = at.sql(Place::File, ACTION);
    let unfinished: Vec<i64> = connection
        .prepare_cached("SELECT id FROM snapshot_index WHERE complete = 0")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(&failed)?;
    for id in unfinished {
        remove(at, connection, id)?;
    }
    connection
        .prepare_cached(
            "INSERT INTO snapshot_index (seq, entry, chunks, bytes, complete, made_at) \
             VALUES (?1, ?2, 0, 0, 0, ?3)",
        )
        .and_then(|mut statement| statement.insert(params![integer(seq), integer(entry), made_at.micros()]))
        .map(i64::unsigned_abs)
        .map_err(&failed)
}

/// Adds a chunk to an unfinished snapshot.
///
/// # Errors
/// When it is too large, there is no such snapshot, or it cannot be written.
pub(super) fn add_chunk(
    at: &At<'_>,
    connection: &mut Connection,
    packer: &mut Packer,
    id: u64,
    data: &[u8],
) -> Result<(), JournalError> {
    if data.len() > SNAPSHOT_CHUNK_BYTES_MAX {
        let source = Box::new(CommitFault::TooLarge { what: "a chunk of snapshot", number: id });
        return Err(JournalError::Refused { path: at.path.to_path_buf(), source });
    }
    let packed = packer.bytes(data).map_err(|error| at.io(at.path, ACTION, error))?;
    // Nothing rests on a chunk before the snapshot is complete, and what makes it so is flushed with all that was logged before.
    flush_each(connection, false).map_err(at.sql(Place::Snapshot(id), ACTION))?;
    let added = insert_chunk(at, connection, id, data.len(), packed);
    flush_each(connection, true).map_err(at.sql(Place::Snapshot(id), ACTION))?;
    added
}

fn insert_chunk(
    at: &At<'_>,
    connection: &mut Connection,
    id: u64,
    bytes: usize,
    packed: &[u8],
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Snapshot(id), ACTION);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    let chunk: Option<i64> = transaction
        .prepare_cached(
            "UPDATE snapshot_index SET chunks = chunks + 1, bytes = bytes + ?2 \
             WHERE id = ?1 AND complete = 0 RETURNING chunks - 1",
        )
        .and_then(|mut statement| {
            statement.query_row(params![integer(id), integer(bytes as u64)], |row| row.get(0)).optional()
        })
        .map_err(&failed)?;
    let chunk = chunk.ok_or_else(|| missing(at, id))?;
    transaction
        .prepare_cached("INSERT INTO snapshots (snapshot, chunk, data) VALUES (?1, ?2, ?3)")
        .and_then(|mut statement| statement.execute(params![integer(id), chunk, packed]))
        .map_err(&failed)?;
    transaction.commit().map_err(&failed)
}

/// Makes an unfinished snapshot visible.
///
/// # Errors
/// When there is no such snapshot, or it cannot be written.
pub(super) fn complete(at: &At<'_>, connection: &Connection, id: u64) -> Result<SnapshotInfo, JournalError> {
    let failed = at.sql(Place::Snapshot(id), ACTION);
    let sql =
        format!("UPDATE snapshot_index SET complete = 1 WHERE id = ?1 AND complete = 0 RETURNING {SNAPSHOT}");
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([integer(id)], rows::snapshot).optional())
        .map_err(&failed)?
        .ok_or_else(|| missing(at, id))
}

/// Removes the complete snapshots that are not to be kept. What inputs went behind is kept in any case.
///
/// # Errors
/// When the store cannot be written.
pub(super) fn prune(
    at: &At<'_>,
    connection: &mut Connection,
    keep: &mut dyn FnMut(&SnapshotInfo) -> bool,
) -> Result<usize, JournalError> {
    let mut removed = 0;
    let checkpoint = expire::read(at, connection)?.checkpoint;
    for info in list(at, connection)? {
        if !keep(&info) && info.id != checkpoint.snapshot {
            remove(at, connection, integer(info.id))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The complete snapshots, latest first.
///
/// # Errors
/// When they cannot be read.
pub(super) fn list(at: &At<'_>, connection: &Connection) -> Result<Vec<SnapshotInfo>, JournalError> {
    let sql = format!("SELECT {SNAPSHOT} FROM snapshot_index WHERE complete = 1 ORDER BY id DESC");
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_map([], rows::snapshot)?.collect())
        .map_err(at.sql(Place::File, "read"))
}

/// Removes a snapshot, and overwrites it in the file: it has names and addresses of which nothing else may be left.
fn remove(at: &At<'_>, connection: &Connection, id: i64) -> Result<(), JournalError> {
    let failed = at.sql(Place::Snapshot(id.unsigned_abs()), REMOVE);
    overwrite_deleted(connection, true).map_err(&failed)?;
    let removed = remove_chunks(at, connection, id);
    overwrite_deleted(connection, false).map_err(&failed)?;
    removed
}

/// First from sight, then a few chunks at a time.
fn remove_chunks(at: &At<'_>, connection: &Connection, id: i64) -> Result<(), JournalError> {
    let failed = at.sql(Place::Snapshot(id.unsigned_abs()), REMOVE);
    let execute = |sql: &str, parameters: &[i64]| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(rusqlite::params_from_iter(parameters)))
            .map_err(&failed)
    };
    execute(HIDE, &[id])?;
    while execute(REMOVE_SOME, &[id, CHUNKS_REMOVED_AT_ONCE])? > 0 {}
    execute("DELETE FROM snapshot_index WHERE id = ?1", &[id])?;
    Ok(())
}

/// Takes a snapshot from sight, and removes a few chunks of it; with the last one it is no more than a row that the next one drops.
pub(super) fn remove_some(transaction: &Transaction<'_>, id: u64) -> rusqlite::Result<()> {
    transaction.prepare_cached(HIDE)?.execute([integer(id)])?;
    transaction.prepare_cached(REMOVE_SOME)?.execute([integer(id), CHUNKS_REMOVED_AT_ONCE]).map(drop)
}

/// Puts another chunk, packed, in the place of one that is shorter by so many bytes.
pub(super) fn replace_chunk(
    transaction: &Transaction<'_>,
    (id, chunk): (u64, u64),
    packed: &[u8],
    grown: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE snapshot_index SET bytes = bytes + ?2 WHERE id = ?1")?
        .execute([integer(id), grown])?;
    transaction
        .prepare_cached("UPDATE snapshots SET data = ?3 WHERE snapshot = ?1 AND chunk = ?2")?
        .execute(params![integer(id), integer(chunk), packed])
        .map(drop)
}

/// The error that a snapshot is not there.
pub(super) fn missing(at: &At<'_>, id: u64) -> JournalError {
    JournalError::NoSnapshot { path: at.path.to_path_buf(), id }
}
