//! Servers: the ports that Nova makes for them.
//!
//! A server with networks that are told makes a port on each, with groups by name. What Nova chooses by itself is not judged.

use std::collections::BTreeSet;

use osel_core::ids::Id;
use osel_core::model::Kind;
use serde_json::{Value, json};

use super::document::ResourceChange;
use super::outer::is_port;
use super::subject::{Attribute, Block, Subject};
use super::translate::Translator;
use crate::planned::{Act, Body, NoteKind};

/// The blocks of a server's networks.
const NETWORK: &str = "network";
/// The names of its groups.
const GROUPS: &str = "security_groups";

impl Translator<'_> {
    /// A server that comes, goes or changes.
    pub(super) fn instance(&mut self, subject: Subject<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        if let (true, Some(id)) = (subject.change.does("delete"), subject.before("id").text()) {
            acts.extend(self.ports_that_go(subject, &Id::new(id)));
        }
        if subject.change.does("create") {
            acts.extend(self.ports_that_come(subject));
        } else if subject.change.does("update")
            && ["security_groups", "network"]
                .iter()
                .any(|name| subject.before(name) != subject.attribute(name))
        {
            self.note(NoteKind::NotEvaluated, "a change of a server's groups or networks is not judged");
        }
        acts
    }

    /// Nova deletes the ports that it made, and leaves those that somebody else made: ports that the plan has, and ones that the server
    /// was given.
    fn ports_that_go(&self, subject: Subject<'_>, server: &Id) -> Vec<Act> {
        let made = self.catalogue.changes.iter().filter(|change| is_port(&change.kind));
        let made = made.filter_map(|change| change.change.before.as_ref()?.get("id")?.as_str());
        let networks = subject.before(NETWORK).known().and_then(Value::as_array).into_iter().flatten();
        let given = networks.filter_map(|network| network.get("port")?.as_str());
        let kept: BTreeSet<&str> = made.chain(given).collect();
        let ports = self.cloud.ports_of_device(server).into_iter();
        ports
            .filter(|port| !kept.contains(&*port.text()))
            .map(|id| Act::Delete { kind: Kind::Port, id })
            .collect()
    }

    fn ports_that_come(&mut self, subject: Subject<'_>) -> Vec<Act> {
        let blocks = subject.blocks(NETWORK);
        if blocks.is_empty() && subject.attribute("network_mode").text() != Some("none") {
            self.note(
                NoteKind::NotEvaluated,
                "its networks are left to Nova, and what it gets there is not judged",
            );
        }
        let groups = self.groups_by_name(subject);
        let may_be_empty = subject.attribute(GROUPS) == Attribute::Unknown
            && subject.is_written(GROUPS) == Some(true)
            && self.may_be_empty(subject, GROUPS);
        let mut acts = Vec::new();
        for (at, block) in blocks.into_iter().enumerate() {
            if self.has_own_port(subject, at, block) {
                continue;
            }
            let Some(network) = self.network_of(subject, at, block) else {
                self.note(
                    NoteKind::NotEvaluated,
                    format!("which network its `network[{at}]` is is not known"),
                );
                continue;
            };
            let mut body = Body::from_iter([
                ("network_id".to_owned(), network.to_string().into()),
                ("device_id".to_owned(), self.planned_id(subject.change).to_string().into()),
                ("device_owner".to_owned(), "compute:".into()),
            ]);
            if let Some(groups) = &groups {
                body.insert("security_groups".to_owned(), groups.clone());
            }
            let addresses = ["fixed_ip_v4", "fixed_ip_v6"].map(|name| block.attribute(name).text());
            let addresses: Vec<Value> =
                addresses.into_iter().flatten().map(|address| json!({"ip_address": address})).collect();
            if !addresses.is_empty() {
                body.insert("fixed_ips".to_owned(), addresses.into());
            }
            let secret = subject.secret_keys(&[("network", &["address", "fixed_ip"])]);
            let id = self.instance_port(subject.change, at);
            if may_be_empty {
                self.may_have_default.insert(id.clone());
            }
            acts.push(Act::Create { kind: Kind::Port, id, body, secret });
        }
        acts
    }

    /// Whether a network of a server is given by a port: that one has groups of its own.
    fn has_own_port(&self, subject: Subject<'_>, at: usize, block: Block<'_>) -> bool {
        match block.attribute("port") {
            Attribute::Known(port) => port != "",
            Attribute::Unset => false,
            // The provider leaves what nobody set unknown: a port that is set is one of the plan's.
            Attribute::Unknown => subject.is_written_in_block(NETWORK, at, "port").unwrap_or_else(|| {
                let origins = subject.origins(&self.catalogue, NETWORK);
                origins.changes.iter().any(|at| is_port(&self.catalogue.changes[*at].kind))
            }),
        }
    }

    fn network_of(&mut self, subject: Subject<'_>, at: usize, block: Block<'_>) -> Option<Id> {
        if let Some(word) = block.attribute("uuid").text().or_else(|| block.attribute("name").text()) {
            return self.id_or_named(Kind::Network, word).or_else(|| Some(Id::new(word)));
        }
        let word = ["uuid", "name"]
            .into_iter()
            .find(|word| subject.is_written_in_block(NETWORK, at, word) == Some(true));
        let ids = self.candidates_in_block(subject, (NETWORK, at), word.unwrap_or("uuid"), Kind::Network);
        self.first(ids, NETWORK, Kind::Network)
    }

    /// The groups of a server, which it names; none where that is left to Nova, and then it gets the default group.
    fn groups_by_name(&mut self, subject: Subject<'_>) -> Option<Value> {
        const NAME: &str = GROUPS;
        let names = subject.blocks(NAME);
        let mut groups = BTreeSet::new();
        // The provider leaves it unknown where nobody set it.
        let wholly_unknown = subject.attribute(NAME) == Attribute::Unknown;
        if wholly_unknown && subject.is_written(NAME) == Some(true) {
            groups.extend(self.candidates(subject, NAME, Kind::SecurityGroup));
        } else if names.is_empty() {
            return None;
        }
        // Nova leaves it to Neutron, also where a network has no port security.
        if let [only] = &names[..]
            && only.whole().text() == Some("default")
        {
            return None;
        }
        let some_known = names.iter().any(|name| name.whole().known().is_some());
        for name in names {
            let found = match name.whole() {
                Attribute::Known(name) => name
                    .as_str()
                    .and_then(|name| self.id_or_named(Kind::SecurityGroup, name))
                    .into_iter()
                    .collect(),
                _ if some_known => self.candidates_beside(subject, NAME, Kind::SecurityGroup),
                _ => self.candidates(subject, NAME, Kind::SecurityGroup),
            };
            if found.is_empty() {
                self.note(
                    NoteKind::NotKnown,
                    "osel does not know one of its `security_groups`, or several of that name",
                );
            }
            groups.extend(found);
        }
        let groups: Vec<Value> = groups.iter().map(|group| group.to_string().into()).collect();
        Some(groups.into())
    }

    /// The ports that a server of the plan has or gets, on the networks at these places or on all.
    pub(super) fn ports_of_instance(
        &self,
        change: &ResourceChange,
        networks: Option<&BTreeSet<Option<usize>>>,
    ) -> Vec<Id> {
        let subject = Subject::new(change, self.catalogue.configuration);
        let named: Option<BTreeSet<usize>> =
            networks.and_then(|networks| networks.iter().copied().collect::<Option<_>>());
        if change.does("create") {
            let blocks = subject.blocks(NETWORK);
            let places = named.unwrap_or_else(|| (0..blocks.len().max(1)).collect());
            let ports = places.into_iter().flat_map(|at| match blocks.get(at) {
                Some(block) if self.has_own_port(subject, at, *block) => self.own_ports(subject, at, *block),
                _ => vec![self.instance_port(change, at)],
            });
            return ports.collect();
        }
        // On which network a port is that Nova made is not told; one that the server was given is.
        let before = subject.before(NETWORK).known().and_then(Value::as_array);
        let given = named.into_iter().flatten().filter_map(|at| before?.get(at)?.get("port")?.as_str());
        let given: Vec<Id> = given.filter(|port| !port.is_empty()).map(Id::new).collect();
        if !given.is_empty() {
            return given;
        }
        let id = change.change.before.as_ref().and_then(|before| before.get("id")?.as_str());
        id.map(|id| self.cloud.ports_of_device(&Id::new(id))).unwrap_or_default()
    }

    /// The ports that a server may be given for one of its networks.
    fn own_ports(&self, subject: Subject<'_>, at: usize, block: Block<'_>) -> Vec<Id> {
        if let Some(port) = block.attribute("port").text() {
            return vec![Id::new(port)];
        }
        let origins = subject.block_origins(&self.catalogue, NETWORK, at, "port");
        let changes = origins.changes.iter().map(|at| &self.catalogue.changes[*at]);
        changes.filter(|change| is_port(&change.kind)).filter_map(|change| self.id_of(change)).collect()
    }

    fn instance_port(&self, change: &ResourceChange, at: usize) -> Id {
        Id::new(&format!("{}/network[{at}]", self.planned_id(change)))
    }
}
