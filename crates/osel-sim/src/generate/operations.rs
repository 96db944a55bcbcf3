//! What happens in the stream: calls drawn with the mix of `dev-2026`, each with all its messages.

use super::fill::Audit;
use super::identifiers::Kind;
use super::plan::{some_set, zipf_place};
use super::stream::{Call, Generator};
use super::world::RuleKind;

/// Calls of the recording by kind: what they were, how many.
const MIX: [(Operation, u64); 19] = [
    (Operation::CreateRule, 114),
    (Operation::DeleteRule, 35),
    (Operation::CreatePort, 68),
    (Operation::UpdatePort, 84),
    (Operation::DeletePort, 41),
    (Operation::CreateGroup, 33),
    (Operation::UpdateGroup, 18),
    (Operation::DeleteGroup, 23),
    (Operation::CreateFloatingIp, 12),
    (Operation::UpdateFloatingIp, 13),
    (Operation::DeleteFloatingIp, 4),
    (Operation::CreateNetwork, 7),
    (Operation::UpdateNetwork, 3),
    (Operation::DeleteNetwork, 4),
    (Operation::UpdateRouter, 4),
    (Operation::Authenticate, 28),
    (Operation::AssignRole, 14),
    (Operation::ChangeIdentity, 26),
    (Operation::Read, 130),
];

/// A group holds no more rules than this, so that bodies keep the sizes of the recording.
const MOST_RULES: usize = 18;
/// One of so many calls that make a port begins a boot storm.
const STORM_ONE_IN: u64 = 300;
/// A boot storm has up to so many ports.
const MOST_STORM_PORTS: usize = 2000;
/// The number of the first user that the stream itself makes.
const FIRST_NEW_USER: u64 = 1 << 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateRule,
    DeleteRule,
    CreatePort,
    UpdatePort,
    DeletePort,
    CreateGroup,
    UpdateGroup,
    DeleteGroup,
    CreateFloatingIp,
    UpdateFloatingIp,
    DeleteFloatingIp,
    CreateNetwork,
    UpdateNetwork,
    DeleteNetwork,
    UpdateRouter,
    Authenticate,
    AssignRole,
    ChangeIdentity,
    Read,
}

/// Ports that are being booted all at once; they are taken from the ports the mix would have given later.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Storm {
    project: u32,
    left: u64,
    owed: u64,
}

impl Generator {
    /// Draws calls until one makes messages.
    pub(super) fn operate(&mut self) {
        if self.storm.left > 0 {
            self.storm.left -= 1;
            self.boot(self.storm.project);
            return;
        }
        let total: u64 = MIX.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.random.below(total);
        let mut operation = Operation::Read;
        for (candidate, weight) in MIX {
            if drawn < weight {
                operation = candidate;
                break;
            }
            drawn -= weight;
        }
        if self.carry_out(operation).is_none() {
            self.read();
        }
    }

    fn carry_out(&mut self, operation: Operation) -> Option<()> {
        match operation {
            Operation::CreateRule => self.create_rule(),
            Operation::DeleteRule => self.delete_rule(),
            Operation::CreatePort => self.create_port(),
            Operation::UpdatePort => self.update_port(),
            Operation::DeletePort => self.delete_port(),
            Operation::CreateGroup => self.create_group(),
            Operation::UpdateGroup => self.update_group(),
            Operation::DeleteGroup => self.delete_group(),
            Operation::CreateFloatingIp => self.create_floating_ip(),
            Operation::UpdateFloatingIp => self.update_floating_ip(),
            Operation::DeleteFloatingIp => self.delete_floating_ip(),
            Operation::CreateNetwork => self.create_network(),
            Operation::UpdateNetwork => self.update_network(),
            Operation::DeleteNetwork => self.delete_network(),
            Operation::UpdateRouter => self.update_router(),
            Operation::Authenticate => self.authenticate(),
            Operation::AssignRole => self.assign_role(),
            Operation::ChangeIdentity => self.change_identity(),
            Operation::Read => {
                self.read();
                Some(())
            }
        }
    }

