//! The format of the tables and how older ones are brought to it.
//!
//! A migration is a numbered file of SQL that is never changed once released; the format is the number of the last
//! one applied. All that are due run in one transaction, together with the taking of the lease: nobody changes the
//! tables beneath a leader. A newer format is refused, as nobody can know what it means.

use super::super::data::{Head, NewStore};
use super::super::error::{JournalError, Place};
use super::super::format::format_of;
use super::connect::{At, Session};
use super::rows;

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
];

/// `osel` in ASCII: the lock that two who make the same store contend for.
const MAKING: i64 = 0x6f73_656c;

/// Why a database in another encoding is refused, and what to do.
pub(super) const NOT_UTF8: &str = "the database is not in UTF-8: make one by `CREATE DATABASE osel OWNER osel ENCODING 'UTF8' TEMPLATE template0`";

/// The format this program writes.
pub(super) fn format_known() -> u32 {
    format_of(MIGRATIONS)
}

/// The format of the store in a database; none where there is no store.
///
/// # Errors
/// When it cannot be read, or the schema is somebody else's.
pub(super) async fn find(at: &At<'_>, session: &mut Session) -> Result<Option<u32>, JournalError> {
    let failed = at.sql(Place::Meta, "read");
    let sql = "SELECT to_regclass('osel.meta') IS NOT NULL, \
               EXISTS (SELECT FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'osel'), \
               current_setting('server_encoding') = 'UTF8'";
    let row = session.query_opt(sql, &[]).await.map_err(&failed)?;
    let found = |column| match &row {
        Some(row) => rows::at_place(at, Place::Meta, row, |row| rows::column::<bool>(row, column)),
        None => Ok(false),
    };
    // Others cannot take every text of the bus: what has come once would come again and again.
    if row.is_some() && !found(2)? {
        return Err(JournalError::NotAStore { path: at.path.to_path_buf(), reason: NOT_UTF8 });
    }
    match (found(0)?, found(1)?) {
        (true, _) => {}
        (false, false) => return Ok(None),
        (false, true) => {
            let reason = "its schema `osel` belongs to something else";
            return Err(JournalError::NotAStore { path: at.path.to_path_buf(), reason });
        }
    }
    let row = session.query_opt("SELECT format FROM meta", &[]).await.map_err(&failed)?;
    let row = row.ok_or_else(|| at.damaged(Place::Meta, "it says nothing about itself"))?;
    let format =
        rows::at_place(at, Place::Meta, &row, |row| Ok(u32::try_from(rows::column::<i32>(row, 0)?)?))?;
    Ok(Some(format))
}

/// Makes the tables of a new store and says in it what it is, in one transaction; another who makes it at the same
/// time is waited for, and then there is nothing left to do.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn create(
    at: &At<'_>,
    session: &mut Session,
    migrations: &[&str],
    new: &NewStore,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::File, "make");
    session.batch("BEGIN").await.map_err(&failed)?;
    session.query("SELECT pg_advisory_xact_lock($1)", &[&MAKING]).await.map_err(&failed)?;
    if find(at, session).await?.is_none() {
        for migration in migrations {
            session.batch(migration).await.map_err(&failed)?;
        }
        let id = new.id_text();
        let format = i32::try_from(format_of(migrations)).unwrap_or(i32::MAX);
        session
            .execute(
                "INSERT INTO meta (one, format, store_id, created_at, epoch, token, entry, seq, hash, renewed_at) \
                 VALUES (1, $1, $2, $3, 0, '', 0, 0, $4, clock_timestamp())",
                &[&format, &id, &new.created_at.micros(), &&Head::EMPTY.hash[..]],
            )
            .await
            .map_err(&failed)?;
    }
    session.batch("COMMIT").await.map_err(&failed)
}

/// Refuses a format that is newer than what is known to a writer.
///
/// # Errors
/// As said.
pub(super) fn check_known(at: &At<'_>, found: u32, migrations: &[&str]) -> Result<(), JournalError> {
    let known = format_of(migrations);
    if found > known {
        Err(JournalError::TooNew { path: at.path.to_path_buf(), found, known })
    } else {
        Ok(())
    }
}

/// Brings a store to the newest of the formats, within the transaction in which the lease was taken.
///
/// # Errors
/// When it is newer, or cannot be written.
pub(super) async fn migrate(
    at: &At<'_>,
    session: &mut Session,
    migrations: &[&str],
) -> Result<(), JournalError> {
    let failed = at.sql(Place::File, "migrate");
    let known = format_of(migrations);
    let found = find(at, session).await?.unwrap_or(0);
    check_known(at, found, migrations)?;
    if found == known {
        return Ok(());
    }
    for migration in migrations.iter().skip(found as usize) {
        session.batch(migration).await.map_err(&failed)?;
    }
    let known = i32::try_from(known).unwrap_or(i32::MAX);
    session.execute("UPDATE meta SET format = $1", &[&known]).await.map_err(&failed).map(drop)
}
