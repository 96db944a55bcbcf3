//! What goes, and what goes with it.

use std::collections::BTreeSet;

use super::changes::{Changes, Teller, Telling};
use super::cloud::CloudModel;
use super::floating::forwarding_id;
use super::state::State;
use super::tombstone::Grave;
use crate::event::{self, Kind};
use crate::ids::Id;
use crate::time::Timestamp;

impl CloudModel {
    /// Deletes an object and what hangs on it: a group's rules, a network's subnets and ports, a floating IP's forwardings.
    pub(super) fn delete(&mut self, kind: Kind, id: &Id, telling: &Telling, changes: &mut Changes) {
        let read_at = self.stamps_of(kind, id).map(|stamps| stamps.read_at().max(telling.read(kind).at));
        if let (Teller::Bus, Some(read_at)) = (telling.teller, read_at)
            && telling.time < read_at
        {
            // The API showed it alive after that.
            if telling.is_unsure(read_at) {
                changes.unsure.insert((kind, id.clone()));
            }
            return;
        }
        if telling.teller == Teller::Bus {
            self.tombstones.bury(kind, id, telling.grave());
        }
        self.remember(kind, id, changes);
        match kind {
            Kind::FloatingIp => self.delete_floating_ip(id, telling, changes),
            Kind::Network => self.delete_network(id, telling, changes),
            Kind::SecurityGroup => {
                for rule in self.rules_around(id) {
                    self.delete(Kind::Rule, &rule, telling, changes);
                }
                self.remove(kind, id, changes);
            }
            _ => self.remove(kind, id, changes),
        }
    }

    /// Takes one object out of the model, with what cannot be without it.
    pub(super) fn remove(&mut self, kind: Kind, id: &Id, changes: &mut Changes) {
        self.remember(kind, id, changes);
        match kind {
            Kind::Port => self.delete_port(id, changes),
            Kind::SecurityGroup => self.delete_group(id, changes),
            Kind::Rule => self.delete_rule(id, changes),
            Kind::AddressGroup => {
                if let Some(group) = self.address_groups.remove(id) {
                    for address in &group.addresses {
                        changes.member(Kind::AddressGroup, id, *address, false);
                    }
                    changes.touch(kind, id);
                }
            }
            Kind::FloatingIp => self.remove_floating_ip(id, changes),
            Kind::Forwarding => self.delete_forwarding(id, changes),
            Kind::Router => self.relink_router(id, |model| {
                note(model.routers.remove(id).is_some(), kind, id, changes);
            }),
            Kind::Network => self.remove_network(id, changes),
            Kind::Subnet => self.relink_subnet(id, |model| {
                note(model.subnets.remove(id).is_some(), kind, id, changes);
            }),
            Kind::RbacPolicy => self.relink_policy(id, |model| {
                note(model.rbac_policies.remove(id).is_some(), kind, id, changes);
            }),
            Kind::Trunk
            | Kind::AddressScope
            | Kind::SubnetPool
            | Kind::FirewallGroup
            | Kind::FirewallPolicy
            | Kind::FirewallRule
            | Kind::LoadBalancer
            | Kind::Listener => self.remove_service(kind, id, changes),
        }
    }

    fn delete_port(&mut self, id: &Id, changes: &mut Changes) {
        let Some(slot) = self.ports.slot(id) else { return };
        if !changes.silent {
            self.rows_of_port(slot, &mut changes.closed);
            self.note_lent(slot, &self.lent_by(slot), &BTreeSet::new(), changes);
        }
        let network = self.links.ports.grown(slot).network;
        self.unlink_port(slot);
        self.ports.remove(id);
        self.drop_unknown_network(network);
        changes.touch(Kind::Port, id);
    }

    fn delete_rule(&mut self, id: &Id, changes: &mut Changes) {
        self.remember(Kind::Rule, id, changes);
        let Some(slot) = self.rules.slot(id) else { return };
        let standing = self.rules.at(slot).standing();
        self.unlink_rule(slot, id, standing, changes);
        self.rules.remove(id);
        changes.touch(Kind::Rule, id);
    }

