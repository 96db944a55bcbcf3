//! Messages out of quarantine: found with what is kept of them, and replayed; by a daemon or where none runs, in the same way.

use osel_core::engine::Disposition;
use osel_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::recorder::{RecordError, Recorder};
use crate::store::{Entry, JournalError, QuarantineItem, QuarantineState, Reader};

/// The longest reason why a message stays that is told of one among many.
const REASON_CHARS_MAX: usize = 300;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has its record now.
    Recorded,
    /// Another copy of it was recorded meanwhile.
    Duplicate,
    /// It stays where it is.
    Held,
    /// It was not in quarantine any more.
    Gone,
}

impl Outcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Duplicate => "duplicate",
            Self::Held => "held",
            Self::Gone => "gone",
        }
    }
}

/// What became of a message by an order to replay it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replayed {
    /// Its number in quarantine.
    pub id: u64,
    /// What became of it.
    pub result: Outcome,
    /// Its record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Why it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A message that may be replayed, or what is to be said of it.
#[derive(Debug)]
pub enum Found {
    /// It is there, with its entry.
    Held(Box<(QuarantineItem, Entry)>),
    /// There is nothing to be replayed.
    Not(Replayed),
}

/// Why a message cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The store cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its bytes are not where they have to be.
    #[error("message {id} is damaged: its entry {entry} is missing")]
    Damaged {
        /// The message.
        id: u64,
        /// Its entry.
        entry: u64,
    },
}

/// Looks for a message.
///
/// # Errors
/// When the store cannot be read, or is damaged there.
pub fn find(reader: &mut dyn Reader, id: u64) -> Result<Found, FindError> {
    let not =
        |result, why: &str| Ok(Found::Not(Replayed { id, result, seq: None, reason: Some(why.to_owned()) }));
    let Some(item) = reader.quarantine_item(id)? else {
        return not(Outcome::Gone, "there is no such message");
    };
    if item.state != QuarantineState::Held {
        return not(Outcome::Gone, "it was replayed before");
    }
    match reader.entry(item.entry)? {
        None if item.entry > reader.expiry()?.checkpoint.entry => {
            Err(FindError::Damaged { id, entry: item.entry })
        }
        Some(held) if !held.erased => Ok(Found::Held(Box::new((item, held)))),
        _ => not(Outcome::Held, "its bytes were removed"),
    }
}

/// Replays a message that was found.
///
/// # Errors
/// When the batch is full and cannot be committed.
pub fn replay(
    recorder: &mut Recorder,
    now: Timestamp,
    (item, held): &(QuarantineItem, Entry),
    actor: &str,
) -> Result<Replayed, RecordError> {
    let (result, seq, reason) = match recorder.replay(now, item, held, actor)? {
        Some(Disposition::Recorded(seq)) => (Outcome::Recorded, Some(seq), None),
        Some(Disposition::Duplicate) => (Outcome::Duplicate, None, None),
        Some(Disposition::Quarantined(defect)) => {
            (Outcome::Held, None, Some(defect.to_string().chars().take(REASON_CHARS_MAX).collect()))
        }
        None => (Outcome::Held, None, None),
    };
    Ok(Replayed { id: item.id, result, seq, reason })
}
