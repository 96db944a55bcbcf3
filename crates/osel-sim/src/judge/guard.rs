//! Firewall groups and listeners, asked about one packet at a time.
//!
//! A question that leaves something open is answered by trying packets: one for each number that any rule names, and its neighbours.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::protocol::{has_ports, protocol_name};
use super::read::{address, family, flag, integer, list, prefix, text, text_set};
use super::way::{Map, Pass, Told};

/// One packet, as far as guards look at it.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) from: IpAddr,
    /// Where it is to go behind all translation.
    pub(super) to: Option<IpAddr>,
    pub(super) protocol: String,
    pub(super) port: Option<i64>,
    pub(super) source_port: i64,
}

/// The ports at which a packet passes a firewall: it takes one of them.
#[derive(Clone, Debug)]
pub(super) struct Post {
    ports: Vec<String>,
    direction: &'static str,
}

/// Everything that is asked about a packet beside security groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    posts: Vec<Post>,
    /// The load balancers that answer at the port.
    balancers: Vec<String>,
}

impl Watch {
    /// What stands at the port itself.
    pub(super) fn at(map: &Map<'_>, port: &Value, is_trusted: bool, balancers: &[&Value]) -> Self {
        let mut watch = Self::default();
        if let (false, Some(id)) = (is_trusted, text(port, "id")) {
            watch.posts.push(Post { ports: vec![id.to_owned()], direction: "ingress" });
        }
        let ids = balancers.iter().filter_map(|balancer| text(balancer, "id"));
        let ids: Vec<String> = ids.map(str::to_owned).collect();
        let belongs = |listener: &&Value| ids.iter().any(|id| owner(listener) == Some(id));
        if list(map.state, "listeners").iter().any(belongs) {
            watch.balancers = ids;
        }
        watch
    }

    /// The router that a floating IP goes through, too.
    pub(super) fn after_translation(
        mut self,
        map: &Map<'_>,
        router: &str,
        network: &str,
        inner: IpAddr,
    ) -> Self {
        self.post(map.interfaces_towards(router, network, inner), "ingress");
        self
    }

    /// The routers of a way, too; `own` is the router whose own address is meant.
    pub(super) fn on_way(mut self, map: &Map<'_>, way: &[Pass], own: Option<&str>) -> Self {
        for pass in way.iter().filter(|pass| Some(&*pass.router) != own) {
            if let Some((network, told)) = &pass.inside {
                let ports = match told {
                    Told::Host(from) => map.interfaces_towards(&pass.router, network, *from),
                    Told::Exactly(hop) => map
                        .interfaces()
                        .filter(|(router, at, _)| router == &pass.router && at == network)
                        .map(|(_, _, port)| port)
                        .filter(|port| {
                            list(port, "fixed_ips")
                                .iter()
                                .any(|fixed| text(fixed, "ip_address").and_then(address) == Some(*hop))
                        })
                        .collect(),
                };
                self.post(ports, "egress");
            }
            self.post(map.interfaces_towards(&pass.router, &pass.onto, pass.towards), "ingress");
        }
        self
    }

    fn post(&mut self, ports: Vec<&Value>, direction: &'static str) {
        let ports: Vec<String> =
            ports.into_iter().filter_map(|port| text(port, "id")).map(str::to_owned).collect();
        if !ports.is_empty() {
            self.posts.push(Post { ports, direction });
        }
    }

    /// Whether anything here could say no.
    pub(super) fn is_awake(&self, map: &Map<'_>) -> bool {
        !self.balancers.is_empty()
            || self.posts.iter().flat_map(|post| &post.ports).any(|port| !groups(map, port).is_empty())
    }

    /// Whether a packet passes all.
    pub(super) fn passes(&self, map: &Map<'_>, parcel: &Parcel) -> bool {
        let passes_post = |post: &Post| {
            post.ports.iter().any(|port| {
                groups(map, port).into_iter().all(|group| group_passes(map, group, post.direction, parcel))
            })
        };
        self.posts.iter().all(passes_post) && (self.balancers.is_empty() || self.is_heard(map, parcel))
    }

    fn is_heard(&self, map: &Map<'_>, parcel: &Parcel) -> bool {
        list(map.state, "listeners").into_iter().any(|listener| {
            let balancer = owner(listener).filter(|id| self.balancers.iter().any(|one| one == id));
            let balancer = balancer.and_then(|id| map.object("loadbalancers", id));
            let transport = match text(listener, "protocol") {
                Some("UDP") => "udp",
                Some("SCTP") => "sctp",
                _ => "tcp",
            };
            let cidrs = list(listener, "allowed_cidrs");
            balancer.is_some_and(|balancer| flag(balancer, "admin_state_up", true))
                && flag(listener, "admin_state_up", true)
                && parcel.protocol == transport
                && parcel.port.is_some()
                && integer(listener, "protocol_port") == parcel.port
                && (cidrs.is_empty() || cidrs.iter().any(|cidr| is_in(cidr.as_str(), Some(parcel.from))))
        })
    }

