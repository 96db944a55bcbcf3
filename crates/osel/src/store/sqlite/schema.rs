//! The format of the database file and how older ones are brought to it.
//!
//! A migration is a numbered file of SQL that is never changed once released; the format is the number of the
//! last one applied. All that are due run in one transaction: a store is in its old format or in the new one,
//! never between. A newer format is refused, as nobody can know what it means.

use rusqlite::{Connection, TransactionBehavior};

use super::super::data::{Head, NewStore};
use super::super::error::{JournalError, Place};
use super::super::format::format_of;
use super::connect::{At, integer};

/// Every migration, oldest first; a format is how many of them were applied.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
    include_str!("migrations/0007.sql"),
    include_str!("migrations/0008.sql"),
    include_str!("migrations/0009.sql"),
    include_str!("migrations/0010.sql"),
    include_str!("migrations/0011.sql"),
    include_str!("migrations/0012.sql"),
    include_str!("migrations/0013.sql"),
];

/// `osel` in ASCII, in the file's header: tells a store from other databases.
const APPLICATION_ID: i64 = 0x6f73_656c;

/// The format this program writes.
pub(super) fn format_known() -> u32 {
    format_of(MIGRATIONS)
}

/// What a database file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Empty, or a store whose making was cut short.
    Nothing,
    /// A store of that format.
    Format(u32),
    /// Somebody else's database.
    Foreign,
}

/// Finds out what a database is.
///
/// # Errors
/// When it cannot be read or is damaged.
pub(super) fn find(at: &At<'_>, connection: &Connection) -> Result<Found, JournalError> {
    let failed = at.sql(Place::File, "read");
    let application: i64 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(&failed)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(&failed)?;
    match (application, tables) {
        (0, 0) => Ok(Found::Nothing),
        (APPLICATION_ID, _) => {
            let format: i64 = connection
                .query_row("SELECT format FROM meta", [], |row| row.get(0))
                .map_err(at.sql(Place::Meta, "read"))?;
            let format =
                u32::try_from(format).map_err(|_| at.damaged(Place::Meta, "the format is no format"))?;
            Ok(Found::Format(format))
        }
        _ => Ok(Found::Foreign),
    }
}

/// Makes the tables of a new store and says in it what it is, in one transaction.
///
/// # Errors
/// When it cannot be written.
pub(super) fn create(
    at: &At<'_>,
    connection: &mut Connection,
    migrations: &[&str],
    new: &NewStore,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::File, "make");
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    for migration in migrations {
        transaction.execute_batch(migration).map_err(&failed)?;
    }
    let id = new.id_text();
    transaction
        .execute(
            "INSERT INTO meta (one, format, store_id, created_at, epoch, entry, seq, hash) \
             VALUES (1, ?1, ?2, ?3, 0, 0, 0, ?4)",
            (format_of(migrations), id, new.created_at.micros(), Head::EMPTY.hash),
        )
        .map_err(&failed)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(&failed)?;
    transaction.commit().map_err(&failed)
}

