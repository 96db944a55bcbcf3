//! Erasing a person from a store: what is ordered, how far it has come, and the part of it that is the same in every store.
//!
//! It goes on step by step, each a transaction with its progress: the keys are destroyed, terms and parts leave the records, messages are written again without
//! the person, and in the end what was noted for it is wiped. What a part or a message says of whom, an [`Eraser`] knows; the store does not.
//!
//! Beside later keys than its own, as a restored journal may be, a store has parts that are *locked*: nobody can tell whether they are about the person, whose
//! key was destroyed before, and the index may have terms of them from when they could be read. So it does not keep what it knows of records with such parts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::block::unpack;
use super::data::{Entry, Expiry, PartContent, StoredRecord, Whose};

/// How many records are looked through in one step: some milliseconds.
pub(super) const RECORDS_AT_ONCE: u64 = 1024;

/// How many chunks of saved states are looked through in one step, unless one is to be written again: some milliseconds each.
pub(super) const CHUNKS_AT_ONCE: u64 = 4;

/// The erasure of a person, as it is ordered with the record that tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewErasure {
    /// That record.
    pub seq: u64,
    /// The words under which the person has keys.
    pub persons: Vec<String>,
    /// Who it is, in words of the [`Eraser`]; kept until it is done.
    pub subject: Vec<u8>,
}

/// How far an erasure has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRow {
    /// The record that tells it.
    pub seq: u64,
    /// Up to which record and which entry the person is looked for: what came later is about somebody who came back.
    pub until: (u64, u64),
    /// Whether nothing is left to do.
    pub is_done: bool,
    /// How many keys were destroyed.
    pub keys: u64,
    /// How many records lost parts about the person.
    pub records: u64,
    /// How many parts that were.
    pub parts: u64,
    /// The first and the last of these records; 0 for none.
    pub first_seq: u64,
    /// See there.
    pub last_seq: u64,
    /// How many messages were written again without the person.
    pub messages: u64,
    /// How many have the person in them and could not be: nobody can read their form.
    pub unreadable: u64,
    /// How many saved states were written again, or dropped since nobody can read them.
    #[serde(default)]
    pub states: u64,
    /// The saved state that was left as it is, since a record has its digest: the checkpoint of that time, 0 for none. Nothing before that is known, or where
    /// an earlier version ended it.
    #[serde(default)]
    pub checkpoint: Option<u64>,
}

/// Who knows what parts and messages say of a person.
pub trait Eraser {
    /// Whether the personal parts of a record that are not sealed, as older versions wrote them, are about the subject.
    fn is_about(&self, subject: &[u8], record: &StoredRecord) -> bool;

    /// What becomes of an input.
    fn rewrite(&self, subject: &[u8], entry: &Entry) -> Rewritten;

    /// What becomes of a chunk of a saved state, of the first or a later one.
    fn rewrite_state(&self, subject: &[u8], chunk: &[u8], is_first: bool) -> Rewritten;

    /// The class of parts that are about persons.
    fn class(&self) -> u8;

    /// The last record up to which all these parts are gone, in a store that has let go of this; 0 for none.
    fn gone(&self, done: &Expiry) -> u64;
}

/// What becomes of an input, or of a chunk of a saved state, that may have a person in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewritten {
    /// The person is not in it.
    AsItWas,
    /// It has this body instead.
    Body(Vec<u8>),
    /// The person is in it, and it cannot be taken apart.
    Unreadable,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// The order is durable; the keys are there.
    Ordered,
    /// The numbers of the keys are noted: they are destroyed, again if need be.
    Keys,
    /// Parts leave records.
    Records,
    /// Messages are written again.
    Messages,
    /// Saved states are written again, but for the one that a record has the digest of.
    States,
    /// What was noted is wiped, and what the store's log has of before.
    Wipe,
    /// Nothing is left.
    Done,
}

/// An erasure that is under way, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Erasing {
    pub(super) stage: Stage,
    pub(super) row: ErasureRow,
    /// Of the keys, sorted, while there are records to be looked through.
    pub(super) numbers: Vec<u64>,
    pub(super) persons: Vec<String>,
    pub(super) subject: Vec<u8>,
    /// The last record and the last entry that were looked at.
    pub(super) done: (u64, u64),
    /// The saved state that was written again last, and the chunk of it that is next.
    #[serde(default)]
    pub(super) state: (u64, u64),
    /// Whether it was counted.
    #[serde(default)]
    pub(super) is_counted: bool,
    /// The last record of the index's segments that were dropped for locked parts: what is there now was made of what can be read.
    #[serde(default)]
    pub(super) unindexed: u64,
}

/// Records by the keys that seal parts of theirs and are not the person's.
#[derive(Debug, Default)]
pub(super) struct SealedByOthers(BTreeMap<u64, Vec<u64>>);

impl SealedByOthers {
    /// The numbers of the keys.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.0.keys().copied().collect()
    }

    /// The records, in order, with parts that are locked: those of keys that are not there.
    pub(super) fn locked(self, there: &BTreeSet<u64>) -> Vec<u64> {
        let locked = self.0.into_iter().filter(|(number, _)| !there.contains(number));
        let seqs: BTreeSet<u64> = locked.flat_map(|(_, seqs)| seqs).collect();
        seqs.into_iter().collect()
    }
}

