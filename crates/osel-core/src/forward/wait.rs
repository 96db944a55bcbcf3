//! How long to wait, by what a receiver said.

use std::time::Duration;

use super::limits::{
    CONFIRM_BASE_MICROS, CONFIRM_CAP_MICROS, LINGER_MICROS_MAX, RETRY_BASE_MICROS, RETRY_CAP_MICROS,
    RETRY_FLOOR_MICROS, WAIT_MICROS_MAX,
};
use crate::pace::{doubled, drawn};

/// After a failure; `failures` counts those in a row before it. A receiver may ask for more, never for less: others have heard the same.
pub(super) fn retry(failures: usize, chance: u64, asked: Option<Duration>) -> u64 {
    let drawn = drawn(doubled(RETRY_BASE_MICROS, failures, RETRY_CAP_MICROS), chance).max(RETRY_FLOOR_MICROS);
    drawn.max(asked.map_or(0, micros))
}

/// What a receiver asks for, within bounds.
pub(super) fn micros(asked: Duration) -> u64 {
    u64::try_from(asked.as_micros()).unwrap_or(u64::MAX).min(WAIT_MICROS_MAX)
}

/// How long a receiver has lines gathered, within bounds.
pub(super) fn linger(asked: Duration) -> u64 {
    u64::try_from(asked.as_micros()).unwrap_or(u64::MAX).min(LINGER_MICROS_MAX)
}

/// Until the next question what has arrived; `vain` counts those in a row that brought nothing.
pub(super) fn confirm(vain: usize) -> u64 {
    doubled(CONFIRM_BASE_MICROS, vain, CONFIRM_CAP_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_minute_and_are_as_long_as_the_receiver_asks() {
        let seconds: Vec<u64> =
            (0..8).map(|failures| retry(failures, u64::MAX, None).div_ceil(1_000_000)).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(retry(usize::MAX, 0, None), RETRY_FLOOR_MICROS);
        assert_eq!(retry(0, 0, Some(Duration::from_secs(30))), 30_000_000);
        assert_eq!(retry(9, u64::MAX, Some(Duration::ZERO)).div_ceil(1_000_000), 60);
        assert_eq!(retry(0, 0, Some(Duration::MAX)), WAIT_MICROS_MAX);
    }

    #[test]
    fn questions_that_bring_nothing_become_rarer() {
        let seconds: Vec<u64> = (0..6).map(|vain| confirm(vain) / 1_000_000).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
    }
}
