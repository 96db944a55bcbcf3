//! The Merkle tree over all records (RFC 6962 §2.1): its root, and short proofs that a record is in it and that it only grew.
//!
//! The leaves are the records' hashes, in order: record `seq` is leaf `seq - 1`. Whoever has the root of a tree (noted or signed
//! elsewhere) checks one record with some thirty hashes instead of with the whole trail. A proof is made of roots of subtrees that
//! do not overlap, so it is collected in one pass over the leaves with memory for a few hundred hashes, however long the trail is.
//!
//! Nothing here reads a store or knows what a leaf stands for; layout and example are in `docs/trail-format.md`.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::hash::Hash;

/// The most hashes of a proof: a tree of 2^63 leaves, more than any trail has, is that high.
pub const PROOF_HASHES_MAX: usize = 63;

/// The hash of an inner node: SHA-256 of a one byte and its two children.
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root of a tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The root of the tree over these leaf hashes.
pub fn tree_root(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    Tree::of(leaves).root()
}

/// A tree that grows leaf by leaf and keeps the roots of its full subtrees only.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    size: u64,
    /// The root of one full subtree for each one in `size`'s binary digits, the largest first.
    full: Vec<Hash>,
}

impl Tree {
    /// The tree of these leaves.
    pub(super) fn of(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::default();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }

    /// The tree of that size, from the roots of its full subtrees, the largest first.
    pub(super) fn from_full(size: u64, full: Vec<Hash>) -> Self {
        Self { size, full }
    }

    /// The roots of its full subtrees, the largest first.
    pub(super) fn into_full(self) -> Vec<Hash> {
        self.full
    }

    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_seen(leaf, |_, _| ());
    }

    /// Adds a leaf, and tells height and root of each full subtree of more than one leaf that it completes.
    pub(super) fn push_seen(&mut self, leaf: Hash, mut on_full: impl FnMut(u32, Hash)) {
        let mut node = leaf;
        // Each one at the end of the old size is a full subtree of the same height as the node by now.
        for height in 1..=self.size.trailing_ones() {
            if let Some(left) = self.full.pop() {
                node = node_hash(left, node);
                on_full(height, node);
            }
        }
        self.full.push(node);
        self.size += 1;
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        join(&self.full)
    }
}

/// The root over full subtrees, the largest first.
pub(super) fn join(full: &[Hash]) -> Hash {
    let smallest_first = full.iter().rev().copied();
    smallest_first.reduce(|right, left| node_hash(left, right)).unwrap_or_else(empty_root)
}

/// Which leaves the hashes of a proof stand for, in the order of the proof.
pub type Plan = Vec<Range<u64>>;

/// What proves that leaf `index` is in the tree of that size; none when it is not.
pub fn inclusion_plan(index: u64, size: u64) -> Option<Plan> {
    if index >= size {
        return None;
    }
    let mut plan = Plan::new();
    let mut tree = 0..size;
    while tree.end - tree.start > 1 {
        let middle = middle(&tree);
        if index < middle {
            plan.push(middle..tree.end);
            tree.end = middle;
        } else {
            plan.push(tree.start..middle);
            tree.start = middle;
        }
    }
    plan.reverse();
    Some(plan)
}

/// What proves that the tree of the new size begins with the one of the old size; none when it is smaller. Any tree begins with the
/// empty one, which needs no proof.
pub fn consistency_plan(old: u64, new: u64) -> Option<Plan> {
    if old > new {
        return None;
    }
    let mut plan = Plan::new();
    if old == 0 {
        return Some(plan);
    }
    let mut tree = 0..new;
    while tree.end != old {
        let middle = middle(&tree);
        if old <= middle {
            plan.push(middle..tree.end);
            tree.end = middle;
        } else {
            plan.push(tree.start..middle);
            tree.start = middle;
        }
    }
    // What begins where the old tree begins is the old tree itself, which whoever checks has.
    if tree.start > 0 {
        plan.push(tree);
    }
    plan.reverse();
    Some(plan)
}

/// Where a tree of at least two leaves is divided: its left half is the largest full subtree that is not all of it.
fn middle(tree: &Range<u64>) -> u64 {
    let size = tree.end - tree.start;
    tree.start + (1 << (size - 1).ilog2())
}

/// Collects the hashes of a proof from the leaves, in order.
#[derive(Clone, Debug)]
pub struct Prover {
    /// With the place of each in the proof; by leaves, since they do not overlap.
    wanted: Vec<(usize, Range<u64>, Tree)>,
    /// The one that the next leaf may belong to.
    current: usize,
    next: u64,
}

impl Prover {
    /// A prover of what a plan wants.
    pub fn new(plan: Plan) -> Self {
        let mut wanted: Vec<_> =
            plan.into_iter().enumerate().map(|(place, leaves)| (place, leaves, Tree::default())).collect();
        wanted.sort_by_key(|(_, leaves, _)| leaves.start);
        Self { wanted, current: 0, next: 0 }
    }

