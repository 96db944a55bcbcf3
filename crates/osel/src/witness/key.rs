//! The key of a witness: a file in its folder that is made once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use osel_core::trail::log::{CosigningKey, KeyError, KeyName};
use zeroize::Zeroizing;

/// The file.
const FILE_NAME: &str = "witness.key";
/// Where it is written before it gets its name.
const UNFINISHED_NAME: &str = "witness.key.unfinished";
/// Its owner alone reads it.
const FILE_MODE: u32 = 0o600;
/// Mode bits of people other than the owner.
const OTHERS: u32 = 0o077;
/// The largest file that is read for a key: a key with the longest name has a tenth.
const FILE_BYTES_MAX: u64 = 4096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum WitnessKeyError {
    /// The file cannot be used.
    #[error("cannot {action} the key `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read it, and so cosign in our name.
    #[error("the key `{}` is open to others than its owner: chmod 600 it, and think of another key", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// It is no key.
    #[error("`{}` is no key to cosign with", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// It has another name.
    #[error("the key `{}` is of the witness `{found}`, not of `{wanted}`", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// The name that it has.
        found: KeyName,
        /// The name that was asked for.
        wanted: KeyName,
    },
    /// There is none, and no name to make one with.
    #[error("there is no key in `{}` yet: name the witness, such as --name witness.example/laptop", directory.display())]
    Nameless {
        /// The folder.
        directory: PathBuf,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers for a key")]
    Random(#[source] getrandom::Error),
}

/// The key in that folder, made under that name when there is none.
///
/// # Errors
/// When it cannot be used or made, or has another name.
pub fn own_key(directory: &Path, name: Option<&KeyName>) -> Result<CosigningKey, WitnessKeyError> {
    let path = directory.join(FILE_NAME);
    let failed =
        |action| move |source| WitnessKeyError::File { path: directory.join(FILE_NAME), action, source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            let name = name.ok_or_else(|| WitnessKeyError::Nameless { directory: directory.to_owned() })?;
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *seed).map_err(WitnessKeyError::Random)?;
            let key = CosigningKey::from_seed(name.clone(), &seed);
            write(directory, &key).map_err(failed("make"))?;
            return Ok(key);
        }
        Err(error) => return Err(failed("read")(error)),
    };
    if file.metadata().map_err(failed("read"))?.permissions().mode() & OTHERS != 0 {
        return Err(WitnessKeyError::Open { path });
    }
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed("read"))?;
    let key: CosigningKey = text
        .trim_end_matches(['\r', '\n'])
        .parse()
        .map_err(|source| WitnessKeyError::Text { path: path.clone(), source })?;
    let found = key.verifier().name().clone();
    match name {
        Some(wanted) if *wanted != found => {
            Err(WitnessKeyError::Name { path, found, wanted: wanted.clone() })
        }
        _ => Ok(key),
    }
}

fn write(directory: &Path, key: &CosigningKey) -> io::Result<()> {
    let (unfinished, path) = (directory.join(UNFINISHED_NAME), directory.join(FILE_NAME));
    // What a crash has left of one that nobody has used.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let text = Zeroizing::new(key.text());
    let mut file = OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(&unfinished)?;
    writeln!(file, "{}", *text)?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    File::open(directory)?.sync_all()
}
