//! One part of an index: open addressing with linear probing. A cell holds the hash and the slot, so that a part grows, shrinks and is
//! split without looking at an object.

use super::super::table::Slot;

/// A hash table of slots whose hashes all begin with the same bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// 0 is empty; else the hash above, one more than the slot below. As many as a power of two, or none.
    cells: Box<[u64]>,
    length: usize,
    /// How many bits all its hashes begin with.
    depth: u32,
    /// These bits, and zeros behind them.
    first: u32,
}

/// Cells of the smallest part.
const CELLS_MIN: usize = 16;

fn hash_of(cell: u64) -> u32 {
    (cell >> 32) as u32
}

fn slot_of(cell: u64) -> Slot {
    (cell as u32).wrapping_sub(1)
}

impl Part {
    /// How many slots are in it.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// How many cells it has.
    pub(super) fn cells(&self) -> usize {
        self.cells.len()
    }

    /// How many bits all its hashes begin with.
    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    /// The least hash that belongs into it.
    pub(super) fn first_hash(&self) -> u32 {
        self.first
    }

    /// Whether it is to get more cells before the next one is put in: three quarters full is where linear probing begins to be slow.
    pub(super) fn is_full(&self) -> bool {
        self.length >= self.cells.len() / 4 * 3
    }

    /// The slot with this hash that is the right one.
    pub(super) fn get(&self, hash: u32, is_right: impl Fn(Slot) -> bool) -> Option<Slot> {
        let at = self.find(hash, is_right)?;
        Some(slot_of(self.cells[at]))
    }

    /// Adds a slot that is not in it. There is a cell for it.
    pub(super) fn put(&mut self, hash: u32, slot: Slot) {
        self.put_cell(u64::from(hash) << 32 | u64::from(slot.wrapping_add(1)));
    }

    /// Takes a slot out; whether it was in it.
    pub(super) fn remove(&mut self, hash: u32, slot: Slot) -> bool {
        let Some(mut hole) = self.find(hash, |other| other == slot) else { return false };
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
        true
    }

    /// Doubles the cells; how many were moved.
    pub(super) fn grow(&mut self) -> usize {
        let cells = (self.cells.len() * 2).max(CELLS_MIN);
        let before = self.replace_cells(cells);
        before.into_iter().filter(|&cell| cell != 0).for_each(|cell| self.put_cell(cell));
        self.length
    }

    /// Keeps those whose next bit is 0; gives a part of as many cells with the others.
    pub(super) fn split(&mut self) -> Self {
        let cells = self.cells.len();
        let before = self.replace_cells(cells);
        let bit = 1_u32 << (u32::BITS - 1 - self.depth);
        self.depth += 1;
        let mut other = Self { cells: empty(cells), length: 0, depth: self.depth, first: self.first | bit };
        for cell in before.into_iter().filter(|&cell| cell != 0) {
            let side = if hash_of(cell) & bit == 0 { &mut *self } else { &mut other };
            side.put_cell(cell);
        }
        other
    }

    fn replace_cells(&mut self, cells: usize) -> Box<[u64]> {
        self.length = 0;
        std::mem::replace(&mut self.cells, empty(cells))
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

    fn put_cell(&mut self, cell: u64) {
        let mut at = self.home(hash_of(cell));
        while self.cells[at] != 0 {
            at = self.next(at);
        }
        self.cells[at] = cell;
        self.length += 1;
    }

    /// Where a hash would like to stand, by the bits that not all have.
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash << self.depth) * self.cells.len() as u64) >> 32) as usize
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.cells.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.cells.len() - 1)
    }
}

fn empty(cells: usize) -> Box<[u64]> {
    vec![0; cells].into_boxed_slice()
}
