//! How exposure looks at a cloud: live, as it was, or as it would be.
//!
//! Functions over [`View`] never see how a cloud is stored. Slots are handles of one view at one moment.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::cloud::{CloudModel, ModelOptions, NOWHERE, with_table};
use super::permission::{Permission, host};
use super::row::{Row, Via};
use super::service_state::{
    FirewallGroupState, FirewallPolicyState, FirewallRuleState, ListenerState, LoadBalancerState,
};
use super::sketch::Sketch;
use super::stamp::FieldStamps;
use super::state::{
    FloatingIpState, ForwardingState, GroupState, NetworkState, PortState, RouterState, RuleState, State,
    SubnetState, TrunkState,
};
use super::table::{Slot, Table};
use crate::event::{Gateway, Kind};
use crate::ids::Id;

/// The address scope that addresses are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeOf<'a> {
    /// Nobody said: their network, or the pool that they are taken from, was not described.
    Unknown,
    /// In no scope, which is a scope of its own.
    None,
    /// In this one.
    In(&'a Id),
}

impl ScopeOf<'_> {
    /// Whether something may be routed from the one to the other untranslated, as far as it is known.
    pub fn may_be(self, other: Self) -> bool {
        self == other || self == Self::Unknown || other == Self::Unknown
    }
}

/// A cloud at one moment.
pub trait View {
    /// What an operator has set.
    fn options(&self) -> &ModelOptions;
    /// The region.
    fn region(&self) -> Option<&Arc<str>>;
    /// All ports, in no order that means anything.
    fn ports(&self) -> Vec<Slot>;
    /// One port.
    fn port(&self, slot: Slot) -> &PortState;
    /// The port with this id.
    fn port_slot(&self, id: &Id) -> Option<Slot>;
    /// Every row of one port.
    fn rows_of(&self, slot: Slot, out: &mut Vec<Row>);
    /// The rows of one port at the addresses that are wanted.
    fn rows_where(&self, slot: Slot, wanted: &dyn Fn(IpNet) -> bool, out: &mut Vec<Row>) {
        let others = out.len();
        self.rows_of(slot, out);
        let mut place = 0;
        out.retain(|row| {
            place += 1;
            place <= others || wanted(row.address)
        });
    }
    /// The rules that a port's groups apply to it: (group, rule, what it admits).
    fn rules_of(&self, slot: Slot) -> Vec<(&Id, &Id, Permission)>;
    /// The rules that a port's groups apply to it (rule, what it admits), without most that cover no part of these permissions: all are
    /// there that are of one's family and whose protocol and source cover its own.
    fn rules_over(&self, slot: Slot, permissions: &[&Permission]) -> Vec<(&Id, Permission)>;
    /// The set of groups whose rules, and nothing else, make the rows of an address: each rule of the address' family one row.
    /// None where another port of the network answers for the address or a floating IP has it too, or several ways lead from it to
    /// the port.
    fn lone_set(&self, slot: Slot, network: Option<&Id>, via: Via, address: IpNet) -> Option<Slot>;
    /// Ports with an address or an address pair that is or contains `address`; for `exact` only those with this very one.
    fn ports_holding(&self, address: IpNet, exact: bool) -> Vec<Slot>;
    /// Other ports of a network that answer for this very address.
    fn neighbours(&self, address: IpNet, network: Option<&Id>, port: &Id) -> Vec<Slot>;
    /// The addresses that a security group stands for as a source.
    fn members_of(&self, group: &Id) -> Vec<IpNet>;
    /// A security group that somebody described.
    fn group(&self, id: &Id) -> Option<&GroupState>;
    /// Ports on a network.
    fn ports_on(&self, network: &Id) -> Vec<Slot>;
    /// Floating IPs with an outer address.
    fn floating_ips_at(&self, address: IpAddr) -> Vec<&FloatingIpState>;
    /// Floating IPs that lead to a port.
    fn floating_ips_to(&self, port: &Id) -> Vec<&FloatingIpState>;
    /// The forwardings of a floating IP that are in force.
    fn forwardings_of(&self, floating_ip: &Id) -> Vec<&ForwardingState>;
    /// The forwardings that lead to a port and are in force, with their outer addresses.
    fn forwardings_to(&self, port: &Id) -> Vec<(IpAddr, &ForwardingState)>;
    /// A router.
    fn router(&self, id: &Id) -> Option<&RouterState>;
    /// All routers, in order of their ids.
    fn routers(&self) -> Vec<&RouterState>;
    /// The ports by which routers stand on a network.
    fn interfaces_on(&self, network: &Id) -> Vec<Slot>;
    /// The ports by which a router stands on its networks.
    fn interfaces_of(&self, router: &Id) -> Vec<Slot>;
    /// The external gateways that have this address, in order of their routers' ids.
    fn gateways_at(&self, address: IpAddr) -> Vec<(&RouterState, &Gateway)>;
    /// A network.
    fn network(&self, id: &Id) -> Option<&NetworkState>;
    /// Whether a network is external, by itself or by a policy.
    fn network_is_external(&self, id: &Id) -> bool;
    /// An address group's addresses.
    fn address_group(&self, id: &Id) -> Option<&[IpNet]>;
    /// A subnet.
    fn subnet(&self, id: &Id) -> Option<&SubnetState>;
    /// The subnets of a network, in order of their ids.
    fn subnets_of(&self, network: &Id) -> Vec<&SubnetState>;
    /// Whether any router has an extra route.
    fn has_extra_routes(&self) -> bool;
    /// Whether any router has an extra route over this next hop.
    fn is_next_hop(&self, address: IpAddr) -> bool;
    /// Routers with an extra route over this next hop, in order of their ids.
    fn routers_by_next_hop(&self, address: IpAddr) -> Vec<&RouterState>;
    /// The address scope of a network's addresses of one family.
    fn address_scope_of(&self, network: &Id, ipv6: bool) -> ScopeOf<'_>;
    /// The trunks that carry a port, in order of their ids.
    fn trunks_of(&self, sub_port: &Id) -> Vec<&TrunkState>;
    /// Whether any port has a firewall group.
    fn has_firewalls(&self) -> bool;
    /// The firewall groups of a port, in order of their ids.
    fn firewall_groups_of(&self, port: &Id) -> Vec<&FirewallGroupState>;
    /// A firewall policy.
    fn firewall_policy(&self, id: &Id) -> Option<&FirewallPolicyState>;
    /// A rule of firewall policies.
    fn firewall_rule(&self, id: &Id) -> Option<&FirewallRuleState>;
    /// The load balancers whose address a port holds, in order of their ids.
    fn load_balancers_of(&self, port: &Id) -> Vec<&LoadBalancerState>;
    /// The listeners of a load balancer, in order of their ids.
    fn listeners_of(&self, load_balancer: &Id) -> Vec<&ListenerState>;
    /// The name of an object that has one and is known.
    fn name_of(&self, kind: Kind, id: &Id) -> Option<&str>;
}

