//! That another key signs the log from now on: written down before it does, so that whoever trusts the earlier key learns of the later one
//! from what the earlier key has not signed yet, and can ask.
//!
//! Keys are public here, the texts to verify with. Nothing here changes the engine's state.

use serde::{Deserialize, Serialize};

use super::record::Record;
use super::{Engine, Output, system_record};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// Another key signs the log; the words are kept in journals and records for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogKeyChange {
    /// The key that has signed so far.
    pub previous: String,
    /// The key that signs from now on.
    pub next: String,
}

impl LogKeyChange {
    /// What a record tells of the log's key, if it does.
    pub fn told_by(record: &Record) -> Option<Self> {
        let fact = |key: &str| record.body.detail.get(key).cloned();
        let is_told = record.header.kind == RecordKind::System && fact("log").as_deref() == Some("key");
        if is_told { Some(Self { previous: fact("previous")?, next: fact("next")? }) } else { None }
    }
}

impl Engine {
    pub(super) fn log_key_changed(&mut self, now: Timestamp, change: LogKeyChange, out: &mut Output) {
        let LogKeyChange { previous, next } = change;
        let text = format!("the log is signed by {next} from now on, and no longer by {previous}");
        let mut record = system_record(now, now, RecordKind::System, text);
        let facts = [("log", "key".to_owned()), ("previous", previous), ("next", next)];
        record.detail.extend(facts.into_iter().map(|(key, value)| (key.into(), value)));
        self.record(record, out);
    }
}
