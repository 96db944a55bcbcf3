//! Sealing: drafts become canonical bytes, each committing to its parts and to the record before it.
//!
//! A chain holds nothing but its head. It is ahead of the store by what is in flight; when a commit is given
//! up, the engine makes a new one from the store's head. Sealed records go to the journal in the transaction
//! of the input they came from.

use super::canonical::{
    CANONICAL_BYTES_MAX, CommittedPart, Header, PROJECT_BYTES_MAX, write_header, write_part,
};
use super::hash::{Committed, Hash, Salt, leaf_hash};
use super::head::Head;
use super::kind::{PartClass, RecordKind};
use super::person::Person;
use crate::ids::Id;
use crate::time::Timestamp;

/// A piece of a record that can be kept, erased or shown on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it holds.
    pub class: PartClass,
    /// The project it belongs to; none for what only an operator may see.
    pub project: Option<Id>,
    /// Whom it is about, where it is about one person: what a store keeps it readable by. No part of the record.
    pub person: Option<Person>,
    /// Its content: canonical bytes made elsewhere.
    pub bytes: Vec<u8>,
}

/// What the engine hands over to become a record.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// When it happened, by the message's own word.
    pub time: Timestamp,
    /// When osel received it.
    pub recorded_at: Timestamp,
    /// What it is about.
    pub kind: RecordKind,
    /// Its content; at most [`super::PARTS_ALWAYS_FIT`] parts fit whatever their projects are called.
    pub parts: &'a [Part],
}

/// A part as it is sealed, wherever its content lies.
#[derive(Clone, Copy, Debug)]
pub struct PartView<'a> {
    /// See [`Part`].
    pub class: PartClass,
    /// See [`Part`].
    pub project: Option<&'a Id>,
    /// Its content, or what was committed to it already.
    pub content: ContentView<'a>,
}

/// The content of a part that is sealed.
#[derive(Clone, Copy, Debug)]
pub enum ContentView<'a> {
    /// To be committed to, under the next salt.
    Bytes(&'a [u8]),
    /// Committed to beforehand.
    Committed(Committed),
}

impl<'a> From<&'a Part> for PartView<'a> {
    fn from(part: &'a Part) -> Self {
        Self { class: part.class, project: part.project.as_ref(), content: ContentView::Bytes(&part.bytes) }
    }
}

/// What is kept of a part beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPart {
    /// What it holds.
    pub class: PartClass,
    /// The project it belongs to, as the record has it.
    pub project: Option<Id>,
    /// To be kept with the part's bytes and erased with them.
    pub salt: Salt,
    /// What the record says of it.
    pub commitment: Hash,
}

/// A record, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// The later of its predecessor's `as_of` and of the earlier of event time and reception.
    pub as_of: Timestamp,
    /// The leaf hash of `canonical`.
    pub hash: Hash,
    /// Its canonical bytes, to be kept for ever.
    pub canonical: Vec<u8>,
    /// Its parts, in the order of the draft's.
    pub parts: Vec<SealedPart>,
}

/// Why a draft cannot become a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Its parts are too many.
    #[error("a record of {parts} parts has more than {CANONICAL_BYTES_MAX} bytes")]
    TooManyParts {
        /// How many parts the draft has.
        parts: usize,
    },
}

/// The chain at its growing end.
#[derive(Clone, Debug)]
pub struct Chain {
    head: Head,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Sealed {
    /// An empty one for [`Chain::seal_into`] to fill.
    pub fn empty() -> Self {
        Self { seq: 0, as_of: Timestamp::MIN, hash: Hash::ZERO, canonical: Vec::new(), parts: Vec::new() }
    }

    /// The chain's head after this record.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash, as_of: self.as_of }
    }
}

impl Chain {
    /// A chain without records.
    pub fn new() -> Self {
        Self { head: Head::EMPTY }
    }

    /// The chain whose last record left this head.
    pub fn resume(head: Head) -> Self {
        Self { head }
    }

