//! `osel audit export --bundle FILE`: records in one file that `osel-verify` checks without this store.
//!
//! What is written is checked while it is written, by the checker that the receiver has: nobody gets a bundle that does not hold, and a
//! store that was tampered with is found here. The file has its name when it is whole and on the disk.

use std::fmt;
use std::io::Write;
use std::iter;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use osel_core::trail::bundle::{BadBundle, BundlePart, BundleRecord, Checker, Scope, Summary, Writer};
use osel_core::trail::log::{Checkpoint, VerifierKey, prove};
use osel_core::trail::{Hash, consistency_plan, inclusion_plan};

use super::chosen::Chosen;
use super::export::Withheld;
use super::keys::{Handover, Keys};
use super::selection::Selection;
use super::shown::withhold;
use super::tiles::Tiles;
use crate::cli::encryption::{Recipient, Sink};
use crate::cli::log::read_note;
use crate::cli::output::{Failure, note, progress};
use crate::cli::whole_file::WholeFile;
use crate::config::listed;
use crate::runtime::log::{Cosigned, cosigned, cosigned_by, root};
use crate::runtime::payloads::Payloads;
use crate::store::{JournalError, Numbers, PartContent, Reader, StoredRecord};

/// How many records are read at once: the messages of one may have to be asked of the same store before the next.
const PAGE: u64 = 1000;
/// Of records with much in them fewer are read at once: the parts of one may have many MiB.
const PAGE_BYTES: usize = 16 << 20;

/// What a bundle is proved by.
struct Proof {
    keys: Keys,
    note: String,
    checkpoint: Checkpoint,
    /// How many have cosigned it.
    witnesses: usize,
}

/// What a bundle will have.
pub(super) struct Plan {
    proof: Proof,
    scope: Scope,
    /// The checkpoint that it goes on from.
    since: Option<String>,
    /// By their numbers; of these maybe not all.
    numbers: Numbers,
}

/// The records of a bundle.
enum Records {
    All(Numbers),
    Chosen(Chosen),
}

impl Records {
    fn count(&self) -> u64 {
        match self {
            Self::All(numbers) => (numbers.end() + 1).saturating_sub(*numbers.start()),
            Self::Chosen(chosen) => chosen.count(),
        }
    }

    /// Those that follow each other together.
    fn runs(&self) -> Box<dyn Iterator<Item = Numbers> + '_> {
        match self {
            Self::All(numbers) => Box::new(iter::once(numbers.clone())),
            Self::Chosen(chosen) => Box::new(chosen.runs()),
        }
    }
}

/// Decides what a bundle has, and says what it cannot have.
///
/// # Errors
/// When there is no checkpoint that could prove it, `since` is none of this log, or the store cannot be read.
pub(super) fn plan(
    reader: &mut dyn Reader,
    selection: &Selection,
    since: Option<&Path>,
    witnesses: Option<u8>,
) -> anyhow::Result<Plan> {
    let proof = proof(reader, witnesses)?;
    let size = proof.checkpoint.size;
    let since = since.map(|file| self::since(reader, file, &proof.keys, size)).transpose()?;
    let wanted = &selection.numbers;
    if *wanted.start() > size && *wanted.start() > 1 {
        bail!("no checkpoint covers record {} yet: the latest is of {size} records", wanted.start());
    }
    let is_whole = selection.is_by_number && since.is_none() && *wanted == (1..=u64::MAX);
    let first = since.as_ref().map_or(1, |(_, since)| since.size + 1).max(*wanted.start());
    let last = reader.head()?.seq.min(*wanted.end());
    if last > size {
        let first = size.max(first - 1) + 1;
        let why = if witnesses.is_some() {
            "which they have not cosigned yet"
        } else {
            "which no checkpoint covers yet"
        };
        note(format_args!("left out: records {first} to {last}, {why}"));
    }
    if let Some(key) = &proof.keys.left_behind {
        note(format_args!(
            "the key `{key}` was not at hand when it was exchanged and did not hand on the log: the bundle begins with a later one"
        ));
    }
    Ok(Plan {
        proof,
        scope: if is_whole { Scope::Whole } else { Scope::Some },
        since: since.map(|(note, _)| note),
        numbers: first..=size.min(*wanted.end()),
    })
}

