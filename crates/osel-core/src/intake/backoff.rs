//! How long to wait before trying again, and which host to try.

use super::limits::{
    COMMIT_RETRY_BASE_MICROS, COMMIT_RETRY_CAP_MICROS, COMMIT_RETRY_SLOW_MICROS, RETRY_BASE_MICROS,
    RETRY_CAP_MICROS, RETRY_FLOOR_MICROS,
};
use super::words::StoreTrouble;
use crate::pace::{doubled, drawn};

/// Exponential backoff with full jitter over several hosts; it doubles once all of them have been tried.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    hosts: usize,
    host: usize,
    attempts: usize,
}

impl Backoff {
    /// Nothing has failed yet; the first host comes first.
    pub(super) fn new(hosts: usize) -> Self {
        Self { hosts: hosts.max(1), host: 0, attempts: 0 }
    }

    /// The host whose turn it is.
    pub(super) fn host(&self) -> usize {
        self.host
    }

    /// It failed: the wait drawn by `chance`, after which it is the next host's turn.
    pub(super) fn failed(&mut self, chance: u64) -> u64 {
        let ceiling = doubled(RETRY_BASE_MICROS, self.attempts / self.hosts, RETRY_CAP_MICROS);
        self.attempts = self.attempts.saturating_add(1);
        self.host = (self.host + 1) % self.hosts;
        drawn(ceiling, chance).max(RETRY_FLOOR_MICROS)
    }

    /// There are so many by now.
    pub(super) fn set_hosts(&mut self, hosts: usize) {
        self.hosts = hosts.max(1);
        self.host %= self.hosts;
    }

    /// It has gone well for long enough: the next failure is a first one.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// The wait before a failed commit is repeated; `failures` counts those before this one.
pub(super) fn commit_wait(failures: usize, why: StoreTrouble) -> u64 {
    match why {
        StoreTrouble::Transient => doubled(COMMIT_RETRY_BASE_MICROS, failures, COMMIT_RETRY_CAP_MICROS),
        StoreTrouble::Permanent => COMMIT_RETRY_SLOW_MICROS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_when_all_hosts_had_their_turn() {
        let mut backoff = Backoff::new(3);
        let mut waits = Vec::new();
        let mut hosts = Vec::new();
        for _ in 0..30 {
            hosts.push(backoff.host());
            waits.push((backoff.failed(u64::MAX) + 500_000) / 1_000_000);
        }
        assert_eq!(hosts[..7], [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(waits[..9], [1, 1, 1, 2, 2, 2, 4, 4, 4]);
        assert_eq!(waits[18..], [60; 12]);
        backoff.reset();
        assert!(backoff.failed(u64::MAX) <= 1_000_000);
    }

    #[test]
    fn chance_draws_from_the_whole_range() {
        for (chance, wait) in [(0, RETRY_FLOOR_MICROS), (1 << 63, 500_000), (u64::MAX, 999_999)] {
            assert_eq!(Backoff::new(1).failed(chance), wait);
        }
    }

    #[test]
    fn no_number_of_attempts_overflows() {
        let mut backoff = Backoff { hosts: 1, host: 0, attempts: usize::MAX };
        assert!(backoff.failed(u64::MAX) <= RETRY_CAP_MICROS);
        for failures in [0, 1, 5, 63, 64, 65, usize::MAX] {
            assert!(commit_wait(failures, StoreTrouble::Transient) <= COMMIT_RETRY_CAP_MICROS);
        }
        assert_eq!(commit_wait(0, StoreTrouble::Transient), COMMIT_RETRY_BASE_MICROS);
        assert_eq!(commit_wait(0, StoreTrouble::Permanent), COMMIT_RETRY_SLOW_MICROS);
    }
}
