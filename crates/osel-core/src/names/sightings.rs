//! When one id was heard under which names, in little space and the same for any order of hearing.
//!
//! Sightings of a name in one stretch of time are one: when the first was and when the last. Stretches are
//! aligned and begin as single microseconds; whenever more than [`SIGHTINGS_MAX`] are held, all become twice
//! as long. Minimum, maximum and aligned stretches do not care for order, so neither does what is held. What
//! it costs: of a name that was left and taken up again, the exact moment of the return may be forgotten
//! within one stretch. Names that do not come back stay exact.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How many sightings of one id are held: a few renamings exactly, in a third of a kilobyte.
pub const SIGHTINGS_MAX: usize = 8;

/// Stretches of 2^59 microseconds hold all of [`Timestamp`]'s range.
const LEVEL_MAX: u8 = 59;

/// Where a name was heard; later ones know better where two are heard at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The context of a service's notification: the name in a token.
    Context,
    /// A CADF initiator.
    Cadf,
    /// The body of an event about the thing itself.
    Body,
    /// An imported inventory or file.
    Inventory,
    /// An answer of the API.
    Api,
}

/// A name and when it was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The name.
    pub name: Arc<str>,
    /// When it was heard first, in this stretch of time.
    pub first: Timestamp,
    /// When it was heard last, in this stretch of time.
    pub last: Timestamp,
    /// The best source it was heard from.
    pub origin: Origin,
}

/// All sightings of one id.
#[derive(Clone, Debug, Default)]
pub(super) struct Sightings {
    /// In no order that matters, the stretch in use last.
    cells: Vec<Sighting>,
    /// The length of a stretch: 2^level microseconds.
    level: u8,
}

/// The answer: which sighting, since when, and whether it is a later one for want of an earlier.
pub(super) struct Found<'a> {
    pub(super) sighting: &'a Sighting,
    pub(super) from: Timestamp,
    pub(super) later: bool,
}

impl Sightings {
    /// Takes a sighting. Of a known name in a known stretch it allocates nothing.
    pub(super) fn add(&mut self, name: &str, at: Timestamp, origin: Origin) {
        if let Some(cell) = self.cell(name, at) {
            cell.first = cell.first.min(at);
            cell.last = cell.last.max(at);
            cell.origin = cell.origin.max(origin);
            return;
        }
        let known = self.cells.iter().find(|cell| &*cell.name == name);
        let name = known.map_or_else(|| Arc::from(name), |cell| Arc::clone(&cell.name));
        self.cells.reserve_exact(1);
        self.cells.push(Sighting { name, first: at, last: at, origin });
        self.shrink();
    }

    /// Takes what another one held whose stretches had the length `level`.
    pub(super) fn merge(&mut self, level: u8, sightings: &[Sighting]) {
        self.coarsen(level.min(LEVEL_MAX));
        for sighting in sightings {
            self.add(&sighting.name, sighting.first, sighting.origin);
            self.add(&sighting.name, sighting.last, sighting.origin);
        }
    }

