//! How long to wait for an answer: the estimator of RFC 6298, one per address.

use std::time::Duration;

use super::plan::ScanPlan;

/// Doublings of the timeout that are worth counting: the longest timeout is reached long before.
const MAX_DOUBLINGS: u8 = 16;

/// Smoothed round trip and its variation, once something was measured.
#[derive(Debug)]
pub(super) struct RoundTrip {
    measured: Option<Measured>,
    initial: Duration,
    min: Duration,
    max: Duration,
}

#[derive(Debug)]
struct Measured {
    smoothed: Duration,
    variation: Duration,
}

impl RoundTrip {
    pub(super) fn new(plan: &ScanPlan) -> Self {
        let max = plan.max_timeout.min(ScanPlan::LONGEST_TIMEOUT);
        let min = plan.min_timeout.min(max);
        Self { measured: None, initial: plan.initial_timeout.clamp(min, max), min, max }
    }

    /// Learns from one answer. Every attempt has a socket of its own, so an answer belongs to exactly one of
    /// them.
    pub(super) fn measure(&mut self, sample: Duration) {
        self.measured = Some(match &self.measured {
            None => Measured { smoothed: sample, variation: sample / 2 },
            Some(Measured { smoothed, variation }) => Measured {
                variation: (*variation * 3 + smoothed.abs_diff(sample)) / 4,
                smoothed: (*smoothed * 7 + sample) / 8,
            },
        });
    }

    /// A time within which nearly all answers come; nothing before anything was measured.
    pub(super) fn usual(&self) -> Duration {
        let of = |measured: &Measured| (measured.smoothed + measured.variation * 2).min(self.max);
        self.measured.as_ref().map_or(Duration::ZERO, of)
    }

    /// The wait for an answer to an attempt, the first being 0: doubled each time, as the RFC has it, because
    /// the last one's silence may mean that it was too short. Not so before anything was measured: then it is
    /// no estimate that may be wrong but a guess on the safe side, and doubling it would only make every
    /// silent address slower.
    pub(super) fn timeout(&self, attempt: u8) -> Duration {
        let first = match &self.measured {
            None => return self.initial,
            Some(Measured { smoothed, variation }) => (*smoothed + *variation * 4).clamp(self.min, self.max),
        };
        first.saturating_mul(1 << attempt.min(MAX_DOUBLINGS)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn round_trip() -> RoundTrip {
        RoundTrip::new(&ScanPlan::new(Vec::new()))
    }

    #[test]
    fn follows_the_rfc() {
        let mut round_trip = round_trip();
        assert_eq!((round_trip.timeout(0), round_trip.timeout(1)), (MILLISECOND * 1000, MILLISECOND * 1000));
        round_trip.measure(MILLISECOND * 200);
        assert_eq!(round_trip.timeout(0), MILLISECOND * (200 + 4 * 100));
        assert_eq!(round_trip.usual(), MILLISECOND * (200 + 2 * 100));
        round_trip.measure(MILLISECOND * 280);
        // RTTVAR = 3/4 · 100 + 1/4 · 80 = 95, SRTT = 7/8 · 200 + 1/8 · 280 = 210.
        assert_eq!(round_trip.timeout(0), MILLISECOND * (210 + 4 * 95));
        assert_eq!(round_trip.timeout(1), MILLISECOND * 2 * (210 + 4 * 95));
    }

    #[test]
    fn stays_within_its_bounds() {
        let mut near = round_trip();
        near.measure(Duration::from_micros(30));
        assert_eq!(near.timeout(0), MILLISECOND * 100);
        let mut far = round_trip();
        far.measure(Duration::from_secs(50));
        assert_eq!(far.timeout(0), MILLISECOND * 10_000);
        assert_eq!(near.timeout(u8::MAX), MILLISECOND * 10_000);
    }

    #[test]
    fn bounds_that_contradict_each_other_are_no_panic() {
        let mut plan = ScanPlan::new(Vec::new());
        plan.max_timeout = MILLISECOND;
        let mut round_trip = RoundTrip::new(&plan);
        assert_eq!(round_trip.timeout(0), MILLISECOND);
        round_trip.measure(MILLISECOND * 5);
        assert_eq!(round_trip.timeout(3), MILLISECOND);
        plan.max_timeout = Duration::MAX;
        plan.initial_timeout = Duration::MAX;
        assert_eq!(RoundTrip::new(&plan).timeout(1), ScanPlan::LONGEST_TIMEOUT);
    }
}
