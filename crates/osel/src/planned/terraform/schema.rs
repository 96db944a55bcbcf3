//! What the values of each type of resource are.
//!
//! A value of another form would be read as one that nobody set, and its plan judged as harmless. So every value that is looked at is
//! held against the provider's schema first, and a plan that does not keep to it is refused, by the resource's address and the value's
//! name. What a value says is for the files beside this one.

use serde_json::Value;

use super::document::ResourceChange;
use crate::planned::PlanError;

/// What Terraform and OpenTofu do to a resource.
const ACTIONS: [&str; 6] = ["no-op", "create", "read", "update", "delete", "forget"];

/// The form of a value. Null stands for one that nobody set.
#[derive(Debug)]
enum Form {
    Text,
    /// A text that is one of these.
    Word(&'static [&'static str]),
    Integer,
    Bool,
    /// A list or a set of texts.
    Texts,
    /// Blocks with these values.
    Blocks(&'static [(&'static str, Form)]),
}

use Form::{Blocks, Bool, Integer, Text, Texts, Word};

/// A type of resource.
struct Schema {
    /// Its name without what all of them share.
    name: &'static str,
    values: &'static [(&'static str, Form)],
    /// Values without which it is not made, of those whose lack would leave it unjudged.
    needed: &'static [&'static str],
}

/// What all types have.
const COMMON: [(&str, Form); 2] = [("id", Text), ("tenant_id", Text)];

const PREFIX: &str = "openstack_";
const SCHEMAS: [Schema; 15] = [
    Schema {
        name: "networking_network_v2",
        values: &[
            ("name", Text),
            ("admin_state_up", Bool),
            ("shared", Bool),
            ("external", Bool),
            ("port_security_enabled", Bool),
        ],
        needed: &[],
    },
    Schema {
        name: "networking_subnet_v2",
        values: &[
            ("name", Text),
            ("network_id", Text),
            ("cidr", Text),
            ("ip_version", Integer),
            ("subnetpool_id", Text),
            ("ipv6_address_mode", Text),
        ],
        needed: &["network_id"],
    },
    Schema {
        name: "networking_address_group_v2",
        values: &[("name", Text), ("project_id", Text), ("addresses", Texts)],
        needed: &["addresses"],
    },
    Schema { name: "networking_secgroup_v2", values: &[("name", Text), ("stateful", Bool)], needed: &[] },
    Schema {
        name: "networking_secgroup_rule_v2",
        values: &[
            ("direction", Word(&["ingress", "egress"])),
            ("ethertype", Word(&["IPv4", "IPv6"])),
            ("protocol", Text),
            ("port_range_min", Integer),
            ("port_range_max", Integer),
            ("remote_ip_prefix", Text),
            ("remote_group_id", Text),
            ("remote_address_group_id", Text),
            ("security_group_id", Text),
        ],
        needed: &["direction", "ethertype", "security_group_id"],
    },
    Schema {
        name: "networking_router_v2",
        values: &[
            ("name", Text),
            ("admin_state_up", Bool),
            ("external_network_id", Text),
            ("enable_snat", Bool),
            ("external_fixed_ip", Blocks(&[("ip_address", Text), ("subnet_id", Text)])),
        ],
        needed: &[],
    },
    Schema {
        name: "networking_port_v2",
        values: &[
            ("name", Text),
            ("network_id", Text),
            ("admin_state_up", Bool),
            ("device_owner", Text),
            ("device_id", Text),
            ("port_security_enabled", Bool),
            ("security_group_ids", Texts),
            ("no_security_groups", Bool),
            ("no_fixed_ip", Bool),
            ("fixed_ip", Blocks(&[("subnet_id", Text), ("ip_address", Text)])),
            ("allowed_address_pairs", Blocks(&[("ip_address", Text)])),
        ],
        needed: &["network_id"],
    },
    Schema {
        name: "networking_port_secgroup_associate_v2",
        values: &[("port_id", Text), ("security_group_ids", Texts), ("enforce", Bool)],
        needed: &["port_id", "security_group_ids"],
    },
    Schema {
        name: "networking_router_interface_v2",
        values: &[("router_id", Text), ("subnet_id", Text), ("port_id", Text)],
        needed: &["router_id"],
    },
    Schema {
        name: "networking_floatingip_v2",
        values: &[("pool", Text), ("address", Text), ("port_id", Text), ("fixed_ip", Text)],
        needed: &["pool"],
    },
    Schema {
        name: "networking_floatingip_associate_v2",
        values: &[("floating_ip", Text), ("port_id", Text), ("fixed_ip", Text)],
        needed: &["floating_ip", "port_id"],
    },
    Schema {
        name: "compute_floatingip_associate_v2",
        values: &[("floating_ip", Text), ("instance_id", Text), ("fixed_ip", Text)],
        needed: &["floating_ip", "instance_id"],
    },
    Schema {
        name: "networking_portforwarding_v2",
        values: &[
            ("floatingip_id", Text),
            ("internal_port_id", Text),
            ("internal_ip_address", Text),
            ("internal_port", Integer),
            ("external_port", Integer),
            ("protocol", Text),
        ],
        // Instead of the ports there may be ranges.
        needed: &["floatingip_id", "internal_port_id", "protocol"],
    },
    Schema {
        name: "networking_rbac_policy_v2",
        values: &[("action", Text), ("object_type", Text), ("object_id", Text), ("target_tenant", Text)],
        needed: &["action", "object_type", "object_id", "target_tenant"],
    },
    Schema {
        name: "compute_instance_v2",
        values: &[
            ("security_groups", Texts),
            ("network_mode", Text),
            (
                "network",
                Blocks(&[
                    ("uuid", Text),
                    ("name", Text),
                    ("port", Text),
                    ("fixed_ip_v4", Text),
                    ("fixed_ip_v6", Text),
                ]),
            ),
        ],
        needed: &[],
    },
];

