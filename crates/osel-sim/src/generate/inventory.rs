//! The generated cloud as an inventory, object by object, straight to the writer.
//!
//! Objects have the keys that matter to exposure and names, as the APIs give them when asked for fields.

use std::io::{self, Write};
use std::ops::Range;

use super::fill::{ADMIN, Filler, OUTSIDE};
use super::identifiers::{Identifiers, Kind};
use super::template::Templates;
use super::text::{push_mac, push_number, push_outside, push_prefix, push_time};
use super::world::World;

/// Writes all collections.
pub(super) fn write<'a>(mut objects: Objects<'a>, now: i64, out: &mut dyn Write) -> io::Result<()> {
    let mut head = String::new();
    head.push_str("{\"taken_at\": \"");
    push_time(&mut head, now, 'T', true);
    head.push_str("+00:00\"");
    out.write_all(head.as_bytes())?;

    let world = objects.world;
    let mut collection =
        |name: &str, numbers, one: fn(&mut Objects<'a>, usize)| objects.collection(out, name, numbers, one);
    collection("domains", 1..2, Objects::domain)?;
    collection("projects", 0..world.projects.len(), Objects::project)?;
    collection("users", 0..world.projects.len(), Objects::user)?;
    collection("networks", 0..world.networks.len() + 1, Objects::network)?;
    collection("subnets", 0..world.networks.len() * 2 + 1, Objects::subnet)?;
    collection("routers", 0..world.projects.len(), Objects::router)?;
    collection("security_groups", 0..world.groups.len(), Objects::group)?;
    collection("security_group_rules", 0..world.rules.len(), Objects::rule)?;
    collection("ports", 0..world.ports.len() + world.networks.len(), Objects::port)?;
    collection("floatingips", 0..world.floating_ips.len(), Objects::floating_ip)?;
    collection("address_groups", 0..0, Objects::rule)?;
    collection("rbac_policies", 0..0, Objects::rule)?;
    out.write_all(b"}\n")
}

/// Writes objects of the world as JSON text, one at a time.
pub(super) struct Objects<'a> {
    world: &'a World,
    templates: &'a Templates,
    identifiers: Identifiers,
    text: String,
}

impl<'a> Objects<'a> {
    pub(super) fn new(world: &'a World, templates: &'a Templates, identifiers: Identifiers) -> Self {
        Self { world, templates, identifiers, text: String::new() }
    }

    /// The text of one object; empty where it is not there any more.
    pub(super) fn text_of(mut self, kind: Kind, number: u32) -> String {
        let networks = self.world.networks.len();
        // The external network comes after all others.
        let place = if u64::from(number) == OUTSIDE { networks } else { number as usize };
        match kind {
            Kind::Domain => self.domain(place),
            Kind::Project => self.project(place),
            Kind::User => self.user(place),
            Kind::Network => self.network(place),
            Kind::Subnet => self.subnet(place * 2),
            Kind::Subnet6 => self.subnet(place * 2 + 1),
            Kind::Router => self.router(place),
            Kind::Group => self.group(place),
            Kind::Rule => self.rule(place),
            Kind::Port => self.port(place),
            Kind::Interface => self.interface(place),
            Kind::FloatingIp => self.floating_ip(place),
            Kind::Role | Kind::Device | Kind::Message => {}
        }
        self.text
    }
}

