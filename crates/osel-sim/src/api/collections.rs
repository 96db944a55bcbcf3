//! The collections of the emulated Neutron and Octavia: their paths, keys and attributes.

/// A collection.
#[derive(Debug)]
pub(super) struct Collection {
    /// Below `/v2.0/`.
    pub(super) path: &'static str,
    /// The key of a list, and the collection's name in an inventory.
    pub(super) key: &'static str,
    /// The key of a single object.
    pub(super) singular: &'static str,
    /// The extension without which it is not there; it is there where the cloud has the collection.
    pub(super) extension: Option<&'static str>,
    /// Attributes by which it is filtered, besides [`COMMON`].
    filters: &'static [&'static str],
}

/// Attributes by which all collections are filtered.
const COMMON: [&str; 9] =
    ["id", "name", "project_id", "tenant_id", "description", "tags", "tags-any", "not-tags", "not-tags-any"];

const fn collection(
    path: &'static str,
    key: &'static str,
    singular: &'static str,
    extension: Option<&'static str>,
    filters: &'static [&'static str],
) -> Collection {
    Collection { path, key, singular, extension, filters }
}

/// All of them.
pub(super) const ALL: [Collection; 15] = [
    collection(
        "networks",
        "networks",
        "network",
        None,
        &["admin_state_up", "status", "shared", "router:external", "port_security_enabled", "mtu"],
    ),
    collection(
        "subnets",
        "subnets",
        "subnet",
        None,
        &["network_id", "cidr", "ip_version", "gateway_ip", "enable_dhcp", "subnetpool_id", "shared"],
    ),
    collection(
        "ports",
        "ports",
        "port",
        None,
        &[
            "network_id",
            "admin_state_up",
            "mac_address",
            "device_id",
            "device_owner",
            "fixed_ips",
            "status",
            "security_groups",
            "binding:host_id",
            "port_security_enabled",
        ],
    ),
    collection("routers", "routers", "router", None, &["admin_state_up", "status", "distributed", "ha"]),
    collection(
        "floatingips",
        "floatingips",
        "floatingip",
        None,
        &["floating_ip_address", "floating_network_id", "fixed_ip_address", "port_id", "router_id", "status"],
    ),
    collection("security-groups", "security_groups", "security_group", None, &["stateful", "shared"]),
    collection(
        "security-group-rules",
        "security_group_rules",
        "security_group_rule",
        None,
        &[
            "security_group_id",
            "remote_group_id",
            "remote_address_group_id",
            "direction",
            "ethertype",
            "protocol",
            "port_range_min",
            "port_range_max",
            "remote_ip_prefix",
        ],
    ),
    collection("address-groups", "address_groups", "address_group", Some("address-group"), &["shared"]),
    collection(
        "rbac-policies",
        "rbac_policies",
        "rbac_policy",
        Some("rbac-policies"),
        &["object_type", "object_id", "target_tenant", "action"],
    ),
    collection("trunks", "trunks", "trunk", Some("trunk"), &["port_id", "admin_state_up", "status"]),
    collection(
        "address-scopes",
        "address_scopes",
        "address_scope",
        Some("address-scope"),
        &["ip_version", "shared"],
    ),
    collection(
        "subnetpools",
        "subnetpools",
        "subnetpool",
        Some("subnet_allocation"),
        &["address_scope_id", "ip_version", "shared"],
    ),
    collection(
        "fwaas/firewall_groups",
        "firewall_groups",
        "firewall_group",
        Some("fwaas_v2"),
        &["admin_state_up", "shared", "status"],
    ),
    collection(
        "fwaas/firewall_policies",
        "firewall_policies",
        "firewall_policy",
        Some("fwaas_v2"),
        &["shared", "audited"],
    ),
    collection(
        "fwaas/firewall_rules",
        "firewall_rules",
        "firewall_rule",
        Some("fwaas_v2"),
        &["shared", "enabled", "action", "protocol"],
    ),
];

/// The collections of the emulated Octavia, below `/v2/lbaas/`; they are there where the cloud has them.
pub(super) const BALANCERS: [Collection; 2] = [
    collection(
        "loadbalancers",
        "loadbalancers",
        "loadbalancer",
        None,
        &["admin_state_up", "operating_status", "provisioning_status", "vip_address", "vip_port_id"],
    ),
    collection(
        "listeners",
        "listeners",
        "listener",
        None,
        &["admin_state_up", "load_balancer_id", "protocol", "protocol_port"],
    ),
];

impl Collection {
    /// Whether lists are filtered by this key.
    pub(super) fn is_filter(&self, key: &str) -> bool {
        COMMON.contains(&key) || self.filters.contains(&key)
    }

    /// The last part of its path.
    fn last(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

/// The collection at the beginning of a path below `/v2.0/`, and what follows.
pub(super) fn at<'a, 'b>(parts: &'a [&'b str]) -> Option<(&'static Collection, &'a [&'b str])> {
    let (first, rest) = match parts {
        ["fwaas", first, rest @ ..] => (first, rest),
        [first, rest @ ..] => (first, rest),
        [] => return None,
    };
    let is_fwaas = parts.first() == Some(&"fwaas");
    let found = ALL.iter().find(|one| one.last() == *first && one.path.starts_with("fwaas/") == is_fwaas)?;
    Some((found, rest))
}
