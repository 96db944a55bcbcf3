//! What Neutron adds to a request: defaults, the router of a floating IP. Addresses are in `addresses`.
//!
//! What it would choose by itself and nobody can know is chosen here so that exposure is rather seen than missed, with a note where
//! that could matter.

use osel_core::ids::Id;
use osel_core::model::{CloudModel, Delta, Kind, NetworkState, Slot, View, is_trusted_owner};
use serde_json::{Value, json};

use super::error::PlanError;
use super::note::NoteKind;
use super::overlay::Overlay;
use super::rule;
use super::step::{Body, Step};

/// What only a filtered port has.
const FILTERED: [&str; 2] = ["security_groups", "allowed_address_pairs"];

/// The name of the group that a port gets when none is asked for; Neutron reserves it.
const DEFAULT_GROUP: &str = "default";

impl Overlay {
    /// Fills in what a request to make an object leaves to Neutron.
    pub(super) fn fill_new(
        &mut self,
        step: &Step,
        kind: Kind,
        id: &Id,
        body: &mut Body,
    ) -> Result<(), PlanError> {
        let needed: &[&str] = match kind {
            Kind::Rule => &["security_group_id", "direction"],
            Kind::Port | Kind::Subnet => &["network_id"],
            Kind::Forwarding => &["floatingip_id", "internal_port_id"],
            Kind::RbacPolicy => &["object_type", "object_id", "action"],
            _ => &[],
        };
        if let Some(key) = needed.iter().find(|key| text(body, key).is_none()) {
            return Err(PlanError::request(&step.resource, format!("a {} needs `{key}`", kind.singular())));
        }
        if text(body, "project_id").or_else(|| text(body, "tenant_id")).is_none()
            && let Some(project) = &self.project
        {
            body.insert("project_id".to_owned(), project.to_string().into());
        }
        match kind {
            Kind::Rule => self.fill_rule(step, body)?,
            Kind::Port => self.fill_port(step, id, body)?,
            Kind::FloatingIp => self.fill_floating_ip(step, id, body),
            Kind::Forwarding => self.fill_forwarding(step, body),
            Kind::Network => self.note_port_security(id, body),
            Kind::Subnet => self.note_subnet(id, body),
            _ => {}
        }
        Ok(())
    }

    /// Fills in what a change of an object leaves to Neutron.
    pub(super) fn fill_change(
        &mut self,
        step: &Step,
        kind: Kind,
        id: &Id,
        body: &mut Body,
    ) -> Result<(), PlanError> {
        match kind {
            Kind::Port => {
                self.check_change(step, id, body)?;
                let slot = self.cloud.port_slot(id);
                let was_trusted = slot.is_some_and(|slot| self.cloud.port(slot).trusted());
                if !was_trusted && text(body, "device_owner").is_some_and(is_trusted_owner) {
                    self.note_open(step, format!("port {id} becomes trusted: nothing filters it"));
                }
                if let (Some(network), true) = (
                    slot.and_then(|slot| self.cloud.port(slot).network_id.clone()),
                    body.contains_key("fixed_ips"),
                ) {
                    self.fill_addresses(step, id, &network, body);
                }
            }
            Kind::FloatingIp if body.contains_key("port_id") => {
                let network =
                    self.cloud.floating_ip(id).and_then(|floating| floating.floating_network_id.clone());
                self.fill_association(step, id, network.as_ref(), body);
            }
            Kind::Network => self.note_port_security(id, body),
            // It cannot be changed, so that a body that has it tells of what is there.
            Kind::Subnet if body.contains_key("ipv6_address_mode") => self.note_subnet(id, body),
            _ => {}
        }
        Ok(())
    }

