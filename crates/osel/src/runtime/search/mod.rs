//! The search index of a store: made behind the journal, and asked.
//!
//! [`next_step`] says what is to be written next, given what the index lacks; whoever owns the writer writes it. [`look`] finds records by what
//! the index knows and reads those that it does not know; every record that it gives was judged by itself. Terms, pages and questions are
//! `osel_core::search`'s, rows the store's.

mod build;
mod look;
mod merge;
#[cfg(test)]
mod tests;

pub use build::{Lacking, next_step};
pub use look::{Looked, SearchError, Wanted, look, unindexed};
