//! The tree of the log as records are added, and which of its sizes is signed when.
//!
//! Sizes are noted with their roots at the end of each batch and at least every [`ENTRIES_APART_MAX`] records. Once the batch that
//! completed it is durable, a noted size can be signed: when the next one would be too far from the last that was, when it has waited for
//! [`SECONDS_APART`], or at the end. Nothing here waits, writes or knows a clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use osel_core::engine::LogKeyChange;
use osel_core::time::Timestamp;
use osel_core::trail::{Hash, Tree};

use super::resume::{Resumed, row};
use super::signer::Signer;
use super::watch::KeyFound;
use crate::store::{LogKeyRow, NodeRow, SignedCheckpoint};

/// The most records between one checkpoint and the next: whoever finds something bad knows all before the last thousand to be good, and
/// one signature for a thousand records does not show in the time that they take.
pub const ENTRIES_APART_MAX: u64 = 1000;
/// How long a record waits for a checkpoint while others come: one each second is little to keep, and soon enough for whoever watches.
pub const SECONDS_APART: Duration = Duration::from_secs(1);
/// The most sizes that wait for a key. Beyond, those go that need no checkpoint of their own, and of ten million records the oldest: as many
/// as checkpoints are kept.
const NOTED_MAX: usize = 10_000;

/// How far the log is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// For how many records the last checkpoint stands, as far as it is on its way to the store.
    pub signed: u64,
    /// When that was signed; none for never.
    pub signed_at: Option<Timestamp>,
    /// How often the key could not be had since the start.
    pub failures: u64,
}

/// A size that can be signed once its batch is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Noted {
    batch: u64,
    size: u64,
    root: Hash,
    /// Since when it, or one before it for which it stands, waits.
    since: Instant,
}

/// What goes into the next batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// Checkpoints, the smaller first.
    pub checkpoints: Vec<SignedCheckpoint>,
    /// The key that signed, if it did so for the first time.
    pub key: Option<LogKeyRow>,
}

/// The growing log.
#[derive(Debug)]
pub struct Growth {
    tree: Tree,
    noted: VecDeque<Noted>,
    /// The last size that was noted.
    noted_size: u64,
    /// The last that was signed.
    signed: u64,
    signed_at: Option<Timestamp>,
    signer: Option<Signer>,
    /// The last key that is in the store.
    stored_key: Option<String>,
    /// That another key is the next one, as a record has told it and that key has not signed yet.
    told: Option<LogKeyChange>,
    /// No smaller size is signed: the record that tells of the key is not in it.
    least: u64,
}

impl Growth {
    /// Goes on with a store's log.
    pub fn new(resumed: Resumed, now: Instant) -> Self {
        let Resumed { tree, signed, unsigned, key, told } = resumed;
        let (least, told) = told.map_or((0, None), |(seq, change)| (seq, Some(change)));
        let mut this = Self {
            tree,
            noted: VecDeque::new(),
            noted_size: signed.as_ref().map_or(0, |signed| signed.size),
            signed: signed.as_ref().map_or(0, |signed| signed.size),
            signed_at: signed.map(|signed| signed.signed_at),
            signer: None,
            stored_key: key.map(|key| key.key),
            told,
            least,
        };
        // All that is there is durable.
        let noted = unsigned.into_iter().map(|(size, root)| Noted { batch: 0, size, root, since: now });
        this.noted.extend(noted);
        this.note(0, now);
        this
    }

    /// Has it signed from now on.
    pub fn sign_with(&mut self, signer: Signer) {
        self.signer = Some(signer);
    }

    /// Signs nothing until it is told what was found where the key is to be: it may be another one by now.
    pub fn put_key_down(&mut self) {
        if let Some(signer) = &mut self.signer {
            signer.put_down();
        }
    }

    /// Takes what was found where the key is to be.
    pub fn take_key(&mut self, found: KeyFound) {
        if let Some(signer) = &mut self.signer {
            signer.take(found);
        }
    }

    /// Adds a record's hash; nodes that it completes go to the others. Whether its size is to be noted before more are added.
    pub fn push(&mut self, hash: [u8; 32], nodes: &mut Vec<NodeRow>) -> bool {
        self.tree.push_with(Hash(hash), &mut |node| nodes.push(row(node)));
        self.tree.size() - self.noted_size >= ENTRIES_APART_MAX
    }

    /// How many records it has.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Notes the present size, whose last record is in that batch.
    pub fn note(&mut self, batch: u64, now: Instant) {
        let size = self.tree.size();
        if size == self.noted_size {
            return;
        }
        self.noted_size = size;
        if self.noted.len() >= NOTED_MAX {
            self.thin();
        }
        self.noted.push_back(Noted { batch, size, root: self.tree.root(), since: now });
    }

