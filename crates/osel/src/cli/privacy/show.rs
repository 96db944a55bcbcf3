//! `osel privacy show`: what is kept about a person, for whoever has the right to know.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::person::{Kept, Whom};
use crate::cli::StoreArg;
use crate::cli::audit::reading;
use crate::cli::output::{ShowFormat, json_line, plain, stdout};

/// Shows what the trail has about a person: how many records of which kinds, the first and the last, and the names, addresses and programs in them.
///
/// All records are read for it, which takes a while in a long trail. That you did it is recorded, where a daemon runs. The records themselves are
/// listed by `osel audit search --actor ID` and `--target ID`. Exit code 1 when nothing about the person can be read.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    whom: Whom,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: ShowFormat,
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    // The words would be kept with the record of it, and name the person.
    reading::told(&args.store, &mut *reader, "privacy show", "what is kept of a person");
    let kept = args.whom.look(&mut *reader)?;
    let mut out = stdout();
    match args.output {
        ShowFormat::Json => json_line(&mut out, &kept)?,
        ShowFormat::Text => text(&mut out, &kept)?,
    }
    out.flush()?;
    Ok(if kept.records == 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn text(out: &mut impl Write, kept: &Kept) -> std::io::Result<()> {
    writeln!(out, "user id   {}", kept.user_id.as_deref().map_or_else(|| "not known".to_owned(), plain))?;
    writeln!(out, "records   {}", kept.records)?;
    for (word, seq, time) in
        [("first", kept.first_seq, &kept.first_time), ("last", kept.last_seq, &kept.last_time)]
    {
        if let (Some(seq), Some(time)) = (seq, time) {
            writeln!(out, "{word:<9} record {seq}, {time}")?;
        }
    }
    for (kind, count) in &kept.kinds {
        writeln!(out, "          {count} {kind}")?;
    }
    for (field, values) in &kept.values {
        for value in values {
            writeln!(out, "{field:<9} {}", plain(value))?;
        }
    }
    Ok(())
}
