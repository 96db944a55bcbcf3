//! What a witness is sent, and what it sends back, as texts.

use std::fmt::Write as _;

use crate::trail::log::{
    Checkpoint, CheckpointError, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, Note, NoteError, VerifierKey, base64,
    hash_from_base64, number,
};
use crate::trail::{Hash, PROOF_HASHES_MAX};

/// The longest request that is read: a checkpoint, and as much as a number and [`PROOF_HASHES_MAX`] hashes may have (3 kB).
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + 4096;

/// The body of `POST …/add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness is believed to have seen last; 0 for never.
    pub old: u64,
    /// That the checkpoint's tree begins with that one.
    pub proof: Vec<Hash>,
    /// The checkpoint, signed by its log.
    pub note: String,
}

/// Why a request cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is longer than [`REQUEST_BYTES_MAX`].
    #[error("a request of {bytes} bytes is longer than {REQUEST_BYTES_MAX}")]
    Long {
        /// How many bytes it has.
        bytes: usize,
    },
    /// It is not UTF-8, or has no empty line before a checkpoint.
    #[error("a request has a line `old SIZE`, the hashes of a proof, an empty line and a checkpoint")]
    Form,
    /// Its first line is not `old` and a number in its one form.
    #[error("the first line of the request is not `old` and a size")]
    Old,
    /// A hash is none, or there are more than any tree needs.
    #[error("a proof has at most {PROOF_HASHES_MAX} hashes, one on each line")]
    Proof,
}

impl AddCheckpoint {
    /// The request in writing.
    pub fn text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}", base64(&hash.0));
        }
        text.push('\n');
        text + &self.note
    }

    /// Reads a request, and believes nothing of it.
    ///
    /// # Errors
    /// What it has not of a request.
    pub fn read(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::Long { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RequestError::Form)?;
        let (head, note) = text.split_once("\n\n").ok_or(RequestError::Form)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(number);
        let old = old.ok_or(RequestError::Old)?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_HASHES_MAX {
                return Err(RequestError::Proof);
            }
            proof.push(hash_from_base64(line).ok_or(RequestError::Proof)?);
        }
        Ok(Self { old, proof, note: note.to_owned() })
    }
}

/// The note with the lines that a witness answered with, as far as they are its own and right, and when it says to have seen it, in
/// seconds since 1970. None when no line is.
///
/// # Errors
/// When the note is no checkpoint.
pub fn cosigned(
    note: &str,
    answer: &str,
    witness: &VerifierKey,
) -> Result<Option<(String, u64)>, CheckpointError> {
    let signed = Note::read(note.as_bytes())?;
    Checkpoint::read_text(signed.text)?;
    let mut found: Option<(String, u64)> = None;
    // What else a witness may say, for other readers, is passed over: a log keeps what it can verify.
    for line in answer.split_inclusive('\n').take(NOTE_SIGNATURES_MAX) {
        let with = format!("{note}{line}");
        let seconds = match Note::read(format!("{}\n{line}", signed.text).as_bytes()) {
            Ok(alone) => alone.cosigned_at(witness),
            Err(NoteError::Long { .. }) => break,
            Err(_) => None,
        };
        if let Some(seconds) = seconds {
            found = found.filter(|(_, earlier)| *earlier >= seconds).or(Some((with, seconds)));
        }
    }
    Ok(found)
}
