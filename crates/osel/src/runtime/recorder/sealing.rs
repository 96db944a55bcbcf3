//! From what the engine puts out to records, entries, versions and commands of the open batch.

use std::sync::Arc;
use std::time::Instant;

use osel_core::engine::Version;
use osel_core::ids::Id;
use osel_core::scan::ScanLife;
use osel_core::time::Timestamp;
use osel_core::trail::{Draft, Part, PartClass, Sealed};

use super::super::snapshots;
use super::{RecordError, Recorder};
use crate::store::{
    CommandRow, Entry, EntryKind, FindingRow, PartContent, StoredPart, StoredRecord, VersionSet, Whose,
};

impl Recorder {
    pub(super) fn seal(&mut self) -> Result<(), RecordError> {
        self.seal_with(Vec::new(), false).map(|_| ())
    }

    /// Seals what the engine put out. The payload belongs to the record of the message itself, which is the first when there is one;
    /// it comes back for the entry, which keeps it.
    pub(super) fn seal_with(&mut self, payload: Vec<u8>, recorded: bool) -> Result<Vec<u8>, RecordError> {
        let entry = self.entry;
        let mut kept = payload;
        for (place, body) in self.out.records.iter().enumerate() {
            let mut parts = body.parts();
            let with_payload = recorded && place == 0;
            if with_payload {
                let bytes = std::mem::take(&mut kept);
                parts.push(Part { class: PartClass::Payload, project: body.project(), person: None, bytes });
            }
            let draft =
                Draft { time: body.time, recorded_at: body.recorded_at, kind: body.kind, parts: &parts };
            let mut failed = None;
            let salts = &mut self.salts;
            let mut salt = || {
                salts.draw().unwrap_or_else(|error| {
                    failed = Some(error);
                    Default::default()
                })
            };
            let sealed = self.chain.seal_into(&draft, &mut salt, &mut self.sealed);
            if let Some(error) = failed {
                return Err(RecordError::Random(error));
            }
            let seq = self.chain.head().seq;
            sealed.map_err(|source| RecordError::Seal { seq: seq + 1, source })?;
            if with_payload && let Some(part) = parts.last_mut() {
                kept = std::mem::take(&mut part.bytes);
            }
            let record = stored(entry, body.kind.code(), body.time, &self.sealed, parts);
            self.batch.bytes += record.canonical.len() + record.parts.iter().map(part_bytes).sum::<usize>();
            if self.log.push(record.hash, &mut self.batch.nodes) {
                self.log.note(self.writer.given() + 1, Instant::now());
            }
            self.batch.records.push(record);
        }
        for set in version_sets(&self.out.versions) {
            self.batch.bytes += set.data.len();
            self.batch.versions.push(set);
        }
        for life in self.out.lives.drain(..) {
            let body = serde_json::to_vec(&life).unwrap_or_default();
            self.batch.bytes += body.len();
            self.batch.commands.push(CommandRow {
                id: life.command.id.to_string(),
                seq: life.command.seq,
                state: life.state.as_str().to_owned(),
                body,
                updated_at: self.now,
            });
        }
        for finding in self.out.findings.drain(..) {
            let body = serde_json::to_vec(&finding).unwrap_or_default();
            self.batch.bytes += body.len();
            self.batch.findings.push(FindingRow {
                id: finding.id.to_string(),
                seq: finding.opened_seq,
                state: finding.state.as_str().to_owned(),
                body,
                updated_at: self.now,
            });
        }
        let batch = self.writer.given() + 1;
        let commands = self.out.commands.drain(..);
        self.commands.extend(commands.map(|command| (batch, ScanLife::planned(command))));
        self.cancels.extend(self.out.cancels.drain(..).map(|id| (batch, id)));
        self.looks.add(batch, self.out.looks.drain(..));
        self.out.versions.clear();
        self.out.records.clear();
        Ok(kept)
    }

    pub(super) fn push_entry(
        &mut self,
        at: Timestamp,
        kind: EntryKind,
        source: Arc<str>,
        head: Vec<u8>,
        body: Vec<u8>,
    ) {
        self.batch.bytes += head.len() + body.len();
        self.batch.entries.push(Entry { number: self.entry, at, kind, source, head, body, erased: false });
    }
}

fn part_bytes(part: &StoredPart) -> usize {
    match &part.content {
        PartContent::Bytes(bytes) => bytes.len(),
        PartContent::InEntry | PartContent::Gone => 0,
    }
}

fn stored(entry: u64, kind: u8, time: Timestamp, sealed: &Sealed, parts: Vec<Part>) -> StoredRecord {
    // Nearly all parts of a record are of one project, whose text they share.
    let mut last: (Option<&Id>, Option<Arc<str>>) = (None, None);
    let parts = sealed.parts.iter().zip(parts).map(|(sealed, part)| {
        if last.0 != sealed.project.as_ref() {
            last =
                (sealed.project.as_ref(), sealed.project.as_ref().map(|id| id.with_text(|text| text.into())));
        }
        StoredPart {
            class: sealed.class.code(),
            project: last.1.clone(),
            whose: part.person.map_or(Whose::Nobody, |person| Whose::Person(person.into())),
            salt: sealed.salt,
            content: match part.class {
                PartClass::Payload => PartContent::InEntry,
                _ => PartContent::Bytes(part.bytes),
            },
        }
    });
    StoredRecord {
        seq: sealed.seq,
        entry,
        kind,
        time,
        as_of: sealed.as_of,
        canonical: sealed.canonical.clone(),
        hash: sealed.hash.0,
        parts: parts.collect(),
    }
}

/// The versions of each record together.
fn version_sets(versions: &[Version]) -> Vec<VersionSet> {
    let sets = versions.chunk_by(|a, b| a.seq == b.seq);
    sets.map(|versions| {
        let mut data = Vec::new();
        snapshots::write_versions(versions, &mut data);
        VersionSet { seq: versions[0].seq, data }
    })
    .collect()
}
