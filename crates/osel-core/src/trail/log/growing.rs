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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::super::super::merkle::{
        Prover, consistency_plan, inclusion_plan, tree_root, verify_consistency, verify_inclusion,
    };
    use super::*;

    /// Leaves without hashing: the tree does not ask what they are hashes of.
    fn leaf(index: u64) -> Hash {
        let mut hash = [0x5a; 32];
        hash[..8].copy_from_slice(&index.to_be_bytes());
        Hash(hash)
    }

    /// The nodes that a tree gave away while it grew.
    #[derive(Default)]
    struct Store {
        nodes: BTreeMap<(u8, u64), Hash>,
    }

    impl Store {
        fn add(&mut self, node: Node) {
            let before = self.nodes.insert((node.level, node.index), node.hash);
            assert_eq!(before, None, "a node is given away once");
        }

        /// Gives what is kept, and holds that never more than a tile of a level is asked for.
        fn kept(&self) -> impl FnMut(u8, Range<u64>) -> Result<Vec<Hash>, Infallible> {
            |level, range| {
                assert!(range.start < range.end && range.end - range.start < TILE_WIDTH, "{level} {range:?}");
                let one = |index| {
                    if level == 0 { Some(leaf(index)) } else { self.nodes.get(&(level, index)).copied() }
                };
                Ok(range.filter_map(one).collect())
            }
        }
    }

    /// A tree of that size, what it gave away, and the trees that it was at these sizes.
    fn grown(size: u64, sizes: &[u64]) -> (Store, Vec<Tree>) {
        let (mut tree, mut store, mut trees) = (Tree::default(), Store::default(), Vec::new());
        for index in 0..=size {
            if sizes.contains(&index) {
                trees.push(tree.clone());
            }
            if index < size {
                tree.push_with(leaf(index), &mut |node| store.add(node));
            }
        }
        (store, trees)
    }

    fn root_of(range: Range<u64>) -> Hash {
        tree_root(range.map(leaf))
    }

    #[test]
    fn goes_on_at_any_size_as_if_it_had_never_stopped() {
        const SIZE: u64 = 70_000;
        // Around every boundary of tiles of all three levels, and some between.
        let mut sizes =
            vec![0, 1, 2, 3, 7, 100, 255, 256, 257, 511, 512, 513, 1000, 9_999, 32_768, 65_279, 65_280];
        sizes.extend([65_535, 65_536, 65_537, 65_791, 65_792, 65_793, 68_123, 69_999, SIZE]);
        let (store, trees) = grown(SIZE, &sizes);
        let counts = [1, 2, 3].map(|wanted| store.nodes.keys().filter(|(level, _)| *level == wanted).count());
        assert_eq!(counts, [273, 1, 0]);
        assert_eq!(trees.len(), sizes.len());
        for (size, tree) in sizes.iter().zip(&trees) {
            let resumed = Tree::resume(*size, &mut store.kept()).expect("all is kept");
            assert_eq!((resumed.size(), resumed.root()), (*size, tree.root()), "{size}");
            let goes_on = |mut tree: Tree| {
                let mut nodes = Vec::new();
                (*size..*size + 3)
                    .for_each(|index| tree.push_with(leaf(index), &mut |node| nodes.push(node)));
                (tree.root(), nodes)
            };
            assert_eq!(goes_on(resumed), goes_on(tree.clone()), "{size}");
        }
        let root = trees.last().map(Tree::root).expect("the last size is the whole");
        for index in [0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, SIZE - 1] {
            let path =
                prove(inclusion_plan(index, SIZE).expect("within"), &mut store.kept()).expect("all is kept");
            assert_eq!(verify_inclusion(leaf(index), index, SIZE, &path, root), Ok(()), "{index}");
        }
        for (old, tree) in sizes.iter().zip(&trees) {
            let path = prove(consistency_plan(*old, SIZE).expect("it grew"), &mut store.kept())
                .expect("all is kept");
            assert_eq!(verify_consistency(*old, tree.root(), SIZE, root, &path), Ok(()), "{old}");
        }
    }

    #[test]
    fn a_node_is_the_root_of_its_leaves() {
        let (store, _) = grown(1_100, &[]);
        let wanted: Vec<_> =
            (0..4).map(|index| ((1, index), root_of(index * 256..(index + 1) * 256))).collect();
        assert_eq!(store.nodes.into_iter().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn what_is_not_kept_is_told() {
        let mut none = |_: u8, _: Range<u64>| Ok::<_, Infallible>(Vec::new());
        let missing = |level, first, wanted, found| ResumeError::Missing { level, first, wanted, found };
        assert_eq!(Tree::resume(0, &mut none).map(|tree| tree.size()), Ok(0));
        assert_eq!(Tree::resume(3, &mut none).err(), Some(missing(0, 0, 3, 0)));
        assert_eq!(Tree::resume(600, &mut none).err(), Some(missing(1, 0, 2, 0)));
        let mut leaves_only = |level: u8, range: Range<u64>| {
            Ok::<_, Infallible>(range.filter(|_| level == 0).map(leaf).collect())
        };
        assert_eq!(range_hash(1024..1536, &mut leaves_only), Err(missing(1, 4, 2, 0)));
        assert_eq!(range_hash(512..768, &mut leaves_only), Err(missing(1, 2, 1, 0)));
        let mut more = |_: u8, range: Range<u64>| Ok::<_, Infallible>((0..=range.end).map(leaf).collect());
        assert_eq!(range_hash(0..3, &mut more), Err(missing(0, 0, 3, 4)));
        let mut fails = |_: u8, _: Range<u64>| Err("the disk is gone");
        assert_eq!(range_hash(0..3, &mut fails), Err(ResumeError::Kept("the disk is gone")));
    }

    #[test]
    fn a_range_that_no_proof_has_is_refused() {
        let mut kept = |_: u8, range: Range<u64>| Ok::<_, Infallible>(range.map(leaf).collect());
        for (start, end) in [(1, 3), (2, 6), (4, 13), (128, 400), (1, u64::MAX)] {
            assert_eq!(range_hash(start..end, &mut kept), Err(ResumeError::Unaligned { start, end }));
        }
        for range in [0..3, 1..2, 2..4, 4..7, 128..383] {
            assert_eq!(range_hash(range.clone(), &mut kept), Ok(root_of(range)));
        }
        assert_eq!(range_hash(7..7, &mut kept), Ok(root_of(0..0)));
    }

    #[test]
    fn the_largest_tree_needs_no_more_than_a_tile_of_each_level() {
        let mut asked = Vec::new();
        let mut kept = |level: u8, range: Range<u64>| {
            asked.push((level, range.end - range.start));
            Ok::<_, Infallible>(range.map(leaf).collect())
        };
        let tree = Tree::resume(u64::MAX, &mut kept).expect("all is kept");
        assert_eq!(tree.size(), u64::MAX);
        assert_eq!(asked, [7, 6, 5, 4, 3, 2, 1, 0].map(|level| (level, 255)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn kept_hashes_prove_what_all_leaves_prove(
            size in 1_u64..1_500,
            index in any::<prop::sample::Index>(),
            old in any::<prop::sample::Index>(),
        ) {
            let (index, old) = (index.index(size as usize) as u64, old.index(size as usize) as u64 + 1);
            let (store, _) = grown(size, &[]);
            for plan in [inclusion_plan(index, size), consistency_plan(old, size)] {
                let plan = plan.expect("within the tree");
                let mut prover = Prover::new(plan.clone());
                (0..size).for_each(|index| prover.push(leaf(index)));
                prop_assert_eq!(prove(plan, &mut store.kept()).ok(), prover.finish());
            }
        }
    }
}
