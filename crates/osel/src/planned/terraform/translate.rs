//! From resources of a plan to steps: which ones count, in which order, and what their references mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use osel_core::ids::Id;
use osel_core::model::{CloudModel, Kind, View};

use super::document::{Document, ResourceChange};
use super::known::{Known, is_like_an_id};
use super::references::{Catalogue, Origins};
use super::schema;
use super::subject::{Attribute, Subject};
use crate::planned::{Act, Body, Note, NoteKind, PlanError, Planned, STEPS_MAX, Step};

/// The most objects that one unknown reference is tried with; more is a list of a whole cloud, and told as unknown.
const CANDIDATES_MAX: usize = 64;
/// Longer addresses do not stand for ids: an id has 255 bytes at most, and words are put before and behind these.
const ADDRESS_BYTES_MAX: usize = 200;

/// Types of the provider, in the order in which they are performed: what others need first, and rules last, so that a row is told of the
/// rule that opens it where its port is new too.
pub(super) const TYPES: [(&str, Option<Kind>); 15] = [
    (NETWORK, Some(Kind::Network)),
    ("openstack_networking_subnet_v2", Some(Kind::Subnet)),
    ("openstack_networking_address_group_v2", Some(Kind::AddressGroup)),
    (SECURITY_GROUP, Some(Kind::SecurityGroup)),
    ("openstack_networking_router_v2", Some(Kind::Router)),
    ("openstack_networking_port_v2", Some(Kind::Port)),
    (INSTANCE, None),
    (GROUPS_OF_PORT, None),
    (INTERFACE, None),
    ("openstack_networking_floatingip_v2", Some(Kind::FloatingIp)),
    (ASSOCIATION, None),
    (ASSOCIATION_OF_INSTANCE, None),
    ("openstack_networking_portforwarding_v2", Some(Kind::Forwarding)),
    ("openstack_networking_rbac_policy_v2", Some(Kind::RbacPolicy)),
    ("openstack_networking_secgroup_rule_v2", Some(Kind::Rule)),
];
const NETWORK: &str = "openstack_networking_network_v2";
pub(super) const SECURITY_GROUP: &str = "openstack_networking_secgroup_v2";
pub(super) const INSTANCE: &str = "openstack_compute_instance_v2";
const GROUPS_OF_PORT: &str = "openstack_networking_port_secgroup_associate_v2";
const INTERFACE: &str = "openstack_networking_router_interface_v2";
const ASSOCIATION: &str = "openstack_networking_floatingip_associate_v2";
/// Went with release 2 of the provider; plans of older ones have it.
const ASSOCIATION_OF_INSTANCE: &str = "openstack_compute_floatingip_associate_v2";

/// Services whose resources expose nothing that is modelled: they are passed over without a word.
const NO_EXPOSURE: [&str; 8] = [
    "openstack_blockstorage_",
    "openstack_identity_",
    "openstack_images_",
    "openstack_keymanager_",
    "openstack_dns_",
    "openstack_objectstorage_",
    "openstack_workflow_",
    "openstack_compute_keypair_",
];

/// Reads a plan of Terraform or OpenTofu, as `show -json` prints it, for a cloud.
///
/// # Errors
/// When it is no such plan.
pub fn read_terraform(plan: &[u8], cloud: &CloudModel, project: Option<&Id>) -> Result<Planned, PlanError> {
    let document = Document::read(plan)?;
    let mut notes = notes(&document);
    let changes = document.resource_changes.as_deref().unwrap_or_default();
    if changes.len() > STEPS_MAX {
        return Err(PlanError::TooMany { max: STEPS_MAX });
    }
    changes.iter().try_for_each(schema::check)?;
    let mut order: Vec<(Turn, usize, usize)> = Vec::new();
    let mut passed: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate().filter(|(_, change)| is_change(change)) {
        match TYPES.iter().position(|(name, _)| *name == change.kind) {
            Some(rank) if !change.does("create") && change.does("delete") => {
                let turn = if change.kind == SECURITY_GROUP { Turn::Last } else { Turn::First };
                order.push((turn, TYPES.len() - rank, at));
            }
            Some(rank) => order.push((Turn::Then, rank, at)),
            None if NO_EXPOSURE.iter().any(|service| change.kind.starts_with(service)) => {}
            None => *passed.entry(&change.kind).or_default() += 1,
        }
    }
    order.sort_unstable();
    for (kind, count) in passed {
        let text = format!("{count} of type {kind} are not judged");
        notes.push(Note::of_plan(NoteKind::NotEvaluated, text));
    }
    let configuration = document.configuration.as_ref();
    let known = Known::new(&document.variables, document.prior(), changes);
    let catalogue = Catalogue::new(changes, configuration).with_known(known);
    let resource = Arc::from("");
    let (taken_as_open, may_have_default, secrets) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut translator =
        Translator { catalogue, cloud, project, notes, taken_as_open, may_have_default, secrets, resource };
    let steps = order.into_iter().map(|(.., at)| {
        let resource: Arc<str> = Arc::from(changes[at].address.as_str());
        translator.resource = Arc::clone(&resource);
        let subject = Subject::new(&changes[at], configuration);
        subject.secrets(&mut translator.secrets);
        let acts = translator.acts(subject)?;
        Ok(Step { resource, line: 1, acts })
    });
    let mut steps = steps.collect::<Result<Vec<_>, PlanError>>()?;
    steps.retain(|step| !step.acts.is_empty());
    let Translator { notes, taken_as_open, may_have_default, secrets, .. } = translator;
    let port_security = port_security(changes);
    Ok(Planned { steps, notes, secrets, in_order: false, taken_as_open, may_have_default, port_security })
}

