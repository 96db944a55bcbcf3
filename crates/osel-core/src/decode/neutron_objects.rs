//! Neutron's objects, read from a notification's payload or from an answer of the API.
//!
//! Each reader goes over the members once and takes what the model needs; a wrong type in one of those is a
//! fault, everything else is passed over. What the fields mean together is for the model.

use super::Named;
use super::defect::{DefectKind, Fault};
use super::fields::parse_prefix;
use super::service_objects as services;
use super::tape::{Token, Value};
use crate::event::{
    AddressGroup, FixedIp, FloatingIp, Forwarding, Gateway, Kind, Mac, Network, Object, Port, PortRange,
    RbacPolicy, Router, Rule, SecurityGroup, Subnet, Tags, Trunk, Version,
};
use crate::ids::Id;
use crate::time::Timestamp;

/// Of `ipv6_address_mode` and `ipv6_ra_mode`: ports have an address of the subnet without asking for one (Neutron:
/// `is_auto_address_subnet`).
const GIVING_MODES: [&str; 2] = ["slaac", "dhcpv6-stateless"];

/// Reads one object of a kind; its id may be missing (in a request to create it).
pub(super) fn object(kind: Kind, body: Value<'_>) -> Result<Object, Fault> {
    if !body.is_object() {
        return Err(body.fault(DefectKind::WrongType));
    }
    Ok(match kind {
        Kind::Port => Object::Port(port(body)?),
        Kind::SecurityGroup => Object::SecurityGroup(security_group(body)?),
        Kind::Rule => Object::Rule(rule(body)?),
        Kind::AddressGroup => Object::AddressGroup(address_group(body)?),
        Kind::FloatingIp => Object::FloatingIp(floating_ip(body)?),
        Kind::Forwarding => Object::Forwarding(forwarding(body)?),
        Kind::Router => Object::Router(router(body)?),
        Kind::Network => Object::Network(network(body)?),
        Kind::Subnet => Object::Subnet(subnet(body)?),
        Kind::RbacPolicy => Object::RbacPolicy(rbac_policy(body)?),
        Kind::Trunk => Object::Trunk(trunk(body)?),
        Kind::AddressScope => Object::AddressScope(services::address_scope(body)?),
        Kind::SubnetPool => Object::SubnetPool(services::subnet_pool(body)?),
        Kind::FirewallGroup => Object::FirewallGroup(services::firewall_group(body)?),
        Kind::FirewallPolicy => Object::FirewallPolicy(services::firewall_policy(body)?),
        Kind::FirewallRule => Object::FirewallRule(services::firewall_rule(body)?),
        Kind::LoadBalancer => Object::LoadBalancer(services::load_balancer(body)?),
        Kind::Listener => Object::Listener(services::listener(body)?),
    })
}

/// Reads one object that exists: it has an id, and so has every rule inside of a group.
pub(super) fn existing(kind: Kind, body: Value<'_>) -> Result<Object, Fault> {
    let object = object(kind, body)?;
    let missing = body.fault(DefectKind::MissingId);
    if object.id().is_none() {
        return Err(missing);
    }
    if let Object::SecurityGroup(group) = &object
        && let Some(rules) = &group.rules
        && rules.iter().any(|rule| rule.version.id.is_none())
    {
        return Err(missing);
    }
    Ok(object)
}

/// The members that all objects share, collected while the others are read.
#[derive(Default)]
pub(super) struct Common {
    version: Version,
    tenant: Option<Option<Id>>,
}

