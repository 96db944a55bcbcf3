//! Whether the checkpoint, which stands for the inputs that went, is the one that the trail tells.
//!
//! The record of the kind `system` that told what goes has the SHA-256 of the checkpoint's bytes. It is younger than the checkpoint, so that
//! its parts are there. Nothing here looks into those bytes: what they mean is the engine's.

use osel_core::engine::record::BodyPart;
use osel_core::trail::{PartClass, RecordKind};

use super::snapshots;
use crate::store::{Checkpoint, JournalError, PartContent, Reader, StoredRecord};

/// Looks for the record that tells the checkpoint, while somebody walks the trail.
#[derive(Debug)]
pub struct CheckpointCheck {
    checkpoint: Checkpoint,
    /// The record that tells it, and the digest.
    told: Option<(u64, String)>,
    /// Some record lost what it told.
    is_silent: bool,
}

impl CheckpointCheck {
    /// For the checkpoint as it is now; begun before the walk, so that the walk comes to the record.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn begin(reader: &mut dyn Reader) -> Result<Self, JournalError> {
        Ok(Self { checkpoint: reader.expiry()?.checkpoint, told: None, is_silent: false })
    }

    /// Takes a record of the trail.
    pub fn see(&mut self, record: &StoredRecord) {
        if record.kind != RecordKind::System.code() || record.seq <= self.checkpoint.seq {
            return;
        }
        let body = record.parts.iter().find(|part| part.class == PartClass::Body.code());
        let Some(PartContent::Bytes(bytes)) = body.map(|part| &part.content) else {
            self.is_silent = true;
            return;
        };
        let Ok(body) = serde_json::from_slice::<BodyPart>(bytes) else { return };
        let fact = |key: &str| body.detail.get(key).map(String::as_str);
        let is_told = fact("retention") == Some("inputs")
            && fact("seq") == Some(&self.checkpoint.seq.to_string())
            && fact("entry") == Some(&self.checkpoint.entry.to_string());
        if is_told && let Some(digest) = fact("digest") {
            self.told = Some((record.seq, digest.to_owned()));
        }
    }

    /// What is wrong with the checkpoint, and at which record; none when nothing is, when nothing went, or when what told it was erased.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn finish(self, reader: &mut dyn Reader) -> Result<Option<(u64, String)>, JournalError> {
        let Checkpoint { snapshot, seq, entry } = self.checkpoint;
        if entry == 0 {
            return Ok(None);
        }
        let Some((teller, told)) = self.told else {
            let why = "inputs up to it went, and no later record tells the state that stands for them";
            return Ok((!self.is_silent).then(|| (seq, why.to_owned())));
        };
        let why = match snapshots::sha256(reader, snapshot) {
            Ok(found) if found == told => return Ok(None),
            Ok(found) => {
                format!(
                    "it says that the state after record {seq} has the SHA-256 {told}; what is kept has {found}"
                )
            }
            // A daemon may have gone on to a later one, which it compared itself.
            Err(JournalError::NoSnapshot { .. }) if reader.expiry()?.checkpoint != self.checkpoint => {
                return Ok(None);
            }
            Err(error @ (JournalError::Damaged { .. } | JournalError::NoSnapshot { .. })) => {
                format!("the state after record {seq}, which it says is kept, cannot be read: {error}")
            }
            Err(error) => return Err(error),
        };
        Ok(Some((teller, why)))
    }
}
