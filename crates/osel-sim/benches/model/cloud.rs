//! A large cloud as pages of an API would show it: Zipf-sized projects and groups, default groups that name themselves as a
//! source, thousands of networks that all use 10.0.0.0/8. Every object follows from the seed and its number alone, so that the
//! generator takes no memory that would count as the model's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use osel_core::event::{
    AddressGroup, FirewallGroup, FirewallPolicy, FirewallRule, FixedIp, FloatingIp, Gateway, Mac, Network,
    Object, Port, PortRange, Route, Router, Rule, SecurityGroup, Subnet, Tags, Version,
};
use osel_core::ids::Id;
use osel_sim::random::Random;

/// Groups on exactly so many ports, each in a project of its own, beside the Zipf-sized ones.
pub const WIDE: [usize; 4] = [100, 1_000, 10_000, 50_000];
/// Groups of a project, the default one included.
const GROUPS_OF_A_PROJECT: usize = 5;
/// How many of a hundred ports that choose one group choose each of a project's groups, the default one first.
const CHOICES: [u64; GROUPS_OF_A_PROJECT] = [50, 25, 12, 8, 5];
/// Address groups of the whole cloud.
const ADDRESS_GROUPS: usize = 100;
/// Rules of a firewall's policy.
const FIREWALL_RULES: usize = 20;
/// One in so many ports has a floating IP.
const PORTS_OF_A_FLOATING_IP: usize = 20;
/// One port of so many belongs to a cluster of its project, and its tags say so; the others have none.
const PORTS_TO_A_TAGGED_ONE: usize = 4;

/// What an id is of, so that no two objects have the same.
#[derive(Clone, Copy)]
enum Of {
    Project = 1,
    Network,
    Subnet,
    Group,
    Rule,
    AddressGroup,
    Port,
    Device,
    Router,
    FloatingIp,
    Outside,
    FirewallRule,
    FirewallPolicy,
    FirewallGroup,
}

/// The numbers of a cloud, and what is drawn of it.
pub struct Cloud {
    seed: u64,
    pub ports: usize,
    pub groups: usize,
    pub rules: usize,
    projects: usize,
    /// The first port of each of the wide groups, and the first of all others.
    wide: Vec<usize>,
    /// How much of all the chance goes to the projects up to each.
    shares: Vec<f64>,
    /// How many ports each project has so far.
    members: Vec<u32>,
}

impl Cloud {
    /// A cloud of so many ports; a tenth as many groups, as many rules.
    pub fn new(seed: u64, ports: usize) -> Self {
        let groups = ports / 10;
        let projects = (groups / GROUPS_OF_A_PROJECT).max(1);
        let mut sum = 0.0;
        let weights = (0..projects).map(|rank| {
            sum += 1.0 / (rank + 20) as f64;
            sum
        });
        let mut shares: Vec<f64> = weights.collect();
        shares.iter_mut().for_each(|share| *share /= sum);
        let mut wide = vec![0];
        for size in WIDE {
            let first = wide[wide.len() - 1];
            wide.push(if first + size <= ports / 2 { first + size } else { first });
        }
        Self {
            seed,
            ports,
            groups,
            rules: ports,
            projects,
            wide,
            shares,
            members: vec![0; projects + WIDE.len()],
        }
    }

    fn random(&self, of: Of, number: usize) -> Random {
        Random::new(self.seed ^ (of as u64) << 56 ^ number as u64)
    }

