//! The log over the records as C2SP has it: keys, signed notes, checkpoints, tiles and proofs that other people's programs read.
//!
//! The tree is [`Tree`](super::Tree); here it learns to give away the hashes that are worth keeping ([`Node`]), to grow on from them,
//! and to prove from them. A [`Checkpoint`] is what is signed: size and root. A [`Resource`] is what a log serves under which path,
//! and a [`LogProof`] is a record's place in a checkpoint, as one text. The formats are in `docs/trail-format.md`.
//!
//! Everything that is read here may come from an enemy: it is refused or taken, never half taken, and within named bounds. Nothing
//! here draws a key, knows the time or reads a store: a key comes as 32 bytes, kept hashes come from the caller.

mod checkpoint;
mod cosignature;
mod growing;
mod key;
mod note;
mod proof;
mod text;
mod tile;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod vector_tests;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::{COSIGNED_SECONDS_MAX, CosigningKey};
pub use growing::{Node, ResumeError, prove, range_hash};
pub use key::{KeyError, KeyKind, KeyName, NAME_BYTES_MAX, NameError, SigningKey, VerifierKey};
pub use note::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, Note, NoteError, gather_cosignatures, sign_note};
pub use proof::{LOG_PROOF_BYTES_MAX, LogProof, LogProofError};
pub use text::TREE_SIZE_MAX;
pub(crate) use text::{base64, hash_from_base64, number};
pub use tile::{
    ENTRY_BYTES_MAX, Resource, TILE_LEVELS, TILE_WIDTH, TileError, check_entries, push_entry, read_entries,
    read_hashes, tiles_of,
};
