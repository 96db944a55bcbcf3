//! Batches of a recorder: when one is closed, what goes with it, and what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use osel_core::engine::Engine;
use osel_core::scan::ScanLife;
use osel_core::time::Timestamp;

use super::super::snapshots;
use super::super::writer::Written;
use super::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, RecordError, Recorder};
use crate::store::{Counters, CursorRow, Head, NewSegment};

impl Recorder {
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

    /// Has a segment of the search index written; what became of it is told beside the batches.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn put_segment(&mut self, segment: NewSegment) -> Result<(), RecordError> {
        Ok(self.writer.segment(segment)?)
    }

    /// Has findings go from their table that were resolved before that time; their records stay.
    pub fn drop_resolved(&mut self, before: Timestamp) {
        self.batch.resolved_before = Some(before);
    }

    /// Whether something waits to be written that no batch has yet.
    pub fn has_open(&self) -> bool {
        !self.batch.is_empty() || !self.counted.is_empty()
    }

    /// How many batches were given to be written so far.
    pub fn given_batches(&self) -> u64 {
        self.writer.given()
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

    /// Makes everything durable that was taken so far, and hands out the commands that may be carried out now.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn flush(&mut self) -> Result<Vec<ScanLife>, RecordError> {
        self.commit()?;
        self.head = self.writer.flush()?;
        let given = self.writer.given();
        Ok(self.take_commands(given))
    }

    /// Makes everything durable and the state quick to open again, and signs the log.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn finish(&mut self) -> Result<Head, RecordError> {
        self.commit()?;
        if self.engine.seq() > self.snapshot_seq {
            self.snapshot()?;
        }
        self.sign_all()?;
        Ok(self.head)
    }

    /// Makes durable what can be within that time, the last checkpoint of the log as well, and ends; whether it is all. No snapshot is made:
    /// the next start folds what came after the last one.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn end_within(mut self, time: Duration) -> Result<bool, RecordError> {
        self.writer.take_written()?;
        let until = Instant::now() + time;
        // A store that has not taken what it was given before will not take more now, and must not be waited for.
        if self.writer.is_done() {
            self.commit()?;
            if self.writer.is_done_by(until) {
                self.add_signed(true);
                self.commit()?;
            }
        }
        Ok(self.writer.end_by(until))
    }

    /// Whoever drives decides when a batch of messages is full; this is the bound that holds in any case.
    pub(super) fn commit_if_overfull(&mut self) -> Result<(), RecordError> {
        if self.batch.entries.len() >= 4 * BATCH_ENTRIES_MAX || self.batch.bytes >= 4 * BATCH_BYTES_MAX {
            self.commit()?;
        }
        Ok(())
    }

    pub(super) fn commit_if_full(&mut self) -> Result<(), RecordError> {
        if self.batch.entries.len() >= BATCH_ENTRIES_MAX || self.batch.bytes >= BATCH_BYTES_MAX {
            self.commit()?;
        }
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<Option<u64>, RecordError> {
        let is_due = self.has_open() || self.forwarders.has_changed();
        if is_due { self.give_batch().map(Some) } else { Ok(None) }
    }

    pub(super) fn give_batch(&mut self) -> Result<u64, RecordError> {
        self.note_log();
        self.add_signed(false);
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
        self.forwarders.take(&mut batch.forwarders, &mut batch.dead_letters);
        let number = self.writer.commit(batch)?;
        self.forwarders.given(number, self.engine.seq());
        // Also when the last one is from ahead: the clock was wrong then.
        let last = self.snapshot_at.unwrap_or(Timestamp::EPOCH);
        let apart = self.now.micros().abs_diff(last.micros());
        let is_late = |seconds: i64| apart / 1_000_000 >= seconds.unsigned_abs();
        let due = self.engine.seq() >= self.snapshot_seq + snapshots::SNAPSHOT_EVERY_RECORDS
            || (self.engine.seq() > self.snapshot_seq
                && (self.snapshot_wanted || self.snapshot_every_seconds.is_some_and(is_late)));
        // What a read has shown so far and is not merged yet is no part of the state: after a restart it is read again.
        if due {
            self.snapshot()?;
        }
        Ok(number)
    }

    fn snapshot(&mut self) -> Result<(), RecordError> {
        let chunk_bytes = self.snapshot_chunk_bytes;
        snapshots::write(
            &self.engine,
            self.entry,
            &mut self.writer,
            self.now,
            self.keeps_daily,
            chunk_bytes,
        )?;
        self.snapshot_seq = self.engine.seq();
        self.snapshot_at = Some(self.now);
        self.snapshot_wanted = false;
        self.snapshots_begun += 1;
        Ok(())
    }
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
