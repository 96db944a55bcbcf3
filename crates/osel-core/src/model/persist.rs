//! The model written down line by line, and read back: snapshots of the whole, and versions of single objects.
//!
//! These lines are a cache of what the journal says. Whoever keeps them keeps [`MODEL_FORMAT`] beside them, and works the state out anew
//! from the journal when the number is one that it does not read. What was added without a new number may be missing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use super::cloud::CloudModel;
use super::delta::Delta;
use super::service_state::{
    AddressScopeState, FirewallGroupState, FirewallPolicyState, FirewallRuleState, ListenerState,
    LoadBalancerState, SubnetPoolState,
};
use super::stamp::{FieldStamps, Fields, KindRead};
use super::state::{
    AddressGroupState, FloatingIpState, ForwardingState, GroupState, NetworkState, PortState,
    RbacPolicyState, RouterState, RuleState, State, SubnetState, TrunkState,
};
use super::table::Table;
use super::tombstone::Grave;
use crate::event::Kind;
use crate::ids::Id;
use crate::time::Timestamp;

/// The form of the lines; raised with every change to a state's fields.
pub const MODEL_FORMAT: u32 = 6;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "a variant is what its type says")]
pub enum StateLine {
    Port(Box<PortState>),
    SecurityGroup(GroupState),
    Rule(Box<RuleState>),
    AddressGroup(AddressGroupState),
    FloatingIp(Box<FloatingIpState>),
    Forwarding(Box<ForwardingState>),
    Router(RouterState),
    Network(NetworkState),
    Subnet(SubnetState),
    RbacPolicy(RbacPolicyState),
    Trunk(TrunkState),
    AddressScope(AddressScopeState),
    SubnetPool(SubnetPoolState),
    FirewallGroup(FirewallGroupState),
    FirewallPolicy(FirewallPolicyState),
    FirewallRule(Box<FirewallRuleState>),
    LoadBalancer(LoadBalancerState),
    Listener(ListenerState),
    /// The object is not there any more.
    Gone {
        kind: Kind,
        id: Id,
    },
    /// A deletion that is remembered.
    Tombstone {
        kind: Kind,
        id: Id,
        died: Timestamp,
        learnt: Timestamp,
        /// Nobody told of it: the API was asked in vain.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unseen: bool,
    },
    /// A kind was read as a whole.
    ReadAt {
        kind: Kind,
        at: Timestamp,
        /// The fields that were shown of every object; none in lines from before that was noted.
        #[serde(default)]
        given: Option<Fields>,
    },
}

impl StateLine {
    /// The object that the line is of, with who said what last.
    fn object(&self) -> Option<(Kind, &Id, &FieldStamps)> {
        fn of<T: State>(kind: Kind, state: &T) -> Option<(Kind, &Id, &FieldStamps)> {
            Some((kind, state.id(), state.stamps()))
        }
        match self {
            Self::Port(port) => of(Kind::Port, &**port),
            Self::SecurityGroup(group) => of(Kind::SecurityGroup, group),
            Self::Rule(rule) => of(Kind::Rule, &**rule),
            Self::AddressGroup(group) => of(Kind::AddressGroup, group),
            Self::FloatingIp(floating) => of(Kind::FloatingIp, &**floating),
            Self::Forwarding(forwarding) => of(Kind::Forwarding, &**forwarding),
            Self::Router(router) => of(Kind::Router, router),
            Self::Network(network) => of(Kind::Network, network),
            Self::Subnet(subnet) => of(Kind::Subnet, subnet),
            Self::RbacPolicy(policy) => of(Kind::RbacPolicy, policy),
            Self::Trunk(trunk) => of(Kind::Trunk, trunk),
            Self::AddressScope(object) => of(Kind::AddressScope, object),
            Self::SubnetPool(object) => of(Kind::SubnetPool, object),
            Self::FirewallGroup(object) => of(Kind::FirewallGroup, object),
            Self::FirewallPolicy(object) => of(Kind::FirewallPolicy, object),
            Self::FirewallRule(object) => of(Kind::FirewallRule, &**object),
            Self::LoadBalancer(object) => of(Kind::LoadBalancer, object),
            Self::Listener(object) => of(Kind::Listener, object),
            Self::Gone { .. } | Self::Tombstone { .. } | Self::ReadAt { .. } => None,
        }
    }