    /// The head: what the last record left.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Seals a draft as the next record; `salts` gives a fresh random salt for each part, in order.
    ///
    /// A project whose id is longer than [`PROJECT_BYTES_MAX`] is none that OpenStack made: its part belongs
    /// to no project, so that only an operator sees it.
    ///
    /// # Errors
    ///
    /// When the parts do not fit into one record. The chain is then as before; the caller joins parts and
    /// tries again.
    pub fn seal(&mut self, draft: &Draft<'_>, salts: &mut dyn FnMut() -> Salt) -> Result<Sealed, SealError> {
        let mut sealed = Sealed::empty();
        self.seal_into(draft, salts, &mut sealed)?;
        Ok(sealed)
    }

    /// [`Self::seal`] into a value that is used again: without allocations once its buffers have grown.
    ///
    /// # Errors
    ///
    /// As for [`Self::seal`]; `out` then holds nothing of use.
    pub fn seal_into(
        &mut self,
        draft: &Draft<'_>,
        salts: &mut dyn FnMut() -> Salt,
        out: &mut Sealed,
    ) -> Result<(), SealError> {
        let Draft { time, recorded_at, kind, parts } = *draft;
        self.seal_parts((time, recorded_at, kind), parts.iter().map(PartView::from), salts, out)
    }

    /// [`Self::seal_into`] of parts that lie anywhere, with a draft's time, reception and kind.
    ///
    /// # Errors
    ///
    /// As for [`Self::seal`]; `out` then holds nothing of use.
    pub fn seal_parts<'p>(
        &mut self,
        (time, recorded_at, kind): (Timestamp, Timestamp, RecordKind),
        parts: impl ExactSizeIterator<Item = PartView<'p>>,
        salts: &mut dyn FnMut() -> Salt,
        out: &mut Sealed,
    ) -> Result<(), SealError> {
        let too_many = SealError::TooManyParts { parts: parts.len() };
        let count = u32::try_from(parts.len()).map_err(|_| too_many)?;
        let header = Header {
            seq: self.head.seq.saturating_add(1),
            previous: self.head.hash,
            time,
            recorded_at,
            as_of: as_of(self.head.as_of, time, recorded_at),
            kind,
        };
        out.canonical.clear();
        out.parts.clear();
        write_header(&header, count, &mut out.canonical);
        for PartView { class, project, content } in parts {
            let committed = match content {
                ContentView::Bytes(bytes) => Committed::to(bytes, salts()),
                ContentView::Committed(committed) => committed,
            };
            let (salt, commitment) = (committed.salt(), committed.commitment());
            // An id that is not kept as text is a UUID, and short enough.
            let fits = |id: &&Id| id.kept_text().is_none_or(|text| text.len() <= PROJECT_BYTES_MAX);
            let project = project.filter(fits);
            let mut write = |project: Option<&str>| {
                write_part(CommittedPart { class, project, commitment }, &mut out.canonical);
            };
            match project {
                Some(id) => id.with_text(|text| write(Some(text))),
                None => write(None),
            }
            if out.canonical.len() > CANONICAL_BYTES_MAX {
                return Err(too_many);
            }
            out.parts.push(SealedPart { class, project: project.cloned(), salt, commitment });
        }
        (out.seq, out.as_of, out.hash) = (header.seq, header.as_of, leaf_hash(&out.canonical));
        self.head = out.head();
        Ok(())
    }
}

/// A record's `as_of`: it never goes back, and a sender's clock that runs ahead does not carry it off.
pub(super) fn as_of(before: Timestamp, time: Timestamp, recorded_at: Timestamp) -> Timestamp {
    before.max(time.min(recorded_at))
}

#[cfg(test)]
mod tests {
    use super::super::canonical::{Canonical, PARTS_ALWAYS_FIT};
    use super::*;

