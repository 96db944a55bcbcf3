//! Verification: stored records in, the first bad one and why out.
//!
//! Every record is checked on its own (form, number, stored hash, parts) and against the one before it. When
//! two records do not fit together, one of them was altered, and only what comes after can tell which: if the
//! next record (or a noted head) was made for the later one, the earlier is bad. So such a verdict waits for
//! one more record. Missing parts are no fault: retention, erasure and other tenants' walls take them away;
//! they are counted and named.
//!
//! A chain proves nothing about its own end. Only a head noted elsewhere shows a cut tail or a history
//! written anew.

use std::fmt;

use super::canonical::{Canonical, Malformed};
use super::chain::as_of;
use super::hash::{Hash, Salt, commitment, leaf_hash};
use super::head::{Head, NotedHead};
use super::kind::PartClass;
use crate::time::Timestamp;

/// A record as a store has it.
#[derive(Clone, Copy, Debug)]
pub struct StoredRecord<'a> {
    /// The number of its place: its key in the store.
    pub seq: u64,
    /// Its canonical bytes.
    pub canonical: &'a [u8],
    /// Its hash, where the store keeps one.
    pub hash: Option<&'a [u8]>,
    /// Its parts, in order.
    pub parts: &'a [StoredPart<'a>],
}

/// A part as a store has it.
#[derive(Clone, Copy, Debug)]
pub struct StoredPart<'a> {
    /// What it holds.
    pub class: PartClass,
    /// The project it belongs to.
    pub project: Option<&'a str>,
    /// Its content, if it is still there.
    pub content: StoredContent<'a>,
}

/// The content of a stored part.
#[derive(Clone, Copy, Debug)]
pub enum StoredContent<'a> {
    /// It is there and can be checked.
    Present {
        /// The salt it was sealed with.
        salt: &'a [u8],
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// It was removed with its salt, or is not for the one who asks.
    Missing,
}

/// How many parts of each class there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartCounts {
    present: [u64; PartClass::ALL.len()],
    missing: [u64; PartClass::ALL.len()],
}

/// A record that is good as far as can be said before the next one is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Its number, hash and `as_of`.
    pub head: Head,
    /// Which of its parts are missing, counted from 0.
    pub missing: Vec<usize>,
}

/// A trail that is good from its first to its last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What its last record left.
    pub head: Head,
    /// How many records were checked.
    pub records: u64,
    /// Their parts.
    pub parts: PartCounts,
}

/// The first bad entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {why}")]
pub struct Bad {
    /// Its number.
    pub seq: u64,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Nothing is in its place.
    #[error("it is missing, the next one found is {found}")]
    Missing {
        /// The number of the next place.
        found: u64,
    },
    /// It comes after entries that it should come before.
    #[error("it is out of order, {expected} should follow")]
    OutOfOrder {
        /// The number that should come.
        expected: u64,
    },
    /// Its bytes are no record.
    #[error(transparent)]
    Malformed(Malformed),
    /// Its bytes belong to another place.
    #[error("its bytes say that it is entry {found}: entries were removed, inserted or swapped")]
    Number {
        /// The number in its bytes.
        found: u64,
    },
    /// Its stored hash is not that of its bytes.
    #[error("its bytes do not have the hash stored with them: one of the two was altered")]
    StoredHash,
    /// It names another predecessor than the one it has.
    #[error("it was not made to follow the entry before it")]
    Previous,
    /// Its successor, which is good, names another predecessor.
    #[error("it was altered: the entries after it were made to follow another one")]
    Altered,
    /// Its successor, which is the last, names another predecessor, and nothing tells which of the two is
    /// bad.
    #[error("it or the last entry, which was made to follow another one, was altered")]
    Unlinked,
    /// It stands before the entry that the next ones were made to follow.
    #[error("it was inserted: the entry after it has its number, and the next ones follow that one")]
    Inserted,
    /// Its `as_of` is not what the rule makes of its times and its predecessor's.
    #[error("its `as_of` is {found}, by its times and its predecessor it is {expected}")]
    AsOf {
        /// What its bytes say.
        found: Timestamp,
        /// What it should be.
        expected: Timestamp,
    },
    /// The number of its parts differs.
    #[error("it was made with {committed} parts and has {found}")]
    PartCount {
        /// How many its bytes name.
        committed: usize,
        /// How many are stored.
        found: usize,
    },
    /// A part's class or project differs.
    #[error("its part {part} is of another class or project than the one it was made with")]
    PartKind {
        /// Which part, from 0.
        part: usize,
    },
    /// A part is not the one that was committed to.
    #[error("its part {part} ({class}) is not the one it was made with")]
    PartContent {
        /// Which part, from 0.
        part: usize,
        /// Its class.
        class: PartClass,
    },
    /// It has another hash than was noted down.
    #[error("it has not the hash that was noted: it or an entry before it was written anew")]
    Noted,
    /// Entries at the end are missing.
    #[error("the tail is cut: {noted} records noted, {found} found")]
    CutTail {
        /// The number of the last record as noted.
        noted: u64,
        /// The number of the last record found.
        found: u64,
    },
}

