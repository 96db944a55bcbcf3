//! About how many rows come and go with an object: whoever merges a few objects at a time takes fewer of those that make many.
//!
//! It is a guess from counts that are at hand: ports times rules, whatever admits what, and a rule once for each port, however many
//! addresses that has. It must not go through rows.

use std::collections::BTreeSet;

use super::cloud::CloudModel;
use super::table::Slot;
use crate::event::{Kind, Object, SecurityGroup};
use crate::ids::{Id, Map};

/// Guesses for many objects of one cloud.
#[derive(Debug)]
pub struct Bulk<'a> {
    cloud: &'a CloudModel,
    max: usize,
    /// Of groups that were asked for: very many rules may have one.
    ports: Map<Id, usize>,
}

impl<'a> Bulk<'a> {
    /// Guesses that are true up to `max` rows; whatever has more has as many.
    pub fn new(cloud: &'a CloudModel, max: usize) -> Self {
        Self { cloud, max, ports: Map::default() }
    }

    /// About how many rows come or go with an object; `shown` is how it is to be, where it is there.
    pub fn rows(&mut self, kind: Kind, id: &Id, shown: Option<&Object>) -> usize {
        let cloud = self.cloud;
        let rows = match (kind, shown) {
            (Kind::Rule, shown) => {
                let known = cloud.rules.get(id).and_then(|rule| rule.security_group_id.as_ref());
                let told = match shown {
                    Some(Object::Rule(rule)) => rule.security_group_id.as_ref(),
                    _ => None,
                };
                known.or(told).map_or(0, |group| self.ports(group))
            }
            (Kind::SecurityGroup, Some(Object::SecurityGroup(SecurityGroup { rules, .. }))) => {
                rules.as_ref().map_or(0, |rules| rules.len().saturating_mul(self.ports(id)))
            }
            (Kind::SecurityGroup, _) => cloud.rules_of(id).saturating_mul(self.ports(id)),
            (Kind::Port, shown) => cloud.rows_of_whole_port(id, shown),
            (Kind::FloatingIp | Kind::Forwarding, shown) => {
                cloud.led_to(kind, id, shown).into_iter().map(|port| cloud.rules_of_port(port)).sum()
            }
            _ => 0,
        };
        rows.min(self.max)
    }

    fn ports(&mut self, group: &Id) -> usize {
        let (cloud, max) = (self.cloud, self.max);
        if let Some(&ports) = self.ports.get(group) {
            return ports;
        }
        let ports = cloud.ports_of(group, max);
        self.ports.insert(group.clone(), ports);
        ports
    }
}

impl CloudModel {
    /// The rules of a port's groups at each of its addresses, as it is and as it is shown.
    fn rows_of_whole_port(&self, id: &Id, shown: Option<&Object>) -> usize {
        let outer = |links: &Map<Id, Vec<Slot>>| links.get(id).map_or(0, Vec::len);
        let outer = outer(&self.links.floating_by_port) + outer(&self.links.forwardings_by_port);
        let rows = |groups: &[Id], addresses: usize| {
            let rules: usize = groups.iter().map(|group| self.rules_of(group)).sum();
            rules.saturating_mul(addresses + outer)
        };
        let known = self.ports.get(id);
        let (known_fixed, known_pairs) =
            known.map_or((0, 0), |port| (port.fixed_ips.len(), port.allowed_address_pairs.len()));
        let before = known.map_or(0, |port| rows(&port.security_groups, known_fixed + known_pairs));
        let Some(Object::Port(told)) = shown else { return before };
        let fixed = told.fixed_ips.as_ref().map_or(known_fixed, Vec::len);
        let pairs = told.allowed_address_pairs.as_ref().map_or(known_pairs, Vec::len);
        before.saturating_add(rows(told.security_groups.as_deref().unwrap_or_default(), fixed + pairs))
    }

    fn rules_of_port(&self, id: &Id) -> usize {
        let groups = self.ports.get(id).into_iter().flat_map(|port| &port.security_groups);
        groups.map(|group| self.rules_of(group)).sum()
    }

    /// The ports that a floating IP or a forwarding leads to, as it is and as it is shown, with those of a floating IP's forwardings.
    fn led_to<'a>(&'a self, kind: Kind, id: &Id, shown: Option<&'a Object>) -> BTreeSet<&'a Id> {
        let mut ports = BTreeSet::new();
        if kind == Kind::Forwarding {
            ports.extend(self.forwardings.get(id).and_then(|known| known.internal_port_id.as_ref()));
        } else {
            ports.extend(self.floating_ips.get(id).and_then(|known| known.port_id.as_ref()));
            let known = self.links.forwardings_by_floating.get(id).into_iter().flatten();
            ports.extend(known.filter_map(|&slot| self.forwardings.at(slot).internal_port_id.as_ref()));
        }
        match shown {
            Some(Object::Forwarding(told)) => ports.extend(&told.internal_port_id),
            Some(Object::FloatingIp(told)) => {
                ports.extend(told.port_id.as_ref().and_then(Option::as_ref));
                let told = told.forwardings.iter().flatten();
                ports.extend(told.filter_map(|told| told.internal_port_id.as_ref()));
            }
            _ => {}
        }
        ports
    }

    fn rules_of(&self, group: &Id) -> usize {
        let links = self.groups.slot(group).and_then(|slot| self.links.groups.get(slot));
        links.map_or(0, |links| links.rules.len())
    }

    /// How many ports have a group, at least `max` where they are more: each of its sets has one.
    fn ports_of(&self, group: &Id, max: usize) -> usize {
        let links = self.groups.slot(group).and_then(|slot| self.links.groups.get(slot));
        let mut ports = 0;
        for set in links.iter().flat_map(|links| &links.sets).filter_map(|&set| self.links.sets.get(set)) {
            ports += set.ports.len();
            if ports >= max {
                break;
            }
        }
        ports
    }
}
