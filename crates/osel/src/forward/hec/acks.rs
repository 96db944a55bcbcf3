//! What collectors took and indexers have not said to have written.
//!
//! A collector names each request of a channel by a number that is its own: on another one, and after it was started again, the same
//! number names something else. So numbers are kept with the collector they came from, and one that comes a second time says that the
//! collector has forgotten all that was before. A request whose answer was lost may have had any number, also one that is awaited: then
//! nothing can be told by numbers any more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use osel_core::forward::BatchNumber;

/// Why numbers that came again are no use.
const FORGOTTEN: &str = "the collector has forgotten what it had not acknowledged: it was started again, or a balancer leads to several in turn";
/// Why numbers that nobody heard are in the way.
const UNHEARD: &str = "an answer was lost, and with it which acknowledgement is for what";

/// Batches on their way.
#[derive(Debug, Default)]
pub(super) struct Acks {
    awaited: VecDeque<Awaited>,
    doubt: Option<&'static str>,
}

#[derive(Debug)]
struct Awaited {
    number: BatchNumber,
    collector: String,
    ack: u64,
    since: Instant,
    has_arrived: bool,
}

impl Acks {
    /// A collector has taken a batch under a number of its own.
    pub(super) fn took(&mut self, number: BatchNumber, collector: &str, ack: u64, now: Instant) {
        // Its numbers rise for as long as it remembers them.
        if self.awaited.iter().any(|other| other.collector == collector && other.ack >= ack) {
            self.doubt = Some(FORGOTTEN);
        }
        let collector = collector.to_owned();
        self.awaited.push_back(Awaited { number, collector, ack, since: now, has_arrived: false });
    }

    /// A collector may have taken something under a number that nobody heard: should it have been started again before, that number is
    /// one of those that are awaited.
    pub(super) fn unheard(&mut self, collector: &str) {
        if self.awaited.iter().any(|other| other.collector == collector) {
            self.doubt = Some(UNHEARD);
        }
    }

    /// Why what is said of numbers cannot be told apart any more, if so.
    pub(super) fn doubt(&self) -> Option<&'static str> {
        self.doubt
    }

    /// The numbers to ask each collector about.
    pub(super) fn questions(&self) -> Vec<(String, Vec<u64>)> {
        let mut questions: Vec<(String, Vec<u64>)> = Vec::new();
        for awaited in self.awaited.iter().filter(|awaited| !awaited.has_arrived) {
            match questions.iter_mut().find(|(collector, _)| *collector == awaited.collector) {
                Some((_, acks)) => acks.push(awaited.ack),
                None => questions.push((awaited.collector.clone(), vec![awaited.ack])),
            }
        }
        questions
    }

    /// A collector says that this was written. It says so once.
    pub(super) fn arrived(&mut self, collector: &str, ack: u64) {
        let mut awaited = self.awaited.iter_mut();
        if let Some(awaited) = awaited.find(|awaited| awaited.collector == collector && awaited.ack == ack) {
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

    fn acks(taken: &[(u64, &str, u64)]) -> Acks {
        let mut acks = Acks::default();
        let now = Instant::now();
        for &(number, collector, ack) in taken {
            acks.took(BatchNumber(number), collector, ack, now);
        }
        acks
    }

    #[test]
    fn what_arrives_counts_when_all_before_it_has_arrived() {
        let mut acks = acks(&[(1, A, 7), (2, B, 7), (3, A, 8)]);
        assert_eq!(acks.questions(), [(A.to_owned(), vec![7, 8]), (B.to_owned(), vec![7])]);
        acks.arrived(A, 8);
        // The number of another collector.
        acks.arrived(B, 8);
        assert_eq!(acks.taken(), []);
        assert_eq!(acks.questions(), [(A.to_owned(), vec![7]), (B.to_owned(), vec![7])]);
        acks.arrived(A, 7);
        assert_eq!(acks.taken(), [BatchNumber(1)]);
        acks.arrived(B, 7);
        assert_eq!(acks.taken(), [BatchNumber(2), BatchNumber(3)]);
        assert!(acks.questions().is_empty() && acks.doubt().is_none());
    }

    #[test]
    fn a_number_that_comes_again_says_that_the_collector_began_anew() {
        assert_eq!(acks(&[(1, A, 0), (2, A, 1), (3, B, 0)]).doubt(), None);
        // The answer for the later one would be taken for the earlier.
        assert_eq!(acks(&[(1, A, 5), (2, A, 0)]).doubt(), Some(FORGOTTEN));
        assert_eq!(acks(&[(1, A, 0), (2, A, 0)]).doubt(), Some(FORGOTTEN));
        // Of what has arrived nobody asks any more.
        let mut done = acks(&[(1, A, 5)]);
        done.arrived(A, 5);
        assert_eq!(done.taken(), [BatchNumber(1)]);
        done.took(BatchNumber(2), A, 0, Instant::now());
        assert_eq!(done.doubt(), None);
    }

    #[test]
    fn a_number_that_nobody_heard_may_be_one_that_is_awaited() {
        let mut awaited = acks(&[(1, A, 0)]);
        awaited.unheard(B);
        assert_eq!(awaited.doubt(), None);
        awaited.unheard(A);
        assert_eq!(awaited.doubt(), Some(UNHEARD));
        awaited.clear();
        assert_eq!(awaited.doubt(), None);
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
