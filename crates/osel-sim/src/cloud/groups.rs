//! Security groups and their rules.

use serde_json::{Value, json};

use super::shape::View;
use super::wire::{Actor, object};
use super::world::Cloud;

impl Cloud {
    /// Creates security groups with Neutron's default egress rules, in one call; more than one is a bulk
    /// call.
    pub fn create_groups(&mut self, actor: &Actor, names: &[&str]) -> Option<Vec<String>> {
        let asked: Vec<_> =
            names.iter().map(|name| json!({"name": name, "description": "made by the simulation"})).collect();
        let bulk = asked.len() > 1;
        let payload = one_or_many("security_group", "security_groups", asked, bulk);
        let request = self.call(actor, "security_group", "create", payload);
        let ids: Vec<_> = names.iter().map(|name| self.insert_group(&actor.project_id, name)).collect();
        self.done(request, "security_groups", &ids, bulk)
    }

    /// Changes a group's description.
    pub fn update_group(&mut self, actor: &Actor, group: &str, description: &str) -> Option<Vec<String>> {
        let changes = json!({"description": description});
        let request =
            self.call(actor, "security_group", "update", json!({"security_group": changes, "id": group}));
        self.get("security_groups", group)?;
        self.change("security_groups", group, changes);
        self.done(request, "security_groups", &[group.to_owned()], false)
    }

    /// Deletes a group with its rules and the rules that name it as remote; refused while a port has it.
    pub fn delete_group(&mut self, actor: &Actor, group: &str) -> Option<Vec<String>> {
        let request = self.call(actor, "security_group", "delete", json!({"security_group_id": group}));
        let is_used = !self.ids("ports", |port| has(&port["security_groups"], group)).is_empty();
        if is_used || self.field("security_groups", group, "name") == "default" {
            return None;
        }
        let body = self.shown("security_groups", group, View::Deleted)?;
        for rule in self.ids("security_group_rules", |rule| {
            rule["security_group_id"] == group || rule["remote_group_id"] == group
        }) {
            self.remove("security_group_rules", &rule);
        }
        self.remove("security_groups", group);
        self.deleted(&request, group, body)
    }

    /// Adds rules to a group in one call; refused when a rule of the group says the same.
    pub fn create_rules(&mut self, actor: &Actor, group: &str, rules: &[Value]) -> Option<Vec<String>> {
        let mut asked = rules.to_vec();
        for rule in &mut asked {
            rule["security_group_id"] = group.into();
        }
        let bulk = asked.len() > 1;
        let payload = one_or_many("security_group_rule", "security_group_rules", asked.clone(), bulk);
        let request = self.call(actor, "security_group_rule", "create", payload);
        self.get("security_groups", group)?;
        let full: Vec<Value> =
            asked.into_iter().map(|rule| self.full_rule(&actor.project_id, group, rule)).collect();
        if full.iter().enumerate().any(|(at, rule)| self.says_the_same(rule) || full[..at].contains(rule)) {
            return None;
        }
        let ids: Vec<_> = full.into_iter().map(|rule| self.insert("security_group_rules", rule)).collect();
        self.touch("security_groups", group);
        self.done(request, "security_group_rules", &ids, bulk)
    }

    /// Deletes a rule.
    pub fn delete_rule(&mut self, actor: &Actor, rule: &str) -> Option<Vec<String>> {
        let request =
            self.call(actor, "security_group_rule", "delete", json!({"security_group_rule_id": rule}));
        let body = self.shown("security_group_rules", rule, View::Deleted)?;
        let group = self.field("security_group_rules", rule, "security_group_id");
        self.remove("security_group_rules", rule);
        self.touch("security_groups", &group);
        self.deleted(&request, rule, body)
    }

    /// A call that is refused: nothing but its `.start` is ever heard of it.
    pub fn refused_rule(&mut self, actor: &Actor, group: &str) {
        let rule = json!({"security_group_id": group, "direction": "ingress", "port_range_min": 9});
        self.call(actor, "security_group_rule", "create", json!({"security_group_rule": rule}));
    }

    /// A group with the egress rules that every new group has; nothing is sent.
    pub(super) fn insert_group(&mut self, project: &str, name: &str) -> String {
        let group = json!({"name": name, "project_id": project, "stateful": true, "shared": false});
        let id = self.insert("security_groups", group);
        for family in ["IPv4", "IPv6"] {
            let rule = self.full_rule(
                project,
                &id,
                json!({"direction": "egress", "ethertype": family, "description": null}),
            );
            self.insert("security_group_rules", rule);
        }
        self.touch("security_groups", &id);
        id
    }

