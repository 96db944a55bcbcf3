//! What a row admits: the question, and the terms by which records with such rows are found.
//!
//! A term has everything of a permission but its ports: ranges have no order that a range of terms could use, so that they are judged on the records
//! that the rest names.

use std::net::IpAddr;

use ipnet::IpNet;

use super::term::Field;
use crate::ids::Id;
use crate::model::{Permission, Protocol, Source};

/// What one row must admit: of several values of one kind, any.
#[derive(Clone, Debug, Default)]
pub struct RowQuery {
    /// All packets of one of these protocols, by name or number; `any` is all there are.
    pub protocols: Vec<String>,
    /// Packets to one of these ports.
    pub ports: Vec<u16>,
    /// Packets from all of one of these.
    pub sources: Vec<WantedSource>,
}

/// From where something is to be admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedSource {
    /// Every address of a prefix.
    Prefix(IpNet),
    /// A security group or an address group, by its id.
    Group(String),
}

impl WantedSource {
    /// Reads an address, a prefix, or else an id.
    pub fn parse(text: &str) -> Self {
        super::parse_net(text).map_or_else(|| Self::Group(text.to_owned()), Self::Prefix)
    }

    fn is_admitted(&self, source: &Source) -> bool {
        match (self, source) {
            (Self::Prefix(wanted), Source::Prefix(prefix)) => prefix.contains(wanted),
            (Self::Group(wanted), Source::Group(id) | Source::AddressGroup(id)) => {
                id.with_text(|id| id == wanted)
            }
            _ => false,
        }
    }
}

impl RowQuery {
    /// Whether anything is asked.
    pub fn is_any(&self) -> bool {
        !(self.protocols.is_empty() && self.ports.is_empty() && self.sources.is_empty())
    }

    /// Whether a row with this permission admits it.
    pub fn fits(&self, permission: &Permission) -> bool {
        let Permission { ipv6, protocol, ports, source, .. } = permission;
        let of_protocol = |wanted: &String| protocol.covers(&Protocol::read(Some(wanted), *ipv6));
        // What says no ports admits all of them, where its protocol has any.
        let has_ports = *protocol == Protocol::Any || protocol.has_ports();
        let to_port = |port: &u16| has_ports && ports.is_none_or(|(min, max)| (min..=max).contains(port));
        (self.protocols.is_empty() || self.protocols.iter().any(of_protocol))
            && (self.ports.is_empty() || self.ports.iter().any(to_port))
            && (self.sources.is_empty() || self.sources.iter().any(|wanted| wanted.is_admitted(source)))
    }

    /// Whether a term is of a permission that may admit it.
    pub(super) fn accepts(&self, term: &[u8]) -> bool {
        permission_of(term).is_some_and(|permission| self.fits(&permission))
    }
}

const V4: u8 = 4;
const V6: u8 = 6;
const PREFIX: u8 = b'p';
const GROUP: u8 = b'g';
const ADDRESS_GROUP: u8 = b'a';

