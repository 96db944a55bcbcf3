//! The life of one exchange of a service, as far as osel knows it: whether our queue is bound to it, when to ask for it again, and what
//! of that is told to people.
//!
//! It asks nobody itself and reads no clock: `topology` asks the broker and says here what it heard. All waits are measured by the
//! clock that only goes forward; the other one, which people set, is for reports only.

use std::time::Duration;

use osel_core::intake::CURSOR_AGE_MICROS;
use osel_core::time::Timestamp;
use tokio::time::Instant;

use crate::source::words::Change;

/// How long it is between two looks at the broker where nothing is awaited.
pub const CHECK_WAIT: Duration = Duration::from_micros(CURSOR_AGE_MICROS);
/// How long it is between two looks while an exchange is about to return.
pub const RETURNING_WAIT: Duration = Duration::from_secs(1);
/// How long an exchange that has just vanished is looked for every [`RETURNING_WAIT`]: after a restart of the broker its service makes it
/// again with the first message, and what is published until we are bound to it passes by.
const RETURNING_TIME: Duration = Duration::from_secs(60);
/// How long it is looked for at every check after that.
const EXPECTED_TIME: Duration = Duration::from_secs(600);
/// How often it is looked for then. The broker logs each time that it is not there.
const EXPECTED_WAIT: Duration = Duration::from_secs(60);
/// The longest wait for an exchange that was never there; the first one is as long as between two checks.
const UNKNOWN_WAIT_MAX: Duration = Duration::from_secs(300);
/// The longest wait until it is asked again whether we may read an exchange; the first one is as long as between two checks. Whoever gives
/// the permission wants to see that it helps, and the broker logs each refusal.
const DENIED_WAIT_MAX: Duration = Duration::from_secs(60);
/// How many lines are told about one exchange in [`TOLD_TIME`]: enough for three that vanish and return. One that goes back and forth must
/// not fill the log; how it is in the end is told when the time is over.
const TOLD_MAX: u32 = 6;
/// See [`TOLD_MAX`].
const TOLD_TIME: Duration = Duration::from_secs(600);

/// The present by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The system's clock: for what goes into reports.
    pub time: Timestamp,
    /// The clock that only goes forward: for all waits.
    pub moment: Instant,
}

/// What the broker is to be asked about an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Nothing for now.
    Nothing,
    /// Whether it is there.
    Presence,
    /// Whether we may bind to it.
    Permission,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is known yet.
    Unknown,
    /// There, and bound to our queue.
    Bound,
    /// There, and not bound; messages have passed by since then, where that is known.
    Unbound(Option<Timestamp>),
    /// Not there: when that was seen last and first, whether we were bound to it before, when to look again.
    Absent { seen: Timestamp, since: Instant, expected: bool, next: Instant },
    /// We may not bind to it: for want of what, since when, how long this wait is, when to ask again.
    Denied { refused: Refused, since: Timestamp, wait: Duration, next: Instant },
}

/// Which permission is missing for a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// To read the service's exchange.
    Exchange,
    /// To write what is ours.
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Bound,
    Gone,
    Denied(Refused),
}

/// What is known of an exchange, and what was told of it.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    state: State,
    /// It is bound as far as we know, and may not be bound again by us.
    is_stiff: bool,
    told: Option<Told>,
    told_from: Option<Instant>,
    told_count: u32,
}

