//! `osel forward rewind`: sets a forwarder back, or on.

use std::process::ExitCode;

use clap::Args;

use super::{Place, row};
use crate::cli::open::moment;
use crate::cli::order::{Given, Orders};
use crate::cli::output::{Failure, note};
use crate::cli::span::date_or_time;
use crate::runtime::control::Ask;
use crate::store::Reader;

/// Has a forwarder go on from another place: what was sent since is sent again, with the same ids, or what was not is left out.
///
/// It is recorded with your name. Its account begins anew there; dead letters from behind it are dropped, since their lines are sent
/// again. A daemon that runs does so at once; else the next one does.
#[derive(Debug, Args)]
pub struct RewindArgs {
    #[command(flatten)]
    place: Place,
    /// Its name.
    name: String,
    /// The first record that is to be sent: its number, the first after a time (RFC 3339) or a date, which is its first moment in UTC,
    /// `start` for the whole trail, or `end` for none but those to come.
    #[arg(long, value_name = "SEQ|TIME|start|end")]
    to: String,
}

pub(super) fn run(args: &RewindArgs) -> anyhow::Result<ExitCode> {
    let store = args.place.store();
    let mut reader = store.reader()?;
    let Some(before) = row(&mut *reader, &args.place, &args.name)? else { return Ok(ExitCode::from(1)) };
    let seq = match args.to.as_str() {
        "start" => 0,
        "end" => reader.head()?.seq,
        to => before_first(&mut *reader, to)?,
    };
    let mut orders = Orders::new(store, reader.info()?.id)?;
    let given = orders.give(Ask::RewindForwarder { forwarder: args.name.clone(), seq })?;
    orders.finish()?;
    match given {
        Given::Done(record) => {
            let record = record.map(|record| format!(": record {record}")).unwrap_or_default();
            let (name, place) = (&args.name, before.place);
            note(format_args!("forwarder {name} goes on behind record {seq} instead of {place}{record}"));
            Ok(ExitCode::SUCCESS)
        }
        Given::No(why) => {
            note(why);
            Ok(ExitCode::from(1))
        }
    }
}

/// The record before the first that is to be sent: a number is that of the first, a time the last moment of those that are not.
///
/// # Errors
/// When it is neither, or lies behind the last record, or the store cannot be read.
fn before_first(reader: &mut dyn Reader, to: &str) -> anyhow::Result<u64> {
    if to.parse::<u64>().is_ok() {
        return Ok(moment(reader, "--to", Some(to))?.saturating_sub(1));
    }
    let usage = |why: String| anyhow::Error::from(Failure::Usage(format!("--to {to}: {why}")));
    let Some(time) = date_or_time(to) else {
        let all = "give a record's number, a date or a time such as 2026-11-21T03:12:00Z, `start` or `end`";
        return Err(usage(all.to_owned()));
    };
    let head = reader.head()?.seq;
    // Whoever mistypes a time would have everything left out.
    if let Some(last) = reader.record(head)?.filter(|last| last.as_of < time) {
        let of = last.as_of;
        return Err(usage(format!("the last record of this store is {head}, of {of}; `end` means the end")));
    }
    moment(reader, "--to", Some(&time.to_string()))
}
