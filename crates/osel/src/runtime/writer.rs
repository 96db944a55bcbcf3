//! The journal on a thread of its own, so that the engine goes on while a batch is compressed and flushed.
//!
//! Batches are written in the order in which they are given, and those that wait for one to be written are written as one. What is in
//! flight is bounded: whoever gives more waits. When one cannot
//! be written, what happens depends on whom the writer works for: a command ends with the error ([`OnFailure::End`]); the daemon keeps
//! the batch and all behind it, is told, and says when to try again, byte for byte ([`OnFailure::Keep`]). Between batches the [chores](chores) of the store
//! are done.

mod chores;
mod join;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use osel_core::time::Timestamp;

use self::chores::Chores;
use super::retention::policy::{RECENT_SNAPSHOTS, kept_snapshots};
use crate::store::{
    CommandRow, Commit, Counters, CursorRow, DeadLetterChange, Entry, ErrorClass, Expiry, FindingRow,
    ForwarderRow, Head, Journal, JournalError, LogKeyRow, NewErasure, NewRecords, NewSegment, NodeRow,
    QuarantineItem, SignedCheckpoint, VersionSet, WitnessedRow,
};

/// How many batches may wait for those that are written: while several are written as one and flushed, as many are made ready. Of messages
/// the intake has its own bound in bytes (64 MiB in flight); of pages of a read they are 8 MiB each at most, 64 together.
const BATCHES_IN_FLIGHT: usize = 8;
/// How many batches are written as one at most.
const BATCHES_AT_ONCE: usize = 4;

/// What goes into one commit.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) records: NewRecords,
    pub(super) counters: Vec<Counters>,
    pub(super) quarantine: Vec<QuarantineItem>,
    pub(super) commands: Vec<CommandRow>,
    pub(super) findings: Vec<FindingRow>,
    pub(super) resolved_before: Option<Timestamp>,
    pub(super) versions: Vec<VersionSet>,
    pub(super) cursors: Vec<CursorRow>,
    pub(super) expiry: Option<Expiry>,
    pub(super) erasure: Option<NewErasure>,
    pub(super) nodes: Vec<NodeRow>,
    pub(super) checkpoints: Vec<SignedCheckpoint>,
    pub(super) log_keys: Vec<LogKeyRow>,
    pub(super) witnessed: Vec<WitnessedRow>,
    pub(super) forwarders: Vec<ForwarderRow>,
    pub(super) dead_letters: Vec<DeadLetterChange>,
    /// How large all of it is, roughly.
    pub(super) bytes: usize,
}

impl Batch {
    /// An empty one with room for as many entries and records as this one has: the next is about as large.
    pub fn empty_alike(&self) -> Self {
        Self {
            entries: Vec::with_capacity(self.entries.len()),
            records: self.records.empty_alike(),
            versions: Vec::with_capacity(self.versions.len()),
            ..Self::default()
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.records.is_empty()
            && self.counters.is_empty()
            && self.quarantine.is_empty()
            && self.commands.is_empty()
            && self.findings.is_empty()
            && self.resolved_before.is_none()
            && self.versions.is_empty()
            && self.cursors.is_empty()
            && self.expiry.is_none()
            && self.erasure.is_none()
            && self.nodes.is_empty()
            && self.checkpoints.is_empty()
            && self.witnessed.is_empty()
            && self.forwarders.is_empty()
            && self.dead_letters.is_empty()
    }

    fn commit(&self, epoch: u64, previous: Head) -> Commit<'_> {
        Commit {
            epoch,
            previous,
            entries: &self.entries,
            records: &self.records,
            counters: &self.counters,
            quarantine: &self.quarantine,
            commands: &self.commands,
            findings: &self.findings,
            resolved_before: self.resolved_before,
            versions: &self.versions,
            cursors: &self.cursors,
            expiry: self.expiry.as_ref(),
            erasure: self.erasure.as_ref(),
            nodes: &self.nodes,
            checkpoints: &self.checkpoints,
            log_keys: &self.log_keys,
            witnessed: &self.witnessed,
            forwarders: &self.forwarders,
            dead_letters: &self.dead_letters,
        }
    }

    /// Whether something leaves the store after it.
    fn lets_go(&self) -> bool {
        self.expiry.is_some() || self.erasure.is_some()
    }

