//! A file that its owner alone reads: a key in the folder of a store.
//!
//! Its text is read, handed on and forgotten; no error has a byte of it. What is in it is for whoever asks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use zeroize::Zeroizing;

/// Its owner alone reads it.
const FILE_MODE: u32 = 0o600;
/// Mode bits of people other than the owner.
const OTHERS: u32 = 0o077;
/// The largest file that is read: a signing key with the longest name has a tenth.
const FILE_BYTES_MAX: u64 = 4096;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// Others may read it.
    #[error("it is open to others than its owner")]
    Open,
    /// The system says no.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// The text of a file; none where none is.
///
/// # Errors
/// When others may read it, or the system says no.
pub fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Unread> {
    let file = match File::open(path) {
        Ok(file) => file,
        // A link that leads nowhere is a file that is away, as with a disk that is not there yet, and none that is to be made.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Of the open file, so that nobody exchanges it between the look and the reading.
    if file.metadata()?.permissions().mode() & OTHERS != 0 {
        return Err(Unread::Open);
    }
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Writes a line into a new file of a store: it has its name once it is whole and durable.
///
/// # Errors
/// When the system says no.
pub fn write(directory: &Path, name: &str, line: &str) -> io::Result<()> {
    let (unfinished, path) = (directory.join(format!("{name}.unfinished")), directory.join(name));
    // What a crash has left of one that nobody has used.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(&unfinished)?;
    writeln!(file, "{line}")?;
    // Root may write anybody's store, whose owner goes on with it. By the open file: its name is in a folder of that owner, who could
    // put a link to a file of somebody else in its place.
    let owner = fs::metadata(directory)?;
    if rustix::process::geteuid().is_root() {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    File::open(directory)?.sync_all()
}
