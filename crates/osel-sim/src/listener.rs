//! The simplest listener there is, for the tests of what speaks: keeps what `.end` bodies say, never takes
//! back a deletion and never an older revision for a newer one.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cloud::{gets_none, own_address};

/// When what is known of an object was said.
const TOLD: &str = "told";

const COLLECTIONS: [(&str, &str); 8] = [
    ("port", "ports"),
    ("security_group", "security_groups"),
    ("security_group_rule", "security_group_rules"),
    ("floatingip", "floatingips"),
    ("network", "networks"),
    ("subnet", "subnets"),
    ("router", "routers"),
    ("address_group", "address_groups"),
];

/// What a listener knows.
pub(crate) struct Listener {
    /// The state as the APIs would show it; the rules are in their own collection only.
    pub(crate) state: Value,
    deleted: BTreeSet<String>,
}

impl Listener {
    /// Starts from an inventory.
    pub(crate) fn new(mut state: Value) -> Self {
        for group in state["security_groups"].as_array_mut().unwrap() {
            group["security_group_rules"] = json!([]);
        }
        Self { state, deleted: BTreeSet::new() }
    }

    /// Hears notifications in the order of their arrival.
    pub(crate) fn hear(&mut self, notifications: impl Iterator<Item = impl Borrow<Value>>) {
        for notification in notifications {
            let notification = notification.borrow();
            let event_type = notification["event_type"].as_str().unwrap();
            let payload = &notification["payload"];
            let told = seconds(notification["timestamp"].as_str().unwrap());
            if event_type == "router.interface.create" {
                let interface = &payload["router_interface"];
                self.put(
                    "ports",
                    &json!({"id": interface["port_id"], "device_owner": "network:router_interface"}),
                );
            }
            let Some((resource, verb)) = event_type.split_once('.') else { continue };
            let Some((_, collection)) = COLLECTIONS.iter().find(|(name, _)| *name == resource) else {
                continue;
            };
            match verb {
                "delete.end" => self.delete(collection, payload[format!("{resource}_id")].as_str().unwrap()),
                "create.end" | "update.end" => {
                    let many = payload[*collection].as_array().into_iter().flatten();
                    for object in payload.get(resource).into_iter().chain(many) {
                        let mut object = object.clone();
                        object[TOLD] = told.clone().into();
                        self.put(collection, &object);
                    }
                }
                _ => {}
            }
        }
        self.settle();
    }

    /// What Neutron does to addresses without a word, since each port was told of.
    fn settle(&mut self) {
        let subnets = self.state["subnets"].as_array().cloned().unwrap_or_default();
        let mut held: BTreeMap<String, (String, Vec<Value>)> = BTreeMap::new();
        for port in self.state["ports"].as_array_mut().into_iter().flatten() {
            // What the inventory shows is older than all that is heard.
            let told = port[TOLD].as_str().unwrap_or_default().to_owned();
            let mut fixed_ips = port["fixed_ips"].as_array().cloned().unwrap_or_default();
            fixed_ips.retain(|fixed| fixed["subnet_id"].as_str().is_none_or(|id| !self.deleted.contains(id)));
            let given = subnets.iter().filter(|subnet| {
                subnet["ipv6_address_mode"] == "slaac"
                    && subnet["network_id"] == port["network_id"]
                    && told <= seconds(subnet["created_at"].as_str().unwrap_or_default())
                    && !gets_none(port["device_owner"].as_str().unwrap_or_default())
            });
            for subnet in given {
                if fixed_ips.iter().all(|fixed| fixed["subnet_id"] != subnet["id"]) {
                    let address = own_address(
                        subnet["cidr"].as_str().unwrap(),
                        port["mac_address"].as_str().unwrap_or_default(),
                    );
                    fixed_ips.push(json!({"subnet_id": subnet["id"], "ip_address": address}));
                }
            }
            let addresses = fixed_ips.iter().map(|fixed| fixed["ip_address"].clone()).collect();
            held.insert(port["id"].as_str().unwrap().to_owned(), (told, addresses));
            port["fixed_ips"] = fixed_ips.into();
        }
        for floating_ip in self.state["floatingips"].as_array_mut().into_iter().flatten() {
            let told = floating_ip[TOLD].as_str().unwrap_or_default().to_owned();
            let Some(forwardings) = floating_ip["port_forwardings"].as_array_mut() else { continue };
            forwardings.retain(|one| {
                let port = one["internal_port_id"].as_str().and_then(|port| held.get(port));
                port.is_none_or(|(since, has)| *since <= told || has.contains(&one["internal_ip_address"]))
            });
        }
    }

    fn delete(&mut self, collection: &str, id: &str) {
        self.deleted.insert(id.to_owned());
        let is_kept = |known: &Value| known["id"] != id && known["security_group_id"] != id;
        for collection in [collection, "security_group_rules"] {
            self.state[collection].as_array_mut().unwrap().retain(is_kept);
        }
    }

    fn put(&mut self, collection: &str, object: &Value) {
        for rule in object["security_group_rules"].as_array().into_iter().flatten() {
            self.put("security_group_rules", rule);
        }
        let is_deleted = |key: &str| object[key].as_str().is_some_and(|id| self.deleted.contains(id));
        if is_deleted("id") || is_deleted("security_group_id") {
            return;
        }
        let mut fields = object.as_object().unwrap().clone();
        fields.remove("security_group_rules");
        if !self.state[collection].is_array() {
            self.state[collection] = json!([]);
        }
        let all = self.state[collection].as_array_mut().unwrap();
        match all.iter_mut().find(|known| known["id"] == object["id"]) {
            Some(known) => {
                let is_older = known["revision_number"].as_u64() > object["revision_number"].as_u64();
                if !is_older || object.get("revision_number").is_none() {
                    known.as_object_mut().unwrap().extend(fields);
                }
            }
            None => all.push(Value::Object(fields)),
        }
    }
}

/// A time to the second, in one form of the two that there are.
fn seconds(time: &str) -> String {
    time.chars().take(19).collect::<String>().replace(' ', "T")
}
