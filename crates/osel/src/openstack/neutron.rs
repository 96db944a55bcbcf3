//! What is asked of the network service, and of the load balancers' that hangs on it: the lists, their fields, and what is unknown
//! without them.
//!
//! A list is asked for with the fields that `decode` reads and those by which `view` tells whose an object is, and no others: a
//! million ports are long enough. Whoever teaches `decode` a field adds it here; a test compares them.

use std::collections::BTreeMap;

use osel_core::event::Kind;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::{RawValue, to_raw_value};

use super::catalog::Service;

/// One list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Collection {
    /// The kind's name in the plural, which is its key in the answer.
    pub(super) plural: &'static str,
    /// Who has it.
    pub(super) service: Service,
    /// Where.
    pub(super) path: &'static str,
    /// The extension that brings it; none where it is always there.
    pub(super) extension: Option<&'static str>,
    /// The fields besides those of all objects.
    fields: &'static [&'static str],
    /// One list each, together the whole.
    pub(super) filters: &'static [&'static str],
    /// What osel does not know without it.
    pub(super) hides: &'static str,
}

const fn neutron(
    plural: &'static str,
    path: &'static str,
    fields: &'static [&'static str],
    hides: &'static str,
) -> Collection {
    Collection { plural, service: Service::Network, path, extension: None, fields, filters: &[""], hides }
}

const fn of_extension(extension: &'static str, collection: Collection) -> Collection {
    Collection { extension: Some(extension), ..collection }
}

const fn octavia(
    plural: &'static str,
    path: &'static str,
    fields: &'static [&'static str],
    hides: &'static str,
) -> Collection {
    let service = Service::LoadBalancer;
    Collection { plural, service, path, extension: None, fields, filters: &[""], hides }
}

/// Fields of all objects.
const COMMON: &[&str] = &["id", "project_id", "revision_number", "name"];

/// What Neutron calls a project besides, and by its releases before Newton alone.
const TENANT: &str = "tenant_id";
/// The extension with which objects have a `project_id`.
pub(super) const PROJECTS: &str = "project-id";

/// Every list, in the order in which they are read: whose a port is can be told when its network is known.
const COLLECTIONS: &[Collection] = &[
    neutron(
        "networks",
        "networks",
        &["admin_state_up", "router:external", "shared", "ipv4_address_scope", "ipv6_address_scope"],
        "which networks are external, shared or switched off, and so whether the internet has a path",
    ),
    neutron(
        "subnets",
        "subnets",
        &[
            "network_id",
            "cidr",
            "gateway_ip",
            "subnetpool_id",
            "ipv6_address_mode",
            "ipv6_ra_mode",
            "created_at",
        ],
        "which addresses a network has, and so from where its ports are reached",
    ),
    neutron(
        "routers",
        "routers",
        &["admin_state_up", "external_gateway_info", "external_gateways", "routes", "distributed"],
        "which networks lead to the internet",
    ),
    Collection {
        filters: &[""],
        ..neutron(
            "security_groups",
            "security-groups",
            &["stateful", "shared", "tags"],
            "the groups by which ports are guarded: all is counted closed",
        )
    },
    Collection {
        // Without a filter Neutron shows a reader of all projects only the rules of its own.
        filters: &["direction=ingress", "direction=egress"],
        ..neutron(
            "security_group_rules",
            "security-group-rules",
            &[
                "security_group_id",
                "direction",
                "ethertype",
                "protocol",
                "port_range_min",
                "port_range_max",
                "remote_ip_prefix",
                "normalized_cidr",
                "remote_group_id",
                "remote_address_group_id",
            ],
            "what is open: exposure is told too small",
        )
    },
    of_extension(
        "address-group",
        neutron(
            "address_groups",
            "address-groups",
            &["addresses", "shared"],
            "who is meant by rules that name an address group",
        ),
    ),
    neutron(
        "ports",
        "ports",
        &[
            "network_id",
            "device_id",
            "device_owner",
            "admin_state_up",
            "port_security_enabled",
            "mac_address",
            "fixed_ips",
            "allowed_address_pairs",
            "security_groups",
            "tags",
        ],
        "whose addresses are exposed: nothing can be told of ports that no event spoke of",
    ),
    neutron(
        "floatingips",
        "floatingips",
        &[
            "floating_ip_address",
            "floating_network_id",
            "fixed_ip_address",
            "port_id",
            "router_id",
            "port_forwardings",
            "tags",
        ],
        "which ports have an address of the internet",
    ),
    // Asked for by floating IP.
    of_extension(
        FORWARDINGS,
        neutron(
            "port_forwardings",
            "port_forwardings",
            &[
                "floatingip_id",
                "protocol",
                "internal_port_id",
                "internal_ip_address",
                "internal_port",
                "internal_port_range",
                "external_port",
                "external_port_range",
            ],
            "which single ports of a floating IP lead to whom",
        ),
    ),
    of_extension(
        "rbac-policies",
        neutron(
            "rbac_policies",
            "rbac-policies",
            &["object_type", "object_id", "action", "target_project", "target_tenant"],
            "what is shared between projects",
        ),
    ),
    of_extension(
        "trunk",
        neutron(
            "trunks",
            "trunks",
            &["port_id", "sub_ports", "admin_state_up"],
            "which ports carry the traffic of others",
        ),
    ),
    of_extension(
        "address-scope",
        neutron(
            "address_scopes",
            "address-scopes",
            &["shared"],
            "between which networks addresses are routed untranslated",
        ),
    ),
    of_extension(
        "subnet_allocation",
        neutron(
            "subnetpools",
            "subnetpools",
            &["address_scope_id", "shared"],
            "to which address scope a subnet belongs",
        ),
    ),
    of_extension(
        FIREWALLS,
        neutron(
            "firewall_groups",
            "fwaas/firewall_groups",
            &["admin_state_up", "ports", "ingress_firewall_policy_id", "egress_firewall_policy_id", "shared"],
            "which routers' ports a firewall guards: what it closes is told as open",
        ),
    ),
    of_extension(
        FIREWALLS,
        neutron(
            "firewall_policies",
            "fwaas/firewall_policies",
            &["firewall_rules", "shared"],
            "what firewalls close: it is told as open",
        ),
    ),
    of_extension(
        FIREWALLS,
        neutron(
            "firewall_rules",
            "fwaas/firewall_rules",
            &[
                "enabled",
                "action",
                "ip_version",
                "protocol",
                "source_ip_address",
                "destination_ip_address",
                "source_port",
                "destination_port",
                "shared",
            ],
            "what firewalls close: it is told as open",
        ),
    ),
    octavia(
        "loadbalancers",
        "lbaas/loadbalancers",
        &["admin_state_up", "vip_port_id", "vip_address"],
        "which addresses a load balancer answers for",
    ),
    octavia(
        "listeners",
        "lbaas/listeners",
        &["admin_state_up", "loadbalancers", "loadbalancer_id", "protocol", "protocol_port", "allowed_cidrs"],
        "which ports a load balancer answers on, and to whom",
    ),
];

