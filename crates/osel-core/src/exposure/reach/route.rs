//! Ways through routers: by one that stands on the receiver's network, or by several that hand the packet on by extra routes.
//!
//! Looked for backwards, from the receiver: a network has few routers, the outside has all of them. Whether a router is up and what a
//! firewall on its ports says is not decided here.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::filter::has_fixed_ip;
use super::firewall::Gate;
use super::path::{router_hop, router_is_up};
use super::verdict::{Hop, Question};
use crate::ids::Id;
use crate::model::{Gateway, Kind, ScopeOf, Slot, View, host};

/// The most routers one after the other: who needs more than a transfer network between two of them has dynamic routing.
const ROUTERS_IN_A_ROW_MAX: usize = 4;
/// The most routers that are looked at for one question because of extra routes: a transfer network has a few. Beyond it a way may be
/// overlooked, and nothing else can happen.
const STEPS_MAX: usize = 1024;
/// The most ways that are tried for one port when firewalls stand on them.
const WAYS_MAX: usize = 64;
/// The most routers that are named when none of them leads there; a network seldom has more than two.
const ROUTERS_TOLD_MAX: usize = 8;

/// How a packet comes to a router from outside.
pub(super) const BY_GATEWAY: &str = "by its gateway";

/// One router on the way.
#[derive(Clone, Debug)]
pub(super) struct Passage<'a> {
    router: &'a Id,
    /// How the packet comes to it.
    note: String,
    /// The ports by which it may come in; none by a gateway.
    inlets: Vec<&'a Id>,
    /// The network to which it leaves.
    onto: &'a Id,
    /// The ports by which it may leave; none by a gateway.
    outlets: Vec<&'a Id>,
}

impl<'a> Passage<'a> {
    fn is_up(&self, view: &impl View) -> bool {
        router_is_up(view, self.router)
    }
}

/// What is on a way through routers, without the receiver's network, and where firewalls are asked.
pub(super) fn told<'a>(
    view: &'a impl View,
    trail: &[Passage<'a>],
    own: Option<&Id>,
) -> (Vec<Hop>, Vec<Gate<'a>>) {
    let (mut hops, mut gates) = (Vec::new(), Vec::new());
    for (number, passage) in trail.iter().enumerate() {
        hops.push(router_hop(view, passage.router).noted(passage.note.clone()));
        if number + 1 < trail.len() {
            hops.push(Hop::new(Kind::Network, Some(passage.onto), view.name_of(Kind::Network, passage.onto)));
        }
        // What is sent to a router's own address is not forwarded by it, and its firewall not asked.
        if Some(passage.router) != own {
            gates.push(Gate { ports: passage.inlets.clone(), ingress: false });
            gates.push(Gate { ports: passage.outlets.clone(), ingress: true });
        }
    }
    (hops, gates)
}

/// The ways through routers to a network: all of them where firewalls are, else those up to the first that is up; or the routers on
/// the network that do not lead there, and why.
pub(super) fn trails<'a, V: View>(
    view: &'a V,
    question: &Question,
    network: &'a Id,
) -> Result<Vec<Vec<Passage<'a>>>, Vec<Hop>> {
    let interfaces = view.interfaces_on(network);
    let routers: BTreeSet<&Id> = interfaces.iter().filter_map(|&slot| view.port(slot).router()).collect();
    let mut search = Search {
        view,
        question,
        guarded: view.has_firewalls(),
        routers: &routers,
        found: Vec::new(),
        done: false,
        steps: 0,
    };
    let mut others = Vec::new();
    for &router in &routers {
        let last = search.passage(router, network, question.to);
        if let Err(why) = search.enter(&[], &last, false) {
            others.push(router_hop(view, router).stops(why));
        }
        if search.done {
            break;
        }
    }
    if !search.done && view.has_extra_routes() {
        for &router in &routers {
            let last = search.passage(router, network, question.to);
            search.extend(&mut vec![last]);
        }
    }
    if search.found.is_empty() {
        others.truncate(ROUTERS_TOLD_MAX);
        return Err(others);
    }
    Ok(search.found)
}

struct Search<'a, 's, V> {
    view: &'a V,
    question: &'s Question,
    /// Whether a firewall may stand on a way, so that one way is not as good as another.
    guarded: bool,
    /// Those on the receiver's network: they deliver by themselves.
    routers: &'s BTreeSet<&'a Id>,
    found: Vec<Vec<Passage<'a>>>,
    /// No further way can be better.
    done: bool,
    steps: usize,
}

