//! Floating IPs and port forwardings.

use serde_json::{Value, json};

use super::addresses::NewPort;
use super::shape::View;
use super::wire::Actor;
use super::world::Cloud;

impl Cloud {
    /// Takes a floating IP from an external network.
    pub fn create_floating_ip(&mut self, actor: &Actor, network: &str) -> Option<Vec<String>> {
        let asked = json!({"floating_network_id": network});
        let request = self.call(actor, "floatingip", "create", json!({"floatingip": asked}));
        let subnet =
            self.any("subnets", |subnet| subnet["network_id"] == network && subnet["ip_version"] == 4)?;
        if self.get("networks", network)?["router:external"] != true {
            return None;
        }
        let address = self.free_address(&subnet);
        let id = self.random.uuid();
        self.insert_port(&NewPort {
            network: network.to_owned(),
            device_id: id.clone(),
            device_owner: "network:floatingip".to_owned(),
            subnets: vec![subnet],
            address: Some(address.clone()),
            ..NewPort::default()
        });
        let floating_ip = json!({
            "id": id, "project_id": actor.project_id, "floating_ip_address": address,
            "floating_network_id": network,
            "router_id": null, "port_id": null, "fixed_ip_address": null, "status": "DOWN",
            "qos_policy_id": null,
            "port_details": null, "dns_domain": "", "dns_name": "", "port_forwardings": [],
        });
        self.insert("floatingips", floating_ip);
        self.done(request, "floatingips", &[id], false)
    }

    /// Gives a floating IP to a port, or takes it away; refused where no router joins them or another has the
    /// address.
    pub fn associate(&mut self, actor: &Actor, floating_ip: &str, port: Option<&str>) -> Option<Vec<String>> {
        let payload = json!({"floatingip": {"port_id": port}, "id": floating_ip});
        let request = self.call(actor, "floatingip", "update", payload);
        let found = self.get("floatingips", floating_ip)?;
        let has_forwardings = found["port_forwardings"].as_array().is_some_and(|all| !all.is_empty());
        let changes = match port {
            None => json!({"port_id": null, "router_id": null, "fixed_ip_address": null, "status": "DOWN"}),
            Some(port) => {
                let router = self.router_between(floating_ip, port)?;
                let fixed = self.first_v4(port)?;
                let taken = self.ids("floatingips", |other| {
                    other["port_id"] == port
                        && other["fixed_ip_address"] == fixed.as_str()
                        && other["id"] != floating_ip
                });
                if has_forwardings || !taken.is_empty() {
                    return None;
                }
                json!({"port_id": port, "router_id": router, "fixed_ip_address": fixed, "status": "ACTIVE"})
            }
        };
        self.change("floatingips", floating_ip, changes);
        self.done(request, "floatingips", &[floating_ip.to_owned()], false)
    }

    /// Gives a floating IP back.
    pub fn delete_floating_ip(&mut self, actor: &Actor, floating_ip: &str) -> Option<Vec<String>> {
        let request = self.call(actor, "floatingip", "delete", json!({"floatingip_id": floating_ip}));
        let body = self.shown("floatingips", floating_ip, View::Deleted)?;
        for port in self.ids("ports", |port| port["device_id"] == floating_ip) {
            self.remove("ports", &port);
        }
        self.remove("floatingips", floating_ip);
        self.deleted(&request, floating_ip, body)
    }

