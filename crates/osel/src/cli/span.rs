//! Spans of time as people say them.

use osel_core::time::Timestamp;

/// Units, the largest first, in seconds.
const UNITS: [(&str, i64); 5] = [("w", 7 * 86_400), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
/// A unit is used for ages that have so many of it: `36h` says more than `1d`.
const COUNT_MIN: i64 = 2;
/// What is longer is a slip of the keyboard: a hundred years.
const SECONDS_MAX: i64 = 100 * 366 * 86_400;

/// How long something is, in one unit: `3d`, `36h`, `90s`.
pub(super) fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (name, unit) = UNITS
        .into_iter()
        .find(|(name, unit)| *name != "w" && seconds >= COUNT_MIN * unit)
        .unwrap_or(("s", 1));
    format!("{}{name}", seconds / unit)
}

/// The seconds from one time to a later one; none where it is not later.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    (to.micros().saturating_sub(from.micros()) / 1_000_000).max(0)
}

/// A time to come: a span from now (`90d`, `12h`), a date, which is its first moment in UTC, or a time as in RFC 3339.
pub(super) fn until(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let span = UNITS.into_iter().find_map(|(name, unit)| {
        let count: i64 = text.strip_suffix(name)?.parse().ok()?;
        Some(count.saturating_mul(unit))
    });
    let time = match span {
        Some(seconds) if seconds > SECONDS_MAX => {
            return Err(format!("{text} is longer than a hundred years"));
        }
        Some(seconds) => Some(now.plus_seconds(seconds)),
        None => date_or_time(text),
    };
    match time {
        None => Err(format!("{text} is neither a span such as 90d or 12h, nor a date such as 2026-12-31")),
        Some(time) if time <= now => Err(format!("{text} is not in the future")),
        Some(time) => Ok(time),
    }
}

/// A date, which is its first moment in UTC, or a time as in RFC 3339.
pub(super) fn date_or_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit_that_says_enough() {
        let ages = [-5, 0, 90, 119, 120, 7199, 7200, 129_600, 172_799, 172_800, 86_400 * 400];
        assert_eq!(
            ages.map(age),
            ["0s", "0s", "90s", "119s", "2m", "119m", "2h", "36h", "47h", "2d", "400d"]
        );
    }

    #[test]
    fn times_to_come_are_spans_dates_and_times() {
        let now = Timestamp::parse("2026-11-26T12:00:00Z").unwrap();
        let until = |text| until(text, now).map(|time| time.to_string());
        for (text, wanted) in [
            ("90s", "2026-11-26T12:01:30.000000Z"),
            ("2w", "2026-12-10T12:00:00.000000Z"),
            ("2026-11-27", "2026-11-27T00:00:00.000000Z"),
            ("2026-12-31T08:00:00+01:00", "2026-12-31T07:00:00.000000Z"),
        ] {
            assert_eq!(until(text).as_deref(), Ok(wanted), "{text}");
        }
        for (text, says) in [
            ("0d", "not in the future"),
            ("-1d", "not in the future"),
            ("2026-11-26", "not in the future"),
            ("soon", "is neither"),
            ("", "is neither"),
            ("1.5d", "is neither"),
            ("9999999999999999999w", "is neither"),
            ("999999999999w", "hundred years"),
            ("2026-13-01", "is neither"),
        ] {
            assert!(until(text).is_err_and(|error| error.contains(says)), "{text}");
        }
    }
}
