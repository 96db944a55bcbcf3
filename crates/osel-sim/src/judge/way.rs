//! How a packet may travel from router to router, followed forwards from its sender.
//!
//! A router delivers what is for one of its own networks and hands on what an extra route is for. Every way is followed to its end,
//! each with the routers it passes and by which networks it comes in and goes out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::read::{address, fixed_ips, flag, list, prefix, text};

/// As many routers as a packet may pass.
const ROUTERS: usize = 4;

/// A router that the packet passes.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) router: String,
    /// The network that it comes from, and the address by which the router's port there is told; nothing by a gateway.
    pub(super) inside: Option<(String, Told)>,
    /// The network that it goes to, and the address it is sent to there.
    pub(super) onto: String,
    pub(super) towards: IpAddr,
}

/// What tells at which port of a network a router takes a packet.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// It comes from a host with this address.
    Host(IpAddr),
    /// It was sent to this very address.
    Exactly(IpAddr),
}

/// How a packet came to a router.
#[derive(Clone, Debug)]
enum Came {
    Inside(String, Told),
    Outside,
    /// To this address of a gateway, on its network.
    ToGateway(String),
}

/// A state that is asked for ways.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub(super) state: &'a Value,
    pub(super) ports: &'a [Value],
}

impl<'a> Map<'a> {
    /// Every way by routers from a sender to an address of a network.
    pub(super) fn ways(&self, from: IpAddr, to: IpAddr, network: &str) -> Vec<Vec<Pass>> {
        let mut found = Vec::new();
        let routers: BTreeSet<String> = self.interfaces().map(|(router, _, _)| router.to_owned()).collect();
        let described = list(self.state, "routers").into_iter().filter_map(|router| text(router, "id"));
        let routers: BTreeSet<String> = described.map(str::to_owned).chain(routers).collect();
        for router in routers {
            for came in self.arrivals(&router, from) {
                self.follow(to, network, &router, &came, &mut Vec::new(), &mut found);
            }
        }
        found
    }

    /// How a packet of the sender may come to a router at first.
    fn arrivals(&self, router: &str, from: IpAddr) -> Vec<Came> {
        let mut arrivals = vec![Came::Outside];
        let networks: BTreeSet<&str> =
            self.interfaces().filter(|(id, _, _)| *id == router).map(|(_, network, _)| network).collect();
        for network in networks {
            let stands =
                |port: &Value| text(port, "network_id") == Some(network) && fixed_ips(port).contains(&from);
            if self.ports.iter().any(stands) {
                arrivals.push(Came::Inside(network.to_owned(), Told::Host(from)));
            }
        }
        arrivals
    }

    fn follow(
        &self,
        to: IpAddr,
        network: &str,
        router: &str,
        came: &Came,
        passed: &mut Vec<Pass>,
        found: &mut Vec<Vec<Pass>>,
    ) {
        if passed.len() >= ROUTERS || passed.iter().any(|pass| pass.router == router) {
            return;
        }
        let pass = |onto: &str, towards: IpAddr| Pass {
            router: router.to_owned(),
            inside: match came {
                Came::Inside(network, told) => Some((network.clone(), told.clone())),
                Came::Outside | Came::ToGateway(_) => None,
            },
            onto: onto.to_owned(),
            towards,
        };
        if self.interfaces().any(|(id, at, _)| id == router && at == network) {
            if self.may_go(router, came, network, to, false) {
                found.push(passed.iter().cloned().chain([pass(network, to)]).collect());
            }
            return;
        }
        for next_hop in self.next_hops(router, to) {
            for onto in self.networks_of(router) {
                if !self.may_go(router, came, &onto, to, true) {
                    continue;
                }
                let mut next: BTreeSet<(String, bool)> = BTreeSet::new();
                for (other, at, port) in self.interfaces() {
                    if at == onto && fixed_ips(port).contains(&next_hop) {
                        next.insert((other.to_owned(), true));
                    }
                }
                for other in list(self.state, "routers") {
                    let by_gateway = gateways(other).iter().any(|gateway| {
                        text(gateway, "network_id") == Some(&onto)
                            && list(gateway, "external_fixed_ips")
                                .iter()
                                .any(|fixed| text(fixed, "ip_address").and_then(address) == Some(next_hop))
                    });
                    if let (true, Some(id)) = (by_gateway, text(other, "id")) {
                        next.insert((id.to_owned(), false));
                    }
                }
                passed.push(pass(&onto, next_hop));
                for (other, by_interface) in next {
                    let came = if by_interface {
                        Came::Inside(onto.clone(), Told::Exactly(next_hop))
                    } else {
                        Came::ToGateway(onto.clone())
                    };
                    self.follow(to, network, &other, &came, passed, found);
                }
                passed.pop();
            }
        }
    }

    /// Whether a router sends what came so on to a network.
    fn may_go(&self, router: &str, came: &Came, onto: &str, to: IpAddr, handed_on: bool) -> bool {
        let scope = self.scope(onto, to);
        match came {
            Came::Inside(network, _) | Came::ToGateway(network) => {
                network != onto && one_scope(&self.scope(network, to), &scope)
            }
            Came::Outside => {
                let router =
                    list(self.state, "routers").into_iter().find(|one| text(one, "id") == Some(router));
                router.is_some_and(|router| {
                    gateways(router).iter().any(|gateway| {
                        let outer = text(gateway, "network_id").and_then(|network| self.scope(network, to));
                        let both = |known: &Option<Option<String>>| known.clone().flatten();
                        let global: Option<IpNet> = "2000::/3".parse().ok();
                        let needs_no_translation = global.is_some_and(|global| global.contains(&to))
                            || !flag(gateway, "enable_snat", true)
                            || (both(&outer).is_some() && both(&outer) == both(&scope));
                        let turns_back = handed_on && text(gateway, "network_id") == Some(onto);
                        one_scope(&outer, &scope) && needs_no_translation && !turns_back
                    })
                })
            }
        }
    }

