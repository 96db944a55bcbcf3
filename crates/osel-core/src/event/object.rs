//! Objects of the network service as one message or one API answer tells them.
//!
//! A body is filtered by its caller's policy, so a missing key is not a null: every field but the id is an `Option` that says
//! whether the key was there. Where null is a value of its own, there is a second `Option` inside.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::mac::Mac;
use super::object_services::{
    AddressScope, FirewallGroup, FirewallPolicy, FirewallRule, Listener, LoadBalancer, Route, SubnetPool,
};
use super::tags::Tags;
use crate::ids::Id;
use crate::time::Timestamp;

/// What the cloud model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// `port`
    Port,
    /// `security_group`
    SecurityGroup,
    /// `security_group_rule`
    Rule,
    /// `address_group`
    AddressGroup,
    /// `floatingip`
    FloatingIp,
    /// `port_forwarding`
    Forwarding,
    /// `router`
    Router,
    /// `network`
    Network,
    /// `subnet`
    Subnet,
    /// `rbac_policy`
    RbacPolicy,
    /// `trunk`
    Trunk,
    /// `address_scope`
    AddressScope,
    /// `subnetpool`
    SubnetPool,
    /// `firewall_group`
    FirewallGroup,
    /// `firewall_policy`
    FirewallPolicy,
    /// `firewall_rule`
    FirewallRule,
    /// `loadbalancer`
    LoadBalancer,
    /// `listener`
    Listener,
}

impl Kind {
    /// Every kind, in the order in which an inventory is read.
    pub const ALL: [Self; 18] = [
        Self::Network,
        Self::Subnet,
        Self::Router,
        Self::SecurityGroup,
        Self::Rule,
        Self::AddressGroup,
        Self::Port,
        Self::FloatingIp,
        Self::Forwarding,
        Self::RbacPolicy,
        Self::Trunk,
        Self::AddressScope,
        Self::SubnetPool,
        Self::FirewallGroup,
        Self::FirewallPolicy,
        Self::FirewallRule,
        Self::LoadBalancer,
        Self::Listener,
    ];

    /// The resource's name in the API, singular.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Port => "port",
            Self::SecurityGroup => "security_group",
            Self::Rule => "security_group_rule",
            Self::AddressGroup => "address_group",
            Self::FloatingIp => "floatingip",
            Self::Forwarding => "port_forwarding",
            Self::Router => "router",
            Self::Network => "network",
            Self::Subnet => "subnet",
            Self::RbacPolicy => "rbac_policy",
            Self::Trunk => "trunk",
            Self::AddressScope => "address_scope",
            Self::SubnetPool => "subnetpool",
            Self::FirewallGroup => "firewall_group",
            Self::FirewallPolicy => "firewall_policy",
            Self::FirewallRule => "firewall_rule",
            Self::LoadBalancer => "loadbalancer",
            Self::Listener => "listener",
        }
    }

    /// The collection's name in the API.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Port => "ports",
            Self::SecurityGroup => "security_groups",
            Self::Rule => "security_group_rules",
            Self::AddressGroup => "address_groups",
            Self::FloatingIp => "floatingips",
            Self::Forwarding => "port_forwardings",
            Self::Router => "routers",
            Self::Network => "networks",
            Self::Subnet => "subnets",
            Self::RbacPolicy => "rbac_policies",
            Self::Trunk => "trunks",
            Self::AddressScope => "address_scopes",
            Self::SubnetPool => "subnetpools",
            Self::FirewallGroup => "firewall_groups",
            Self::FirewallPolicy => "firewall_policies",
            Self::FirewallRule => "firewall_rules",
            Self::LoadBalancer => "loadbalancers",
            Self::Listener => "listeners",
        }
    }

    /// The kind with this singular name.
    pub fn from_singular(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.singular() == name)
    }
}

/// One object as told.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "a variant is what its type says")]
pub enum Object {
    Port(Port),
    SecurityGroup(SecurityGroup),
    Rule(Rule),
    AddressGroup(AddressGroup),
    FloatingIp(FloatingIp),
    Forwarding(Forwarding),
    Router(Router),
    Network(Network),
    Subnet(Subnet),
    RbacPolicy(RbacPolicy),
    Trunk(Trunk),
    AddressScope(AddressScope),
    SubnetPool(SubnetPool),
    FirewallGroup(FirewallGroup),
    FirewallPolicy(FirewallPolicy),
    FirewallRule(FirewallRule),
    LoadBalancer(LoadBalancer),
    Listener(Listener),
}

