//! Time that never goes back, made of the times that come with the inputs.
//!
//! Deadlines stand in [`Moment`]s, which count only forward steps of the caller's clock: a clock that is set
//! back delays no reconnection by hours. A clock that is set forward lets some deadlines pass early, which
//! harms nothing.

use crate::time::Timestamp;

/// Microseconds that have passed since the first input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// This moment and so much more.
    pub(crate) fn plus(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// How much later this is than `earlier`; nothing when it is not.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The caller's clock, watched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    now: Option<Timestamp>,
    elapsed: u64,
}

impl Clock {
    /// Takes the time of an input.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        let before = self.now.replace(now).unwrap_or(now);
        let step = now.micros().saturating_sub(before.micros());
        self.elapsed = self.elapsed.saturating_add(u64::try_from(step).unwrap_or(0));
    }

    /// The time of the last input.
    pub(crate) fn now(&self) -> Timestamp {
        self.now.unwrap_or(Timestamp::EPOCH)
    }

    /// The moment of the last input.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.elapsed)
    }

    /// When a moment comes, as the caller's clock goes now.
    pub(crate) fn time(&self, moment: Moment) -> Timestamp {
        let wait = i64::try_from(moment.since(self.moment())).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.now().micros().saturating_add(wait))
    }
}
