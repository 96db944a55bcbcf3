//! Routers, their gateways and interfaces.

use serde_json::{Value, json};

use super::addresses::NewPort;
use super::release::Release;
use super::shape::View;
use super::wire::Actor;
use super::world::Cloud;

impl Cloud {
    /// Creates a router, with a gateway to an external network if one is named.
    pub fn create_router(&mut self, actor: &Actor, name: &str, gateway: Option<&str>) -> Option<Vec<String>> {
        let mut asked = json!({"name": name});
        if let Some(network) = gateway {
            asked["external_gateway_info"] = json!({"network_id": network});
        }
        let request = self.call(actor, "router", "create", json!({"router": asked}));
        if gateway.is_some_and(|network| !self.can_be_gateway(network)) {
            return None;
        }
        let router = json!({
            "name": name, "project_id": actor.project_id, "admin_state_up": true, "status": "ACTIVE",
            "external_gateway_info": null, "availability_zones": [], "availability_zone_hints": [],
            "routes": [],
            "flavor_id": null, "conntrack_helpers": [], "distributed": false, "ha": false,
        });
        let id = self.insert("routers", router);
        self.touch("routers", &id);
        if let Some(network) = gateway {
            self.open_gateway(&id, network, true);
        }
        self.done(request, "routers", &[id], false)
    }

    /// Changes fields of a router. `external_gateway_info` null closes the gateway, which is refused while
    /// floating IPs go through it.
    pub fn update_router(&mut self, actor: &Actor, router: &str, mut changes: Value) -> Option<Vec<String>> {
        let request = self.call(actor, "router", "update", json!({"router": changes, "id": router}));
        self.get("routers", router)?;
        if let Some(gateway) =
            changes.as_object_mut().and_then(|fields| fields.remove("external_gateway_info"))
        {
            if !self.ids("floatingips", |floating_ip| floating_ip["router_id"] == router).is_empty() {
                return None;
            }
            let network = gateway["network_id"].as_str();
            if network.is_some_and(|network| !self.can_be_gateway(network)) {
                return None;
            }
            self.close_gateway(router);
            if let Some(network) = network {
                self.open_gateway(router, network, gateway["enable_snat"] != false);
            }
        }
        self.change("routers", router, changes);
        self.done(request, "routers", &[router.to_owned()], false)
    }

    /// Deletes a router; refused while it has interfaces.
    pub fn delete_router(&mut self, actor: &Actor, router: &str) -> Option<Vec<String>> {
        let request = self.call(actor, "router", "delete", json!({"router_id": router}));
        let body = self.shown("routers", router, View::Deleted)?;
        if !self.interfaces(router).is_empty() {
            return None;
        }
        self.close_gateway(router);
        self.remove("routers", router);
        self.deleted(&request, router, body)
    }

    /// Gives a router an interface on a subnet with the subnet's gateway address; refused where there is one
    /// already.
    pub fn add_interface(&mut self, actor: &Actor, router: &str, subnet: &str) -> Option<Vec<String>> {
        let request = self.silent_call(actor, "router", "interface");
        let (network, address) =
            (self.field("subnets", subnet, "network_id"), self.field("subnets", subnet, "gateway_ip"));
        let taken = self.ids("ports", |port| {
            let fixed_ips = port["fixed_ips"].as_array();
            port["device_owner"] == "network:router_interface"
                && fixed_ips.is_some_and(|all| all.iter().any(|fixed| fixed["subnet_id"] == subnet))
        });
        self.get("routers", router)?;
        if !taken.is_empty() || network.is_empty() {
            return None;
        }
        let port = self.insert_port(&NewPort {
            network,
            project: actor.project_id.clone(),
            device_id: router.to_owned(),
            device_owner: "network:router_interface".to_owned(),
            host: "ctl1".to_owned(),
            subnets: vec![subnet.to_owned()],
            address: Some(address),
            ..NewPort::default()
        });
        self.touch("routers", router);
        self.announce_interface(&request, "create", router, &port);
        Some(vec![port])
    }

