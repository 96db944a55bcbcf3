//! A leaf: the terms of some records that follow each other, collected in memory and written as pages.

use std::collections::BTreeMap;

use super::page::{Bits, Page, PageWriter};
use super::term::{HEADER_CLASS, place_in_block};
use super::terms::{terms, unlisted};
use crate::engine::record::Record;

/// How many records a leaf is about. Those behind the last leaf are read one by one by whoever searches, which takes some ten
/// milliseconds for so many; a block has sixteen leaves, which become one when it is full.
pub const LEAF_RECORDS: u64 = 4096;

/// A leaf ends early once its terms have so many bytes: usual ones have a tenth of it.
pub const LEAF_BYTES_MAX: usize = 16 << 20;

/// What a term takes in memory beside its bytes: its place in the tree and its list.
const TERM_OVERHEAD: usize = 64;

/// The terms of some records.
#[derive(Debug, Default)]
pub struct Leaf {
    terms: BTreeMap<u8, BTreeMap<Vec<u8>, Vec<u16>>>,
    bytes: usize,
}

impl Leaf {
    /// Takes the terms of the next record, which is of the same block as the ones before. `is_gone` says of a class that this record's
    /// part of it is to be gone, or may be: nothing of it is taken.
    pub fn add(&mut self, record: Record, is_gone: impl Fn(u8) -> bool) {
        let place = place_in_block(record.header.seq);
        for (class, term) in terms(record) {
            if class == HEADER_CLASS || !is_gone(class) {
                self.insert(class, term, place);
            }
        }
    }

    /// Takes note of a record of which no terms are known: it may be anything.
    pub fn add_unlisted(&mut self, seq: u64) {
        self.insert(HEADER_CLASS, unlisted(), place_in_block(seq));
    }

    fn insert(&mut self, class: u8, term: Vec<u8>, place: u16) {
        let known = self.terms.entry(class).or_default();
        match known.get_mut(&term) {
            Some(places) => places.push(place),
            None => {
                self.bytes += term.len() + TERM_OVERHEAD;
                known.insert(term, vec![place]);
            }
        }
        self.bytes += size_of::<u16>();
    }

    /// Whether it has to end.
    pub fn is_full(&self) -> bool {
        self.bytes >= LEAF_BYTES_MAX
    }

    /// The pages.
    pub fn finish(self) -> Vec<Page> {
        let mut writer = PageWriter::default();
        for (class, terms) in self.terms {
            for (term, places) in terms {
                let places: Bits = places.into_iter().map(u32::from).collect();
                writer.add(class, &term, &places);
            }
        }
        writer.finish()
    }
}