    fn fill_rule(&mut self, step: &Step, body: &mut Body) -> Result<(), PlanError> {
        rule::settle(body).map_err(|why| PlanError::request(&step.resource, why))?;
        let group = text(body, "security_group_id").map(Id::new);
        if let Some(group) = group.filter(|group| !self.cloud.knows(Kind::SecurityGroup, group)) {
            let text = format!("osel does not know security group {group}, nor which ports have it");
            self.note(NoteKind::NotKnown, step, text);
        }
        for (key, kind, words) in [
            ("remote_group_id", Kind::SecurityGroup, "security group"),
            ("remote_address_group_id", Kind::AddressGroup, "address group"),
        ] {
            let source = text(body, key).map(Id::new).filter(|source| !self.cloud.knows(kind, source));
            if let Some(source) = source {
                let text = format!(
                    "osel does not know {words} {source}, its source; judged as if that could have any address"
                );
                self.note(NoteKind::NotKnown, step, text);
            }
        }
        Ok(())
    }

    fn note_port_security(&mut self, id: &Id, body: &Body) {
        if let Some(on) = body.get("port_security_enabled").and_then(Value::as_bool) {
            self.port_security.insert(id.clone(), on);
        }
    }

    fn fill_port(&mut self, step: &Step, id: &Id, body: &mut Body) -> Result<(), PlanError> {
        let Some(network) = text(body, "network_id").map(Id::new) else { return Ok(()) };
        let told = body.get("port_security_enabled").and_then(Value::as_bool);
        if told.is_none() && self.taken_as_open.contains(&network) {
            self.taken_as_open.insert(id.clone());
        }
        if told.or_else(|| self.port_security.get(&network).copied()) == Some(false)
            && !self.taken_as_open.contains(id)
            && let Some(key) = FILTERED.iter().find(|key| has_items(body, key))
        {
            return Err(unfiltered(step, key));
        }
        let owner = text(body, "device_owner").unwrap_or_default();
        let trusted = is_trusted_owner(owner);
        if trusted {
            self.note_open(step, "it is trusted by its `device_owner`: nothing filters it");
        }
        if body.get("port_security_enabled").is_none_or(Value::is_null) && !self.filters(step, &network) {
            body.insert("port_security_enabled".to_owned(), false.into());
        }
        let filtered = body.get("port_security_enabled") != Some(&Value::Bool(false));
        // Null is no list of none: Neutron takes it as a list that nobody gave.
        if body.get("security_groups").is_none_or(Value::is_null) && filtered && !trusted {
            let group = self.default_group(step, &network, body);
            body.insert("security_groups".to_owned(), json!([group.to_string()]));
        } else if self.may_have_default.contains(id) && filtered && !trusted {
            let group = self.default_group(step, &network, body);
            if let Some(Value::Array(groups)) = body.get_mut("security_groups")
                && !groups.iter().any(|other| other.as_str() == Some(&*group.text()))
            {
                groups.push(group.to_string().into());
                let text = format!(
                    "its list of groups may turn out empty, and then it gets the default group {group}; judged with that and with those that it may have"
                );
                self.note(NoteKind::Unknown, step, text);
            }
        }
        self.fill_addresses(step, id, &network, body);
        Ok(())
    }

    /// Whether a change leaves a port with port security off and something that only filtered ports have.
    fn check_change(&self, step: &Step, id: &Id, body: &Body) -> Result<(), PlanError> {
        let Some(slot) = self.cloud.port_slot(id).filter(|_| !self.taken_as_open.contains(id)) else {
            return Ok(());
        };
        let port = self.cloud.port(slot);
        let told = body.get("port_security_enabled").and_then(Value::as_bool);
        // What the body does not speak of is as it was, and then it is no matter of this change.
        if told.unwrap_or(port.port_security_enabled)
            || told.is_none() && FILTERED.iter().all(|key| !body.contains_key(*key))
        {
            return Ok(());
        }
        let had = [!port.security_groups.is_empty(), !port.allowed_address_pairs.is_empty()];
        let left = FILTERED.iter().zip(had).find(|(key, had)| match body.contains_key(**key) {
            true => has_items(body, key),
            false => *had,
        });
        left.map_or(Ok(()), |(key, _)| Err(unfiltered(step, key)))
    }