    /// Makes a user's port an interface of a router: owner and device change without a word of the port.
    pub fn add_interface_port(&mut self, actor: &Actor, router: &str, port: &str) -> Option<Vec<String>> {
        let request = self.silent_call(actor, "router", "interface");
        self.get("routers", router)?;
        let found = self.get("ports", port)?;
        let is_free =
            found["device_id"] == "" && found["device_owner"] == "" && !found["fixed_ips"][0].is_null();
        if !is_free || !self.ids("floatingips", |floating_ip| floating_ip["port_id"] == port).is_empty() {
            return None;
        }
        self.change("ports", port, json!({"device_id": router, "device_owner": "network:router_interface"}));
        self.touch("routers", router);
        self.announce_interface(&request, "create", router, port);
        Some(vec![port.to_owned()])
    }

    /// Removes an interface and its port; refused while floating IPs need it.
    pub fn remove_interface(&mut self, actor: &Actor, port: &str) -> Option<Vec<String>> {
        let request = self.silent_call(actor, "router", "interface");
        let network = self.field("ports", port, "network_id");
        let router = self.field("ports", port, "device_id");
        let needs = |floating_ip: &Value| {
            let inside = floating_ip["port_id"].as_str().map(str::to_owned);
            let forwarded = floating_ip["port_forwardings"].as_array().into_iter().flatten();
            let forwarded = forwarded.filter_map(|one| one["internal_port_id"].as_str().map(str::to_owned));
            inside
                .into_iter()
                .chain(forwarded)
                .any(|port| self.field("ports", &port, "network_id") == network)
        };
        if !self.ids("floatingips", needs).is_empty() {
            return None;
        }
        self.announce_interface(&request, "delete", &router, port);
        self.remove("ports", port);
        self.touch("routers", &router);
        Some(vec![port.to_owned()])
    }

    /// The ports by which a router stands in networks.
    pub(super) fn interfaces(&self, router: &str) -> Vec<String> {
        self.ids("ports", |port| {
            port["device_id"] == router && port["device_owner"] == "network:router_interface"
        })
    }

    fn announce_interface(&mut self, request: &super::world::Request, verb: &str, router: &str, port: &str) {
        let Some(found) = self.get("ports", port) else { return };
        let subnet = found["fixed_ips"][0]["subnet_id"].clone();
        let mut interface = json!({
            "id": router, "port_id": port, "network_id": found["network_id"], "subnet_id": subnet,
            "subnet_ids": [subnet],
        });
        let owner = if self.options.release == Release::TwentyTwentySix { "project_id" } else { "tenant_id" };
        interface[owner] =
            self.get("routers", router).map_or(Value::Null, |found| found["project_id"].clone());
        self.send(request, verb, json!({"router_interface": interface}));
    }

    fn can_be_gateway(&self, network: &str) -> bool {
        let in_it = |subnet: &Value| subnet["network_id"] == network && subnet["ip_version"] == 4;
        self.get("networks", network).is_some_and(|found| found["router:external"] == true)
            && !self.ids("subnets", in_it).is_empty()
    }

    fn open_gateway(&mut self, router: &str, network: &str, snat: bool) {
        let in_it = |subnet: &Value| subnet["network_id"] == network && subnet["ip_version"] == 4;
        let Some(subnet) = self.any("subnets", in_it) else { return };
        let address = self.free_address(&subnet);
        self.insert_port(&NewPort {
            network: network.to_owned(),
            device_id: router.to_owned(),
            device_owner: "network:router_gateway".to_owned(),
            host: "ctl1".to_owned(),
            subnets: vec![subnet.clone()],
            address: Some(address.clone()),
            ..NewPort::default()
        });
        let gateway = json!({
            "network_id": network, "enable_snat": snat,
            "external_fixed_ips": [{"subnet_id": subnet, "ip_address": address}],
        });
        self.change("routers", router, json!({"external_gateway_info": gateway}));
    }

    fn close_gateway(&mut self, router: &str) {
        let gateway =
            |port: &Value| port["device_id"] == router && port["device_owner"] == "network:router_gateway";
        for port in self.ids("ports", gateway) {
            self.remove("ports", &port);
        }
        self.change("routers", router, json!({"external_gateway_info": null}));
    }
}
