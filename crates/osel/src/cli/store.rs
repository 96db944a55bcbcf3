//! `osel store`: care of the store itself.

mod index;
mod retention;

use std::path::PathBuf;
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