    /// Takes the hash of the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        if let Some((_, leaves, tree)) = self.wanted.get_mut(self.current) {
            if leaves.contains(&self.next) {
                tree.push(leaf);
            }
            if self.next + 1 >= leaves.end {
                self.current += 1;
            }
        }
        self.next += 1;
    }

    /// The hashes; none when leaves are missing.
    pub fn finish(mut self) -> Option<Vec<Hash>> {
        self.wanted.sort_by_key(|(place, ..)| *place);
        let whole = |(_, leaves, tree): &(usize, Range<u64>, Tree)| tree.size() == leaves.end - leaves.start;
        self.wanted.iter().all(whole).then(|| self.wanted.iter().map(|(.., tree)| tree.root()).collect())
    }
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf lies outside of the tree.
    #[error("a tree of {size} leaves has no leaf {index}")]
    NoSuchLeaf {
        /// The leaf's place, from 0.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The later tree is the smaller one.
    #[error("a tree of {new} leaves cannot begin with one of {old}")]
    Smaller {
        /// The earlier tree's size.
        old: u64,
        /// The later tree's size.
        new: u64,
    },
    /// It has too few or too many hashes.
    #[error("the proof has {found} hashes, for these sizes it has {expected}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
    /// It shows that the earlier tree had another root.
    #[error("the proof is of another earlier tree")]
    OldRoot,
}

/// Checks that `leaf` is leaf `index` of the tree with that size and root.
///
/// # Errors
/// Why it is not shown.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    let plan = inclusion_plan(index, size).ok_or(ProofError::NoSuchLeaf { index, size })?;
    check_length(path, plan.len())?;
    let mut node = leaf;
    for (leaves, &sibling) in plan.iter().zip(path) {
        node = if leaves.end <= index { node_hash(sibling, node) } else { node_hash(node, sibling) };
    }
    if node == root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of the new size and root begins with the one of the old size and root.
///
/// # Errors
/// Why it is not shown.
pub fn verify_consistency(
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    let plan = consistency_plan(old, new).ok_or(ProofError::Smaller { old, new })?;
    check_length(path, plan.len())?;
    if old == 0 {
        return if old_root == empty_root() { Ok(()) } else { Err(ProofError::OldRoot) };
    }
    // The walk begins at the last full subtree of the old tree: the old tree itself where it is one, else the proof's first hash.
    let mut steps = plan.iter().zip(path);
    let whole = plan.first().is_none_or(|first| first.start >= old);
    let start = if whole { Some(old_root) } else { steps.next().map(|(_, &hash)| hash) };
    let Some(start) = start else { return Err(ProofError::Length { found: 0, expected: 1 }) };
    let (mut old_node, mut new_node) = (start, start);
    for (leaves, &sibling) in steps {
        if leaves.end <= old {
            old_node = node_hash(sibling, old_node);
            new_node = node_hash(sibling, new_node);
        } else {
            new_node = node_hash(new_node, sibling);
        }
    }
    match (old_node == old_root, new_node == new_root) {
        (true, true) => Ok(()),
        (false, _) => Err(ProofError::OldRoot),
        (_, false) => Err(ProofError::Root),
    }
}

