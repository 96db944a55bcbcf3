//! Readings of the trail that were written down a short while ago: who asks the same again and again is told once.
//!
//! What is remembered goes with the process, which costs no more than a record too many.

use std::collections::BTreeMap;

use osel_core::engine::{OperatorOrder, Order};
use osel_core::time::Timestamp;

/// The same reading by the same person is one record within so many seconds: a script that shows one record after the other, or asks each
/// second, would fill the trail with itself.
const SAME_SECONDS: i64 = 60;
/// So many readings are remembered; with more in a minute some are told twice.
const REMEMBERED_MAX: usize = 1000;

/// Who read what, and when that was written down.
#[derive(Debug, Default)]
pub(super) struct RecentReads(BTreeMap<(String, String, String), Timestamp>);

impl RecentReads {
    /// Whether an order is a reading that was written down a short while ago; if not, and it is one, it is remembered.
    pub(super) fn has(&mut self, now: Timestamp, order: &Order) -> bool {
        let OperatorOrder::TrailRead { what, asked } = &order.what else { return false };
        let read = (order.actor.clone(), what.clone(), asked.clone());
        let is_recent = |at: Timestamp| now >= at && now < at.plus_seconds(SAME_SECONDS);
        if self.0.get(&read).is_some_and(|at| is_recent(*at)) {
            return true;
        }
        self.0.retain(|_, at| is_recent(*at));
        if self.0.len() < REMEMBERED_MAX {
            self.0.insert(read, now);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_reading_is_written_down_once_a_minute() {
        let mut reads = RecentReads::default();
        let mut has = |seconds, actor: &str, asked: &str| {
            let what = OperatorOrder::TrailRead { what: "search".to_owned(), asked: asked.to_owned() };
            reads.has(Timestamp::EPOCH.plus_seconds(seconds), &Order { actor: actor.to_owned(), what })
        };
        assert!(!has(100, "ada", "--kind gap"));
        assert!(has(159, "ada", "--kind gap"));
        assert!(!has(120, "ada", "--kind change"));
        assert!(!has(120, "zoe", "--kind gap"));
        assert!(!has(160, "ada", "--kind gap"), "a minute is over");
        assert!(!has(100, "ada", "--kind gap"), "a clock that was set back hides nothing");
    }
}
