//! From links to rows: what a port, or one rule on a set of ports, exposes right now.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::cloud::{CloudModel, NOWHERE, family};
use super::permission::{Permission, Ports, Protocol, Source, host};
use super::row::{Row, Via};
use super::state::{ForwardingState, PortState, State};
use super::table::Slot;
use crate::event::PortRange;
use crate::ids::Id;

/// Up to so many addresses of a port are compared with each other: for few that is the quickest, and nearly all ports have one or two.
const COMPARED_MAX: usize = 16;

/// So many ports are fetched from memory side by side before the rows of the first of them are made.
const FETCHED: usize = 64;

/// An address that leads to a port.
struct Door<'a> {
    address: IpNet,
    via: Via,
    fixed_ip: Option<IpNet>,
    forwarding: Option<&'a ForwardingState>,
}

impl CloudModel {
    /// Every row of one port, in no order that means anything.
    pub(super) fn rows_of_port(&self, slot: Slot, out: &mut Vec<Row>) {
        self.rows_of_port_where(slot, &|_| true, out);
    }

    /// The rows of one port at the addresses that are wanted.
    pub(super) fn rows_of_port_where(&self, slot: Slot, wanted: &dyn Fn(IpNet) -> bool, out: &mut Vec<Row>) {
        let port = self.ports.at(slot);
        if port.trusted() {
            return;
        }
        let mut doors = Vec::new();
        self.doors(port, wanted, &mut doors);
        if !port.port_security_enabled {
            for door in &doors {
                let mut permission = Permission::everything(family(door.address) == 1);
                if let Some(forwarding) = door.forwarding {
                    let Some(outer) = forwarding.external else { continue };
                    permission.protocol = Protocol::read(forwarding.protocol.as_deref(), permission.ipv6);
                    permission.ports = whole(outer);
                }
                out.push(self.row(port, door, permission, None, None));
            }
            return;
        }
        let set = self.links.ports[slot].set;
        if set == NOWHERE {
            return;
        }
        for &rule in &self.links.sets[set].rules {
            let (links, rule) = (self.links.rules[rule], self.rules.at(rule));
            if doors.iter().all(|door| rule.ipv6 != (family(door.address) == 1)) {
                continue;
            }
            if let Some(permission) = rule.permission() {
                self.rows_of_rule(port, &doors, links.group, &rule.id, &permission, out);
            }
        }
    }

    /// The rows that one rule makes on every port that has its group.
    pub(super) fn rows_of_rule_everywhere(
        &self,
        group: Slot,
        rule: &Id,
        permission: &Permission,
        out: &mut Vec<Row>,
    ) {
        self.rows_of_rule_where(group, rule, permission, |_| true, out);
    }

    /// The rows that a rule of this group makes, or would make if it were there, on ports of wanted projects; in no order that
    /// means anything.
    pub fn rows_of_permission(
        &self,
        group: &Id,
        rule: &Id,
        permission: &Permission,
        wanted: impl Fn(Option<&Id>) -> bool,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        if let Some(group) = self.groups.slot(group) {
            self.rows_of_rule_where(group, rule, permission, wanted, &mut rows);
        }
        rows
    }

    /// Every row whose source is this one, except of ports that are not filtered; in no order that means anything.
    pub fn rows_from(&self, source: &Source) -> Vec<Row> {
        let mut rows = Vec::new();
        for (slot, rule) in self.rules.iter() {
            let group = self.links.rules.get(slot).map_or(NOWHERE, |links| links.group);
            let permission = rule.permission().filter(|permission| permission.source == *source);
            if let Some(permission) = permission.filter(|_| group != NOWHERE) {
                self.rows_of_rule_everywhere(group, &rule.id, &permission, &mut rows);
            }
        }
        rows
    }

