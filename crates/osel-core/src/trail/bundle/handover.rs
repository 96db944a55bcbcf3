//! From one key of the log to the next: the record that names the next one, and the checkpoint by which the earlier one vouches for it.
//!
//! A record of the kind `system` names both keys before the later one signs anything, and the earlier one signs a checkpoint with that
//! record in it. So whoever trusts the earlier key knows the later one by its word. The checkpoint's tree must be the beginning of the
//! bundle's: nobody hands on another log.

use serde::Deserialize;

use super::super::canonical::Canonical;
use super::super::hash::{Hash, leaf_hash};
use super::super::head::Head;
use super::super::kind::{PartClass, RecordKind};
use super::super::log::{Checkpoint, VerifierKey};
use super::super::merkle::{ProofError, verify_consistency, verify_inclusion};
use super::super::verify::{StoredContent, StoredPart, StoredRecord, Verifier};
use super::fault::Fault;
use super::line;

/// The most keys of one bundle: a new one each month for ten years.
pub const KEYS_MAX: usize = 120;

/// What the record says of itself: that the log has another key.
const ABOUT: &str = "key";

/// The part of a record's body that tells of a key; what else is in it means nothing here.
#[derive(Deserialize)]
struct Body {
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    log: String,
    previous: String,
    next: String,
}

/// The keys of a bundle in their order, and up to which size each but the last signed.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    keys: Vec<VerifierKey>,
    /// The checkpoints by which the keys were handed on, as far as they were read.
    handed: Vec<Checkpoint>,
    /// The first key that is trusted: the one given, or the bundle's first.
    trusted: usize,
}

impl Keys {
    /// The keys of a first line, of which `given` must be one where it is given.
    pub(super) fn read(written: &[String], given: Option<&VerifierKey>) -> Result<Self, Fault> {
        let keys: Vec<VerifierKey> =
            written.iter().map(|key| key.parse()).collect::<Result<_, _>>().map_err(Fault::Key)?;
        let trusted = match given {
            None => Some(0),
            Some(given) => keys.iter().position(|key| key == given),
        };
        let other = || Fault::OtherKey { found: written.last().cloned().unwrap_or_default() };
        let trusted = trusted.ok_or_else(other)?;
        // The log's name is its key's: another name is another log.
        if keys.iter().any(|key| Some(key.name()) != keys.first().map(VerifierKey::name)) {
            return Err(Fault::Names);
        }
        Ok(Self { keys, handed: Vec::new(), trusted })
    }

    /// Whether a line is still to come that hands a key on.
    pub(super) fn are_awaited(&self) -> bool {
        self.handed.len() + 1 < self.keys.len()
    }

    /// The checkpoint in a note, which the last key must have signed.
    pub(super) fn open_last(&self, note: &str) -> Result<Checkpoint, Fault> {
        self.open_by(self.keys.len().saturating_sub(1), note)
    }

    /// The checkpoint in a note by the key whose turn it was at its size, and whether that key is trusted by itself.
    pub(super) fn open(&self, note: &str) -> Result<(Checkpoint, bool), Fault> {
        // Its size is believed once the key of that size has signed it.
        let size = Checkpoint::read_unverified(note.as_bytes())?.size;
        let turn = self.handed.iter().take_while(|handed| handed.size < size).count();
        Ok((self.open_by(turn, note)?, turn >= self.trusted))
    }

    fn open_by(&self, turn: usize, note: &str) -> Result<Checkpoint, Fault> {
        let key = self.keys.get(turn).map(std::slice::from_ref).unwrap_or_default();
        Ok(Checkpoint::open(note.as_bytes(), key)?)
    }

    /// Takes the next line that hands a key on, in a bundle that is proved by a checkpoint.
    pub(super) fn take(
        &mut self,
        handover: &line::Handover,
        decoded: &[u8],
        proved_by: &Checkpoint,
    ) -> Result<(), Fault> {
        let turn = self.handed.len();
        let checkpoint = self.open_by(turn, &handover.note)?;
        if self.handed.last().is_some_and(|before| before.size >= checkpoint.size) {
            return Err(Fault::Handover("its checkpoint is not later than the one before"));
        }
        let (old, new) = (&checkpoint, proved_by);
        verify_consistency(old.size, old.root, new.size, new.root, &handover.proof).map_err(Fault::Since)?;
        let told = told(&handover.record, decoded, &checkpoint)?;
        let (previous, next) = (self.keys.get(turn), self.keys.get(turn + 1));
        let is = |key: Option<&VerifierKey>, text: &str| key.is_some_and(|key| key.to_string() == text);
        if told.log != ABOUT || !is(previous, &told.previous) || !is(next, &told.next) {
            return Err(Fault::Handover("its record does not name the two keys"));
        }
        self.handed.push(checkpoint);
        Ok(())
    }

    /// The key that everything is proved to whoever trusts it, and those that followed, each with the size up to which the one before it signed.
    pub(super) fn into_trusted(self) -> (Option<VerifierKey>, Vec<(u64, VerifierKey)>) {
        let Self { keys, handed, trusted } = self;
        let mut keys = keys.into_iter().skip(trusted);
        let first = keys.next();
        (first, handed.into_iter().skip(trusted).map(|handed| handed.size).zip(keys).collect())
    }
}

/// What the record says that names the next key; it is in the checkpoint's tree and as it was made.
fn told(record: &line::Record, decoded: &[u8], checkpoint: &Checkpoint) -> Result<Detail, Fault> {
    let bytes = |range: &std::ops::Range<usize>| decoded.get(range.clone()).unwrap_or_default();
    let canonical_bytes = bytes(&record.canonical);
    let no_such = ProofError::NoSuchLeaf { index: 0, size: checkpoint.size };
    let index = record.seq.checked_sub(1).ok_or(Fault::Path(no_such))?;
    let leaf: Hash = leaf_hash(canonical_bytes);
    verify_inclusion(leaf, index, checkpoint.size, &record.path, checkpoint.root).map_err(Fault::Path)?;
    let canonical = Canonical::read(canonical_bytes).ok();
    let mut body = None;
    let mut parts = Vec::with_capacity(record.parts.len());
    let mut committed = canonical.iter().flat_map(Canonical::parts);
    for part in &record.parts {
        // A record of fewer parts is refused for their number.
        let (class, project) =
            committed.next().map_or((PartClass::Body, None), |part| (part.class, part.project));
        let content = match part {
            Some((salt, content)) => StoredContent::Present { salt: bytes(salt), bytes: bytes(content) },
            None => StoredContent::Missing,
        };
        if class == PartClass::Body {
            body = part.as_ref().map(|(_, content)| bytes(content));
        }
        parts.push(StoredPart { class, project, content });
    }
    let mut verifier = Verifier::new(None);
    if let Some(header) = canonical.map(|canonical| canonical.header) {
        verifier.go_on_after(Head { seq: index, hash: header.previous, as_of: header.as_of });
    }
    let stored = StoredRecord { seq: record.seq, canonical: canonical_bytes, hash: None, parts: &parts };
    verifier.push(&stored).map_err(|bad| Fault::Record(bad.why))?;
    let is_system = canonical.is_some_and(|canonical| canonical.header.kind == RecordKind::System);
    let read = body.filter(|_| is_system).and_then(|body| serde_json::from_slice::<Body>(body).ok());
    Ok(read.ok_or(Fault::Handover("its record does not tell of a key"))?.detail)
}