/// What a plan shows of networks that stay, of which the model does not hold it.
fn port_security(changes: &[ResourceChange]) -> BTreeMap<Id, bool> {
    let stay = changes.iter().filter(|change| {
        let comes_or_goes = change.does("create") || change.does("delete");
        change.kind == NETWORK && !change.is_data() && change.deposed.is_none() && !comes_or_goes
    });
    let shown = stay.filter_map(|change| {
        let values = change.change.after.as_ref().or(change.change.before.as_ref())?;
        Some((Id::new(values.get("id")?.as_str()?), values.get("port_security_enabled")?.as_bool()?))
    });
    shown.collect()
}

/// When a resource has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// What goes for good, and of that what hangs on others before them.
    First,
    /// What is made or changed.
    Then,
    /// Groups that go for good: only those that no port has any more can.
    Last,
}

/// Whether something of OpenStack is made, changed, deleted or forgotten.
fn is_change(change: &ResourceChange) -> bool {
    let acts = ["create", "update", "delete", "forget"].into_iter().any(|action| change.does(action));
    acts && !change.is_data() && change.kind.starts_with("openstack_")
}

/// What is to be said of a plan as a whole.
fn notes(document: &Document) -> Vec<Note> {
    let mut notes = Vec::new();
    if document.errored == Some(true) {
        let text = "planning ended with an error: the plan has only a part of the changes";
        notes.push(Note::of_plan(NoteKind::NotEvaluated, text));
    }
    if document.complete == Some(false) {
        let text = "the plan is not complete: applying it leaves changes for another run";
        notes.push(Note::of_plan(NoteKind::NotEvaluated, text));
    }
    let deferred =
        document.deferred_changes.iter().flatten().filter_map(|deferred| deferred.resource_change.as_ref());
    for name in deferred.filter(|name| name.kind.starts_with("openstack_")) {
        let resource = Arc::from(name.address.as_str());
        notes.push(Note::of(NoteKind::NotEvaluated, &resource, "its change is left for another run"));
    }
    for name in document.resource_drift.iter().flatten().filter(|name| name.kind.starts_with("openstack_")) {
        let resource = Arc::from(name.address.as_str());
        notes.push(Note::of(NoteKind::Remark, &resource, "was changed outside of Terraform"));
    }
    if document.configuration.is_none() {
        let text = "the plan has no `configuration`: where unknown values come from cannot be told";
        notes.push(Note::of_plan(NoteKind::Unknown, text));
    }
    notes
}

/// Turns one resource after the other into what it asks of Neutron.
pub(super) struct Translator<'a> {
    pub(super) catalogue: Catalogue<'a>,
    pub(super) cloud: &'a CloudModel,
    pub(super) project: Option<&'a Id>,
    notes: Vec<Note>,
    /// Ports and networks whose port security is not known.
    pub(super) taken_as_open: BTreeSet<Id>,
    /// Ports whose list of groups may turn out empty.
    pub(super) may_have_default: BTreeSet<Id>,
    /// Texts that must not be shown.
    secrets: BTreeSet<String>,
    /// The resource that is looked at.
    resource: Arc<str>,
}

