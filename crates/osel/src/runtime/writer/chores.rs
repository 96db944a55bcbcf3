//! What is done to a store beside its batches: persons are erased, old content goes, and then keys that nothing needs any more.
//!
//! Each chore goes on a slice at a time until it is done. One that cannot be done is left until all are begun anew, and holds up none of the others: when that is, the loop
//! decides, so that nothing is rewritten while it looks at what may go. Here nothing is told and nothing is mended: that is for the writer, which has the store.

use std::time::Duration;

use crate::runtime::forgetting::Forgetting;
use crate::store::{Journal, JournalError};

/// For how long something is done at a time: what a batch may have to wait for it.
const SLICE: Duration = Duration::from_millis(4);

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
    /// It could not be done.
    Left,
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

impl Chores {
    /// Whether there is one to go on with.
    pub(super) fn is_due(&self) -> bool {
        self.0.iter().any(|(_, state)| *state == State::Due)
    }

    /// Goes on with the first that is due; says whether it has more to do.
    ///
    /// # Errors
    /// When it cannot be done: it is left then.
    pub(super) fn go_on(&mut self, journal: &mut dyn Journal) -> Result<bool, JournalError> {
        let Some((chore, state)) = self.0.iter_mut().find(|(_, state)| *state == State::Due) else {
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
            Err(_) => State::Left,
        };
        more
    }
}
