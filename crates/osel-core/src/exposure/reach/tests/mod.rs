//! One test for each sentence of the contract's "Reach", in a small cloud.

mod candidates;
mod filter;
mod guards;
mod limits;
mod path;
mod routes;
mod state;

use std::net::IpAddr;

use super::{Question, Reason, Verdict, reach};
use crate::event::{
    Actor, AddressGroup, Change, Event, FirewallGroup, FirewallPolicy, FirewallRule, FixedIp, FloatingIp,
    Forwarding, Gateway, Kind, Listener, LoadBalancer, Network, Object, Outcome, Port, PortRange, RbacPolicy,
    Route, Router, Rule, SecurityGroup, Subnet, SubnetPool, Trunk, Version,
};
use crate::ids::Id;
use crate::model::{CloudModel, ModelOptions, Protocol};
use crate::time::Timestamp;

/// Nobody in the cloud has this address.
const OUTSIDE: &str = "192.0.2.77";

/// A cloud that is put together object by object.
struct Cloud {
    model: CloudModel,
    /// Later words are told later.
    time: i64,
}

impl Cloud {
    fn empty(options: ModelOptions) -> Self {
        Self { model: CloudModel::new(None, options), time: 0 }
    }

    /// Networks `a` and `b` behind router `r` with a gateway on the external network `x`; `web` (10.0.0.5) on
    /// `a` has the group `g`, which admits tcp 22 (rule `ssh`), and the floating IP `f` (198.51.100.7);
    /// `peer` is on `a`, `far` on `b`, both in the group `friends`; `alone` (10.2.0.9) is on `lonely`, which
    /// no router knows.
    fn new() -> Self {
        Self::with(ModelOptions::default())
    }

    fn with(options: ModelOptions) -> Self {
        let mut cloud = Self::empty(options);
        for network in ["a", "b", "lonely"] {
            cloud.tell(Network { version: version(network), ..Network::default() });
        }
        cloud.tell(Network { version: version("x"), external: Some(true), ..Network::default() });
        cloud.tell(router("r", &[gateway("x", "198.51.100.2", None)]));
        cloud.tell(interface("if-a", "a", "10.0.0.1", "r"));
        cloud.tell(interface("if-b", "b", "10.1.0.1", "r"));
        cloud.tell(port("web", "a", "10.0.0.5", &["g"]));
        cloud.tell(port("peer", "a", "10.0.0.9", &["friends"]));
        cloud.tell(port("far", "b", "10.1.0.9", &["friends"]));
        cloud.tell(port("alone", "lonely", "10.2.0.9", &["g"]));
        cloud.tell(SecurityGroup {
            version: version("g"),
            name: Some("web".into()),
            ..SecurityGroup::default()
        });
        cloud.tell(SecurityGroup { version: version("friends"), ..SecurityGroup::default() });
        cloud.tell(rule("ssh", 22));
        cloud.tell(floating("f", "198.51.100.7", Some("web"), "10.0.0.5"));
        cloud
    }

    fn tell(&mut self, object: impl Into<Object>) {
        self.time += 1;
        let at = Timestamp::from_micros(self.time);
        self.model.merge_read(at, at, true, &[object.into()], false);
    }

    fn delete(&mut self, kind: Kind, id: &str) {
        self.happens(Change::Deleted { kind, id: Id::new(id), last: None });
    }

    /// An event of the bus.
    fn happens(&mut self, change: Change) {
        self.time += 1;
        let at = Timestamp::from_micros(self.time);
        let event = Event {
            message_id: None,
            event_type: "".into(),
            publisher: None,
            timestamp: at,
            request_id: None,
            actor: Actor::default(),
            target: None,
            outcome: Outcome::Success,
            change,
        };
        self.model.apply(at, &event);
    }

    fn ask(&self, from: &str, to: &str, port: u16) -> Verdict {
        reach(&self.model, &question(from, to, "tcp", Some(port)))
    }

