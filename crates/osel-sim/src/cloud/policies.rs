//! Address groups and RBAC policies.

use serde_json::{Value, json};

use super::shape::View;
use super::wire::Actor;
use super::world::Cloud;

impl Cloud {
    /// Creates an address group.
    pub fn create_address_group(
        &mut self,
        actor: &Actor,
        name: &str,
        addresses: &[&str],
    ) -> Option<Vec<String>> {
        let asked = json!({"name": name, "addresses": addresses});
        let request = self.call(actor, "address_group", "create", json!({"address_group": asked}));
        let group = json!({"name": name, "project_id": actor.project_id, "addresses": addresses});
        let id = self.insert("address_groups", group);
        self.done(request, "address_groups", &[id], false)
    }

    /// Renames an address group.
    pub fn update_address_group(&mut self, actor: &Actor, group: &str, name: &str) -> Option<Vec<String>> {
        let changes = json!({"name": name});
        let request =
            self.call(actor, "address_group", "update", json!({"address_group": changes, "id": group}));
        self.get("address_groups", group)?;
        self.change("address_groups", group, changes);
        self.done(request, "address_groups", &[group.to_owned()], false)
    }

    /// Deletes an address group; refused while a rule names it.
    pub fn delete_address_group(&mut self, actor: &Actor, group: &str) -> Option<Vec<String>> {
        let request = self.call(actor, "address_group", "delete", json!({"address_group_id": group}));
        let body = self.shown("address_groups", group, View::Deleted)?;
        if !self.ids("security_group_rules", |rule| rule["remote_address_group_id"] == group).is_empty() {
            return None;
        }
        self.remove("address_groups", group);
        self.deleted(&request, group, body)
    }

    /// Adds or removes an address: nothing is sent, though it changes what rules mean.
    pub fn change_addresses_silently(&mut self, group: &str, address: &str) {
        let Some(found) = self.get("address_groups", group) else { return };
        let mut addresses: Vec<Value> = found["addresses"].as_array().cloned().unwrap_or_default();
        match addresses.iter().position(|known| known == address) {
            Some(at) => drop(addresses.remove(at)),
            None => addresses.push(address.into()),
        }
        self.change("address_groups", group, json!({"addresses": addresses}));
    }

    /// Shares a network with a project.
    pub fn create_policy(&mut self, actor: &Actor, network: &str, target: &str) -> Option<Vec<String>> {
        let asked = json!({
            "object_type": "network", "object_id": network, "action": "access_as_shared",
            "target_tenant": target,
        });
        let request = self.call(actor, "rbac_policy", "create", json!({"rbac_policy": asked}));
        self.get("networks", network)?;
        let id = self.insert("rbac_policies", policy(&actor.project_id, network, "access_as_shared", target));
        self.done(request, "rbac_policies", &[id], false)
    }

    /// Changes whom a policy is for.
    pub fn update_policy(&mut self, actor: &Actor, policy: &str, target: &str) -> Option<Vec<String>> {
        let changes = json!({"target_tenant": target});
        let request =
            self.call(actor, "rbac_policy", "update", json!({"rbac_policy": changes, "id": policy}));
        self.get("rbac_policies", policy)?;
        self.change("rbac_policies", policy, changes);
        self.done(request, "rbac_policies", &[policy.to_owned()], false)
    }

    /// Deletes a policy; refused for those that make a network external.
    pub fn delete_policy(&mut self, actor: &Actor, policy: &str) -> Option<Vec<String>> {
        let request = self.call(actor, "rbac_policy", "delete", json!({"rbac_policy_id": policy}));
        let body = self.shown("rbac_policies", policy, View::Deleted)?;
        if body["action"] == "access_as_external" {
            return None;
        }
        self.remove("rbac_policies", policy);
        self.deleted(&request, policy, body)
    }
}

/// The fields of a policy for a network.
pub(super) fn policy(project: &str, network: &str, action: &str, target: &str) -> Value {
    json!({
        "project_id": project, "action": action, "object_id": network, "target_tenant": target,
        "object_type": "network",
    })
}
