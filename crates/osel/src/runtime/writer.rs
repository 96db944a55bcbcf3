//! The journal on a thread of its own, so that the engine goes on while a batch is compressed and flushed.
//!
//! Batches are written in the order in which they are given. What is in flight is bounded: whoever gives more waits. After the first
//! error nothing more is written; the error comes back with the next call.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use osel_core::time::Timestamp;

use crate::store::{
    CommandRow, Commit, Counters, Entry, Head, Journal, JournalError, QuarantineItem, StoredRecord,
    VersionSet,
};

/// How many batches may wait for the one that is written.
const BATCHES_IN_FLIGHT: usize = 3;

/// What goes into one commit.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) records: Vec<StoredRecord>,
    pub(super) counters: Vec<Counters>,
    pub(super) quarantine: Vec<QuarantineItem>,
    pub(super) commands: Vec<CommandRow>,
    pub(super) versions: Vec<VersionSet>,
    /// How large all of it is, roughly.
    pub(super) bytes: usize,
}

impl Batch {
    /// An empty one with room for as many entries and records as this one has: the next is about as large.
    pub fn empty_alike(&self) -> Self {
        Self {
            entries: Vec::with_capacity(self.entries.len()),
            records: Vec::with_capacity(self.records.len()),
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
            && self.versions.is_empty()
    }
}

enum Work {
    Commit(Box<Batch>),
    SnapshotBegin {
        seq: u64,
        entry: u64,
        made_at: Timestamp,
    },
    SnapshotChunk(Vec<u8>),
    SnapshotEnd,
    /// Answers when everything before it is durable.
    Flush(SyncSender<Head>),
}

/// Gives batches to the thread that writes them.
#[derive(Debug)]
pub struct Writer {
    work: Option<SyncSender<Work>>,
    /// One for each batch that has become durable.
    durable: Receiver<()>,
    given: u64,
    counted: u64,
    thread: Option<JoinHandle<Result<(), JournalError>>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start(mut journal: Box<dyn Journal>) -> std::io::Result<Self> {
        let (work, receiver) = sync_channel(BATCHES_IN_FLIGHT);
        let (done, durable) = channel();
        let thread = std::thread::Builder::new().name("osel-writer".into());
        let thread = thread.spawn(move || write(&mut *journal, &receiver, &done))?;
        Ok(Self { work: Some(work), durable, given: 0, counted: 0, thread: Some(thread) })
    }

    /// Gives a batch to be committed and says how many there are with it.
    ///
    /// # Errors
    /// The error of an earlier batch.
    pub fn commit(&mut self, batch: Batch) -> Result<u64, JournalError> {
        self.send(Work::Commit(Box::new(batch)))?;
        self.given += 1;
        Ok(self.given)
    }

    /// How many batches have become durable so far.
    pub fn durable(&mut self) -> u64 {
        self.counted += self.durable.try_iter().count() as u64;
        self.counted
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

    /// Ends the snapshot.
    ///
    /// # Errors
    /// The error of an earlier batch.
    pub fn end_snapshot(&mut self) -> Result<(), JournalError> {
        self.send(Work::SnapshotEnd)
    }

    /// Waits until everything that was given is durable.
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

fn write(journal: &mut dyn Journal, work: &Receiver<Work>, done: &Sender<()>) -> Result<(), JournalError> {
    let mut snapshot = 0;
    for work in work {
        match work {
            Work::Commit(batch) => {
                let commit = Commit {
                    epoch: journal.info().epoch,
                    previous: journal.head(),
                    entries: &batch.entries,
                    records: &batch.records,
                    counters: &batch.counters,
                    quarantine: &batch.quarantine,
                    commands: &batch.commands,
                    versions: &batch.versions,
                };
                journal.commit(&commit)?;
                // Whoever counts may be gone.
                let _ = done.send(());
            }
            Work::SnapshotBegin { seq, entry, made_at } => {
                snapshot = journal.begin_snapshot(seq, entry, made_at)?;
            }
            Work::SnapshotChunk(chunk) => journal.add_snapshot_chunk(snapshot, &chunk)?,
            Work::SnapshotEnd => {
                journal.complete_snapshot(snapshot)?;
                let mut kept = 0;
                journal.prune_snapshots(&mut |_| {
                    kept += 1;
                    kept <= SNAPSHOTS_KEPT
                })?;
            }
            Work::Flush(answer) => {
                // Whoever asked may be gone.
                let _ = answer.send(journal.head());
            }
        }
    }
    Ok(())
}

/// How many snapshots are kept: `--at` starts from the one before the moment asked for, so that these bound how far it has to go.
const SNAPSHOTS_KEPT: usize = 16;
