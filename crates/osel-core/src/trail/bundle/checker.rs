//! Checking a bundle line by line: the first thing that is wrong, and how far everything is right all the same.
//!
//! A whole bundle is checked as a store's trail is (`verify`), and its tree grows beside it: each checkpoint confirms all records up to
//! it. Where two records do not fit together at a checkpoint, the checkpoint tells which of them is bad. Of some records each is proved
//! by its path. Whose key it is, and whether that is the right one, is for the caller to know.

use sha2::{Digest, Sha256};

use super::super::canonical::{Canonical, Header};
use super::super::hash::{Hash, leaf_hash};
use super::super::head::Head;
use super::super::kind::PartClass;
use super::super::log::{Checkpoint, VerifierKey};
use super::super::merkle::{ProofError, verify_consistency, verify_inclusion};
use super::super::verify::{Bad, PartCounts, StoredContent, StoredPart, StoredRecord, Verified, Verifier};
use super::fault::{BadBundle, Fault};
use super::growing::Growing;
use super::handover::Keys;
use super::line::{self, Kind, Record};
use super::witnesses::{Witnessed, Witnesses};
use super::writer::Scope;
use super::{LINE_BYTES_MAX, VERSION, VERSION_OF_KEYS};

/// What a good bundle proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it holds of the log.
    pub scope: Scope,
    /// The key that it is proved by: the one given, or the bundle's first.
    pub key: VerifierKey,
    /// The keys that followed, each with the size up to which the one before it signed.
    pub later_keys: Vec<(u64, VerifierKey)>,
    /// The checkpoint that it is proved by.
    pub checkpoint: Checkpoint,
    /// The witnesses that were asked about, and when each has seen that checkpoint.
    pub witnesses: Vec<Witnessed>,
    /// The checkpoint that it goes on from.
    pub since: Option<Checkpoint>,
    /// How many earlier checkpoints of a whole bundle were confirmed besides.
    pub checkpoints: u64,
    /// How many records it holds.
    pub records: u64,
    /// Its first and its last record; none when it has no records.
    pub span: Option<(u64, u64)>,
    /// In how many runs of successive numbers they come.
    pub runs: u64,
    /// Their parts.
    pub parts: PartCounts,
}

impl Summary {
    /// Whether it goes on from an earlier checkpoint and has every record that came after it.
    pub fn has_all_since(&self) -> bool {
        // Numbers rise, and none is above the checkpoint's size: so many of them are all.
        self.since.as_ref().is_some_and(|since| {
            self.records == self.checkpoint.size - since.size
                && self.span.is_none_or(|(first, _)| first > since.size)
        })
    }
}

/// Checks one bundle.
#[derive(Clone, Debug)]
pub struct Checker {
    given: Option<VerifierKey>,
    witnesses: Witnesses,
    /// None before the first line.
    body: Option<Body>,
    digest: Sha256,
    line: u64,
    has_ended: bool,
    bad: Option<BadBundle>,
    /// Canonical bytes, salts and contents of one record.
    decoded: Vec<u8>,
}

/// What is known once the first line was read.
#[derive(Clone, Debug)]
struct Body {
    scope: Scope,
    keys: Keys,
    checkpoint: Checkpoint,
    witnesses: Vec<Witnessed>,
    promised: u64,
    since: Option<Checkpoint>,
    /// The size of the last checkpoint between records.
    between: u64,
    checkpoints: u64,
    verifier: Verifier,
    tree: Growing,
    first: u64,
    last: Head,
    /// The hash that the last record names as that of the record before it.
    named: Hash,
    found: u64,
    runs: u64,
    confirmed: u64,
}

/// A fault, and the record that it is one of.
#[derive(Debug)]
struct Hit {
    record: Option<u64>,
    why: Fault,
}

impl<F: Into<Fault>> From<F> for Hit {
    fn from(why: F) -> Self {
        Self { record: None, why: why.into() }
    }
}

fn of(record: u64, why: impl Into<Fault>) -> Hit {
    Hit { record: Some(record), why: why.into() }
}

impl From<Bad> for Hit {
    fn from(Bad { seq, why }: Bad) -> Self {
        of(seq, why)
    }
}

