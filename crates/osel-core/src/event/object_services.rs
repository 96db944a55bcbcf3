//! Objects of the services on top of the network: address scopes, firewalls, load balancers.
//!
//! They decide about paths and about single packets, never about rows. As in `object`, a field is an `Option` that says whether the
//! key was there.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::object::{PortRange, Version};
use crate::ids::Id;

/// One of a router's extra `routes`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// `destination`, in network form.
    pub destination: IpNet,
    /// `nexthop`
    pub next_hop: IpAddr,
}

/// `address_scope`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressScope {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
}

/// `subnetpool`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetPool {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `address_scope_id`
    pub address_scope_id: Option<Option<Id>>,
}

/// `firewall_group` (FWaaS v2)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirewallGroup {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `admin_state_up`
    pub admin_state_up: Option<bool>,
    /// `ports`: interfaces of routers, or servers' ports.
    pub ports: Option<Vec<Id>>,
    /// `ingress_firewall_policy_id`: asked about what goes to the ports.
    pub ingress_policy_id: Option<Option<Id>>,
    /// `egress_firewall_policy_id`: asked about what comes from the ports.
    pub egress_policy_id: Option<Option<Id>>,
}

/// `firewall_policy`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirewallPolicy {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `firewall_rules`, in order.
    pub rules: Option<Vec<Id>>,
}

/// `firewall_rule`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirewallRule {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `enabled`
    pub enabled: Option<bool>,
    /// `action`: true for `allow`.
    pub allows: Option<bool>,
    /// `ip_version`: true for 6.
    pub ipv6: Option<bool>,
    /// `protocol` as text; none inside for null.
    pub protocol: Option<Option<Box<str>>>,
    /// `source_ip_address`, in network form.
    pub source: Option<Option<IpNet>>,
    /// `destination_ip_address`, in network form.
    pub destination: Option<Option<IpNet>>,
    /// `source_port`
    pub source_ports: Option<Option<PortRange>>,
    /// `destination_port`
    pub destination_ports: Option<Option<PortRange>>,
}

/// `loadbalancer`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `admin_state_up`
    pub admin_state_up: Option<bool>,
    /// `vip_port_id`
    pub vip_port_id: Option<Option<Id>>,
    /// `vip_address`
    pub vip_address: Option<Option<IpAddr>>,
}

/// `listener`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Id, project, revision.
    pub version: Version,
    /// `name`
    pub name: Option<Box<str>>,
    /// `admin_state_up`
    pub admin_state_up: Option<bool>,
    /// The first of `loadbalancers`, else `loadbalancer_id`.
    pub loadbalancer_id: Option<Id>,
    /// `protocol`: Octavia's word, for example `TERMINATED_HTTPS`.
    pub protocol: Option<Box<str>>,
    /// `protocol_port`
    pub protocol_port: Option<u16>,
    /// `allowed_cidrs`, in network form; empty for no limit.
    pub allowed_cidrs: Option<Vec<IpNet>>,
}
