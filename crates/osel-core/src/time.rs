//! Points in time, in microseconds since 1970, without a clock.
//!
//! OpenStack's services write time in half a dozen ways (`facts`: a space or `T`, no, three or six digits of a second, `Z`,
//! `+0000`, `+00:00` or nothing for UTC). [`Timestamp::parse`] takes them all; [`Timestamp`]'s `Display` writes one: RFC 3339,
//! UTC, six digits. There is no `now` here, on purpose: time is an argument.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(i64);

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Timestamp {
    /// The start of 1970.
    pub const EPOCH: Self = Self(0);
    /// 0001-01-01T00:00:00Z, the earliest time that can be written.
    pub const MIN: Self = Self(-62_135_596_800 * MICROS_PER_SECOND);
    /// 9999-12-31T23:59:59.999999Z, the latest time that can be written.
    pub const MAX: Self = Self(253_402_300_800 * MICROS_PER_SECOND - 1);

    /// The time that many microseconds after 1970, held within [`Self::MIN`] and [`Self::MAX`].
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// As text without its fraction, for people.
    pub fn in_seconds(self) -> String {
        let text = self.to_string();
        text.split_once('.').map_or(text.clone(), |(whole, _)| format!("{whole}Z"))
    }

    /// This time and `seconds` more (or fewer), held within the range.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(MICROS_PER_SECOND)))
    }

    /// Reads a time in any of the forms that OpenStack's services use; nothing when it is none of them.
    ///
    /// `YYYY-MM-DD`, then a space or `T`, then `HH:MM:SS`, an optional fraction of 1–9 digits (cut to microseconds) and an
    /// optional zone `Z`, `±HHMM` or `±HH:MM`; without a zone it is UTC. A leap second counts as the second before it.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.trim_ascii().as_bytes();
        if bytes.len() < 19 {
            return None;
        }
        let (head, mut rest) = bytes.split_at(19);
        let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        if separators.iter().any(|&(at, byte)| head[at] != byte) || !matches!(head[10], b' ' | b'T' | b't') {
            return None;
        }
        let (year, month, day) = (number(&head[0..4])?, number(&head[5..7])?, number(&head[8..10])?);
        let (hour, minute, second) = (number(&head[11..13])?, number(&head[14..16])?, number(&head[17..19])?);
        if year < 1 || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let mut micros = 0;
        if let Some((b'.' | b',', fraction)) = rest.split_first() {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            micros = number(&fraction[..digits.min(6)])? * 10_i64.pow(6 - digits.min(6) as u32);
            rest = &fraction[digits..];
        }
        let offset = zone_seconds(rest)?;
        let seconds =
            days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second.min(59)
                - offset;
        let total = seconds * MICROS_PER_SECOND + micros;
        (Self::MIN.0..=Self::MAX.0).contains(&total).then_some(Self(total))
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn zone_seconds(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match zone {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest.get(..2)?, rest.get(2..)?),
        [b'-', rest @ ..] => (-1, rest.get(..2)?, rest.get(2..)?),
        _ => return None,
    };
    let minutes = minutes.strip_prefix(b":").unwrap_or(minutes);
    let (hours, minutes) = (number(hours)?, if minutes.len() == 2 { number(minutes)? } else { return None });
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar, counted in years that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let micros = self.0.rem_euclid(MICROS_PER_SECOND);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(Timestamp::parse(text).expect(text).to_string(), shown, "{text}");
    }

    #[test]
    fn reads_every_form_that_services_write() {
        check("2026-11-21 00:40:34.667415", "2026-11-21T00:40:34.667415Z");
        check("2026-11-21 00:40:34", "2026-11-21T00:40:34.000000Z");
        check("2026-11-21T00:40:53Z", "2026-11-21T00:40:53.000000Z");
        check("2026-11-21T00:40:34.667292+0000", "2026-11-21T00:40:34.667292Z");
        check("2026-11-21T02:40:34.667292+02:00", "2026-11-21T00:40:34.667292Z");
        check("2026-11-20T19:40:34.5-0500", "2026-11-21T00:40:34.500000Z");
        check("2026-11-21T00:40:34.123456789Z", "2026-11-21T00:40:34.123456Z");
        check("2024-02-29T23:59:60Z", "2024-02-29T23:59:59.000000Z");
        check("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z");
        check("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026-11-21",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T00:00:00.Z",
            "2026-11-21T00:00:00.1234567890Z",
            "2026-11-21T00:00:00+1",
            "2026-11-21T00:00:00+24:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "20261121T000000Z.........",
            "2026-11-21T00:00:00é",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for days in -719_162..(400 * 366) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert!(day <= days_in_month(year, month));
        }
    }
}
