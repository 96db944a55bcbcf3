//! How scanners do, for metrics and for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use osel_core::scan::ScanState;
use osel_core::time::Timestamp;

/// The bounds of the times that scans take, in seconds: from one address by the built-in scanner to a night of Qualys.
const BOUNDS_SECONDS: [f64; 10] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0];

/// How a scanner does.
#[derive(Clone, Debug)]
pub struct ScannerStatus {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub kind: Arc<str>,
    /// Whether the last call was answered; none before the first one's end.
    pub is_up: Option<bool>,
    /// What is wrong with it, and since when.
    pub trouble: Option<(Timestamp, String)>,
    /// Commands that wait for their turn.
    pub waiting: usize,
    /// Scans under way.
    pub running: usize,
    /// How many commands came so far since the start, by state.
    pub ended: BTreeMap<ScanState, u64>,
    /// How long commands took from being planned to their end.
    pub times: ScanTimes,
}

/// How often scans took how long.
#[derive(Clone, Debug, Default)]
pub struct ScanTimes {
    counts: [u64; BOUNDS_SECONDS.len() + 1],
    sum_seconds: f64,
}

impl ScanTimes {
    /// One took so many microseconds.
    pub(super) fn add(&mut self, micros: i64) {
        let seconds = micros.max(0) as f64 / 1e6;
        let place = BOUNDS_SECONDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum_seconds += seconds;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_below_its_bound() {
        let mut times = ScanTimes::default();
        for micros in [0, 1_000_000, 1_000_001, 100_000_000_000, -5] {
            times.add(micros);
        }
        let counts: Vec<u64> = times.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}
