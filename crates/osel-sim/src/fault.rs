//! When something goes wrong with the requests to a simulated service; what it is, each service knows.

/// A failure of some requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault<W> {
    what: W,
    part: String,
    after: usize,
    times: usize,
}

impl<W: Clone> Fault<W> {
    /// It happens to every request, until it is healed.
    pub fn new(what: W) -> Self {
        Self { what, part: String::new(), after: 0, times: usize::MAX }
    }

    /// Only to requests that are about this, as the service understands it: `/ports`, `POST /scans`, `action=launch`, `create_task`.
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

    /// What happens to a request by it, if anything; `is_met` says whether what and part concern the request.
    pub(crate) fn strike(&mut self, is_met: impl FnOnce(&W, &str) -> bool) -> Option<W> {
        if self.times == 0 || !is_met(&self.what, &self.part) {
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
