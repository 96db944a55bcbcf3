//! When a notice is due.

use crate::format::Severity;
use crate::time::Timestamp;

/// Microseconds of a second.
const MICROS: i64 = 1_000_000;

/// How often somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// When there is something, what follows within a while together with it.
    Grouped {
        /// How long it is waited for more, in seconds.
        wait_seconds: u32,
        /// How long no second notice follows the one before, in seconds.
        interval_seconds: u32,
        /// What matters at least so much waits for neither, only `wait_seconds` behind the notice before.
        urgent_min: Severity,
    },
    /// Once in a period, which begins at multiples of its length since 1970, and `offset_seconds` later.
    Digest {
        /// How long it is, in seconds; more than 0.
        period_seconds: u32,
        /// By how many seconds it is put off.
        offset_seconds: u32,
        /// Whether it is also said that there was nothing.
        tells_empty: bool,
    },
}

impl Cadence {
    /// The begin of the period that a time is in; none where there are no periods.
    pub(super) fn period_of(self, time: Timestamp) -> Option<Timestamp> {
        let Self::Digest { period_seconds, offset_seconds, .. } = self else { return None };
        let (period, offset) =
            (i64::from(period_seconds.max(1)) * MICROS, i64::from(offset_seconds) * MICROS);
        let into = time.micros().saturating_sub(offset).rem_euclid(period);
        Some(Timestamp::from_micros(time.micros().saturating_sub(into)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_when_somebody_wants_it_to() {
        let daily = Cadence::Digest { period_seconds: 86_400, offset_seconds: 7 * 3600, tells_empty: false };
        for (time, wanted) in [
            ("2026-11-26T06:59:59.999999Z", "2026-11-25T07:00:00Z"),
            ("2026-11-26T07:00:00Z", "2026-11-26T07:00:00Z"),
            ("2026-11-26T23:10:00Z", "2026-11-26T07:00:00Z"),
            ("1969-12-31T06:00:00Z", "1969-12-30T07:00:00Z"),
        ] {
            let parse = |text| Timestamp::parse(text).unwrap();
            assert_eq!(daily.period_of(parse(time)), Some(parse(wanted)), "{time}");
        }
        let grouped =
            Cadence::Grouped { wait_seconds: 1, interval_seconds: 1, urgent_min: Severity::Critical };
        assert_eq!(grouped.period_of(Timestamp::MIN), None);
        assert!(daily.period_of(Timestamp::MIN).is_some());
    }
}
