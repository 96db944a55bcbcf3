//! What packets are guided by besides rows: routers, networks, firewalls and listeners.
//!
//! A step may change it and open no row. Ways are looked for to new rows only, so that such a step is named.

use std::collections::BTreeSet;

use osel_core::ids::Id;
use osel_core::model::{CloudModel, Gateway, Kind, Route, View};

use super::overlay::Overlay;
use super::step::Act;

/// What is said of a step that may bring the internet to rows which are open already.
pub(super) const NOT_ASKED: &str = "it changes which way packets take: whether the internet now gets to rows that are open already is not judged";

/// What one object says of ways.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guide {
    Port { up: bool },
    Network { up: bool, external: bool, scopes: [Option<Id>; 2] },
    Router { up: bool, gateways: Box<[Gateway]>, routes: Box<[Route]> },
}

impl Overlay {
    /// What the object that a step changes says of ways; none where it is not there, and then no way leads by it.
    pub(super) fn guide(&self, act: &Act) -> Option<Guide> {
        let Act::Update { kind, id, .. } = act else { return None };
        match kind {
            Kind::Port => {
                let port = self.cloud.port(self.cloud.port_slot(id)?);
                Some(Guide::Port { up: port.admin_state_up })
            }
            Kind::Network => self.cloud.network(id).map(|network| Guide::Network {
                up: network.admin_state_up,
                external: network.external,
                scopes: [&network.ipv4_address_scope, &network.ipv6_address_scope]
                    .map(|scope| scope.as_deref().cloned()),
            }),
            Kind::Router => self.cloud.router(id).map(|router| Guide::Router {
                up: router.admin_state_up,
                gateways: router.gateways.clone(),
                routes: router.routes.clone(),
            }),
            _ => None,
        }
    }

    /// Whether a step may open ways by what it makes or takes away, whatever that says. What the plan itself makes leads to no row
    /// that was there before.
    pub(super) fn opens_ways(&self, act: &Act) -> bool {
        match act {
            Act::Create { kind: Kind::RbacPolicy, body, .. } => {
                let is_outside = body.get("action").is_some_and(|action| action == "access_as_external");
                let network = body.get("object_id").and_then(|id| id.as_str()).map(Id::new);
                is_outside && network.is_some_and(|network| self.places.id(&network).is_none())
            }
            Act::Create { kind, .. } | Act::Update { kind, .. } | Act::Delete { kind, .. } => matches!(
                kind,
                Kind::Trunk
                    | Kind::AddressScope
                    | Kind::SubnetPool
                    | Kind::FirewallGroup
                    | Kind::FirewallPolicy
                    | Kind::FirewallRule
                    | Kind::LoadBalancer
                    | Kind::Listener
            ),
            Act::Attach(interface) => {
                let network = self.network_of(interface);
                network.is_some_and(|network| self.places.id(&network).is_none())
            }
            _ => false,
        }
    }
}

/// Ports where firewall rules and listeners begin to say something else than for the port before.
pub(super) fn turning_ports(cloud: &CloudModel) -> BTreeSet<u16> {
    let rules = cloud.ids(Kind::FirewallRule);
    let ranges = rules.iter().filter_map(|id| cloud.firewall_rule(id)?.destination_ports);
    let turns = ranges.flat_map(|range| [Some(range.min), range.max.checked_add(1)]);
    let balancers = cloud.ids(Kind::LoadBalancer);
    let listeners = balancers.iter().flat_map(|id| cloud.listeners_of(id));
    turns.flatten().chain(listeners.filter_map(|listener| listener.protocol_port)).collect()
}