/// The term of a permission: the family, from where (a kind, a length and the bytes), and the protocol's name.
pub(super) fn permission_term(permission: &Permission) -> Vec<u8> {
    let mut term = Field::Permission.term(&[if permission.ipv6 { V6 } else { V4 }]);
    let mut from = |kind: u8, bytes: &[u8]| {
        term.push(kind);
        // An id that is longer than a length makes a term that is too long as well.
        term.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        term.extend(bytes);
    };
    match &permission.source {
        Source::Prefix(net) => {
            let mut bytes = match net.addr() {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            bytes.push(net.prefix_len());
            from(PREFIX, &bytes);
        }
        Source::Group(id) => id.with_text(|id| from(GROUP, id.as_bytes())),
        Source::AddressGroup(id) => id.with_text(|id| from(ADDRESS_GROUP, id.as_bytes())),
    }
    term.extend(permission.protocol.name().as_bytes());
    term
}

/// The permission that a term is of, with all ports.
fn permission_of(term: &[u8]) -> Option<Permission> {
    let (&[_, family, kind, high, low], rest) = term.split_first_chunk()?;
    let (from, protocol) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    let ipv6 = family == V6;
    let id = || std::str::from_utf8(from).ok().map(Id::new);
    let source = match kind {
        PREFIX => {
            let (&length, octets) = from.split_last()?;
            // A rule may be of one family and its prefix of the other.
            let address = match <[u8; 4]>::try_from(octets) {
                Ok(octets) => IpAddr::from(octets),
                Err(_) => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
            };
            Source::Prefix(IpNet::new(address, length).ok()?)
        }
        GROUP => Source::Group(id()?),
        ADDRESS_GROUP => Source::AddressGroup(id()?),
        _ => return None,
    };
    Some(Permission::new(ipv6, Some(std::str::from_utf8(protocol).ok()?), None, None, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(ipv6: bool, protocol: Option<&str>, ports: (i32, i32), source: &str) -> Permission {
        let source = match WantedSource::parse(source) {
            WantedSource::Prefix(net) => Source::Prefix(net),
            WantedSource::Group(id) => Source::Group(Id::new(&id)),
        };
        Permission::new(ipv6, protocol, Some(ports.0), Some(ports.1), source)
    }

    fn asked(protocol: &str, port: Option<u16>, source: &str) -> RowQuery {
        RowQuery {
            protocols: (!protocol.is_empty()).then(|| protocol.to_owned()).into_iter().collect(),
            ports: port.into_iter().collect(),
            sources: (!source.is_empty()).then(|| WantedSource::parse(source)).into_iter().collect(),
        }
    }

    #[test]
    fn a_row_fits_when_it_admits_all_that_is_asked() {
        let ssh = permission(false, Some("tcp"), (20, 30), "0.0.0.0/0");
        let narrow = permission(false, Some("6"), (22, 22), "192.0.2.0/24");
        let all = permission(false, None, (0, 0), "0.0.0.0/0");
        let ping = permission(true, Some("icmp"), (8, 0), "::/0");
        let group = permission(true, Some("udp"), (1, 65_535), "web");
        // Which of the five fit.
        let cases = [
            (asked("tcp", Some(22), "0.0.0.0/0"), [true, false, true, false, false]),
            (asked("TCP", Some(22), "192.0.2.7"), [true, true, true, false, false]),
            (asked("", Some(30), ""), [true, false, true, false, true]),
            (asked("", Some(31), ""), [false, false, true, false, true]),
            (asked("icmp", None, ""), [false, false, true, true, false]),
            (asked("", Some(8), ""), [false, false, true, false, true]),
            (asked("any", None, ""), [false, false, true, false, false]),
            (asked("", None, "::/0"), [false, false, false, true, false]),
            (asked("17", None, "web"), [false, false, false, false, true]),
        ];
        for (query, wanted) in cases {
            assert_eq!([&ssh, &narrow, &all, &ping, &group].map(|row| query.fits(row)), wanted, "{query:?}");
            for (row, fits) in [&ssh, &narrow, &all, &ping, &group].into_iter().zip(wanted) {
                assert!(!fits || query.accepts(&permission_term(row)), "{query:?} {row:?}");
            }
        }
        assert!(!asked("udp", None, "").accepts(&permission_term(&ssh)), "the protocol is in the term");
        assert!(!asked("", None, "0.0.0.0/0").accepts(&permission_term(&narrow)), "and so is the source");
    }

    #[test]
    fn a_protocol_or_an_id_of_any_bytes_comes_back() {
        for id in ["", "\0", "web", "a\u{0}tcp"] {
            for protocol in ["tcp", "ip\u{0}v", "icmp", "any"] {
                for ipv6 in [false, true] {
                    let source = Source::AddressGroup(Id::new(id));
                    let sent = Permission::new(ipv6, Some(protocol), None, None, source);
                    assert_eq!(permission_of(&permission_term(&sent)), Some(sent));
                }
            }
        }
        for cut in 0..5 {
            assert_eq!(
                permission_of(&permission_term(&permission(false, None, (0, 0), "10.0.0.0/8"))[..cut]),
                None
            );
        }
    }
}
