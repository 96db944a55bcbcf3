//! What a forwarder tells the loop: how far it has come, and how it does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use osel_core::time::Timestamp;
use tokio::task::JoinError;

use super::defect::last_words;
use crate::store::{DeadLetterChange, DeadLetterRow, ForwarderRow};

/// The bounds of the times of a batch, in seconds: from a file to a receiver that is about to give up.
const BOUNDS_SECONDS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0];

/// What is new of a forwarder.
#[derive(Debug, Default)]
pub struct Report {
    /// By which word of the loop it goes: the number of the last [`Steer::Rewind`](super::Steer::Rewind).
    pub generation: u64,
    /// How far it has come, to be kept; none when nothing has changed.
    pub row: Option<ForwarderRow>,
    /// What became of dead letters, to be kept with it.
    pub letters: Vec<DeadLetterChange>,
    /// How it does; none when it can no longer say.
    pub status: Option<ForwarderStatus>,
    /// It has ended: stopped, or with why it had to.
    pub ended: Option<Result<(), String>>,
}

/// How a forwarder does, for metrics and for people.
#[derive(Clone, Debug, Default)]
pub struct ForwarderStatus {
    /// Its name.
    pub name: Arc<str>,
    /// What it sends to.
    pub kind: Arc<str>,
    /// Whether the receiver took the last call well; none before the first one's end.
    pub is_up: Option<bool>,
    /// What is wrong, and since when.
    pub trouble: Option<(Timestamp, String)>,
    /// Its place and account.
    pub row: ForwarderRow,
    /// When the oldest record was recorded that waits for the receiver, or for others to be told with; none when none was read that does.
    pub oldest: Option<Timestamp>,
    /// How long that is ago, as the loop tells it.
    pub lag: Duration,
    /// How many dead letters there are.
    pub letters: usize,
    /// Records that were sent since the start without what retention had let go of before.
    pub incomplete: u64,
    /// Batches that were taken since the start.
    pub batches: u64,
    /// Batches that were sent again or not taken whole, since the start.
    pub retries: u64,
    /// How often it broke down since the start, as the loop tells it.
    pub defects: u64,
    /// How long batches took to be handed over.
    pub times: SendTimes,
}

/// How often handing over took how long.
#[derive(Clone, Debug, Default)]
pub struct SendTimes {
    counts: [u64; BOUNDS_SECONDS.len() + 1],
    sum_seconds: f64,
}

impl SendTimes {
    /// One took that long.
    pub(super) fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.sum_seconds += seconds;
        if let Some(count) = self.counts.get_mut(BOUNDS_SECONDS.partition_point(|bound| *bound < seconds)) {
            *count += 1;
        }
    }

    /// All of them together, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.sum_seconds
    }

    /// Upper bounds in seconds, each with how many took longer than the bound before and no longer than it; the last bound is none.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        BOUNDS_SECONDS.into_iter().chain([f64::INFINITY]).zip(self.counts)
    }
}

/// Where the loop finds what is new. It holds no more than one report, however long the loop does not look: a later one takes the place of
/// an earlier, with its dead letters, of which there is a bounded number.
#[derive(Debug, Default)]
pub struct Outbox(Mutex<Option<Report>>);

impl Report {
    /// Its task has ended by a panic.
    pub fn broken_down(error: JoinError) -> Self {
        let why = format!("its task has failed, which is a defect of osel{}", last_words(error));
        Self { ended: Some(Err(why)), ..Self::default() }
    }

    /// The forwarder was set back behind a record since: of what this tells only that of earlier dead letters still holds.
    pub fn outdate(&mut self, begin: u64) {
        self.row = None;
        self.letters.retain(|change| match change {
            DeadLetterChange::Put(DeadLetterRow { key, .. }) | DeadLetterChange::Drop(key) => {
                key.seq <= begin
            }
            DeadLetterChange::Discard { .. }
            | DeadLetterChange::DropAfter { .. }
            | DeadLetterChange::Resend { .. } => true,
        });
    }
}

impl Outbox {
    /// Puts a report there; whether the loop has to be told that there is one.
    pub fn put(&self, report: Report) -> bool {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = place.take();
        let is_first = before.is_none();
        *place = Some(match before {
            Some(mut before) => {
                if before.generation < report.generation {
                    before.outdate(report.row.as_ref().map_or(0, |row| row.begin));
                }
                before.letters.extend(report.letters);
                Report {
                    generation: before.generation.max(report.generation),
                    row: report.row.or(before.row),
                    letters: before.letters,
                    status: report.status.or(before.status),
                    ended: report.ended,
                }
            }
            None => report,
        });
        is_first
    }

    /// Takes what is there.
    pub fn take(&self) -> Option<Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DeadLetterKey;

    fn report(generation: u64, place: Option<u64>, seq: u64) -> Report {
        let key = DeadLetterKey { forwarder: "siem".to_owned(), seq, line: 0 };
        Report {
            generation,
            row: place.map(|place| ForwarderRow { place, ..ForwarderRow::default() }),
            letters: vec![DeadLetterChange::Drop(key)],
            ..Report::default()
        }
    }

    #[test]
    fn a_later_report_takes_the_place_of_an_earlier_one_and_keeps_its_letters() {
        let outbox = Outbox::default();
        assert!(outbox.put(report(1, Some(5), 1)));
        assert!(!outbox.put(report(1, None, 2)));
        let found = outbox.take().unwrap();
        assert_eq!((found.row.unwrap().place, found.letters.len()), (5, 2));
        assert!(outbox.take().is_none());
        // Set back behind record 3 meanwhile: of what was before only that of earlier letters counts.
        assert!(outbox.put(report(1, Some(9), 3)));
        assert!(!outbox.put(report(1, Some(9), 4)));
        let row = ForwarderRow { begin: 3, place: 3, ..ForwarderRow::default() };
        assert!(!outbox.put(Report { row: Some(row), ..report(2, None, 1) }));
        let found = outbox.take().unwrap();
        assert_eq!((found.row.unwrap().place, found.letters.len()), (3, 2));
    }

    #[test]
    fn a_time_is_counted_below_its_bound() {
        let mut times = SendTimes::default();
        for millis in [0, 1, 2, 60_000, 60_001] {
            times.add(Duration::from_millis(millis));
        }
        let counts: Vec<u64> = times.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    }
}
