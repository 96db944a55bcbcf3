//! How the simulated manager fails, and when.

use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The connection is closed before the command has an effect.
    CutBefore,
    /// The connection is closed after the command had its effect, without an answer.
    CutAfter,
    /// The connection is closed in the middle of the answer.
    CutHalf,
    /// No answer ever comes.
    Hang,
    /// An error in place of the answer; the command has no effect.
    Status(u16, String),
    /// This in place of the answer; the command has no effect.
    Instead(String),
    /// The beginning, and then the rest over and over until the client goes away.
    Endless(String, String),
    /// The answer comes byte by byte, so far apart.
    Drip(Duration),
}

/// A failure of some requests: those of the command that is its part.
pub type Fault = crate::fault::Fault<What>;
