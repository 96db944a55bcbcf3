//! Whether a missing part is one that may be missing: by the limits of retention, or as one of those that an erasure took.
//!
//! Of an erasure is known how many parts it took, and from the first to the last record; which they were only those who were erased could say. So as many as
//! that may be missing there, and no more.
//!
//! A part that is there, sealed, and has no key is another matter than one that is not there: an erasure that is done has taken the parts with their keys, so that
//! it explains none that is there. Those of a [later](Later) store do, as many as they took. Within its own limits a store may lack keys as it may lack parts:
//! whoever could take a key there could as well have taken the part.

use std::collections::{BTreeMap, BTreeSet};

use osel_core::trail::PartClass;

use super::Untold;
use super::later::Later;
use super::told::{Told, raise};
use crate::store::{ErasureRow, Expiry, JournalError, Reader, StoredRecord, Whose};

/// A part that is missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    pub(super) seq: u64,
    kind: u8,
    pub(super) class: u8,
    /// Whether it is there, sealed, without its key.
    pub(super) is_locked: bool,
}

/// What goes by, instead of what the store says: what is told.
#[derive(Debug)]
struct Strict {
    told: Told,
    /// What is told of the limits.
    limits: Expiry,
    /// What the store said then, and its last record: it may say more by now, which nobody has looked for among the records.
    said: Expiry,
    last: u64,
}

/// The parts that are missing.
#[derive(Debug, Default)]
pub(super) struct Account {
    limits: Expiry,
    erasures: Vec<ErasureRow>,
    /// How many parts are put down to an erasure, by its record: of messages, or of persons.
    taken: BTreeMap<(u64, bool), u64>,
    /// What was seen and is not settled: some parts of each record of a page.
    waiting: Vec<Lost>,
    /// The erasures that were under way in a copy, of which the later store tells the end.
    ended: BTreeSet<u64>,
    untold: Untold,
    later: Option<Later>,
    strict: Option<Strict>,
}

impl Lost {
    /// A part of a record by its place; none where there is no such part.
    pub(super) fn of(record: &StoredRecord, place: usize) -> Option<Self> {
        record.parts.get(place).map(|part| {
            // Nothing else is ever sealed: whoever takes a body could write one that nobody can open in its place.
            let is_locked = part.whose == Whose::Locked && part.class == PartClass::Personal.code();
            Self { seq: record.seq, kind: record.kind, class: part.class, is_locked }
        })
    }

    fn is_payload(&self) -> bool {
        self.class == PartClass::Payload.code()
    }

    /// Whether it may be missing by the limits of retention.
    pub(super) fn is_due(&self, limits: &Expiry) -> bool {
        self.seq <= limits.limit(self.class, self.kind)
            || (self.is_payload() && self.seq <= limits.checkpoint.seq)
    }

    /// The first and the last record from which an erasure may have taken it, and how many like it that took.
    fn reach(&self, row: &ErasureRow) -> (u64, u64, u64) {
        match (row.is_done, self.is_payload()) {
            // It counts as it goes, and its keys are gone from the beginning.
            (false, _) => (1, row.until.0, u64::MAX),
            (true, true) => (1, row.until.0, row.messages),
            (true, false) => (row.first_seq, row.last_seq, row.parts),
        }
    }
}

impl Account {
    /// What is missing untold, of what is settled.
    pub(super) fn untold(&self) -> Untold {
        self.untold
    }

    /// The limits that it goes by.
    pub(super) fn limits(&self) -> &Expiry {
        &self.limits
    }

    /// The erasures that it goes by.
    pub(super) fn erasures(&self) -> &[ErasureRow] {
        &self.erasures
    }

    /// The records of those that may have taken one of some parts.
    pub(super) fn erasures_of(&self, parts: &[Lost]) -> Vec<u64> {
        let may_have = |row: &&ErasureRow| {
            parts.iter().any(|lost| {
                let (first, last, most) = lost.reach(row);
                most > 0 && (first..=last).contains(&lost.seq)
            })
        };
        self.erasures.iter().filter(may_have).map(|row| row.seq).collect()
    }

