//! What the loop tells of itself while it runs: for health checks, metrics and the service manager.
//!
//! The loop puts a whole [`ServiceStatus`] where others find it, a few times a second, and waits for none of them. Nothing is decided
//! by it.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use osel_core::engine::SourceLedger;
use osel_core::intake::Intake;
use osel_core::time::Timestamp;
use tokio::sync::watch;

use super::super::forward::ForwarderStatus;
use super::super::log::LogStatus;
use super::super::witnessing::WitnessStatus;
use super::finding_status::FindingsStatus;
use super::kind::SourceKind;
use super::scan_status::ScannerStatus;
use super::survey_status::ApiStatus;
use crate::telemetry::Supervisor;

/// What is told of a source whose task has broken down; what that said last is for the log.
pub const SOURCE_FAILED: &str =
    "its task has failed, which is a defect of osel: it is started again and again, and the log says more";
/// How often the status is told when its words stay the same: nobody asks more often than once in some seconds.
const TELL_WAIT: Duration = Duration::from_millis(500);
/// The upper bounds of the buckets of commit times, in seconds: from a disk that only says that it has written to one that does not.
const COMMIT_BOUNDS_SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// How the daemon does.
#[derive(Clone, Debug)]
pub struct ServiceStatus {
    /// How far it has come.
    pub phase: Phase,
    /// When the loop said so.
    pub beat: Instant,
    /// Why the store takes nothing, if so: since when, and its words.
    pub store_trouble: Option<(Timestamp, String)>,
    /// How many records the trail has.
    pub records: u64,
    /// When the last snapshot was begun, as far as this process knows; none when the store has none.
    pub snapshot_at: Option<Timestamp>,
    /// How far the log is signed.
    pub log: LogStatus,
    /// How the witnesses of the log do, as far as they were asked.
    pub witnesses: Vec<WitnessStatus>,
    /// How long batches took from their closing to their being durable.
    pub commits: Times,
    /// The sources, in the order of the configuration.
    pub sources: Vec<SourceStatus>,
    /// The APIs that are asked as a second opinion, in the order of the configuration.
    pub apis: Vec<ApiStatus>,
    /// Who scans, in the order of the configuration.
    pub scanners: Vec<ScannerStatus>,
    /// Where records are sent.
    pub forwarders: Vec<ForwarderStatus>,
    /// What they have found, as far as it is open.
    pub findings: FindingsStatus,
    /// How many differences reads have shown, by region and kind, over all starts.
    pub drift: Vec<(Option<Arc<str>>, &'static str, u64)>,
}

/// How far the daemon has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It opens the store, or builds the model from it. There is no loop yet.
    Starting,
    /// Another process leads the store, and it is ready to take over. There is no loop yet.
    StandingBy,
    /// The loop runs.
    Running,
    /// It was told to stop, and commits what was taken.
    Stopping,
}

/// How a source does.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: SourceKind,
    /// What it does now.
    pub state: SourceState,
    /// Since when it is connected, or is not.
    pub since: Timestamp,
    /// Whether it was connected since the start.
    pub was_connected: bool,
    /// Whether its task has broken down, which is a defect, and has not been able to tell of a connection since.
    pub has_failed: bool,
    /// How often it was connected again since the start.
    pub reconnects: u64,
    /// How often messages were or may have been lost, since the start.
    pub gaps: u64,
    /// Messages that came since the start.
    pub received: u64,
    /// Its ledger: of all times, and ahead of the store by what is in flight. First messages that have a record.
    pub recorded: u64,
    /// Messages recognised as repetitions.
    pub duplicate: u64,
    /// Messages ignored by a named policy.
    pub ignored: u64,
    /// Messages in quarantine now.
    pub quarantined: u64,
    /// The time of the newest event that was handled, and how long after it that was, in microseconds.
    pub last_event: Option<(Timestamp, i64)>,
    /// How many messages wait at the broker, as last heard; none where that is not known.
    pub waiting: Option<u64>,
    /// How many exchanges are bound, as last seen; none where it has none, or never had a connection.
    pub bound_exchanges: Option<u64>,
    /// Messages that were taken and are not durable.
    pub in_flight_messages: u64,
    /// Their bytes.
    pub in_flight_bytes: u64,
}

