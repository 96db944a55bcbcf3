//! A tree that goes on from hashes that were kept, and proofs from them: work for a few hundred hashes, however large the tree is.
//!
//! What is kept is the leaves and the [`Node`]s, the roots of full tiles. Of a range of leaves that begins where a subtree of its size
//! can begin (the whole tree does, and all that a proof needs), these are its full subtrees cut into tiles: below 256 hashes of
//! each level. Where they are kept is the caller's affair, and so is whether they are right.

use std::ops::Range;

use super::super::hash::Hash;
use super::super::merkle::{Plan, Tree, join};
use super::tile::TILE_WIDTH;

/// How many halvings lead from one level of tiles to the next.
const LEVEL_HEIGHT: u32 = TILE_WIDTH.ilog2();

/// The root of a full tile: of the leaves from `index * 256^level` on, `256^level` many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// From 1: leaves, which would be of level 0, are kept as what they are.
    pub level: u8,
    /// Which one of its level, from 0.
    pub index: u64,
    /// The root.
    pub hash: Hash,
}

/// Why kept hashes give no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError<E> {
    /// Where they are kept, they could not be read.
    #[error(transparent)]
    Kept(#[from] E),
    /// There are fewer of them than the tree has, or more were given than were asked for.
    #[error("{found} hashes of level {level} are kept from {first} on, {wanted} are needed")]
    Missing {
        /// The level, 0 for leaves.
        level: u8,
        /// The first that was asked for.
        first: u64,
        /// How many were asked for.
        wanted: u64,
        /// How many there were.
        found: usize,
    },
    /// The range begins where no subtree of its size begins: no proof has such a one.
    #[error("leaves {start} to {end} are no part of a proof")]
    Unaligned {
        /// The first leaf.
        start: u64,
        /// The leaf after the last.
        end: u64,
    },
}

/// Gives the hashes of a level in a range of their indexes, level 0 being the leaves.
pub type Kept<'a, E> = &'a mut dyn FnMut(u8, Range<u64>) -> Result<Vec<Hash>, E>;

impl Tree {
    /// Adds a leaf by its hash, and gives away the nodes that it completes, the lowest first.
    pub fn push_with(&mut self, leaf: Hash, on_node: &mut dyn FnMut(Node)) {
        let place = self.size();
        self.push_seen(leaf, |height, hash| {
            if height % LEVEL_HEIGHT == 0 {
                // The height of a tree of 2^63 leaves divided by that of a tile fits.
                on_node(Node { level: (height / LEVEL_HEIGHT) as u8, index: place >> height, hash });
            }
        });
    }

    /// The tree of `size` leaves, to go on with.
    ///
    /// # Errors
    /// When the hashes that it needs are not kept, or cannot be read.
    pub fn resume<E>(size: u64, kept: Kept<'_, E>) -> Result<Self, ResumeError<E>> {
        full_subtrees(0..size, kept).map(|full| Self::from_full(size, full))
    }
}

/// The root over a range of leaves of those that a [`Plan`] has, full subtrees and the last one.
///
/// # Errors
/// When the hashes that it needs are not kept, or cannot be read; when the range is none that a plan has.
pub fn range_hash<E>(leaves: Range<u64>, kept: Kept<'_, E>) -> Result<Hash, ResumeError<E>> {
    full_subtrees(leaves, kept).map(|full| join(&full))
}

/// The hashes of a proof.
///
/// # Errors
/// When the hashes that it needs are not kept, or cannot be read.
pub fn prove<E>(plan: Plan, kept: Kept<'_, E>) -> Result<Vec<Hash>, ResumeError<E>> {
    plan.into_iter().map(|leaves| range_hash(leaves, kept)).collect()
}

/// The roots of the full subtrees that a range consists of, the largest first.
fn full_subtrees<E>(leaves: Range<u64>, kept: Kept<'_, E>) -> Result<Vec<Hash>, ResumeError<E>> {
    let Range { start, end } = leaves;
    let Some(highest) = end.saturating_sub(start).checked_ilog2() else { return Ok(Vec::new()) };
    if start.trailing_zeros() < highest {
        return Err(ResumeError::Unaligned { start, end });
    }
    let mut full = Vec::new();
    let mut place = start;
    // From the highest level downward, each takes the leaves that it has nodes for, and leaves less than one node to those below.
    for level in (0..=highest / LEVEL_HEIGHT).rev() {
        let height = level * LEVEL_HEIGHT;
        let (first, wanted) = (place >> height, (end - place) >> height);
        if wanted == 0 {
            continue;
        }
        // Seven levels at most, see `highest`.
        let level = level as u8;
        let nodes = kept(level, first..first + wanted)?;
        if nodes.len() as u64 != wanted {
            return Err(ResumeError::Missing { level, first, wanted, found: nodes.len() });
        }
        full.extend(Tree::of(nodes).into_full());
        place += wanted << height;
    }
    Ok(full)
}
