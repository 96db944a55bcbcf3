//! From what the engine puts out to records, entries, versions and commands of the open batch.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use osel_core::engine::Version;
use osel_core::engine::record::{RecordBody, WrittenPart};
use osel_core::ids::Id;
use osel_core::scan::ScanLife;
use osel_core::time::Timestamp;
use osel_core::trail::{ContentView, PartClass, PartView, Sealed};

use super::super::snapshots;
use super::{RecordError, Recorder};
use crate::store::{
    CommandRow, Entry, EntryKind, FindingRow, NewContent, NewHead, NewPart, NewRecords, VersionSet,
};

impl Recorder {
    pub(super) fn seal(&mut self) -> Result<(), RecordError> {
        self.seal_with(None)
    }

    /// Seals what the engine put out. The payload belongs to the record of the message itself, which is the first when there is one;
    /// the entry keeps it.
    pub(super) fn seal_with(&mut self, payload: Option<ContentView<'_>>) -> Result<(), RecordError> {
        let entry = self.entry;
        for (place, body) in self.out.records.iter().enumerate() {
            let parts = &mut self.parts;
            parts.clear();
            body.write_parts(self.batch.records.room(), parts);
            if payload.is_some() && place == 0 {
                let project = body.project();
                // It lies in the entry.
                parts.push(WrittenPart { class: PartClass::Payload, project, person: None, place: 0..0 });
            }
            let mut failed = None;
            let salts = &mut self.salts;
            let mut salt = || {
                salts.draw().unwrap_or_else(|error| {
                    failed = Some(error);
                    Default::default()
                })
            };
            let written = &*self.batch.records.room();
            let views = parts.iter().map(|part| PartView {
                class: part.class,
                project: part.project.as_ref(),
                content: match (part.class, payload) {
                    (PartClass::Payload, Some(payload)) => payload,
                    _ => ContentView::Bytes(written.get(part.place.clone()).unwrap_or_default()),
                },
            });
            let about = (body.time, body.recorded_at, body.kind);
            let sealed = self.chain.seal_parts(about, views, &mut salt, &mut self.sealed);
            if let Some(error) = failed {
                return Err(RecordError::Random(error));
            }
            let seq = self.chain.head().seq;
            sealed.map_err(|source| RecordError::Seal { seq: seq + 1, source })?;
            self.batch.bytes += push_record(&mut self.batch.records, entry, body, &self.sealed, parts);
            if self.log.push(self.sealed.hash.0, &mut self.batch.nodes) {
                self.log.note(self.writer.given() + 1, Instant::now());
            }
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
        Ok(())
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

/// Adds a sealed record whose parts were written; how many bytes it has.
fn push_record(
    records: &mut NewRecords,
    entry: u64,
    body: &RecordBody,
    sealed: &Sealed,
    parts: &[WrittenPart],
) -> usize {
    let canonical = records.put(&sealed.canonical);
    let mut bytes = canonical.len();
    let head = NewHead {
        seq: sealed.seq,
        entry,
        kind: body.kind.code(),
        time: body.time,
        as_of: sealed.as_of,
        hash: sealed.hash.0,
    };
    records.push(head, canonical);
    // Nearly all parts of a record are of one project, whose text they share.
    let mut last: (Option<&Id>, Option<Range<usize>>) = (None, None);
    for (sealed, part) in sealed.parts.iter().zip(parts) {
        if last.0 != sealed.project.as_ref() {
            let project = sealed.project.as_ref();
            last = (project, project.map(|id| id.with_text(|text| records.put(text.as_bytes()))));
        }
        let person = part.person.as_ref().map(|person| records.put(person.as_str().as_bytes()));
        bytes += part.place.len();
        records.push_part(NewPart {
            class: sealed.class.code(),
            project: last.1.clone(),
            person,
            salt: sealed.salt,
            content: match part.class {
                PartClass::Payload => NewContent::InEntry,
                _ => NewContent::At(part.place.clone()),
            },
        });
    }
    bytes
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