impl View for CloudModel {
    fn options(&self) -> &ModelOptions {
        &self.options
    }

    fn region(&self) -> Option<&Arc<str>> {
        self.region.as_ref()
    }

    fn ports(&self) -> Vec<Slot> {
        self.ports.iter().map(|(slot, _)| slot).collect()
    }

    fn port(&self, slot: Slot) -> &PortState {
        self.ports.at(slot)
    }

    fn port_slot(&self, id: &Id) -> Option<Slot> {
        self.ports.slot(id)
    }

    fn rows_of(&self, slot: Slot, out: &mut Vec<Row>) {
        self.rows_of_port(slot, out);
    }

    fn rows_where(&self, slot: Slot, wanted: &dyn Fn(IpNet) -> bool, out: &mut Vec<Row>) {
        self.rows_of_port_where(slot, wanted, out);
    }

    fn rules_of(&self, slot: Slot) -> Vec<(&Id, &Id, Permission)> {
        let set = self.links.ports[slot].set;
        if set == NOWHERE {
            return Vec::new();
        }
        let rules = self.links.sets[set].rules.iter();
        rules
            .filter_map(|&rule| {
                let group = self.groups.at(self.links.rules[rule].group);
                let rule = self.rules.at(rule);
                Some((&group.id, &rule.id, rule.permission()?))
            })
            .collect()
    }

