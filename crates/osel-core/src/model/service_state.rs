//! Address scopes, firewalls and load balancers as the model holds them: what `state` is for the network itself.
//!
//! They make no rows; `exposure::reach` asks them about paths and single packets.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::permission::Protocol;
use super::stamp::{FieldStamps, Fields};
use super::state::{State, absent, merged, state};
use crate::event::{self, PortRange};
use crate::ids::Id;

state! {
    /// An address scope: between two of them nothing is routed without translation.
    AddressScopeState from event::AddressScope {
        /// Its name.
        name: Box<str>,
    }
}
merged! { AddressScopeState from event::AddressScope, also { },
    1 name = Box::from("") => |name| name.clone();
}

state! {
    /// A pool that subnets are taken from.
    SubnetPoolState from event::SubnetPool {
        /// Its name.
        name: Box<str>,
        /// The address scope of what is taken from it.
        address_scope_id: Option<Id>,
    }
}
merged! { SubnetPoolState from event::SubnetPool, also { },
    1 name = Box::from("") => |name| name.clone();
    2 address_scope_id = None => |scope| scope.clone();
}

state! {
    /// A firewall group.
    FirewallGroupState from event::FirewallGroup {
        /// Its name.
        name: Box<str>,
        /// Administrative state; a group that is down lets nothing through.
        admin_state_up: bool,
        /// Its ports.
        ports: Box<[Id]>,
        /// What is asked about packets to its ports.
        ingress_policy_id: Option<Id>,
        /// What is asked about packets from its ports.
        egress_policy_id: Option<Id>,
    }
}
merged! { FirewallGroupState from event::FirewallGroup, also { },
    1 name = Box::from("") => |name| name.clone();
    2 admin_state_up = true => |up| *up;
    3 ports = Box::default() => |ports| ports.clone().into();
    4 ingress_policy_id = None => |policy| policy.clone();
    5 egress_policy_id = None => |policy| policy.clone();
}

state! {
    /// A firewall policy.
    FirewallPolicyState from event::FirewallPolicy {
        /// Its name.
        name: Box<str>,
        /// Its rules, in the order in which they are asked.
        rules: Box<[Id]>,
    }
}
merged! { FirewallPolicyState from event::FirewallPolicy, also { },
    1 name = Box::from("") => |name| name.clone();
    2 rules = Box::default() => |rules| rules.clone().into();
}

state! {
    /// A rule of firewall policies.
    FirewallRuleState from event::FirewallRule {
        /// Its name.
        name: Box<str>,
        /// Whether it is asked.
        enabled: bool,
        /// Whether it lets through what it matches.
        allows: bool,
        /// Whether it is about IPv6.
        ipv6: bool,
        /// The protocol as sent.
        protocol: Option<Box<str>>,
        /// The senders that it matches.
        source: Option<IpNet>,
        /// The receivers that it matches.
        destination: Option<IpNet>,
        /// The senders' ports that it matches.
        source_ports: Option<PortRange>,
        /// The receivers' ports that it matches.
        destination_ports: Option<PortRange>,
    }
}
merged! { FirewallRuleState from event::FirewallRule, also { },
    1 name = Box::from("") => |name| name.clone();
    2 enabled = true => |enabled| *enabled;
    3 allows = false => |allows| *allows;
    4 ipv6 = false => |ipv6| *ipv6;
    5 protocol = None => |protocol| protocol.clone();
    6 source = None => |prefix| *prefix;
    7 destination = None => |prefix| *prefix;
    8 source_ports = None => |ports| *ports;
    9 destination_ports = None => |ports| *ports;
}

state! {
    /// A load balancer.
    LoadBalancerState from event::LoadBalancer {
        /// Its name.
        name: Box<str>,
        /// Administrative state.
        admin_state_up: bool,
        /// The port that holds its address.
        vip_port_id: Option<Id>,
        /// Its address.
        vip_address: Option<IpAddr>,
    }
}
merged! { LoadBalancerState from event::LoadBalancer, also { },
    1 name = Box::from("") => |name| name.clone();
    2 admin_state_up = true => |up| *up;
    3 vip_port_id = None => |port| port.clone();
    4 vip_address = None => |address| *address;
}

state! {
    /// A listener of a load balancer.
    ListenerState from event::Listener {
        /// Its name.
        name: Box<str>,
        /// Administrative state.
        admin_state_up: bool,
        /// The load balancer it belongs to.
        loadbalancer_id: Option<Id>,
        /// Its protocol, in Octavia's words.
        protocol: Option<Box<str>>,
        /// The port it listens on.
        protocol_port: Option<u16>,
        /// Who may connect; everybody when empty.
        allowed_cidrs: Box<[IpNet]>,
    }
}
merged! { ListenerState from event::Listener, also { },
    1 name = Box::from("") => |name| name.clone();
    2 admin_state_up = true => |up| *up;
    3 loadbalancer_id = None => |balancer| Some(balancer.clone());
    4 protocol = None => |protocol| Some(protocol.clone());
    5 protocol_port = None => |port| Some(*port);
    6 allowed_cidrs = Box::default() => |cidrs| cidrs.clone().into();
}

impl ListenerState {
    /// What it speaks on the wire: all but UDP and SCTP are some language over TCP.
    pub fn transport(&self) -> Protocol {
        Protocol::Number(match self.protocol.as_deref() {
            Some("UDP") => 17,
            Some("SCTP") => 132,
            _ => 6,
        })
    }
}
