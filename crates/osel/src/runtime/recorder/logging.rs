//! The log along with the records: each sealed record's hash goes into the tree, and what is signed goes with the next batch.

use std::time::{Duration, Instant};

use osel_core::engine::Input;
use osel_core::time::Timestamp;

use super::super::entries;
use super::super::log::{KeyFound, LogStatus, Signer};
use super::{RecordError, Recorder};
use crate::store::{EntryKind, WitnessedRow};

impl Recorder {
    /// Has the log signed from now on, by a key that may be another one than before.
    pub fn sign_with(&mut self, signer: Signer) {
        self.log.sign_with(signer);
    }

    /// Signs nothing until it is told what was found where the log's key is to be: it may be another one by now.
    pub fn put_log_key_down(&mut self) {
        self.log.put_key_down();
    }

    /// Takes what was found where the log's key is to be.
    pub fn take_log_key(&mut self, found: KeyFound) {
        self.log.take_key(found);
    }

    /// How far the log is signed.
    pub fn log_status(&self) -> LogStatus {
        self.log.status()
    }

    /// The key that signs the log, as far as it was signed or a record tells of another.
    pub fn log_key(&self) -> Option<&str> {
        self.log.key()
    }

    /// Why the log cannot be signed, as far as something is wrong.
    pub fn log_trouble(&self) -> Option<&str> {
        self.log.trouble()
    }

    /// How long to wait until [`Self::log_turn`] has something to do; none while it has not.
    pub fn log_wait(&self) -> Option<Duration> {
        self.log.wait(self.writer.durable_now(), Instant::now())
    }

    /// Signs of the log what has waited long enough, while nothing else comes that would take it along.
    ///
    /// # Errors
    /// When the record that tells of another key cannot be sealed.
    pub fn log_turn(&mut self, now: Timestamp) -> Result<(), RecordError> {
        self.tell_log_key(now)?;
        self.add_signed(false);
        Ok(())
    }

    /// Signs the last size of the log and makes that durable, once all before it is.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn sign_all(&mut self) -> Result<(), RecordError> {
        self.tell_log_key(self.now)?;
        self.commit()?;
        self.head = self.writer.flush()?;
        self.add_signed(true);
        if self.commit()?.is_some() {
            self.head = self.writer.flush()?;
        }
        Ok(())
    }

    /// Writes down that another key signs from now on, before it does.
    pub(super) fn tell_log_key(&mut self, now: Timestamp) -> Result<(), RecordError> {
        let Some(change) = self.log.take_key_change() else { return Ok(()) };
        let head = entries::log_key_head(&change);
        self.entry += 1;
        self.handle(now, Input::LogKey(change));
        self.seal()?;
        self.note_log();
        match self.log.hands_on() {
            Some(previous) => tracing::info!(previous, "the log is handed on to another key"),
            // Nobody can mend it later: what is signed now is signed without the key before.
            None => tracing::warn!(
                "the log's key was exchanged, and the one before it is not at hand: nothing leads from it to the new one"
            ),
        }
        self.push_entry(now, EntryKind::SYSTEM, Default::default(), head, Vec::new());
        Ok(())
    }

    /// Puts what is to be signed now into the open batch.
    pub(super) fn add_signed(&mut self, all: bool) {
        let signed = self.log.sign(self.writer.durable_now(), Instant::now(), all);
        self.batch.checkpoints.extend(signed.checkpoints);
        self.batch.log_keys.extend(signed.key);
    }

    /// Keeps what a witness cosigned, with the next batch.
    pub fn witnessed(&mut self, row: WitnessedRow) {
        self.batch.witnessed.retain(|other| other.witness != row.witness);
        self.batch.witnessed.push(row);
    }

    /// Notes the size that the log has now, in the open batch.
    pub(super) fn note_log(&mut self) {
        self.log.note(self.writer.given() + 1, Instant::now());
    }
}
