//! Which addresses ports lend to the groups that rules name as their source, and which a group gains and loses.
//!
//! Two ports of a group may lend it the same address (a virtual IP as an address pair, or equal addresses of two networks): the group
//! has it as long as one of them does.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::changes::Changes;
use super::cloud::CloudModel;
use super::permission::host;
use super::table::Slot;
use crate::event::{FixedIp, Kind};
use crate::ids::Id;

/// Addresses with the groups they are lent to.
pub(super) type Lent = BTreeSet<(Id, IpNet)>;

impl CloudModel {
    /// What a port lends to groups that rules name.
    pub(super) fn lent_by(&self, slot: Slot) -> Lent {
        let port = self.ports.at(slot);
        self.lent(&port.security_groups, &port.fixed_ips, &port.allowed_address_pairs)
    }

    /// What a port with these groups and addresses lends to groups that rules name.
    pub(super) fn lent(&self, groups: &[Id], fixed: &[FixedIp], pairs: &[IpNet]) -> Lent {
        let mut lent = Lent::new();
        for id in groups {
            let named = self.groups.slot(id).and_then(|group| self.links.groups.get(group));
            let admits = |&rule: &Slot| self.links.rules.get(rule).is_some_and(|links| links.permits());
            if named.is_some_and(|links| links.named_by.iter().any(admits)) {
                lent.extend(fixed.iter().map(|fixed| (id.clone(), host(fixed.address))));
                if self.options.group_members_include_pairs {
                    lent.extend(pairs.iter().map(|pair| (id.clone(), *pair)));
                }
            }
        }
        lent
    }

    /// Notes what groups gain and lose when what a port lends changes.
    pub(super) fn note_lent(&self, slot: Slot, before: &Lent, after: &Lent, changes: &mut Changes) {
        for (lent, gained) in [(before.difference(after), false), (after.difference(before), true)] {
            for (group, address) in lent {
                if !self.is_lent_by_another(slot, group, *address) {
                    changes.member(Kind::SecurityGroup, group, *address, gained);
                }
            }
        }
    }

    /// Whether a port other than this one lends the address to the group.
    fn is_lent_by_another(&self, slot: Slot, group: &Id, address: IpNet) -> bool {
        let links = self.groups.slot(group).and_then(|group| self.links.groups.get(group));
        let Some(links) = links else { return false };
        let sets = || links.sets.iter().filter_map(|&set| self.links.sets.get(set));
        let members: usize = sets().map(|set| set.ports.len()).sum();
        let lends = |other: Slot| other != slot && self.lends(other, group, address);
        // A thousand networks may use an address, and a group may have a thousand ports: the fewer are looked through.
        let range = (address, 0, 0)..=(address, Slot::MAX, Slot::MAX);
        let mut holders = self.links.addresses.range(range).map(|(_, _, holder)| *holder);
        if holders.by_ref().take(members).any(lends) {
            return true;
        }
        holders.next().is_some() && sets().flat_map(|set| &set.ports).any(|&member| lends(member))
    }

    fn lends(&self, slot: Slot, group: &Id, address: IpNet) -> bool {
        let port = self.ports.at(slot);
        port.security_groups.binary_search(group).is_ok()
            && (port.fixed_ips.iter().any(|fixed| host(fixed.address) == address)
                || (self.options.group_members_include_pairs
                    && port.allowed_address_pairs.contains(&address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Object, Port, Rule, Version};
    use crate::model::{Delta, ModelOptions};
    use crate::time::Timestamp;

    fn version(id: &str, revision: u64) -> Version {
        Version { id: Some(Id::new(id)), revision: Some(revision), ..Version::default() }
    }

    fn port(id: &str, revision: u64, address: &str, pairs: &[&str]) -> Object {
        Object::Port(Port {
            version: version(id, revision),
            network_id: Some(Id::new("n")),
            security_groups: Some(vec![Id::new("g")]),
            fixed_ips: Some(vec![FixedIp { address: address.parse().unwrap(), subnet_id: None }]),
            allowed_address_pairs: Some(pairs.iter().map(|pair| pair.parse().unwrap()).collect()),
            ..Port::default()
        })
    }

    fn changes(cloud: &mut CloudModel, object: Object) -> Vec<(Vec<String>, Vec<String>)> {
        let at = Timestamp::EPOCH;
        let Delta { members, .. } = cloud.merge_read(at, at, false, &[object], true);
        let texts = |nets: &[IpNet]| nets.iter().map(ToString::to_string).collect();
        members.iter().map(|change| (texts(&change.gained), texts(&change.lost))).collect()
    }

    #[test]
    fn a_group_lost_an_address_that_another_port_still_lent() {
        let mut cloud = CloudModel::new(None, ModelOptions::default());
        let rule = Rule {
            version: version("r", 0),
            security_group_id: Some(Id::new("h")),
            ingress: Some(true),
            remote_group_id: Some(Some(Id::new("g"))),
            ..Rule::default()
        };
        changes(&mut cloud, Object::Rule(rule));
        let virtual_ip = || "10.0.0.9/32".to_owned();
        let own = |address: &str| format!("{address}/32");
        assert_eq!(
            changes(&mut cloud, port("a", 1, "10.0.0.1", &["10.0.0.9/32"])),
            [(vec![own("10.0.0.1"), virtual_ip()], vec![])]
        );
        assert_eq!(
            changes(&mut cloud, port("b", 1, "10.0.0.2", &["10.0.0.9/32"])),
            [(vec![own("10.0.0.2")], vec![])],
            "the group has the virtual IP already"
        );
        assert_eq!(changes(&mut cloud, port("a", 2, "10.0.0.1", &[])), [], "and keeps it");
        assert_eq!(changes(&mut cloud, port("b", 2, "10.0.0.2", &[])), [(vec![], vec![virtual_ip()])]);
    }
}
