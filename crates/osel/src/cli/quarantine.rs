//! `osel quarantine`: messages that could not be read.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;

use super::StoreArg;
use super::exposure::csv_cell;
use super::order::Orders;
use super::output::{OutputFormat, ShowFormat, Table, json_line, note, stdout};
use crate::runtime::quarantine::{Outcome, Replayed};
use crate::store::{QuarantineItem, QuarantineState, Reader};

/// Messages that could not be read: each is kept once, with its bytes, its source and the reason.
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// Lists what is in quarantine.
    List {
        #[command(flatten)]
        store: StoreArg,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: OutputFormat,
    },
    /// Shows one message: why it is there, and its bytes.
    Show {
        #[command(flatten)]
        store: StoreArg,
        /// Its number, as `list` prints it.
        id: u64,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: ShowFormat,
    },
    Replay(ReplayArgs),
}

/// Takes messages out of quarantine that can be read by now, as after an update of osel.
///
/// Each gets the record that it would have had, and the ledger counts it as recorded (or as duplicate, when another copy was
/// recorded meanwhile). One that still cannot be read stays. Exit code 1 when any stays. A running osel is given the order over its
/// socket; where none runs the store is written by this command.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("messages").required(true).args(["all", "ids"]))]
pub struct ReplayArgs {
    #[command(flatten)]
    store: StoreArg,
    /// All that are in quarantine.
    #[arg(long)]
    all: bool,
    /// Their numbers, as `list` prints them.
    #[arg(value_name = "ID")]
    ids: Vec<u64>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

pub(super) fn run(command: &QuarantineCommand) -> anyhow::Result<ExitCode> {
    match command {
        QuarantineCommand::List { store, output } => list(store, *output),
        QuarantineCommand::Show { store, id, output } => show(store, *id, *output),
        QuarantineCommand::Replay(args) => replay(args),
    }
}

fn document(item: &QuarantineItem) -> serde_json::Value {
    json!({
        "id": item.id,
        "source": item.source,
        "at": item.at.to_string(),
        "reason_code": item.reason_code,
        "reason": item.reason,
        "event_type": item.event_type,
        "message_id": item.message_id,
        "state": match item.state {
            QuarantineState::Held => "held",
            QuarantineState::Replayed => "replayed",
        },
    })
}

fn list(store: &StoreArg, output: OutputFormat) -> anyhow::Result<ExitCode> {
    let mut out = stdout();
    let mut table = Table::new(&["ID", "AT", "SOURCE", "REASON"]);
    let mut failed = None;
    if output == OutputFormat::Csv {
        writeln!(out, "id,at,source,reason")?;
    }
    store.reader()?.quarantine(Some(QuarantineState::Held), &mut |item| {
        let written = match output {
            OutputFormat::Json => json_line(&mut out, &document(&item)),
            OutputFormat::Csv => {
                let (source, reason) = (csv_cell(&item.source), csv_cell(&item.reason));
                writeln!(out, "{},{},{source},{reason}", item.id, item.at)
            }
            OutputFormat::Table => {
                table.row(vec![item.id.to_string(), item.at.to_string(), item.source, item.reason]);
                Ok(())
            }
        };
        failed = written.err();
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    if output == OutputFormat::Table {
        if table.is_empty() {
            note("nothing is in quarantine");
        } else {
            write!(out, "{table}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn show(store: &StoreArg, id: u64, output: ShowFormat) -> anyhow::Result<ExitCode> {
    let mut reader = store.reader()?;
    let Some(item) = reader.quarantine_item(id)? else {
        note(format_args!("there is no message {id} in quarantine"));
        return Ok(ExitCode::from(1));
    };
    let entry = reader.entry(item.entry)?;
    let body = entry.filter(|entry| !entry.erased).map(|entry| entry.body);
    let mut out = stdout();
    if output == ShowFormat::Json {
        let mut document = document(&item);
        document["body"] = body.map(|body| String::from_utf8_lossy(&body).into_owned()).into();
        json_line(&mut out, &document)?;
    } else {
        writeln!(out, "{}", item.reason)?;
        writeln!(out, "source {}, received {}", item.source, item.at)?;
        // Bytes that no decoder understood may hold anything: control characters stay off the terminal.
        match body {
            Some(body) => writeln!(out, "\n{}", String::from_utf8_lossy(&body).escape_debug())?,
            None => writeln!(out, "\nits bytes were removed")?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn replay(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    let Some(ids) = chosen(&mut *reader, args)? else { return Ok(ExitCode::from(1)) };
    let mut orders = Orders::new(&args.store, reader.info()?.id)?;
    let results = orders.replay(&mut *reader, &ids)?;
    orders.finish()?;
    print_results(&results, args.output)?;
    let is_out = |result: &Replayed| matches!(result.result, Outcome::Recorded | Outcome::Duplicate);
    Ok(if results.iter().all(is_out) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The messages that are meant; nothing when one of them is not there, which is said.
fn chosen(reader: &mut dyn Reader, args: &ReplayArgs) -> anyhow::Result<Option<Vec<u64>>> {
    let mut chosen = Vec::new();
    if args.all {
        reader.quarantine(Some(QuarantineState::Held), &mut |item| {
            chosen.push(item.id);
            ControlFlow::Continue(())
        })?;
        return Ok(Some(chosen));
    }
    let ids: std::collections::BTreeSet<u64> = args.ids.iter().copied().collect();
    for id in ids {
        match reader.quarantine_item(id)? {
            Some(item) if item.state == QuarantineState::Held => chosen.push(id),
            Some(_) => {
                note(format_args!("message {id} was replayed before"));
                return Ok(None);
            }
            None => {
                note(format_args!("there is no message {id} in quarantine"));
                return Ok(None);
            }
        }
    }
    Ok(Some(chosen))
}

fn print_results(results: &[Replayed], output: OutputFormat) -> anyhow::Result<()> {
    let mut out = stdout();
    let mut table = Table::new(&["ID", "RESULT", "RECORD", "REASON"]);
    if output == OutputFormat::Csv {
        writeln!(out, "id,result,record,reason")?;
    }
    for Replayed { id, result, seq, reason } in results {
        let result = result.as_str();
        let cells = || {
            let seq = seq.map(|seq| seq.to_string()).unwrap_or_default();
            [id.to_string(), result.to_owned(), seq, reason.clone().unwrap_or_default()]
        };
        match output {
            OutputFormat::Json => {
                json_line(&mut out, &json!({"id": id, "result": result, "seq": seq, "reason": reason}))?;
            }
            OutputFormat::Csv => writeln!(out, "{}", cells().map(|cell| csv_cell(&cell)).join(","))?,
            OutputFormat::Table => table.row(cells().to_vec()),
        }
    }
    if output == OutputFormat::Table {
        if table.is_empty() {
            note("nothing is in quarantine");
        } else {
            write!(out, "{table}")?;
        }
    }
    Ok(out.flush()?)
}
