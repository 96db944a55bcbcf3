//! What a message does to the model: the one way in, for events and for what the API answered.
//!
//! A statement about an object is merged field by field (see `stamp`), the links follow, and the rows that came and went
//! are noted. Deletions are in `delete`. Nothing here may depend on the order in which messages of one history arrive.

use std::sync::Arc;

use super::changes::{Changes, Teller, Telling, admit, merge};
use super::cloud::{CloudModel, NOWHERE, RuleLinks, unlist, unmap, with_table};
use super::delta::{Delta, Gap};
use super::sketch::Sketch;
use super::state::{Interface, PortState, RuleState, Standing, State};
use super::table::Slot;
use crate::event::{self, Change, Event, InterfaceChange, Kind, Object};
use crate::ids::Id;
use crate::time::Timestamp;

impl CloudModel {
    /// Merges an event that is handled at `now`, and says what it changed.
    pub fn apply(&mut self, now: Timestamp, event: &Event) -> Delta {
        let mut changes = Changes::default();
        let reads = Arc::clone(&self.reads);
        let telling = || Telling {
            teller: Teller::Bus,
            time: event.timestamp,
            message: event.message_id.as_deref().map(|id| Arc::new(Id::new(id))),
            now,
            reads: Arc::clone(&reads),
        };
        match &event.change {
            Change::Objects { objects, .. } => {
                let telling = telling();
                for object in objects {
                    self.tell(object, &telling, &mut changes);
                }
            }
            Change::Deleted { kind: Kind::Subnet, id, last } => {
                self.delete_subnet(id, last.as_deref(), &telling(), &mut changes);
            }
            Change::Deleted { kind, id, last } => {
                let telling = telling();
                self.delete(*kind, id, &telling, &mut changes);
                if let (Some(Object::FloatingIp(floating)), true) =
                    (last.as_deref(), self.gone(*kind, Some(id), &telling))
                {
                    self.bury_forwardings(id, floating, telling.time, &telling, &mut changes);
                }
            }
            Change::Interface(interface) => self.interface(interface, &telling(), &mut changes),
            _ => {}
        }
        changes.into_delta()
    }

    /// Merges objects as the API showed them. `taken_at` is when, where that is known; they count as of `at`.
    ///
    /// With `judge` the rows that came and went are worked out; a first inventory of a large cloud needs none.
    pub fn merge_read(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        exact: bool,
        objects: &[Object],
        judge: bool,
    ) -> Delta {
        let mut changes = Changes { silent: !judge, ..Changes::default() };
        let telling = self.read_telling(now, at, exact);
        for object in objects {
            self.tell(object, &telling, &mut changes);
        }
        changes.into_delta()
    }

    /// One statement about one object.
    pub(super) fn tell(&mut self, object: &Object, telling: &Telling, changes: &mut Changes) {
        let Some(id) = object.id() else { return };
        self.remember(object.kind(), id, changes);
        if !self.may_live(object.kind(), id, telling, changes) {
            if let (Object::FloatingIp(floating), Some(died)) =
                (object, self.tombstones.get(Kind::FloatingIp, id))
            {
                self.bury_forwardings(id, floating, died, telling, changes);
            }
            return;
        }
        match object {
            Object::Port(port) => self.tell_port(id, port, telling, changes),
            Object::SecurityGroup(group) => self.tell_group(id, group, telling, changes),
            Object::Rule(rule) => self.tell_rule(id, rule, telling, changes),
            Object::AddressGroup(group) => self.tell_address_group(id, group, telling, changes),
            Object::FloatingIp(floating) => self.tell_floating_ip(id, floating, telling, changes),
            Object::Forwarding(forwarding) => self.tell_forwarding(id, forwarding, telling, changes),
            Object::Router(router) => self.relink_router(id, |model| {
                merge(&mut model.routers, Kind::Router, id, router, telling, changes);
            }),
            Object::Network(network) => {
                merge(&mut self.networks, Kind::Network, id, network, telling, changes);
            }
            Object::Subnet(subnet) => self.tell_subnet(id, subnet, telling, changes),
            Object::RbacPolicy(policy) => self.tell_rbac_policy(id, policy, telling, changes),
            Object::Trunk(_)
            | Object::AddressScope(_)
            | Object::SubnetPool(_)
            | Object::FirewallGroup(_)
            | Object::FirewallPolicy(_)
            | Object::FirewallRule(_)
            | Object::LoadBalancer(_)
            | Object::Listener(_) => self.tell_service(id, object, telling, changes),
        }
    }

