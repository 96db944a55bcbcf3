//! `osel log`: the Merkle log over the records, for those who check it from outside.

mod export;
mod prove;
mod show;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use osel_core::trail::log::NOTE_BYTES_MAX;

use super::output::note;

/// Shows the signed log over the records, and gives it to others.
///
/// Every record is a leaf of a Merkle tree, whose root and size osel signs within a second: a checkpoint. Whoever has one and the
/// verifier key can check later that no record of then was changed, taken away or put in between, without trusting this machine.
/// Give them the key (`osel log key`) by a way of your own, and the log over HTTP (`osel run` serves it below /log/) or as files
/// (`osel log export`). docs/log-serving.md says how they check it.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    Show(show::ShowArgs),
    Key(show::KeyArgs),
    Prove(prove::ProveArgs),
    Export(export::ExportArgs),
}

pub(super) fn run(command: &LogCommand) -> anyhow::Result<ExitCode> {
    match command {
        LogCommand::Show(args) => show::show(args),
        LogCommand::Key(args) => show::key(args),
        LogCommand::Prove(args) => prove::run(args),
        LogCommand::Export(args) => export::run(args),
    }
}

/// The checkpoint that somebody kept in a file; no more of it than makes it too long for one.
pub(super) fn read_note(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut note = Vec::new();
    File::open(file)
        .and_then(|file| file.take(NOTE_BYTES_MAX as u64 + 1).read_to_end(&mut note))
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    Ok(note)
}

/// Nothing is signed: exit code 1.
fn unsigned() -> ExitCode {
    note(
        "this log has no checkpoint: whoever writes the store signs one, if it has a key (`osel config check`)",
    );
    ExitCode::from(1)
}
