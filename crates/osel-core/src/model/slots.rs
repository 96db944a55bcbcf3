//! A dense list that grows a piece at a time: a list that grows by copying would stop everything for as long as a million copies take.

use std::ops::{Index, IndexMut};

use super::table::Slot;

/// How many elements the first piece has room for; it grows by copying, since most lists of a small cloud have a few. Each later piece is
/// allocated at once and is twice as large as the one before, up to [`LAST`].
const FIRST: usize = 1 << 10;

/// How many elements the larger pieces have room for. A few dozen hold millions, so that where they are stays in the cache and an
/// element is found as fast as in one list. Room that has no elements yet costs addresses, and memory only where the system gives none on
/// credit: for ports some twenty megabytes.
const LAST: usize = 1 << 16;

/// How many pieces are smaller than these.
const SMALLER: usize = (LAST / FIRST).ilog2() as usize;

/// Elements by slot.
#[derive(Debug)]
pub(super) struct Slots<T> {
    /// All but the last are full.
    pieces: Vec<Vec<T>>,
    length: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), length: 0 }
    }
}

/// With the room of the pieces: the copy grows like the original.
impl<T: Clone> Clone for Slots<T> {
    fn clone(&self) -> Self {
        let pieces = self.pieces.iter().enumerate().map(|(number, piece)| {
            let mut copy = Vec::with_capacity(if number == 0 { piece.len() } else { room(number) });
            copy.extend_from_slice(piece);
            copy
        });
        Self { pieces: pieces.collect(), length: self.length }
    }
}

/// How many elements a piece has room for.
fn room(piece: usize) -> usize {
    FIRST << piece.min(SMALLER)
}

/// The piece of a slot and its place there: pieces 0, 1, 2… begin at slots 0, `FIRST`, 3 `FIRST`…
fn place(slot: Slot) -> (usize, usize) {
    let shifted = slot as usize + FIRST;
    if shifted < LAST {
        let piece = (shifted.ilog2() - FIRST.ilog2()) as usize;
        (piece, shifted - room(piece))
    } else {
        (SMALLER + shifted / LAST - 1, shifted % LAST)
    }
}

impl<T> Slots<T> {
    /// How many elements there are.
    ///
    /// # Panics
    /// With more of them than slots have numbers.
    pub(super) fn len(&self) -> Slot {
        Slot::try_from(self.length).expect("four billion objects do not fit into memory")
    }

    /// The element of a slot, if there is one.
    pub(super) fn get(&self, slot: Slot) -> Option<&T> {
        let (piece, at) = place(slot);
        self.pieces.get(piece)?.get(at)
    }

    /// Adds an element; its slot.
    pub(super) fn push(&mut self, element: T) -> Slot {
        let slot = self.len();
        let (piece, _) = place(slot);
        if piece == self.pieces.len() {
            self.pieces.push(Vec::with_capacity(if piece == 0 { 0 } else { room(piece) }));
        }
        self.pieces[piece].push(element);
        self.length += 1;
        slot
    }

    /// All elements, in the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }
}

impl<T: Default> Slots<T> {
    /// The element of a slot; it and all before it are made where they are missing.
    pub(super) fn grown(&mut self, slot: Slot) -> &mut T {
        while self.length <= slot as usize {
            self.push(T::default());
        }
        &mut self[slot]
    }
}

impl<T> Index<Slot> for Slots<T> {
    type Output = T;

    fn index(&self, slot: Slot) -> &T {
        let (piece, at) = place(slot);
        &self.pieces[piece][at]
    }
}

impl<T> IndexMut<Slot> for Slots<T> {
    fn index_mut(&mut self, slot: Slot) -> &mut T {
        let (piece, at) = place(slot);
        &mut self.pieces[piece][at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stay_where_they_are_while_it_grows() {
        let mut slots = Slots::default();
        assert_eq!((slots.len(), slots.get(0)), (0, None));
        let many = 3 * LAST as Slot + 5;
        let mut places = Vec::new();
        for number in 0..many {
            assert_eq!(slots.push(number), number);
            // What comes later moves nothing but elements of the first piece.
            if number as usize >= FIRST {
                places.push(&raw const slots[number]);
            }
        }
        assert!(slots.iter().copied().eq(0..many));
        assert!((0..many).all(|slot| slots[slot] == slot));
        assert!(slots.pieces.iter().skip(1).all(|piece| piece.capacity() <= LAST));
        assert!((FIRST as Slot..many).map(|slot| &raw const slots[slot]).eq(places));
        assert_eq!((slots.len(), slots.get(many - 1), slots.get(many)), (many, Some(&(many - 1)), None));
        *slots.grown(many + 2) += 7;
        assert_eq!((slots[many], slots[many + 2], slots.len()), (0, 7, many + 3));
        slots[9] = 90;
        // A copy moves nothing either when it grows.
        let mut copy = slots.clone();
        let before = &raw const copy[many];
        copy.grown(many + 100);
        assert_eq!((&raw const copy[many], slots.len()), (before, many + 3));
        assert!(copy.iter().take(slots.len() as usize).eq(slots.iter()));
        assert_eq!(*slots.grown(9), 90);
    }

    #[test]
    fn a_short_list_has_a_short_allocation() {
        let mut slots = Slots::default();
        slots.push([0_u64; 32]);
        assert!(slots.pieces[0].capacity() < 16);
    }
}
