//! `osel exposure`: what is exposed, now or at some time; and what changed, when and by whom.
//!
//! Reads the store, filters, prints. Which part of a cloud answers a question is decided in `runtime::past`, what a row is in the core.

mod diff;
mod history;
mod print;
mod who;

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use ipnet::IpNet;
use osel_core::engine::{Engine, EngineOptions};
use osel_core::exposure::{SourceFilter, rows_in_order};
use osel_core::ids::Id;
use osel_core::model::{CloudModel, Row};

use super::StoreArg;
use super::open::{as_usage, moment};
use super::output::{Failure, OutputFormat, plain, working};
use crate::runtime::past::{Asked, Excerpt, in_parts};
use crate::store::Reader;
use print::RowPrinter;

pub(super) use print::{csv_cell, ports, source};

/// Lists what is exposed: every ingress permission of every address.
///
/// Rows are sorted by address. Paths are not considered here; `osel reach` does. `exposure diff` says what opened and closed between
/// two moments, `exposure history` what was ever open on an address, both with who did it.
#[derive(Debug, Args)]
pub struct ExposureArgs {
    #[command(subcommand)]
    past: Option<PastCommand>,
    #[command(flatten)]
    rows: RowsArgs,
}

#[derive(Debug, Subcommand)]
enum PastCommand {
    Diff(diff::DiffArgs),
    History(history::HistoryArgs),
}

#[derive(Debug, Args)]
struct RowsArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The state after a record, by its number, or at a time (RFC 3339).
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<String>,
    /// Only rows whose source may contain an address of a prefix, or a public one.
    #[arg(long, value_name = "CIDR|internet")]
    from: Option<String>,
    /// Only rows of ports of this project.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Only rows of this address, or of addresses in this prefix.
    #[arg(long, value_name = "IP|CIDR")]
    address: Option<String>,
    /// How to print; without it: as a table.
    #[arg(short, long, value_enum)]
    output: Option<OutputFormat>,
}

impl RowsArgs {
    /// Refuses what a command behind it does not take from here: of all flags only the store may stand before its name.
    fn refuse_flags(&self, command: &str) -> Result<(), Failure> {
        let given = [
            ("--at", self.at.is_some()),
            ("--from", self.from.is_some()),
            ("--project", self.project.is_some()),
            ("--address", self.address.is_some()),
            ("--output", self.output.is_some()),
        ];
        given.iter().find(|(_, is_given)| *is_given).map_or(Ok(()), |(flag, _)| {
            Err(Failure::Usage(format!(
                "{flag} stands before `{command}`: give what `{command}` takes behind it"
            )))
        })
    }
}

pub(super) fn run(args: &ExposureArgs) -> anyhow::Result<ExitCode> {
    let outer = &args.rows;
    match &args.past {
        None => rows(outer),
        Some(PastCommand::Diff(args)) => {
            outer.refuse_flags("diff")?;
            diff::run(args, &outer.store)
        }
        Some(PastCommand::History(args)) => {
            outer.refuse_flags("history")?;
            history::run(args, &outer.store)
        }
    }
}

fn rows(args: &RowsArgs) -> anyhow::Result<ExitCode> {
    let mut filter = Filter {
        source: args.from.as_deref().map(|text| source_filter("--from", text)).transpose()?,
        project: args.project.as_deref().map(Id::new),
        address: args.address.as_deref().map(|text| prefix("--address", text)).transpose()?,
    };
    let reader = &mut *args.store.reader()?;
    let seq = moment(reader, "--at", args.at.as_deref())?;
    let mut printer = RowPrinter::new(args.output.unwrap_or_default());
    let listed = list(reader, seq, &mut filter, &mut printer);
    as_usage(listed, "--at", args.at.as_deref())?;
    let is_narrowed = args.from.is_some() || args.address.is_some();
    let project = args.project.as_deref();
    printer.finish(&match (is_narrowed, project) {
        (true, _) => format!("no row{} matches", of_project(project)),
        (false, _) => format!("nothing{} is exposed", of_project(project)),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Whose rows there are none of, for whoever gave a part of an id or a name.
fn of_project(id: Option<&str>) -> String {
    id.map(|id| format!(" of a project with exactly the id `{}`", plain(id))).unwrap_or_default()
}

/// Which rows are wanted.
struct Filter {
    source: Option<SourceFilter>,
    project: Option<Id>,
    address: Option<IpNet>,
}

impl Filter {
    fn keeps(&mut self, cloud: &CloudModel, row: &Row) -> bool {
        (self.project.is_none() || row.project_id == self.project)
            && self.address.is_none_or(|wanted| overlaps(wanted, row.address))
            && self.source.as_mut().is_none_or(|source| source.keeps(cloud, row))
    }

    /// What of the clouds has the wanted rows; none for all of it.
    fn asked(&self) -> Option<Asked> {
        // Fewer ports have an address than a project.
        let by_address =
            self.address.map(|wanted| Asked::Addresses(Arc::new(move |net| overlaps(wanted, net))));
        by_address.or_else(|| self.project.clone().map(Asked::Project))
    }
}

/// Whether two prefixes have an address in common.
fn overlaps(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// What is said while a state is read.
const READING: &str = "reading what was known";

/// A snapshot of this size takes long enough to be read as a whole that the first rows are looked up before.
const HEAD_START_BYTES: u64 = 64 << 20;

/// Prints the wanted rows as they were after a record, in order.
fn list(
    reader: &mut dyn Reader,
    seq: u64,
    filter: &mut Filter,
    printer: &mut RowPrinter,
) -> anyhow::Result<()> {
    let options = EngineOptions::default();
    let sources = filter.source.is_some();
    let bar = working(READING);
    if let Some(asked) = filter.asked() {
        let part = Excerpt::load(reader, (seq, seq), &asked, sources, &options)?.at(seq, &options);
        bar.finish_and_clear();
        let address = filter.address;
        let wanted = move |net| address.is_none_or(|wanted| overlaps(wanted, net));
        return print(part.engine(), &wanted, filter, printer);
    }
    in_parts(reader, seq, sources, &options, HEAD_START_BYTES, |engine, wanted| {
        bar.finish_and_clear();
        print(engine, wanted, filter, printer)
    })
}

/// Prints the wanted rows of wanted addresses.
fn print(
    engine: &Engine,
    wanted: &dyn Fn(IpNet) -> bool,
    filter: &mut Filter,
    printer: &mut RowPrinter,
) -> anyhow::Result<()> {
    let clouds: Vec<&CloudModel> = engine.clouds().collect();
    let mut failed = None;
    let keep = |cloud: &CloudModel, row: &Row| filter.keeps(cloud, row);
    let _ = rows_in_order(&clouds, wanted, keep, |row| match printer.row(&row) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    });
    // Whoever waits for the first rows need not wait for the rest.
    failed.map_or_else(|| printer.flush(), Err)?;
    Ok(())
}

fn source_filter(flag: &str, text: &str) -> anyhow::Result<SourceFilter> {
    if text == "internet" {
        return Ok(SourceFilter::internet());
    }
    let wanted = "give an address, a prefix such as 198.51.100.0/24, or `internet`";
    let prefix = read_prefix(text).ok_or_else(|| Failure::Usage(format!("{flag} {text}: {wanted}")))?;
    Ok(SourceFilter::prefix(prefix))
}

fn prefix(flag: &str, text: &str) -> Result<IpNet, Failure> {
    let wanted = "give an address, or a prefix such as 198.51.100.0/24";
    read_prefix(text).ok_or_else(|| Failure::Usage(format!("{flag} {text}: {wanted}")))
}

fn read_prefix(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}
