//! `osel findings`: what a person should look at, in the words of scans beside the model.

mod ack;
mod list;
mod sarif;
mod show;

use std::process::ExitCode;

use clap::Subcommand;
use osel_core::finding::Finding;
use osel_core::time::Timestamp;
use serde_json::{Value, json};

use super::output::note;
use crate::store::FindingRow;

/// Shows and settles what scans have found: what is exposed and answers, what answers and should not, what is vulnerable.
#[derive(Debug, Subcommand)]
pub enum FindingsCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Ack(ack::AckArgs),
    Unack(ack::UnackArgs),
}

pub(super) fn run(command: &FindingsCommand) -> anyhow::Result<ExitCode> {
    match command {
        FindingsCommand::List(args) => list::run(args),
        FindingsCommand::Show(args) => show::run(args),
        FindingsCommand::Ack(args) => ack::ack(args),
        FindingsCommand::Unack(args) => ack::unack(args),
    }
}

/// What a row of the store says.
///
/// # Errors
/// When it cannot be read.
fn read(row: &FindingRow) -> anyhow::Result<Finding> {
    serde_json::from_slice(&row.body)
        .map_err(|error| anyhow::Error::new(error).context(format!("finding {} is damaged", row.id)))
}

/// A finding as JSON: as the store has it, but for times and places in the words of every other command.
fn document(finding: &Finding) -> Value {
    let mut document = json!(finding);
    let text = |time: Timestamp| Value::from(time.to_string());
    document["opened_at"] = text(finding.opened_at);
    document["seen_at"] = text(finding.seen_at);
    document["resolved_at"] = finding.resolved_at.map_or(Value::Null, text);
    document["protocol"] = finding.port.map_or(Value::Null, |(transport, _)| transport.as_str().into());
    document["port"] = finding.port.map_or(Value::Null, |(_, port)| port.into());
    if let Some(ack) = &finding.ack {
        document["ack"]["at"] = text(ack.at);
        document["ack"]["until"] = ack.until.map_or(Value::Null, text);
    }
    document
}

/// There is none of that id: exit code 1.
fn unknown(id: &str) -> ExitCode {
    note(format_args!("there is no finding {id}"));
    ExitCode::from(1)
}
