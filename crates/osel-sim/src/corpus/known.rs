//! Which ports of a snapshot can be compared with a model that was fed with an inventory and the messages up
//! to it.
//!
//! Neutron is silent about much (`neutron-events.md`, section 3): a project's default group, ports that
//! services make for themselves, the floating IP of a port forwarding. A port is comparable when it and every
//! group it has at the mark were described by the first inventory or on the bus; a row of it when its
//! forwarding was.

use std::collections::BTreeSet;

use serde_json::Value;

use super::load::{Message, notification};

/// The ids of the snapshot's ports that are described in full by the inventory (where there is one) and the
/// messages.
pub fn comparable_ports(inventory: Option<&Value>, messages: &[Message], state: &Value) -> BTreeSet<String> {
    let known = Known::new(inventory, messages);
    let mut found = BTreeSet::new();
    for port in objects(state, "ports") {
        let Some(id) = port["id"].as_str() else { continue };
        let groups = port["security_groups"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if known.ports.contains(id) && groups.into_iter().all(|group| known.groups.contains(group)) {
            found.insert(id.to_owned());
        }
    }
    found
}

/// The rows of those ports, without rows of forwardings that the inventory did not have: on the bus a
/// forwarding does not name its floating IP.
pub fn comparable_rows(rows: &[Value], ports: &BTreeSet<String>, inventory: Option<&Value>) -> Vec<Value> {
    let mut told = BTreeSet::new();
    for floating_ip in inventory.map(|inventory| objects(inventory, "floatingips")).unwrap_or_default() {
        if floating_ip["port_forwardings"].as_array().is_some_and(|forwardings| !forwardings.is_empty()) {
            told.extend(floating_ip["floating_ip_address"].as_str().map(str::to_owned));
        }
    }
    let is_ours = |row: &&Value| row["port_id"].as_str().is_some_and(|id| ports.contains(id));
    let is_told = |row: &&Value| {
        row["via"] != "forwarding" || row["address"].as_str().is_some_and(|address| told.contains(address))
    };
    rows.iter().filter(is_ours).filter(is_told).cloned().collect()
}

/// What has been described.
#[derive(Default)]
struct Known {
    ports: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl Known {
    fn new(inventory: Option<&Value>, messages: &[Message]) -> Self {
        let mut known = Self::default();
        if let Some(inventory) = inventory {
            known.ports.extend(ids(&objects(inventory, "ports")));
            known.groups.extend(ids(&objects(inventory, "security_groups")));
        }
        for message in messages {
            if let Some(notification) = notification(&message.body) {
                known.hear(&notification);
            }
        }
        known
    }

    fn hear(&mut self, notification: &Value) {
        let payload = &notification["payload"];
        match notification["event_type"].as_str().unwrap_or("") {
            "port.create.end" | "port.update.end" => {
                self.ports.extend(ids(&described(payload, "port", "ports")));
            }
            "security_group.create.end" | "security_group.update.end" => {
                // Without its rules a group is named, not described.
                let groups = described(payload, "security_group", "security_groups");
                let whole: Vec<_> =
                    groups.into_iter().filter(|group| group["security_group_rules"].is_array()).collect();
                self.groups.extend(ids(&whole));
            }
            _ => {}
        }
    }
}

/// The one object of a payload, or the many of a bulk call.
fn described<'a>(payload: &'a Value, one: &str, many: &str) -> Vec<&'a Value> {
    payload.get(one).into_iter().chain(objects(payload, many)).filter(|object| object.is_object()).collect()
}

fn objects<'a>(holder: &'a Value, key: &str) -> Vec<&'a Value> {
    holder.get(key).and_then(Value::as_array).map(|all| all.iter().collect()).unwrap_or_default()
}

fn ids(objects: &[&Value]) -> Vec<String> {
    objects.iter().filter_map(|object| object["id"].as_str()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::corpus::{Corpus, directory};
    use crate::judge;
    use crate::listener::Listener;

    fn heard(event_type: &str, payload: &Value) -> Message {
        let body = json!({"event_type": event_type, "payload": payload}).to_string();
        Message { line: json!({}), body }
    }

    #[test]
    fn a_port_in_an_undescribed_group_is_not_comparable() {
        let state = json!({"ports": [
            {"id": "p1", "security_groups": ["g1"]},
            {"id": "p2", "security_groups": ["g1", "default"]},
            {"id": "p3", "security_groups": []},
            {"id": "silent", "security_groups": []},
        ]});
        let messages = [
            heard("port.create.end", &json!({"ports": [{"id": "p1"}, {"id": "p2"}]})),
            heard("port.update.end", &json!({"port": {"id": "p3"}})),
            heard(
                "security_group.create.end",
                &json!({"security_group": {"id": "g1", "security_group_rules": []}}),
            ),
            heard(
                "security_group_rule.create.end",
                &json!({"security_group_rule": {"security_group_id": "default"}}),
            ),
        ];
        let found = comparable_ports(None, &messages, &state);
        assert_eq!(found, BTreeSet::from(["p1".to_owned(), "p3".to_owned()]));
    }

    #[test]
    fn what_the_inventory_says_counts_as_described() {
        let inventory = json!({"ports": [{"id": "p"}], "security_groups": [{"id": "g"}]});
        let state = json!({"ports": [{"id": "p", "security_groups": ["g"]}]});
        assert_eq!(comparable_ports(Some(&inventory), &[], &state).len(), 1);
        assert_eq!(comparable_ports(None, &[], &state).len(), 0);
    }

    #[test]
    fn a_forwarding_counts_only_where_the_inventory_had_it() {
        let rows = [json!({"port_id": "p", "via": "forwarding", "address": "203.0.113.9"})];
        let ports = BTreeSet::from(["p".to_owned()]);
        let inventory =
            json!({"floatingips": [{"floating_ip_address": "203.0.113.9", "port_forwardings": [{}]}]});
        assert_eq!(comparable_rows(&rows, &ports, Some(&inventory)).len(), 1);
        assert_eq!(comparable_rows(&rows, &ports, None).len(), 0);
    }

    #[test]
    fn most_of_what_a_recording_exposes_can_be_compared() {
        for name in ["dev-2026", "dev-zed", "dev-race"] {
            let corpus = Corpus::load(&directory(), name).unwrap();
            let first = corpus.snapshots[0].inventory();
            let last = corpus.snapshots.last().unwrap();
            let rows = judge::rows(&last.state, None);
            let ports = comparable_ports(Some(&first), corpus.messages_until(last), &last.state);
            let compared = comparable_rows(&rows, &ports, Some(&first));
            assert!(compared.len() * 10 > rows.len() * 8, "{name}: {} of {}", compared.len(), rows.len());
        }
    }

    #[test]
    fn a_listener_knows_the_rows_of_all_comparable_ports_at_every_mark() {
        for name in Corpus::names() {
            let corpus = Corpus::load(&directory(), name).unwrap();
            let first = corpus.snapshots[0].inventory();
            for snapshot in &corpus.snapshots {
                let messages = corpus.messages_until(snapshot);
                let after = &messages[corpus.snapshots[0].messages_so_far.min(messages.len())..];
                let mut listener = Listener::new(first.clone());
                listener.hear(after.iter().filter_map(|message| notification(&message.body)));
                let ports = comparable_ports(Some(&first), messages, &snapshot.state);
                let rows = |state: &Value| comparable_rows(&judge::rows(state, None), &ports, Some(&first));
                assert_eq!(rows(&listener.state), rows(&snapshot.state), "{name} {}", snapshot.mark);
            }
        }
    }
}
