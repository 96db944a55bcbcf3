//! `osel ledger`: what became of every message, per source.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use osel_core::engine::SourceLedger;
use serde::Serialize;

use super::StoreArg;
use super::output::{OutputFormat, Table, json_line, note, stdout};
use crate::store::Counters;

/// Prints what became of every message: received = recorded + duplicate + ignored + quarantined.
///
/// It is added up: where that is not so, the source is named and the exit code is 1.
///
/// With `-o json` one object per source; `unmodelled` counts the recorded messages without a modelled meaning by event type.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(flatten)]
    store: StoreArg,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

/// One source.
#[derive(Debug, Serialize)]
pub struct LedgerLine {
    source: String,
    received: u64,
    recorded: u64,
    duplicate: u64,
    ignored: u64,
    quarantined: u64,
    unmodelled: std::collections::BTreeMap<String, u64>,
}

impl LedgerLine {
    pub(super) fn new(source: &str, ledger: &SourceLedger) -> Self {
        Self {
            source: source.to_owned(),
            received: ledger.received,
            recorded: ledger.recorded,
            duplicate: ledger.duplicate,
            ignored: ledger.ignored,
            quarantined: ledger.quarantined,
            unmodelled: ledger.unmodelled.iter().map(|(name, &count)| (name.to_string(), count)).collect(),
        }
    }
}

pub(super) fn run(args: &LedgerArgs) -> anyhow::Result<ExitCode> {
    let counters = args.store.reader()?.ledger()?;
    let ledgers: Vec<(String, SourceLedger)> = counters.into_iter().map(ledger).collect();
    let lines: Vec<_> = ledgers.iter().map(|(source, ledger)| LedgerLine::new(source, ledger)).collect();
    print_ledger(&lines, args.output)?;
    let mut code = ExitCode::SUCCESS;
    for (source, ledger) in ledgers.iter().filter(|(_, ledger)| !ledger.balances()) {
        note(format_args!(
            "the ledger of `{source}` does not balance: {} received, and what became of them says otherwise; somebody has changed the \
             store: run `osel audit verify`",
            ledger.received
        ));
        code = ExitCode::from(1);
    }
    Ok(code)
}

/// A source with its account, as the store has it.
fn ledger(counters: Counters) -> (String, SourceLedger) {
    let Counters { source, received, recorded, duplicate, ignored, quarantined, unmodelled, .. } = counters;
    let unmodelled = unmodelled.into_iter().map(|(name, count)| (name.into_boxed_str(), count)).collect();
    (source, SourceLedger { received, recorded, duplicate, ignored, quarantined, unmodelled })
}

pub(super) fn print_ledger(lines: &[LedgerLine], format: OutputFormat) -> anyhow::Result<()> {
    let mut out = stdout();
    match format {
        OutputFormat::Json => {
            for line in lines {
                json_line(&mut out, line)?;
            }
        }
        OutputFormat::Csv => {
            writeln!(out, "source,received,recorded,duplicate,ignored,quarantined,unmodelled")?;
            for line in lines {
                let name = super::exposure::csv_cell(&line.source);
                writeln!(out, "{name},{},{}", numbers(line).join(","), unmodelled(line))?;
            }
        }
        OutputFormat::Table => {
            let head =
                ["SOURCE", "RECEIVED", "RECORDED", "DUPLICATE", "IGNORED", "QUARANTINED", "UNMODELLED"];
            let mut table = Table::new(&head);
            for line in lines {
                let mut cells = vec![line.source.clone()];
                cells.extend(numbers(line));
                cells.push(unmodelled(line).to_string());
                table.row(cells);
            }
            write!(out, "{table}")?;
        }
    }
    Ok(out.flush()?)
}

/// How many recorded messages have no modelled meaning, of whatever type.
fn unmodelled(line: &LedgerLine) -> u64 {
    line.unmodelled.values().sum()
}

fn numbers(line: &LedgerLine) -> [String; 5] {
    [line.received, line.recorded, line.duplicate, line.ignored, line.quarantined]
        .map(|number| number.to_string())
}