/// What is to be done with a chunk of a saved state.
pub(super) enum ChunkStep {
    /// Nothing.
    Keep,
    /// It is that instead of so many bytes.
    Replace(Vec<u8>, usize),
    /// The whole state is to go.
    Drop,
}

impl Erasing {
    /// One that was just ordered, in a store that ends there.
    pub(super) fn new(ordered: &NewErasure, until: (u64, u64)) -> Self {
        Self {
            stage: Stage::Ordered,
            row: ErasureRow { seq: ordered.seq, until, ..ErasureRow::default() },
            numbers: Vec::new(),
            persons: ordered.persons.clone(),
            subject: ordered.subject.clone(),
            done: (0, 0),
            state: (0, 0),
            is_counted: false,
            unindexed: 0,
        }
    }

    /// The keys of those whose erasures wait for the first of these.
    pub(super) fn waiting(all: &[Self]) -> BTreeSet<u64> {
        all.iter().skip(1).flat_map(|erasing| erasing.numbers.iter().copied()).collect()
    }

    /// As it is kept. Numbers, words and bytes: writing them cannot fail.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Takes the numbers of the person's keys.
    pub(super) fn found_keys(&mut self, mut numbers: Vec<u64>) {
        numbers.sort_unstable();
        self.row.keys = numbers.len() as u64;
        self.numbers = numbers;
        self.stage = Stage::Keys;
    }

    /// Takes away what a record has of the person; says how many parts that were.
    pub(super) fn take_from(&mut self, eraser: &dyn Eraser, record: &mut StoredRecord) -> usize {
        let is_plain = |part: &super::StoredPart| {
            part.class == eraser.class()
                && matches!(part.content, PartContent::Bytes(_))
                && !matches!(part.whose, Whose::Sealed(_))
        };
        let with_plain = record.parts.iter().any(is_plain) && eraser.is_about(&self.subject, record);
        let mut taken = 0;
        for part in &mut record.parts {
            let is_theirs =
                matches!(part.whose, Whose::Sealed(number) if self.numbers.binary_search(&number).is_ok());
            if part.content != PartContent::Gone && (is_theirs || (with_plain && is_plain(part))) {
                (part.content, part.salt, part.whose) = (PartContent::Gone, [0; 16], Whose::Nobody);
                taken += 1;
            }
        }
        if taken > 0 {
            self.row.records += 1;
            self.row.parts += taken as u64;
            self.row.last_seq = record.seq;
            if self.row.first_seq == 0 {
                self.row.first_seq = record.seq;
            }
        }
        taken
    }

    /// Notes by which keys parts of a record are sealed that are neither the person's nor of somebody whose erasure waits for this one.
    pub(super) fn note_others(
        &self,
        record: &StoredRecord,
        waiting: &BTreeSet<u64>,
        others: &mut SealedByOthers,
    ) {
        if record.seq <= self.unindexed {
            return;
        }
        for part in record.parts.iter().filter(|part| part.content != PartContent::Gone) {
            let Whose::Sealed(number) = part.whose else { continue };
            if self.numbers.binary_search(&number).is_err() && !waiting.contains(&number) {
                others.0.entry(number).or_default().push(record.seq);
            }
        }
    }

    /// Takes the person out of the entries of a block; says which were changed.
    pub(super) fn rewrite(&mut self, eraser: &dyn Eraser, entries: &mut [Entry]) -> Vec<u64> {
        let mut changed = Vec::new();
        for entry in entries.iter_mut().filter(|entry| !entry.erased && !entry.body.is_empty()) {
            match eraser.rewrite(&self.subject, entry) {
                Rewritten::AsItWas => {}
                Rewritten::Unreadable => self.row.unreadable += 1,
                Rewritten::Body(body) => {
                    entry.body = body;
                    changed.push(entry.number);
                }
            }
        }
        self.row.messages += changed.len() as u64;
        changed
    }

    /// Takes the person out of a chunk of a saved state, given as it is stored; comes to the next one. What a crash left unfinished goes.
    pub(super) fn rewrite_chunk(
        &mut self,
        eraser: &dyn Eraser,
        (state, chunk, is_complete): (u64, u64, bool),
        packed: &[u8],
    ) -> ChunkStep {
        if !is_complete {
            return ChunkStep::Drop;
        }
        if self.state.0 != state {
            self.is_counted = false;
        }
        self.state = (state, chunk + 1);
        // What nobody can read is but a cache, and of no use to anybody.
        let step = match unpack(packed) {
            Err(_) => ChunkStep::Drop,
            Ok(bytes) => match eraser.rewrite_state(&self.subject, &bytes, chunk == 0) {
                Rewritten::AsItWas => return ChunkStep::Keep,
                Rewritten::Body(left) => ChunkStep::Replace(left, bytes.len()),
                Rewritten::Unreadable => ChunkStep::Drop,
            },
        };
        self.row.states += u64::from(!std::mem::replace(&mut self.is_counted, true));
        step
    }

    /// No state is left but that of the checkpoint, 0 for none: what says who it was is wiped.
    pub(super) fn has_no_more_states(&mut self, checkpoint: u64) {
        self.stage = Stage::Wipe;
        self.row.checkpoint = Some(checkpoint);
        (self.numbers, self.persons, self.subject) = (Vec::new(), Vec::new(), Vec::new());
    }
}
