//! The witnesses whom the one who checks knows, and when each says to have seen the checkpoint that a bundle is proved by.
//!
//! A witness is somebody else who saw the log grow. Nothing in a bundle says who is one: cosignatures count by keys that are given, and by
//! no other.

use super::super::log::{CheckpointError, KeyKind, Note, NoteError, VerifierKey};
use super::fault::Fault;

/// A witness that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Its key.
    pub witness: VerifierKey,
    /// When it says to have seen the checkpoint, in seconds since 1970; none where it did not cosign it.
    pub seconds: Option<u64>,
}

/// Witnesses, and how many of them must have cosigned.
#[derive(Clone, Debug, Default)]
pub(super) struct Witnesses {
    keys: Vec<VerifierKey>,
    wanted: usize,
}

impl Witnesses {
    pub(super) fn new(keys: Vec<VerifierKey>, wanted: usize) -> Self {
        let mut different: Vec<VerifierKey> = Vec::new();
        // One that is given twice is one, and a log does not witness itself.
        for key in keys {
            if key.kind() == KeyKind::Cosignature && !different.contains(&key) {
                different.push(key);
            }
        }
        Self { keys: different, wanted }
    }

    /// Who has cosigned the checkpoint in a note.
    pub(super) fn judge(&self, note: &str) -> Result<Vec<Witnessed>, Fault> {
        let note = Note::read(note.as_bytes()).map_err(CheckpointError::Note)?;
        match note.verify(&self.keys) {
            Ok(_) | Err(NoteError::Unknown) => {}
            Err(wrong) => return Err(CheckpointError::Note(wrong).into()),
        }
        let seen = |key: &VerifierKey| Witnessed { witness: key.clone(), seconds: note.cosigned_at(key) };
        let all: Vec<Witnessed> = self.keys.iter().map(seen).collect();
        let found = all.iter().filter(|one| one.seconds.is_some()).count();
        if found < self.wanted { Err(Fault::Witnesses { wanted: self.wanted, found }) } else { Ok(all) }
    }
}
