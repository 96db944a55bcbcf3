//! `osel audit export --bundle FILE`: records in one file that `osel-verify` checks without this store.
//!
//! What is written is checked while it is written, by the checker that the receiver has: nobody gets a bundle that does not hold, and a
//! store that was tampered with is found here. The file has its name when it is whole and on the disk.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use osel_core::trail::bundle::{BadBundle, BundlePart, BundleRecord, Checker, Scope, Summary, Writer};
use osel_core::trail::log::{Checkpoint, VerifierKey, prove};
use osel_core::trail::{Hash, consistency_plan, inclusion_plan};

use super::keys::{Handover, Keys};
use super::tiles::Tiles;
use crate::cli::log::read_note;
use crate::cli::output::{Failure, note, progress};
use crate::cli::whole_file::WholeFile;
use crate::runtime::payloads::Payloads;
use crate::store::{JournalError, Numbers, PartContent, Reader, StoredRecord};

/// How many records are read at once: the messages of one may have to be asked of the same store before the next.
const PAGE: u64 = 1000;
/// Of records with much in them fewer are read at once: the parts of one may have many MiB.
const PAGE_BYTES: usize = 16 << 20;

/// What goes into a bundle.
#[derive(Debug, Args)]
pub struct BundleArgs {
    /// Writes the trail into a file that `osel-verify` checks, with nothing but the file and the log's key; up to the latest checkpoint.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "output"])]
    pub bundle: Option<PathBuf>,
    /// Of the bundle only these records, each with its proof: A..B has both ends, A.. and ..B are open at one.
    #[arg(long, value_name = "A..B", requires = "bundle", conflicts_with = "since")]
    pub seq: Option<String>,
    /// Of the bundle only what came after the checkpoint in this file, with the proof that nothing before it changed.
    #[arg(long, value_name = "CHECKPOINT-FILE", requires = "bundle")]
    pub since: Option<PathBuf>,
}

/// What a bundle is proved by.
struct Proof {
    keys: Keys,
    note: String,
    checkpoint: Checkpoint,
}