/// Writes it into a file of that name.
///
/// # Errors
/// When the store cannot be read or the file cannot be written; a store that does not hold together is an answer, and no file.
pub(super) fn write(
    reader: &mut dyn Reader,
    selection: &Selection,
    plan: &Plan,
    path: &Path,
    recipients: &[Recipient],
) -> anyhow::Result<ExitCode> {
    let mut bundle = Bundle::create(path, recipients)?;
    let records = match selection.is_by_number {
        true => Records::All(plan.numbers.clone()),
        false => Records::Chosen(selection.choose(reader, plan.numbers.clone())?),
    };
    match write_all(reader, &mut bundle, plan, &records, &selection.shown_to) {
        Ok(()) => {
            let withheld = Withheld(bundle.withheld);
            let Summary { records, checkpoint, .. } = bundle.keep()?;
            note(format_args!(
                "{records} records{withheld}, proved by a checkpoint of {} of the log {}{}",
                checkpoint.size,
                checkpoint.origin,
                By(plan.proof.witnesses)
            ));
            if records == 0 && !selection.shown_to.is_empty() {
                note(format_args!("nothing of it is of {}: is the id right?", projects(&selection.shown_to)));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let bad = error.downcast::<BadBundle>()?;
            note(format_args!(
                "no bundle was written: {:#}: run `osel audit verify`",
                anyhow::Error::from(bad)
            ));
            Ok(ExitCode::from(1))
        }
    }
}

fn projects(ids: &[String]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("project `{id}`")).collect();
    ids.join(", ")
}

/// By how many witnesses a checkpoint was seen.
struct By(usize);

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(", cosigned by a witness"),
            witnesses => write!(f, ", cosigned by {witnesses} witnesses"),
        }
    }
}

/// The latest checkpoint, or the latest that so many witnesses have cosigned, and the key that signed it.
fn proof(reader: &mut dyn Reader, witnesses: Option<u8>) -> anyhow::Result<Proof> {
    let Some(latest) = reader.checkpoint(None)? else {
        bail!(
            "the log has no checkpoint yet, and a bundle is proved by one: they are signed while `osel run`, `replay` or `demo` write records, \
             where the store has a key (`osel log key`)"
        );
    };
    let (size, Cosigned { note, witnesses }) = match witnesses {
        None => (latest.size, cosigned(reader, &latest)?),
        Some(wanted) => cosigned_by(reader, wanted.into())?.with_context(|| {
            format!("there is no checkpoint that {wanted} of the witnesses have cosigned: `osel log show` says what each has seen last")
        })?,
    };
    let mut rows = reader.log_keys()?;
    rows.retain(|row| row.size <= size);
    let of_it = rows.last();
    let key = of_it.map(|row| row.key.parse::<VerifierKey>()).transpose().context("the log's key is none")?;
    let key = key.with_context(|| format!("the store does not know the key of its checkpoint of {size}"))?;
    let checkpoint = Checkpoint::open(note.as_bytes(), std::slice::from_ref(&key))
        .with_context(|| format!("the checkpoint of {size} does not hold: run `osel audit verify`"))?;
    let keys = Keys::read(reader, &rows, key)?;
    Ok(Proof { keys, note, checkpoint, witnesses })
}

/// The note of a `--since`, which must be an earlier one of the same log.
fn since(
    reader: &mut dyn Reader,
    file: &Path,
    keys: &Keys,
    size: u64,
) -> anyhow::Result<(String, Checkpoint)> {
    let name = file.display();
    let note = String::from_utf8_lossy(&read_note(file)?).into_owned();
    let signed_by = || {
        let all = listed(keys.keys.iter().map(ToString::to_string), " or ");
        format!("`{name}` is no checkpoint that the log's key {all} signed at its time")
    };
    let checkpoint = keys.open(&note).with_context(signed_by)?;
    if checkpoint.size > size {
        bail!(
            "`{name}` is of {} records and the checkpoint that is to prove the bundle of {size}: records are lost, or fewer --witnesses have seen more",
            checkpoint.size
        );
    }
    if root(reader, checkpoint.size)? != checkpoint.root {
        bail!(
            "`{name}`: this log has another root at {} records, so that it is not the one that was signed then",
            checkpoint.size
        );
    }
    Ok((note, checkpoint))
}

