//! Objects of address scopes, firewalls and load balancers, and a router's extra routes, read as `neutron_objects` reads its own.

use super::defect::Fault;
use super::neutron_objects::{Common, port_range, protocol};
use super::tape::Value;
use crate::event::{
    AddressScope, FirewallGroup, FirewallPolicy, FirewallRule, Listener, LoadBalancer, Route, SubnetPool,
};

/// One of a router's routes; nothing where one of its ends is missing.
pub(super) fn route(entry: Value<'_>) -> Result<Option<Route>, Fault> {
    let Some(entry) = entry.object_or_null()? else { return Ok(None) };
    let destination = entry.get("destination").map_or(Ok(None), Value::prefix)?;
    let next_hop = entry.get("nexthop").map_or(Ok(None), Value::address)?;
    Ok(destination.zip(next_hop).map(|(destination, next_hop)| Route { destination, next_hop }))
}

pub(super) fn address_scope(body: Value<'_>) -> Result<AddressScope, Fault> {
    let (mut scope, mut common) = (AddressScope::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => scope.name = value.name()?,
            _ => common.take(key, value)?,
        }
    }
    scope.version = common.finish();
    Ok(scope)
}

pub(super) fn subnet_pool(body: Value<'_>) -> Result<SubnetPool, Fault> {
    let (mut pool, mut common) = (SubnetPool::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => pool.name = value.name()?,
            b"address_scope_id" => pool.address_scope_id = Some(value.id()?),
            _ => common.take(key, value)?,
        }
    }
    pool.version = common.finish();
    Ok(pool)
}

pub(super) fn firewall_group(body: Value<'_>) -> Result<FirewallGroup, Fault> {
    let (mut group, mut common) = (FirewallGroup::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => group.name = value.name()?,
            b"admin_state_up" => group.admin_state_up = value.flag()?,
            b"ports" => group.ports = Some(value.list(Value::id)?),
            b"ingress_firewall_policy_id" => group.ingress_policy_id = Some(value.id()?),
            b"egress_firewall_policy_id" => group.egress_policy_id = Some(value.id()?),
            _ => common.take(key, value)?,
        }
    }
    group.version = common.finish();
    Ok(group)
}

pub(super) fn firewall_policy(body: Value<'_>) -> Result<FirewallPolicy, Fault> {
    let (mut policy, mut common) = (FirewallPolicy::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => policy.name = value.name()?,
            b"firewall_rules" => policy.rules = Some(value.list(Value::id)?),
            _ => common.take(key, value)?,
        }
    }
    policy.version = common.finish();
    Ok(policy)
}

pub(super) fn firewall_rule(body: Value<'_>) -> Result<FirewallRule, Fault> {
    let (mut rule, mut common) = (FirewallRule::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => rule.name = value.name()?,
            b"enabled" => rule.enabled = value.flag()?,
            b"action" => rule.allows = value.name()?.map(|action| &*action == "allow"),
            b"ip_version" => rule.ipv6 = value.integer(4, 6)?.map(|version| version == 6),
            b"protocol" => rule.protocol = Some(protocol(value)?),
            b"source_ip_address" => rule.source = Some(value.prefix()?),
            b"destination_ip_address" => rule.destination = Some(value.prefix()?),
            b"source_port" => rule.source_ports = Some(port_range(value)?),
            b"destination_port" => rule.destination_ports = Some(port_range(value)?),
            _ => common.take(key, value)?,
        }
    }
    rule.version = common.finish();
    Ok(rule)
}

/// Octavia's API calls it `id`, its notifications `loadbalancer_id`.
pub(super) fn load_balancer(body: Value<'_>) -> Result<LoadBalancer, Fault> {
    let (mut balancer, mut common) = (LoadBalancer::default(), Common::default());
    let mut notified_id = None;
    for (key, value) in body.members() {
        match key {
            b"loadbalancer_id" => notified_id = value.id()?,
            b"name" => balancer.name = value.name()?,
            b"admin_state_up" => balancer.admin_state_up = value.flag()?,
            b"vip_port_id" => balancer.vip_port_id = Some(value.id()?),
            b"vip_address" => balancer.vip_address = Some(value.address()?),
            _ => common.take(key, value)?,
        }
    }
    balancer.version = common.finish();
    balancer.version.id = balancer.version.id.or(notified_id);
    Ok(balancer)
}

pub(super) fn listener(body: Value<'_>) -> Result<Listener, Fault> {
    let (mut listener, mut common) = (Listener::default(), Common::default());
    let mut asked_for = None;
    for (key, value) in body.members() {
        match key {
            b"name" => listener.name = value.name()?,
            b"admin_state_up" => listener.admin_state_up = value.flag()?,
            b"loadbalancers" => {
                let all = value.list(|entry| match entry.object_or_null()? {
                    Some(entry) => entry.get("id").map_or(Ok(None), Value::id),
                    None => Ok(None),
                })?;
                listener.loadbalancer_id = all.into_iter().next();
            }
            b"loadbalancer_id" => asked_for = value.id()?,
            b"protocol" => listener.protocol = value.name()?,
            b"protocol_port" => {
                let port = value.integer(0, i64::from(u16::MAX))?;
                listener.protocol_port = port.and_then(|port| u16::try_from(port).ok());
            }
            b"allowed_cidrs" => listener.allowed_cidrs = Some(value.list(Value::prefix)?),
            _ => common.take(key, value)?,
        }
    }
    listener.loadbalancer_id = listener.loadbalancer_id.or(asked_for);
    listener.version = common.finish();
    Ok(listener)
}