impl Checker {
    /// A checker of a bundle that must be of the log with this key; without one the bundle's own is believed.
    pub fn new(key: Option<VerifierKey>) -> Self {
        Self {
            given: key,
            witnesses: Witnesses::default(),
            body: None,
            digest: Sha256::new(),
            line: 0,
            has_ended: false,
            bad: None,
            decoded: Vec::new(),
        }
    }

    /// The same of a bundle whose checkpoint so many of these witnesses must have cosigned. A cosignature of one of them that is wrong
    /// is a fault in any case; those of others mean nothing.
    pub fn witnessed_by(self, witnesses: Vec<VerifierKey>, wanted: usize) -> Self {
        Self { witnesses: Witnesses::new(witnesses, wanted), ..self }
    }

    /// Checks the next line, given with its line feed. One that is longer than [`LINE_BYTES_MAX`] is refused, so that nobody needs to
    /// read more of it.
    ///
    /// A good answer is final only when [`Self::finish`] has given one too.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong. Every later call gives the same answer.
    pub fn push(&mut self, line: &[u8]) -> Result<(), BadBundle> {
        if let Some(bad) = &self.bad {
            return Err(bad.clone());
        }
        self.line += 1;
        let result = self.take(line).map_err(|hit| self.blame(hit));
        self.bad = result.as_ref().err().cloned();
        result
    }

    /// How many records were found by now.
    pub fn records(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| body.found)
    }

    /// Ends the bundle.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, such as that its last line is missing.
    pub fn finish(mut self) -> Result<Summary, BadBundle> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        if !self.has_ended {
            self.line += 1;
            return Err(self.blame(Hit { record: self.expected(), why: Fault::Cut }));
        }
        let Self { body, line, .. } = self;
        let cut = BadBundle { line, record: None, why: Fault::Cut, confirmed: 0 };
        let Some(body) = body else { return Err(cut) };
        let (key, later_keys) = body.keys.into_trusted();
        let Some(key) = key else { return Err(cut) };
        let Verified { records, parts, .. } = body.verifier.finish().map_err(|Bad { seq, why }| {
            BadBundle { line, record: Some(seq), why: why.into(), confirmed: body.confirmed }
        })?;
        Ok(Summary {
            scope: body.scope,
            key,
            later_keys,
            checkpoint: body.checkpoint,
            witnesses: body.witnesses,
            since: body.since,
            checkpoints: body.checkpoints,
            records,
            span: (records > 0).then_some((body.first, body.last.seq)),
            runs: body.runs,
            parts,
        })
    }

    /// How many records are confirmed by now.
    pub fn confirmed(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| body.confirmed)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Hit> {
        if self.has_ended {
            return Err(Fault::After.into());
        }
        let unreadable = match line {
            _ if line.len() > LINE_BYTES_MAX => Some(Fault::Long),
            [.., b'\n'] => None,
            _ => Some(Fault::Cut),
        };
        if let Some(why) = unreadable {
            return Err(Hit { record: self.expected(), why });
        }
        let Some(body) = &mut self.body else {
            self.body = Some(Body::read(line, self.given.as_ref(), &self.witnesses)?);
            self.digest.update(line);
            return Ok(());
        };
        let whole = body.scope == Scope::Whole;
        match line::kind(line, whole) {
            // Nothing else may stand there, whatever it looks like.
            _ if body.keys.are_awaited() => {
                let handover = line::read_handover(line, &mut self.decoded)?;
                body.keys.take(&handover, &self.decoded, &body.checkpoint)?;
            }
            Kind::Record => {
                let record = line::read_record(line, whole, &mut self.decoded)
                    .map_err(|error| Hit { record: body.expected_in(line), why: error.into() })?;
                body.take_record(&record, &self.decoded)?;
            }
            Kind::Checkpoint => body.take_checkpoint(&line::read_checkpoint(line)?)?,
            Kind::Since => body.take_since(&line::read_since(line)?)?,
            Kind::End => {
                let said = line::read_end(line)?;
                if body.found != body.promised {
                    let why = Fault::Count { promised: body.promised, found: body.found };
                    return Err(Hit { record: self.expected(), why });
                }
                if said != Hash(self.digest.clone().finalize().into()).to_string() {
                    return Err(Fault::Digest.into());
                }
                self.has_ended = true;
            }
        }
        self.digest.update(line);
        Ok(())
    }

    /// The record that should come next, where that can be known.
    fn expected(&self) -> Option<u64> {
        self.body.as_ref().and_then(Body::expected)
    }

    fn blame(&self, hit: Hit) -> BadBundle {
        let Hit { record, why } = hit;
        // What was seen before, and could not be decided yet, is worse.
        let undecided = self.body.as_ref().and_then(|body| body.verifier.decided(None));
        let Hit { record, why } = match (why, undecided) {
            (why @ Fault::Record(_), _) | (why, None) => Hit { record, why },
            (_, Some(bad)) => bad.into(),
        };
        BadBundle { line: self.line, record, why, confirmed: self.confirmed() }
    }
}

