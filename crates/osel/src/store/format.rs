//! The numbers of formats, the same for every store: a format is how many migrations were applied.

use std::cmp::Ordering;
use std::path::Path;

use super::error::JournalError;

/// The format that these migrations, oldest first, lead to.
pub(super) fn format_of(migrations: &[&str]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

/// Refuses a format that is newer than what is known, or older for a reader.
///
/// # Errors
/// As said.
pub(super) fn check_readable(path: &Path, found: u32, known: u32) -> Result<(), JournalError> {
    let path = || path.to_path_buf();
    match found.cmp(&known) {
        Ordering::Greater => Err(JournalError::TooNew { path: path(), found, known }),
        Ordering::Less => Err(JournalError::TooOld { path: path(), found, known }),
        Ordering::Equal => Ok(()),
    }
}
