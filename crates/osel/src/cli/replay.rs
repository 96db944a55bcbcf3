//! `osel replay`: captured messages through the engine into a store.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use osel_core::engine::{EngineOptions, ReadEnd, ReadRun, SourceLedger};
use osel_core::intake::BatchNumber;
use osel_core::time::Timestamp;

use super::ledger::{LedgerLine, print_ledger};
use super::open::{now, store_named, writer_at};
use super::order;
use super::output::{OutputFormat, note, progress};
use crate::config::{StoreConfig, region_name};
use crate::runtime::file_intake::FileIntake;
use crate::runtime::{Recorder, admission};
use crate::source::decoding::DecodedAhead;
use crate::source::inventory;
use crate::source::recording::{Recording, source_name};

/// Runs captured messages through the engine into a store.
///
/// Files are .jsonl or .jsonl.gz with one message a line: {"received_at","exchange","routing_key","redelivered","properties","body"}.
/// Commands that would follow (scans) are not carried out. Prints the ledger of this store's sources; each file is a source.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The store, a directory or a postgresql:// URL; else the environment's OSEL_STORE__PATH or OSEL_STORE__URL, else one that is kept only
    /// while this runs.
    #[arg(long, value_name = "STORE")]
    store: Option<PathBuf>,
    /// An API dump to start from, as `osel inventory import` reads it.
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// Stop after this many messages of the files given.
    #[arg(long, value_name = "N")]
    until: Option<u64>,
    /// The region that the messages are from.
    #[arg(long, value_name = "NAME", value_parser = region_name)]
    region: Option<String>,
    /// How to print the ledger.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
    /// Recordings, in this order.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    // What is wrong with an input file is said before anything is written.
    let summary = args.inventory.as_deref().map(inventory::check).transpose()?;
    let region: Option<Arc<str>> = args.region.as_deref().map(Arc::from);
    let mut recordings = Vec::new();
    for file in &args.files {
        recordings.push(Recording::open(file, region.clone())?);
    }
    let scratch;
    let store = match store_named(args.store.as_deref())? {
        Some(store) => store,
        None => {
            note("no --store: the store is kept only while this runs");
            scratch = Scratch::new("osel-replay")?;
            StoreConfig::Directory(scratch.path().to_owned())
        }
    };
    let mut recorder = order::recorder(writer_at(&store)?, &store, None)?;
    if let Some(told) = recorder.engine().told_options().cloned() {
        // Captured messages are of another day: nothing is to be scanned because of them.
        recorder.set_options(EngineOptions { scan: None, ..told });
    }
    let result = replay(&mut recorder, args, summary, region.as_ref(), recordings);
    // What came before a bad line stays, and whole.
    let finished = recorder.finish();
    result?;
    finished?;
    let mut ledger: BTreeMap<Arc<str>, SourceLedger> = recorder.engine().ledger().clone();
    for file in &args.files {
        // A file of which nothing came has a line too: nothing.
        ledger.entry(Arc::from(source_name(file))).or_default();
    }
    let lines = ledger.iter().map(|(source, ledger)| LedgerLine::new(source, ledger));
    print_ledger(&lines.collect::<Vec<_>>(), args.output)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the messages through the recorder, the inventory before the first.
