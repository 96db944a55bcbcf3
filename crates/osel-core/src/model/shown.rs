//! What a read shows held against what is known, before anything is changed: which objects differ, and which were not shown.
//!
//! A read of a large cloud shows a million objects of which a handful differ. So an object that is as it was costs a comparison and
//! one bit, and nothing is written down of it: that it was there then is known of its kind as a whole ([`CloudModel::confirm`]).

use std::sync::Arc;

use super::changes::{Changes, EXISTS, Teller, Telling, Versioned, admit};
use super::cloud::{CloudModel, with_table};
use super::floating::forwarding_id;
use super::stamp::{Fields, KindRead};
use super::state::State;
use super::table::{Slot, Table};
use super::tombstone::Grave;
use crate::event::{self, Kind, Object};
use crate::ids::Id;
use crate::time::Timestamp;

impl CloudModel {
    /// Marks an object as shown by the read that is under way; whether it was not marked. Nothing for one that is not known.
    pub fn mark(&mut self, kind: Kind, id: &Id) -> Option<bool> {
        with_table!(self mut, kind, table => table.slot(id).map(|slot| table.mark(slot)))
    }

    /// Whether a read has shown the object whose marks are there: the one that is under way, or the last one.
    pub fn is_marked(&self, kind: Kind, id: &Id) -> bool {
        with_table!(self, kind, table => table.slot(id).is_some_and(|slot| table.is_marked(slot)))
    }

    /// Takes all marks away, for the next read.
    pub fn clear_marks(&mut self) {
        for kind in Kind::ALL {
            with_table!(self mut, kind, table => table.clear_marks());
        }
    }

    /// How many slots a kind has: what [`Self::unshown`] looks through.
    pub fn slots(&self, kind: Kind) -> Slot {
        with_table!(self, kind, table => table.slots())
    }

    /// Adds the objects in these slots that a read at `at` should have shown, if they were still there, and that are not marked, until
    /// there are `max`. Gives the next slot to look at.
    pub fn unshown(
        &self,
        kind: Kind,
        slots: std::ops::Range<Slot>,
        at: Timestamp,
        max: usize,
        out: &mut Vec<(Kind, Id)>,
    ) -> Slot {
        with_table!(self, kind, table => {
            for slot in slots.clone() {
                if out.len() >= max {
                    return slot;
                }
                if table.slot_is_taken(slot)
                    && !table.is_marked(slot)
                    && self.is_told_before(kind, table.at(slot), at)
                {
                    out.push((kind, table.at(slot).id().clone()));
                }
            }
        });
        slots.end
    }

    /// Whether nobody has marked the object, and what is known of it is not from after `at`.
    pub fn is_unshown(&self, kind: Kind, id: &Id, at: Timestamp) -> bool {
        with_table!(self, kind, table => table.slot(id).is_some_and(|slot| {
            !table.is_marked(slot) && self.is_told_before(kind, table.at(slot), at)
        }))
    }

    /// Whether an object is known, and nothing that is known of it is from after `at`.
    pub fn is_known_before(&self, kind: Kind, id: &Id, at: Timestamp) -> bool {
        with_table!(self, kind, table => {
            table.get(id).is_some_and(|object| self.is_told_before(kind, object, at))
        })
    }

    /// Whether nothing that is known of an object is from after `at`: nothing that was said, and no read of its kind that found it.
    fn is_told_before<T: State>(&self, kind: Kind, object: &T, at: Timestamp) -> bool {
        object.stamps().said() != 0 && object.stamps().stamp().time <= at && self.read_at(kind) <= at
    }

    /// When a kind was last read as a whole.
    pub(super) fn read_at(&self, kind: Kind) -> Timestamp {
        self.reads.get(&kind).copied().unwrap_or_default().at
    }

    /// Whether the read that is under way showed the object and nothing says so yet: what the bus said of before `at` could change it.
    pub fn is_to_confirm(&self, kind: Kind, id: &Id, at: Timestamp) -> bool {
        self.read_at(kind) < at
            && with_table!(self, kind, table => table.slot(id).is_some_and(|slot| {
                table.is_marked(slot) && table.at(slot).stamps().read_at() < at
            }))
    }

    /// Whether a read at `at` that shows the object as it is known says more of it than is known.
    pub fn is_confirmed_by(&self, kind: Kind, id: &Id, at: Timestamp) -> bool {
        self.read_at(kind) < at
            && with_table!(self, kind, table => table.get(id).is_some_and(|object| {
                object.stamps().said() != 0 && object.stamps().read_at() < at
            }))
    }

