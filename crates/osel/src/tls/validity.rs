//! From when until when a certificate is valid, and nothing else of it: enough to say which of our own has expired. Whether one is to be
//! trusted is decided elsewhere.

use std::fmt;

use osel_core::time::Timestamp;

/// Tags of DER (X.690, §8).
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version of a certificate, which those of version 1 do not have.
const VERSION: u8 = 0xa0;
/// What stands between the version and the validity (RFC 5280, §4.1): serial number, algorithm and issuer.
const FIELDS_BETWEEN: usize = 3;
/// The most bytes of a length: a certificate of 16 MiB is none.
const LENGTH_BYTES_MAX: usize = 3;

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first moment.
    pub from: Timestamp,
    /// Its last moment.
    pub until: Timestamp,
}

impl Validity {
    /// That of a certificate in DER; none where it cannot be read.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = with_tag(certificate, SEQUENCE)?;
        let (mut fields, _) = with_tag(certificate, SEQUENCE)?;
        if let Some((_, rest)) = with_tag(fields, VERSION) {
            fields = rest;
        }
        for _ in 0..FIELDS_BETWEEN {
            (_, _, fields) = element(fields)?;
        }
        let (validity, _) = with_tag(fields, SEQUENCE)?;
        let (tag, from, rest) = element(validity)?;
        let from = time(tag, from)?;
        let (tag, until, _) = element(rest)?;
        Some(Self { from, until: time(tag, until)? })
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "valid from {} until {}", self.from.in_seconds(), self.until.in_seconds())
    }
}

/// The content of the first element, which must have that tag, and what follows it.
fn with_tag(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// The tag and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = bytes.split_first_chunk()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let count = usize::from(first & 0x7f);
        let (bytes, behind) =
            rest.split_at_checked(count).filter(|_| (1..=LENGTH_BYTES_MAX).contains(&count))?;
        length = bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        rest = behind;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// A time as certificates have it: to the second, in UTC.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // Two digits of a year (RFC 5280, §4.1.2.5.1).
        UTC_TIME => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, text.get(12..)?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// A certificate that is valid from one year's first day until another's.
    fn certificate(from: i32, until: i32) -> Vec<u8> {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.not_before = date_time_ymd(from, 1, 1);
        parameters.not_after = date_time_ymd(until, 1, 1);
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn times_are_read_in_both_forms() {
        for (from, until) in [(1999, 2031), (2049, 2050), (2026, 4096)] {
            let validity = Validity::of(&certificate(from, until)).unwrap();
            let wanted = format!("valid from {from}-01-01T00:00:00Z until {until}-01-01T00:00:00Z");
            assert_eq!(validity.to_string(), wanted);
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_no_reason_to_panic() {
        let whole = certificate(2020, 2030);
        for length in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..length]), None);
        }
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 0x80;
            let _ = Validity::of(&other);
        }
    }
}
