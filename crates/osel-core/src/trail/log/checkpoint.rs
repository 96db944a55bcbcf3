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
        self.sign_by(&[key])
    }

    /// The same by several keys of the log, such as the last by one that is the first by the next.
    pub fn sign_by(&self, keys: &[&SigningKey]) -> String {
        sign_note(&self.text(), keys)
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

#[cfg(test)]
mod tests {
    use super::super::CosigningKey;
    use super::super::vector_tests::{COSIGNED, LOG, LOG_KEY, WITNESS_KEY, keys, log_key, name, seed};
    use super::*;

    const ROOT: &str = "O4WpYmwcy2TGuV7H+mSIje/izxLjnnfhCBLOX8uctY4=";

    #[test]
    fn lines_are_read_strictly() {
        let read = |text: String| Checkpoint::read_text(&text);
        let wanted =
            Checkpoint { origin: name("log"), size: 8, root: hash_from_base64(ROOT).expect("a hash") };
        assert_eq!(read(format!("log\n8\n{ROOT}\n")), Ok(wanted.clone()));
        assert_eq!(wanted.text(), format!("log\n8\n{ROOT}\n"));
        // What else a log says is passed over.
        assert_eq!(read(format!("log\n8\n{ROOT}\nmore: 1\nand more\n")), Ok(wanted));
        let empty = base64(&empty_root().0);
        assert_eq!(read(format!("log\n0\n{empty}\n")).map(|checkpoint| checkpoint.size), Ok(0));
        assert!(read(format!("log\n9223372036854775807\n{ROOT}\n")).is_ok());
        for (text, wanted) in [
            (String::new(), CheckpointError::Lines),
            ("\n".to_owned(), CheckpointError::Lines),
            ("log\n8\n".to_owned(), CheckpointError::Lines),
            (format!("log\n8\n{ROOT}"), CheckpointError::Lines),
            (format!("log\n8\n{ROOT}\n\n"), CheckpointError::Lines),
            (format!("log\n8\n{ROOT}\n\nmore\n"), CheckpointError::Lines),
            (format!("\n8\n{ROOT}\n"), CheckpointError::Origin(NameError::Empty)),
            (format!("a log\n8\n{ROOT}\n"), CheckpointError::Origin(NameError::Character)),
            (format!("log\n08\n{ROOT}\n"), CheckpointError::Size),
            (format!("log\n+8\n{ROOT}\n"), CheckpointError::Size),
            (format!("log\n-8\n{ROOT}\n"), CheckpointError::Size),
            (format!("log\n\n{ROOT}\n"), CheckpointError::Size),
            (format!("log\n9223372036854775808\n{ROOT}\n"), CheckpointError::Size),
            (format!("log\n8\n{}\n", &ROOT[..43]), CheckpointError::Root),
            (format!("log\n8\n{}\n", ROOT.replace("tY4=", "tY5=")), CheckpointError::Root),
            (format!("log\n8\n {ROOT}\n"), CheckpointError::Root),
            ("log\n8\nAQID\n".to_owned(), CheckpointError::Root),
            (format!("log\n0\n{ROOT}\n"), CheckpointError::Empty),
        ] {
            assert_eq!(read(text.clone()), Err(wanted), "{text}");
        }
    }

    #[test]
    fn only_the_log_itself_makes_a_checkpoint_its_own() {
        let not_its_log = Err(CheckpointError::NotItsLog { origin: name(LOG) });
        let open = |note: &str, known: &[VerifierKey]| Checkpoint::open(note.as_bytes(), known);
        assert!(open(COSIGNED, &keys(&[LOG_KEY])).is_ok());
        assert_eq!(open(COSIGNED, &keys(&[WITNESS_KEY])), not_its_log);
        assert_eq!(open(COSIGNED, &[]), Err(CheckpointError::Note(NoteError::Unknown)));
        let checkpoint = Checkpoint::read_unverified(COSIGNED.as_bytes()).expect("a checkpoint");
        // Another log signs in its name.
        let other = SigningKey::from_seed(name("other.example"), &seed(7));
        assert_eq!(open(&checkpoint.sign(&other), &[other.verifier(), log_key().verifier()]), not_its_log);
        // A witness has the log's name.
        let witness = CosigningKey::from_seed(name(LOG), &seed(7));
        let text = checkpoint.text();
        let note = format!("{text}\n{}", witness.cosign(&text, 1));
        assert_eq!(open(&note, &[witness.verifier()]), not_its_log);
    }

    #[test]
    fn what_was_received_is_verified_as_it_came() {
        // Signed with a line that is not read: without it the signature would be of another text.
        let text = format!("{LOG}\n8\n{ROOT}\nmore\n");
        let note = sign_note(&text, &[&log_key()]);
        let known = [log_key().verifier()];
        assert!(Checkpoint::open(note.as_bytes(), &known).is_ok());
        let without = note.replacen("more\n", "", 1);
        let wrong = NoteError::Wrong { name: LOG.to_owned() };
        assert_eq!(Checkpoint::open(without.as_bytes(), &known), Err(CheckpointError::Note(wrong)));
    }
}
