//! What is gone and must not come back with a late message.

use std::collections::BTreeSet;

use crate::event::Kind;
use crate::ids::{Id, Map};
use crate::time::Timestamp;

/// How long a deletion is remembered: longer than any queue that a service or a broker holds a notification in.
pub const TOMBSTONE_SECONDS: i64 = 7 * 86_400;
/// The most deletions that are remembered at once; the oldest are forgotten first. 4 Mi of them take about 400 MB.
pub const TOMBSTONES_MAX: usize = 4 << 20;

/// Deletions of the last days.
#[derive(Clone, Debug, Default)]
pub struct Tombstones {
    deleted_at: Map<(Kind, Id), Grave>,
    by_age: BTreeSet<(Timestamp, Kind, Id)>,
}

#[derive(Clone, Copy, Debug)]
struct Grave {
    /// When it was deleted, by the event.
    died: Timestamp,
    /// When that was learnt.
    learnt: Timestamp,
}

impl Tombstones {
    /// Whether it is gone, and since when by the event's time.
    pub fn get(&self, kind: Kind, id: &Id) -> Option<Timestamp> {
        if self.deleted_at.is_empty() {
            return None;
        }
        self.deleted_at.get(&(kind, id.clone())).map(|grave| grave.died)
    }

    /// Remembers a deletion that happened at `died` and was learnt at `now`; forgets what is too old.
    pub fn bury(&mut self, kind: Kind, id: &Id, died: Timestamp, now: Timestamp) {
        // Of several deletions the latest counts, whichever is heard last.
        let died = self.get(kind, id).map_or(died, |before| before.max(died));
        self.raise(kind, id);
        self.deleted_at.insert((kind, id.clone()), Grave { died, learnt: now });
        self.by_age.insert((now, kind, id.clone()));
        let horizon = now.plus_seconds(-TOMBSTONE_SECONDS);
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

    /// All of them, oldest first: kind, id, death by the event, when it was learnt.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &Id, Timestamp, Timestamp)> {
        self.by_age.iter().filter_map(|(learnt, kind, id)| {
            let grave = self.deleted_at.get(&(*kind, id.clone()))?;
            Some((*kind, id, grave.died, *learnt))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletions_are_forgotten_after_the_named_time() {
        let mut tombstones = Tombstones::default();
        let (old, new) = (Id::new("old"), Id::new("new"));
        tombstones.bury(Kind::Port, &old, Timestamp::EPOCH, Timestamp::EPOCH);
        assert_eq!(tombstones.get(Kind::Port, &old), Some(Timestamp::EPOCH));
        assert_eq!(tombstones.get(Kind::Router, &old), None);
        tombstones.bury(
            Kind::Port,
            &new,
            Timestamp::EPOCH,
            Timestamp::EPOCH.plus_seconds(TOMBSTONE_SECONDS + 1),
        );
        assert_eq!(tombstones.get(Kind::Port, &old), None);
        assert_eq!(tombstones.iter().count(), 1);
    }
}
