//! Which store a command means, and how it is opened.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use osel_core::engine::{Engine, EngineOptions};
use osel_core::time::Timestamp;

use super::config::{ConfigArg, variable};
use super::output::{Failure, note};
use crate::config::{CONFIG_VARIABLE, Config, DEFAULT_FILE, PostgresConfig, PostgresUrlError, StoreConfig};
use crate::runtime::control::place::of_store;
use crate::runtime::state;
use crate::store::{
    Journal, JournalError, LeaseSign, NewStore, PostgresJournal, PostgresReader, Reader, Store, writer_of,
};
use crate::web::OpenReader;

/// The variables that name the store when no flag does: those of the keys `store.path` and `store.url`.
const STORE_VARIABLES: [&str; 2] = ["OSEL_STORE__PATH", "OSEL_STORE__URL"];

/// Which store.
#[derive(Clone, Debug, Args)]
pub struct StoreArg {
    /// The store, a directory or a postgresql:// URL; else the environment's OSEL_STORE__PATH or OSEL_STORE__URL, else that of the
    /// configuration. Others see what stands here: give a password by PGPASSFILE or PGPASSWORD instead.
    #[arg(long = "store", value_name = "STORE")]
    store: Option<PathBuf>,
    /// The configuration that names the store where nothing else does, and says what more is to be known of it.
    #[command(flatten)]
    configuration: ConfigArg,
}

impl StoreArg {
    /// The configuration.
    pub fn configuration(&self) -> &ConfigArg {
        &self.configuration
    }

    /// The configuration file that the command was given, if any.
    pub fn file(&self) -> Option<&Path> {
        self.configuration.file()
    }

    /// The same, or what was given before the name of a command within a command.
    pub fn or(&self, outer: &Self) -> Self {
        let store = self.store.as_ref().or(outer.store.as_ref()).cloned();
        let nearest = if self.file().is_some() { self } else { outer };
        Self { store, configuration: nearest.configuration.clone() }
    }

    /// The store: of the flag, else of the environment, else of the configuration.
    ///
    /// # Errors
    /// When none is named, or the configuration cannot be read.
    pub fn config(&self) -> anyhow::Result<StoreConfig> {
        if let Some(store) = store_named(self.store.as_deref())? {
            return Ok(store);
        }
        match Config::load_store(self.file(), &variable) {
            Ok(Some(store)) => Ok(store),
            Ok(None) => Err(Failure::Usage(format!(
                "no store is named: give --store STORE or -c FILE, set {}, or have a configuration at {DEFAULT_FILE} or in {CONFIG_VARIABLE}",
                STORE_VARIABLES.join(" or ")
            ))
            .into()),
            Err(problems) => {
                Err(Failure::Usage(format!("no store is named by --store, and the configuration's cannot be told: {problems}")).into())
            }
        }
    }

    /// Where a daemon of the store takes orders.
    pub fn socket(&self, store: &StoreConfig) -> PathBuf {
        Config::control_socket(self.file(), &variable, store).unwrap_or_else(|| of_store(store))
    }

    /// The process that writes the store, if it lies in a directory and one does.
    pub fn written_by(&self) -> Option<String> {
        match self.config().ok()? {
            StoreConfig::Directory(directory) => writer_of(&directory),
            StoreConfig::Postgres(_) => None,
        }
    }

    /// The store, for reading.
    ///
    /// # Errors
    /// When none is named anywhere, or it cannot be read.
    pub fn reader(&self) -> anyhow::Result<Box<dyn Reader>> {
        reader_at(&self.config()?)
    }

    /// The store, for writing; made when it is not there.
    ///
    /// # Errors
    /// When none is named anywhere, or it cannot be written.
    pub fn writer(&self) -> anyhow::Result<Box<dyn Journal>> {
        writer_at(&self.config()?)
    }

    /// The store, for writing, of somebody who has nothing to do in a new one.
    ///
    /// # Errors
    /// When none is named anywhere, it is not there, or it cannot be written.
    pub fn existing_writer(&self) -> anyhow::Result<Box<dyn Journal>> {
        match self.config()? {
            StoreConfig::Directory(directory) => {
                saying_what_is_missing(&directory, || Ok(Box::new(Store::open_writer(&directory)?)))
            }
            StoreConfig::Postgres(config) => Ok(Box::new(PostgresJournal::open(&config, None)?)),
        }
    }
}

/// Opens a store for writing, and says where it had no keys of persons: it has new ones now, and a command has no log to say so in.
fn saying_what_is_missing(
    directory: &Path,
    open: impl FnOnce() -> anyhow::Result<Box<dyn Journal>>,
) -> anyhow::Result<Box<dyn Journal>> {
    let had_keys = Store::has_keys(directory);
    let journal = open()?;
    if !had_keys && journal.head().seq > 0 {
        note(format_args!(
            "{}: the keys of persons (`persons.db`) were not there: what they sealed cannot be read, and keys that are made from now on are in a new file. \
             Put the old one back before anything is written, if it was not taken away on purpose",
            directory.display()
        ));
    }
    Ok(journal)
}

