//! Records on their way to one receiver: what it is sent when, and what follows from its answers.
//!
//! [`Forward::step`] takes what happened ([`ForwardInput`]) and says what is to be done ([`ForwardOrder`]). How a receiver is spoken to is
//! the affair of its driver; what a record looks like is that of `format`. What must hold whatever happens, a kill between any two steps
//! included:
//!
//! - Every record is sent, or did not pass the filter, or is a dead letter: the place moves over nothing else, and the account adds up.
//! - A receiver is handed lines in the order of the trail. A line is handed over twice only when nobody knows whether it arrived.
//! - A receiver that is away, silent, full or does not know us is waited for, for as long as it takes. Only a line that it refuses by itself,
//!   that is too large alone or at which it fails again and again, while it takes later ones, becomes a dead letter.
//! - A receiver that fails is asked less and less often, by one call at a time.
//! - What is kept in memory is bounded, also while a receiver takes nothing.
//!
//! There is no clock, chance or address of a service here.

mod account;
mod answers;
mod books;
mod filter;
mod limits;
mod machine;
mod narrow;
mod queue;
mod receiver;
mod wait;
mod words;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use filter::Filter;
pub use limits::*;
pub use machine::Forward;
pub use receiver::{BatchLimits, BatchNumber, Refusal, RefusalKind, Taken};
pub use words::{
    Asked, DeadLetter, ForwardInput, ForwardLine, ForwardOrder, ForwardWhy, LineId, Mark, Page, Progress,
    Rendered, Which,
};