    /// Whether a store that ends there has it. One that adds no entry may be written twice: all else in it is absolute.
    fn is_in(&self, head: Head) -> bool {
        self.entries.last().is_some_and(|entry| entry.number <= head.entry)
    }
}

/// What becomes of a batch that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The writer ends, and the next call brings the error.
    End,
    /// It is kept with all behind it until [`Writer::retry`].
    Keep,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Written {
    /// It is durable, with all before it.
    Durable(u64),
    /// It is not known to be durable, nor is any after it.
    Failed(JournalError),
    /// A segment of the search index was written, or was not since records have lost something meanwhile, or could not be.
    Indexed(Result<bool, JournalError>),
    /// Old content could not be let go of. It is tried again after a while, or with the next order; batches are written meanwhile.
    NotExpired(JournalError),
}

enum Work {
    Commit(Box<Batch>),
    SnapshotBegin {
        seq: u64,
        entry: u64,
        made_at: Timestamp,
    },
    SnapshotChunk(Vec<u8>),
    SnapshotEnd {
        daily: bool,
    },
    Segment(Box<NewSegment>),
    Retry,
    /// What was left is tried again.
    Chores,
    /// Answers when everything before it is durable.
    Flush(SyncSender<Head>),
}

/// Gives batches to the thread that writes them.
#[derive(Debug)]
pub struct Writer {
    work: Option<SyncSender<Work>>,
    written: Receiver<Written>,
    given: u64,
    durable: u64,
    /// How many orders to let go of something were given, with the one that an earlier writer may have left; and how many are done.
    orders: u64,
    orders_done: Arc<AtomicU64>,
    /// As of the thread itself: ahead of `durable` by what was not taken yet.
    durable_now: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<(), JournalError>>>,
}