impl Exchange {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self { state: State::Unknown, is_stiff: false, told: None, told_from: None, told_count: 0 }
    }

    /// A new connection: what was absent may be back, and what was denied may be allowed. Since when it is denied stays known.
    pub fn forget(&mut self, moment: Instant) {
        if let State::Absent { next, .. } | State::Denied { next, .. } = &mut self.state {
            *next = moment;
        }
    }

    /// What to ask now.
    pub fn question(&self, moment: Instant) -> Question {
        match self.state {
            State::Absent { next, .. } | State::Denied { next, .. } if next > moment => Question::Nothing,
            State::Denied { .. } => Question::Permission,
            State::Unknown | State::Bound | State::Unbound(_) | State::Absent { .. } => Question::Presence,
        }
    }

    /// Whether only the mark can tell if it is bound; `is_new` at the first look of a connection. Later ones need not ask for it:
    /// what takes a mark away ends the connection as well.
    pub fn needs_mark(&self, is_new: bool) -> bool {
        matches!(self.state, State::Unknown) || is_new && matches!(self.state, State::Bound)
    }

    /// It is there; `is_marked` unless the mark was asked for and is not there.
    pub fn there(&mut self, is_marked: bool) {
        match self.state {
            State::Absent { seen, .. } => self.state = State::Unbound(Some(seen)),
            State::Unknown | State::Bound if !is_marked => self.unbound(),
            State::Unknown => self.state = State::Bound,
            State::Bound | State::Unbound(_) | State::Denied { .. } => {}
        }
    }

    /// It is not there; `was_bound` where only the broker could tell whether it was bound before.
    pub fn absent(&mut self, was_bound: bool, now: Now) {
        let (since, expected) = match self.state {
            State::Absent { since, expected, .. } => (since, expected),
            State::Bound | State::Unbound(_) => (now.moment, true),
            State::Unknown | State::Denied { .. } => (now.moment, was_bound),
        };
        let waited = now.moment.saturating_duration_since(since);
        let wait = match expected {
            true if waited < RETURNING_TIME => RETURNING_WAIT,
            true if waited < EXPECTED_TIME => CHECK_WAIT,
            true => EXPECTED_WAIT,
            false => waited.clamp(CHECK_WAIT, UNKNOWN_WAIT_MAX),
        };
        self.state = State::Absent { seen: now.time, since, expected, next: now.moment + wait };
    }

    /// We may not bind to it, and so messages pass by from now on.
    pub fn denied(&mut self, refused: Refused, now: Now) {
        let (since, wait) = match self.state {
            State::Denied { since, wait, .. } => (since, (wait * 2).min(DENIED_WAIT_MAX)),
            _ => (now.time, CHECK_WAIT),
        };
        self.state = State::Denied { refused, since, wait, next: now.moment + wait };
    }

    /// We may read it again; what passed by meanwhile is missing.
    pub fn allowed(&mut self) {
        if let State::Denied { since, .. } = self.state {
            self.state = State::Unbound(Some(since));
        }
    }

    /// It was bound.
    pub fn bound(&mut self) {
        (self.state, self.is_stiff) = (State::Bound, false);
    }

    /// It is bound as before, and we may not bind it again: that needs a permission for what is ours, which its messages do not.
    pub fn forbidden(&mut self) {
        self.is_stiff = true;
    }

    /// Its binding is gone, or was never made.
    pub fn unbound(&mut self) {
        if let State::Unknown | State::Bound = self.state {
            self.state = State::Unbound(None);
            // That it is bound again is worth a line.
            self.told = None;
        }
    }

    /// Whether it is there and bound.
    pub fn is_bound(&self) -> bool {
        self.state == State::Bound
    }

    /// Whether it is there and not bound although we may.
    pub fn is_unbound(&self) -> bool {
        matches!(self.state, State::Unbound(_))
    }

    /// Since when messages have passed by, where that is longer ago than the last look.
    pub fn unbound_since(&self) -> Option<Timestamp> {
        match self.state {
            State::Unbound(since) => since,
            _ => None,
        }
    }

    /// Whether nothing is known of it.
    pub fn is_unknown(&self) -> bool {
        self.state == State::Unknown
    }

    /// Whether it is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent { .. })
    }

    /// Whether we may not bind to it.
    pub fn is_denied(&self) -> bool {
        matches!(self.state, State::Denied { .. })
    }

    /// Whether we were bound to it and it is not there.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Absent { expected: true, .. })
    }

    /// Whether it vanished so recently that it is looked for more often than others.
    pub fn is_returning(&self, moment: Instant) -> bool {
        match self.state {
            State::Absent { since, expected: true, .. } => moment < since + RETURNING_TIME,
            _ => false,
        }
    }

    /// What is to be told about it by now, if that is not what was told last, and not too much was told lately.
    pub fn take_change(&mut self, name: &str, moment: Instant) -> Option<Change> {
        let tell = match self.state {
            State::Bound if self.is_stiff => Told::Denied(Refused::Own),
            State::Bound => Told::Bound,
            State::Absent { expected: true, .. } => Told::Gone,
            State::Denied { refused, .. } => Told::Denied(refused),
            State::Unknown | State::Unbound(_) | State::Absent { .. } => return None,
        };
        if self.told == Some(tell) {
            return None;
        }
        if self.told_from.is_none_or(|from| moment.saturating_duration_since(from) >= TOLD_TIME) {
            (self.told_from, self.told_count) = (Some(moment), 0);
        }
        if self.told_count == TOLD_MAX {
            return None;
        }
        self.told_count += 1;
        self.told = Some(tell);
        let name = name.to_owned();
        Some(match tell {
            Told::Bound => Change::Bound(name),
            Told::Gone => Change::Gone(name),
            Told::Denied(Refused::Exchange) => Change::Denied(name),
            Told::Denied(Refused::Own) => Change::Forbidden(name),
        })
    }
}

#[cfg(test)]
mod tests;
