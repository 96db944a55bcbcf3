//! Projects, users, roles, and what Keystone says of them.

use serde_json::{Value, json};

use super::release::Release;
use super::wire::{Actor, cadf_time};
use super::world::Cloud;

/// The id of Keystone's own domain.
const DEFAULT_DOMAIN: &str = "default";

impl Cloud {
    /// Somebody makes a project with a user in it; the user can call from then on.
    pub fn create_project(&mut self, name: &str) -> Actor {
        let project_id = self.random.hex32();
        let project = json!({
            "id": project_id, "name": name, "domain_id": DEFAULT_DOMAIN, "parent_id": DEFAULT_DOMAIN,
            "enabled": true,
            "is_domain": false, "options": {},
        });
        self.insert("projects", project);
        self.announce("project", "created", "data/security/project", &project_id);
        let actor = Actor {
            user_id: self.random.hex32(),
            user_name: format!("{name}-user"),
            project_id,
            project_name: name.to_owned(),
            domain_id: DEFAULT_DOMAIN.to_owned(),
            is_admin: false,
        };
        let user = json!({
            "id": actor.user_id, "name": actor.user_name, "domain_id": DEFAULT_DOMAIN, "enabled": true,
            "options": {},
        });
        self.insert("users", user);
        self.announce("user", "created", "data/security/account/user", &actor.user_id);
        let role = self.any("roles", |role| role["name"] == "member").unwrap_or_default();
        self.grant(&actor.user_id, &actor.project_id, &role, "created");
        // Before anybody looks: Neutron makes the group when the project first comes to it, without a word.
        self.insert_default_group(&actor.project_id);
        self.actors.push(actor.clone());
        actor
    }

    /// A user is changed; the notification does not say how.
    pub fn update_user(&mut self, user: &str) {
        let name = format!("{}-renamed", self.field("users", user, "name"));
        self.change("users", user, json!({"name": name}));
        for actor in &mut self.actors {
            if actor.user_id == user {
                actor.user_name.clone_from(&name);
            }
        }
        self.announce("user", "updated", "data/security/account/user", user);
    }

    /// Gives a user a role on a project, or takes it.
    pub fn grant(&mut self, user: &str, project: &str, role: &str, verb: &'static str) {
        let key = format!("{user} {project} {role}");
        if verb == "created" {
            let assignment = json!({
                "id": key, "user": {"id": user}, "role": {"id": role}, "scope": {"project": {"id": project}},
                "links": {},
            });
            self.insert("role_assignments", assignment);
        } else {
            self.remove("role_assignments", &key);
        }
        let id = self.random.hex32();
        let mut payload =
            self.activity(&format!("{verb}.role_assignment"), "service/security/account/user", &id);
        for (name, value) in [("project", project), ("user", user), ("role", role)] {
            payload[name] = value.into();
        }
        payload["inherited_to_projects"] = false.into();
        self.send_identity(&format!("identity.role_assignment.{verb}"), payload);
    }

    /// A user asks for a token.
    pub fn authenticate(&mut self, actor: &Actor, succeeds: bool) {
        let id = self.random.uuid();
        let mut payload = self.activity("authenticate", "service/security/account/user", &id);
        if let Some(initiator) = payload["initiator"].as_object_mut() {
            initiator.remove("project_id");
        }
        payload["initiator"]["id"] = actor.user_id.as_str().into();
        payload["initiator"]["user_id"] = actor.user_id.as_str().into();
        payload["initiator"]["username"] = actor.user_name.as_str().into();
        if self.options.release == Release::TwentyTwentySix {
            payload["initiator"]["name"] = actor.user_name.as_str().into();
        }
        payload["outcome"] = if succeeds { "success" } else { "failure" }.into();
        self.send_identity("identity.authenticate", payload);
    }

    /// What is there before anybody comes: roles, the administrator, an external network, the projects.
    pub(super) fn set_up(&mut self) {
        self.insert(
            "domains",
            json!({"id": DEFAULT_DOMAIN, "name": "Default", "enabled": true, "options": {}}),
        );
        for name in ["admin", "member", "reader"] {
            let id = self.random.hex32();
            self.insert("roles", json!({"id": id, "name": name, "domain_id": null, "options": {}}));
        }
        let admin = Actor {
            user_id: self.random.hex32(),
            user_name: "admin".to_owned(),
            project_id: self.random.hex32(),
            project_name: "admin".to_owned(),
            domain_id: DEFAULT_DOMAIN.to_owned(),
            is_admin: true,
        };
        let user = json!({
            "id": admin.user_id, "name": "admin", "domain_id": DEFAULT_DOMAIN, "enabled": true, "options": {},
        });
        self.insert("users", user);
        let project = json!({
            "id": admin.project_id, "name": "admin", "domain_id": DEFAULT_DOMAIN, "parent_id": DEFAULT_DOMAIN,
            "enabled": true, "is_domain": false, "options": {},
        });
        self.insert("projects", project);
        self.insert_default_group(&admin.project_id);
        self.actors.push(admin.clone());
        let external = self.create_networks(&admin, &["public"], true).and_then(|ids| ids.into_iter().next());
        if let Some(external) = external {
            self.create_subnet(&admin, &external, "203.0.113.0/24");
        }
        for number in 0..self.options.projects {
            self.create_project(&format!("project-{number}"));
        }
    }

    fn announce(&mut self, kind: &str, verb: &str, type_uri: &str, id: &str) {
        let mut payload = self.activity(&format!("{verb}.{kind}"), type_uri, id);
        payload["resource_info"] = id.into();
        if self.options.release == Release::Icehouse {
            // Keystone's `basic` format.
            payload = json!({"resource_info": id});
        }
        self.send_identity(&format!("identity.{kind}.{verb}"), payload);
    }

    /// A CADF activity of the administrator.
    fn activity(&mut self, action: &str, type_uri: &str, target: &str) -> Value {
        let Some(admin) = self.actors.first().cloned() else { return Value::Null };
        let mut initiator = json!({
            "id": admin.user_id, "typeURI": "service/security/account/user", "user_id": admin.user_id,
            "project_id": admin.project_id, "request_id": format!("req-{}", self.random.uuid()),
            "host": {"address": "192.0.2.10", "agent": "python-keystoneclient"}, "username": admin.user_name,
        });
        if self.options.release == Release::TwentyTwentySix {
            initiator["name"] = admin.user_name.into();
        }
        json!({
            "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "eventType": "activity",
            "id": self.random.uuid(), "eventTime": cadf_time(self.now()), "action": action,
            "outcome": "success",
            "observer": {"id": "11f28f387f8046a6af66fc2f07c82d1a", "typeURI": "service/security"},
            "initiator": initiator, "target": {"id": target, "typeURI": type_uri},
        })
    }
}
