//! `osel forward rewind`: sets a forwarder back, or on.

use std::process::ExitCode;

use clap::Args;

use super::{Place, row};
use crate::cli::open::moment;
use crate::cli::order::{Given, Orders};
use crate::cli::output::note;
use crate::runtime::control::Ask;

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
    /// The first record that is to be sent: its number, the first after a time (RFC 3339), `start` for the whole trail, or `end` for
    /// none but those to come.
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
        to => {
            let seq = moment(&mut *reader, "--to", Some(to))?;
            // A number is that of the first record to be sent, a time the last moment of those that are not.
            if to.parse::<u64>().is_ok() { seq.saturating_sub(1) } else { seq }
        }
    };
    let mut orders = Orders::new(&store, reader.info()?.id)?;
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