fn write_all(
    reader: &mut dyn Reader,
    bundle: &mut Bundle,
    plan: &Plan,
    records: &Records,
    shown_to: &[String],
) -> anyhow::Result<()> {
    let Plan { proof, scope, since, .. } = plan;
    let size = proof.checkpoint.size;
    bundle.begin(*scope, proof, records.count())?;
    let mut tiles = Tiles::new(size);
    let mut payloads = Payloads::default();
    for Handover { checkpoint, note, record } in &proof.keys.handovers {
        let plan = consistency_plan(checkpoint.size, size).unwrap_or_default();
        let proof = prove(plan, &mut |level, range| tiles.hashes(reader, level, range))?;
        let plan = inclusion_plan(record.seq.saturating_sub(1), checkpoint.size).unwrap_or_default();
        let path = prove(plan, &mut |level, range| tiles.hashes(reader, level, range))?;
        bundle.handover(reader, &mut payloads, note, &proof, record, &path)?;
    }
    if let Some(note) = since {
        let old = Checkpoint::read_unverified(note.as_bytes())?.size;
        let plan = consistency_plan(old, size).unwrap_or_default();
        let proof = prove(plan, &mut |level, range| tiles.hashes(reader, level, range))?;
        bundle.line(|writer, line| writer.since(note, &proof, line))?;
    }
    let mut between = match scope {
        Scope::Whole => earlier_checkpoints(reader, proof)?,
        Scope::Some => Vec::new(),
    }
    .into_iter()
    .peekable();
    let bar = progress("records");
    for run in records.runs() {
        let mut next = *run.start();
        while next <= *run.end() {
            let page = page(reader, next..=(next + PAGE - 1).min(*run.end()))?;
            let Some(last) = page.last().map(|record| record.seq) else { break };
            for mut record in page {
                let path = match scope {
                    Scope::Whole => Vec::new(),
                    Scope::Some => {
                        let plan = record.seq.checked_sub(1).and_then(|index| inclusion_plan(index, size));
                        prove(plan.unwrap_or_default(), &mut |level, range| {
                            tiles.hashes(reader, level, range)
                        })?
                    }
                };
                if !shown_to.is_empty() {
                    bundle.withheld += withhold(&mut record, shown_to);
                }
                bundle.record(reader, &mut payloads, &record, &path)?;
                while let Some((_, note)) = between.next_if(|(size, _)| *size <= record.seq) {
                    bundle.line(|writer, line| writer.checkpoint(&note, line))?;
                }
                bar.inc(1);
            }
            next = last + 1;
        }
    }
    bar.finish_and_clear();
    bundle.end()
}

