//! The keys of persons: a small database of its own beside the journal, `persons.db`.
//!
//! It is apart so that backups of the journal may be kept for years and of the keys only the latest: what a destroyed key sealed is then gone from those
//! backups too. A key is durable before the first record that needs it; one that no record needs is harmless. Its changes are undone
//! from a file that is emptied with each, and what is deleted is overwritten.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::super::data::StoredRecord;
use super::super::error::{JournalError, Place};
use super::super::persons::{Opener, PersonKey, Sealer};
use super::connect::{At, Mode, connect, integer};
use super::directory;
use super::pages::{Page, page};
use super::rows::{conversion, number};

const ACTION: &str = "write the keys of persons of";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS persons (\
                     number INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE, key BLOB NOT NULL) STRICT";
const COLUMNS: &str = "number, label, key";

/// The keys of a store that is written, and what seals by them.
#[derive(Debug)]
pub(super) struct Persons {
    connection: Connection,
    pub(super) sealer: Sealer,
}

impl Persons {
    /// Opens them, and makes the database where there is none.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub(super) fn open(at: &At<'_>, store_id: &str) -> Result<Self, JournalError> {
        let file = directory::persons(at.path);
        directory::make_file(at, &file)?;
        let connection = connect(at, &file, Mode::Write)?;
        prepare(at, &connection, "TRUNCATE")?;
        Ok(Self { connection, sealer: Sealer::new(store_id) })
    }

    /// Makes sure that everybody whom these records are about has a key, durably.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn provide(&mut self, at: &At<'_>, records: &[StoredRecord]) -> Result<(), JournalError> {
        let missing = self.sealer.missing(records);
        if missing.is_empty() {
            return Ok(());
        }
        let failed = at.sql(Place::Persons, ACTION);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let mut keys = Vec::with_capacity(missing.len());
        for label in missing {
            let known = transaction
                .prepare_cached(&format!("SELECT {COLUMNS} FROM persons WHERE label = ?1"))
                .and_then(|mut statement| statement.query_row([label], key).optional())
                .map_err(&failed)?;
            if let Some(known) = known {
                keys.push(known);
                continue;
            }
            let new = self.sealer.new_key(label).map_err(|error| at.io(at.path, ACTION, error.into()))?;
            transaction
                .prepare_cached("INSERT INTO persons (number, label, key) VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| {
                    statement.execute(params![integer(new.number), new.label, &new.key[..]])
                })
                .map_err(&failed)?;
            keys.push(new);
        }
        transaction.commit().map_err(&failed)?;
        keys.into_iter().for_each(|key| self.sealer.learn(key));
        Ok(())
    }

    /// The numbers of the keys of these words.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn numbers(&self, at: &At<'_>, labels: &[String]) -> Result<Vec<u64>, JournalError> {
        let failed = at.sql(Place::Persons, "read");
        let mut select =
            self.connection.prepare_cached("SELECT number FROM persons WHERE label = ?1").map_err(&failed)?;
        let mut numbers = Vec::new();
        for label in labels {
            numbers.extend(select.query_row([label], |row| number(row, 0)).optional().map_err(&failed)?);
        }
        Ok(numbers)
    }

    /// Destroys keys; those that are destroyed already are no error.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn destroy(&mut self, at: &At<'_>, numbers: &[u64]) -> Result<(), JournalError> {
        let failed = at.sql(Place::Persons, ACTION);
        self.sealer.clear();
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        for &number in numbers {
            transaction
                .execute("DELETE FROM persons WHERE number = ?1", [integer(number)])
                .map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }
}

/// Makes a connection one that writes keys: what undoes a change is emptied with it, or removed.
fn prepare(at: &At<'_>, connection: &Connection, journal_mode: &str) -> Result<(), JournalError> {
    let failed = at.sql(Place::Persons, ACTION);
    connection
        .pragma_update_and_check(None, "journal_mode", journal_mode, |_| Ok(()))
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .and_then(|()| connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(())))
        .and_then(|()| connection.execute_batch(TABLE))
        .map_err(failed)
}

