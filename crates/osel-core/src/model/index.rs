//! From the hash of an id to a slot, without a second copy of the id: eight bytes for each of a million objects.
//!
//! Open addressing, linear probing; a cell holds the hash and the slot, so that the index grows and shrinks without looking at
//! an object. Whether the object in a slot is the right one is for the caller to say.

use super::table::Slot;

/// A hash table of slots.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// 0 is empty; else the hash above, one more than the slot below. As many as a power of two, or none.
    cells: Box<[u64]>,
    length: usize,
}

/// Cells of the smallest table.
const CELLS_MIN: usize = 16;

fn hash_of(cell: u64) -> u32 {
    (cell >> 32) as u32
}

fn slot_of(cell: u64) -> Slot {
    (cell as u32).wrapping_sub(1)
}

impl Index {
    /// How many slots are in it.
    pub fn len(&self) -> usize {
        self.length
    }

    /// The slot with this hash that is the right one.
    pub fn get(&self, hash: u32, is_right: impl Fn(Slot) -> bool) -> Option<Slot> {
        let at = self.find(hash, is_right)?;
        Some(slot_of(self.cells[at]))
    }

    /// Adds a slot that is not in it. `Slot::MAX` is no slot.
    pub fn insert(&mut self, hash: u32, slot: Slot) {
        // Three quarters full is where linear probing begins to be slow.
        if self.cells.is_empty() || self.length >= self.cells.len() / 4 * 3 {
            let larger = vec![0; (self.cells.len() * 2).max(CELLS_MIN)].into_boxed_slice();
            for cell in std::mem::replace(&mut self.cells, larger) {
                if cell != 0 {
                    self.put(cell);
                }
            }
        }
        self.put(u64::from(hash) << 32 | u64::from(slot.wrapping_add(1)));
        self.length += 1;
    }

    /// Takes a slot out.
    pub fn remove(&mut self, hash: u32, slot: Slot) {
        let Some(mut hole) = self.find(hash, |other| other == slot) else { return };
        self.length -= 1;
        // Whoever stands behind the hole and could not stand nearer to its home because of it moves up.
        let mut at = hole;
        loop {
            at = self.next(at);
            let cell = self.cells[at];
            if cell == 0 {
                break;
            }
            let home = self.home(hash_of(cell));
            if self.distance(home, at) >= self.distance(hole, at) {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = 0;
    }

    fn find(&self, hash: u32, is_right: impl Fn(Slot) -> bool) -> Option<usize> {
        if self.cells.is_empty() {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let cell = self.cells[at];
            if cell == 0 {
                return None;
            }
            if hash_of(cell) == hash && is_right(slot_of(cell)) {
                return Some(at);
            }
            at = self.next(at);
        }
    }

    fn put(&mut self, cell: u64) {
        let mut at = self.home(hash_of(cell));
        while self.cells[at] != 0 {
            at = self.next(at);
        }
        self.cells[at] = cell;
    }

    /// Where a hash would like to stand.
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.cells.len() as u64) >> 32) as usize
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.cells.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.cells.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Against a map, with hashes that collide and wrap around the end.
    #[test]
    fn holds_what_was_put_in() {
        let mut index = Index::default();
        let mut truth: BTreeMap<Slot, u32> = BTreeMap::new();
        let mut random = 1_u64;
        for step in 0..20_000_u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let slot = (random >> 40) as Slot % 300;
            match truth.remove(&slot) {
                Some(hash) => index.remove(hash, slot),
                None => {
                    // A dozen hashes, most of them at the very end of the table.
                    let hash =
                        u32::MAX - (random >> 33) as u32 % 12 * if step % 5 == 0 { 0x0800_0000 } else { 1 };
                    index.insert(hash, slot);
                    truth.insert(slot, hash);
                }
            }
            assert_eq!(index.len(), truth.len());
            for (&slot, &hash) in truth.iter().take(if step % 100 == 0 { 300 } else { 3 }) {
                assert_eq!(index.get(hash, |other| other == slot), Some(slot), "step {step}");
            }
            if !truth.contains_key(&slot) {
                assert_eq!(index.get(u32::MAX, |other| other == slot), None, "step {step}");
            }
        }
    }
}
