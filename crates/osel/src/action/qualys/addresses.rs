//! Addresses as the API writes them: lists with commas, in which `a-b` is all from `a` to `b`.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// The most ranges that are read of one text: a scan of a thousand addresses without neighbours has as many.
const RANGES_MAX: usize = 100_000;

/// Addresses in order as a list, neighbours of IPv4 as a range.
pub(super) fn list(addresses: &BTreeSet<IpAddr>) -> String {
    let mut ranges: Vec<(IpAddr, IpAddr)> = Vec::new();
    for &address in addresses {
        match ranges.last_mut() {
            Some((_, last)) if is_next(*last, address) => *last = address,
            _ => ranges.push((address, address)),
        }
    }
    let texts = ranges.into_iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    texts.collect::<Vec<_>>().join(",")
}

fn is_next(last: IpAddr, address: IpAddr) -> bool {
    match (last, address) {
        (IpAddr::V4(last), IpAddr::V4(address)) => u32::from(last).checked_add(1) == Some(address.into()),
        _ => false,
    }
}

/// Ranges of addresses that stand in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<(IpAddr, IpAddr)>);

impl Ranges {
    /// All addresses and ranges of a text, whatever stands between them: a list, or a sentence that names some.
    pub(super) fn of(text: &str) -> Self {
        let mut ranges = Self::default();
        ranges.add(text);
        ranges
    }

    /// Adds those of another text.
    pub(super) fn add(&mut self, text: &str) {
        let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '-');
        let words = text.split(|c| !is_part(c)).map(|word| word.trim_matches(['.', '-']));
        let room = RANGES_MAX - self.0.len();
        self.0.extend(words.filter_map(range).take(room));
    }

    /// Adds other ranges.
    pub(super) fn join(&mut self, other: Self) {
        let room = RANGES_MAX - self.0.len();
        self.0.extend(other.0.into_iter().take(room));
    }

    /// Whether an address is in one.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let is_in = |&(first, last): &(IpAddr, IpAddr)| first <= address && address <= last;
        // IPv4 and IPv6 are ordered one before the other, so that no range of one kind holds an address of the other.
        self.0.iter().any(is_in)
    }
}

fn range(word: &str) -> Option<(IpAddr, IpAddr)> {
    let address = |text: &str| text.trim_end_matches(':').parse::<IpAddr>().or_else(|_| text.parse());
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (address(first).ok()?, address(last).ok()?);
    (first <= last && first.is_ipv4() == last.is_ipv4()).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> BTreeSet<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn neighbours_are_a_range() {
        let addresses =
            set(&["10.0.0.9", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.0", "10.0.0.255", "::1", "::2"]);
        assert_eq!(list(&addresses), "10.0.0.1-10.0.0.3,10.0.0.9,10.0.0.255-10.0.1.0,::1,::2");
        assert_eq!(list(&set(&["255.255.255.255"])), "255.255.255.255");
    }

    #[test]
    fn addresses_are_found_in_lists_and_sentences() {
        let all = set(&["10.0.0.1", "10.0.0.2", "10.0.0.7", "192.0.2.1", "2001:db8::7"]);
        let found = |text: &str| {
            let ranges = Ranges::of(text);
            all.iter().copied().filter(|&address| ranges.contains(address)).collect::<BTreeSet<_>>()
        };
        assert_eq!(found("10.0.0.1-10.0.0.5, 192.0.2.1"), set(&["10.0.0.1", "10.0.0.2", "192.0.2.1"]));
        assert_eq!(
            found("IPs 10.0.0.7, 2001:db8::7: not in the account."),
            set(&["10.0.0.7", "2001:db8::7"])
        );
        assert_eq!(found("See host 10.0.0.2."), set(&["10.0.0.2"]));
        // A name, a version, a range that runs backwards, half an address.
        assert_eq!(found("fade.example 1.2.3 10.0.0.5-10.0.0.1 10.0.0 - 10.0.0.1-"), set(&["10.0.0.1"]));
        assert_eq!(found("0.0.0.0-255.255.255.255").len(), 4);
    }
}
