//! Rows seen from somewhere: from a prefix, or from the internet.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use ipnet::IpNet;

use crate::model::{Row, Source, View};

/// What no packet on the public internet has as its source (`facts/neutron-events.md` §5), and for IPv6 loopback,
/// unspecified and multicast too.
const NOT_PUBLIC: [&str; 21] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "fc00::/7",
    "fe80::/10",
    "2001:db8::/32",
    "::/128",
    "::1/128",
    "ff00::/8",
    "::ffff:0:0/96",
    "100::/64",
];

fn not_public() -> impl Iterator<Item = IpNet> {
    // Asked for every row that somebody looks at: the texts are read once.
    static NETS: LazyLock<Vec<IpNet>> =
        LazyLock::new(|| NOT_PUBLIC.iter().filter_map(|text| text.parse().ok()).collect());
    NETS.iter().copied()
}

/// Whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    !not_public().any(|net| net.contains(&address))
}

/// Whether some address of a prefix is public: not when excluded prefixes cover it altogether.
fn holds_public(prefix: IpNet) -> bool {
    let (first, last) = bounds(prefix);
    first_public(prefix, first, last).is_some()
}

/// Where addresses begin that are really given out: what lies before is public by the letter only.
const GIVEN_OUT: (u128, u128) = (0x0100_0001, 0x2000_0000_0000_0000_0000_0000_0000_0001);

/// A public address of a prefix, if it has any: always the same one.
pub fn public_address(prefix: IpNet) -> Option<IpAddr> {
    let (first, last) = bounds(prefix);
    let (ipv6, begin) = match prefix {
        IpNet::V4(_) => (false, GIVEN_OUT.0),
        IpNet::V6(_) => (true, GIVEN_OUT.1),
    };
    let found = first_public(prefix, first.max(begin), last).or_else(|| first_public(prefix, first, last))?;
    match ipv6 {
        true => Some(IpAddr::V6(found.into())),
        false => u32::try_from(found).ok().map(|address| IpAddr::V4(address.into())),
    }
}

/// The first public address between two of a prefix.
fn first_public(prefix: IpNet, first: u128, last: u128) -> Option<u128> {
    let mut excluded: Vec<(u128, u128)> =
        not_public().filter(|net| same_family(*net, prefix)).map(bounds).collect();
    excluded.sort_unstable();
    let mut next = first;
    for (low, high) in excluded {
        if low > next {
            break;
        }
        if high >= next {
            if high >= last {
                return None;
            }
            next = high + 1;
        }
    }
    (next <= last).then_some(next)
}

fn bounds(net: IpNet) -> (u128, u128) {
    let number = |address| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    (number(net.network()), number(net.broadcast()))
}

fn same_family(a: IpNet, b: IpNet) -> bool {
    matches!((a, b), (IpNet::V4(_), IpNet::V4(_)) | (IpNet::V6(_), IpNet::V6(_)))
}

/// From where rows are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vantage {
    Internet,
    Prefix(IpNet),
}

impl Vantage {
    fn meets(self, net: IpNet) -> bool {
        match self {
            Self::Internet => holds_public(net),
            Self::Prefix(prefix) => {
                same_family(prefix, net) && (prefix.contains(&net) || net.contains(&prefix))
            }
        }
    }
}

/// Keeps the rows whose source may contain an address of a vantage. Groups are looked up once each, in their region.
#[derive(Clone, Debug)]
pub struct SourceFilter {
    vantage: Vantage,
    groups: BTreeMap<(Option<Arc<str>>, bool, Source), bool>,
}

impl SourceFilter {
    /// Rows that a public address may use.
    pub fn internet() -> Self {
        Self { vantage: Vantage::Internet, groups: BTreeMap::new() }
    }

    /// Rows that an address of this prefix may use.
    pub fn prefix(prefix: IpNet) -> Self {
        Self { vantage: Vantage::Prefix(prefix.trunc()), groups: BTreeMap::new() }
    }

    /// Whether the row's source may contain an address of the vantage. A source that nobody described may contain any.
    pub fn keeps(&mut self, view: &impl View, row: &Row) -> bool {
        self.keeps_source(view, row.permission.ipv6, &row.permission.source)
    }

    /// The same of rows of one family with this source.
    pub fn keeps_source(&mut self, view: &impl View, ipv6: bool, source: &Source) -> bool {
        let vantage = self.vantage;
        let meets = |net: IpNet| matches!(net, IpNet::V6(_)) == ipv6 && vantage.meets(net);
        let key = match source {
            Source::Prefix(prefix) => return vantage.meets(*prefix),
            _ => (view.region().cloned(), ipv6, source.clone()),
        };
        *self.groups.entry(key).or_insert_with(|| match source {
            Source::Prefix(prefix) => vantage.meets(*prefix),
            Source::Group(id) => {
                view.group(id).is_none_or(|group| !group.described())
                    || view.members_of(id).into_iter().any(meets)
            }
            Source::AddressGroup(id) => {
                view.address_group(id).is_none_or(|addresses| addresses.iter().copied().any(meets))
            }
        })
    }

    /// Whether a source that has this address or prefix is kept for it.
    pub fn meets(&self, net: IpNet) -> bool {
        self.vantage.meets(net)
    }

    /// Forgets what was found of a group, which has changed.
    pub fn forget(&mut self, region: Option<&Arc<str>>, source: &Source) {
        for ipv6 in [false, true] {
            self.groups.remove(&(region.cloned(), ipv6, source.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        holds_public(text.parse().expect(text))
    }

    #[test]
    fn a_prefix_is_public_when_any_address_of_it_is() {
        for text in
            ["0.0.0.0/0", "8.8.8.0/24", "10.0.0.0/7", "192.0.0.0/16", "::/0", "2000::/3", "2001:db8::/31"]
        {
            assert!(public(text), "{text}");
        }
        for text in
            ["10.1.0.0/16", "224.0.0.0/3", "192.0.2.7/32", "fd00::/8", "fe80::1/128", "2001:db8:1::/48"]
        {
            assert!(!public(text), "{text}");
        }
    }

    #[test]
    fn a_public_address_of_a_prefix_is_one_that_is_given_out() {
        let found = |text: &str| public_address(text.parse().expect(text)).map(|address| address.to_string());
        for (prefix, address) in [
            ("0.0.0.0/0", "1.0.0.1"),
            ("10.0.0.0/7", "11.0.0.0"),
            ("8.8.8.0/24", "8.8.8.0"),
            ("0.0.0.0/8", "0.0.0.0"),
            ("::/0", "2000::1"),
            ("2001:db8::/31", "2001:db9::"),
        ] {
            assert_eq!(found(prefix).as_deref(), Some(address), "{prefix}");
        }
        assert_eq!([found("10.0.0.0/8"), found("2001:db8::/32")], [None, None]);
    }
}