impl Writer {
    /// Starts the thread; it calls `notify` whenever something has become of a batch.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start(
        journal: Box<dyn Journal>,
        on_failure: OnFailure,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let (work, receiver) = sync_channel(BATCHES_IN_FLIGHT);
        let (sender, written) = channel();
        let thread = std::thread::Builder::new().name("osel-writer".into());
        let writing = Writing::new(journal, on_failure, sender, Arc::new(notify));
        let orders_done = Arc::clone(&writing.orders_done);
        let durable_now = Arc::clone(&writing.durable_now);
        let thread = thread.spawn(move || {
            // Also when it ends, however it ends: whoever waits has to ask why.
            let _at_the_end = Notify(Arc::clone(&writing.notify));
            writing.run(&receiver)
        })?;
        Ok(Self {
            work: Some(work),
            written,
            given: 0,
            durable: 0,
            orders: 1,
            orders_done,
            durable_now,
            thread: Some(thread),
        })
    }

    /// Gives a batch to be committed and says how many there are with it.
    ///
    /// # Errors
    /// The error of an earlier batch.
    pub fn commit(&mut self, batch: Batch) -> Result<u64, JournalError> {
        self.orders += u64::from(batch.lets_go());
        self.send(Work::Commit(Box::new(batch)))?;
        self.given += 1;
        Ok(self.given)
    }

    /// How many batches were given so far.
    pub fn given(&self) -> u64 {
        self.given
    }

    /// Whether old content is let go of, or is about to be.
    pub fn is_expiring(&self) -> bool {
        self.orders_done.load(Ordering::Acquire) < self.orders
    }

    /// How many orders to let go of something were given so far.
    pub fn orders(&self) -> u64 {
        self.orders
    }

    /// Has all that goes on beside batches looked at again: what could not be done is tried once more. It counts as an order.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn tend(&mut self) -> Result<(), JournalError> {
        self.orders += 1;
        self.send(Work::Chores)
    }

    /// What became of batches since the last call.
    ///
    /// # Errors
    /// Why the thread has ended, once all that it said before was taken.
    pub fn take_written(&mut self) -> Result<Vec<Written>, JournalError> {
        let mut written = Vec::new();
        loop {
            match self.written.try_recv() {
                Ok(outcome) => {
                    if let Written::Durable(batch) = outcome {
                        self.durable = batch;
                    }
                    written.push(outcome);
                }
                Err(TryRecvError::Disconnected) if written.is_empty() => return Err(self.failure()),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(written),
            }
        }
    }

    /// How many batches have become durable so far.
    ///
    /// # Errors
    /// Why the thread has ended.
    pub fn durable(&mut self) -> Result<u64, JournalError> {
        self.take_written()?;
        Ok(self.durable)
    }

    /// How many batches are durable, whether that was taken note of or not.
    pub fn durable_now(&self) -> u64 {
        self.durable_now.load(Ordering::Acquire)
    }

    /// Whether all that was given is known to be durable.
    pub fn is_done(&self) -> bool {
        self.durable == self.given
    }

    /// Waits until then for everything that was given to be durable; whether it is.
    pub fn is_done_by(&mut self, until: Instant) -> bool {
        while !self.is_done() {
            match self.written.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Written::Durable(batch)) => self.durable = batch,
                Ok(Written::NotExpired(_) | Written::Indexed(_)) => {}
                Ok(Written::Failed(_)) | Err(_) => return false,
            }
        }
        true
    }

    /// The same, and lets go of the thread, which may wait for a disk for ever.
    pub fn end_by(mut self, until: Instant) -> bool {
        let is_done = self.is_done_by(until);
        if !is_done {
            self.thread = None;
        }
        is_done
    }

    /// Waits until one more batch has become durable, if there is one that has not.
    ///
    /// # Errors
    /// The error of an earlier batch.
    pub fn wait(&mut self) -> Result<(), JournalError> {
        while self.durable < self.given {
            match self.written.recv() {
                Ok(Written::NotExpired(_) | Written::Indexed(_)) => continue,
                Ok(Written::Durable(batch)) => self.durable = batch,
                Ok(Written::Failed(_)) => {}
                Err(_) => return Err(self.failure()),
            }
            break;
        }
        Ok(())
    }

    /// Tries again what failed, if anything did.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn retry(&mut self) -> Result<(), JournalError> {
        self.send(Work::Retry)
    }

    /// Begins a snapshot of the state after `seq` and `entry`, which were given before.
    ///
    /// # Errors
    /// The error of an earlier batch.
    pub fn begin_snapshot(&mut self, seq: u64, entry: u64, made_at: Timestamp) -> Result<(), JournalError> {
        self.send(Work::SnapshotBegin { seq, entry, made_at })
    }

    /// Gives a piece of the snapshot.
    ///
    /// # Errors
    /// The error of an earlier batch.
    pub fn snapshot_chunk(&mut self, chunk: Vec<u8>) -> Result<(), JournalError> {
        self.send(Work::SnapshotChunk(chunk))
    }

    /// Ends the snapshot; of the others the last of each day are kept or not.
    ///
    /// # Errors
    /// The error of an earlier batch.
    pub fn end_snapshot(&mut self, daily: bool) -> Result<(), JournalError> {
        self.send(Work::SnapshotEnd { daily })
    }

    /// Gives a segment of the search index; what became of it is told as [`Written::Indexed`].
    ///
    /// # Errors
    /// The error of an earlier batch.
    pub fn segment(&mut self, segment: NewSegment) -> Result<(), JournalError> {
        self.send(Work::Segment(Box::new(segment)))
    }

    /// Waits until everything that was given is durable, or has failed and is kept.
    ///
    /// # Errors
    /// The error of an earlier batch.
    pub fn flush(&mut self) -> Result<Head, JournalError> {
        let (answer, head) = sync_channel(1);
        self.send(Work::Flush(answer))?;
        match head.recv() {
            Ok(head) => Ok(head),
            Err(_) => Err(self.failure()),
        }
    }

    fn send(&mut self, work: Work) -> Result<(), JournalError> {
        let sent = self.work.as_ref().is_some_and(|sender| sender.send(work).is_ok());
        if sent { Ok(()) } else { Err(self.failure()) }
    }

    /// Why the thread ended.
    fn failure(&mut self) -> JournalError {
        self.work = None;
        let ended = self.thread.take().and_then(|thread| thread.join().ok());
        match ended {
            Some(Err(error)) => error,
            _ => JournalError::Stopped,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // An error that nobody asked for any more: everything that was flushed is durable.
            let _ = thread.join();
        }
    }
}

