//! The files that a configuration consists of or names. They are only read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

/// The largest file that is read for a secret: a URL of [`super::transport_url::HOSTS_MAX`] hosts needs a tenth.
const SECRET_BYTES_MAX: u64 = 64 << 10;
/// Mode bits of people other than the owner.
const OTHERS: u32 = 0o077;

/// Why a file cannot be used. Its path is told by whoever names it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// A directory.
    #[error("is a directory")]
    Directory,
    /// A pipe or a device.
    #[error("is not a file")]
    NoFile,
    /// Larger than it may be.
    #[error("is larger than {0} bytes")]
    TooLarge(u64),
    /// Not text.
    #[error("is not UTF-8")]
    NotUtf8,
    /// Nothing in it.
    #[error("is empty")]
    Empty,
}

/// A file's bytes, if they are no more than `bytes_max`.
///
/// # Errors
/// When they are more, or cannot be read.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(FileError::Read)?;
    if file.metadata().map_err(FileError::Read)?.is_dir() {
        return Err(FileError::Directory);
    }
    // The buffer has its full size at once: one that grows leaves copies of a secret behind.
    let mut bytes = Vec::with_capacity(usize::try_from(bytes_max + 1).unwrap_or(0));
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(FileError::Read)?;
    if bytes.len() as u64 > bytes_max { Err(FileError::TooLarge(bytes_max)) } else { Ok(bytes) }
}

/// The text of a secret's file without the line's end that editors add.
///
/// # Errors
/// When it is no file of text, or cannot be read.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, FileError> {
    check_regular(path)?;
    let bytes = Zeroizing::new(read(path, SECRET_BYTES_MAX)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| FileError::NotUtf8)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(FileError::Empty) } else { Ok(Zeroizing::new(text.to_owned())) }
}

/// Says whether a file is there and can be read, without reading it.
pub(super) fn check_readable(path: &Path) -> Result<(), FileError> {
    check_regular(path)?;
    File::open(path).map(drop).map_err(FileError::Read)
}

/// Whether people other than the owner have rights to a file.
pub fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS != 0)
}

/// A pipe without a writer would never answer.
fn check_regular(path: &Path) -> Result<(), FileError> {
    let metadata = fs::metadata(path).map_err(FileError::Read)?;
    match (metadata.is_dir(), metadata.is_file()) {
        (true, _) => Err(FileError::Directory),
        (false, true) => Ok(()),
        (false, false) => Err(FileError::NoFile),
    }
}