/// Two records do not fit together; the next one tells which of them is bad.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    /// The hash of the later one: whoever names it vouches for it.
    later: Hash,
    if_vouched: Bad,
    if_refuted: Bad,
    if_last: Bad,
}

/// Walks a trail from its first record (or from a trusted one) and finds the first bad entry.
#[derive(Clone, Debug)]
pub struct Verifier {
    head: Head,
    /// The hash before `head`'s, where this verifier has seen it.
    before: Option<Hash>,
    /// Whether `head` was given, not checked: then it is not to blame.
    trusted: bool,
    noted: Option<NotedHead>,
    suspicion: Option<Suspicion>,
    bad: Option<Bad>,
    records: u64,
    parts: PartCounts,
}

impl PartCounts {
    /// How many parts of the class were there.
    pub fn present(&self, class: PartClass) -> u64 {
        self.present[slot(class)]
    }

    /// How many parts of the class were missing.
    pub fn missing(&self, class: PartClass) -> u64 {
        self.missing[slot(class)]
    }
}

impl Verifier {
    /// A verifier of a whole trail, which must contain the head noted elsewhere, if there is one.
    pub fn new(noted: Option<NotedHead>) -> Self {
        Self::after(Head::EMPTY, noted)
    }

    /// A verifier of what follows a record that is trusted, for example one that was verified before.
    pub fn after(head: Head, noted: Option<NotedHead>) -> Self {
        // A noted head that lies at the trusted one can be checked now; before it, it is out of sight.
        let bad = noted
            .filter(|noted| noted.seq == head.seq && noted.hash != head.hash)
            .map(|noted| Bad { seq: noted.seq, why: Why::Noted });
        Self {
            head,
            before: None,
            trusted: true,
            noted,
            suspicion: None,
            bad,
            records: 0,
            parts: PartCounts::default(),
        }
    }

    /// Checks the next record.
    ///
    /// A good answer is final only when [`Self::finish`] has given one too.
    ///
    /// # Errors
    ///
    /// The first bad entry: this one or the one before it. Every later call gives the same answer.
    pub fn push(&mut self, stored: &StoredRecord<'_>) -> Result<Checked, Bad> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        let result = self.check(stored);
        self.bad = result.as_ref().err().copied();
        result
    }

