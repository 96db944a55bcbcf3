//! What happens next: one operation drawn by chance, weighted as in the recordings.

use serde_json::{Value, json};

use super::wire::Actor;
use super::world::Cloud;

/// Prefixes of projects' networks. Few, so that projects use the same addresses.
const CIDRS: [&str; 6] =
    ["10.0.0.0/24", "10.0.1.0/24", "192.168.7.0/25", "172.16.0.0/28", "fd00:10:1::/64", "2001:db8:7::/64"];

impl Cloud {
    /// Does one thing that somebody might do; it may be refused.
    pub fn step(&mut self) {
        let at = 1 + self.random.index(self.actors.len().saturating_sub(1));
        let Some(actor) = self.actors.get(at).cloned() else { return };
        match self.random.below(100) {
            0..=21 => self.some_rule(&actor),
            22..=37 => self.some_new_port(&actor),
            38..=60 => self.some_port_change(&actor),
            61..=70 => self.some_group(&actor),
            71..=79 => self.some_floating_ip(&actor),
            80..=88 => self.some_network(&actor),
            89..=93 => self.some_router(&actor),
            94..=95 => self.some_policy(&actor),
            96..=97 => self.some_identity(&actor),
            _ if self.options.silent => self.something_silent(&actor),
            _ => self.some_rule(&actor),
        }
    }

