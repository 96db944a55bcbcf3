//! `osel privacy`: what is kept about persons, erasing one, and what became of that.

mod erase;
mod person;
mod persons;
mod report;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

/// Shows what is kept about persons, erases one, and says what became of that.
///
/// Names of users and the addresses and programs of their clients stand in parts of records that are sealed by a key of each person. Erasing a
/// person destroys the key; the trail stays whole, and its proofs hold as before.
#[derive(Debug, Subcommand)]
pub enum PrivacyCommand {
    Erase(erase::EraseArgs),
    Report(report::ReportArgs),
    Persons(persons::PersonsArgs),
    Show(show::ShowArgs),
}

pub(super) fn run(command: &PrivacyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PrivacyCommand::Erase(args) => erase::run(args),
        PrivacyCommand::Report(args) => report::run(args),
        PrivacyCommand::Persons(args) => persons::run(args),
        PrivacyCommand::Show(args) => show::run(args),
    }
}