    /// The next hops of the narrowest extra routes of a router to an address.
    fn next_hops(&self, router: &str, to: IpAddr) -> BTreeSet<IpAddr> {
        let router = list(self.state, "routers").into_iter().find(|one| text(one, "id") == Some(router));
        let mut routes = Vec::new();
        for route in router.map(|router| list(router, "routes")).unwrap_or_default() {
            let destination = text(route, "destination").and_then(prefix);
            let next_hop = text(route, "nexthop").and_then(address);
            if let (Some(destination), Some(next_hop)) = (destination, next_hop)
                && destination.contains(&to)
            {
                routes.push((destination.prefix_len(), next_hop));
            }
        }
        let narrowest = routes.iter().map(|(length, _)| *length).max();
        let best = routes.into_iter().filter(|(length, _)| Some(*length) == narrowest);
        best.map(|(_, next_hop)| next_hop).filter(|next_hop| next_hop.is_ipv4() == to.is_ipv4()).collect()
    }

    /// The networks that a router can send to: those of its interfaces, and the external ones of its gateways.
    fn networks_of(&self, router: &str) -> BTreeSet<String> {
        let inside = self.interfaces().filter(|(id, _, _)| *id == router).map(|(_, at, _)| at.to_owned());
        let mut networks: BTreeSet<String> = inside.collect();
        for one in list(self.state, "routers") {
            if text(one, "id") == Some(router) {
                let outside = gateways(one).into_iter().filter_map(|gateway| text(gateway, "network_id"));
                networks.extend(outside.filter(|id| self.is_external(id)).map(str::to_owned));
            }
        }
        networks
    }

    /// Router, network and port of every router interface.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> + use<'a> {
        self.ports.iter().filter_map(|port| {
            let owner = text(port, "device_owner")?;
            let is_interface = matches!(
                owner,
                "network:router_interface"
                    | "network:router_interface_distributed"
                    | "network:ha_router_replicated_interface"
            );
            if is_interface {
                Some((text(port, "device_id")?, text(port, "network_id")?, port))
            } else {
                None
            }
        })
    }

    /// The ports by which a router speaks on a network with an address: in the address's subnet where that is known.
    pub(super) fn interfaces_towards(&self, router: &str, network: &str, towards: IpAddr) -> Vec<&'a Value> {
        let all: Vec<&'a Value> = self
            .interfaces()
            .filter(|(id, at, _)| *id == router && *at == network)
            .map(|(_, _, port)| port)
            .collect();
        let in_subnet = |port: &&Value| {
            list(port, "fixed_ips").iter().any(|fixed| {
                let subnet = text(fixed, "subnet_id").and_then(|id| self.object("subnets", id));
                let cidr = subnet.and_then(|subnet| text(subnet, "cidr")).and_then(prefix);
                cidr.is_some_and(|cidr| cidr.contains(&towards))
            })
        };
        let right: Vec<&'a Value> = all.iter().copied().filter(in_subnet).collect();
        if right.is_empty() { all } else { right }
    }

    /// The address scope of a network's addresses of a family, or that they are in none; nothing where nobody can say.
    fn scope(&self, network: &str, family_of: IpAddr) -> Option<Option<String>> {
        let mut pooled = Vec::new();
        let mut of_strangers = false;
        for subnet in list(self.state, "subnets") {
            let is_ours = text(subnet, "network_id") == Some(network)
                && text(subnet, "cidr")
                    .and_then(prefix)
                    .is_some_and(|cidr| cidr.addr().is_ipv4() == family_of.is_ipv4());
            let Some(pool) = text(subnet, "subnetpool_id").filter(|_| is_ours) else { continue };
            match self.object("subnetpools", pool) {
                Some(pool) => pooled.push((text(subnet, "id"), text(pool, "address_scope_id"))),
                None => of_strangers |= pool != "prefix_delegation",
            }
        }
        pooled.sort_unstable();
        if let Some((_, scope)) = pooled.first() {
            return Some(scope.map(str::to_owned));
        }
        if of_strangers {
            return None;
        }
        let key = if family_of.is_ipv4() { "ipv4_address_scope" } else { "ipv6_address_scope" };
        let network = self.object("networks", network)?;
        network.get(key).map(|_| text(network, key).map(str::to_owned))
    }

    pub(super) fn is_external(&self, network: &str) -> bool {
        self.object("networks", network).is_some_and(|network| flag(network, "router:external", false))
            || list(self.state, "rbac_policies").iter().any(|policy| {
                text(policy, "object_type") == Some("network")
                    && text(policy, "object_id") == Some(network)
                    && text(policy, "action") == Some("access_as_external")
            })
    }

    pub(super) fn object(&self, collection: &str, id: &str) -> Option<&'a Value> {
        list(self.state, collection).into_iter().find(|object| text(object, "id") == Some(id))
    }
}

/// Whether two scopes may be one: nobody holds against a packet what nobody knows.
fn one_scope(one: &Option<Option<String>>, other: &Option<Option<String>>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// The gateways of a router, by the old key and the new one.
pub(super) fn gateways(router: &Value) -> Vec<&Value> {
    let first = router.get("external_gateway_info").filter(|info| info.is_object());
    let mut all: Vec<&Value> = first.into_iter().chain(list(router, "external_gateways")).collect();
    all.retain(|gateway| gateway.as_object().is_some_and(|fields| !fields.is_empty()));
    all
}
