//! Signed notes (C2SP `signed-note`): a text, an empty line, and lines with signatures of it.
//!
//! Whoever reads one knows some keys. Lines of other keys are left alone, since a note may be signed by anybody; a line of a known key
//! that does not verify condemns the whole note, since somebody tried. What a text says is not of this file.

use super::cosignature::Cosignature;
use super::key::{SigningKey, VerifierKey, is_name};
use super::text::{base64, from_base64};

/// The longest note that is read, as Go's reader has it: a hundred of the longest signatures there are (3.2 kB) and a long text.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// The most signatures on a note that is read: C2SP asks for 16 at least, Go's reader takes as many.
pub const NOTE_SIGNATURES_MAX: usize = 100;

/// What begins a signature's line.
const SIGNED_BY: &str = "— ";
/// The bytes of a key's id before a signature.
const ID_BYTES: usize = 4;

/// A note that was read, and not believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// What is signed, with the line feed at its end.
    pub text: &'a str,
    signatures: Vec<Line<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line<'a> {
    name: &'a str,
    id: [u8; ID_BYTES],
    signature: Vec<u8>,
}

/// Why a note is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has more than [`NOTE_BYTES_MAX`] bytes.
    #[error("a note of {bytes} bytes is longer than {NOTE_BYTES_MAX}")]
    Long {
        /// How many it has.
        bytes: usize,
    },
    /// It is not UTF-8, or has control characters besides line feeds.
    #[error("a note is UTF-8 without control characters")]
    Characters,
    /// No empty line stands between text and signatures, or the end is cut.
    #[error("a note is a text, an empty line, and lines with signatures")]
    Form,
    /// It has more than [`NOTE_SIGNATURES_MAX`] signatures.
    #[error("a note has at most {NOTE_SIGNATURES_MAX} signatures")]
    Signatures,
    /// A line is no signature.
    #[error("signature {line} of the note is malformed")]
    Line {
        /// Which one, from 1.
        line: usize,
    },
    /// A known key's signature is wrong.
    #[error("the signature by `{name}` is wrong")]
    Wrong {
        /// The name of the key.
        name: String,
    },
    /// None of the known keys signed it.
    #[error("none of the known keys signed the note")]
    Unknown,
}

impl<'a> Note<'a> {
    /// Reads a note without verifying anything.
    ///
    /// # Errors
    /// What it has not of a note.
    pub fn read(bytes: &'a [u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Long { bytes: bytes.len() });
        }
        if bytes.iter().any(|&byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::Characters);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Characters)?;
        // The text may have empty lines itself: the last one divides.
        let end = note.rfind("\n\n").ok_or(NoteError::Form)? + 1;
        let (text, lines) = (&note[..end], &note[end + 1..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == NOTE_SIGNATURES_MAX {
                return Err(NoteError::Signatures);
            }
            let line = Line::read(line).ok_or(NoteError::Line { line: signatures.len() + 1 })?;
            signatures.push(line);
        }
        Ok(Self { text, signatures })
    }

    /// The keys of `known` that signed it, each once, in the order of their first lines.
    ///
    /// # Errors
    /// When a known key's signature is wrong, or no known key signed it.
    pub fn verify<'k>(&self, known: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signers: Vec<&VerifierKey> = Vec::new();
        for line in &self.signatures {
            // More than one where two keys were made to have the same id.
            let mut candidates = known.iter().filter(|key| line.names(key)).peekable();
            if candidates.peek().is_none() {
                continue;
            }
            let signer = candidates
                .find(|key| key.verifies(self.text, &line.signature))
                .ok_or_else(|| NoteError::Wrong { name: line.name.to_owned() })?;
            if !signers.contains(&signer) {
                signers.push(signer);
            }
        }
        if signers.is_empty() { Err(NoteError::Unknown) } else { Ok(signers) }
    }

    /// When the owner of a cosignature's key says to have seen it, in seconds since 1970; none when that key did not sign it.
    pub fn cosigned_at(&self, witness: &VerifierKey) -> Option<u64> {
        let lines = self.signatures.iter().filter(|line| line.names(witness));
        let cosignatures = lines.filter_map(|line| Cosignature::read(&line.signature));
        cosignatures
            .filter(|cosignature| cosignature.verifies(witness, self.text))
            .map(|one| one.seconds)
            .max()
    }

    /// Names and ids of the keys that signed it by its own word, in order.
    pub fn signers(&self) -> impl Iterator<Item = (&'a str, [u8; 4])> {
        self.signatures.iter().map(|line| (line.name, line.id))
    }
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(SIGNED_BY)?.split_once(' ')?;
        let mut signature = from_base64(signature)?;
        // Whatever the kind of key, no signature is empty.
        if !is_name(name) || signature.len() <= ID_BYTES {
            return None;
        }
        let rest = signature.split_off(ID_BYTES);
        let id = signature.try_into().ok()?;
        Some(Self { name, id, signature: rest })
    }

    fn names(&self, key: &VerifierKey) -> bool {
        (self.name, self.id) == (key.name().as_str(), key.id())
    }
}

/// The line of a signature.
pub(super) fn signature_line(key: &VerifierKey, signature: &[u8]) -> String {
    let signature = [&key.id(), signature].concat();
    format!("{SIGNED_BY}{} {}\n", key.name(), base64(&signature))
}

/// A note of that text, signed by these keys. The text ends with a line feed and has no other control characters, and there is a
/// key: nobody reads what was signed otherwise.
pub fn sign_note(text: &str, keys: &[&SigningKey]) -> String {
    let mut note = format!("{text}\n");
    for key in keys {
        note.push_str(&signature_line(&key.verifier(), &key.sign(text)));
    }
    note
}
