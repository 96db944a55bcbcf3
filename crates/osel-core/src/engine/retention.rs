//! What the store lets go, and how full it is: written down before anything goes.
//!
//! What may go is decided by the shell's policy and told here as an input like any other, so that the trail says for ever what is
//! missing since when and by what it is stood for. Nothing here changes the engine's state.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Engine, Output, system_record};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// Something about what is kept; the words are kept in journals and records for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    /// Inputs go behind a checkpoint of the state, which stays.
    Inputs {
        /// The last entry that goes.
        entry: u64,
        /// The record after which the checkpoint is.
        seq: u64,
        /// That record's time, from which on `--at` is answered.
        before: Timestamp,
        /// SHA-256 of the checkpoint's bytes, as hexadecimal digits.
        digest: String,
        /// Why.
        why: RetentionWhy,
    },
    /// Parts of records go; what commits to them stays.
    Parts {
        /// The classes of parts, by their words.
        classes: BTreeSet<String>,
        /// The kinds of records, by their words; none is all of them.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        kinds: BTreeSet<String>,
        /// The last record that loses them.
        seq: u64,
        /// Why.
        why: RetentionWhy,
    },
    /// The bytes of messages in quarantine are not held any longer than other inputs.
    Quarantine {
        /// Of those that were put there before.
        before: Timestamp,
        /// Why.
        #[serde(default)]
        why: RetentionWhy,
    },
    /// The disk budget is another matter than before.
    Budget {
        /// What it is now.
        state: BudgetState,
        /// What the store takes.
        used_bytes: u64,
        /// What it may take.
        budget_bytes: u64,
    },
}

/// Why something goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetentionWhy {
    /// It is older than is kept.
    #[default]
    Age,
    /// There is more of it than is kept.
    Size,
    /// The disk budget is nearly used up.
    Budget,
}

/// How full a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetState {
    /// There is room.
    #[default]
    Within,
    /// It will be used up before long.
    Tight,
    /// It is nearly used up, and what may go goes earlier than its age.
    Biting,
    /// It is nearly used up, and nothing more may go.
    Exhausted,
}

impl RetentionWhy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Size => "size",
            Self::Budget => "budget",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Age => "they are older than is kept",
            Self::Size => "there are more bytes of them than are kept",
            Self::Budget => "the disk budget is nearly used up",
        }
    }
}

impl BudgetState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Tight => "tight",
            Self::Biting => "biting",
            Self::Exhausted => "exhausted",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Within => "there is room again",
            Self::Tight => "at 95 % the oldest of what may go will go earlier than its age",
            Self::Biting => "the oldest of what may go goes earlier than its age",
            Self::Exhausted => {
                "nothing more may go: osel goes on until the disk is full, and then stops acknowledging"
            }
        }
    }
}

impl Retention {
    /// What is said of it, and the facts that it is made of.
    fn tell(&self) -> (String, Vec<(&'static str, String)>) {
        match self {
            Self::Inputs { entry, seq, before, digest, why } => {
                let text = format!(
                    "inputs up to entry {entry} and the states before {before} (record {seq}) go, since {}; \
                     the state after record {seq} stays, its SHA-256 is {digest}",
                    why.sentence()
                );
                let facts = [
                    ("entry", entry.to_string()),
                    ("seq", seq.to_string()),
                    ("before", before.to_string()),
                    ("digest", digest.clone()),
                    ("why", why.as_str().to_owned()),
                ];
                (text, [("retention", "inputs".to_owned())].into_iter().chain(facts).collect())
            }
            Self::Parts { classes, kinds, seq, why } => {
                let list = |words: &BTreeSet<String>| {
                    words.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
                };
                let (classes, kinds) = (list(classes), list(kinds));
                let of_kinds =
                    if kinds.is_empty() { String::new() } else { format!(" of the kinds {kinds}") };
                let text = format!(
                    "parts of records{of_kinds} up to {seq} go ({classes}), since {}; what commits to them stays",
                    why.sentence()
                );
                let facts = [
                    ("retention", "parts".to_owned()),
                    ("classes", classes),
                    ("seq", seq.to_string()),
                    ("why", why.as_str().to_owned()),
                ];
                let kinds = (!kinds.is_empty()).then_some(("kinds", kinds));
                (text, facts.into_iter().chain(kinds).collect())
            }
            Self::Quarantine { before, why } => {
                let text = format!(
                    "the bytes of messages quarantined before {before} are held no longer than other inputs, since {}",
                    why.sentence()
                );
                let facts = [
                    ("retention", "quarantine".to_owned()),
                    ("before", before.to_string()),
                    ("why", why.as_str().to_owned()),
                ];
                (text, facts.into())
            }
            Self::Budget { state, used_bytes, budget_bytes } => {
                let text =
                    format!("the store takes {used_bytes} of {budget_bytes} bytes: {}", state.sentence());
                let facts = [
                    ("retention", "budget".to_owned()),
                    ("state", state.as_str().to_owned()),
                    ("used_bytes", used_bytes.to_string()),
                    ("budget_bytes", budget_bytes.to_string()),
                ];
                (text, facts.into())
            }
        }
    }
}

impl Engine {
    pub(super) fn retention(&mut self, now: Timestamp, retention: &Retention, out: &mut Output) {
        let (text, facts) = retention.tell();
        let mut record = system_record(now, now, RecordKind::System, text);
        record.detail.extend(facts.into_iter().map(|(key, value)| (key.into(), value)));
        self.record(record, out);
    }
}
