//! From the hash of an id to a slot, without a second copy of the id: some eight bytes for each of a million objects.
//!
//! Extendible hashing: a directory says by the first bits of a hash in which [`Part`] it stands. A part that is full is split in two, so
//! that however many objects there are, no insertion moves more cells than one part has. A small index is one part. Whether the object in
//! a slot is the right one is for the caller to say.

mod part;

use std::hash::{BuildHasher, Hash};

use self::part::Part;
use super::table::Slot;
use crate::ids::FixedState;

/// The most cells of a part that can still be split: 64 KiB, which are moved in some ten microseconds.
const PART_CELLS_MAX: usize = 1 << 13;

/// The most bits that the directory looks at. With so many it has 256 KiB, and room for four hundred million ids that were chosen by
/// chance. Whoever chooses ids that begin alike to its hash makes it no larger; then the part that has them all grows instead.
const DEPTH_MAX: u32 = 16;

/// As much of a hash as an index keeps.
pub(super) fn short_hash(what: &(impl Hash + ?Sized)) -> u32 {
    (FixedState::default().hash_one(what) >> 32) as u32
}

/// A hash table of slots.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The part of each value of the first `depth` bits: none where nothing was ever put in, else as many as a power of two.
    directory: Vec<u32>,
    depth: u32,
    parts: Vec<Part>,
    length: usize,
}

impl Index {
    /// How many slots are in it.
    pub fn len(&self) -> usize {
        self.length
    }

    /// The slot with this hash that is the right one.
    pub fn get(&self, hash: u32, is_right: impl Fn(Slot) -> bool) -> Option<Slot> {
        let part = *self.directory.get(self.place(hash))?;
        self.parts[part as usize].get(hash, is_right)
    }

    /// Adds a slot that is not in it. `Slot::MAX` is no slot.
    pub fn insert(&mut self, hash: u32, slot: Slot) {
        self.make_room(hash);
        let part = self.directory[self.place(hash)];
        self.parts[part as usize].put(hash, slot);
        self.length += 1;
    }

    /// Takes a slot out.
    pub fn remove(&mut self, hash: u32, slot: Slot) {
        let part = self.directory.get(self.place(hash)).and_then(|&part| self.parts.get_mut(part as usize));
        if part.is_some_and(|part| part.remove(hash, slot)) {
            self.length -= 1;
        }
    }

    /// Where a hash stands in the directory.
    fn place(&self, hash: u32) -> usize {
        (u64::from(hash) << self.depth >> u32::BITS) as usize
    }

