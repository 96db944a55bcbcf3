//! Where the key that signs the log comes from: what the configuration names, or a file in the folder of the store that is made once.
//!
//! The text of a key is read, parsed and forgotten; no error, log line or debug text has a byte of it.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use osel_core::time::Timestamp;
use osel_core::trail::log::{KeyError, KeyName, NameError, SigningKey};
use zeroize::Zeroizing;

use crate::config::{KeyReference, Problems, Secret, TrailConfig};
use crate::key_file::{KeyFileError, read, read_or_make};
use crate::openstack::{Account, SecretError, secret};

/// The file of a store's own key.
const FILE_NAME: &str = "log.key";
/// A key that the configuration names, by what it is called there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The one that signs.
    Key,
    /// The one before it.
    Previous,
}

/// A look for the key as it is now; none where the log is not to be signed. What blocks in it is on a thread that may be blocked.
pub type KeyLook = Pin<Box<dyn Future<Output = Result<LogKeys, KeyTrouble>> + Send>>;
/// Looks for the key.
pub type KeySource = Arc<dyn Fn() -> KeyLook + Send + Sync>;

/// What a log is signed by.
#[derive(Debug, Default)]
pub struct LogKeys {
    /// The key; none where the log is not to be signed.
    pub key: Option<SigningKey>,
    /// A key before it, which hands the log on if it is the one that has signed last, and signs nothing else.
    pub previous: Option<SigningKey>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyTrouble {
    /// The configuration is wrong.
    #[error("the configuration of the log's key is wrong: {0}")]
    Configuration(Problems),
    /// Its file gives none.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It is no key.
    #[error("`{}` is no key to sign with", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// It is another log's.
    #[error("the log's key `{}` is of the log `{found}`, and `trail.origin` is `{wanted}`", path.display())]
    Origin {
        /// The file.
        path: PathBuf,
        /// The name that it has.
        found: KeyName,
        /// The name that it must have.
        wanted: KeyName,
    },
    /// There is no account to ask for it by.
    #[error("no account may be had that could read the log's key: {0}")]
    Account(String),
    /// The key manager does not give it.
    #[error("`{which}` cannot be had from Barbican")]
    Secret {
        /// Which key.
        which: &'static str,
        /// Why not.
        source: SecretError,
    },
    /// A command that was not told which key signs the log does not exchange the one that does.
    #[error(
        "`{signs}` signs the log, and the folder of the store has not that key: name the daemon's configuration by OSEL_CONFIG, or let `osel run` exchange the key"
    )]
    NotOurs {
        /// The key that signs.
        signs: String,
    },
    /// The look was broken off.
    #[error("the look for the log's key broke down")]
    Look(#[source] io::Error),
    /// The id of the store is none.
    #[error("the log has no name")]
    Name(#[source] NameError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers for a key")]
    Random(#[source] getrandom::Error),
}

impl Named {
    /// What it is called in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "trail.key",
            Self::Previous => "trail.previous_key",
        }
    }

    /// Where the configuration says that it is.
    pub fn of(self, trail: &TrailConfig) -> Option<&KeyReference> {
        match self {
            Self::Key => trail.key.as_ref(),
            Self::Previous => trail.previous_key.as_ref(),
        }
    }
}

/// A key whose text the configuration itself has; that was checked when it was read.
///
/// # Errors
/// When it is no key.
pub fn configured(which: Named, text: &Secret) -> Result<SigningKey, KeyTrouble> {
    text.expose().parse().map_err(|source| KeyTrouble::Text { path: which.as_str().into(), source })
}

/// A key that is a secret in Barbican.
///
/// # Errors
/// When it cannot be had, or is no key of this log.
pub async fn in_barbican(
    which: Named,
    account: Account,
    id: &str,
    origin: Option<&KeyName>,
    clock: fn() -> Timestamp,
) -> Result<SigningKey, KeyTrouble> {
    let which = which.as_str();
    let told = secret(account, id, clock).await;
    let text = told.map_err(|source| KeyTrouble::Secret { which, source })?;
    parsed(&text, Path::new(which), origin)
}

/// The key in a text, which may end as lines do.
fn parsed(text: &str, path: &Path, origin: Option<&KeyName>) -> Result<SigningKey, KeyTrouble> {
    let key: SigningKey = text
        .trim_end_matches(['\r', '\n'])
        .parse()
        .map_err(|source| KeyTrouble::Text { path: path.to_owned(), source })?;
    let found = key.verifier().name().clone();
    match origin {
        Some(wanted) if *wanted != found => {
            Err(KeyTrouble::Origin { path: path.to_owned(), found, wanted: wanted.clone() })
        }
        _ => Ok(key),
    }
}

/// The key of a store's own folder, made when it is missing.
///
/// # Errors
/// When it cannot be used or made.
pub fn own(directory: &Path, origin: Option<&KeyName>, store_id: &str) -> Result<SigningKey, KeyTrouble> {
    let path = directory.join(FILE_NAME);
    let text = read_or_make(&path, || {
        let name = match origin {
            Some(origin) => origin.clone(),
            None => format!("osel/{store_id}").parse().map_err(KeyTrouble::Name)?,
        };
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(KeyTrouble::Random)?;
        Ok::<_, KeyTrouble>(Zeroizing::new(SigningKey::from_seed(name, &seed).text()))
    })?;
    parsed(&text, &path, origin)
}

/// The key of a store's own folder; none where none is.
///
/// # Errors
/// When it cannot be used.
pub fn own_if_there(directory: &Path, origin: Option<&KeyName>) -> Result<Option<SigningKey>, KeyTrouble> {
    let path = directory.join(FILE_NAME);
    read(&path)?.map(|text| parsed(&text, &path, origin)).transpose()
}
