//! Keeping the search index: from time to time the next of it is made beside the loop, and handed to the writer by the loop.
//!
//! It follows the records and never holds them up: at most one segment is made at a time, and as long as one took to make nothing is done
//! before the next; longer, while messages wait at a broker. What it has not come to yet is read by whoever searches.

use std::fmt;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::tap::Tap;
use super::{Happening, Service, ServiceError};
use crate::runtime::search::{Lacking, next_step};
use crate::store::{JournalError, NewSegment, Reader};
use crate::telemetry::chain;

/// How often it is looked whether there is enough for another leaf: at the fastest rate of a bus some hundred thousand records come in it.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// While many messages wait at a broker, this many times as long as a segment took nothing is done before the next: it has one part in
/// sixteen of a core then, and not the half, so that the messages come first.
const REST_BEHIND: u32 = 15;
/// How long it is left alone when it cannot be done: searching is slower without, and nothing is lost.
const BACK_OFF: Duration = Duration::from_secs(600);

/// Keeps the search index.
pub(super) struct Indexer {
    /// Away while the next segment is made.
    reader: Option<Box<dyn Reader>>,
    next: Instant,
    /// When the last segment was made, and how long that took.
    last: Option<(Instant, Duration)>,
    /// A segment is with the writer.
    is_writing: bool,
    /// What did not go well the last time, so that it is said once.
    trouble: Option<String>,
}

/// What was made, and the reader that it was made with.
pub(super) struct Indexed {
    reader: Box<dyn Reader>,
    step: Result<Option<NewSegment>, JournalError>,
    took: Duration,
}

impl fmt::Debug for Indexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexed").field("took", &self.took).finish_non_exhaustive()
    }
}

impl Indexer {
    /// Keeps the index of the store of that reader.
    pub(super) fn new(reader: Box<dyn Reader>) -> Self {
        Self { reader: Some(reader), next: Instant::now(), last: None, is_writing: false, trouble: None }
    }

    /// Begins to make the next segment, if it is time and the last one is written.
    pub(super) fn begin_if_due(&mut self, taps: &[Tap], tokio: &Handle, sender: &Sender<Happening>) {
        let now = Instant::now();
        if self.is_writing || now < self.next || !has_rested(self.last, now, taps.iter().any(Tap::is_behind))
        {
            return;
        }
        let Some(mut reader) = self.reader.take() else { return };
        let sender = sender.clone();
        tokio.spawn_blocking(move || {
            let begun = Instant::now();
            let step = next_step(&mut *reader, Lacking::WholeLeaves);
            let indexed = Indexed { reader, step, took: begun.elapsed() };
            // The loop may have ended.
            let _ = sender.send(Happening::Indexed(Box::new(indexed)));
        });
    }

    /// Hears what became of a segment. One that records have changed under is made again.
    pub(super) fn written(&mut self, result: Result<bool, JournalError>) {
        self.is_writing = false;
        match result {
            Ok(true) => self.is_well(),
            Ok(false) => self.next = Instant::now() + LOOK_EVERY,
            Err(error) => self.say(&error),
        }
    }

    fn is_well(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!("the search index is kept again");
        }
    }

    fn say(&mut self, error: &JournalError) {
        self.next = Instant::now() + BACK_OFF;
        let detail = chain(error);
        if self.trouble.as_ref() != Some(&detail) {
            tracing::warn!(detail, "the search index cannot be kept: searching reads the records instead");
        }
        self.trouble = Some(detail);
    }
}

/// Whether enough time has passed since the last segment was made, which took so long.
fn has_rested(last: Option<(Instant, Duration)>, now: Instant, is_behind: bool) -> bool {
    let rest = if is_behind { REST_BEHIND } else { 1 };
    last.is_none_or(|(made, took)| now.saturating_duration_since(made) >= took * rest)
}

impl Service {
    /// Hands on what was made of the search index.
    pub(super) fn indexed(&mut self, indexed: Indexed) -> Result<(), ServiceError> {
        let Indexed { reader, step, took } = indexed;
        self.indexer.reader = Some(reader);
        match step {
            Ok(Some(segment)) => {
                self.indexer.last = Some((Instant::now(), took));
                self.indexer.is_writing = true;
                self.recorder.put_segment(segment)?;
            }
            Ok(None) => {
                self.indexer.next = Instant::now() + LOOK_EVERY;
                self.indexer.is_well();
            }
            Err(error) => self.indexer.say(&error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_wait_come_before_the_index() {
        let (made, took) = (Instant::now(), Duration::from_secs(2));
        let after = |seconds| made + Duration::from_secs(seconds);
        assert!(has_rested(None, made, true));
        let last = Some((made, took));
        assert_eq!([1, 2].map(|seconds| has_rested(last, after(seconds), false)), [false, true]);
        assert_eq!([2, 29, 30].map(|seconds| has_rested(last, after(seconds), true)), [false, false, true]);
    }
}
