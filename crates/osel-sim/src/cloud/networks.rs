//! Networks and subnets.

use serde_json::{Value, json};

use super::addresses::NewPort;
use super::groups::one_or_many;
use super::release::Release;
use super::shape::View;
use super::wire::Actor;
use super::world::Cloud;

impl Cloud {
    /// Creates networks in one call.
    pub fn create_networks(&mut self, actor: &Actor, names: &[&str], external: bool) -> Option<Vec<String>> {
        let asked = names.iter().map(|name| match external {
            true => json!({"name": name, "router:external": true}),
            false => json!({"name": name}),
        });
        let bulk = names.len() > 1;
        let payload = one_or_many("network", "networks", asked.collect(), bulk);
        let request = self.call(actor, "network", "create", payload);
        if external && !actor.is_admin {
            return None;
        }
        let ids: Vec<_> =
            names.iter().map(|name| self.insert_network(&actor.project_id, name, external)).collect();
        self.done(request, "networks", &ids, bulk)
    }

    /// Changes fields of a network. Who makes it external or not makes or removes a policy without a word.
    pub fn update_network(&mut self, actor: &Actor, network: &str, changes: Value) -> Option<Vec<String>> {
        let request = self.call(actor, "network", "update", json!({"network": changes, "id": network}));
        self.get("networks", network)?;
        if let Some(external) = changes["router:external"].as_bool() {
            if !actor.is_admin || (!external && self.is_gateway_network(network)) {
                return None;
            }
            self.set_external_policy(network, external);
        }
        self.change("networks", network, changes);
        self.done(request, "networks", &[network.to_owned()], false)
    }

    /// Deletes a network with its subnets; refused while anything but DHCP has a port on it.
    pub fn delete_network(&mut self, actor: &Actor, network: &str) -> Option<Vec<String>> {
        let request = self.call(actor, "network", "delete", json!({"network_id": network}));
        let body = self.shown("networks", network, View::Deleted)?;
        let ports = self.ids("ports", |port| port["network_id"] == network);
        if ports.iter().any(|port| self.field("ports", port, "device_owner") != "network:dhcp") {
            return None;
        }
        for port in ports {
            self.remove("ports", &port);
        }
        for subnet in self.ids("subnets", |subnet| subnet["network_id"] == network) {
            self.remove("subnets", &subnet);
        }
        for policy in self.ids("rbac_policies", |policy| policy["object_id"] == network) {
            self.remove("rbac_policies", &policy);
        }
        self.remove("networks", network);
        self.deleted(&request, network, body)
    }

    /// Creates a subnet; its DHCP port, where it gets one, is silent.
    pub fn create_subnet(&mut self, actor: &Actor, network: &str, cidr: &str) -> Option<Vec<String>> {
        let version = if cidr.contains(':') { 6 } else { 4 };
        let asked = json!({"network_id": network, "cidr": cidr, "ip_version": version});
        let request = self.call(actor, "subnet", "create", json!({"subnet": asked}));
        let project = self.get("networks", network)?["project_id"].clone();
        let net: ipnet::IpNet = cidr.parse().ok()?;
        if !self.ids("subnets", |subnet| subnet["network_id"] == network && subnet["cidr"] == cidr).is_empty()
        {
            return None;
        }
        let mut hosts = net.hosts();
        let gateway = hosts.next()?.to_string();
        // Juno was the first to know these modes.
        let gives = version == 6 && self.options.release != Release::Icehouse;
        let subnet = json!({
            "name": "", "project_id": project, "network_id": network, "ip_version": version,
            "subnetpool_id": null,
            "enable_dhcp": true, "ipv6_ra_mode": if gives { json!("slaac") } else { Value::Null },
            "ipv6_address_mode": if gives { json!("slaac") } else { Value::Null }, "gateway_ip": gateway,
            "cidr": net.trunc().to_string(), "host_routes": [], "dns_nameservers": [], "service_types": [],
            "allocation_pools": [{"start": hosts.next()?.to_string(), "end": net.broadcast().to_string()}],
            "router:external": null,
        });
        let id = self.insert("subnets", subnet);
        self.touch("networks", network);
        if gives {
            self.give_addresses(network, &id);
        }
        if self.options.silent {
            let host = self.random.uuid();
            self.insert_port(&NewPort {
                network: network.to_owned(),
                device_id: format!("dhcp{host}"),
                device_owner: "network:dhcp".to_owned(),
                host: "ctl1".to_owned(),
                subnets: vec![id.clone()],
                ..NewPort::default()
            });
        }
        self.done(request, "subnets", &[id], false)
    }