/// Brings a store to the newest of the formats, if it is not there already.
///
/// # Errors
/// When it is newer, or cannot be written; it is in its old format then.
pub(super) fn migrate(
    at: &At<'_>,
    connection: &mut Connection,
    migrations: &[&str],
) -> Result<(), JournalError> {
    let failed = at.sql(Place::File, "migrate");
    let known = format_of(migrations);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    let found: i64 = transaction
        .query_row("SELECT format FROM meta", [], |row| row.get(0))
        .map_err(at.sql(Place::Meta, "read"))?;
    let found = u32::try_from(found).map_err(|_| at.damaged(Place::Meta, "the format is no format"))?;
    if found > known {
        return Err(JournalError::TooNew { path: at.path.to_path_buf(), found, known });
    }
    if found == known {
        return Ok(());
    }
    for migration in migrations.iter().skip(found as usize) {
        transaction.execute_batch(migration).map_err(&failed)?;
    }
    transaction.execute("UPDATE meta SET format = ?1", [integer(u64::from(known))]).map_err(&failed)?;
    transaction.commit().map_err(&failed)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use osel_core::time::Timestamp;

    use super::super::super::data::Expiry;
    use super::super::super::error::ErrorClass;
    use super::super::super::format::check_readable;
    use super::super::expire;
    use super::*;

    /// What a later osel might add; real ones are files, tested by the same function.
    const LATER: &str =
        "ALTER TABLE records ADD COLUMN note TEXT; CREATE TABLE added (id INTEGER PRIMARY KEY) STRICT;";
    const BROKEN: &str = "CREATE TABLE half (id INTEGER PRIMARY KEY); INSERT INTO nowhere VALUES (1);";

    fn at() -> At<'static> {
        At { path: Path::new("/x") }
    }

    /// A store as the first released osel made it, with something of everything in it.
    fn fixture() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        let new = NewStore { id: [0xab; 16], created_at: Timestamp::EPOCH };
        create(&at(), &mut connection, &MIGRATIONS[..1], &new).unwrap();
        connection
            .execute_batch(
                "INSERT INTO records VALUES (1, 1, 2, 30, 40, zeroblob(32), x'0102', x'0100000000');
                 INSERT INTO blocks VALUES (1, 1, x'00');
                 INSERT INTO commands VALUES ('c', 1, 'planned', x'7b7d', 30);
                 INSERT INTO ledger VALUES ('one', 1, 1, 0, 0, 0);
                 UPDATE meta SET seq = 1, entry = 1;",
            )
            .unwrap();
        connection
    }

    fn format(connection: &Connection) -> i64 {
        connection.query_row("SELECT format FROM meta", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_first_format_store_comes_to_every_later_one_with_its_content() {
        let mut connection = fixture();
        migrate(&at(), &mut connection, MIGRATIONS).unwrap();
        assert_eq!(format(&connection), i64::from(format_known()));
        let sizes: (i64, i64, i64) = connection
            .query_row("SELECT input_bytes, version_bytes, part_bytes FROM sizes", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(sizes, (1, 0, 5));
        assert_eq!(expire::read(&at(), &connection).unwrap(), Expiry::default());
        let lives = "SELECT (SELECT count(*) FROM commands), (SELECT count(*) FROM findings)";
        let lives: (i64, i64) =
            connection.query_row(lives, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(lives, (1, 0));
        let later: Vec<&str> = MIGRATIONS.iter().copied().chain([LATER]).collect();
        for _ in 0..2 {
            migrate(&at(), &mut connection, &later).unwrap();
            assert_eq!(format(&connection), i64::from(format_known()) + 1);
        }
        let row: (i64, Vec<u8>, Option<String>) = connection
            .query_row("SELECT as_of, canonical, note FROM records", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(row, (40, vec![1, 2], None));
        assert_eq!(find(&at(), &connection).unwrap(), Found::Format(format_known() + 1));
    }

    #[test]
    fn a_failed_migration_leaves_the_old_format_whole() {
        let mut connection = fixture();
        let error = migrate(&at(), &mut connection, &[MIGRATIONS[0], LATER, BROKEN]).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Bug, "{error}");
        assert_eq!(format(&connection), 1);
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('half', 'added')", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(tables, 0);
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let mut connection = fixture();
        connection.execute("UPDATE meta SET format = 99", []).unwrap();
        let error = migrate(&at(), &mut connection, MIGRATIONS).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the store at `/x` has format 99, this osel knows up to {}: use a newer osel",
                format_known()
            )
        );
        assert_eq!((error.class(), format(&connection)), (ErrorClass::Config, 99));
        assert!(matches!(
            check_readable(Path::new("/x"), 99, format_known()),
            Err(JournalError::TooNew { .. })
        ));
        assert!(matches!(
            check_readable(Path::new("/x"), 0, format_known()),
            Err(JournalError::TooOld { .. })
        ));
    }

    #[test]
    fn tells_a_store_from_nothing_and_from_other_databases() {
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(find(&at(), &connection).unwrap(), Found::Nothing);
        connection.execute_batch("CREATE TABLE meta (format)").unwrap();
        assert_eq!(find(&at(), &connection).unwrap(), Found::Foreign);
    }
}
