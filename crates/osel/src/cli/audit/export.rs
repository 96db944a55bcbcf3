//! `osel audit export`: the trail in the forms that other programs read.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum, value_parser};
use osel_core::engine::record::Record;
use osel_core::format::{Format, Subject, render};
use osel_core::names::Directory;

use super::bundle;
use super::past::Past;
use super::read::{damaged, record};
use super::reading;
use super::selection::SelectionArgs;
use super::shown::withhold;
use crate::cli::StoreArg;
use crate::cli::encryption::{Recipient, RecipientArgs, Sink, not_to_a_terminal};
use crate::cli::open::state_at;
use crate::cli::output::{Failure, json_line, note, stdout};
use crate::cli::pseudonyms::{PseudonymsArg, View};
use crate::runtime::payloads::Payloads;
use crate::runtime::qualys_scans::QualysScans;
use crate::store::{PartContent, Reader, StoredRecord};

/// Prints the trail, one record a line, or writes it into a bundle that others can verify: all of it, or the records that are meant.
///
/// With conditions it is the records that `osel audit search` finds by them, or those of one incident. With --for-project it is what may be
/// shown to a project: parts of other projects and of operators are left out, and a bundle proves the rest all the same (docs/export.md).
///
/// Each form is made for somebody: ocsf and ecs for a SIEM with a schema of its own, cef for one that reads lines of text, cadf for what reads
/// OpenStack's audit events already, osel-1.1 and cadf-text for dashboards that exist. native loses nothing. What of a record becomes
/// what, and how much it matters, is told in docs/formats.md; `osel run` forwards the same lines ([[forward]] in the configuration).
#[derive(Debug, Args)]
#[command(
    mut_arg("since", |since| {
        since.value_name("TIME|CHECKPOINT-FILE").help(
            "Not before this time (RFC 3339); of a bundle also: only what came after the checkpoint in this file, with the proof that \
             nothing before it changed",
        )
    }),
    after_help = "Examples:
  osel audit export --format ocsf --since 2026-11-21T00:00:00Z
  osel audit export --bundle trail.bundle                              the whole trail
  osel audit export --bundle incident.bundle --incident 4711           a record and all that belongs to it, each proved
  osel audit export --bundle tenant.bundle --for-project ID            what may be shown to that project, by its whole id
  osel audit export --bundle web.bundle.age --address 198.51.100.0/24 --recipient age1…   for one reader alone"
)]
pub struct ExportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The form.
    #[arg(long, default_value_t, value_parser = format_parser())]
    format: Format,
    /// `json` is the same as --format native.
    #[arg(short, long, value_enum, conflicts_with = "format")]
    output: Option<ExportOutput>,
    /// Writes them into a file that `osel-verify` checks, with nothing but the file and the log's key; up to the latest checkpoint.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "output"])]
    bundle: Option<PathBuf>,
    /// Of the bundle: proved by the latest checkpoint that so many witnesses have cosigned, and not by the latest of all.
    #[arg(long, value_name = "N", requires = "bundle", value_parser = value_parser!(u8).range(1..))]
    witnesses: Option<u8>,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    pseudonyms: PseudonymsArg,
    #[command(flatten)]
    recipients: RecipientArgs,
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

impl ExportArgs {
    /// What was asked for, in words.
    fn asked(&self, recipients: &[Recipient]) -> String {
        let form = match self.bundle {
            Some(_) => "--bundle".to_owned(),
            None => format!("--format {}", self.format.as_str()),
        };
        let selection = self.selection.asked();
        let recipients = recipients.iter().map(|recipient| format!("--recipient {}", recipient.text()));
        // To whom it went is never cut off.
        let view = self.pseudonyms.pseudonyms.then(|| "--pseudonyms".to_owned());
        [form].into_iter().chain(view).chain(recipients).chain(selection).collect::<Vec<_>>().join(" ")
    }
}

pub(in crate::cli) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    match &args.bundle {
        Some(path) => into_bundle(args, path),
        None => lines(args),
    }
}

fn into_bundle(args: &ExportArgs, path: &Path) -> anyhow::Result<ExitCode> {
    if args.pseudonyms.pseudonyms {
        let why = "--pseudonyms with --bundle: a bundle has the records as they were hashed, or nobody could verify it";
        return Err(Failure::Usage(why.to_owned()).into());
    }
    let mut selection = args.selection.clone();
    let since = selection.conditions.take_since_file().map(PathBuf::from);
    let (selection, recipients) = (selection.read()?, args.recipients.read()?);
    let mut reader = args.store.reader()?;
    let plan = bundle::plan(&mut *reader, &selection, since.as_deref(), args.witnesses)?;
    reading::told(&args.store, &mut *reader, "export", &args.asked(&recipients));
    bundle::write(&mut *reader, &selection, &plan, path, &recipients)
}

fn lines(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let (selection, recipients) = (args.selection.read()?, args.recipients.read()?);
    if !recipients.is_empty() {
        not_to_a_terminal()?;
    }
    let view = args.pseudonyms.view(&args.store)?;
    let mut reader = args.store.reader()?;
    let last = reader.head()?.seq;
    // Before anything is printed: whoever stops reading has read all the same.
    reading::told(&args.store, &mut *reader, "export", &args.asked(&recipients));
    let mut out = Sink::new(stdout(), &recipients)?;
    let is_native = args.format == Format::Native;
    let mut needs =
        if is_native { None } else { Some(Needs::new(args, &view, &mut *reader, &selection.shown_to)?) };
    let (mut past, mut lines) = (Past::default(), Vec::new());
    let (mut count, mut withheld) = (0_u64, 0);
    let records = *selection.numbers.start()..=last.min(*selection.numbers.end());
    selection.each(&mut *reader, records, &mut |reader, stored, mut found| {
        count += 1;
        let mut shown = None;
        if !selection.shown_to.is_empty() {
            let mut stored = stored.clone();
            withheld += withhold(&mut stored, &selection.shown_to);
            found = record(&stored).ok_or_else(|| damaged(stored.seq))?;
            shown = Some(stored);
        }
        past.list_rows(reader, &mut found);
        let Some(needs) = &mut needs else { return Ok(json_line(&mut out, &view.of(&found).document())?) };
        needs.render(shown.as_ref().unwrap_or(stored), &found, &mut lines)?;
        for line in lines.drain(..) {
            out.write_all(&line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    out.finish()?.flush()?;
    if !selection.is_by_number {
        note(format_args!("{count} records{}", Withheld(withheld)));
    }
    Ok(ExitCode::SUCCESS)
}

/// How many parts are not shown.
pub(super) struct Withheld(pub(super) u64);

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(", 1 part of them left out as another's"),
            parts => write!(f, ", {parts} parts of them left out as others'"),
        }
    }
}

/// What a form needs beside records, fetched while they are read.
struct Needs<'a> {
    format: Format,
    view: &'a View,
    /// A second view of the store: the first one is busy with records.
    reader: Box<dyn Reader>,
    store: String,
    names: Directory,
    payloads: Payloads,
    scans: QualysScans,
}

impl<'a> Needs<'a> {
    fn new(
        args: &ExportArgs,
        view: &'a View,
        records: &mut dyn Reader,
        shown_to: &[String],
    ) -> anyhow::Result<Self> {
        let format = args.format;
        // The names that are known now are everybody's: a project is told those in its own parts.
        let needs_names = format.needs_names() && shown_to.is_empty();
        let names = if needs_names { state_at(records, None)?.names().clone() } else { Directory::new() };
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
