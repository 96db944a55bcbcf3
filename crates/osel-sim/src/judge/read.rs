//! Reading the API's JSON with its old and odd forms: missing keys, numbers as text, addresses with host
//! bits.
//!
//! Knows nothing about exposure. [`super::rows`] and [`super::reach`] ask it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

/// The objects of one collection of the state (or of a list inside an object); none where the key is missing
/// or null.
pub(super) fn list<'a>(holder: &'a Value, key: &str) -> Vec<&'a Value> {
    holder.get(key).and_then(Value::as_array).map(|all| all.iter().collect()).unwrap_or_default()
}

/// A text that says something: missing, null and `""` are nothing.
pub(super) fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A truth value; `missing` where the key is missing or null.
pub(super) fn flag(object: &Value, key: &str, missing: bool) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or(missing)
}

/// An integer, which old releases may have written as text.
pub(super) fn integer(object: &Value, key: &str) -> Option<i64> {
    match object.get(key)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The texts of a list, each once.
pub(super) fn text_set(object: &Value, key: &str) -> BTreeSet<String> {
    list(object, key).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// One address.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok()
}

/// A prefix in network form; a bare address is a prefix of full length.
pub(super) fn prefix(text: &str) -> Option<IpNet> {
    let text = text.trim();
    match text.parse::<IpNet>() {
        Ok(prefix) => Some(prefix.trunc()),
        Err(_) => address(text).map(IpNet::from),
    }
}

/// The address a packet is sent to as rows write it: bare where the prefix has full length, else with its
/// length.
pub(super) fn address_text(prefix: &IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

/// `IPv4` or `IPv6`.
pub(super) fn family(address: &IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// The prefix that holds every address of a family.
pub(super) fn whole_family(family: &str) -> &'static str {
    if family == "IPv6" { "::/0" } else { "0.0.0.0/0" }
}

/// The fixed IPs of a port, in order, each once.
pub(super) fn fixed_ips(port: &Value) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for fixed in list(port, "fixed_ips") {
        if let Some(address) = text(fixed, "ip_address").and_then(address)
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// The allowed address pairs of a port as prefixes, each once.
pub(super) fn pairs(port: &Value) -> Vec<IpNet> {
    let mut found = Vec::new();
    for pair in list(port, "allowed_address_pairs") {
        if let Some(prefix) = text(pair, "ip_address").and_then(prefix)
            && !found.contains(&prefix)
        {
            found.push(prefix);
        }
    }
    found
}

/// Whether Neutron never filters the port because of what owns it.
pub(super) fn is_trusted(port: &Value) -> bool {
    let owner = text(port, "device_owner").unwrap_or("");
    owner.starts_with("network:") || owner.starts_with("neutron:")
}

/// Whether rules are asked at all for the port (its owner aside).
pub(super) fn is_filtered(port: &Value) -> bool {
    flag(port, "port_security_enabled", true)
}

/// The ingress rules of the state, each once, without the void ones (their remote group is gone).
///
/// Rules stand in their own collection and inside the groups; either may be all there is.
pub(super) fn ingress_rules(state: &Value) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for rule in every_rule(state) {
        let known = text(&rule, "id").is_some_and(|id| !seen.insert(id.to_owned()));
        if !known && text(&rule, "direction") == Some("ingress") && !is_void(state, &rule) {
            found.push(rule);
        }
    }
    found
}

/// Those of the rules that stand in a group of the port.
pub(super) fn rules_of<'a>(port: &Value, rules: &'a [Value]) -> Vec<&'a Value> {
    let groups = text_set(port, "security_groups");
    rules
        .iter()
        .filter(|rule| text(rule, "security_group_id").is_some_and(|group| groups.contains(group)))
        .collect()
}

/// The family a rule is for.
pub(super) fn rule_family(rule: &Value) -> &'static str {
    if text(rule, "ethertype").is_some_and(|name| name.eq_ignore_ascii_case("IPv6")) {
        "IPv6"
    } else {
        "IPv4"
    }
}

fn every_rule(state: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = list(state, "security_group_rules").into_iter().cloned().collect();
    for group in list(state, "security_groups") {
        for rule in list(group, "security_group_rules") {
            let mut rule = rule.clone();
            if text(&rule, "security_group_id").is_none()
                && let (Some(fields), Some(id)) = (rule.as_object_mut(), text(group, "id"))
            {
                fields.insert("security_group_id".to_owned(), id.into());
            }
            all.push(rule);
        }
    }
    all
}

/// Whether the rule's remote group does not exist; nobody can say so of a state that does not list its
/// groups.
fn is_void(state: &Value, rule: &Value) -> bool {
    let Some(remote) = text(rule, "remote_group_id") else { return false };
    state.get("security_groups").is_some_and(Value::is_array)
        && !list(state, "security_groups").iter().any(|group| text(group, "id") == Some(remote))
}