/// The store that the flag or the environment names, if one does. The configuration's is the daemon's: a command that can do without a
/// store must not write there unasked.
///
/// # Errors
/// When a URL cannot be used.
pub fn store_named(flag: Option<&Path>) -> anyhow::Result<Option<StoreConfig>> {
    named(flag, &|name| variable(name).filter(|value| !value.is_empty()))
        .map_err(|problem| Failure::Usage(problem).into())
}

/// The same in an environment. Nothing that may be meant as a URL is taken for a directory, or quoted: it may hold a password.
fn named(flag: Option<&Path>, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<StoreConfig>, String> {
    let [of_path, of_url] = STORE_VARIABLES;
    let (by, store) = match (flag, env(of_path), env(of_url)) {
        (Some(flag), ..) => ("--store", flag.as_os_str().to_owned()),
        (None, Some(_), Some(_)) => {
            return Err(format!(
                "{of_path} and {of_url} are both set: a store is a directory or a database, not both"
            ));
        }
        (None, Some(path), None) => (of_path, path),
        (None, None, Some(url)) => (of_url, url),
        (None, None, None) => return Ok(None),
    };
    if by == of_url { url(by, &store, env).map(Some) } else { meant(by, &store, env).map(Some) }
}

/// The store that another flag than `--store` names.
///
/// # Errors
/// When a URL cannot be used.
pub fn store_of_flag(flag: &str, store: &Path) -> anyhow::Result<StoreConfig> {
    let env = |name: &str| variable(name).filter(|value| !value.is_empty());
    meant(flag, store.as_os_str(), &env).map_err(|problem| Failure::Usage(problem).into())
}

fn meant(by: &str, store: &OsStr, env: &dyn Fn(&str) -> Option<OsString>) -> Result<StoreConfig, String> {
    if store.to_string_lossy().contains("://") {
        return url(by, store, env);
    }
    Ok(StoreConfig::Directory(store.into()))
}

fn url(by: &str, store: &OsStr, env: &dyn Fn(&str) -> Option<OsString>) -> Result<StoreConfig, String> {
    let url = store.to_str().ok_or_else(|| format!("{by}: {}", PostgresUrlError::Encoding))?;
    let config = PostgresConfig::parse(url, env).map_err(|error| format!("{by}: {error}"))?;
    Ok(StoreConfig::Postgres(config))
}

/// A store, for reading.
///
/// # Errors
/// When it cannot be read.
pub fn reader_at(store: &StoreConfig) -> anyhow::Result<Box<dyn Reader>> {
    Ok(open_reader(store)?)
}

fn open_reader(store: &StoreConfig) -> Result<Box<dyn Reader>, JournalError> {
    match store {
        StoreConfig::Directory(directory) => Ok(Box::new(Store::open_reader(directory)?)),
        StoreConfig::Postgres(config) => Ok(Box::new(PostgresReader::open(config)?)),
    }
}

/// Opens the store that is named at the time, for reading.
pub fn reader_by(access: &StoreAccess) -> OpenReader {
    let access = Arc::clone(access);
    Arc::new(move || open_reader(&access()))
}

/// A store, for reading what its writer has written last.
///
/// # Errors
/// When it cannot be read.
pub fn latest_reader_at(store: &StoreConfig) -> Result<Box<dyn Reader>, JournalError> {
    Ok(match store {
        StoreConfig::Directory(directory) => Box::new(Store::open_reader(directory)?),
        StoreConfig::Postgres(config) => Box::new(PostgresReader::open_latest(config)?),
    })
}

/// A store, for writing; made when it is not there. A leader of a database that gives no sign is waited for until it counts as gone.
///
/// # Errors
/// When it cannot be written.
pub fn writer_at(store: &StoreConfig) -> anyhow::Result<Box<dyn Journal>> {
    match store {
        StoreConfig::Directory(directory) => saying_what_is_missing(directory, || writer_in(directory)),
        StoreConfig::Postgres(config) => Ok(Box::new(PostgresJournal::open(config, Some(&new_store()?))?)),
    }
}

/// The store that is named now.
pub type StoreAccess = Arc<dyn Fn() -> StoreConfig + Send + Sync>;

/// The store that is named now, for writing; made when it is not there. A database is taken if nobody leads, or if its lease still is as it
/// was `seen`, and asked for anew with each connection to it.
///
/// # Errors
/// When it cannot be written.
pub fn writer_by(access: &StoreAccess, seen: Option<&LeaseSign>) -> anyhow::Result<Box<dyn Journal>> {
    let config = match access() {
        StoreConfig::Directory(directory) => return writer_in(&directory),
        StoreConfig::Postgres(config) => config,
    };
    let access = Arc::clone(access);
    // One that became a directory meanwhile takes a restart.
    let access = move || match access() {
        StoreConfig::Postgres(config) => config,
        StoreConfig::Directory(_) => config.clone(),
    };
    Ok(Box::new(PostgresJournal::open_by(Arc::new(access), Some(&new_store()?), seen)?))
}

fn writer_in(directory: &Path) -> anyhow::Result<Box<dyn Journal>> {
    if Store::exists(directory) {
        match Store::open_writer(directory) {
            // Its making may have been cut short, and then it is made again; what is something else is refused there too.
            Err(JournalError::NotAStore { .. }) => {}
            opened => return Ok(Box::new(opened?)),
        }
    }
    Ok(Box::new(Store::create(directory, &new_store()?)?))
}

fn new_store() -> anyhow::Result<NewStore> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).context("the system gives no random numbers")?;
    Ok(NewStore { id, created_at: now() })
}

