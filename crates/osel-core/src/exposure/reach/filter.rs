//! Whether a port lets a packet in.

use std::cell::OnceCell;
use std::net::IpAddr;

use super::verdict::{Hop, Question};
use crate::ids::{Id, Set};
use crate::model::{Kind, Permission, PortState, Ports, Protocol, Slot, Source, View, host, net_text};

/// A packet as it arrives at a port.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) ipv6: bool,
    pub(super) protocol: Protocol,
    /// Any of these ports, or ICMP types; none for all.
    pub(super) ports: Ports,
    pub(super) icmp_code: Option<u8>,
}

impl Asked {
    /// The packet as it is sent.
    pub(super) fn new(question: &Question) -> Self {
        let ipv6 = question.to.is_ipv6();
        Self {
            ipv6,
            // ICMP has two numbers, one for each family.
            protocol: Protocol::read(Some(&question.protocol.name()), ipv6),
            ports: question.port.map(|port| (port, port)),
            icmp_code: question.icmp_code,
        }
    }

    /// Whether what a rule admits has such a packet, whatever its source.
    pub(super) fn fits(&self, permission: &Permission) -> bool {
        permission.ipv6 == self.ipv6
            && (self.protocol == Protocol::Any || permission.protocol.covers(&self.protocol))
            && permission.admits_any_of(self.ports, self.icmp_code)
    }
}

/// Who sends, and which groups that makes it a member of.
#[derive(Debug)]
pub(super) struct Sender<'a, V> {
    view: &'a V,
    address: IpAddr,
    groups: OnceCell<Set<&'a Id>>,
}

/// Whether a port lets a packet in, and what of it says so.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) admitted: bool,
    pub(super) rule_id: Option<Id>,
    /// What the port itself has to say.
    pub(super) port_note: Option<String>,
    pub(super) hops: Vec<Hop>,
}

impl Admission {
    /// No rule is needed.
    pub(super) fn free(why: &str) -> Self {
        Self { admitted: true, rule_id: None, port_note: Some(why.to_owned()), hops: Vec::new() }
    }
}

impl<'a, V: View> Sender<'a, V> {
    pub(super) fn new(view: &'a V, address: IpAddr) -> Self {
        Self { view, address, groups: OnceCell::new() }
    }

    /// The security groups that this address stands in: those of the ports that have it as a fixed IP, in
    /// whatever network, or in a pair where those count. Looked up once for all rules of all candidates.
    fn groups(&self) -> &Set<&'a Id> {
        self.groups.get_or_init(|| {
            let pairs_count = self.view.options().group_members_include_pairs;
            let holders = self.view.ports_holding(host(self.address), !pairs_count);
            let holders = holders.into_iter().map(|slot| self.view.port(slot));
            holders
                .filter(|port| pairs_count || has_fixed_ip(port, self.address))
                .flat_map(|port| port.security_groups.iter())
                .collect()
        })
    }

    /// Whether a rule's source has the sender.
    fn is_of(&self, source: &Source) -> bool {
        match source {
            Source::Prefix(prefix) => prefix.contains(&self.address),
            Source::Group(group) => self.groups().contains(group),
            Source::AddressGroup(group) => self
                .view
                .address_group(group)
                .is_some_and(|addresses| addresses.iter().any(|net| net.contains(&self.address))),
        }
    }

    /// Asks a port; of several rules that admit, the one with the first id answers.
    pub(super) fn admission(&self, slot: Slot, asked: &Asked) -> Admission {
        let port = self.view.port(slot);
        if port.trusted() {
            return Admission::free("trusted: never filtered");
        }
        if !port.port_security_enabled {
            return Admission::free("port security is off");
        }
        let rules = self.view.rules_of(slot).into_iter();
        let rules = rules
            .filter(|(_, _, permission)| asked.fits(permission) && self.is_of(&permission.source))
            .min_by_key(|(_, rule, _)| *rule);
        match rules {
            Some((group, rule, permission)) => Admission {
                admitted: true,
                rule_id: Some(rule.clone()),
                port_note: None,
                hops: vec![
                    self.group_hop(group),
                    Hop::new(Kind::Rule, Some(rule), None).noted(in_words(&permission)),
                ],
            },
            None if port.security_groups.is_empty() => Admission {
                admitted: false,
                rule_id: None,
                port_note: Some("has no security group".to_owned()),
                hops: Vec::new(),
            },
            None => Admission {
                admitted: false,
                rule_id: None,
                port_note: None,
                hops: port.security_groups.iter().map(|group| self.closed_group_hop(group)).collect(),
            },
        }
    }

    fn group_hop(&self, group: &Id) -> Hop {
        let name = self.view.group(group).map(|group| &*group.name);
        Hop::new(Kind::SecurityGroup, Some(group), name)
    }

    fn closed_group_hop(&self, group: &Id) -> Hop {
        let known = self.view.group(group).is_some();
        self.group_hop(group).stops(if known {
            "no ingress rule admits it"
        } else {
            "nobody described it yet"
        })
    }
}

/// Whether an address is one of a port's own, not only in a pair.
pub(super) fn has_fixed_ip(port: &PortState, address: IpAddr) -> bool {
    port.fixed_ips.iter().any(|fixed| fixed.address == address)
}

/// What a rule admits, for people: `tcp 22 from 0.0.0.0/0`.
fn in_words(permission: &Permission) -> String {
    let mut words = permission.protocol.name().into_owned();
    match permission.ports {
        Some((min, max)) if min == max => words.push_str(&format!(" {min}")),
        Some((min, max)) => words.push_str(&format!(" {min}-{max}")),
        None => {}
    }
    if let Some(icmp_type) = permission.icmp_type {
        words.push_str(&format!(" type {icmp_type}"));
    }
    if let Some(icmp_code) = permission.icmp_code {
        words.push_str(&format!(" code {icmp_code}"));
    }
    match &permission.source {
        Source::Prefix(prefix) => words.push_str(&format!(" from {}", net_text(*prefix))),
        Source::Group(group) => words.push_str(&format!(" from security group {group}")),
        Source::AddressGroup(group) => words.push_str(&format!(" from address group {group}")),
    }
    words
}
