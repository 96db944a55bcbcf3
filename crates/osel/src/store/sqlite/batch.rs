//! One commit as one transaction.

use osel_core::time::Timestamp;
use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior, params};

use super::super::block::Packer;
use super::super::code::content_bytes_of;
use super::super::data::{
    Commit, Counters, CursorRow, Head, LifeRow, QuarantineState, RESOLVED, RESOLVED_AT_ONCE,
};
use super::super::error::{JournalError, Place};
use super::super::trimming::Trimming;
use super::connect::{At, integer};
use super::persons::Persons;
use super::rows::{self, number};
use super::{erasure, expire, forward, log};

const ACTION: &str = "write";
const UNMODELLED: u8 = 1;
const IGNORED_BY: u8 = 2;

/// Working memory of commits, kept from one to the next.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Packs blocks.
    pub(super) packer: Packer,
    /// The keys of persons.
    pub(super) persons: Persons,
    parts: Vec<u8>,
    trimming: Trimming,
}

impl Workspace {
    /// Working memory for a store whose last record is from that week.
    ///
    /// # Errors
    /// When there is none, or the keys of persons cannot be written.
    pub(super) fn new(at: &At<'_>, store_id: &str, last_week: i64) -> Result<Self, JournalError> {
        let packer = Packer::new().map_err(|error| at.io(at.path, ACTION, error))?;
        let persons = Persons::open(at, store_id, last_week)?;
        Ok(Self { packer, persons, parts: Vec::new(), trimming: Trimming::new() })
    }
}

/// Writes a checked commit; durable when it returns.
///
/// # Errors
/// When the store is not where the commit goes on, or cannot be written.
pub(super) fn write(
    at: &At<'_>,
    connection: &mut Connection,
    commit: &Commit<'_>,
    workspace: &mut Workspace,
) -> Result<Head, JournalError> {
    let failed = at.sql(Place::File, ACTION);
    // Before the records that need them.
    workspace.persons.provide(at, commit.records)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    let head = commit.head_after();
    move_head(at, &transaction, commit, head)?;
    let batch = Batch { at, transaction: &transaction };
    let added = Added {
        input_bytes: batch.entries(commit, &mut workspace.packer)?,
        part_bytes: batch.records(commit, &mut workspace.parts, &mut workspace.persons)?,
        version_bytes: batch.versions(commit, &mut workspace.packer)?,
    };
    batch.sizes(&added)?;
    for counters in commit.counters {
        batch.counters(counters)?;
    }
    batch.quarantine(commit)?;
    batch.lives("commands", Place::Commands, commit.commands)?;
    if let Some(before) = commit.resolved_before {
        batch.drop_resolved(before)?;
    }
    batch.lives("findings", Place::Findings, commit.findings)?;
    batch.cursors(commit)?;
    if let Some(expiry) = commit.expiry {
        expire::order(at, &transaction, expiry)?;
    }
    if let Some(erasure) = commit.erasure {
        erasure::order(at, &transaction, erasure, head)?;
    }
    log::write(at, &transaction, commit, &mut workspace.trimming)?;
    forward::write(at, &transaction, commit)?;
    transaction.commit().map_err(&failed)?;
    if commit.erasure.is_some() {
        erasure::destroy_keys(at, connection, &mut workspace.persons)?;
    }
    Ok(head)
}

/// Moves the head on, if it and the epoch are what the commit says.
fn move_head(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    commit: &Commit<'_>,
    head: Head,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Meta, ACTION);
    let moved = transaction
        .prepare_cached(
            "UPDATE meta SET entry = ?1, seq = ?2, hash = ?3 \
             WHERE epoch = ?4 AND entry = ?5 AND seq = ?6 AND hash = ?7",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                integer(head.entry),
                integer(head.seq),
                head.hash,
                integer(commit.epoch),
                integer(commit.previous.entry),
                integer(commit.previous.seq),
                commit.previous.hash,
            ])
        })
        .map_err(&failed)?;
    if moved == 1 {
        return Ok(());
    }
    let (current, found) = read_meta(transaction).map_err(&failed)?;
    let path = at.path.to_path_buf();
    if current == commit.epoch {
        Err(JournalError::HeadMoved { path, expected: commit.previous, found })
    } else {
        Err(JournalError::Deposed { path, ours: commit.epoch, current })
    }
}

/// The epoch and head that the database has.
pub(super) fn read_meta(connection: &Connection) -> rusqlite::Result<(u64, Head)> {
    connection.query_row("SELECT epoch, seq, hash, entry FROM meta", [], |row| {
        let head = Head { seq: number(row, 1)?, hash: row.get(2)?, entry: number(row, 3)? };
        Ok((number(row, 0)?, head))
    })
}

/// How many bytes a commit adds.
struct Added {
    input_bytes: usize,
    version_bytes: usize,
    part_bytes: usize,
}

