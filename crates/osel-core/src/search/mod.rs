//! Finding records: an inverted index over the trail, and the questions that it answers.
//!
//! A record has terms (`term`, `terms`): its actor, its kind, the addresses of its rows, the words of its sentence. Terms with the
//! records that have them are kept in pages (`page`), made of the records as they come (`leaf`). A question (`query`) says by which terms
//! a record can be found, whatever of the index is at hand says which records these are (`evaluate`), and the question itself judges each
//! record that was read: an index may name too many and never too few.
//!
//! Nothing here reads or writes: the store keeps pages as bytes, the shell brings them. An index is derived from records and says nothing
//! that they do not; each term is of the class of the part that it was taken from, so that it goes when that part goes.

mod evaluate;
mod kinds;
mod leaf;
mod page;
mod query;
mod row;
mod term;
mod terms;
#[cfg(test)]
mod tests;

pub use evaluate::{Pages, candidates};
pub use kinds::{BEHIND_KINDS, kind_of_term, kind_term, of_kind};
pub use leaf::{LEAF_BYTES_MAX, LEAF_RECORDS, Leaf};
pub use page::{Bits, Cut, Malformed, PAGE_BYTES, Page, PageEntries, PageWriter, Places, cut, entries};
pub use query::{Query, parse_net};
pub use row::{RowQuery, WantedSource};
pub use term::{BLOCK_RECORDS, HEADER_CLASS, TERM_BYTES_MAX, TermRange, block_of, place_in_block};
pub use terms::{RECORD_BYTES_MAX, terms};

/// The number of the present terms, their encoding and the sentences that words are taken from. An index that was made by another number is
/// made anew.
pub const SEARCH_FORM: u32 = 6;
