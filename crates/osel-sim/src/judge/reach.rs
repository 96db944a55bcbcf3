//! "Would this packet be admitted?", answered by trying every candidate, every path and every rule.
//!
//! The contract's "Reach" step by step. The answer holds every rule that could be named, because the engine
//! may name any.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::guard::{Parcel, Watch};
use super::protocol::{has_ports, is_icmp, protocol_name, rule_ports};
use super::read::{
    address, family, fixed_ips, flag, ingress_rules, integer, is_filtered, is_trusted, list, pairs, prefix,
    rule_family, rules_of, text, text_set,
};
use super::rows::{admitted_part, forwarding_ports};
use super::way::{Map, Pass, gateways};

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
    Known::of(state).reach(question, options)
}

/// A state of which much is asked: what each answer needs is put together once.
pub struct Known<'a> {
    state: &'a Value,
    ports: Vec<Value>,
    rules: Vec<Value>,
}

impl<'a> Known<'a> {
    /// A state, got ready.
    pub fn of(state: &'a Value) -> Self {
        Self { state, ports: every_port(state), rules: ingress_rules(state) }
    }

    /// Answers like [`reach`].
    pub fn reach(&self, question: &Value, options: &ReachOptions) -> Value {
        let Some(packet) = Packet::read(question) else { return answer("bad_question", BTreeSet::new()) };
        if family(&packet.from) != family(&packet.to) {
            return answer("family", BTreeSet::new());
        }
        let Self { state, ports, rules } = self;
        let map = Map { state, ports };
        let scene = Scene { state, ports, rules, map, packet: &packet, options };
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

#[derive(Clone)]
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
    /// The address that the packet has there.
    inner: Option<IpAddr>,
    way: Way,
}

enum Way {
    /// To a floating IP, by that router; by a forwarding of this protocol.
    Translated { router: String, protocol: Option<String> },
    /// To the port's own address.
    Direct,
}

/// How the packet gets there.
enum Course {
    /// By no router.
    Straight,
    /// By the router of a floating IP.
    Translated(String),
    /// By these routers.
    Routed(Vec<Pass>),
}

#[derive(Clone)]
struct Scene<'a> {
    state: &'a Value,
    ports: &'a [Value],
    rules: &'a [Value],
    map: Map<'a>,
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
            let way = |protocol| Way::Translated { router: router.to_owned(), protocol };
            if let Some(port) = text(floating_ip, "port_id").and_then(|id| self.port(id)) {
                let inner = text(floating_ip, "fixed_ip_address").and_then(address);
                found.push(Candidate { port, inner_ports: asked, inner, way: way(None) });
            }
            for forwarding in list(floating_ip, "port_forwardings") {
                let inside = text(forwarding, "internal_port_id").and_then(|id| self.port(id));
                if let (Some(port), Some(inner_ports)) = (inside, self.forwarded(forwarding)) {
                    let inner = text(forwarding, "internal_ip_address").and_then(address);
                    let protocol = Some(protocol_name(forwarding.get("protocol"), "IPv4"));
                    let inner_ports = Some(inner_ports);
                    found.push(Candidate { port, inner_ports, inner, way: way(protocol) });
                }
            }
        }
        for port in self.ports {
            if text(port, "device_owner") != Some("network:floatingip") && self.holds(port, self.packet.to) {
                let inner = Some(self.packet.to);
                found.push(Candidate { port, inner_ports: asked, inner, way: Way::Direct });
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
        let balancers = self.balancers(candidate);
        let network = text(candidate.port, "network_id").and_then(|id| self.map.object("networks", id));
        let here_up = is_up(Some(candidate.port))
            && is_up(network)
            && self.is_carried(candidate.port)
            && (balancers.is_empty() || balancers.iter().any(|balancer| is_up(Some(balancer))));
        let ways: Vec<Course> = ways.into_iter().filter(|way| self.way_is_up(way)).collect();
        if !here_up || ways.is_empty() {
            return ("admin_down", BTreeSet::new());
        }
        let at_port = Watch::at(&self.map, candidate.port, is_trusted(candidate.port), &balancers);
        let mut admitting = BTreeSet::new();
        for way in &ways {
            let watch = self.watch(at_port.clone(), way, candidate);
            admitting.extend(self.admitted_by(candidate, &watch));
        }
        if admitting.is_empty() { ("no_rule", admitting) } else { ("admitted", admitting) }
    }

    /// The rules that admit the packet to the port behind everything that watches the way; one that is none where none is needed.
    fn admitted_by(&self, candidate: &Candidate<'_>, watch: &Watch) -> BTreeSet<Option<String>> {
        let is_free = is_trusted(candidate.port) || !is_filtered(candidate.port);
        let rules = rules_of(candidate.port, self.rules);
        let by = |packet: &Packet, ports: Option<(i64, i64)>| -> BTreeSet<Option<String>> {
            if is_free {
                return BTreeSet::from([None]);
            }
            let scene = Scene { packet, ..self.clone() };
            let admitting = rules.iter().filter(|rule| scene.admits(rule, ports));
            admitting.map(|rule| text(rule, "id").map(str::to_owned)).collect()
        };
        let protocol = match &candidate.way {
            Way::Translated { protocol: Some(protocol), .. } if self.packet.protocol == "any" => protocol,
            _ => &self.packet.protocol,
        };
        if !watch.is_awake(&self.map) {
            let packet = Packet { protocol: protocol.clone(), ..self.packet.clone() };
            return by(&packet, candidate.inner_ports);
        }
        let open = Parcel {
            from: self.packet.from,
            to: candidate.inner,
            protocol: protocol.clone(),
            port: None,
            source_port: 0,
        };
        let mut admitting = BTreeSet::new();
        for parcel in Watch::parcels(&self.map, &open, candidate.inner_ports, &rules) {
            if watch.passes(&self.map, &parcel) {
                let packet = Packet { protocol: parcel.protocol.clone(), ..self.packet.clone() };
                let ports = parcel.port.map(|port| (port, port)).or(candidate.inner_ports);
                admitting.extend(by(&packet, ports));
            }
        }
        admitting
    }

    fn watch(&self, at_port: Watch, way: &Course, candidate: &Candidate<'_>) -> Watch {
        let own = self.map.interfaces().find(|(_, _, port)| text(port, "id") == text(candidate.port, "id"));
        let own = own.map(|(router, _, _)| router);
        let is_gateway = text(candidate.port, "device_owner") == Some("network:router_gateway");
        let own = own.or_else(|| text(candidate.port, "device_id").filter(|_| is_gateway));
        match way {
            Course::Straight => at_port,
            Course::Translated(router) => match (text(candidate.port, "network_id"), candidate.inner) {
                (Some(network), Some(inner)) if own != Some(router) => {
                    at_port.after_translation(&self.map, router, network, inner)
                }
                _ => at_port,
            },
            Course::Routed(passes) => at_port.on_way(&self.map, passes, own),
        }
    }

    fn way_is_up(&self, way: &Course) -> bool {
        let router_is_up = |router: &str| is_up(self.map.object("routers", router));
        match way {
            Course::Straight => true,
            Course::Translated(router) => router_is_up(router),
            Course::Routed(passes) => passes.iter().enumerate().all(|(number, pass)| {
                let is_last = number + 1 == passes.len();
                router_is_up(&pass.router) && (is_last || is_up(self.map.object("networks", &pass.onto)))
            }),
        }
    }

    /// Whether the port is carried by no trunk, or by one that is up with its parent.
    fn is_carried(&self, port: &Value) -> bool {
        let carries = |trunk: &&Value| {
            list(trunk, "sub_ports").iter().any(|sub| text(sub, "port_id") == text(port, "id"))
        };
        let trunks: Vec<&Value> = list(self.state, "trunks").into_iter().filter(carries).collect();
        trunks.is_empty()
            || trunks.iter().any(|trunk| {
                is_up(Some(trunk)) && is_up(text(trunk, "port_id").and_then(|parent| self.port(parent)))
            })
    }

    /// The load balancers that answer at the port: its own, or those whose address it carries as a pair.
    fn balancers(&self, candidate: &Candidate<'_>) -> Vec<&'a Value> {
        let at = |port: &Value| -> Vec<&'a Value> {
            let all = list(self.state, "loadbalancers").into_iter();
            all.filter(|one| text(one, "vip_port_id").is_some_and(|id| text(port, "id") == Some(id)))
                .collect()
        };
        let own = at(candidate.port);
        let to = self.packet.to;
        let is_direct = matches!(candidate.way, Way::Direct);
        let by_pair =
            !fixed_ips(candidate.port).contains(&to) && pairs(candidate.port).contains(&IpNet::from(to));
        if !own.is_empty() || !is_direct || !by_pair {
            return own;
        }
        let network = text(candidate.port, "network_id");
        let beside = self.ports.iter().filter(|port| {
            network.is_some() && text(port, "network_id") == network && fixed_ips(port).contains(&to)
        });
        beside.flat_map(at).collect()
    }

    /// Every way to the candidate.
    fn ways(&self, candidate: &Candidate<'_>) -> Vec<Course> {
        if let Way::Translated { router, .. } = &candidate.way {
            return vec![Course::Translated(router.clone())];
        }
        let (from, to) = (self.packet.from, self.packet.to);
        let Some(network) = text(candidate.port, "network_id") else {
            return if self.is_routed(to) { vec![Course::Straight] } else { Vec::new() };
        };
        let neighbour = self.ports.iter().any(|port| {
            text(port, "id") != text(candidate.port, "id")
                && text(port, "network_id") == Some(network)
                && fixed_ips(port).contains(&from)
        });
        if neighbour || self.map.is_external(network) || self.is_routed(to) {
            return vec![Course::Straight];
        }
        self.map.ways(from, to, network).into_iter().map(Course::Routed).collect()
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
            let group = self.map.object("address_groups", group);
            let addresses = group.map(|group| text_set(group, "addresses")).unwrap_or_default();
            return addresses.iter().filter_map(|text| prefix(text)).any(|prefix| prefix.contains(&from));
        }
        match text(rule, "remote_ip_prefix").or_else(|| text(rule, "normalized_cidr")) {
            None => true,
            Some(given) => prefix(given).is_some_and(|prefix| prefix.contains(&from)),
        }
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
}

fn is_up(object: Option<&Value>) -> bool {
    object.is_none_or(|object| flag(object, "admin_state_up", true))
}

/// The ports of the state, and one for each external address of a router that has no port of its own in it.
fn every_port(state: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = list(state, "ports").into_iter().cloned().collect();
    for router in list(state, "routers") {
        let Some(id) = text(router, "id") else { continue };
        for gateway in gateways(router) {
            for fixed in list(gateway, "external_fixed_ips") {
                let Some(outside) = text(fixed, "ip_address").and_then(address) else { continue };
                let is_there =
                    |port: &Value| text(port, "device_id") == Some(id) && fixed_ips(port).contains(&outside);
                if all.iter().any(is_there) {
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
    }
    all
}

#[cfg(test)]
mod tests;