struct Batch<'a> {
    at: &'a At<'a>,
    transaction: &'a Transaction<'a>,
}

impl Batch<'_> {
    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, JournalError> {
        self.transaction.prepare_cached(sql).map_err(self.at.sql(Place::File, ACTION))
    }

    fn sizes(&self, added: &Added) -> Result<(), JournalError> {
        self.prepare(
            "UPDATE sizes SET input_bytes = input_bytes + ?1, version_bytes = version_bytes + ?2, \
             part_bytes = part_bytes + ?3",
        )?
        .execute(
            [added.input_bytes, added.version_bytes, added.part_bytes].map(|bytes| integer(bytes as u64)),
        )
        .map_err(self.at.sql(Place::Meta, ACTION))?;
        Ok(())
    }

    fn entries(&self, commit: &Commit<'_>, packer: &mut Packer) -> Result<usize, JournalError> {
        let mut bytes = 0;
        let mut insert =
            self.prepare("INSERT INTO blocks (first_entry, last_entry, data) VALUES (?1, ?2, ?3)")?;
        let mut rest = commit.entries;
        while let Some(first) = rest.first() {
            let (count, block) =
                packer.entries(rest).map_err(|error| self.at.io(self.at.path, ACTION, error))?;
            // Numbers follow each other: the commit was checked.
            let last = first.number + count as u64 - 1;
            insert
                .execute(params![integer(first.number), integer(last), block])
                .map_err(self.at.sql(Place::Entry(first.number), ACTION))?;
            bytes += block.len();
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(bytes)
    }

    fn records(
        &self,
        commit: &Commit<'_>,
        parts: &mut Vec<u8>,
        persons: &mut Persons,
    ) -> Result<usize, JournalError> {
        let mut bytes = 0;
        let mut insert = self.prepare(
            "INSERT INTO records (seq, entry, kind, time, as_of, hash, canonical, parts) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        for record in commit.records.iter() {
            parts.clear();
            let head = record.head;
            let sealed = persons.sealer.write_parts(&record, parts);
            sealed.map_err(|error| self.at.io(self.at.path, ACTION, error))?;
            insert
                .execute(params![
                    integer(head.seq),
                    integer(head.entry),
                    head.kind,
                    head.time.micros(),
                    head.as_of.micros(),
                    head.hash,
                    record.canonical,
                    &parts[..],
                ])
                .map_err(self.at.sql(Place::Record(head.seq), ACTION))?;
            bytes += content_bytes_of(record.parts(), parts.len());
        }
        Ok(bytes)
    }

    fn versions(&self, commit: &Commit<'_>, packer: &mut Packer) -> Result<usize, JournalError> {
        let mut bytes = 0;
        let mut insert =
            self.prepare("INSERT INTO versions (first_seq, last_seq, data) VALUES (?1, ?2, ?3)")?;
        let mut rest = commit.versions;
        while let Some(first) = rest.first() {
            let (count, block) =
                packer.versions(rest).map_err(|error| self.at.io(self.at.path, ACTION, error))?;
            let (packed, left) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            let last = packed.last().map_or(first.seq, |last| last.seq);
            insert
                .execute(params![integer(first.seq), integer(last), block])
                .map_err(self.at.sql(Place::Versions(first.seq), ACTION))?;
            bytes += block.len();
            rest = left;
        }
        Ok(bytes)
    }

    fn counters(&self, counters: &Counters) -> Result<(), JournalError> {
        let failed = self.at.sql(Place::Ledger, ACTION);
        self.prepare(
            "INSERT INTO ledger (source, received, recorded, duplicate, ignored, quarantined) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (source) DO UPDATE SET \
             received = ?2, recorded = ?3, duplicate = ?4, ignored = ?5, quarantined = ?6",
        )?
        .execute(params![
            counters.source,
            integer(counters.received),
            integer(counters.recorded),
            integer(counters.duplicate),
            integer(counters.ignored),
            integer(counters.quarantined),
        ])
        .map_err(&failed)?;
        let mut tally = self.prepare(
            "INSERT INTO tallies (source, what, name, count) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (source, what, name) DO UPDATE SET count = ?4",
        )?;
        for (what, names) in [(UNMODELLED, &counters.unmodelled), (IGNORED_BY, &counters.ignored_by)] {
            for (name, &count) in names {
                tally.execute(params![counters.source, what, name, integer(count)]).map_err(&failed)?;
            }
        }
        Ok(())
    }

    fn quarantine(&self, commit: &Commit<'_>) -> Result<(), JournalError> {
        for item in commit.quarantine {
            self.prepare(
                "INSERT INTO quarantine \
                 (id, entry, source, at, reason_code, reason, event_type, message_id, state) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE SET \
                 entry = ?2, source = ?3, at = ?4, reason_code = ?5, reason = ?6, event_type = ?7, \
                 message_id = ?8, state = ?9",
            )?
            .execute(params![
                integer(item.id),
                integer(item.entry),
                item.source,
                item.at.micros(),
                item.reason_code,
                item.reason,
                item.event_type,
                item.message_id,
                item.state.code(),
            ])
            .map_err(self.at.sql(Place::Quarantine, ACTION))?;
            if item.state == QuarantineState::Replayed {
                expire::release(self.transaction, item.entry)
                    .map_err(self.at.sql(Place::Quarantine, ACTION))?;
            }
        }
        Ok(())
    }

    fn cursors(&self, commit: &Commit<'_>) -> Result<(), JournalError> {
        for cursor in commit.cursors {
            self.prepare(
                "INSERT INTO cursors (source, unbroken, drained, gap_from, gap_why, place) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (source) DO UPDATE SET unbroken = ?2, drained = ?3, gap_from = ?4, gap_why = ?5, place = ?6",
            )?
            .execute(params![
                cursor.source,
                cursor.unbroken.map(Timestamp::micros),
                cursor.drained.map(Timestamp::micros),
                cursor.gap.map(|(from, _)| from.micros()),
                cursor.gap.map(|(_, why)| why),
                cursor.place,
            ])
            .map_err(self.at.sql(Place::Cursors, ACTION))?;
        }
        Ok(())
    }

    fn drop_resolved(&self, before: Timestamp) -> Result<(), JournalError> {
        let mut delete = self.prepare(
            "DELETE FROM findings WHERE id IN \
             (SELECT id FROM findings WHERE state = ?1 AND updated_at < ?2 ORDER BY updated_at LIMIT ?3)",
        )?;
        let done = delete.execute(params![RESOLVED, before.micros(), RESOLVED_AT_ONCE]);
        done.map_err(self.at.sql(Place::Findings, ACTION))?;
        Ok(())
    }

    fn lives(&self, table: &str, place: Place, lives: &[LifeRow]) -> Result<(), JournalError> {
        if lives.is_empty() {
            return Ok(());
        }
        let mut upsert = self.prepare(&format!(
            "INSERT INTO {table} (id, seq, state, body, updated_at) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (id) DO UPDATE SET seq = ?2, state = ?3, body = ?4, updated_at = ?5"
        ))?;
        for life in lives {
            upsert
                .execute(params![life.id, integer(life.seq), life.state, life.body, life.updated_at.micros()])
                .map_err(self.at.sql(place, ACTION))?;
        }
        Ok(())
    }
}

