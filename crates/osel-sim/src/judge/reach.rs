//! "Would this packet be admitted?", answered by trying every candidate, every path and every rule.
//!
//! The contract's "Reach" step by step. The answer holds every rule that could be named, because the engine
//! may name any.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::protocol::{has_ports, is_icmp, protocol_name, rule_ports};
use super::read::{
    address, family, fixed_ips, flag, ingress_rules, integer, is_filtered, is_trusted, list, pairs, prefix,
    rule_family, rules_of, text, text_set,
};
use super::rows::{admitted_part, forwarding_ports};

/// What an operator may set about reachability.
#[derive(Clone, Debug)]
pub struct ReachOptions {
    /// Whether address pairs of a remote group's members count as its addresses
    /// (`model.group_members_include_pairs`).
    pub group_members_include_pairs: bool,
    /// Prefixes that are routed to from everywhere.
    pub routed_prefixes: Vec<IpNet>,
}

impl Default for ReachOptions {
    fn default() -> Self {
        Self { group_members_include_pairs: true, routed_prefixes: Vec::new() }
    }
}

/// Answers `{"from","to","protocol","port","icmp_code","network","port_id"}` (the last four may be missing)
/// with `{"reachable","reason","rule_ids"}`: `rule_ids` are all that a right answer may give as its
/// `rule_id`.
///
/// A question that cannot be read has the reason `bad_question`.
pub fn reach(state: &Value, question: &Value, options: &ReachOptions) -> Value {
    let Some(packet) = Packet::read(question) else { return answer("bad_question", BTreeSet::new()) };
    if family(&packet.from) != family(&packet.to) {
        return answer("family", BTreeSet::new());
    }
    let ports = every_port(state);
    let scene = Scene { state, ports: &ports, packet: &packet, options };
    let mut reason = "no_such_address";
    let mut rule_ids = BTreeSet::new();
    for candidate in scene.candidates(question) {
        let (stage, rules) = scene.judge(&candidate);
        rule_ids.extend(rules);
        if rank(stage) > rank(reason) {
            reason = stage;
        }
    }
    answer(reason, rule_ids)
}

fn answer(reason: &str, rule_ids: BTreeSet<Option<String>>) -> Value {
    let reachable = reason == "admitted";
    let rule_ids: Vec<_> = if reachable { rule_ids.into_iter().collect() } else { vec![None] };
    json!({"reachable": reachable, "reason": reason, "rule_ids": rule_ids})
}

/// How far a reason got; the furthest one is the answer.
fn rank(reason: &str) -> usize {
    ["no_such_address", "no_path", "admin_down", "no_rule", "admitted"]
        .iter()
        .position(|known| *known == reason)
        .unwrap_or(0)
}

struct Packet {
    from: IpAddr,
    to: IpAddr,
    protocol: String,
    /// The port, or the ICMP type; nothing asks whether any is admitted.
    port: Option<i64>,
    icmp_code: Option<i64>,
}

impl Packet {
    fn read(question: &Value) -> Option<Self> {
        let from = address(text(question, "from")?)?;
        let to = address(text(question, "to")?)?;
        Some(Self {
            from,
            to,
            protocol: protocol_name(question.get("protocol"), family(&to)),
            port: integer(question, "port"),
            icmp_code: integer(question, "icmp_code"),
        })
    }
}

/// One port that may be meant, and how the packet arrives there.
struct Candidate<'a> {
    port: &'a Value,
    /// The ports behind the address of which any may be the one that is met.
    inner_ports: Option<(i64, i64)>,
    way: Way,
}

enum Way {
    /// To a floating IP, by that router.
    Translated { router: String },
    /// To the port's own address.
    Direct,
}

struct Scene<'a> {
    state: &'a Value,
    ports: &'a [Value],
    packet: &'a Packet,
    options: &'a ReachOptions,
}

