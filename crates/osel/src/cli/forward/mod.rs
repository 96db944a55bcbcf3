//! `osel forward`: where records are sent, how far each forwarder has come, and what its receiver will not take.

mod dead;
mod document;
mod list;
mod rewind;
mod sample;
mod status;
mod test;

use std::process::ExitCode;

use clap::{Args, Subcommand};
pub(super) use sample::remarks;

use super::open::StoreArg;
use super::output::{Failure, note};
use crate::config::{Config, ForwardConfig, listed};
use crate::store::{ForwarderRow, Reader};

/// Shows how records are forwarded, sets forwarders back, tests receivers, and sends dead letters once more.
///
/// Each forwarder of the configuration ([[forward]]) keeps a place of its own in the trail: the last record of which nothing remains to be
/// done. What these commands show is read from the store, beside the daemon or without one.
#[derive(Debug, Subcommand)]
pub enum ForwardCommand {
    List(list::ListArgs),
    Status(status::StatusArgs),
    Rewind(rewind::RewindArgs),
    Test(test::TestArgs),
    Dead(dead::DeadArgs),
    Resend(dead::ResendArgs),
    Discard(dead::DiscardArgs),
}

/// Which store, and which configuration.
#[derive(Clone, Debug, Args)]
struct Place {
    #[command(flatten)]
    store: StoreArg,
}

impl Place {
    fn store(&self) -> &StoreArg {
        &self.store
    }

    /// The configuration, if it is there and has no problems: what the store says is shown without it, and that it is, is said.
    fn config(&self) -> Option<Config> {
        match self.store.configuration().read_again() {
            Ok(config) => Some(config),
            Err(problems) => {
                if let Some(file) = self.store.configuration().file_to_load() {
                    let (file, first) = (file.display(), problems.first());
                    note(format_args!(
                        "what is configured is not told, since `{file}` has problems: {first}"
                    ));
                }
                None
            }
        }
    }
}

pub(super) fn run(command: &ForwardCommand) -> anyhow::Result<ExitCode> {
    match command {
        ForwardCommand::List(args) => list::run(args),
        ForwardCommand::Status(args) => status::run(args),
        ForwardCommand::Rewind(args) => rewind::run(args),
        ForwardCommand::Test(args) => test::run(args),
        ForwardCommand::Dead(args) => dead::run(args),
        ForwardCommand::Resend(args) => dead::resend(args),
        ForwardCommand::Discard(args) => dead::discard(args),
    }
}

/// The row of a forwarder; none of one that has not begun, which is said.
///
/// # Errors
/// When there is no such forwarder, or the store cannot be read.
fn row(reader: &mut dyn Reader, place: &Place, name: &str) -> anyhow::Result<Option<ForwarderRow>> {
    let rows = reader.forwarders()?;
    if let Some(row) = rows.iter().find(|row| row.name == name) {
        return Ok(Some(row.clone()));
    }
    let config = place.config();
    let configured = config.iter().flat_map(|config| &config.forwards);
    if configured.clone().any(|forward| forward.name == name) {
        note(format_args!("forwarder {name} has not begun: it does when osel runs with this configuration"));
        return Ok(None);
    }
    let mut known: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    known.extend(configured.map(|forward: &ForwardConfig| forward.name.as_str()));
    known.sort_unstable();
    known.dedup();
    Err(unknown(name, &known))
}

/// No forwarder has that name.
fn unknown(name: &str, known: &[&str]) -> anyhow::Error {
    let there = match known {
        [] => "there are none".to_owned(),
        known => format!("there is {}", listed(known, ", ")),
    };
    Failure::Usage(format!("there is no forwarder `{name}`: {there}")).into()
}
