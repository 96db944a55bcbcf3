//! `--pseudonyms`: records of a store shown without persons, by the key that the configuration or the store's folder has.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use osel_core::engine::record::Record;
use osel_core::pseudonym::{PseudonymKey, pseudonymised};

use super::StoreArg;
use super::config::variable;
use crate::config::{Config, Remark, StoreConfig};
use crate::runtime::pseudonym_key::{PseudonymSource, PseudonymTrouble, find, look};

/// Whether persons are shown.
#[derive(Clone, Debug, Args)]
pub struct PseudonymsArg {
    /// Shows pseudonyms in place of users, the addresses and agents of clients, and whoever gave orders: the same ones in all records,
    /// forms and forwarders. The message is not shown.
    #[arg(long)]
    pub pseudonyms: bool,
}

/// How records are shown.
pub struct View(Option<PseudonymKey>);

impl PseudonymsArg {
    /// How records of a store are to be shown.
    ///
    /// # Errors
    /// When the store's key cannot be had.
    pub fn view(&self, store: &StoreArg) -> anyhow::Result<View> {
        Ok(View(if self.pseudonyms { Some(key(&store.config()?, store.file())?) } else { None }))
    }
}

impl View {
    /// A record as it is to be shown.
    pub fn of<'a>(&self, record: &'a Record) -> Cow<'a, Record> {
        match &self.0 {
            Some(key) => Cow::Owned(pseudonymised(record.clone(), key)),
            None => Cow::Borrowed(record),
        }
    }

    /// Whether nobody is to be seen.
    pub fn is_pseudonymous(&self) -> bool {
        self.0.is_some()
    }
}

/// The key of a store's pseudonyms.
///
/// # Errors
/// When it cannot be had.
pub fn key(store: &StoreConfig, file: Option<&Path>) -> Result<PseudonymKey, PseudonymTrouble> {
    let trail = Config::load_trail(file, &variable, store).map_err(PseudonymTrouble::Configuration)?;
    find(&trail, store)
}

/// What a check of a configuration says of forwarders that will find no key.
pub fn remarks(config: &Config) -> Vec<Remark> {
    if config.trail.pseudonym_key.is_some() || !matches!(config.store, StoreConfig::Postgres(_)) {
        return Vec::new();
    }
    let what = "sends nothing: a store in PostgreSQL has no key of pseudonyms of its own, and `trail.pseudonym_key` is not set";
    let without_key = config.forwards.iter().enumerate().filter(|(_, forward)| forward.pseudonyms);
    without_key
        .map(|(index, forward)| Remark {
            place: forward.place.clone(),
            key: format!("forward[{index}].pseudonyms"),
            what: what.to_owned(),
        })
        .collect()
}

/// The same where it is there: nothing is made.
///
/// # Errors
/// When it cannot be had.
pub fn present(store: &StoreConfig, file: Option<&Path>) -> Result<Option<PseudonymKey>, PseudonymTrouble> {
    let trail = Config::load_trail(file, &variable, store).map_err(PseudonymTrouble::Configuration)?;
    look(&trail, store)
}

/// Where a daemon looks for it, whenever a forwarder begins: keys are exchanged while we run.
pub fn source(store: &StoreConfig, file: Option<&Path>) -> PseudonymSource {
    let (store, file) = (store.clone(), file.map(Path::to_owned));
    Arc::new(move || key(&store, file.as_deref()))
}
