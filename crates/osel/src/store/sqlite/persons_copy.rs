//! Copying the keys of persons beside a copy of the journal, which is of one moment.
//!
//! Nobody waits for it, so that keys come and go meanwhile, and two of these ways to go must not be taken for each other:
//!
//! - A key goes **with its week**, behind the parts that it sealed. The journal that is copied may be of a moment at which it had those parts still, and its
//!   records tell nothing of what came later: the key belongs into the copy. So keys are read before that moment, whoever goes then, and again just behind it,
//!   which has those that were made since: a key is durable before the first record that needs it. What is made and goes with its week between the two would
//!   be missed. They are as far apart as reading the keys takes, and a key is used for a week.
//! - A key is **destroyed** for somebody who is erased, and must not come back by the first of these readings. So what was destroyed is taken out last, by what
//!   the keys say when all else is done, and by the journal that was copied: an erasure that it tells of may have come no further than its order.
//! - A key may go both ways: with its week, and then its person is erased. An erasure destroys the keys that it finds, and nothing is left that says whose one was
//!   that went before. So once somebody was erased while the copy was made, or an erasure is under way in the journal that was copied, **no key stays that the store
//!   has no more**: parts of weeks that went meanwhile are locked in such a copy then, also those of others.
//!
//! Whoever is erased before the copy is finished is in it as little as one who was erased before it began.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::super::code::Malformed;
use super::super::erasure::{Erasing, Stage};
use super::super::error::{JournalError, Place};
use super::connect::{At, Mode, connect, integer};
use super::directory;
use super::pages::page;
use super::persons::{connect_to_read, count_erased, make_tables, prepare};

/// How rows are read, and written.
type Table = (&'static str, &'static str);
/// Of two keys of somebody for one week the first was destroyed, and the second made when that person came back.
const KEYS: Table = (
    "SELECT number, week, label, key FROM persons WHERE number > ?1 ORDER BY number",
    "INSERT OR REPLACE INTO persons (number, week, label, key) VALUES (?1, ?2, ?3, ?4)",
);
const SPENT: Table = (
    "SELECT number FROM spent WHERE number > ?1 ORDER BY number",
    "INSERT OR IGNORE INTO spent (number) VALUES (?1)",
);
/// Which keys the store has, noted beside the copy and not in it.
const HERE: Table = (
    "SELECT number FROM persons WHERE number > ?1 ORDER BY number",
    "INSERT OR IGNORE INTO temp.here (number) VALUES (?1)",
);
/// How often what was destroyed is looked for at most, where somebody was erased while it was.
const LOOKS_MAX: usize = 8;

/// The keys of a store on their way into a copy.
pub(super) struct KeysCopy<'a> {
    source: &'a Path,
    at: At<'a>,
    /// Once there are keys at all.
    sides: Option<Sides>,
}

/// Both sides of a copy.
struct Sides {
    keys: Connection,
    /// All that is written is one transaction, until it is finished.
    target: Connection,
    /// How often keys had been destroyed for somebody before the first was copied.
    erased: i32,
}

impl<'a> KeysCopy<'a> {
    /// From a store into a directory that has no keys.
    pub(super) fn new(source: &'a Path, target: &'a Path) -> Self {
        Self { source, at: At { path: target }, sides: None }
    }

