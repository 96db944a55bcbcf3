//! Records on their way to one receiver: what it is sent when, and what follows from its answers.
//!
//! How a receiver is spoken to is the affair of its driver; what a record looks like is that of `format`. There is no clock, chance or
//! address of a service here.

mod account;
mod limits;
mod receiver;
mod words;

pub use account::Account;
pub use limits::*;
pub use receiver::{BatchLimits, BatchNumber, Refusal, RefusalKind, Taken};
pub use words::{
    Asked, DeadLetter, ForwardInput, ForwardLine, ForwardOrder, ForwardWhy, LineId, Mark, Page, Progress,
    Rendered, Which,
};
