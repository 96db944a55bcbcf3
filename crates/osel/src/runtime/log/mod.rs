//! The log over the records: its tree grows with them, its nodes are kept beside them, and its size is signed again and again.
//!
//! [`resume`] finds the tree again in a store and catches up where nodes are missing; [`Growth`] takes each record's hash and says which
//! size is signed when; [`Signer`] has the key, which comes from where [`key`] looks, for a daemon beside its loop by [`KeyWatch`]; [`kept`] gives what a store keeps to whoever computes
//! with it, and [`LogCheck`] says whether that is right. [`inclusion`] and [`consistency`] prove from it, [`held`] says whether it has a root that somebody else saw, [`find`] gives away what others may
//! fetch, [`cosigned`] a checkpoint with what witnesses said of it. Formats and proofs are in `osel_core::trail::log`, rows in the store.
//!
//! A checkpoint is never signed for what is not durable: who has one must find its records after every crash. And no record waits for a
//! signature: without a key the log grows as well, and is signed once there is one.

mod check;
mod check_witnessed;
mod cosigned;
mod growth;
mod held;
#[cfg(test)]
mod held_tests;
pub mod kept;
pub mod key;
mod proof;
mod resource;
mod resume;
mod signer;
mod watch;

#[cfg(test)]
mod tests;

pub use check::{BadLog, LogCheck, LogFound};
pub use cosigned::{Cosigned, cosigned, cosigned_by};
pub use growth::{ENTRIES_APART_MAX, Growth, LogStatus, SECONDS_APART};
pub use held::{Held, held};
pub use key::{KeySource, KeyTrouble, LogKeys};
pub use proof::{Consistency, Inclusion, consistency, inclusion, root};
pub use resource::{Found, ReadError, find, leaves};
pub use resume::{LogError, Resumed, resume};
pub use signer::Signer;
pub use watch::{KeyFound, KeyWatch};
