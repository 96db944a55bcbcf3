//! From inputs to durable records: the engine's output is sealed, gathered into a batch and committed in one transaction.
//!
//! What a batch holds is visible to nobody before it is committed. A commit that fails ends the recorder; what was committed before
//! stays whole, and the next one goes on from there.

mod batches;
mod forwarding;
mod logging;
mod orders;
mod reading;
mod reads;
mod sealing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use osel_core::decode::{Decoded, decode};
use osel_core::engine::record::WrittenPart;
use osel_core::engine::{Disposition, Engine, EngineOptions, Input, Output, Replay, Retention, SourceGap};
use osel_core::event::RawMessage;
use osel_core::ids::Map;
use osel_core::scan::{CommandId, ScanLife, ScanReport};
use osel_core::time::Timestamp;
use osel_core::trail::{Chain, Committed, ContentView, Hash, Head as TrailHead, SealError, Sealed};

pub use self::forwarding::{Refused, ordered as forwarder_ordered};
use super::entries::MessageHeads;
use super::log::{Growth, LogError, resume as resume_log};
use super::state::Follower;
use super::writer::{Batch, OnFailure, Writer};
use super::{entries, snapshots, state};
use crate::source::place::Place;
use crate::source::salts::Salts;
use crate::store::{
    CursorRow, Entry, EntryKind, Expiry, Head, Journal, JournalError, QuarantineItem, QuarantineState,
};

/// The most inputs in one commit: larger batches gain nothing and wait longer.
pub const BATCH_ENTRIES_MAX: usize = 512;
/// The most bytes in one commit.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// Why nothing more can be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The log cannot be gone on with.
    #[error(transparent)]
    Log(Box<LogError>),
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

impl From<LogError> for RecordError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Journal(error) => Self::Journal(error),
            other => Self::Log(Box::new(other)),
        }
    }
}

/// Records inputs into a store.
pub struct Recorder {
    engine: Engine,
    chain: Chain,
    log: Growth,
    forwarders: forwarding::Forwarders,
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
    /// The record that is sealed and its parts, of which only the memory is used again.
    sealed: Sealed,
    parts: Vec<WrittenPart>,
    out: Output,
    /// Commands that were not handed out yet, each with the batch that its record is in.
    commands: VecDeque<(u64, ScanLife)>,
    /// The same of commands that are to be given up.
    cancels: VecDeque<(u64, CommandId)>,
    looks: reading::Looks,
    /// How far readers of findings have come that is not written down yet.
    unnoted: orders::UnnotedReads,
    reads: reads::RecentReads,
    snapshot_seq: u64,
    /// When the last snapshot was begun.
    snapshot_at: Option<Timestamp>,
    snapshot_every_seconds: Option<i64>,
    /// Whether the last snapshot of each day is kept: whoever does not know what goes behind them must not prune them.
    keeps_daily: bool,
    snapshot_wanted: bool,
    snapshot_chunk_bytes: usize,
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
    /// When the store cannot be read, or its log does not fit what was signed of it.
    pub fn resume(journal: Box<dyn Journal>, options: &EngineOptions) -> Result<Self, RecordError> {
        Self::resume_with(journal, options, None, OnFailure::End, || {})
    }

