//! A forwarder as it is shown, in JSON and as the ground of the tables.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use osel_core::time::Timestamp;
use serde::Serialize;

use super::Place;
use crate::cli::span::seconds_between;
use crate::config::ForwardConfig;
use crate::runtime::record::read_record;
use crate::store::{ForwarderRow, JournalError, Reader};

/// A forwarder.
#[derive(Debug, Serialize)]
pub(super) struct ForwarderDocument {
    /// Its name.
    pub(super) name: String,
    /// Whether the configuration has it; not told where there is none that can be read.
    pub(super) configured: Option<bool>,
    /// What it sends to.
    #[serde(rename = "type")]
    pub(super) kind: Option<&'static str>,
    /// The form of records.
    pub(super) format: Option<&'static str>,
    /// The record behind which it began, or was last set back to; none where it has not begun.
    pub(super) begin: Option<u64>,
    /// The last record of which nothing remains to be done.
    pub(super) place: Option<u64>,
    /// The last record of the trail.
    pub(super) head: u64,
    /// How many records it has not come to the end of.
    pub(super) lag_records: Option<u64>,
    /// How long the first of them waits.
    pub(super) lag_seconds: Option<i64>,
    /// What became of the records since `begin`: their sum is `place - begin`.
    pub(super) delivered: u64,
    pub(super) filtered: u64,
    pub(super) dead: u64,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) batches: u64,
    pub(super) retries: u64,
    /// Lines that wait as dead letters.
    pub(super) dead_letters: usize,
    /// What stood in its way when it was last heard of.
    pub(super) trouble: Option<TroubleDocument>,
    /// When it was last heard of.
    pub(super) updated_at: Option<String>,
}

/// What stands in the way.
#[derive(Debug, Serialize)]
pub(super) struct TroubleDocument {
    pub(super) since: String,
    pub(super) words: String,
}

/// All forwarders, of the store and of the configuration, by name.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn all(
    reader: &mut dyn Reader,
    place: &Place,
    now: Timestamp,
) -> Result<Vec<ForwarderDocument>, JournalError> {
    let head = reader.head()?.seq;
    let config = place.config();
    let mut known: BTreeMap<String, (Option<ForwarderRow>, Option<&ForwardConfig>)> = BTreeMap::new();
    for row in reader.forwarders()? {
        let name = row.name.clone();
        known.entry(name).or_default().0 = Some(row);
    }
    for forward in config.iter().flat_map(|config| &config.forwards) {
        known.entry(forward.name.clone()).or_default().1 = Some(forward);
    }
    let mut documents = Vec::with_capacity(known.len());
    for (name, (row, forward)) in known {
        let is_configured = config.is_some().then_some(forward.is_some());
        documents.push(document(reader, (name, row, forward), is_configured, head, now)?);
    }
    Ok(documents)
}

fn document(
    reader: &mut dyn Reader,
    (name, row, forward): (String, Option<ForwarderRow>, Option<&ForwardConfig>),
    configured: Option<bool>,
    head: u64,
    now: Timestamp,
) -> Result<ForwarderDocument, JournalError> {
    let mut dead_letters = 0;
    reader.dead_letters(&name, &mut |_| {
        dead_letters += 1;
        ControlFlow::Continue(())
    })?;
    let (has_begun, row) = (row.is_some(), row.unwrap_or_default());
    let waits = match row.place < head {
        // A damaged one is told by the forwarder itself, and hides no other.
        true => reader.record(row.place + 1).ok().flatten().and_then(|stored| read_record(&stored)),
        false => None,
    };
    let waits = waits.map_or(0, |record| seconds_between(record.header.recorded_at, now));
    Ok(ForwarderDocument {
        name,
        configured,
        kind: forward.map(|forward| forward.receiver.as_str()),
        format: forward.map(|forward| forward.format.as_str()),
        begin: has_begun.then_some(row.begin),
        place: has_begun.then_some(row.place),
        head,
        lag_records: has_begun.then(|| head.saturating_sub(row.place)),
        lag_seconds: has_begun.then_some(waits),
        delivered: row.delivered,
        filtered: row.filtered,
        dead: row.dead,
        lines: row.lines,
        bytes: row.bytes,
        batches: row.batches,
        retries: row.retries,
        dead_letters,
        trouble: row.trouble.map(|(since, words)| TroubleDocument { since: since.to_string(), words }),
        updated_at: has_begun.then(|| row.updated_at.to_string()),
    })
}

impl ForwarderDocument {
    /// How it does, in a few words.
    pub(super) fn state(&self) -> String {
        match (&self.trouble, self.configured, self.place, self.lag_records) {
            (_, Some(false), ..) => "not configured".to_owned(),
            (_, _, None, _) => "not begun".to_owned(),
            (Some(trouble), ..) => trouble.words.clone(),
            (None, _, _, Some(0)) => "up to date".to_owned(),
            (None, ..) => "behind".to_owned(),
        }
    }
}
