//! The keys of persons: a table of its own, so that a backup may leave it out and a copy of it be kept for another time than the rest.
//!
//! New keys are written in the transaction of the first records that need them. Readers ask for those that they have not seen, and before that whether
//! somebody was erased since they asked last: keys are destroyed in the transaction of the order.

use std::collections::BTreeSet;

use super::super::error::{JournalError, Place};
use super::super::new_records::NewRecords;
use super::super::persons::{DRAWS_MAX, KEYS_AT_ONCE, PersonKey, Sealer, no_chance};
use super::connect::{At, Parameters, Session, integer};
use super::rows::{self, Read, column, number};

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
    records: &NewRecords,
) -> Result<(), JournalError> {
    let missing: Vec<&str> = sealer.missing(records).into_iter().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let failed = at.sql(Place::Persons, ACTION);
    let week = sealer.week();
    let sql = format!("SELECT {COLUMNS} FROM persons WHERE label = ANY($1::text[]) AND week = $2");
    let mut known = BTreeSet::new();
    for row in session.query(&sql, &[&missing, &week]).await.map_err(&failed)? {
        let key = rows::at_place(at, Place::Persons, &row, key)?;
        known.insert(key.label.clone());
        sealer.learn(key);
    }
    for label in missing.into_iter().filter(|label| !known.contains(*label)) {
        let new = make(at, session, sealer, label).await?;
        sealer.learn(new);
    }
    Ok(())
}

/// Makes a key for somebody who has none this week, under a number that no other has or had.
async fn make(
    at: &At<'_>,
    session: &mut Session,
    sealer: &mut Sealer,
    label: &str,
) -> Result<PersonKey, JournalError> {
    let sql = "INSERT INTO persons (number, week, label, key) SELECT $1::bigint, $2::bigint, $3::text, $4::bytea \
               WHERE NOT EXISTS (SELECT FROM spent WHERE number = $1) ON CONFLICT (number) DO NOTHING";
    for _ in 0..DRAWS_MAX {
        let new = sealer.new_key(label).map_err(|error| at.io(ACTION, std::io::Error::from(error)))?;
        let row: Parameters<'_> = &[&integer(new.number), &sealer.week(), &label, &&new.key[..]];
        if session.execute(sql, row).await.map_err(at.sql(Place::Persons, ACTION))? > 0 {
            return Ok(new);
        }
    }
    Err(at.io(ACTION, no_chance()))
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

/// Which of these numbers have keys.
///
/// # Errors
/// When they cannot be read.
pub(super) async fn present(
    at: &At<'_>,
    session: &mut Session,
    numbers: &[u64],
) -> Result<BTreeSet<u64>, JournalError> {
    if numbers.is_empty() {
        return Ok(BTreeSet::new());
    }
    let numbers: Vec<i64> = numbers.iter().map(|number| integer(*number)).collect();
    let sql = "SELECT number FROM persons WHERE number = ANY($1::bigint[])";
    let found = session.query(sql, &[&numbers]).await.map_err(at.sql(Place::Persons, "read"))?;
    found.iter().map(|row| rows::at_place(at, Place::Persons, row, |row| number(row, 0))).collect()
}

/// Destroys keys for good: their numbers do not come again. Those that are destroyed already are no error.
///
/// # Errors
/// When they cannot be written.
pub(super) async fn destroy(at: &At<'_>, session: &mut Session, numbers: &[u64]) -> Result<(), JournalError> {
    let numbers: Vec<i64> = numbers.iter().map(|number| integer(*number)).collect();
    for sql in [
        "DELETE FROM persons WHERE number = ANY($1::bigint[])",
        "INSERT INTO spent (number) SELECT unnest($1::bigint[]) ON CONFLICT DO NOTHING",
    ] {
        session.execute(sql, &[&numbers]).await.map_err(at.sql(Place::Persons, ACTION))?;
    }
    Ok(())
}

/// Lets go of some of the keys that are for weeks before this one; says whether there may be more.
///
/// # Errors
/// When they cannot be written.
pub(super) async fn drop_before(at: &At<'_>, session: &mut Session, week: i64) -> Result<bool, JournalError> {
    let sql = "DELETE FROM persons WHERE number IN (SELECT number FROM persons WHERE week < $1 LIMIT $2)";
    let gone = session.execute(sql, &[&week, &i64::from(KEYS_AT_ONCE)]).await;
    Ok(gone.map_err(at.sql(Place::Persons, ACTION))? >= u64::from(KEYS_AT_ONCE))
}

/// How often somebody was erased, in a count of its own: another one after each time.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn count_erased(at: &At<'_>, session: &mut Session) -> Result<i64, JournalError> {
    let place = Place::Erasures;
    let sql = "SELECT coalesce(max(seq), 0) FROM erasures";
    let row = session.query_opt(sql, &[]).await.map_err(at.sql(place, "read"))?;
    row.map_or(Ok(0), |row| rows::at_place(at, place, &row, |row| column(row, 0)))
}

/// The keys of these numbers, as far as there are any.
///
/// # Errors
/// When they cannot be read.
pub(super) async fn find(
    at: &At<'_>,
    session: &mut Session,
    numbers: &[i64],
) -> Result<Vec<PersonKey>, JournalError> {
    let sql = format!("SELECT {COLUMNS} FROM persons WHERE number = ANY($1::bigint[])");
    let found = session.query(&sql, &[&numbers]).await.map_err(at.sql(Place::Persons, "read"))?;
    found.iter().map(|row| rows::at_place(at, Place::Persons, row, key)).collect()
}

/// A row's word.
pub(super) fn label(row: &tokio_postgres::Row) -> Read<String> {
    column(row, 0)
}

fn key(row: &tokio_postgres::Row) -> Read<PersonKey> {
    Ok(PersonKey::read(number(row, 0)?, column(row, 1)?, column(row, 2)?)?)
}
