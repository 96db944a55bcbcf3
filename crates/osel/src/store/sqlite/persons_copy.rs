//! Copying the keys of persons beside a copy of the journal.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params_from_iter};

use super::super::code::Malformed;
use super::super::error::{JournalError, Place};
use super::connect::{At, Mode, connect};
use super::directory;
use super::pages::page;
use super::persons::{connect_to_read, count_erased, make_tables, prepare};

/// What a copy has, table by table: how its rows are read, and written.
const COPIED: [(&str, &str); 2] = [
    ("SELECT number FROM spent WHERE number > ?1 ORDER BY number", "INSERT INTO spent (number) VALUES (?1)"),
    (
        "SELECT number, week, label, key FROM persons WHERE number > ?1 ORDER BY number",
        "INSERT INTO persons (number, week, label, key) VALUES (?1, ?2, ?3, ?4)",
    ),
];
/// How often keys are copied at most, where some were destroyed meanwhile that are in the copy.
const COPIES_MAX: usize = 8;

/// Copies the keys of a store into a new directory, page by page, so that its writer waits for none of it; nothing where there are none. Those that are
/// made meanwhile seal nothing that was copied before.
///
/// # Errors
/// When they cannot be read or written.
pub(super) fn copy(source: &Path, at: &At<'_>) -> Result<(), JournalError> {
    copy_by(source, at, &mut || {})
}

/// The same, with something that is done behind each page.
pub(super) fn copy_by(source: &Path, at: &At<'_>, behind_page: &mut dyn FnMut()) -> Result<(), JournalError> {
    let from = At { path: source };
    let Some(keys) = connect_to_read(&from)? else { return Ok(()) };
    let file = directory::persons(at.path);
    directory::make_file(at, &file)?;
    let (read, written) = (from.sql(Place::Persons, "read"), at.sql(Place::Persons, "write"));
    let mut target = connect(at, &file, Mode::Write)?;
    // Nothing is left beside the copy.
    prepare(at, &target, "DELETE")?;
    make_tables(&mut target, 0).map_err(&written)?;
    for _ in 0..COPIES_MAX {
        let erased = count_erased(&keys).map_err(&read)?;
        let transaction = target.transaction().map_err(&written)?;
        for table in COPIED {
            copy_rows((&from, &keys), (at, &transaction), table, behind_page)?;
        }
        // What was destroyed meanwhile may be in the copy: it begins anew.
        if count_erased(&keys).map_err(&read)? == erased {
            return transaction.commit().map_err(&written);
        }
    }
    let error = Malformed("persons were erased each time that its keys were copied").into();
    Err(JournalError::Busy { path: source.to_path_buf(), source: error })
}

/// Copies the rows of a table that are there while each page is read, by their numbers.
fn copy_rows(
    (from, keys): (&At<'_>, &Connection),
    (at, target): (&At<'_>, &Transaction<'_>),
    (select, insert): (&str, &str),
    behind_page: &mut dyn FnMut(),
) -> Result<(), JournalError> {
    let written = at.sql(Place::Persons, "write");
    let row = |row: &rusqlite::Row<'_>| {
        let values = (0..row.as_ref().column_count()).map(|column| row.get(column));
        Ok((row.get(0)?, values.collect::<rusqlite::Result<Vec<Value>>>()?))
    };
    let mut behind = i64::MIN;
    loop {
        let bytes = |(_, values): &(i64, Vec<Value>)| values.len() * size_of::<Value>();
        let page = page(from, keys, select, [behind], row, bytes, |_: Option<&_>| Place::Persons)?;
        for (number, values) in page.rows {
            behind = number;
            target
                .prepare_cached(insert)
                .and_then(|mut statement| statement.execute(params_from_iter(values)))
                .map_err(&written)?;
        }
        match page.error {
            Some(error) => return Err(error),
            None if page.full => behind_page(),
            None => return Ok(()),
        }
    }
}
