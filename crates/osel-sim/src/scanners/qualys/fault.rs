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

/// A failure of some requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    what: What,
    part: String,
    after: usize,
    times: usize,
}

impl Fault {
    /// It happens to every request, until it is healed.
    pub fn new(what: What) -> Self {
        Self { what, part: String::new(), after: 0, times: usize::MAX }
    }

    /// Only to requests whose line holds this text, such as `action=launch`.
    pub fn on(mut self, part: &str) -> Self {
        part.clone_into(&mut self.part);
        self
    }

    /// So many of those requests are answered before it begins.
    pub fn after(mut self, requests: usize) -> Self {
        self.after = requests;
        self
    }

    /// So often.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// What happens to this request by it, if anything.
    pub(super) fn strike(&mut self, line: &str) -> Option<What> {
        if !line.contains(&self.part) || self.times == 0 {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.what.clone())
    }
}
