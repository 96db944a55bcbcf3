//! How the simulated scanner is set up; may be changed while it runs.

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Nessus on a server of one's own.
    Nessus,
    /// Tenable Vulnerability Management, in the vendor's cloud.
    Cloud,
}

/// How it is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which product it is.
    pub product: Product,
    /// The keys by which it knows its user.
    pub access_key: String,
    /// See [`Self::access_key`].
    pub secret_key: String,
    /// Who may begin a session (Nessus).
    pub username: String,
    /// With what.
    pub password: String,
    /// After how many requests a session has expired.
    pub session_requests: Option<u32>,
    /// Whether it is Nessus Professional, whose API makes, launches and changes no scans.
    pub is_professional: bool,
    /// For how many requests it is still starting.
    pub starting_requests: u32,
    /// How often a scan is asked for its state until it begins.
    pub waiting_polls: u32,
    /// How often from there until it ends.
    pub running_polls: u32,
    /// The state in which scans end: `completed`, `aborted`.
    pub end: &'static str,
    /// A state that it has while it runs, instead of `running`.
    pub running: &'static str,
    /// How often a report is asked for until it is ready.
    pub export_polls: u32,
    /// Whether reports fail.
    pub export_fails: bool,
    /// How many scans may run at a time.
    pub running_max: usize,
    /// Each how manieth request is one too many (429).
    pub limited_every: Option<u64>,
    /// For how many seconds one is sent away then.
    pub retry_after: u32,
    /// Which requests fail, and how.
    pub seed: u64,
    /// How many of a hundred requests do.
    pub failures_percent: u64,
    /// The longest that an answer takes, in milliseconds.
    pub latency_ms_max: u64,
}

impl Options {
    /// A product that does everything at once and never fails.
    pub fn new(product: Product) -> Self {
        Self {
            product,
            access_key: "3f0a6c0de2b1".repeat(5) + "a5c1",
            secret_key: "9b7e41c6d058".repeat(5) + "77e2",
            username: "osel".to_owned(),
            password: "correct horse".to_owned(),
            session_requests: None,
            is_professional: false,
            starting_requests: 0,
            waiting_polls: 1,
            running_polls: 2,
            end: "completed",
            running: "running",
            export_polls: 1,
            export_fails: false,
            running_max: 8,
            limited_every: None,
            retry_after: 3,
            seed: 1,
            failures_percent: 0,
            latency_ms_max: 0,
        }
    }
}
