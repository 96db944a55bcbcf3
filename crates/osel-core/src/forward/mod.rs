//! Records on their way to one receiver: what it is sent when, and what follows from its answers.
//!
//! How a receiver is spoken to is the affair of its driver; what a record looks like is that of `format`. There is no clock, chance or
//! address of a service here.

mod words;

pub use words::{BatchNumber, Refusal, RefusalKind, Taken};
