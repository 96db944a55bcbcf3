//! From what an event opened or closed to the smallest scan that shows it, and from the scan's answer to a verdict.
//!
//! Only what the event changed is scanned: these addresses, these ports. Addresses are scanned without an order of a person only when the
//! outside has a path to them, or an operator has allowed their prefix: 10.0.0.5 on osel's host is somebody else's. Nothing here
//! sends a packet.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::exposure::{JudgedRow, Question, Reason, SourceFilter, is_public, reach};
use crate::ids::Id;
use crate::model::{Permission, Protocol, Row, View};

/// The most ports of one address that one scan probes. A rule for more of them (all ports, all protocols) is sampled, and the record
/// says so.
pub const SCAN_PORTS_MAX: usize = 1024;
/// Where a wide range is sampled: what is most often found listening, and most often attacked.
const SAMPLED: [u16; 24] = [
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 389, 443, 445, 1433, 3306, 3389, 5432, 5672, 5900, 6379,
    8080, 9200, 27017,
];

/// What may be scanned without an order of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanPolicy {
    /// Prefixes whose addresses may be scanned whatever the model thinks of their paths.
    pub allowed_prefixes: Vec<IpNet>,
}

/// Names one command for ever; the same one may be carried out twice after a crash.
pub type CommandId = Id;

/// A transport protocol that can be probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Ports of one address, each with what is expected: true when it is exposed.
pub type Expected = BTreeMap<(Transport, u16), bool>;

/// What one scan found at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    /// Something answers.
    Open,
    /// The host says that nothing listens.
    Closed,
    /// Silence, or a refusal on the way.
    Filtered,
    /// UDP: silence, which may mean either.
    OpenFiltered,
    /// It was not probed.
    NotProbed,
}

impl ProbeState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::OpenFiltered => "open|filtered",
            Self::NotProbed => "not probed",
        }
    }
}

/// What a found state means beside what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScanVerdict {
    /// Exposed and answering, or not exposed and silent.
    AsPredicted,
    /// Exposed, but nothing answers there.
    NotAnswering,
    /// It answers though no rule admits it: a broken agent, a way around, or the model is wrong.
    OpenThoughNotExposed,
    /// The probe says nothing, or was not made.
    Unknown,
}

impl ScanVerdict {
    /// The words of the trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsPredicted => "as predicted",
            Self::NotAnswering => "not answering",
            Self::OpenThoughNotExposed => "open though not exposed",
            Self::Unknown => "unknown",
        }
    }

    /// The verdict on one port.
    pub fn of(exposed: bool, found: ProbeState) -> Self {
        match (exposed, found) {
            (true, ProbeState::Open) | (false, ProbeState::Closed | ProbeState::Filtered) => {
                Self::AsPredicted
            }
            (true, ProbeState::Closed | ProbeState::Filtered) => Self::NotAnswering,
            (false, ProbeState::Open) => Self::OpenThoughNotExposed,
            (_, ProbeState::OpenFiltered | ProbeState::NotProbed) => Self::Unknown,
        }
    }
}

/// Ports to be scanned, by address, with what the event makes of them; `sampled` when not all ports of a row are among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Ports by address.
    pub targets: BTreeMap<IpAddr, Expected>,
    /// Whether some range was too wide to be scanned in full.
    pub sampled: bool,
}

/// What of an event's rows should be scanned: opened ones that were not open before, closed ones that are not open otherwise.
pub fn wanted(view: &impl View, policy: &ScanPolicy, opened: &[JudgedRow], closed: &[JudgedRow]) -> Wanted {
    let mut wanted = Wanted::default();
    let mut internet = SourceFilter::internet();
    let opened = opened.iter().filter(|judged| !judged.covered_before).map(|judged| (&judged.row, true));
    let closed = closed.iter().filter(|judged| !judged.redundant).map(|judged| (&judged.row, false));
    for (row, exposed) in closed.chain(opened) {
        if row.address.prefix_len() != row.address.max_prefix_len() {
            continue;
        }
        let address = row.address.addr();
        let allowed = policy.allowed_prefixes.iter().any(|prefix| prefix.contains(&address));
        let outside = is_public(address) && internet.keeps(view, row) && has_path_from_outside(view, row);
        if allowed || outside {
            let mut ports = Expected::new();
            wanted.sampled |= add_ports(row, exposed, &mut ports);
            if !exposed {
                // What another rule still admits is not closed, and that it answers is no surprise.
                let still = remaining(view, row);
                ports.retain(|&(transport, port), _| {
                    !still.iter().any(|other| admits(other, transport, port))
                });
            }
            wanted.targets.entry(address).or_default().extend(ports);
        }
    }
    wanted.targets.retain(|_, expected| !expected.is_empty());
    wanted
}

