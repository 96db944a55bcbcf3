//! Objects of one kind: dense slots that other tables point into with four bytes, and a look-up by id.

use super::state::State;
use crate::ids::{Id, Map};

/// The number of a slot.
pub type Slot = u32;

/// Objects of one kind.
#[derive(Debug)]
pub struct Table<T> {
    slots: Vec<Option<T>>,
    free: Vec<Slot>,
    by_id: Map<Id, Slot>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), by_id: Map::default() }
    }
}

impl<T: State> Table<T> {
    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The slot of an object.
    pub fn slot(&self, id: &Id) -> Option<Slot> {
        self.by_id.get(id).copied()
    }

    /// The object in a slot that is known to be taken.
    ///
    /// # Panics
    /// When the slot is free: links between objects are removed with the objects.
    pub fn at(&self, slot: Slot) -> &T {
        self.slots[slot as usize].as_ref().expect("a link points to a slot that is taken")
    }

    /// The object in a slot that is known to be taken, to be changed.
    ///
    /// # Panics
    /// When the slot is free: links between objects are removed with the objects.
    pub fn at_mut(&mut self, slot: Slot) -> &mut T {
        self.slots[slot as usize].as_mut().expect("a link points to a slot that is taken")
    }

    /// The object with this id.
    pub fn get(&self, id: &Id) -> Option<&T> {
        self.slot(id).map(|slot| self.at(slot))
    }

    /// Whether there is an object in a slot.
    pub fn slot_is_taken(&self, slot: Slot) -> bool {
        self.slots.get(slot as usize).is_some_and(Option::is_some)
    }

    /// The slot of an object, which is made, unknown, when there was none.
    pub fn slot_or_insert(&mut self, id: &Id) -> Slot {
        if let Some(slot) = self.slot(id) {
            return slot;
        }
        let state = T::unknown(id.clone());
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(state);
                slot
            }
            None => {
                self.slots.push(Some(state));
                Slot::try_from(self.slots.len() - 1).expect("four billion objects do not fit into memory")
            }
        };
        self.by_id.insert(id.clone(), slot);
        slot
    }

    /// Takes an object out.
    pub fn remove(&mut self, id: &Id) -> Option<T> {
        let slot = self.by_id.remove(id)?;
        self.free.push(slot);
        self.slots[slot as usize].take()
    }

    /// All objects with their slots, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, object)| Some((slot as Slot, object.as_ref()?)))
    }

    /// The ids of all objects, sorted.
    pub fn ids(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = self.by_id.keys().cloned().collect();
        ids.sort_unstable();
        ids
    }
}