fn key(row: &rusqlite::Row<'_>) -> rusqlite::Result<PersonKey> {
    let (number, label, key) = (number(row, 0)?, row.get(1)?, row.get(2)?);
    PersonKey::read(number, label, key).map_err(|error| conversion(2, error))
}

/// The keys of a store that is read, and what opens by them.
#[derive(Debug, Default)]
pub(super) struct OpenPersons {
    connection: Option<Connection>,
    opener: Opener,
}

impl OpenPersons {
    /// Opens what is sealed in these records of a store, whose id is told if it is asked for. Where there are no keys at all, as beside an
    /// old backup, all that is sealed is gone.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub(super) fn open(
        &mut self,
        at: &At<'_>,
        records: &mut [StoredRecord],
        store_id: impl FnOnce() -> Result<String, JournalError>,
    ) -> Result<(), JournalError> {
        let missing = self.opener.missing(records);
        if !missing.is_empty() {
            if !self.opener.knows_store() {
                self.opener.of_store(store_id()?);
            }
            if self.connection.is_none() {
                self.connection = connect_to_read(at)?;
            }
            let failed = at.sql(Place::Persons, "read");
            for number in missing {
                let found = match &self.connection {
                    Some(connection) => connection
                        .prepare_cached(&format!("SELECT {COLUMNS} FROM persons WHERE number = ?1"))
                        .and_then(|mut statement| statement.query_row([integer(number)], key).optional())
                        .map_err(&failed)?,
                    None => None,
                };
                self.opener.learn(number, found);
            }
        }
        records.iter_mut().for_each(|record| self.opener.open(record));
        Ok(())
    }

    /// The words of persons from behind one on, a page of them; none where there are no keys at all.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn labels(&mut self, at: &At<'_>, behind: &str) -> Result<Page<String>, JournalError> {
        if self.connection.is_none() {
            self.connection = connect_to_read(at)?;
        }
        let Some(connection) = &self.connection else {
            return Ok(Page { rows: Vec::new(), error: None, full: false });
        };
        let sql = "SELECT label FROM persons WHERE label > ?1 ORDER BY label";
        page(at, connection, sql, [behind], |row| row.get(0), String::len, |_: Option<&_>| Place::Persons)
    }
}

/// A connection to keys that are there; a database without its table was cut short while it was made, and has none.
fn connect_to_read(at: &At<'_>) -> Result<Option<Connection>, JournalError> {
    let file = directory::persons(at.path);
    match fs::metadata(&file) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at.io(&file, "look at", error)),
    }
    let open = |mode| {
        let connection = connect(at, &file, mode)?;
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'persons'", [], |row| row.get(0))
            .map_err(at.sql(Place::Persons, "read"))?;
        Ok((tables > 0).then_some(connection))
    };
    match open(Mode::Read) {
        // A writer was killed while it wrote: what it had begun is undone, which only who may write can do.
        Err(JournalError::NoPermission { .. }) => open(Mode::Write),
        opened => opened,
    }
}

/// Copies the keys of a store into a new directory, as they are after everything that was copied before; nothing where there are none.
///
/// # Errors
/// When they cannot be read or written.
pub(super) fn copy(source: &Path, at: &At<'_>) -> Result<(), JournalError> {
    let from = At { path: source };
    let Some(keys) = connect_to_read(&from)? else { return Ok(()) };
    let file = directory::persons(at.path);
    directory::make_file(at, &file)?;
    let written = at.sql(Place::Persons, "write");
    let mut target = connect(at, &file, Mode::Write)?;
    // Nothing is left beside the copy.
    prepare(at, &target, "DELETE")?;
    let transaction = target.transaction().map_err(&written)?;
    let read = from.sql(Place::Persons, "read");
    let mut select = keys.prepare(&format!("SELECT {COLUMNS} FROM persons")).map_err(&read)?;
    for known in select.query_map([], key).map_err(&read)? {
        let known = known.map_err(&read)?;
        transaction
            .prepare_cached("INSERT INTO persons (number, label, key) VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| {
                statement.execute(params![integer(known.number), known.label, &known.key[..]])
            })
            .map_err(&written)?;
    }
    transaction.commit().map_err(&written)
}
