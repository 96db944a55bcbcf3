//! Which ports to scan: nmap's SPEC, `22,80,8000-8100,U:53,T:443,-100,60000-`.
//!
//! A set of ports per protocol, kept as sorted ranges that neither touch nor overlap, so that a whole-range
//! SPEC costs a few bytes however many addresses it is scanned on. Names (`http`, `ssh*`) are not part of it:
//! osel scans what a rule opened, and rules have numbers.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::outcome::Protocol;

/// The lowest port meant by an open start (`-100`, `-`): port 0 is scanned only where it is written, as in
/// nmap.
const FIRST_PORT: u16 = 1;
/// The highest port there is.
const LAST_PORT: u16 = u16::MAX;
/// Characters of a bad item repeated in an error, enough to recognise it.
const SHOWN_ITEM_LENGTH: usize = 40;

/// A run of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The lowest port of the run.
    pub first: u16,
    /// The highest port of the run, not below `first`.
    pub last: u16,
}

/// A set of TCP and UDP ports. Empty by default; read from nmap's SPEC with [`str::parse`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortSpec {
    tcp: Vec<PortRange>,
    udp: Vec<PortRange>,
}

/// Why a text is not a SPEC.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PortSpecError {
    /// Nothing, or nothing between two commas.
    #[error("a port or range is missing: write ports as in `22,80,8000-8100,U:53`")]
    Missing,
    /// Not a number where a port must stand.
    #[error("`{item}` is not a port or a range of ports (names are not known here)")]
    NotANumber {
        /// The item, cut to a length.
        item: String,
    },
    /// A number above 65535.
    #[error("`{item}` is beyond the highest port, 65535")]
    TooHigh {
        /// The item, cut to a length.
        item: String,
    },
    /// A range whose start is above its end.
    #[error("the range `{item}` runs backwards")]
    Backwards {
        /// The item, cut to a length.
        item: String,
    },
    /// A protocol other than TCP and UDP.
    #[error("`{item}` names no protocol that can be scanned: `T:` is TCP, `U:` is UDP")]
    UnknownProtocol {
        /// The item, cut to a length.
        item: String,
    },
}

impl PortSpec {
    /// No ports.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the ports from `first` to `last`, both included; nothing when they run backwards.
    pub fn add(&mut self, protocol: Protocol, first: u16, last: u16) {
        if first > last {
            return;
        }
        let ranges = match protocol {
            Protocol::Tcp => &mut self.tcp,
            Protocol::Udp => &mut self.udp,
        };
        // The ranges that overlap or touch the new one become one with it.
        let start = ranges.partition_point(|range| u32::from(range.last) + 1 < u32::from(first));
        let end = ranges.partition_point(|range| u32::from(range.first) <= u32::from(last) + 1);
        let mut merged = PortRange { first, last };
        for range in &ranges[start..end] {
            merged.first = merged.first.min(range.first);
            merged.last = merged.last.max(range.last);
        }
        ranges.splice(start..end, [merged]);
    }

    /// Adds every port of another set.
    pub fn merge(&mut self, other: &Self) {
        for protocol in Protocol::ALL {
            for range in other.ranges(protocol) {
                self.add(protocol, range.first, range.last);
            }
        }
    }

    /// The ports of one protocol as sorted ranges that do not touch.
    pub fn ranges(&self, protocol: Protocol) -> &[PortRange] {
        match protocol {
            Protocol::Tcp => &self.tcp,
            Protocol::Udp => &self.udp,
        }
    }

    /// How many ports there are, both protocols together.
    pub fn count(&self) -> u64 {
        self.tcp.iter().chain(&self.udp).map(|range| u64::from(range.last - range.first) + 1).sum()
    }

    /// Whether there is no port at all.
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty()
    }

    /// Whether a port is in the set.
    pub fn contains(&self, protocol: Protocol, port: u16) -> bool {
        self.ranges(protocol).iter().any(|range| (range.first..=range.last).contains(&port))
    }

    /// Every port, TCP first, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = (Protocol, u16)> {
        let mut cursor = Cursor::default();
        std::iter::from_fn(move || cursor.next(self))
    }
}

impl FromStr for PortSpec {
    type Err = PortSpecError;

    fn from_str(text: &str) -> Result<Self, PortSpecError> {
        let mut spec = Self::new();
        let mut protocol = Protocol::Tcp;
        for item in text.split(',') {
            let mut item = item.trim();
            if let Some((letter, rest)) = item.split_once(':') {
                protocol = match letter.trim() {
                    "T" | "t" => Protocol::Tcp,
                    "U" | "u" => Protocol::Udp,
                    _ => return Err(PortSpecError::UnknownProtocol { item: shown(item) }),
                };
                item = rest.trim();
            }
            let (first, last) = match item.split_once('-') {
                _ if item.is_empty() => return Err(PortSpecError::Missing),
                None => {
                    let port = port(item, item)?;
                    (port, port)
                }
                Some((first, last)) => (
                    if first.trim().is_empty() { FIRST_PORT } else { port(first.trim(), item)? },
                    if last.trim().is_empty() { LAST_PORT } else { port(last.trim(), item)? },
                ),
            };
            if first > last {
                return Err(PortSpecError::Backwards { item: shown(item) });
            }
            spec.add(protocol, first, last);
        }
        Ok(spec)
    }
}

