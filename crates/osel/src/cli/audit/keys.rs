//! The keys of a store's log that were handed on from one to the next, up to the one that signed its latest checkpoint.

use std::ops::ControlFlow;

use osel_core::trail::PartClass;
use osel_core::trail::bundle::KEYS_MAX;
use osel_core::trail::log::{Checkpoint, CheckpointError, VerifierKey};

use crate::store::{JournalError, LogKeyRow, PartContent, Reader, StoredRecord};

/// The record by which a key is handed on, and the checkpoint that ends with it.
pub(super) struct Handover {
    pub(super) checkpoint: Checkpoint,
    pub(super) note: String,
    pub(super) record: StoredRecord,
}

/// The keys of a log, the first first, and what hands on each but the last.
pub(super) struct Keys {
    pub(super) keys: Vec<VerifierKey>,
    pub(super) handovers: Vec<Handover>,
    /// A key before the first of these that handed nothing on.
    pub(super) left_behind: Option<String>,
}

impl Keys {
    /// The keys that lead to `last`, which is that of the last of these rows.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn read(
        reader: &mut dyn Reader,
        rows: &[LogKeyRow],
        last: VerifierKey,
    ) -> Result<Self, JournalError> {
        let mut this = Self { keys: vec![last], handovers: Vec::new(), left_behind: None };
        for pair in rows.windows(2).rev() {
            let [before, row] = pair else { continue };
            let previous = before.key.parse().ok().filter(|_| this.keys.len() < KEYS_MAX);
            match previous {
                Some(key) => match handover(reader, &key, row)? {
                    Some(handover) => {
                        this.keys.push(key);
                        this.handovers.push(handover);
                        continue;
                    }
                    None => this.left_behind = Some(before.key.clone()),
                },
                None => this.left_behind = Some(before.key.clone()),
            }
            break;
        }
        this.keys.reverse();
        this.handovers.reverse();
        Ok(this)
    }

    /// The checkpoint in a note by the key whose turn it was at its size.
    ///
    /// # Errors
    /// When that key did not sign it.
    pub(super) fn open(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let size = Checkpoint::read_unverified(note.as_bytes())?.size;
        let turn = self.handovers.iter().take_while(|handover| handover.checkpoint.size < size).count();
        let key = self.keys.get(turn).map(std::slice::from_ref).unwrap_or_default();
        Checkpoint::open(note.as_bytes(), key)
    }
}

/// What hands a key on to that of a row; none where it had no word in it, or the record has lost what it said.
fn handover(
    reader: &mut dyn Reader,
    key: &VerifierKey,
    row: &LogKeyRow,
) -> Result<Option<Handover>, JournalError> {
    let Some(signed) = reader.checkpoint(Some(row.size))?.filter(|signed| signed.size == row.size) else {
        return Ok(None);
    };
    let opened = Checkpoint::open(signed.note.as_bytes(), std::slice::from_ref(key)).ok();
    let Some(checkpoint) = opened else { return Ok(None) };
    let mut found = None;
    reader.records(row.size..=row.size, &mut |record| {
        found = Some(record);
        ControlFlow::Break(())
    })?;
    let is_told = |record: &StoredRecord| {
        let mut bodies = record.parts.iter().filter(|part| part.class == PartClass::Body.code());
        bodies.next_back().is_some_and(|part| matches!(part.content, PartContent::Bytes(_)))
    };
    Ok(found.filter(is_told).map(|record| Handover { checkpoint, note: signed.note, record }))
}