    /// That many steps, with everything sent at the end.
    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
        self.settle();
    }

    fn own(&mut self, actor: &Actor, collection: &str) -> Option<String> {
        self.any(collection, |found| found["project_id"] == actor.project_id.as_str())
    }

    fn some_rule(&mut self, actor: &Actor) {
        let Some(group) = self.own(actor, "security_groups") else { return };
        match self.random.below(20) {
            0..=10 => {
                let rule = self.invented_rule();
                self.create_rules(actor, &group, &[rule]);
            }
            11 => {
                let rules = [self.invented_rule(), self.invented_rule(), self.invented_rule()];
                self.create_rules(actor, &group, &rules);
            }
            12 => self.refused_rule(actor, &group),
            13 => {
                let gone = self.random.uuid();
                self.delete_rule(actor, &gone);
            }
            _ => {
                if let Some(rule) = self.own(actor, "security_group_rules") {
                    self.delete_rule(actor, &rule);
                }
            }
        }
    }

    fn some_group(&mut self, actor: &Actor) {
        let number = self.made;
        match self.random.below(10) {
            0..=3 => drop(self.create_groups(actor, &[&format!("group-{number}")])),
            4 => {
                drop(
                    self.create_groups(actor, &[&format!("group-{number}-a"), &format!("group-{number}-b")]),
                );
            }
            5 | 6 => {
                if let Some(group) = self.own(actor, "security_groups") {
                    self.update_group(actor, &group, &format!("changed {number}"));
                }
            }
            _ => {
                if let Some(group) = self.own(actor, "security_groups") {
                    self.delete_group(actor, &group);
                }
            }
        }
    }

    fn some_new_port(&mut self, actor: &Actor) {
        let Some(network) = self.own(actor, "networks") else { return self.some_network(actor) };
        let groups = self.some_groups(actor);
        match self.random.below(10) {
            0..=4 => drop(self.create_ports(actor, &network, &groups, 1)),
            5 => drop(self.create_ports(actor, &network, &groups, 3)),
            _ => drop(self.boot(actor, &network, &groups)),
        }
    }

    fn some_groups(&mut self, actor: &Actor) -> Vec<String> {
        let own = self.ids("security_groups", |group| group["project_id"] == actor.project_id.as_str());
        let count = self.random.below(4);
        let mut groups: Vec<String> = (0..count).filter_map(|_| self.random.pick(&own).cloned()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    fn some_port_change(&mut self, actor: &Actor) {
        let is_users = |port: &Value| !port["device_owner"].as_str().unwrap_or("").starts_with("network:");
        let Some(port) =
            self.any("ports", |port| port["project_id"] == actor.project_id.as_str() && is_users(port))
        else {
            return;
        };
        let changes = match self.random.below(12) {
            0..=3 => json!({"security_groups": self.some_groups(actor)}),
            4 | 5 => json!({"allowed_address_pairs": self.some_pairs(&port)}),
            6 => json!({"admin_state_up": self.random.percent(50)}),
            7 => json!({"name": format!("renamed-{}", self.made)}),
            8 if self.options.release.is_modern() => json!({"port_security_enabled": true}),
            9 if self.options.release.is_modern() => {
                // Half of the time the groups are forgotten, and the call is refused.
                if self.random.percent(50) {
                    json!({
                        "port_security_enabled": false, "security_groups": [], "allowed_address_pairs": [],
                    })
                } else {
                    json!({"port_security_enabled": false})
                }
            }
            10 => return drop(self.readdress_port(actor, &port)),
            _ => return drop(self.delete_port(actor, &port)),
        };
        self.update_port(actor, &port, changes);
    }

    fn some_pairs(&mut self, port: &str) -> Value {
        let own = self.first_v4(port).unwrap_or_else(|| "10.0.0.1".to_owned());
        let all =
            [own.as_str(), "10.0.0.200", "10.0.0.200/32", "10.0.0.128/25", "0.0.0.0/0", "fd00:10:1::200"];
        let count = self.random.below(3);
        let pairs = (0..count).filter_map(|number| {
            let address = self.random.pick(&all)?;
            Some(json!({"ip_address": address, "mac_address": format!("fa:16:3e:00:00:0{number}")}))
        });
        pairs.collect()
    }

    fn some_floating_ip(&mut self, actor: &Actor) {
        let own = self.own(actor, "floatingips");
        let outside = self.any("networks", |network| network["router:external"] == true);
        match (self.random.below(10), own, outside) {
            (0..=2, _, Some(outside)) | (_, None, Some(outside)) => {
                drop(self.create_floating_ip(actor, &outside));
            }
            (3..=6, Some(own), _) => {
                let is_users =
                    |port: &Value| !port["device_owner"].as_str().unwrap_or("").starts_with("network:");
                let port = self
                    .any("ports", |port| port["project_id"] == actor.project_id.as_str() && is_users(port));
                drop(self.associate(actor, &own, port.as_deref()));
            }
            (7, Some(own), _) => drop(self.associate(actor, &own, None)),
            (_, Some(own), _) => drop(self.delete_floating_ip(actor, &own)),
            _ => {}
        }
    }

    fn some_network(&mut self, actor: &Actor) {
        let number = self.made;
        let network = self.own(actor, "networks");
        match (self.random.below(20), network) {
            (0..=3, _) | (_, None) => {
                let made = self.create_networks(actor, &[&format!("net-{number}")], false);
                if let Some(network) = made.and_then(|ids| ids.into_iter().next()) {
                    let cidr = self.random.pick(&CIDRS).copied().unwrap_or(CIDRS[0]);
                    self.create_subnet(actor, &network, cidr);
                }
            }
            (4, _) => drop(self.create_networks(
                actor,
                &[&format!("net-{number}-a"), &format!("net-{number}-b")],
                false,
            )),
            (5..=9, Some(network)) => {
                let cidr = self.random.pick(&CIDRS).copied().unwrap_or(CIDRS[0]);
                self.create_subnet(actor, &network, cidr);
            }
            (10 | 11, Some(network)) => {
                let up = self.random.percent(70);
                self.update_network(actor, &network, json!({"admin_state_up": up}));
            }
            (12, Some(network)) => {
                let external = self.random.percent(50);
                let admin = if self.random.percent(80) { self.actors[0].clone() } else { actor.clone() };
                self.update_network(&admin, &network, json!({"router:external": external}));
            }
            (13 | 14, Some(network)) => drop(self.delete_network(actor, &network)),
            (15..=17, _) => {
                if let Some(subnet) = self.own(actor, "subnets") {
                    self.update_subnet(actor, &subnet);
                }
            }
            _ => {
                if let Some(subnet) = self.own(actor, "subnets") {
                    self.delete_subnet(actor, &subnet);
                }
            }
        }
    }

    fn some_router(&mut self, actor: &Actor) {
        let outside = self.any("networks", |network| network["router:external"] == true);
        let router = self.own(actor, "routers");
        let (Some(outside), Some(router)) = (outside.clone(), router) else {
            return drop(self.create_router(actor, "router", outside.as_deref()));
        };
        match self.random.below(12) {
            0 => drop(self.create_router(actor, "router", Some(&outside))),
            1 => drop(self.update_router(actor, &router, json!({"external_gateway_info": null}))),
            2 => {
                let snat = self.random.percent(50);
                let gateway = json!({"network_id": outside, "enable_snat": snat});
                self.update_router(actor, &router, json!({"external_gateway_info": gateway}));
            }
            3 => {
                let up = self.random.percent(60);
                self.update_router(actor, &router, json!({"admin_state_up": up}));
            }
            4 => drop(self.delete_router(actor, &router)),
            5 => {
                let interfaces = self.interfaces(&router);
                if let Some(interface) = self.random.pick(&interfaces).cloned() {
                    self.remove_interface(actor, &interface);
                }
            }
            6 => {
                let free = |port: &Value| port["device_owner"] == "";
                if let Some(port) =
                    self.any("ports", |port| port["project_id"] == actor.project_id.as_str() && free(port))
                {
                    self.add_interface_port(actor, &router, &port);
                }
            }
            _ => {
                if let Some(subnet) = self.own(actor, "subnets") {
                    self.add_interface(actor, &router, &subnet);
                }
            }
        }
    }

    fn some_policy(&mut self, actor: &Actor) {
        if !self.options.release.is_modern() {
            return self.some_rule(actor);
        }
        let number = self.made;
        match self.random.below(8) {
            0..=2 => drop(self.create_address_group(
                actor,
                &format!("ag-{number}"),
                &["192.0.2.0/28", "fd00:10:1::/64"],
            )),
            3 | 4 => {
                if let Some(group) = self.own(actor, "address_groups") {
                    if self.random.percent(50) {
                        self.update_address_group(actor, &group, &format!("renamed-{number}"));
                    } else {
                        self.delete_address_group(actor, &group);
                    }
                }
            }
            5 => {
                if let Some(network) = self.own(actor, "networks") {
                    self.create_policy(actor, &network, "*");
                }
            }
            _ => {
                if let Some(policy) = self.own(actor, "rbac_policies") {
                    if self.random.percent(50) {
                        self.update_policy(actor, &policy, "*");
                    } else {
                        self.delete_policy(actor, &policy);
                    }
                }
            }
        }
    }

    fn some_identity(&mut self, actor: &Actor) {
        match self.random.below(6) {
            0..=3 => {
                let succeeds = self.random.percent(80);
                self.authenticate(actor, succeeds);
            }
            4 => self.update_user(&actor.user_id.clone()),
            _ if self.options.silent && self.actors.len() < 12 => {
                drop(self.create_project(&format!("project-late-{}", self.made)));
            }
            _ => {
                let role = self.any("roles", |role| role["name"] == "reader").unwrap_or_default();
                let verb = if self.random.percent(50) { "created" } else { "deleted" };
                self.grant(&actor.user_id, &actor.project_id, &role, verb);
            }
        }
    }

    fn something_silent(&mut self, actor: &Actor) {
        if !self.options.release.is_modern() {
            return;
        }
        let floating_ip = self.own(actor, "floatingips");
        match (self.random.below(4), floating_ip) {
            (0, _) => {
                if let Some(group) = self.own(actor, "address_groups") {
                    self.change_addresses_silently(&group, "198.51.100.99/32");
                }
            }
            (1, Some(floating_ip)) => {
                let forwardings =
                    self.get("floatingips", &floating_ip).map(|found| found["port_forwardings"].clone());
                let first = forwardings.and_then(|all| all[0]["id"].as_str().map(str::to_owned));
                if let Some(first) = first {
                    self.delete_forwarding(actor, &floating_ip, &first);
                }
            }
            (_, Some(floating_ip)) => {
                let is_users =
                    |port: &Value| !port["device_owner"].as_str().unwrap_or("").starts_with("network:");
                if let Some(port) = self
                    .any("ports", |port| port["project_id"] == actor.project_id.as_str() && is_users(port))
                {
                    self.create_forwarding(actor, &floating_ip, &port);
                }
            }
            _ => {}
        }
    }
}
