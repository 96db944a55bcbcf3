//! Every bound of an intake, with its reason.

/// The most messages of one batch: 512 gave a higher rate and a lower latency than 2,048.
pub const BATCH_MESSAGES: usize = 512;
/// The bytes after which a batch is closed: what a disk writes in a few milliseconds.
pub const BATCH_BYTES: u64 = 4 << 20;
/// How long a batch may wait for more: long enough to share a flush, short enough that nobody waits for a
/// record.
pub const BATCH_AGE_MICROS: u64 = 20_000;
/// Batches handed to the store at one time: one is being written while the next is made ready. More would
/// only be lost together.
pub const BATCHES_IN_FLIGHT: usize = 2;
/// As many for files, which are read again from the start where nothing was committed: those that are written as
/// one while the store flushes, and as many again that are made ready meanwhile.
pub const FILE_BATCHES_IN_FLIGHT: usize = 8;
/// The most bytes of messages that are taken and not durable. Four of the largest bodies fit; without so many
/// it is never reached.
pub const BYTES_IN_FLIGHT_MAX: u64 = 64 << 20;
/// The largest body that a source hands over (`decode` reads no larger one either; RabbitMQ 4 refuses them by
/// default).
pub const BODY_BYTES_MAX: u64 = 16 << 20;

/// What the first wait before connecting again is drawn from: contract §2.3 wants a first retry within a
/// second.
pub const RETRY_BASE_MICROS: u64 = 1_000_000;
/// What the longest wait is drawn from (contract §2.3).
pub const RETRY_CAP_MICROS: u64 = 60_000_000;
/// No wait is shorter: chance may be zero each time, and a broker that refuses must not be asked in a busy
/// loop.
pub const RETRY_FLOOR_MICROS: u64 = 50_000;
/// The first wait before a failed commit is repeated: a busy or restarting store is back as fast.
pub const COMMIT_RETRY_BASE_MICROS: u64 = 100_000;
/// The longest wait before a commit is repeated that failed for a passing reason.
pub const COMMIT_RETRY_CAP_MICROS: u64 = 5_000_000;
/// The wait before a commit is repeated that failed for a lasting reason: a person has to act, and then
/// nobody should have to restart anything.
pub const COMMIT_RETRY_SLOW_MICROS: u64 = 30_000_000;

/// A longer outage is a gap when it cannot be known whether the bounded queue overflowed meanwhile.
pub const LONG_OUTAGE_MICROS: u64 = 3_600_000_000;
/// How old the durable word that the queue is in place may become in a silent cloud; it is what a gap is
/// wider than the outage when broker and osel die together, of which 5 s are allowed. The caller checks the
/// queue at least as often.
pub const CURSOR_AGE_MICROS: u64 = 4_000_000;
/// The time between two attempts to mend a queue: an exchange may be absent for days.
pub const MEND_WAIT_MICROS: u64 = 5_000_000;
/// How long a stop waits for the store. With a second to disconnect it is within the 5 s that a service
/// manager is promised.
pub const STOP_WAIT_MICROS: u64 = 4_000_000;

/// The bounds that differ between sources; all others are the constants beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many hosts there are to try in turn; none counts as one.
    pub hosts: usize,
    /// See [`BATCH_MESSAGES`].
    pub batch_messages: usize,
    /// See [`BATCH_BYTES`].
    pub batch_bytes: u64,
    /// See [`BATCH_AGE_MICROS`]; none for a source that never waits, such as a file: then only size and its
    /// end close a batch.
    pub batch_age_micros: Option<u64>,
    /// See [`BATCHES_IN_FLIGHT`]; none counts as one.
    pub batches_in_flight: usize,
    /// See [`BYTES_IN_FLIGHT_MAX`].
    pub bytes_in_flight_max: u64,
    /// See [`BODY_BYTES_MAX`].
    pub body_bytes_max: u64,
}

impl Limits {
    /// Those of a message bus with so many hosts.
    pub fn bus(hosts: usize) -> Self {
        Self {
            hosts,
            batch_messages: BATCH_MESSAGES,
            batch_bytes: BATCH_BYTES,
            batch_age_micros: Some(BATCH_AGE_MICROS),
            batches_in_flight: BATCHES_IN_FLIGHT,
            bytes_in_flight_max: BYTES_IN_FLIGHT_MAX,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }

    /// Those of captured messages in files: batches are full, except the last.
    pub fn file() -> Self {
        Self { batch_age_micros: None, batches_in_flight: FILE_BATCHES_IN_FLIGHT, ..Self::bus(1) }
    }

    /// Above these bytes in flight there is no room for one more of the largest bodies.
    pub(super) fn pause_above(&self) -> u64 {
        self.bytes_in_flight_max.saturating_sub(self.body_bytes_max)
    }
}