impl<'a, V: View> Search<'a, '_, V> {
    /// A router that sends on to an address in a network; how the packet comes in is not known yet.
    fn passage(&self, router: &'a Id, onto: &'a Id, towards: IpAddr) -> Passage<'a> {
        let outlets = self.ports(router, onto, towards);
        Passage { router, note: String::new(), inlets: Vec::new(), onto, outlets }
    }

    /// The ports of a router on a network by which it speaks with an address: where its subnets are known, the one in the right
    /// subnet.
    fn ports(&self, router: &Id, network: &Id, towards: IpAddr) -> Vec<&'a Id> {
        if self.guarded { interfaces(self.view, router, network, towards) } else { Vec::new() }
    }

    /// Notes the ways on which the sender's packet comes to `first`, before the passages in `after`; else says why there is none.
    fn enter(&mut self, after: &[Passage<'a>], first: &Passage<'a>, handed_on: bool) -> Result<(), String> {
        let entries = self.entries(first.router, first.onto, handed_on)?;
        for (note, inlets) in entries {
            let mut trail = vec![Passage { note, inlets, ..first.clone() }];
            trail.extend(after.iter().rev().cloned());
            let view = self.view;
            let transfer = trail.iter().rev().skip(1).map(|passage| passage.onto);
            let is_up = trail.iter().all(|passage| passage.is_up(view))
                && transfer
                    .into_iter()
                    .all(|onto| view.network(onto).is_none_or(|network| network.admin_state_up));
            self.found.push(trail);
            self.done = (is_up && !self.guarded) || self.found.len() >= WAYS_MAX;
            if self.done {
                break;
            }
        }
        Ok(())
    }

    /// How the sender's packet comes to a router that sends it on to a network: note and ports for each way in.
    fn entries(&self, router: &Id, onto: &Id, handed_on: bool) -> Result<Vec<(String, Vec<&'a Id>)>, String> {
        let (view, from, to) = (self.view, self.question.from, self.question.to);
        let scope_of = |network: &Id| view.address_scope_of(network, to.is_ipv6());
        let scope = scope_of(onto);
        let elsewhere =
            view.interfaces_of(router).into_iter().filter_map(|slot| view.port(slot).network_id.as_ref());
        let elsewhere: BTreeSet<&Id> = elsewhere.filter(|other| *other != onto).collect();
        let mut entries = Vec::new();
        let mut in_other_scope = None;
        for other in elsewhere {
            if !stands_on(view, from, other, None, None) {
                continue;
            }
            if !scope_of(other).may_be(scope) {
                in_other_scope = Some(format!("network {other} is in another address scope"));
                continue;
            }
            entries.push((format!("from network {other}"), self.ports(router, other, from)));
            if !self.guarded {
                return Ok(entries);
            }
        }
        let known = view.router(router);
        // An empty gateway says that there is none.
        let gateways = known.iter().flat_map(|known| known.gateways.iter());
        let gateways: Vec<&Gateway> = gateways.filter(|gateway| **gateway != Gateway::default()).collect();
        let outer_scope_of =
            |gateway: &Gateway| gateway.network_id.as_ref().map_or(ScopeOf::Unknown, scope_of);
        let lets_in = |gateway: &&Gateway| {
            let outer = outer_scope_of(gateway);
            let within_one = matches!(outer, ScopeOf::In(_)) && outer == scope;
            let is_translated = gateway.enable_snat != Some(false) && !within_one;
            let hairpin = handed_on && gateway.network_id.as_ref() == Some(onto);
            outer.may_be(scope) && !hairpin && (is_global_ipv6(to) || !is_translated)
        };
        if gateways.iter().any(lets_in) {
            entries.push((BY_GATEWAY.to_owned(), Vec::new()));
        }
        if !entries.is_empty() {
            return Ok(entries);
        }
        Err(in_other_scope.unwrap_or_else(|| {
            if known.is_none() {
                format!("{from} is not behind it, and no gateway of it is known")
            } else if gateways.is_empty() {
                format!("{from} is not behind it, and it has no gateway")
            } else if gateways.iter().all(|gateway| !outer_scope_of(gateway).may_be(scope)) {
                "the network behind its gateway is in another address scope".to_owned()
            } else {
                "its gateway hides the addresses behind it (enable_snat)".to_owned()
            }
        }))
    }

    /// Looks for routers that hand the packet on to the first one of a trail, which is told from its end.
    fn extend(&mut self, trail: &mut Vec<Passage<'a>>) {
        let Some(first) = trail.last().filter(|_| trail.len() < ROUTERS_IN_A_ROW_MAX) else { return };
        let (router, onto) = (first.router, first.onto);
        let (view, to) = (self.view, self.question.to);
        for (network, address, inlet) in doors(view, router) {
            let scope_of = |network: &Id| view.address_scope_of(network, to.is_ipv6());
            let same_scope = scope_of(network).may_be(scope_of(onto));
            if network == onto || !same_scope || address.is_ipv6() != to.is_ipv6() {
                continue;
            }
            for sender in senders(view, network, address) {
                self.steps += 1;
                if self.done || self.steps > STEPS_MAX {
                    return;
                }
                let is_on_it = self.routers.contains(sender);
                let was_there = trail.iter().any(|passage| passage.router == sender);
                if is_on_it || was_there || !routes_over(view, sender, to, address) {
                    continue;
                }
                if let Some(first) = trail.last_mut() {
                    first.note = format!("next hop {address} of an extra route");
                    first.inlets = inlet.into_iter().collect();
                }
                let passage = self.passage(sender, network, address);
                // Why a router further away is of no use would only confuse.
                let _ = self.enter(trail, &passage, true);
                trail.push(passage);
                self.extend(trail);
                trail.pop();
            }
        }
    }
}