impl Objects<'_> {
    /// One collection; `one` writes the object of a number, or nothing where it is not there any more.
    fn collection(
        &mut self,
        out: &mut dyn Write,
        name: &str,
        numbers: Range<usize>,
        one: fn(&mut Self, usize),
    ) -> io::Result<()> {
        write!(out, ",\n\"{name}\": [")?;
        let mut separator = "\n";
        for number in numbers {
            self.text.clear();
            one(self, number);
            if !self.text.is_empty() {
                out.write_all(separator.as_bytes())?;
                out.write_all(self.text.as_bytes())?;
                separator = ",\n";
            }
        }
        out.write_all(b"]")
    }

    fn domain(&mut self, number: usize) {
        self.text.push_str("{\"id\": \"");
        self.hex(Kind::Domain, number as u64);
        self.text.push_str("\", \"enabled\": true, \"name\": \"generated\"}");
    }

    fn project(&mut self, number: usize) {
        if !self.world.projects[number].is_alive {
            return;
        }
        self.text.push_str("{\"id\": \"");
        self.hex(Kind::Project, number as u64);
        self.text.push_str("\", \"domain_id\": \"");
        self.hex(Kind::Domain, 1);
        self.text.push_str("\", \"enabled\": true, \"name\": \"project-");
        push_number(&mut self.text, number as u64);
        self.text.push_str("\"}");
    }

    fn user(&mut self, number: usize) {
        self.text.push_str("{\"id\": \"");
        self.hex(Kind::User, number as u64);
        self.text.push_str("\", \"domain_id\": \"");
        self.hex(Kind::Domain, 1);
        self.text.push_str("\", \"enabled\": true, \"name\": \"user-");
        push_number(&mut self.text, number as u64);
        self.text.push_str("\"}");
    }

    /// The networks of projects, and last the external one.
    fn network(&mut self, number: usize) {
        let Some(network) = self.world.networks.get(number).copied() else {
            self.text.push_str("{\"id\": \"");
            self.uuid(Kind::Network, OUTSIDE);
            self.text.push_str("\", \"name\": \"outside\", ");
            self.owner(ADMIN);
            self.text
                .push_str("\"admin_state_up\": true, \"router:external\": true, \"shared\": false, \"revision_number\": 1}");
            return;
        };
        self.text.push_str("{\"id\": \"");
        self.uuid(Kind::Network, number as u64);
        self.text.push_str("\", \"name\": \"net-");
        push_number(&mut self.text, number as u64);
        self.text.push_str("\", ");
        self.owner(u64::from(network.project));
        self.text.push_str(
            "\"admin_state_up\": true, \"router:external\": false, \"shared\": false, \"port_security_enabled\": true, ",
        );
        self.revision(u64::from(network.revision));
    }

    /// The subnets of networks by version, and last the external one.
    fn subnet(&mut self, number: usize) {
        let Some(network) = self.world.networks.get(number / 2).copied() else {
            self.text.push_str("{\"id\": \"");
            self.uuid(Kind::Subnet, OUTSIDE);
            self.text.push_str("\", \"network_id\": \"");
            self.uuid(Kind::Network, OUTSIDE);
            self.text.push_str("\", ");
            self.owner(ADMIN);
            self.text.push_str("\"ip_version\": 4, \"cidr\": \"198.16.0.0/14\", \"revision_number\": 0}");
            return;
        };
        let place = (number / 2) as u64;
        let is_v6 = number % 2 == 1;
        if is_v6 && !network.has_v6 {
            return;
        }
        self.text.push_str("{\"id\": \"");
        self.uuid(if is_v6 { Kind::Subnet6 } else { Kind::Subnet }, place);
        self.text.push_str("\", \"network_id\": \"");
        self.uuid(Kind::Network, place);
        self.text.push_str("\", ");
        self.owner(u64::from(network.project));
        if is_v6 {
            self.text.push_str("\"ip_version\": 6, \"cidr\": \"");
            self.filled(|filler| filler.v6(place as u32, 0, ":"));
            let zero = self.text.len() - 1;
            self.text.truncate(zero);
            self.text.push_str("/64");
        } else {
            self.text.push_str("\"ip_version\": 4, \"gateway_ip\": \"");
            self.filled(|filler| filler.v4(place as u32, 1));
            self.text.push_str("\", \"cidr\": \"");
            self.filled(|filler| filler.v4(place as u32, 0));
            self.text.push_str("/18");
        }
        self.text.push_str("\", \"revision_number\": 0}");
    }

    fn router(&mut self, number: usize) {
        let project = &self.world.projects[number];
        if project.networks.is_empty() {
            return;
        }
        let revision = u64::from(project.router_revision);
        self.text.push_str("{\"id\": \"");
        self.uuid(Kind::Router, number as u64);
        self.text.push_str("\", \"name\": \"router-");
        push_number(&mut self.text, number as u64);
        self.text.push_str("\", ");
        self.owner(number as u64);
        self.text.push_str("\"admin_state_up\": true, \"external_gateway_info\": {\"network_id\": \"");
        self.uuid(Kind::Network, OUTSIDE);
        self.text.push_str("\", \"enable_snat\": true, \"external_fixed_ips\": [{\"subnet_id\": \"");
        self.uuid(Kind::Subnet, OUTSIDE);
        self.text.push_str("\", \"ip_address\": \"");
        push_outside(&mut self.text, number as u64, 16);
        self.text.push_str("\"}]}, ");
        self.revision(revision);
    }

    fn group(&mut self, number: usize) {
        let group = &self.world.groups[number];
        if !group.is_alive {
            return;
        }
        let (project, revision, is_default) = (group.project, group.revision, group.is_default);
        self.text.push_str("{\"id\": \"");
        self.uuid(Kind::Group, number as u64);
        self.text.push_str("\", \"name\": \"");
        if is_default {
            self.text.push_str("default");
        } else {
            self.text.push_str("group-");
            push_number(&mut self.text, number as u64);
        }
        self.text.push_str("\", ");
        self.owner(u64::from(project));
        self.text.push_str("\"stateful\": true, \"shared\": false, ");
        self.revision(u64::from(revision));
    }

    fn rule(&mut self, number: usize) {
        let rule = self.world.rules[number];
        if !rule.is_alive {
            return;
        }
        let project = self.world.group(rule.group).project;
        let said =
            super::rules::words(self.identifiers, number as u32, &rule, self.world.default_group(project));
        self.text.push_str("{\"id\": \"");
        self.uuid(Kind::Rule, number as u64);
        self.text.push_str("\", \"security_group_id\": \"");
        self.uuid(Kind::Group, u64::from(rule.group));
        self.text.push_str("\", ");
        self.owner(u64::from(project));
        self.text.push_str(if said.is_ingress {
            "\"direction\": \"ingress\""
        } else {
            "\"direction\": \"egress\""
        });
        self.text.push_str(if said.is_v6 {
            ", \"ethertype\": \"IPv6\""
        } else {
            ", \"ethertype\": \"IPv4\""
        });
        self.text.push_str(", \"protocol\": ");
        self.text_or_null(said.protocol, |text, protocol| text.push_str(protocol));
        for (key, bound) in
            [("min", said.ports.map(|ports| ports.0)), ("max", said.ports.map(|ports| ports.1))]
        {
            self.text.push_str(", \"port_range_");
            self.text.push_str(key);
            self.text.push_str("\": ");
            match bound {
                Some(bound) => push_number(&mut self.text, u64::from(bound)),
                None => self.text.push_str("null"),
            }
        }
        self.text.push_str(", \"remote_ip_prefix\": ");
        self.text_or_null(said.prefix, push_prefix);
        self.text.push_str(", \"remote_group_id\": ");
        let identifiers = self.identifiers;
        self.text_or_null(said.remote, |text, group| {
            identifiers.write_uuid(text, Kind::Group, u64::from(group));
        });
        self.text.push_str(", ");
        self.revision(0);
    }

    /// The ports of projects, then those of routers.
    fn port(&mut self, number: usize) {
        let Some(port) = self.world.ports.get(number).copied() else {
            return self.interface(number - self.world.ports.len());
        };
        if !port.is_alive {
            return;
        }
        let project = self.world.network(port.network).project;
        self.text.push_str("{\"id\": \"");
        self.uuid(Kind::Port, number as u64);
        // As the stream names it: with each change another.
        self.text.push_str("\", \"name\": \"port-");
        push_number(&mut self.text, number as u64);
        self.text.push('-');
        push_number(&mut self.text, u64::from(port.revision));
        self.text.push_str("\", \"network_id\": \"");
        self.uuid(Kind::Network, u64::from(port.network));
        self.text.push_str("\", ");
        self.owner(u64::from(project));
        self.text.push_str("\"device_id\": \"");
        if port.is_booted {
            self.uuid(Kind::Device, number as u64);
        }
        self.text.push_str("\", \"device_owner\": \"");
        self.text.push_str(if port.is_booted { "compute:nova" } else { "" });
        self.text.push_str("\", \"mac_address\": \"");
        push_mac(&mut self.text, number as u64);
        self.text.push_str("\", \"admin_state_up\": ");
        self.text.push_str(if port.is_up { "true" } else { "false" });
        self.text.push_str(", \"port_security_enabled\": true, \"fixed_ips\": ");
        self.filled(|filler| filler.fixed_ips(&port));
        self.text.push_str(", \"security_groups\": ");
        self.filled(|filler| filler.groups(&port));
        self.text.push_str(", \"allowed_address_pairs\": ");
        self.filled(|filler| filler.pairs(&port));
        self.text.push_str(", ");
        self.revision(u64::from(port.revision));
    }

    fn interface(&mut self, network: usize) {
        let found = self.world.networks[network];
        self.text.push_str("{\"id\": \"");
        self.uuid(Kind::Interface, network as u64);
        self.text.push_str("\", \"name\": \"\", \"network_id\": \"");
        self.uuid(Kind::Network, network as u64);
        self.text.push_str("\", ");
        self.owner(u64::from(found.project));
        self.text.push_str("\"device_id\": \"");
        self.uuid(Kind::Router, u64::from(found.project));
        self.text.push_str("\", \"device_owner\": \"network:router_interface\", \"admin_state_up\": true, ");
        self.text.push_str("\"port_security_enabled\": false, \"fixed_ips\": [{\"subnet_id\": \"");
        self.uuid(Kind::Subnet, network as u64);
        self.text.push_str("\", \"ip_address\": \"");
        self.filled(|filler| filler.v4(network as u32, 1));
        self.text.push_str("\"}], \"security_groups\": [], \"allowed_address_pairs\": [], ");
        self.revision(1);
    }

    fn floating_ip(&mut self, number: usize) {
        let found = self.world.floating_ips[number];
        if !found.is_alive {
            return;
        }
        self.text.push_str("{\"id\": \"");
        self.uuid(Kind::FloatingIp, number as u64);
        self.text.push_str("\", ");
        self.owner(u64::from(found.project));
        self.text.push_str("\"floating_network_id\": \"");
        self.uuid(Kind::Network, OUTSIDE);
        self.text.push_str("\", \"floating_ip_address\": \"");
        push_outside(&mut self.text, number as u64, 18);
        let (identifiers, world) = (self.identifiers, self.world);
        self.text.push_str("\", \"port_id\": ");
        self.text_or_null(found.port, |text, port| identifiers.write_uuid(text, Kind::Port, u64::from(port)));
        self.text.push_str(", \"router_id\": ");
        self.text_or_null(found.port, |text, _| {
            identifiers.write_uuid(text, Kind::Router, u64::from(found.project));
        });
        self.text.push_str(", \"fixed_ip_address\": ");
        let templates = self.templates;
        self.text_or_null(found.port, |text, port| {
            let port = world.port(port);
            Filler { world, templates, identifiers, out: text }.v4(port.network, port.host + 10);
        });
        self.text.push_str(", \"port_forwardings\": [], ");
        self.revision(u64::from(found.revision));
    }

    fn owner(&mut self, project: u64) {
        self.text.push_str("\"project_id\": \"");
        self.hex(Kind::Project, project);
        self.text.push_str("\", ");
    }

    fn revision(&mut self, revision: u64) {
        self.text.push_str("\"revision_number\": ");
        push_number(&mut self.text, revision);
        self.text.push('}');
    }

    fn text_or_null<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut String, T)) {
        match value {
            Some(value) => {
                self.text.push('"');
                write(&mut self.text, value);
                self.text.push('"');
            }
            None => self.text.push_str("null"),
        }
    }

    fn filled(&mut self, write: impl FnOnce(&mut Filler<'_>)) {
        let mut filler = Filler {
            world: self.world,
            templates: self.templates,
            identifiers: self.identifiers,
            out: &mut self.text,
        };
        write(&mut filler);
    }

    fn uuid(&mut self, kind: Kind, number: u64) {
        self.identifiers.write_uuid(&mut self.text, kind, number);
    }

    fn hex(&mut self, kind: Kind, number: u64) {
        self.identifiers.write_hex32(&mut self.text, kind, number);
    }
}