    fn create_rule(&mut self) -> Option<()> {
        let group = if self.random.percent(70) { self.recent_group() } else { self.any_group() }?;
        if self.world.group(group).rules.len() >= MOST_RULES {
            return None;
        }
        let project = self.world.group(group).project;
        let rule = self.world.add_rule(group, RuleKind::Written);
        let call = Call { group, rule, ..self.call(project) };
        let audit = create("security-group-rules", "security-group-rules");
        if self.random.percent(6) {
            self.world.rules[rule as usize].is_alive = false;
            self.world.groups[group as usize].rules.pop();
            self.refused(&call, audit, "409", "security_group_rule.create.start");
        } else {
            self.world.groups[group as usize].revision += 1;
            self.done(&call, audit, "security_group_rule.create.start", "security_group_rule.create.end");
        }
        Some(())
    }

    fn delete_rule(&mut self) -> Option<()> {
        let rule = self.alive(|world| world.rules.len(), |world, at| world.rules[at].is_alive)?;
        let group = self.world.rules[rule as usize].group;
        let call = Call { group, rule, ..self.call(self.world.group(group).project) };
        let audit = delete("security-group-rules/rule", "security-group-rules", Kind::Rule, rule);
        if self.random.percent(9) {
            let audit = Audit { id: Some((Kind::Rule, u32::MAX)), ..audit };
            self.refused(&Call { rule: u32::MAX, ..call }, audit, "404", "security_group_rule.delete.start");
            return Some(());
        }
        self.world.rules[rule as usize].is_alive = false;
        let found = &mut self.world.groups[group as usize];
        found.rules.retain(|known| *known != rule);
        found.revision += 1;
        self.done(&call, audit, "security_group_rule.delete.start", "security_group_rule.delete.end");
        Some(())
    }

    fn create_port(&mut self) -> Option<()> {
        if self.storm.owed > 0 {
            self.storm.owed -= 1;
            return None;
        }
        let project = self.some_project();
        if self.random.below(STORM_ONE_IN) == 0 {
            let size = 20 + zipf_place(MOST_STORM_PORTS, &mut self.random) as u64;
            self.storm = Storm { project, left: size, owed: size };
        }
        if self.random.percent(5) {
            self.boot(project);
        } else {
            self.new_port(project, false);
        }
        Some(())
    }

    fn boot(&mut self, project: u32) {
        self.new_port(project, true);
    }

    fn new_port(&mut self, project: u32, is_booted: bool) {
        let Some(network) = self.some_network(project) else { return self.read() };
        let set = some_set(&self.world, project, &mut self.random);
        let port = self.world.add_port(network, set, is_booted);
        let call = Call { port, network, is_admin: is_booted, ..self.call(project) };
        let audit = create("ports", "ports");
        if is_booted {
            self.done(&call, audit, "port.boot.start", "port.boot.end");
        } else {
            self.done(&call, audit, "port.create.start", "port.create.end");
        }
    }

    fn update_port(&mut self) -> Option<()> {
        let port = self.some_port()?;
        let project = self.world.project_of(port);
        let start = match self.random.below(83) {
            0..=25 => {
                let set = some_set(&self.world, project, &mut self.random);
                self.world.change_set(port, set);
                "port.update.start.groups"
            }
            26..=41 => {
                self.world.ports[port as usize].pair = self.random.below(250) as u8;
                "port.update.start.pairs"
            }
            42..=57 => {
                let found = &mut self.world.ports[port as usize];
                found.is_up = !found.is_up;
                "port.update.start.up"
            }
            _ => "port.update.start.name",
        };
        let found = &mut self.world.ports[port as usize];
        found.revision = found.revision.saturating_add(1);
        let network = found.network;
        let call = Call { port, network, ..self.call(project) };
        self.done(&call, update("ports/port", "ports", Kind::Port, port), start, "port.update.end");
        Some(())
    }

    fn delete_port(&mut self) -> Option<()> {
        let port = self.some_port()?;
        let call =
            Call { port, network: self.world.port(port).network, ..self.call(self.world.project_of(port)) };
        self.world.end_port(port);
        self.done(
            &call,
            delete("ports/port", "ports", Kind::Port, port),
            "port.delete.start",
            "port.delete.end",
        );
        Some(())
    }

