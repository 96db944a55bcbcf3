//! `osel scans`: the commands to scanners and what became of them.

mod cancel;
mod document;
mod list;
mod show;

use std::process::ExitCode;

use clap::Subcommand;
use osel_core::scan::{ScanLife, read_life};

use super::output::note;
use crate::store::CommandRow;

/// Shows the scans that followed from changes, each from plan to verdict, and calls them off.
#[derive(Debug, Subcommand)]
pub enum ScansCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Cancel(cancel::CancelArgs),
}

pub(super) fn run(command: &ScansCommand) -> anyhow::Result<ExitCode> {
    match command {
        ScansCommand::List(args) => list::run(args),
        ScansCommand::Show(args) => show::run(args),
        ScansCommand::Cancel(args) => cancel::run(args),
    }
}

/// What a row of the store says.
///
/// # Errors
/// When it cannot be read.
fn read(row: &CommandRow) -> anyhow::Result<ScanLife> {
    read_life(row.seq, &row.body).ok_or_else(|| anyhow::anyhow!("scan {} is damaged", row.id))
}

/// There is none of that id: exit code 1.
fn unknown(id: &str) -> ExitCode {
    note(format_args!("there is no scan {id}"));
    ExitCode::from(1)
}
