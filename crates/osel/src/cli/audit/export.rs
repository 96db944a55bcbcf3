//! `osel audit export`: the trail in the forms that other programs read.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use osel_core::format::{cadf_text, osel_1_1};

use super::bundle::{self, BundleArgs};
use super::read::each_record;
use crate::cli::StoreArg;
use crate::cli::open::state_at;
use crate::cli::output::{json_line, stdout};
use crate::runtime::payloads::Payloads;
use crate::runtime::qualys_scans::QualysScans;
use crate::store::{PartContent, Reader, StoredRecord};

/// Prints the whole trail, one record a line, or writes it into a bundle that others can verify.
///
/// The older formats are for dashboards that exist: osel-1.1 has one JSON object for each address whose exposure a record changed,
/// cadf-text one line for each event of the identity service.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The form.
    #[arg(long, value_enum, default_value_t)]
    format: ExportFormat,
    /// `json` is the same as --format native.
    #[arg(short, long, value_enum, conflicts_with = "format")]
    output: Option<ExportOutput>,
    #[command(flatten)]
    bundle: BundleArgs,
}

/// The forms of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// JSON Lines with all keys of a record.
    #[default]
    Native,
    /// What the first OSEL logged: JSON Lines, one for each affected address.
    #[value(name = "osel-1.1")]
    Osel11,
    /// Lines of text about users, projects, roles and the like.
    CadfText,
}

/// How every other command is told to print JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportOutput {
    /// JSON Lines with all keys of a record.
    Json,
}

pub(in crate::cli) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    if let Some(path) = &args.bundle.bundle {
        return bundle::run(&mut *reader, &args.bundle, path);
    }
    let mut out = stdout();
    match args.format {
        ExportFormat::Native => {
            each_record(&mut *reader, &mut |_, record| Ok(json_line(&mut out, &record.document())?))?;
        }
        ExportFormat::Osel11 => {
            // Messages and scans are fetched while records are read.
            let mut messages = args.store.reader()?;
            let mut payloads = Payloads::default();
            let mut scans = QualysScans::default();
            each_record(&mut *reader, &mut |stored, record| {
                if record.opened_count() + record.closed_count() == 0 {
                    return Ok(());
                }
                let message = message(&mut *messages, &mut payloads, stored)?;
                let scans = scans.of(&mut *messages, record)?;
                for line in osel_1_1(record, message.as_deref(), &scans) {
                    json_line(&mut out, &line)?;
                }
                Ok(())
            })?;
        }
        ExportFormat::CadfText => {
            let now = state_at(&mut *reader, None)?;
            each_record(&mut *reader, &mut |_, record| match cadf_text(record, now.names()) {
                Some(line) => Ok(writeln!(out, "{line}")?),
                None => Ok(()),
            })?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The message that a record has as a part, if it is still there.
fn message(
    reader: &mut dyn Reader,
    payloads: &mut Payloads,
    stored: &StoredRecord,
) -> anyhow::Result<Option<Vec<u8>>> {
    if stored.parts.iter().any(|part| part.content == PartContent::InEntry) {
        Ok(payloads.body(reader, stored.entry)?)
    } else {
        Ok(None)
    }
}