    /// Makes room for one more cell with this hash; how many cells were moved for it.
    fn make_room(&mut self, hash: u32) -> usize {
        if self.directory.is_empty() {
            self.directory.push(0);
            self.parts.push(Part::default());
        }
        let at = self.directory[self.place(hash)];
        let part = &mut self.parts[at as usize];
        if !part.is_full() {
            return 0;
        }
        if part.cells() < PART_CELLS_MAX || part.depth() >= DEPTH_MAX {
            return part.grow();
        }
        if part.depth() == self.depth {
            // Numbers of parts, and no cells: each stands for both halves now.
            self.directory = self.directory.iter().flat_map(|&part| [part, part]).collect();
            self.depth += 1;
        }
        let moved = part.len();
        let other = part.split();
        let other_at = self.parts.len() as u32;
        // The entries of the part stand side by side, those of its latter half last.
        let entries = 1_usize << (self.depth - other.depth());
        let start = self.place(other.first_hash());
        self.directory[start..start + entries].fill(other_at);
        self.parts.push(other);
        // Where all its cells went to one side the part is as full as it was. It has a quarter of its cells free, and is split again for
        // each of the next ones: DEPTH_MAX times at the most, until it may grow.
        moved
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Numbers that look like chance.
    fn next(random: &mut u64) -> u64 {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *random >> 32
    }

    /// Against a map, with hashes that collide and wrap around the end.
    #[test]
    fn holds_what_was_put_in() {
        let mut index = Index::default();
        let mut truth: BTreeMap<Slot, u32> = BTreeMap::new();
        let mut random = 1_u64;
        for step in 0..20_000_u32 {
            next(&mut random);
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

    /// The same with so many that the index is in parts, of which some are in the directory often.
    #[test]
    fn holds_what_was_put_into_many_parts() {
        let mut index = Index::default();
        let mut truth: BTreeMap<Slot, u32> = BTreeMap::new();
        let mut random = 1_u64;
        let holds_all = |index: &Index, truth: &BTreeMap<Slot, u32>| {
            assert_eq!(index.len(), truth.len());
            for (&slot, &hash) in truth {
                assert_eq!(index.get(hash, |other| other == slot), Some(slot));
            }
        };
        for slot in 0..100_000 {
            // A third of them within a sixteenth of all hashes.
            let hash = next(&mut random) as u32;
            let hash = if slot % 3 == 0 { 0xa000_0000 | hash >> 4 } else { hash };
            index.insert(hash, slot);
            truth.insert(slot, hash);
        }
        assert!(index.parts.len() > 16 && index.directory.len() > index.parts.len(), "{}", index.parts.len());
        holds_all(&index, &truth);
        for slot in (0..100_000).filter(|slot| slot % 7 != 0) {
            let hash = truth.remove(&slot).unwrap();
            index.remove(hash, slot);
            index.remove(hash, slot);
        }
        holds_all(&index, &truth);
        for slot in 200_000..260_000 {
            let hash = next(&mut random) as u32;
            index.insert(hash, slot);
            truth.insert(slot, hash);
        }
        holds_all(&index, &truth);
        assert_eq!(index.get(7, |_| false), None);
    }

    /// However many there are, one insertion moves no more than one part: what a table that doubles would have moved by now is counted.
    #[test]
    fn an_insertion_moves_one_part_at_the_most() {
        let mut index = Index::default();
        let (mut random, mut most, mut all) = (5_u64, 0, 0);
        for slot in 0..300_000 {
            let hash = next(&mut random) as u32;
            let moved = index.make_room(hash);
            assert_eq!(index.make_room(hash), 0, "there is room");
            index.insert(hash, slot);
            (most, all) = (moved.max(most), all + moved);
        }
        assert!(most > 0 && most <= PART_CELLS_MAX, "{most}");
        assert!(all < 600_000, "each is moved once or twice: {all}");
        let cells: usize = index.parts.iter().map(Part::cells).sum();
        assert!(cells * 8 <= 300_000 * 24, "as small as one table that doubles: {cells}");
    }

    /// Ids can be chosen so that their hashes are alike, or begin alike. That makes the index slow for them, and never more than that.
    #[test]
    fn hashes_that_are_alike_end_in_a_part_that_grows() {
        let first = 0x1234_5678_u32;
        // Of these all hashes are the same, of those the first DEPTH_MAX bits; of the same ones fewer, since each is looked for among all.
        for (spread, many) in [(0_u32, PART_CELLS_MAX as u32), (0xffff, 3 * PART_CELLS_MAX as u32)] {
            let mut index = Index::default();
            let (mut random, mut truth) = (9_u64, Vec::new());
            for slot in 0..many {
                let hash = first ^ (next(&mut random) as u32 & spread);
                let is_deepest = index.depth == DEPTH_MAX;
                let moved = index.make_room(hash);
                assert!(is_deepest || moved <= PART_CELLS_MAX, "{moved}");
                index.insert(hash, slot);
                truth.push(hash);
            }
            assert_eq!((index.len(), index.depth), (many as usize, DEPTH_MAX));
            assert!(index.parts.len() <= DEPTH_MAX as usize + 2, "{}", index.parts.len());
            for (slot, &hash) in (0..many).zip(&truth).step_by(101) {
                assert_eq!(index.get(hash, |other| other == slot), Some(slot));
            }
            // Others are where they belong, beside them.
            for slot in 0..1000 {
                index.insert(slot << 22, many + slot);
            }
            for slot in 0..1000 {
                assert_eq!(index.get(slot << 22, |other| other == many + slot), Some(many + slot));
            }
            for (slot, &hash) in (0..many).zip(&truth).rev() {
                index.remove(hash, slot);
            }
            assert_eq!(index.len(), 1000);
        }
    }
}