    /// Whether a statement may make or change an object: not when it, or what it hangs on, is gone for good, and not when
    /// a later, complete read did not show it.
    pub(super) fn may_live(&mut self, kind: Kind, id: &Id, telling: &Telling, changes: &mut Changes) -> bool {
        if let Some(grave) = self.tombstones.grave(kind, id) {
            if telling.is_void(&grave) {
                if !grave.is_final && telling.teller == Teller::Bus && telling.is_unsure(grave.died) {
                    changes.unsure.insert((kind, id.clone()));
                }
                return false;
            }
            // The API shows it alive after the bus called it dead: the deletion was not true. Or it was made after the API did not know it.
            self.tombstones.raise(kind, id);
        }
        let read_at = telling.read(kind).at;
        let history = telling.teller == Teller::Bus && telling.time < read_at && !self.knows(kind, id);
        if history && telling.is_unsure(read_at) {
            changes.unsure.insert((kind, id.clone()));
        }
        !history
    }

    /// Whether anybody described the object; one that others only name is not known.
    pub fn knows(&self, kind: Kind, id: &Id) -> bool {
        match kind {
            // These two are there too while others only name them.
            Kind::SecurityGroup => self.groups.get(id).is_some_and(|group| group.described()),
            Kind::Network => self.networks.get(id).is_some_and(|network| network.stamps().said() != 0),
            _ => with_table!(self, kind, table => table.slot(id).is_some()),
        }
    }

    /// Whether what an object hangs on is gone. What the API shows is there, whatever the bus said of its parent before.
    pub(super) fn gone(&self, kind: Kind, id: Option<&Id>, telling: &Telling) -> bool {
        let grave = id.and_then(|id| self.tombstones.grave(kind, id));
        grave.is_some_and(|grave| telling.is_void(&grave))
    }

    fn tell_port(&mut self, id: &Id, told: &event::Port, telling: &Telling, changes: &mut Changes) {
        if self.gone(Kind::Network, told.network_id.as_ref(), telling) {
            // It went with its network; a later body without the network's id must not bring it back.
            return self.delete(Kind::Port, id, telling, changes);
        }
        let shown = telling.teller != Teller::Bus && told.device_owner.is_some();
        self.change_port(id, changes, |port| {
            let news = admit(port, told, telling);
            if news != 0 {
                port.take(told, news);
            }
            // What the API says of the owner is later than what the bus said of the interface.
            let cleared =
                shown && port.interface_of.as_ref().is_some_and(|interface| interface.time < telling.time);
            if cleared {
                port.interface_of = None;
            }
            cleared || news != 0
        });
    }

    /// Changes a port, with what Neutron does to it without a word and all that hangs on it.
    pub(super) fn change_port(
        &mut self,
        id: &Id,
        changes: &mut Changes,
        change: impl FnOnce(&mut PortState) -> bool,
    ) {
        self.change_port_as(id, changes, true, change);
    }

