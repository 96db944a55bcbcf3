//! What of an event's rows should be scanned, and which ports of it.
//!
//! Pure questions about rows and the model after the event; what waits and when it is scanned is the queue's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::{Rank, ScanPolicy, Vantage, WhyNot};
use crate::exposure::{JudgedRow, Question, Reason, SourceFilter, is_public, reach};
use crate::ids::Id;
use crate::model::{Permission, Protocol, Row, Source, Via, View};
use crate::scan::{Expected, Transport, expected_list};

/// The most ports of one address that one scan probes. A rule for more of them (all ports, all protocols) is sampled; of many rules
/// the first ports are taken. The scan's record says so. With as many waiting scans as may be, this is 120 MB at the very most.
pub const SCAN_PORTS_MAX: usize = 1024;
/// Where a wide range is sampled: what is most often found listening, and most often attacked.
const SAMPLED: [u16; 24] = [
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 389, 443, 445, 1433, 3306, 3389, 5432, 5672, 5900, 6379,
    8080, 9200, 27017,
];

/// Where a scan goes to. Projects reuse addresses: 10.0.0.5 of one network is not the 10.0.0.5 of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The network that has the address; none for a floating IP, which is the outside's, whatever network it leads to.
    pub network_id: Option<Id>,
    /// The address.
    pub address: IpAddr,
}

impl Place {
    pub(crate) fn of(row: &Row) -> Self {
        let network_id = match row.via {
            Via::Floating | Via::Forwarding => None,
            Via::Fixed | Via::Pair => row.network_id.clone(),
        };
        Self { network_id, address: row.address.addr() }
    }
}

/// The ports of one place to be scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// At most [`SCAN_PORTS_MAX`], with what the event makes of them.
    #[serde(with = "expected_list")]
    pub ports: Expected,
    /// Whether more ports changed than these.
    pub partial: bool,
    /// The project of the address.
    pub project_id: Option<Id>,
}

impl Target {
    /// Takes what is said later of the same place: it counts, and of ports that are new as many as fit.
    pub fn merge(&mut self, later: Self) {
        self.partial |= later.partial;
        for (port, exposed) in later.ports {
            if self.ports.len() < SCAN_PORTS_MAX || self.ports.contains_key(&port) {
                self.ports.insert(port, exposed);
            } else {
                self.partial = true;
            }
        }
        self.project_id = self.project_id.take().or(later.project_id);
    }
}

/// Something that an event wants scanned, as far as the policy and the paths go; what a scanner cannot do is not asked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where.
    pub place: Place,
    /// What of it.
    pub target: Target,
    /// How soon.
    pub rank: Rank,
    /// Why it is not scanned all the same.
    pub refused: Option<WhyNot>,
}

/// What of an event's rows should be scanned: opened ones that were not open before, closed ones that are not open otherwise. Row by
/// row, so that an event of many rows needs no memory for all of them: what comes later of a place counts, see [`Target::merge`].
///
/// What the policy leaves out by the kind of the change, and what nobody can reach from the vantage, is no candidate at all.
pub fn wanted<'a>(
    view: &'a impl View,
    policy: &'a ScanPolicy,
    opened: &'a [JudgedRow],
    closed: &'a [JudgedRow],
) -> impl Iterator<Item = Candidate> + 'a {
    let mut sources = match policy.vantage {
        Vantage::Internet => SourceFilter::internet(),
        Vantage::Prefix(prefix) => SourceFilter::prefix(prefix),
    };
    let opened = opened.iter().filter(|judged| policy.opened && !judged.covered_before);
    let closed = closed.iter().filter(|judged| policy.closed && !judged.redundant);
    let closed = closed.map(|judged| (&judged.row, false));
    closed.chain(opened.map(|judged| (&judged.row, true))).filter_map(move |(row, exposed)| {
        if row.address.prefix_len() != row.address.max_prefix_len() {
            return None;
        }
        let address = row.address.addr();
        let mut ports = Expected::new();
        let partial = add_ports(row, exposed, &mut ports);
        if ports.is_empty() {
            return None;
        }
        let allowed = policy.allowed_prefixes.iter().any(|prefix| prefix.contains(&address));
        let mut is_seen = || sources.keeps(view, row) && has_path(view, policy.vantage, row);
        if !allowed && !is_seen() {
            return None;
        }
        let rank = if exposed { Rank::of(policy, row, &ports) } else { Rank::default() };
        let refused = policy.refusal(address, row.project_id.as_ref());
        if !exposed && refused.is_none() {
            // What another rule still admits is not closed, and that it answers is no surprise.
            let still = remaining(view, row);
            ports.retain(|&(transport, port), _| !still.iter().any(|other| admits(other, transport, port)));
        }
        let target = Target { ports, partial, project_id: row.project_id.clone() };
        let candidate = Candidate { place: Place::of(row), target, rank, refused };
        (!candidate.target.ports.is_empty()).then_some(candidate)
    })
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

/// Whether packets from the vantage find their way to a row's port by its address.
fn has_path(view: &impl View, vantage: Vantage, row: &Row) -> bool {
    let from = match vantage {
        Vantage::Internet if !is_public(row.address.addr()) => return false,
        Vantage::Internet => OUTSIDE[usize::from(row.permission.ipv6)],
        Vantage::Prefix(prefix) => match &row.permission.source {
            Source::Prefix(source) if prefix.contains(source) => source.network(),
            _ => prefix.network(),
        },
    };
    let question = Question {
        from,
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
    fn many_narrow_ranges_are_cut_where_one_wide_one_would_be_sampled() {
        let mut target = Target::default();
        for first in [1, 601, 1201] {
            let ports = (first..first + 600).map(|port| ((Transport::Tcp, port), true)).collect();
            target.merge(Target { ports, ..Target::default() });
        }
        assert_eq!((target.ports.len(), target.partial), (SCAN_PORTS_MAX, true));
        // What is already among them is brought up to date all the same.
        let later = Target { ports: Expected::from([((Transport::Tcp, 1), false)]), ..Target::default() };
        target.merge(later);
        assert_eq!((target.ports.len(), target.ports[&(Transport::Tcp, 1)]), (SCAN_PORTS_MAX, false));
    }

    #[test]
    fn what_another_rule_still_admits_is_not_expected_to_be_closed() {
        let narrow = Permission::new(false, Some("tcp"), Some(22), Some(22), Source::family(false));
        assert!(admits(&narrow, Transport::Tcp, 22));
        assert!(!admits(&narrow, Transport::Tcp, 23) && !admits(&narrow, Transport::Udp, 22));
        assert!(admits(&Permission::everything(false), Transport::Udp, 53));
    }
}