    /// Ends the trail: settles what was waiting and looks for a cut tail.
    ///
    /// # Errors
    ///
    /// The first bad entry.
    pub fn finish(self) -> Result<Verified, Bad> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        if let Some(suspicion) = self.suspicion {
            return Err(suspicion.if_last);
        }
        let found = self.head.seq;
        match self.noted {
            Some(NotedHead { seq: noted, .. }) if noted > found => {
                Err(Bad { seq: found.saturating_add(1), why: Why::CutTail { noted, found } })
            }
            _ => Ok(Verified { head: self.head, records: self.records, parts: self.parts }),
        }
    }

    /// Whether the last two records do not fit together, so that the next one would tell which of them is bad.
    pub(super) fn is_undecided(&self) -> bool {
        self.suspicion.is_some()
    }

    /// Which of the last two is bad, by what somebody else knows of the later: that it is as it was made, that it is not, or nothing.
    pub(super) fn decided(&self, later_is_good: Option<bool>) -> Option<Bad> {
        self.suspicion.map(|suspicion| match later_is_good {
            Some(true) => suspicion.if_vouched,
            Some(false) => suspicion.if_refuted,
            None => suspicion.if_last,
        })
    }

    /// Goes on behind another record than the last one checked, which is trusted.
    pub(super) fn go_on_after(&mut self, head: Head) {
        (self.head, self.before, self.trusted) = (head, None, true);
    }

    fn check(&mut self, stored: &StoredRecord<'_>) -> Result<Checked, Bad> {
        let expected = self.head.seq.saturating_add(1);
        let bad = |why| Bad { seq: stored.seq, why };
        if stored.seq > expected {
            self.settle(None)?;
            return Err(Bad { seq: expected, why: Why::Missing { found: stored.seq } });
        }
        if stored.seq < expected {
            return Err(bad(Why::OutOfOrder { expected }));
        }
        let read = Canonical::read(stored.canonical);
        let hash = leaf_hash(stored.canonical);
        self.settle(read.as_ref().ok().map(|read| read.header.previous))?;

        let read = read.map_err(|error| bad(Why::Malformed(error)))?;
        let header = read.header;
        if stored.hash.is_some_and(|stored| stored != hash.0) {
            return Err(bad(Why::StoredHash));
        }
        if header.seq != stored.seq {
            let number = bad(Why::Number { found: header.seq });
            let same_place = header.seq.checked_add(1) == Some(stored.seq)
                && Some(header.previous) == self.before
                && hash != self.head.hash;
            if !same_place {
                return Err(number);
            }
            let if_vouched = Bad { seq: header.seq, why: Why::Inserted };
            self.suspicion = Some(Suspicion { later: hash, if_vouched, if_refuted: number, if_last: number });
        } else if header.previous != self.head.hash {
            let refuted = bad(Why::Previous);
            if self.trusted {
                return Err(refuted);
            }
            let earlier = |why| Bad { seq: self.head.seq, why };
            self.suspicion = Some(Suspicion {
                later: hash,
                if_vouched: earlier(Why::Altered),
                if_refuted: refuted,
                if_last: earlier(Why::Unlinked),
            });
        } else {
            let expected = as_of(self.head.as_of, header.time, header.recorded_at);
            if header.as_of != expected {
                return Err(bad(Why::AsOf { found: header.as_of, expected }));
            }
        }
        let noted = self.noted.filter(|noted| noted.seq == header.seq);
        if let Some(suspicion) = self.suspicion {
            match noted {
                Some(noted) if noted.hash == hash => return Err(suspicion.if_vouched),
                Some(_) => return Err(suspicion.if_refuted),
                None => {}
            }
        } else if noted.is_some_and(|noted| noted.hash != hash) {
            return Err(bad(Why::Noted));
        }

        let missing = check_parts(&read, stored.parts, &mut self.parts).map_err(bad)?;
        self.before = Some(self.head.hash);
        self.head = Head { seq: stored.seq, hash, as_of: header.as_of };
        self.trusted = false;
        self.records += 1;
        Ok(Checked { head: self.head, missing })
    }

    /// Decides about two records that do not fit, by what the one after them names as its predecessor.
    fn settle(&self, previous: Option<Hash>) -> Result<(), Bad> {
        match (self.suspicion, previous) {
            (None, _) => Ok(()),
            (Some(suspicion), Some(previous)) if previous == suspicion.later => Err(suspicion.if_vouched),
            (Some(suspicion), Some(_)) => Err(suspicion.if_refuted),
            (Some(suspicion), None) => Err(suspicion.if_last),
        }
    }
}

/// Checks one record on its own: its number, its hash, and those of its parts that are there. Whether it belongs into this trail only a
/// [`Verifier`] can tell, by the records around it.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_alone(stored: &StoredRecord<'_>) -> Result<(), Why> {
    let read = Canonical::read(stored.canonical).map_err(Why::Malformed)?;
    if stored.hash.is_some_and(|hash| hash != leaf_hash(stored.canonical).0) {
        return Err(Why::StoredHash);
    }
    if read.header.seq != stored.seq {
        return Err(Why::Number { found: read.header.seq });
    }
    check_parts(&read, stored.parts, &mut PartCounts::default()).map(|_| ())
}

/// Checks the parts that are there and counts all; says which are missing.
fn check_parts(
    read: &Canonical<'_>,
    stored: &[StoredPart<'_>],
    counts: &mut PartCounts,
) -> Result<Vec<usize>, Why> {
    if read.part_count() != stored.len() {
        return Err(Why::PartCount { committed: read.part_count(), found: stored.len() });
    }
    let mut missing = Vec::new();
    for (part, (committed, stored)) in read.parts().zip(stored).enumerate() {
        if (committed.class, committed.project) != (stored.class, stored.project) {
            return Err(Why::PartKind { part });
        }
        let class = committed.class;
        match stored.content {
            StoredContent::Missing => {
                missing.push(part);
                counts.missing[slot(class)] += 1;
            }
            StoredContent::Present { salt, bytes } => {
                let found = Salt::try_from(salt).ok().map(|salt| commitment(&salt, bytes));
                if found != Some(committed.commitment) {
                    return Err(Why::PartContent { part, class });
                }
                counts.present[slot(class)] += 1;
            }
        }
    }
    Ok(missing)
}

fn slot(class: PartClass) -> usize {
    // Codes run from 1 without gaps, in the order of `ALL`; a test holds this.
    usize::from(class.code() - 1)
}

impl fmt::Display for PartCounts {
    /// `12 body, 12 payload (3 missing)`: the classes that occurred.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for class in PartClass::ALL {
            let (present, missing) = (self.present(class), self.missing(class));
            if present + missing == 0 {
                continue;
            }
            write!(f, "{separator}{} {class}", present + missing)?;
            if missing > 0 {
                write!(f, " ({missing} missing)")?;
            }
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}