/// What a source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// There is no connection.
    Connecting,
    /// Messages are taken as they come.
    Listening,
    /// There is a connection, and no messages are taken: the store is behind, or takes nothing.
    Held,
    /// It has come to its end.
    Ended,
}

/// How often something took how long.
#[derive(Clone, Debug, Default)]
pub struct Times {
    counts: [u64; COMMIT_BOUNDS_SECONDS.len() + 1],
    sum_seconds: f64,
}

impl ServiceStatus {
    /// The store cannot be opened since then, for what it says; that is tried again.
    pub fn unopened(since: Timestamp, words: String) -> Self {
        Self { store_trouble: Some((since, words)), ..Self::starting() }
    }

    /// Before there is a loop.
    pub fn starting() -> Self {
        Self {
            phase: Phase::Starting,
            beat: Instant::now(),
            store_trouble: None,
            records: 0,
            snapshot_at: None,
            log: LogStatus::default(),
            witnesses: Vec::new(),
            commits: Times::default(),
            sources: Vec::new(),
            apis: Vec::new(),
            scanners: Vec::new(),
            forwarders: Vec::new(),
            findings: FindingsStatus::default(),
            drift: Vec::new(),
        }
    }

    /// While another process leads the store.
    pub fn standing_by() -> Self {
        Self { phase: Phase::StandingBy, ..Self::starting() }
    }

    /// In one line, for people.
    pub fn line(&self) -> String {
        let connected = |source: &&SourceStatus| source.state != SourceState::Connecting;
        let mut line = match self.phase {
            Phase::Starting => "opening the store".to_owned(),
            Phase::StandingBy => "standing by: another process leads the store".to_owned(),
            Phase::Stopping => "stopping".to_owned(),
            Phase::Running => format!(
                "{} of {} sources connected",
                self.sources.iter().filter(connected).count(),
                self.sources.len()
            ),
        };
        if let Some((since, words)) = &self.store_trouble {
            let _ = write!(line, "; the store takes nothing since {since}: {words}");
        }
        for SourceStatus { name, since, .. } in self.sources.iter().filter(|source| source.has_failed) {
            let _ = write!(line, "; source `{name}` since {since}: {SOURCE_FAILED}");
        }
        for ApiStatus { region, trouble, .. } in &self.apis {
            if let Some((since, trouble)) = trouble {
                let of = region.as_ref().map(|region| format!(" of `{region}`")).unwrap_or_default();
                let _ = write!(line, "; API{of} since {since}: {trouble}");
            }
        }
        for ScannerStatus { name, trouble, .. } in &self.scanners {
            if let Some((since, trouble)) = trouble {
                let _ = write!(line, "; scanner `{name}` since {since}: {trouble}");
            }
        }
        for ForwarderStatus { name, trouble, .. } in &self.forwarders {
            if let Some((since, trouble)) = trouble {
                let _ = write!(line, "; forwarder `{name}` since {since}: {trouble}");
            }
        }
        if let Some((since, _)) = self.findings.unread.filter(|_| self.findings.is_alarmed) {
            let _ = write!(line, "; nobody has read findings since {since}");
        }
        // A new line would begin a new word to the service manager.
        line.replace(char::is_control, " ")
    }
}

impl SourceState {
    /// Whether messages can come.
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Listening | Self::Held)
    }
}

impl Times {
    /// Counts one.
    pub(super) fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.sum_seconds += seconds;
        let bucket = COMMIT_BOUNDS_SECONDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
    }

    /// All of them together, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.sum_seconds
    }

    /// How many there were up to each bound and above the one before; the last bound is none.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        COMMIT_BOUNDS_SECONDS.into_iter().chain([f64::INFINITY]).zip(self.counts)
    }
}