/// What is admitted at a row's address after the event.
fn remaining(view: &impl View, row: &Row) -> Vec<Permission> {
    let mut slots = view.neighbours(row.address, row.network_id.as_ref(), &row.port_id);
    slots.extend(view.port_slot(&row.port_id));
    let mut rows = Vec::new();
    for slot in slots {
        view.rows_of(slot, &mut rows);
    }
    rows.retain(|other| other.address == row.address);
    rows.into_iter().map(|row| row.permission).collect()
}

fn admits(permission: &Permission, transport: Transport, port: u16) -> bool {
    let protocol = match transport {
        Transport::Tcp => Protocol::Number(6),
        Transport::Udp => Protocol::Number(17),
    };
    permission.protocol.covers(&protocol) && permission.admits_port(Some(port), None)
}

/// Some address of the outside, for asking whether packets from there find their way; rules are not asked.
const OUTSIDE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111)),
];

/// Whether packets from outside of the cloud find their way to a row's port by its address.
fn has_path_from_outside(view: &impl View, row: &Row) -> bool {
    let question = Question {
        from: OUTSIDE[usize::from(row.permission.ipv6)],
        to: row.address.addr(),
        protocol: Protocol::Any,
        port: None,
        icmp_code: None,
        network: None,
        port_id: Some(row.port_id.clone()),
    };
    matches!(reach(view, &question).reason, Reason::Admitted | Reason::NoRule)
}

/// Adds a row's ports; true when there were too many for all of them.
fn add_ports(row: &Row, exposed: bool, expected: &mut Expected) -> bool {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    let (transport, any) = match row.permission.protocol {
        Protocol::Any => (Transport::Tcp, true),
        Protocol::Number(TCP) => (Transport::Tcp, false),
        Protocol::Number(UDP) => (Transport::Udp, false),
        _ => return false,
    };
    let (first, last) = row.permission.ports.unwrap_or((1, u16::MAX));
    let room = SCAN_PORTS_MAX.saturating_sub(expected.len());
    let sampled = any || usize::from(last - first) >= room;
    if sampled {
        let ports = SAMPLED.into_iter().filter(|port| (first..=last).contains(port));
        expected.extend(ports.map(|port| ((transport, port), exposed)));
    } else {
        expected.extend((first..=last).map(|port| ((transport, port), exposed)));
    }
    sampled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Source, Via};

    fn row(protocol: &str, ports: (i32, i32)) -> Row {
        Row {
            address: "203.0.113.7/32".parse().expect("a prefix"),
            via: Via::Floating,
            fixed_ip: None,
            port_id: Id::new("p"),
            device_id: None,
            device_owner: None,
            project_id: None,
            network_id: None,
            region: None,
            permission: Permission::new(
                false,
                Some(protocol),
                Some(ports.0),
                Some(ports.1),
                Source::family(false),
            ),
            security_group_id: None,
            rule_id: None,
        }
    }

    #[test]
    fn exactly_the_ports_that_changed_are_scanned() {
        let mut expected = Expected::new();
        assert!(!add_ports(&row("tcp", (22, 23)), true, &mut expected));
        assert!(!add_ports(&row("udp", (53, 53)), false, &mut expected));
        assert!(!add_ports(&row("gre", (1, 2)), true, &mut expected));
        let ports: Vec<_> = expected.into_iter().collect();
        let tcp = Transport::Tcp;
        assert_eq!(ports, [((tcp, 22), true), ((tcp, 23), true), ((Transport::Udp, 53), false)]);
    }

    #[test]
    fn wide_ranges_are_sampled() {
        let mut expected = Expected::new();
        assert!(add_ports(&row("tcp", (1000, 65_000)), true, &mut expected));
        assert!(expected.keys().all(|(_, port)| (1000..=65_000).contains(port)) && !expected.is_empty());
    }

    #[test]
    fn what_another_rule_still_admits_is_not_expected_to_be_closed() {
        let narrow = Permission::new(false, Some("tcp"), Some(22), Some(22), Source::family(false));
        assert!(admits(&narrow, Transport::Tcp, 22));
        assert!(!admits(&narrow, Transport::Tcp, 23) && !admits(&narrow, Transport::Udp, 22));
        assert!(admits(&Permission::everything(false), Transport::Udp, 53));
    }

    #[test]
    fn verdicts() {
        use ProbeState::{Closed, Filtered, NotProbed, Open, OpenFiltered};
        for (exposed, found, words) in [
            (true, Open, "as predicted"),
            (true, Closed, "not answering"),
            (true, Filtered, "not answering"),
            (false, Open, "open though not exposed"),
            (false, Closed, "as predicted"),
            (true, OpenFiltered, "unknown"),
            (false, NotProbed, "unknown"),
        ] {
            assert_eq!(ScanVerdict::of(exposed, found).as_str(), words);
        }
    }
}
