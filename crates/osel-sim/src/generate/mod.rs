//! Clouds and streams of any size, fast, for benchmarks: a million ports and millions of distinct
//! notifications.
//!
//! [`Generator`] keeps a cloud in a few dozen bytes per object, changes it by chance with the mix of the
//! recording `dev-2026`, and writes inventory and messages as text from templates: no JSON value is ever
//! built. What it writes is consistent (a deletion names what was there, revisions grow), but it knows fewer
//! things than [`crate::cloud`], which is the one to check correctness with. It never reads what it wrote.
//!
//! What is absent: failures other than conflicts, address groups, RBAC policies, port forwardings. A silent
//! change is a call of the same mix whose messages nobody gets.

mod choose;
mod fill;
mod identifiers;
mod index;
mod inventory;
mod operations;
mod plan;
mod rules;
mod stream;
mod template;
mod text;
mod world;

pub use index::{COLLECTIONS, Indexed, Place};
pub use plan::Shape;
pub use stream::{GenerateOptions, Generator};

#[cfg(test)]
mod tests;
