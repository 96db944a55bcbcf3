//! `osel forward dead`, `resend`, `discard`: lines that a receiver will not take.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{Place, row};
use crate::cli::exposure::csv_cell;
use crate::cli::order::{Given, Orders};
use crate::cli::output::{OutputFormat, Table, json_line, note, stdout};
use crate::runtime::control::Ask;
use crate::store::{DeadLetterRow, Reader};

/// How many rows a table's columns are measured by: more are printed as they come.
const MEASURED_ROWS: usize = 1000;
/// The columns of comma-separated values. New ones come at the end.
const CSV_HEAD: &str = "record,line,at,resend,why";

/// Lists the lines of a forwarder that its receiver will not take, and why.
///
/// The record itself is in the trail as ever: `osel audit show RECORD` shows it.
#[derive(Debug, Args)]
pub struct DeadArgs {
    #[command(flatten)]
    place: Place,
    /// The forwarder.
    name: String,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

/// Has dead letters of a forwarder sent once more, as after the receiver was mended.
///
/// It is recorded with your name. Those that are taken leave the list, the others stay with the new reason. Exit code 1 when there are
/// none.
#[derive(Debug, Args)]
pub struct ResendArgs {
    #[command(flatten)]
    place: Place,
    /// The forwarder.
    name: String,
    /// Only those of this record.
    #[arg(long, value_name = "SEQ")]
    seq: Option<u64>,
}

/// Gives dead letters of a forwarder up: its receiver will never have them.
///
/// It is recorded with your name, and the account still says how many records are dead. Exit code 1 when there are none.
#[derive(Debug, Args)]
pub struct DiscardArgs {
    #[command(flatten)]
    place: Place,
    /// The forwarder.
    name: String,
    #[command(flatten)]
    which: Which,
}

/// Which of them: to take all by a slip of the hand would be too easy.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Those of this record.
    #[arg(long, value_name = "SEQ")]
    seq: Option<u64>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

/// A dead letter.
#[derive(Debug, Serialize)]
struct LetterDocument {
    record: u64,
    line: u32,
    at: String,
    /// Whether somebody wants it sent once more.
    resend: bool,
    why: String,
}

pub(super) fn run(args: &DeadArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.place.store().reader()?;
    if row(&mut *reader, &args.place, &args.name)?.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = stdout();
    let mut table = Table::new(&["RECORD", "LINE", "SINCE", "WHY"]).keeping(&["RECORD"]);
    if args.output == OutputFormat::Csv {
        writeln!(out, "{CSV_HEAD}")?;
    }
    let (mut count, mut failed) = (0_u64, None);
    let mut print = |DeadLetterRow { key, why, at, resend }: DeadLetterRow| -> anyhow::Result<()> {
        let letter = LetterDocument { record: key.seq, line: key.line, at: at.to_string(), resend, why };
        match args.output {
            OutputFormat::Json => json_line(&mut out, &letter)?,
            OutputFormat::Csv => {
                let LetterDocument { record, line, at, resend, why } = letter;
                writeln!(out, "{record},{line},{at},{resend},{}", csv_cell(&why))?;
            }
            OutputFormat::Table => {
                let why =
                    if letter.resend { format!("to be sent once more: {}", letter.why) } else { letter.why };
                table.row(vec![letter.record.to_string(), letter.line.to_string(), letter.at, why]);
                if table.len() >= MEASURED_ROWS {
                    table.write_rows(&mut out)?;
                }
            }
        }
        Ok(())
    };
    reader.dead_letters(&args.name, &mut |letter| {
        count += 1;
        match print(letter) {
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
        OutputFormat::Table if count == 0 => {
            note(format_args!("forwarder {} has no dead letters", args.name));
        }
        OutputFormat::Table => table.write_rows(&mut out)?,
        OutputFormat::Json | OutputFormat::Csv => {}
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn resend(args: &ResendArgs) -> anyhow::Result<ExitCode> {
    let ask = Ask::ResendDeadLetters { forwarder: args.name.clone(), seq: args.seq };
    order(&args.place, &args.name, args.seq, ask, "sent once more")
}

pub(super) fn discard(args: &DiscardArgs) -> anyhow::Result<ExitCode> {
    let seq = args.which.seq;
    let ask = Ask::DiscardDeadLetters { forwarder: args.name.clone(), seq };
    order(&args.place, &args.name, seq, ask, "given up")
}

fn order(place: &Place, name: &str, seq: Option<u64>, ask: Ask, what: &str) -> anyhow::Result<ExitCode> {
    let store = place.store();
    let mut reader = store.reader()?;
    if row(&mut *reader, place, name)?.is_none() {
        return Ok(ExitCode::from(1));
    }
    let count = letters(&mut *reader, name, seq)?;
    if count == 0 {
        let of = seq.map(|seq| format!(" of record {seq}")).unwrap_or_default();
        note(format_args!("forwarder {name} has no dead letters{of}"));
        return Ok(ExitCode::from(1));
    }
    let mut orders = Orders::new(store, reader.info()?.id)?;
    let given = orders.give(ask)?;
    orders.finish()?;
    match given {
        Given::Done(record) => {
            let record = record.map(|record| format!(": record {record}")).unwrap_or_default();
            let letters = if count == 1 { "1 dead letter is" } else { &format!("{count} dead letters are") };
            note(format_args!("{letters} {what}{record}"));
            Ok(ExitCode::SUCCESS)
        }
        Given::No(why) => {
            note(why);
            Ok(ExitCode::from(1))
        }
    }
}

fn letters(reader: &mut dyn Reader, name: &str, seq: Option<u64>) -> anyhow::Result<usize> {
    let mut count = 0;
    reader.dead_letters(name, &mut |letter| {
        count += usize::from(seq.is_none_or(|seq| seq == letter.key.seq));
        ControlFlow::Continue(())
    })?;
    Ok(count)
}