    fn rules_over(&self, slot: Slot, permissions: &[&Permission]) -> Vec<(&Id, Permission)> {
        let set = self.links.ports[slot].set;
        if set == NOWHERE {
            return Vec::new();
        }
        let asked: Vec<Sketch> = permissions.iter().map(|permission| Sketch::new(permission)).collect();
        let rules = self.links.sets[set].rules.iter().filter(|&&rule| {
            let sketch = self.links.rules[rule].sketch;
            sketch.is_some_and(|sketch| asked.iter().any(|asked| sketch.may_cover(*asked)))
        });
        // Whoever looks at each of them before the first is worked on waits for memory once. All are ingress rules.
        let rules: Vec<&RuleState> =
            rules.map(|&rule| self.rules.at(rule)).filter(|rule| rule.ingress).collect();
        rules.into_iter().map(|rule| (&rule.id, rule.admits())).collect()
    }

    fn lone_set(&self, slot: Slot, network: Option<&Id>, via: Via, address: IpNet) -> Option<Slot> {
        let port = self.ports.at(slot);
        let links = self.links.ports[slot];
        let filtered = port.port_security_enabled && !port.trusted() && links.set != NOWHERE;
        if !filtered || !matches!(via, Via::Fixed | Via::Pair) || port.network_id.as_ref() != network {
            return None;
        }
        let is_shared = self.links.shared.contains(&(address, links.network));
        if is_shared || self.links.floating_by_address.contains_key(&address.addr()) {
            return None;
        }
        (self.only_door(port, address)? == via).then_some(links.set)
    }

