//! Which record did it, and who was behind it.

use std::collections::BTreeMap;

use osel_core::engine::record::{ActorDocument, Record};
use osel_core::time::Timestamp;
use osel_core::trail::{PartClass, RecordKind};
use serde::Serialize;

use crate::cli::audit::read::record;
use crate::store::Reader;

/// How many records are kept at hand: a change of a group opens rows on many ports, and they come in the order of their addresses.
const AT_HAND_MAX: usize = 10_000;

/// How much of a time in RFC 3339 goes to its seconds: `2026-11-21T03:12:00`.
const SECONDS_CHARS: usize = 19;

/// Records by their numbers.
pub(super) struct Records<'a> {
    reader: &'a mut dyn Reader,
    at_hand: BTreeMap<u64, Option<Record>>,
}

/// What a record says about its cause. The keys are those of a record.
#[derive(Debug, Serialize)]
pub(super) struct Cause<'a> {
    pub(super) seq: u64,
    #[serde(serialize_with = "in_words")]
    pub(super) time: Timestamp,
    /// From when on `--at TIME` sees it.
    #[serde(serialize_with = "in_words")]
    pub(super) as_of: Timestamp,
    pub(super) kind: &'static str,
    pub(super) event_type: Option<&'a str>,
    pub(super) actor: ActorDocument<'a>,
    pub(super) summary: String,
    /// Somebody handed in what showed it, and is not who did it.
    #[serde(skip)]
    is_import: bool,
    /// Which parts of the record are not kept any more.
    pub(super) missing: Vec<&'static str>,
}

fn in_words<S: serde::Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(time)
}

impl<'a> Records<'a> {
    pub(super) fn new(reader: &'a mut dyn Reader) -> Self {
        Self { reader, at_hand: BTreeMap::new() }
    }

    /// What a record says; none when it cannot be read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn cause(&mut self, seq: u64) -> anyhow::Result<Option<Cause<'_>>> {
        if self.at_hand.len() >= AT_HAND_MAX && !self.at_hand.contains_key(&seq) {
            // Rows of one address come together, and mostly from records that are close: the farthest is needed last.
            let (first, last) = (self.at_hand.first_key_value(), self.at_hand.last_key_value());
            let is_first =
                first.zip(last).is_some_and(|(first, last)| seq.abs_diff(*first.0) > seq.abs_diff(*last.0));
            if is_first {
                self.at_hand.pop_first()
            } else {
                self.at_hand.pop_last()
            };
        }
        let found = match self.at_hand.entry(seq) {
            std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let mut found = self.reader.record(seq)?.as_ref().and_then(record);
                if let Some(record) = &mut found {
                    // Rows are told beside it.
                    (record.opened, record.closed, record.wide) = (Vec::new(), Vec::new(), Vec::new());
                }
                place.insert(found)
            }
        };
        Ok(found.as_ref().map(|record| {
            let document = record.document();
            Cause {
                seq,
                time: record.header.time,
                as_of: record.header.as_of,
                kind: document.kind,
                event_type: document.event_type,
                actor: document.actor,
                summary: document.summary,
                is_import: document.detail.contains_key("imported_by"),
                missing: document.missing,
            }
        }))
    }
}

impl Cause<'_> {
    /// The time to the second, for people.
    pub(super) fn when(&self) -> String {
        self.time.to_string().chars().take(SECONDS_CHARS).collect()
    }

    /// Who it was, in a word: the user's name, else the id. In parentheses, as no name is: that it is not kept any more, or what kind of
    /// record tells of it.
    pub(super) fn who(&self) -> String {
        if self.is_import {
            let kind = if self.kind == RecordKind::System.as_str() { "import" } else { self.kind };
            return format!("({kind})");
        }
        let name = self.actor.user_name.map(str::to_owned);
        name.or_else(|| self.actor.user_id.map(ToString::to_string)).unwrap_or_else(|| {
            let is_gone = self.missing.contains(&PartClass::Personal.as_str());
            if is_gone { "(not kept)".to_owned() } else { format!("({})", self.kind) }
        })
    }
}
