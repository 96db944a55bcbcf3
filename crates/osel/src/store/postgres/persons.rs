//! The keys of persons: a table of its own, so that a backup may leave it out and a copy of it be kept for another time than the rest.
//!
//! New keys are written in the transaction of the first records that need them. Readers ask for those that they have not seen.

use super::super::data::StoredRecord;
use super::super::error::{JournalError, Place};
use super::super::persons::{Opener, PersonKey, Sealer};
use super::connect::{At, Session, integer};
use super::rows::{self, Read, column, number};
use super::writer::read_info;

const ACTION: &str = "write the keys of persons of";
const COLUMNS: &str = "number, label, key";
/// The columns [`label`] reads.
pub(super) const LABEL: &str = "label";

/// Makes sure, within a transaction, that everybody whom these records are about has a key. The sealer knows the keys from then on, and must forget them
/// where the transaction fails.
///
/// # Errors
/// When they cannot be written.
pub(super) async fn provide(
    at: &At<'_>,
    session: &mut Session,
    sealer: &mut Sealer,
    records: &[StoredRecord],
) -> Result<(), JournalError> {
    let missing: Vec<&str> = sealer.missing(records).into_iter().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let failed = at.sql(Place::Persons, ACTION);
    let sql = format!("SELECT {COLUMNS} FROM persons WHERE label = ANY($1::text[])");
    let mut known = std::collections::BTreeSet::new();
    for row in session.query(&sql, &[&missing]).await.map_err(&failed)? {
        let key = rows::at_place(at, Place::Persons, &row, key)?;
        known.insert(key.label.clone());
        sealer.learn(key);
    }
    for label in missing.into_iter().filter(|label| !known.contains(*label)) {
        let new = sealer.new_key(label).map_err(|error| at.io(ACTION, std::io::Error::from(error)))?;
        session
            .execute(
                "INSERT INTO persons (number, label, key) VALUES ($1, $2, $3)",
                &[&integer(new.number), &label, &&new.key[..]],
            )
            .await
            .map_err(&failed)?;
        sealer.learn(new);
    }
    Ok(())
}

/// The numbers of the keys of these words.
///
/// # Errors
/// When they cannot be read.
pub(super) async fn numbers(
    at: &At<'_>,
    session: &mut Session,
    labels: &[String],
) -> Result<Vec<u64>, JournalError> {
    let sql = "SELECT number FROM persons WHERE label = ANY($1::text[]) ORDER BY number";
    let found = session.query(sql, &[&labels]).await.map_err(at.sql(Place::Persons, "read"))?;
    found.iter().map(|row| rows::at_place(at, Place::Persons, row, |row| number(row, 0))).collect()
}

/// Destroys keys; those that are destroyed already are no error.
///
/// # Errors
/// When they cannot be written.
pub(super) async fn destroy(at: &At<'_>, session: &mut Session, numbers: &[u64]) -> Result<(), JournalError> {
    let numbers: Vec<i64> = numbers.iter().map(|number| integer(*number)).collect();
    let sql = "DELETE FROM persons WHERE number = ANY($1::bigint[])";
    session.execute(sql, &[&numbers]).await.map(drop).map_err(at.sql(Place::Persons, ACTION))
}

/// Gives an opener what it needs to open these records.
///
/// # Errors
/// When the keys cannot be read.
pub(super) async fn learn(
    at: &At<'_>,
    session: &mut Session,
    opener: &mut Opener,
    records: &[StoredRecord],
) -> Result<(), JournalError> {
    let missing = opener.missing(records);
    if missing.is_empty() {
        return Ok(());
    }
    if !opener.knows_store() {
        opener.of_store(read_info(at, session).await?.id);
    }
    let numbers: Vec<i64> = missing.iter().map(|number| integer(*number)).collect();
    let sql = format!("SELECT {COLUMNS} FROM persons WHERE number = ANY($1::bigint[])");
    let found = session.query(&sql, &[&numbers]).await.map_err(at.sql(Place::Persons, "read"))?;
    missing.into_iter().for_each(|number| opener.learn(number, None));
    for row in found {
        let key = rows::at_place(at, Place::Persons, &row, key)?;
        opener.learn(key.number, Some(key));
    }
    Ok(())
}

/// A row's word.
pub(super) fn label(row: &tokio_postgres::Row) -> Read<String> {
    column(row, 0)
}

fn key(row: &tokio_postgres::Row) -> Read<PersonKey> {
    Ok(PersonKey::read(number(row, 0)?, column(row, 1)?, column(row, 2)?)?)
}