    /// Takes that a read at `at` showed an object, with these fields, as it is known: whatever the bus said of it before is history.
    pub fn confirm_object(&mut self, kind: Kind, id: &Id, at: Timestamp, given: Fields) {
        with_table!(self mut, kind, table => {
            if let Some(slot) = table.slot(id) {
                table.at_mut(slot).stamps_mut().confirm(given | EXISTS, at);
            }
        });
    }

    /// Whether it is news that the API did not know an object at `at`; never where anything later is known of it.
    pub fn is_absence_news(&self, kind: Kind, id: &Id, at: Timestamp) -> bool {
        if self.knows(kind, id) {
            return self.is_known_before(kind, id, at);
        }
        self.read_at(kind) < at && self.tombstones.get(kind, id).is_none_or(|died| died < at)
    }

    /// Takes that the API did not know an object at `at`: what was said of it before does not make it again.
    pub fn bury_unseen(&mut self, kind: Kind, id: &Id, at: Timestamp, now: Timestamp) {
        self.tombstones.bury(kind, id, Grave { died: at, learnt: now, is_final: false });
    }

    /// Whether an object was deleted, as far as that is remembered.
    pub fn is_dead(&self, kind: Kind, id: &Id) -> bool {
        self.tombstones.get(kind, id).is_some()
    }

    /// Whether a port is known with an address.
    pub fn has_addresses(&self, port: &Id) -> bool {
        self.ports.get(port).is_some_and(|port| !port.fixed_ips.is_empty())
    }

    /// Takes that a kind was read as a whole at `at`, with these fields of every object: whatever the bus said of it before is history.
    pub fn confirm(&mut self, kind: Kind, at: Timestamp, given: Fields) {
        let read = Arc::make_mut(&mut self.reads).entry(kind).or_default();
        if read.at <= at {
            *read = KindRead { at, given };
        }
    }

    /// Whether the object, as a read at `at` showed it, is to be merged: it is news in any of its fields, or the revision moved on. What
    /// it says of other objects, as a group of its rules, counts too.
    pub fn differs(&self, at: Timestamp, exact: bool, object: &Object) -> bool {
        let Some(id) = object.id() else { return false };
        let telling = self.read_telling(at, at, exact);
        if at < telling.read(object.kind()).at {
            // Since then the whole kind was read, which knows better; also where `at` is only the latest time that it may be of.
            return false;
        }
        if let Some(died) = self.tombstones.get(object.kind(), id) {
            return at > died;
        }
        match object {
            Object::Port(told) => {
                let is_cleared = told.device_owner.is_some()
                    && self
                        .ports
                        .get(id)
                        .and_then(|port| port.interface_of.as_ref())
                        .is_some_and(|told| told.time < at);
                is_cleared || is_news(&self.ports, id, told, &telling)
            }
            Object::SecurityGroup(told) => {
                is_news(&self.groups, id, told, &telling)
                    || told.rules.iter().flatten().any(|rule| self.rule_differs(rule, &telling))
            }
            Object::Rule(told) => is_news(&self.rules, id, told, &telling),
            Object::AddressGroup(told) => is_news(&self.address_groups, id, told, &telling),
            Object::FloatingIp(told) => {
                is_news(&self.floating_ips, id, told, &telling) || self.forwardings_differ(id, told, &telling)
            }
            Object::Forwarding(told) => is_news(&self.forwardings, id, told, &telling),
            Object::Router(told) => is_news(&self.routers, id, told, &telling),
            Object::Network(told) => is_news(&self.networks, id, told, &telling),
            Object::Subnet(told) => is_news(&self.subnets, id, told, &telling),
            Object::RbacPolicy(told) => is_news(&self.rbac_policies, id, told, &telling),
            Object::Trunk(told) => is_news(&self.trunks, id, told, &telling),
            Object::AddressScope(told) => is_news(&self.address_scopes, id, told, &telling),
            Object::SubnetPool(told) => is_news(&self.subnet_pools, id, told, &telling),
            Object::FirewallGroup(told) => is_news(&self.firewall_groups, id, told, &telling),
            Object::FirewallPolicy(told) => is_news(&self.firewall_policies, id, told, &telling),
            Object::FirewallRule(told) => is_news(&self.firewall_rules, id, told, &telling),
            Object::LoadBalancer(told) => is_news(&self.load_balancers, id, told, &telling),
            Object::Listener(told) => is_news(&self.listeners, id, told, &telling),
        }
    }

    fn rule_differs(&self, told: &event::Rule, telling: &Telling) -> bool {
        let Some(id) = &told.version.id else { return false };
        match self.tombstones.get(Kind::Rule, id) {
            Some(died) => telling.time > died,
            None => is_news(&self.rules, id, told, telling),
        }
    }

