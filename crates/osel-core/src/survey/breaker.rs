//! Whether the API may be asked: not while it is known to fail, and then by one order alone until that is answered.

use super::limits::{MENDING_WAIT_MICROS, RETRY_BASE_MICROS, RETRY_CAP_MICROS, RETRY_FLOOR_MICROS};
use super::words::{ApiTrouble, Ticket, Why};
use crate::pace::{Moment, doubled, drawn};

/// How long to wait after a failure; `failures` counts those in a row before it.
pub(super) fn wait(why: Why, failures: usize, chance: u64) -> u64 {
    match why {
        Why::Api(ApiTrouble::Untrusted | ApiTrouble::Denied | ApiTrouble::Refused) => {
            MENDING_WAIT_MICROS + drawn(MENDING_WAIT_MICROS, chance)
        }
        Why::Api(ApiTrouble::Throttled { retry_after: Some(after) }) => {
            let after = u64::try_from(after.as_micros()).unwrap_or(RETRY_CAP_MICROS).min(RETRY_CAP_MICROS);
            (after + drawn(after / 10, chance)).clamp(RETRY_FLOOR_MICROS, RETRY_CAP_MICROS)
        }
        Why::Api(ApiTrouble::Unreachable | ApiTrouble::Broken | ApiTrouble::Throttled { .. })
        | Why::Silent => {
            drawn(doubled(RETRY_BASE_MICROS, failures, RETRY_CAP_MICROS), chance).max(RETRY_FLOOR_MICROS)
        }
    }
}

/// The breaker of one API.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    state: State,
    failures: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It answers.
    Closed,
    /// It is left alone until then.
    Open(Moment),
    /// This order alone finds out whether it answers.
    Probing(Ticket),
}

impl Breaker {
    /// One of an API that nothing bad is known of.
    pub(super) fn new() -> Self {
        Self { state: State::Closed, failures: 0 }
    }

    /// From when on an order may be given; none while one finds out.
    pub(super) fn opens_at(&self, moment: Moment) -> Option<Moment> {
        match self.state {
            State::Closed => Some(moment),
            State::Open(until) => Some(until.max(moment)),
            State::Probing(_) => None,
        }
    }

    /// An order is given, which [`Self::opens_at`] permits.
    pub(super) fn ordered(&mut self, ticket: Ticket) {
        if matches!(self.state, State::Open(_)) {
            self.state = State::Probing(ticket);
        }
    }

    /// It has answered.
    pub(super) fn answered(&mut self) {
        *self = Self::new();
    }

    /// An order failed. Orders that were under way together and fail together are one failure.
    pub(super) fn failed(&mut self, moment: Moment, ticket: Ticket, why: Why, chance: u64) {
        let until = moment.plus(wait(why, self.failures, chance));
        match self.state {
            State::Open(before) => self.state = State::Open(before.max(until)),
            // What was ordered before the failure says nothing new.
            State::Probing(probe) if probe != ticket => {}
            State::Closed | State::Probing(_) => {
                self.state = State::Open(until);
                self.failures = self.failures.saturating_add(1);
            }
        }
    }

    /// Whatever was wrong may be mended: it may be asked at once.
    pub(super) fn renewed(&mut self, moment: Moment) {
        self.failures = 0;
        if let State::Open(until) = &mut self.state {
            *until = moment;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNREACHABLE: Why = Why::Api(ApiTrouble::Unreachable);

    #[test]
    fn waits_double_up_to_ten_minutes() {
        let ceilings: Vec<u64> = (0..10).map(|failures| wait(UNREACHABLE, failures, u64::MAX)).collect();
        let seconds: Vec<u64> = ceilings.iter().map(|micros| (micros + 500_000) / 1_000_000).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(wait(UNREACHABLE, usize::MAX, 0), RETRY_FLOOR_MICROS);
    }

    #[test]
    fn what_a_person_has_to_mend_waits_longer_than_anything_else_at_first() {
        for trouble in [ApiTrouble::Denied, ApiTrouble::Untrusted, ApiTrouble::Refused] {
            assert_eq!(wait(Why::Api(trouble), 0, 0), 300_000_000);
            assert!(wait(Why::Api(trouble), usize::MAX, u64::MAX) < 600_000_000);
        }
    }

    #[test]
    fn a_service_that_wants_to_be_left_alone_is_within_bounds() {
        let check = |seconds: Option<u64>, wanted: u64| {
            let retry_after = seconds.map(std::time::Duration::from_secs);
            assert_eq!(wait(Why::Api(ApiTrouble::Throttled { retry_after }), 0, 0), wanted, "{seconds:?}");
        };
        check(Some(0), RETRY_FLOOR_MICROS);
        check(Some(30), 30_000_000);
        check(Some(u64::MAX), RETRY_CAP_MICROS);
        check(None, RETRY_FLOOR_MICROS);
    }
}