    fn id(&self, of: Of, number: usize) -> Id {
        let mut random = self.random(of, number);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&random.bits().to_be_bytes());
        bytes[8..].copy_from_slice(&random.bits().to_be_bytes());
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        Id::from_uuid(bytes)
    }

    fn project_id(&self, number: usize) -> Id {
        Id::new(&self.random(Of::Project, number).hex32())
    }

    fn version(&self, of: Of, number: usize, project: usize) -> Version {
        let revision = Some(self.random(of, number).between(1, 9));
        Version { id: Some(self.id(of, number)), revision, project_id: Some(Some(self.project_id(project))) }
    }

    /// The id of a group; the wide ones come after all others.
    pub fn group_id(&self, number: usize) -> Id {
        self.id(Of::Group, number)
    }

    /// The id of a port.
    pub fn port_id(&self, number: usize) -> Id {
        self.id(Of::Port, number)
    }

    /// The wide groups that this cloud is large enough for: (ports, number of the group).
    pub fn wide_groups(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let sizes = self.wide.windows(2).map(|ends| ends[1] - ends[0]);
        sizes.enumerate().filter(|(_, size)| *size > 0).map(|(at, size)| (size, self.groups + at))
    }

    fn project_of_group(&self, group: usize) -> usize {
        if group >= self.groups {
            self.projects + group - self.groups
        } else if group < self.projects {
            group
        } else {
            (group - self.projects) / (GROUPS_OF_A_PROJECT - 1) % self.projects
        }
    }

    fn group_of_project(&self, project: usize, choice: usize) -> usize {
        if choice == 0 { project } else { self.projects + project * (GROUPS_OF_A_PROJECT - 1) + choice - 1 }
    }

    /// Networks: one for each project.
    pub fn networks(&self) -> impl Iterator<Item = Object> + '_ {
        (0..self.projects + WIDE.len()).map(|project| {
            Object::Network(Network {
                version: self.version(Of::Network, project, project),
                name: Some(format!("network-{project}").into()),
                admin_state_up: Some(true),
                external: Some(false),
                shared: Some(false),
                ..Network::default()
            })
        })
    }

    /// Subnets: one for each network, all of them in 10.0.0.0/8.
    pub fn subnets(&self) -> impl Iterator<Item = Object> + '_ {
        (0..self.projects + WIDE.len()).map(|project| {
            let first = Ipv4Addr::new(10, (project % 256) as u8, 0, 0);
            Object::Subnet(Subnet {
                version: self.version(Of::Subnet, project, project),
                name: Some(format!("subnet-{project}").into()),
                network_id: Some(self.id(Of::Network, project)),
                cidr: Ipv4Net::new(first, 16).ok().map(IpNet::V4),
                ..Subnet::default()
            })
        })
    }

    pub fn groups(&self) -> impl Iterator<Item = Object> + '_ {
        (0..self.groups + WIDE.len()).map(|group| {
            let name = if group < self.projects { "default".into() } else { format!("group-{group}") };
            Object::SecurityGroup(SecurityGroup {
                version: self.version(Of::Group, group, self.project_of_group(group)),
                name: Some(name.into()),
                stateful: Some(true),
                tags: Some(Tags::default()),
                rules: None,
            })
        })
    }

    pub fn address_groups(&self) -> impl Iterator<Item = Object> + '_ {
        (0..ADDRESS_GROUPS).map(|group| {
            let nets = (0..10).map(|at| net([172, 16, group as u8, at * 16], 28));
            Object::AddressGroup(AddressGroup {
                version: self.version(Of::AddressGroup, group, 0),
                name: Some(format!("addresses-{group}").into()),
                addresses: Some(nets.collect()),
            })
        })
    }

    /// Rules: two of egress for each group, two from itself for each default group, the rest by chance.
    pub fn rules(&self) -> impl Iterator<Item = Object> + '_ {
        (0..self.rules).map(|number| Object::Rule(self.rule(number)))
    }

    fn rule(&self, number: usize) -> Rule {
        let mut random = self.random(Of::Rule, number).fork(1);
        let (egress, of_itself) = (2 * self.groups, 2 * self.projects);
        let mut rule = Rule {
            ingress: Some(number >= egress),
            ipv6: Some(number % 2 == 1),
            protocol: Some(None),
            port_range_min: Some(None),
            port_range_max: Some(None),
            remote_ip_prefix: Some(None),
            remote_group_id: Some(None),
            remote_address_group_id: Some(None),
            ..Rule::default()
        };
        let group = if number < egress {
            number / 2
        } else if number < egress + of_itself {
            let group = (number - egress) / 2;
            rule.remote_group_id = Some(Some(self.group_id(group)));
            group
        } else {
            self.projects + random.index(self.groups + WIDE.len() - self.projects)
        };
        let project = self.project_of_group(group);
        if number >= egress + of_itself {
            rule.ipv6 = Some(random.percent(10));
            let protocol = match random.below(100) {
                0..75 => Some("tcp"),
                75..85 => Some("udp"),
                85..95 => Some("icmp"),
                _ => None,
            };
            rule.protocol = Some(protocol.map(Box::from));
            if matches!(protocol, Some("tcp" | "udp")) {
                let port = random.between(1, 30_000) as i32;
                let span = if random.percent(80) { 0 } else { random.below(1_000) as i32 };
                (rule.port_range_min, rule.port_range_max) = (Some(Some(port)), Some(Some(port + span)));
            }
            match random.below(100) {
                0..20 => rule.remote_group_id = Some(Some(self.group_id(self.sibling(project, &mut random)))),
                20..22 => {
                    let group = random.index(ADDRESS_GROUPS);
                    rule.remote_address_group_id = Some(Some(self.id(Of::AddressGroup, group)));
                }
                22..60 if rule.ipv6 == Some(false) => {
                    let prefix = net([10, random.below(256) as u8, random.below(256) as u8, 0], 24);
                    rule.remote_ip_prefix = Some(Some(prefix));
                }
                _ => {}
            }
        }
        rule.version = self.version(Of::Rule, number, project);
        rule.security_group_id = Some(self.group_id(group));
        rule
    }

    fn sibling(&self, project: usize, random: &mut Random) -> usize {
        if project >= self.projects {
            return self.groups + project - self.projects;
        }
        self.group_of_project(project, random.index(GROUPS_OF_A_PROJECT))
    }

    /// Ports: those of the wide groups first, then those of projects by chance.
    pub fn port(&mut self, number: usize) -> Port {
        let mut random = self.random(Of::Port, number).fork(2);
        let wide = self.wide.iter().filter(|&&first| first <= number).count() - 1;
        let (project, mut groups) = if number < self.wide[WIDE.len()] {
            (self.projects + wide, vec![self.groups + wide])
        } else {
            let draw = random.fraction();
            let project = self.shares.partition_point(|share| *share <= draw).min(self.projects - 1);
            let mut groups = vec![self.chosen(project, &mut random)];
            for percent in [30, 20] {
                if random.percent(percent) {
                    groups.push(self.chosen(project, &mut random));
                }
            }
            (project, groups)
        };
        // A tenth of a wide group's ports have a group more, so that it is in several sets.
        if project >= self.projects && random.percent(10) {
            groups.push(random.index(10));
        }
        let host = self.members[project] + 2;
        self.members[project] += 1;
        let network = (project % 256) as u32;
        let subnet_id = Some(self.id(Of::Subnet, project));
        let address = Ipv4Addr::from(10 << 24 | network << 16 | host & 0xFFFF);
        let mut fixed_ips = vec![FixedIp { subnet_id: subnet_id.clone(), address: address.into() }];
        if random.percent(10) {
            let address = Ipv6Addr::new(0xfd00, 0, project as u16, 0, 0, 0, (host >> 16) as u16, host as u16);
            fixed_ips.push(FixedIp { subnet_id, address: address.into() });
        }
        let pairs = random.percent(1).then(|| net([10, network as u8, 255, (host % 8) as u8], 32));
        let (owner, device) = match random.below(100) {
            0..2 => ("network:dhcp", self.id(Of::Device, number)),
            2..4 => ("network:router_interface", self.id(Of::Router, project)),
            4..80 => ("compute:nova", self.id(Of::Device, number)),
            _ => ("compute:az-2", self.id(Of::Device, number)),
        };
        Port {
            version: self.version(Of::Port, number, project),
            name: Some("".into()),
            network_id: Some(self.id(Of::Network, project)),
            device_id: Some(Some(device)),
            device_owner: Some(Some(owner.into())),
            admin_state_up: Some(true),
            port_security_enabled: Some(true),
            mac_address: Some(Mac::parse("fa:16:3e:00:00:01").expect("six bytes")),
            fixed_ips: Some(fixed_ips),
            allowed_address_pairs: Some(pairs.into_iter().collect()),
            security_groups: Some(groups.into_iter().map(|group| self.group_id(group)).collect()),
            tags: Some(cluster_tags(number, project)),
        }
    }

    fn chosen(&self, project: usize, random: &mut Random) -> usize {
        let mut draw = random.below(100);
        let choice = CHOICES.iter().position(|&percent| {
            let chosen = draw < percent;
            draw = draw.saturating_sub(percent);
            chosen
        });
        self.group_of_project(project, choice.unwrap_or_default())
    }

    pub fn floating_ips(&self) -> impl Iterator<Item = Object> + '_ {
        (0..self.ports / PORTS_OF_A_FLOATING_IP).map(|number| {
            let port = number * PORTS_OF_A_FLOATING_IP + PORTS_OF_A_FLOATING_IP / 2;
            Object::FloatingIp(FloatingIp {
                version: self.version(Of::FloatingIp, number, number % self.projects),
                floating_ip_address: Some(IpAddr::V4(Ipv4Addr::from(64 << 24 | number as u32))),
                floating_network_id: Some(self.id(Of::Outside, 0)),
                fixed_ip_address: Some(None),
                port_id: Some(Some(self.port_id(port))),
                router_id: Some(Some(self.id(Of::Router, number % self.projects))),
                forwardings: Some(Vec::new()),
                tags: Some(Tags::default()),
            })
        })
    }

    /// Routers: one for each project, with a gateway; one in ten has an extra route to another network.
    pub fn routers(&self) -> impl Iterator<Item = Object> + '_ {
        (0..self.projects + WIDE.len()).map(|project| {
            let outer = IpAddr::V4(Ipv4Addr::from(65 << 24 | project as u32));
            let route = Route {
                destination: net([10, (project + 1) as u8, 0, 0], 16),
                next_hop: IpAddr::V4(Ipv4Addr::new(10, project as u8, 0, 2)),
            };
            Object::Router(Router {
                version: self.version(Of::Router, project, project),
                gateways: Some(vec![Gateway {
                    network_id: Some(self.id(Of::Outside, 0)),
                    enable_snat: Some(!project.is_multiple_of(5)),
                    external_fixed_ips: vec![FixedIp { subnet_id: None, address: outer }],
                }]),
                routes: Some(if project.is_multiple_of(10) { vec![route] } else { Vec::new() }),
                ..Router::default()
            })
        })
    }

    /// A firewall group on a port, with a policy of some rules; all of them of one number.
    pub fn firewall(&self, number: usize, port: &Id) -> Vec<Object> {
        let rules = FIREWALL_RULES * number..FIREWALL_RULES * (number + 1);
        let mut objects: Vec<Object> = rules
            .clone()
            .map(|rule| {
                let (port, is_last) = ((rule % FIREWALL_RULES * 100) as u16, rule + 1 == rules.end);
                let ports = PortRange { min: port, max: port + 50 };
                Object::FirewallRule(FirewallRule {
                    version: self.version(Of::FirewallRule, rule, 0),
                    allows: Some(rule.is_multiple_of(2) || is_last),
                    ipv6: Some(false),
                    protocol: Some((!is_last).then(|| "tcp".into())),
                    destination_ports: Some((!is_last).then_some(ports)),
                    ..FirewallRule::default()
                })
            })
            .collect();
        let policy = self.id(Of::FirewallPolicy, number);
        objects.push(Object::FirewallPolicy(FirewallPolicy {
            version: self.version(Of::FirewallPolicy, number, 0),
            rules: Some(rules.map(|rule| self.id(Of::FirewallRule, rule)).collect()),
            ..FirewallPolicy::default()
        }));
        objects.push(Object::FirewallGroup(FirewallGroup {
            version: self.version(Of::FirewallGroup, number, 0),
            ports: Some(vec![port.clone()]),
            ingress_policy_id: Some(Some(policy.clone())),
            egress_policy_id: Some(Some(policy)),
            ..FirewallGroup::default()
        }));
        objects
    }

    /// A rule that nobody has yet: one TCP port for the whole of IPv4.
    pub fn new_rule(&self, number: usize, group: usize, port: i32) -> Rule {
        Rule {
            version: self.version(Of::Rule, self.rules + number, self.project_of_group(group)),
            security_group_id: Some(self.group_id(group)),
            ingress: Some(true),
            ipv6: Some(false),
            protocol: Some(Some("tcp".into())),
            port_range_min: Some(Some(port)),
            port_range_max: Some(Some(port)),
            remote_ip_prefix: Some(None),
            remote_group_id: Some(None),
            remote_address_group_id: Some(None),
        }
    }
}

fn cluster_tags(port: usize, project: usize) -> Tags {
    match port.is_multiple_of(PORTS_TO_A_TAGGED_ONE) {
        true => Tags::new([format!("cluster=c{project}"), "worker".to_owned()]),
        false => Tags::default(),
    }
}

fn net(octets: [u8; 4], length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(octets.into(), length)).trunc()
}
