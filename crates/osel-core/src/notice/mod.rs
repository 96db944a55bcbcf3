//! Records told to people: which of them make one message, when it is due, and what it says.
//!
//! A [`Teller`] is shown every record of the trail in order. It keeps what one message will say of those that pass the filter, in memory
//! that does not grow with their number, and says when the message is due ([`Turn`]). The message is a [`Notice`]: how it looks in a mail or
//! in a room for chat is the affair of drivers. What must hold:
//!
//! - Every record that passes the filter is told by one notice, if only as part of a count, and by no second one.
//! - What was told is also told to be over (a finding that is resolved, an address that is closed again), by the same filter.
//! - Nothing is remembered but in memory: whoever begins again behind the last notice that was taken, comes to the same.
//!
//! There is no clock and no address of anybody here.

mod cadence;
mod gathering;
mod limits;
mod message;
mod teller;
mod telling;

#[cfg(test)]
mod tests;

pub use cadence::Cadence;
pub use gathering::GroupBy;
pub use limits::*;
pub use message::{Notice, NoticeGroup, NoticeLine};
pub use teller::{NoticeSettings, Teller, Turn};