    /// Whether ports on a network are filtered when nothing is said: as the plan says of the network, else as on all its other ports.
    /// The model does not hold the network's own word.
    fn filters(&mut self, step: &Step, network: &Id) -> bool {
        if let Some(on) = self.port_security.get(network) {
            return *on;
        }
        let others = self.cloud.ports_on(network);
        let mut others =
            others.into_iter().map(|slot| self.cloud.port(slot)).filter(|port| !port.trusted()).peekable();
        let all_off = others.peek().is_some() && others.all(|port| !port.port_security_enabled);
        if all_off {
            let text = "whether its network turns port security off cannot be told; judged as off, as for all other ports there";
            self.note(NoteKind::Unknown, step, text);
        }
        !all_off
    }

    /// The group that a new port gets when none is asked for.
    fn default_group(&mut self, step: &Step, network: &Id, body: &Body) -> Id {
        let told = text(body, "project_id").or_else(|| text(body, "tenant_id")).map(Id::new);
        // A network that is shared, be it with single projects, has ports of others than its own.
        let is_own = |state: &&NetworkState| !state.shared && !self.cloud.is_shared_by_policy(network);
        let own = || self.cloud.network(network).filter(is_own);
        let of_network = || own().and_then(|network| network.project_id.clone());
        let project = told.or_else(of_network);
        let found = project.as_ref().and_then(|project| default_group_of(&self.cloud, project));
        let Some(group) = found else {
            let text = match &project {
                Some(project) => {
                    format!("it gets the default group of project {project}, which osel does not know")
                }
                None => {
                    "it gets the default group of its project, which is not told; give --project".to_owned()
                }
            };
            self.note_open(step, text);
            let project = project.map_or_else(|| "its project".to_owned(), |project| project.to_string());
            let group = Id::new(&format!("default group of {project}"));
            self.assumed.insert(group.clone());
            return group;
        };
        group
    }

    fn fill_floating_ip(&mut self, step: &Step, id: &Id, body: &mut Body) {
        if body.get("floating_ip_address").is_none_or(Value::is_null) {
            let address = self.places.choose_outer(&step.resource);
            body.insert("floating_ip_address".to_owned(), address.to_string().into());
        }
        let network = text(body, "floating_network_id").map(Id::new);
        body.entry("port_id").or_insert(Value::Null);
        self.fill_association(step, id, network.as_ref(), body);
    }

    /// Fills in the inner address and the router of a floating IP whose `port_id` is given.
    fn fill_association(&mut self, step: &Step, id: &Id, floating_network: Option<&Id>, body: &mut Body) {
        let Some(port) = text(body, "port_id").map(Id::new) else {
            body.insert("fixed_ip_address".to_owned(), Value::Null);
            body.insert("router_id".to_owned(), Value::Null);
            return;
        };
        let Some(slot) = self.cloud.port_slot(&port) else {
            self.note(NoteKind::NotKnown, step, format!("osel does not know port {port}"));
            return;
        };
        self.note_trusted(step, slot);
        if body.get("fixed_ip_address").is_none_or(Value::is_null) {
            self.fill_inner(slot, "fixed_ip_address", body);
        }
        let router = self.router_for(step, id, slot, floating_network);
        body.insert("router_id".to_owned(), router.to_string().into());
    }

    /// Fills in the port's own address where a forwarding does not say to which it leads.
    fn fill_forwarding(&mut self, step: &Step, body: &mut Body) {
        let slot = text(body, "internal_port_id").and_then(|port| self.cloud.port_slot(&Id::new(port)));
        if let Some(slot) = slot {
            self.note_trusted(step, slot);
        }
        if let (Some(slot), None) = (slot, text(body, "internal_ip_address")) {
            self.fill_inner(slot, "internal_ip_address", body);
        }
    }