    /// Forgets sizes that are nearer to each other than checkpoints have to be; and where none is, the oldest.
    fn thin(&mut self) {
        let (least, told) = (self.least, self.told.is_some());
        let mut kept: VecDeque<Noted> = VecDeque::new();
        let mut before = self.signed;
        let mut noted = self.noted.drain(..).peekable();
        while let Some(one) = noted.next() {
            let is_turn = told && one.size == least;
            if is_turn || noted.peek().is_none_or(|next| next.size - before > ENTRIES_APART_MAX) {
                before = one.size;
                kept.push_back(one);
            }
        }
        drop(noted);
        self.noted = kept;
        if self.noted.len() >= NOTED_MAX {
            self.noted.pop_front();
        }
    }

    /// The change of the key that is to be told by a record before anything more is signed; it counts as told then. The size with that record
    /// at its end is to be noted: it is where the one key is followed by the other.
    pub fn take_key_change(&mut self) -> Option<LogKeyChange> {
        // Asked before every input: it copies nothing unless there is something to tell.
        let next = self.signer.as_ref()?.verifier()?;
        let previous = self.key()?;
        if previous == next {
            return None;
        }
        let change = LogKeyChange { previous: previous.to_owned(), next: next.to_owned() };
        self.least = self.tree.size() + 1;
        self.told = Some(change.clone());
        Some(change)
    }

    /// The key that whoever reads the log takes for the present one; none where nothing was signed yet.
    pub fn key(&self) -> Option<&str> {
        let told = self.told.as_ref().map(|told| told.next.as_str());
        told.or(self.stored_key.as_deref())
    }

    /// The key that hands the log on to the one that was told, if it is at hand. One that was told itself, and has never signed, has nothing
    /// to hand on.
    pub fn hands_on(&self) -> Option<&str> {
        let previous = &self.told.as_ref()?.previous;
        let has_signed = self.stored_key.as_ref() == Some(previous);
        let is_at_hand = self.signer.as_ref().is_some_and(|signer| signer.hands_on(previous));
        (has_signed && is_at_hand).then_some(previous.as_str())
    }

    /// Signs what is to be signed now of what is durable: with `all` the last size as well, though it has not waited.
    pub fn sign(&mut self, durable: u64, now: Instant, all: bool) -> Signed {
        let key = self.signer.as_ref().and_then(Signer::verifier).map(str::to_owned);
        let Some(key) = key.filter(|key| self.key().is_none_or(|known| known == key)) else {
            return Signed::default();
        };
        let mut signed = Signed::default();
        for noted in self.pick(durable, now, all) {
            let previous = self.hands_on().filter(|_| noted.size == self.least);
            let checkpoint = self.signer.as_ref().and_then(|signer| match previous {
                Some(previous) => signer.hand_over(previous, noted.size, noted.root),
                None => signer.sign(noted.size, noted.root),
            });
            signed.checkpoints.extend(checkpoint);
        }
        if let Some(first) = signed.checkpoints.first() {
            if self.stored_key.as_ref() != Some(&key) {
                signed.key = Some(LogKeyRow { size: first.size, key: key.clone() });
                self.stored_key = Some(key);
            }
            self.told = None;
            if let Some(signer) = &mut self.signer {
                signer.forget_previous();
            }
        }
        if let Some(last) = signed.checkpoints.last() {
            self.signed_at = Some(last.signed_at);
        }
        signed
    }

    /// How long to wait until there is something to sign or to tell; none while there is not, or no key.
    pub fn wait(&self, durable: u64, now: Instant) -> Option<Duration> {
        self.signer.as_ref()?.verifier()?;
        let first = self.noted.iter().find(|noted| noted.batch <= durable && noted.size >= self.least)?;
        Some((first.since + SECONDS_APART).saturating_duration_since(now))
    }

    /// How far it is signed.
    pub fn status(&self) -> LogStatus {
        let failures = self.signer.as_ref().map_or(0, Signer::failures);
        LogStatus { signed: self.signed, signed_at: self.signed_at, failures }
    }

    /// Why it cannot be signed, as far as something is wrong.
    pub fn trouble(&self) -> Option<&str> {
        self.signer.as_ref().and_then(Signer::trouble)
    }

    /// Takes out which of the noted sizes are signed now. Of the others that are durable the largest stands for all.
    fn pick(&mut self, durable: u64, now: Instant, all: bool) -> Vec<Noted> {
        let ready = self.noted.iter().take_while(|noted| noted.batch <= durable).count();
        let mut ready = self.noted.drain(..ready).filter(|noted| noted.size >= self.least).peekable();
        let mut picked = Vec::new();
        let mut waiting: Option<Noted> = None;
        while let Some(noted) = ready.next() {
            let since = waiting.take().map_or(noted.since, |before: Noted| before.since);
            let is_turn = self.told.is_some() && noted.size == self.least;
            let is_apart =
                is_turn || ready.peek().is_some_and(|next| next.size - self.signed > ENTRIES_APART_MAX);
            let is_due = ready.peek().is_none() && (all || since + SECONDS_APART <= now);
            if is_apart || is_due {
                self.signed = noted.size;
                picked.push(noted);
            } else {
                waiting = Some(Noted { since, ..noted });
            }
        }
        drop(ready);
        if let Some(waiting) = waiting {
            self.noted.push_front(waiting);
        }
        picked
    }
}