    /// Changes a port with all that hangs on it; `settles` where it is told of, and not put back as it was written down.
    pub(super) fn change_port_as(
        &mut self,
        id: &Id,
        changes: &mut Changes,
        settles: bool,
        change: impl FnOnce(&mut PortState) -> bool,
    ) {
        let known = self.ports.slot(id);
        let mut before = Vec::new();
        if let (Some(slot), false) = (known, changes.silent) {
            self.rows_of_port(slot, &mut before);
        }
        let lent_before =
            known.filter(|_| !changes.silent).map(|slot| self.lent_by(slot)).unwrap_or_default();
        let slot = self.ports.slot_or_insert(id);
        let network_before = self.links.ports.grown(slot).network;
        let tags_before = known.map(|slot| self.ports.at(slot).tags.clone());
        if known.is_some() {
            self.unlink_port(slot);
        }
        let mut changed = change(self.ports.at_mut(slot));
        changed |= settles && self.settle_addresses(slot);
        let owner = self.ports.at(slot).device_owner.clone();
        if let Some(owner) = owner {
            self.ports.at_mut(slot).device_owner = Some(self.word(&owner));
        }
        self.tag_lists.note(tags_before.as_ref(), &mut self.ports.at_mut(slot).tags, changes);
        self.link_port(slot);
        self.drop_unknown_network(network_before);
        if !changed {
            return;
        }
        changes.touch(Kind::Port, id);
        if changes.silent {
            return;
        }
        let mut after = Vec::new();
        self.rows_of_port(slot, &mut after);
        changes.differ(before, after);
        self.note_lent(slot, &lent_before, &self.lent_by(slot), changes);
        let port = self.ports.at(slot);
        for group in &port.security_groups {
            let described = self.groups.get(group).is_some_and(|group| group.described());
            if !described && self.tombstones.get(Kind::SecurityGroup, group).is_none() {
                changes.gaps.insert(Gap { port_id: id.clone(), security_group_id: group.clone() });
            }
        }
    }

    fn tell_group(&mut self, id: &Id, told: &event::SecurityGroup, telling: &Telling, changes: &mut Changes) {
        let tags_before = self.groups.get(id).map(|group| group.tags.clone());
        merge(&mut self.groups, Kind::SecurityGroup, id, told, telling, changes);
        if let Some(slot) = self.groups.slot(id) {
            self.tag_lists.note(tags_before.as_ref(), &mut self.groups.at_mut(slot).tags, changes);
        }
        for rule in told.rules.iter().flatten() {
            if let Some(rule_id) = &rule.version.id
                && self.may_live(Kind::Rule, rule_id, telling, changes)
            {
                self.remember(Kind::Rule, rule_id, changes);
                self.tell_rule(rule_id, rule, telling, changes);
            }
        }
    }

    fn tell_rule(&mut self, id: &Id, told: &event::Rule, telling: &Telling, changes: &mut Changes) {
        let source = told.remote_group_id.as_ref().and_then(Option::as_ref);
        if self.gone(Kind::SecurityGroup, told.security_group_id.as_ref(), telling)
            || self.gone(Kind::SecurityGroup, source, telling)
        {
            // Void for good: a later body without the group's id must not bring it back, open to all.
            return self.delete(Kind::Rule, id, telling, changes);
        }
        let slot = self.rules.slot_or_insert(id);
        let rule = self.rules.at_mut(slot);
        let news = admit(rule, told, telling);
        if news == 0 {
            return;
        }
        let before = rule.standing();
        rule.take(told, news);
        if news & RuleState::PROTOCOL != 0 {
            self.share_protocol(slot);
        }
        changes.touch(Kind::Rule, id);
        self.relink_rule(slot, before, changes);
    }

    /// Has a rule name its protocol by the word that all rules share: a million of them have a few protocols.
    pub(super) fn share_protocol(&mut self, slot: Slot) {
        if let Some(protocol) = self.rules.at(slot).protocol.clone() {
            self.rules.at_mut(slot).protocol = Some(self.word(&protocol));
        }
    }

