//! Taking the content of a part away: the record, its hash and its other parts stay as they are.
//!
//! What is taken away is overwritten in the file and no longer in the log when this returns. Snapshots and
//! object versions are the engine's encoding and are not looked into; backups made before keep what they
//! have.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::block::{Packer, read_entries};
use super::super::code::{content_bytes, content_of, write_parts};
use super::super::data::PartContent;
use super::super::error::{JournalError, Place};
use super::connect::{At, empty_log, integer, overwrite_deleted};
use super::index;
use super::rows::{self, RECORD, number};

const ACTION: &str = "erase from";

/// Takes the parts of a class and project from a record; says how many.
///
/// # Errors
/// When the record or its entry is damaged, or the store cannot be written.
pub(super) fn erase_part(
    at: &At<'_>,
    connection: &mut Connection,
    packer: &mut Packer,
    seq: u64,
    selected: (u8, Option<&str>),
) -> Result<usize, JournalError> {
    let failed = at.sql(Place::Record(seq), ACTION);
    overwrite_deleted(connection, true).map_err(&failed)?;
    let erased = {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let erased = erase(at, &transaction, packer, seq, selected)?;
        transaction.commit().map_err(&failed)?;
        erased
    };
    overwrite_deleted(connection, false).map_err(&failed)?;
    // Also when nothing was left to erase: the log may have been in use the last time.
    empty_log(at, connection)?;
    Ok(erased)
}

fn erase(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    seq: u64,
    (class, project): (u8, Option<&str>),
) -> Result<usize, JournalError> {
    let failed = at.sql(Place::Record(seq), ACTION);
    let record = transaction
        .query_row(&format!("SELECT {RECORD} FROM records WHERE seq = ?1"), [integer(seq)], rows::record)
        .optional()
        .map_err(&failed)?;
    let Some(mut record) = record else { return Ok(0) };
    let before = content_of(&record.parts);
    let mut erased = 0;
    let mut in_entry = false;
    for part in &mut record.parts {
        if part.class == class && part.project.as_deref() == project && part.content != PartContent::Gone {
            in_entry |= part.content == PartContent::InEntry;
            part.content = PartContent::Gone;
            part.salt = [0; 16];
            erased += 1;
        }
    }
    if erased > 0 {
        let mut parts = Vec::new();
        write_parts(&record.parts, &mut parts);
        transaction
            .execute("UPDATE records SET parts = ?2 WHERE seq = ?1", params![integer(seq), parts])
            .and_then(|_| {
                shrink(transaction, "part_bytes", before, content_bytes(&record.parts, parts.len()))
            })
            .map_err(&failed)?;
    }
    if in_entry {
        erase_body(at, transaction, packer, record.entry)?;
    }
    index::erase(at, transaction, packer, seq, class)?;
    Ok(erased)
}

/// Packs the block of an entry again without its body.
fn erase_body(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    packer: &mut Packer,
    entry: u64,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Entry(entry), ACTION);
    let (first, last, data): (u64, u64, Vec<u8>) = transaction
        .query_row(
            "SELECT first_entry, last_entry, data FROM blocks WHERE first_entry <= ?1 \
             ORDER BY first_entry DESC LIMIT 1",
            [integer(entry)],
            |row| Ok((number(row, 0)?, number(row, 1)?, row.get(2)?)),
        )
        .map_err(&failed)?;
    let mut entries = read_entries(&data, first, last).map_err(at.malformed(Place::Entry(entry)))?;
    let Some(erased) = entries.iter_mut().find(|other| other.number == entry) else {
        return Err(at.damaged(Place::Entry(entry), "the entry of a record is missing"));
    };
    erased.body = Vec::new();
    erased.erased = true;
    let (count, block) = packer.entries(&entries).map_err(|error| at.io(at.path, ACTION, error))?;
    if count != entries.len() {
        return Err(at.damaged(Place::Entry(entry), "a block holds more than it may"));
    }
    transaction
        .execute("UPDATE blocks SET data = ?2 WHERE first_entry = ?1", params![integer(first), block])
        .and_then(|_| shrink(transaction, "input_bytes", data.len(), block.len()))
        .map_err(&failed)?;
    Ok(())
}

/// Counts in one of the sizes that something became smaller.
fn shrink(transaction: &Transaction<'_>, size: &str, before: usize, after: usize) -> rusqlite::Result<usize> {
    let sql = format!("UPDATE sizes SET {size} = {size} - ?1 + ?2");
    transaction.execute(&sql, [before, after].map(|bytes| integer(bytes as u64)))
}
