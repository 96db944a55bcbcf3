//! The audit trail: what a record's bytes are, how records are chained, and how anybody checks them.
//!
//! [`Chain::seal`] turns a [`Draft`] (parts whose bytes were made elsewhere) into canonical bytes that commit to every part
//! and to the record before; [`Verifier`] walks stored records and names the first bad one; [`Prover`] collects short proofs that a
//! record is in the Merkle tree over all of them, [`log`] signs that tree in the formats that other people's programs read, and
//! [`bundle`] carries records to whoever has no store. The layout, with test vectors, is in `docs/trail-format.md`; what is written there
//! is for ever, a change is a new version.
//!
//! Nothing here knows what a part says, draws a salt or reads a store: parts come from `engine`, salts with its input, and
//! sealed records go to the shell's journal. Sentences and older formats are rendered from parts and never hashed.

pub mod bundle;
mod canonical;
mod chain;
mod hash;
mod head;
mod kind;
pub mod log;
mod merkle;
mod person;
mod verify;

#[cfg(test)]
mod tamper_tests;

pub use canonical::{
    CANONICAL_BYTES_MAX, Canonical, CommittedPart, Header, Malformed, PARTS_ALWAYS_FIT, PROJECT_BYTES_MAX,
    VERSION,
};
pub use chain::{Chain, ContentView, Draft, Part, PartView, SealError, Sealed, SealedPart};
pub use hash::{Committed, Hash, ParseHashError, SALT_BYTES, Salt, commitment, leaf_hash};
pub use head::{Head, NotedHead, ParseHeadError};
pub use kind::{PartClass, RecordKind};
pub use merkle::{
    PROOF_HASHES_MAX, Plan, ProofError, Prover, Tree, consistency_plan, empty_root, inclusion_plan,
    node_hash, tree_root, verify_consistency, verify_inclusion,
};
pub use person::Person;
pub use verify::{
    Bad, Checked, PartCounts, StoredContent, StoredPart, StoredRecord, Verified, Verifier, Why, check_alone,
};
