//! Whether anything leads from a sender to a port.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::candidate::{Candidate, Door, Target};
use super::filter::has_fixed_ip;
use super::verdict::{Hop, Question};
use crate::ids::Id;
use crate::model::{Gateway, Kind, View, host, net_text};

/// The most routers that are named when none of them leads there; a network seldom has more than two.
const ROUTERS_TOLD_MAX: usize = 8;

/// A way to a port, or the end of one.
#[derive(Debug)]
pub(super) struct Way {
    /// Whether it leads there.
    pub(super) open: bool,
    /// What is on it; the last is the port.
    pub(super) hops: Vec<Hop>,
}

impl Way {
    /// Marks the router, the network and the port that are switched off; whether there is any.
    pub(super) fn stop_at_what_is_down(&mut self, view: &impl View) -> bool {
        let mut any = false;
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

/// The way of a packet to a candidate.
pub(super) fn way<'a, V: View>(view: &'a V, question: &Question, candidate: &Candidate<'a>) -> Way {
    let network = candidate.network(view);
    let port = port_hop(view, candidate);
    let on_network = |id: &Id| Hop::new(Kind::Network, Some(id), view.network(id).map(|known| &*known.name));
    match candidate.door {
        Door::Floating(floating) | Door::Forwarding(floating, _) => {
            let mut hops = candidate.doors();
            hops.extend(floating.router_id.as_ref().map(|router| router_hop(view, router)));
            hops.extend(network.map(on_network));
            hops.push(port);
            Way { open: true, hops }
        }
        Door::Direct(_) => {
            let Some(network) = network else {
                let unknown = Hop::new(Kind::Network, None, None);
                return match routed(view, question.to) {
                    Some(note) => Way { open: true, hops: vec![unknown.noted(note), port] },
                    None => Way { open: false, hops: vec![unknown.stops("its network is not known"), port] },
                };
            };
            if let Some(note) = without_router(view, question, candidate, network) {
                return Way { open: true, hops: vec![on_network(network).noted(note), port] };
            }
            match through_router(view, question, network) {
                Ok(router) => Way { open: true, hops: vec![router, on_network(network), port] },
                Err(routers) if routers.is_empty() => {
                    let stop = on_network(network).stops("not external, and no router stands on it");
                    Way { open: false, hops: vec![stop, port] }
                }
                Err(mut hops) => {
                    hops.extend([on_network(network), port]);
                    Way { open: false, hops }
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

fn router_hop(view: &impl View, id: &Id) -> Hop {
    Hop::new(Kind::Router, Some(id), view.router(id).map(|router| &*router.name))
}

fn router_is_up(view: &impl View, id: &Id) -> bool {
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
        return Some("external".to_owned());
    }
    routed(view, question.to)
}

fn routed(view: &impl View, address: IpAddr) -> Option<String> {
    let prefix = view.options().routed_prefixes.iter().find(|prefix| prefix.contains(&address))?;
    Some(format!("{} is routed to it", net_text(*prefix)))
}

/// Whether an address is a fixed IP of a port on a network other than `port`, or of a gateway other than that
/// of `router`.
fn stands_on(
    view: &impl View,
    address: IpAddr,
    network: &Id,
    port: Option<&Id>,
    router: Option<&Id>,
) -> bool {
    // No port has an empty id: then none is left out.
    let nobody = Id::new("");
    let holders = view.neighbours(host(address), Some(network), port.unwrap_or(&nobody));
    let mut holders = holders.into_iter().map(|slot| view.port(slot));
    let mut gateways = view.gateways_at(address).into_iter();
    holders.any(|holder| holder.network_id.as_ref() == Some(network) && has_fixed_ip(holder, address))
        || gateways
            .any(|(owner, gateway)| gateway.network_id.as_ref() == Some(network) && Some(&owner.id) != router)
}

/// The router that leads from the sender to a network: one that is up, else any; or the routers that do not,
/// and why.
fn through_router(view: &impl View, question: &Question, network: &Id) -> Result<Hop, Vec<Hop>> {
    let interfaces = view.interfaces_on(network);
    let routers: BTreeSet<&Id> = interfaces.iter().filter_map(|&slot| view.port(slot).router()).collect();
    let mut down = None;
    let mut others = Vec::new();
    for router in routers {
        let hop = router_hop(view, router);
        match leads(view, question, router, network) {
            Ok(note) if router_is_up(view, router) => return Ok(hop.noted(note)),
            Ok(note) => down = down.or(Some(hop.noted(note))),
            Err(why) => others.push(hop.stops(why)),
        }
    }
    others.truncate(ROUTERS_TOLD_MAX);
    down.ok_or(others)
}

/// How a router on a network leads there from the sender; else why it does not.
fn leads(view: &impl View, question: &Question, router: &Id, network: &Id) -> Result<String, String> {
    let from = question.from;
    let elsewhere =
        view.interfaces_of(router).into_iter().filter_map(|slot| view.port(slot).network_id.as_ref());
    let elsewhere: BTreeSet<&Id> = elsewhere.filter(|other| *other != network).collect();
    if let Some(other) = elsewhere.into_iter().find(|other| stands_on(view, from, other, None, None)) {
        return Ok(format!("from network {other}"));
    }
    let Some(known) = view.router(router) else {
        return Err(format!("{from} is not behind it, and no gateway of it is known"));
    };
    // An empty gateway says that there is none.
    let gateways = known.gateways.iter();
    let mut gateways = gateways.filter(|gateway| **gateway != Gateway::default()).peekable();
    if gateways.peek().is_none() {
        return Err(format!("{from} is not behind it, and it has no gateway"));
    }
    if is_global_ipv6(question.to) || gateways.any(|gateway| gateway.enable_snat == Some(false)) {
        Ok("by its gateway".to_owned())
    } else {
        Err("its gateway hides the addresses behind it (enable_snat)".to_owned())
    }
}

/// 2000::/3, the documentation prefixes included.
fn is_global_ipv6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.segments()[0] >> 13 == 1)
}
