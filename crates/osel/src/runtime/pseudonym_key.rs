//! Where the key of pseudonyms comes from: what the configuration names, or a file in the folder of the store that is made once.
//!
//! It lies beside the store and not in it, so that no backup has it, and who destroys it has made every pseudonym that was ever told
//! nobody's. Its text is read, parsed and forgotten; no error has a byte of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use osel_core::pseudonym::{KEY_BYTES, PseudonymKey};
use zeroize::Zeroizing;

use crate::config::{Problems, StoreConfig, TrailConfig};
use crate::key_file::{KeyFileError, read, read_or_make};

/// The file of a store's own key.
const FILE_NAME: &str = "pseudonym.key";

/// Looks for the key as it is now. It may block.
pub type PseudonymSource = Arc<dyn Fn() -> Result<PseudonymKey, PseudonymTrouble> + Send + Sync>;

/// Why there is no key of pseudonyms.
#[derive(Debug, thiserror::Error)]
pub enum PseudonymTrouble {
    /// The configuration is wrong.
    #[error("the configuration of the key of pseudonyms is wrong: {0}")]
    Configuration(Problems),
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It is no key.
    #[error("`{}` is no key of pseudonyms: it takes 64 hexadecimal digits", path.display())]
    Text {
        /// The file, or the key of the configuration.
        path: PathBuf,
    },
    /// A database has no folder.
    #[error("a store in PostgreSQL has no key of pseudonyms of its own: set `trail.pseudonym_key`")]
    Nowhere,
    /// The system has no random numbers.
    #[error("the system gives no random numbers for a key")]
    Random(#[source] getrandom::Error),
}

/// The key of a store's pseudonyms, made where a store in a folder has none.
///
/// # Errors
/// When it cannot be used or made.
pub fn find(trail: &TrailConfig, store: &StoreConfig) -> Result<PseudonymKey, PseudonymTrouble> {
    if let Some(key) = look(trail, store)? {
        return Ok(key);
    }
    let StoreConfig::Directory(directory) = store else { return Err(PseudonymTrouble::Nowhere) };
    let path = directory.join(FILE_NAME);
    let text = read_or_make(&path, || {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(PseudonymTrouble::Random)?;
        Ok::<_, PseudonymTrouble>(Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    })?;
    parsed(&text, &path)
}

/// The key of a store's pseudonyms as it is; none where none was made yet.
///
/// # Errors
/// When it cannot be used.
pub fn look(trail: &TrailConfig, store: &StoreConfig) -> Result<Option<PseudonymKey>, PseudonymTrouble> {
    match (&trail.pseudonym_key, store) {
        (Some(text), _) => parsed(text.expose(), Path::new("trail.pseudonym_key")).map(Some),
        (None, StoreConfig::Directory(directory)) => in_file(&directory.join(FILE_NAME)),
        (None, _) => Err(PseudonymTrouble::Nowhere),
    }
}

/// The key in a file; none where none is.
///
/// # Errors
/// When it cannot be read, or is no key.
pub fn in_file(path: &Path) -> Result<Option<PseudonymKey>, PseudonymTrouble> {
    read(path)?.map(|text| parsed(&text, path)).transpose()
}

fn parsed(text: &str, path: &Path) -> Result<PseudonymKey, PseudonymTrouble> {
    PseudonymKey::from_hex(text).ok_or_else(|| PseudonymTrouble::Text { path: path.to_owned() })
}