impl Body {
    fn read(line: &[u8], given: Option<&VerifierKey>, witnesses: &Witnesses) -> Result<Self, Hit> {
        let Some(after) = line.strip_prefix(line::HEADER.as_bytes()) else {
            return Err(Fault::NotABundle.into());
        };
        if ![VERSION, VERSION_OF_KEYS].iter().any(|known| after.starts_with(format!("{known},").as_bytes())) {
            return Err(Fault::Version.into());
        }
        let header = line::read_header(line)?;
        let keys = Keys::read(&header.keys, given)?;
        let checkpoint = keys.open_last(&header.checkpoint)?;
        let witnesses = witnesses.judge(&header.checkpoint)?;
        let (records, size) = (header.records, checkpoint.size);
        let fits = if header.whole { records == size } else { records <= size };
        if !fits {
            return Err(Fault::Size { records, size }.into());
        }
        Ok(Self {
            scope: if header.whole { Scope::Whole } else { Scope::Some },
            keys,
            checkpoint,
            witnesses,
            promised: records,
            since: None,
            between: 0,
            checkpoints: 0,
            verifier: Verifier::new(None),
            tree: Growing::default(),
            first: 0,
            last: Head::EMPTY,
            named: Hash::ZERO,
            found: 0,
            runs: 0,
            confirmed: 0,
        })
    }

    /// The record that should come next: of a whole bundle that is known.
    fn expected(&self) -> Option<u64> {
        (self.scope == Scope::Whole && self.found < self.promised).then_some(self.found + 1)
    }

    /// The record that a line is about which cannot be read: the one that should come, or what can still be made out.
    fn expected_in(&self, line: &[u8]) -> Option<u64> {
        match self.scope {
            Scope::Whole => self.expected(),
            Scope::Some => line::legible_seq(line),
        }
    }

    fn take_since(&mut self, since: &line::Since) -> Result<(), Hit> {
        let (checkpoint, _) = self.keys.open(&since.note)?;
        if self.scope == Scope::Whole || self.since.is_some() || self.found > 0 {
            return Err(Fault::Place { size: checkpoint.size, after: self.found }.into());
        }
        let (old, new) = (&checkpoint, &self.checkpoint);
        verify_consistency(old.size, old.root, new.size, new.root, &since.proof).map_err(Fault::Since)?;
        self.since = Some(checkpoint);
        Ok(())
    }

    fn take_checkpoint(&mut self, note: &str) -> Result<(), Hit> {
        let (checkpoint, is_trusted) = self.keys.open(note)?;
        let is_between = (self.between + 1..self.checkpoint.size).contains(&checkpoint.size);
        if self.scope != Scope::Whole || checkpoint.size != self.found || !is_between {
            // Where it comes too soon, records before it are missing.
            let record = self.expected().filter(|_| checkpoint.size > self.found);
            return Err(Hit { record, why: Fault::Place { size: checkpoint.size, after: self.found } });
        }
        self.between = checkpoint.size;
        self.checkpoints += 1;
        if is_trusted {
            return self.confirm(checkpoint.root);
        }
        // What an earlier key says confirms nothing to whoever trusts a later one, and must be right all the same.
        if self.tree.root() == checkpoint.root || self.verifier.is_undecided() {
            return Ok(());
        }
        Err(of(self.found, Fault::Root { confirmed: self.confirmed }))
    }

