//! The keys that Neutron has for its objects: one that it does not have is a mistake, and what it was meant to say would be missed.
//!
//! They are those of Neutron 29 with all extensions of its own. What Neutron shows and does not take is passed over, so that
//! a body may be made of what the API showed.

use osel_core::model::Kind;

use super::step::Body;

/// What objects of every kind have.
const COMMON: &str =
    "id tenant_id project_id description tags created_at updated_at revision_number standard_attr_id";

/// The most characters of a key that are told.
const KEY_CHARS_MAX: usize = 64;

/// What a kind has besides; none where it is not Neutron itself that knows it.
fn keys(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Port => {
            "name admin_state_up allowed_address_pairs binding:host_id binding:profile binding:vif_details binding:vif_type \
             binding:vnic_type data_plane_status device_id device_owner device_profile dns_assignment dns_domain dns_name \
             extra_dhcp_opts fixed_ips hardware_offload_type hints ip_allocation mac_address network_id numa_affinity_policy \
             port_security_enabled propagate_uplink_status pvlan_community pvlan_type qos_network_policy_id qos_policy_id \
             resource_request security_groups status trunk_details trusted"
        }
        Kind::SecurityGroup => "name stateful shared security_group_rules",
        Kind::Rule => {
            "security_group_id direction ethertype protocol port_range_min port_range_max remote_ip_prefix remote_group_id \
             remote_address_group_id normalized_cidr belongs_to_default_sg"
        }
        Kind::AddressGroup => "name addresses shared",
        Kind::FloatingIp => {
            "floating_network_id floating_ip_address fixed_ip_address port_id router_id subnet_id status distributed dns_domain \
             dns_name port_details port_forwardings qos_network_policy_id qos_policy_id"
        }
        Kind::Forwarding => {
            "floatingip_id protocol external_port external_port_range internal_port internal_port_range internal_port_id \
             internal_ip_address"
        }
        Kind::Router => {
            "name admin_state_up availability_zone_hints availability_zones conntrack_helpers distributed \
             enable_default_route_bfd enable_default_route_ecmp enable_ndp_proxy enable_snat evpn_vni external_gateway_info \
             external_gateways flavor_id ha routes service_type_id status"
        }
        Kind::Network => {
            "name admin_state_up availability_zone_hints availability_zones dns_domain ha ipv4_address_scope \
             ipv6_address_scope is_default l2_adjacency mtu port_security_enabled project_default provider:network_type \
             provider:physical_network provider:segmentation_id pvlan qinq qos_policy_id router:external segments shared status \
             subnets vlan_transparent"
        }
        Kind::Subnet => {
            "name network_id allocation_pools cidr dns_nameservers dns_publish_fixed_ip enable_dhcp gateway_ip host_routes \
             ip_version ipv6_address_mode ipv6_ra_mode leak_routes prefixlen router:external segment_id service_types shared \
             subnetpool_id use_default_subnetpool"
        }
        Kind::RbacPolicy => "object_type object_id target_tenant action",
        Kind::Trunk => "name admin_state_up port_id status sub_ports",
        Kind::AddressScope => "name ip_version shared",
        Kind::SubnetPool => {
            "name address_scope_id default_prefixlen default_quota ip_version is_default max_prefixlen min_prefixlen prefixes shared"
        }
        Kind::FirewallGroup => {
            "name admin_state_up egress_firewall_policy_id ingress_firewall_policy_id ports shared status"
        }
        Kind::FirewallPolicy => "name audited firewall_rules shared",
        Kind::FirewallRule => {
            "name action destination_ip_address destination_port enabled firewall_policy_id ip_version position protocol shared \
             source_ip_address source_port"
        }
        // Octavia's.
        Kind::LoadBalancer | Kind::Listener => return None,
    })
}

/// The keys of an object that Neutron does not have for its kind, as they may be shown.
pub(super) fn unknown(kind: Kind, body: &Body) -> Vec<String> {
    let Some(keys) = keys(kind) else { return Vec::new() };
    let is_known = |key: &str| [COMMON, keys].iter().any(|keys| keys.split(' ').any(|known| known == key));
    let unknown = body.keys().filter(|key| !is_known(key));
    unknown.map(|key| key.escape_debug().take(KEY_CHARS_MAX).collect()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_those_of_the_kind() {
        let unknown = |kind, body: serde_json::Value| unknown(kind, body.as_object().unwrap());
        let port =
            json!({"name": "p", "binding:host_id": "h", "security_group": ["x"], "port_security": false});
        assert_eq!(unknown(Kind::Port, port), ["port_security", "security_group"]);
        assert_eq!(unknown(Kind::Rule, json!({"name": "r", "direction": "ingress"})), ["name"]);
        assert_eq!(unknown(Kind::Rule, json!({"": 1, "tags": [], "a\u{1b}\n": 1})), ["", "a\\u{1b}\\n"]);
        assert_eq!(unknown(Kind::Network, json!({"x".repeat(300): 1})), ["x".repeat(64)]);
        assert!(unknown(Kind::Listener, json!({"anything": 1})).is_empty());
    }
}
