//! `osel scans list`: all of them, or some.

use std::io::Write;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use osel_core::scan::{ScanLife, ScanState};
use osel_core::time::Timestamp;

use super::document::ScanDocument;
use super::read;
use crate::cli::StoreArg;
use crate::cli::exposure::csv_cell;
use crate::cli::open::now;
use crate::cli::output::{OutputFormat, Table, json_line, note, stdout};
use crate::cli::span::{age, seconds_between};

/// How many rows a table's columns are measured by: more are printed as they come.
const MEASURED_ROWS: usize = 1000;
/// The columns of comma-separated values. New ones come at the end.
const CSV_HEAD: &str = "id,state,scanner,kind,reference,reason,planned_at,launched_at,running_at,ended_at,result,error,addresses,ports,\
                        open,vulnerabilities,incomplete";

/// Lists scans, the oldest first.
///
/// One that is planned waits for its turn, or for a scanner that is away. A scan that runs on this machine is told as planned too for its first
/// ten seconds, and as running after that; it is never launched, which is said of services alone.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Only those in this state; may be given several times.
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(ScanState::ALL.map(ScanState::as_str)))]
    state: Vec<String>,
    /// Only those of this scanner, by its name in the configuration.
    #[arg(long, value_name = "NAME")]
    scanner: Option<String>,
    /// Only those that this address is part of.
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl ListArgs {
    fn wants(&self, life: &ScanLife) -> bool {
        (self.state.is_empty() || self.state.iter().any(|state| state == life.state.as_str()))
            && self.scanner.as_deref().is_none_or(|scanner| scanner == &*life.command.scanner)
            && self
                .address
                .is_none_or(|address| life.command.targets.iter().any(|target| target.address == address))
    }
}

pub(super) fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut out = stdout();
    let mut table =
        Table::new(&["ID", "STATE", "SCANNER", "AGE", "ADDRESSES", "PORTS", "RESULT"]).keeping(&["ID"]);
    if args.output == OutputFormat::Csv {
        writeln!(out, "{CSV_HEAD}")?;
    }
    let now = now();
    let (mut count, mut failed) = (0_u64, None);
    let mut print = |life: &ScanLife| -> anyhow::Result<()> {
        let document = ScanDocument::from(life);
        match args.output {
            OutputFormat::Json => json_line(&mut out, &document)?,
            OutputFormat::Csv => writeln!(out, "{}", csv(&document))?,
            OutputFormat::Table => {
                table.row(cells(life, &document, now));
                if table.len() >= MEASURED_ROWS {
                    table.write_rows(&mut out)?;
                }
            }
        }
        Ok(())
    };
    let state = match &args.state[..] {
        [only] => Some(only.as_str()),
        _ => None,
    };
    args.store.reader()?.commands(state, &mut |row| {
        let printed = read(&row).and_then(|life| match args.wants(&life) {
            true => {
                count += 1;
                print(&life)
            }
            false => Ok(()),
        });
        match printed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    match args.output {
        OutputFormat::Table if count == 0 => note("no scan matches"),
        OutputFormat::Table => table.write_rows(&mut out)?,
        OutputFormat::Json | OutputFormat::Csv => {}
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn cells(life: &ScanLife, document: &ScanDocument<'_>, now: Timestamp) -> Vec<String> {
    let planned = life.command.planned_at;
    let addresses = match &life.command.targets[..] {
        [] => String::new(),
        [one] => one.address.to_string(),
        [first, rest @ ..] => format!("{} and {} more", first.address, rest.len()),
    };
    vec![
        document.id.clone(),
        document.state.to_owned(),
        document.scanner.to_owned(),
        if planned > Timestamp::EPOCH { age(seconds_between(planned, now)) } else { String::new() },
        addresses,
        document.ports.to_string(),
        result_text(document),
    ]
}

/// What came of it, in a few words. What was not looked at is never told as closed.
fn result_text(document: &ScanDocument<'_>) -> String {
    if let Some(why) = document.error {
        return why.to_owned();
    }
    let mut text = match (document.open, document.result) {
        (Some(open), _) => format!("{open} open"),
        (None, Some(_)) => return "nothing was scanned".to_owned(),
        (None, None) => return String::new(),
    };
    match document.vulnerabilities {
        None | Some(0) => {}
        Some(1) => text.push_str(", 1 vulnerability"),
        Some(count) => text.push_str(&format!(", {count} vulnerabilities")),
    }
    if document.incomplete.is_some_and(|count| count > 0) {
        text.push_str(", seen in part");
    }
    text
}

fn csv(document: &ScanDocument<'_>) -> String {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let number = |number: Option<usize>| number.map(|number| number.to_string()).unwrap_or_default();
    let cells = [
        document.id.clone(),
        document.state.to_owned(),
        document.scanner.to_owned(),
        document.kind.to_owned(),
        text(document.reference),
        document.reason.to_owned(),
        text(document.planned_at.as_deref()),
        text(document.launched_at.as_deref()),
        text(document.running_at.as_deref()),
        text(document.ended_at.as_deref()),
        text(document.result),
        text(document.error),
        document.addresses.to_string(),
        document.ports.to_string(),
        number(document.open),
        number(document.vulnerabilities),
        number(document.incomplete),
    ];
    cells.map(|cell| csv_cell(&cell)).join(",")
}
