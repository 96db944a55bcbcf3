//! How the simulated service goes wrong, and when.

use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The connection is closed; nothing has happened.
    Down,
    /// What was asked happens, and the connection is closed without an answer.
    Lost,
    /// No answer ever comes.
    Hang,
    /// A page of HTML from something before the service.
    Page(u16),
    /// Another place is named.
    Redirect(String),
    /// A refusal as the service gives it.
    Code {
        /// The status, which does not always fit.
        status: u16,
        /// The code.
        code: u32,
        /// The text.
        text: String,
    },
    /// This is answered, as XML or JSON by its first character.
    Body(String),
    /// A byte at a time, each after so long, without end.
    Drip(Duration),
    /// So many bytes of one piece after another, such as `[` or `<a>`.
    Flood {
        /// The piece.
        piece: &'static str,
        /// The bytes.
        bytes: u64,
    },
}

/// A failure of some requests: those whose line holds its part, such as `action=launch`.
pub type Fault = crate::fault::Fault<What>;
