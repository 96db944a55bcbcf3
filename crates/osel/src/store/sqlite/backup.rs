//! Copying a store that may be in use, and proving that the copy is the store.
//!
//! The copy is made a few pages at a time within one read transaction, so that it is of one moment and the
//! writer goes on. It gets its name only after it was opened, checked by SQLite and read from the first
//! record and entry to the last.
//!
//! The search index stays behind: it has the terms of personal parts as they are, which no key locks, and whoever is erased later would be named by every copy
//! of it. It may lack any record, and is made anew from what the copy's keys open.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::super::code::Malformed;
use super::super::data::{ALL, Head};
use super::super::erasure::Erasing;
use super::super::error::{JournalError, Place};
use super::super::journal::Reader;
use super::batch::read_meta;
use super::connect::{At, Mode, connect, overwrite_deleted};
use super::persons_copy::KeysCopy;
use super::reader::SqliteReader;
use super::{directory, erasure};

/// Pages copied between two reports of progress: 16 MiB.
const PAGES_AT_ONCE: i32 = 2048;
/// Records checked between two reports of progress.
const RECORDS_AT_ONCE: u64 = 10_000;
/// How often a locked source is asked again, and how long is waited before: five seconds in all.
const LOCKED_ATTEMPTS: u32 = 50;
const LOCKED_WAIT: Duration = Duration::from_millis(100);

/// How far a backup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupProgress {
    /// Pages were copied.
    Copied {
        /// So many.
        pages: u64,
        /// Of so many.
        of: u64,
    },
    /// Records of the copy were read again.
    Checked {
        /// So many.
        records: u64,
        /// Of so many.
        of: u64,
    },
}

/// Copies a store into a directory that is not there or empty, and checks the copy.
///
/// # Errors
/// When it cannot be read or written, or the copy is not what was copied.
pub(super) fn backup(
    source: &Path,
    target: &Path,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<Head, JournalError> {
    let at = At { path: target };
    let reader = SqliteReader::open(source)?;
    directory::make_empty(&at)?;
    let unfinished = target.join("journal.db.unfinished");
    directory::make_file(&at, &unfinished)?;
    // A file of its own, which may be kept for another time.
    let mut keys = KeysCopy::new(source, target);
    let result = keys
        .take()
        .and_then(|()| copy((source, reader.connection()), &at, &unfinished, &mut keys, progress))
        .and_then(|head| check(&at, &unfinished, head, progress).map(|erasures| (head, erasures)))
        .and_then(|(head, erasures)| keys.finish(&erasures).map(|()| head));
    match result {
        Ok(head) => {
            let file = directory::database(target);
            fs::rename(&unfinished, &file).map_err(|error| at.io(&file, "name", error))?;
            directory::sync_directory(&at, target)?;
            Ok(head)
        }
        Err(error) => {
            // What failed says more than that its remains could not be removed.
            let _ = fs::remove_file(&unfinished);
            let _ = fs::remove_file(directory::persons(target));
            Err(error)
        }
    }
}

/// Copies all pages of one moment, and takes the keys that are there just behind it; returns the head of that moment.
fn copy(
    (path, source): (&Path, &Connection),
    at: &At<'_>,
    file: &Path,
    keys: &mut KeysCopy<'_>,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<Head, JournalError> {
    let from = At { path };
    let read = from.sql(Place::File, "read");
    let written = at.sql(Place::File, "write");
    // Holds the moment while it is copied.
    let moment = source.unchecked_transaction().map_err(&read)?;
    let (_, head) = read_meta(&moment).map_err(from.sql(Place::Meta, "read"))?;
    keys.take()?;
    let mut target = connect(at, file, Mode::Write)?;
    {
        let backup = Backup::new(source, &mut target).map_err(&written)?;
        let mut locked = 0;
        loop {
            let step = backup.step(PAGES_AT_ONCE).map_err(&written)?;
            let state = backup.progress();
            let of = u64::from(state.pagecount.unsigned_abs());
            progress(BackupProgress::Copied {
                pages: of.saturating_sub(u64::from(state.remaining.unsigned_abs())),
                of,
            });
            match step {
                StepResult::Done => break,
                StepResult::More => locked = 0,
                _ if locked < LOCKED_ATTEMPTS => {
                    locked += 1;
                    std::thread::sleep(LOCKED_WAIT);
                }
                _ => {
                    let source = Malformed("its pages stayed locked").into();
                    return Err(JournalError::Busy { path: path.to_path_buf(), source });
                }
            }
        }
    }
    leave_index_out(at, &target)?;
    target.close().map_err(|(_, error)| written(error))?;
    Ok(head)
}

/// Takes the search index out of a copy, and its bytes out of the file. Segments go with their pages: none may say that it knows records.
///
/// The room stays, as zeros: SQLite gives it back only by writing the whole file anew, which takes the disk and the time of another copy.
fn leave_index_out(at: &At<'_>, copy: &Connection) -> Result<(), JournalError> {
    let written = at.sql(Place::Index, "write");
    // Nothing of a file that has no name yet has to be undone, and no other file beside it has the terms.
    log_changes(at, copy, "off")?;
    overwrite_deleted(copy, true)
        .and_then(|()| {
            copy.execute_batch(
                "BEGIN IMMEDIATE; DELETE FROM search_pages; DELETE FROM search_segments; COMMIT",
            )
        })
        .map_err(written)?;
    log_changes(at, copy, "wal")
}

/// Has changes of a copy logged in another way. SQLite answers with the way in which they are logged from now on: one that it does not go over to is no
/// error to it.
fn log_changes(at: &At<'_>, copy: &Connection, mode: &'static str) -> Result<(), JournalError> {
    let now: String = copy
        .pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))
        .map_err(at.sql(Place::File, "write"))?;
    if now.eq_ignore_ascii_case(mode) {
        return Ok(());
    }
    let source = OtherMode { wanted: mode, now }.into();
    Err(JournalError::Io { path: at.path.to_path_buf(), action: "log changes to", source })
}