    fn draft(time: i64, recorded_at: i64, parts: &[Part]) -> Draft<'_> {
        Draft {
            time: Timestamp::from_micros(time),
            recorded_at: Timestamp::from_micros(recorded_at),
            kind: RecordKind::Change,
            parts,
        }
    }

    fn body(project: Option<Id>) -> Part {
        Part { class: PartClass::Body, project, person: None, bytes: b"x".to_vec() }
    }

    fn counting() -> impl FnMut() -> Salt {
        let mut next = 0_u128;
        move || {
            next += 1;
            next.to_be_bytes()
        }
    }

    #[test]
    fn as_of_never_goes_back_and_never_runs_ahead() {
        let mut chain = Chain::new();
        let mut salts = counting();
        let mut as_of = |time, recorded_at| {
            chain.seal(&draft(time, recorded_at, &[]), &mut salts).expect("fits").as_of.micros()
        };
        // On time, late, from a clock that is ahead, received before the last one.
        assert_eq!([as_of(10, 11), as_of(5, 12), as_of(99, 13), as_of(12, 12)], [10, 10, 13, 13]);
    }

    #[test]
    fn carries_on_where_it_was_left() {
        let parts = [body(None)];
        let (mut whole, mut salts) = (Chain::new(), counting());
        let first = whole.seal(&draft(1, 1, &parts), &mut salts).expect("fits");
        let mut salts_again = salts;
        let mut resumed = Chain::resume(first.head());
        let second = resumed.seal(&draft(2, 2, &parts), &mut salts_again).expect("fits");
        assert_eq!(Canonical::read(&second.canonical).expect("canonical").header.previous, first.hash);
        assert_eq!((second.seq, resumed.head()), (2, second.head()));
    }

    #[test]
    fn used_buffers_leave_no_trace() {
        let many = [body(Some(Id::new("p"))), body(None)];
        let (mut fresh, mut used) = (Chain::new(), Chain::new());
        let (mut salts, mut salts_again) = (counting(), counting());
        let mut buffer = Sealed::empty();
        for parts in [&many[..], &many[..1], &[]] {
            let sealed = fresh.seal(&draft(1, 1, parts), &mut salts).expect("fits");
            used.seal_into(&draft(1, 1, parts), &mut salts_again, &mut buffer).expect("fits");
            assert_eq!(sealed, buffer);
        }
    }

    #[test]
    fn what_was_committed_to_beforehand_is_the_same_record() {
        let parts = [body(Some(Id::new("p"))), body(None)];
        let (mut at_once, mut beforehand) = (Chain::new(), Chain::new());
        let sealed = at_once.seal(&draft(1, 1, &parts), &mut counting()).expect("fits");
        let about = (Timestamp::from_micros(1), Timestamp::from_micros(1), RecordKind::Change);
        // The second salt was drawn by whoever committed.
        let mut salts = counting();
        let first = salts();
        let committed = ContentView::Committed(Committed::to(&parts[1].bytes, salts()));
        let views = [PartView::from(&parts[0]), PartView { content: committed, ..PartView::from(&parts[1]) }];
        let mut again = Sealed::empty();
        beforehand.seal_parts(about, views.into_iter(), &mut || first, &mut again).expect("fits");
        assert_eq!(again, sealed);
    }

    #[test]
    fn too_many_parts_are_refused_and_the_chain_is_as_before() {
        let longest = Id::new(&"p".repeat(PROJECT_BYTES_MAX));
        let mut parts = vec![body(Some(longest)); PARTS_ALWAYS_FIT];
        let mut chain = Chain::new();
        chain.seal(&draft(1, 1, &parts), &mut counting()).expect("that many always fit");
        let before = chain.head();
        parts.push(parts[0].clone());
        assert_eq!(
            chain.seal(&draft(1, 1, &parts), &mut counting()),
            Err(SealError::TooManyParts { parts: PARTS_ALWAYS_FIT + 1 })
        );
        assert_eq!(chain.head(), before);
    }

    #[test]
    fn an_impossible_project_is_nobodys() {
        let parts = [body(Some(Id::new(&"p".repeat(PROJECT_BYTES_MAX + 1))))];
        let sealed = Chain::new().seal(&draft(1, 1, &parts), &mut counting()).expect("fits");
        assert_eq!(sealed.parts[0].project, None);
        let read = Canonical::read(&sealed.canonical).expect("canonical");
        assert_eq!(read.parts().next().expect("one part").project, None);
    }
}