    /// An account of a copy that goes also by what became of its store since.
    pub(super) fn beside(later: Option<Later>) -> Self {
        Self { later, ..Self::default() }
    }

    /// Another account of the same trail, which ended there, that goes by what is told.
    pub(super) fn strict(self, told: Told, last: u64) -> Self {
        let limits = told.of_limits(&self.limits);
        let strict = Some(Strict { told, limits, said: self.limits, last });
        Self { strict, later: self.later, ..Self::default() }
    }

    /// Reads what may be missing by now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn refresh(&mut self, reader: &mut dyn Reader) -> Result<(), JournalError> {
        self.limits = reader.expiry()?;
        self.erasures = reader.erasures()?;
        if let Some(later) = &self.later {
            for row in self.erasures.iter_mut().filter(|row| !row.is_done) {
                if let Some(end) = later.end_of(row.seq) {
                    self.ended.insert(row.seq);
                    row.clone_from(end);
                }
            }
        }
        if let Some(strict) = &self.strict {
            self.limits = strict.limits_now(&self.limits);
            self.erasures.retain(|row| row.seq > strict.last || strict.told.tells_erasure(row.seq));
        }
        Ok(())
    }

    /// Takes the missing parts of a record.
    pub(super) fn see(&mut self, record: &StoredRecord, missing: &[usize]) {
        missing.iter().filter_map(|&place| Lost::of(record, place)).for_each(|lost| self.add(lost));
    }

    /// Takes one missing part.
    pub(super) fn add(&mut self, lost: Lost) {
        if !self.is_due(&lost) {
            self.waiting.push(lost);
        }
    }

    /// Decides about what was seen since the last time: more may be missing by now than when it was seen.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn settle(&mut self, reader: &mut dyn Reader) -> Result<(), JournalError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.refresh(reader)?;
        for lost in std::mem::take(&mut self.waiting) {
            if !self.is_due(&lost) && !self.put_down(&lost) {
                self.untold.count(&lost);
            }
        }
        Ok(())
    }

    fn is_due(&self, lost: &Lost) -> bool {
        let later = self.later.as_ref().filter(|_| lost.is_locked);
        lost.is_due(&self.limits) || later.is_some_and(|later| lost.is_due(&later.limits))
    }

    /// Puts a part down to an erasure, if one can have taken it. They come in order: as many as possible find their erasure when each is put down to
    /// the one that ends first.
    fn put_down(&mut self, lost: &Lost) -> bool {
        if !lost.is_payload() && lost.class != PartClass::Personal.code() {
            return false;
        }
        let place = |row: &ErasureRow| (row.seq, lost.is_payload());
        let can_have = |row: &&ErasureRow| {
            let (first, last, most) = lost.reach(row);
            (first..=last).contains(&lost.seq)
                && self.taken.get(&place(row)).is_none_or(|&taken| taken < most)
        };
        // One that is done has left no part without its key, and one that is not may have left any number: beside a later store only those count that it ends.
        let has_keys_left = |row: &ErasureRow| match self.later {
            Some(_) => self.ended.contains(&row.seq),
            None => !row.is_done,
        };
        let own = self.erasures.iter().filter(|row| !lost.is_locked || has_keys_left(row));
        // One of later has taken nothing from a copy but keys.
        let later = self.later.iter().filter(|_| lost.is_locked).flat_map(Later::ordered_since);
        let rows = own.chain(later).filter(can_have);
        let Some(row) = rows.min_by_key(|row| (!row.is_done, lost.reach(row).1)) else { return false };
        *self.taken.entry(place(row)).or_default() += 1;
        true
    }
}

impl Strict {
    /// The limits that are told, and what the store says beyond what it said when it was held against the records.
    fn limits_now(&self, now: &Expiry) -> Expiry {
        let mut limits = Expiry { checkpoint: now.checkpoint, ..self.limits.clone() };
        for (class, &seq) in &now.parts {
            if self.said.parts.get(class) != Some(&seq) {
                raise(limits.parts.entry(*class).or_default(), seq);
            }
        }
        for (class, &seq) in &now.kinds {
            if self.said.kinds.get(class) != Some(&seq) {
                raise(limits.kinds.entry(*class).or_default(), seq);
            }
        }
        limits
    }
}
