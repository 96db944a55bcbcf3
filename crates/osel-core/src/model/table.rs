//! Objects of one kind: dense slots that other tables point into with four bytes, and a look-up by id.

use super::index::{Index, short_hash};
use super::slots::Slots;
use super::state::State;
use crate::ids::Id;

/// The number of a slot.
pub type Slot = u32;

/// Objects of one kind.
#[derive(Clone, Debug)]
pub struct Table<T> {
    objects: Slots<Option<T>>,
    free: Vec<Slot>,
    by_id: Index,
    /// One bit for each slot: whether its object was shown by the read that is under way.
    marks: Vec<u64>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { objects: Slots::default(), free: Vec::new(), by_id: Index::default(), marks: Vec::new() }
    }
}

impl<T: State> Table<T> {
    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The slot of an object.
    pub fn slot(&self, id: &Id) -> Option<Slot> {
        self.by_id.get(short_hash(id), |slot| self.at(slot).id() == id)
    }

    /// The object in a slot that is known to be taken.
    ///
    /// # Panics
    /// When the slot is free: links between objects are removed with the objects.
    pub fn at(&self, slot: Slot) -> &T {
        self.cell(slot).expect("a link points to a slot that is taken")
    }

    /// The object in a slot that is known to be taken, to be changed.
    ///
    /// # Panics
    /// When the slot is free: links between objects are removed with the objects.
    pub fn at_mut(&mut self, slot: Slot) -> &mut T {
        self.objects[slot].as_mut().expect("a link points to a slot that is taken")
    }

    fn cell(&self, slot: Slot) -> Option<&T> {
        self.objects.get(slot)?.as_ref()
    }

    /// The object with this id.
    pub fn get(&self, id: &Id) -> Option<&T> {
        self.slot(id).map(|slot| self.at(slot))
    }

    /// Whether there is an object in a slot.
    pub fn slot_is_taken(&self, slot: Slot) -> bool {
        self.cell(slot).is_some()
    }

    /// The slot of an object, which is made, unknown, when there was none.
    pub fn slot_or_insert(&mut self, id: &Id) -> Slot {
        if let Some(slot) = self.slot(id) {
            return slot;
        }
        let state = T::unknown(id.clone());
        let slot = match self.free.pop() {
            Some(slot) => {
                self.objects[slot] = Some(state);
                slot
            }
            None => self.objects.push(Some(state)),
        };
        self.by_id.insert(short_hash(id), slot);
        slot
    }

    /// How many slots there are, taken and free.
    pub fn slots(&self) -> Slot {
        self.objects.len()
    }

    /// Marks the object in a slot; whether it was not marked.
    pub fn mark(&mut self, slot: Slot) -> bool {
        let (word, bit) = mark_of(slot);
        if self.marks.len() <= word {
            self.marks.resize(word + 1, 0);
        }
        let is_new = self.marks[word] & bit == 0;
        self.marks[word] |= bit;
        is_new
    }

    /// Whether the object in a slot is marked.
    pub fn is_marked(&self, slot: Slot) -> bool {
        let (word, bit) = mark_of(slot);
        self.marks.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Takes all marks away.
    pub fn clear_marks(&mut self) {
        self.marks = Vec::new();
    }

    /// Takes an object out, with its mark.
    pub fn remove(&mut self, id: &Id) -> Option<T> {
        let slot = self.slot(id)?;
        let (word, bit) = mark_of(slot);
        if let Some(marks) = self.marks.get_mut(word) {
            *marks &= !bit;
        }
        self.by_id.remove(short_hash(id), slot);
        self.free.push(slot);
        self.objects[slot].take()
    }

    /// All objects with their slots, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        (0..).zip(self.objects.iter()).filter_map(|(slot, object)| Some((slot, object.as_ref()?)))
    }

    /// The ids of all objects, sorted.
    pub fn ids(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = self.iter().map(|(_, object)| object.id().clone()).collect();
        ids.sort_unstable();
        ids
    }
}

/// The word and the bit of a slot's mark.
fn mark_of(slot: Slot) -> (usize, u64) {
    (slot as usize / 64, 1 << (slot % 64))
}
