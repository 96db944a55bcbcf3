//! Cosignatures by Ed25519 (C2SP `tlog-cosignature`, type 04): a witness says when it saw a checkpoint that goes on from all it saw.
//!
//! The time is the witness' word and an argument here; who must have cosigned, and how long ago, is decided elsewhere.

use ed25519_dalek::{SIGNATURE_LENGTH, Signature, Signer};

use super::key::{KeyKind, KeyName, VerifierKey};
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

    /// The line that says that a checkpoint of this text was seen at that time, in seconds since 1970; a time later than
    /// [`COSIGNED_SECONDS_MAX`] is nobody's.
    pub fn cosign(&self, text: &str, seconds: u64) -> String {
        let seconds = seconds.min(COSIGNED_SECONDS_MAX);
        let signature = self.secret.sign(message(text, seconds).as_bytes());
        signature_line(&self.verifier, &[&seconds.to_be_bytes()[..], &signature.to_bytes()].concat())
    }
}

/// What is signed.
fn message(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}
