//! Checkpoints (C2SP `tlog-checkpoint`): the size and the root of a log, signed by it.
//!
//! A log never signs two that contradict each other: who may sign which is decided where the tree grows, not here. What was received
//! is verified as it came and is kept as it came; [`Checkpoint::text`] is for signing only.

use std::fmt::Write as _;

use super::super::hash::Hash;
use super::super::merkle::empty_root;
use super::key::{KeyKind, KeyName, NameError, SigningKey, VerifierKey};
use super::note::{Note, NoteError, sign_note};
use super::text::{base64, hash_from_base64, number};

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is of.
    pub origin: KeyName,
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a note is no checkpoint, or is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is no note, or no known key signed it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A line is missing, empty or not ended.
    #[error("a checkpoint has lines for origin, size and root, and none that is empty")]
    Lines,
    /// Its first line is no origin as keys are named.
    #[error("the origin of the checkpoint is none")]
    Origin(#[source] NameError),
    /// Its second line is no number of at most 63 bits in its one form.
    #[error("the size of the checkpoint is no number")]
    Size,
    /// Its third line is no hash in its one form.
    #[error("the root of the checkpoint is no hash")]
    Root,
    /// It tells of no leaves, and of a root that is not that of no leaves.
    #[error("the checkpoint has no leaves, and another root than that of no leaves")]
    Empty,
    /// Known keys signed it, none of which is the log's.
    #[error("no known key of the log `{origin}` signed the checkpoint")]
    NotItsLog {
        /// The log that it says to be of.
        origin: KeyName,
    },
}

impl Checkpoint {
    /// What is signed.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}\n{}\n{}", self.origin, self.size, base64(&self.root.0));
        text
    }

    /// Reads a note's text. Further lines are taken and mean nothing, as C2SP has it.
    ///
    /// # Errors
    /// Which line is not as it must be.
    pub fn read_text(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Lines);
        };
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Lines);
        }
        let origin = origin.parse().map_err(CheckpointError::Origin)?;
        let size = number(size).ok_or(CheckpointError::Size)?;
        let root = hash_from_base64(root).ok_or(CheckpointError::Root)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::Empty);
        }
        Ok(Self { origin, size, root })
    }

    /// The note with this checkpoint, signed by the log.
    pub fn sign(&self, key: &SigningKey) -> String {
        sign_note(&self.text(), &[key])
    }

    /// Reads a note that must be signed by a known key of the log that it names.
    ///
    /// # Errors
    /// When it is no checkpoint, when a known key's signature on it is wrong, or when none is by its log.
    pub fn open(note: &[u8], known: &[VerifierKey]) -> Result<Self, CheckpointError> {
        let note = Note::read(note)?;
        let signers = note.verify(known)?;
        let checkpoint = Self::read_text(note.text)?;
        let by_its_log =
            |key: &&VerifierKey| key.kind() == KeyKind::Ed25519 && *key.name() == checkpoint.origin;
        if signers.iter().any(by_its_log) {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::NotItsLog { origin: checkpoint.origin })
        }
    }

    /// Reads a note and believes nobody: for what was verified when it came, and for showing.
    ///
    /// # Errors
    /// When it is no checkpoint.
    pub fn read_unverified(note: &[u8]) -> Result<Self, CheckpointError> {
        Self::read_text(Note::read(note)?.text)
    }
}
