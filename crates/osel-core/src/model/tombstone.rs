//! What is gone and must not come back with a late message.

use std::collections::BTreeSet;

use crate::event::Kind;
use crate::ids::{Id, PartedMap};
use crate::time::Timestamp;

/// How long a deletion is remembered: longer than any queue that a service or a broker holds a notification in.
pub const TOMBSTONE_SECONDS: i64 = 7 * 86_400;
/// The most deletions that are remembered at once; the oldest are forgotten first. 4 Mi of them take about 400 MB.
pub const TOMBSTONES_MAX: usize = 4 << 20;

/// Deletions of the last days.
#[derive(Clone, Debug, Default)]
pub struct Tombstones {
    deleted_at: PartedMap<(Kind, Id), Grave>,
    by_age: BTreeSet<(Timestamp, Kind, Id)>,
    /// When the last of the subnets died, also of those that are forgotten.
    last_subnet: Option<Timestamp>,
}

/// What is remembered of one deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grave {
    /// When it was deleted, by the event; or when the API was asked for it in vain.
    pub died: Timestamp,
    /// When that was learnt.
    pub learnt: Timestamp,
    /// Whether its deletion was told. An object that the API did not show when it was asked may have been made since, or shown later
    /// to somebody who may see it: of this only what was said before is void.
    pub is_final: bool,
}

impl Tombstones {
    /// Whether it is gone, and since when by the event's time.
    pub fn get(&self, kind: Kind, id: &Id) -> Option<Timestamp> {
        self.grave(kind, id).map(|grave| grave.died)
    }

    /// What is remembered of its deletion.
    pub fn grave(&self, kind: Kind, id: &Id) -> Option<Grave> {
        if self.deleted_at.is_empty() {
            return None;
        }
        self.deleted_at.get(&(kind, id.clone())).copied()
    }

    /// When the last subnet died that is known to have; [`Timestamp::MIN`] when none has.
    pub fn last_subnet(&self) -> Timestamp {
        self.last_subnet.unwrap_or(Timestamp::MIN)
    }

    /// Remembers a deletion; forgets what is too old.
    pub fn bury(&mut self, kind: Kind, id: &Id, mut grave: Grave) {
        // Of several deletions the latest counts, whichever is heard last.
        if let Some(before) = self.grave(kind, id) {
            grave.died = grave.died.max(before.died);
            grave.is_final |= before.is_final;
        }
        self.raise(kind, id);
        let learnt = grave.learnt;
        if kind == Kind::Subnet {
            self.last_subnet = self.last_subnet.max(Some(grave.died));
        }
        self.deleted_at.entry((kind, id.clone())).insert_entry(grave);
        self.by_age.insert((learnt, kind, id.clone()));
        let horizon = learnt.plus_seconds(-TOMBSTONE_SECONDS);
        while let Some((learnt, ..)) = self.by_age.first() {
            if *learnt >= horizon && self.by_age.len() <= TOMBSTONES_MAX {
                break;
            }
            if let Some((_, kind, id)) = self.by_age.pop_first() {
                self.deleted_at.remove(&(kind, id));
            }
        }
    }

    /// Forgets a deletion: the API shows the object alive.
    pub fn raise(&mut self, kind: Kind, id: &Id) {
        if let Some(grave) = self.deleted_at.remove(&(kind, id.clone())) {
            self.by_age.remove(&(grave.learnt, kind, id.clone()));
        }
    }

    /// All of them, those that were learnt first before the others.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &Id, Grave)> {
        self.by_age
            .iter()
            .filter_map(|(_, kind, id)| Some((*kind, id, *self.deleted_at.get(&(*kind, id.clone()))?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletions_are_forgotten_after_the_named_time() {
        let mut tombstones = Tombstones::default();
        let (old, new) = (Id::new("old"), Id::new("new"));
        let grave = |learnt| Grave { died: Timestamp::EPOCH, learnt, is_final: true };
        tombstones.bury(Kind::Port, &old, grave(Timestamp::EPOCH));
        assert_eq!(tombstones.get(Kind::Port, &old), Some(Timestamp::EPOCH));
        assert_eq!(tombstones.get(Kind::Router, &old), None);
        tombstones.bury(Kind::Port, &new, grave(Timestamp::EPOCH.plus_seconds(TOMBSTONE_SECONDS + 1)));
        assert_eq!(tombstones.get(Kind::Port, &old), None);
        assert_eq!(tombstones.iter().count(), 1);
    }
}
