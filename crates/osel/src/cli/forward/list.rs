//! `osel forward list`: all forwarders, one a line.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::Place;
use super::document::all;
use crate::cli::exposure::csv_cell;
use crate::cli::open::now;
use crate::cli::output::{OutputFormat, Table, json_line, note, stdout};
use crate::cli::span::age;

/// The columns of comma-separated values. New ones come at the end.
const CSV_HEAD: &str =
    "name,type,format,begin,place,head,lag_records,lag_seconds,delivered,filtered,dead,dead_letters,state";

/// Lists forwarders: those of the configuration, and those that have a place in the store.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

pub(super) fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.place.store().reader()?;
    let all = all(&mut *reader, &args.place, now())?;
    let mut out = stdout();
    let mut table =
        Table::new(&["NAME", "TYPE", "FORMAT", "BEHIND", "FOR", "DEAD", "STATE"]).keeping(&["NAME"]);
    if args.output == OutputFormat::Csv {
        writeln!(out, "{CSV_HEAD}")?;
    }
    for forwarder in &all {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        match args.output {
            OutputFormat::Json => json_line(&mut out, forwarder)?,
            OutputFormat::Csv => {
                let cells = [
                    forwarder.name.clone(),
                    text(forwarder.kind),
                    text(forwarder.format),
                    number(forwarder.begin),
                    number(forwarder.place),
                    forwarder.head.to_string(),
                    number(forwarder.lag_records),
                    forwarder.lag_seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
                    forwarder.delivered.to_string(),
                    forwarder.filtered.to_string(),
                    forwarder.dead.to_string(),
                    forwarder.dead_letters.to_string(),
                    forwarder.state(),
                ];
                writeln!(out, "{}", cells.map(|cell| csv_cell(&cell)).join(","))?;
            }
            OutputFormat::Table => table.row(vec![
                forwarder.name.clone(),
                text(forwarder.kind),
                text(forwarder.format),
                number(forwarder.lag_records),
                forwarder.lag_seconds.filter(|seconds| *seconds > 0).map(age).unwrap_or_default(),
                forwarder.dead_letters.to_string(),
                forwarder.state(),
            ]),
        }
    }
    match args.output {
        OutputFormat::Table if all.is_empty() => note("there are no forwarders: `[[forward]]` makes one"),
        OutputFormat::Table => table.write_rows(&mut out)?,
        OutputFormat::Json | OutputFormat::Csv => {}
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
