//! From inputs to durable records: the engine's output is sealed, gathered into a batch and committed in one transaction.
//!
//! What a batch holds is visible to nobody before it is committed. A commit that fails ends the recorder; what was committed before
//! stays whole, and the next one goes on from there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use osel_core::decode::{Decoded, decode};
use osel_core::engine::{
    Disposition, Engine, EngineOptions, Input, Output, ReadEnd, ReadRun, Replay, Retention, RunId,
    ScanCommand, ScanOutcome, SourceGap, Version,
};
use osel_core::event::RawMessage;
use osel_core::ids::Map;
use osel_core::time::Timestamp;
use osel_core::trail::{Chain, Draft, Hash, Head as TrailHead, Part, PartClass, SealError, Sealed};

use super::entries::MessageHeads;
use super::salts::Salts;
use super::state::Follower;
use super::writer::{Batch, OnFailure, Writer, Written};
use super::{entries, snapshots, state};
use crate::source::inventory::Page;
use crate::source::place::Place;
use crate::store::{
    CommandRow, Counters, CursorRow, Entry, EntryKind, Expiry, Head, Journal, JournalError, PartContent,
    QuarantineItem, QuarantineState, StoredPart, StoredRecord, VersionSet,
};

/// The most inputs in one commit: larger batches gain nothing and wait longer.
pub const BATCH_ENTRIES_MAX: usize = 512;
/// The most bytes in one commit.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// The state of a command that has no outcome yet.
pub(super) const PLANNED: &str = "planned";

