//! A dense list that grows a piece at a time: a list that grows by copying would stop everything for as long as a million copies take.

use std::ops::{Index, IndexMut};

use super::table::Slot;

/// How many elements are allocated together. The first so many grow by copying: most lists of a small cloud have a few.
const CHUNK: usize = 1024;

/// Elements by slot.
#[derive(Clone, Debug)]
pub(super) struct Slots<T> {
    /// All but the last are full.
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// How many elements there are.
    ///
    /// # Panics
    /// With more of them than slots have numbers.
    pub(super) fn len(&self) -> Slot {
        let last = self.chunks.last().map_or(0, Vec::len);
        let length = self.chunks.len().saturating_sub(1) * CHUNK + last;
        Slot::try_from(length).expect("four billion objects do not fit into memory")
    }

    /// The element of a slot, if there is one.
    pub(super) fn get(&self, slot: Slot) -> Option<&T> {
        self.chunks.get(slot as usize / CHUNK)?.get(slot as usize % CHUNK)
    }

    /// Adds an element; its slot.
    pub(super) fn push(&mut self, element: T) -> Slot {
        let slot = self.len();
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(element),
            last => {
                let mut chunk = Vec::with_capacity(if last.is_some() { CHUNK } else { 0 });
                chunk.push(element);
                self.chunks.push(chunk);
            }
        }
        slot
    }

    /// All elements, in the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T: Default> Slots<T> {
    /// The element of a slot; it and all before it are made where they are missing.
    pub(super) fn grown(&mut self, slot: Slot) -> &mut T {
        while self.get(slot).is_none() {
            self.push(T::default());
        }
        &mut self[slot]
    }
}

impl<T> Index<Slot> for Slots<T> {
    type Output = T;

    fn index(&self, slot: Slot) -> &T {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

impl<T> IndexMut<Slot> for Slots<T> {
    fn index_mut(&mut self, slot: Slot) -> &mut T {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stay_where_they_are_while_it_grows() {
        let mut slots = Slots::default();
        assert_eq!((slots.len(), slots.get(0)), (0, None));
        let many = 3 * CHUNK as Slot + 5;
        let mut places = Vec::new();
        for number in 0..many {
            assert_eq!(slots.push(number), number);
            // What comes later moves nothing but elements of the first chunk.
            if number as usize >= CHUNK {
                places.push(&raw const slots[number]);
            }
        }
        assert!(slots.iter().copied().eq(0..many));
        assert!((CHUNK as Slot..many).map(|slot| &raw const slots[slot]).eq(places));
        assert_eq!((slots.len(), slots.get(many - 1), slots.get(many)), (many, Some(&(many - 1)), None));
        *slots.grown(many + 2) += 7;
        assert_eq!((slots[many], slots[many + 2], slots.len()), (0, 7, many + 3));
        slots[9] = 90;
        assert_eq!(*slots.grown(9), 90);
    }

    #[test]
    fn a_short_list_has_a_short_allocation() {
        let mut slots = Slots::default();
        slots.push([0_u64; 32]);
        assert!(slots.chunks[0].capacity() < 16);
    }
}
