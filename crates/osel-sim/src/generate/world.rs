//! The generated cloud in few bytes: numbers instead of ids, what follows from a number not kept at all.

use std::collections::BTreeMap;

/// Hosts of a project network: its prefix is `10.x.x.0/18`.
pub(super) const NETWORK_HOSTS: u32 = 16_000;

/// A port of somebody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub(super) network: u32,
    /// Which address of the network.
    pub(super) host: u32,
    /// Which of [`World::sets`].
    pub(super) set: u32,
    pub(super) revision: u16,
    /// The last part of its allowed address pair, or 0.
    pub(super) pair: u8,
    pub(super) is_alive: bool,
    pub(super) is_up: bool,
    /// Whether Nova made it.
    pub(super) is_booted: bool,
}

/// A project's network with its subnets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub(super) project: u32,
    /// The how manieth of its project: decides its prefix.
    pub(super) place: u32,
    pub(super) next_host: u32,
    pub(super) revision: u16,
    pub(super) has_v6: bool,
    pub(super) is_alive: bool,
}

/// A security group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) project: u32,
    pub(super) rules: Vec<u32>,
    /// How many ports have it.
    pub(super) ports: u32,
    pub(super) revision: u32,
    pub(super) is_default: bool,
    /// Whether ports have it or may get it.
    pub(super) is_in_a_set: bool,
    pub(super) is_alive: bool,
}

/// What a rule is, beside what follows from its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleKind {
    Egress4,
    Egress6,
    /// From the group itself: a default group's.
    Self4,
    Self6,
    Written,
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) group: u32,
    pub(super) kind: RuleKind,
    pub(super) is_alive: bool,
}

/// A floating IP.
#[derive(Clone, Copy, Debug)]
pub(super) struct FloatingIp {
    pub(super) project: u32,
    pub(super) port: Option<u32>,
    pub(super) revision: u16,
    pub(super) is_alive: bool,
}

/// A project with what is its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Project {
    pub(super) networks: Vec<u32>,
    /// The first is its default group.
    pub(super) groups: Vec<u32>,
    /// Sets of groups that its ports have, the most used first.
    pub(super) sets: Vec<u32>,
    pub(super) ports: Vec<u32>,
    pub(super) router_revision: u16,
    pub(super) has_network: bool,
    pub(super) is_alive: bool,
}

/// The whole cloud.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) projects: Vec<Project>,
    pub(super) networks: Vec<Network>,
    pub(super) groups: Vec<Group>,
    pub(super) rules: Vec<Rule>,
    pub(super) sets: Vec<Box<[u32]>>,
    pub(super) ports: Vec<Port>,
    pub(super) floating_ips: Vec<FloatingIp>,
    /// Which floating IP a port has.
    pub(super) floating_by_port: BTreeMap<u32, u32>,
    pub(super) alive_ports: usize,
    pub(super) users: u32,
}

impl World {
    pub(super) fn port(&self, number: u32) -> &Port {
        &self.ports[number as usize]
    }

    pub(super) fn network(&self, number: u32) -> &Network {
        &self.networks[number as usize]
    }

    pub(super) fn group(&self, number: u32) -> &Group {
        &self.groups[number as usize]
    }

    pub(super) fn project(&self, number: u32) -> &Project {
        &self.projects[number as usize]
    }

    /// The project of a port.
    pub(super) fn project_of(&self, port: u32) -> u32 {
        self.network(self.port(port).network).project
    }

    /// The default group of a project.
    pub(super) fn default_group(&self, project: u32) -> u32 {
        self.project(project).groups.first().copied().unwrap_or(0)
    }

    /// Adds a group with the rules that every group has.
    pub(super) fn add_group(&mut self, project: u32, is_default: bool) -> u32 {
        let number = next(&self.groups);
        self.groups.push(Group {
            project,
            rules: Vec::new(),
            ports: 0,
            revision: 1,
            is_default,
            is_in_a_set: false,
            is_alive: true,
        });
        self.projects[project as usize].groups.push(number);
        self.add_rule(number, RuleKind::Egress4);
        self.add_rule(number, RuleKind::Egress6);
        if is_default {
            self.add_rule(number, RuleKind::Self4);
            self.add_rule(number, RuleKind::Self6);
        }
        number
    }

    pub(super) fn add_rule(&mut self, group: u32, kind: RuleKind) -> u32 {
        let number = next(&self.rules);
        self.rules.push(Rule { group, kind, is_alive: true });
        self.groups[group as usize].rules.push(number);
        number
    }

    /// Adds a set of groups; its groups are named once each.
    pub(super) fn add_set(&mut self, project: u32, mut groups: Vec<u32>) -> u32 {
        groups.sort_unstable();
        groups.dedup();
        for group in &groups {
            self.groups[*group as usize].is_in_a_set = true;
        }
        let number = next(&self.sets);
        self.sets.push(groups.into_boxed_slice());
        self.projects[project as usize].sets.push(number);
        number
    }

    pub(super) fn add_network(&mut self, project: u32, has_v6: bool) -> u32 {
        let number = next(&self.networks);
        let place = u32::try_from(self.project(project).networks.len()).unwrap_or(0);
        self.networks.push(Network { project, place, next_host: 0, revision: 1, has_v6, is_alive: true });
        self.projects[project as usize].networks.push(number);
        number
    }

    pub(super) fn add_port(&mut self, network: u32, set: u32, is_booted: bool) -> u32 {
        let number = next(&self.ports);
        let place = &mut self.networks[network as usize];
        let host = place.next_host % NETWORK_HOSTS;
        place.next_host += 1;
        let project = place.project;
        let port = Port { network, host, set, revision: 1, pair: 0, is_alive: true, is_up: true, is_booted };
        self.ports.push(port);
        self.projects[project as usize].ports.push(number);
        self.count_set(set, 1);
        self.alive_ports += 1;
        number
    }

    /// Gives a port other groups.
    pub(super) fn change_set(&mut self, port: u32, set: u32) {
        self.count_set(self.port(port).set, -1);
        self.ports[port as usize].set = set;
        self.count_set(set, 1);
    }

    /// Ends a port; its floating IP is free.
    pub(super) fn end_port(&mut self, port: u32) {
        let set = self.port(port).set;
        self.ports[port as usize].is_alive = false;
        self.count_set(set, -1);
        self.alive_ports -= 1;
        if let Some(floating_ip) = self.floating_by_port.remove(&port) {
            let found = &mut self.floating_ips[floating_ip as usize];
            found.port = None;
            found.revision += 1;
        }
    }

    pub(super) fn add_floating_ip(&mut self, project: u32) -> u32 {
        let number = next(&self.floating_ips);
        self.floating_ips.push(FloatingIp { project, port: None, revision: 0, is_alive: true });
        number
    }

    /// Gives a floating IP to a port that has none, or takes it away.
    pub(super) fn associate(&mut self, floating_ip: u32, port: Option<u32>) {
        let found = &mut self.floating_ips[floating_ip as usize];
        if let Some(before) = found.port {
            self.floating_by_port.remove(&before);
        }
        found.port = port;
        found.revision += 1;
        if let Some(port) = port {
            self.floating_by_port.insert(port, floating_ip);
        }
    }

    fn count_set(&mut self, set: u32, change: i32) {
        for group in &self.sets[set as usize] {
            let ports = &mut self.groups[*group as usize].ports;
            *ports = ports.saturating_add_signed(change);
        }
    }
}

/// The number of the next object of a list.
pub(super) fn next<T>(all: &[T]) -> u32 {
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}
