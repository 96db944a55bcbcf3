//! One scanner as a state machine: which command it is given when, when it is asked how far it is, and what follows from what it answers.
//!
//! [`Conduct::step`] takes what happened ([`ConductInput`]) and says what is to be done ([`ConductOrder`]). How a scanner is asked is the
//! affair of its adapter; what a result means is judged by the engine. What must hold whatever happens, a kill between any two steps
//! included:
//!
//! - A command is launched once: one that may have been launched is looked for by its title before it is launched.
//! - What became of it is told first, and the next step is taken only when that is durable.
//! - A result is told once, and what was made at the scanner is removed after the end is durable, or after a restart.
//! - A scanner that fails is asked less and less often, and by one call alone until it answers.
//! - A call that is denied keeps no other command from its turn.
//! - What is called off or past its time ends, also when the scanner says nothing.
//!
//! There is no clock, chance, name or address of a service here. A scanner that works here and now is only ever told to fetch.

mod answers;
mod denials;
mod endings;
mod limits;
mod machine;
mod wait;
mod words;
mod work;

#[cfg(test)]
mod tests;

pub use crate::pace::Severity;
pub use limits::*;
pub use machine::Conduct;
pub use words::{
    Answer, Ask, Call, ConductInput, ConductLine, ConductOrder, ConductWhy, Taken, Told, Undone,
};
