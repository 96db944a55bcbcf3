//! Proofs of the log from the nodes that a store keeps: a few hundred rows, however long the trail is.
//!
//! Each is checked before it is given away: should a node be damaged, better nobody gets a proof.

use osel_core::trail::log::{prove, range_hash};
use osel_core::trail::{
    Hash, ProofError, consistency_plan, inclusion_plan, verify_consistency, verify_inclusion,
};

use super::kept::kept;
use super::resource::ReadError;
use crate::store::Reader;

/// That a leaf is in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The leaf: the record's hash.
    pub leaf: Hash,
    /// The root of the tree.
    pub root: Hash,
    /// The siblings on the way from leaf to root.
    pub path: Vec<Hash>,
}

/// That a tree begins with an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// The root of the earlier tree.
    pub since_root: Hash,
    /// The root of the tree.
    pub root: Hash,
    /// What leads from both to each other.
    pub path: Vec<Hash>,
}

/// The root of the tree over the first `size` records.
///
/// # Errors
/// When the store cannot be read or is damaged.
pub fn root(reader: &mut dyn Reader, size: u64) -> Result<Hash, ReadError> {
    Ok(range_hash(0..size, &mut kept(reader))?)
}

/// Proves that leaf `index` is in the tree of that size.
///
/// # Errors
/// When it is not, or the store cannot be read or is damaged.
pub fn inclusion(reader: &mut dyn Reader, index: u64, size: u64) -> Result<Inclusion, ReadError> {
    let plan = inclusion_plan(index, size).ok_or(ProofError::NoSuchLeaf { index, size })?;
    let path = prove(plan, &mut kept(reader))?;
    let leaf = range_hash(index..index + 1, &mut kept(reader))?;
    let root = root(reader, size)?;
    verify_inclusion(leaf, index, size, &path, root)?;
    Ok(Inclusion { leaf, root, path })
}

/// Proves that the tree of the new size begins with the one of the old size.
///
/// # Errors
/// When it does not, or the store cannot be read or is damaged.
pub fn consistency(reader: &mut dyn Reader, old: u64, new: u64) -> Result<Consistency, ReadError> {
    let plan = consistency_plan(old, new).ok_or(ProofError::Smaller { old, new })?;
    let path = prove(plan, &mut kept(reader))?;
    let (since_root, root) = (root(reader, old)?, root(reader, new)?);
    verify_consistency(old, since_root, new, root, &path)?;
    Ok(Consistency { since_root, root, path })
}
