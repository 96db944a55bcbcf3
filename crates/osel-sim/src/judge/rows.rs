//! Every row of exposure of a state, worked out port by port and rule by rule.
//!
//! The contract's "Rows" in its own order. Paths are not considered; [`super::reach`] does.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::protocol::{has_ports, is_icmp, protocol_name, rule_ports, written_ports};
use super::read::{
    address_text, family, fixed_ips, ingress_rules, integer, is_filtered, is_trusted, list, pairs, prefix,
    rule_family, rules_of, text, whole_family,
};

/// All rows of the state, with exactly the contract's keys, sorted.
pub fn rows(state: &Value, region: Option<&str>) -> Vec<Value> {
    let all_rules = ingress_rules(state);
    let mut found = Vec::new();
    for port in list(state, "ports") {
        if is_trusted(port) || text(port, "id").is_none() {
            continue;
        }
        let rules = rules_of(port, &all_rules);
        for place in places(state, port) {
            if !is_filtered(port) {
                found.push(row(port, region, &place, &unfiltered(place.family)));
                continue;
            }
            for rule in rules.iter().filter(|rule| rule_family(rule) == place.family) {
                found.push(row(port, region, &place, &permission(rule)));
            }
        }
        for floating_ip in list(state, "floatingips") {
            for forwarding in list(floating_ip, "port_forwardings") {
                if text(forwarding, "internal_port_id") == text(port, "id") {
                    found.extend(forwarded(port, region, floating_ip, forwarding, &rules));
                }
            }
        }
    }
    found.sort_by(compare_rows);
    found
}

/// The order of rows: `address`, `via`, `port_id`, `rule_id` as text, `port_min` as number, null first; what
/// is then still equal by the whole row, so that the order never depends on where the row came from.
pub fn compare_rows(one: &Value, other: &Value) -> Ordering {
    let words = |row: &Value| {
        ["address", "via", "port_id", "rule_id"].map(|key| row[key].as_str().map(str::to_owned))
    };
    let port = |row: &Value| row["port_min"].as_i64();
    (words(one), port(one))
        .cmp(&(words(other), port(other)))
        .then_with(|| one.to_string().cmp(&other.to_string()))
}

/// One address of a port.
struct Place {
    address: String,
    via: &'static str,
    fixed_ip: Value,
    family: &'static str,
}

/// What one rule lets in, without the address.
struct Permission {
    protocol: String,
    ports: (Value, Value),
    icmp: (Value, Value),
    source: Value,
    group: Value,
    rule: Value,
}

fn places(state: &Value, port: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    let fixed = fixed_ips(port);
    for address in &fixed {
        let address_text = address.to_string();
        found.push(Place {
            fixed_ip: address_text.as_str().into(),
            address: address_text,
            via: "fixed",
            family: family(address),
        });
    }
    for pair in pairs(port) {
        let is_single = pair.prefix_len() == pair.max_prefix_len();
        if is_single && fixed.contains(&pair.addr()) {
            continue;
        }
        let address = address_text(&pair);
        let family = family(&pair.addr());
        found.push(Place { fixed_ip: address.as_str().into(), address, via: "pair", family });
    }
    for floating_ip in list(state, "floatingips") {
        if text(floating_ip, "port_id").is_none() || text(floating_ip, "port_id") != text(port, "id") {
            continue;
        }
        if let Some(address) = outer_address(floating_ip) {
            let fixed_ip = canonical(floating_ip, "fixed_ip_address");
            found.push(Place { address, via: "floating", fixed_ip, family: "IPv4" });
        }
    }
    found
}

fn forwarded(
    port: &Value,
    region: Option<&str>,
    floating_ip: &Value,
    forwarding: &Value,
    rules: &[&Value],
) -> Vec<Value> {
    let Some(address) = outer_address(floating_ip) else { return Vec::new() };
    let fixed_ip = canonical(forwarding, "internal_ip_address");
    let place = Place { address, via: "forwarding", fixed_ip, family: "IPv4" };
    let protocol = protocol_name(forwarding.get("protocol"), "IPv4");
    let external = forwarding_ports(forwarding, "external_port", "external_port_range");
    let internal = forwarding_ports(forwarding, "internal_port", "internal_port_range");

    if !is_filtered(port) {
        let ports = written_ports(&protocol, external);
        return vec![row(port, region, &place, &Permission { protocol, ports, ..unfiltered("IPv4") })];
    }
    let mut found = Vec::new();
    for rule in rules.iter().filter(|rule| rule_family(rule) == "IPv4") {
        let rule_protocol = protocol_name(rule.get("protocol"), "IPv4");
        if rule_protocol != "any" && rule_protocol != protocol {
            continue;
        }
        let Some(external) = admitted_part(internal, external, rule_ports(rule, &rule_protocol)) else {
            continue;
        };
        let ports = written_ports(&protocol, external);
        found.push(row(
            port,
            region,
            &place,
            &Permission { protocol: protocol.clone(), ports, ..permission(rule) },
        ));
    }
    found
}

