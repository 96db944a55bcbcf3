//! The key of a witness: a file in its folder that is made once.

use std::path::{Path, PathBuf};

use osel_core::trail::log::{CosigningKey, KeyError, KeyName};
use zeroize::Zeroizing;

use crate::key_file::{KeyFileError, read_or_make};

/// The file.
const FILE_NAME: &str = "witness.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum WitnessKeyError {
    /// Its file gives none.
    #[error(transparent)]
    File(#[from] KeyFileError),
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
    let text = read_or_make(&path, || {
        let name = name.ok_or_else(|| WitnessKeyError::Nameless { directory: directory.to_owned() })?;
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(WitnessKeyError::Random)?;
        Ok::<_, WitnessKeyError>(Zeroizing::new(CosigningKey::from_seed(name.clone(), &seed).text()))
    })?;
    let key: CosigningKey =
        text.parse().map_err(|source| WitnessKeyError::Text { path: path.clone(), source })?;
    let found = key.verifier().name().clone();
    match name {
        Some(wanted) if *wanted != found => {
            Err(WitnessKeyError::Name { path, found, wanted: wanted.clone() })
        }
        _ => Ok(key),
    }
}
