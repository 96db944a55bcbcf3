//! How the emulated services fail, and when.

use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The connection is closed without an answer, as by a service that is down behind its balancer.
    Down,
    /// No answer ever comes.
    Hang,
    /// The answer comes late.
    Slow(Duration),
    /// An error that a proxy or a service gives, with the value of `Retry-After` where it says one.
    Status {
        /// The status.
        code: u16,
        /// The header's value.
        retry_after: Option<String>,
    },
    /// The token has just expired: it is refused, now and later.
    ExpiredToken,
    /// The body ends before its end.
    CutBody,
    /// The body is not JSON.
    Garbage,
    /// Links to the next page name a host that nobody can reach.
    ForeignLinks,
    /// The link to the next page leads to the same page again.
    LoopingLinks,
    /// The object after which the page was to begin was just deleted.
    MarkerGone,
}

/// A failure of some requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    what: What,
    path: String,
    after: usize,
    times: usize,
}

impl Fault {
    /// It happens to every request, until it is healed.
    pub fn new(what: What) -> Self {
        Self { what, path: String::new(), after: 0, times: usize::MAX }
    }

    /// Only to requests whose path and query hold this text.
    pub fn on(mut self, part: &str) -> Self {
        part.clone_into(&mut self.path);
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
    pub(super) fn strike(&mut self, target: &str) -> Option<What> {
        let is_met = target.contains(&self.path)
            && (self.what != What::MarkerGone || target.contains("marker="))
            && self.times > 0;
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