    /// Which object the line shows; nothing for a line about an object that is not there, or about a kind.
    pub fn subject(&self) -> Option<(Kind, &Id)> {
        self.object().map(|(kind, id, _)| (kind, id))
    }

    /// Whether anybody ever said which tags an object has; true where it has none at any time.
    pub(super) fn says_tags(&self) -> bool {
        let field = match self {
            Self::Port(_) => PortState::TAGS,
            Self::SecurityGroup(_) => GroupState::TAGS,
            Self::FloatingIp(_) => FloatingIpState::TAGS,
            _ => return true,
        };
        self.object().is_none_or(|(.., stamps)| stamps.said() & field != 0)
    }

    /// The revision of an object, 0 where there is none.
    pub fn revision(&self) -> u64 {
        self.object().map_or(0, |(.., stamps)| stamps.stamp().revision)
    }
}

impl CloudModel {
    /// The lines that make up the whole model, objects by kind and id.
    pub fn lines(&self) -> impl Iterator<Item = StateLine> + '_ {
        let objects =
            Kind::ALL.into_iter().flat_map(|kind| self.ids(kind).into_iter().map(move |id| (kind, id)));
        let objects = objects.filter_map(|(kind, id)| self.written(kind, &id));
        let tombstones = self.tombstones.iter().map(|(kind, id, grave)| {
            let Grave { died, learnt, is_final } = grave;
            StateLine::Tombstone { kind, id: id.clone(), died, learnt, unseen: !is_final }
        });
        let reads = self.reads.iter();
        let reads =
            reads.map(|(&kind, &KindRead { at, given })| StateLine::ReadAt { kind, at, given: Some(given) });
        objects.chain(tombstones).chain(reads)
    }

    /// One object as it is now; [`StateLine::Gone`] when it is not there.
    pub fn line(&self, kind: Kind, id: &Id) -> StateLine {
        self.written(kind, id).unwrap_or_else(|| StateLine::Gone { kind, id: id.clone() })
    }

    /// None for an object that does not exist or that nobody described: others name it, and that makes it again.
    pub(super) fn written(&self, kind: Kind, id: &Id) -> Option<StateLine> {
        Some(match kind {
            Kind::Port => StateLine::Port(Box::new(self.ports.get(id)?.clone())),
            Kind::SecurityGroup => StateLine::SecurityGroup(told(&self.groups, id)?),
            Kind::Rule => StateLine::Rule(Box::new(self.rules.get(id)?.clone())),
            Kind::AddressGroup => StateLine::AddressGroup(self.address_groups.get(id)?.clone()),
            Kind::FloatingIp => StateLine::FloatingIp(Box::new(self.floating_ips.get(id)?.clone())),
            Kind::Forwarding => StateLine::Forwarding(Box::new(self.forwardings.get(id)?.clone())),
            Kind::Router => StateLine::Router(self.routers.get(id)?.clone()),
            Kind::Network => StateLine::Network(told(&self.networks, id)?),
            Kind::Subnet => StateLine::Subnet(self.subnets.get(id)?.clone()),
            Kind::RbacPolicy => StateLine::RbacPolicy(self.rbac_policies.get(id)?.clone()),
            Kind::Trunk => StateLine::Trunk(self.trunks.get(id)?.clone()),
            Kind::AddressScope => StateLine::AddressScope(self.address_scopes.get(id)?.clone()),
            Kind::SubnetPool => StateLine::SubnetPool(self.subnet_pools.get(id)?.clone()),
            Kind::FirewallGroup => StateLine::FirewallGroup(self.firewall_groups.get(id)?.clone()),
            Kind::FirewallPolicy => StateLine::FirewallPolicy(self.firewall_policies.get(id)?.clone()),
            Kind::FirewallRule => StateLine::FirewallRule(Box::new(self.firewall_rules.get(id)?.clone())),
            Kind::LoadBalancer => StateLine::LoadBalancer(self.load_balancers.get(id)?.clone()),
            Kind::Listener => StateLine::Listener(self.listeners.get(id)?.clone()),
        })
    }

    /// Puts an object back as it was written down, over what is there.
    pub fn restore(&mut self, line: StateLine) {
        self.put_back(line, &mut Changes { silent: true, ..Changes::default() });
    }

    /// The same, and says what it changed: the rows that are there now and were not before, and those that went.
    pub fn restore_telling(&mut self, line: StateLine) -> Delta {
        let mut changes = Changes::default();
        self.put_back(line, &mut changes);
        changes.into_delta()
    }

    fn put_back(&mut self, line: StateLine, changes: &mut Changes) {
        match line {
            StateLine::Port(port) => {
                let id = port.id.clone();
                self.change_port_as(&id, changes, false, |slot| {
                    *slot = *port;
                    true
                });
            }
            StateLine::Rule(rule) => {
                let slot = self.rules.slot_or_insert(&rule.id);
                let before = std::mem::replace(self.rules.at_mut(slot), *rule).standing();
                self.share_protocol(slot);
                self.relink_rule(slot, before, changes);
            }
            StateLine::FloatingIp(mut floating) => {
                self.tag_lists.share(&mut floating.tags);
                let (id, port) = (floating.id.clone(), floating.port_id.clone());
                self.around_floating_ip(&id, port.as_ref(), changes, |model, _| {
                    let slot = model.floating_ips.slot_or_insert(&id);
                    model.unlink_floating_ip(slot);
                    *model.floating_ips.at_mut(slot) = *floating;
                    model.link_floating_ip(slot);
                });
            }
            StateLine::Forwarding(forwarding) => {
                let id = forwarding.id.clone();
                let before = self.forwardings.get(&id).and_then(|before| before.internal_port_id.clone());
                let ports = before.into_iter().chain(forwarding.internal_port_id.clone()).collect();
                self.around_ports(&ports, changes, |model, _| {
                    let slot = model.forwardings.slot_or_insert(&id);
                    model.unlink_forwarding(slot);
                    *model.forwardings.at_mut(slot) = *forwarding;
                    model.link_forwarding(slot);
                });
            }
            StateLine::Subnet(subnet) => {
                let id = subnet.id.clone();
                self.relink_subnet(&id, |model| put(&mut model.subnets, subnet));
            }
            StateLine::RbacPolicy(policy) => {
                let id = policy.id.clone();
                self.relink_policy(&id, |model| put(&mut model.rbac_policies, policy));
            }
            StateLine::SecurityGroup(mut group) => {
                self.tag_lists.share(&mut group.tags);
                put(&mut self.groups, group);
            }
            StateLine::AddressGroup(group) => put(&mut self.address_groups, group),
            StateLine::Router(router) => {
                let id = router.id.clone();
                self.relink_router(&id, |model| put(&mut model.routers, router));
            }
            StateLine::Network(network) => put(&mut self.networks, network),
            StateLine::Trunk(trunk) => {
                self.relink_trunk(&trunk.id.clone(), |table| put(table, trunk));
            }
            StateLine::AddressScope(scope) => put(&mut self.address_scopes, scope),
            StateLine::SubnetPool(pool) => put(&mut self.subnet_pools, pool),
            StateLine::FirewallGroup(group) => {
                self.relink_firewall_group(&group.id.clone(), |table| put(table, group));
            }
            StateLine::FirewallPolicy(policy) => put(&mut self.firewall_policies, policy),
            StateLine::FirewallRule(rule) => put(&mut self.firewall_rules, *rule),
            StateLine::LoadBalancer(balancer) => {
                self.relink_load_balancer(&balancer.id.clone(), |table| put(table, balancer));
            }
            StateLine::Listener(listener) => {
                self.relink_listener(&listener.id.clone(), |table| put(table, listener));
            }
            StateLine::Gone { kind, id } => self.remove(kind, &id, changes),
            StateLine::Tombstone { kind, id, died, learnt, unseen } => {
                self.tombstones.bury(kind, &id, Grave { died, learnt, is_final: !unseen });
            }
            StateLine::ReadAt { kind, at, given } => {
                Arc::make_mut(&mut self.reads).insert(kind, KindRead { at, given: given.unwrap_or(0) });
            }
        }
    }
}

fn told<T: State + Clone>(table: &Table<T>, id: &Id) -> Option<T> {
    table.get(id).filter(|object| object.stamps().said() != 0).cloned()
}

fn put<T: State>(table: &mut Table<T>, state: T) {
    let slot = table.slot_or_insert(state.id());
    *table.at_mut(slot) = state;
}