/// What is counted of a source, and since when it does what it does.
#[derive(Debug, Default)]
pub(super) struct Watched {
    state: Option<(SourceState, Timestamp)>,
    connects: u64,
    has_failed: bool,
    received: u64,
    gaps: u64,
    waiting: Option<u64>,
    /// Of the messages that waited when the broker's queue was looked at, how many may not have come yet.
    behind: u64,
    bound: Option<u64>,
    last_event: Option<(Timestamp, i64)>,
}

/// With more messages behind than this, a source is: they are a second's, and what can wait should.
const BEHIND_MESSAGES: u64 = 10_000;

impl Watched {
    /// What was known of the broker's queue counts no more.
    pub(super) fn disconnected(&mut self) {
        (self.waiting, self.behind) = (None, 0);
    }

    /// Its task has broken down, or the one after it has told of a connection.
    pub(super) fn failed(&mut self, has_failed: bool) {
        self.has_failed = has_failed;
    }

    pub(super) fn gap(&mut self) {
        self.gaps += 1;
    }

    pub(super) fn waiting(&mut self, messages: u64) {
        (self.waiting, self.behind) = (Some(messages), messages);
    }

    /// Whether many messages wait at the broker, as far as is known.
    pub(super) fn is_behind(&self) -> bool {
        self.behind > BEHIND_MESSAGES
    }

    /// So many exchanges are bound.
    pub(super) fn bound(&mut self, exchanges: usize) {
        self.bound = Some(exchanges as u64);
    }

    /// A message came.
    pub(super) fn received(&mut self) {
        self.received += 1;
        self.behind = self.behind.saturating_sub(1);
    }

    /// An event was handled, of which `time` is known.
    pub(super) fn handled(&mut self, now: Timestamp, time: Timestamp) {
        // One clock that is ahead would have it look as if somebody spoke until all others are as far.
        let time = time.min(now);
        if time != Timestamp::EPOCH && self.last_event.is_none_or(|(last, _)| last <= time) {
            self.last_event = Some((time, now.micros().saturating_sub(time.micros())));
        }
    }

    /// What the source does from now on.
    pub(super) fn is(&mut self, state: SourceState, now: Timestamp) {
        let same = self.state.filter(|(before, _)| before.is_connected() == state.is_connected());
        self.connects += u64::from(same.is_none() && state.is_connected());
        self.state = Some((state, same.map_or(now, |(_, since)| since)));
    }

    /// As it is told.
    pub(super) fn status(
        &self,
        name: &Arc<str>,
        kind: SourceKind,
        intake: &Intake,
        ledger: Option<&SourceLedger>,
    ) -> SourceStatus {
        let (state, since) = self.state.unwrap_or((SourceState::Connecting, Timestamp::EPOCH));
        let count = |of: fn(&SourceLedger) -> u64| ledger.map_or(0, of);
        SourceStatus {
            name: Arc::clone(name),
            kind,
            state,
            since,
            was_connected: self.connects > 0,
            has_failed: self.has_failed,
            reconnects: self.connects.saturating_sub(1),
            gaps: self.gaps,
            received: self.received,
            recorded: count(|ledger| ledger.recorded),
            duplicate: count(|ledger| ledger.duplicate),
            ignored: count(|ledger| ledger.ignored),
            quarantined: count(|ledger| ledger.quarantined),
            last_event: self.last_event,
            waiting: self.waiting,
            bound_exchanges: self.bound,
            in_flight_messages: intake.messages_in_flight(),
            in_flight_bytes: intake.bytes_in_flight(),
        }
    }
}

/// Tells the status to whoever wants to know it.
pub(super) struct Monitor {
    sender: watch::Sender<ServiceStatus>,
    supervisor: Supervisor,
    tell_at: Instant,
    line: String,
}

impl Monitor {
    /// To those who listen on the other side of `sender`, and to the service manager.
    pub(super) fn new(sender: watch::Sender<ServiceStatus>, supervisor: Supervisor) -> Self {
        Self { sender, supervisor, tell_at: Instant::now(), line: String::new() }
    }

