//! The command line: parses, opens, asks, prints. Only here are exit codes and printing.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 the answer is no, 2 wrong usage or
//! configuration, 3 could not do it.

mod actor;
mod audit;
mod config;
mod confined;
mod demo;
mod doctor;
mod durability;
mod encryption;
mod exposure;
mod findings;
mod forward;
mod import;
mod inventory;
mod inventory_export;
mod ledger;
mod log;
mod open;
mod openstack;
mod order;
mod output;
mod privacy;
mod pseudonyms;
mod quarantine;
mod reach;
mod reference;
mod replay;
mod run;
mod scan;
mod scans;
mod span;
mod store;
mod trail_key;
mod whatif;
mod whole_file;
mod witness;

use std::num::NonZeroU32;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};

pub use config::ConfigArg;
pub use open::StoreArg;
pub use output::{Failure, OutputFormat};

/// The OpenStack Event Listener: hears every security-relevant change in an OpenStack cloud, works out what it exposed, and keeps a
/// record that nobody can quietly change.
#[derive(Debug, Parser)]
#[command(name = "osel", version, about, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 the answer is no; 2 wrong usage or configuration; 3 could not do it.
Pages that are named docs/… lie in /usr/share/doc/osel where osel was installed from its package."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Replay(replay::ReplayArgs),
    Run(run::RunArgs),
    Doctor(doctor::DoctorArgs),
    #[command(subcommand)]
    Inventory(inventory::InventoryCommand),
    Exposure(exposure::ExposureArgs),
    Reach(reach::ReachArgs),
    Whatif(whatif::WhatifArgs),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(subcommand)]
    Log(log::LogCommand),
    Witness(witness::WitnessArgs),
    Ledger(ledger::LedgerArgs),
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    Scan(scan::ScanArgs),
    #[command(subcommand)]
    Scans(scans::ScansCommand),
    #[command(subcommand)]
    Findings(findings::FindingsCommand),
    #[command(subcommand)]
    Forward(forward::ForwardCommand),
    #[command(subcommand)]
    Privacy(privacy::PrivacyCommand),
    #[command(subcommand)]
    Store(store::StoreCommand),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Prints the completions of a shell, to be sourced or installed.
    ///
    /// For bash: osel completions bash > /etc/bash_completion.d/osel
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints a reference page in Markdown.
    #[command(hide = true)]
    Reference {
        /// The page.
        page: reference::Page,
    },
    /// Becomes a program, with limits and without privileges: how osel runs programs of others.
    #[command(hide = true)]
    Confined(confined::ConfinedArgs),
    /// Prints the manual page; with --dir writes one page for each command.
    ///
    /// To read it at once: osel man | man -l -
    Man {
        /// The directory to write all pages to.
        #[arg(long, value_name = "DIR")]
        dir: Option<std::path::PathBuf>,
    },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => output::report(&error),
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Inventory(command) => inventory::run(&command),
        Command::Exposure(args) => exposure::run(&args),
        Command::Reach(args) => reach::run(&args),
        Command::Whatif(args) => whatif::run(&args),
        Command::Audit(command) => audit::run(&command),
        Command::Log(command) => log::run(&command),
        Command::Witness(args) => witness::run(&args),
        Command::Ledger(args) => ledger::run(&args),
        Command::Quarantine(command) => quarantine::run(&command),
        Command::Scan(args) => scan::run(&args),
        Command::Scans(command) => scans::run(&command),
        Command::Findings(command) => findings::run(&command),
        Command::Forward(command) => forward::run(&command),
        Command::Privacy(command) => privacy::run(&command),
        Command::Store(command) => store::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Confined(args) => Ok(confined::run(&args)),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "osel", &mut text);
            output::print_bytes(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Reference { page } => reference::run(page, Cli::command()),
        Command::Man { dir: None } => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            output::print_bytes(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { dir: Some(dir) } => {
            std::fs::create_dir_all(&dir)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), &dir))
                .with_context(|| format!("cannot write pages to `{}`", dir.display()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Reads a number of an option that 0 would make no sense for.
fn at_least_one(text: &str) -> Result<NonZeroU32, String> {
    let number: u32 = text.parse().map_err(|error: std::num::ParseIntError| error.to_string())?;
    NonZeroU32::new(number).ok_or_else(|| "at least 1 is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands whose store is made for them where none is named, so that they do without that of the configuration.
    const OF_NO_CONFIGURATION: [&str; 2] = ["osel demo", "osel replay"];

    fn check(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        let takes = |name| command.get_arguments().any(|argument| argument.get_long() == Some(name));
        if takes("store") && !takes("config") {
            found.push(path.to_owned());
        }
        for inner in command.get_subcommands() {
            check(inner, &format!("{path} {}", inner.get_name()), found);
        }
    }

    #[test]
    fn every_command_that_asks_for_the_store_of_the_configuration_takes_its_file() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        let mut found = Vec::new();
        check(&command, "osel", &mut found);
        assert_eq!(found, OF_NO_CONFIGURATION);
    }
}
