//! What leads to ports from outside: floating IPs, forwardings, routers, networks and who may use them.

use std::net::IpAddr;

use osel_core::ids::Id;
use osel_core::model::Kind;
use serde_json::{Value, json};

use super::subject::{Attribute, Subject};
use super::translate::{Translator, kind_of};
use crate::planned::{Act, Body, NoteKind};

impl Translator<'_> {
    /// A floating IP. Its pool is a network by name or id.
    pub(super) fn floating_ip(&mut self, subject: Subject<'_>, update: bool) -> (Body, Vec<&'static str>) {
        let mut body = Body::new();
        subject.copy(&mut body, &[("tenant_id", "project_id")]);
        if !update {
            subject.copy(&mut body, &[("address", "floating_ip_address")]);
            let network = match subject.attribute("pool") {
                Attribute::Known(pool) => {
                    pool.as_str().and_then(|pool| self.id_or_named(Kind::Network, pool))
                }
                _ => self.id(subject, "pool", Kind::Network),
            };
            match network {
                Some(network) => {
                    body.insert("floating_network_id".to_owned(), network.to_string().into());
                }
                None => self.note(NoteKind::NotKnown, "osel does not know the network of its `pool`"),
            }
        }
        let changed = |name: &str| !update || subject.before(name) != subject.attribute(name);
        if changed("port_id") || changed("fixed_ip") {
            match self.id(subject, "port_id", Kind::Port) {
                Some(port) => {
                    body.insert("port_id".to_owned(), port.to_string().into());
                    subject.copy(&mut body, &[("fixed_ip", "fixed_ip_address")]);
                }
                None if subject.attribute("port_id") == Attribute::Unset => {
                    body.insert("port_id".to_owned(), Value::Null);
                }
                None => {}
            }
        }
        (body, subject.secret_keys(&[("address", &["address"]), ("fixed_ip", &["fixed_ip"])]))
    }

    /// A port, or with an older release a server, for a floating IP that is named by its address.
    pub(super) fn association(&mut self, subject: Subject<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        let address =
            |attribute: Attribute<'_>| attribute.text().and_then(|text| text.parse::<IpAddr>().ok());
        if let (true, Some(address)) = (subject.change.does("delete"), address(subject.before("floating_ip")))
        {
            acts.push(Act::Associate {
                address,
                body: Body::from_iter([("port_id".to_owned(), Value::Null)]),
            });
        }
        if !subject.change.does("create") && !subject.change.does("update") {
            return acts;
        }
        let port = match (self.id(subject, "port_id", Kind::Port), subject.attribute("instance_id")) {
            (None, Attribute::Known(_)) => None,
            (None, Attribute::Unknown) => self.id(subject, "instance_id", Kind::Port),
            (port, _) => port,
        };
        let Some(port) = port else {
            self.note_open("to which port the floating IP will lead is not known");
            return acts;
        };
        let mut body = Body::from_iter([("port_id".to_owned(), port.to_string().into())]);
        subject.copy(&mut body, &[("fixed_ip", "fixed_ip_address")]);
        match (address(subject.attribute("floating_ip")), subject.attribute("floating_ip")) {
            (Some(address), _) => acts.push(Act::Associate { address, body }),
            (None, Attribute::Unknown) => {
                let id = self.id(subject, "floating_ip", Kind::FloatingIp);
                acts.extend(id.map(|id| Act::Update {
                    kind: Kind::FloatingIp,
                    id,
                    body,
                    secret: Vec::new(),
                }));
            }
            _ => self.note(NoteKind::NotEvaluated, "`floating_ip` is no address"),
        }
        acts
    }

    /// A forwarding of a floating IP.
    pub(super) fn forwarding(
        &mut self,
        subject: Subject<'_>,
        update: bool,
    ) -> Option<(Body, Vec<&'static str>)> {
        let mut body = Body::new();
        let names = ["internal_ip_address", "internal_port", "external_port", "protocol"];
        subject.copy(&mut body, &names.map(|name| (name, name)));
        if names
            .iter()
            .any(|name| subject.attribute(name) == Attribute::Unknown && *name != "internal_ip_address")
        {
            self.note_open("its ports or its protocol are not known, and it is not judged");
            return None;
        }
        if !update
            && ["internal_port", "external_port"]
                .iter()
                .any(|name| subject.attribute(name) == Attribute::Unset)
        {
            self.note(NoteKind::NotEvaluated, "it forwards ranges of ports, and is not judged");
            return None;
        }
        for (name, kind) in [("floatingip_id", Kind::FloatingIp), ("internal_port_id", Kind::Port)] {
            match self.id(subject, name, kind) {
                Some(id) => {
                    body.insert(name.to_owned(), id.to_string().into());
                }
                None if update => {}
                None => return None,
            }
        }
        let secret = [
            ("internal_ip_address", &["fixed_ip"][..]),
            ("external_port", &["port_min", "port_max"]),
            ("protocol", &["protocol"]),
        ];
        Some((body, subject.secret_keys(&secret)))
    }

    /// A router with its gateway.
    pub(super) fn router(&mut self, subject: Subject<'_>, update: bool) -> Body {
        let mut body = Body::new();
        subject.copy(
            &mut body,
            &[("name", "name"), ("tenant_id", "project_id"), ("admin_state_up", "admin_state_up")],
        );
        let names = ["external_network_id", "enable_snat", "external_fixed_ip"];
        if update && names.iter().all(|name| subject.before(name) == subject.attribute(name)) {
            return body;
        }
        let Some(network) = self.id(subject, "external_network_id", Kind::Network) else {
            if update && subject.attribute("external_network_id") == Attribute::Unset {
                body.insert("external_gateway_info".to_owned(), Value::Null);
            }
            return body;
        };
        let mut gateway = Body::from_iter([("network_id".to_owned(), network.to_string().into())]);
        subject.copy(&mut gateway, &[("enable_snat", "enable_snat")]);
        let blocks = subject.blocks("external_fixed_ip").into_iter();
        let addresses: Vec<Value> = blocks
            .filter_map(|block| {
                let address = block.attribute("ip_address").text()?;
                Some(json!({"ip_address": address, "subnet_id": block.attribute("subnet_id").text()}))
            })
            .collect();
        gateway.insert("external_fixed_ips".to_owned(), addresses.into());
        body.insert("external_gateway_info".to_owned(), gateway.into());
        body
    }

    /// A network.
    pub(super) fn network(&mut self, subject: Subject<'_>, id: &Id) -> Body {
        const PORT_SECURITY: &str = "port_security_enabled";
        let mut body = Body::new();
        subject.copy(
            &mut body,
            &[
                ("name", "name"),
                ("tenant_id", "project_id"),
                ("admin_state_up", "admin_state_up"),
                ("shared", "shared"),
                ("external", "router:external"),
                (PORT_SECURITY, PORT_SECURITY),
            ],
        );
        if subject.attribute(PORT_SECURITY) == Attribute::Unknown
            && subject.is_written(PORT_SECURITY) == Some(true)
        {
            let text = "`port_security_enabled` is not known; new ports on it are judged as if it were off";
            self.note(NoteKind::Unknown, text);
            body.insert(PORT_SECURITY.to_owned(), false.into());
            self.taken_as_open.insert(id.clone());
        }
        body
    }

    /// A subnet.
    pub(super) fn subnet(&mut self, subject: Subject<'_>, update: bool) -> Option<Body> {
        let mut body = Body::new();
        subject.copy(
            &mut body,
            &[
                ("name", "name"),
                ("tenant_id", "project_id"),
                ("cidr", "cidr"),
                ("ip_version", "ip_version"),
                ("subnetpool_id", "subnetpool_id"),
                ("ipv6_address_mode", "ipv6_address_mode"),
            ],
        );
        const MODE: &str = "ipv6_address_mode";
        // The provider leaves it unknown where nobody set it, and it is of no matter in IPv4.
        if !update
            && subject.attribute(MODE) == Attribute::Unknown
            && subject.is_written(MODE) != Some(false)
            && body.get("ip_version").is_none_or(|version| *version != 4)
        {
            self.note(
                NoteKind::Unknown,
                format!("`{MODE}` is not known; judged as if every port on its network got an address"),
            );
            body.insert(MODE.to_owned(), "slaac".into());
        }
        match self.id(subject, "network_id", Kind::Network) {
            Some(network) => {
                body.insert("network_id".to_owned(), network.to_string().into());
            }
            None if update => {}
            None => return None,
        }
        Some(body)
    }

    /// A policy that shares an object.
    pub(super) fn rbac_policy(&mut self, subject: Subject<'_>) -> Option<Body> {
        let mut body = Body::new();
        let names = ["action", "object_type", "target_tenant"];
        subject.copy(&mut body, &names.map(|name| (name, name)));
        let kind = subject.attribute("object_type").text().and_then(Kind::from_singular);
        let object = match (subject.attribute("object_id"), kind) {
            (Attribute::Known(object), _) => object.as_str().map(Id::new),
            (_, Some(kind)) => self.id(subject, "object_id", kind),
            _ => None,
        };
        let Some(object) = object else {
            self.note(NoteKind::Unknown, "which object it shares is not known, and it is not judged");
            return None;
        };
        body.insert("object_id".to_owned(), object.to_string().into());
        Some(body)
    }
}

/// Whether a type of resource is a port: what a server has in its place is looked up among them.
pub(super) fn is_port(name: &str) -> bool {
    kind_of(name) == Some(Kind::Port)
}