    fn rows_of_rule_where(
        &self,
        group: Slot,
        rule: &Id,
        permission: &Permission,
        wanted: impl Fn(Option<&Id>) -> bool,
        out: &mut Vec<Row>,
    ) {
        let sets = self.links.groups.get(group).map_or(&[][..], |links| &links.sets);
        let ports: Vec<Slot> =
            sets.iter().flat_map(|&set| self.links.sets[set].ports.iter().copied()).collect();
        // Nearly every port has one address of each family.
        out.reserve(ports.len());
        let filtered = |slot: &Slot| {
            let port = self.ports.at(*slot);
            let is_filtered =
                !port.trusted() && port.port_security_enabled && wanted(port.project_id.as_ref());
            is_filtered.then_some(port)
        };
        let mut doors = Vec::new();
        for ports in ports.chunks(FETCHED) {
            // Whoever counts first has asked for all these ports when the first of them comes, and does not wait for each of them.
            let addresses = ports.iter().filter_map(filtered).map(|port| {
                let fixed = port.fixed_ips.iter().filter(|fixed| fixed.address.is_ipv6() == permission.ipv6);
                let pairs = port.allowed_address_pairs.iter();
                fixed.count() + pairs.filter(|pair| (family(**pair) == 1) == permission.ipv6).count()
            });
            out.reserve(addresses.sum());
            for port in ports.iter().filter_map(filtered) {
                self.doors(port, &|_| true, &mut doors);
                self.rows_of_rule(port, &doors, group, rule, permission, out);
            }
        }
    }

    fn rows_of_rule(
        &self,
        port: &PortState,
        doors: &[Door<'_>],
        group: Slot,
        rule: &Id,
        permission: &Permission,
        out: &mut Vec<Row>,
    ) {
        for door in doors {
            if permission.ipv6 != (family(door.address) == 1) {
                continue;
            }
            let admitted = match door.forwarding {
                None => Some(permission.clone()),
                Some(forwarding) => through(forwarding, permission),
            };
            if let Some(permission) = admitted {
                let group = self.groups.at(group).id.clone();
                out.push(self.row(port, door, permission, Some(group), Some(rule.clone())));
            }
        }
    }

    /// The way from an address to a port; none where there are several, or where it is not the port's own.
    pub(super) fn only_door(&self, port: &PortState, address: IpNet) -> Option<Via> {
        let fixed = port.fixed_ips.iter().any(|fixed| host(fixed.address) == address);
        let pair = port.allowed_address_pairs.contains(&address);
        let floating = self.links.floating_by_port.get(&port.id).into_iter().flatten();
        let mut outer = floating.map(|&slot| self.floating_ips.at(slot).floating_ip_address);
        if outer.any(|outer| outer.map(host) == Some(address))
            || self.links.forwardings_by_port.contains_key(&port.id)
        {
            return None;
        }
        // Of a fixed IP that is a pair too there is one door, see `doors`.
        if fixed { Some(Via::Fixed) } else { pair.then_some(Via::Pair) }
    }

    /// Every wanted address that leads to a port, each once for each way, in place of what is in `doors`.
    fn doors<'a>(&'a self, port: &'a PortState, wanted: &dyn Fn(IpNet) -> bool, doors: &mut Vec<Door<'a>>) {
        doors.clear();
        let is_short = port.fixed_ips.len() + port.allowed_address_pairs.len() <= COMPARED_MAX;
        let mut seen = BTreeSet::new();
        let mut direct = |address: IpNet, via: Via| {
            if !wanted(address) {
                return;
            }
            let is_new = if is_short {
                doors.iter().all(|door| door.address != address)
            } else {
                seen.insert(address)
            };
            if is_new {
                doors.push(Door { address, via, fixed_ip: Some(address), forwarding: None });
            }
        };
        for fixed in &port.fixed_ips {
            direct(host(fixed.address), Via::Fixed);
        }
        for pair in &port.allowed_address_pairs {
            direct(*pair, Via::Pair);
        }
        for &slot in self.links.floating_by_port.get(&port.id).into_iter().flatten() {
            let floating = self.floating_ips.at(slot);
            if let Some(address) = floating.floating_ip_address.filter(|outer| wanted(host(*outer))) {
                let fixed_ip = floating.fixed_ip_address.map(host);
                doors.push(Door { address: host(address), via: Via::Floating, fixed_ip, forwarding: None });
            }
        }
        for &slot in self.links.forwardings_by_port.get(&port.id).into_iter().flatten() {
            let forwarding = self.forwardings.at(slot);
            if let Some(address) = self.outer_address(forwarding).filter(|outer| wanted(host(*outer))) {
                let fixed_ip = forwarding.internal_ip_address.map(host);
                doors.push(Door {
                    address: host(address),
                    via: Via::Forwarding,
                    fixed_ip,
                    forwarding: Some(forwarding),
                });
            }
        }
    }