/// The shortest SPEC of the set: `22,80,8000-8100,U:53`.
impl fmt::Display for PortSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for protocol in Protocol::ALL {
            let mut prefix = if protocol == Protocol::Udp { "U:" } else { "" };
            for range in self.ranges(protocol) {
                write!(formatter, "{separator}{prefix}{}", range.first)?;
                if range.last > range.first {
                    write!(formatter, "-{}", range.last)?;
                }
                (separator, prefix) = (",", "");
            }
        }
        Ok(())
    }
}

/// A place in a [`PortSpec`], apart from it, so that whoever walks the set may own it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    udp: bool,
    range: usize,
    offset: u16,
}

impl Cursor {
    /// The next port of the set, which must be the same one at every call.
    pub(super) fn next(&mut self, spec: &PortSpec) -> Option<(Protocol, u16)> {
        if !self.udp && self.range == spec.tcp.len() {
            *self = Self { udp: true, range: 0, offset: 0 };
        }
        let protocol = if self.udp { Protocol::Udp } else { Protocol::Tcp };
        let range = spec.ranges(protocol).get(self.range)?;
        let port = range.first + self.offset;
        if port == range.last {
            (self.range, self.offset) = (self.range + 1, 0);
        } else {
            self.offset += 1;
        }
        Some((protocol, port))
    }
}

/// Reads one port; `item` is what an error shows.
fn port(text: &str, item: &str) -> Result<u16, PortSpecError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PortSpecError::NotANumber { item: shown(item) });
    }
    text.parse().map_err(|_| PortSpecError::TooHigh { item: shown(item) })
}

fn shown(item: &str) -> String {
    item.chars().take(SHOWN_ITEM_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        match text.parse::<PortSpec>() {
            Ok(spec) => assert_eq!(spec.to_string(), expected),
            Err(error) => assert_eq!(format!("! {error}"), expected),
        }
    }

    #[test]
    fn reads_what_nmap_reads() {
        check("22,80,8000-8100,U:53", "22,80,8000-8100,U:53");
        check("-", "1-65535");
        check("-100", "1-100");
        check("60000-", "60000-65535");
        check("U:53,111,T:443,1-3", "1-3,443,U:53,111");
        check("U:-", "U:1-65535");
        check("0", "0");
        check(" 22 , u: 53 ", "22,U:53");
        check("0-65535", "0-65535");
    }

    #[test]
    fn overlapping_and_touching_ranges_become_one() {
        check("3,1,2", "1-3");
        check("10-20,15-30,31,5-9", "5-31");
        check("1-10,20-30,40-50,8-45", "1-50");
        check("65535,65534,0,1", "0-1,65534-65535");
        check("80,T:80,U:80", "80,U:80");
    }

    #[test]
    fn says_what_is_wrong() {
        check("", "! a port or range is missing: write ports as in `22,80,8000-8100,U:53`");
        check("22,,80", "! a port or range is missing: write ports as in `22,80,8000-8100,U:53`");
        check("U:", "! a port or range is missing: write ports as in `22,80,8000-8100,U:53`");
        check("http", "! `http` is not a port or a range of ports (names are not known here)");
        check("1-2-3", "! `1-2-3` is not a port or a range of ports (names are not known here)");
        check("+1", "! `+1` is not a port or a range of ports (names are not known here)");
        check("65536", "! `65536` is beyond the highest port, 65535");
        check("99999999999999999999-", "! `99999999999999999999-` is beyond the highest port, 65535");
        check("90-80", "! the range `90-80` runs backwards");
        check("S:22", "! `S:22` names no protocol that can be scanned: `T:` is TCP, `U:` is UDP");
    }

    #[test]
    fn counts_contains_and_walks_the_same_ports() {
        let spec: PortSpec = "22,80-82,65535,U:53".parse().unwrap();
        let walked: Vec<_> = spec.iter().collect();
        let expected = [
            (Protocol::Tcp, 22),
            (Protocol::Tcp, 80),
            (Protocol::Tcp, 81),
            (Protocol::Tcp, 82),
            (Protocol::Tcp, 65535),
            (Protocol::Udp, 53),
        ];
        assert_eq!(walked, expected);
        assert_eq!(spec.count(), 6);
        assert!(expected.iter().all(|&(protocol, port)| spec.contains(protocol, port)));
        assert!(!spec.contains(Protocol::Udp, 80) && !spec.contains(Protocol::Tcp, 53));
        assert_eq!("0-65535".parse::<PortSpec>().unwrap().iter().count(), 65_536);
    }
}
