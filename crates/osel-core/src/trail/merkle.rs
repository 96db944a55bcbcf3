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
pub fn root(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut tree = Tree::default();
    leaves.into_iter().for_each(|leaf| tree.push(leaf));
    tree.root()
}

/// A tree that grows leaf by leaf and keeps the roots of its full subtrees only.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    size: u64,
    /// The root of one full subtree for each one in `size`'s binary digits, the largest first.
    full: Vec<Hash>,
}

impl Tree {
    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each one at the end of the old size is a full subtree of the same height as the node by now.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.full.pop() {
                node = node_hash(left, node);
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
        let smallest_first = self.full.iter().rev().copied();
        smallest_first.reduce(|right, left| node_hash(left, right)).unwrap_or_else(empty_root)
    }
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
