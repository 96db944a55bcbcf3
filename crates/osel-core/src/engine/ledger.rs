//! What became of every message of a source: the sums always balance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most event types that are counted one by one; the names come from the bus, and anybody may invent some.
pub const EVENT_TYPES_MAX: usize = 1000;

/// The account of one source: `received = recorded + duplicate + ignored + quarantined`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLedger {
    /// Messages that came.
    pub received: u64,
    /// Messages that have a record.
    pub recorded: u64,
    /// Repetitions.
    pub duplicate: u64,
    /// Ignored by a named policy; there is none yet, and by default there never is.
    pub ignored: u64,
    /// In quarantine now.
    pub quarantined: u64,
    /// Recorded messages without a modelled meaning, by event type.
    pub unmodelled: BTreeMap<Box<str>, u64>,
}

impl SourceLedger {
    /// Whether the account balances; more than can be counted does not.
    pub fn balances(&self) -> bool {
        let parts = [self.recorded, self.duplicate, self.ignored, self.quarantined];
        parts.into_iter().try_fold(0_u64, u64::checked_add) == Some(self.received)
    }

    pub(super) fn count_unmodelled(&mut self, event_type: &str) {
        if let Some(count) = self.unmodelled.get_mut(event_type) {
            *count += 1;
            return;
        }
        let name = if self.unmodelled.len() < EVENT_TYPES_MAX { event_type } else { "(others)" };
        *self.unmodelled.entry(name.into()).or_default() += 1;
    }
}
