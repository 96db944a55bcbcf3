//! A store: what is in it survives every process; what it answers may be wrong, late or never heard.

use std::collections::BTreeMap;

use osel_core::intake::{Cursor, Gap, StoreTrouble};
use osel_core::time::Timestamp;

use crate::random::Random;

/// One input of the engine, as a batch keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A message, seen for the first time by this engine.
    Message(u64),
    /// A repetition of one: no record of its own.
    Duplicate,
    /// Messages may be missing.
    Gap(Gap),
}

/// What goes into the store in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    pub(super) epoch: u64,
    pub(super) number: u64,
    pub(super) entries: Vec<Entry>,
    pub(super) cursor: Cursor,
}

/// How a commit went, as far as the process is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Durable,
    Failed(StoreTrouble),
    Deposed,
}

/// What is durable.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    /// How many transactions there are: the number of the last one.
    pub(super) head: u64,
    /// How often the writer changed.
    pub(super) epoch: u64,
    pub(super) cursor: Cursor,
    /// How many records each message has.
    pub(super) records: BTreeMap<u64, u32>,
    pub(super) gaps: Vec<Gap>,
    /// Since when the durable cursor promises anything.
    pub(super) promised_from: Option<Timestamp>,
    /// Whether single commits fail now and then.
    pub(super) is_flaky: bool,
    /// Why it takes nothing, while it takes nothing.
    pub(super) trouble: Option<StoreTrouble>,
}

impl Store {
    /// Another writer takes over: its epoch.
    pub(super) fn open(&mut self) -> u64 {
        self.epoch += 1;
        self.epoch
    }

    /// One durable transaction, or none, and what is said of it. After an error the writer opens the store
    /// again and compares the head: a transaction that is there already is not made twice.
    pub(super) fn commit(&mut self, prepared: &Prepared, random: &mut Random) -> Answer {
        if prepared.epoch != self.epoch {
            return Answer::Deposed;
        }
        let trouble =
            self.trouble.or((self.is_flaky && random.below(40) == 0).then_some(StoreTrouble::Transient));
        if let Some(trouble) = trouble {
            // An error may come after the deed. A full disk took nothing.
            if trouble == StoreTrouble::Transient && random.below(3) == 0 {
                self.apply(prepared);
            }
            return Answer::Failed(trouble);
        }
        if self.apply(prepared) { Answer::Durable } else { Answer::Failed(StoreTrouble::Transient) }
    }

    /// Whether it is durable now; not when its predecessor is not.
    pub(super) fn apply(&mut self, prepared: &Prepared) -> bool {
        if prepared.epoch != self.epoch || prepared.number > self.head + 1 {
            return false;
        }
        if prepared.number == self.head + 1 {
            self.head += 1;
            self.cursor = prepared.cursor;
            self.promised_from = self.promised_from.or(prepared.cursor.unbroken);
            for entry in &prepared.entries {
                match entry {
                    Entry::Message(id) => *self.records.entry(*id).or_insert(0) += 1,
                    Entry::Duplicate => {}
                    Entry::Gap(gap) => self.gaps.push(*gap),
                }
            }
        }
        true
    }
}
