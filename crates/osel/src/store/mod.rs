//! The durable store: the journal of inputs, the records of the trail, and what is projected from them.
//!
//! One writer ([`Journal`]) adds in batches, one durable transaction each; readers ([`Reader`]) look beside
//! it. The store speaks in plain data ([`data`]): it knows no engine, decodes no event, verifies no chain and
//! has no clock; what it writes down it was told. SQL lives below this module only. From here the runtime
//! acknowledges messages and starts commands, and the command line reads.
//!
//! There are two implementations: [`Store`] in a directory, and [`PostgresJournal`] in a database, of which several
//! osels are one the leader of at a time. The suite in `suite.rs` says what both must do.

pub mod block;
pub mod check;
pub mod code;
pub mod data;
mod due;
mod erasure;
pub mod error;
mod format;
mod forward;
mod index;
pub mod journal;
mod new_records;
pub mod packed;
mod persons;
mod postgres;
mod sqlite;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod suite_expiry;
#[cfg(test)]
mod suite_forward;
#[cfg(test)]
mod suite_index;
#[cfg(test)]
mod suite_log;
#[cfg(test)]
mod suite_persons;
mod trimming;

pub use data::*;
pub use erasure::{Eraser, ErasureRow, NewErasure, Rewritten};
pub use error::{ErrorClass, JournalError, Place};
pub use forward::{DeadLetterChange, DeadLetterKey, DeadLetterRow, ForwarderRow};
pub use index::{NewSegment, Segment};
pub use journal::{Journal, Reader};
pub use new_records::{NewContent, NewHead, NewPart, NewRecord, NewRecords};
pub use packed::PackedChunk;
pub use postgres::{
    Access, Durability, LeaseSign, LeaseWatch, Loss, PostgresJournal, PostgresReader, inspect,
};
pub use sqlite::{BackupProgress, SqliteJournal, SqliteReader, Store, writer_of};
