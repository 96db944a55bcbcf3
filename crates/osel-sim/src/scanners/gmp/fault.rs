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

/// A failure of some requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    what: What,
    command: Option<String>,
    after: u64,
    times: u64,
}

impl Fault {
    /// It happens to every request, until it is healed.
    pub fn new(what: What) -> Self {
        Self { what, command: None, after: 0, times: u64::MAX }
    }

    /// Only to this command.
    pub fn on(self, command: &str) -> Self {
        Self { command: Some(command.to_owned()), ..self }
    }

    /// So many of those requests are answered before it begins.
    pub fn after(self, requests: u64) -> Self {
        Self { after: requests, ..self }
    }

    /// So often.
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// What happens to this request by it, if anything.
    pub(super) fn strike(&mut self, command: &str) -> Option<What> {
        let is_met = self.command.as_ref().is_none_or(|wanted| wanted == command) && self.times > 0;
        if !is_met {
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