    /// The packets that a question may mean: of these protocols and ports, or of any where none is given.
    pub(super) fn parcels(
        map: &Map<'_>,
        open: &Parcel,
        ports: Option<(i64, i64)>,
        security_rules: &[&Value],
    ) -> Vec<Parcel> {
        let family = family(&open.from);
        let mut protocols = BTreeSet::from([open.protocol.clone()]);
        if protocols.remove("any") {
            protocols.extend(["253", "tcp", "udp", "sctp", "icmp", "ipv6-icmp"].map(str::to_owned));
            let firewall_rules = list(map.state, "firewall_rules");
            for rule in security_rules.iter().chain(&firewall_rules) {
                let own = protocol_name(rule.get("protocol"), family);
                if own != "any" {
                    protocols.insert(own);
                }
            }
        }
        let (first, last) = ports.unwrap_or((1, 65_535));
        let mut numbers = BTreeSet::from([first, last]);
        let mut source_numbers = BTreeSet::from([40_000]);
        for rule in security_rules {
            for key in ["port_range_min", "port_range_max"] {
                around(integer(rule, key), &mut numbers);
            }
        }
        for rule in list(map.state, "firewall_rules") {
            for (key, into) in [("destination_port", &mut numbers), ("source_port", &mut source_numbers)] {
                if let Some((low, high)) = range(rule, key) {
                    around(Some(low), into);
                    around(Some(high), into);
                }
            }
        }
        for listener in list(map.state, "listeners") {
            around(integer(listener, "protocol_port"), &mut numbers);
        }
        numbers.retain(|number| (first..=last).contains(number));
        source_numbers.retain(|number| (1..=65_535).contains(number));
        let mut parcels = Vec::new();
        for protocol in protocols {
            let with_ports = has_ports(&protocol);
            let numbers: Vec<Option<i64>> =
                if with_ports { numbers.iter().copied().map(Some).collect() } else { vec![None] };
            for port in numbers {
                for &source_port in &source_numbers {
                    parcels.push(Parcel { protocol: protocol.clone(), port, source_port, ..open.clone() });
                    if !with_ports {
                        break;
                    }
                }
            }
        }
        parcels
    }
}

fn around(number: Option<i64>, into: &mut BTreeSet<i64>) {
    if let Some(number) = number {
        into.extend([number - 1, number, number + 1]);
    }
}

/// The load balancer of a listener.
fn owner(listener: &Value) -> Option<&str> {
    let first = list(listener, "loadbalancers").into_iter().find_map(|one| text(one, "id"));
    first.or_else(|| text(listener, "loadbalancer_id"))
}

fn groups<'a>(map: &Map<'a>, port: &str) -> Vec<&'a Value> {
    list(map.state, "firewall_groups")
        .into_iter()
        .filter(|group| text_set(group, "ports").contains(port))
        .collect()
}

fn group_passes(map: &Map<'_>, group: &Value, direction: &str, parcel: &Parcel) -> bool {
    let policies = ["ingress", "egress"].map(|side| text(group, &format!("{side}_firewall_policy_id")));
    if policies == [None, None] {
        return true;
    }
    if !flag(group, "admin_state_up", true) {
        return false;
    }
    let Some(policy) = text(group, &format!("{direction}_firewall_policy_id")) else { return false };
    let Some(policy) = map.object("firewall_policies", policy) else { return true };
    for id in list(policy, "firewall_rules") {
        match id.as_str().and_then(|id| map.object("firewall_rules", id)) {
            // It may allow anything.
            None => return true,
            Some(rule) if rule_matches(rule, parcel) => return text(rule, "action") == Some("allow"),
            Some(_) => {}
        }
    }
    false
}

fn rule_matches(rule: &Value, parcel: &Parcel) -> bool {
    let family = family(&parcel.from);
    let version = if family == "IPv6" { 6 } else { 4 };
    let protocol = protocol_name(rule.get("protocol"), family);
    let port_fits = |key: &str, port: Option<i64>| match range(rule, key) {
        None => true,
        Some((low, high)) => {
            has_ports(&parcel.protocol) && port.is_some_and(|port| (low..=high).contains(&port))
        }
    };
    flag(rule, "enabled", true)
        && integer(rule, "ip_version").unwrap_or(4) == version
        && (protocol == "any" || protocol == parcel.protocol)
        && text(rule, "source_ip_address").is_none_or(|given| is_in(Some(given), Some(parcel.from)))
        && text(rule, "destination_ip_address").is_none_or(|given| is_in(Some(given), parcel.to))
        && port_fits("destination_port", parcel.port)
        && port_fits("source_port", Some(parcel.source_port))
}

fn is_in(given: Option<&str>, address: Option<IpAddr>) -> bool {
    match (given.and_then(prefix), address) {
        (Some(prefix), Some(address)) => prefix.contains(&address),
        _ => false,
    }
}

/// `80`, `"80"` or `"80:90"`.
fn range(rule: &Value, key: &str) -> Option<(i64, i64)> {
    if let Some(port) = integer(rule, key) {
        return Some((port, port));
    }
    let (low, high) = text(rule, key)?.split_once(':')?;
    Some((low.parse().ok()?, high.parse().ok()?))
}