impl Common {
    pub(super) fn take(&mut self, key: &[u8], value: Value<'_>) -> Result<(), Fault> {
        match key {
            b"id" => self.version.id = value.id()?,
            b"revision_number" => self.version.revision = value.integer(0, i64::MAX)?.map(i64::unsigned_abs),
            b"project_id" => self.version.project_id = Some(value.id()?),
            b"tenant_id" => self.tenant = Some(value.id()?),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Version {
        let mut version = self.version;
        if !matches!(version.project_id, Some(Some(_))) && self.tenant.is_some() {
            version.project_id = self.tenant;
        }
        version
    }
}

/// Tags; nothing where they are no list. They open and close nothing, so no body is refused for them.
fn tags(value: Value<'_>) -> Option<Tags> {
    (value.token() == Token::Array).then(|| Tags::new(value.items().filter_map(Value::text)))
}

fn port(body: Value<'_>) -> Result<Port, Fault> {
    let (mut port, mut common) = (Port::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => port.name = value.name()?,
            b"network_id" => port.network_id = value.id()?,
            b"device_id" => port.device_id = Some(value.chosen_id()?),
            b"device_owner" => port.device_owner = Some(value.name()?.filter(|owner| !owner.is_empty())),
            b"admin_state_up" => port.admin_state_up = value.flag()?,
            b"port_security_enabled" => port.port_security_enabled = value.flag()?,
            // Nobody chooses what an odd one would be read as, and a port must not be refused for it.
            b"mac_address" => port.mac_address = value.text().and_then(|text| Mac::parse(&text)),
            b"fixed_ips" => port.fixed_ips = Some(value.list(fixed_ip)?),
            b"allowed_address_pairs" => {
                port.allowed_address_pairs = Some(value.list(|pair| match pair.object_or_null()? {
                    Some(pair) => pair.get("ip_address").map_or(Ok(None), Value::prefix),
                    None => Ok(None),
                })?);
            }
            b"security_groups" => port.security_groups = Some(value.list(Value::id)?),
            b"tags" => port.tags = tags(value),
            _ => common.take(key, value)?,
        }
    }
    port.version = common.finish();
    Ok(port)
}

/// An address with its subnet; nothing where the address is still to be chosen.
fn fixed_ip(entry: Value<'_>) -> Result<Option<FixedIp>, Fault> {
    let Some(entry) = entry.object_or_null()? else { return Ok(None) };
    let Some(address) = entry.get("ip_address").map_or(Ok(None), Value::address)? else { return Ok(None) };
    let subnet_id = entry.get("subnet_id").map_or(Ok(None), Value::id)?;
    Ok(Some(FixedIp { subnet_id, address }))
}

fn security_group(body: Value<'_>) -> Result<SecurityGroup, Fault> {
    let (mut group, mut common) = (SecurityGroup::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => group.name = value.name()?,
            b"stateful" => group.stateful = value.flag()?,
            b"tags" => group.tags = tags(value),
            b"security_group_rules" => {
                group.rules = Some(value.list(|entry| match entry.object_or_null()? {
                    Some(entry) => rule(entry).map(Some),
                    None => Ok(None),
                })?);
            }
            _ => common.take(key, value)?,
        }
    }
    group.version = common.finish();
    for rule in group.rules.iter_mut().flatten() {
        if rule.security_group_id.is_none() {
            rule.security_group_id.clone_from(&group.version.id);
        }
    }
    Ok(group)
}

fn rule(body: Value<'_>) -> Result<Rule, Fault> {
    let (mut rule, mut common) = (Rule::default(), Common::default());
    let (mut prefix, mut normalized) = (None, None);
    for (key, value) in body.members() {
        match key {
            b"security_group_id" => rule.security_group_id = value.id()?,
            b"direction" => rule.ingress = direction(value)?,
            b"ethertype" => rule.ipv6 = ethertype(value)?,
            b"protocol" => rule.protocol = Some(protocol(value)?),
            b"port_range_min" => rule.port_range_min = Some(port_bound(value)?),
            b"port_range_max" => rule.port_range_max = Some(port_bound(value)?),
            b"remote_ip_prefix" => prefix = Some(value),
            b"normalized_cidr" => normalized = Some(value),
            b"remote_group_id" => rule.remote_group_id = Some(value.id()?),
            b"remote_address_group_id" => rule.remote_address_group_id = Some(value.id()?),
            _ => common.take(key, value)?,
        }
    }
    if let Some(prefix) = prefix {
        rule.remote_ip_prefix = Some(match prefix.prefix() {
            // Written in a way that only Neutron's own library reads; it says itself what it made of it.
            Err(fault) if fault.kind == DefectKind::NotAnAddress => {
                let text = normalized.and_then(Value::text);
                Some(text.and_then(|text| parse_prefix(&text)).ok_or(fault)?)
            }
            read => read?,
        });
    }
    rule.version = common.finish();
    Ok(rule)
}

fn direction(value: Value<'_>) -> Result<Option<bool>, Fault> {
    match value.text_or_null()?.as_deref() {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("ingress") => Ok(Some(true)),
        Some(text) if text.eq_ignore_ascii_case("egress") => Ok(Some(false)),
        Some(_) => Err(value.fault(DefectKind::WrongType)),
    }
}

/// True for IPv6. Operators may permit other Ethernet types (`0x4008`): such a rule admits no IP packet, so
/// it is neither.
fn ethertype(value: Value<'_>) -> Result<Option<bool>, Fault> {
    let number = value.number().map(Into::into);
    let Some(text) = number.map_or_else(|| value.text_or_null(), |digits| Ok(Some(digits)))? else {
        return Ok(None);
    };
    match text.to_ascii_lowercase().as_str() {
        "ipv4" | "4" => Ok(Some(false)),
        "ipv6" | "6" => Ok(Some(true)),
        other if other.starts_with("0x") => Ok(None),
        _ => Err(value.fault(DefectKind::WrongType)),
    }
}

