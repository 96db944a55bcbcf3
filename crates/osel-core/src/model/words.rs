//! Objects in the API's words: what people read of a difference, field by field.
//!
//! The fields come from the form in which states are written down, so that a new field is shown without being named here; only what the
//! API calls otherwise is. Nothing is decided by these words but what is said.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::difference::Difference;
use super::persist::StateLine;
use crate::event::PortRange;

/// What the API calls the tags of an object.
pub const TAGS: &str = "tags";

/// An object's fields by the API's names.
pub type Words = BTreeMap<String, Value>;

/// What is written down of an object and no field of the API's, or one that says nothing of what is exposed.
const OURS: [&str; 6] = ["id", "stamps", "interface_of", "mac_address", "gives_addresses", "created_at"];

/// Our names of fields that the API has others for.
const RENAMED: [(&str, &str); 8] = [
    ("external", "router:external"),
    ("forwardings", "port_forwardings"),
    ("gateways", "external_gateways"),
    ("address", "ip_address"),
    ("next_hop", "nexthop"),
    ("rules", "firewall_rules"),
    ("ingress_policy_id", "ingress_firewall_policy_id"),
    ("egress_policy_id", "egress_firewall_policy_id"),
];

/// The fields of an object, by name, as the API shows them; those that have no value are left out.
pub fn words(line: &StateLine) -> Words {
    let Ok(Value::Object(kinds)) = serde_json::to_value(line) else { return Words::new() };
    let Some(Value::Object(mut fields)) = kinds.into_iter().next().map(|(_, fields)| fields) else {
        return Words::new();
    };
    fields.retain(|name, _| !OURS.contains(&name.as_str()));
    match line {
        StateLine::Rule(rule) => {
            fields.remove("ingress");
            fields.remove("ipv6");
            let direction = if rule.ingress { "ingress" } else { "egress" };
            fields.insert("direction".to_owned(), direction.into());
            fields.insert("ethertype".to_owned(), if rule.ipv6 { "IPv6" } else { "IPv4" }.into());
        }
        StateLine::Forwarding(forwarding) => {
            for (name, range) in [("internal", forwarding.internal), ("external", forwarding.external)] {
                fields.remove(name);
                if let Some(range) = range {
                    fields.insert(format!("{name}_port"), ports(range).into());
                }
            }
        }
        StateLine::FirewallRule(rule) => {
            fields.remove("allows");
            fields.remove("ipv6");
            fields.insert("action".to_owned(), if rule.allows { "allow" } else { "deny" }.into());
            fields.insert("ip_version".to_owned(), if rule.ipv6 { 6 } else { 4 }.into());
            for (name, range) in [("source", rule.source_ports), ("destination", rule.destination_ports)] {
                if let Some(prefix) = fields.remove(name) {
                    fields.insert(format!("{name}_ip_address"), prefix);
                }
                fields.remove(&format!("{name}_ports"));
                if let Some(range) = range {
                    fields.insert(format!("{name}_port"), ports(range).into());
                }
            }
        }
        _ => {}
    }
    renamed(fields).into_iter().collect()
}

fn ports(range: PortRange) -> String {
    if range.min == range.max { range.min.to_string() } else { format!("{}:{}", range.min, range.max) }
}

fn renamed(fields: Map<String, Value>) -> Map<String, Value> {
    let name_of = |name: String| match RENAMED.iter().find(|(ours, _)| *ours == name) {
        Some((_, theirs)) => (*theirs).to_owned(),
        None => name,
    };
    fields.into_iter().map(|(name, value)| (name_of(name), within(value))).collect()
}

fn within(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(renamed(fields)),
        Value::Array(items) => Value::Array(items.into_iter().map(within).collect()),
        plain => plain,
    }
}

/// The value that a field has which is not written down.
fn empty_like(value: &Value) -> Value {
    match value {
        Value::Bool(_) => Value::Bool(false),
        Value::Array(_) => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

impl Difference {
    /// The fields that differ, as they were known and as they are; all of them of an object that came or went.
    pub fn fields(&self) -> (Words, Words) {
        let of = |line: &Option<StateLine>| line.as_ref().map(words).unwrap_or_default();
        let (was, is) = (of(&self.before), of(&self.after));
        if self.before.is_none() || self.after.is_none() {
            return (was, is);
        }
        let (mut differing_was, mut differing_is) = (Words::new(), Words::new());
        for name in was.keys().chain(is.keys().filter(|name| !was.contains_key(*name))) {
            // What has no value is not written down.
            let or_empty = |one: Option<&Value>, other: Option<&Value>| {
                one.cloned().unwrap_or_else(|| other.map_or(Value::Null, empty_like))
            };
            let before = or_empty(was.get(name), is.get(name));
            let after = or_empty(is.get(name), was.get(name));
            if before != after {
                differing_was.insert(name.clone(), before);
                differing_is.insert(name.clone(), after);
            }
        }
        (differing_was, differing_is)
    }

    /// Whether there is anything to tell: a field, a row or a member; not when only a revision moved on.
    pub(super) fn is_any(&self) -> bool {
        if !self.delta.is_quiet() || self.before.is_some() != self.after.is_some() {
            return true;
        }
        let (was, _) = self.fields();
        // Versions of osel before tags were kept knew none of any object: that is told of no cloud's every object.
        let is_learnt =
            |name: &str| name == TAGS && self.before.as_ref().is_some_and(|line| !line.says_tags());
        was.keys().any(|name| !is_learnt(name))
    }

    /// The revisions, as they were known and as they are; 0 where there is none.
    pub fn revisions(&self) -> (u64, u64) {
        let of = |line: &Option<StateLine>| line.as_ref().map_or(0, StateLine::revision);
        (of(&self.before), of(&self.after))
    }
}
