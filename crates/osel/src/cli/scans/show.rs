//! `osel scans show`: the whole life of one.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;

use super::document::{HostDocument, LifeDocument};
use super::{read, unknown};
use crate::cli::StoreArg;
use crate::cli::output::{ShowFormat, Table, json_line, plain, stdout};

/// Shows the whole life of a scan: what was asked, when, what was expected and seen at each port, and what follows from it.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Its id, as `list` prints it.
    id: String,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: ShowFormat,
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let Some(row) = args.store.reader()?.command(&args.id)? else { return Ok(unknown(&args.id)) };
    let life = read(&row)?;
    let document = LifeDocument::from(&life);
    let mut out = stdout();
    match args.output {
        ShowFormat::Json => json_line(&mut out, &document)?,
        ShowFormat::Text => text(&mut out, &document)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn text(out: &mut impl Write, document: &LifeDocument<'_>) -> io::Result<()> {
    let scan = &document.scan;
    writeln!(out, "{}: {}, {} ({})\n", plain(&scan.id), scan.state, plain(scan.scanner), plain(scan.kind))?;
    let planned = scan.planned_at.as_deref().map(|at| format!("{at} after a {}", scan.reason));
    for (name, value) in [
        ("reference", scan.reference),
        ("region", scan.region),
        ("planned", planned.as_deref()),
        ("launched", scan.launched_at.as_deref()),
        ("running", scan.running_at.as_deref()),
        ("ended", scan.ended_at.as_deref()),
        ("expires", scan.result.is_none().then_some(document.expires_at.as_str())),
        ("scanned by", scan.scanned_by),
        ("result", scan.result),
        ("error", scan.error),
    ] {
        if let Some(value) = value {
            writeln!(out, "{name:<12}{}", plain(value))?;
        }
    }
    let mut ports = Table::new(&["ADDRESS", "PORT", "EXPECTED", "SEEN", "VERDICT", "SERVICE"])
        .keeping(&["ADDRESS", "PORT"]);
    let mut weak =
        Table::new(&["ADDRESS", "PORT", "SEVERITY", "ID", "WHAT"]).keeping(&["ADDRESS", "SEVERITY"]);
    for host in &document.hosts {
        host_rows(host, &mut ports, &mut weak);
    }
    for table in [ports, weak] {
        if !table.is_empty() {
            write!(out, "\n{table}")?;
        }
    }
    let remarks: Vec<String> = document.hosts.iter().flat_map(remarks).collect();
    if !remarks.is_empty() {
        writeln!(out)?;
    }
    remarks.iter().try_for_each(|remark| writeln!(out, "{}", plain(remark)))
}

fn host_rows(host: &HostDocument<'_>, ports: &mut Table, weak: &mut Table) {
    let address = address(host);
    for port in &host.ports {
        let expected = match port.expected {
            Some(true) => "exposed",
            Some(false) => "not exposed",
            None => "",
        };
        let words =
            [expected, port.state.unwrap_or_default(), port.verdict.unwrap_or_default()].map(str::to_owned);
        let [expected, state, verdict] = words;
        ports.row(vec![address.clone(), port.name(), expected, state, verdict, port.service_text()]);
    }
    for vulnerability in host.vulnerabilities {
        let at = vulnerability.at.map(|(transport, port)| format!("{port}/{}", transport.as_str()));
        weak.row(vec![
            address.clone(),
            at.unwrap_or_default(),
            vulnerability.severity.as_str().to_owned(),
            vulnerability.id.clone(),
            vulnerability.title.clone(),
        ]);
    }
}

fn address(host: &HostDocument<'_>) -> String {
    host.address.map_or_else(|| "?".to_owned(), |address| address.to_string())
}

/// What has to be known to read the tables.
fn remarks(host: &HostDocument<'_>) -> Vec<String> {
    let address = address(host);
    let mut remarks = Vec::new();
    match (host.coverage, host.why) {
        (Some("partial"), why) => {
            remarks.push(format!("{address}: scanned in part: {}", why.unwrap_or("no reason is known")));
        }
        (Some("not_scanned"), Some(why)) => remarks.push(format!("{address}: not scanned: {why}")),
        (Some("not_scanned"), None) => remarks.push(format!("{address}: not scanned")),
        _ => {}
    }
    if host.answers_everywhere {
        remarks.push(format!(
            "{address}: answers at ports that nobody listens on, so that an open port proves nothing"
        ));
    }
    remarks
}