    fn ports_holding(&self, address: IpNet, exact: bool) -> Vec<Slot> {
        let lengths = &self.links.prefix_lengths[super::cloud::family(address)];
        let mut slots = Vec::new();
        for &length in lengths.keys() {
            if length > address.prefix_len() || (exact && length != address.prefix_len()) {
                continue;
            }
            let Ok(prefix) = IpNet::new(address.addr(), length) else { continue };
            let prefix = prefix.trunc();
            let range = (prefix, 0, 0)..=(prefix, Slot::MAX, Slot::MAX);
            slots.extend(self.links.addresses.range(range).map(|(_, _, slot)| *slot));
        }
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    fn neighbours(&self, address: IpNet, network: Option<&Id>, port: &Id) -> Vec<Slot> {
        let network = network.and_then(|id| self.networks.slot(id)).unwrap_or(NOWHERE);
        let range = (address, network, 0)..=(address, network, Slot::MAX);
        let slots = self.links.addresses.range(range).map(|(_, _, slot)| *slot);
        slots.filter(|&slot| self.ports.at(slot).id != *port).collect()
    }

    fn members_of(&self, group: &Id) -> Vec<IpNet> {
        let Some(links) = self.groups.slot(group).and_then(|slot| self.links.groups.get(slot)) else {
            return Vec::new();
        };
        let mut members = Vec::new();
        for &set in &links.sets {
            for &slot in &self.links.sets[set].ports {
                let port = self.ports.at(slot);
                members.extend(port.fixed_ips.iter().map(|fixed| host(fixed.address)));
                if self.options.group_members_include_pairs {
                    members.extend(port.allowed_address_pairs.iter().copied());
                }
            }
        }
        members
    }

    fn group(&self, id: &Id) -> Option<&GroupState> {
        self.groups.get(id).filter(|group| group.described())
    }

    fn ports_on(&self, network: &Id) -> Vec<Slot> {
        let slot = self.networks.slot(network);
        slot.and_then(|slot| self.links.networks.get(slot)).cloned().unwrap_or_default()
    }

    fn floating_ips_at(&self, address: IpAddr) -> Vec<&FloatingIpState> {
        let slots = self.links.floating_by_address.get(&address).into_iter().flatten();
        slots.map(|&slot| self.floating_ips.at(slot)).collect()
    }

    fn floating_ips_to(&self, port: &Id) -> Vec<&FloatingIpState> {
        let slots = self.links.floating_by_port.get(port).into_iter().flatten();
        slots.map(|&slot| self.floating_ips.at(slot)).collect()
    }

    fn forwardings_of(&self, floating_ip: &Id) -> Vec<&ForwardingState> {
        let slots = self.links.forwardings_by_floating.get(floating_ip).into_iter().flatten();
        let all = slots.map(|&slot| self.forwardings.at(slot));
        all.filter(|forwarding| self.outer_address(forwarding).is_some()).collect()
    }

    fn forwardings_to(&self, port: &Id) -> Vec<(IpAddr, &ForwardingState)> {
        let slots = self.links.forwardings_by_port.get(port).into_iter().flatten();
        let all = slots.map(|&slot| self.forwardings.at(slot));
        all.filter_map(|forwarding| Some((self.outer_address(forwarding)?, forwarding))).collect()
    }

    fn router(&self, id: &Id) -> Option<&RouterState> {
        self.routers.get(id)
    }

    fn routers(&self) -> Vec<&RouterState> {
        let mut routers: Vec<&RouterState> = self.routers.iter().map(|(_, router)| router).collect();
        routers.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        routers
    }

    fn interfaces_on(&self, network: &Id) -> Vec<Slot> {
        let Some(network) = self.networks.slot(network) else { return Vec::new() };
        let interfaces = self.links.interfaces.range((network, 0)..=(network, Slot::MAX));
        interfaces.map(|(_, slot)| *slot).collect()
    }

    fn interfaces_of(&self, router: &Id) -> Vec<Slot> {
        self.links.interfaces_by_router.get(router).cloned().unwrap_or_default()
    }

    fn gateways_at(&self, address: IpAddr) -> Vec<(&RouterState, &Gateway)> {
        let slots = self.links.routers_by_gateway.get(&address).into_iter().flatten();
        let mut routers: Vec<&RouterState> = slots.map(|&slot| self.routers.at(slot)).collect();
        routers.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let gateways =
            routers.into_iter().flat_map(|router| router.gateways.iter().map(move |each| (router, each)));
        gateways
            .filter(|(_, gateway)| gateway.external_fixed_ips.iter().any(|fixed| fixed.address == address))
            .collect()
    }

    fn network(&self, id: &Id) -> Option<&NetworkState> {
        self.networks.get(id)
    }

    fn network_is_external(&self, id: &Id) -> bool {
        let network = self.networks.get(id);
        if network.is_some_and(|network| network.external) {
            return true;
        }
        // That it is not external, said later, means that the policies are gone: Neutron deletes them without a word (`_process_l3_update`).
        let denied =
            network.and_then(|network| network.stamps().of(NetworkState::EXTERNAL)).map(|told| told.time);
        let mut policies = self.links.external_by_policy.get(id).into_iter().flatten();
        policies.any(|&policy| denied <= Some(self.rbac_policies.at(policy).stamps().stamp().time))
    }

    fn address_group(&self, id: &Id) -> Option<&[IpNet]> {
        self.address_groups.get(id).map(|group| &*group.addresses)
    }

    fn subnet(&self, id: &Id) -> Option<&SubnetState> {
        self.subnets.get(id)
    }

    fn subnets_of(&self, network: &Id) -> Vec<&SubnetState> {
        by_id(&self.subnets, self.links.subnets_by_network.get(network))
    }

    fn has_extra_routes(&self) -> bool {
        !self.links.routers_by_next_hop.is_empty()
    }

    fn is_next_hop(&self, address: IpAddr) -> bool {
        self.links.routers_by_next_hop.contains_key(&address)
    }

    fn routers_by_next_hop(&self, address: IpAddr) -> Vec<&RouterState> {
        by_id(&self.routers, self.links.routers_by_next_hop.get(&address))
    }

    fn address_scope_of(&self, network: &Id, ipv6: bool) -> ScopeOf<'_> {
        // Neutron works it out from the pool of the network's subnets and tells nobody when that makes it another one.
        let slots = self.links.subnets_by_network.get(network).into_iter().flatten();
        let subnets = slots.map(|&slot| self.subnets.at(slot));
        let ours =
            subnets.filter(|subnet| subnet.cidr.is_some_and(|cidr| matches!(cidr, IpNet::V6(_)) == ipv6));
        let pooled = ours.filter_map(|subnet| {
            let pool = subnet.subnetpool_id.as_deref().filter(|pool| pool.text() != DELEGATED)?;
            Some((&subnet.id, self.subnet_pools.get(pool)))
        });
        // A network has one pool for each family; where a stale one is among them, the one that is known counts.
        if let Some((_, pool)) = pooled.min_by_key(|(subnet, pool)| (pool.is_none(), *subnet)) {
            let scope = pool.map(|pool| pool.address_scope_id.as_ref());
            return scope.map_or(ScopeOf::Unknown, |scope| scope.map_or(ScopeOf::None, ScopeOf::In));
        }
        let Some(network) = self.networks.get(network) else { return ScopeOf::Unknown };
        let (scope, field) = match ipv6 {
            true => (&network.ipv6_address_scope, NetworkState::IPV6_SCOPE),
            false => (&network.ipv4_address_scope, NetworkState::IPV4_SCOPE),
        };
        match scope.as_deref() {
            Some(scope) => ScopeOf::In(scope),
            None if network.stamps().said() & field == 0 => ScopeOf::Unknown,
            None => ScopeOf::None,
        }
    }

