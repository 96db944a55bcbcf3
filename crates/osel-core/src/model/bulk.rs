//! About how many rows come and go with an object: whoever merges a few objects at a time takes fewer of those that make many.
//!
//! It is a guess from counts that are at hand: ports times rules, whatever admits what. It must not go through rows.

use super::cloud::CloudModel;
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
            (Kind::Port, shown) => {
                let known = cloud.ports.get(id).into_iter().flat_map(|port| port.security_groups.iter());
                let told = match shown {
                    Some(Object::Port(port)) => port.security_groups.as_ref(),
                    _ => None,
                };
                known.chain(told.into_iter().flatten()).map(|group| cloud.rules_of(group)).sum()
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
