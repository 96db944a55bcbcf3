//! `osel doctor`: what cannot be audited, and how to mend it.

mod print;
mod questions;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::config::ConfigArg;
use super::output::{cut, note};
use crate::doctor::{Facts, Severity, gather::gather, judge};

/// The longest time to listen, in seconds: who wants more wants `osel run`.
const LISTEN_SECONDS_MAX: u64 = 3600;
/// How much is said of why something cannot be reached: a few lines for each of a cluster's hosts, and no more of what a broker says.
const WHY_CHARS_MAX: usize = 2000;
/// Threads: one for the bus, one for the questions.
const WORKERS: usize = 2;

/// Says what of a cloud cannot be audited, and the exact setting that mends it.
///
/// Only reads: exchanges and queues are asked for passively, nobody's queue is consumed, the management interface and the database of
/// the configuration's store are only asked. With
/// --listen it makes one queue of its own for that time, `osel.doctor.…`, exclusive, bounded, and gone with the connection; what it
/// hears is counted, and nothing of it is kept. RabbitMQ logs a question for an exchange that is not there as an error.
///
/// Passwords do not belong on a command line: the bus is that of the configuration, or of a transport_url in a file or in the variable
/// OSEL_TRANSPORT_URL. The management interface is asked as the user of the bus, unless a URL with another user is in a file or in the
/// variable OSEL_MANAGEMENT_URL; users and permissions are shown to administrators only. With nothing but files of services on the
/// command line no configuration of osel is looked for.
///
/// Each check is found, clear, or unchecked with the reason. Exit code 0, with --exit-code 1 when something of severity warning or
/// critical was found; 3 when a file, the bus, the management interface or the store could not be asked or listened to though it was named, after
/// telling what the rest said.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The source of the configuration to look at, where it has several.
    #[arg(long, value_name = "NAME", conflicts_with = "transport_url_file")]
    source: Option<String>,
    /// A file with the transport_url of the bus, in place of a configuration.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    transport_url_file: Option<PathBuf>,
    /// The management interface, https://HOST:15671, without user and password.
    #[arg(long, value_name = "URL", conflicts_with = "management_url_file")]
    management: Option<String>,
    /// A file with the URL of the management interface, https://USER:PASSWORD@HOST:15671.
    #[arg(long, value_name = "FILE")]
    management_url_file: Option<PathBuf>,
    /// The virtual host to ask the management interface about, where there is no bus that has one; else `/`.
    #[arg(long, value_name = "VHOST")]
    vhost: Option<String>,
    /// The authority that signed the certificates of the bus and the management interface, as PEM; for the bus of a configuration, what that
    /// says counts.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The configuration of a service, such as neutron.conf or keystone.conf; several times for several.
    #[arg(long, value_name = "FILE")]
    service_config: Vec<PathBuf>,
    /// The configuration of Trove; several times for several.
    #[arg(long, value_name = "FILE")]
    trove_config: Vec<PathBuf>,
    /// Listen to the bus for so long.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=LISTEN_SECONDS_MAX))]
    listen: Option<u64>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: DoctorFormat,
    /// End with 1 when something of severity warning or critical was found.
    #[arg(long)]
    exit_code: bool,
}

/// How verdicts are printed.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum DoctorFormat {
    /// For people: what was found, then what is clear and what could not be checked.
    #[default]
    Table,
    /// JSON Lines: one object for each check and source.
    Json,
}

/// What was named on the command line besides files.
struct Asked {
    bus: bool,
    management: bool,
    store: bool,
    listening: bool,
}

impl Asked {
    /// Why what was named could not be looked at, each.
    fn failures(&self, facts: &Facts) -> Vec<String> {
        let services = facts.services.iter().map(|(path, file)| (path, file.as_ref().err()));
        let troves = facts.troves.iter().map(|(path, file)| (path, file.as_ref().err()));
        let of_files = services.chain(troves).filter_map(|(path, why)| Some(format!("`{path}` {}", why?)));
        let bus = facts.bus.as_ref().err().filter(|_| self.bus);
        let management = facts.management.as_ref().err().filter(|_| self.management);
        // Without the bus nothing could be listened to: that was said.
        let listening = facts.heard.as_ref().err().filter(|_| self.listening && bus.is_none());
        let store = facts.store.as_ref().err().filter(|_| self.store);
        let of_others = [bus, management, store, listening].into_iter().flatten().cloned();
        of_files.chain(of_others).collect()
    }
}

pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let questions = match questions::of(args)? {
        Ok(questions) => questions,
        Err(code) => return Ok(code),
    };
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .context("the system has no threads")?;
    let asked = Asked {
        bus: !questions.hosts.is_empty(),
        management: questions.management.is_some(),
        store: questions.store.is_some(),
        listening: questions.listen.is_some(),
    };
    let mut known = print::Known {
        vhost: (asked.bus || asked.management).then(|| questions.vhost.clone()),
        user: questions.hosts.first().map(|host| host.user.clone()),
        ..print::Known::default()
    };
    let facts = tokio.block_on(gather(questions, note));
    let report = judge(&facts);
    let worst = report.worst();
    let verdicts = report.into_verdicts();
    let failures = asked.failures(&facts);
    let code = match worst {
        _ if !failures.is_empty() => ExitCode::from(3),
        Some(worst) if args.exit_code && worst >= Severity::Warning => ExitCode::from(1),
        _ => ExitCode::SUCCESS,
    };
    known.exchanges.clone_from(&facts.wanted.exchanges);
    let written = match args.output {
        DoctorFormat::Table => print::table(&verdicts, &known),
        DoctorFormat::Json => print::json(&verdicts, &known),
    };
    for why in failures {
        note(format_args!("osel: {}", cut(&why, WHY_CHARS_MAX)));
    }
    tokio.shutdown_background();
    super::output::answered(written, code)
}