    fn take_record(&mut self, record: &Record, decoded: &[u8]) -> Result<(), Hit> {
        let bytes = decoded.get(record.canonical.clone()).unwrap_or_default();
        let canonical = Canonical::read(bytes).ok();
        let header = canonical.map(|canonical| canonical.header);
        if self.scope == Scope::Some {
            self.prove(record, bytes, header)?;
        } else if let Some(found) = header.map(|header| header.seq)
            && self.expected() == Some(found)
            && found != record.seq
        {
            return Err(of(found, Fault::Number { found: record.seq }));
        }

        let mut committed = canonical.iter().flat_map(Canonical::parts);
        let mut parts = Vec::with_capacity(record.parts.len());
        for part in &record.parts {
            // A record of fewer parts is refused for their number.
            let (class, project) = match committed.next() {
                Some(part) => (part.class, part.project),
                None => (PartClass::Body, None),
            };
            let content = match part {
                Some((salt, content)) => StoredContent::Present {
                    salt: decoded.get(salt.clone()).unwrap_or_default(),
                    bytes: decoded.get(content.clone()).unwrap_or_default(),
                },
                None => StoredContent::Missing,
            };
            parts.push(StoredPart { class, project, content });
        }
        let stored = StoredRecord { seq: record.seq, canonical: bytes, hash: None, parts: &parts };
        let checked = self.verifier.push(&stored)?;
        if self.found == self.promised {
            return Err(Fault::Count { promised: self.promised, found: self.found + 1 }.into());
        }
        self.runs += u64::from(self.found == 0 || checked.head.seq != self.last.seq + 1);
        if self.found == 0 {
            self.first = checked.head.seq;
        }
        self.found += 1;
        self.last = checked.head;
        if self.scope == Scope::Some {
            self.confirmed = self.found;
            return Ok(());
        }
        self.named = header.map_or(Hash::ZERO, |header| header.previous);
        self.tree.push(checked.head.hash);
        if self.found == self.promised { self.confirm(self.checkpoint.root) } else { Ok(()) }
    }

    /// Checks the path of a record among some, and where it stands.
    fn prove(&mut self, record: &Record, bytes: &[u8], header: Option<Header>) -> Result<(), Hit> {
        let leaf = leaf_hash(bytes);
        let size = self.checkpoint.size;
        let is_proved = |seq: u64| {
            let index = seq.checked_sub(1).ok_or(ProofError::NoSuchLeaf { index: 0, size: 0 })?;
            verify_inclusion(leaf, index, size, &record.path, self.checkpoint.root)
        };
        if let Err(error) = is_proved(record.seq) {
            // The record may be right, and the number before it wrong.
            return Err(match header.map(|header| header.seq) {
                Some(seq) if is_proved(seq).is_ok() => of(seq, Fault::Number { found: record.seq }),
                _ => of(record.seq, Fault::Path(error)),
            });
        }
        if self.found > 0 && record.seq <= self.last.seq {
            return Err(of(record.seq, Fault::Order { after: self.last.seq }));
        }
        let before = match header {
            _ if record.seq == 1 || record.seq == self.last.seq + 1 && self.found > 0 => self.last,
            // Nothing is known of the record before it but what it says itself.
            Some(Header { previous, as_of, .. }) => Head { seq: record.seq - 1, hash: previous, as_of },
            None => Head { seq: record.seq - 1, ..Head::EMPTY },
        };
        self.verifier.go_on_after(before);
        Ok(())
    }

    /// Confirms all records up to here by a checkpoint's root, or says which is bad.
    fn confirm(&mut self, root: Hash) -> Result<(), Hit> {
        let is_right = self.tree.root() == root;
        if self.verifier.is_undecided() {
            // With a right root the log was made so. Else the later of the two that do not fit is as it was made if the record that
            // it names, put before it, leads to the root.
            let later_is_good = !is_right && self.tree.root_with(self.named) == root;
            if let Some(bad) = self.verifier.decided(Some(later_is_good)) {
                return Err(bad.into());
            }
        }
        if !is_right {
            return Err(of(self.found, Fault::Root { confirmed: self.confirmed }));
        }
        self.confirmed = self.found;
        // What is confirmed is not to blame where the next record does not fit to it.
        self.verifier.go_on_after(self.last);
        Ok(())
    }
}
