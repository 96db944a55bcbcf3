//! Ports: creating, changing, deleting.

use serde_json::{Value, json};

use super::addresses::{NewPort, dns};
use super::groups::one_or_many;
use super::shape::View;
use super::wire::{Actor, object};
use super::world::Cloud;

impl Cloud {
    /// Creates that many ports with those groups on a network, in one call.
    pub fn create_ports(
        &mut self,
        actor: &Actor,
        network: &str,
        groups: &[String],
        count: usize,
    ) -> Option<Vec<String>> {
        let first = self.made;
        let names: Vec<String> = (0..count).map(|at| format!("port-{first}-{at}")).collect();
        let asked =
            names.iter().map(|name| json!({"network_id": network, "name": name, "security_groups": groups}));
        let bulk = count > 1;
        let payload = one_or_many("port", "ports", asked.collect(), bulk);
        let request = self.call(actor, "port", "create", payload);
        let network_secured = self.get("networks", network)?["port_security_enabled"] != false;
        if !network_secured && !groups.is_empty() {
            return None;
        }
        let ids: Vec<_> =
            names.into_iter().map(|name| self.insert_user_port(actor, name, network, groups)).collect();
        self.done(request, "ports", &ids, bulk)
    }

    /// Boots an instance: Nova, as administrator, makes a port for it and binds it.
    pub fn boot(&mut self, actor: &Actor, network: &str, groups: &[String]) -> Option<Vec<String>> {
        let nova = self.actors.first()?.clone();
        let device = self.random.uuid();
        let asked = json!({
            "network_id": network, "project_id": actor.project_id, "security_groups": groups,
            "device_id": device,
            "device_owner": "compute:nova", "binding:host_id": "cmp1",
        });
        let request = self.call(&nova, "port", "create", json!({"port": asked}));
        if self.get("networks", network)?["port_security_enabled"] == false && !groups.is_empty() {
            return None;
        }
        let id = self.insert_port(&NewPort {
            network: network.to_owned(),
            project: actor.project_id.clone(),
            groups: groups.to_vec(),
            device_id: device,
            device_owner: "compute:nova".to_owned(),
            host: "cmp1".to_owned(),
            ..NewPort::default()
        });
        self.done(request, "ports", &[id], false)
    }

    /// Changes fields of a port; refused where Neutron refuses: an unfiltered port can have no groups and no
    /// pairs.
    pub fn update_port(&mut self, actor: &Actor, port: &str, mut changes: Value) -> Option<Vec<String>> {
        let request = self.call(actor, "port", "update", json!({"port": changes, "id": port}));
        let mut after = object(self.get("ports", port)?.clone());
        after.append(&mut object(changes.clone()));
        let is_empty = |key: &str| after.get(key).and_then(Value::as_array).is_none_or(Vec::is_empty);
        let is_unfiltered = after.get("port_security_enabled") == Some(&json!(false));
        if is_unfiltered && !(is_empty("security_groups") && is_empty("allowed_address_pairs")) {
            return None;
        }
        let groups = changes["security_groups"].as_array();
        let unknown =
            |group: &Value| group.as_str().is_none_or(|group| self.get("security_groups", group).is_none());
        if groups.is_some_and(|groups| groups.iter().any(unknown)) {
            return None;
        }
        if let Some(fixed_ips) = changes["fixed_ips"].as_array() {
            changes["dns_assignment"] = json!(dns(fixed_ips));
        }
        self.change("ports", port, changes);
        self.done(request, "ports", &[port.to_owned()], false)
    }

    /// Gives a port another address of its network; its floating IPs keep it where it is. Addresses that it has by itself stay, and
    /// forwardings to the old one end without a word.
    pub fn readdress_port(&mut self, actor: &Actor, port: &str) -> Option<Vec<String>> {
        if !self.ids("floatingips", |floating_ip| floating_ip["port_id"] == port).is_empty() {
            return None;
        }
        let mut fixed_ips = self.fixed_ips(port);
        let chosen = |fixed: &Value| {
            let subnet = fixed["subnet_id"].as_str().unwrap_or_default();
            self.field("subnets", subnet, "ipv6_address_mode") != "slaac"
        };
        let place = fixed_ips.iter().position(chosen)?;
        let subnet = fixed_ips[place]["subnet_id"].as_str()?.to_owned();
        let before = fixed_ips[place]["ip_address"].clone();
        fixed_ips[place]["ip_address"] = self.free_address(&subnet).into();
        let done = self.update_port(actor, port, json!({"fixed_ips": fixed_ips}));
        if done.is_some() {
            self.end_forwardings(port, &before);
        }
        done
    }

    /// Deletes a port, which frees its floating IPs and ends its forwardings without a word; refused for what
    /// services own.
    pub fn delete_port(&mut self, actor: &Actor, port: &str) -> Option<Vec<String>> {
        let request = self.call(actor, "port", "delete", json!({"port_id": port}));
        if self.field("ports", port, "device_owner").starts_with("network:") {
            return None;
        }
        let body = self.shown("ports", port, View::Deleted)?;
        self.remove("ports", port);
        self.free_floating_ips(port);
        self.deleted(&request, port, body)
    }

    fn insert_user_port(&mut self, actor: &Actor, name: String, network: &str, groups: &[String]) -> String {
        self.insert_port(&NewPort {
            name,
            network: network.to_owned(),
            project: actor.project_id.clone(),
            groups: groups.to_vec(),
            ..NewPort::default()
        })
    }
}
