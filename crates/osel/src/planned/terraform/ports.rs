//! Ports, the groups that are given to them elsewhere, and interfaces of routers.

use osel_core::ids::Id;
use osel_core::model::{Kind, View};
use serde_json::{Value, json};

use super::subject::{Attribute, Subject};
use super::translate::Translator;
use crate::planned::{Act, Body, Interface, NoteKind, PlanError};

impl Translator<'_> {
    /// A port. Without groups it gets its project's default group when it is made, and none when they were taken away.
    pub(super) fn port(
        &mut self,
        subject: Subject<'_>,
        id: &Id,
        update: bool,
    ) -> Result<(Body, Vec<&'static str>), PlanError> {
        let mut body = Body::new();
        subject.copy(
            &mut body,
            &[
                ("name", "name"),
                ("tenant_id", "project_id"),
                ("admin_state_up", "admin_state_up"),
                ("device_owner", "device_owner"),
                ("device_id", "device_id"),
                ("port_security_enabled", "port_security_enabled"),
            ],
        );
        if !update {
            let network = self.id(subject, "network_id", Kind::Network);
            let network = network.unwrap_or_else(|| {
                self.note(NoteKind::Unknown, "`network_id` is not known");
                Id::new("a network that is not known")
            });
            body.insert("network_id".to_owned(), network.to_string().into());
        }
        if subject.attribute("port_security_enabled") == Attribute::Unknown
            && subject.is_written("port_security_enabled") == Some(true)
        {
            self.note(NoteKind::Unknown, "`port_security_enabled` is not known; judged as off");
            body.insert("port_security_enabled".to_owned(), false.into());
            self.taken_as_open.insert(id.clone());
        }
        if let Some(groups) = self.groups(subject, id, update)? {
            let groups: Vec<Value> = groups.iter().map(|group| group.to_string().into()).collect();
            body.insert("security_groups".to_owned(), groups.into());
        }
        self.addresses(subject, update, &mut body);
        let inner: &[&'static str] = &["address", "fixed_ip"];
        Ok((body, subject.secret_keys(&[("fixed_ip", inner), ("allowed_address_pairs", inner)])))
    }

    /// The groups that a port is given; none where that is left to Neutron or stays.
    fn groups(&mut self, subject: Subject<'_>, id: &Id, update: bool) -> Result<Option<Vec<Id>>, PlanError> {
        const NAME: &str = "security_group_ids";
        let had_groups =
            subject.before(NAME).known().and_then(Value::as_array).is_some_and(|had| !had.is_empty());
        const NONE: &str = "no_security_groups";
        if subject.attribute(NONE).is_true() {
            if !subject.blocks(NAME).is_empty() {
                return Err(self.refused("it has `no_security_groups`, and yet `security_group_ids`"));
            }
            // The provider sends it when it changes: groups that came to the port elsewhere stay.
            let stays = update && subject.before(NONE).is_true() && !had_groups;
            return Ok((!stays).then(Vec::new));
        }
        let groups = match subject.attribute(NAME) {
            Attribute::Known(Value::Array(known)) => {
                if update && subject.before(NAME) == Attribute::Known(&Value::Array(known.clone())) {
                    return Ok(None);
                }
                // The provider takes a list of none as one that nobody gave, unless it had some before.
                if known.is_empty() && !(update && had_groups) {
                    return Ok(None);
                }
                Some(self.group_list(subject, NAME))
            }
            Attribute::Unknown => {
                let mut groups = self.candidates(subject, NAME, Kind::SecurityGroup);
                // A list of none is as one that nobody gave, unless there was one before, which it takes away.
                if self.may_be_empty(subject, NAME) && !(update && had_groups) {
                    self.add_those_without_list(id, update, &mut groups);
                }
                Some(groups)
            }
            // Taken out of the configuration: the provider sends an empty list.
            _ if update && had_groups => Some(Vec::new()),
            _ => None,
        };
        Ok(groups)
    }

    /// What a port has where its list of groups turns out empty: those that it has, or its project's default group when it is made.
    fn add_those_without_list(&mut self, id: &Id, update: bool, groups: &mut Vec<Id>) {
        if !update {
            self.may_have_default.insert(id.clone());
            return;
        }
        let Some(slot) = self.cloud.port_slot(id) else { return };
        let kept = self.cloud.port(slot).security_groups.iter().cloned();
        let kept: Vec<Id> = kept.filter(|group| !groups.contains(group)).collect();
        if !kept.is_empty() {
            let text = "`security_group_ids` may turn out empty, and then the port keeps its groups; judged with both";
            self.note(NoteKind::Unknown, text);
        }
        groups.extend(kept);
    }

    /// A list of groups of which some may not be known yet.
    fn group_list(&mut self, subject: Subject<'_>, name: &str) -> Vec<Id> {
        let blocks = subject.blocks(name);
        let mut groups: Vec<Id> =
            blocks.iter().filter_map(|block| block.whole().text().map(Id::new)).collect();
        if blocks.iter().any(|block| block.whole() == Attribute::Unknown) {
            groups.extend(match groups.is_empty() {
                true => self.candidates(subject, name, Kind::SecurityGroup),
                false => self.candidates_beside(subject, name, Kind::SecurityGroup),
            });
            groups.sort_unstable();
            groups.dedup();
        }
        groups
    }

    fn addresses(&mut self, subject: Subject<'_>, update: bool, body: &mut Body) {
        let fixed = subject.attribute("fixed_ip");
        let changed = |name: &str| !update || subject.before(name) != subject.attribute(name);
        if subject.attribute("no_fixed_ip").is_true() {
            body.insert("fixed_ips".to_owned(), json!([]));
        } else if let (Attribute::Known(Value::Array(blocks)), true) = (fixed, changed("fixed_ip"))
            && !blocks.is_empty()
        {
            let entries = subject.blocks("fixed_ip").into_iter().enumerate().map(|(at, block)| {
                let mut entry = Body::new();
                let subnet = match block.attribute("subnet_id") {
                    Attribute::Known(subnet) => subnet.as_str().map(Id::new),
                    Attribute::Unknown => {
                        let place = ("fixed_ip", at);
                        let ids = self.candidates_in_block(subject, place, "subnet_id", Kind::Subnet);
                        self.first(ids, "fixed_ip", Kind::Subnet)
                    }
                    Attribute::Unset => None,
                };
                if let Some(subnet) = subnet {
                    entry.insert("subnet_id".to_owned(), subnet.to_string().into());
                }
                if let Some(address) = block.attribute("ip_address").text() {
                    entry.insert("ip_address".to_owned(), address.into());
                }
                Value::Object(entry)
            });
            let entries: Vec<Value> = entries.collect();
            body.insert("fixed_ips".to_owned(), entries.into());
        }
        const PAIRS: &str = "allowed_address_pairs";
        match subject.attribute(PAIRS) {
            Attribute::Known(_) if changed(PAIRS) => {
                let blocks = subject.blocks(PAIRS);
                let known = blocks.iter().filter_map(|block| block.attribute("ip_address").text());
                let pairs: Vec<Value> = known.map(|address| json!({"ip_address": address})).collect();
                if pairs.len() < blocks.len() {
                    self.note_open(
                        "`allowed_address_pairs` are not all known; only those that are were judged",
                    );
                }
                body.insert(PAIRS.to_owned(), pairs.into());
            }
            Attribute::Unknown => {
                self.note_open("`allowed_address_pairs` are not known, and not judged");
            }
            _ => {}
        }
    }

    /// Groups that are given to a port beside its own: added to those it has, or with `enforce` in their place.
    pub(super) fn groups_of_port(&mut self, subject: Subject<'_>) -> Vec<Act> {
        const NAME: &str = "security_group_ids";
        let before = subject.before(NAME).known().and_then(Value::as_array);
        let before: Vec<Id> =
            before.into_iter().flatten().filter_map(|group| group.as_str().map(Id::new)).collect();
        let gone = subject.change.does("delete");
        let mut acts = Vec::new();
        if gone && let Some(port) = subject.before("port_id").text() {
            acts.push(if subject.before("enforce").is_true() {
                groups_in_place(&Id::new(port), &[])
            } else {
                Act::Groups { port: Id::new(port), add: Vec::new(), remove: before.clone() }
            });
        }
        if !subject.change.does("create") && !subject.change.does("update") {
            return acts;
        }
        let Some(port) = self.id(subject, "port_id", Kind::Port) else { return acts };
        let groups = match subject.attribute(NAME) {
            Attribute::Unknown => self.candidates(subject, NAME, Kind::SecurityGroup),
            _ => self.group_list(subject, NAME),
        };
        acts.push(if subject.attribute("enforce").is_true() {
            groups_in_place(&port, &groups)
        } else {
            Act::Groups { port, add: groups, remove: if gone { Vec::new() } else { before } }
        });
        acts
    }

    /// A router's interface.
    pub(super) fn interface(&mut self, subject: Subject<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        if let (true, Some(router)) = (subject.change.does("delete"), subject.before("router_id").text()) {
            let id = |name| subject.before(name).text().map(Id::new);
            acts.push(Act::Detach(Interface {
                router: Id::new(router),
                port: id("port_id"),
                subnet: id("subnet_id"),
            }));
        }
        if subject.change.does("create") {
            let router = self.id(subject, "router_id", Kind::Router);
            let subnet = self.id(subject, "subnet_id", Kind::Subnet);
            // One of both is set, and the provider leaves the other unknown: without a configuration it is the subnet, as it mostly is.
            let no_word = subject.is_written("port_id").is_none();
            let guessed = no_word && subject.attribute("port_id") == Attribute::Unknown;
            let port =
                if guessed && subnet.is_some() { None } else { self.id(subject, "port_id", Kind::Port) };
            match router {
                Some(router) if port.is_some() || subnet.is_some() => {
                    acts.push(Act::Attach(Interface { router, port, subnet }));
                }
                _ => self.note(NoteKind::Unknown, "which router gets an interface where is not known"),
            }
        }
        acts
    }
}

fn groups_in_place(port: &Id, groups: &[Id]) -> Act {
    let groups: Vec<Value> = groups.iter().map(|group| group.to_string().into()).collect();
    let body = Body::from_iter([("security_groups".to_owned(), groups.into())]);
    Act::Update { kind: Kind::Port, id: port.clone(), body, secret: Vec::new() }
}
