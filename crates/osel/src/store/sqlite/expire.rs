//! Letting go of what commits said may go: terms of the search index and the parts of records that have them, then inputs, versions and snapshots.
//!
//! It is done a step at a time, in that order, so that no record ever names a part in an entry that is not
//! there. How far it has come is written in the same transaction as the step: after a kill it goes on there.
//! What goes is overwritten in the file, whose pages are then used again.

use std::time::{Duration, Instant};

use osel_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::block::{Packer, read_entries};
use super::super::check::CommitFault;
use super::super::code::{content_bytes, read_parts, write_parts};
use super::super::data::{Checkpoint, Expiry};
use super::super::due::{self, ANY_KIND, IN_ENTRY, Limit, RECORDS_AT_ONCE, VERSIONS_AT_ONCE};
use super::super::erasure::Eraser;
use super::super::error::{JournalError, Place};
use super::super::persons::week_of;
use super::connect::{At, integer, overwrite_deleted};
use super::index;
use super::persons::Persons;
use super::rows::{number, time};

const ACTION: &str = "let go of old content of";

/// What may go, as commits have said.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(at: &At<'_>, connection: &Connection) -> Result<Expiry, JournalError> {
    let failed = at.sql(Place::Meta, "read");
    let mut expiry = connection
        .query_row("SELECT snapshot, seq, entry, quarantine_before FROM expiry", [], |row| {
            let checkpoint =
                Checkpoint { snapshot: number(row, 0)?, seq: number(row, 1)?, entry: number(row, 2)? };
            Ok(Expiry { checkpoint, quarantine_before: time(row, 3)?, ..Expiry::default() })
        })
        .map_err(&failed)?;
    for limit in limits(connection, "seq").map_err(&failed)? {
        due::add(&mut expiry, limit);
    }
    Ok(expiry)
}

/// Writes down what a commit says may go. It only ever rises.
///
/// # Errors
/// When the checkpoint is not there, or the store cannot be written.
pub(super) fn order(at: &At<'_>, transaction: &Transaction<'_>, expiry: &Expiry) -> Result<(), JournalError> {
    let failed = at.sql(Place::Meta, ACTION);
    let before = read(at, transaction)?;
    let Checkpoint { snapshot, seq, entry } = expiry.checkpoint;
    if entry > before.checkpoint.entry {
        let known: bool = transaction
            .query_row(
                "SELECT count(*) FROM snapshot_index WHERE id = ?1 AND seq = ?2 AND entry = ?3 AND complete = 1",
                [snapshot, seq, entry].map(integer),
                |row| row.get(0),
            )
            .map_err(&failed)?;
        if !known {
            let source = Box::new(CommitFault::Checkpoint { snapshot });
            return Err(JournalError::Refused { path: at.path.to_path_buf(), source });
        }
        transaction
            .execute(
                "UPDATE expiry SET snapshot = ?1, seq = ?2, entry = ?3",
                [snapshot, seq, entry].map(integer),
            )
            .map_err(&failed)?;
        order_parts(transaction, Limit { class: IN_ENTRY, kind: ANY_KIND, seq }).map_err(&failed)?;
    }
    if due::limits(expiry).next().is_some() {
        index::records_change(transaction).map_err(&failed)?;
    }
    if expiry.quarantine_before > before.quarantine_before {
        // Blocks that were kept for held messages are looked at again.
        transaction
            .execute(
                "UPDATE expiry SET quarantine_before = ?1, swept = 0",
                [expiry.quarantine_before.micros()],
            )
            .map_err(&failed)?;
    }
    for limit in due::limits(expiry) {
        order_parts(transaction, limit).map_err(&failed)?;
    }
    Ok(())
}

/// Has the block of an entry looked at again that nobody holds any more, if it was kept behind the checkpoint for that: it goes with the
/// next order, or the next writer.
pub(super) fn release(transaction: &Transaction<'_>, entry: u64) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached(
            "UPDATE expiry SET swept = (SELECT max(first_entry) - 1 FROM blocks WHERE first_entry <= ?1) \
             WHERE swept >= ?1 AND EXISTS (SELECT 1 FROM blocks WHERE first_entry <= ?1 AND last_entry >= ?1)",
        )?
        .execute([integer(entry)])
}

fn order_parts(transaction: &Transaction<'_>, limit: Limit) -> rusqlite::Result<usize> {
    // What went from all kinds has gone from a kind that is new.
    transaction.execute(
        "INSERT INTO expiry_parts (class, kind, seq, done, searched) \
         SELECT ?1, ?2, ?3, coalesce(max(done), 0), coalesce(max(searched), 0) \
         FROM expiry_parts WHERE class = ?1 AND kind = ?4 \
         ON CONFLICT (class, kind) DO UPDATE SET seq = max(seq, ?3)",
        params![limit.class, limit.kind, integer(limit.seq), ANY_KIND],
    )
}