    /// Goes on with a store where it was left, with the engine of whoever has followed it; `notify` is called, on another thread, whenever
    /// something has become of a batch.
    ///
    /// # Errors
    /// When the store cannot be read, or its log does not fit what was signed of it.
    pub fn resume_with(
        mut journal: Box<dyn Journal>,
        options: &EngineOptions,
        follower: Option<Follower>,
        on_failure: OnFailure,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, RecordError> {
        let head = journal.head();
        let mut reader = journal.reader()?;
        let log = Growth::new(resume_log(&mut *journal, &mut *reader)?, Instant::now());
        let engine = match follower {
            Some(follower) => follower.finish(&mut *reader)?,
            None => state::resume(&mut *reader, options)?,
        };
        let as_of = match head.seq {
            0 => TrailHead::EMPTY.as_of,
            seq => reader.record(seq)?.map_or(TrailHead::EMPTY.as_of, |record| record.as_of),
        };
        let chain = Chain::resume(TrailHead { seq: head.seq, hash: Hash(head.hash), as_of });
        let now = as_of.max(Timestamp::EPOCH);
        let snapshot = reader.snapshot_at(head.seq)?;
        let cursors = reader.cursors()?;
        let forwarders = forwarding::Forwarders::new(reader.forwarders()?, head.seq);
        Ok(Self {
            chain,
            log,
            forwarders,
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
            parts: Vec::new(),
            out: Output { wake_at: engine.first_wake_at(now), ..Output::default() },
            // What was given out and has no outcome is given out again: actions are idempotent.
            commands: engine.running_scans().map(|life| (0, resumed(life, options))).collect(),
            cancels: VecDeque::new(),
            looks: reading::Looks::default(),
            unnoted: orders::UnnotedReads::default(),
            reads: reads::RecentReads::default(),
            untold: (engine.told_options() != Some(options)).then(|| options.clone()),
            last_run: engine.last_run(),
            engine,
            snapshot_seq: snapshot.map_or(0, |info| info.seq),
            snapshot_at: snapshot.map(|info| info.made_at),
            snapshot_every_seconds: None,
            keeps_daily: true,
            snapshot_wanted: false,
            snapshot_chunk_bytes: snapshots::CHUNK_BYTES,
            snapshots_begun: 0,
            now,
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
        self.message_committed(now, raw, decoded, None)
    }

    /// [`Self::message`], with what was committed to the decoding's body already, where it was.
    ///
    /// # Errors
    /// As for [`Self::message`].
    pub fn message_committed(
        &mut self,
        now: Timestamp,
        raw: &RawMessage,
        decoded: Decoded<'_>,
        committed: Option<Committed>,
    ) -> Result<Option<Disposition>, RecordError> {
        self.tell_changes(now)?;
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
        self.push_confirmed(now);
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
        let body = body.into_owned();
        let payload = committed.map_or(ContentView::Bytes(&body), ContentView::Committed);
        self.seal_with((!quarantined).then_some(payload))?;
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
        self.tell_changes(now)?;
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
        self.push_confirmed(now);
        self.entry += 1;
        self.counted.insert(Arc::clone(&raw.source), ());
        self.batch.quarantine.push(QuarantineItem { state: QuarantineState::Replayed, ..item.clone() });
        let body = body.into_owned();
        self.seal_with(recorded.then_some(ContentView::Bytes(&body)))?;
        self.push_entry(now, EntryKind::ORDER, Arc::clone(&raw.source), head, body);
        self.commit_if_full()?;
        Ok(disposition)
    }

    /// Lets time pass: nothing waits to be read, and it is `now`.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn tick(&mut self, now: Timestamp) -> Result<(), RecordError> {
        self.note_reads(now)?;
        self.tell_changes(now)?;
        self.entry += 1;
        self.handle(now, Input::Tick);
        if !self.has_effect() {
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
        self.tell_changes(now)?;
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
        self.tell_changes(now)?;
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

    /// How many orders to let go of something were given so far, the erasures of persons among them.
    pub fn orders_to_let_go(&self) -> u64 {
        self.writer.orders()
    }

    /// Has what could not be let go of tried again.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn tend(&mut self) -> Result<(), RecordError> {
        Ok(self.writer.tend()?)
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

    /// Has snapshots written in chunks of so many bytes, or a line more, from now on; of a megabyte unless said otherwise.
    pub fn set_snapshot_chunk(&mut self, bytes: usize) {
        self.snapshot_chunk_bytes = bytes;
    }

    /// Has a snapshot made with the next batch.
    pub fn want_snapshot(&mut self) {
        self.snapshot_wanted = true;
    }

    /// Takes what has become of a command to a scanner. What is said twice, as after a crash, or of a command that is over leaves no trace.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn scan_reported(&mut self, now: Timestamp, report: ScanReport) -> Result<(), RecordError> {
        self.tell_changes(now)?;
        let body = serde_json::to_vec(&report).unwrap_or_default();
        self.entry += 1;
        self.handle(now, Input::Scan(report));
        if !self.has_effect() {
            self.entry -= 1;
            return Ok(());
        }
        self.seal()?;
        self.push_entry(now, EntryKind::OUTCOME, Arc::default(), Vec::new(), body);
        self.commit_if_full()
    }

    /// The commands whose records are durable in these batches; each is handed out once. After a start those too that were under way
    /// before: by their state, reference and order to be given up whoever carries them out knows how to go on.
    pub fn take_commands(&mut self, durable: u64) -> Vec<ScanLife> {
        take_durable(&mut self.commands, durable)
    }

    /// The commands that are to be given up, called off by somebody or over their time, once that is durable in these batches.
    pub fn take_cancels(&mut self, durable: u64) -> Vec<CommandId> {
        take_durable(&mut self.cancels, durable)
    }

    /// When a [`Self::tick`] is wanted.
    pub fn wake_at(&self) -> Option<Timestamp> {
        // Other options can have done at once what waits by the old ones, such as a scan in hours that are not quiet any more. A store
        // that never had any waits for nothing.
        let renewed = self.untold.as_ref().and(self.engine.told_options()).map(|_| self.now);
        [renewed, self.out.wake_at, self.unnoted.note_at(&self.engine)].into_iter().flatten().min()
    }

    /// Writes down what has changed about osel itself before the next input: another key of the log, and the options by which that input is
    /// handled, unless the journal says the same already.
    fn tell_changes(&mut self, now: Timestamp) -> Result<(), RecordError> {
        self.tell_log_key(now)?;
        if let Some(options) = self.untold.take() {
            self.entry += 1;
            let head = entries::options_head(&options);
            self.handle(now, Input::Options(options));
            self.push_entry(now, EntryKind::SYSTEM, Arc::default(), head, Vec::new());
        }
        Ok(())
    }

    /// Whether what was handled last has told or changed anything that is kept.
    fn has_effect(&self) -> bool {
        let Output { records, findings, lives, .. } = &self.out;
        !(records.is_empty() && findings.is_empty() && lives.is_empty())
    }

    fn handle(&mut self, now: Timestamp, input: Input<'_>) {
        self.now = now;
        self.out.clear();
        self.engine.handle(now, input, &mut self.out);
    }
}

/// A command as it is given out again. One with an address that is never scanned by the options of this start is only ended: the engine
/// does not know of them before its next input.
fn resumed(life: &ScanLife, options: &EngineOptions) -> ScanLife {
    let mut targets = life.command.targets.iter();
    let is_forbidden =
        options.scan.as_ref().is_some_and(|policy| targets.any(|of| policy.is_never(of.address)));
    ScanLife { is_cancelled: life.is_cancelled || is_forbidden, ..life.clone() }
}

/// Takes what follows from records in these batches out of what waits in their order.
fn take_durable<T>(waiting: &mut VecDeque<(u64, T)>, durable: u64) -> Vec<T> {
    let ready = waiting.iter().take_while(|(batch, _)| *batch <= durable).count();
    waiting.drain(..ready).map(|(_, one)| one).collect()
}
