//! What answers for an address: floating IPs, forwardings, ports, and the gateways of routers.

use std::net::IpAddr;

use ipnet::IpNet;

use super::filter::{Admission, Asked, Sender, has_fixed_ip};
use super::guard::{self, Guards};
use super::limits;
use super::path::{self, Way};
use super::verdict::{CandidateVerdict, Hop, Question, Reason};
use crate::ids::Id;
use crate::model::{
    FloatingIpState, ForwardingState, Gateway, Kind, LoadBalancerState, PortRange, Ports, Protocol,
    RouterState, Slot, Via, View, host, net_text,
};

/// The owner of a floating IP's own port: it only holds the address.
const FLOATING_IP_OWNER: &str = "network:floatingip";
/// The owner of a gateway's port, where the inventory shows it.
const GATEWAY_OWNER: &str = "network:router_gateway";
/// What is said of a port that the model does not have: nothing there tells a deleted one from one that a read did not show.
const NOT_KNOWN: &str = "is not known: deleted, or never shown to osel's user";

/// By which door the packet comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door<'a> {
    Floating(&'a FloatingIpState),
    Forwarding(&'a FloatingIpState, &'a ForwardingState),
    /// A fixed IP or an allowed address pair.
    Direct(Via),
}

/// Where it ends up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    Port(Slot),
    /// The port of a router's gateway, which only the router tells of.
    Gateway(&'a RouterState, &'a Gateway),
}

/// A port that answers for the address, and what the packet is when it gets there.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) door: Door<'a>,
    pub(super) target: Target<'a>,
    /// The address as the port has it.
    address: IpNet,
    fixed_ip: Option<IpNet>,
    asked: Asked,
}

/// What was found for an address.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    /// In an order that depends on nothing but the cloud.
    pub(super) candidates: Vec<Candidate<'a>>,
    /// Floating IPs with the address that lead nowhere, and why.
    pub(super) dead_ends: Vec<Hop>,
}

/// Everything that answers for the address of a question.
pub(super) fn find<'a, V: View>(view: &'a V, question: &Question) -> Found<'a> {
    let asked = Asked::new(question);
    let mut found = Found::default();
    let mut floating_ips = view.floating_ips_at(question.to);
    floating_ips.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    for floating in floating_ips {
        let before = found.candidates.len();
        behind_floating_ip(view, &asked, floating, &mut found.candidates);
        if found.candidates.len() == before {
            found.dead_ends.push(dead_end(view, &asked, floating));
        }
    }
    holders(view, question.to, &asked, &mut found.candidates);
    gateways(view, question.to, &asked, &mut found.candidates);
    found.candidates.retain(|candidate| candidate.wanted(view, question));
    found.candidates.sort_by_cached_key(|candidate| candidate.sort_key(view));
    found
}

fn behind_floating_ip<'a, V: View>(
    view: &'a V,
    asked: &Asked,
    floating: &'a FloatingIpState,
    candidates: &mut Vec<Candidate<'a>>,
) {
    let (Some(outer), Some(_)) = (floating.floating_ip_address.map(host), &floating.router_id) else {
        return;
    };
    if let Some(slot) = floating.port_id.as_ref().and_then(|port| view.port_slot(port)) {
        candidates.push(Candidate {
            door: Door::Floating(floating),
            target: Target::Port(slot),
            address: outer,
            fixed_ip: floating.fixed_ip_address.map(host),
            asked: asked.clone(),
        });
    }
    for forwarding in view.forwardings_of(&floating.id) {
        let slot = forwarding.internal_port_id.as_ref().and_then(|port| view.port_slot(port));
        if let (Some(slot), Some(asked)) = (slot, forwarded(forwarding, asked)) {
            candidates.push(Candidate {
                door: Door::Forwarding(floating, forwarding),
                target: Target::Port(slot),
                address: outer,
                fixed_ip: forwarding.internal_ip_address.map(host),
                asked,
            });
        }
    }
}

