//! The keys of persons: a small database of its own beside the journal, `persons.db`.
//!
//! It is apart so that backups of the journal may be kept for years and of the keys only the latest: what a destroyed key sealed is then gone from those
//! backups too. A key is durable before the first record that needs it; one that no record needs is harmless. Its changes are undone
//! from a file that is emptied with each, and what is deleted is overwritten. The version that a database of SQLite may have for its user counts the times
//! that keys were destroyed for somebody: readers ask for it before they use a key that they remember.

use std::collections::BTreeSet;
use std::fs;

use osel_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::data::StoredRecord;
use super::super::error::{JournalError, Place};
use super::super::new_records::NewRecords;
use super::super::persons::{DRAWS_MAX, KEYS_AT_ONCE, Opener, PersonKey, Sealer, no_chance, week_of};
use super::connect::{At, Mode, connect, integer};
use super::directory;
use super::pages::{Page, page};
use super::rows::{conversion, number};

const ACTION: &str = "write the keys of persons of";
/// The keys, and the numbers of those that an erasure destroyed.
const TABLES: &str = "\
    CREATE TABLE IF NOT EXISTS persons (number INTEGER PRIMARY KEY, week INTEGER NOT NULL, label TEXT NOT NULL, \
    key BLOB NOT NULL, UNIQUE (label, week)) STRICT; \
    CREATE INDEX IF NOT EXISTS persons_by_week ON persons (week); \
    CREATE TABLE IF NOT EXISTS spent (number INTEGER PRIMARY KEY) STRICT;";
/// How many columns the table of keys had before a key was for a week.
const COLUMNS_WITHOUT_WEEK: i64 = 3;
const COLUMNS: &str = "number, label, key";
const INSERT: &str = "INSERT INTO persons (number, week, label, key) SELECT ?1, ?2, ?3, ?4 \
                      WHERE NOT EXISTS (SELECT 1 FROM spent WHERE number = ?1) ON CONFLICT (number) DO NOTHING";

/// The keys of a store that is written, and what seals by them.
#[derive(Debug)]
pub(super) struct Persons {
    connection: Connection,
    pub(super) sealer: Sealer,
}

impl Persons {
    /// Opens them, and makes the database where there is none. One that an earlier version made has keys for no week: they are taken for keys of
    /// that of the last record, behind which none of them sealed anything.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub(super) fn open(at: &At<'_>, store_id: &str, last_week: i64) -> Result<Self, JournalError> {
        let file = directory::persons(at.path);
        // A week is of a record: without one nothing was sealed.
        if last_week > week_of(Timestamp::MIN) && matches!(file.try_exists(), Ok(false)) {
            tracing::error!(
                file = %file.display(),
                "the keys of persons are not there: what was sealed by them cannot be read; stop osel and put the file back if it was not taken \
                 away on purpose, for keys that are made from now on are in a new one"
            );
        }
        directory::make_file(at, &file)?;
        let mut connection = connect(at, &file, Mode::Write)?;
        prepare(at, &connection, "TRUNCATE")?;
        make_tables(&mut connection, last_week).map_err(at.sql(Place::Persons, ACTION))?;
        Ok(Self { connection, sealer: Sealer::new(store_id) })
    }

    /// Makes sure that everybody whom these records are about has a key, durably.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn provide(&mut self, at: &At<'_>, records: &NewRecords) -> Result<(), JournalError> {
        let missing = self.sealer.missing(records);
        if missing.is_empty() {
            return Ok(());
        }
        let failed = at.sql(Place::Persons, ACTION);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let mut keys = Vec::with_capacity(missing.len());
        let week = self.sealer.week();
        for label in missing {
            let known = transaction
                .prepare_cached(&format!("SELECT {COLUMNS} FROM persons WHERE label = ?1 AND week = ?2"))
                .and_then(|mut statement| statement.query_row(params![label, week], key).optional())
                .map_err(&failed)?;
            keys.push(match known {
                Some(known) => known,
                None => make(at, &transaction, &mut self.sealer, label)?,
            });
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
            for found in select.query_map([label], |row| number(row, 0)).map_err(&failed)? {
                numbers.push(found.map_err(&failed)?);
            }
        }
        Ok(numbers)
    }

    /// Which of these numbers have keys.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn present(&self, at: &At<'_>, numbers: &[u64]) -> Result<BTreeSet<u64>, JournalError> {
        let failed = at.sql(Place::Persons, "read");
        let mut select =
            self.connection.prepare_cached("SELECT 1 FROM persons WHERE number = ?1").map_err(&failed)?;
        let mut present = BTreeSet::new();
        for &number in numbers {
            if select.exists([integer(number)]).map_err(&failed)? {
                present.insert(number);
            }
        }
        Ok(present)
    }

    /// Destroys keys for good: their numbers do not come again. Those that are destroyed already are no error.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn destroy(&mut self, at: &At<'_>, numbers: &[u64]) -> Result<(), JournalError> {
        let failed = at.sql(Place::Persons, ACTION);
        self.sealer.clear();
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        for &number in numbers {
            for sql in
                ["DELETE FROM persons WHERE number = ?1", "INSERT OR IGNORE INTO spent (number) VALUES (?1)"]
            {
                transaction.execute(sql, [integer(number)]).map_err(&failed)?;
            }
        }
        let erased = count_erased(&transaction).map_err(&failed)?;
        transaction.pragma_update(None, "user_version", erased.wrapping_add(1)).map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    /// Lets go of some of the keys that are for weeks before this one; says whether there may be more.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn drop_before(&mut self, at: &At<'_>, week: i64) -> Result<bool, JournalError> {
        let sql = "DELETE FROM persons WHERE number IN (SELECT number FROM persons WHERE week < ?1 LIMIT ?2)";
        let gone = self.connection.execute(sql, params![week, KEYS_AT_ONCE]);
        Ok(gone.map_err(at.sql(Place::Persons, ACTION))? >= KEYS_AT_ONCE as usize)
    }
}

