//! `osel privacy persons`: of whom there are keys.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::cli::StoreArg;
use crate::cli::output::{ShowFormat, json_line, note, stdout};

/// Lists the persons of whom sealed parts are kept, by the ids of users; those who are known by a name or an address only are counted.
#[derive(Debug, Args)]
pub struct PersonsArgs {
    #[command(flatten)]
    store: StoreArg,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: ShowFormat,
}

/// The line of a user in JSON.
#[derive(Debug, Serialize)]
struct UserLine<'a> {
    user_id: &'a str,
}

pub(super) fn run(args: &PersonsArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    let mut out = stdout();
    let (mut users, mut others, mut written) = (0_u64, 0_u64, Ok(()));
    reader.persons(&mut |label| {
        match label.strip_prefix("user:") {
            Some(user_id) => {
                users += 1;
                written = match args.output {
                    ShowFormat::Json => json_line(&mut out, &UserLine { user_id }),
                    ShowFormat::Text => writeln!(out, "{}", user_id.escape_debug()),
                };
            }
            None => others += 1,
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    out.flush()?;
    note(format_args!("{users} users have keys, and {others} who are known by a name or an address only"));
    Ok(ExitCode::SUCCESS)
}
