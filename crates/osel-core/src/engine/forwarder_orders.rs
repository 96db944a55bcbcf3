//! Orders about forwarders: written down, so that the trail says for ever why a receiver has something twice, or not at all.
//!
//! Nothing here changes the engine's state: where a forwarder stands is kept beside the trail, by whoever takes the order.

use serde::{Deserialize, Serialize};

use super::{Engine, Output, system_record};
use crate::event::{Actor, Outcome};
use crate::scan::cut;
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// The longest name of a forwarder, in characters: the configuration takes no longer one.
const FORWARDER_CHARS_MAX: usize = 100;

/// What can be ordered of a forwarder; the words are kept in journals for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwarderOrder {
    /// It goes on behind a record: what comes after it is sent, again or for the first time, and nothing before it.
    Rewind {
        /// The record; 0 for the beginning of the trail.
        seq: u64,
    },
    /// Its dead letters are sent once more.
    Resend {
        /// Those of this record; all where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
    },
    /// Its dead letters are given up.
    Discard {
        /// Those of this record; all where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
    },
}

impl Engine {
    /// Writes down what somebody has ordered of a forwarder.
    pub(super) fn tell_forwarder(
        &mut self,
        now: Timestamp,
        actor: String,
        forwarder: &str,
        what: ForwarderOrder,
        out: &mut Output,
    ) {
        let forwarder = cut(forwarder, FORWARDER_CHARS_MAX);
        let letters = |seq: Option<u64>| match seq {
            Some(seq) => format!("the dead letters of record {seq}"),
            None => "all dead letters".to_owned(),
        };
        let (word, seq, text) = match what {
            ForwarderOrder::Rewind { seq } => {
                let behind = match seq {
                    0 => "at the beginning of the trail".to_owned(),
                    seq => format!("behind record {seq}"),
                };
                ("rewind", Some(seq), format!("{actor} has forwarder {forwarder} go on {behind}"))
            }
            ForwarderOrder::Resend { seq } => (
                "resend",
                seq,
                format!("{actor} has {} of forwarder {forwarder} sent once more", letters(seq)),
            ),
            ForwarderOrder::Discard { seq } => {
                ("discard", seq, format!("{actor} gives up {} of forwarder {forwarder}", letters(seq)))
            }
        };
        let mut record = system_record(now, now, RecordKind::System, text);
        record.outcome = Outcome::Success;
        record.actor = Actor { user_name: Some(actor.as_str().into()), ..Actor::default() };
        let facts = [("forwarder", forwarder), ("order", word.to_owned()), ("ordered_by", actor)];
        record.detail.extend(facts.into_iter().map(|(key, value)| (key.into(), value)));
        record.detail.extend(seq.map(|seq| ("seq".into(), seq.to_string())));
        self.record(record, out);
    }
}
