//! Connections to the database file: how they are set up, and what its errors mean.
//!
//! Every error that SQLite has is turned into one of ours in [`At::sql`] and nowhere else.

use std::error::Error;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::super::code::Malformed;
use super::super::error::{JournalError, Place};

/// How long a lock held by another process is waited for. Readers hold one for milliseconds; only the
/// recovery of a log after a crash takes longer, and a backup, which is not waited for in full. Tests hold
/// one on purpose.
const BUSY_WAIT: Duration = if cfg!(test) { Duration::from_millis(50) } else { Duration::from_secs(5) };
/// The size of a new store's pages. Records have half a kilobyte, blocks hundreds of them: larger pages make
/// fewer of both, smaller ones make less to read for one record.
const PAGE_BYTES: u32 = 8192;
/// After how many pages the log is copied back into the file: 8 MiB, many batches, so that a page that
/// changes with each is copied once. Longer logs were no faster: they no longer fit the processor's cache.
const LOG_PAGES: u32 = 1000;
/// To what the log file is cut after it was copied, should a long reader have made it grow.
const LOG_BYTES_KEPT: u32 = 64 << 20;
/// Memory for pages, in KiB, of the writer and of a reader.
const CACHE_KIB: i32 = 16 << 10;
/// Prepared statements kept; the store has fewer.
const STATEMENTS: usize = 64;

/// The store that something is done with, for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    /// The store's directory.
    pub(super) path: &'a Path,
}

impl At<'_> {
    /// Makes our error of SQLite's, for something done at a place.
    pub(super) fn sql(
        &self,
        place: Place,
        action: &'static str,
    ) -> impl Fn(rusqlite::Error) -> JournalError + '_ {
        move |error| self.translate(place, action, error)
    }

    /// The error that what is at a place makes no sense.
    pub(super) fn damaged(&self, place: Place, what: &'static str) -> JournalError {
        self.malformed(place)(Malformed(what))
    }

    /// Makes our error of what a decoder found at a place.
    pub(super) fn malformed<E: Error + Send + Sync + 'static>(
        &self,
        place: Place,
    ) -> impl Fn(E) -> JournalError + '_ {
        move |error| JournalError::Damaged { path: self.path.to_path_buf(), place, source: error.into() }
    }

    /// Makes our error of the system's, for something done to a file of the store.
    pub(super) fn io(&self, file: &Path, action: &'static str, error: io::Error) -> JournalError {
        let path = self.path.to_path_buf();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                JournalError::NoPermission { path: file.to_path_buf(), action, source: error.into() }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                JournalError::NoSpace { path, source: error.into() }
            }
            _ => JournalError::Io { path, action, source: error.into() },
        }
    }

    fn translate(&self, place: Place, action: &'static str, error: rusqlite::Error) -> JournalError {
        let path = self.path.to_path_buf();
        let code = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => (failure.code, failure.extended_code),
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::QueryReturnedNoRows => {
                return JournalError::Damaged { path, place, source: error.into() };
            }
            _ => return JournalError::Database { path, action, source: error.into() },
        };
        let source = error.into();
        match code {
            (ErrorCode::DiskFull, _) => JournalError::NoSpace { path, source },
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)
            | (_, ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS) => {
                JournalError::Damaged { path, place, source }
            }
            (ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory, _) => {
                JournalError::Io { path, action, source }
            }
            (ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied, _) => {
                JournalError::NoPermission { path, action, source }
            }
            (
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed,
                _,
            ) => JournalError::Busy { path, source },
            _ => JournalError::Database { path, action, source },
        }
    }
}

/// How a connection may use the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Reads and writes.
    Write,
    /// Reads beside a writer.
    Read,
    /// Reads a file that nobody writes, in a directory that may not be written.
    ReadUnchanging,
}

/// Opens the database file and sets the connection up; reads nothing yet.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn connect(at: &At<'_>, file: &Path, mode: Mode) -> Result<Connection, JournalError> {
    let failed = at.sql(Place::File, if mode == Mode::Write { "write" } else { "read" });
    let access = match mode {
        Mode::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Mode::Read | Mode::ReadUnchanging => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let flags = access | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(file, mode), flags).map_err(&failed)?;
    connection.busy_timeout(BUSY_WAIT).map_err(&failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let set = |name: &str, value: i64| connection.pragma_update(None, name, value).map_err(&failed);
    set("cache_size", i64::from(-CACHE_KIB))?;
    // Cheap checks that a damaged file is noticed before it is believed; and nothing in it is ever run.
    set("cell_size_check", 1)?;
    set("trusted_schema", 0)?;
    Ok(connection)
}

/// Makes a connection the writer's: a log beside the file, flushed with every commit.
///
/// # Errors
/// When the file cannot be written or is damaged.
pub(super) fn prepare_to_write(at: &At<'_>, connection: &Connection) -> Result<(), JournalError> {
    let failed = at.sql(Place::File, "write");
    let set = |name: &str, value: u32| connection.pragma_update(None, name, value).map_err(&failed);
    // Has an effect on an empty file only.
    set("page_size", PAGE_BYTES)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(&failed)?;
    if mode != "wal" {
        let source = Malformed("the file system cannot share memory between processes").into();
        return Err(JournalError::Io { path: at.path.to_path_buf(), action: "log changes to", source });
    }
    flush_each(connection, true).map_err(&failed)?;
    overwrite_deleted(connection, false).map_err(&failed)?;
    connection
        .pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES, |_| Ok(()))
        .and_then(|()| {
            connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))
        })
        .map_err(&failed)
}

/// Whether each transaction is flushed before it counts, or only with the next one that is.
pub(super) fn flush_each(connection: &Connection, each: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", if each { "FULL" } else { "NORMAL" })
}

/// Whether deleted bytes are overwritten with zeros in every page, or only in those that are written anyway.
/// The latter costs next to nothing and is always on, or bytes of rows that were moved would survive the
/// erasure of the row.
pub(super) fn overwrite_deleted(connection: &Connection, everywhere: bool) -> rusqlite::Result<()> {
    let value = if everywhere { "ON" } else { "FAST" };
    connection.pragma_update_and_check(None, "secure_delete", value, |_| Ok(()))
}

/// Copies the whole log into the file, flushes that and empties the log: what is read afterwards was flushed.
///
/// # Errors
/// When readers keep the log in use, or the file cannot be written.
pub(super) fn empty_log(at: &At<'_>, connection: &Connection) -> Result<(), JournalError> {
    let busy: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(at.sql(Place::File, "write"))?;
    if busy == 0 {
        return Ok(());
    }
    let source = Malformed("readers keep its log in use").into();
    Err(JournalError::Busy { path: at.path.to_path_buf(), source })
}

/// The file as a URI: the only way to say that nothing changes, and safe for every name.
fn uri(file: &Path, mode: Mode) -> String {
    // An authority, though empty, so that a path with two slashes in front is not taken for one.
    let mut uri = String::from(if file.is_absolute() { "file://" } else { "file:" });
    for &byte in file.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    if mode == Mode::ReadUnchanging {
        uri.push_str("?immutable=1");
    }
    uri
}

/// A number as SQLite keeps it. Ours count things and stay far below its bound of 2^63.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_file_of_any_name_is_meant_as_it_stands() {
        assert_eq!(uri(Path::new("/a b/c?d#e%"), Mode::Write), "file:///a%20b/c%3Fd%23e%25");
        assert_eq!(uri(Path::new("file:x/ü"), Mode::Read), "file:file%3Ax/%C3%BC");
        assert_eq!(uri(Path::new("s/j.db"), Mode::ReadUnchanging), "file:s/j.db?immutable=1");
    }
}