/// The extension with which floating IPs forward single ports.
pub(super) const FORWARDINGS: &str = "floating-ip-port-forwarding";
/// The extension with which a floating IP lists its forwardings.
pub(super) const FORWARDINGS_LISTED: &str = "expose-port-forwarding-in-fip";
const FIREWALLS: &str = "fwaas_v2";

/// What stands in a segment of a path as it is: the letters of ids.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The list of a kind; none for one that no API lists.
pub(super) fn collection(kind: Kind) -> Option<&'static Collection> {
    COLLECTIONS.iter().find(|collection| collection.plural == kind.plural())
}

/// Every kind that is read, in the order of reading.
pub(super) fn kinds() -> impl Iterator<Item = (Kind, &'static Collection)> {
    COLLECTIONS.iter().filter_map(|collection| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.plural() == collection.plural)?;
        Some((kind, collection))
    })
}

/// Whether every cloud has some of this kind in several projects, so that a list without them is no whole one.
pub fn is_everywhere(kind: Kind) -> bool {
    matches!(kind, Kind::Network | Kind::Subnet | Kind::SecurityGroup | Kind::Rule | Kind::Port)
}

impl Collection {
    /// The query that asks for the fields; `by_tenant` where the service may have projects by their older name alone.
    pub(super) fn query(&self, by_tenant: bool) -> String {
        let tenant = (by_tenant && self.service == Service::Network).then_some(&TENANT);
        let fields =
            COMMON.iter().chain(self.fields).chain(tenant).map(|field| format!("fields={}", encoded(field)));
        fields.collect::<Vec<_>>().join("&")
    }

    /// Where one object of it is.
    pub(super) fn object_path(&self, id: &str) -> String {
        // A group's rules come with it.
        let rules = if self.plural == "security_groups" { "&fields=security_group_rules" } else { "" };
        // Of one object it is not worth asking which name it has for its project.
        format!("{}/{}?{}{rules}", self.path, encoded(id), self.query(true))
    }
}

/// Where the forwardings of a floating IP are.
pub(super) fn forwardings_path(floating_ip: &str) -> String {
    format!("floatingips/{}/port_forwardings", encoded(floating_ip))
}

/// An id or a word as it stands in a URL.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A floating IP with all that its forwardings say in place of what it says of them itself.
pub(super) fn with_forwardings(floating_ip: &str, forwardings: &[Box<RawValue>]) -> Option<String> {
    let mut body: BTreeMap<&str, &RawValue> = serde_json::from_str(floating_ip).ok()?;
    let list = to_raw_value(forwardings).ok()?;
    body.insert("port_forwardings", &list);
    serde_json::to_string(&body).ok()
}

