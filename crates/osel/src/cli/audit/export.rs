//! `osel audit export`: the trail in the forms that other programs read.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use osel_core::engine::record::Record;
use osel_core::format::{Format, Subject, render};
use osel_core::names::Directory;

use super::bundle::{self, BundleArgs};
use super::read::each_record;
use crate::cli::StoreArg;
use crate::cli::open::state_at;
use crate::cli::output::{Failure, json_line, stdout};
use crate::cli::pseudonyms::{PseudonymsArg, View};
use crate::runtime::payloads::Payloads;
use crate::runtime::qualys_scans::QualysScans;
use crate::store::{PartContent, Reader, StoredRecord};

/// Prints the whole trail, one record a line, or writes it into a bundle that others can verify.
///
/// Each form is made for somebody: ocsf and ecs for a SIEM with a schema of its own, cef for one that reads lines of text, cadf for what reads
/// OpenStack's audit events already, osel-1.1 and cadf-text for dashboards that exist. native loses nothing. What of a record becomes
/// what, and how much it matters, is told in docs/formats.md; `osel run` forwards the same lines ([[forward]] in the configuration).
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The form.
    #[arg(long, default_value_t, value_parser = format_parser())]
    format: Format,
    /// `json` is the same as --format native.
    #[arg(short, long, value_enum, conflicts_with = "format")]
    output: Option<ExportOutput>,
    #[command(flatten)]
    pseudonyms: PseudonymsArg,
    #[command(flatten)]
    bundle: BundleArgs,
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    let known = Format::ALL.map(|format| PossibleValue::new(format.as_str()).help(help(format)));
    PossibleValuesParser::new(known)
        .map(|word| Format::from_word(&word).expect("the parser lets only these words through"))
}

fn help(format: Format) -> &'static str {
    match format {
        Format::Native => "JSON Lines with all keys of a record and all its rows",
        Format::Ocsf => {
            "Open Cybersecurity Schema Framework 1.8: an event per record, and a finding per row that it opened or closed"
        }
        Format::Ecs => "Elastic Common Schema 9: a document per record",
        Format::Cadf => "DMTF's audit events: as they came, else made by osel",
        Format::Cef => "ArcSight's Common Event Format: a line of text per record",
        Format::Osel11 => "What the first OSEL logged: JSON Lines, one for each affected address",
        Format::CadfText => "Lines of text about users, projects, roles and the like",
        Format::Sentence => "The sentence of each record",
    }
}

/// How every other command is told to print JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportOutput {
    /// JSON Lines with all keys of a record.
    Json,
}

pub(in crate::cli) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let mut reader = args.store.reader()?;
    let view = args.pseudonyms.view(&args.store)?;
    if let Some(path) = &args.bundle.bundle {
        if view.is_pseudonymous() {
            let why = "--pseudonyms with --bundle: a bundle has the records as they were hashed, or nobody could verify it";
            return Err(Failure::Usage(why.to_owned()).into());
        }
        return bundle::run(&mut *reader, &args.bundle, path);
    }
    let mut out = stdout();
    if args.format == Format::Native {
        each_record(&mut *reader, &mut |_, record| Ok(json_line(&mut out, &view.of(record).document())?))?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut needs = Needs::new(args, view, &mut *reader)?;
    let mut lines = Vec::new();
    each_record(&mut *reader, &mut |stored, record| {
        needs.render(stored, record, &mut lines)?;
        for line in lines.drain(..) {
            out.write_all(&line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// What a form needs beside records, fetched while they are read.
struct Needs {
    format: Format,
    view: View,
    /// A second view of the store: the first one is busy with records.
    reader: Box<dyn Reader>,
    store: String,
    names: Directory,
    payloads: Payloads,
    scans: QualysScans,
}

impl Needs {
    fn new(args: &ExportArgs, view: View, records: &mut dyn Reader) -> anyhow::Result<Self> {
        let format = args.format;
        let names =
            if format.needs_names() { state_at(records, None)?.names().clone() } else { Directory::new() };
        let (reader, store) = (args.store.reader()?, records.info()?.id);
        let (payloads, scans) = (Payloads::default(), QualysScans::default());
        Ok(Self { format, view, reader, store, names, payloads, scans })
    }

    fn render(
        &mut self,
        stored: &StoredRecord,
        record: &Record,
        lines: &mut Vec<Vec<u8>>,
    ) -> anyhow::Result<()> {
        let (format, reader) = (self.format, &mut *self.reader);
        // Of a record that changed no address the first OSEL has nothing to say.
        if format == Format::Osel11 && record.opened_count() + record.closed_count() == 0 {
            return Ok(());
        }
        let needs_message = format.needs_message() && !self.view.is_pseudonymous();
        let message = if needs_message { message(reader, &mut self.payloads, stored)? } else { None };
        let scans = if format.needs_scans() { self.scans.of(reader, record)? } else { BTreeMap::new() };
        let (names, store) = (&self.names, &*self.store);
        let record = self.view.of(record);
        let subject = Subject { record: &record, message: message.as_deref(), scans: &scans, names, store };
        render(format, &subject, lines);
        Ok(())
    }
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
