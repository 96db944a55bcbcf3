//! Whether anything leads from a sender to a port.

use std::net::IpAddr;

use super::candidate::{Candidate, Door, Target};
use super::firewall::Gate;
use super::route::{self, stands_on};
use super::verdict::{Hop, Question};
use crate::ids::Id;
use crate::model::{Kind, View, net_text};

/// How a packet comes over an external network, from whoever does not stand on it.
pub(super) const EXTERNAL: &str = "external";

/// A way to a port, or the end of one.
#[derive(Debug)]
pub(super) struct Way<'a> {
    /// Whether it leads there.
    pub(super) open: bool,
    /// What is on it; the last is the port.
    pub(super) hops: Vec<Hop>,
    /// Where firewalls are asked on it.
    pub(super) gates: Vec<Gate<'a>>,
}

impl Way<'_> {
    fn open(hops: Vec<Hop>) -> Self {
        Self { open: true, hops, gates: Vec::new() }
    }

    fn closed(hops: Vec<Hop>) -> Self {
        Self { open: false, hops, gates: Vec::new() }
    }

    /// Marks the routers, the networks, the port and what carries it that are switched off; whether there is any.
    pub(super) fn stop_at_what_is_down(&mut self, view: &impl View) -> bool {
        let port = self.hops.last().and_then(|port| port.id.clone());
        let carrier = port.and_then(|port| carrier_that_is_down(view, &port));
        let mut any = carrier.is_some();
        if let Some(carrier) = carrier {
            let port = self.hops.pop();
            self.hops.extend(std::iter::once(carrier).chain(port));
        }
        for hop in &mut self.hops {
            let Some(id) = &hop.id else { continue };
            let up = match hop.kind {
                Kind::Router => router_is_up(view, id),
                Kind::Network => view.network(id).is_none_or(|network| network.admin_state_up),
                Kind::Port => view.port_slot(id).is_none_or(|slot| view.port(slot).admin_state_up),
                _ => true,
            };
            if !up {
                hop.blocked = true;
                hop.note = Some("administratively down".to_owned());
                any = true;
            }
        }
        any
    }
}

/// What keeps a trunk from carrying a port: it counts only when no other trunk does.
fn carrier_that_is_down(view: &impl View, port: &Id) -> Option<Hop> {
    let mut stop = None;
    for trunk in view.trunks_of(port) {
        let parent = trunk.port_id.as_ref().and_then(|parent| view.port_slot(parent));
        let parent = parent.map(|slot| view.port(slot));
        let hop = Hop::new(Kind::Trunk, Some(&trunk.id), None);
        let why = match parent {
            _ if trunk.admin_state_up == Some(false) => "administratively down".to_owned(),
            Some(parent) if !parent.admin_state_up => {
                format!("its parent port {} is administratively down", parent.id)
            }
            _ => return None,
        };
        stop = stop.or(Some(hop.stops(why)));
    }
    stop
}

/// The ways of a packet to a candidate, each as good as the others unless something on it is down or a firewall stands there; one
/// that is closed where there is none.
pub(super) fn ways<'a, V: View>(view: &'a V, question: &Question, candidate: &Candidate<'a>) -> Vec<Way<'a>> {
    let network = candidate.network(view);
    let port = port_hop(view, candidate);
    let on_network = |id: &Id| Hop::new(Kind::Network, Some(id), view.network(id).map(|known| &*known.name));
    let own = candidate.router(view);
    match candidate.door {
        Door::Floating(floating) | Door::Forwarding(floating, _) => {
            let mut hops = candidate.doors();
            hops.extend(floating.router_id.as_ref().map(|router| router_hop(view, router)));
            hops.extend(network.map(on_network));
            hops.push(port);
            let mut way = Way::open(hops);
            // Translated before it is forwarded: what the router's firewall sees is the inner address.
            if let (true, Some(router), Some(network), Some(inner)) =
                (view.has_firewalls(), &floating.router_id, network, candidate.inner_address(question))
                && own != Some(router)
            {
                let ports = route::interfaces(view, router, network, inner);
                way.gates.push(Gate { ports, ingress: true });
            }
            vec![way]
        }
        Door::Direct(_) => {
            let Some(network) = network else {
                let unknown = Hop::new(Kind::Network, None, None);
                return vec![match routed(view, question.to) {
                    Some(note) => Way::open(vec![unknown.noted(note), port]),
                    None => Way::closed(vec![unknown.stops("its network is not known"), port]),
                }];
            };
            if let Some(note) = without_router(view, question, candidate, network) {
                return vec![Way::open(vec![on_network(network).noted(note), port])];
            }
            match route::trails(view, question, network) {
                Ok(trails) => {
                    let ways = trails.iter().map(|trail| {
                        let (mut hops, gates) = route::told(view, trail, own);
                        hops.extend([on_network(network), port.clone()]);
                        Way { open: true, hops, gates }
                    });
                    ways.collect()
                }
                Err(routers) if routers.is_empty() => {
                    let stop = on_network(network).stops("not external, and no router stands on it");
                    vec![Way::closed(vec![stop, port])]
                }
                Err(mut hops) => {
                    hops.extend([on_network(network), port]);
                    vec![Way::closed(hops)]
                }
            }
        }
    }
}

fn port_hop<'a, V: View>(view: &'a V, candidate: &Candidate<'a>) -> Hop {
    match candidate.target {
        Target::Port(slot) => {
            let port = view.port(slot);
            Hop::new(Kind::Port, Some(&port.id), Some(&port.name))
        }
        Target::Gateway(router, _) => {
            let name = if router.name.is_empty() { router.id.to_string() } else { router.name.to_string() };
            Hop::new(Kind::Port, None, Some(&format!("gateway of router {name}")))
        }
    }
}

pub(super) fn router_hop(view: &impl View, id: &Id) -> Hop {
    Hop::new(Kind::Router, Some(id), view.router(id).map(|router| &*router.name))
}

pub(super) fn router_is_up(view: &impl View, id: &Id) -> bool {
    view.router(id).is_none_or(|router| router.admin_state_up)
}

/// What leads to a network's addresses by itself.
fn without_router<'a, V: View>(
    view: &'a V,
    question: &Question,
    candidate: &Candidate<'a>,
    network: &Id,
) -> Option<String> {
    let from = question.from;
    if stands_on(view, from, network, candidate.port_id(view), candidate.gateway_of(view)) {
        return Some(format!("{from} is on it"));
    }
    if view.network_is_external(network) {
        return Some(EXTERNAL.to_owned());
    }
    routed(view, question.to)
}

fn routed(view: &impl View, address: IpAddr) -> Option<String> {
    let prefix = view.options().routed_prefixes.iter().find(|prefix| prefix.contains(&address))?;
    Some(format!("{} is routed to it", net_text(*prefix)))
}