fn page(reader: &mut dyn Reader, numbers: Numbers) -> Result<Vec<StoredRecord>, JournalError> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    reader.records(numbers, &mut |record| {
        bytes += record.parts.iter().map(|part| stored_bytes(&part.content)).sum::<usize>();
        page.push(record);
        if bytes < PAGE_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(page)
}

fn stored_bytes(content: &PartContent) -> usize {
    match content {
        PartContent::Bytes(bytes) => bytes.len(),
        PartContent::InEntry | PartContent::Gone => 0,
    }
}

/// The kept checkpoints before the latest that the key signed whose turn it was, with their sizes.
fn earlier_checkpoints(reader: &mut dyn Reader, proof: &Proof) -> Result<Vec<(u64, String)>, JournalError> {
    let mut earlier: Vec<(u64, String)> = Vec::new();
    let Some(before) = proof.checkpoint.size.checked_sub(1) else { return Ok(earlier) };
    reader.checkpoints(1..=before, &mut |signed| {
        let is_new = earlier.last().is_none_or(|(size, _)| *size < signed.size);
        if is_new && proof.keys.open(&signed.note).is_ok() {
            earlier.push((signed.size, signed.note));
        }
        ControlFlow::Continue(())
    })?;
    Ok(earlier)
}

/// A bundle that is being written.
struct Bundle {
    file: Sink<WholeFile>,
    writer: Option<Writer>,
    checker: Checker,
    line: String,
    /// Parts that are there and not shown.
    withheld: u64,
}

impl Bundle {
    fn create(path: &Path, recipients: &[Recipient]) -> anyhow::Result<Self> {
        // What has the name goes when the bundle gets it: that must not be a device, a pipe or a folder.
        let is_other = path.metadata().is_ok_and(|found| !found.is_file());
        if is_other || path == Path::new("-") || path.file_name().is_none() {
            return Err(Failure::Usage(format!("--bundle {}: that is no file", path.display())).into());
        }
        let file = Sink::new(WholeFile::create(path)?, recipients)?;
        Ok(Self { file, writer: None, checker: Checker::new(None), line: String::new(), withheld: 0 })
    }

    fn begin(&mut self, scope: Scope, proof: &Proof, records: u64) -> anyhow::Result<()> {
        self.writer = Some(Writer::begin(scope, &proof.keys.keys, records, &proof.note, &mut self.line));
        self.put()
    }

    fn line(&mut self, write: impl FnOnce(&mut Writer, &mut String)) -> anyhow::Result<()> {
        if let Some(writer) = &mut self.writer {
            write(writer, &mut self.line);
        }
        self.put()
    }

    fn record(
        &mut self,
        reader: &mut dyn Reader,
        payloads: &mut Payloads,
        record: &StoredRecord,
        path: &[Hash],
    ) -> anyhow::Result<()> {
        self.put_record(reader, payloads, record, path, |writer, record, line| writer.record(record, line))
    }

    fn handover(
        &mut self,
        reader: &mut dyn Reader,
        payloads: &mut Payloads,
        note: &str,
        proof: &[Hash],
        record: &StoredRecord,
        path: &[Hash],
    ) -> anyhow::Result<()> {
        self.put_record(reader, payloads, record, path, |writer, record, line| {
            writer.handover(note, proof, record, line);
        })
    }

    /// Puts a line that is made with a record.
    fn put_record(
        &mut self,
        reader: &mut dyn Reader,
        payloads: &mut Payloads,
        record: &StoredRecord,
        path: &[Hash],
        write: impl FnOnce(&mut Writer, &BundleRecord<'_>, &mut String),
    ) -> anyhow::Result<()> {
        let in_entry = record.parts.iter().any(|part| part.content == PartContent::InEntry);
        let payload = if in_entry { payloads.body(reader, record.entry)? } else { None };
        let parts: Vec<Option<BundlePart<'_>>> = record
            .parts
            .iter()
            .map(|part| {
                let content = match &part.content {
                    PartContent::Bytes(bytes) => bytes.as_slice(),
                    PartContent::InEntry => payload.as_deref()?,
                    PartContent::Gone => return None,
                };
                Some(BundlePart { salt: &part.salt, content })
            })
            .collect();
        let record = BundleRecord { seq: record.seq, canonical: &record.canonical, parts: &parts, path };
        self.line(|writer, line| write(writer, &record, line))
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if let Some(writer) = self.writer.take() {
            writer.end(&mut self.line);
        }
        self.put()
    }

    /// Checks the line, and writes it.
    fn put(&mut self) -> anyhow::Result<()> {
        self.checker.push(self.line.as_bytes())?;
        let written = self.file.write_all(self.line.as_bytes());
        written.with_context(|| self.file.inner().failure())
    }

    /// Gives the file its name, if all of it is good.
    fn keep(self) -> anyhow::Result<Summary> {
        let summary = self.checker.finish()?;
        let failure = self.file.inner().failure();
        self.file.finish().context(failure)?.keep()?;
        Ok(summary)
    }
}