    /// A project's default group, which Neutron makes without a word.
    pub(super) fn insert_default_group(&mut self, project: &str) -> String {
        let id = self.insert_group(project, "default");
        for family in ["IPv4", "IPv6"] {
            let rule = json!({
                "direction": "ingress", "ethertype": family, "remote_group_id": id, "description": null,
            });
            let mut rule = self.full_rule(project, &id, rule);
            rule["belongs_to_default_sg"] = true.into();
            self.insert("security_group_rules", rule);
        }
        id
    }

    /// A rule nobody has asked for yet: mostly what people write, sometimes what is allowed but odd.
    pub(super) fn invented_rule(&mut self) -> Value {
        let family = if self.random.percent(80) { "IPv4" } else { "IPv6" };
        let direction = if self.random.percent(85) { "ingress" } else { "egress" };
        let mut rule = json!({"direction": direction, "ethertype": family});
        let ports = [22, 25, 53, 80, 443, 3306, 5432, 8080];
        match self.random.below(10) {
            0..=5 => {
                let low = self.random.pick(&ports).copied().unwrap_or(22);
                let high = if self.random.percent(30) { low + self.random.below(1000) } else { low };
                let protocol = self.random.pick(&["tcp", "tcp", "tcp", "udp", "6", "sctp"]).copied();
                rule["protocol"] = json!(protocol);
                rule["port_range_min"] = low.into();
                rule["port_range_max"] = high.into();
            }
            6 => {
                rule["protocol"] = json!(self.random.pick(&["icmp", "icmpv6", "1"]).copied());
                if self.random.percent(50) {
                    rule["port_range_min"] = json!(8);
                    rule["port_range_max"] = json!(self.random.pick(&[Some(0), None]).copied().flatten());
                }
            }
            7 => {
                rule["protocol"] =
                    json!(self.random.pick(&["tcp", "udp", "gre", "47", "vrrp", "any"]).copied());
            }
            _ => {}
        }
        if rule["protocol"] == "icmpv6" {
            rule["ethertype"] = "IPv6".into();
        }
        self.invent_remote(&mut rule);
        rule
    }

    fn invent_remote(&mut self, rule: &mut Value) {
        let is_v6 = rule["ethertype"] == "IPv6";
        let prefixes: &[&str] = if is_v6 {
            &["::/0", "2001:db8::/32", "fd00:10::/32", "2001:db8:0:7::9/64"]
        } else {
            &["0.0.0.0/0", "10.0.0.0/8", "192.0.2.0/24", "198.51.100.7/32", "203.0.113.77/24"]
        };
        match self.random.below(10) {
            0..=4 => rule["remote_ip_prefix"] = json!(self.random.pick(prefixes).copied()),
            5 | 6 => rule["remote_group_id"] = json!(self.any("security_groups", |_| true)),
            7 if self.options.release.is_modern() => {
                rule["remote_address_group_id"] = json!(self.any("address_groups", |_| true));
            }
            _ => {}
        }
    }

    fn full_rule(&self, project: &str, group: &str, asked: Value) -> Value {
        let mut rule = object(json!({
            "project_id": project, "security_group_id": group, "ethertype": "IPv4", "direction": "ingress",
            "protocol": null, "port_range_min": null, "port_range_max": null, "remote_ip_prefix": null,
            "remote_address_group_id": null, "normalized_cidr": null, "remote_group_id": null,
            "belongs_to_default_sg": self.field("security_groups", group, "name") == "default",
        }));
        rule.append(&mut object(asked));
        if rule.get("protocol").and_then(Value::as_str) == Some("any") {
            rule.insert("protocol".to_owned(), Value::Null);
        }
        let normal = rule
            .get("remote_ip_prefix")
            .and_then(Value::as_str)
            .and_then(|text| text.parse::<ipnet::IpNet>().ok());
        rule.insert("normalized_cidr".to_owned(), json!(normal.map(|prefix| prefix.trunc().to_string())));
        Value::Object(rule)
    }

    fn says_the_same(&self, rule: &Value) -> bool {
        let keys = [
            "security_group_id",
            "ethertype",
            "direction",
            "protocol",
            "port_range_min",
            "port_range_max",
            "normalized_cidr",
            "remote_group_id",
            "remote_address_group_id",
        ];
        !self.ids("security_group_rules", |known| keys.iter().all(|key| known[*key] == rule[*key])).is_empty()
    }
}

/// The body of a call for one object or, in bulk, for many.
pub(super) fn one_or_many(one: &str, many: &str, mut asked: Vec<Value>, bulk: bool) -> Value {
    if bulk { json!({many: asked}) } else { json!({one: asked.pop()}) }
}

/// Whether a list of texts has the text.
pub(super) fn has(list: &Value, text: &str) -> bool {
    list.as_array().is_some_and(|all| all.iter().any(|one| one == text))
}
