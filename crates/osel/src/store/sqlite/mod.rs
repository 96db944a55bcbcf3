//! The embedded store: one SQLite database in a directory.

mod backup;
mod batch;
mod connect;
mod directory;
mod erase;
mod erasure;
mod expire;
mod file_system;
mod forward;
mod index;
mod index_kinds;
mod log;
mod pages;
mod persons;
mod persons_copy;
#[cfg(test)]
mod persons_copy_tests;
#[cfg(test)]
mod persons_tests;
mod reader;
mod rows;
mod schema;
mod snapshot;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;

pub use backup::BackupProgress;
pub use directory::writer_of;
pub use reader::SqliteReader;
pub use writer::SqliteJournal;

use super::data::{Head, NewStore};
use super::error::JournalError;

/// The embedded store in a directory.
#[derive(Clone, Copy, Debug)]
pub struct Store;

impl Store {
    /// Whether a store seems to be there; opening it may still fail.
    pub fn exists(directory: &Path) -> bool {
        directory::exists(directory)
    }

    /// Whether the keys of persons lie beside the journal, or cannot be looked for.
    pub fn has_keys(directory: &Path) -> bool {
        !matches!(directory::persons(directory).try_exists(), Ok(false))
    }

    /// Makes a store in a directory that is not there or empty, and opens it for writing.
    ///
    /// # Errors
    /// When something is there, or it cannot be made.
    pub fn create(directory: &Path, new: &NewStore) -> Result<SqliteJournal, JournalError> {
        SqliteJournal::create(directory, new)
    }

    /// Opens a store for writing, as its only writer, and brings it to the present format.
    ///
    /// # Errors
    /// When there is none, somebody else's or newer one, or another process writes it.
    pub fn open_writer(directory: &Path) -> Result<SqliteJournal, JournalError> {
        SqliteJournal::open(directory)
    }

    /// Opens a store for reading, whether a writer has it open or not, and without writing to it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open_reader(directory: &Path) -> Result<SqliteReader, JournalError> {
        SqliteReader::open(directory)
    }

    /// Copies a store, which may be in use, into a directory that is not there or empty, and checks the copy.
    ///
    /// The copy is of one moment and has the same id: it is there to take the store's place, not to run
    /// beside it. The log of the original cannot be emptied while it is copied and grows by what is written
    /// meanwhile.
    ///
    /// # Errors
    /// When it cannot be read or written, or the copy is not what was copied.
    pub fn backup(
        directory: &Path,
        target: &Path,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<Head, JournalError> {
        backup::backup(directory, target, progress)
    }
}