/// Holds what becomes of a resource of OpenStack against the provider's schema. Of types that are not judged only the actions count.
///
/// # Errors
/// When it says what no plan can say.
pub(super) fn check(resource: &ResourceChange) -> Result<(), PlanError> {
    let Some(name) = resource.kind.strip_prefix(PREFIX) else { return Ok(()) };
    let refuse = |why: String| PlanError::request(&resource.address, why);
    if !matches!(resource.mode.as_deref(), None | Some("managed" | "data")) {
        return Err(refuse("`mode` is none of managed, data".to_owned()));
    }
    let change = &resource.change;
    if !change.actions.iter().all(|action| ACTIONS.contains(&&**action)) || change.actions.is_empty() {
        return Err(refuse(format!("`actions` are not of {}", ACTIONS.join(", "))));
    }
    let schema = SCHEMAS.iter().find(|schema| schema.name == name);
    let Some(schema) = schema.filter(|_| !resource.is_data()) else { return Ok(()) };
    let [comes, stays, goes] = ["create", "update", "delete"].map(|action| resource.does(action));
    let marks = [
        ("after_unknown", &change.after_unknown, comes || stays),
        ("before_sensitive", &change.before_sensitive, false),
        ("after_sensitive", &change.after_sensitive, false),
    ];
    for (part, marks, is_needed) in marks {
        let is_there = if is_needed { marks.is_object() } else { marks.is_null() || is_mark(marks) };
        if !is_there || marks.as_object().is_some_and(|marks| !marks.values().all(is_mark)) {
            return Err(refuse(format!("`{part}` has another form than a plan has there")));
        }
    }
    let sides = [
        ("before", &change.before, &Value::Null, stays || goes),
        ("after", &change.after, &change.after_unknown, comes || stays),
    ];
    for (part, values, unknown, is_needed) in sides {
        let Some(values) = values else {
            if is_needed {
                return Err(refuse(format!("`{part}` is missing")));
            }
            continue;
        };
        for (name, form) in COMMON.iter().chain(schema.values) {
            let value = values.get(*name).unwrap_or(&Value::Null);
            form.check(name, value, &unknown[*name]).map_err(refuse)?;
        }
    }
    let is_set = |name: &&&str| {
        let known =
            change.after.as_ref().and_then(|after| after.get(**name)).is_some_and(|value| !value.is_null());
        known || change.after_unknown[**name] == Value::Bool(true)
    };
    match schema.needed.iter().find(|name| comes && !is_set(name)) {
        Some(name) => Err(refuse(format!("`{name}` is missing"))),
        None => Ok(()),
    }
}

