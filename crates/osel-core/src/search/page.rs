//! Pages: terms in their order, each with the records of a block that have it, as bytes.
//!
//! A term is written as what it shares with the one before and the rest. Few records are written as the differences of their places,
//! many as a roaring bitmap. Reading takes nothing for granted: what does not add up is [`Malformed`], and nothing that is claimed is
//! believed before it is there.

use roaring::RoaringBitmap;

use super::term::{BLOCK_RECORDS, TERM_BYTES_MAX};

/// Places of records within a block: all are below [`BLOCK_RECORDS`].
pub type Bits = RoaringBitmap;

/// A page ends once it has so many bytes: a term is found by reading one, and a scan reads them one after the other.
pub const PAGE_BYTES: usize = 16 << 10;

/// Up to so many records are written one by one: from there on a bitmap is no larger, and is read faster.
const SPARSE_MAX: usize = 128;
/// Stands where the number of records would stand: a bitmap follows.
const DENSE: u64 = 0;
/// The most bytes of a bitmap: one container of 8 KiB with its heads.
const DENSE_BYTES_MAX: u64 = (8 << 10) + 64;
/// The most bytes of a number: places, counts and lengths are below 2^28.
const NUMBER_BYTES_MAX: u32 = 4;

/// Bytes that are no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

const CUT_SHORT: Malformed = Malformed("a page of the index ends too early");

/// A page with what it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The class of the parts that its terms come from.
    pub class: u8,
    /// Its first term.
    pub first: Vec<u8>,
    /// The terms and their records.
    pub bytes: Vec<u8>,
}

/// Writes terms, which come in the order of class and bytes, into pages.
#[derive(Debug, Default)]
pub struct PageWriter {
    pages: Vec<Page>,
    last: Vec<u8>,
    is_open: bool,
}

impl PageWriter {
    /// Adds a term with the records that have it; nothing where there are none.
    pub fn add(&mut self, class: u8, term: &[u8], places: &Bits) {
        if places.is_empty() {
            return;
        }
        self.is_open &= self.pages.last().is_some_and(|page| page.class == class);
        if !self.is_open {
            self.pages.push(Page { class, first: term.to_vec(), bytes: Vec::new() });
            self.last.clear();
        }
        let Some(page) = self.pages.last_mut() else { return };
        let shared = self.last.iter().zip(term).take_while(|(one, other)| one == other).count();
        put_number(&mut page.bytes, shared as u64);
        put_number(&mut page.bytes, (term.len() - shared) as u64);
        page.bytes.extend_from_slice(&term[shared..]);
        put_places(&mut page.bytes, places);
        self.is_open = page.bytes.len() < PAGE_BYTES;
        self.last.clear();
        self.last.extend_from_slice(term);
    }

    /// The pages.
    pub fn finish(self) -> Vec<Page> {
        self.pages
    }
}

/// The terms of a page and their records, in order.
pub fn entries(bytes: &[u8]) -> PageEntries<'_> {
    PageEntries { rest: bytes, term: Vec::new(), is_first: true }
}

/// Reads a page, see [`entries`].
#[derive(Debug)]
pub struct PageEntries<'a> {
    rest: &'a [u8],
    term: Vec<u8>,
    is_first: bool,
}

impl<'a> PageEntries<'a> {
    /// Goes on to the next term and hands it over with what its records are written in; none at the end.
    ///
    /// # Errors
    /// When it is no page.
    pub fn next_term(&mut self) -> Result<Option<(&[u8], Places<'a>)>, Malformed> {
        let from = &mut self.rest;
        if from.is_empty() {
            return Ok(None);
        }
        let shared = take_number(from)? as usize;
        let length = take_number(from)? as usize;
        let rest = take(from, length)?;
        let before = self.term.get(shared..).filter(|_| shared + length <= TERM_BYTES_MAX);
        let before = before.ok_or(Malformed("a term of the index is longer than it can be"))?;
        // Terms rise: what follows the shared bytes is more than what the one before had there.
        if !self.is_first && rest <= before {
            return Err(Malformed("terms of the index are out of order"));
        }
        self.is_first = false;
        self.term.truncate(shared);
        self.term.extend_from_slice(rest);
        let count = take_number(from)?;
        let bytes = if count == DENSE {
            let length = take_number(from)?;
            if length > DENSE_BYTES_MAX {
                return Err(Malformed("a set of the index is larger than any"));
            }
            take(from, length as usize)?
        } else if count as usize <= SPARSE_MAX {
            let before = *from;
            for _ in 0..count {
                take_number(from)?;
            }
            &before[..before.len() - from.len()]
        } else {
            return Err(Malformed("a set of the index is written in an odd way"));
        };
        Ok(Some((&self.term, Places { count, bytes })))
    }
}

/// The records of a term as they are written.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    count: u64,
    bytes: &'a [u8],
}

impl Places<'_> {
    /// Reads them.
    ///
    /// # Errors
    /// When they are none.
    pub fn read(self) -> Result<Bits, Malformed> {
        if self.count == DENSE {
            let damaged = Malformed("a set of the index is damaged");
            let bits = Bits::deserialize_from(self.bytes).map_err(|_| damaged)?;
            let is_within = bits.max().is_some_and(|last| u64::from(last) < BLOCK_RECORDS);
            return if is_within { Ok(bits) } else { Err(damaged) };
        }
        let mut rest = self.bytes;
        let mut bits = Bits::new();
        let mut next = 0;
        for _ in 0..self.count {
            let place = next + take_number(&mut rest)?;
            if place >= BLOCK_RECORDS {
                return Err(Malformed("a set of the index holds what is not in the block"));
            }
            bits.insert(place as u32);
            next = place + 1;
        }
        Ok(bits)
    }
}

/// Which records leave a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// All up to this place.
    UpTo(u16),
    /// This one.
    Only(u16),
    /// These.
    These(&'a Bits),
}

/// The page without some records, and without the terms that no other record has; none where nothing is left.
///
/// # Errors
/// When it is no page.
pub fn cut(class: u8, bytes: &[u8], cut: Cut<'_>) -> Result<Vec<Page>, Malformed> {
    let mut writer = PageWriter::default();
    let mut entries = entries(bytes);
    while let Some((term, places)) = entries.next_term()? {
        let mut left = places.read()?;
        match cut {
            Cut::UpTo(last) => left.remove_range(..=u32::from(last)),
            Cut::Only(place) => u64::from(left.remove(u32::from(place))),
            Cut::These(gone) => {
                left -= gone;
                gone.len()
            }
        };
        writer.add(class, term, &left);
    }
    Ok(writer.finish())
}

fn put_places(out: &mut Vec<u8>, places: &Bits) {
    let count = places.len();
    if count as usize <= SPARSE_MAX {
        put_number(out, count);
        let mut next = 0;
        for place in places {
            put_number(out, u64::from(place - next));
            next = place + 1;
        }
        return;
    }
    put_number(out, DENSE);
    let mut dense = places.clone();
    dense.optimize();
    put_number(out, dense.serialized_size() as u64);
    // Writing into memory cannot fail.
    let _ = dense.serialize_into(&mut *out);
}

/// Seven bits to a byte, the low ones first; the high bit says that more follow.
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (front, rest) = from.split_at_checked(length).ok_or(CUT_SHORT)?;
    *from = rest;
    Ok(front)
}

fn take_number(from: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for place in 0..NUMBER_BYTES_MAX {
        let (&byte, rest) = from.split_first().ok_or(CUT_SHORT)?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed("a number of the index is larger than any"))
}
