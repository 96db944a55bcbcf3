//! How many sockets the process may hold at once.
//!
//! The soft limit on open files is raised as far as probes can use it and the hard limit permits; that
//! changes nothing else, as osel never calls `select`. Descriptors are left over for the rest of the process:
//! the store, the broker, the web.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::outcome::ScanError;

/// Probes out at the same time, whatever the limits permit. 16,384 silent ports at the usual first timeout
/// are 16,000 probes a second, and take about 50 MB of kernel memory; four waves cover every port of an
/// address.
const MAX_IN_FLIGHT: u64 = 16_384;
/// Descriptors that stay free for what else the process opens while a scan runs.
const RESERVE: u64 = 64;
/// Descriptors taken to be open where the system does not say.
const ASSUMED_OPEN: u64 = 128;

/// Sockets that a scan may hold, at least one.
///
/// # Errors
/// When the limit on open files leaves none.
pub(super) fn available() -> Result<usize, ScanError> {
    let taken = open_now() + RESERVE;
    let limit = raised(taken + MAX_IN_FLIGHT);
    match limit.saturating_sub(taken).min(MAX_IN_FLIGHT) {
        0 => Err(ScanError::Descriptors { limit }),
        free => Ok(usize::try_from(free).unwrap_or(usize::MAX)),
    }
}

/// Raises the soft limit towards `wanted` and returns what is in force; none is without limit.
fn raised(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let soft = current.unwrap_or(u64::MAX);
    let target = wanted.min(maximum.unwrap_or(u64::MAX));
    if target <= soft {
        return soft;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum }) {
        Ok(()) => target,
        // A sandbox may forbid it; then the limit is what it was.
        Err(_) => soft,
    }
}

/// Descriptors open at this moment.
fn open_now() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(ASSUMED_OPEN, |entries| entries.count() as u64)
}