/// Why nothing more can be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record could not be sealed.
    #[error("record {seq} cannot be sealed")]
    Seal {
        /// Its number.
        seq: u64,
        /// Why.
        source: SealError,
    },
    /// The system has no thread.
    #[error("cannot start the thread that writes the store")]
    Thread(#[source] std::io::Error),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

/// Records inputs into a store.
pub struct Recorder {
    engine: Engine,
    chain: Chain,
    writer: Writer,
    epoch: u64,
    /// What was committed last, as far as it was asked for.
    head: Head,
    /// The last entry, in the batch or before.
    entry: u64,
    batch: Batch,
    /// Sources whose ledger changed in the batch.
    counted: Map<Arc<str>, ()>,
    /// How far the sources were read whose messages are in the batch, where they have places.
    read_to: BTreeMap<Arc<str>, Place>,
    /// The cursors that were given last, which a place is written with.
    cursors: BTreeMap<String, CursorRow>,
    salts: Salts,
    heads: MessageHeads,
    /// The record that is sealed, of which only the memory is used again.
    sealed: Sealed,
    out: Output,
    /// Commands that were not handed out yet, each with the batch that its record is in.
    commands: VecDeque<(u64, ScanCommand)>,
    snapshot_seq: u64,
    /// When the last snapshot was begun.
    snapshot_at: Option<Timestamp>,
    snapshot_every_seconds: Option<i64>,
    /// Whether the last snapshot of each day is kept: whoever does not know what goes behind them must not prune them.
    keeps_daily: bool,
    snapshot_wanted: bool,
    snapshots_begun: u64,
    now: Timestamp,
    /// The last read that began.
    last_run: u64,
    /// Options that hold from the next input on and are not in the journal yet.
    untold: Option<EngineOptions>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Goes on with a store where it was left. A batch that cannot be written ends it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn resume(journal: Box<dyn Journal>, options: &EngineOptions) -> Result<Self, RecordError> {
        Self::resume_with(journal, options, None, OnFailure::End, || {})
    }

    /// Goes on with a store where it was left, with the engine of whoever has followed it; `notify` is called, on another thread, whenever
    /// something has become of a batch.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn resume_with(
        journal: Box<dyn Journal>,
        options: &EngineOptions,
        follower: Option<Follower>,
        on_failure: OnFailure,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, RecordError> {
        let head = journal.head();
        let mut reader = journal.reader()?;
        let engine = match follower {
            Some(follower) => follower.finish(&mut *reader)?,
            None => state::resume(&mut *reader, options)?,
        };
        let as_of = match head.seq {
            0 => TrailHead::EMPTY.as_of,
            seq => reader.record(seq)?.map_or(TrailHead::EMPTY.as_of, |record| record.as_of),
        };
        let chain = Chain::resume(TrailHead { seq: head.seq, hash: Hash(head.hash), as_of });
        let snapshot = reader.snapshot_at(head.seq)?;
        let cursors = reader.cursors()?;
        Ok(Self {
            chain,
            epoch: journal.info().epoch,
            writer: Writer::start(journal, on_failure, notify).map_err(RecordError::Thread)?,
            head,
            entry: head.entry,
            batch: Batch::default(),
            counted: Map::default(),
            read_to: BTreeMap::new(),
            cursors: cursors.into_iter().map(|row| (row.source.clone(), row)).collect(),
            salts: Salts::default(),
            heads: MessageHeads::default(),
            sealed: Sealed::empty(),
            out: Output::default(),
            // What was given out and has no outcome is given out again: actions are idempotent.
            commands: engine.running_scans().map(|command| (0, command.clone())).collect(),
            untold: (engine.told_options() != Some(options)).then(|| options.clone()),
            last_run: engine.last_run(),
            engine,
            snapshot_seq: snapshot.map_or(0, |info| info.seq),
            snapshot_at: snapshot.map(|info| info.made_at),
            snapshot_every_seconds: None,
            keeps_daily: true,
            snapshot_wanted: false,
            snapshots_begun: 0,
            now: as_of.max(Timestamp::EPOCH),
        })
    }

    /// The engine, which is ahead of the store by the batch in flight.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The epoch in which this recorder writes the store.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How far the store has come, as of the last [`Self::flush`] or [`Self::finish`].
    pub fn head(&self) -> Head {
        self.head
    }

    /// When the last snapshot was begun; none when there is none.
    pub fn snapshot_at(&self) -> Option<Timestamp> {
        self.snapshot_at
    }

    /// Takes how far a source was read with the message that is taken next. Whoever closes the batch which that message is in, for whatever
    /// reason, writes the place with it: what is recorded is not read again.
    pub fn read_to(&mut self, source: &Arc<str>, place: Place) {
        match self.read_to.get_mut(source) {
            Some(known) => *known = place,
            None => _ = self.read_to.insert(Arc::clone(source), place),
        }
    }

    /// Takes a message that was received at `now`; says what became of it.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn message(
        &mut self,
        now: Timestamp,
        raw: &RawMessage,
        decoded: Decoded<'_>,
    ) -> Result<Option<Disposition>, RecordError> {
        self.tell_options(now);
        let Decoded { body, digest, message_id, event_type, result } = decoded;
        let unreadable = result.is_err().then(|| (message_id.clone(), event_type.clone()));
        let decoded = Decoded { body: Vec::new().into(), digest, message_id, event_type, result };
        self.handle(now, Input::Message(raw, decoded));
        if !self.counted.contains_key(&raw.source) {
            self.counted.insert(Arc::clone(&raw.source), ());
        }
        let disposition = self.out.disposition.take();
        if disposition == Some(Disposition::Duplicate) {
            // Nothing but the count is kept.
            return Ok(disposition);
        }
        let quarantined = matches!(disposition, Some(Disposition::Quarantined(_)));
        self.entry += 1;
        let head = self.heads.head(raw, &digest, quarantined);
        if let Some(Disposition::Quarantined(defect)) = &disposition {
            let (message_id, event_type) = unreadable.unwrap_or_default();
            self.batch.quarantine.push(QuarantineItem {
                id: self.entry,
                entry: self.entry,
                source: raw.source.to_string(),
                at: now,
                reason_code: defect.kind.as_str().to_owned(),
                reason: defect.to_string(),
                event_type: event_type.map(Into::into),
                message_id: message_id.map(Into::into),
                state: QuarantineState::Held,
            });
        }
        let body = self.seal_with(body.into_owned(), !quarantined)?;
        self.push_entry(now, EntryKind::MESSAGE, Arc::clone(&raw.source), head, body);
        self.commit_if_overfull()?;
        Ok(disposition)
    }

    /// Takes a message out of quarantine by a person's order, if it can be read by now; says what became of it. `held` is its entry.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn replay(
        &mut self,
        now: Timestamp,
        item: &QuarantineItem,
        held: &Entry,
        actor: &str,
    ) -> Result<Option<Disposition>, RecordError> {
        self.tell_options(now);
        let (raw, held_digest) = entries::held_message(held);
        let mut decoded = decode(&raw);
        let body = std::mem::take(&mut decoded.body);
        let replay = Replay { raw: &raw, decoded, held_digest, id: item.id, actor };
        let head = entries::replay_head(&replay);
        self.handle(now, Input::Replay(replay));
        let disposition = self.out.disposition.take();
        let recorded = match &disposition {
            Some(Disposition::Recorded(_)) => true,
            Some(Disposition::Duplicate) => false,
            // It stays where it is, and nothing has changed.
            Some(Disposition::Quarantined(_)) | None => return Ok(disposition),
        };
        self.entry += 1;
        self.counted.insert(Arc::clone(&raw.source), ());
        self.batch.quarantine.push(QuarantineItem { state: QuarantineState::Replayed, ..item.clone() });
        let body = self.seal_with(body.into_owned(), recorded)?;
        self.push_entry(now, EntryKind::ORDER, Arc::clone(&raw.source), head, body);
        self.commit_if_full()?;
        Ok(disposition)
    }

    /// A read that begins now, to be named with each of its pages and its end.
    pub fn begin_read(&mut self, region: Option<&Arc<str>>, at: Timestamp, exact: bool) -> ReadRun {
        self.last_run = self.last_run.max(self.engine.last_run()) + 1;
        ReadRun { id: Some(RunId(self.last_run)), region: region.cloned(), at, exact }
    }

    /// Takes a page of an inventory.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn page(&mut self, now: Timestamp, run: &ReadRun, page: Page) -> Result<(), RecordError> {
        self.tell_options(now);
        let head = entries::page_head(run);
        let Page { items, text } = page;
        let (objects, names) = entries::split_items(items.into_iter(), run);
        self.entry += 1;
        self.handle(now, Input::Page(objects));
        self.seal()?;
        self.handle(now, Input::Names(names));
        self.seal()?;
        self.push_entry(now, EntryKind::INVENTORY, Arc::default(), head, text);
        self.commit_if_full()
    }

    /// Takes the end of an inventory.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn read_end(&mut self, now: Timestamp, end: ReadEnd) -> Result<(), RecordError> {
        self.tell_options(now);
        let head = entries::end_head(&end);
        self.entry += 1;
        self.handle(now, Input::ReadEnd(end));
        self.seal()?;
        self.push_entry(now, EntryKind::INVENTORY, Arc::default(), head, Vec::new());
        self.commit_if_full()
    }

    /// Lets time pass: nothing waits to be read, and it is `now`.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn tick(&mut self, now: Timestamp) -> Result<(), RecordError> {
        self.tell_options(now);
        self.entry += 1;
        self.handle(now, Input::Tick);
        if self.out.records.is_empty() {
            // Only a tick that had an effect is kept.
            self.entry -= 1;
            return Ok(());
        }
        self.seal()?;
        self.push_entry(now, EntryKind::TICK, Arc::default(), Vec::new(), Vec::new());
        self.commit_if_full()
    }

    /// Has the engine go by other options from the next input on.
    pub fn set_options(&mut self, options: EngineOptions) {
        self.untold = (self.engine.told_options() != Some(&options)).then_some(options);
    }

    /// Takes that messages of a source were or may have been lost.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn gap(&mut self, now: Timestamp, gap: SourceGap) -> Result<(), RecordError> {
        self.tell_options(now);
        let head = entries::gap_head(&gap);
        let source = Arc::clone(&gap.source);
        self.entry += 1;
        self.handle(now, Input::SourceGap(gap));
        self.seal()?;
        self.push_entry(now, EntryKind::SYSTEM, source, head, Vec::new());
        self.commit_if_full()
    }

    /// Takes what goes from the store, or how full it is, and lets go of it once that is durable. Nothing may be on its way out by an
    /// earlier word ([`Self::is_expiring`]).
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn let_go(
        &mut self,
        now: Timestamp,
        told: Vec<Retention>,
        expiry: Option<Expiry>,
    ) -> Result<(), RecordError> {
        self.tell_options(now);
        for retention in told {
            let head = entries::retention_head(&retention);
            self.entry += 1;
            self.handle(now, Input::Retention(retention));
            self.seal()?;
            self.push_entry(now, EntryKind::SYSTEM, Arc::default(), head, Vec::new());
        }
        // In the same transaction as the records that tell it.
        self.batch.expiry = expiry.or(self.batch.expiry.take());
        self.commit_if_full()
    }

    /// Whether something is on its way out of the store, as far as is known.
    pub fn is_expiring(&self) -> bool {
        self.batch.expiry.is_some() || self.writer.is_expiring()
    }

    /// How many snapshots were begun so far.
    pub fn snapshots_begun(&self) -> u64 {
        self.snapshots_begun
    }

    /// Has a snapshot made every day from now on when anything was recorded, and kept: what lies behind one may go. Or not, since nothing
    /// goes.
    pub fn snapshot_daily(&mut self, daily: bool) {
        self.keeps_daily = daily;
        self.snapshot_every_seconds = daily.then_some(snapshots::SNAPSHOT_EVERY_SECONDS);
    }

    /// Has a snapshot made with the next batch.
    pub fn want_snapshot(&mut self) {
        self.snapshot_wanted = true;
    }

    /// Takes what came of a scan.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn scanned(&mut self, now: Timestamp, outcome: ScanOutcome) -> Result<(), RecordError> {
        self.tell_options(now);
        let body = serde_json::to_vec(&outcome).unwrap_or_default();
        let (id, failed) = (outcome.id.to_string(), outcome.error.is_some());
        self.entry += 1;
        let planned = self.engine.running_scans().find(|command| command.id == outcome.id);
        let planned = planned.map(|command| command.seq);
        self.handle(now, Input::Scanned(outcome));
        if let Some(seq) = planned {
            self.batch.commands.push(CommandRow {
                id,
                seq,
                state: if failed { "failed" } else { "judged" }.to_owned(),
                body: body.clone(),
                updated_at: now,
            });
        }
        self.seal()?;
        self.push_entry(now, EntryKind::OUTCOME, Arc::default(), Vec::new(), body);
        self.commit_if_full()
    }

    /// Has what was taken so far written, without waiting for it, and says as the how-manieth batch; none when there is nothing to
    /// write.
    ///
    /// # Errors
    /// When an earlier batch could not be written.
    pub fn commit_batch(&mut self) -> Result<Option<u64>, RecordError> {
        self.commit()
    }

    /// Has what was taken so far written, cursors included, without waiting for it, and says as the how-manieth batch. It may be empty.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn close_batch(&mut self, cursors: Vec<CursorRow>) -> Result<u64, RecordError> {
        for row in cursors {
            self.cursors.insert(row.source.clone(), row.clone());
            self.batch.cursors.push(row);
        }
        self.give_batch()
    }

    /// Whether something waits to be written that no batch has yet.
    pub fn has_open(&self) -> bool {
        !self.batch.is_empty() || !self.counted.is_empty()
    }

    /// How many batches have become durable so far.
    ///
    /// # Errors
    /// When an earlier batch could not be written.
    pub fn durable_batches(&mut self) -> Result<u64, RecordError> {
        Ok(self.writer.durable()?)
    }

    /// Waits until one more batch has become durable, if there is one that has not.
    ///
    /// # Errors
    /// When an earlier batch could not be written.
    pub fn wait(&mut self) -> Result<(), RecordError> {
        Ok(self.writer.wait()?)
    }

    /// What became of batches since the last call.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn take_written(&mut self) -> Result<Vec<Written>, RecordError> {
        Ok(self.writer.take_written()?)
    }

    /// Tries again what could not be written.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn retry(&mut self) -> Result<(), RecordError> {
        Ok(self.writer.retry()?)
    }

    /// The commands whose records are durable in these batches; each is handed out once.
    pub fn take_commands(&mut self, durable: u64) -> Vec<ScanCommand> {
        let ready = self.commands.iter().take_while(|(batch, _)| *batch <= durable).count();
        self.commands.drain(..ready).map(|(_, command)| command).collect()
    }

    /// When a [`Self::tick`] is wanted.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.out.wake_at
    }

    /// Makes everything durable that was taken so far, and hands out the commands that may be carried out now.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn flush(&mut self) -> Result<Vec<ScanCommand>, RecordError> {
        self.commit()?;
        self.head = self.writer.flush()?;
        let given = self.writer.given();
        Ok(self.take_commands(given))
    }

    /// Makes everything durable, and the state quick to open again.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn finish(&mut self) -> Result<Head, RecordError> {
        self.commit()?;
        if self.engine.seq() > self.snapshot_seq && !self.engine.is_reading() {
            self.snapshot()?;
        }
        self.head = self.writer.flush()?;
        Ok(self.head)
    }

    /// Writes the options down before the first input that is handled by them, unless the journal says the same already.
    fn tell_options(&mut self, now: Timestamp) {
        if let Some(options) = self.untold.take() {
            self.entry += 1;
            let head = entries::options_head(&options);
            self.handle(now, Input::Options(options));
            self.push_entry(now, EntryKind::SYSTEM, Arc::default(), head, Vec::new());
        }
    }

    /// Makes durable what can be within that time, and ends; whether it is all. No snapshot is made: the next start folds what came after the
    /// last one.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn end_within(mut self, time: Duration) -> Result<bool, RecordError> {
        self.writer.take_written()?;
        // A store that has not taken what it was given before will not take more now, and must not be waited for.
        if self.writer.is_done() {
            self.commit()?;
        }
        Ok(self.writer.end_within(time))
    }

    fn handle(&mut self, now: Timestamp, input: Input<'_>) {
        self.now = now;
        self.out.clear();
        self.engine.handle(now, input, &mut self.out);
    }

    fn seal(&mut self) -> Result<(), RecordError> {
        self.seal_with(Vec::new(), false).map(|_| ())
    }

    /// Seals what the engine put out. The payload belongs to the record of the message itself, which is the first when there is one;
    /// it comes back for the entry, which keeps it.
    fn seal_with(&mut self, payload: Vec<u8>, recorded: bool) -> Result<Vec<u8>, RecordError> {
        let entry = self.entry;
        let mut kept = payload;
        for (place, body) in self.out.records.iter().enumerate() {
            let mut parts = body.parts();
            let with_payload = recorded && place == 0;
            if with_payload {
                let bytes = std::mem::take(&mut kept);
                parts.push(Part { class: PartClass::Payload, project: body.project(), bytes });
            }
            let draft =
                Draft { time: body.time, recorded_at: body.recorded_at, kind: body.kind, parts: &parts };
            let mut failed = None;
            let salts = &mut self.salts;
            let mut salt = || {
                salts.draw().unwrap_or_else(|error| {
                    failed = Some(error);
                    Default::default()
                })
            };
            let sealed = self.chain.seal_into(&draft, &mut salt, &mut self.sealed);
            if let Some(error) = failed {
                return Err(RecordError::Random(error));
            }
            let seq = self.chain.head().seq;
            sealed.map_err(|source| RecordError::Seal { seq: seq + 1, source })?;
            if with_payload && let Some(part) = parts.last_mut() {
                kept = std::mem::take(&mut part.bytes);
            }
            let record = stored(entry, body.kind.code(), body.time, &self.sealed, parts);
            self.batch.bytes += record.canonical.len() + record.parts.iter().map(part_bytes).sum::<usize>();
            self.batch.records.push(record);
        }
        for set in version_sets(&self.out.versions) {
            self.batch.bytes += set.data.len();
            self.batch.versions.push(set);
        }
        for command in self.out.commands.drain(..) {
            self.batch.commands.push(CommandRow {
                id: command.id.to_string(),
                seq: command.seq,
                state: PLANNED.to_owned(),
                body: serde_json::to_vec(&command).unwrap_or_default(),
                updated_at: self.now,
            });
            self.commands.push_back((self.writer.given() + 1, command));
        }
        self.out.versions.clear();
        self.out.records.clear();
        Ok(kept)
    }

    fn push_entry(&mut self, at: Timestamp, kind: EntryKind, source: Arc<str>, head: Vec<u8>, body: Vec<u8>) {
        self.batch.bytes += head.len() + body.len();
        self.batch.entries.push(Entry { number: self.entry, at, kind, source, head, body, erased: false });
    }

    /// Whoever drives decides when a batch of messages is full; this is the bound that holds in any case.
    fn commit_if_overfull(&mut self) -> Result<(), RecordError> {
        if self.batch.entries.len() >= 4 * BATCH_ENTRIES_MAX || self.batch.bytes >= 4 * BATCH_BYTES_MAX {
            self.commit()?;
        }
        Ok(())
    }

    fn commit_if_full(&mut self) -> Result<(), RecordError> {
        if self.batch.entries.len() >= BATCH_ENTRIES_MAX || self.batch.bytes >= BATCH_BYTES_MAX {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<Option<u64>, RecordError> {
        if self.has_open() { self.give_batch().map(Some) } else { Ok(None) }
    }

    fn give_batch(&mut self) -> Result<u64, RecordError> {
        let next = self.batch.empty_alike();
        let mut batch = std::mem::replace(&mut self.batch, next);
        let mut counted: Vec<Arc<str>> = self.counted.drain().map(|(source, ())| source).collect();
        counted.sort_unstable();
        batch.counters = counted.iter().filter_map(|source| counters(&self.engine, source)).collect();
        for (source, place) in std::mem::take(&mut self.read_to) {
            if !batch.cursors.iter().any(|row| *row.source == *source) {
                let row = self.cursors.entry(source.to_string()).or_insert_with_key(|source| CursorRow {
                    source: source.clone(),
                    ..CursorRow::default()
                });
                row.place = Some(place.to_string());
                batch.cursors.push(row.clone());
            }
        }
        let number = self.writer.commit(batch)?;
        // Also when the last one is from ahead: the clock was wrong then.
        let last = self.snapshot_at.unwrap_or(Timestamp::EPOCH);
        let apart = self.now.micros().abs_diff(last.micros());
        let is_late = |seconds: i64| apart / 1_000_000 >= seconds.unsigned_abs();
        let due = self.engine.seq() >= self.snapshot_seq + snapshots::SNAPSHOT_EVERY_RECORDS
            || (self.engine.seq() > self.snapshot_seq
                && (self.snapshot_wanted || self.snapshot_every_seconds.is_some_and(is_late)));
        // What a read has shown so far is in the journal only, until its end.
        if due && !self.engine.is_reading() {
            self.snapshot()?;
        }
        Ok(number)
    }

    fn snapshot(&mut self) -> Result<(), RecordError> {
        snapshots::write(&self.engine, self.entry, &mut self.writer, self.now, self.keeps_daily)?;
        self.snapshot_seq = self.engine.seq();
        self.snapshot_at = Some(self.now);
        self.snapshot_wanted = false;
        self.snapshots_begun += 1;
        Ok(())
    }
}

fn part_bytes(part: &StoredPart) -> usize {
    match &part.content {
        PartContent::Bytes(bytes) => bytes.len(),
        PartContent::InEntry | PartContent::Gone => 0,
    }
}

fn stored(entry: u64, kind: u8, time: Timestamp, sealed: &Sealed, parts: Vec<Part>) -> StoredRecord {
    let parts = sealed.parts.iter().zip(parts).map(|(sealed, part)| StoredPart {
        class: sealed.class.code(),
        project: sealed.project.as_ref().map(|project| project.with_text(str::to_owned)),
        salt: sealed.salt,
        content: match part.class {
            PartClass::Payload => PartContent::InEntry,
            _ => PartContent::Bytes(part.bytes),
        },
    });
    StoredRecord {
        seq: sealed.seq,
        entry,
        kind,
        time,
        as_of: sealed.as_of,
        canonical: sealed.canonical.clone(),
        hash: sealed.hash.0,
        parts: parts.collect(),
    }
}

/// The versions of each record together.
fn version_sets(versions: &[Version]) -> Vec<VersionSet> {
    let sets = versions.chunk_by(|a, b| a.seq == b.seq);
    sets.map(|versions| {
        let mut data = Vec::new();
        snapshots::write_versions(versions, &mut data);
        VersionSet { seq: versions[0].seq, data }
    })
    .collect()
}

fn counters(engine: &Engine, source: &Arc<str>) -> Option<Counters> {
    let ledger = engine.ledger().get(source)?;
    let unmodelled = ledger.unmodelled.iter().map(|(name, &count)| (name.to_string(), count)).collect();
    Some(Counters {
        source: source.to_string(),
        received: ledger.received,
        recorded: ledger.recorded,
        duplicate: ledger.duplicate,
        ignored: ledger.ignored,
        quarantined: ledger.quarantined,
        unmodelled,
        ignored_by: BTreeMap::default(),
    })
}
