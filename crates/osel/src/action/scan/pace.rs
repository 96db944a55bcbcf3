//! So many probes per second: the generic cell rate algorithm, a token bucket kept as one point in time.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How far a burst may run ahead of the rate. Timers fire to the millisecond; without a burst longer than
/// that the rate asked for would never be reached, and with a much longer one a small middlebox sees a flood
/// that nobody asked for.
const BURST: Duration = Duration::from_millis(10);

/// The limit of one rate, and how much of it is used.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    /// When everything sent so far would have been sent at an even pace.
    even: Option<Instant>,
}

impl Pace {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.get(), even: None }
    }

    /// When the next probe may go; not later than `now` if it may go at once.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.even.map_or(now, |even| even.checked_sub(BURST).unwrap_or(even))
    }

    /// Counts a probe that goes now.
    pub(super) fn sent(&mut self, now: Instant) {
        self.even = Some(self.even.map_or(now, |even| even.max(now)) + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as the pace allows for `seconds`, looking every millisecond, and returns how many went.
    fn sent_in(per_second: u32, seconds: u64) -> u64 {
        let start = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(per_second).unwrap());
        let mut sent = 0;
        for millisecond in 0..seconds * 1000 {
            let now = start + Duration::from_millis(millisecond);
            while pace.next(now) <= now {
                pace.sent(now);
                sent += 1;
            }
        }
        sent
    }

    #[test]
    fn the_rate_is_reached_and_kept() {
        for rate in [1, 7, 100, 5_000, 100_000] {
            let burst = u64::from(rate) / 100 + 1;
            let sent = sent_in(rate, 10);
            assert!(
                (u64::from(rate) * 10..=u64::from(rate) * 10 + burst).contains(&sent),
                "{rate}/s: {sent}"
            );
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let start = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(100).unwrap());
        pace.sent(start);
        let later = start + Duration::from_secs(60);
        let mut burst = 0;
        while pace.next(later) <= later {
            pace.sent(later);
            burst += 1;
        }
        assert_eq!(burst, 2);
    }
}
