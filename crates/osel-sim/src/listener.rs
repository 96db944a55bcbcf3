//! The simplest listener there is: keeps what `.end` bodies say, one after another. For the tests of what
//! speaks.

use serde_json::{Value, json};

/// Brings a state up to date with notifications in their order.
///
/// Groups' own lists of rules are emptied: the collection of rules is the truth.
pub(crate) fn listen<'a>(state: &mut Value, notifications: impl Iterator<Item = &'a Value>) {
    let collections = [
        ("port", "ports"),
        ("security_group", "security_groups"),
        ("security_group_rule", "security_group_rules"),
        ("floatingip", "floatingips"),
        ("network", "networks"),
        ("subnet", "subnets"),
        ("router", "routers"),
        ("address_group", "address_groups"),
    ];
    for notification in notifications {
        let event_type = notification["event_type"].as_str().unwrap();
        let payload = &notification["payload"];
        if event_type == "router.interface.create" {
            let interface = &payload["router_interface"];
            let port = json!({"id": interface["port_id"], "device_owner": "network:router_interface"});
            put(&mut state["ports"], &port);
        }
        let (Some((resource, verb)), true) = (event_type.split_once('.'), event_type.ends_with(".end"))
        else {
            continue;
        };
        let Some((_, collection)) = collections.iter().find(|(name, _)| *name == resource) else { continue };
        if verb == "delete.end" {
            let id = &payload[format!("{resource}_id")];
            let all = state[*collection].as_array_mut().unwrap();
            all.retain(|known| known["id"] != *id);
            if resource == "security_group" {
                state["security_group_rules"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|rule| rule["security_group_id"] != *id);
            }
            continue;
        }
        let one = payload.get(resource).into_iter();
        for object in one.chain(payload[*collection].as_array().into_iter().flatten()) {
            put(&mut state[*collection], object);
            for rule in object["security_group_rules"].as_array().into_iter().flatten() {
                put(&mut state["security_group_rules"], rule);
            }
        }
    }
    for group in state["security_groups"].as_array_mut().unwrap() {
        group["security_group_rules"] = json!([]);
    }
}

fn put(collection: &mut Value, object: &Value) {
    if !collection.is_array() {
        *collection = json!([]);
    }
    let all = collection.as_array_mut().unwrap();
    match all.iter_mut().find(|known| known["id"] == object["id"]) {
        Some(known) => known.as_object_mut().unwrap().extend(object.as_object().unwrap().clone()),
        None => all.push(object.clone()),
    }
}
