//! `osel audit`: reading and checking the trail.

mod bundle;
mod export;
mod keys;
mod past;
mod prove;
pub(super) mod read;
pub(super) mod reading;
mod search;
mod show;
mod tiles;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

pub(super) use read::record;

/// Reads and checks the trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    Verify(verify::VerifyArgs),
    Prove(prove::ProveArgs),
    Export(export::ExportArgs),
    Show(show::ShowArgs),
    Search(Box<search::SearchArgs>),
}

pub(super) fn run(command: &AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Verify(args) => verify::run(args),
        AuditCommand::Prove(args) => prove::run(args),
        AuditCommand::Export(args) => export::run(args),
        AuditCommand::Show(args) => show::run(args),
        AuditCommand::Search(args) => search::run(args),
    }
}