    fn reason(&self, from: &str, to: &str, port: u16) -> &'static str {
        self.ask(from, to, port).reason.as_str()
    }
}

fn version(id: &str) -> Version {
    Version { id: Some(Id::new(id)), ..Version::default() }
}

fn address(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn fixed(text: &str) -> FixedIp {
    FixedIp { subnet_id: None, address: address(text) }
}

fn question(from: &str, to: &str, protocol: &str, port: Option<u16>) -> Question {
    let to = address(to);
    Question::new(address(from), to, Protocol::read(Some(protocol), to.is_ipv6()), port)
}

fn port(id: &str, network: &str, fixed_ip: &str, groups: &[&str]) -> Port {
    Port {
        version: version(id),
        network_id: Some(Id::new(network)),
        fixed_ips: Some(vec![fixed(fixed_ip)]),
        security_groups: Some(groups.iter().map(|group| Id::new(group)).collect()),
        ..Port::default()
    }
}

/// A port of Neutron's own.
fn owned(id: &str, network: &str, fixed_ip: &str, owner: &str, device: &str) -> Port {
    Port {
        device_owner: Some(Some(owner.into())),
        device_id: Some(Some(Id::new(device))),
        ..port(id, network, fixed_ip, &[])
    }
}

fn interface(id: &str, network: &str, fixed_ip: &str, router: &str) -> Port {
    owned(id, network, fixed_ip, "network:router_interface", router)
}

fn pairs(port: Port, pairs: &[&str]) -> Port {
    let pairs = pairs.iter().map(|pair| pair.parse().expect(pair)).collect();
    Port { allowed_address_pairs: Some(pairs), ..port }
}

fn gateway(network: &str, outer: &str, enable_snat: Option<bool>) -> Gateway {
    Gateway { network_id: Some(Id::new(network)), enable_snat, external_fixed_ips: vec![fixed(outer)] }
}

fn router(id: &str, gateways: &[Gateway]) -> Router {
    Router { version: version(id), gateways: Some(gateways.to_vec()), ..Router::default() }
}

/// An IPv4 tcp rule of group `g` for one port and any source.
fn rule(id: &str, port: i32) -> Rule {
    Rule {
        version: version(id),
        security_group_id: Some(Id::new("g")),
        ingress: Some(true),
        ipv6: Some(false),
        protocol: Some(Some("tcp".into())),
        port_range_min: Some(Some(port)),
        port_range_max: Some(Some(port)),
        ..Rule::default()
    }
}

fn floating(id: &str, outer: &str, port: Option<&str>, inner: &str) -> FloatingIp {
    FloatingIp {
        version: version(id),
        floating_ip_address: Some(address(outer)),
        floating_network_id: Some(Id::new("x")),
        fixed_ip_address: Some(port.map(|_| address(inner))),
        port_id: Some(port.map(Id::new)),
        router_id: Some(Some(Id::new("r"))),
        ..FloatingIp::default()
    }
}

fn forwarding(id: &str, floating: &str, external: (u16, u16), internal: (u16, u16)) -> Forwarding {
    Forwarding {
        version: version(id),
        floatingip_id: Some(Id::new(floating)),
        protocol: Some("tcp".into()),
        internal_port_id: Some(Id::new("web")),
        internal_ip_address: Some(address("10.0.0.5")),
        internal: Some(PortRange { min: internal.0, max: internal.1 }),
        external: Some(PortRange { min: external.0, max: external.1 }),
    }
}

macro_rules! objects {
    ($($kind:ident)*) => { $(impl From<$kind> for Object {
        fn from(told: $kind) -> Self {
            Self::$kind(told)
        }
    })* };
}
objects! {
    AddressGroup FirewallGroup FirewallPolicy FirewallRule FloatingIp Forwarding Listener LoadBalancer Network
    Port RbacPolicy Router Rule SecurityGroup Subnet SubnetPool Trunk
}