/// A floating IP without what it says of its forwardings itself: without their ids, which would make others of those that are known.
pub(super) fn without_forwardings(floating_ip: &str) -> Option<String> {
    let mut body: BTreeMap<&str, &RawValue> = serde_json::from_str(floating_ip).ok()?;
    body.remove("port_forwardings");
    serde_json::to_string(&body).ok()
}

/// A forwarding that says which floating IP it belongs to.
pub(super) fn of_floating_ip(forwarding: &str, floating_ip: &str) -> Option<String> {
    let mut body: BTreeMap<&str, &RawValue> = serde_json::from_str(forwarding).ok()?;
    let id = to_raw_value(floating_ip).ok()?;
    body.insert("floatingip_id", &id);
    serde_json::to_string(&body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_list() {
        for kind in Kind::ALL {
            assert!(collection(kind).is_some(), "nothing says where {} are listed", kind.plural());
        }
        assert_eq!(kinds().count(), Kind::ALL.len());
    }

    /// `project_id`'s older name; what Octavia's notifications call an id; and what a group is asked for one by one.
    const ELSEWHERE: [&str; 3] = ["tenant_id", "loadbalancer_id", "security_group_rules"];

    /// The readers whose names are not those of their lists.
    const NAMED_OTHERWISE: [(&str, &str); 2] =
        [("rule", "security_group_rules"), ("forwarding", "port_forwardings")];

    /// The name of a reader's list, without its underscores.
    fn list_of(reader: &str) -> String {
        let named = NAMED_OTHERWISE.iter().find(|(name, _)| *name == reader);
        let plural = named.map_or_else(
            || match reader.strip_suffix('y') {
                Some(stem) => format!("{stem}ies"),
                None => format!("{reader}s"),
            },
            |(_, plural)| (*plural).to_owned(),
        );
        plural.replace('_', "")
    }

    /// The readers of `decode`: the list that each reads, and the members that it takes.
    fn readers() -> Vec<(&'static Collection, Vec<&'static str>)> {
        let sources = [
            include_str!("../../../osel-core/src/decode/neutron_objects.rs"),
            include_str!("../../../osel-core/src/decode/service_objects.rs"),
        ];
        let functions = sources.into_iter().flat_map(|source| source.split("fn "));
        let read = functions.filter_map(|function| {
            let wanted = list_of(function.split('(').next()?);
            let list = COLLECTIONS.iter().find(|list| list.plural.replace('_', "") == wanted)?;
            let literals = function.split("b\"").skip(1).filter_map(|rest| rest.split_once('"'));
            Some((list, literals.map(|(key, _)| key).collect()))
        });
        read.collect()
    }

    /// What a kind's reader takes is what its list is asked for: else a field is silently never known.
    #[test]
    fn every_field_that_is_decoded_is_asked_for() {
        let readers = readers();
        for list in COLLECTIONS {
            let (_, keys) = readers.iter().find(|(read, _)| read.plural == list.plural).expect(list.plural);
            assert!(!keys.is_empty(), "the reader of {} was not understood", list.plural);
            for key in keys.iter().filter(|key| !ELSEWHERE.contains(key)) {
                let is_asked = COMMON.contains(key) || list.fields.contains(key);
                assert!(is_asked, "`{key}` of {} is decoded and not asked for", list.plural);
            }
        }
    }

    #[test]
    fn ids_of_strangers_stay_in_their_segment_of_the_path() {
        let path = collection(Kind::Port).unwrap().object_path("../x?a=b#%2f");
        assert!(path.starts_with("ports/..%2Fx%3Fa%3Db%23%252f?fields=id&fields=project_id"), "{path}");
        assert!(collection(Kind::Network).unwrap().query(false).contains("fields=router%3Aexternal"));
    }

    #[test]
    fn a_project_is_asked_for_by_its_older_name_where_there_may_be_no_other() {
        let asks = |kind, by_tenant| collection(kind).unwrap().query(by_tenant).contains("fields=tenant_id");
        assert_eq!([asks(Kind::Port, true), asks(Kind::Port, false)], [true, false]);
        assert!(!asks(Kind::Listener, true), "Octavia never had it");
        assert!(collection(Kind::Port).unwrap().object_path("p").contains("fields=tenant_id"));
    }

    #[test]
    fn forwardings_are_put_into_their_floating_ip_and_name_it() {
        let forwarding = r#"{"id":"f1","external_port":80}"#;
        let list = vec![RawValue::from_string(forwarding.to_owned()).unwrap()];
        let whole =
            with_forwardings(r#"{"id": "a", "port_forwardings": [{"external_port": 1}]}"#, &list).unwrap();
        assert_eq!(whole, r#"{"id":"a","port_forwardings":[{"id":"f1","external_port":80}]}"#);
        assert_eq!(
            of_floating_ip(forwarding, "a\"").unwrap(),
            r#"{"external_port":80,"floatingip_id":"a\"","id":"f1"}"#
        );
        assert_eq!(with_forwardings("[]", &list), None);
    }
}