    /// Says so where an outer address leads to a port that has no rows because nothing filters it.
    fn note_trusted(&mut self, step: &Step, slot: Slot) {
        let port = self.cloud.port(slot);
        if port.trusted() {
            let text = format!("it leads to port {}, which is trusted: nothing filters it", port.id);
            self.note_open(step, text);
        }
    }

    /// Fills in the first IPv4 address of a port.
    fn fill_inner(&self, slot: Slot, key: &str, body: &mut Body) {
        let mut addresses = self.cloud.port(slot).fixed_ips.iter().map(|fixed| fixed.address);
        if let Some(inner) = addresses.find(|address| address.is_ipv4()) {
            body.insert(key.to_owned(), inner.to_string().into());
        }
    }

    /// The router that leads from a floating IP's network to a port. Neutron refuses where there is none; the model may not know it.
    fn router_for(&mut self, step: &Step, id: &Id, slot: Slot, floating_network: Option<&Id>) -> Id {
        let network = self.cloud.port(slot).network_id.clone();
        let interfaces =
            network.as_ref().map(|network| self.cloud.interfaces_on(network)).unwrap_or_default();
        let routers = interfaces.into_iter().filter_map(|interface| self.cloud.port(interface).router());
        let leads = |router: &&Id| {
            let Some(router) = self.cloud.router(router) else { return false };
            let mut gateways = router.gateways.iter().filter_map(|gateway| gateway.network_id.as_ref());
            gateways.any(|network| floating_network.is_none_or(|wanted| wanted == network))
        };
        let found = routers.filter(leads).min().cloned();
        found.unwrap_or_else(|| {
            let text = "no router that osel knows leads to its port; judged as if there were one";
            self.note(NoteKind::Unknown, step, text);
            let router = Id::new(&format!("router of {id}"));
            self.places.add_id(router.clone(), &step.resource);
            router
        })
    }

    /// A floating IP gets its router with its first forwarding.
    pub(super) fn route_forwarding(&mut self, step: &Step, id: &Id) -> Result<Delta, PlanError> {
        let Some((floating, port)) = self.cloud.forwarding(id).and_then(|forwarding| {
            Some((forwarding.floatingip_id.clone()?, forwarding.internal_port_id.clone()?))
        }) else {
            return Ok(Delta::default());
        };
        let Some(known) = self.cloud.floating_ip(&floating) else {
            self.note(NoteKind::NotKnown, step, format!("osel does not know floating IP {floating}"));
            return Ok(Delta::default());
        };
        let (routed, network) = (known.router_id.is_some(), known.floating_network_id.clone());
        let Some(slot) = self.cloud.port_slot(&port).filter(|_| !routed) else { return Ok(Delta::default()) };
        let router = self.router_for(step, &floating, slot, network.as_ref());
        let body = Body::from_iter([("router_id".to_owned(), router.to_string().into())]);
        self.tell(step, Kind::FloatingIp, &floating, body)
    }
}

/// Whether a body has a list with anything in it.
fn has_items(body: &Body, key: &str) -> bool {
    body.get(key).and_then(Value::as_array).is_some_and(|items| !items.is_empty())
}

fn unfiltered(step: &Step, key: &str) -> PlanError {
    PlanError::request(&step.resource, format!("port security is off, and then a port has no `{key}`"))
}

/// The default group of a project.
fn default_group_of(cloud: &CloudModel, project: &Id) -> Option<Id> {
    let is_default = |id: &Id| cloud.name_of(Kind::SecurityGroup, id) == Some(DEFAULT_GROUP);
    let is_theirs = |id: &Id| cloud.group(id).is_some_and(|group| group.project_id.as_ref() == Some(project));
    cloud.ids(Kind::SecurityGroup).into_iter().find(|id| is_default(id) && is_theirs(id))
}

/// A text that is there and not empty.
pub(super) fn text<'a>(body: &'a Body, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}
