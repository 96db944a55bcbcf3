//! One source as a state machine: when to commit, acknowledge, reconnect, mend, log, declare a gap.
//!
//! [`Intake::step`] takes what happened ([`IntakeInput`]) and says what is to be done ([`IntakeOrder`]). The
//! caller hands each message to `engine` and tells it here; how it connects, commits and logs is its own
//! affair. What must hold whatever happens:
//!
//! - Nothing is acknowledged before it is durable, nor on another connection than the one it came by:
//!   delivery tags start again at 1 with every connection, and a stale multiple acknowledgement would take
//!   other messages off the queue.
//! - What is taken but not durable is bounded in bytes, and one failed commit stops the taking.
//! - A queue found broken is written down before it is mended; otherwise a crash in between would hide the
//!   gap for ever.
//! - Log lines are bounded by time, not by attempts.
//!
//! There is no clock, chance, name, address or message here: times and random numbers come with the input, a
//! host is the index of one, a message is a tag and a size. From here orders go to the shell's source,
//! journal and log; a [`Gap`] goes to `engine`, which makes a record of it. `osel-sim`'s `intake` kills the
//! whole at every step.

mod backoff;
mod batch;
mod continuity;
mod limits;
mod machine;
mod words;

#[cfg(test)]
mod tests;

pub use crate::pace::Severity;
pub use continuity::{Cursor, Gap, GapCause, OpenGap, Queue, QueueReport};
pub use limits::*;
pub use machine::Intake;
pub use words::{
    BatchNumber, BrokerTrouble, ConnectionNumber, IntakeInput, IntakeOrder, LogLine, Ongoing, StoreTrouble,
    Why,
};
