//! What is kept for how long: the policy, and what follows from it for a store as it is.
//!
//! [`policy`] decides from values, with the time as an argument. [`survey`] reads those values from a store and makes of the decision what
//! the recorder writes down ([`Recorder::let_go`](super::Recorder::let_go)); the writer's thread then lets go, a slice at a time. Nothing
//! here removes anything.

pub mod kinds;
pub mod policy;
#[cfg(test)]
mod policy_tests;
pub mod survey;

pub use policy::Policy;
pub use survey::{Decision, survey};