impl<'a> Scene<'a> {
    fn candidates(&self, question: &Value) -> Vec<Candidate<'a>> {
        let mut found = Vec::new();
        let asked = self.packet.port.map(|port| (port, port));
        for floating_ip in list(self.state, "floatingips") {
            let is_target =
                text(floating_ip, "floating_ip_address").and_then(address) == Some(self.packet.to);
            let (true, Some(router)) = (is_target, text(floating_ip, "router_id")) else { continue };
            let way = || Way::Translated { router: router.to_owned() };
            if let Some(port) = text(floating_ip, "port_id").and_then(|id| self.port(id)) {
                found.push(Candidate { port, inner_ports: asked, way: way() });
            }
            for forwarding in list(floating_ip, "port_forwardings") {
                let inside = text(forwarding, "internal_port_id").and_then(|id| self.port(id));
                if let (Some(port), Some(inner)) = (inside, self.forwarded(forwarding)) {
                    found.push(Candidate { port, inner_ports: Some(inner), way: way() });
                }
            }
        }
        for port in self.ports {
            if text(port, "device_owner") != Some("network:floatingip") && self.holds(port, self.packet.to) {
                found.push(Candidate { port, inner_ports: asked, way: Way::Direct });
            }
        }
        let narrow = |candidate: &Candidate<'_>, key: &str, field: &str| {
            text(question, key).is_none_or(|wanted| text(candidate.port, field) == Some(wanted))
        };
        found.retain(|candidate| {
            narrow(candidate, "network", "network_id") && narrow(candidate, "port_id", "id")
        });
        found
    }

    /// The internal ports at which the packet may come out of a forwarding; none where it does not go in.
    fn forwarded(&self, forwarding: &Value) -> Option<(i64, i64)> {
        let protocol = protocol_name(forwarding.get("protocol"), "IPv4");
        if self.packet.protocol != "any" && self.packet.protocol != protocol {
            return None;
        }
        let external = forwarding_ports(forwarding, "external_port", "external_port_range");
        let internal = forwarding_ports(forwarding, "internal_port", "internal_port_range");
        match self.packet.port {
            Some(port) if has_ports(&protocol) => admitted_part(external, internal, (port, port)),
            _ => Some(internal),
        }
    }

    fn judge(&self, candidate: &Candidate<'_>) -> (&'static str, BTreeSet<Option<String>>) {
        let ways = self.ways(candidate);
        if ways.is_empty() {
            return ("no_path", BTreeSet::new());
        }
        let network = text(candidate.port, "network_id").and_then(|id| self.object("networks", id));
        let here_up = is_up(Some(candidate.port)) && is_up(network);
        let router_up = |id: &String| is_up(self.object("routers", id));
        if !here_up || !ways.iter().any(|router| router.as_ref().is_none_or(router_up)) {
            return ("admin_down", BTreeSet::new());
        }
        if is_trusted(candidate.port) || !is_filtered(candidate.port) {
            return ("admitted", BTreeSet::from([None]));
        }
        let all_rules = ingress_rules(self.state);
        let rules = rules_of(candidate.port, &all_rules);
        let admitting: BTreeSet<_> = rules
            .iter()
            .filter(|rule| self.admits(rule, candidate.inner_ports))
            .map(|rule| text(rule, "id").map(str::to_owned))
            .collect();
        if admitting.is_empty() { ("no_rule", admitting) } else { ("admitted", admitting) }
    }

    /// Every way to the candidate, each with the router it needs.
    fn ways(&self, candidate: &Candidate<'_>) -> Vec<Option<String>> {
        if let Way::Translated { router } = &candidate.way {
            return vec![Some(router.clone())];
        }
        let (from, to) = (self.packet.from, self.packet.to);
        let Some(network) = text(candidate.port, "network_id") else {
            return if self.is_routed(to) { vec![None] } else { Vec::new() };
        };
        let mut found = Vec::new();
        let neighbour = self.ports.iter().any(|port| {
            text(port, "id") != text(candidate.port, "id")
                && text(port, "network_id") == Some(network)
                && fixed_ips(port).contains(&from)
        });
        if neighbour || self.is_external(network) || self.is_routed(to) {
            found.push(None);
        }
        let routers: BTreeSet<&str> =
            self.interfaces().filter(|(_, at)| *at == network).map(|(router, _)| router).collect();
        for router in routers {
            let elsewhere = self.interfaces().any(|(id, at)| {
                id == router
                    && at != network
                    && self
                        .ports
                        .iter()
                        .any(|port| text(port, "network_id") == Some(at) && fixed_ips(port).contains(&from))
            });
            if elsewhere || self.lets_the_world_in(router, to) {
                found.push(Some(router.to_owned()));
            }
        }
        found
    }

    fn lets_the_world_in(&self, router: &str, to: IpAddr) -> bool {
        let gateway = self.object("routers", router).map(|router| &router["external_gateway_info"]);
        let Some(gateway) = gateway.filter(|gateway| gateway.is_object()) else { return false };
        let global: Option<IpNet> = "2000::/3".parse().ok();
        global.is_some_and(|global| global.contains(&to)) || !flag(gateway, "enable_snat", true)
    }

    /// Router and network of every router interface.
    fn interfaces(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.ports.iter().filter_map(|port| {
            let owner = text(port, "device_owner")?;
            let is_interface = matches!(
                owner,
                "network:router_interface"
                    | "network:router_interface_distributed"
                    | "network:ha_router_replicated_interface"
            );
            if is_interface { Some((text(port, "device_id")?, text(port, "network_id")?)) } else { None }
        })
    }

    fn admits(&self, rule: &Value, inner_ports: Option<(i64, i64)>) -> bool {
        rule_family(rule) == family(&self.packet.to)
            && self.admits_service(rule, inner_ports)
            && self.admits_source(rule)
    }

    fn admits_service(&self, rule: &Value, inner_ports: Option<(i64, i64)>) -> bool {
        let protocol = protocol_name(rule.get("protocol"), rule_family(rule));
        if protocol == "any" {
            return true;
        }
        let asked = &self.packet.protocol;
        if asked != "any" && *asked != protocol {
            return false;
        }
        if is_icmp(&protocol) {
            let admits =
                |bound: Option<i64>, asked: Option<i64>| bound.is_none() || asked.is_none() || bound == asked;
            return admits(integer(rule, "port_range_min"), self.packet.port)
                && admits(integer(rule, "port_range_max"), self.packet.icmp_code);
        }
        let (lowest, highest) = rule_ports(rule, &protocol);
        match inner_ports {
            Some((from, to)) if has_ports(&protocol) => from.max(lowest) <= to.min(highest),
            _ => lowest <= highest,
        }
    }

    fn admits_source(&self, rule: &Value) -> bool {
        let from = self.packet.from;
        if let Some(group) = text(rule, "remote_group_id") {
            return self.ports.iter().filter(|port| text_set(port, "security_groups").contains(group)).any(
                |port| {
                    fixed_ips(port).contains(&from)
                        || (self.options.group_members_include_pairs
                            && pairs(port).iter().any(|pair| pair.contains(&from)))
                },
            );
        }
        if let Some(group) = text(rule, "remote_address_group_id") {
            let group = self.object("address_groups", group);
            let addresses = group.map(|group| text_set(group, "addresses")).unwrap_or_default();
            return addresses.iter().filter_map(|text| prefix(text)).any(|prefix| prefix.contains(&from));
        }
        match text(rule, "remote_ip_prefix").or_else(|| text(rule, "normalized_cidr")) {
            None => true,
            Some(given) => prefix(given).is_some_and(|prefix| prefix.contains(&from)),
        }
    }

    fn is_external(&self, network: &str) -> bool {
        self.object("networks", network).is_some_and(|network| flag(network, "router:external", false))
            || list(self.state, "rbac_policies").iter().any(|policy| {
                text(policy, "object_type") == Some("network")
                    && text(policy, "object_id") == Some(network)
                    && text(policy, "action") == Some("access_as_external")
            })
    }

    fn is_routed(&self, to: IpAddr) -> bool {
        self.options.routed_prefixes.iter().any(|prefix| prefix.contains(&to))
    }

    fn holds(&self, port: &Value, to: IpAddr) -> bool {
        fixed_ips(port).contains(&to) || pairs(port).iter().any(|pair| pair.contains(&to))
    }

    fn port(&self, id: &str) -> Option<&'a Value> {
        self.ports.iter().find(|port| text(port, "id") == Some(id))
    }

    fn object(&self, collection: &str, id: &str) -> Option<&'a Value> {
        list(self.state, collection).into_iter().find(|object| text(object, "id") == Some(id))
    }
}

fn is_up(object: Option<&Value>) -> bool {
    object.is_none_or(|object| flag(object, "admin_state_up", true))
}

/// The ports of the state, and one for each external address of a router that has no port of its own in it.
fn every_port(state: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = list(state, "ports").into_iter().cloned().collect();
    for router in list(state, "routers") {
        let Some(id) = text(router, "id") else { continue };
        let gateway = &router["external_gateway_info"];
        for fixed in list(gateway, "external_fixed_ips") {
            let Some(outside) = text(fixed, "ip_address").and_then(address) else { continue };
            if all
                .iter()
                .any(|port| text(port, "device_id") == Some(id) && fixed_ips(port).contains(&outside))
            {
                continue;
            }
            all.push(json!({
                "id": format!("gateway of {id} at {outside}"),
                "device_id": id,
                "device_owner": "network:router_gateway",
                "network_id": text(gateway, "network_id"),
                "fixed_ips": [{"ip_address": outside.to_string()}],
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests;