    /// Puts a rule where its fields say, and notes the rows that this opens and closes; `before` is what it was.
    pub(super) fn relink_rule(&mut self, slot: Slot, before: Standing, changes: &mut Changes) {
        let rule = self.rules.at(slot);
        let (id, standing) = (rule.id.clone(), rule.standing());
        let group_id = rule.security_group_id.clone();
        let group = group_id.as_ref().and_then(|group| self.groups.slot(group)).unwrap_or(NOWHERE);
        let linked = self.links.rules.grown(slot).group;
        if linked == group && before == standing && (linked != NOWHERE || group_id.is_none()) {
            return;
        }
        self.unlink_rule(slot, &id, before, changes);
        let Some(group) = group_id else { return };
        let Standing { permission, source } = standing;
        // Only now: a group that only this rule named may have gone with the link.
        let group = self.groups.slot_or_insert(&group);
        let links = self.links.groups.grown(group);
        links.rules.push(slot);
        if permission.is_some() {
            for &set in &links.sets {
                self.links.sets[set].rules.push(slot);
            }
        }
        if let Some(source) = source {
            let source = self.groups.slot_or_insert(&source);
            self.links.groups.grown(source).named_by.push(slot);
        }
        if let (Some(permission), false) = (&permission, changes.silent) {
            self.rows_of_rule_everywhere(group, &id, permission, &mut changes.opened);
        }
        *self.links.rules.grown(slot) = RuleLinks { group, sketch: permission.as_ref().map(Sketch::new) };
    }

    /// Takes a rule that was this out of its group, the group's sets and its source's list, and notes the rows that this
    /// closes.
    pub(super) fn unlink_rule(
        &mut self,
        slot: Slot,
        id: &Id,
        Standing { permission, source }: Standing,
        changes: &mut Changes,
    ) {
        let RuleLinks { group, .. } = std::mem::take(self.links.rules.grown(slot));
        if group == NOWHERE {
            return;
        }
        if let (Some(permission), false) = (&permission, changes.silent) {
            self.rows_of_rule_everywhere(group, id, permission, &mut changes.closed);
        }
        let links = self.links.groups.grown(group);
        unlist(&mut links.rules, slot);
        if permission.is_some() {
            for &set in &links.sets {
                unlist(&mut self.links.sets[set].rules, slot);
            }
        }
        if let Some(source) = source.and_then(|source| self.groups.slot(&source)) {
            unlist(&mut self.links.groups.grown(source).named_by, slot);
            self.drop_unknown_group(source);
        }
        if self.groups.slot_is_taken(group) {
            self.drop_unknown_group(group);
        }
    }

    fn tell_address_group(
        &mut self,
        id: &Id,
        told: &event::AddressGroup,
        telling: &Telling,
        changes: &mut Changes,
    ) {
        let before = self.address_groups.get(id).map(|group| group.addresses.clone()).unwrap_or_default();
        merge(&mut self.address_groups, Kind::AddressGroup, id, told, telling, changes);
        let after = self.address_groups.get(id).map(|group| group.addresses.clone()).unwrap_or_default();
        for address in before.iter().filter(|address| !after.contains(address)) {
            changes.member(Kind::AddressGroup, id, *address, false);
        }
        for address in after.iter().filter(|address| !before.contains(address)) {
            changes.member(Kind::AddressGroup, id, *address, true);
        }
    }

    fn tell_subnet(&mut self, id: &Id, told: &event::Subnet, telling: &Telling, changes: &mut Changes) {
        if self.gone(Kind::Network, told.network_id.as_ref(), telling) {
            return self.delete(Kind::Subnet, id, telling, changes);
        }
        self.relink_subnet(id, |model| {
            merge(&mut model.subnets, Kind::Subnet, id, told, telling, changes);
        });
        self.give_addresses(id, telling, changes);
    }