pub(super) fn run(reader: &mut dyn Reader, args: &BundleArgs, path: &Path) -> anyhow::Result<ExitCode> {
    let numbers = args.seq.as_deref().map(numbers).transpose()?;
    let proof = proof(reader)?;
    let size = proof.checkpoint.size;
    let since = args.since.as_deref().map(|file| since(file, &proof.keys, size)).transpose()?;
    let wanted = match (&numbers, &since) {
        (Some(numbers), _) => numbers.clone(),
        (None, Some((_, since))) => since.size + 1..=u64::MAX,
        (None, None) => 1..=u64::MAX,
    };
    if numbers.is_some() && *wanted.start() > size {
        bail!("no checkpoint covers record {} yet: the latest is of {size} records", wanted.start());
    }
    let last = reader.head()?.seq.min(*wanted.end());
    if last > size {
        note(format_args!(
            "left out: records {} to {last}, which no checkpoint covers yet",
            size.max(wanted.start() - 1) + 1
        ));
    }
    let records = *wanted.start()..=size.min(*wanted.end());
    let scope = if numbers.is_none() && since.is_none() { Scope::Whole } else { Scope::Some };

    if let Some(key) = &proof.keys.left_behind {
        note(format_args!(
            "the key `{key}` was not at hand when it was exchanged and did not hand on the log: the bundle begins with a later one"
        ));
    }
    let mut bundle = Bundle::create(path)?;
    let written = write(reader, &mut bundle, scope, records, &proof, since.as_ref().map(|(note, _)| note));
    match written {
        Ok(()) => {
            let summary = bundle.keep()?;
            let Summary { records, checkpoint, .. } = summary;
            note(format_args!(
                "{records} records, proved by a checkpoint of {} of the log {}",
                checkpoint.size, checkpoint.origin
            ));
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

/// The range of a `--seq`.
fn numbers(text: &str) -> anyhow::Result<Numbers> {
    let usage = || Failure::Usage(format!("--seq {text}: not a range of records such as 120..180"));
    let (first, last) = text.split_once("..").ok_or_else(usage)?;
    let end = |text: &str, open: u64| match text {
        "" => Ok(open),
        digits => digits.parse::<u64>().map_err(|_| usage()),
    };
    let (first, last) = (end(first, 1)?, end(last, u64::MAX)?);
    if first == 0 || first > last {
        return Err(usage().into());
    }
    Ok(first..=last)
}

/// The latest checkpoint, and the key that signed it.
fn proof(reader: &mut dyn Reader) -> anyhow::Result<Proof> {
    let Some(signed) = reader.checkpoint(None)? else {
        bail!(
            "the log has no checkpoint yet, and a bundle is proved by one: they are signed while `osel run`, `replay` or `demo` write records, \
             where the store has a key (`osel log key`)"
        );
    };
    let mut rows = reader.log_keys()?;
    rows.retain(|row| row.size <= signed.size);
    let of_it = rows.last();
    let key = of_it.map(|row| row.key.parse::<VerifierKey>()).transpose().context("the log's key is none")?;
    let key =
        key.with_context(|| format!("the store does not know the key of its checkpoint of {}", signed.size))?;
    let checkpoint =
        Checkpoint::open(signed.note.as_bytes(), std::slice::from_ref(&key)).with_context(|| {
            format!("the checkpoint of {} does not hold: run `osel audit verify`", signed.size)
        })?;
    let keys = Keys::read(reader, &rows, key)?;
    Ok(Proof { keys, note: signed.note, checkpoint })
}

/// The note of a `--since`, which must be an earlier one of the same log.
fn since(file: &Path, keys: &Keys, size: u64) -> anyhow::Result<(String, Checkpoint)> {
    let name = file.display();
    let note = String::from_utf8_lossy(&read_note(file)?).into_owned();
    let signed_by = || {
        let all: Vec<String> = keys.keys.iter().map(|key| format!("`{key}`")).collect();
        format!("`{name}` is no checkpoint that the log's key {} signed at its time", all.join(" or "))
    };
    let checkpoint = keys.open(&note).with_context(signed_by)?;
    if checkpoint.size > size {
        bail!(
            "`{name}` is of {} records and the latest checkpoint here of {size}: records are lost",
            checkpoint.size
        );
    }
    Ok((note, checkpoint))
}

fn write(
    reader: &mut dyn Reader,
    bundle: &mut Bundle,
    scope: Scope,
    records: Numbers,
    proof: &Proof,
    since: Option<&String>,
) -> anyhow::Result<()> {
    let size = proof.checkpoint.size;
    let count = (records.end() + 1).saturating_sub(*records.start());
    bundle.begin(scope, proof, count)?;
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
    let mut next = *records.start();
    while next <= *records.end() {
        let page = page(reader, next..=records.end().min(&(next + PAGE - 1)).to_owned())?;
        let Some(last) = page.last().map(|record| record.seq) else { break };
        for record in page {
            let path = match scope {
                Scope::Whole => Vec::new(),
                Scope::Some => {
                    let plan = record.seq.checked_sub(1).and_then(|index| inclusion_plan(index, size));
                    prove(plan.unwrap_or_default(), &mut |level, range| tiles.hashes(reader, level, range))?
                }
            };
            bundle.record(reader, &mut payloads, &record, &path)?;
            while let Some((_, note)) = between.next_if(|(size, _)| *size <= record.seq) {
                bundle.line(|writer, line| writer.checkpoint(&note, line))?;
            }
            bar.inc(1);
        }
        next = last + 1;
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
    file: WholeFile,
    writer: Option<Writer>,
    checker: Checker,
    line: String,
}

impl Bundle {
    fn create(path: &Path) -> anyhow::Result<Self> {
        // What has the name goes when the bundle gets it: that must not be a device, a pipe or a folder.
        let is_other = path.metadata().is_ok_and(|found| !found.is_file());
        if is_other || path == Path::new("-") || path.file_name().is_none() {
            return Err(Failure::Usage(format!("--bundle {}: that is no file", path.display())).into());
        }
        let file = WholeFile::create(path)?;
        Ok(Self { file, writer: None, checker: Checker::new(None), line: String::new() })
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
        written.with_context(|| self.file.failure())
    }

    /// Gives the file its name, if all of it is good.
    fn keep(self) -> anyhow::Result<Summary> {
        let summary = self.checker.finish()?;
        self.file.keep()?;
        Ok(summary)
    }
}