    /// The length of the stretches, for a snapshot.
    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// The names that are held, in no order; some more than once.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().map(|cell| &*cell.name)
    }

    /// What is held, sorted.
    pub(super) fn sorted(&self) -> Vec<Sighting> {
        let mut sorted = self.cells.clone();
        sorted.sort_unstable_by(|a, b| (a.first, a.last, &a.name).cmp(&(b.first, b.last, &b.name)));
        sorted
    }

    /// When anything was heard last.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.cells.iter().map(|cell| cell.last).max()
    }

    /// The name at a time: the one heard last until then, or the one heard first after it.
    pub(super) fn at(&self, time: Timestamp) -> Option<Found<'_>> {
        let before = || self.cells.iter().filter(|cell| cell.first <= time);
        // Where stretches of two names overlap, the one that lies within the other was the exception.
        let around = before()
            .filter(|cell| cell.last >= time)
            .max_by_key(|cell| (cell.first, Reverse(cell.last), cell.origin, &cell.name));
        let best =
            around.or_else(|| before().max_by_key(|cell| (cell.last, cell.first, cell.origin, &cell.name)));
        let Some(sighting) = best else {
            let earliest =
                self.cells.iter().max_by_key(|cell| (Reverse(cell.first), cell.origin, &cell.name));
            return earliest.map(|sighting| Found { sighting, from: sighting.first, later: true });
        };
        // Since when: the first sighting of that name after the last one of any other.
        let times = |own: bool| {
            before()
                .filter(move |cell| (cell.name == sighting.name) == own)
                .flat_map(|cell| [cell.first, cell.last])
                .filter(|&heard| heard <= time)
        };
        let other = times(false).max();
        let own = times(true).filter(|&heard| other.is_none_or(|other| other < heard)).min();
        let from = own.or(other).unwrap_or(sighting.first);
        Some(Found { sighting, from, later: false })
    }

    fn cell(&mut self, name: &str, at: Timestamp) -> Option<&mut Sighting> {
        let stretch = stretch(at, self.level);
        let level = self.level;
        // The newest is the last: almost always this one.
        let fits = |cell: &&mut Sighting| stretch_of(cell, level) == stretch && &*cell.name == name;
        self.cells.iter_mut().rev().find(fits)
    }

    fn shrink(&mut self) {
        while self.cells.len() > SIGHTINGS_MAX {
            if self.level == LEVEL_MAX || self.names() > SIGHTINGS_MAX {
                self.drop_oldest();
            } else {
                self.coarsen(self.level + 1);
            }
        }
    }

    fn names(&self) -> usize {
        let repeated = |at: usize| self.cells[..at].iter().any(|cell| cell.name == self.cells[at].name);
        (0..self.cells.len()).filter(|&at| !repeated(at)).count()
    }

    /// More names than can be held: the one heard of least lately goes.
    fn drop_oldest(&mut self) {
        let oldest = (0..self.cells.len()).min_by_key(|&at| (self.cells[at].last, &self.cells[at].name));
        if let Some(at) = oldest {
            self.cells.remove(at);
        }
    }

    fn coarsen(&mut self, level: u8) {
        if level <= self.level {
            return;
        }
        self.level = level;
        let cells = std::mem::take(&mut self.cells);
        self.cells.reserve_exact(cells.len());
        for cell in cells {
            match self.cell(&cell.name, cell.first) {
                None => self.cells.push(cell),
                Some(same) => {
                    same.first = same.first.min(cell.first);
                    same.last = same.last.max(cell.last);
                    same.origin = same.origin.max(cell.origin);
                }
            }
        }
    }
}

fn stretch(at: Timestamp, level: u8) -> u64 {
    // Counted from the earliest time there is, so never negative.
    at.micros().wrapping_sub(Timestamp::MIN.micros()) as u64 >> level.min(LEVEL_MAX)
}

fn stretch_of(cell: &Sighting, level: u8) -> u64 {
    stretch(cell.first, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_stretch_holds_all_of_time() {
        assert_eq!(stretch(Timestamp::MIN, LEVEL_MAX), stretch(Timestamp::MAX, LEVEL_MAX));
        assert_ne!(stretch(Timestamp::MIN, LEVEL_MAX - 1), stretch(Timestamp::MAX, LEVEL_MAX - 1));
    }

    #[test]
    fn a_steady_name_stays_small() {
        let mut sightings = Sightings::default();
        for second in 0..100_000 {
            sightings.add("alice", Timestamp::EPOCH.plus_seconds(second), Origin::Context);
            assert!(sightings.cells.len() <= SIGHTINGS_MAX);
            assert!(sightings.cells.capacity() <= SIGHTINGS_MAX + 1);
        }
        let names: Vec<_> = sightings.cells.iter().map(|cell| Arc::as_ptr(&cell.name)).collect();
        assert!(names.iter().all(|name| std::ptr::eq(*name, names[0])), "the text is held once");
    }
}