    fn delete_group(&mut self, id: &Id, changes: &mut Changes) {
        let Some(slot) = self.groups.slot(id) else { return };
        // Ports may still name it, and rules that the API showed later; then only what was known of it goes.
        if self.groups.slot(id) == Some(slot) {
            *self.groups.at_mut(slot) = State::unknown(id.clone());
            self.drop_unknown_group(slot);
        }
        changes.touch(Kind::SecurityGroup, id);
    }

    /// The rules of a group, and those that name it as their source.
    pub(super) fn rules_around(&self, id: &Id) -> Vec<Id> {
        let Some(links) = self.groups.slot(id).and_then(|slot| self.links.groups.get(slot)) else {
            return Vec::new();
        };
        let mut rules: Vec<_> = links.rules.iter().chain(&links.named_by).copied().collect();
        rules.sort_unstable();
        rules.dedup();
        rules.into_iter().map(|rule| self.rules.at(rule).id.clone()).collect()
    }

    fn delete_floating_ip(&mut self, id: &Id, telling: &Telling, changes: &mut Changes) {
        self.remove_floating_ip(id, changes);
        let orphans = self.links.forwardings_by_floating.get(id).cloned().unwrap_or_default();
        let orphans: Vec<Id> = orphans.into_iter().map(|slot| self.forwardings.at(slot).id.clone()).collect();
        for orphan in orphans {
            self.delete(Kind::Forwarding, &orphan, telling, changes);
        }
    }

    /// What a dead floating IP's body lists went with it. The forwardings' own messages do not say what they hang on, and may come
    /// later.
    pub(super) fn bury_forwardings(
        &mut self,
        id: &Id,
        floating: &event::FloatingIp,
        died: Timestamp,
        telling: &Telling,
        changes: &mut Changes,
    ) {
        for forwarding in floating.forwardings.iter().flatten() {
            let forwarding = forwarding_id(id, forwarding);
            self.tombstones.bury(Kind::Forwarding, &forwarding, Grave { died, ..telling.grave() });
            self.remove(Kind::Forwarding, &forwarding, changes);
        }
    }

    fn remove_floating_ip(&mut self, id: &Id, changes: &mut Changes) {
        let Some(slot) = self.floating_ips.slot(id) else { return };
        self.around_floating_ip(id, None, changes, |model, changes| {
            model.unlink_floating_ip(slot);
            model.floating_ips.remove(id);
            changes.touch(Kind::FloatingIp, id);
        });
    }

    fn delete_forwarding(&mut self, id: &Id, changes: &mut Changes) {
        let Some(slot) = self.forwardings.slot(id) else { return };
        let floating = self.forwardings.at(slot).floatingip_id.clone();
        let port = self.forwardings.at(slot).internal_port_id.clone();
        // A forwarding without a known floating IP has no rows, and then the name does not matter.
        let floating = floating.unwrap_or_else(|| id.clone());
        self.around_floating_ip(&floating, port.as_ref(), changes, |model, changes| {
            model.unlink_forwarding(slot);
            model.forwardings.remove(id);
            changes.touch(Kind::Forwarding, id);
        });
    }

    fn delete_network(&mut self, id: &Id, telling: &Telling, changes: &mut Changes) {
        let ports: Vec<Id> = self.ports_on(id).map(|port| port.id.clone()).collect();
        for port in ports {
            self.delete(Kind::Port, &port, telling, changes);
        }
        let subnets = self.links.subnets_by_network.get(id).cloned().unwrap_or_default();
        let subnets: Vec<Id> = subnets.into_iter().map(|slot| self.subnets.at(slot).id.clone()).collect();
        for subnet in subnets {
            self.delete(Kind::Subnet, &subnet, telling, changes);
        }
        self.remove_network(id, changes);
    }

    /// Forgets what was said of a network; while ports still name it, it stays as a name.
    fn remove_network(&mut self, id: &Id, changes: &mut Changes) {
        let Some(slot) = self.networks.slot(id) else { return };
        *self.networks.at_mut(slot) = State::unknown(id.clone());
        self.drop_unknown_network(slot);
        changes.touch(Kind::Network, id);
    }
}

pub(super) fn note(removed: bool, kind: Kind, id: &Id, changes: &mut Changes) {
    if removed {
        changes.touch(kind, id);
    }
}