    /// Whether a floating IP's list tells anything new of its forwardings: of those in it, or that one is not in it.
    fn forwardings_differ(&self, id: &Id, told: &event::FloatingIp, telling: &Telling) -> bool {
        let Some(list) = &told.forwardings else { return false };
        let listed = |wanted: &Id| list.iter().any(|forwarding| forwarding_id(id, forwarding) == *wanted);
        let known = self.links.forwardings_by_floating.get(id).into_iter().flatten();
        let mut known = known.map(|&slot| self.forwardings.at(slot));
        list.iter().any(|forwarding| {
            let told = event::Forwarding { floatingip_id: Some(id.clone()), ..forwarding.clone() };
            is_news(&self.forwardings, &forwarding_id(id, forwarding), &told, telling)
        }) || known.any(|forwarding| {
            self.outer_address(forwarding).is_some()
                && !listed(&forwarding.id)
                && forwarding.stamps.stamp().time <= telling.time
        })
    }

    /// What a read at `at` says, handled at `now`.
    pub(super) fn read_telling(&self, now: Timestamp, at: Timestamp, exact: bool) -> Telling {
        let teller = Teller::Api { exact };
        Telling { teller, time: at, message: None, now, reads: Arc::clone(&self.reads) }
    }

    /// Notes how an object is before it is touched, where somebody asks.
    pub(super) fn remember(&self, kind: Kind, id: &Id, changes: &mut Changes) {
        if let Some(before) = &mut changes.before
            && !before.contains_key(&(kind, id.clone()))
        {
            before.insert((kind, id.clone()), self.written(kind, id));
        }
    }
}

/// What an object as told shows: itself, and what is listed in it as a whole; each with the fields that are told.
pub fn each_shown(object: &Object, with: &mut impl FnMut(Kind, &Id, Fields)) {
    let Some(id) = object.id() else { return };
    with(object.kind(), id, given(object));
    match object {
        Object::SecurityGroup(group) => {
            for rule in group.rules.iter().flatten() {
                if let Some(id) = &rule.version.id {
                    with(Kind::Rule, id, super::RuleState::given(rule));
                }
            }
        }
        Object::FloatingIp(floating) => {
            for forwarding in floating.forwardings.iter().flatten() {
                // The list does not repeat the id of the floating IP that it is in.
                let told = event::Forwarding { floatingip_id: Some(id.clone()), ..forwarding.clone() };
                with(Kind::Forwarding, &forwarding_id(id, forwarding), super::ForwardingState::given(&told));
            }
        }
        _ => {}
    }
}

/// The fields that an object as told speaks of.
pub fn given(object: &Object) -> Fields {
    match object {
        Object::Port(told) => super::PortState::given(told),
        Object::SecurityGroup(told) => super::GroupState::given(told),
        Object::Rule(told) => super::RuleState::given(told),
        Object::AddressGroup(told) => super::AddressGroupState::given(told),
        Object::FloatingIp(told) => super::FloatingIpState::given(told),
        Object::Forwarding(told) => super::ForwardingState::given(told),
        Object::Router(told) => super::RouterState::given(told),
        Object::Network(told) => super::NetworkState::given(told),
        Object::Subnet(told) => super::SubnetState::given(told),
        Object::RbacPolicy(told) => super::RbacPolicyState::given(told),
        Object::Trunk(told) => super::TrunkState::given(told),
        Object::AddressScope(told) => super::AddressScopeState::given(told),
        Object::SubnetPool(told) => super::SubnetPoolState::given(told),
        Object::FirewallGroup(told) => super::FirewallGroupState::given(told),
        Object::FirewallPolicy(told) => super::FirewallPolicyState::given(told),
        Object::FirewallRule(told) => super::FirewallRuleState::given(told),
        Object::LoadBalancer(told) => super::LoadBalancerState::given(told),
        Object::Listener(told) => super::ListenerState::given(told),
    }
}

/// Whether merging the statement would change the object, or say a revision that is not the object's.
fn is_news<T: State + Clone + PartialEq>(table: &Table<T>, id: &Id, told: &T::Told, telling: &Telling) -> bool
where
    T::Told: Versioned,
{
    let Some(known) = table.get(id).filter(|known| known.stamps().said() != 0) else { return true };
    let mut merged = known.clone();
    let news = admit(&mut merged, told, telling);
    merged.take(told, news);
    let revision = told.version().revision;
    let has_moved =
        news & !EXISTS != 0 && revision.is_some_and(|moved| moved != known.stamps().stamp().revision);
    merged.stamps_mut().clone_from(known.stamps());
    has_moved || merged != *known
}