pub(super) fn protocol(value: Value<'_>) -> Result<Option<Box<str>>, Fault> {
    match value.number() {
        Some(_) => Ok(value.integer(-1, 255)?.map(|number| number.to_string().into())),
        None => Ok(value.name()?.filter(|name| !name.is_empty())),
    }
}

fn port_bound(value: Value<'_>) -> Result<Option<i32>, Fault> {
    Ok(value.integer(-1, 65_535)?.and_then(|number| i32::try_from(number).ok()))
}

fn address_group(body: Value<'_>) -> Result<AddressGroup, Fault> {
    let (mut group, mut common) = (AddressGroup::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => group.name = value.name()?,
            b"addresses" => group.addresses = Some(value.list(Value::prefix)?),
            _ => common.take(key, value)?,
        }
    }
    group.version = common.finish();
    Ok(group)
}

fn floating_ip(body: Value<'_>) -> Result<FloatingIp, Fault> {
    let (mut floating, mut common) = (FloatingIp::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"floating_ip_address" => floating.floating_ip_address = value.address()?,
            b"floating_network_id" => floating.floating_network_id = value.id()?,
            b"fixed_ip_address" => floating.fixed_ip_address = Some(value.address()?),
            b"port_id" => floating.port_id = Some(value.id()?),
            b"router_id" => floating.router_id = Some(value.id()?),
            b"tags" => floating.tags = tags(value),
            b"port_forwardings" => {
                floating.forwardings = Some(value.list(|entry| match entry.object_or_null()? {
                    Some(entry) => forwarding(entry).map(Some),
                    None => Ok(None),
                })?);
            }
            _ => common.take(key, value)?,
        }
    }
    floating.version = common.finish();
    for forwarding in floating.forwardings.iter_mut().flatten() {
        forwarding.floatingip_id.clone_from(&floating.version.id);
    }
    Ok(floating)
}

fn forwarding(body: Value<'_>) -> Result<Forwarding, Fault> {
    let (mut forwarding, mut common) = (Forwarding::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"floatingip_id" => forwarding.floatingip_id = value.id()?,
            b"protocol" => forwarding.protocol = protocol(value)?,
            b"internal_port_id" => forwarding.internal_port_id = value.id()?,
            b"internal_ip_address" => forwarding.internal_ip_address = value.address()?,
            b"internal_port" | b"internal_port_range" => {
                forwarding.internal = port_range(value)?.or(forwarding.internal);
            }
            b"external_port" | b"external_port_range" => {
                forwarding.external = port_range(value)?.or(forwarding.external);
            }
            _ => common.take(key, value)?,
        }
    }
    forwarding.version = common.finish();
    Ok(forwarding)
}

/// `80`, `"80"` or `"80:90"`.
pub(super) fn port_range(value: Value<'_>) -> Result<Option<PortRange>, Fault> {
    if value.number().is_some() || value.is_null() {
        let port = value.integer(0, 65_535)?.and_then(|port| u16::try_from(port).ok());
        return Ok(port.map(|port| PortRange { min: port, max: port }));
    }
    let Some(text) = value.text_or_null()? else { return Ok(None) };
    let (min, max) = text.split_once(':').unwrap_or((&text, &text));
    match (min.parse::<u16>(), max.parse::<u16>()) {
        (Ok(min), Ok(max)) if min <= max => Ok(Some(PortRange { min, max })),
        (Ok(_), Ok(_)) => Err(value.fault(DefectKind::NumberRange)),
        _ => Err(value.fault(DefectKind::WrongType)),
    }
}

fn router(body: Value<'_>) -> Result<Router, Fault> {
    let (mut router, mut common) = (Router::default(), Common::default());
    let (mut first, mut all) = (None, None);
    for (key, value) in body.members() {
        match key {
            b"name" => router.name = value.name()?,
            b"admin_state_up" => router.admin_state_up = value.flag()?,
            b"external_gateway_info" => first = Some(value),
            b"external_gateways" => all = Some(value),
            b"routes" => router.routes = Some(value.list(services::route)?),
            b"distributed" => router.distributed = value.flag()?,
            _ => common.take(key, value)?,
        }
    }
    if first.is_some() || all.is_some() {
        let mut gateways = Vec::new();
        // An empty object is how a request says that there shall be no gateway.
        if let Some(info) = first.map_or(Ok(None), Value::object_or_null)?
            && info.members().next().is_some()
        {
            gateways.push(gateway(info)?);
        }
        let more = all.map_or(Ok(Vec::new()), |all| {
            all.list(|entry| entry.object_or_null()?.map(gateway).transpose())
        })?;
        for gateway in more {
            let is_same = |known: &&mut Gateway| {
                known.network_id == gateway.network_id
                    && known.external_fixed_ips == gateway.external_fixed_ips
            };
            match gateways.iter_mut().find(is_same) {
                Some(known) => known.enable_snat = known.enable_snat.or(gateway.enable_snat),
                None => gateways.push(gateway),
            }
        }
        router.gateways = Some(gateways);
    }
    router.version = common.finish();
    Ok(router)
}

