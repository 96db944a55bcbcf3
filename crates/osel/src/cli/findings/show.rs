//! `osel findings show`: all that is known of one.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use osel_core::finding::Finding;
use osel_core::time::Timestamp;

use super::list::score;
use super::{document, read, unknown};
use crate::cli::StoreArg;
use crate::cli::open::{now, reader_at};
use crate::cli::order::tell_read;
use crate::cli::output::{ShowFormat, json_line, note, plain, stdout};
use crate::cli::span::age;

/// Shows everything about one finding.
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
    let config = args.store.config()?;
    let mut reader = reader_at(&config)?;
    let (seq, store_id) = (reader.head()?.seq, reader.info()?.id);
    let Some(row) = reader.finding(&args.id)? else {
        note(unknown(&args.id));
        return Ok(ExitCode::from(1));
    };
    let finding = read(&row)?;
    let mut out = stdout();
    match args.output {
        ShowFormat::Json => json_line(&mut out, &document(&finding))?,
        ShowFormat::Text => text(&mut out, &finding, now())?,
    }
    out.flush()?;
    tell_read(&args.store, &config, store_id, seq);
    Ok(ExitCode::SUCCESS)
}

fn text(out: &mut impl Write, finding: &Finding, now: Timestamp) -> io::Result<()> {
    writeln!(out, "{}: {}\n", plain(&finding.place_text()), plain(&finding.title))?;
    let mut line = |name: &str, value: &dyn Display| writeln!(out, "{name:<14}{}", plain(&value.to_string()));
    line("id", &finding.id)?;
    line("kind", &finding.kind.as_str())?;
    line("severity", &finding.severity.as_str())?;
    let age = age(finding.age_seconds(now));
    let again = match finding.reopened {
        0 => String::new(),
        times => format!(", reopened {times} times"),
    };
    line("state", &format_args!("{} for {age}{again}", finding.state.as_str()))?;
    for (name, id) in [("project", &finding.project_id), ("network", &finding.network_id)] {
        if let Some(id) = id {
            line(name, id)?;
        }
    }
    if let Some(region) = &finding.region {
        line("region", region)?;
    }
    line("opened", &format_args!("{} by record {}", finding.opened_at, finding.opened_seq))?;
    line(
        "last seen",
        &format_args!("{} by record {}, {}", finding.seen_at, finding.seen_seq, finding.seen_by()),
    )?;
    if finding.seen_by() != finding.scanner {
        line("program", &finding.scanner)?;
    }
    if let (Some(at), Some(by)) = (finding.resolved_at, finding.resolved_by) {
        line("resolved", &format_args!("{at} by {}", by.as_str()))?;
    }
    if let Some(vulnerability) = &finding.vulnerability {
        line("vulnerability", &vulnerability.id)?;
        if !vulnerability.cves.is_empty() {
            line("cve", &vulnerability.cves.join(", "))?;
        }
        if let Some(tenths) = vulnerability.cvss_tenths {
            line("cvss", &score(tenths))?;
        }
    }
    if let Some(ack) = &finding.ack {
        let until = ack.until.map(|until| format!(" until {until}")).unwrap_or_default();
        let lapsed = if finding.acknowledged(now).is_some() { "" } else { ", which is over" };
        line(
            "acknowledged",
            &format_args!("{} by {} in record {}{until}{lapsed}: {}", ack.at, ack.by, ack.seq, ack.reason),
        )?;
    }
    if let Some(reason) = &finding.expected {
        line("expected", reason)?;
    }
    if !finding.evidence.is_empty() {
        line("evidence", &finding.evidence)?;
    }
    Ok(())
}