/// The cursors of all sources, by name.
///
/// # Errors
/// When they cannot be read.
pub(super) fn read_cursors(at: &At<'_>, connection: &Connection) -> Result<Vec<CursorRow>, JournalError> {
    let failed = at.sql(Place::Cursors, "read");
    let mut statement = connection
        .prepare_cached(
            "SELECT source, unbroken, drained, gap_from, gap_why, place FROM cursors ORDER BY source",
        )
        .map_err(&failed)?;
    let rows = statement.query_map([], rows::cursor).map_err(&failed)?;
    rows.map(|row| row.map_err(&failed)).collect()
}

/// The ledgers of all sources, by name.
///
/// # Errors
/// When they cannot be read.
pub(super) fn read_ledger(at: &At<'_>, connection: &Connection) -> Result<Vec<Counters>, JournalError> {
    let failed = at.sql(Place::Ledger, "read");
    let mut ledger = Vec::new();
    let mut statement = connection
        .prepare_cached(
            "SELECT source, received, recorded, duplicate, ignored, quarantined FROM ledger ORDER BY source",
        )
        .map_err(&failed)?;
    let rows = statement.query_map([], |row| {
        Ok(Counters {
            source: row.get(0)?,
            received: number(row, 1)?,
            recorded: number(row, 2)?,
            duplicate: number(row, 3)?,
            ignored: number(row, 4)?,
            quarantined: number(row, 5)?,
            ..Counters::default()
        })
    });
    for counters in rows.map_err(&failed)? {
        ledger.push(counters.map_err(&failed)?);
    }
    let mut statement = connection
        .prepare_cached("SELECT what, name, count FROM tallies WHERE source = ?1")
        .map_err(&failed)?;
    for counters in &mut ledger {
        let mut rows = statement.query([&counters.source]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let what: u8 = row.get(0).map_err(&failed)?;
            let names = match what {
                UNMODELLED => &mut counters.unmodelled,
                IGNORED_BY => &mut counters.ignored_by,
                _ => return Err(at.damaged(Place::Ledger, "a tally counts nothing that is known")),
            };
            names.insert(row.get(1).map_err(&failed)?, number(row, 2).map_err(&failed)?);
        }
    }
    Ok(ledger)
}
