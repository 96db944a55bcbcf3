//! Writing a text with its slots filled from the world.
//!
//! Copies and appends only; nothing is decided here.

use super::identifiers::{Identifiers, Kind};
use super::rules::{Words, words};
use super::template::{Piece, Slot, Templates};
use super::text::{push_hex, push_mac, push_number, push_outside, push_prefix, push_time, push_v4};
use super::world::{FloatingIp, Port, World};

/// The number of the administrator among users and of the administrator's project among projects.
pub(super) const ADMIN: u64 = u32::MAX as u64;
/// The number of the external network among networks.
pub(super) const OUTSIDE: u64 = u32::MAX as u64;
/// Ids that one message may need.
const IDS_PER_MESSAGE: u64 = 8;

/// What a call does, as the audit middleware names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Audit {
    pub(super) action: &'static str,
    pub(super) kind: &'static str,
    pub(super) path: &'static str,
    /// Whose id ends the path.
    pub(super) id: Option<(Kind, u32)>,
    pub(super) outcome: &'static str,
    pub(super) status: &'static str,
}

/// What one message is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// When it is sent, in microseconds since 1970.
    pub(super) now: i64,
    /// When its call came in.
    pub(super) started: i64,
    /// Its number in the stream.
    pub(super) message: u64,
    /// The number of its call.
    pub(super) request: u64,
    pub(super) is_admin: bool,
    pub(super) project: u32,
    pub(super) network: u32,
    pub(super) port: u32,
    pub(super) group: u32,
    pub(super) rule: u32,
    pub(super) floating_ip: u32,
    pub(super) member: u64,
    pub(super) audit: Audit,
}

/// Appends texts with filled slots.
pub(super) struct Filler<'a> {
    pub(super) world: &'a World,
    pub(super) templates: &'a Templates,
    pub(super) identifiers: Identifiers,
    pub(super) out: &'a mut String,
}

