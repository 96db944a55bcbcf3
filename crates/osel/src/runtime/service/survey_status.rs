//! What the loop tells of an API: for metrics and the service manager. Nothing is decided by it, and readiness does not depend on it.

use std::sync::Arc;
use std::time::Duration;

use osel_core::time::Timestamp;

/// How an API does.
#[derive(Clone, Debug)]
pub struct ApiStatus {
    /// The region that it tells of.
    pub region: Option<Arc<str>>,
    /// Whether the last order was answered; none before the first one's end.
    pub is_up: Option<bool>,
    /// Since when that is so.
    pub since: Timestamp,
    /// Since when something is wrong, and what, while it lasts or comes and goes.
    pub trouble: Option<(Timestamp, &'static str)>,
    /// The last read of everything that came to its end since the start.
    pub last_read: Option<LastRead>,
    /// Whether one is under way.
    pub is_reading: bool,
    /// Reads of everything that came to their end, since the start.
    pub reads: u64,
    /// Single objects that were looked at, since the start.
    pub looks: u64,
    /// How many wait for that.
    pub looks_waiting: usize,
    /// Orders that failed, since the start.
    pub failures: u64,
}

/// A read of everything that came to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastRead {
    /// When that was.
    pub at: Timestamp,
    /// How long it took.
    pub time: Duration,
    /// How many objects and names it showed.
    pub objects: usize,
    /// How many collections were refused.
    pub refused: usize,
}

/// What is counted of an API.
#[derive(Debug, Default)]
pub(super) struct ApiWatched {
    up: Option<(bool, Timestamp)>,
    last_read: Option<LastRead>,
    reads: u64,
    looks: u64,
    failures: u64,
}

impl ApiWatched {
    pub(super) fn is_up(&mut self, is_up: Option<bool>, now: Timestamp) {
        if self.up.map(|(before, _)| before) != is_up {
            self.up = is_up.map(|is_up| (is_up, now));
        }
    }

    pub(super) fn read(&mut self, at: Timestamp, time: Duration, objects: usize, refused: usize) {
        self.reads += 1;
        self.last_read = Some(LastRead { at, time, objects, refused });
    }

    pub(super) fn looked(&mut self) {
        self.looks += 1;
    }

    pub(super) fn failed(&mut self) {
        self.failures += 1;
    }

    /// As it is told.
    pub(super) fn status(
        &self,
        region: Option<Arc<str>>,
        is_reading: bool,
        looks_waiting: usize,
        trouble: Option<(Timestamp, &'static str)>,
    ) -> ApiStatus {
        ApiStatus {
            region,
            is_up: self.up.map(|(is_up, _)| is_up),
            since: self.up.map_or(Timestamp::EPOCH, |(_, since)| since),
            trouble,
            last_read: self.last_read,
            is_reading,
            reads: self.reads,
            looks: self.looks,
            looks_waiting,
            failures: self.failures,
        }
    }
}
