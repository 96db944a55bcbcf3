//! How long an API that failed is left alone.

use super::limits::{MENDING_WAIT_MICROS, RETRY_BASE_MICROS, RETRY_CAP_MICROS, RETRY_FLOOR_MICROS};
use super::words::{ApiTrouble, Why};
use crate::pace::{doubled, drawn};

/// How long to wait after a failure; `failures` counts those in a row before it.
pub(super) fn wait(why: Why, failures: usize, chance: u64) -> u64 {
    match why {
        Why::Api(ApiTrouble::Untrusted | ApiTrouble::Denied | ApiTrouble::Refused) => {
            MENDING_WAIT_MICROS + drawn(MENDING_WAIT_MICROS, chance)
        }
        Why::Api(ApiTrouble::Throttled { retry_after: Some(after) }) => {
            let after = u64::try_from(after.as_micros()).unwrap_or(RETRY_CAP_MICROS).min(RETRY_CAP_MICROS);
            (after + drawn(after / 10, chance)).clamp(RETRY_FLOOR_MICROS, RETRY_CAP_MICROS)
        }
        Why::Api(ApiTrouble::Unreachable | ApiTrouble::Broken | ApiTrouble::Throttled { .. })
        | Why::Silent => {
            drawn(doubled(RETRY_BASE_MICROS, failures, RETRY_CAP_MICROS), chance).max(RETRY_FLOOR_MICROS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNREACHABLE: Why = Why::Api(ApiTrouble::Unreachable);

    #[test]
    fn waits_double_up_to_ten_minutes() {
        let ceilings: Vec<u64> = (0..10).map(|failures| wait(UNREACHABLE, failures, u64::MAX)).collect();
        let seconds: Vec<u64> = ceilings.iter().map(|micros| (micros + 500_000) / 1_000_000).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(wait(UNREACHABLE, usize::MAX, 0), RETRY_FLOOR_MICROS);
    }

    #[test]
    fn what_a_person_has_to_mend_waits_longer_than_anything_else_at_first() {
        for trouble in [ApiTrouble::Denied, ApiTrouble::Untrusted, ApiTrouble::Refused] {
            assert_eq!(wait(Why::Api(trouble), 0, 0), 300_000_000);
            assert!(wait(Why::Api(trouble), usize::MAX, u64::MAX) < 600_000_000);
        }
    }

    #[test]
    fn a_service_that_wants_to_be_left_alone_is_within_bounds() {
        let check = |seconds: Option<u64>, wanted: u64| {
            let retry_after = seconds.map(std::time::Duration::from_secs);
            assert_eq!(wait(Why::Api(ApiTrouble::Throttled { retry_after }), 0, 0), wanted, "{seconds:?}");
        };
        check(Some(0), RETRY_FLOOR_MICROS);
        check(Some(30), 30_000_000);
        check(Some(u64::MAX), RETRY_CAP_MICROS);
        check(None, RETRY_FLOOR_MICROS);
    }
}
