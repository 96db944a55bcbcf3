//! The key that signs a store's log: which one it is, as the configuration and the store's folder say.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use osel_core::trail::log::{KeyName, SigningKey, VerifierKey};

use super::config::variable;
use super::open::now;
use super::output::note;
use crate::config::{BarbicanSecret, Config, KeyReference, Place, Remark, StoreConfig, TrailConfig};
use crate::openstack::clouds::{self, Selection};
use crate::openstack::{Account, REQUESTS_PER_SECOND};
use crate::runtime::Recorder;
use crate::runtime::log::key::{self, Named};
use crate::runtime::log::{KeyFound, KeySource, KeyTrouble, LogKeys, Signer};
use crate::telemetry::chain;

/// The keys of a log, once all was looked at that is on this machine.
struct Sought {
    key: Whence,
    previous: Whence,
}

/// Where the key is.
enum Whence {
    /// Here it is; none where the log is not to be signed.
    Here(Option<Box<SigningKey>>),
    /// In Barbican, to be asked for by this account.
    Barbican { which: Named, account: Box<Account>, id: String, origin: Option<KeyName> },
}

impl Sought {
    async fn found(self) -> KeyFound {
        // Without the one before it nothing is signed: it may be the one that has to hand the log on.
        let previous = self.previous.found().await?;
        Ok(LogKeys { key: self.key.found().await?, previous })
    }

    /// The same for a command, which waits.
    fn found_now(self) -> KeyFound {
        let previous = self.previous.found_now()?;
        Ok(LogKeys { key: self.key.found_now()?, previous })
    }
}

impl Whence {
    async fn found(self) -> Result<Option<SigningKey>, KeyTrouble> {
        match self {
            Self::Here(key) => Ok(key.map(|key| *key)),
            Self::Barbican { which, account, id, origin } => {
                key::in_barbican(which, *account, &id, origin.as_ref(), now).await.map(Some)
            }
        }
    }

    fn found_now(self) -> Result<Option<SigningKey>, KeyTrouble> {
        match self {
            Self::Here(key) => Ok(key.map(|key| *key)),
            Self::Barbican { .. } => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(KeyTrouble::Look)?
                .block_on(self.found()),
        }
    }
}

/// Where a daemon looks for the key of its log: what the configuration names, else the one in the store's folder, which is made when it is
/// missing. The configuration is asked anew each time: keys are exchanged while we run.
pub fn source(store: &StoreConfig, file: Option<&Path>, store_id: &str) -> KeySource {
    let about = Arc::new((store.clone(), file.map(Path::to_owned), store_id.to_owned()));
    Arc::new(move || {
        let about: Arc<(StoreConfig, Option<PathBuf>, String)> = Arc::clone(&about);
        Box::pin(async move {
            let look = move || sought(&about.0, about.1.as_deref(), &about.2);
            // Files may lie on a disk that does not answer.
            let sought = tokio::task::spawn_blocking(look).await;
            sought.map_err(|error| KeyTrouble::Look(io::Error::other(error)))??.found().await
        })
    })
}

fn sought(store: &StoreConfig, file: Option<&Path>, store_id: &str) -> Result<Sought, KeyTrouble> {
    let trail = trail(store, file)?;
    let previous = configured(Named::Previous, &trail)?.unwrap_or(Whence::Here(None));
    if let Some(key) = configured(Named::Key, &trail)? {
        return Ok(Sought { key, previous });
    }
    let key = match store {
        StoreConfig::Directory(directory) => Some(key::own(directory, trail.origin.as_ref(), store_id)?),
        StoreConfig::Postgres(_) => None,
    };
    Ok(Sought { key: Whence::Here(key.map(Box::new)), previous })
}

/// The same for a command on a log that `signs` has signed. Where no configuration names a key, it takes the one in the store's folder only if
/// it is that one: a command that was not told what the daemon is told must not exchange the key behind its back.
fn sought_by_command(
    store: &StoreConfig,
    file: Option<&Path>,
    store_id: &str,
    signs: Option<&str>,
) -> Result<Sought, KeyTrouble> {
    let trail = trail(store, file)?;
    if let (StoreConfig::Directory(directory), None, Some(signs)) = (store, &trail.key, signs) {
        let own = key::own_if_there(directory, trail.origin.as_ref())?;
        if own.is_none_or(|own| own.verifier().to_string() != signs) {
            return Err(KeyTrouble::NotOurs { signs: signs.to_owned() });
        }
    }
    sought(store, file, store_id)
}