/// Whether a value can say of another what is not known of it, or must not be shown.
fn is_mark(marks: &Value) -> bool {
    match marks {
        Value::Bool(_) => true,
        Value::Array(marks) => marks.iter().all(is_mark),
        Value::Object(marks) => marks.values().all(is_mark),
        _ => false,
    }
}

/// Whether a value is not known, or a part of it.
fn has_unknown(unknown: &Value) -> bool {
    match unknown {
        Value::Bool(unknown) => *unknown,
        Value::Array(parts) => parts.iter().any(has_unknown),
        Value::Object(parts) => parts.values().any(has_unknown),
        _ => false,
    }
}

impl Form {
    /// Whether a value, as far as it is known, has this form; else a clause that says at which place it has not.
    fn check(&self, place: &str, value: &Value, unknown: &Value) -> Result<(), String> {
        if *unknown == Value::Bool(true) {
            return Ok(());
        }
        if value.is_null() {
            // A part of nothing cannot be unknown.
            return if has_unknown(unknown) { Err(format!("`{place}` is missing")) } else { Ok(()) };
        }
        let what = match self {
            Text if !value.is_string() => "no text",
            Integer if !value.is_i64() => "no whole number",
            Bool if !value.is_boolean() => "neither true nor false",
            Word(words) if !value.as_str().is_some_and(|word| words.contains(&word)) => {
                return Err(format!("`{place}` is none of {}", words.join(", ")));
            }
            Texts | Blocks(_) => return self.check_list(place, value, unknown),
            _ => return Ok(()),
        };
        Err(format!("`{place}` is {what}"))
    }