/// The external ports behind which the rule admits the internal port.
pub(super) fn admitted_part(
    internal: (i64, i64),
    external: (i64, i64),
    admitted: (i64, i64),
) -> Option<(i64, i64)> {
    let lowest = internal.0.max(admitted.0);
    let highest = internal.1.min(admitted.1);
    if lowest > highest {
        return None;
    }
    if internal.1 - internal.0 != external.1 - external.0 {
        return Some(external);
    }
    let shift = external.0 - internal.0;
    Some((lowest + shift, highest + shift))
}

/// One side of a forwarding: `"a:b"` since Zed, a single port before; all ports where neither says anything.
pub(super) fn forwarding_ports(forwarding: &Value, single: &str, range: &str) -> (i64, i64) {
    let parsed = text(forwarding, range).and_then(|range| {
        let (lowest, highest) = range.split_once(':').unwrap_or((range, range));
        Some((lowest.trim().parse().ok()?, highest.trim().parse().ok()?))
    });
    let single = integer(forwarding, single).map(|port| (port, port));
    parsed.or(single).unwrap_or((super::protocol::LOWEST_PORT, super::protocol::HIGHEST_PORT))
}

fn permission(rule: &Value) -> Permission {
    let family = rule_family(rule);
    let protocol = protocol_name(rule.get("protocol"), family);
    let bound = |key| integer(rule, key).map_or(Value::Null, Value::from);
    let icmp = if is_icmp(&protocol) {
        (bound("port_range_min"), bound("port_range_max"))
    } else {
        (Value::Null, Value::Null)
    };
    let ports = if has_ports(&protocol) {
        written_ports(&protocol, rule_ports(rule, &protocol))
    } else {
        (Value::Null, Value::Null)
    };
    Permission {
        protocol,
        ports,
        icmp,
        source: source(rule),
        group: text(rule, "security_group_id").into(),
        rule: text(rule, "id").into(),
    }
}

fn unfiltered(family: &str) -> Permission {
    Permission {
        protocol: "any".to_owned(),
        ports: (Value::Null, Value::Null),
        icmp: (Value::Null, Value::Null),
        source: json!({"prefix": whole_family(family)}),
        group: Value::Null,
        rule: Value::Null,
    }
}

fn source(rule: &Value) -> Value {
    if let Some(group) = text(rule, "remote_group_id") {
        return json!({"security_group": group});
    }
    if let Some(group) = text(rule, "remote_address_group_id") {
        return json!({"address_group": group});
    }
    let given = text(rule, "remote_ip_prefix").or_else(|| text(rule, "normalized_cidr"));
    match given {
        None => json!({"prefix": whole_family(rule_family(rule))}),
        Some(given) => match prefix(given) {
            Some(prefix) => json!({"prefix": prefix.to_string()}),
            None => json!({"prefix": given}),
        },
    }
}

fn row(port: &Value, region: Option<&str>, place: &Place, permission: &Permission) -> Value {
    json!({
        "address": place.address,
        "via": place.via,
        "fixed_ip": place.fixed_ip,
        "port_id": text(port, "id"),
        "device_id": text(port, "device_id"),
        "device_owner": text(port, "device_owner"),
        "project_id": text(port, "project_id").or_else(|| text(port, "tenant_id")),
        "network_id": text(port, "network_id"),
        "region": region,
        "ethertype": place.family,
        "protocol": permission.protocol,
        "port_min": permission.ports.0,
        "port_max": permission.ports.1,
        "icmp_type": permission.icmp.0,
        "icmp_code": permission.icmp.1,
        "source": permission.source,
        "security_group_id": permission.group,
        "rule_id": permission.rule,
    })
}

fn outer_address(floating_ip: &Value) -> Option<String> {
    Some(super::read::address(text(floating_ip, "floating_ip_address")?)?.to_string())
}

fn canonical(object: &Value, key: &str) -> Value {
    text(object, key).and_then(super::read::address).map_or(Value::Null, |address| address.to_string().into())
}

#[cfg(test)]
mod tests;
