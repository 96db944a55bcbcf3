//! How long to wait, by what a scanner said.

use super::limits::{
    AFTER_MICROS_MAX, CLEAN_MICROS_MAX, DENIED_CAP_MICROS, DENIED_WAIT_MICROS, FETCH_MICROS_MAX,
    FIND_MICROS_MAX, LAUNCH_MICROS_MAX, POLL_FIRST_MICROS, POLL_MICROS_MAX, RETRY_BASE_MICROS,
    RETRY_CAP_MICROS, RETRY_FLOOR_MICROS, STATUS_MICROS_MAX,
};
use super::words::Call;
use crate::pace::{doubled, drawn};

/// After a failure; `failures` counts those in a row before it.
pub(super) fn retry(failures: usize, chance: u64) -> u64 {
    drawn(doubled(RETRY_BASE_MICROS, failures, RETRY_CAP_MICROS), chance).max(RETRY_FLOOR_MICROS)
}

/// After it denied a call; `times` counts the denials of it before.
pub(super) fn denied(times: usize, chance: u64) -> u64 {
    doubled(DENIED_WAIT_MICROS, times, DENIED_CAP_MICROS) + drawn(DENIED_WAIT_MICROS, chance)
}

/// After it said when to come again, or that we should.
pub(super) fn after(seconds: Option<u32>, failures: usize, chance: u64) -> u64 {
    match seconds {
        Some(seconds) => {
            let micros = u64::from(seconds) * 1_000_000;
            (micros + drawn(micros / 10, chance)).clamp(RETRY_FLOOR_MICROS, AFTER_MICROS_MAX)
        }
        None => retry(failures, chance),
    }
}

/// Until the next question how far a scan is; `polls` counts those before.
pub(super) fn poll(polls: usize, chance: u64) -> u64 {
    let mut wait = POLL_FIRST_MICROS;
    for _ in 0..polls {
        if wait >= POLL_MICROS_MAX {
            break;
        }
        wait += wait / 2;
    }
    let wait = wait.min(POLL_MICROS_MAX);
    wait - drawn(wait / 10, chance)
}

/// How long a call to a service may take.
pub(super) fn longest(call: Call) -> u64 {
    match call {
        Call::Find => FIND_MICROS_MAX,
        Call::Launch => LAUNCH_MICROS_MAX,
        Call::Status => STATUS_MICROS_MAX,
        Call::Fetch => FETCH_MICROS_MAX,
        Call::Cancel | Call::Forget => CLEAN_MICROS_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_become_rarer_up_to_a_minute() {
        let seconds: Vec<u64> = (0..8).map(|polls| poll(polls, 0) / 1_000_000).collect();
        assert_eq!(seconds, [5, 7, 11, 16, 25, 37, 56, 60]);
        assert_eq!(poll(usize::MAX, u64::MAX) / 1_000_000, 54);
    }

    #[test]
    fn what_a_service_asks_for_is_within_bounds() {
        assert_eq!(after(Some(0), 0, 0), RETRY_FLOOR_MICROS);
        assert_eq!(after(Some(30), 9, 0), 30_000_000);
        assert_eq!(after(Some(u32::MAX), 0, u64::MAX), AFTER_MICROS_MAX);
        assert!(after(None, usize::MAX, u64::MAX) <= RETRY_CAP_MICROS);
    }
}