    /// Changes a subnet and the list of its network's subnets.
    pub(super) fn relink_subnet(&mut self, id: &Id, change: impl FnOnce(&mut Self)) {
        let place = |model: &Self| {
            let slot = model.subnets.slot(id)?;
            Some((model.subnets.at(slot).network_id.clone()?, slot))
        };
        let gives = |model: &Self, slot: Slot| model.subnets.at(slot).gives_to().is_some();
        if let Some((network, slot)) = place(self) {
            unmap(&mut self.links.subnets_by_network, &network, slot);
            if gives(self, slot) {
                unmap(&mut self.links.giving_subnets, &network, slot);
            }
        }
        change(self);
        if let Some((network, slot)) = place(self) {
            if gives(self, slot) {
                self.links.giving_subnets.entry(network.clone()).or_default().push(slot);
            }
            self.links.subnets_by_network.entry(network).or_default().push(slot);
        }
    }

    /// Changes a router, the list of its outer addresses and that of its next hops.
    pub(super) fn relink_router(&mut self, id: &Id, change: impl FnOnce(&mut Self)) {
        if let Some(slot) = self.routers.slot(id) {
            let router = self.routers.at(slot);
            for address in router.gateway_addresses() {
                unmap(&mut self.links.routers_by_gateway, &address, slot);
            }
            for next_hop in router.next_hops() {
                unmap(&mut self.links.routers_by_next_hop, &next_hop, slot);
            }
        }
        change(self);
        if let Some(slot) = self.routers.slot(id) {
            let router = self.routers.at(slot);
            for address in router.gateway_addresses() {
                self.links.routers_by_gateway.entry(address).or_default().push(slot);
            }
            for next_hop in router.next_hops() {
                self.links.routers_by_next_hop.entry(next_hop).or_default().push(slot);
            }
        }
    }

    fn tell_rbac_policy(
        &mut self,
        id: &Id,
        told: &event::RbacPolicy,
        telling: &Telling,
        changes: &mut Changes,
    ) {
        self.relink_policy(id, |model| {
            merge(&mut model.rbac_policies, Kind::RbacPolicy, id, told, telling, changes);
        });
    }

    /// Changes a policy and the list of the networks that policies make external.
    pub(super) fn relink_policy(&mut self, id: &Id, change: impl FnOnce(&mut Self)) {
        let place = |model: &Self| {
            let slot = model.rbac_policies.slot(id)?;
            Some((model.rbac_policies.at(slot).external_network()?.clone(), slot))
        };
        if let Some((network, slot)) = place(self) {
            unmap(&mut self.links.external_by_policy, &network, slot);
        }
        change(self);
        if let Some((network, slot)) = place(self) {
            self.links.external_by_policy.entry(network).or_default().push(slot);
        }
    }

    /// A router got or lost an interface: its port is Neutron's own from now on, or gone.
    fn interface(&mut self, interface: &InterfaceChange, telling: &Telling, changes: &mut Changes) {
        if !interface.attached {
            self.delete(Kind::Port, &interface.port_id, telling, changes);
            return;
        }
        let told = event::Port {
            version: event::Version {
                id: Some(interface.port_id.clone()),
                revision: None,
                project_id: Some(interface.project_id.clone()),
            },
            network_id: interface.network_id.clone(),
            ..event::Port::default()
        };
        if !self.may_live(Kind::Port, &interface.port_id, telling, changes) {
            return;
        }
        if self.gone(Kind::Network, told.network_id.as_ref(), telling) {
            return self.delete(Kind::Port, &interface.port_id, telling, changes);
        }
        let said = Interface {
            router_id: interface.router_id.clone(),
            time: telling.time,
            message: telling.message.clone(),
        };
        self.change_port(&interface.port_id, changes, |port| {
            if telling.time < port.stamps.read_at().max(telling.read(Kind::Port).at) {
                return false;
            }
            let news = admit(port, &told, telling);
            port.take(&told, news);
            let later = port.interface_of.as_deref().is_none_or(|known| *known < said);
            if later {
                port.interface_of = Some(Box::new(said));
            }
            later || news != 0
        });
    }
}
