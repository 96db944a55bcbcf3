//! Which store a command means, and how it is opened.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use osel_core::engine::{Engine, EngineOptions};
use osel_core::time::Timestamp;

use super::config::{ConfigArg, variable};
use super::output::Failure;
use crate::config::{CONFIG_VARIABLE, Config, DEFAULT_FILE, StoreConfig};
use crate::runtime::state;
use crate::store::{Journal, JournalError, NewStore, Reader, Store};

/// The variable that names the store when no flag does: that of the key `store.path`.
const STORE_VARIABLE: &str = "OSEL_STORE__PATH";

/// Which store.
#[derive(Clone, Debug, Args)]
pub struct StoreArg {
    /// The directory of the store; else the environment's OSEL_STORE__PATH, else that of the configuration.
    #[arg(long = "store", value_name = "DIR")]
    store: Option<PathBuf>,
    /// The configuration file that the command was given, if it takes one.
    #[arg(skip)]
    file: Option<PathBuf>,
}

impl StoreArg {
    /// The same, with the configuration being that of a command that names its file.
    pub fn with_config(&self, file: &ConfigArg) -> Self {
        Self { file: file.file().map(Path::to_owned), ..self.clone() }
    }

    /// The directory: of the flag, else of the environment, else of the configuration.
    ///
    /// # Errors
    /// When none is named, or the configuration cannot be read.
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        if let Some(directory) = store_named(self.store.as_deref()) {
            return Ok(directory);
        }
        match Config::load_store(self.file.as_deref(), &variable) {
            Ok(Some(StoreConfig::Directory(directory))) => Ok(directory),
            Ok(None) => Err(Failure::Usage(format!(
                "no store is named: give --store DIR, set {STORE_VARIABLE}, or have a configuration at {DEFAULT_FILE} or in {CONFIG_VARIABLE}"
            ))
            .into()),
            Err(problems) => {
                Err(Failure::Usage(format!("no store is named by --store, and the configuration's cannot be told: {problems}")).into())
            }
        }
    }

    /// The store, for reading.
    ///
    /// # Errors
    /// When none is named anywhere, or it cannot be read.
    pub fn reader(&self) -> anyhow::Result<Box<dyn Reader>> {
        Ok(Box::new(Store::open_reader(&self.directory()?)?))
    }

    /// The store, for writing; made when it is not there.
    ///
    /// # Errors
    /// When none is named anywhere, or it cannot be written.
    pub fn writer(&self) -> anyhow::Result<Box<dyn Journal>> {
        writer_at(&self.directory()?)
    }
}

/// The directory of a store, if the flag or the environment names one. The configuration's is the daemon's: a command that can do
/// without a store must not write there unasked.
pub fn store_named(flag: Option<&Path>) -> Option<PathBuf> {
    let from_environment = || variable(STORE_VARIABLE).filter(|path| !path.is_empty());
    flag.map(Path::to_owned).or_else(|| from_environment().map(PathBuf::from))
}

/// The store in a directory, for writing; made when it is not there.
///
/// # Errors
/// When it cannot be written.
pub fn writer_at(directory: &Path) -> anyhow::Result<Box<dyn Journal>> {
    if Store::exists(directory) {
        match Store::open_writer(directory) {
            // Its making may have been cut short, and then it is made again; what is something else is refused there too.
            Err(JournalError::NotAStore { .. }) => {}
            opened => return Ok(Box::new(opened?)),
        }
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).context("the system gives no random numbers")?;
    Ok(Box::new(Store::create(directory, &NewStore { id, created_at: now() })?))
}

/// The system's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The state of a store, now or as it was: `at` is a record's number or a time.
///
/// # Errors
/// When `at` is neither, or from before what is kept, or the store cannot be read.
pub fn state_at(reader: &mut dyn Reader, at: Option<&str>) -> anyhow::Result<Engine> {
    let head = reader.head()?.seq;
    let seq = match at {
        None => head,
        Some(text) => match text.parse::<u64>() {
            Ok(seq) if seq > head => {
                let text = format!("--at {seq}: the last record of this store is {head}");
                return Err(Failure::Usage(text).into());
            }
            Ok(seq) => seq,
            Err(_) => {
                let time = Timestamp::parse(text).ok_or_else(|| {
                    Failure::Usage(format!(
                        "--at {text}: give a record's number, or a time such as 2026-11-21T03:12:00Z"
                    ))
                })?;
                reader.seq_at(time)?
            }
        },
    };
    match (state::at(reader, seq, &EngineOptions::default()), at) {
        // Trying again will not help: what was asked for is not kept.
        (Err(error @ JournalError::Expired { .. }), Some(text)) => {
            Err(Failure::Usage(format!("--at {text}: {error}")).into())
        }
        (state, _) => Ok(state?),
    }
}
