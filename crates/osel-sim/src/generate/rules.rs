//! What a rule says, worked out from its number: nothing but its group is kept.

use super::identifiers::{Identifiers, Kind};
use super::world::{Rule, RuleKind};

/// What a rule says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub(super) is_v6: bool,
    pub(super) is_ingress: bool,
    pub(super) protocol: Option<&'static str>,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) prefix: Option<Prefix>,
    /// The group from which it admits.
    pub(super) remote: Option<u32>,
}

/// A source prefix.
#[derive(Clone, Copy, Debug)]
pub(super) enum Prefix {
    /// `0.0.0.0/0`.
    All4,
    /// `::/0`.
    All6,
    /// `10.x.0.0/16`.
    Private(u8),
    /// `198.51.100.x/32`.
    Single(u8),
}

const PORTS: [u16; 12] = [22, 80, 443, 8080, 3306, 5432, 6379, 9092, 53, 25, 9100, 2379];

/// What a rule says, by its number.
pub(super) fn words(identifiers: Identifiers, number: u32, rule: &Rule, default_group: u32) -> Words {
    let nothing =
        Words { is_v6: false, is_ingress: false, protocol: None, ports: None, prefix: None, remote: None };
    match rule.kind {
        RuleKind::Egress4 => nothing,
        RuleKind::Egress6 => Words { is_v6: true, ..nothing },
        RuleKind::Self4 => Words { is_ingress: true, remote: Some(rule.group), ..nothing },
        RuleKind::Self6 => Words { is_ingress: true, is_v6: true, remote: Some(rule.group), ..nothing },
        RuleKind::Written => {
            written(identifiers.chance(Kind::Rule, u64::from(number)), rule.group, default_group)
        }
    }
}

fn written(chance: u64, group: u32, default_group: u32) -> Words {
    let part = |shift: u32, limit: u64| (chance >> shift) % limit;
    let is_v6 = part(0, 100) < 15;
    let low = if part(7, 100) < 60 { PORTS[part(14, 12) as usize] } else { 1024 + part(14, 60_000) as u16 };
    let high = if part(32, 100) < 20 { low.saturating_add(part(32, 1000) as u16) } else { low };
    let (protocol, ports) = match part(39, 20) {
        0..=13 => (Some("tcp"), Some((low, high))),
        14..=16 => (Some("udp"), Some((low, high))),
        17 => (Some(if is_v6 { "ipv6-icmp" } else { "icmp" }), None),
        18 => (Some("tcp"), None),
        _ => (None, None),
    };
    let (prefix, remote) = match part(46, 20) {
        0..=7 => (Some(if is_v6 { Prefix::All6 } else { Prefix::All4 }), None),
        8..=11 if !is_v6 => (Some(Prefix::Private(part(52, 250) as u8)), None),
        12 | 13 if !is_v6 => (Some(Prefix::Single(part(52, 250) as u8)), None),
        14 | 15 => (None, Some(default_group)),
        16..=18 => (None, Some(group)),
        _ => (None, None),
    };
    Words { is_v6, is_ingress: part(58, 20) != 0, protocol, ports, prefix, remote }
}