/// Makes a key for somebody who has none this week, under a number that no other has or had.
fn make(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    sealer: &mut Sealer,
    label: &str,
) -> Result<PersonKey, JournalError> {
    let failed = at.sql(Place::Persons, ACTION);
    let mut insert = transaction.prepare_cached(INSERT).map_err(&failed)?;
    for _ in 0..DRAWS_MAX {
        let new = sealer.new_key(label).map_err(|error| at.io(at.path, ACTION, error.into()))?;
        let row = params![integer(new.number), sealer.week(), new.label, &new.key[..]];
        if insert.execute(row).map_err(&failed)? > 0 {
            return Ok(new);
        }
    }
    Err(at.io(at.path, ACTION, no_chance()))
}

/// Makes a connection one that writes keys: what undoes a change is emptied with it, or removed.
pub(super) fn prepare(at: &At<'_>, connection: &Connection, journal_mode: &str) -> Result<(), JournalError> {
    let failed = at.sql(Place::Persons, ACTION);
    connection
        .pragma_update_and_check(None, "journal_mode", journal_mode, |_| Ok(()))
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .and_then(|()| connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(())))
        .map_err(failed)
}

/// Makes the tables, and brings keys without a week to one.
pub(super) fn make_tables(connection: &mut Connection, week: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let columns: i64 =
        transaction.query_row("SELECT count(*) FROM pragma_table_info('persons')", [], |row| row.get(0))?;
    if columns == COLUMNS_WITHOUT_WEEK {
        transaction.execute_batch("ALTER TABLE persons RENAME TO earlier")?;
        transaction.execute_batch(TABLES)?;
        let sql = "INSERT INTO persons (number, week, label, key) SELECT number, ?1, label, key FROM earlier";
        transaction.execute(sql, [week])?;
        transaction.execute_batch("DROP TABLE earlier")?;
    } else {
        transaction.execute_batch(TABLES)?;
    }
    transaction.commit()
}

/// How often keys were destroyed for somebody.
pub(super) fn count_erased(connection: &Connection) -> rusqlite::Result<i32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
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
        if !Opener::is_needed(records) {
            return Ok(());
        }
        if !self.opener.knows_store() {
            self.opener.of_store(store_id()?);
        }
        if self.connection.is_none() {
            self.connection = connect_to_read(at)?;
        }
        let failed = at.sql(Place::Persons, "read");
        if let Some(connection) = &self.connection {
            self.opener.heed(count_erased(connection).map_err(&failed)?.into());
        }
        for number in self.opener.missing(records) {
            let found = match &self.connection {
                Some(connection) => connection
                    .prepare_cached(&format!("SELECT {COLUMNS} FROM persons WHERE number = ?1"))
                    .and_then(|mut statement| statement.query_row([integer(number)], key).optional())
                    .map_err(&failed)?,
                None => None,
            };
            self.opener.learn(number, found);
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
        let sql = "SELECT DISTINCT label FROM persons WHERE label > ?1 ORDER BY label";
        page(at, connection, sql, [behind], |row| row.get(0), String::len, |_: Option<&_>| Place::Persons)
    }
}

/// A connection to keys that are there; a database without its table was cut short while it was made, and has none.
pub(super) fn connect_to_read(at: &At<'_>) -> Result<Option<Connection>, JournalError> {
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