    /// When [`Self::tell`] is wanted at the latest.
    pub(super) fn wait(&self) -> Duration {
        self.supervisor.beat_wait()
    }

    /// Tells the status, if it is time to.
    pub(super) fn tell(&mut self, status: impl FnOnce() -> ServiceStatus) {
        self.supervisor.beat();
        let now = Instant::now();
        if now < self.tell_at {
            return;
        }
        self.tell_at = now + TELL_WAIT;
        let status = status();
        let line = status.line();
        if line != self.line && self.supervisor.status(&line) {
            self.line = line;
        }
        self.sender.send_replace(status);
    }
}

#[cfg(test)]
mod tests {
    use super::super::survey_status::ApiWatched;
    use super::*;

    #[test]
    fn times_go_into_the_first_bucket_that_holds_them() {
        let mut times = Times::default();
        for millis in [1, 2, 3, 30_000, 30_001] {
            times.add(Duration::from_millis(millis));
        }
        let filled: Vec<(f64, u64)> = times.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.001, 1), (0.0025, 1), (0.005, 1), (30.0, 1), (f64::INFINITY, 1)]);
        assert!((times.sum_seconds() - 60.007).abs() < 1e-9);
    }

    #[test]
    fn an_event_of_the_future_is_one_of_now() {
        let time = |seconds| Timestamp::EPOCH.plus_seconds(seconds);
        let mut watched = Watched::default();
        watched.handled(time(10), time(9_000_000));
        assert_eq!(watched.last_event, Some((time(10), 0)));
        watched.handled(time(30), time(20));
        assert_eq!(watched.last_event, Some((time(20), 10_000_000)));
    }

    #[test]
    fn a_source_is_behind_until_what_waited_has_come() {
        let mut watched = Watched::default();
        assert!(!watched.is_behind());
        watched.waiting(BEHIND_MESSAGES + 1);
        assert!(watched.is_behind());
        watched.received();
        assert!(!watched.is_behind());
        watched.waiting(2 * BEHIND_MESSAGES);
        assert!(watched.is_behind());
        watched.disconnected();
        assert!(!watched.is_behind());
    }

    #[test]
    fn the_line_is_one() {
        let words = "disk\nfull".to_owned();
        let status = ServiceStatus {
            phase: Phase::Running,
            store_trouble: Some((Timestamp::EPOCH, words)),
            ..ServiceStatus::starting()
        };
        assert_eq!(
            status.line(),
            "0 of 0 sources connected; the store takes nothing since 1970-01-01T00:00:00.000000Z: disk full"
        );
        assert_eq!(
            ServiceStatus::unopened(Timestamp::EPOCH, "no such disk".to_owned()).line(),
            "opening the store; the store takes nothing since 1970-01-01T00:00:00.000000Z: no such disk"
        );
        assert_eq!(ServiceStatus::starting().line(), "opening the store");
        let api = |region: Option<&str>| ApiStatus {
            trouble: Some((Timestamp::EPOCH, "unreachable")),
            ..ApiWatched::default().status(region.map(Arc::from), false, 0, None)
        };
        let apis = vec![api(Some("one")), api(None), ApiWatched::default().status(None, false, 0, None)];
        assert_eq!(
            ServiceStatus { phase: Phase::Running, apis, ..ServiceStatus::starting() }.line(),
            "0 of 0 sources connected; API of `one` since 1970-01-01T00:00:00.000000Z: unreachable; API since \
             1970-01-01T00:00:00.000000Z: unreachable"
        );
        let unread = |is_alarmed| {
            let unread = Some((Timestamp::EPOCH, Duration::from_hours(1)));
            let findings = FindingsStatus { unread, is_alarmed, ..FindingsStatus::default() };
            ServiceStatus { phase: Phase::Running, findings, ..ServiceStatus::starting() }.line()
        };
        assert_eq!(
            unread(true),
            "0 of 0 sources connected; nobody has read findings since 1970-01-01T00:00:00.000000Z"
        );
        assert_eq!(unread(false), "0 of 0 sources connected");
    }
}
