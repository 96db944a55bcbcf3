//! Which keys of an object are visible where, by release: the difference between what the cloud knows and
//! what its APIs and notifications say.
//!
//! The recordings are the measure: `tests.rs` compares key by key. Icehouse beyond its few recorded fixtures
//! follows that release's API reference.

use serde_json::{Value, json};

use super::release::Release;

/// Where an object is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// In an administrator's list.
    Listed,
    /// In the answer to its creation.
    Created {
        /// Whether the caller sees everything.
        admin: bool,
    },
    /// In the answer to a change.
    Updated {
        /// Whether the caller sees everything.
        admin: bool,
    },
    /// In the notification of its deletion, which no policy filters.
    Deleted,
}

/// Fields of a port that only an administrator sees.
const PORT_ADMIN: [&str; 5] =
    ["binding:profile", "binding:host_id", "binding:vif_type", "binding:vif_details", "resource_request"];
/// Fields of a network that only an administrator sees.
const NETWORK_ADMIN: [&str; 3] =
    ["provider:network_type", "provider:physical_network", "provider:segmentation_id"];
/// Fields of a router that only an administrator sees.
const ROUTER_ADMIN: [&str; 2] = ["distributed", "ha"];
/// Fields of a network that only the notification of its deletion shows.
const NETWORK_INTERNAL: [&str; 2] = ["qinq", "vlan_transparent"];

/// Whether the release has the collection at all.
pub(super) fn exists(release: Release, collection: &str) -> bool {
    release.is_modern()
        || !matches!(collection, "address_groups" | "rbac_policies" | "trunks" | "subnetpools")
}

/// The object with only the fields that are visible there.
pub(super) fn cut(release: Release, collection: &str, mut found: Value, view: View) -> Value {
    let sees_all = !matches!(view, View::Created { admin: false } | View::Updated { admin: false });
    let is_deleted = view == View::Deleted;
    let external = found["router:external"] == true;
    let Some(fields) = found.as_object_mut() else { return found };
    let mut hide = |keys: &[&str]| fields.retain(|key, _| !keys.contains(&key.as_str()));

    if !(is_deleted && matches!(collection, "ports" | "networks")) {
        hide(&["standard_attr_id"]);
    }
    match collection {
        "ports" if !sees_all => hide(&PORT_ADMIN),
        "networks" => {
            if !sees_all {
                hide(&NETWORK_ADMIN);
            }
            if !is_deleted {
                hide(&NETWORK_INTERNAL);
            }
            let is_default_shown = matches!(view, View::Created { .. }) || (external && !is_deleted);
            if !is_default_shown {
                hide(&["is_default"]);
            }
        }
        "routers" if !sees_all => hide(&ROUTER_ADMIN),
        "security_group_rules" | "address_groups" => hide(&["tags"]),
        "rbac_policies" => hide(&["tags", "description", "created_at", "updated_at", "revision_number"]),
        "users" | "projects" | "domains" | "roles" | "groups" => {
            hide(&[
                "tags",
                "created_at",
                "updated_at",
                "revision_number",
                "standard_attr_id",
                "project_id",
                "tenant_id",
            ]);
        }
        "role_assignments" => {
            hide(&[
                "id",
                "tags",
                "description",
                "created_at",
                "updated_at",
                "revision_number",
                "project_id",
                "tenant_id",
            ]);
        }
        _ => {}
    }
    match release {
        Release::TwentyTwentySix => {}
        Release::Zed => hide(newer_than_zed(collection)),
        Release::Icehouse => {
            if let Some(known) = icehouse(collection) {
                fields.retain(|key, _| known.contains(&key.as_str()));
            }
            if collection == "security_group_rules" {
                fields.insert("dscp".to_owned(), Value::Null);
            }
            if let Some(gateway) = fields.get_mut("external_gateway_info").and_then(Value::as_object_mut) {
                gateway.remove("external_fixed_ips");
            }
        }
    }
    found
}

/// A rule as it stands inside its group.
pub(super) fn inner_rule(release: Release, rule: &Value) -> Value {
    match release {
        Release::TwentyTwentySix => rule.clone(),
        Release::Zed => {
            let mut rule = rule.clone();
            if let Some(fields) = rule.as_object_mut() {
                fields.remove("belongs_to_default_sg");
            }
            rule
        }
        Release::Icehouse => cut(release, "security_group_rules", rule.clone(), View::Listed),
    }
}

/// What a floating IP tells of its port.
pub(super) fn port_details(port: &Value) -> Value {
    json!({
        "name": port["name"], "network_id": port["network_id"], "mac_address": port["mac_address"],
        "admin_state_up": port["admin_state_up"], "status": port["status"], "device_id": port["device_id"],
        "device_owner": port["device_owner"],
    })
}

fn newer_than_zed(collection: &str) -> &'static [&'static str] {
    match collection {
        "address_groups" => &["revision_number", "created_at", "updated_at"],
        "security_group_rules" => &["belongs_to_default_sg"],
        "networks" => &["qinq"],
        "subnets" => &["router:external"],
        _ => &[],
    }
}

/// The keys that Icehouse's Neutron knew; nothing for Keystone's collections.
fn icehouse(collection: &str) -> Option<&'static [&'static str]> {
    Some(match collection {
        "ports" => &[
            "id",
            "name",
            "network_id",
            "tenant_id",
            "mac_address",
            "admin_state_up",
            "status",
            "device_id",
            "device_owner",
            "fixed_ips",
            "allowed_address_pairs",
            "security_groups",
            "binding:vnic_type",
            "binding:profile",
            "binding:host_id",
            "binding:vif_type",
            "binding:vif_details",
        ],
        "networks" => &[
            "id",
            "name",
            "tenant_id",
            "admin_state_up",
            "status",
            "subnets",
            "shared",
            "router:external",
            "provider:network_type",
            "provider:physical_network",
            "provider:segmentation_id",
        ],
        "subnets" => &[
            "id",
            "name",
            "tenant_id",
            "network_id",
            "ip_version",
            "enable_dhcp",
            "gateway_ip",
            "cidr",
            "allocation_pools",
            "host_routes",
            "dns_nameservers",
        ],
        "routers" => {
            &["id", "name", "tenant_id", "admin_state_up", "status", "external_gateway_info", "routes"]
        }
        "floatingips" => &[
            "id",
            "tenant_id",
            "floating_ip_address",
            "floating_network_id",
            "router_id",
            "port_id",
            "fixed_ip_address",
            "status",
        ],
        "security_groups" => &["id", "name", "tenant_id", "description", "security_group_rules"],
        "security_group_rules" => &[
            "id",
            "tenant_id",
            "security_group_id",
            "ethertype",
            "direction",
            "protocol",
            "port_range_min",
            "port_range_max",
            "remote_ip_prefix",
            "remote_group_id",
        ],
        _ => return None,
    })
}