/// The packet as it is behind a forwarding; none when the forwarding does not take it.
fn forwarded(forwarding: &ForwardingState, asked: &Asked) -> Option<Asked> {
    let own = Protocol::read(forwarding.protocol.as_deref(), asked.ipv6);
    let protocol = match (&asked.protocol, own) {
        (Protocol::Any, own) => own,
        (protocol, own) if own.covers(protocol) => protocol.clone(),
        _ => return None,
    };
    let (inner, outer) = (forwarding.internal?, forwarding.external?);
    let ports = match asked.ports {
        None => (inner.min, inner.max),
        Some((port, _)) if (outer.min..=outer.max).contains(&port) => inner_ports(inner, outer, port),
        Some(_) => return None,
    };
    Some(Asked { protocol, ports: Some(ports), ..asked.clone() })
}

/// The inner port of an outer one; of ranges of unequal length it can be any of the inner ones.
fn inner_ports(inner: PortRange, outer: PortRange, port: u16) -> (u16, u16) {
    if inner.max.saturating_sub(inner.min) != outer.max.saturating_sub(outer.min) {
        return (inner.min, inner.max);
    }
    let port = inner.min.saturating_add(port - outer.min);
    (port, port)
}

/// Every port that holds the address, once: as a fixed IP, else in the narrowest of its pairs.
fn holders<'a, V: View>(view: &'a V, address: IpAddr, asked: &Asked, candidates: &mut Vec<Candidate<'a>>) {
    for slot in view.ports_holding(host(address), false) {
        let port = view.port(slot);
        if port.device_owner.as_deref() == Some(FLOATING_IP_OWNER) {
            continue;
        }
        let fixed = port.fixed_ips.iter().any(|fixed| fixed.address == address).then(|| host(address));
        let pairs = port.allowed_address_pairs.iter().filter(|pair| pair.contains(&address));
        let (held, via) = match (fixed, pairs.max_by_key(|pair| pair.prefix_len())) {
            (Some(fixed), _) => (fixed, Via::Fixed),
            (None, Some(pair)) => (*pair, Via::Pair),
            (None, None) => continue,
        };
        candidates.push(Candidate {
            door: Door::Direct(via),
            target: Target::Port(slot),
            address: held,
            fixed_ip: Some(held),
            asked: asked.clone(),
        });
    }
}

/// Gateways with the address whose ports are not known as ports.
fn gateways<'a, V: View>(view: &'a V, address: IpAddr, asked: &Asked, candidates: &mut Vec<Candidate<'a>>) {
    for (router, gateway) in view.gateways_at(address) {
        let known = candidates.iter().any(|candidate| match candidate.target {
            Target::Port(slot) => {
                let port = view.port(slot);
                gateway_of(view, slot) == Some(&router.id) && port.network_id == gateway.network_id
            }
            Target::Gateway(..) => false,
        });
        if !known {
            candidates.push(Candidate {
                door: Door::Direct(Via::Fixed),
                target: Target::Gateway(router, gateway),
                address: host(address),
                fixed_ip: Some(host(address)),
                asked: asked.clone(),
            });
        }
    }
}

/// The router whose gateway a port is.
fn gateway_of(view: &impl View, slot: Slot) -> Option<&Id> {
    let port = view.port(slot);
    port.device_owner.as_deref().filter(|owner| *owner == GATEWAY_OWNER).and(port.device_id.as_ref())
}

/// Why a floating IP leads nowhere.
fn dead_end(view: &impl View, asked: &Asked, floating: &FloatingIpState) -> Hop {
    let hop = Hop::new(Kind::FloatingIp, Some(&floating.id), None);
    let forwardings = view.forwardings_of(&floating.id);
    let leads = |port: &Id| view.port_slot(port).is_some();
    let taken = forwardings.iter().filter(|forwarding| forwarded(forwarding, asked).is_some());
    match &floating.port_id {
        Some(port) if !leads(port) => hop.stops(format!("its port {port} {NOT_KNOWN}")),
        None if forwardings.is_empty() => hop.stops("leads to no port"),
        None if taken.count() == 0 => hop.stops("no forwarding of it takes this packet"),
        _ if floating.router_id.is_none() => hop.stops("has no router"),
        _ => hop.stops(format!("the port of its forwarding {NOT_KNOWN}")),
    }
}