fn check_length(path: &[Hash], expected: usize) -> Result<(), ProofError> {
    if path.len() == expected { Ok(()) } else { Err(ProofError::Length { found: path.len(), expected }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hash::leaf_hash;
    use super::*;

    /// The leaves of the vectors of our notes on transparency logs: the numbers in decimal.
    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|number| leaf_hash(number.to_string().as_bytes())).collect()
    }

    fn prove(plan: Option<Plan>, leaves: &[Hash]) -> Vec<Hash> {
        let mut prover = Prover::new(plan.expect("within the tree"));
        leaves.iter().for_each(|&leaf| prover.push(leaf));
        prover.finish().expect("all leaves were there")
    }

    fn sha256(hashes: &[Hash]) -> String {
        let mut all = Sha256::new();
        hashes.iter().for_each(|hash| all.update(hash.0));
        Hash(all.finalize().into()).to_string()
    }

    #[test]
    fn roots_and_proofs_are_those_of_two_other_implementations() {
        let all = leaves(300);
        assert_eq!(
            tree_root([]).to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            tree_root(all[..3].iter().copied()).to_string(),
            "725d5230db68f557470dc35f1d8865813acd7ebb07ad152774141decbae71327"
        );
        let roots: Vec<Hash> = (1..=300).map(|size| tree_root(all[..size].iter().copied())).collect();
        assert_eq!(sha256(&roots), "f39d6887188246346fe6f8f1d9bd617fee2782bf80004b41396ab91f9f220338");
        let (mut inclusion, mut consistency) = (Vec::new(), Vec::new());
        for size in 1..=64 {
            for index in 0..size {
                let proof = prove(inclusion_plan(index, size), &all);
                let (leaf, root) = (all[index as usize], roots[size as usize - 1]);
                assert_eq!(verify_inclusion(leaf, index, size, &proof, root), Ok(()));
                inclusion.extend(proof);
                let proof = prove(consistency_plan(index + 1, size), &all);
                let (old, new) = (roots[index as usize], roots[size as usize - 1]);
                assert_eq!(verify_consistency(index + 1, old, size, new, &proof), Ok(()));
                consistency.extend(proof);
            }
        }
        assert_eq!((inclusion.len(), consistency.len()), (11376, 11055));
        assert_eq!(sha256(&inclusion), "bbc6047f50324b0e174128779a1a326d40461bb4256e00fcdcc57359523a298d");
        assert_eq!(sha256(&consistency), "11ad42e399adf119b37249c9dd98ae0359cab86c54145b7fce63f1410511da9e");
    }

    #[test]
    fn named_examples() {
        let l = leaves(7);
        let a = node_hash(l[2], l[3]);
        let b = node_hash(l[4], l[5]);
        let r4 = node_hash(node_hash(l[0], l[1]), a);
        assert_eq!(prove(inclusion_plan(0, 7), &l), [l[1], a, node_hash(b, l[6])]);
        assert_eq!(prove(inclusion_plan(6, 7), &l), [b, r4]);
        assert_eq!(prove(inclusion_plan(4, 5), &l), [r4]);
        assert_eq!(prove(consistency_plan(1, 2), &l), [l[1]]);
        assert_eq!(prove(consistency_plan(4, 7), &l), [node_hash(b, l[6])]);
        assert!(prove(consistency_plan(5, 5), &l).is_empty());
    }

    #[test]
    fn what_cannot_be_proved_is_refused() {
        assert_eq!(inclusion_plan(7, 7), None);
        assert_eq!(inclusion_plan(0, 0), None);
        assert_eq!(consistency_plan(8, 7), None);
        let l = leaves(7);
        let all = tree_root(l.iter().copied());
        assert_eq!(verify_inclusion(l[0], 7, 7, &[], all), Err(ProofError::NoSuchLeaf { index: 7, size: 7 }));
        assert_eq!(verify_consistency(8, all, 7, all, &[]), Err(ProofError::Smaller { old: 8, new: 7 }));
        assert_eq!(verify_consistency(0, empty_root(), 7, all, &[]), Ok(()));
        assert_eq!(verify_consistency(0, all, 7, all, &[]), Err(ProofError::OldRoot));
        assert_eq!(
            verify_consistency(0, empty_root(), 7, all, &[all]),
            Err(ProofError::Length { found: 1, expected: 0 })
        );
        assert_eq!(verify_consistency(7, all, 7, l[0], &[]), Err(ProofError::Root));
        let mut short = Prover::new(inclusion_plan(0, 7).expect("within"));
        l[..6].iter().for_each(|&leaf| short.push(leaf));
        assert_eq!(short.finish(), None);
        assert!(
            inclusion_plan(u64::MAX - 1, u64::MAX).is_some_and(|plan| plan.len() <= PROOF_HASHES_MAX + 1)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_proof_is_of_its_leaf_place_size_and_root_only(
            size in 1_u64..400,
            index in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(),
            broken in any::<prop::sample::Index>(),
        ) {
            let l = leaves(size);
            let (index, other) = (index.index(l.len()) as u64, other.index(l.len()) as u64);
            let root = tree_root(l.iter().copied());
            let leaf = l[index as usize];
            let path = prove(inclusion_plan(index, size), &l);
            prop_assert_eq!(verify_inclusion(leaf, index, size, &path, root), Ok(()));
            prop_assert!(verify_inclusion(leaf, index, size, &path, leaf_hash(b"x")).is_err());
            if other != index {
                prop_assert!(verify_inclusion(leaf, other, size, &path, root).is_err());
                prop_assert!(verify_inclusion(l[other as usize], index, size, &path, root).is_err());
            }
            let longer: Vec<Hash> = path.iter().copied().chain([leaf]).collect();
            prop_assert!(verify_inclusion(leaf, index, size, &longer, root).is_err());
            if !path.is_empty() {
                prop_assert!(verify_inclusion(leaf, index, size, &path[1..], root).is_err());
                let mut wrong = path.clone();
                wrong[broken.index(path.len())].0[7] ^= 1;
                prop_assert!(verify_inclusion(leaf, index, size, &wrong, root).is_err());
            }
        }

        #[test]
        fn a_tree_that_was_changed_is_not_the_beginning_of_a_later_one(
            new in 1_u64..400,
            old in any::<prop::sample::Index>(),
            changed in any::<prop::sample::Index>(),
        ) {
            let l = leaves(new);
            let old = old.index(l.len()) as u64 + 1;
            let old_root = tree_root(l[..old as usize].iter().copied());
            let new_root = tree_root(l.iter().copied());
            let path = prove(consistency_plan(old, new), &l);
            prop_assert_eq!(verify_consistency(old, old_root, new, new_root, &path), Ok(()));
            let mut rewritten = l;
            rewritten[changed.index(old as usize)] = leaf_hash(b"x");
            let other_root = tree_root(rewritten[..old as usize].iter().copied());
            prop_assert!(verify_consistency(old, other_root, new, new_root, &path).is_err());
            let other_path = prove(consistency_plan(old, new), &rewritten);
            let later_root = tree_root(rewritten.iter().copied());
            prop_assert!(verify_consistency(old, old_root, new, later_root, &other_path).is_err());
        }
    }
}
