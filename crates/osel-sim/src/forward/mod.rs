//! Forwarding under fire: receivers that fail in every way that their kind can, and processes that are killed between any two actions.
//!
//! [`run`] plays one seed: a trail grows while one receiver is away, busy, silent, forgets what it took, loses its connection with all that
//! was on it, and refuses some lines for ever; processes are killed, and somebody may set the place back. Then the faults stop, whoever
//! answers for the receiver mends it, dead letters are sent again, and the judge wants every line there, in order, twice only where
//! nobody could know better, and every account exact. [`run_killing`] kills at chosen actions, so that a test can try them all.
//!
//! Nothing of the core but its `forward` (and `notice`, where people are told) is used, and none of its tests: receivers, store and process here are written from what the
//! machine's inputs and orders promise.

mod faults;
mod judge;
mod people;
mod process;
mod receiver;
mod trail;
mod world;

#[cfg(test)]
mod tests;

pub use faults::Faults;
pub use judge::Report;
pub use receiver::Kind;
pub use world::{run, run_killing};