type SortKey = (Via, Option<Id>, IpNet, Option<Id>, Ports, Option<Id>, Option<Id>);

impl<'a> Candidate<'a> {
    fn via(&self) -> Via {
        match self.door {
            Door::Floating(_) => Via::Floating,
            Door::Forwarding(..) => Via::Forwarding,
            Door::Direct(via) => via,
        }
    }

    /// The network it is on.
    pub(super) fn network<V: View>(&self, view: &'a V) -> Option<&'a Id> {
        match self.target {
            Target::Port(slot) => view.port(slot).network_id.as_ref(),
            Target::Gateway(_, gateway) => gateway.network_id.as_ref(),
        }
    }

    /// The router whose own gateway this is.
    pub(super) fn gateway_of<V: View>(&self, view: &'a V) -> Option<&'a Id> {
        match self.target {
            Target::Port(slot) => gateway_of(view, slot),
            Target::Gateway(router, _) => Some(&router.id),
        }
    }

    pub(super) fn port_id<V: View>(&self, view: &'a V) -> Option<&'a Id> {
        match self.target {
            Target::Port(slot) => Some(&view.port(slot).id),
            Target::Gateway(..) => None,
        }
    }

    /// Whether the question is not narrowed to something else. What counts is where the port is, for a
    /// floating IP too.
    fn wanted<V: View>(&self, view: &'a V, question: &Question) -> bool {
        question.network.as_ref().is_none_or(|wanted| self.network(view) == Some(wanted))
            && question.port_id.as_ref().is_none_or(|wanted| self.port_id(view) == Some(wanted))
    }

    fn sort_key<V: View>(&self, view: &'a V) -> SortKey {
        let (outer, forwarding) = match self.door {
            Door::Floating(floating) => (Some(&floating.id), None),
            Door::Forwarding(floating, forwarding) => (Some(&floating.id), Some(&forwarding.id)),
            Door::Direct(_) => (None, None),
        };
        (
            self.via(),
            self.port_id(view).cloned(),
            self.address,
            self.gateway_of(view).cloned(),
            self.asked.ports,
            outer.cloned(),
            forwarding.cloned(),
        )
    }

    /// The router whose own address this is.
    pub(super) fn router<V: View>(&self, view: &'a V) -> Option<&'a Id> {
        let interface = match self.target {
            Target::Port(slot) => view.port(slot).router(),
            Target::Gateway(..) => None,
        };
        interface.or_else(|| self.gateway_of(view))
    }

    /// The address that the packet has when it gets to the port, where that is known.
    pub(super) fn inner_address(&self, question: &Question) -> Option<IpAddr> {
        match self.door {
            Door::Direct(_) => Some(question.to),
            Door::Floating(_) | Door::Forwarding(..) => self.fixed_ip.map(|inner| inner.addr()),
        }
    }

    /// Takes the packet through path, state and filter, on each way, and tells the one on which it gets furthest.
    pub(super) fn judge<V: View>(
        &self,
        view: &'a V,
        question: &Question,
        sender: &Sender<'_, V>,
    ) -> CandidateVerdict {
        let mut best = (Reason::NoPath, None, Vec::new());
        for (number, way) in path::ways(view, question, self).into_iter().enumerate() {
            let judged = self.judge_way(view, question, sender, way);
            if number == 0 || judged.0 > best.0 {
                best = judged;
            }
            if best.0 == Reason::Admitted {
                break;
            }
        }
        let (reason, rule_id, path) = best;
        let not_modelled = limits::that_matter(view, question, self, reason, &path);
        CandidateVerdict {
            port_id: self.port_id(view).cloned(),
            via: self.via(),
            address: self.address,
            fixed_ip: self.fixed_ip,
            region: view.region().cloned(),
            reason,
            rule_id,
            path,
            not_modelled,
        }
    }

    /// Whether the packet is sent to an address of the port itself.
    pub(super) fn is_direct(&self) -> bool {
        matches!(self.door, Door::Direct(_))
    }

    fn judge_way<V: View>(
        &self,
        view: &'a V,
        question: &Question,
        sender: &Sender<'_, V>,
        mut way: Way<'a>,
    ) -> (Reason, Option<Id>, Vec<Hop>) {
        if !way.open {
            return (Reason::NoPath, None, way.hops);
        }
        let balancers = self.balancers(view, question);
        let balancer_is_down = guard::stop_at_balancer(&balancers, &mut way.hops);
        if way.stop_at_what_is_down(view) || balancer_is_down {
            return (Reason::AdminDown, None, way.hops);
        }
        let gates = std::mem::take(&mut way.gates);
        let guards = Guards::new(view, question.from, self, question, gates, &balancers);
        let admit = |asked: &Asked| match self.target {
            Target::Port(slot) => sender.admission(slot, asked),
            Target::Gateway(..) => Admission::free("a router's gateway is never filtered"),
        };
        let admission = guards.narrow(&self.asked, admit);
        if let (Some(note), Some(port)) = (admission.port_note, way.hops.last_mut()) {
            port.note = Some(note);
            port.blocked = !admission.admitted;
        }
        way.hops.extend(admission.hops);
        let reason = if admission.admitted { Reason::Admitted } else { Reason::NoRule };
        (reason, admission.rule_id, way.hops)
    }

    /// The load balancers that answer here: those of the port, and for a port that stands in for it (an amphora) those of the port that
    /// holds the address.
    pub(super) fn balancers<V: View>(&self, view: &'a V, question: &Question) -> Vec<&'a LoadBalancerState> {
        let Target::Port(slot) = self.target else { return Vec::new() };
        let own = view.load_balancers_of(&view.port(slot).id);
        let stands_in = matches!(self.door, Door::Direct(Via::Pair)) && self.address == host(question.to);
        if !own.is_empty() || !stands_in {
            return own;
        }
        let port = view.port(slot);
        let holders = view.neighbours(self.address, port.network_id.as_ref(), &port.id).into_iter();
        let holders = holders.map(|slot| view.port(slot)).filter(|holder| has_fixed_ip(holder, question.to));
        let mut found: Vec<_> = holders.flat_map(|holder| view.load_balancers_of(&holder.id)).collect();
        found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        found
    }

    /// The hops by which the packet comes in from outside.
    pub(super) fn doors(&self) -> Vec<Hop> {
        let inner = self.fixed_ip.map_or_else(|| "its port".to_owned(), net_text);
        let outer = net_text(self.address);
        match self.door {
            Door::Direct(_) => Vec::new(),
            Door::Floating(floating) => {
                vec![
                    Hop::new(Kind::FloatingIp, Some(&floating.id), None).noted(format!("{outer} to {inner}")),
                ]
            }
            Door::Forwarding(floating, forwarding) => {
                let ports = |range: Option<PortRange>| match range {
                    Some(PortRange { min, max }) if min == max => min.to_string(),
                    Some(PortRange { min, max }) => format!("{min}-{max}"),
                    None => "any".to_owned(),
                };
                let protocol = self.asked.protocol.name();
                let (from, to) = (ports(forwarding.external), ports(forwarding.internal));
                let note = format!("{protocol} {from} to {inner} {protocol} {to}");
                vec![
                    Hop::new(Kind::FloatingIp, Some(&floating.id), None).noted(outer),
                    Hop::new(Kind::Forwarding, Some(&forwarding.id), None).noted(note),
                ]
            }
        }
    }
}