/// The system's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The record that a flag names by its number or a time; without it the last one.
///
/// # Errors
/// When the flag's value is neither, or the store cannot be read.
pub fn moment(reader: &mut dyn Reader, flag: &str, text: Option<&str>) -> anyhow::Result<u64> {
    let head = reader.head()?.seq;
    let Some(text) = text else { return Ok(head) };
    match text.parse::<u64>() {
        Ok(seq) if seq > head => {
            Err(Failure::Usage(format!("{flag} {seq}: the last record of this store is {head}")).into())
        }
        Ok(seq) => Ok(seq),
        Err(_) => {
            let time = Timestamp::parse(text).ok_or_else(|| {
                Failure::Usage(format!(
                    "{flag} {text}: give a record's number, or a time such as 2026-11-21T03:12:00Z"
                ))
            })?;
            let seq = reader.seq_at(time)?;
            // Where states have gone since, that is said in its place.
            let is_all_kept = seq == 0 && reader.expiry()?.checkpoint.seq == 0;
            if let (true, Some(first)) = (is_all_kept, reader.record(1)?) {
                note(format_args!(
                    "{flag} {text}: osel knew nothing then, its first record is of {}",
                    first.as_of
                ));
            }
            Ok(seq)
        }
    }
}

/// What was read of a moment that a flag names. Where it is not kept any more the flag is wrong: trying again will not help.
///
/// # Errors
/// When it could not be read.
pub fn as_usage<T>(read: anyhow::Result<T>, flag: &str, text: Option<&str>) -> anyhow::Result<T> {
    read.map_err(|error| match (error.downcast_ref::<JournalError>(), text) {
        (
            Some(refused @ (JournalError::Expired { .. } | JournalError::TooMuchChanged { .. })),
            Some(text),
        ) => Failure::Usage(format!("{flag} {text}: {refused}")).into(),
        _ => error,
    })
}

/// The state of a store, now or as it was: `at` is a record's number or a time.
///
/// # Errors
/// When `at` is neither, or from before what is kept, or the store cannot be read.
pub fn state_at(reader: &mut dyn Reader, at: Option<&str>) -> anyhow::Result<Engine> {
    let seq = moment(reader, "--at", at)?;
    let state = state::at(reader, seq, &EngineOptions::default());
    as_usage(state.map_err(Into::into), "--at", at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flag: Option<&str>, variables: &[(&str, &str)], wanted: Result<Option<&str>, &str>) {
        let env = |name: &str| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| OsString::from(value))
        };
        let found = named(flag.map(Path::new), &env).map(|store| store.map(|store| store.name()));
        match (&found, wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found.as_deref(), wanted),
            (Err(found), Err(wanted)) => {
                assert!(found.contains(wanted) && !found.contains("hunter2"), "{found}");
            }
            _ => panic!("{found:?} {wanted:?}"),
        }
    }

    #[test]
    fn what_may_be_meant_as_a_url_is_no_directory_and_is_not_quoted() {
        const URL: &str = "OSEL_STORE__URL";
        check(None, &[], Ok(None));
        check(Some("here"), &[(URL, "x")], Ok(Some("here")));
        check(Some("postgres://u:hunter2@h/d"), &[], Ok(Some("postgresql://u@h/d")));
        check(None, &[(URL, "postgresql://u:hunter2@h/d")], Ok(Some("postgresql://u@h/d")));
        check(None, &[("OSEL_STORE__PATH", "here")], Ok(Some("here")));
        let no_url = "is no URL of PostgreSQL";
        for url in [
            "PostgreSQL://u:hunter2@h/d",
            "postgresql:/u:hunter2@h/d",
            " postgresql://u:hunter2@h/d",
            "hunter2",
        ] {
            check(None, &[(URL, url)], Err(no_url));
        }
        for url in ["Postgresql://u:hunter2@h/d", "mysql://u:hunter2@h/d"] {
            check(Some(url), &[], Err(no_url));
            check(None, &[("OSEL_STORE__PATH", url)], Err(no_url));
        }
        check(
            None,
            &[(URL, "postgresql://u:hunter2@h/d"), ("OSEL_STORE__PATH", "here")],
            Err("are both set"),
        );
    }
}