macro_rules! each_object {
    ($object:expr, $body:ident => $do:expr) => {
        match $object {
            Object::Port($body) => $do,
            Object::SecurityGroup($body) => $do,
            Object::Rule($body) => $do,
            Object::AddressGroup($body) => $do,
            Object::FloatingIp($body) => $do,
            Object::Forwarding($body) => $do,
            Object::Router($body) => $do,
            Object::Network($body) => $do,
            Object::Subnet($body) => $do,
            Object::RbacPolicy($body) => $do,
            Object::Trunk($body) => $do,
            Object::AddressScope($body) => $do,
            Object::SubnetPool($body) => $do,
            Object::FirewallGroup($body) => $do,
            Object::FirewallPolicy($body) => $do,
            Object::FirewallRule($body) => $do,
            Object::LoadBalancer($body) => $do,
            Object::Listener($body) => $do,
        }
    };
}

impl Object {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Port(_) => Kind::Port,
            Self::SecurityGroup(_) => Kind::SecurityGroup,
            Self::Rule(_) => Kind::Rule,
            Self::AddressGroup(_) => Kind::AddressGroup,
            Self::FloatingIp(_) => Kind::FloatingIp,
            Self::Forwarding(_) => Kind::Forwarding,
            Self::Router(_) => Kind::Router,
            Self::Network(_) => Kind::Network,
            Self::Subnet(_) => Kind::Subnet,
            Self::RbacPolicy(_) => Kind::RbacPolicy,
            Self::Trunk(_) => Kind::Trunk,
            Self::AddressScope(_) => Kind::AddressScope,
            Self::SubnetPool(_) => Kind::SubnetPool,
            Self::FirewallGroup(_) => Kind::FirewallGroup,
            Self::FirewallPolicy(_) => Kind::FirewallPolicy,
            Self::FirewallRule(_) => Kind::FirewallRule,
            Self::LoadBalancer(_) => Kind::LoadBalancer,
            Self::Listener(_) => Kind::Listener,
        }
    }

    /// Its id; none in a request to create it.
    pub fn id(&self) -> Option<&Id> {
        each_object!(self, body => body.version.id.as_ref())
    }

    /// What all objects have.
    pub fn version(&self) -> &Version {
        each_object!(self, body => &body.version)
    }
}

/// What every object has: its id, its project and its revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// None only in a request to create the object.
    pub id: Option<Id>,
    /// `revision_number`, where the body has it.
    pub revision: Option<u64>,
    /// `project_id`, else `tenant_id`; the empty text (a gateway's port) is none.
    pub project_id: Option<Option<Id>>,
}

/// An address of a port and the subnet it is taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FixedIp {
    /// The subnet.
    pub subnet_id: Option<Id>,
    /// The address.
    pub address: IpAddr,
}

/// `port`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `network_id`
    pub network_id: Option<Id>,
    /// `device_id`; the empty text is none.
    pub device_id: Option<Option<Id>>,
    /// `device_owner`; the empty text is none.
    pub device_owner: Option<Option<Box<str>>>,
    /// `admin_state_up`
    pub admin_state_up: Option<bool>,
    /// `port_security_enabled`
    pub port_security_enabled: Option<bool>,
    /// `mac_address`
    pub mac_address: Option<Mac>,
    /// `fixed_ips`
    pub fixed_ips: Option<Vec<FixedIp>>,
    /// The addresses of `allowed_address_pairs`, in network form.
    pub allowed_address_pairs: Option<Vec<IpNet>>,
    /// `security_groups`
    pub security_groups: Option<Vec<Id>>,
    /// `tags`
    pub tags: Option<Tags>,
}

/// `security_group`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `stateful`
    pub stateful: Option<bool>,
    /// `tags`
    pub tags: Option<Tags>,
    /// `security_group_rules`; each with an id of its own.
    pub rules: Option<Vec<Rule>>,
}

/// `security_group_rule`, as sent: what the fields mean is worked out by `exposure`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Id, project, revision.
    pub version: Version,
    /// `security_group_id`
    pub security_group_id: Option<Id>,
    /// `direction`: true for `ingress`.
    pub ingress: Option<bool>,
    /// `ethertype`: true for `IPv6`.
    pub ipv6: Option<bool>,
    /// `protocol` as text (numbers too); none inside for null.
    pub protocol: Option<Option<Box<str>>>,
    /// `port_range_min`: a port, or an ICMP type.
    pub port_range_min: Option<Option<i32>>,
    /// `port_range_max`: a port, or an ICMP code.
    pub port_range_max: Option<Option<i32>>,
    /// `remote_ip_prefix`, in network form.
    pub remote_ip_prefix: Option<Option<IpNet>>,
    /// `remote_group_id`
    pub remote_group_id: Option<Option<Id>>,
    /// `remote_address_group_id`
    pub remote_address_group_id: Option<Option<Id>>,
}

