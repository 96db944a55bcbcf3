//! What a rule admits in four bytes, so that most rules that have nothing to do with another one are told from it without a look at them.

use std::num::NonZeroU32;

use super::index::short_hash;
use super::permission::{Permission, Protocol, Source};

/// From the top: the family, whether it is all protocols, whether it is all addresses, a byte of the protocol, of a source that is no prefix
/// twenty bits of its hash (zeros for a prefix), and a bit that is always set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sketch(NonZeroU32);

const IPV6: u32 = 1 << 31;
const ANY_PROTOCOL: u32 = 1 << 30;
const ANY_SOURCE: u32 = 1 << 29;
const PROTOCOL: u32 = 0xff << 21;
const SOURCE: u32 = 0xf_ffff << 1;

impl Sketch {
    /// Of a permission.
    pub(super) fn new(permission: &Permission) -> Self {
        let family = if permission.ipv6 { IPV6 } else { 0 };
        let protocol = match &permission.protocol {
            Protocol::Any => ANY_PROTOCOL,
            Protocol::Number(number) => u32::from(*number) << 21,
            Protocol::Other(word) => short_hash(word) & PROTOCOL,
        };
        let source = match &permission.source {
            Source::Prefix(prefix) if prefix.prefix_len() == 0 => ANY_SOURCE,
            Source::Prefix(_) => 0,
            Source::Group(id) | Source::AddressGroup(id) => short_hash(id) & SOURCE,
        };
        Self(NonZeroU32::MIN | family | protocol | source)
    }

    /// Whether it may be that its protocol and its source cover the other's. Never false where they do.
    pub(super) fn may_cover(self, other: Self) -> bool {
        let (all, some) = (self.0.get(), other.0.get());
        let differing = all ^ some;
        let protocol = all & ANY_PROTOCOL != 0 || differing & (ANY_PROTOCOL | PROTOCOL) == 0;
        let source = all & ANY_SOURCE != 0 || differing & (ANY_SOURCE | SOURCE) == 0;
        differing & IPV6 == 0 && protocol && source
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

    fn permission(ipv6: bool, protocol: Option<&str>, source: Source) -> Permission {
        Permission::new(ipv6, protocol, Some(22), Some(22), source)
    }

    #[test]
    fn nothing_that_covers_is_left_out_and_little_else_is_left() {
        let prefix = |text: &str| Source::Prefix(text.parse().unwrap());
        let sources = [
            Source::family(false),
            Source::family(true),
            prefix("10.0.0.0/8"),
            prefix("10.1.0.0/16"),
            prefix("2001:db8::/32"),
            Source::Group(Id::new("a")),
            Source::Group(Id::new("b")),
            Source::AddressGroup(Id::new("a")),
            prefix("10.9.8.7/0"),
        ];
        let protocols = [
            None,
            Some("tcp"),
            Some("udp"),
            Some("icmp"),
            Some("0"),
            Some("255"),
            Some("warp"),
            Some("woof"),
        ];
        let all: Vec<Permission> = sources
            .iter()
            .flat_map(|source| protocols.iter().map(move |protocol| (source, protocol)))
            .flat_map(|(source, protocol)| {
                [false, true].map(|ipv6| permission(ipv6, *protocol, source.clone()))
            })
            .collect();
        let (mut covering, mut left) = (0, 0);
        for one in &all {
            for other in &all {
                let covers = one.ipv6 == other.ipv6
                    && one.protocol.covers(&other.protocol)
                    && one.source.covers(&other.source);
                let may = Sketch::new(one).may_cover(Sketch::new(other));
                assert!(may || !covers, "{one:?} covers {other:?}");
                covering += usize::from(covers);
                left += usize::from(may);
            }
        }
        assert!(left < 2 * covering && left < all.len() * all.len() / 4, "{left} left, {covering} cover");
    }

    #[test]
    fn a_rule_has_no_more_bytes_for_it() {
        assert_eq!(size_of::<super::super::cloud::RuleLinks>(), 8);
    }
}
