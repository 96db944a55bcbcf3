//! Who signs the log, with a key that may be away for a while.

use osel_core::time::Timestamp;
use osel_core::trail::Hash;
use osel_core::trail::log::{Checkpoint, SigningKey};

use super::key::LogKeys;
use super::watch::KeyFound;
use crate::store::SignedCheckpoint;
use crate::telemetry::chain;

/// Signs checkpoints, once there is a key. It looks for none: it is told what was found ([`super::watch`]).
#[derive(Debug)]
pub struct Signer {
    clock: fn() -> Timestamp,
    /// The key, with the text of the one that verifies.
    key: Option<(SigningKey, String)>,
    /// The key that we had before it, and had not signed anything after.
    put_down: Option<SigningKey>,
    /// The key before it that was found beside it.
    before: Option<SigningKey>,
    /// What was wrong with the key when it was looked for last.
    trouble: Option<String>,
    failures: u64,
}

impl Signer {
    /// A signer that has no key yet.
    pub fn new(clock: fn() -> Timestamp) -> Self {
        Self { clock, key: None, put_down: None, before: None, trouble: None, failures: 0 }
    }

    /// Has no key until it is told another time what was found: it may be another one by then, and somebody may have exchanged it since
    /// nobody is to trust the old one.
    pub fn put_down(&mut self) {
        if let Some((key, _)) = self.key.take() {
            // One that was exchanged before it has signed has nothing to hand on: that is still for the one before it.
            self.put_down.get_or_insert(key);
        }
    }

    /// Takes what was found where the key is to be. What is wrong is told once.
    pub fn take(&mut self, found: KeyFound) {
        self.put_down();
        match found {
            Ok(LogKeys { key, previous }) => {
                self.before = previous;
                if self.trouble.take().is_some() {
                    tracing::info!("the log's key is there again");
                }
                self.key = key.map(|key| {
                    let verifier = key.verifier().to_string();
                    (key, verifier)
                });
            }
            Err(trouble) => {
                self.failures += 1;
                let words = chain(&trouble);
                if self.trouble.as_ref() != Some(&words) {
                    tracing::error!(error = words, "the log cannot be signed: it grows and is signed later");
                }
                self.trouble = Some(words);
            }
        }
    }

    /// The text of the key to verify with, if there is one now.
    pub fn verifier(&self) -> Option<&str> {
        self.key.as_ref().map(|(_, verifier)| verifier.as_str())
    }

    /// The key before the present one that is this one, if it is at hand. A key of another name is of another log, to which nothing is handed on.
    fn previous(&self, verifier: &str) -> Option<&SigningKey> {
        let (key, _) = self.key.as_ref()?;
        [&self.put_down, &self.before].into_iter().flatten().find(|previous| {
            let previous = previous.verifier();
            previous.name() == key.verifier().name() && previous.to_string() == verifier
        })
    }

    /// Whether this key, which has signed so far, is at hand to hand the log on.
    pub fn hands_on(&self, verifier: &str) -> bool {
        self.previous(verifier).is_some()
    }

    /// Forgets the keys before the present one: it has signed.
    pub fn forget_previous(&mut self) {
        (self.put_down, self.before) = (None, None);
    }

    /// Why nothing can be signed, as far as something is wrong.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// How often the key could not be had.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// The checkpoint of a size; none without a key.
    pub fn sign(&self, size: u64, root: Hash) -> Option<SignedCheckpoint> {
        let (key, _) = self.key.as_ref()?;
        let checkpoint = Checkpoint { origin: key.verifier().name().clone(), size, root };
        Some(SignedCheckpoint { size, note: checkpoint.sign(key), signed_at: (self.clock)() })
    }

    /// The same by that earlier key as well; none where it is not at hand.
    pub fn hand_over(&self, previous: &str, size: u64, root: Hash) -> Option<SignedCheckpoint> {
        let ((key, _), previous) = (self.key.as_ref()?, self.previous(previous)?);
        let checkpoint = Checkpoint { origin: key.verifier().name().clone(), size, root };
        let note = checkpoint.sign_by(&[previous, key]);
        Some(SignedCheckpoint { size, note, signed_at: (self.clock)() })
    }
}
