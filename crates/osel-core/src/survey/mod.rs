//! One cloud's API as a state machine: when to read all of it, when to look at one object, when to leave it alone.
//!
//! [`Survey::step`] takes what happened ([`SurveyInput`]) and says what is to be done ([`SurveyOrder`]). How the API is asked, and what
//! becomes of its answers, is the caller's affair. What must hold whatever happens:
//!
//! - At most one read of everything is under way, and at most one look.
//! - Whatever may have been missed (the time before the start, a gap of a source, more looks than may wait) is followed by a read that
//!   begins after it, as soon as the API answers.
//! - An API that fails is asked less and less often, and by one order alone until it answers.
//! - What waits is bounded, and log lines are bounded by time, not by attempts.
//!
//! There is no clock, chance, name, address or page here: times and random numbers come with the input, a page is a word that one came.
//! From here orders go to the shell's driver and log; nothing here waits for an event, and no event waits for anything here.

mod breaker;
mod limits;
mod looks;
mod machine;
mod words;

#[cfg(test)]
mod tests;

pub use crate::pace::Severity;
pub use limits::*;
pub use machine::Survey;
pub use words::{ApiTrouble, LogLine, Look, Ongoing, Reason, SurveyInput, SurveyOrder, Ticket, Why};
