//! The directory of a store: which files are in it, whose it is, and who writes it.
//!
//! `journal.db` is the database (with `-wal` and `-shm` beside it while it is in use), `persons.db` has the keys by
//! which parts about persons are sealed, `lock` is held by the one writer and names its process. The lock is advisory: it keeps two osels apart, not somebody with a text
//! editor.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::super::error::JournalError;
use super::connect::At;
use super::file_system::check_local;

/// A new store's directory: its owner writes, its group may read.
const DIRECTORY_MODE: u32 = 0o750;
/// A new store's files, likewise.
const FILE_MODE: u32 = 0o640;
/// A process id and a line end fit; more of a foreign lock file is not read.
const PROCESS_ID_BYTES_MAX: u64 = 32;

/// The database file of a store.
pub(super) fn database(directory: &Path) -> PathBuf {
    directory.join("journal.db")
}

/// The log beside the database file.
pub(super) fn log(directory: &Path) -> PathBuf {
    directory.join("journal.db-wal")
}

/// The database of the keys of persons.
pub(super) fn persons(directory: &Path) -> PathBuf {
    directory.join("persons.db")
}

/// Which file the database is, by device and number: a path may lead to another one, or nowhere, while the file is open.
pub(super) fn identity(directory: &Path) -> Option<(u64, u64)> {
    fs::metadata(database(directory)).ok().map(|file| (file.dev(), file.ino()))
}

/// Whether a store may be there, without opening it.
pub(super) fn exists(directory: &Path) -> bool {
    database(directory).exists()
}

/// Makes sure that `directory` holds a database file that can be opened.
///
/// # Errors
/// When nothing or something else is there.
pub(super) fn check_present(at: &At<'_>) -> Result<(), JournalError> {
    let path = at.path.to_path_buf();
    match fs::metadata(at.path) {
        Ok(metadata) if !metadata.is_dir() => {
            return Err(JournalError::NotAStore { path, reason: "a store is a directory" });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(JournalError::Missing { path }),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(JournalError::NotAStore { path, reason: "a part of its path is a file" });
        }
        Err(error) => return Err(at.io(at.path, "look at", error)),
    }
    let file = database(at.path);
    match fs::metadata(&file) {
        Ok(metadata) if metadata.is_file() => check_local(at),
        Ok(_) => Err(JournalError::NotAStore { path, reason: "its `journal.db` is no file" }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(JournalError::NotAStore { path, reason: "it has no `journal.db`" })
        }
        Err(error) => Err(at.io(&file, "look at", error)),
    }
}

/// Makes a directory with an empty database file, unless it has one.
///
/// # Errors
/// When something else is there, or it cannot be made.
pub(super) fn prepare(at: &At<'_>) -> Result<(), JournalError> {
    if !exists(at.path) {
        make_empty(at)?;
    }
    check_local(at)?;
    make_file(at, &database(at.path))
}

/// Makes an empty directory, unless it is there and empty.
///
/// # Errors
/// When something else is there, or it cannot be made.
pub(super) fn make_empty(at: &At<'_>) -> Result<(), JournalError> {
    let directory = at.path;
    let foreign = |reason| JournalError::NotAStore { path: directory.to_path_buf(), reason };
    match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::NotADirectory => foreign("a part of its path is a file"),
                    _ => at.io(directory, "make", error),
                }
            })?;
            match directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                Some(parent) => sync_directory(at, parent),
                None => sync_directory(at, Path::new(".")),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(foreign("a part of its path is a file"))
        }
        Err(error) => Err(at.io(directory, "look at", error)),
        Ok(metadata) if !metadata.is_dir() => Err(foreign("a store is a directory")),
        Ok(_) => check_empty(at),
    }
}

/// Makes an empty database file unless there is one. One that is there is not opened: closing it would take
/// the locks away that SQLite has on it elsewhere in this process.
///
/// # Errors
/// When it cannot be made.
pub(super) fn make_file(at: &At<'_>, file: &Path) -> Result<(), JournalError> {
    match OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(file) {
        Ok(_) => sync_directory(at, at.path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(at.io(file, "make", error)),
    }
}

/// Refuses a directory that has anything in it but a lock.
fn check_empty(at: &At<'_>) -> Result<(), JournalError> {
    let failed = |error| at.io(at.path, "list", error);
    for entry in fs::read_dir(at.path).map_err(failed)? {
        if entry.map_err(failed)?.file_name() != "lock" {
            return Err(JournalError::NotAStore {
                path: at.path.to_path_buf(),
                reason: "the directory is not empty",
            });
        }
    }
    Ok(())
}

/// Makes the names in a directory durable.
///
/// # Errors
/// When it cannot be flushed.
pub(super) fn sync_directory(at: &At<'_>, directory: &Path) -> Result<(), JournalError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| at.io(directory, "flush", error))
}

/// Refuses a writer who is neither the store's owner nor root: it would leave files the owner cannot use.
///
/// # Errors
/// As said, or when the file cannot be looked at.
pub(super) fn check_owner(at: &At<'_>) -> Result<(), JournalError> {
    let file = database(at.path);
    let owner = fs::metadata(&file).map_err(|error| at.io(&file, "look at", error))?.uid();
    let user = rustix::process::geteuid().as_raw();
    if may_write(owner, user) {
        return Ok(());
    }
    Err(JournalError::NotOwner { path: at.path.to_path_buf(), owner, user })
}

/// SQLite gives the files it makes for root to the database's owner.
fn may_write(owner: u32, user: u32) -> bool {
    user == owner || user == 0
}

/// The writer's lock; held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and writes down who has it.
    ///
    /// # Errors
    /// When another process has it, or the lock file cannot be made.
    pub(super) fn take(at: &At<'_>) -> Result<Self, JournalError> {
        let path = at.path.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(|error| at.io(&path, "open", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let process = holder(&mut file);
                return Err(JournalError::InUse { path: at.path.to_path_buf(), process });
            }
            Err(TryLockError::Error(error)) => return Err(at.io(&path, "lock", error)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| at.io(&path, "write", error))?;
        Ok(Self { _file: file })
    }
}

/// Who writes a store, if anybody does: asked of the system's list of locks, since to try the lock would keep a writer out that begins just then.
pub fn writer_of(directory: &Path) -> Option<String> {
    let path = directory.join("lock");
    let inode = format!(":{}", fs::metadata(&path).ok()?.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 4711 fd:00:8390 0 EOF`
    let is_held = locks.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.nth(1) == Some("FLOCK") && words.nth(3).is_some_and(|file| file.ends_with(&inode))
    });
    if is_held { Some(holder(&mut File::open(&path).ok()?)) } else { None }
}

/// The process id in a lock file, or a word for none: its writer may just be about to write it.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(PROCESS_ID_BYTES_MAX).read_to_string(&mut text);
    match read.ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(process) => process.to_string(),
        None => "(unknown)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_and_root_write() {
        assert!(may_write(997, 997));
        assert!(may_write(997, 0));
        assert!(!may_write(997, 998));
        assert!(!may_write(0, 998));
    }
}