    /// Forwards external ports of a floating IP to a port. The notification does not say which floating IP it
    /// is.
    pub fn create_forwarding(&mut self, actor: &Actor, floating_ip: &str, port: &str) -> Option<Vec<String>> {
        let internal = self.random.between(20, 9000);
        let length = if self.random.percent(40) { self.random.between(1, 20) } else { 0 };
        let external_start = self.random.between(10_000, 60_000);
        let inner_length = if self.random.percent(80) { length } else { 0 };
        let asked = json!({
            "internal_port_id": port, "internal_ip_address": self.first_v4(port)?, "protocol": "tcp",
            "internal_port_range": format!("{internal}:{}", internal + inner_length),
            "external_port_range": format!("{external_start}:{}", external_start + length),
        });
        let request = self.call(actor, "port_forwarding", "create", json!({"port_forwarding": asked}));
        let router = self.router_between(floating_ip, port)?;
        let found = self.get("floatingips", floating_ip)?;
        if !found["port_id"].is_null() || found["router_id"].as_str().is_some_and(|known| known != router) {
            return None;
        }
        let mut all = found["port_forwardings"].as_array().cloned().unwrap_or_default();
        let mut forwarding = asked;
        let id = self.random.uuid();
        forwarding["id"] = id.as_str().into();
        forwarding["description"] = "".into();
        forwarding["internal_port"] = if inner_length == 0 { json!(internal) } else { Value::Null };
        forwarding["external_port"] = if length == 0 { json!(external_start) } else { Value::Null };
        all.push(forwarding.clone());
        let changes = json!({"port_forwardings": all, "router_id": router, "status": "ACTIVE"});
        self.change("floatingips", floating_ip, changes);
        self.send(&request, "end", json!({"port_forwarding": forwarding}));
        Some(vec![id])
    }

    /// Ends a forwarding.
    pub fn delete_forwarding(
        &mut self,
        actor: &Actor,
        floating_ip: &str,
        forwarding: &str,
    ) -> Option<Vec<String>> {
        let request =
            self.call(actor, "port_forwarding", "delete", json!({"port_forwarding_id": forwarding}));
        let all = self.get("floatingips", floating_ip)?["port_forwardings"].as_array().cloned()?;
        let body = all.iter().find(|one| one["id"] == forwarding)?.clone();
        self.keep_forwardings(floating_ip, |one| one["id"] != forwarding);
        self.deleted(&request, forwarding, body)
    }

    /// What becomes of floating IPs when their port goes: they are free, and nothing is sent.
    pub(super) fn free_floating_ips(&mut self, port: &str) {
        for floating_ip in self.ids("floatingips", |found| found["port_id"] == port) {
            let changes =
                json!({"port_id": null, "router_id": null, "fixed_ip_address": null, "status": "DOWN"});
            self.change("floatingips", &floating_ip, changes);
        }
        let forwards = |found: &Value| {
            found["port_forwardings"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["internal_port_id"] == port))
        };
        for floating_ip in self.ids("floatingips", forwards) {
            self.keep_forwardings(&floating_ip, |one| one["internal_port_id"] != port);
        }
    }

    /// Ends the forwardings to an address that a port has lost; nothing is sent.
    pub(super) fn end_forwardings(&mut self, port: &str, address: &Value) {
        let leads_there =
            |one: &Value| one["internal_port_id"] == port && one["internal_ip_address"] == *address;
        let forwards = |found: &Value| {
            found["port_forwardings"].as_array().is_some_and(|all| all.iter().any(leads_there))
        };
        for floating_ip in self.ids("floatingips", forwards) {
            self.keep_forwardings(&floating_ip, |one| !leads_there(one));
        }
    }

    fn keep_forwardings(&mut self, floating_ip: &str, wanted: impl Fn(&Value) -> bool) {
        let Some(found) = self.get("floatingips", floating_ip) else { return };
        let all = found["port_forwardings"].as_array().cloned().unwrap_or_default();
        let kept: Vec<Value> = all.into_iter().filter(wanted).collect();
        let mut changes = json!({"port_forwardings": kept});
        if changes["port_forwardings"].as_array().is_some_and(Vec::is_empty) {
            changes["router_id"] = Value::Null;
            changes["status"] = "DOWN".into();
        }
        self.change("floatingips", floating_ip, changes);
    }

    /// The router with a gateway to the floating IP's network and an interface on the port's.
    fn router_between(&self, floating_ip: &str, port: &str) -> Option<String> {
        let outside = self.field("floatingips", floating_ip, "floating_network_id");
        let inside = self.field("ports", port, "network_id");
        let routers =
            self.ids("routers", |router| router["external_gateway_info"]["network_id"] == outside.as_str());
        routers.into_iter().find(|router| {
            self.interfaces(router)
                .iter()
                .any(|interface| self.field("ports", interface, "network_id") == inside)
        })
    }
}
