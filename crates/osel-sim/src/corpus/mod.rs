//! The recorded clouds: messages as they came, and what the APIs said at certain marks.
//!
//! [`Corpus::load`] reads a pair of files of `crates/osel-sim/corpus`; [`comparable_ports`] says for which
//! ports the recording describes everything that their rows are made of, so that a model fed by it can be
//! held against a snapshot.

mod known;
mod load;

pub use known::{comparable_ports, comparable_rows};
pub use load::{Corpus, Message, Snapshot, directory, notification};