/// Lets go of what may go for about that long, in one transaction and in one step at least; says whether
/// there is more.
///
/// # Errors
/// When the store cannot be written.
pub(super) fn expire(
    at: &At<'_>,
    connection: &mut Connection,
    packer: &mut Packer,
    how_long: Duration,
) -> Result<bool, JournalError> {
    let failed = at.sql(Place::File, ACTION);
    let begun = Instant::now();
    overwrite_deleted(connection, true).map_err(&failed)?;
    let more = {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let mut more = step(at, &transaction, packer)?;
        while more && begun.elapsed() < how_long {
            more = step(at, &transaction, packer)?;
        }
        transaction.commit().map_err(&failed)?;
        more
    };
    overwrite_deleted(connection, false).map_err(&failed)?;
    Ok(more)
}

/// Lets go of some keys that no part needs any more; says whether there may be more of them.
///
/// # Errors
/// When the store cannot be read, or the keys not be written.
pub(super) fn drop_keys(
    at: &At<'_>,
    connection: &Connection,
    persons: &mut Persons,
    eraser: &dyn Eraser,
) -> Result<bool, JournalError> {
    let mut done = Expiry::default();
    for limit in limits(connection, "done").map_err(at.sql(Place::Meta, "read"))? {
        due::add(&mut done, limit);
    }
    let seq = eraser.gone(&done);
    let as_of = connection
        .prepare_cached("SELECT as_of FROM records WHERE seq = ?1")
        .and_then(|mut statement| statement.query_row([integer(seq)], |row| time(row, 0)).optional())
        .map_err(at.sql(Place::Record(seq), "read"))?;
    as_of.map_or(Ok(false), |as_of| persons.drop_before(at, week_of(as_of)))
}

/// The next step; false when there was nothing left to do.
fn step(at: &At<'_>, transaction: &Transaction<'_>, packer: &mut Packer) -> Result<bool, JournalError> {
    let failed = at.sql(Place::File, ACTION);
    // Before the parts go, so that no name is found that is not there.
    if index::purge(at, transaction, packer)? {
        return Ok(true);
    }
    if erase_parts(transaction).map_err(&failed)? {
        return Ok(true);
    }
    let (checkpoint, quarantine_before, swept) = transaction
        .prepare_cached("SELECT snapshot, seq, entry, quarantine_before, swept FROM expiry")
        .and_then(|mut statement| {
            statement.query_row([], |row| {
                let checkpoint =
                    Checkpoint { snapshot: number(row, 0)?, seq: number(row, 1)?, entry: number(row, 2)? };
                Ok((checkpoint, time(row, 3)?, number(row, 4)?))
            })
        })
        .map_err(&failed)?;
    if swept < checkpoint.entry {
        remove_block(at, transaction, packer, (swept, checkpoint.entry), quarantine_before)?;
        return Ok(true);
    }
    let removed = remove_versions(transaction, checkpoint.seq).map_err(&failed)?
        || remove_snapshots(transaction, checkpoint.entry).map_err(&failed)?;
    Ok(removed)
}

/// The limits of parts, as they were ordered (`seq`) or as far as they were carried out (`done`).
fn limits(connection: &Connection, column: &str) -> rusqlite::Result<Vec<Limit>> {
    connection
        .prepare_cached(&format!("SELECT class, kind, {column} FROM expiry_parts ORDER BY class, kind"))?
        .query_map([], |row| Ok(Limit { class: row.get(0)?, kind: row.get(1)?, seq: number(row, 2)? }))?
        .collect()
}

