//! `osel findings`: what a person should look at, in the words of scans beside the model.

mod ack;
mod group;
mod list;
mod sarif;
mod show;

use std::process::ExitCode;

use clap::Subcommand;
use osel_core::finding::Finding;
use osel_core::time::Timestamp;
use serde_json::{Value, json};

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
    if let Some(fields) = document.as_object_mut() {
        fields.remove("scanner_name");
    }
    document["scanner"] = finding.seen_by().into();
    document["program"] = finding.scanner.as_str().into();
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

/// That there is none of that id.
fn unknown(id: &str) -> String {
    format!("there is no finding {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(scanner_name: Option<&str>) -> FindingRow {
        let mut body = json!({
            "id": "0011223344556677", "kind": "exposed_answering", "address": "192.0.2.1", "severity": "low", "state": "open",
            "opened_at": 0, "opened_seq": 1, "seen_at": 0, "seen_seq": 1, "scanner": "nmap 7.93", "title": "t", "evidence": "e",
        });
        if let Some(name) = scanner_name {
            body["scanner_name"] = name.into();
        }
        let (id, state, body) =
            ("0011223344556677".to_owned(), "open".to_owned(), body.to_string().into_bytes());
        FindingRow { id, seq: 1, state, body, updated_at: Timestamp::EPOCH }
    }

    #[test]
    fn a_finding_names_its_scanner_as_it_is_configured_and_the_program_beside_it() {
        // Two of one program, each at its place.
        for (name, wanted) in [(Some("inside"), "inside"), (Some("outside"), "outside"), (None, "nmap 7.93")]
        {
            let finding = read(&row(name)).unwrap();
            let document = document(&finding);
            assert_eq!((&document["scanner"], &document["program"]), (&wanted.into(), &"nmap 7.93".into()));
            assert_eq!(document.get("scanner_name"), None);
        }
    }
}
