//! `osel forward status`: everything about one forwarder, or about all.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::document::{ForwarderDocument, all};
use super::{Place, unknown};
use crate::cli::open::now;
use crate::cli::output::{ShowFormat, json_line, note, stdout};
use crate::cli::span::age;

/// Shows where forwarders stand: place, account, lag, dead letters, and what stands in the way.
///
/// The account is exact at all times: delivered, filtered and dead together are the records from where the forwarder began to its place.
/// It is read from the store, which is a second behind a running osel at most. Exit code 1 when something stands in the way of one that
/// is shown.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    place: Place,
    /// Only this one.
    name: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: ShowFormat,
}

pub(super) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.place.store().reader()?;
    let mut all = all(&mut *reader, &args.place, now())?;
    if let Some(name) = &args.name {
        let known: Vec<&str> = all.iter().map(|forwarder| forwarder.name.as_str()).collect();
        if !known.contains(&name.as_str()) {
            return Err(unknown(name, &known));
        }
        all.retain(|forwarder| forwarder.name == *name);
    }
    let mut out = stdout();
    for (number, forwarder) in all.iter().enumerate() {
        match args.output {
            ShowFormat::Json => json_line(&mut out, forwarder)?,
            ShowFormat::Text => {
                if number > 0 {
                    writeln!(out)?;
                }
                text(&mut out, forwarder)?;
            }
        }
    }
    if all.is_empty() {
        note("there are no forwarders: `[[forward]]` makes one");
    }
    out.flush()?;
    let is_troubled =
        |forwarder: &ForwarderDocument| forwarder.trouble.is_some() && forwarder.configured != Some(false);
    Ok(if all.iter().any(is_troubled) { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn text(out: &mut impl Write, forwarder: &ForwarderDocument) -> std::io::Result<()> {
    let ForwarderDocument { name, kind, format, head, delivered, filtered, dead, .. } = forwarder;
    write!(out, "{name}: {}", forwarder.state())?;
    if let (Some(kind), Some(format)) = (kind, format) {
        write!(out, " ({kind}, {format})")?;
    }
    writeln!(out)?;
    let (Some(begin), Some(place)) = (forwarder.begin, forwarder.place) else { return Ok(()) };
    writeln!(out, "  place         record {place} of {head}, begun behind record {begin}")?;
    if let (Some(records @ 1..), Some(seconds)) = (forwarder.lag_records, forwarder.lag_seconds) {
        writeln!(out, "  behind        {records} records, the first since {}", age(seconds))?;
    }
    writeln!(
        out,
        "  records       {} = {delivered} delivered + {filtered} filtered + {dead} dead",
        place - begin
    )?;
    writeln!(
        out,
        "  sent          {} lines, {} bytes, in {} batches; {} retries",
        forwarder.lines, forwarder.bytes, forwarder.batches, forwarder.retries
    )?;
    if forwarder.dead_letters > 0 {
        writeln!(out, "  dead letters  {}: see osel forward dead {name}", forwarder.dead_letters)?;
    }
    if let Some(trouble) = &forwarder.trouble {
        writeln!(out, "  trouble       since {}: {}", trouble.since, trouble.words)?;
    }
    if let Some(updated_at) = &forwarder.updated_at {
        writeln!(out, "  as of         {updated_at}")?;
    }
    Ok(())
}
