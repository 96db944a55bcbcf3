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

    /// The lines by which a witness cosigned it, as they are written.
    fn cosignatures(&self, witness: &VerifierKey) -> Vec<String> {
        let by_it = self.signatures.iter().filter(|line| line.names(witness));
        let is_right = |line: &&Line| {
            Cosignature::read(&line.signature).is_some_and(|one| one.verifies(witness, self.text))
        };
        by_it.filter(is_right).map(|line| signature_line(witness, &line.signature)).collect()
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

/// A note with the cosignatures besides that other notes of the same text have, each by the witness that it is said to be from. What does
/// not verify is left out, and so is what a note has no room for.
pub fn gather_cosignatures<'a>(
    note: &str,
    others: impl IntoIterator<Item = (&'a VerifierKey, &'a str)>,
) -> String {
    let mut gathered = note.to_owned();
    let Ok(read) = Note::read(note.as_bytes()) else { return gathered };
    let mut count = read.signatures.len();
    for (witness, other) in others {
        let Some(other) = Note::read(other.as_bytes()).ok().filter(|other| other.text == read.text) else {
            continue;
        };
        for line in other.cosignatures(witness) {
            let fits = count < NOTE_SIGNATURES_MAX && gathered.len() + line.len() <= NOTE_BYTES_MAX;
            if fits && !gathered.contains(&format!("\n{line}")) {
                gathered.push_str(&line);
                count += 1;
            }
        }
    }
    gathered
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

#[cfg(test)]
mod tests {
    use super::super::CosigningKey;
    use super::super::key::KeyName;
    use super::super::vector_tests::{
        COSIGNED, LOG, LOG_KEY, WITNESS_KEY, keys, log_key, name, seed, witness_key,
    };
    use super::*;

    fn verify(note: &str, known: &[&str]) -> Result<Vec<String>, NoteError> {
        let known = keys(known);
        let signers = Note::read(note.as_bytes())?.verify(&known)?;
        Ok(signers.iter().map(|key| key.to_string()).collect())
    }

    fn wrong(by: &KeyName) -> Result<Vec<String>, NoteError> {
        Err(NoteError::Wrong { name: by.to_string() })
    }

    #[test]
    fn the_last_empty_line_divides() {
        let note = sign_note("\none\n\n\ntwo — \n", &[&log_key()]);
        let read = Note::read(note.as_bytes()).expect("a note");
        assert_eq!(read.text, "\none\n\n\ntwo — \n");
        assert_eq!(verify(&note, &[LOG_KEY]), Ok(vec![LOG_KEY.to_owned()]));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let line = "— log AQIDBAU=\n";
        for (note, wanted) in [
            (String::new(), NoteError::Form),
            ("text\n".to_owned(), NoteError::Form),
            ("text\n\n".to_owned(), NoteError::Form),
            (format!("text\n{line}"), NoteError::Form),
            (format!("text\n\n{}", line.trim_end()), NoteError::Form),
            (COSIGNED.trim_end().to_owned(), NoteError::Form),
            // An empty line behind the signatures makes them text.
            (format!("{COSIGNED}\n"), NoteError::Form),
            (COSIGNED.replace('\n', "\r\n"), NoteError::Characters),
            (format!("te\txt\n\n{line}"), NoteError::Characters),
            (format!("te\0xt\n\n{line}"), NoteError::Characters),
            (format!("text\n\n{}", line.repeat(101)), NoteError::Signatures),
            (format!("text\n\n{line}signed\n"), NoteError::Line { line: 2 }),
            ("text\n\n- log AQIDBAU=\n".to_owned(), NoteError::Line { line: 1 }),
            ("text\n\n—log AQIDBAU=\n".to_owned(), NoteError::Line { line: 1 }),
            ("text\n\n— log\n".to_owned(), NoteError::Line { line: 1 }),
            ("text\n\n—  AQIDBAU=\n".to_owned(), NoteError::Line { line: 1 }),
            ("text\n\n— a+b AQIDBAU=\n".to_owned(), NoteError::Line { line: 1 }),
            ("text\n\n— a\u{2003}b AQIDBAU=\n".to_owned(), NoteError::Line { line: 1 }),
            ("text\n\n— log  AQIDBAU=\n".to_owned(), NoteError::Line { line: 1 }),
            ("text\n\n— log AQIDBAU= \n".to_owned(), NoteError::Line { line: 1 }),
            ("text\n\n— log AQIDBAU\n".to_owned(), NoteError::Line { line: 1 }),
            ("text\n\n— log AQIDBAV=\n".to_owned(), NoteError::Line { line: 1 }),
            // No more than an id.
            ("text\n\n— log AQIDBA==\n".to_owned(), NoteError::Line { line: 1 }),
        ] {
            assert_eq!(Note::read(note.as_bytes()), Err(wanted), "{note}");
        }
        assert_eq!(Note::read(b"te\xffxt\n\n"), Err(NoteError::Characters));
        let long = format!("{}\n\n{line}", "x".repeat(NOTE_BYTES_MAX));
        assert_eq!(Note::read(long.as_bytes()), Err(NoteError::Long { bytes: long.len() }));
        let most = format!("text\n\n{}", line.repeat(NOTE_SIGNATURES_MAX));
        assert_eq!(Note::read(most.as_bytes()).map(|note| note.signers().count()), Ok(NOTE_SIGNATURES_MAX));
    }

    #[test]
    fn a_known_key_condemns_and_an_unknown_one_does_not_count() {
        let (log, witness) = (log_key().verifier(), witness_key().verifier());
        // A bit of the text.
        let note = COSIGNED.replacen("osel\n8\n", "osel\n9\n", 1);
        assert_eq!(verify(&note, &[LOG_KEY]), wrong(log.name()));
        assert_eq!(verify(&note, &[WITNESS_KEY]), wrong(witness.name()));
        // A bit of the log's signature.
        let note = COSIGNED.replacen("auKnHWnm", "auKnHWnn", 1);
        assert_eq!(verify(&note, &[LOG_KEY, WITNESS_KEY]), wrong(log.name()));
        assert_eq!(verify(&note, &[WITNESS_KEY]), Ok(vec![WITNESS_KEY.to_owned()]));
        // A bit of the witness' signature, and of the time that it covers.
        for note in [COSIGNED.replacen("FmWjDQ", "FmWjDA", 1), COSIGNED.replacen("lU/EA", "lU/EB", 1)] {
            assert_ne!(note, COSIGNED);
            assert_eq!(verify(&note, &[LOG_KEY, WITNESS_KEY]), wrong(witness.name()));
            assert_eq!(verify(&note, &[LOG_KEY]), Ok(vec![LOG_KEY.to_owned()]));
        }
        // A signature that is too short for its known key.
        let note = COSIGNED.replacen(
            "— witness.example/w1 ",
            "— log.example/osel auKnHQE=\n— witness.example/w1 ",
            1,
        );
        assert_eq!(verify(&note, &[LOG_KEY]), wrong(log.name()));
        // Nobody who is known.
        assert_eq!(verify(COSIGNED, &[]), Err(NoteError::Unknown));
        let other = SigningKey::from_seed(name(LOG), &seed(1)).verifier().to_string();
        assert_eq!(verify(COSIGNED, &[&other]), Err(NoteError::Unknown));
        let other = SigningKey::from_seed(name("log.example"), &seed(0)).verifier().to_string();
        assert_eq!(verify(COSIGNED, &[&other]), Err(NoteError::Unknown));
    }

    #[test]
    fn a_cosignature_is_not_the_logs_signature() {
        // The same secret, the other way to sign.
        let both_ways = [log_key().verifier(), CosigningKey::from_seed(name(LOG), &seed(0)).verifier()];
        assert_ne!(both_ways[0].id(), both_ways[1].id());
        let note = sign_note("text\n", &[&log_key()]);
        let read = Note::read(note.as_bytes()).expect("a note");
        assert_eq!(read.verify(&both_ways), Ok(vec![&both_ways[0]]));
        assert_eq!(read.cosigned_at(&both_ways[1]), None);
    }

    #[test]
    fn two_keys_may_have_one_name() {
        let (old, new) = (log_key(), SigningKey::from_seed(name(LOG), &seed(9)));
        let note = sign_note("text\n", &[&old, &new, &old]);
        let (old, new) = (old.verifier().to_string(), new.verifier().to_string());
        assert_eq!(verify(&note, &[&new]), Ok(vec![new.clone()]));
        assert_eq!(verify(&note, &[&new, &old]), Ok(vec![old, new]));
    }

    #[test]
    fn two_keys_may_have_one_name_and_one_id() {
        // Found by trying: of 141,235 keys these two are the first with one id.
        let [one, two] = [51_561_u64, 141_234].map(|number| {
            let mut seed = [0; 32];
            seed[24..].copy_from_slice(&number.to_be_bytes());
            SigningKey::from_seed(name(LOG), &seed)
        });
        assert_eq!(one.verifier().id(), two.verifier().id());
        let (first, second) = (one.verifier().to_string(), two.verifier().to_string());
        let note = sign_note("text\n", &[&two]);
        assert_eq!(verify(&note, &[&first, &second]), Ok(vec![second.clone()]));
        assert_eq!(verify(&note, &[&first]), wrong(one.verifier().name()));
        let note = sign_note("text\n", &[&two, &one]);
        assert_eq!(verify(&note, &[&first, &second]), Ok(vec![second, first]));
    }

    #[test]
    fn cosignatures_of_one_text_come_together() {
        let log = log_key();
        let text = format!("{LOG}\n1\nroot\n");
        let signed = sign_note(&text, &[&log]);
        let witnesses = [7, 8].map(|byte| CosigningKey::from_seed(name("witness"), &seed(byte)));
        let [one, two] = witnesses.each_ref().map(CosigningKey::verifier);
        let noted = |lines: &[String]| signed.clone() + &lines.concat();
        let by_one = noted(&[witnesses[0].cosign(&text, 1)]);
        let by_two = noted(&[witnesses[1].cosign(&text, 2), witnesses[1].cosign("another\n", 3)]);
        let gathered = gather_cosignatures(&signed, [(&one, &*by_one), (&two, &*by_two), (&one, &*by_one)]);
        assert_eq!(gathered, noted(&[witnesses[0].cosign(&text, 1), witnesses[1].cosign(&text, 2)]));
        // Of another text, by another than is said, and no note at all.
        let other = sign_note("another\n", &[&log]) + &witnesses[0].cosign("another\n", 1);
        let nothing = [(&one, &*other), (&two, &*by_one), (&one, "no note")];
        assert_eq!(gather_cosignatures(&signed, nothing), signed);
        // A note has room for a hundred.
        let many: Vec<String> = (0..200).map(|second| witnesses[0].cosign(&text, second)).collect();
        for lines in many.chunks(50) {
            assert_eq!(
                gather_cosignatures(&noted(&many[..99]), [(&one, &*noted(lines))]).lines().count(),
                104
            );
        }
    }
}
