//! Addresses out of subnets, and the ports that hold them.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::world::Cloud;

/// The first host number that ports get: below lie gateways.
const FIRST_HOST: u64 = 10;

/// What a new port is made of; the rest is default.
#[derive(Clone, Debug, Default)]
pub(super) struct NewPort {
    pub(super) name: String,
    pub(super) network: String,
    pub(super) project: String,
    pub(super) groups: Vec<String>,
    pub(super) device_id: String,
    pub(super) device_owner: String,
    pub(super) host: String,
    /// One address of these subnets each; of all subnets of the network where empty.
    pub(super) subnets: Vec<String>,
    /// The address to take, in place of one from the subnet.
    pub(super) address: Option<String>,
}

impl Cloud {
    /// Stores a port and gives it addresses.
    pub(super) fn insert_port(&mut self, new: &NewPort) -> String {
        let subnets = if new.subnets.is_empty() {
            self.ids("subnets", |subnet| subnet["network_id"] == new.network.as_str())
        } else {
            new.subnets.clone()
        };
        let mac = self.random.bits().to_be_bytes();
        let mac_address = format!("fa:16:3e:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2]);
        let is_giving = |subnet: &Value| subnet["ipv6_address_mode"] == "slaac";
        let asked = subnets.into_iter().filter(|subnet| {
            gets_none(&new.device_owner) || !self.get("subnets", subnet).is_some_and(is_giving)
        });
        let mut fixed_ips = Vec::new();
        for subnet in asked.collect::<Vec<_>>() {
            let address = new.address.clone().unwrap_or_else(|| self.free_address(&subnet));
            fixed_ips.push(json!({"subnet_id": subnet, "ip_address": address}));
        }
        if !gets_none(&new.device_owner) {
            let giving = |subnet: &Value| is_giving(subnet) && subnet["network_id"] == new.network.as_str();
            for subnet in self.ids("subnets", giving) {
                let address = own_address(&self.field("subnets", &subnet, "cidr"), &mac_address);
                fixed_ips.push(json!({"subnet_id": subnet, "ip_address": address}));
            }
        }
        let is_trusted = new.device_owner.starts_with("network:");
        let network_secured =
            self.get("networks", &new.network).is_none_or(|found| found["port_security_enabled"] != false);
        let is_bound = !new.host.is_empty();
        let details = if is_bound { json!({"connectivity": "l2", "port_filter": true}) } else { json!({}) };
        let port = json!({
            "name": new.name, "network_id": new.network, "project_id": new.project,
            "mac_address": mac_address,
            "admin_state_up": true, "status": if is_bound { "ACTIVE" } else { "DOWN" },
            "device_id": new.device_id,
            "device_owner": new.device_owner, "fixed_ips": fixed_ips, "allowed_address_pairs": [],
            "extra_dhcp_opts": [],
            "security_groups": new.groups, "binding:vnic_type": "normal", "binding:profile": {},
            "binding:host_id": new.host, "binding:vif_type": if is_bound { "ovs" } else { "unbound" },
            "binding:vif_details": details,
            "port_security_enabled": network_secured && !is_trusted, "qos_policy_id": null,
            "qos_network_policy_id": null, "dns_name": "", "dns_assignment": dns(&fixed_ips),
            "resource_request": null,
        });
        let id = self.insert("ports", port);
        self.touch("ports", &id);
        id
    }

    /// Gives the ports of a network addresses of a new subnet of IPv6, and tells nobody.
    pub(super) fn give_addresses(&mut self, network: &str, subnet: &str) {
        for port in self.ids("ports", |port| port["network_id"] == network) {
            if gets_none(&self.field("ports", &port, "device_owner")) {
                continue;
            }
            let address = own_address(
                &self.field("subnets", subnet, "cidr"),
                &self.field("ports", &port, "mac_address"),
            );
            let mut fixed_ips = self.fixed_ips(&port);
            fixed_ips.push(json!({"subnet_id": subnet, "ip_address": address}));
            self.change("ports", &port, json!({"dns_assignment": dns(&fixed_ips), "fixed_ips": fixed_ips}));
        }
    }

    /// Takes the addresses of a subnet that goes from all ports, and tells nobody.
    pub(super) fn take_addresses(&mut self, subnet: &str) {
        let is_of_it = |fixed: &Value| fixed["subnet_id"] == subnet;
        for port in
            self.ids("ports", |port| port["fixed_ips"].as_array().is_some_and(|all| all.iter().any(is_of_it)))
        {
            let mut fixed_ips = self.fixed_ips(&port);
            fixed_ips.retain(|fixed| !is_of_it(fixed));
            self.change("ports", &port, json!({"dns_assignment": dns(&fixed_ips), "fixed_ips": fixed_ips}));
        }
    }

    /// The addresses of a port with their subnets.
    pub(super) fn fixed_ips(&self, port: &str) -> Vec<Value> {
        self.get("ports", port).and_then(|port| port["fixed_ips"].as_array().cloned()).unwrap_or_default()
    }

    /// The next address of a subnet.
    pub(super) fn free_address(&mut self, subnet: &str) -> String {
        let cidr = self.field("subnets", subnet, "cidr");
        let handed_out = self.handed_out.entry(subnet.to_owned()).or_insert(0);
        *handed_out += 1;
        let number = FIRST_HOST + *handed_out;
        match cidr.parse::<IpNet>() {
            Ok(IpNet::V4(net)) => {
                let hosts = (1_u64 << (32 - net.prefix_len())).saturating_sub(FIRST_HOST + 2).max(1);
                let host = FIRST_HOST + number % hosts;
                let host = u32::try_from(host).unwrap_or(0);
                Ipv4Addr::from(u32::from(net.network()).wrapping_add(host)).to_string()
            }
            Ok(IpNet::V6(net)) => {
                Ipv6Addr::from(u128::from(net.network()).wrapping_add(u128::from(number))).to_string()
            }
            Err(_) => String::new(),
        }
    }

    /// The ids of a port's addresses of version 4.
    pub(super) fn first_v4(&self, port: &str) -> Option<String> {
        let fixed_ips = self.get("ports", port)?["fixed_ips"].as_array()?;
        let mut addresses = fixed_ips.iter().filter_map(|fixed| fixed["ip_address"].as_str());
        addresses.find(|address| address.contains('.')).map(str::to_owned)
    }
}

/// The address that an interface gives itself on a subnet: written here from RFC 4291, not with the code that is checked by it.
pub(crate) fn own_address(cidr: &str, mac: &str) -> String {
    let Ok(IpNet::V6(net)) = cidr.parse::<IpNet>() else { return String::new() };
    let byte = |at: usize| u128::from_str_radix(mac.get(3 * at..3 * at + 2).unwrap_or("0"), 16).unwrap_or(0);
    let upper = ((byte(0) ^ 0x02) << 16 | byte(1) << 8 | byte(2)) << 8 | 0xff;
    let lower = 0xfe << 24 | byte(3) << 16 | byte(4) << 8 | byte(5);
    Ipv6Addr::from(u128::from(net.network()) | upper << 32 | lower).to_string()
}

/// Whether ports of this owner get no address by themselves: routers', whom Neutron asks for each.
pub(crate) fn gets_none(owner: &str) -> bool {
    owner.starts_with("network:router_") || owner == "network:ha_router_replicated_interface"
}

/// The names that Neutron's internal DNS gives to addresses.
pub(super) fn dns(fixed_ips: &[Value]) -> Vec<Value> {
    let addresses = fixed_ips.iter().filter_map(|fixed| fixed["ip_address"].as_str());
    addresses
        .map(|address| {
            let host = format!("host-{}", address.replace(['.', ':'], "-"));
            json!({"ip_address": address, "hostname": host, "fqdn": format!("{host}.lab.example.")})
        })
        .collect()
}
