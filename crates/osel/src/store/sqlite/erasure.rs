//! Erasing persons: the order with its commit, then step by step what follows from it.
//!
//! Each step is one transaction with its progress, so that a kill at any point costs the step. The keys are in another database: they are destroyed once
//! their numbers are noted here, and before any other record is written, so that a person who comes back begins with a new key.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::block::{Packer, read_entries};
use super::super::code::{content_bytes, content_of, write_parts};
use super::super::data::{Head, PartContent, StoredRecord};
use super::super::erasure::{
    CHUNKS_AT_ONCE, ChunkStep, Eraser, Erasing, ErasureRow, NewErasure, RECORDS_AT_ONCE, SealedByOthers,
    Stage,
};
use super::super::error::{JournalError, Place};
use super::connect::{At, empty_log, integer, overwrite_deleted};
use super::persons::Persons;
use super::rows::{self, RECORD, number};
use super::{index, snapshot};

const ACTION: &str = "erase a person from";

/// Writes down that a person is to be erased from a store that ends there.
///
/// # Errors
/// When it cannot be written.
pub(super) fn order(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    erasure: &NewErasure,
    head: Head,
) -> Result<(), JournalError> {
    let erasing = Erasing::new(erasure, (head.seq, head.entry));
    transaction
        .execute(
            "INSERT INTO erasures (seq, entry, done, state) VALUES (?1, ?2, 0, ?3)",
            params![integer(erasure.seq), integer(head.entry), erasing.to_bytes()],
        )
        .map_err(at.sql(Place::Erasures, ACTION))?;
    // No segment of the index that is being made now may have the person any more.
    index::records_change(transaction).map(drop).map_err(at.sql(Place::Erasures, ACTION))
}

/// Destroys the keys of those whose erasure was ordered and has not come that far.
///
/// # Errors
/// When they cannot be written.
pub(super) fn destroy_keys(
    at: &At<'_>,
    connection: &mut Connection,
    persons: &mut Persons,
) -> Result<(), JournalError> {
    for mut erasing in open(at, connection)? {
        if erasing.stage == Stage::Ordered {
            erasing.found_keys(persons.numbers(at, &erasing.persons)?);
            write(at, connection, &erasing)?;
        }
        if erasing.stage == Stage::Keys {
            persons.destroy(at, &erasing.numbers)?;
            erasing.stage = Stage::Records;
            write(at, connection, &erasing)?;
        }
    }
    Ok(())
}

/// Goes on with what was ordered for about that long, in one step at least; says whether there is more.
///
/// # Errors
/// When the store cannot be written, or its log not be emptied.
pub(super) fn erase(
    at: &At<'_>,
    connection: &mut Connection,
    (packer, persons): (&mut Packer, &Persons),
    how_long: Duration,
    eraser: &dyn Eraser,
) -> Result<bool, JournalError> {
    let begun = Instant::now();
    loop {
        let all = open(at, connection)?;
        let waiting = Erasing::waiting(&all);
        let Some(mut erasing) = all.into_iter().next() else { return Ok(false) };
        if erasing.stage == Stage::Wipe {
            // What is gone from the file is still in the log.
            empty_log(at, connection)?;
            erasing.stage = Stage::Done;
            erasing.row.is_done = true;
            write(at, connection, &erasing)?;
        } else {
            let failed = at.sql(Place::Erasures, ACTION);
            overwrite_deleted(connection, true).map_err(&failed)?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
            Step { at, transaction: &transaction, packer, persons, eraser, waiting }.take(&mut erasing)?;
            write(at, &transaction, &erasing)?;
            transaction.commit().map_err(&failed)?;
            overwrite_deleted(connection, false).map_err(&failed)?;
        }
        if begun.elapsed() >= how_long {
            return Ok(!open(at, connection)?.is_empty());
        }
    }
}

/// How far each erasure has come.
///
/// # Errors
/// When it cannot be read.
pub(super) fn list(at: &At<'_>, connection: &Connection) -> Result<Vec<ErasureRow>, JournalError> {
    let all = read(at, connection, "SELECT state FROM erasures ORDER BY seq")?;
    Ok(all.into_iter().map(|erasing| erasing.row).collect())
}

/// The erasures that are under way.
///
/// # Errors
/// When they cannot be read.
pub(super) fn open(at: &At<'_>, connection: &Connection) -> Result<Vec<Erasing>, JournalError> {
    read(at, connection, "SELECT state FROM erasures WHERE done = 0 ORDER BY seq")
}

fn read(at: &At<'_>, connection: &Connection, sql: &str) -> Result<Vec<Erasing>, JournalError> {
    let states: Vec<Vec<u8>> = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(at.sql(Place::Erasures, "read"))?;
    let read = |state: &Vec<u8>| serde_json::from_slice(state).map_err(at.malformed(Place::Erasures));
    states.iter().map(read).collect()
}

