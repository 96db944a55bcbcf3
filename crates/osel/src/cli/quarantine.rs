//! `osel quarantine`: messages that could not be read.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::StoreArg;
use super::output::{OutputFormat, Table, json_line, note, stdout};
use crate::store::{QuarantineItem, QuarantineState};

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
        output: OutputFormat,
    },
}

pub(super) fn run(command: &QuarantineCommand) -> anyhow::Result<ExitCode> {
    match command {
        QuarantineCommand::List { store, output } => list(store, *output),
        QuarantineCommand::Show { store, id, output } => show(store, *id, *output),
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
    })
}

fn list(store: &StoreArg, output: OutputFormat) -> anyhow::Result<ExitCode> {
    let mut out = stdout();
    let mut table = Table::new(&["ID", "AT", "SOURCE", "REASON"]);
    let mut failed = None;
    store.reader()?.quarantine(Some(QuarantineState::Held), &mut |item| {
        if output == OutputFormat::Json {
            if let Err(error) = json_line(&mut out, &document(&item)) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        } else {
            table.row(vec![item.id.to_string(), item.at.to_string(), item.source, item.reason]);
        }
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    if output != OutputFormat::Json {
        if table.is_empty() {
            note("nothing is in quarantine");
        } else {
            write!(out, "{table}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn show(store: &StoreArg, id: u64, output: OutputFormat) -> anyhow::Result<ExitCode> {
    let mut reader = store.reader()?;
    let Some(item) = reader.quarantine_item(id)? else {
        note(format_args!("there is no message {id} in quarantine"));
        return Ok(ExitCode::from(1));
    };
    let entry = reader.entry(item.entry)?;
    let body = entry.map(|entry| entry.body).unwrap_or_default();
    let mut out = stdout();
    if output == OutputFormat::Json {
        let mut document = document(&item);
        document["body"] = String::from_utf8_lossy(&body).into();
        json_line(&mut out, &document)?;
    } else {
        writeln!(out, "{}", item.reason)?;
        writeln!(out, "source {}, received {}", item.source, item.at)?;
        // Bytes that no decoder understood may hold anything: control characters stay off the terminal.
        let text = String::from_utf8_lossy(&body).escape_debug().to_string();
        writeln!(out, "\n{text}")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
