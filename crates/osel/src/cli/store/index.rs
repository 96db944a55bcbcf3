//! `osel store index`: the search index of a store that no daemon keeps.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::cli::StoreArg;
use crate::cli::output::{note, progress_of};
use crate::runtime::search::{Lacking, next_step, unindexed};
use crate::store::JournalError;

/// Completes the index by which `osel audit search` finds records.
///
/// A running osel keeps the index by itself: this does the same where none runs, as after a replay or an import. The index is made of the
/// records and says nothing that they do not; without it searching reads them one by one.
#[derive(Debug, Args)]
pub struct IndexArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Makes it anew from the first record on.
    #[arg(long)]
    rebuild: bool,
}

pub(super) fn run(args: &IndexArgs) -> anyhow::Result<ExitCode> {
    let mut journal = match args.store.existing_writer() {
        Err(error)
            if error
                .downcast_ref::<JournalError>()
                .is_some_and(|e| matches!(e, JournalError::InUse { .. })) =>
        {
            return Err(error.context("a running osel keeps the index by itself"));
        }
        journal => journal?,
    };
    if args.rebuild {
        journal.drop_index()?;
    }
    let mut reader = journal.reader()?;
    let head = journal.head().seq;
    let new = unindexed(&mut *reader, &(1..=head))?;
    let bar = progress_of("records", new);
    let mut left = new;
    while let Some(segment) =
        next_step(&mut *reader, Lacking::Any).context("the search index cannot be made")?
    {
        journal.put_segment(&segment)?;
        let now = unindexed(&mut *reader, &(1..=head))?;
        bar.inc(left.saturating_sub(now));
        left = now;
    }
    bar.finish_and_clear();
    note(format_args!("{head} records are in the search index, {new} of them new"));
    Ok(ExitCode::SUCCESS)
}