impl Translator<'_> {
    pub(super) fn note(&mut self, kind: NoteKind, text: impl Into<String>) {
        self.notes.push(Note::of(kind, &self.resource, text));
    }

    /// Notes what stands in no row and may be open to anybody.
    pub(super) fn note_open(&mut self, text: impl Into<String>) {
        self.notes.push(Note::of_open(&self.resource, text));
    }

    fn acts(&mut self, subject: Subject<'_>) -> Result<Vec<Act>, PlanError> {
        if subject.change.does("forget") {
            self.note(NoteKind::Remark, "leaves Terraform's state; what it stands for stays as it is");
        }
        match subject.attribute("value_specs") {
            Attribute::Unset => {}
            Attribute::Known(specs) if specs.as_object().is_some_and(|specs| specs.is_empty()) => {}
            _ => self.note(
                NoteKind::NotEvaluated,
                "`value_specs` may set anything of the request, and is not judged",
            ),
        }
        let acts = match &*subject.change.kind {
            INSTANCE => self.instance(subject),
            GROUPS_OF_PORT => self.groups_of_port(subject),
            INTERFACE => self.interface(subject),
            ASSOCIATION | ASSOCIATION_OF_INSTANCE => self.association(subject),
            name => match kind_of(name) {
                Some(kind) => self.object(kind, subject)?,
                None => Vec::new(),
            },
        };
        Ok(acts)
    }

    /// A plan that nobody could carry out, because of the resource that is looked at.
    pub(super) fn refused(&self, why: &str) -> PlanError {
        PlanError::request(&self.resource, why)
    }

    /// What becomes of a resource that is an object of Neutron.
    fn object(&mut self, kind: Kind, subject: Subject<'_>) -> Result<Vec<Act>, PlanError> {
        let mut acts = Vec::new();
        let id = subject.before("id").text().map(Id::new);
        if id.is_none() && ["update", "delete"].iter().any(|action| subject.change.does(action)) {
            return Err(self.refused("it is there, and its `id` is missing"));
        }
        if let (true, Some(id)) = (subject.change.does("delete"), &id) {
            acts.push(Act::Delete { kind, id: id.clone() });
        }
        let (update, id) = match (subject.change.does("create"), subject.change.does("update"), id) {
            (true, ..) => (false, self.planned_id(subject.change)),
            (_, true, Some(id)) => (true, id),
            _ => return Ok(acts),
        };
        let (body, secret) = match kind {
            Kind::Rule => {
                acts.extend(self.rule(subject, &id)?);
                return Ok(acts);
            }
            Kind::SecurityGroup => (self.group(subject), Vec::new()),
            Kind::AddressGroup => match self.address_group(subject) {
                Some(found) => found,
                None if update => {
                    // What it gains may be any; what it has it may lose, which opens nothing.
                    let add = vec!["0.0.0.0/0".into(), "::/0".into()];
                    acts.push(Act::Addresses { group: id, add, remove: Vec::new() });
                    return Ok(acts);
                }
                None => return Ok(acts),
            },
            Kind::Port => self.port(subject, &id, update)?,
            Kind::FloatingIp => self.floating_ip(subject, update),
            Kind::Forwarding => match self.forwarding(subject, update) {
                Some(found) => found,
                None => return Ok(acts),
            },
            Kind::Router => (self.router(subject, update), Vec::new()),
            Kind::Network => (self.network(subject, &id), Vec::new()),
            Kind::Subnet => match self.subnet(subject, update) {
                Some(body) => (body, Vec::new()),
                None => return Ok(acts),
            },
            Kind::RbacPolicy => match self.rbac_policy(subject) {
                Some(body) => (body, Vec::new()),
                None => return Ok(acts),
            },
            // No type of the provider is one of these.
            _ => return Ok(acts),
        };
        acts.push(match update {
            true => Act::Update { kind, id, body, secret },
            false => Act::Create { kind, id, body, secret },
        });
        Ok(acts)
    }

    /// What stands for the id of something that is not there yet.
    pub(super) fn planned_id(&self, change: &ResourceChange) -> Id {
        if change.address.len() <= ADDRESS_BYTES_MAX {
            return Id::new(&change.address);
        }
        let at = self.catalogue.changes.iter().position(|other| std::ptr::eq(other, change));
        Id::new(&format!("planned resource {}", at.unwrap_or_default()))
    }

    /// The id that a resource has after the change.
    pub(super) fn id_of(&self, change: &ResourceChange) -> Option<Id> {
        let text = |values: &Option<Body>| {
            values.as_ref().and_then(|values| values.get("id")?.as_str().map(Id::new))
        };
        let known = text(&change.change.after);
        if change.is_data() {
            let kind = kind_of(&change.kind);
            let name = change.change.after.as_ref().and_then(|after| after.get("name")?.as_str());
            return known.or_else(|| self.named(kind?, name?));
        }
        match known {
            Some(id) => Some(id),
            None if change.does("create") => Some(self.planned_id(change)),
            None => text(&change.change.before),
        }
    }

    /// The one object with a name, of the plan's project where there are several.
    pub(super) fn named(&self, kind: Kind, name: &str) -> Option<Id> {
        let all = self.cloud.ids(kind).into_iter().filter(|id| self.cloud.name_of(kind, id) == Some(name));
        let mut all: Vec<Id> = all.collect();
        if let (Some(project), Kind::SecurityGroup, true) = (self.project, kind, all.len() > 1) {
            all.retain(|id| {
                self.cloud.group(id).is_some_and(|group| group.project_id.as_ref() == Some(project))
            });
        }
        match all.len() {
            1 => all.pop(),
            _ => None,
        }
    }

    /// The object with an id or a name, that there is or that the plan makes.
    pub(super) fn id_or_named(&self, kind: Kind, word: &str) -> Option<Id> {
        let id = Id::new(word);
        if self.cloud.knows(kind, &id) {
            return Some(id);
        }
        let is_it = |change: &&ResourceChange| {
            let name = change.change.after.as_ref().and_then(|after| after.get("name")?.as_str());
            name == Some(word) && !change.is_data() && kind_of(&change.kind) == Some(kind)
        };
        let planned = self.catalogue.changes.iter().find(is_it).and_then(|change| self.id_of(change));
        planned.or_else(|| self.named(kind, word))
    }

    /// The id that a value names; of one that is not known and not set, none.
    pub(super) fn id(&mut self, subject: Subject<'_>, name: &str, wanted: Kind) -> Option<Id> {
        match subject.attribute(name) {
            Attribute::Known(value) => value.as_str().filter(|text| !text.is_empty()).map(Id::new),
            Attribute::Unset => None,
            Attribute::Unknown if subject.is_written(name) == Some(false) => None,
            Attribute::Unknown => {
                let ids = self.candidates(subject, name, wanted);
                self.first(ids, name, wanted)
            }
        }
    }

    /// The first of the ids that a value may be; that there are others is said.
    pub(super) fn first(&mut self, ids: Vec<Id>, name: &str, wanted: Kind) -> Option<Id> {
        if ids.len() > 1 {
            let text = format!(
                "which {} `{name}` is cannot be told; judged with the first of {}",
                wanted.singular(),
                ids.len()
            );
            self.note_open(text);
        }
        ids.into_iter().next()
    }

    /// The ids that an unknown value may be. Where references do not tell, all that the plan makes of its kind: an id that is not known
    /// yet is one of those. Ids that were known when the plan was made come behind them.
    pub(super) fn candidates(&mut self, subject: Subject<'_>, name: &str, wanted: Kind) -> Vec<Id> {
        let origins = subject.origins(&self.catalogue, name);
        self.candidates_of(subject, &origins, name, wanted)
    }

    /// Whether an unknown list may turn out to have no element.
    pub(super) fn may_be_empty(&self, subject: Subject<'_>, name: &str) -> bool {
        let origins = subject.origins(&self.catalogue, name);
        origins.open || origins.untold || origins.decided
    }

    /// The ids that the unknown elements of a list may be of which others are known: what was known when the plan was made is among
    /// those.
    pub(super) fn candidates_beside(&mut self, subject: Subject<'_>, name: &str, wanted: Kind) -> Vec<Id> {
        let mut origins = subject.origins(&self.catalogue, name);
        (origins.told, origins.untold) = (BTreeSet::new(), false);
        self.candidates_of(subject, &origins, name, wanted)
    }

    /// The ids that a value in the block at a place may be.
    pub(super) fn candidates_in_block(
        &mut self,
        subject: Subject<'_>,
        (name, at): (&str, usize),
        value: &str,
        wanted: Kind,
    ) -> Vec<Id> {
        let origins = subject.block_origins(&self.catalogue, name, at, value);
        self.candidates_of(subject, &origins, name, wanted)
    }

    fn candidates_of(
        &mut self,
        subject: Subject<'_>,
        origins: &Origins,
        name: &str,
        wanted: Kind,
    ) -> Vec<Id> {
        let found: Vec<Vec<Id>> =
            origins.changes.iter().map(|at| self.objects_at(origins, *at, wanted)).collect();
        // Elements that a resource is made for have values of several kinds: what is of none that is wanted is another value.
        let mut elements = origins.changes.iter().zip(&found).filter(|(at, _)| origins.of_each.contains(at));
        let has_element = elements.any(|(_, found)| !found.is_empty());
        let mut is_none = origins.changes.iter().zip(&found).filter(|(_, found)| found.is_empty());
        let mut is_open = origins.open
            || origins.untold
            || is_none.any(|(at, _)| !(has_element && origins.of_each.contains(at)));
        let mut ids: BTreeSet<Id> = found.into_iter().flatten().collect();
        let mut told = Vec::new();
        for text in &origins.told {
            match self.id_told(subject, text, wanted) {
                Some(id) => told.push((text, id)),
                None => is_open |= self.may_be_unknown(text),
            }
        }
        if subject.is_secret(name) {
            self.secrets.extend(told.iter().map(|(text, _)| (*text).clone()));
        }
        if !ids.is_empty() && is_open {
            let text = format!("`{name}` may be something else too, which the plan does not tell");
            self.note_open(text);
        }
        if ids.is_empty() {
            let made =
                self.catalogue.changes.iter().filter(|change| change.does("create") && !change.is_data());
            ids = made.flat_map(|change| self.objects_of(change, None, wanted)).collect();
            let kind = wanted.singular();
            match ids.len() {
                0 => self.note_open(format!("which {kind} `{name}` is cannot be told before it is made")),
                count => self.note(
                    NoteKind::Unknown,
                    format!(
                        "which {kind} `{name}` is cannot be told; judged as any of the {count} that the plan makes"
                    ),
                ),
            }
        }
        told.retain(|(_, id)| !ids.contains(id));
        if ids.len() + told.len() > CANDIDATES_MAX {
            let text =
                format!("`{name}` may be more than {CANDIDATES_MAX} objects, of which only those are judged");
            self.note(NoteKind::NotEvaluated, text);
        }
        ids.into_iter().chain(told.into_iter().map(|(_, id)| id)).take(CANDIDATES_MAX).collect()
    }

    /// The object that a text means which was known when the plan was made. Servers have their groups by name.
    fn id_told(&self, subject: Subject<'_>, text: &str, wanted: Kind) -> Option<Id> {
        let id = Id::new(text);
        if self.cloud.knows(wanted, &id) {
            return Some(id);
        }
        let by_name = subject.change.kind == INSTANCE;
        by_name.then(|| self.named(wanted, text)).flatten()
    }

    /// Whether a text may be the id of something that osel does not know.
    fn may_be_unknown(&self, text: &str) -> bool {
        let id = Id::new(text);
        is_like_an_id(text) && !Kind::ALL.iter().any(|kind| self.cloud.knows(*kind, &id))
    }

    /// The one object that a value is, if it is certain that it is one; nothing is said where it is not.
    pub(super) fn certain(&self, subject: Subject<'_>, name: &str, wanted: Kind) -> Option<Id> {
        let origins = subject.origins(&self.catalogue, name);
        if origins.open || origins.given || origins.untold {
            return None;
        }
        let found: Vec<Vec<Id>> =
            origins.changes.iter().map(|at| self.objects_at(&origins, *at, wanted)).collect();
        // What is no such object decides which one it is.
        let ids: BTreeSet<&Id> = found.iter().flatten().collect();
        ids.first().filter(|_| ids.len() == 1 && !found.iter().any(Vec::is_empty)).map(|id| (*id).clone())
    }

    /// The objects of a kind that one of the origins of a value is or makes.
    fn objects_at(&self, origins: &Origins, at: usize, wanted: Kind) -> Vec<Id> {
        self.objects_of(&self.catalogue.changes[at], origins.networks.get(&at), wanted)
    }

    /// The objects of a kind that a resource is or makes; of a server on the networks that are named.
    fn objects_of(
        &self,
        change: &ResourceChange,
        networks: Option<&BTreeSet<Option<usize>>>,
        wanted: Kind,
    ) -> Vec<Id> {
        if kind_of(&change.kind) == Some(wanted) {
            return self.id_of(change).into_iter().collect();
        }
        match (&*change.kind, wanted) {
            (INSTANCE, Kind::Port) => self.ports_of_instance(change, networks),
            _ => Vec::new(),
        }
    }
}

/// The kind of object that a type of resource is.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    TYPES.iter().find(|(known, _)| *known == name).and_then(|(_, kind)| *kind)
}
