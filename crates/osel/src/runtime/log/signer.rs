//! Who signs the log, with a key that may be away for a while.

use std::time::{Duration, Instant};

use osel_core::time::Timestamp;
use osel_core::trail::Hash;
use osel_core::trail::log::{Checkpoint, SigningKey};

use super::key::KeySource;
use crate::store::SignedCheckpoint;
use crate::telemetry::chain;

/// How long a key that cannot be had is left alone: a person mends it, and the log can wait.
const RETRY_WAIT: Duration = Duration::from_secs(10);

/// Signs checkpoints, once there is a key.
pub struct Signer {
    source: KeySource,
    clock: fn() -> Timestamp,
    /// The key, with the text of the one that verifies.
    key: Option<(SigningKey, String)>,
    /// What was wrong with the key when it was looked for last, and when it is looked for again.
    trouble: Option<(String, Instant)>,
    failures: u64,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer by the key that the source gives when [`Self::renew`] asks it.
    pub fn new(source: KeySource, clock: fn() -> Timestamp) -> Self {
        Self { source, clock, key: None, trouble: None, failures: 0 }
    }

    /// The text of the key to verify with, if there is one now. What is wrong is told once, and it is looked for again after a while.
    pub fn verifier(&mut self, now: Instant) -> Option<&str> {
        // Where the log is not to be signed nothing is wrong: this is called for every input, and looking reads files.
        if self.trouble.as_ref().is_some_and(|(_, again)| *again <= now) {
            self.look(now);
        }
        self.key.as_ref().map(|(_, verifier)| verifier.as_str())
    }

    /// Looks for the key anew: it may be another one by now.
    pub fn renew(&mut self, now: Instant) {
        // As long as the new one cannot be had, the old one is none: somebody has exchanged it.
        self.key = None;
        self.look(now);
    }

    fn look(&mut self, now: Instant) {
        match (self.source)() {
            Ok(key) => {
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
                if self.trouble.as_ref().is_none_or(|(told, _)| *told != words) {
                    tracing::error!(error = words, "the log cannot be signed: it grows and is signed later");
                }
                self.trouble = Some((words, now + RETRY_WAIT));
            }
        }
    }

    /// Why nothing can be signed, as far as something is wrong.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|(words, _)| words.as_str())
    }

    /// Whether there is a key.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// When the key is looked for again, if it could not be had.
    pub fn again_at(&self) -> Option<Instant> {
        self.trouble.as_ref().map(|(_, again)| *again)
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
}
