//! The durable store: the journal of inputs, the records of the trail, and what is projected from them.
//!
//! One writer ([`Journal`]) adds in batches, one durable transaction each; readers ([`Reader`]) look beside
//! it. The store speaks in plain data ([`data`]): it knows no engine, decodes no event, verifies no chain and
//! has no clock; what it writes down it was told. SQL lives below this module only. From here the runtime
//! acknowledges messages and starts commands, and the command line reads.
//!
//! There is one implementation, [`Store`] in a directory; the suite in `suite.rs` says what every other must
//! do as well.

pub mod block;
pub mod check;
pub mod code;
pub mod data;
pub mod error;
pub mod journal;
mod sqlite;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod suite_expiry;

pub use data::*;
pub use error::{ErrorClass, JournalError, Place};
pub use journal::{Journal, Reader};
pub use sqlite::{BackupProgress, SqliteJournal, SqliteReader, Store};
