//! The data of the search index: stretches of records with the pages of their terms.
//!
//! The index is derived from the records: it may lack any of them, and may be dropped and made anew. What terms are is `osel_core::search`'s
//! to know; a store knows the class of the part that a page's terms come from, so that they go when parts of that class go.

use osel_core::search::{self, Bits, Cut, HEADER_CLASS, Page, cut, place_in_block};

use super::code::Malformed;

/// Records that the index knows: those of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first of them.
    pub first: u64,
    /// The last of them, in the same block.
    pub last: u64,
    /// By which terms and encoding it was made.
    pub form: u32,
    /// Bytes of its pages, as they are read.
    pub bytes: u64,
}

/// A segment to be written in the place of all that it overlaps.
#[derive(Debug)]
pub struct NewSegment {
    /// The first of its records.
    pub first: u64,
    /// The last of them, in the same block.
    pub last: u64,
    /// By which terms and encoding it was made.
    pub form: u32,
    /// The generation of the index before what it was made of was read, see
    /// [`Reader::index_generation`](super::Reader::index_generation).
    pub generation: u64,
    /// Its pages by class and first term.
    pub pages: Vec<Page>,
}

impl NewSegment {
    /// Bytes of its pages.
    pub fn bytes(&self) -> u64 {
        self.pages.iter().map(|page| page.bytes.len() as u64).sum()
    }
}

/// What becomes of a segment's pages of a class when parts of it go up to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going {
    /// All of them go.
    Whole,
    /// Some records leave them.
    Cut(Cut<'static>),
}

impl Going {
    /// Of a segment of records `first..=last`, when parts go up to `limit`, which is not before the first.
    pub(super) fn up_to(last: u64, limit: u64) -> Self {
        if last <= limit { Self::Whole } else { Self::Cut(Cut::UpTo(place_in_block(limit))) }
    }
}

/// Whether one of these records, which are in order, is among `first..=last`.
pub(super) fn has_any(seqs: &[u64], first: u64, last: u64) -> bool {
    seqs.get(seqs.partition_point(|seq| *seq < first)).is_some_and(|seq| *seq <= last)
}

/// The places of the records of a kind that lose something, by the pages of a segment's headers.
///
/// # Errors
/// When one is damaged.
pub(super) fn of_kind(pages: &[impl AsRef<[u8]>], kind: u8, going: Going) -> Result<Bits, Malformed> {
    let mut found = Bits::new();
    for page in pages {
        found |= search::of_kind(page.as_ref(), kind).map_err(|error| Malformed(error.0))?;
    }
    if let Going::Cut(Cut::UpTo(last)) = going {
        found.remove_range(u32::from(last) + 1..);
    }
    Ok(found)
}

/// Whether parts of a class have terms that go with them.
pub(super) fn has_terms(class: u8) -> bool {
    class != HEADER_CLASS
}

/// A page without some records; none where nothing is left.
///
/// # Errors
/// When it is damaged.
pub(super) fn without(class: u8, page: &[u8], which: Cut<'_>) -> Result<Vec<Page>, Malformed> {
    cut(class, page, which).map_err(|error| Malformed(error.0))
}
