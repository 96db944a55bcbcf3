//! The log.
pub mod kept;
mod proof;
mod resource;
pub use proof::{Consistency, Inclusion, ProveError, consistency, inclusion, root};
pub use resource::{Found, ReadError, find};