/// Calls when it goes.
struct Notify(Arc<dyn Fn() + Send + Sync>);

impl Drop for Notify {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The thread's side.
struct Writing {
    journal: Box<dyn Journal>,
    on_failure: OnFailure,
    written: Sender<Written>,
    notify: Arc<dyn Fn() + Send + Sync>,
    /// Given and not durable, with their numbers: of batches that became one, the last.
    waiting: VecDeque<(u64, Box<Batch>)>,
    number: u64,
    /// Something failed and was not tried again: the journal takes nothing until it is reopened.
    is_failing: bool,
    snapshot: Option<u64>,
    /// How many orders to let go of something are durable, with the one that an earlier writer may have left; and how many are done.
    orders: u64,
    orders_done: Arc<AtomicU64>,
    durable_now: Arc<AtomicU64>,
    /// What was taken together with batches and comes after them.
    next: Option<Work>,
    chores: Chores,
}

impl Writing {
    fn new(
        journal: Box<dyn Journal>,
        on_failure: OnFailure,
        written: Sender<Written>,
        notify: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            journal,
            on_failure,
            written,
            notify,
            waiting: VecDeque::new(),
            number: 0,
            is_failing: false,
            snapshot: None,
            orders: 1,
            orders_done: Arc::default(),
            durable_now: Arc::default(),
            next: None,
            chores: Chores::default(),
        }
    }

    fn run(mut self, given: &Receiver<Work>) -> Result<(), JournalError> {
        while let Some(work) = self.next(given)? {
            match work {
                Work::Commit(batch) => {
                    self.take(batch, given);
                    self.write_waiting()?;
                }
                Work::Retry => self.retry()?,
                Work::Chores => {
                    self.orders += 1;
                    self.chores = Chores::default();
                }
                Work::SnapshotBegin { seq, entry, made_at } => {
                    self.snapshot = None;
                    if !self.is_failing {
                        let begun = self.journal.begin_snapshot(seq, entry, made_at);
                        self.snapshot = self.unless_failed(begun)?;
                    }
                }
                Work::SnapshotChunk(chunk) => {
                    if let Some(id) = self.snapshot {
                        let added = self.journal.add_snapshot_chunk(id, &chunk);
                        self.unless_failed(added)?;
                    }
                }
                Work::Segment(segment) => self.put_segment(&segment)?,
                Work::SnapshotEnd { daily } => self.end_snapshot(daily)?,
                Work::Flush(answer) => {
                    // Whoever asked may be gone.
                    let _ = answer.send(self.journal.head());
                }
            }
        }
        Ok(())
    }

    /// Takes a batch, and all that are given already: those that may become durable together become one.
    fn take(&mut self, mut batch: Box<Batch>, given: &Receiver<Work>) {
        self.number += 1;
        // Whoever gives goes on giving.
        for _ in 1..BATCHES_AT_ONCE {
            self.next = given.try_recv().ok();
            let Some(Work::Commit(next)) = self.next.take_if(|work| matches!(work, Work::Commit(_))) else {
                break;
            };
            let number = self.number;
            self.number += 1;
            if let Err(next) = batch.join(next) {
                self.waiting.push_back((number, std::mem::replace(&mut batch, next)));
            }
        }
        self.waiting.push_back((self.number, batch));
    }

    /// What is to be done next; while there is nothing, old content is let go of. None when the writer's owner is gone.
    fn next(&mut self, work: &Receiver<Work>) -> Result<Option<Work>, JournalError> {
        if let Some(work) = self.next.take() {
            return Ok(Some(work));
        }
        loop {
            if !self.is_expiring() {
                return Ok(work.recv().ok());
            }
            match work.try_recv() {
                Ok(work) => return Ok(Some(work)),
                Err(TryRecvError::Empty) => self.expire()?,
                Err(TryRecvError::Disconnected) => return Ok(None),
            }
        }
    }