    /// Takes all keys that are there while each page of them is read; nothing where there are none.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub(super) fn take(&mut self) -> Result<(), JournalError> {
        self.take_by(&mut || {})
    }

    /// The same, with something that is done behind each page.
    pub(super) fn take_by(&mut self, behind_page: &mut dyn FnMut()) -> Result<(), JournalError> {
        if self.sides.is_none() {
            self.sides = self.open()?;
        }
        match &self.sides {
            Some(Sides { keys, target, .. }) => self.copy_rows(keys, target, KEYS, behind_page),
            None => Ok(()),
        }
    }

    /// Ends the copy without what was destroyed: of the store, and by the erasures that are under way in the journal that was copied.
    ///
    /// # Errors
    /// When keys cannot be read or written, or persons are erased again and again.
    pub(super) fn finish(self, under_way: &[Erasing]) -> Result<(), JournalError> {
        let Some(Sides { keys, target, erased: before }) = &self.sides else { return Ok(()) };
        let from = At { path: self.source };
        let (read, written) = (from.sql(Place::Persons, "read"), self.at.sql(Place::Persons, "write"));
        for erasing in under_way {
            erase(target, erasing).map_err(&written)?;
        }
        for _ in 0..LOOKS_MAX {
            let erased = count_erased(keys).map_err(&read)?;
            if erased != *before || !under_way.is_empty() {
                self.keep_what_is_here(keys, target)?;
            }
            self.copy_rows(keys, target, SPENT, &mut || {})?;
            target
                .execute("DELETE FROM persons WHERE number IN (SELECT number FROM spent)", [])
                .map_err(&written)?;
            if count_erased(keys).map_err(&read)? == erased {
                return target.execute_batch("COMMIT").map_err(&written);
            }
        }
        let error = Malformed("persons were erased each time that its keys were copied").into();
        Err(JournalError::Busy { path: self.source.to_path_buf(), source: error })
    }

    /// Takes out what the store has no more, for whatever reason.
    fn keep_what_is_here(&self, keys: &Connection, target: &Connection) -> Result<(), JournalError> {
        let written = self.at.sql(Place::Persons, "write");
        let anew =
            "CREATE TEMP TABLE IF NOT EXISTS here (number INTEGER PRIMARY KEY) STRICT; DELETE FROM temp.here";
        target.execute_batch(anew).map_err(&written)?;
        self.copy_rows(keys, target, HERE, &mut || {})?;
        let gone =
            target.execute("DELETE FROM persons WHERE number NOT IN (SELECT number FROM temp.here)", []);
        gone.map(drop).map_err(&written)
    }

    fn open(&self) -> Result<Option<Sides>, JournalError> {
        let from = At { path: self.source };
        let Some(keys) = connect_to_read(&from)? else { return Ok(None) };
        let erased = count_erased(&keys).map_err(from.sql(Place::Persons, "read"))?;
        let file = directory::persons(self.at.path);
        directory::make_file(&self.at, &file)?;
        let written = self.at.sql(Place::Persons, "write");
        let mut target = connect(&self.at, &file, Mode::Write)?;
        // Nothing is left beside the copy.
        prepare(&self.at, &target, "DELETE")?;
        make_tables(&mut target, 0).map_err(&written)?;
        target.execute_batch("BEGIN IMMEDIATE").map_err(&written)?;
        Ok(Some(Sides { keys, target, erased }))
    }

    /// Copies the rows of a table that are there while each page is read, by their numbers.
    fn copy_rows(
        &self,
        keys: &Connection,
        target: &Connection,
        (select, insert): Table,
        behind_page: &mut dyn FnMut(),
    ) -> Result<(), JournalError> {
        let from = At { path: self.source };
        let written = self.at.sql(Place::Persons, "write");
        let row = |row: &rusqlite::Row<'_>| {
            let values = (0..row.as_ref().column_count()).map(|column| row.get(column));
            Ok((row.get(0)?, values.collect::<rusqlite::Result<Vec<Value>>>()?))
        };
        let mut behind = i64::MIN;
        loop {
            let bytes = |(_, values): &(i64, Vec<Value>)| values.len() * size_of::<Value>();
            let page = page(&from, keys, select, [behind], row, bytes, |_: Option<&_>| Place::Persons)?;
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
}

/// Takes out what an erasure destroys: by the numbers that it has noted, or by the words of the person where it has noted none yet. Then no record was written
/// since its order, so that nothing is sealed by a key of somebody who came back.
fn erase(target: &Connection, erasing: &Erasing) -> rusqlite::Result<()> {
    let labels = if erasing.stage == Stage::Ordered { &erasing.persons[..] } else { &[] };
    for label in labels {
        target.execute("INSERT OR IGNORE INTO spent SELECT number FROM persons WHERE label = ?1", [label])?;
    }
    for &number in &erasing.numbers {
        target.execute("INSERT OR IGNORE INTO spent (number) VALUES (?1)", [integer(number)])?;
    }
    Ok(())
}