/// Where a router can be sent to: network, address, and the port unless it is a gateway.
fn doors<'a>(view: &'a impl View, router: &Id) -> BTreeSet<(&'a Id, IpAddr, Option<&'a Id>)> {
    let ports = view.interfaces_of(router).into_iter().map(|slot| view.port(slot));
    let ports = ports.filter_map(|port| Some((port.network_id.as_ref()?, port)));
    let mut doors: BTreeSet<_> = ports
        .flat_map(|(network, port)| {
            port.fixed_ips.iter().map(move |fixed| (network, fixed.address, Some(&port.id)))
        })
        .collect();
    for gateway in view.router(router).iter().flat_map(|router| router.gateways.iter()) {
        if let Some(network) = &gateway.network_id {
            doors.extend(gateway.external_fixed_ips.iter().map(|fixed| (network, fixed.address, None)));
        }
    }
    doors
}

/// The routers that may send to an address on a network by an extra route.
fn senders<'a>(view: &'a impl View, network: &Id, address: IpAddr) -> BTreeSet<&'a Id> {
    if !view.is_next_hop(address) {
        return BTreeSet::new();
    }
    let interfaces = view.interfaces_on(network).into_iter();
    let mut senders: BTreeSet<&Id> = interfaces.filter_map(|slot| view.port(slot).router()).collect();
    if view.network_is_external(network) {
        // Gateways are on external networks only; elsewhere addresses are reused, and the list could be long.
        let by_gateway = view.routers_by_next_hop(address).into_iter();
        let on_it = |gateway: &Gateway| {
            gateway.network_id.as_ref() == Some(network) && *gateway != Gateway::default()
        };
        senders
            .extend(by_gateway.filter(|router| router.gateways.iter().any(on_it)).map(|router| &router.id));
    }
    senders
}

/// Whether the narrowest of a router's extra routes to an address goes over this next hop.
fn routes_over(view: &impl View, router: &Id, to: IpAddr, next_hop: IpAddr) -> bool {
    let routes = || {
        let routes = view.router(router).into_iter().flat_map(|router| router.routes.iter());
        routes.filter(|route| route.destination.contains(&to))
    };
    let narrowest = routes().map(|route| route.destination.prefix_len()).max();
    routes().any(|route| Some(route.destination.prefix_len()) == narrowest && route.next_hop == next_hop)
}

/// The ports of a router on a network, in order of their ids: those in the subnet of an address where that is known, else all.
pub(super) fn interfaces<'a>(view: &'a impl View, router: &Id, network: &Id, towards: IpAddr) -> Vec<&'a Id> {
    let on_network = view.interfaces_on(network).into_iter();
    let all: Vec<Slot> = on_network.filter(|&slot| view.port(slot).router() == Some(router)).collect();
    let in_subnet = |slot: &Slot| {
        view.port(*slot).fixed_ips.iter().any(|fixed| {
            let subnet = fixed.subnet_id.as_ref().and_then(|subnet| view.subnet(subnet));
            subnet.and_then(|subnet| subnet.cidr).is_some_and(|cidr| cidr.contains(&towards))
        })
    };
    let right: Vec<Slot> = all.iter().copied().filter(in_subnet).collect();
    let mut ports: Vec<&Id> =
        if right.is_empty() { all } else { right }.into_iter().map(|slot| &view.port(slot).id).collect();
    ports.sort_unstable();
    ports
}

/// Whether an address is a fixed IP of a port on a network other than `port`, or of a gateway other than that
/// of `router`.
pub(super) fn stands_on(
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

/// 2000::/3, the documentation prefixes included.
fn is_global_ipv6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.segments()[0] >> 13 == 1)
}
