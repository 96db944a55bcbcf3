//! By what two objects may have rows in common: whoever merges some of many differences at a time merges those together that have such a
//! tie, so that no row is told that came and went between.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::cloud::CloudModel;
use super::permission::host;
use super::table::Slot;
use crate::event::{self, Kind, Object};
use crate::ids::Id;

/// The most sets of groups that are looked through for what is beside one of them: nearly every group is in a handful.
const SETS_MAX: usize = 64;

/// The most ports that are looked for among those that are gone, of those that left a firewall group: as many as are told one by one.
/// Where more left, it is not explained by them.
const LEFT_MAX: usize = 1_000;

/// Something by which rows are made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tie {
    /// An object.
    Object(Kind, Id),
    /// An address: of a network, or outside.
    Address(Option<Id>, IpNet),
    /// An address that ports lend to a group which rules name as their source: it has it as long as one of them does, of whatever network.
    Lent(Id, IpNet),
}

/// The ties of an object, as it is known and as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// What it changes itself: who makes rows by one of these has to do with it.
    pub changed: Vec<Tie>,
    /// What its rows are made by besides.
    pub used: Vec<Tie>,
}

impl CloudModel {
    /// The ties of an object that is to be merged or taken out; `shown` is how it is to be, where it is there.
    pub fn ties(&self, kind: Kind, id: &Id, shown: Option<&Object>) -> Ties {
        let mut ties = Ties::default();
        match kind {
            Kind::Port => self.ties_of_port(id, shown, &mut ties),
            Kind::SecurityGroup => {
                ties.changed.push(Tie::Object(kind, id.clone()));
                if let Some(Object::SecurityGroup(event::SecurityGroup { rules: Some(rules), .. })) = shown {
                    rules.iter().for_each(|rule| ties_of_shown_rule(rule, &mut ties));
                }
            }
            Kind::Rule => {
                if let Some(rule) = self.rules.get(id) {
                    ties.changed.extend(group(rule.security_group_id.as_ref()));
                    ties.used.extend(group(rule.remote_group_id.as_deref()));
                }
                if let Some(Object::Rule(rule)) = shown {
                    ties_of_shown_rule(rule, &mut ties);
                }
            }
            Kind::FloatingIp => self.ties_of_floating_ip(id, shown, &mut ties),
            Kind::Forwarding => self.ties_of_forwarding(id, shown, &mut ties),
            // They are in no row, or only as what they are called by.
            _ => {}
        }
        ties
    }

    /// The groups that a port has beside this one: a rule of theirs may open what one of this group does. Of a group that is in very many
    /// sets, those of the first [`SETS_MAX`].
    pub fn groups_beside(&self, group: &Id) -> Vec<Tie> {
        let Some(slot) = self.groups.slot(group) else { return Vec::new() };
        let sets = self.links.groups.get(slot).into_iter().flat_map(|links| links.sets.iter().take(SETS_MAX));
        let beside: BTreeSet<Slot> = sets
            .filter_map(|&set| self.links.sets.get(set))
            .flat_map(|set| set.groups.iter().copied())
            .filter(|&other| other != slot)
            .collect();
        beside
            .into_iter()
            .map(|slot| Tie::Object(Kind::SecurityGroup, self.groups.at(slot).id.clone()))
            .collect()
    }

    fn ties_of_port(&self, id: &Id, shown: Option<&Object>, ties: &mut Ties) {
        ties.changed.push(Tie::Object(Kind::Port, id.clone()));
        let known = self.ports.get(id);
        let place = |network: &Option<Id>, net: IpNet| Tie::Address(network.clone(), net);
        if let Some(port) = known {
            let fixed = port.fixed_ips.iter().map(|fixed| host(fixed.address));
            let nets = fixed.chain(port.allowed_address_pairs.iter().copied());
            ties.changed.extend(nets.map(|net| place(&port.network_id, net)));
            ties.used.extend(port.security_groups.iter().flat_map(|id| group(Some(id))));
            self.ties_of_lent(&port.security_groups, &port.fixed_ips, &port.allowed_address_pairs, ties);
        }
        if let Some(Object::Port(port)) = shown {
            let network = port.network_id.clone().or_else(|| known?.network_id.clone());
            let fixed = port.fixed_ips.iter().flatten().map(|fixed| host(fixed.address));
            let nets = fixed.chain(port.allowed_address_pairs.iter().flatten().copied());
            ties.changed.extend(nets.map(|net| place(&network, net)));
            ties.used.extend(port.security_groups.iter().flatten().flat_map(|id| group(Some(id))));
            // What is not said of it stays.
            let groups = port.security_groups.as_deref().or(known.map(|port| &*port.security_groups));
            let fixed = port.fixed_ips.as_deref().or(known.map(|port| &*port.fixed_ips));
            let pairs = port.allowed_address_pairs.as_deref();
            let pairs = pairs.or(known.map(|port| &*port.allowed_address_pairs));
            let (groups, fixed) = (groups.unwrap_or_default(), fixed.unwrap_or_default());
            self.ties_of_lent(groups, fixed, pairs.unwrap_or_default(), ties);
        }
    }

