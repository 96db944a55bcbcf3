//! The key that signs a store's log: which one it is, as the configuration and the store's folder say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use osel_core::trail::log::{KeyName, SigningKey, VerifierKey};

use super::config::variable;
use super::open::now;
use super::output::note;
use crate::config::{Config, Place, Remark, StoreConfig, TrailConfig};
use crate::runtime::Recorder;
use crate::runtime::log::{KeySource, KeyTrouble, Signer, key};

/// Who signs the log of a store: by the key that the configuration names, else by the one in the store's folder, which is made when it is
/// missing. The configuration is asked anew each time: keys are exchanged while we run.
pub fn signer(store: &StoreConfig, file: Option<&Path>, store_id: &str) -> Signer {
    Signer::new(source(store.clone(), file.map(Path::to_owned), store_id.to_owned()), now)
}

fn source(store: StoreConfig, file: Option<PathBuf>, store_id: String) -> KeySource {
    Arc::new(move || {
        let trail = trail(&store, file.as_deref())?;
        match (key::configured(&trail)?, &store) {
            (Some(key), _) => Ok(Some(key)),
            (None, StoreConfig::Directory(directory)) => {
                key::own(directory, trail.origin.as_ref(), &store_id).map(Some)
            }
            (None, StoreConfig::Postgres(_)) => Ok(None),
        }
    })
}

fn trail(store: &StoreConfig, file: Option<&Path>) -> Result<TrailConfig, KeyTrouble> {
    Config::load_trail(file, &variable, store).map_err(KeyTrouble::Configuration)
}

/// Has a command's recorder sign the log of its store. A key that cannot be had is no reason to leave undone what a person wants: the daemon
/// signs it later.
pub fn sign(recorder: &mut Recorder, store: &StoreConfig, file: Option<&Path>, store_id: &str) {
    recorder.sign_with(signer(store, file, store_id));
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
    let key = key::configured(&trail).ok()?.or_else(|| own(trail.origin.as_ref()));
    key.as_ref().map(SigningKey::verifier)
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
