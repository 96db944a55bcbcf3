//! The shared store: one schema of a PostgreSQL database, with a leader who writes and others who stand by.
//!
//! The row of `meta` holds the epoch, the lease and the head; every commit locks it and compares all of it, so that
//! of two writers one is refused, whatever each of them believes. A connection on which anything failed is never
//! used again.

mod batch;
mod connect;
mod erase;
mod erasure;
mod expire;
mod forward;
mod holdings;
mod index;
mod index_kinds;
mod inspect;
mod lease;
mod log;
mod persons;
mod reader;
mod rows;
mod schema;
mod snapshot;
#[cfg(test)]
mod tests;
mod tls;
mod writer;

pub use inspect::{Durability, Loss, inspect};
pub use lease::{LeaseSign, LeaseWatch};
pub use reader::PostgresReader;
pub use writer::{Access, PostgresJournal};
