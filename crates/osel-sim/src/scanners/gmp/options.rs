//! How the simulated manager is set up; may be changed while it runs.

use std::time::Duration;

/// How the simulated manager is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The version of the protocol.
    pub version: String,
    /// Who may log in.
    pub username: String,
    /// With what.
    pub password: String,
    /// Chance: ids, and how late answers are.
    pub seed: u64,
    /// How late an answer may be.
    pub latency_max: Duration,
    /// Answers are sent in pieces of this size; all at once where there is none.
    pub piece_bytes: Option<usize>,
    /// How often a task has to be asked after before it takes its next step; 0 for never.
    pub polls_per_step: u32,
    /// Whether the manager is still starting: everything but its version is answered with 503.
    pub is_starting: bool,
    /// The most tasks that are under way at once; more are answered with 409.
    pub active_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: "22.7".to_owned(),
            username: "osel".to_owned(),
            password: "osel-secret".to_owned(),
            seed: 1,
            latency_max: Duration::ZERO,
            piece_bytes: None,
            polls_per_step: 1,
            is_starting: false,
            active_max: usize::MAX,
        }
    }
}
