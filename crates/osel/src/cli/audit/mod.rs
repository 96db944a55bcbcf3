//! `osel audit`: reading and checking the trail.

mod bundle;
mod chosen;
mod conditions;
mod export;
mod incident;
mod keys;
mod past;
mod prove;
pub(super) mod read;
pub(super) mod reading;
mod search;
mod selection;
mod show;
mod shown;
mod tiles;
mod verify;
mod whois;

use std::process::ExitCode;

use clap::Subcommand;

pub(super) use read::record;

/// Reads and checks the trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    Verify(verify::VerifyArgs),
    Prove(prove::ProveArgs),
    Export(Box<export::ExportArgs>),
    Show(show::ShowArgs),
    Search(Box<search::SearchArgs>),
    Whois(whois::WhoisArgs),
}

pub(super) fn run(command: &AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Verify(args) => verify::run(args),
        AuditCommand::Prove(args) => prove::run(args),
        AuditCommand::Export(args) => export::run(args),
        AuditCommand::Show(args) => show::run(args),
        AuditCommand::Search(args) => search::run(args),
        AuditCommand::Whois(args) => whois::run(args),
    }
}
