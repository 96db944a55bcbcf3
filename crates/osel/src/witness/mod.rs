//! A witness of logs: what it remembers, on a disk, and the key that it cosigns with.
//!
//! Whether it cosigns is decided in the core (`osel_core::witness`); requests come over HTTP (`web`). It needs no store and knows nothing of
//! records: sizes and roots are all that it sees.

mod ask;
mod key;
mod memory;

pub use ask::{Asked, ask, last_signed};
pub use key::{WitnessKeyError, own_key};
pub use memory::{Cosigned, MemoryError, Refusal, Witness};