    fn create_group(&mut self) -> Option<()> {
        let project = self.some_project();
        let group = self.world.add_group(project, false);
        let call = Call { group, ..self.call(project) };
        let audit = create("security-groups", "security-groups");
        self.done(&call, audit, "security_group.create.start", "security_group.create.end");
        // Some groups are given to ports later: they are in a set from then on, and a set is never forgotten.
        if self.random.percent(50) {
            self.world.add_set(project, vec![group]);
        }
        Some(())
    }

    fn update_group(&mut self) -> Option<()> {
        let group = if self.random.percent(75) { self.recent_group() } else { self.any_group() }?;
        self.world.groups[group as usize].revision += 1;
        let call = Call { group, ..self.call(self.world.group(group).project) };
        let audit = update("security-groups/security-group", "security-groups", Kind::Group, group);
        self.done(&call, audit, "security_group.update.start", "security_group.update.end");
        Some(())
    }

    fn delete_group(&mut self) -> Option<()> {
        let group = if self.random.percent(90) { self.recent_group() } else { self.any_group() }?;
        let found = self.world.group(group).clone();
        let call = Call { group, ..self.call(found.project) };
        let audit = delete("security-groups/security-group", "security-groups", Kind::Group, group);
        if found.is_default || found.is_in_a_set {
            self.refused(&call, audit, "409", "security_group.delete.start");
            return Some(());
        }
        self.world.groups[group as usize].is_alive = false;
        for rule in found.rules {
            self.world.rules[rule as usize].is_alive = false;
        }
        self.done(&call, audit, "security_group.delete.start", "security_group.delete.end");
        Some(())
    }

    fn create_floating_ip(&mut self) -> Option<()> {
        let project = self.some_project();
        let floating_ip = self.world.add_floating_ip(project);
        let call = Call { floating_ip, ..self.call(project) };
        self.done(
            &call,
            create("floatingips", "floatingips"),
            "floatingip.create.start",
            "floatingip.create.end",
        );
        Some(())
    }

    fn update_floating_ip(&mut self) -> Option<()> {
        let floating_ip = self.some_floating_ip()?;
        let found = self.world.floating_ips[floating_ip as usize];
        let takes_away = found.port.is_some() && self.random.percent(30);
        let drawn = self.random.pick(&self.world.projects[found.project as usize].ports).copied();
        let is_free =
            |port: &u32| self.world.port(*port).is_alive && !self.world.floating_by_port.contains_key(port);
        let port = drawn.filter(|port| !takes_away && is_free(port));
        if port.is_none() && found.port.is_none() {
            return None;
        }
        self.world.associate(floating_ip, port);
        let call = Call { floating_ip, ..self.call(found.project) };
        let audit = update("floatingips/ip", "floatingips", Kind::FloatingIp, floating_ip);
        self.done(&call, audit, "floatingip.update.start", "floatingip.update.end");
        Some(())
    }

    fn delete_floating_ip(&mut self) -> Option<()> {
        let floating_ip = self.some_floating_ip()?;
        let found = self.world.floating_ips[floating_ip as usize];
        let call = Call { floating_ip, ..self.call(found.project) };
        let audit = delete("floatingips/ip", "floatingips", Kind::FloatingIp, floating_ip);
        self.done(&call, audit, "floatingip.delete.start", "floatingip.delete.end");
        self.world.floating_ips[floating_ip as usize].is_alive = false;
        if let Some(port) = found.port {
            self.world.floating_by_port.remove(&port);
        }
        Some(())
    }

    fn create_network(&mut self) -> Option<()> {
        let project = self.some_project();
        let network = self.world.add_network(project, false);
        let call = Call { network, ..self.call(project) };
        self.done(&call, create("networks", "networks"), "network.create.start", "network.create.end");
        self.world.networks[network as usize].revision += 1;
        let call = Call { network, ..self.call(project) };
        self.done(&call, create("subnets", "subnets"), "subnet.create.start", "subnet.create.end");
        let call = Call { network, ..self.call(project) };
        let audit =
            Audit { action: "update/add", ..update("routers/router", "routers", Kind::Router, project) };
        self.one(&call, audit, "router.interface.create");
        self.world.projects[project as usize].router_revision += 1;
        Some(())
    }

