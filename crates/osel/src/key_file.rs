//! A key in a file of its own: read only where nobody but its owner can, and made once, whole and durable.
//!
//! What a key is made of is not known here. Its text is handed on and forgotten; no error has a byte of it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

/// Behind the name of a file that is not whole yet.
const UNFINISHED_ENDING: &str = ".unfinished";
/// Its owner alone reads it.
const FILE_MODE: u32 = 0o600;
/// Mode bits of people other than the owner.
const OTHERS: u32 = 0o077;
/// The largest file that is read for a key: a key with the longest name has a tenth.
const FILE_BYTES_MAX: u64 = 4096;

/// Why a file gives no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be used.
    #[error("cannot {action} the key `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the key `{}` is open to others than its owner: chmod 600 it, and think of another key", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
}

/// The text of a key, without the end of its line; none where there is no file.
///
/// # Errors
/// When it cannot be read, or others may read it too.
pub fn read(path: &Path) -> Result<Option<Zeroizing<String>>, KeyFileError> {
    let failed = |source| KeyFileError::File { path: path.to_owned(), action: "read", source };
    let file = match File::open(path) {
        Ok(file) => file,
        // A link that leads nowhere is a key that is away, as with a disk that is not there yet, and none that is to be made.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Of the open file, so that nobody exchanges it between the look and the reading.
    if file.metadata().map_err(failed)?.permissions().mode() & OTHERS != 0 {
        return Err(KeyFileError::Open { path: path.to_owned() });
    }
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    Ok(Some(text))
}

/// The text of a key, which `make` says once where there is no file yet. All get the same.
///
/// # Errors
/// When it cannot be read or made, or `make` says so.
pub fn read_or_make<E: From<KeyFileError>>(
    path: &Path,
    make: impl FnOnce() -> Result<Zeroizing<String>, E>,
) -> Result<Zeroizing<String>, E> {
    if let Some(text) = read(path)? {
        return Ok(text);
    }
    // One at a time, also of several processes: of two who find none the later one's would replace the one that is in use.
    let failed = |source| KeyFileError::File { path: path.to_owned(), action: "make", source };
    let directory = File::open(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    flock(&directory, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
    if let Some(text) = read(path)? {
        return Ok(text);
    }
    let text = make()?;
    write(path, &text).map_err(|source| KeyFileError::File {
        path: path.to_owned(),
        action: "make",
        source,
    })?;
    Ok(text)
}

/// Writes a key into a folder that is ours: it has its name once it is whole and durable.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut unfinished = OsString::from(path);
    unfinished.push(UNFINISHED_ENDING);
    // What a crash has left of one that nobody has used.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(&unfinished)?;
    writeln!(file, "{text}")?;
    // Root may write anybody's folder, whose owner goes on with it. By the open file: its name is in a folder of that owner, who could put a
    // link to a file of somebody else in its place.
    let owner = fs::metadata(directory)?;
    if rustix::process::geteuid().is_root() {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn those_who_look_at_once_for_a_key_that_is_not_there_yet_get_the_same() {
        let directory = std::env::temp_dir().join(format!("osel-key-file-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (path, begin) = (directory.join("some.key"), Barrier::new(8));
        let look = |number: usize| {
            begin.wait();
            read_or_make::<KeyFileError>(&path, || Ok(Zeroizing::new(format!("key {number}")))).unwrap()
        };
        let found = std::thread::scope(|scope| {
            let looks: Vec<_> = (0..8).map(|number| scope.spawn(move || look(number))).collect();
            looks.into_iter().map(|look| look.join().unwrap()).collect::<Vec<_>>()
        });
        let kept = read(&path).unwrap().unwrap();
        assert!(found.iter().all(|text| *text == kept), "{found:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, FILE_MODE);
        fs::remove_dir_all(&directory).unwrap();
    }
}
