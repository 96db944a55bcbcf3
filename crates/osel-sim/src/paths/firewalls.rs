//! The firewalls and load balancers of a random cloud.

use serde_json::{Value, json};

use super::cloud::{Make, Slot, any, of, up};
use crate::random::Random;

const GROUPS: u64 = 3;
const POLICIES: u64 = 4;
const RULES: u64 = 8;

pub(super) fn slots() -> impl Iterator<Item = Slot> {
    let kinds: [(_, &str, u64, Make); 3] = [
        (("firewall_groups", "firewall_group"), "x", GROUPS, group),
        (("firewall_policies", "firewall_policy"), "y", POLICIES, policy),
        (("firewall_rules", "firewall_rule"), "z", RULES, rule),
    ];
    kinds.into_iter().flat_map(|(names, letter, count, make)| {
        (0..count).map(move |number| Slot::new(names, letter, number, make, true))
    })
}

/// A protocol and bounds of ports that make sense with it.
pub(super) fn service(random: &mut Random) -> (Value, Option<(u64, u64)>) {
    match random.below(9) {
        0 => (Value::Null, None),
        1 => (json!("icmp"), random.percent(40).then_some((8, 0))),
        2 => (json!("gre"), None),
        3 => (json!("udp"), Some((53, 53))),
        4 => (json!("tcp"), None),
        5 => (json!("tcp"), Some((80, 90))),
        6 => (json!("tcp"), Some((1, 1024))),
        7 => (json!(6), Some((8000, 8005))),
        _ => (json!("tcp"), Some((22, 22))),
    }
}

fn group(_: u64, random: &mut Random) -> Value {
    let mut ports = Vec::new();
    for _ in 0..random.below(4) {
        ports.push(if random.percent(60) { any("i", 9, random) } else { any("p", 9, random) });
    }
    let policy = |random: &mut Random| match random.below(10) {
        0 => Value::Null,
        _ => json!(any("y", POLICIES, random)),
    };
    json!({
        "name": "firewall", "admin_state_up": up(random), "ports": ports,
        "ingress_firewall_policy_id": policy(random), "egress_firewall_policy_id": policy(random),
    })
}

fn policy(_: u64, random: &mut Random) -> Value {
    let mut rules: Vec<String> = (0..random.below(6)).map(|_| any("z", RULES, random)).collect();
    if random.percent(60) {
        // Most are not meant to stop everything.
        rules.extend(["z0".to_owned(), "z1".to_owned()]);
    }
    json!({"firewall_rules": rules})
}

fn rule(number: u64, random: &mut Random) -> Value {
    let version = if number < 2 { 4 + 2 * number } else { random.pick(&[4, 4, 6]).copied().unwrap_or(4) };
    let allows = number < 2 || random.percent(50);
    let (protocol, bounds) = if number < 2 { (Value::Null, None) } else { service(random) };
    let with_ports = protocol == "tcp" || protocol == "udp";
    let ports = |bounds: Option<(u64, u64)>| match bounds.filter(|_| with_ports) {
        Some((low, high)) if low == high => json!(low.to_string()),
        Some((low, high)) => json!(format!("{low}:{high}")),
        None => Value::Null,
    };
    let prefix = |random: &mut Random| match (random.below(4), version) {
        (0, 4) => json!("10.0.1.0/24"),
        (1, 4) => json!("10.0.0.0/16"),
        (0, _) => json!("2001:db8::/32"),
        (1, _) => json!("fd00:1::/64"),
        _ => Value::Null,
    };
    let by_source = random.percent(20).then(|| of_range(random));
    json!({
        "name": "rule", "enabled": up(random), "ip_version": version, "protocol": protocol,
        "action": if allows { "allow" } else { random.pick(&["deny", "reject"]).copied().unwrap_or("deny") },
        "source_ip_address": prefix(random), "destination_ip_address": prefix(random),
        "source_port": ports(by_source), "destination_port": ports(bounds),
    })
}

fn of_range(random: &mut Random) -> (u64, u64) {
    random.pick(&[(1024, 65_535), (1, 1023), (4000, 4000)]).copied().unwrap_or((1, 1))
}

pub(super) fn load_balancer(number: u64, random: &mut Random) -> Value {
    json!({
        "name": "balancer", "admin_state_up": up(random),
        "vip_port_id": of(&[json!(format!("p{number}")), json!(format!("p{number}")), json!("p1"), Value::Null], random),
        "vip_address": null,
    })
}

pub(super) fn listener(_: u64, random: &mut Random) -> Value {
    let words = ["HTTP", "TERMINATED_HTTPS", "TCP", "UDP", "SCTP"];
    json!({
        "loadbalancers": [{"id": any("l", 2, random)}], "protocol": random.pick(&words),
        "protocol_port": of(&[json!(80), json!(443), json!(53)], random), "admin_state_up": up(random),
        "allowed_cidrs": of(&[Value::Null, json!([]), json!(["10.0.0.0/16"]), json!(["2001:db8::/32", "10.0.1.0/24"])], random),
    })
}
