//! Trunks, address scopes, firewalls and load balancers: how they are merged, found by what they hang on, and taken out.
//!
//! They have no rows, so that nothing is judged here; `exposure::reach` asks for them by port.

use super::changes::{Changes, Telling, merge};
use super::cloud::{CloudModel, unmap};
use super::delete::note;
use super::service_state::{FirewallGroupState, ListenerState, LoadBalancerState};
use super::state::{State, TrunkState};
use super::table::{Slot, Table};
use crate::event::{Kind, Object};
use crate::ids::{Id, Map};

impl CloudModel {
    pub(super) fn tell_service(
        &mut self,
        id: &Id,
        object: &Object,
        telling: &Telling,
        changes: &mut Changes,
    ) {
        let kind = object.kind();
        match object {
            Object::Trunk(told) => {
                self.relink_trunk(id, |table| merge(table, kind, id, told, telling, changes));
            }
            Object::AddressScope(told) => merge(&mut self.address_scopes, kind, id, told, telling, changes),
            Object::SubnetPool(told) => merge(&mut self.subnet_pools, kind, id, told, telling, changes),
            Object::FirewallGroup(told) => {
                self.relink_firewall_group(id, |table| merge(table, kind, id, told, telling, changes));
            }
            Object::FirewallPolicy(told) => {
                merge(&mut self.firewall_policies, kind, id, told, telling, changes);
            }
            Object::FirewallRule(told) => merge(&mut self.firewall_rules, kind, id, told, telling, changes),
            Object::LoadBalancer(told) => {
                self.relink_load_balancer(id, |table| merge(table, kind, id, told, telling, changes));
            }
            Object::Listener(told) => {
                self.relink_listener(id, |table| merge(table, kind, id, told, telling, changes));
            }
            _ => {}
        }
    }

    pub(super) fn remove_service(&mut self, kind: Kind, id: &Id, changes: &mut Changes) {
        let mut removed = false;
        match kind {
            Kind::Trunk => self.relink_trunk(id, |table| removed = table.remove(id).is_some()),
            Kind::AddressScope => removed = self.address_scopes.remove(id).is_some(),
            Kind::SubnetPool => removed = self.subnet_pools.remove(id).is_some(),
            Kind::FirewallGroup => {
                self.relink_firewall_group(id, |table| removed = table.remove(id).is_some());
            }
            Kind::FirewallPolicy => removed = self.firewall_policies.remove(id).is_some(),
            Kind::FirewallRule => removed = self.firewall_rules.remove(id).is_some(),
            Kind::LoadBalancer => {
                self.relink_load_balancer(id, |table| removed = table.remove(id).is_some());
            }
            Kind::Listener => self.relink_listener(id, |table| removed = table.remove(id).is_some()),
            _ => {}
        }
        note(removed, kind, id, changes);
    }

    pub(super) fn relink_trunk(&mut self, id: &Id, change: impl FnOnce(&mut Table<TrunkState>)) {
        let by_port = &mut self.links.trunks_by_sub_port;
        relink(&mut self.trunks, id, by_port, |trunk| each_once(&trunk.sub_ports), change);
    }

    pub(super) fn relink_firewall_group(
        &mut self,
        id: &Id,
        change: impl FnOnce(&mut Table<FirewallGroupState>),
    ) {
        let by_port = &mut self.links.firewall_groups_by_port;
        relink(&mut self.firewall_groups, id, by_port, |group| each_once(&group.ports), change);
    }

    pub(super) fn relink_load_balancer(
        &mut self,
        id: &Id,
        change: impl FnOnce(&mut Table<LoadBalancerState>),
    ) {
        let by_port = &mut self.links.load_balancers_by_port;
        relink(&mut self.load_balancers, id, by_port, |balancer| balancer.vip_port_id.clone(), change);
    }

    pub(super) fn relink_listener(&mut self, id: &Id, change: impl FnOnce(&mut Table<ListenerState>)) {
        let by_balancer = &mut self.links.listeners_by_load_balancer;
        relink(&mut self.listeners, id, by_balancer, |listener| listener.loadbalancer_id.clone(), change);
    }
}

/// Changes an object, and the list of those that hang on the same thing.
fn relink<T: State, K: IntoIterator<Item = Id>>(
    table: &mut Table<T>,
    id: &Id,
    by_key: &mut Map<Id, Vec<Slot>>,
    keys: impl Fn(&T) -> K,
    change: impl FnOnce(&mut Table<T>),
) {
    if let Some(slot) = table.slot(id) {
        for key in keys(table.at(slot)) {
            unmap(by_key, &key, slot);
        }
    }
    change(table);
    if let Some(slot) = table.slot(id) {
        for key in keys(table.at(slot)) {
            by_key.entry(key).or_default().push(slot);
        }
    }
}

/// What an API lists twice hangs there once.
fn each_once(ids: &[Id]) -> Vec<Id> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}