    fn trunks_of(&self, sub_port: &Id) -> Vec<&TrunkState> {
        by_id(&self.trunks, self.links.trunks_by_sub_port.get(sub_port))
    }

    fn has_firewalls(&self) -> bool {
        !self.links.firewall_groups_by_port.is_empty()
    }

    fn firewall_groups_of(&self, port: &Id) -> Vec<&FirewallGroupState> {
        by_id(&self.firewall_groups, self.links.firewall_groups_by_port.get(port))
    }

    fn firewall_policy(&self, id: &Id) -> Option<&FirewallPolicyState> {
        self.firewall_policies.get(id)
    }

    fn firewall_rule(&self, id: &Id) -> Option<&FirewallRuleState> {
        self.firewall_rules.get(id)
    }

    fn load_balancers_of(&self, port: &Id) -> Vec<&LoadBalancerState> {
        by_id(&self.load_balancers, self.links.load_balancers_by_port.get(port))
    }

    fn listeners_of(&self, load_balancer: &Id) -> Vec<&ListenerState> {
        by_id(&self.listeners, self.links.listeners_by_load_balancer.get(load_balancer))
    }

    fn name_of(&self, kind: Kind, id: &Id) -> Option<&str> {
        Self::name_of(self, kind, id)
    }
}

/// What Neutron writes for the pool of a subnet whose prefix a router of the provider delegates: it is in no address scope.
const DELEGATED: &str = "prefix_delegation";

/// The objects of a list of slots, in an order that depends on nothing but the cloud.
fn by_id<'a, T: State>(table: &'a Table<T>, slots: Option<&Vec<Slot>>) -> Vec<&'a T> {
    let mut objects: Vec<&T> = slots.into_iter().flatten().map(|&slot| table.at(slot)).collect();
    objects.sort_unstable_by(|a, b| a.id().cmp(b.id()));
    objects
}

impl CloudModel {
    /// The name of an object that has one and is known.
    pub fn name_of(&self, kind: Kind, id: &Id) -> Option<&str> {
        let name = match kind {
            Kind::Port => &self.ports.get(id)?.name,
            Kind::SecurityGroup => &self.groups.get(id)?.name,
            Kind::AddressGroup => &self.address_groups.get(id)?.name,
            Kind::Router => &self.routers.get(id)?.name,
            Kind::Network => &self.networks.get(id)?.name,
            Kind::Subnet => &self.subnets.get(id)?.name,
            Kind::AddressScope => &self.address_scopes.get(id)?.name,
            Kind::SubnetPool => &self.subnet_pools.get(id)?.name,
            Kind::FirewallGroup => &self.firewall_groups.get(id)?.name,
            Kind::FirewallPolicy => &self.firewall_policies.get(id)?.name,
            Kind::FirewallRule => &self.firewall_rules.get(id)?.name,
            Kind::LoadBalancer => &self.load_balancers.get(id)?.name,
            Kind::Listener => &self.listeners.get(id)?.name,
            Kind::Rule | Kind::FloatingIp | Kind::Forwarding | Kind::RbacPolicy | Kind::Trunk => return None,
        };
        (!name.is_empty()).then_some(name)
    }

    /// The project that owns an object, where both are known.
    pub fn project_of(&self, kind: Kind, id: &Id) -> Option<&Id> {
        with_table!(self, kind, table => table.get(id).and_then(State::project_id))
    }

    /// A rule of a security group that somebody has described.
    pub fn described_rule(&self, rule: &Id) -> Option<&RuleState> {
        self.rules.get(rule).filter(|rule| rule.security_group_id.is_some())
    }

    /// The ids of all objects of a kind, sorted.
    pub fn ids(&self, kind: Kind) -> Vec<Id> {
        with_table!(self, kind, table => table.ids())
    }

    pub(super) fn stamps_of(&self, kind: Kind, id: &Id) -> Option<&FieldStamps> {
        with_table!(self, kind, table => table.get(id).map(State::stamps))
    }
}