    fn update_network(&mut self) -> Option<()> {
        let network = self.alive(|world| world.networks.len(), |world, at| world.networks[at].is_alive)?;
        self.world.networks[network as usize].revision += 1;
        let call = Call { network, ..self.call(self.world.network(network).project) };
        let audit = update("networks/network", "networks", Kind::Network, network);
        self.done(&call, audit, "network.update.start", "network.update.end");
        Some(())
    }

    /// Networks have an interface and mostly ports: what people try to delete is refused.
    fn delete_network(&mut self) -> Option<()> {
        let network = self.alive(|world| world.networks.len(), |world, at| world.networks[at].is_alive)?;
        let call = Call { network, ..self.call(self.world.network(network).project) };
        let audit = delete("networks/network", "networks", Kind::Network, network);
        self.refused(&call, audit, "409", "network.delete.start");
        Some(())
    }

    fn update_router(&mut self) -> Option<()> {
        let project = self.some_project();
        self.world.projects[project as usize].router_revision += 1;
        let audit = update("routers/router", "routers", Kind::Router, project);
        let call = self.call(project);
        self.done(&call, audit, "router.update.start", "router.update.end");
        Some(())
    }

    fn authenticate(&mut self) -> Option<()> {
        let project = self.some_project();
        let call = self.call(project);
        let outcome = if self.random.percent(90) { "success" } else { "failure" };
        self.identity(&call, outcome, "identity.authenticate");
        Some(())
    }

    fn assign_role(&mut self) -> Option<()> {
        let project = self.some_project();
        let name = if self.random.percent(65) {
            "identity.role_assignment.created"
        } else {
            "identity.role_assignment.deleted"
        };
        let member = FIRST_NEW_USER + u64::from(self.world.users);
        let call = Call { is_admin: true, member, ..self.call(project) };
        self.identity(&call, "success", name);
        Some(())
    }

    fn change_identity(&mut self) -> Option<()> {
        let is_user = self.random.percent(60);
        let project = if is_user { self.some_project() } else { self.bare_project() };
        let known = FIRST_NEW_USER + self.random.below(u64::from(self.world.users) + 1);
        let mut call = Call { is_admin: true, member: known, ..self.call(project) };
        let name = match (self.random.below(16), is_user) {
            (0..=4, true) => {
                self.world.users += 1;
                call.member = FIRST_NEW_USER + u64::from(self.world.users);
                "identity.user.created"
            }
            (5..=12, true) => "identity.user.updated",
            (_, true) => "identity.user.deleted",
            (0..=5, false) => "identity.project.created",
            (6..=10, false) => "identity.project.updated",
            (_, false) => {
                self.world.projects[project as usize].is_alive = false;
                "identity.project.deleted"
            }
        };
        self.identity(&call, "success", name);
        Some(())
    }

    fn read(&mut self) {
        let kinds = ["ports", "networks", "subnets", "routers", "floatingips", "security-groups", "quotas"];
        let kind = self.random.pick(&kinds).copied().unwrap_or("ports");
        let project = self.some_project();
        let call = Call { is_admin: self.random.percent(50), ..self.call(project) };
        let audit =
            Audit { action: "read/list", kind, path: kind, id: None, outcome: "success", status: "200" };
        self.only_audit(&call, audit);
    }
}

fn create(kind: &'static str, path: &'static str) -> Audit {
    Audit { action: "create", kind, path, id: None, outcome: "success", status: "201" }
}

fn update(kind: &'static str, path: &'static str, what: Kind, number: u32) -> Audit {
    Audit { action: "update", kind, path, id: Some((what, number)), outcome: "success", status: "200" }
}

fn delete(kind: &'static str, path: &'static str, what: Kind, number: u32) -> Audit {
    Audit { action: "delete", kind, path, id: Some((what, number)), outcome: "success", status: "204" }
}
