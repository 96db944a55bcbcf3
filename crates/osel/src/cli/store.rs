//! `osel store`: care of the store itself.

mod index;
mod retention;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::StoreArg;
use super::output::{Failure, note, progress};
use crate::config::StoreConfig;
use crate::store::Store;

/// Care of the store itself.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copies a store, which may be in use, into a new directory and checks the copy by opening it.
    ///
    /// The copy has no search index, which would name whoever is erased later: `osel store index` makes one, or a running osel. A store in PostgreSQL
    /// is backed up as any other database is: pg_dump or pg_basebackup.
    Backup {
        #[command(flatten)]
        store: StoreArg,
        /// The directory to copy into: not there yet, or empty.
        #[arg(value_name = "DIR")]
        target: PathBuf,
    },
    Retention(retention::RetentionArgs),
    Index(index::IndexArgs),
}

pub(super) fn run(command: &StoreCommand) -> anyhow::Result<ExitCode> {
    let (store, target) = match command {
        StoreCommand::Backup { store, target } => (store, target),
        StoreCommand::Retention(args) => return retention::run(args),
        StoreCommand::Index(args) => return index::run(args),
    };
    let directory = match store.config()? {
        StoreConfig::Directory(directory) => directory,
        StoreConfig::Postgres(config) => {
            let text =
                format!("`{config}` is a database: copy it as any other, with pg_dump or pg_basebackup");
            return Err(Failure::Usage(text).into());
        }
    };
    if let Some(why) = no_place(&directory, target) {
        return Err(Failure::Usage(why).into());
    }
    let bar = progress("steps");
    let head = Store::backup(&directory, target, &mut |_| bar.inc(1))?;
    bar.finish_and_clear();
    note(format_args!(
        "copied and checked: {} records in {}, without the search index, which can be made of them: see `osel store index`",
        head.seq,
        target.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Why no copy is made there. What else stands in its way is said when it is tried.
fn no_place(store: &Path, target: &Path) -> Option<String> {
    let name = target.display();
    if fs::read_dir(target).is_ok_and(|mut files| files.next().is_some()) {
        return Some(format!(
            "`{name}` is not empty: a backup needs a directory that is empty or not there yet"
        ));
    }
    // Of what is not there yet the first that is says where it will lie.
    let is_there = |path: &&Path| path.as_os_str().is_empty() || path.exists();
    let place = target
        .ancestors()
        .find(is_there)
        .map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let place = place.and_then(|path| fs::canonicalize(path).ok())?;
    let is_within = fs::canonicalize(store).is_ok_and(|store| place.starts_with(store));
    is_within
        .then(|| format!("`{name}` lies within the store: what takes the store takes a backup there with it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_has_a_place_of_its_own() {
        let here = std::env::temp_dir().join(format!("osel-backup-place-{}", std::process::id()));
        let place = |name: &str| here.join(name);
        fs::create_dir_all(place("store/deep")).unwrap();
        fs::create_dir(place("empty")).unwrap();
        fs::create_dir(place("full")).unwrap();
        fs::write(place("full/file"), "").unwrap();
        let check = |target: &str, why: Option<&str>| {
            let told = no_place(&place("store"), &place(target));
            match why {
                None => assert_eq!(told, None, "{target}"),
                Some(why) => {
                    assert!(told.as_ref().is_some_and(|told| told.contains(why)), "{target}: {told:?}");
                }
            }
        };
        for target in ["empty", "new", "new/deeper", "store2"] {
            check(target, None);
        }
        check("full", Some("is not empty"));
        for target in ["store/deep", "store/new", "store/new/deeper", "empty/../store/new"] {
            check(target, Some("lies within the store"));
        }
        fs::remove_dir_all(&here).unwrap();
    }
}