    /// Does a slice of the first chore that is due and has something to do.
    fn expire(&mut self) -> Result<(), JournalError> {
        while !self.is_failing && self.chores.is_due() {
            match self.chores.go_on(&mut *self.journal) {
                Ok(true) => break,
                Ok(false) => {}
                // Another writer has the store.
                Err(error @ JournalError::Deposed { .. }) => return self.failed(error),
                // It is left, and holds up none of the others.
                Err(error) => self.not_done(error, Written::NotExpired)?,
            }
        }
        if !self.chores.is_due() {
            self.orders_done.store(self.orders, Ordering::Release);
        }
        Ok(())
    }

    /// Tells that something beside the batches could not be done, which must not suffer for it. A busy store was not begun to be written.
    fn not_done(
        &mut self,
        error: JournalError,
        tell: impl FnOnce(JournalError) -> Written,
    ) -> Result<(), JournalError> {
        let is_open = matches!(error, JournalError::Busy { .. } | JournalError::Refused { .. });
        self.tell(tell(error));
        if !is_open && let Err(error) = self.journal.reopen() {
            return self.failed(error);
        }
        Ok(())
    }

    fn put_segment(&mut self, segment: &NewSegment) -> Result<(), JournalError> {
        if self.is_failing {
            // It is made again once the store takes something.
            self.tell(Written::Indexed(Ok(false)));
            return Ok(());
        }
        match self.journal.put_segment(segment) {
            Ok(is_written) => self.tell(Written::Indexed(Ok(is_written))),
            // Another writer has the store.
            Err(error @ JournalError::Deposed { .. }) => return self.failed(error),
            Err(error) => return self.not_done(error, |error| Written::Indexed(Err(error))),
        }
        Ok(())
    }

    fn is_expiring(&self) -> bool {
        !self.is_failing && self.orders_done.load(Ordering::Acquire) < self.orders
    }

    fn write_waiting(&mut self) -> Result<(), JournalError> {
        while !self.is_failing
            && let Some((number, batch)) = self.waiting.front()
        {
            let (number, epoch, head) = (*number, self.journal.info().epoch, self.journal.head());
            match self.journal.commit(&batch.commit(epoch, head)) {
                Ok(_) => self.is_durable(number),
                Err(error) => self.failed(error)?,
            }
        }
        if self.is_expiring() {
            // Also where batches come without a pause: else the store would grow as long as they do.
            self.expire()?;
        }
        Ok(())
    }

    fn retry(&mut self) -> Result<(), JournalError> {
        if !self.is_failing {
            return Ok(());
        }
        match self.journal.reopen() {
            Ok(head) => {
                self.is_failing = false;
                // The commit may have succeeded although it was reported as failed.
                while let Some((number, _)) = self.waiting.front().filter(|(_, batch)| batch.is_in(head)) {
                    self.is_durable(*number);
                }
                self.write_waiting()
            }
            Err(error) => self.failed(error),
        }
    }

    fn end_snapshot(&mut self, daily: bool) -> Result<(), JournalError> {
        let Some(id) = self.snapshot.take() else { return Ok(()) };
        let completed = self.journal.complete_snapshot(id);
        if self.unless_failed(completed)?.is_some() {
            let pruned = self.journal.prune_snapshots(&mut kept_snapshots(RECENT_SNAPSHOTS, daily));
            self.unless_failed(pruned)?;
        }
        Ok(())
    }

    /// A snapshot that fails is given up: the next one comes in time, and until then there is the journal.
    fn unless_failed<T>(&mut self, result: Result<T, JournalError>) -> Result<Option<T>, JournalError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.snapshot = None;
                self.failed(error)?;
                Ok(None)
            }
        }
    }

    fn is_durable(&mut self, number: u64) {
        let written = self.waiting.pop_front();
        if written.is_some_and(|(_, batch)| batch.lets_go()) {
            self.orders += 1;
            self.chores = Chores::default();
        }
        self.durable_now.store(number, Ordering::Release);
        self.tell(Written::Durable(number));
    }

    fn failed(&mut self, error: JournalError) -> Result<(), JournalError> {
        match self.on_failure {
            OnFailure::End => Err(error),
            OnFailure::Keep if error.class() == ErrorClass::Bug => Err(error),
            OnFailure::Keep => {
                self.is_failing = true;
                self.tell(Written::Failed(error));
                Ok(())
            }
        }
    }

    fn tell(&self, written: Written) {
        // Whoever counts may be gone.
        let _ = self.written.send(written);
        (self.notify)();
    }
}