fn write(at: &At<'_>, connection: &Connection, erasing: &Erasing) -> Result<(), JournalError> {
    let is_done = erasing.stage == Stage::Done;
    connection
        .prepare_cached("UPDATE erasures SET done = ?2, state = ?3 WHERE seq = ?1")
        .and_then(|mut statement| {
            statement.execute(params![integer(erasing.row.seq), is_done, erasing.to_bytes()])
        })
        .map(drop)
        .map_err(at.sql(Place::Erasures, ACTION))
}

/// One step within its transaction.
struct Step<'a> {
    at: &'a At<'a>,
    transaction: &'a Transaction<'a>,
    packer: &'a mut Packer,
    persons: &'a Persons,
    eraser: &'a dyn Eraser,
    /// The keys of those whose erasures wait for this one.
    waiting: BTreeSet<u64>,
}

impl Step<'_> {
    fn take(&mut self, erasing: &mut Erasing) -> Result<(), JournalError> {
        match erasing.stage {
            Stage::Records => self.records(erasing),
            Stage::Messages => self.messages(erasing),
            Stage::States => self.states(erasing),
            Stage::Ordered | Stage::Keys | Stage::Wipe | Stage::Done => Ok(()),
        }
    }

    /// Takes the person's parts from the next records, and their terms from the index; of records with locked parts all that it knows.
    fn records(&mut self, erasing: &mut Erasing) -> Result<(), JournalError> {
        let (from, until) = (erasing.done.0, erasing.row.until.0);
        let to = until.min(from.saturating_add(RECORDS_AT_ONCE));
        let failed = self.at.sql(Place::Record(from + 1), ACTION);
        let mut taken = BTreeMap::new();
        let mut others = SealedByOthers::default();
        {
            let sql = format!("SELECT {RECORD} FROM records WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq");
            let mut select = self.transaction.prepare_cached(&sql).map_err(&failed)?;
            let rows = select.query_map([integer(from + 1), integer(to)], rows::record).map_err(&failed)?;
            for record in rows {
                // A damaged one is verification's to name, and must not hold up all behind it.
                let Ok(mut record) = record else { continue };
                erasing.note_others(&record, &self.waiting, &mut others);
                let before = content_of(&record.parts);
                if erasing.take_from(self.eraser, &mut record) > 0 {
                    taken.insert(record.seq, (before, record));
                }
            }
        }
        let seqs: Vec<u64> = taken.keys().copied().collect();
        index::erase_these(self.at, self.transaction, self.packer, &seqs, self.eraser.class())?;
        let there = self.persons.present(self.at, &others.numbers())?;
        let dropped = index::drop_with(self.at, self.transaction, &others.locked(&there))?;
        erasing.unindexed = erasing.unindexed.max(dropped);
        for (before, record) in taken.values() {
            self.replace_parts(*before, record)?;
        }
        erasing.done.0 = to;
        if to == until {
            erasing.stage = Stage::Messages;
        }
        Ok(())
    }

    /// Writes the next block of inputs again without the person; the messages in it that are parts of records are that no more.
    fn messages(&mut self, erasing: &mut Erasing) -> Result<(), JournalError> {
        let (from, until) = (erasing.done.1, erasing.row.until.1);
        let failed = self.at.sql(Place::Entry(from + 1), ACTION);
        let block: Option<(u64, u64, Vec<u8>)> = self
            .transaction
            .query_row(
                "SELECT first_entry, last_entry, data FROM blocks WHERE last_entry > ?1 AND first_entry <= ?2 \
                 AND first_entry > ?1 ORDER BY first_entry LIMIT 1",
                [integer(from), integer(until)],
                |row| Ok((number(row, 0)?, number(row, 1)?, row.get(2)?)),
            )
            .optional()
            .map_err(&failed)?;
        let Some((first, last, data)) = block else {
            erasing.stage = Stage::States;
            return Ok(());
        };
        erasing.done.1 = last;
        // A damaged one is verification's to name.
        let Ok(mut entries) = read_entries(&data, first, last) else { return Ok(()) };
        let changed = erasing.rewrite(self.eraser, &mut entries);
        if changed.is_empty() {
            return Ok(());
        }
        self.transaction
            .execute("DELETE FROM blocks WHERE first_entry = ?1", [integer(first)])
            .map_err(&failed)?;
        let mut bytes = 0;
        let mut rest = &entries[..];
        // What is written instead may be longer: then they are two blocks.
        while let Some(next) = rest.first() {
            let packed = self.packer.entries(rest);
            let (count, block) = packed.map_err(|error| self.at.io(self.at.path, ACTION, error))?;
            let last = next.number + count as u64 - 1;
            self.transaction
                .execute(
                    "INSERT INTO blocks (first_entry, last_entry, data) VALUES (?1, ?2, ?3)",
                    params![integer(next.number), integer(last), block],
                )
                .map_err(&failed)?;
            bytes += block.len();
            rest = rest.get(count..).unwrap_or_default();
        }
        self.transaction
            .execute(
                "UPDATE sizes SET input_bytes = input_bytes - ?1 + ?2",
                [data.len(), bytes].map(|bytes| integer(bytes as u64)),
            )
            .map_err(&failed)?;
        changed.into_iter().try_for_each(|entry| self.take_payload(erasing, entry))
    }

    /// Looks through the next chunks of saved states.
    fn states(&mut self, erasing: &mut Erasing) -> Result<(), JournalError> {
        for _ in 0..CHUNKS_AT_ONCE {
            if !self.chunk(erasing)? {
                break;
            }
        }
        Ok(())
    }

    /// Writes the next chunk of a saved state again without the person; whether it could stay. A state that is not complete, or that nobody can read,
    /// goes.
    fn chunk(&mut self, erasing: &mut Erasing) -> Result<bool, JournalError> {
        let failed = self.at.sql(Place::Erasures, ACTION);
        let next: Option<(u64, u64, bool, Vec<u8>)> = self
            .transaction
            .prepare_cached(
                "SELECT snapshot, chunk, complete, data FROM snapshots JOIN snapshot_index AS owner ON owner.id = snapshot \
                 WHERE (snapshot, chunk) >= (?1, ?2) AND owner.entry < ?3 \
                 AND snapshot <> (SELECT snapshot FROM expiry) ORDER BY snapshot, chunk LIMIT 1",
            )
            .and_then(|mut statement| {
                let from = [erasing.state.0, erasing.state.1, erasing.row.until.1].map(integer);
                statement
                    .query_row(from, |row| Ok((number(row, 0)?, number(row, 1)?, row.get(2)?, row.get(3)?)))
                    .optional()
            })
            .map_err(&failed)?;
        let Some((state, chunk, is_complete, data)) = next else {
            let checkpoint = self
                .transaction
                .query_row("SELECT snapshot FROM expiry", [], |row| number(row, 0))
                .map_err(&failed)?;
            erasing.has_no_more_states(checkpoint);
            return Ok(false);
        };
        match erasing.rewrite_chunk(self.eraser, (state, chunk, is_complete), &data) {
            ChunkStep::Keep => return Ok(true),
            ChunkStep::Drop => {
                // From the first chunk on.
                erasing.state = (state, 0);
                snapshot::remove_some(self.transaction, state).map_err(failed)?;
            }
            ChunkStep::Replace(left, before) => {
                let grown = integer(left.len() as u64) - integer(before as u64);
                let packed =
                    self.packer.bytes(&left).map_err(|error| self.at.io(self.at.path, ACTION, error))?;
                snapshot::replace_chunk(self.transaction, (state, chunk), packed, grown).map_err(failed)?;
            }
        }
        Ok(false)
    }

    /// Takes the message from the record that it is a part of, since it is not the one that was sealed any more.
    fn take_payload(&mut self, erasing: &Erasing, entry: u64) -> Result<(), JournalError> {
        let failed = self.at.sql(Place::Entry(entry), ACTION);
        // Records are in the order of their entries.
        let (mut before, mut behind) = (0, erasing.row.until.0 + 1);
        let mut of =
            self.transaction.prepare_cached("SELECT entry FROM records WHERE seq = ?1").map_err(&failed)?;
        while behind - before > 1 {
            let middle = before + (behind - before) / 2;
            let its = of.query_row([integer(middle)], |row| number(row, 0)).map_err(&failed)?;
            *(if its < entry { &mut before } else { &mut behind }) = middle;
        }
        let sql = format!("SELECT {RECORD} FROM records WHERE seq = ?1 AND entry = ?2");
        let record = self
            .transaction
            .query_row(&sql, [integer(behind), integer(entry)], |row| Ok(rows::record(row).ok()))
            .optional()
            .map_err(&failed)?;
        // A damaged one is verification's to name, and must not hold up all behind it.
        let Some(mut record) = record.flatten() else { return Ok(()) };
        let before = content_of(&record.parts);
        let mut classes = Vec::new();
        for part in record.parts.iter_mut().filter(|part| part.content == PartContent::InEntry) {
            (part.content, part.salt) = (PartContent::Gone, [0; 16]);
            classes.push(part.class);
        }
        for class in classes {
            index::erase_these(self.at, self.transaction, self.packer, &[record.seq], class)?;
        }
        self.replace_parts(before, &record)
    }

    fn replace_parts(&self, before: usize, record: &StoredRecord) -> Result<(), JournalError> {
        let mut parts = Vec::new();
        write_parts(&record.parts, &mut parts);
        let after = content_bytes(&record.parts, parts.len());
        let failed = self.at.sql(Place::Record(record.seq), ACTION);
        self.transaction
            .prepare_cached("UPDATE records SET parts = ?2 WHERE seq = ?1")
            .and_then(|mut statement| statement.execute(params![integer(record.seq), parts]))
            .and_then(|_| {
                self.transaction
                    .prepare_cached("UPDATE sizes SET part_bytes = part_bytes - ?1 + ?2")?
                    .execute([before, after].map(|bytes| integer(bytes as u64)))
            })
            .map(drop)
            .map_err(failed)
    }
}
