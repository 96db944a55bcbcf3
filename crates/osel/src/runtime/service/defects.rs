//! How a forwarder does that broke down, which is a defect of osel: it is begun anew, ever more rarely, and never given up. A stop for good
//! would need somebody who remembers to begin it, and what broke it down may be one record, one answer, or a memory that was short.

use std::time::Duration;

use osel_core::time::Timestamp;

/// How long it rests first.
const REST_FIRST: Duration = Duration::from_secs(10);
/// How long it rests at most: an hour, so that one that breaks down each time is no load, and goes on by itself once it can.
const REST_MAX: Duration = Duration::from_hours(1);

/// How often one forwarder broke down.
#[derive(Clone, Debug, Default)]
pub(super) struct Defects {
    /// Since the start.
    total: u64,
    /// At the same place, one after the other.
    in_a_row: u32,
    place: u64,
    /// When it first did at that place.
    since: Option<Timestamp>,
}

impl Defects {
    /// It did once more, at that place. Gives back for how long it rests.
    pub(super) fn add(&mut self, place: u64, now: Timestamp) -> Duration {
        if self.in_a_row > 0 && self.place != place {
            (self.in_a_row, self.since) = (0, None);
        }
        self.place = place;
        self.total = self.total.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.since.get_or_insert(now);
        REST_FIRST.saturating_mul(1_u32.checked_shl(self.in_a_row - 1).unwrap_or(u32::MAX)).min(REST_MAX)
    }

    /// Since the start.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What people are told: since when, and what.
    pub(super) fn trouble(&self, why: &str, rest: Duration, now: Timestamp) -> (Timestamp, String) {
        let begins = now.plus_seconds(i64::try_from(rest.as_secs()).unwrap_or(i64::MAX));
        let times =
            if self.in_a_row > 1 { format!(", {} times in a row", self.in_a_row) } else { String::new() };
        (self.since.unwrap_or(now), format!("down: {why}{times}; it begins anew at {begins}, or by SIGHUP"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_breaks_down_at_the_same_place_rests_ever_longer() {
        let at = |seconds| Timestamp::EPOCH.plus_seconds(seconds);
        let mut defects = Defects::default();
        let rests: Vec<u64> = (0..12).map(|turn| defects.add(7, at(turn)).as_secs()).collect();
        assert_eq!(rests, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]);
        let (since, words) = defects.trouble("it broke", REST_MAX, at(100));
        assert_eq!(since, at(0));
        assert_eq!(
            words,
            "down: it broke, 12 times in a row; it begins anew at 1970-01-01T01:01:40.000000Z, or by SIGHUP"
        );
        (0..40).for_each(|_| _ = defects.add(7, at(0)));
        assert_eq!(defects.add(7, at(0)), REST_MAX);
        // It came further: that is another defect.
        assert_eq!(defects.add(8, at(200)), REST_FIRST);
        let (since, words) = defects.trouble("it broke", REST_FIRST, at(200));
        assert_eq!((since, words.contains("in a row"), defects.total()), (at(200), false, 54));
    }
}
