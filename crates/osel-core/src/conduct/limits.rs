//! The bounds of conducting a scanner, in microseconds and pieces.

/// The first wait after a failure, drawn from nothing up to this.
pub const RETRY_BASE_MICROS: u64 = 5_000_000;
/// No wait after a failure is longer, but for what a person has to mend.
pub const RETRY_CAP_MICROS: u64 = 600_000_000;
/// No wait is shorter, whatever chance says.
pub const RETRY_FLOOR_MICROS: u64 = 1_000_000;
/// How long a scanner that does not know us is left alone at least: services lock accounts after some failed log-ins.
pub const DENIED_WAIT_MICROS: u64 = 900_000_000;
/// No wait after a denied call is longer, but for a part that chance adds: whoever gives the right need not wait for a day.
pub const DENIED_CAP_MICROS: u64 = 14_400_000_000;
/// How often one call of a command is denied by a service that answers others, before the command has failed: two hours or three, in which
/// somebody may give the right. One that does not know us at all may have every command wait for as long as it lives.
pub const DENIED_TRIES: usize = 4;
/// The longest that a service may have us wait: Qualys counts its calls by the hour, and by the day at most.
pub const AFTER_MICROS_MAX: u64 = 3_600_000_000;
/// The time until a scan is asked for first; no service has begun sooner.
pub const POLL_FIRST_MICROS: u64 = 5_000_000;
/// The longest time between two questions how far a scan is: a minute more is nothing to scans of an hour, and 300 calls an hour are what
/// a service permits for several of them.
pub const POLL_MICROS_MAX: u64 = 60_000_000;
/// A launch whose answer did not come is looked for after this time: services list a scan some seconds after they have taken it.
pub const UNCERTAIN_REST_MICROS: u64 = 10_000_000;
/// How long a scanner may take to find a scan.
pub const FIND_MICROS_MAX: u64 = 60_000_000;
/// How long it may take to launch one: Qualys and Greenbone make targets first.
pub const LAUNCH_MICROS_MAX: u64 = 180_000_000;
/// How long it may take to say how far one is.
pub const STATUS_MICROS_MAX: u64 = 60_000_000;
/// How long a result may be on its way: reports are made when they are asked for.
pub const FETCH_MICROS_MAX: u64 = 900_000_000;
/// How long it may take to call a scan off or to remove what was made for it.
pub const CLEAN_MICROS_MAX: u64 = 120_000_000;
/// A scan here that takes longer than this is told to be running; a shorter one is over before anybody looks.
pub const LOCAL_TOLD_MICROS: u64 = 10_000_000;
/// The most calls to a service at one time: Qualys permits two of a kind, others more.
pub const CALLS_AT_ONCE_MAX: usize = 4;
/// The most of them that fetch: the others go on meanwhile.
pub const FETCHES_AT_ONCE_MAX: usize = 2;
/// How often an answer that nobody understands is asked for again.
pub const GARBLED_TRIES: usize = 3;
/// How often it is tried to call a scan off or to remove what was made for it: an hour or two of waits.
pub const CLEAN_TRIES: usize = 16;
/// The most scans that are over and not yet removed from the scanner; beyond it the oldest is left there.
pub const CLEANING_MAX: usize = 64;