fn gateway(body: Value<'_>) -> Result<Gateway, Fault> {
    let mut gateway = Gateway::default();
    for (key, value) in body.members() {
        match key {
            b"network_id" => gateway.network_id = value.id()?,
            b"enable_snat" => gateway.enable_snat = value.flag()?,
            b"external_fixed_ips" => gateway.external_fixed_ips = value.list(fixed_ip)?,
            _ => {}
        }
    }
    Ok(gateway)
}

fn network(body: Value<'_>) -> Result<Network, Fault> {
    let (mut network, mut common) = (Network::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => network.name = value.name()?,
            b"admin_state_up" => network.admin_state_up = value.flag()?,
            b"router:external" => network.external = value.flag()?,
            b"shared" => network.shared = value.flag()?,
            b"ipv4_address_scope" => network.ipv4_address_scope = Some(value.id()?),
            b"ipv6_address_scope" => network.ipv6_address_scope = Some(value.id()?),
            _ => common.take(key, value)?,
        }
    }
    network.version = common.finish();
    Ok(network)
}

fn subnet(body: Value<'_>) -> Result<Subnet, Fault> {
    let (mut subnet, mut common) = (Subnet::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"name" => subnet.name = value.name()?,
            b"network_id" => subnet.network_id = value.id()?,
            b"cidr" => subnet.cidr = value.prefix()?,
            b"gateway_ip" => subnet.gateway_ip = Some(value.address()?),
            b"subnetpool_id" => subnet.subnetpool_id = Some(value.id()?),
            b"ipv6_address_mode" | b"ipv6_ra_mode" => {
                let gives = value.text().is_some_and(|mode| GIVING_MODES.contains(&&*mode));
                subnet.gives_addresses = Some(gives || subnet.gives_addresses == Some(true));
            }
            b"created_at" => subnet.created_at = value.text().and_then(|text| Timestamp::parse(&text)),
            _ => common.take(key, value)?,
        }
    }
    subnet.version = common.finish();
    Ok(subnet)
}

fn rbac_policy(body: Value<'_>) -> Result<RbacPolicy, Fault> {
    let (mut policy, mut common) = (RbacPolicy::default(), Common::default());
    let mut target_tenant = None;
    for (key, value) in body.members() {
        match key {
            b"object_type" => policy.object_type = value.name()?,
            b"object_id" => policy.object_id = value.id()?,
            b"action" => policy.action = value.name()?,
            b"target_project" => policy.target_project = value.name()?,
            b"target_tenant" => target_tenant = value.name()?,
            _ => common.take(key, value)?,
        }
    }
    policy.target_project = policy.target_project.or(target_tenant);
    policy.version = common.finish();
    Ok(policy)
}

fn trunk(body: Value<'_>) -> Result<Trunk, Fault> {
    let (mut trunk, mut common) = (Trunk::default(), Common::default());
    for (key, value) in body.members() {
        match key {
            b"port_id" => trunk.port_id = value.id()?,
            b"admin_state_up" => trunk.admin_state_up = value.flag()?,
            b"sub_ports" => {
                trunk.sub_ports = Some(value.list(|entry| match entry.object_or_null()? {
                    Some(entry) => entry.get("port_id").map_or(Ok(None), Value::id),
                    None => Ok(None),
                })?);
            }
            _ => common.take(key, value)?,
        }
    }
    trunk.version = common.finish();
    Ok(trunk)
}

/// Reads what Keystone says of a user, project, domain, group or role: id, name, domain.
pub(super) fn named(body: Value<'_>) -> Result<Named, Fault> {
    if body.token() != Token::Object {
        return Err(body.fault(DefectKind::WrongType));
    }
    let (mut id, mut name, mut domain) = (None, None, None);
    for (key, value) in body.members() {
        match key {
            b"id" => id = value.id()?,
            b"name" => name = value.name()?,
            b"domain_id" => domain = value.id()?,
            _ => {}
        }
    }
    Ok((id.ok_or(body.fault(DefectKind::MissingId))?, name, domain))
}
