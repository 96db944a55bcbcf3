//! Proofs as one text (C2SP `tlog-proof`): a leaf's place, its path to the root, and the checkpoint that has the root.
//!
//! With the leaf's own hash and the log's key this is all that somebody without connection needs. The usual ending of such a file's
//! name is `.tlog-proof`.

use std::fmt::Write as _;

use super::super::hash::Hash;
use super::super::merkle::{PROOF_HASHES_MAX, ProofError, verify_inclusion};
use super::checkpoint::{Checkpoint, CheckpointError};
use super::key::VerifierKey;
use super::note::NOTE_BYTES_MAX;
use super::text::{base64, from_base64, hash_from_base64, number};

/// The longest proof that is read: its checkpoint, and as much again for path (3 kB) and extra data, which is nobody's word.
pub const LOG_PROOF_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// That a leaf is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// The leaf's place, from 0.
    pub index: u64,
    /// The siblings on the way from leaf to root.
    pub path: Vec<Hash>,
    /// The signed checkpoint, byte for byte as the log gave it.
    pub checkpoint: String,
}

/// Why a text is no proof, or proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    /// It is longer than [`LOG_PROOF_BYTES_MAX`].
    #[error("a proof of {bytes} bytes is longer than {LOG_PROOF_BYTES_MAX}")]
    Long {
        /// How many bytes it has.
        bytes: usize,
    },
    /// It is not UTF-8, has another first line or no empty line before a checkpoint.
    #[error("a proof begins with `{FIRST_LINE}` and ends with a checkpoint after an empty line")]
    Form,
    /// Its extra data is not base64 in its one form.
    #[error("the extra data of the proof is not base64")]
    Extra,
    /// It has no index, or one that is no number in its one form.
    #[error("the index of the proof is no number")]
    Index,
    /// A hash is none, or there are more than any tree needs.
    #[error("a proof has at most {PROOF_HASHES_MAX} hashes, one on each line")]
    Path,
    /// Its checkpoint is none, or not believed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It does not lead from the leaf to the root.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

