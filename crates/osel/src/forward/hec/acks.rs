//! What collectors took and indexers have not said to have written.
//!
//! A collector names each request of a channel by a number that is its own: on another one, and after it was started again, the same
//! number names something else. So numbers are kept with the collector and the channel they came from, and one that comes a second time
//! says that the collector has forgotten all that was before. For that each number of a channel has to be heard: where an answer was lost,
//! its number may be one that is still awaited, and what is sent next is sent by another channel.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use osel_core::forward::BatchNumber;

/// Batches on their way.
#[derive(Debug, Default)]
pub(super) struct Acks {
    awaited: VecDeque<Awaited>,
    has_forgotten: bool,
}

/// Whom a number is from: the collector, and our channel to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The collector's URL.
    pub(super) collector: String,
    /// The channel.
    pub(super) channel: String,
}

#[derive(Debug)]
struct Awaited {
    number: BatchNumber,
    line: Line,
    ack: u64,
    since: Instant,
    has_arrived: bool,
}

impl Acks {
    /// A collector has taken a batch under a number of its own.
    pub(super) fn took(&mut self, number: BatchNumber, line: Line, ack: u64, now: Instant) {
        // Its numbers rise for as long as it remembers them.
        self.has_forgotten |= self.awaited.iter().any(|other| other.line == line && other.ack >= ack);
        self.awaited.push_back(Awaited { number, line, ack, since: now, has_arrived: false });
    }

    /// Whether a collector has given a number a second time: what it says of numbers cannot be told apart any more.
    pub(super) fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.awaited.is_empty()
    }

    /// The numbers to ask about, by each line.
    pub(super) fn questions(&self) -> Vec<(Line, Vec<u64>)> {
        let mut questions: Vec<(Line, Vec<u64>)> = Vec::new();
        for awaited in self.awaited.iter().filter(|awaited| !awaited.has_arrived) {
            match questions.iter_mut().find(|(line, _)| *line == awaited.line) {
                Some((_, acks)) => acks.push(awaited.ack),
                None => questions.push((awaited.line.clone(), vec![awaited.ack])),
            }
        }
        questions
    }

    /// A collector says that this was written. It says so once.
    pub(super) fn arrived(&mut self, line: &Line, ack: u64) {
        let mut awaited = self.awaited.iter_mut();
        if let Some(awaited) = awaited.find(|awaited| awaited.line == *line && awaited.ack == ack) {
            awaited.has_arrived = true;
        }
    }

    /// What has arrived together with all that was sent before it: behind one that has not, everything will be sent again.
    pub(super) fn taken(&mut self) -> Vec<BatchNumber> {
        let count = self.awaited.iter().take_while(|awaited| awaited.has_arrived).count();
        self.awaited.drain(..count).map(|awaited| awaited.number).collect()
    }

    /// Whether something has been awaited for too long.
    pub(super) fn is_late(&self, now: Instant, patience: Duration) -> bool {
        // The first is the oldest.
        self.awaited.front().is_some_and(|first| now.saturating_duration_since(first.since) >= patience)
    }

    /// Lets go of everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "https://a:8088";
    const B: &str = "https://b:8088";

    fn line(collector: &str, channel: &str) -> Line {
        Line { collector: collector.to_owned(), channel: channel.to_owned() }
    }

    fn acks(taken: &[(u64, &str, u64)]) -> Acks {
        let mut acks = Acks::default();
        let now = Instant::now();
        for &(number, collector, ack) in taken {
            acks.took(BatchNumber(number), line(collector, "c"), ack, now);
        }
        acks
    }

    #[test]
    fn what_arrives_counts_when_all_before_it_has_arrived() {
        let mut acks = acks(&[(1, A, 7), (2, B, 7), (3, A, 8)]);
        let (a, b) = (line(A, "c"), line(B, "c"));
        assert_eq!(acks.questions(), [(a.clone(), vec![7, 8]), (b.clone(), vec![7])]);
        acks.arrived(&a, 8);
        // Numbers of another collector, and of another channel.
        acks.arrived(&b, 8);
        acks.arrived(&line(A, "d"), 7);
        assert_eq!(acks.taken(), []);
        assert_eq!(acks.questions(), [(a.clone(), vec![7]), (b.clone(), vec![7])]);
        acks.arrived(&a, 7);
        assert_eq!(acks.taken(), [BatchNumber(1)]);
        acks.arrived(&b, 7);
        assert_eq!(acks.taken(), [BatchNumber(2), BatchNumber(3)]);
        assert!(acks.questions().is_empty() && !acks.has_forgotten());
    }

    #[test]
    fn a_number_that_comes_again_says_that_the_collector_began_anew() {
        assert!(!acks(&[(1, A, 0), (2, A, 1), (3, B, 0)]).has_forgotten());
        // The answer for the later one would be taken for the earlier.
        assert!(acks(&[(1, A, 5), (2, A, 0)]).has_forgotten());
        assert!(acks(&[(1, A, 0), (2, A, 0)]).has_forgotten());
        // Of what has arrived nobody asks any more.
        let mut done = acks(&[(1, A, 5)]);
        done.arrived(&line(A, "c"), 5);
        assert_eq!(done.taken(), [BatchNumber(1)]);
        done.took(BatchNumber(2), line(A, "c"), 0, Instant::now());
        assert!(!done.has_forgotten());
        // Another channel has numbers of its own.
        done.took(BatchNumber(3), line(A, "d"), 0, Instant::now());
        assert!(!done.has_forgotten());
    }

    #[test]
    fn the_oldest_is_late_first() {
        let acks = acks(&[(1, A, 0)]);
        let now = Instant::now();
        assert!(acks.is_late(now, Duration::ZERO));
        assert!(!acks.is_late(now, Duration::from_hours(1)));
        assert!(!Acks::default().is_late(now, Duration::ZERO));
    }
}