    fn ties_of_lent(&self, groups: &[Id], fixed: &[event::FixedIp], pairs: &[IpNet], ties: &mut Ties) {
        let lent = self.lent(groups, fixed, pairs).into_iter();
        ties.changed.extend(lent.map(|(group, address)| Tie::Lent(group, address)));
    }

    fn ties_of_floating_ip(&self, id: &Id, shown: Option<&Object>, ties: &mut Ties) {
        ties.changed.push(Tie::Object(Kind::FloatingIp, id.clone()));
        if let Some(floating) = self.floating_ips.get(id) {
            ties.changed.extend(floating.floating_ip_address.map(outside));
            self.ties_through(floating.port_id.as_ref(), ties);
        }
        // With it, or by its list, they lose their outer address.
        for &slot in self.links.forwardings_by_floating.get(id).into_iter().flatten() {
            self.ties_through(self.forwardings.at(slot).internal_port_id.as_ref(), ties);
        }
        if let Some(Object::FloatingIp(floating)) = shown {
            ties.changed.extend(floating.floating_ip_address.map(outside));
            self.ties_through(floating.port_id.as_ref().and_then(Option::as_ref), ties);
            for forwarding in floating.forwardings.iter().flatten() {
                self.ties_through(forwarding.internal_port_id.as_ref(), ties);
            }
        }
    }

    /// Two forwardings of one floating IP may stand for the same, whatever their ids are.
    fn ties_of_forwarding(&self, id: &Id, shown: Option<&Object>, ties: &mut Ties) {
        let mut of = |floating: Option<&Id>, port: Option<&Id>| {
            ties.changed.extend(floating.map(|id| Tie::Object(Kind::FloatingIp, id.clone())));
            self.ties_through(port, ties);
        };
        if let Some(known) = self.forwardings.get(id) {
            of(known.floatingip_id.as_ref(), known.internal_port_id.as_ref());
        }
        if let Some(Object::Forwarding(shown)) = shown {
            of(shown.floatingip_id.as_ref(), shown.internal_port_id.as_ref());
        }
    }

    /// Those of an outer address that leads to a port: its rows are the port's.
    fn ties_through(&self, port: Option<&Id>, ties: &mut Ties) {
        let Some(id) = port else { return };
        ties.used.push(Tie::Object(Kind::Port, id.clone()));
        let known = self.ports.get(id);
        ties.used.extend(known.iter().flat_map(|port| &port.security_groups).flat_map(|id| group(Some(id))));
    }

    /// What an object goes or changes with in silence, as far as it is known what that is; `shown` is how it is to be, where it is there.
    /// Of the ports that leave a firewall group the first [`LEFT_MAX`].
    pub fn goes_with(&self, kind: Kind, id: &Id, shown: Option<&Object>) -> Vec<(Kind, Id)> {
        let of = |kind: Kind, id: Option<&Id>| id.map(|id| (kind, id.clone()));
        match kind {
            Kind::Rule => self.rules.get(id).map_or_else(Vec::new, |rule| {
                let groups = [rule.security_group_id.as_ref(), rule.remote_group_id.as_deref()];
                groups.into_iter().filter_map(|id| of(Kind::SecurityGroup, id)).collect()
            }),
            Kind::Port => {
                let network = self.ports.get(id).and_then(|port| port.network_id.as_ref());
                of(Kind::Network, network).into_iter().collect()
            }
            Kind::Subnet => {
                let network = self.subnets.get(id).and_then(|subnet| subnet.network_id.as_ref());
                of(Kind::Network, network).into_iter().collect()
            }
            Kind::FloatingIp => {
                let port = self.floating_ips.get(id).and_then(|floating| floating.port_id.as_ref());
                of(Kind::Port, port).into_iter().collect()
            }
            Kind::FirewallGroup => {
                let Some(Object::FirewallGroup(event::FirewallGroup { ports: Some(ports), .. })) = shown
                else {
                    return Vec::new();
                };
                let stay: BTreeSet<&Id> = ports.iter().collect();
                let known = self.firewall_groups.get(id).into_iter().flat_map(|group| &group.ports);
                let left = known.filter(|port| !stay.contains(port) && self.ports.slot(port).is_some());
                left.take(LEFT_MAX).map(|port| (Kind::Port, port.clone())).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn ties_of_shown_rule(rule: &event::Rule, ties: &mut Ties) {
    ties.changed.extend(group(rule.security_group_id.as_ref()));
    ties.used.extend(group(rule.remote_group_id.as_ref().and_then(Option::as_ref)));
}

fn group(id: Option<&Id>) -> Option<Tie> {
    id.map(|id| Tie::Object(Kind::SecurityGroup, id.clone()))
}

fn outside(address: IpAddr) -> Tie {
    Tie::Address(None, host(address))
}
