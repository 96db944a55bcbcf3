//! What a security-group rule permits, in one form for all the spellings that Neutron's releases send.
//!
//! Protocols by number, name or nothing; port ranges with missing bounds; ICMP types in the port fields; prefixes with host bits:
//! all of it is settled here, once per rule, so that rows, reach and coverage never look at a raw rule again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::ids::Id;

/// An IP protocol as rows name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// All of them.
    Any,
    /// By its number; shown by name where Neutron has one.
    Number(u8),
    /// A word that Neutron does not know; shown as it was sent.
    Other(Arc<str>),
}

/// Numbers and names, `facts/neutron-events.md` §4.5; the first name of a number is the one that is shown.
const NAMES: [(u8, &str); 25] = [
    (0, "hopopt"),
    (0, "ip"),
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipip"),
    (6, "tcp"),
    (8, "egp"),
    (17, "udp"),
    (33, "dccp"),
    (41, "ipv6-encap"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "ipv6-icmp"),
    (58, "icmpv6"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (89, "ospf"),
    (112, "vrrp"),
    (113, "pgm"),
    (132, "sctp"),
    (136, "udplite"),
];
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;

impl Protocol {
    /// Reads what Neutron sends: null, a name, a number as text, `any`, `-1`.
    pub fn read(text: Option<&str>, ipv6: bool) -> Self {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Self::Any };
        // Asked for every row of a rule: nothing is allocated for what Neutron knows.
        if text.eq_ignore_ascii_case("any") || text == "-1" {
            return Self::Any;
        }
        let by_name =
            || NAMES.iter().find(|(_, name)| text.eq_ignore_ascii_case(name)).map(|(number, _)| *number);
        match text.parse().ok().or_else(by_name) {
            Some(ICMP) if ipv6 => Self::Number(ICMP_V6),
            Some(number) => Self::Number(number),
            None => Self::Other(Arc::from(text.to_ascii_lowercase())),
        }
    }

    /// Whether rules of this protocol have port ranges: tcp, udp, sctp, dccp, udplite.
    pub fn has_ports(&self) -> bool {
        matches!(self, Self::Number(6 | 17 | 33 | 132 | 136))
    }

    /// Whether rules of this protocol have ICMP types.
    pub fn is_icmp(&self) -> bool {
        matches!(self, Self::Number(ICMP | ICMP_V6))
    }

    /// The word that rows show.
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Any => "any".into(),
            Self::Other(text) => (&**text).into(),
            Self::Number(number) => match NAMES.iter().find(|(known, _)| known == number) {
                Some((_, name)) => (*name).into(),
                None => number.to_string().into(),
            },
        }
    }

    /// Whether every packet of `other` is one of this.
    pub fn covers(&self, other: &Self) -> bool {
        *self == Self::Any || self == other
    }
}

/// An inclusive range of ports; `None` of it in a row means all of them.
pub type Ports = Option<(u16, u16)>;

/// Where packets may come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Addresses of a prefix, in network form; the whole family is `0.0.0.0/0` or `::/0`.
    Prefix(IpNet),
    /// The addresses of the ports in a security group.
    Group(Id),
    /// The addresses of an address group.
    AddressGroup(Id),
}

impl Source {
    /// Every address of the family.
    pub fn family(ipv6: bool) -> Self {
        Self::Prefix(if ipv6 {
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0))
        } else {
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))
        })
    }

    /// Whether every address of `other`, of the same family, is one of this: equal, a containing prefix, or all.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prefix(all), _) if all.prefix_len() == 0 => true,
            (Self::Prefix(wide), Self::Prefix(narrow)) => wide.contains(narrow),
            _ => self == other,
        }
    }
}

/// What one rule admits to a port that has its group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// True for IPv6 packets, false for IPv4.
    pub ipv6: bool,
    /// Of which protocol.
    pub protocol: Protocol,
    /// To which ports, for protocols that have them.
    pub ports: Ports,
    /// ICMP type; none for all.
    pub icmp_type: Option<u8>,
    /// ICMP code; none for all.
    pub icmp_code: Option<u8>,
    /// From where.
    pub source: Source,
}

impl Permission {
    /// What it admits of its protocol, as a sentence goes on with it: ` 22`, ` 80-90`, ` type 8 code 0`; nothing where that is all.
    pub fn words(&self) -> String {
        match (self.ports, self.icmp_type, self.icmp_code) {
            (Some((min, max)), ..) if min == max => format!(" {min}"),
            (Some((min, max)), ..) => format!(" {min}-{max}"),
            (None, Some(kind), Some(code)) => format!(" type {kind} code {code}"),
            (None, Some(kind), None) => format!(" type {kind}"),
            (None, None, _) => String::new(),
        }
    }