/// Takes parts from the next records; false when all are gone that may go.
fn erase_parts(transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
    let due = transaction
        .prepare_cached("SELECT done, seq FROM expiry_parts WHERE done < seq ORDER BY done LIMIT 1")?
        .query_row([], |row| Ok((number(row, 0)?, number(row, 1)?)))
        .optional()?;
    let Some((from, target)) = due else { return Ok(false) };
    let to = target.min(from + RECORDS_AT_ONCE);
    let limits = limits(transaction, "seq")?;
    let records: Vec<((u64, u8), Vec<u8>)> = transaction
        .prepare_cached("SELECT seq, kind, parts FROM records WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")?
        .query_map([integer(from + 1), integer(to)], |row| Ok(((number(row, 0)?, row.get(1)?), row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut freed = 0;
    let mut update = transaction.prepare_cached("UPDATE records SET parts = ?2 WHERE seq = ?1")?;
    for ((seq, kind), packed) in records {
        // A damaged one is verification's to name, and must not hold up all behind it.
        let Ok(mut parts) = read_parts(&packed) else { continue };
        let before = content_bytes(&parts, packed.len());
        if !due::erase_parts(&mut parts, (seq, kind), &limits) {
            continue;
        }
        let mut left = Vec::new();
        write_parts(&parts, &mut left);
        update.execute(params![integer(seq), left])?;
        freed += before.saturating_sub(content_bytes(&parts, left.len())) as u64;
    }
    // Whatever was gone from the first of them is gone from all of them now.
    transaction
        .prepare_cached("UPDATE expiry_parts SET done = ?2 WHERE done BETWEEN ?1 AND ?2 AND seq >= ?2")?
        .execute([integer(from), integer(to)])?;
    transaction.prepare_cached("UPDATE sizes SET part_bytes = part_bytes - ?1")?.execute([integer(freed)])?;
    Ok(true)
}

/// Removes the next block of inputs, but for the messages in it that are held in quarantine.
fn remove_block(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    (swept, until): (u64, u64),
    quarantine_before: Timestamp,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Entry(swept + 1), ACTION);
    let execute = |sql: &str, parameters: &[i64]| {
        transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(rusqlite::params_from_iter(parameters)))
            .map_err(&failed)
    };
    let block = transaction
        .prepare_cached(
            "SELECT first_entry, last_entry, length(data) FROM blocks \
             WHERE first_entry > ?1 AND last_entry <= ?2 ORDER BY first_entry LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([integer(swept), integer(until)], |row| {
                    Ok((number(row, 0)?, number(row, 1)?, number(row, 2)?))
                })
                .optional()
        })
        .map_err(&failed)?;
    let Some((first, last, bytes)) = block else {
        execute("UPDATE expiry SET swept = ?1", &[integer(until)])?;
        return Ok(());
    };
    let held: Vec<u64> = transaction
        .prepare_cached(
            "SELECT entry FROM quarantine WHERE entry BETWEEN ?1 AND ?2 AND state = 0 AND at >= ?3",
        )
        .and_then(|mut statement| {
            statement
                .query_map([integer(first), integer(last), quarantine_before.micros()], |row| number(row, 0))?
                .collect()
        })
        .map_err(&failed)?;
    let left = if held.is_empty() {
        execute("DELETE FROM blocks WHERE first_entry = ?1", &[integer(first)])?;
        0
    } else {
        keep_held(at, transaction, packer, (first, last), &held)?.unwrap_or(bytes)
    };
    execute("UPDATE sizes SET input_bytes = input_bytes + ?1", &[integer(left) - integer(bytes)])?;
    execute("UPDATE expiry SET swept = ?1", &[integer(last)])?;
    Ok(())
}

/// Packs a block again with nothing but the messages that are held; says how many bytes it has then, and none
/// where it stayed as it was, since it holds nothing else or is damaged.
fn keep_held(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    (first, last): (u64, u64),
    held: &[u64],
) -> Result<Option<u64>, JournalError> {
    let failed = at.sql(Place::Entry(first), ACTION);
    let data: Vec<u8> = transaction
        .query_row("SELECT data FROM blocks WHERE first_entry = ?1", [integer(first)], |row| row.get(0))
        .map_err(&failed)?;
    let Ok(mut entries) = read_entries(&data, first, last) else { return Ok(None) };
    if !due::keep_held(&mut entries, held) {
        return Ok(None);
    }
    let (count, block) = packer.entries(&entries).map_err(|error| at.io(at.path, ACTION, error))?;
    if count != entries.len() {
        return Ok(None);
    }
    transaction
        .execute("UPDATE blocks SET data = ?2 WHERE first_entry = ?1", params![integer(first), block])
        .map_err(&failed)?;
    Ok(Some(block.len() as u64))
}

/// Removes the next blocks of versions; false when all are gone that may go.
fn remove_versions(transaction: &Transaction<'_>, seq: u64) -> rusqlite::Result<bool> {
    let due: Vec<(i64, i64)> = transaction
        .prepare_cached(
            "SELECT id, length(data) FROM versions WHERE last_seq <= ?1 ORDER BY last_seq, id LIMIT ?2",
        )?
        .query_map([integer(seq), VERSIONS_AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, bytes) in &due {
        transaction.prepare_cached("DELETE FROM versions WHERE id = ?1")?.execute([id])?;
        transaction
            .prepare_cached("UPDATE sizes SET version_bytes = version_bytes - ?1")?
            .execute([bytes])?;
    }
    Ok(!due.is_empty())
}

/// Removes the next chunk of snapshots from before the checkpoint; false when all are gone.
fn remove_snapshots(transaction: &Transaction<'_>, entry: u64) -> rusqlite::Result<bool> {
    let entry = [integer(entry)];
    let execute =
        |sql: &str| transaction.prepare_cached(sql).and_then(|mut statement| statement.execute(entry));
    // From sight first, so that nobody begins to read what goes.
    execute("UPDATE snapshot_index SET complete = 0 WHERE entry < ?1 AND complete = 1")?;
    let chunk = "DELETE FROM snapshots WHERE id IN (SELECT chunk.id FROM snapshots AS chunk \
                 JOIN snapshot_index AS owner ON owner.id = chunk.snapshot WHERE owner.entry < ?1 LIMIT 1)";
    if execute(chunk)? > 0 {
        return Ok(true);
    }
    execute("DELETE FROM snapshot_index WHERE entry < ?1")?;
    Ok(false)
}
