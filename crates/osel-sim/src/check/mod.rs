//! The checkers: simulated clouds against the engine that listens to them, seed by seed.
//!
//! A seed decides everything: the cloud and its release, what the bus does to its messages, when the API is
//! read, when the process is restarted. [`run`] plays one seed and holds what the engine then knows, says and
//! writes down against the cloud's own truth, worked out by [`crate::judge`]; [`run_many`] plays a range of
//! them and finds the first that fails. Nothing here may know how the engine comes to its answers.
//!
//! The way through: [`plan`] → [`world`] (the cloud lives) → [`script`] (what arrives when) → [`machine`]
//! (decoding, engine, trail, as the shell has them) → the checks, one file each.

mod account;
mod assignments;
mod deltas;
mod drift;
mod erasure;
mod failure;
mod fold;
mod machine;
mod many;
mod names;
mod order;
mod plan;
mod questions;
mod rows;
mod scans;
mod script;
mod seed;
mod trail;
mod world;

#[cfg(test)]
mod tests;

pub use failure::Failure;
pub use many::{Found, Range, Report, run_many};
pub use seed::{Counted, run};
