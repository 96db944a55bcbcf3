//! `osel scans cancel`: calls one off.

use std::process::ExitCode;

use clap::Args;

use super::{read, unknown};
use crate::cli::StoreArg;
use crate::cli::order::{Given, Orders};
use crate::cli::output::note;
use crate::runtime::control::Ask;

/// Calls a scan off.
///
/// It is recorded with your name. The scanner is told by the daemon, at once if it runs, else when it starts. Exit code 1 when there is no
/// such scan, or it is over.
#[derive(Debug, Args)]
pub struct CancelArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Its id, as `list` prints it.
    id: String,
}

pub(super) fn run(args: &CancelArgs) -> anyhow::Result<ExitCode> {
    let id = &args.id;
    let mut reader = args.store.reader()?;
    let Some(row) = reader.command(id)? else { return Ok(unknown(id)) };
    let life = read(&row)?;
    if life.state.is_over() {
        note(format_args!("scan {id} is over: {}", life.state.as_str()));
        return Ok(ExitCode::from(1));
    }
    if life.is_cancelled {
        note(format_args!("scan {id} is called off already"));
        return Ok(ExitCode::from(1));
    }
    let mut orders = Orders::new(&args.store, reader.info()?.id)?;
    let given = orders.give(Ask::CancelScan { id: id.clone() })?;
    orders.finish()?;
    match given {
        Given::Done(seq) => {
            // Without a record somebody else was quicker.
            let record = seq.map(|seq| format!(": record {seq}")).unwrap_or_default();
            note(format_args!("scan {id} is called off{record}"));
            Ok(ExitCode::SUCCESS)
        }
        Given::No(why) => {
            note(why);
            Ok(ExitCode::from(1))
        }
    }
}