impl Filler<'_> {
    /// Appends the text of that name.
    pub(super) fn text(&mut self, name: &str, scene: &Scene) {
        let templates = self.templates;
        for piece in templates.pieces(name) {
            match piece {
                Piece::Text(text) => self.out.push_str(text),
                Piece::Slot(slot) => self.slot(*slot, scene),
            }
        }
    }

    fn slot(&mut self, slot: Slot, scene: &Scene) {
        match slot {
            Slot::Message => self.own_id(scene, 0),
            Slot::Unique => {
                self.identifiers.write_hex32(self.out, Kind::Message, scene.message * IDS_PER_MESSAGE + 1);
            }
            Slot::Activity => self.call_id(scene, 2),
            Slot::Correlation => self.call_id(scene, 3),
            Slot::Request => self.call_id(scene, 4),
            Slot::Time => push_time(self.out, scene.now, ' ', true),
            Slot::Second => {
                push_time(self.out, scene.now, 'T', false);
                self.out.push('Z');
            }
            Slot::Cadf => {
                push_time(self.out, scene.started, 'T', true);
                self.out.push_str("+0000");
            }
            Slot::Context if scene.is_admin => self.text("context_admin", scene),
            Slot::Context => self.text("context_member", scene),
            Slot::User if scene.is_admin => self.hex(Kind::User, ADMIN),
            Slot::User => self.hex(Kind::User, u64::from(scene.project)),
            Slot::Caller if scene.is_admin => self.hex(Kind::Project, ADMIN),
            Slot::Caller | Slot::Project => self.hex(Kind::Project, u64::from(scene.project)),
            Slot::UserName | Slot::CallerName if scene.is_admin => self.out.push_str("admin"),
            Slot::UserName => self.name("user-", u64::from(scene.project)),
            Slot::CallerName => self.name("project-", u64::from(scene.project)),
            Slot::Domain => self.hex(Kind::Domain, 1),
            Slot::Member => self.hex(Kind::User, scene.member),
            Slot::Role => self.hex(Kind::Role, 1),
            Slot::Attribute => push_number(self.out, scene.message + 1000),
            Slot::AuditAction => self.out.push_str(scene.audit.action),
            Slot::AuditType => self.out.push_str(scene.audit.kind),
            Slot::AuditOutcome => self.out.push_str(scene.audit.outcome),
            Slot::AuditStatus => self.out.push_str(scene.audit.status),
            Slot::AuditPath => self.audit_path(scene),
            _ if self.network_slot(slot, scene) || self.rule_slot(slot, scene) => {}
            _ if self.floating_slot(slot, scene) => {}
            _ => self.port_slot(slot, scene),
        }
    }

    fn network_slot(&mut self, slot: Slot, scene: &Scene) -> bool {
        let number = scene.network;
        let router = u64::from(scene.project);
        match slot {
            Slot::Network => self.uuid(Kind::Network, u64::from(number)),
            Slot::NetworkName => self.name("net-", u64::from(number)),
            Slot::NetworkRevision => push_number(self.out, u64::from(self.world.network(number).revision)),
            Slot::NetworkSubnets => self.subnets(number),
            Slot::Subnet => self.uuid(Kind::Subnet, u64::from(number)),
            Slot::Cidr => {
                self.v4(number, 0);
                self.out.push_str("/18");
            }
            Slot::Gateway => self.v4(number, 1),
            Slot::FirstHost => self.v4(number, 2),
            Slot::LastHost => self.v4(number, 0x3FFE),
            Slot::Interface => self.uuid(Kind::Interface, u64::from(number)),
            Slot::Outside => self.uuid(Kind::Network, OUTSIDE),
            Slot::OutsideSubnet => self.uuid(Kind::Subnet, OUTSIDE),
            Slot::Router => self.uuid(Kind::Router, router),
            Slot::RouterName => self.name("router-", router),
            Slot::RouterAddress => push_outside(self.out, router, 16),
            Slot::RouterRevision => {
                push_number(self.out, u64::from(self.world.project(scene.project).router_revision));
            }
            _ => return false,
        }
        true
    }

    fn rule_slot(&mut self, slot: Slot, scene: &Scene) -> bool {
        match slot {
            Slot::Rule => self.uuid(Kind::Rule, u64::from(scene.rule)),
            Slot::Group => self.uuid(Kind::Group, u64::from(scene.group)),
            Slot::GroupName if self.world.group(scene.group).is_default => self.out.push_str("default"),
            Slot::GroupName => self.name("group-", u64::from(scene.group)),
            Slot::GroupDescription => self.name("touched ", scene.request),
            Slot::GroupIsDefault => self.truth(self.world.group(scene.group).is_default),
            Slot::GroupRevision => push_number(self.out, u64::from(self.world.group(scene.group).revision)),
            Slot::Rules => self.rules(scene),
            Slot::RuleFamily => self.out.push_str(if self.words(scene).is_v6 { "IPv6" } else { "IPv4" }),
            Slot::RuleDirection => {
                self.out.push_str(if self.words(scene).is_ingress { "ingress" } else { "egress" });
            }
            Slot::RuleProtocol => match self.words(scene).protocol {
                Some(protocol) => self.quoted(|filler| filler.out.push_str(protocol)),
                None => self.out.push_str("null"),
            },
            Slot::RuleMin => self.bound(self.words(scene).ports.map(|ports| ports.0)),
            Slot::RuleMax => self.bound(self.words(scene).ports.map(|ports| ports.1)),
            Slot::RulePrefix => match self.words(scene).prefix {
                Some(prefix) => self.quoted(|filler| push_prefix(filler.out, prefix)),
                None => self.out.push_str("null"),
            },
            Slot::RuleRemote => match self.words(scene).remote {
                Some(group) => self.quoted(|filler| filler.uuid(Kind::Group, u64::from(group))),
                None => self.out.push_str("null"),
            },
            _ => return false,
        }
        true
    }

    fn floating_slot(&mut self, slot: Slot, scene: &Scene) -> bool {
        let Some(found) = self.world.floating_ips.get(scene.floating_ip as usize).copied() else {
            return false;
        };
        let FloatingIp { port, revision, .. } = found;
        match (slot, port) {
            (Slot::Floating, _) => self.uuid(Kind::FloatingIp, u64::from(scene.floating_ip)),
            (Slot::FloatingAddress, _) => push_outside(self.out, u64::from(scene.floating_ip), 18),
            (Slot::FloatingRevision, _) => push_number(self.out, u64::from(revision)),
            (Slot::FloatingStatus, Some(_)) => self.out.push_str("ACTIVE"),
            (Slot::FloatingStatus, None) => self.out.push_str("DOWN"),
            (Slot::FloatingRouter, Some(_)) => {
                self.quoted(|filler| filler.uuid(Kind::Router, u64::from(scene.project)));
            }
            (Slot::FloatingPort, Some(port)) => {
                self.quoted(|filler| filler.uuid(Kind::Port, u64::from(port)));
            }
            (Slot::FloatingFixed, Some(port)) => self.quoted(|filler| filler.fixed_v4(port)),
            (Slot::FloatingDetails, Some(port)) => {
                let network = self.world.port(port).network;
                self.text("port_details", &Scene { port, network, ..*scene });
            }
            (
                Slot::FloatingRouter | Slot::FloatingPort | Slot::FloatingFixed | Slot::FloatingDetails,
                None,
            ) => self.out.push_str("null"),
            _ => return false,
        }
        true
    }

    fn port_slot(&mut self, slot: Slot, scene: &Scene) {
        let Some(port) = self.world.ports.get(scene.port as usize).copied() else { return };
        let number = u64::from(scene.port);
        match slot {
            Slot::Port => self.uuid(Kind::Port, number),
            Slot::PortName => {
                self.name("port-", number);
                self.name("-", u64::from(port.revision));
            }
            Slot::Mac => push_mac(self.out, number),
            Slot::Up => self.truth(port.is_up),
            Slot::PortStatus => self.out.push_str(if port.is_booted { "ACTIVE" } else { "DOWN" }),
            Slot::Device if port.is_booted => self.uuid(Kind::Device, number),
            Slot::DeviceOwner if port.is_booted => self.out.push_str("compute:nova"),
            Slot::Host => self.name("cmp", number % 100),
            Slot::PortRevision => push_number(self.out, u64::from(port.revision)),
            Slot::FixedIps => self.fixed_ips(&port),
            Slot::Dns => self.dns(&port),
            Slot::Pairs => self.pairs(&port),
            Slot::Groups => self.groups(&port),
            _ => {}
        }
    }

    /// The fixed IPs of a port as a list.
    pub(super) fn fixed_ips(&mut self, port: &Port) {
        self.out.push('[');
        self.object(|filler| {
            filler.key("subnet_id");
            filler.quoted(|filler| filler.uuid(Kind::Subnet, u64::from(port.network)));
            filler.out.push_str(", ");
            filler.key("ip_address");
            filler.quoted(|filler| filler.v4(port.network, port.host + 10));
        });
        if self.world.network(port.network).has_v6 {
            self.out.push_str(", ");
            self.object(|filler| {
                filler.key("subnet_id");
                filler.quoted(|filler| filler.uuid(Kind::Subnet6, u64::from(port.network)));
                filler.out.push_str(", ");
                filler.key("ip_address");
                filler.quoted(|filler| filler.v6(port.network, port.host + 10, ":"));
            });
        }
        self.out.push(']');
    }

    /// The allowed address pairs of a port as a list.
    pub(super) fn pairs(&mut self, port: &Port) {
        self.out.push('[');
        if port.pair > 0 {
            self.object(|filler| {
                filler.key("ip_address");
                filler.quoted(|filler| filler.name("10.255.0.", u64::from(port.pair)));
                filler.out.push_str(", ");
                filler.key("mac_address");
                filler.quoted(|filler| push_mac(filler.out, u64::from(port.pair)));
            });
        }
        self.out.push(']');
    }

    /// The groups of a port as a list.
    pub(super) fn groups(&mut self, port: &Port) {
        let world = self.world;
        self.out.push('[');
        for (at, group) in world.sets[port.set as usize].iter().enumerate() {
            self.out.push_str(if at == 0 { "" } else { ", " });
            self.quoted(|filler| filler.uuid(Kind::Group, u64::from(*group)));
        }
        self.out.push(']');
    }

    pub(super) fn uuid(&mut self, kind: Kind, number: u64) {
        self.identifiers.write_uuid(self.out, kind, number);
    }

    pub(super) fn hex(&mut self, kind: Kind, number: u64) {
        self.identifiers.write_hex32(self.out, kind, number);
    }

    pub(super) fn name(&mut self, prefix: &str, number: u64) {
        self.out.push_str(prefix);
        push_number(self.out, number);
    }

    /// An address of a project's network: `10.x.x.x`, by its place among the project's networks.
    pub(super) fn v4(&mut self, network: u32, host: u32) {
        let place = self.world.network(network).place;
        push_v4(self.out, 0x0A00_0000 | (place % 1024) << 14 | (host & 0x3FFF));
    }

    /// An address of a network's subnet of version 6.
    pub(super) fn v6(&mut self, network: u32, host: u32, separator: &str) {
        let place = self.world.network(network).place;
        for (at, part) in [0xFD00, 0x10, place & 0xFFFF].into_iter().enumerate() {
            self.out.push_str(if at == 0 { "" } else { separator });
            push_hex(self.out, part);
        }
        self.out.push_str(separator);
        self.out.push_str(separator);
        push_hex(self.out, host);
    }

    /// What a rule says, for writers of other forms.
    pub(super) fn words(&self, scene: &Scene) -> Words {
        let rule = &self.world.rules[scene.rule as usize];
        let project = self.world.group(rule.group).project;
        words(self.identifiers, scene.rule, rule, self.world.default_group(project))
    }

    fn rules(&mut self, scene: &Scene) {
        let world = self.world;
        self.out.push('[');
        let mut is_first = true;
        for rule in &world.group(scene.group).rules {
            if !is_first {
                self.out.push_str(", ");
            }
            is_first = false;
            self.text("inner_rule", &Scene { rule: *rule, ..*scene });
        }
        self.out.push(']');
    }

    fn dns(&mut self, port: &Port) {
        self.out.push('[');
        self.dns_of(|filler, separator| {
            let from = filler.out.len();
            filler.v4(port.network, port.host + 10);
            let written = filler.out.split_off(from);
            filler.out.push_str(&written.replace('.', separator));
        });
        if self.world.network(port.network).has_v6 {
            self.out.push_str(", ");
            self.dns_of(|filler, separator| {
                let separator = if separator == "." { ":" } else { separator };
                filler.v6(port.network, port.host + 10, separator);
            });
        }
        self.out.push(']');
    }

    fn dns_of(&mut self, address: impl Fn(&mut Self, &str)) {
        self.object(|filler| {
            filler.key("ip_address");
            filler.quoted(|filler| address(filler, "."));
            filler.out.push_str(", ");
            filler.key("hostname");
            filler.quoted(|filler| {
                filler.out.push_str("host-");
                address(filler, "-");
            });
            filler.out.push_str(", ");
            filler.key("fqdn");
            filler.quoted(|filler| {
                filler.out.push_str("host-");
                address(filler, "-");
                filler.out.push_str(".lab.example.");
            });
        });
    }

    fn subnets(&mut self, network: u32) {
        let found = *self.world.network(network);
        self.out.push('[');
        self.quoted(|filler| filler.uuid(Kind::Subnet, u64::from(network)));
        if found.has_v6 {
            self.out.push_str(", ");
            self.quoted(|filler| filler.uuid(Kind::Subnet6, u64::from(network)));
        }
        self.out.push(']');
    }

    fn audit_path(&mut self, scene: &Scene) {
        self.out.push_str(scene.audit.path);
        if let Some((kind, number)) = scene.audit.id {
            self.out.push('/');
            self.uuid(kind, u64::from(number));
        }
    }

    fn fixed_v4(&mut self, port: u32) {
        let port = self.world.port(port);
        self.v4(port.network, port.host + 10);
    }

    fn own_id(&mut self, scene: &Scene, which: u64) {
        self.uuid(Kind::Message, scene.message * IDS_PER_MESSAGE + which);
    }

    fn call_id(&mut self, scene: &Scene, which: u64) {
        self.uuid(Kind::Message, scene.request * IDS_PER_MESSAGE + which);
    }

    fn bound(&mut self, bound: Option<u16>) {
        match bound {
            Some(bound) => push_number(self.out, u64::from(bound)),
            None => self.out.push_str("null"),
        }
    }

    fn truth(&mut self, truth: bool) {
        self.out.push_str(if truth { "true" } else { "false" });
    }

    fn object(&mut self, inside: impl FnOnce(&mut Self)) {
        self.out.push('{');
        inside(self);
        self.out.push('}');
    }

    fn key(&mut self, name: &str) {
        self.quoted(|filler| filler.out.push_str(name));
        self.out.push_str(": ");
    }

    fn quoted(&mut self, inside: impl FnOnce(&mut Self)) {
        let quote = self.templates.depth.quote();
        self.out.push_str(quote);
        inside(self);
        self.out.push_str(quote);
    }
}
