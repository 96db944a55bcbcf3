//! Cosignatures by Ed25519 (C2SP `tlog-cosignature`, type 04): a witness says when it saw a checkpoint that goes on from all it saw.
//!
//! The time is the witness' word and an argument here; who must have cosigned, and how long ago, is decided elsewhere.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{SIGNATURE_LENGTH, Signature, Signer};

use super::key::{KeyError, KeyKind, KeyName, VerifierKey, private, private_text, with_id};
use super::note::signature_line;

/// The latest time of a cosignature: C2SP's numbers have 63 bits.
pub const COSIGNED_SECONDS_MAX: u64 = u64::MAX >> 1;

/// The bytes of the time before the signature.
const TIME_BYTES: usize = 8;

/// What stands behind the id on a cosignature's line.
pub(super) struct Cosignature {
    /// Since 1970.
    pub(super) seconds: u64,
    signature: Signature,
}

/// A witness' key to sign with.
#[derive(Clone)]
pub struct CosigningKey {
    verifier: VerifierKey,
    secret: ed25519_dalek::SigningKey,
}

impl Cosignature {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (time, signature) = bytes.split_first_chunk::<TIME_BYTES>()?;
        let signature: [u8; SIGNATURE_LENGTH] = signature.try_into().ok()?;
        let seconds = u64::from_be_bytes(*time);
        (seconds <= COSIGNED_SECONDS_MAX)
            .then(|| Self { seconds, signature: Signature::from_bytes(&signature) })
    }

    /// Whether it is by that key, and of that text of a checkpoint.
    pub(super) fn verifies(&self, witness: &VerifierKey, text: &str) -> bool {
        let message = message(text, self.seconds);
        witness.kind() == KeyKind::Cosignature
            && witness.public().verify_strict(message.as_bytes(), &self.signature).is_ok()
    }
}

impl CosigningKey {
    /// The key of a seed, which must be 32 random bytes that nobody else knows and no other key is made of.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Self {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        Self { verifier: VerifierKey::new(name, KeyKind::Cosignature, secret.verifying_key()), secret }
    }

    /// The key that others verify with.
    pub fn verifier(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// Its name and its seed in writing, as a log's key has them: a secret.
    pub fn text(&self) -> String {
        private_text(&self.verifier, &self.secret)
    }

    /// The line that says that a checkpoint of this text was seen at that time, in seconds since 1970. Nobody reads one of a time
    /// later than [`COSIGNED_SECONDS_MAX`].
    pub fn cosign(&self, text: &str, seconds: u64) -> String {
        let signature = self.secret.sign(message(text, seconds).as_bytes());
        signature_line(&self.verifier, &[&seconds.to_be_bytes()[..], &signature.to_bytes()].concat())
    }
}

/// Which key it is, never what it is.
impl fmt::Debug for CosigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CosigningKey").field(&self.verifier.to_string()).finish()
    }
}

impl FromStr for CosigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, seed) = private(text, KeyKind::Cosignature)?;
        let key = Self::from_seed(name, &seed);
        with_id(key.verifier, id).map(|verifier| Self { verifier, secret: key.secret })
    }
}

/// What is signed.
fn message(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::super::note::Note;
    use super::super::vector_tests::{COSIGNED, WITNESS_KEY, keys, witness_key};
    use super::*;

    #[test]
    fn a_time_of_64_bits_is_nobodys() {
        let text = "log\n0\nroot\n";
        for (seconds, wanted) in
            [(0, Some(0)), (COSIGNED_SECONDS_MAX, Some(COSIGNED_SECONDS_MAX)), (1 << 63, None)]
        {
            let note = format!("{text}\n{}", witness_key().cosign(text, seconds));
            let note = Note::read(note.as_bytes()).expect("a note");
            assert_eq!(note.cosigned_at(&witness_key().verifier()), wanted);
            assert_eq!(note.verify(&[witness_key().verifier()]).is_ok(), wanted.is_some());
        }
    }

    #[test]
    fn a_key_in_writing_is_the_same_key_and_no_log_s() {
        let text = witness_key().text();
        let read: CosigningKey = text.parse().expect("a key");
        assert_eq!(read.verifier().to_string(), WITNESS_KEY);
        assert!(!format!("{read:?}").contains(&text[text.len() - 20..]));
        assert_eq!(text.parse::<super::super::SigningKey>().err(), Some(KeyError::Kind { code: 4 }));
        let log = super::super::vector_tests::log_key().text();
        assert_eq!(log.parse::<CosigningKey>().err(), Some(KeyError::Kind { code: 1 }));
    }

    #[test]
    fn the_latest_time_counts_and_a_wrong_one_does_not() {
        let witness = &keys(&[WITNESS_KEY])[0];
        let text = Note::read(COSIGNED.as_bytes()).expect("a note").text;
        let again = witness_key().cosign(text, 1_700_000_009);
        let note = format!("{COSIGNED}{again}{}", witness_key().cosign("another\n", 1_800_000_000));
        let note = Note::read(note.as_bytes()).expect("a note");
        assert_eq!(note.cosigned_at(witness), Some(1_700_000_009));
    }
}
