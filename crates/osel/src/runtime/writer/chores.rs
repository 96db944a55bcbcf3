//! What is done to a store beside its batches: persons are erased, old content goes, and then keys that nothing needs any more.
//!
//! Each chore goes on a slice at a time until it is done. One that cannot be done is left alone for a while and holds up none of the others. Here nothing is told and
//! nothing is mended: that is for the writer, which has the store.

use std::time::{Duration, Instant};

use crate::runtime::forgetting::Forgetting;
use crate::store::{Journal, JournalError};

/// For how long something is done at a time: what a batch may have to wait for it.
const SLICE: Duration = Duration::from_millis(4);
/// How long a chore is left alone when it cannot be done: what stays longer harms nobody, and a damaged place is not mended sooner.
const BACK_OFF: Duration = Duration::from_secs(600);

/// One of them.
#[derive(Clone, Copy, Debug)]
enum Chore {
    ErasePersons,
    Expire,
    DropKeys,
}

/// How it stands with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Due,
    /// It could not be done, and is due again then.
    LeftUntil(Instant),
    Done,
}

/// All chores, as an order leaves them: the first comes first.
#[derive(Debug)]
pub(super) struct Chores([(Chore, State); 3]);

impl Default for Chores {
    /// Persons first: they have been promised it. Keys last: they go behind what they sealed.
    fn default() -> Self {
        Self([Chore::ErasePersons, Chore::Expire, Chore::DropKeys].map(|chore| (chore, State::Due)))
    }
}

impl State {
    fn is_due(self, now: Instant) -> bool {
        match self {
            Self::Due => true,
            Self::LeftUntil(until) => until <= now,
            Self::Done => false,
        }
    }
}

impl Chores {
    /// Whether all are done.
    pub(super) fn is_done(&self) -> bool {
        self.0.iter().all(|(_, state)| *state == State::Done)
    }

    /// Whether there is one to go on with now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.0.iter().any(|(_, state)| state.is_due(now))
    }

    /// When there is one that was left alone, unless there is one at once, or none at all.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let times = self.0.iter().filter_map(|(_, state)| match state {
            State::Due => Some(None),
            State::LeftUntil(until) => Some(Some(*until)),
            State::Done => None,
        });
        times.min().flatten()
    }

    /// Goes on with the first that is due; says whether it has more to do.
    ///
    /// # Errors
    /// When it cannot be done: it is left alone then.
    pub(super) fn go_on(&mut self, journal: &mut dyn Journal, now: Instant) -> Result<bool, JournalError> {
        let Some((chore, state)) = self.0.iter_mut().find(|(_, state)| state.is_due(now)) else {
            return Ok(false);
        };
        let more = match chore {
            Chore::ErasePersons => journal.erase_persons(SLICE, &Forgetting),
            Chore::Expire => journal.expire(SLICE),
            Chore::DropKeys => journal.drop_keys(&Forgetting),
        };
        *state = match more {
            Ok(true) => State::Due,
            Ok(false) => State::Done,
            Err(_) => State::LeftUntil(now + BACK_OFF),
        };
        more
    }
}
