//! Whether somebody may be asked: not while they are known to fail, and then by one order alone until that is answered.

use super::clock::Moment;

/// The breaker of one service; `T` names orders.
#[derive(Clone, Debug)]
pub(crate) struct Breaker<T> {
    state: State<T>,
    failures: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State<T> {
    /// It answers.
    Closed,
    /// It is left alone until then.
    Open(Moment),
    /// This order alone finds out whether it answers.
    Probing(T),
}

impl<T: Copy + Eq> Breaker<T> {
    /// One of a service that nothing bad is known of.
    pub(crate) fn new() -> Self {
        Self { state: State::Closed, failures: 0 }
    }

    /// From when on an order may be given; none while one finds out.
    pub(crate) fn opens_at(&self, moment: Moment) -> Option<Moment> {
        match self.state {
            State::Closed => Some(moment),
            State::Open(until) => Some(until.max(moment)),
            State::Probing(_) => None,
        }
    }

    /// Failures in a row, those that failed together counted once.
    pub(crate) fn failures(&self) -> usize {
        self.failures
    }

    /// An order is given, which [`Self::opens_at`] permits.
    pub(crate) fn ordered(&mut self, order: T) {
        if matches!(self.state, State::Open(_)) {
            self.state = State::Probing(order);
        }
    }

    /// It has answered.
    pub(crate) fn answered(&mut self) {
        *self = Self::new();
    }

    /// An order failed, so that it is left alone until then. Orders that were under way together and fail together are one failure.
    pub(crate) fn failed(&mut self, order: T, until: Moment) {
        match self.state {
            State::Open(before) => self.state = State::Open(before.max(until)),
            // What was ordered before the failure says nothing new.
            State::Probing(probe) if probe != order => {}
            State::Closed | State::Probing(_) => {
                self.state = State::Open(until);
                self.failures = self.failures.saturating_add(1);
            }
        }
    }

    /// The order that was to find out was given up without an answer: another may find out.
    pub(crate) fn dropped(&mut self, order: T, moment: Moment) {
        if self.state == State::Probing(order) {
            self.state = State::Open(moment);
        }
    }

    /// Whatever was wrong may be mended: it may be asked at once.
    pub(crate) fn renewed(&mut self, moment: Moment) {
        self.failures = 0;
        if let State::Open(until) = &mut self.state {
            *until = moment;
        }
    }
}