impl LogProof {
    /// The proof in writing.
    pub fn text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nindex {}\n", self.index);
        for hash in &self.path {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}", base64(&hash.0));
        }
        text.push('\n');
        text + &self.checkpoint
    }

    /// Reads a proof, and verifies nothing. Extra data, which nobody vouches for, is passed over.
    ///
    /// # Errors
    /// What it has not of a proof.
    pub fn read(bytes: &[u8]) -> Result<Self, LogProofError> {
        if bytes.len() > LOG_PROOF_BYTES_MAX {
            return Err(LogProofError::Long { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| LogProofError::Form)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(LogProofError::Form)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(LogProofError::Form);
        }
        if let Some(extra) = lines.next_if(|line| line.starts_with("extra ")) {
            extra.strip_prefix("extra ").and_then(from_base64).ok_or(LogProofError::Extra)?;
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(number);
        let index = index.ok_or(LogProofError::Index)?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() == PROOF_HASHES_MAX {
                return Err(LogProofError::Path);
            }
            path.push(hash_from_base64(line).ok_or(LogProofError::Path)?);
        }
        Checkpoint::read_unverified(checkpoint.as_bytes())?;
        Ok(Self { index, path, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that the leaf is where the proof says in a log whose key is known, and gives the checkpoint that says so.
    ///
    /// # Errors
    /// When the checkpoint is not believed, or the leaf is not in it.
    pub fn verify(&self, leaf: Hash, known: &[VerifierKey]) -> Result<Checkpoint, LogProofError> {
        let checkpoint = Checkpoint::open(self.checkpoint.as_bytes(), known)?;
        verify_inclusion(leaf, self.index, checkpoint.size, &self.path, checkpoint.root)?;
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::super::note::NoteError;
    use super::super::vector_tests::{COSIGNED, LOG_KEY, WITNESS_KEY, keys, leaves};
    use super::*;

    const HASH: &str = "O4WpYmwcy2TGuV7H+mSIje/izxLjnnfhCBLOX8uctY4=";

    #[test]
    fn lines_are_read_strictly() {
        let head = "c2sp.org/tlog-proof@v1\n";
        let read = |head: &str| LogProof::read(format!("{head}\n{COSIGNED}").as_bytes());
        let proof = read(&format!("{head}index 5\n{HASH}\n")).expect("a proof");
        assert_eq!((proof.index, proof.path.len(), &proof.checkpoint[..]), (5, 1, COSIGNED));
        assert_eq!(read(&format!("{head}index 0\n")).map(|proof| proof.path), Ok(vec![]));
        assert_eq!(read(&format!("{head}extra AQI=\nindex 5\n{HASH}\n")), Ok(proof));
        let most = format!("{head}index 5\n{}", format!("{HASH}\n").repeat(PROOF_HASHES_MAX));
        assert_eq!(read(&most).map(|proof| proof.text()), Ok(format!("{most}\n{COSIGNED}")));
        for (text, wanted) in [
            ("", LogProofError::Form),
            ("c2sp.org/tlog-proof@v2\nindex 5\n", LogProofError::Form),
            (" c2sp.org/tlog-proof@v1\nindex 5\n", LogProofError::Form),
            ("c2sp.org/tlog-proof@v1\r\nindex 5\r\n", LogProofError::Form),
            (&format!("{head}extra AQI\nindex 5\n"), LogProofError::Extra),
            (&format!("{head}extra AQI=\nextra AQI=\nindex 5\n"), LogProofError::Index),
            (head, LogProofError::Index),
            (&format!("{head}{HASH}\n"), LogProofError::Index),
            (&format!("{head}index 08\n"), LogProofError::Index),
            (&format!("{head}index  8\n"), LogProofError::Index),
            (&format!("{head}index 8 \n"), LogProofError::Index),
            (&format!("{head}index 5\n{HASH}{HASH}\n"), LogProofError::Path),
            (&format!("{head}index 5\nAQI=\n"), LogProofError::Path),
            (&format!("{head}index 5\nextra AQI=\n"), LogProofError::Path),
            (&format!("{most}{HASH}\n"), LogProofError::Path),
        ] {
            assert_eq!(read(text), Err(wanted), "{text}");
        }
        let bytes = LOG_PROOF_BYTES_MAX + 1;
        assert_eq!(LogProof::read(&vec![b'x'; bytes]), Err(LogProofError::Long { bytes }));
        assert_eq!(LogProof::read(b"\xff"), Err(LogProofError::Form));
        let without = format!("{head}index 5\n\n{}", COSIGNED.trim_end());
        let cut = LogProofError::Checkpoint(CheckpointError::Note(NoteError::Form));
        assert_eq!(LogProof::read(without.as_bytes()), Err(cut));
    }

    #[test]
    fn each_part_of_it_counts() {
        let all = leaves(0..8);
        let pair =
            |place: usize| super::super::super::merkle::tree_root(all[place..place + 2].iter().copied());
        let path = vec![all[4], pair(6), super::super::super::merkle::tree_root(all[..4].iter().copied())];
        let proof = LogProof { index: 5, path, checkpoint: COSIGNED.to_owned() };
        let known = keys(&[LOG_KEY]);
        assert_eq!(proof.verify(all[5], &known).map(|checkpoint| checkpoint.size), Ok(8));
        let wrong = |proof: &LogProof| proof.verify(all[5], &known).err();
        let with = |change: fn(&mut LogProof)| {
            let mut changed = proof.clone();
            change(&mut changed);
            wrong(&changed)
        };
        let inclusion = |error| Some(LogProofError::Inclusion(error));
        assert_eq!(with(|proof| proof.index = 4), inclusion(ProofError::Root));
        assert_eq!(with(|proof| proof.index = 8), inclusion(ProofError::NoSuchLeaf { index: 8, size: 8 }));
        assert_eq!(with(|proof| proof.path.swap(0, 1)), inclusion(ProofError::Root));
        assert_eq!(with(|proof| proof.path[2].0[0] ^= 1), inclusion(ProofError::Root));
        let length = |found| inclusion(ProofError::Length { found, expected: 3 });
        assert_eq!(with(|proof| proof.path.truncate(2)), length(2));
        assert_eq!(with(|proof| proof.path.push(Hash::ZERO)), length(4));
        let unsigned = LogProofError::Checkpoint(CheckpointError::Note(NoteError::Unknown));
        assert_eq!(proof.verify(all[5], &[]), Err(unsigned));
        assert!(matches!(
            proof.verify(all[5], &keys(&[WITNESS_KEY])),
            Err(LogProofError::Checkpoint(CheckpointError::NotItsLog { .. }))
        ));
    }
}
