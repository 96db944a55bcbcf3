//! The intake of one source under fire: a broker that fails, a store that fails, processes that are killed.
//!
//! [`run`] plays one seed: messages are published while connections break, hosts fall, bindings and the queue
//! vanish, commits fail or succeed without an answer, clocks jump, leaders are deposed and processes are
//! killed between any two actions. Then the faults stop, and the judge wants every message durable
//! exactly once, or inside a durable gap. [`run_killing`] kills at chosen actions, so that a test can try
//! them all.
//!
//! Nothing of the core but its `intake` is used, and none of its tests: the broker, the store and the driver
//! here are written from what the machine's inputs and orders promise.

mod broker;
mod faults;
mod judge;
mod process;
mod store;
mod world;

#[cfg(test)]
mod tests;

pub use judge::Report;
pub use world::{Faults, run, run_killing};