fn replay(
    recorder: &mut Recorder,
    args: &ReplayArgs,
    summary: Option<inventory::Summary>,
    region: Option<&Arc<str>>,
    recordings: Vec<Recording>,
) -> anyhow::Result<()> {
    let bar = progress("messages");
    let mut inventory = args.inventory.as_deref().zip(summary);
    let mut messages = DecodedAhead::start(recordings, args.until.unwrap_or(u64::MAX))?;
    let mut batches = Batches::start(recorder.epoch());
    while let Some(prepared) = messages.next_message()? {
        let (message, decoded, committed) = prepared.split();
        if let Some((path, summary)) = inventory.take() {
            import_first(recorder, path, &summary, region, message.received_at)?;
        }
        let bytes = decoded.body.len();
        recorder.message_committed(message.received_at, &message, decoded, committed)?;
        batches.delivered(recorder, bytes)?;
        bar.inc(1);
    }
    batches.ended(recorder)?;
    if let Some((path, summary)) = inventory.take() {
        import_first(recorder, path, &summary, region, now())?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Batches as the intake orders them, and their durability told back to it.
struct Batches {
    intake: FileIntake,
    /// Ordered and not yet durable, with which batch of the recorder it is, if there was anything to write.
    under_way: VecDeque<(BatchNumber, Option<u64>)>,
    to_commit: Vec<BatchNumber>,
}

impl Batches {
    fn start(epoch: u64) -> Self {
        Self { intake: FileIntake::start(now(), epoch), under_way: VecDeque::new(), to_commit: Vec::new() }
    }

    fn delivered(&mut self, recorder: &mut Recorder, bytes: usize) -> anyhow::Result<()> {
        self.intake.delivered(now(), bytes, &mut self.to_commit);
        self.carry_out(recorder)
    }

    fn ended(&mut self, recorder: &mut Recorder) -> anyhow::Result<()> {
        self.intake.ended(now(), &mut self.to_commit);
        self.carry_out(recorder)
    }

    fn carry_out(&mut self, recorder: &mut Recorder) -> anyhow::Result<()> {
        loop {
            for batch in std::mem::take(&mut self.to_commit) {
                self.under_way.push_back((batch, recorder.commit_batch()?));
            }
            let durable = recorder.durable_batches()?;
            while let Some(&(batch, written)) = self.under_way.front() {
                if written.is_some_and(|number| number > durable) {
                    break;
                }
                self.under_way.pop_front();
                self.intake.committed(now(), batch, &mut self.to_commit);
            }
            if !self.to_commit.is_empty() {
                continue;
            }
            if self.under_way.is_empty() || !self.intake.is_paused() {
                return Ok(());
            }
            // For one, not for all of them: while the rest is written, the next is made ready.
            recorder.wait()?;
        }
    }
}

/// The cloud before the first message. Where nobody says when it was taken, it is older than any message of the recording: that is what
/// it means to start from it.
fn import_first(
    recorder: &mut Recorder,
    path: &Path,
    summary: &inventory::Summary,
    region: Option<&Arc<str>>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let taken_at = admitted(path, summary)?;
    let run = recorder.begin_read(region, taken_at.unwrap_or(Timestamp::EPOCH), taken_at.is_some());
    import(recorder, path, summary, run, now)?;
    say_unread(path, summary);
    Ok(())
}

/// What of an inventory is not read, and what it does not say though it may seem to.
pub(super) fn say_unread(path: &Path, summary: &inventory::Summary) {
    let path = path.display();
    for key in &summary.unknown {
        note(format_args!("`{path}`: `{key}` is not read: osel does not model it"));
    }
    for name in &summary.paged {
        note(format_args!(
            "`{path}`: `{name}` is one page of several: what it does not show is not taken as gone (`osel inventory export` writes all of it)"
        ));
    }
}

/// When an inventory counts as taken.
///
/// # Errors
/// When that is later than now.
pub(super) fn admitted(path: &Path, summary: &inventory::Summary) -> anyhow::Result<Option<Timestamp>> {
    admission::taken_at(summary.taken_at, now()).with_context(|| format!("`{}`", path.display()))
}

/// Reads an inventory into a recorder.
///
/// # Errors
/// When the file cannot be read on, or the store cannot be written.
pub(super) fn import(
    recorder: &mut Recorder,
    path: &Path,
    summary: &inventory::Summary,
    run: ReadRun,
    now: Timestamp,
) -> anyhow::Result<()> {
    let bar = progress("objects");
    let mut failed = None;
    inventory::read(path, &mut |page| {
        bar.inc(page.items.len() as u64);
        if failed.is_none() {
            failed = recorder.page(now, &run, page).err();
        }
    })?;
    bar.finish_and_clear();
    if let Some(error) = failed {
        return Err(error.into());
    }
    let origin = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let end = ReadEnd {
        run,
        complete: summary.complete(),
        has_all_assignments: summary.has_all_assignments(),
        origin,
    };
    recorder.read_end(now, end)?;
    Ok(())
}

/// A directory that goes when this ends.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A name that nobody else has; whoever needs the directory makes it.
    pub(super) fn new(name: &str) -> anyhow::Result<Self> {
        let mut chance = [0; 8];
        getrandom::fill(&mut chance)?;
        let name = format!("{name}-{}", crate::runtime::entries::hex(&chance));
        Ok(Self(std::env::temp_dir().join(name)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
