//! `osel audit export`: the trail in the forms that other programs read.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::read::each_record;
use crate::cli::StoreArg;
use crate::cli::output::{OutputFormat, json_line, stdout};

/// Prints the whole trail, one record a line.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The form.
    #[arg(long, value_enum, default_value_t)]
    format: ExportFormat,
    /// `json` is the same as --format native.
    #[arg(short, long, value_enum)]
    output: Option<OutputFormat>,
}

/// The forms of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// JSON Lines with all keys of a record.
    #[default]
    Native,
}

pub(in crate::cli) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let mut out = stdout();
    each_record(&mut *args.store.reader()?, &mut |_, record| {
        match args.format {
            ExportFormat::Native => json_line(&mut out, &record.document())?,
        }
        Ok(())
    })?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
