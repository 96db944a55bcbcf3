//! Looks at single objects: which wait, which one is under way, and when the next one's turn is.

use std::collections::VecDeque;

use super::limits::{LOOK_EVERY_MICROS, LOOK_TRIES, LOOKS_AT_ONCE, LOOKS_WAITING_MAX};
use super::words::{Look, Ticket};
use crate::pace::Moment;

/// A look that waits or is under way.
#[derive(Clone, Debug)]
struct Wish {
    look: Look,
    since: Moment,
    tries: u32,
}

/// A look that is under way.
#[derive(Clone, Debug)]
struct UnderWay {
    ticket: Ticket,
    ordered: Moment,
    /// Its end has come and was not handled.
    is_told: bool,
    wish: Wish,
}

/// The looks of one API.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    waiting: VecDeque<Wish>,
    under_way: Option<UnderWay>,
    /// When all looks so far would have been made, had they come no faster than [`LOOK_EVERY_MICROS`] apart.
    paced_until: Option<Moment>,
}

impl Looks {
    /// Has an object looked at, unless that waits already; false when there is no room.
    pub(super) fn wish(&mut self, moment: Moment, look: Look) -> bool {
        if self.waiting.iter().any(|wish| (wish.look.kind, &wish.look.id) == (look.kind, &look.id)) {
            return true;
        }
        let has_room = self.waiting.len() < LOOKS_WAITING_MAX;
        if has_room {
            self.waiting.push_back(Wish { look, since: moment, tries: 0 });
        }
        has_room
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// From when on the next one may be ordered; none while one is under way or none waits.
    pub(super) fn next_at(&self, moment: Moment) -> Option<Moment> {
        if self.waiting.is_empty() || self.under_way.is_some() {
            return None;
        }
        // All but the last of those that may follow one another at once may be owed.
        let owed = self.paced_until.map_or(0, |until| until.since(moment));
        Some(moment.plus(owed.saturating_sub((LOOKS_AT_ONCE - 1) * LOOK_EVERY_MICROS)))
    }

    /// The next one, ordered by this ticket.
    pub(super) fn order(&mut self, moment: Moment, ticket: Ticket) -> Option<Look> {
        let wish = self.waiting.pop_front()?;
        let from = self.paced_until.unwrap_or(moment).max(moment);
        self.paced_until = Some(from.plus(LOOK_EVERY_MICROS));
        let look = wish.look.clone();
        self.under_way = Some(UnderWay { ticket, ordered: moment, is_told: false, wish });
        Some(look)
    }

    /// The one that is under way.
    pub(super) fn under_way(&self) -> Option<Ticket> {
        self.under_way.as_ref().map(|under_way| under_way.ticket)
    }

    /// Since when the driver owes an answer, if it does.
    pub(super) fn silent_since(&self) -> Option<Moment> {
        self.under_way.as_ref().filter(|under_way| !under_way.is_told).map(|under_way| under_way.ordered)
    }

    /// The answer has come and waits to be handled.
    pub(super) fn told(&mut self, ticket: Ticket) {
        if let Some(under_way) = self.under_way.as_mut().filter(|under_way| under_way.ticket == ticket) {
            under_way.is_told = true;
        }
    }

    /// The one under way has come to its end.
    pub(super) fn done(&mut self) {
        self.under_way = None;
    }

    /// The one under way failed: it goes on waiting, unless it was tried often enough.
    pub(super) fn failed(&mut self) {
        let Some(UnderWay { mut wish, .. }) = self.under_way.take() else { return };
        wish.tries += 1;
        let is_wished = |other: &Wish| (other.look.kind, &other.look.id) == (wish.look.kind, &wish.look.id);
        if wish.tries < LOOK_TRIES && !self.waiting.iter().any(is_wished) {
            // Its place was free when it was ordered; a single one beyond the bound harms nothing.
            self.waiting.push_front(wish);
        }
    }

    /// All was read since `began`: what waited then was shown.
    pub(super) fn all_read(&mut self, began: Moment) {
        self.waiting.retain(|wish| wish.since > began);
    }
}