    /// The floating IP of a forwarding, unless the floating IP's own, later list no longer has it, or its port has lost the address
    /// that it leads to: then Neutron deletes it, and no notification tells (Neutron: `pf_plugin`, `_process_port_request`).
    pub(super) fn outer_address(&self, forwarding: &ForwardingState) -> Option<IpAddr> {
        use super::state::FloatingIpState;
        let floating = self.floating_ips.get(forwarding.floatingip_id.as_ref()?)?;
        if let Some(listed) = floating.stamps.of(FloatingIpState::FORWARDINGS) {
            let since = forwarding.stamps().stamp().time;
            if !floating.forwardings.contains(&forwarding.id) && since <= listed.time {
                return None;
            }
        }
        if self.has_lost_its_address(forwarding) {
            return None;
        }
        floating.floating_ip_address
    }

    fn has_lost_its_address(&self, forwarding: &ForwardingState) -> bool {
        let port = forwarding.internal_port_id.as_ref().and_then(|port| self.ports.get(port));
        let (Some(port), Some(address)) = (port, forwarding.internal_ip_address) else { return false };
        let told = port.stamps.of(PortState::FIXED_IPS);
        // Of a port without any address of IPv4 Neutron keeps them.
        told.is_some_and(|told| told.time > forwarding.stamps().stamp().time)
            && port.fixed_ips.iter().any(|fixed| fixed.address.is_ipv4())
            && port.fixed_ips.iter().all(|fixed| fixed.address != address)
    }

    fn row(
        &self,
        port: &PortState,
        door: &Door<'_>,
        permission: Permission,
        security_group_id: Option<Id>,
        rule_id: Option<Id>,
    ) -> Row {
        Row {
            address: door.address,
            via: door.via,
            fixed_ip: door.fixed_ip,
            port_id: port.id.clone(),
            device_id: port.device_id.clone(),
            device_owner: port.device_owner.clone(),
            project_id: port.project_id.clone(),
            network_id: port.network_id.clone(),
            region: self.region.as_ref().map(Arc::clone),
            permission,
            security_group_id,
            rule_id,
        }
    }
}

/// The part of a forwarding that a rule admits, in outer ports.
fn through(forwarding: &ForwardingState, rule: &Permission) -> Option<Permission> {
    let protocol = Protocol::read(forwarding.protocol.as_deref(), rule.ipv6);
    let (inner, outer) = (forwarding.internal?, forwarding.external?);
    if !rule.protocol.covers(&protocol) {
        return None;
    }
    let (first, last) = rule.ports.unwrap_or((0, u16::MAX));
    let (first, last) = (first.max(inner.min), last.min(inner.max));
    if first > last {
        return None;
    }
    let ports = if inner.max - inner.min == outer.max - outer.min {
        PortRange { min: outer.min + (first - inner.min), max: outer.min + (last - inner.min) }
    } else {
        outer
    };
    Some(Permission {
        ipv6: rule.ipv6,
        protocol,
        ports: whole(ports),
        icmp_type: None,
        icmp_code: None,
        source: rule.source.clone(),
    })
}

/// All ports are no range.
fn whole(range: PortRange) -> Ports {
    (range.min > 1 || range.max < u16::MAX).then_some((range.min, range.max))
}