    /// Changes a subnet's name servers.
    pub fn update_subnet(&mut self, actor: &Actor, subnet: &str) -> Option<Vec<String>> {
        let changes = json!({"dns_nameservers": ["192.0.2.54"]});
        let request = self.call(actor, "subnet", "update", json!({"subnet": changes, "id": subnet}));
        self.get("subnets", subnet)?;
        self.change("subnets", subnet, changes);
        self.done(request, "subnets", &[subnet.to_owned()], false)
    }

    /// Deletes a subnet; refused while anything but DHCP has an address of it, unless it gave them.
    pub fn delete_subnet(&mut self, actor: &Actor, subnet: &str) -> Option<Vec<String>> {
        let request = self.call(actor, "subnet", "delete", json!({"subnet_id": subnet}));
        let body = self.shown("subnets", subnet, View::Deleted)?;
        let has_address = |port: &Value| {
            port["fixed_ips"]
                .as_array()
                .is_some_and(|all| all.iter().any(|fixed| fixed["subnet_id"] == subnet))
        };
        let ports = self.ids("ports", has_address);
        let is_giving = self.field("subnets", subnet, "ipv6_address_mode") == "slaac";
        let keeps =
            |owner: String| owner != "network:dhcp" && (!is_giving || owner.starts_with("network:router_"));
        if ports.iter().any(|port| keeps(self.field("ports", port, "device_owner"))) {
            return None;
        }
        for port in ports {
            // A port of DHCP goes with its last address.
            let is_last = self.fixed_ips(&port).len() == 1;
            if self.field("ports", &port, "device_owner") == "network:dhcp" && (is_last || !is_giving) {
                self.remove("ports", &port);
            }
        }
        self.take_addresses(subnet);
        let network = self.field("subnets", subnet, "network_id");
        self.remove("subnets", subnet);
        self.touch("networks", &network);
        self.deleted(&request, subnet, body)
    }

    /// Stores a network; nothing is sent.
    pub(super) fn insert_network(&mut self, project: &str, name: &str, external: bool) -> String {
        let kind = if external { "flat" } else { "vxlan" };
        let network = json!({
            "name": name, "project_id": project, "admin_state_up": true, "mtu": 1450, "status": "ACTIVE",
            "shared": false,
            "port_security_enabled": true, "qos_policy_id": null, "dns_domain": "",
            "router:external": external,
            "provider:network_type": kind,
            "provider:physical_network": if external { json!("physnet1") } else { Value::Null },
            "provider:segmentation_id": if external { Value::Null } else { json!(self.made) },
            "is_default": false,
            "availability_zone_hints": [], "availability_zones": [], "ipv4_address_scope": null,
            "ipv6_address_scope": null, "qinq": null, "vlan_transparent": null,
        });
        let id = self.insert("networks", network);
        self.touch("networks", &id);
        if external {
            self.set_external_policy(&id, true);
        }
        id
    }

    fn is_gateway_network(&self, network: &str) -> bool {
        !self
            .ids("ports", |port| {
                port["network_id"] == network && port["device_owner"] == "network:router_gateway"
            })
            .is_empty()
            || !self
                .ids("floatingips", |floating_ip| floating_ip["floating_network_id"] == network)
                .is_empty()
    }

    fn set_external_policy(&mut self, network: &str, external: bool) {
        let known = self.ids("rbac_policies", |policy| {
            policy["object_id"] == network && policy["action"] == "access_as_external"
        });
        if !external {
            for policy in known {
                self.remove("rbac_policies", &policy);
            }
        } else if known.is_empty() {
            let project = self.field("networks", network, "project_id");
            self.insert(
                "rbac_policies",
                super::policies::policy(&project, network, "access_as_external", "*"),
            );
        }
    }
}
