//! Every bound of a survey, with its reason.

/// What the first wait after a failure is drawn from: a service that is restarted is back within seconds.
pub const RETRY_BASE_MICROS: u64 = 5_000_000;
/// What the longest wait is drawn from: an API that was away for a day is asked again within ten minutes of its return.
pub const RETRY_CAP_MICROS: u64 = 600_000_000;
/// No wait is shorter: chance may be zero each time, and an API that refuses must not be asked in a busy loop.
pub const RETRY_FLOOR_MICROS: u64 = 500_000;
/// The wait after what a person has to mend (credentials, certificate, policy), and as much again by chance: Keystone may lock an
/// account that comes with a wrong password too often. Who has mended it has the configuration read again, and then nothing waits.
pub const MENDING_WAIT_MICROS: u64 = 300_000_000;

/// After a read the API has peace for as long as the read took, and at least for this time: gaps that come one after the other lead to
/// reads that take up half of the time, not all of it.
pub const REST_MICROS: u64 = 5_000_000;
/// A driver that says nothing for this time hangs. It has bounds of its own: two minutes for one answer, and as long for asking again.
pub const SILENT_MICROS: u64 = 600_000_000;
/// By which part of the time between reads one comes earlier at most: many osels that were started together must not ask together.
pub const JITTER_PART: u64 = 10;

/// Looks that wait for their turn. More say that a good part of the cloud is unknown: one read of everything is cheaper then.
pub const LOOKS_WAITING_MAX: usize = 256;
/// The time between two looks, on the average: two requests a second are nothing to Neutron.
pub const LOOK_EVERY_MICROS: u64 = 500_000;
/// How many looks may follow one another without that time in between: what one event can leave open is looked at at once.
pub const LOOKS_AT_ONCE: u64 = 20;
/// How often a look is tried that fails. What cannot be looked at comes with the next read of everything.
pub const LOOK_TRIES: u32 = 3;