/// Changes are not logged as they have to be.
#[derive(Debug, thiserror::Error)]
#[error("its journal mode stays `{now}` where `{wanted}` was asked for")]
struct OtherMode {
    wanted: &'static str,
    now: String,
}

/// Opens the copy and reads all of it; returns the erasures that are under way in it.
fn check(
    at: &At<'_>,
    file: &Path,
    head: Head,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<Vec<Erasing>, JournalError> {
    let mut copy = SqliteReader::open_file(at.path, file)?;
    let verdict: String = copy
        .connection()
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(at.sql(Place::File, "check"))?;
    if verdict != "ok" {
        let source = verdict.into();
        return Err(JournalError::Damaged { path: at.path.to_path_buf(), place: Place::File, source });
    }
    let found = copy.head()?;
    if found != head {
        return Err(JournalError::HeadMoved { path: at.path.to_path_buf(), expected: head, found });
    }
    let (mut seq, mut hash) = (0, Head::EMPTY.hash);
    copy.records(ALL, &mut |record| {
        if record.seq != seq + 1 {
            return ControlFlow::Break(());
        }
        (seq, hash) = (record.seq, record.hash);
        if seq % RECORDS_AT_ONCE == 0 {
            progress(BackupProgress::Checked { records: seq, of: head.seq });
        }
        ControlFlow::Continue(())
    })?;
    if (seq, hash) != (head.seq, head.hash) {
        return Err(at.damaged(Place::Record(seq + 1), "the records do not go on to the head"));
    }
    // Of those behind the checkpoint some may be there and some not.
    let mut number = copy.expiry()?.checkpoint.entry;
    copy.entries(number + 1..=u64::MAX, &mut |entry| {
        if entry.number != number + 1 {
            return ControlFlow::Break(());
        }
        number = entry.number;
        ControlFlow::Continue(())
    })?;
    if number != head.entry {
        return Err(at.damaged(Place::Entry(number + 1), "the entries do not go on to the head"));
    }
    progress(BackupProgress::Checked { records: head.seq, of: head.seq });
    erasure::open(at, copy.connection())
}

#[cfg(test)]
mod tests {
    use rusqlite::config::DbConfig;

    use super::*;

    /// Whether an index is taken out of a store that is nowhere but in memory, and what is left of it.
    fn check(is_defended: bool, wanted: &str, rows_left: u32) {
        let copy = Connection::open_in_memory().unwrap();
        copy.execute_batch(
            "CREATE TABLE search_pages (page); CREATE TABLE search_segments (segment); INSERT INTO search_pages VALUES (1)",
        )
        .unwrap();
        copy.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, is_defended).unwrap();
        let at = At { path: Path::new("/copy") };
        let error = leave_index_out(&at, &copy).unwrap_err();
        assert_eq!(error.to_string(), "could not log changes to the store at `/copy`");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), wanted);
        let rows: u32 = copy.query_row("SELECT count(*) FROM search_pages", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, rows_left);
    }

    #[test]
    fn changes_that_are_logged_otherwise_than_was_asked_for_end_a_backup() {
        // It may not do without, so that the terms would be in a file beside it: they are left alone.
        check(true, "its journal mode stays `memory` where `off` was asked for", 1);
        // It does without, and cannot have a log in a file.
        check(false, "its journal mode stays `off` where `wal` was asked for", 0);
    }
}
