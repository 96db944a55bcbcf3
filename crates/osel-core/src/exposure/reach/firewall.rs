//! Firewall groups (FWaaS v2): whether the groups on a port let a packet pass.
//!
//! An ingress policy is asked about what goes to the port (for a router's interface: out to its network), an egress policy about what
//! comes from there. The first enabled rule that matches decides; without one, and without a policy, the packet is dropped. A group that
//! has neither policy is not in force at all. What nobody described yet, policy or rule, is not held against a packet: exposure that is
//! told too often is better than one that is kept back.

use std::net::IpAddr;

use super::filter::Asked;
use super::verdict::Hop;
use crate::ids::Id;
use crate::model::{FirewallGroupState, FirewallRuleState, Kind, PortRange, Protocol, View};

/// A place where firewalls are asked: the packet passes one of these ports, by its subnet as far as that is known.
#[derive(Debug)]
pub(super) struct Gate<'a> {
    pub(super) ports: Vec<&'a Id>,
    /// Whether the packet goes to the port's side.
    pub(super) ingress: bool,
}

/// One sort of packet, on which every rule says the same.
#[derive(Clone, Debug)]
pub(super) struct Sort {
    /// Of one protocol, and to one port where the protocol has ports.
    pub(super) asked: Asked,
    /// The sender's port, where any rule asks for it.
    pub(super) source_port: Option<u16>,
}

/// A packet's two ends as firewalls see them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) from: IpAddr,
    /// The inner address; none where it is not known.
    pub(super) to: Option<IpAddr>,
}

impl Gate<'_> {
    /// Whether any packet could be stopped here.
    pub(super) fn is_guarded(&self, view: &impl View) -> bool {
        !self.ports.is_empty() && self.ports.iter().all(|port| !view.firewall_groups_of(port).is_empty())
    }

    /// The known rules that may be asked here.
    pub(super) fn rules<'a>(&self, view: &'a impl View) -> Vec<&'a FirewallRuleState> {
        let groups = self.ports.iter().flat_map(|port| view.firewall_groups_of(port));
        let policies = groups.filter_map(|group| view.firewall_policy(self.policy_of(group)?));
        policies.flat_map(|policy| policy.rules.iter()).filter_map(|rule| view.firewall_rule(rule)).collect()
    }

    fn policy_of<'a>(&self, group: &'a FirewallGroupState) -> Option<&'a Id> {
        let policy = if self.ingress { &group.ingress_policy_id } else { &group.egress_policy_id };
        policy.as_ref()
    }

    /// The groups that let a packet pass; else the one that does not.
    pub(super) fn ask(&self, view: &impl View, ends: Ends, sort: &Sort) -> Result<Vec<Hop>, Hop> {
        let mut stop = None;
        for port in &self.ports {
            let groups = view.firewall_groups_of(port).into_iter();
            match groups.map(|group| self.ask_group(view, group, port, ends, sort)).collect() {
                Ok(hops) => return Ok(hops),
                Err(hop) => stop = stop.or(Some(hop)),
            }
        }
        stop.map_or(Ok(Vec::new()), Err)
    }

    fn ask_group(
        &self,
        view: &impl View,
        group: &FirewallGroupState,
        port: &Id,
        ends: Ends,
        sort: &Sort,
    ) -> Result<Hop, Hop> {
        let side = if self.ingress { "ingress" } else { "egress" };
        let hop = Hop::new(Kind::FirewallGroup, Some(&group.id), Some(&group.name));
        if group.ingress_policy_id.is_none() && group.egress_policy_id.is_none() {
            // Neutron calls it inactive and tells no agent of it.
            return Ok(hop.noted(format!("on port {port}: has no policy, not in force")));
        }
        if !group.admin_state_up {
            return Err(hop.stops(format!("on port {port}: administratively down, nothing passes")));
        }
        let Some(policy) = self.policy_of(group) else {
            return Err(hop.stops(format!("on port {port}: no {side} policy, nothing passes")));
        };
        let Some(known) = view.firewall_policy(policy) else {
            return Ok(hop.noted(format!("on port {port}: nobody described its {side} policy {policy} yet")));
        };
        for id in &known.rules {
            let Some(rule) = view.firewall_rule(id) else {
                return Ok(hop.noted(format!("on port {port}: nobody described its {side} rule {id} yet")));
            };
            if matches(rule, ends, sort) {
                return if rule.allows {
                    Ok(hop.noted(format!("on port {port}: {side} rule {id} allows it")))
                } else {
                    Err(hop.stops(format!("on port {port}: {side} rule {id} denies it")))
                };
            }
        }
        Err(hop.stops(format!("on port {port}: no {side} rule allows it")))
    }
}

fn matches(rule: &FirewallRuleState, ends: Ends, sort: &Sort) -> bool {
    let asked = &sort.asked;
    let has_ports = asked.protocol.has_ports();
    let in_range = |range: Option<PortRange>, port: Option<u16>| match (range, port) {
        (None, _) => true,
        (Some(range), Some(port)) => has_ports && (range.min..=range.max).contains(&port),
        (Some(_), None) => false,
    };
    rule.enabled
        && rule.ipv6 == asked.ipv6
        && Protocol::read(rule.protocol.as_deref(), rule.ipv6).covers(&asked.protocol)
        && rule.source.is_none_or(|prefix| prefix.contains(&ends.from))
        && rule.destination.is_none_or(|prefix| ends.to.is_some_and(|to| prefix.contains(&to)))
        && in_range(rule.destination_ports, asked.ports.map(|(port, _)| port))
        && in_range(rule.source_ports, sort.source_port)
}
