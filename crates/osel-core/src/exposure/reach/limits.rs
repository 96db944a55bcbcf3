//! What could make this answer another one and is not modelled: decided when the answer is there.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::candidate::{Candidate, Target};
use super::filter::Asked;
use super::verdict::{Hop, Question, Reason};
use crate::exposure::not_modelled::NotModelled;
use crate::ids::Id;
use crate::model::{Kind, PortState, Protocol, View, host};

/// The owner of a port that holds the address of a load balancer.
const BALANCER_OWNER: &str = "Octavia";
/// The most networks of the sender on which extra routes are looked for: projects reuse addresses, and this is only a hint.
const NETWORKS_MAX: usize = 8;
/// UDP ports of DHCP, both versions.
const DHCP: [u16; 4] = [67, 68, 546, 547];
/// ICMPv6 types of multicast listeners and neighbour discovery.
const DISCOVERY: std::ops::RangeInclusive<u16> = 130..=137;

/// What of it could matter for one candidate; sorted.
pub(super) fn that_matter<'a, V: View>(
    view: &'a V,
    question: &Question,
    candidate: &Candidate<'a>,
    reason: Reason,
    path: &[Hop],
) -> Vec<NotModelled> {
    let Target::Port(slot) = candidate.target else { return Vec::new() };
    let port = view.port(slot);
    let blocked = path.iter().find(|hop| hop.blocked).map(|hop| hop.kind);
    let passes = |kind: Kind| path.iter().any(|hop| hop.kind == kind && !hop.blocked);
    let is_balancer = port.device_owner.as_deref() == Some(BALANCER_OWNER)
        || !candidate.balancers(view, question).is_empty();
    let by_groups = matches!(blocked, Some(Kind::SecurityGroup | Kind::Port));
    let mut found = Vec::new();
    match reason {
        Reason::Admitted => {
            let is_stateless =
                |group: &Id| view.group(group).is_some_and(|group| group.stateful == Some(false));
            if passes(Kind::SecurityGroup) && port.security_groups.iter().any(is_stateless) {
                found.push(NotModelled::StatelessReplies);
            }
            if comes_from_outside(candidate, path) {
                found.push(NotModelled::UpstreamRoutes);
            }
            if passes(Kind::Listener) {
                found.push(NotModelled::Pools);
            } else if is_balancer {
                found.push(NotModelled::UnknownListeners);
            }
        }
        Reason::NoRule => {
            if by_groups && is_base_traffic(&Asked::new(question)) {
                found.push(NotModelled::BaseRules);
            }
            if by_groups && is_balancer {
                found.push(NotModelled::BalancerBackends);
            }
        }
        Reason::AdminDown if blocked == Some(Kind::Trunk) => found.push(NotModelled::TrunkBackends),
        Reason::NoPath => {
            if is_served_from_outside(view, question, port) {
                found.push(NotModelled::PhysicalRouters);
            }
            if is_private(question.from) && path.iter().any(|hop| hop.kind == Kind::Router) {
                found.push(NotModelled::Vpn);
            }
            if view.has_extra_routes() && leads_over_a_server(view, question) {
                found.push(NotModelled::Appliances);
            }
        }
        _ => {}
    }
    found
}

/// Whether the packet comes through a gateway, or over an external network, to an address that nothing translates.
fn comes_from_outside(candidate: &Candidate<'_>, path: &[Hop]) -> bool {
    let first = path.first();
    candidate.is_direct()
        && first.is_some_and(|first| match (first.kind, &first.id, &first.note) {
            (Kind::Router, Some(_), Some(note)) => note == super::route::BY_GATEWAY,
            (Kind::Network, Some(_), Some(note)) => note == super::path::EXTERNAL,
            _ => false,
        })
}

/// Whether an address is of those that sites behind a VPN have.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

fn is_base_traffic(asked: &Asked) -> bool {
    let any_of = |range: &dyn Fn(u16) -> bool| match asked.ports {
        Some((port, _)) => range(port),
        None => true,
    };
    match &asked.protocol {
        Protocol::Number(17) => any_of(&|port| DHCP.contains(&port)),
        Protocol::Number(58) => any_of(&|icmp_type| DISCOVERY.contains(&icmp_type)),
        _ => false,
    }
}

/// Whether the gateway of the address's subnet is none of the network's routers, as far as it is known.
fn is_served_from_outside(view: &impl View, question: &Question, port: &PortState) -> bool {
    let Some(network) = &port.network_id else { return false };
    let subnets = view.subnets_of(network).into_iter();
    let mut gateways = subnets
        .filter(|subnet| subnet.cidr.is_some_and(|cidr| cidr.contains(&question.to)))
        .filter_map(|subnet| subnet.gateway_ip);
    let interfaces = view.interfaces_on(network);
    gateways.any(|gateway| {
        let is_it = |slot: &u32| view.port(*slot).fixed_ips.iter().any(|fixed| fixed.address == gateway);
        !interfaces.iter().any(is_it)
    })
}

/// Whether a router of the sender sends what is for the address to a port that is no router's.
fn leads_over_a_server(view: &impl View, question: &Question) -> bool {
    let holders = view.ports_holding(host(question.from), true).into_iter();
    // The first by their ids: slots differ between two readings of one cloud.
    let networks: BTreeSet<&Id> = holders.filter_map(|slot| view.port(slot).network_id.as_ref()).collect();
    let networks = networks.into_iter().take(NETWORKS_MAX);
    let routers = networks.flat_map(|network| view.interfaces_on(network));
    let routers = routers.filter_map(|slot| view.router(view.port(slot).router()?));
    routers.into_iter().any(|router| {
        let routes = router.routes.iter().filter(|route| route.destination.contains(&question.to));
        let networks = || {
            let ports = view.interfaces_of(&router.id).into_iter();
            ports.filter_map(|slot| view.port(slot).network_id.as_ref())
        };
        // No port has an empty id: none is left out.
        let nobody = Id::new("");
        routes.into_iter().any(|route| {
            networks().any(|network| {
                let holders = view.neighbours(host(route.next_hop), Some(network), &nobody);
                holders.into_iter().any(|slot| !view.port(slot).trusted())
            })
        })
    })
}