    fn check_list(&self, place: &str, list: &Value, unknown: &Value) -> Result<(), String> {
        let Some(items) = list.as_array() else { return Err(format!("`{place}` is no list")) };
        // Where nothing of it is unknown, there may be no marks at all; until Terraform 1.3 elements of sets that are not known are left out.
        if unknown.as_array().is_some_and(|unknown| !unknown.is_empty() && unknown.len() < items.len()) {
            return Err(format!("`{place}` has more elements than `after_unknown` has marks"));
        }
        for (at, item) in items.iter().enumerate().filter(|(at, _)| unknown[*at] != Value::Bool(true)) {
            let place = format!("{place}[{at}]");
            match self {
                Blocks(values) => {
                    let Some(block) = item.as_object() else { return Err(format!("`{place}` is no block")) };
                    for (name, form) in *values {
                        let value = block.get(*name).unwrap_or(&Value::Null);
                        form.check(&format!("{place}.{name}"), value, &unknown[at][*name])?;
                    }
                }
                _ if item.as_str().is_none_or(str::is_empty) => return Err(format!("`{place}` is no text")),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are passed, and stay readable there"
)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(kind: &str, change: Value) -> String {
        let resource = json!({"address": "a.b", "type": kind, "name": "b", "change": change});
        let resource: ResourceChange = serde_json::from_value(resource).unwrap();
        check(&resource).map_or_else(|error| error.to_string(), |()| "good".to_owned())
    }

    /// A port that is made with one value.
    fn port(name: &str, value: Value, unknown: Value) -> String {
        let mut after = json!({"network_id": "net"});
        after[name] = value;
        let change = json!({"actions": ["create"], "after": after, "after_unknown": {name: unknown}});
        checked("openstack_networking_port_v2", change)
    }

    #[test]
    fn a_value_has_the_form_of_its_name() {
        for (name, value, wanted) in [
            ("security_group_ids", json!([]), "good"),
            ("security_group_ids", json!(["web"]), "good"),
            ("security_group_ids", Value::Null, "good"),
            ("security_group_ids", json!("web"), "a.b: `security_group_ids` is no list"),
            ("security_group_ids", json!(["web", 7]), "a.b: `security_group_ids[1]` is no text"),
            ("security_group_ids", json!([null]), "a.b: `security_group_ids[0]` is no text"),
            ("security_group_ids", json!([""]), "a.b: `security_group_ids[0]` is no text"),
            ("network_id", Value::Null, "a.b: `network_id` is missing"),
            ("network_id", json!(["net"]), "a.b: `network_id` is no text"),
            ("no_security_groups", json!("true"), "a.b: `no_security_groups` is neither true nor false"),
            ("allowed_address_pairs", json!("0.0.0.0/0"), "a.b: `allowed_address_pairs` is no list"),
            ("allowed_address_pairs", json!(["0.0.0.0/0"]), "a.b: `allowed_address_pairs[0]` is no block"),
            (
                "allowed_address_pairs",
                json!([{"ip_address": 0}]),
                "a.b: `allowed_address_pairs[0].ip_address` is no text",
            ),
            ("fixed_ip", json!([{"subnet_id": null, "ip_address": "10.0.0.5"}, {}]), "good"),
            ("something_new", json!({"a": [7]}), "good"),
        ] {
            assert_eq!(port(name, value.clone(), json!(false)), wanted, "{name} {value}");
        }
    }

    #[test]
    fn what_is_not_known_has_no_form_and_its_marks_fit() {
        let groups = "security_group_ids";
        assert_eq!(port(groups, Value::Null, json!(true)), "good");
        assert_eq!(port(groups, json!(["web", null]), json!([false, true])), "good");
        assert_eq!(port("fixed_ip", json!([{}]), json!([{"subnet_id": true}])), "good");
        assert_eq!(port(groups, Value::Null, json!([true])), "a.b: `security_group_ids` is missing");
        // What is not known is left out of a set.
        assert_eq!(port(groups, json!([]), json!([true])), "good");
        let marked = "a.b: `security_group_ids` has more elements than `after_unknown` has marks";
        assert_eq!(port(groups, json!(["web", "db"]), json!([false])), marked);
        let marks = "a.b: `after_unknown` has another form than a plan has there";
        for unknown in [json!("yes"), json!(1), json!([null]), Value::Null] {
            assert_eq!(port(groups, json!(["web"]), unknown.clone()), marks, "{unknown}");
        }
    }

    #[test]
    fn a_forwarding_may_be_of_ranges() {
        let after = json!({
            "floatingip_id": "f", "internal_port_id": "p", "protocol": "tcp",
            "internal_port_range": "80:90", "external_port_range": "8080:8090",
        });
        let change = json!({"actions": ["create"], "after": after, "after_unknown": {}});
        assert_eq!(checked("openstack_networking_portforwarding_v2", change), "good");
    }

    #[test]
    fn both_sides_of_a_change_are_there() {
        let rule = |change: Value| checked("openstack_networking_secgroup_rule_v2", change);
        assert_eq!(rule(json!({"actions": ["delete"], "before": {"id": "r"}})), "good");
        assert_eq!(rule(json!({"actions": ["delete"]})), "a.b: `before` is missing");
        assert_eq!(rule(json!({"actions": ["delete"], "before": {"id": 7}})), "a.b: `id` is no text");
        assert_eq!(rule(json!({"actions": ["create"], "after_unknown": {}})), "a.b: `after` is missing");
        let marks = "a.b: `after_unknown` has another form than a plan has there";
        assert_eq!(rule(json!({"actions": ["create"], "after": {}})), marks);
        assert_eq!(
            rule(json!({"actions": ["delete"], "before": {}, "before_sensitive": "x"})),
            "a.b: `before_sensitive` has another form than a plan has there"
        );
    }

    #[test]
    fn only_known_actions_are_passed_and_of_openstack_alone() {
        let wrong = "a.b: `actions` are not of no-op, create, read, update, delete, forget";
        for actions in [json!([]), json!(["frobnicate"]), json!(["CREATE"]), json!(["delete", "create", "x"])]
        {
            let change = json!({"actions": actions});
            assert_eq!(checked("openstack_networking_secgroup_rule_v2", change.clone()), wrong);
            assert_eq!(checked("openstack_dns_zone_v2", change.clone()), wrong);
            assert_eq!(checked("terraform_data", change), "good");
        }
    }

    #[test]
    fn every_type_that_is_judged_has_a_schema() {
        for (kind, _) in super::super::translate::TYPES {
            let change = json!({"actions": ["create"], "after": {"id": 7}, "after_unknown": {}});
            assert_eq!(checked(kind, change), "a.b: `id` is no text");
        }
    }
}