    /// Everything of one family: what an unfiltered port admits.
    pub fn everything(ipv6: bool) -> Self {
        Self {
            ipv6,
            protocol: Protocol::Any,
            ports: None,
            icmp_type: None,
            icmp_code: None,
            source: Source::family(ipv6),
        }
    }

    /// Puts a rule's fields into one form.
    pub fn new(
        ipv6: bool,
        protocol: Option<&str>,
        min: Option<i32>,
        max: Option<i32>,
        source: Source,
    ) -> Self {
        let protocol = Protocol::read(protocol, ipv6);
        let ports = if protocol.has_ports() { port_range(min, max) } else { None };
        let icmp = |bound: Option<i32>| {
            bound.and_then(|value| u8::try_from(value).ok()).filter(|_| protocol.is_icmp())
        };
        let (icmp_type, icmp_code) = (icmp(min), icmp(max));
        Self { ipv6, protocol, ports, icmp_type, icmp_code, source }
    }

    /// Whether a packet to this port (ICMP: with this type and code) is admitted; none asks whether any is.
    pub fn admits_port(&self, port: Option<u16>, icmp_code: Option<u8>) -> bool {
        self.admits_any_of(port.map(|port| (port, port)), icmp_code)
    }

    /// Whether a packet to any of these ports (ICMP: with one of these types and this code) is admitted; none
    /// asks whether any is.
    pub fn admits_any_of(&self, ports: Ports, icmp_code: Option<u8>) -> bool {
        if self.protocol.is_icmp() {
            let own = self.icmp_type.map(|own| (u16::from(own), u16::from(own)));
            return overlap(own, ports)
                && (self.icmp_code.is_none() || icmp_code.is_none() || self.icmp_code == icmp_code);
        }
        overlap(self.ports, ports)
    }
}

/// Whether two ranges have a port in common; none is all of them.
fn overlap(one: Ports, other: Ports) -> bool {
    match (one, other) {
        (Some((min, max)), Some((first, last))) => first <= max && min <= last,
        _ => true,
    }
}

/// A missing bound is open; the full range is no range.
fn port_range(min: Option<i32>, max: Option<i32>) -> Ports {
    let (min, max) = match (min, max) {
        (None, None) => return None,
        (min, max) => (min.unwrap_or(1), max.unwrap_or(65_535)),
    };
    if min <= 1 && max >= 65_535 {
        return None;
    }
    let bound = |value: i32| u16::try_from(value.clamp(0, 65_535)).unwrap_or(u16::MAX);
    Some((bound(min), bound(max)))
}

/// A single address as a prefix that holds just it.
pub fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_named_by_number() {
        let shown = |text, ipv6| Protocol::read(text, ipv6).name().into_owned();
        assert_eq!(shown(None, false), "any");
        assert_eq!(shown(Some("-1"), false), "any");
        assert_eq!(shown(Some("TCP"), false), "tcp");
        assert_eq!(shown(Some("6"), false), "tcp");
        assert_eq!(shown(Some("0"), false), "hopopt");
        assert_eq!(shown(Some("ip"), false), "hopopt");
        assert_eq!(shown(Some("icmp"), true), "ipv6-icmp");
        assert_eq!(shown(Some("1"), true), "ipv6-icmp");
        assert_eq!(shown(Some("icmpv6"), true), "ipv6-icmp");
        assert_eq!(shown(Some("10"), false), "10");
        assert_eq!(shown(Some("warp"), false), "warp");
    }

    #[test]
    fn ranges_are_normal() {
        assert_eq!(port_range(None, None), None);
        assert_eq!(port_range(Some(0), Some(65_535)), None);
        assert_eq!(port_range(Some(1), None), None);
        assert_eq!(port_range(None, Some(80)), Some((1, 80)));
        assert_eq!(port_range(Some(443), None), Some((443, 65_535)));
    }

    #[test]
    fn ports_are_only_for_protocols_that_have_them() {
        let any = Permission::new(false, None, Some(22), Some(22), Source::family(false));
        assert_eq!((any.ports, any.icmp_type), (None, None));
        let echo = Permission::new(false, Some("icmp"), Some(8), Some(0), Source::family(false));
        assert_eq!((echo.ports, echo.icmp_type, echo.icmp_code), (None, Some(8), Some(0)));
        assert!(
            echo.admits_port(None, None)
                && echo.admits_port(Some(8), None)
                && !echo.admits_port(Some(3), None)
                && !echo.admits_port(Some(300), None)
        );
    }
}