/// Where a key is that the configuration names; none where it names none.
fn configured(which: Named, trail: &TrailConfig) -> Result<Option<Whence>, KeyTrouble> {
    Ok(match which.of(trail) {
        None => None,
        Some(KeyReference::Text(text)) => Some(Whence::Here(Some(Box::new(key::configured(which, text)?)))),
        Some(KeyReference::Barbican(secret)) => {
            let account = Box::new(account(secret).map_err(KeyTrouble::Account)?);
            let (id, origin) = (secret.id.clone(), trail.origin.clone());
            Some(Whence::Barbican { which, account, id, origin })
        }
    })
}

/// The account that may read a secret, as the files say it now, or why there is none.
fn account(secret: &BarbicanSecret) -> Result<Account, String> {
    let selection = Selection {
        cloud: secret.cloud.clone(),
        file: secret.clouds_file.clone(),
        ..Selection::of_process()
    };
    let cloud = clouds::read(&selection).map_err(|error| chain(&error))?;
    // Whoever answers in Barbican's name could give a key of his own: there is no way to allow that.
    Ok(Account { cloud, requests_per_second: REQUESTS_PER_SECOND, insecure: false })
}

fn trail(store: &StoreConfig, file: Option<&Path>) -> Result<TrailConfig, KeyTrouble> {
    Config::load_trail(file, &variable, store).map_err(KeyTrouble::Configuration)
}

/// Has a command's recorder sign the log of its store. A key that cannot be had is no reason to leave undone what a person wants: the daemon
/// signs it later.
pub fn sign(recorder: &mut Recorder, store: &StoreConfig, file: Option<&Path>, store_id: &str) {
    let mut signer = Signer::new(now);
    signer.take(sought_by_command(store, file, store_id, recorder.log_key()).and_then(Sought::found_now));
    recorder.sign_with(signer);
    if let Some(words) = recorder.log_trouble() {
        note(format_args!("warning: the log is not signed by this command: {words}"));
    }
}

/// The key that signs the log of a store, to verify with, where whoever asks may read it; nothing is made.
pub fn known(store: &StoreConfig, file: Option<&Path>) -> Option<VerifierKey> {
    let trail = trail(store, file).ok()?;
    let own = |origin: Option<&KeyName>| match store {
        StoreConfig::Directory(directory) => key::own_if_there(directory, origin).ok().flatten(),
        StoreConfig::Postgres(_) => None,
    };
    let key = match configured(Named::Key, &trail).ok()? {
        Some(key) => key.found_now().ok()?,
        None => own(trail.origin.as_ref()),
    };
    key.as_ref().map(SigningKey::verifier)
}

/// What is wrong with the accounts of keys in Barbican, and what is not well. Nobody is asked for them.
pub fn account_remarks(config: &Config) -> (Vec<Remark>, Vec<Remark>) {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for which in [Named::Key, Named::Previous] {
        if let Some(KeyReference::Barbican(secret)) = which.of(&config.trail) {
            remarks_of(which, secret, &mut problems, &mut warnings);
        }
    }
    (problems, warnings)
}

fn remarks_of(which: Named, secret: &BarbicanSecret, problems: &mut Vec<Remark>, warnings: &mut Vec<Remark>) {
    let remark = |key: &str, what| Remark {
        place: secret.place.clone(),
        key: format!("{}.{key}", which.as_str()),
        what,
    };
    match account(secret) {
        Err(words) => problems.push(remark("cloud", format!("gives no account: {words}"))),
        Ok(Account { cloud, .. }) if !cloud.verify => {
            let what =
                "is a cloud whose certificate is not to be verified: give it the authority by `cacert`";
            problems.push(remark("cloud", what.to_owned()));
        }
        Ok(Account { cloud, .. }) => {
            if cloud.auth_url.starts_with("http://") {
                let what = "is asked without TLS: whoever listens on the way reads the key";
                warnings.push(remark("cloud", what.to_owned()));
            }
        }
    }
}

/// What a check of a configuration says of its log.
pub fn remarks(config: &Config, file: Option<&Path>) -> Vec<Remark> {
    let StoreConfig::Postgres(_) = config.store else { return Vec::new() };
    if config.trail.key.is_some() {
        return Vec::new();
    }
    let place = file.map_or(Place::Nowhere, |file| Place::File { path: file.to_owned(), line: None });
    let what = "is not set: the log of a store in PostgreSQL is kept and not signed without it, so that whoever can write the \
                database can change the trail";
    vec![Remark { place, key: "trail.key".to_owned(), what: what.to_owned() }]
}