/// `address_group`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressGroup {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `addresses`, in network form.
    pub addresses: Option<Vec<IpNet>>,
}

/// `floatingip`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FloatingIp {
    /// Id, project, revision.
    pub version: Version,
    /// `floating_ip_address`
    pub floating_ip_address: Option<IpAddr>,
    /// `floating_network_id`
    pub floating_network_id: Option<Id>,
    /// `fixed_ip_address`
    pub fixed_ip_address: Option<Option<IpAddr>>,
    /// `port_id`
    pub port_id: Option<Option<Id>>,
    /// `router_id`
    pub router_id: Option<Option<Id>>,
    /// `port_forwardings`
    pub forwardings: Option<Vec<Forwarding>>,
    /// `tags`
    pub tags: Option<Tags>,
}

/// An inclusive range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    /// The first port.
    pub min: u16,
    /// The last port, not less than the first.
    pub max: u16,
}

/// `port_forwarding`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// Id, project, revision; inside a floating IP's body the id may be missing.
    pub version: Version,
    /// The floating IP it belongs to; never in an event of its own.
    pub floatingip_id: Option<Id>,
    /// `protocol`
    pub protocol: Option<Box<str>>,
    /// `internal_port_id`
    pub internal_port_id: Option<Id>,
    /// `internal_ip_address`
    pub internal_ip_address: Option<IpAddr>,
    /// `internal_port`, or `internal_port_range`
    pub internal: Option<PortRange>,
    /// `external_port`, or `external_port_range`
    pub external: Option<PortRange>,
}

/// `external_gateway_info`, or one of `external_gateways`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// `network_id`
    pub network_id: Option<Id>,
    /// `enable_snat`; missing means true.
    pub enable_snat: Option<bool>,
    /// `external_fixed_ips`
    pub external_fixed_ips: Vec<FixedIp>,
}

/// `router`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Router {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `admin_state_up`
    pub admin_state_up: Option<bool>,
    /// `external_gateway_info` and `external_gateways`, without repetition; empty for none.
    pub gateways: Option<Vec<Gateway>>,
    /// `routes`
    pub routes: Option<Vec<Route>>,
    /// `distributed`
    pub distributed: Option<bool>,
}

/// `network`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `admin_state_up`
    pub admin_state_up: Option<bool>,
    /// `router:external`
    pub external: Option<bool>,
    /// `shared`
    pub shared: Option<bool>,
    /// `ipv4_address_scope`
    pub ipv4_address_scope: Option<Option<Id>>,
    /// `ipv6_address_scope`
    pub ipv6_address_scope: Option<Option<Id>>,
}

/// `subnet`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subnet {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `network_id`
    pub network_id: Option<Id>,
    /// `cidr`
    pub cidr: Option<IpNet>,
    /// `gateway_ip`
    pub gateway_ip: Option<Option<IpAddr>>,
    /// `subnetpool_id`
    pub subnetpool_id: Option<Option<Id>>,
    /// Whether `ipv6_address_mode` or `ipv6_ra_mode` is `slaac` or `dhcpv6-stateless`: then every port gets an address of it, from
    /// its MAC address.
    pub gives_addresses: Option<bool>,
    /// `created_at`, to the second.
    pub created_at: Option<Timestamp>,
}

/// `rbac_policy`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RbacPolicy {
    /// Id, project, revision.
    pub version: Version,
    /// `object_type`
    pub object_type: Option<Box<str>>,
    /// `object_id`
    pub object_id: Option<Id>,
    /// `action`
    pub action: Option<Box<str>>,
    /// `target_project`, else `target_tenant`
    pub target_project: Option<Box<str>>,
}

/// `trunk`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trunk {
    /// Id, project, revision.
    pub version: Version,
    /// `port_id`, the parent
    pub port_id: Option<Id>,
    /// The ports of `sub_ports`
    pub sub_ports: Option<Vec<Id>>,
    /// `admin_state_up`
    pub admin_state_up: Option<bool>,
}
