//! What happens again and again and is no trouble, told in few lines.

use super::REMINDER_MICROS;
use super::clock::{Clock, Moment};
use crate::time::Timestamp;

/// Something of which each would be one line: the first is told, and from then on how many there were, at most once in
/// [`REMINDER_MICROS`].
#[derive(Clone, Debug, Default)]
pub struct Spaced {
    clock: Clock,
    told: Option<Moment>,
    count: u64,
}

impl Spaced {
    /// It happened once more: how often since it was told last, when it is to be told now.
    pub fn happened(&mut self, now: Timestamp) -> Option<u64> {
        self.clock.advance(now);
        self.count = self.count.saturating_add(1);
        let moment = self.clock.moment();
        if self.told.is_some_and(|told| moment.since(told) < REMINDER_MICROS) {
            return None;
        }
        self.told = Some(moment);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_then_how_many_there_were_now_and_then() {
        let mut spaced = Spaced::default();
        let told: Vec<(i64, u64)> = (0..3600)
            .step_by(50)
            .filter_map(|second| Some((second, spaced.happened(Timestamp::EPOCH.plus_seconds(second))?)))
            .collect();
        assert_eq!(told, [(0, 1), (600, 12), (1200, 12), (1800, 12), (2400, 12), (3000, 12)]);
        // A clock that is set back delays nothing for longer.
        assert_eq!(spaced.happened(Timestamp::EPOCH), None);
        assert!(spaced.happened(Timestamp::EPOCH.plus_seconds(600)).is_some());
    }
}
