//! A copy of the model on which the steps of a plan are performed.
//!
//! Everything goes through the merge of the model, as what an API shows and what events tell does. Each row that comes or goes is
//! remembered with the step that did it; what comes and goes again within the plan does neither.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use osel_core::decode::read_object;
use osel_core::event::{Actor, Change, Event, InterfaceChange, Outcome as EventOutcome};
use osel_core::exposure::judge;
use osel_core::ids::Id;
use osel_core::model::{CloudModel, Delta, Kind, Row, View};
use osel_core::time::Timestamp;
use serde_json::Value;

use super::error::PlanError;
use super::guide::NOT_ASKED;
use super::note::{Note, NoteKind};
use super::outcome::Outcome;
use super::place::Placeholders;
use super::step::{Act, Body, Interface, Planned, Step};

/// The model as it would be.
#[derive(Debug)]
pub struct Overlay {
    pub(super) cloud: CloudModel,
    /// The project of whoever carries the plan out.
    pub(super) project: Option<Id>,
    pub(super) places: Placeholders,
    /// Whether ports on networks that the plan has are filtered, where it says so.
    pub(super) port_security: BTreeMap<Id, bool>,
    /// Whether subnets that the plan makes are of IPv6, where it says so.
    pub(super) families: BTreeMap<Id, bool>,
    /// Whether every port on their network gets an address of them.
    pub(super) automatic: BTreeMap<Id, bool>,
    pub(super) notes: BTreeSet<Note>,
    /// Groups that stand for ones that are not known, which has been said.
    pub(super) assumed: BTreeSet<Id>,
    pub(super) taken_as_open: BTreeSet<Id>,
    /// New ports whose list of groups may turn out empty.
    pub(super) may_have_default: BTreeSet<Id>,
    in_order: bool,
    /// Keys of rows that must not be shown, by the object whose row it is.
    secret: BTreeMap<Id, Vec<&'static str>>,
    gone: BTreeSet<(Kind, Id)>,
    now: Timestamp,
    /// Later than anything that is known, and each step later than the one before: what the plan says counts.
    at: Timestamp,
    delta: Delta,
    opened: BTreeMap<ByExposure, usize>,
    closed: BTreeMap<ByExposure, usize>,
}

/// A row that is looked for by all its keys.
#[derive(Debug)]
pub(super) struct ByExposure(pub(super) Row);

impl Ord for ByExposure {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_exposure(&other.0)
    }
}

impl PartialOrd for ByExposure {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByExposure {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ByExposure {}

/// How long before the end of time the steps are performed: after everything that an event can claim, with room for all of them.
const STEPS_MICROS: i64 = 1 << 40;

impl Overlay {
    /// A plan of `project` for a cloud as it is at `now`.
    pub fn new(cloud: CloudModel, now: Timestamp, project: Option<Id>) -> Self {
        Self {
            cloud,
            project,
            places: Placeholders::default(),
            port_security: BTreeMap::new(),
            families: BTreeMap::new(),
            automatic: BTreeMap::new(),
            notes: BTreeSet::new(),
            assumed: BTreeSet::new(),
            taken_as_open: BTreeSet::new(),
            may_have_default: BTreeSet::new(),
            in_order: false,
            secret: BTreeMap::new(),
            gone: BTreeSet::new(),
            now,
            at: Timestamp::from_micros(Timestamp::MAX.micros() - STEPS_MICROS),
            delta: Delta::default(),
            opened: BTreeMap::new(),
            closed: BTreeMap::new(),
        }
    }

    /// Performs a plan and judges what came of it.
    ///
    /// # Errors
    /// When a part of it cannot be read, or Neutron would refuse it.
    pub fn perform(mut self, plan: Planned) -> Result<Outcome, PlanError> {
        self.notes.extend(plan.notes);
        (self.in_order, self.taken_as_open) = (plan.in_order, plan.taken_as_open);
        self.may_have_default = plan.may_have_default;
        self.port_security.extend(plan.port_security);
        for (number, step) in plan.steps.iter().enumerate() {
            for act in &step.acts {
                let (guide, opens_ways) = (self.guide(act), self.opens_ways(act));
                let delta = self.act(step, act)?;
                self.take(number, delta);
                if opens_ways || guide.is_some() && self.guide(act) != guide {
                    self.note(NoteKind::NotEvaluated, step, NOT_ASKED);
                }
            }
        }
        self.note_gaps();
        self.note_groups_in_use();
        let judged = judge(&self.cloud, self.delta.settled());
        let mut outcome = Outcome {
            cloud: self.cloud,
            places: self.places,
            secret: self.secret,
            notes: self.notes.into_iter().collect(),
            secrets: plan.secrets,
            ..Outcome::of(judged, plan.steps, &self.opened, &self.closed)
        };
        outcome.find_ways();
        outcome.hide_secrets_in_notes();
        Ok(outcome)
    }

    fn take(&mut self, number: usize, delta: Delta) {
        self.opened.extend(delta.opened.iter().map(|row| (ByExposure(row.clone()), number)));
        self.closed.extend(delta.closed.iter().map(|row| (ByExposure(row.clone()), number)));
        self.delta.append(delta);
    }

    /// Groups that ports have and that nobody described, neither the model nor the plan.
    fn note_gaps(&mut self) {
        for gap in &self.delta.gaps {
            let (port, group) = (&gap.port_id, &gap.security_group_id);
            if !self.cloud.knows(Kind::SecurityGroup, group) && !self.assumed.contains(group) {
                let text = format!("port {port} has security group {group}, whose rules osel does not know");
                self.notes.insert(Note::of_plan(NoteKind::NotKnown, text));
            }
        }
    }

    /// Groups that go while ports have them still, in a plan whose order is not told.
    fn note_groups_in_use(&mut self) {
        let groups = self.gone.iter().filter(|(kind, _)| *kind == Kind::SecurityGroup);
        for (_, group) in groups {
            if let Some(port) = self.cloud.port_of_group(group) {
                let text = format!(
                    "port {port} has security group {group} still, which goes: Neutron refuses that; judged as if it could"
                );
                self.notes.insert(Note::of_plan(NoteKind::Unknown, text));
            }
        }
    }

    pub(super) fn note(&mut self, kind: NoteKind, step: &Step, text: impl Into<String>) {
        self.notes.insert(Note::of(kind, &step.resource, text));
    }

    /// Notes what stands in no row and may be open to anybody.
    pub(super) fn note_open(&mut self, step: &Step, text: impl Into<String>) {
        self.notes.insert(Note::of_open(&step.resource, text));
    }

    fn act(&mut self, step: &Step, act: &Act) -> Result<Delta, PlanError> {
        self.at = Timestamp::from_micros(self.at.micros() + 1);
        match act {
            Act::Create { kind, id, body, secret } => {
                self.places.add_id(id.clone(), &step.resource);
                self.gone.remove(&(*kind, id.clone()));
                self.hide(id, secret);
                let mut body = body.clone();
                self.fill_new(step, *kind, id, &mut body)?;
                let mut delta = self.tell(step, *kind, id, body)?;
                match kind {
                    Kind::Forwarding => delta.append(self.route_forwarding(step, id)?),
                    Kind::Subnet => delta.append(self.give_addresses(step, id)?),
                    _ => {}
                }
                Ok(delta)
            }
            Act::Update { kind, id, body, secret } => {
                if *kind == Kind::Rule {
                    return Err(PlanError::request(
                        &step.resource,
                        "Neutron changes no rule; delete it and make another",
                    ));
                }
                self.expect(step, *kind, id);
                self.hide(id, secret);
                let mut body = body.clone();
                self.fill_change(step, *kind, id, &mut body)?;
                self.tell(step, *kind, id, body)
            }
            Act::Delete { kind, id } => {
                if !self.gone.insert((*kind, id.clone())) {
                    return Ok(Delta::default());
                }
                self.expect(step, *kind, id);
                if let (true, Kind::SecurityGroup, Some(port)) =
                    (self.in_order, kind, self.cloud.port_of_group(id))
                {
                    let why = format!("port {port} has security group {id}, and Neutron deletes none in use");
                    return Err(PlanError::request(&step.resource, why));
                }
                Ok(self.event(Change::Deleted { kind: *kind, id: id.clone(), last: None }))
            }
            Act::Attach(interface) => Ok(self.attach(step, interface)),
            Act::Detach(interface) => Ok(self.detach(step, interface)),
            Act::Addresses { group, add, remove } => self.change_addresses(step, group, add, remove),
            Act::Groups { port, add, remove } => self.change_groups(step, port, add, remove),
            Act::Associate { address, body } => {
                let mut found = self.cloud.floating_ips_at(*address);
                found.sort_unstable_by(|one, other| one.id.cmp(&other.id));
                let Some(id) = found.first().map(|floating| floating.id.clone()) else {
                    self.note(NoteKind::NotKnown, step, "osel knows no floating IP with this address");
                    return Ok(Delta::default());
                };
                let mut body = body.clone();
                self.fill_change(step, Kind::FloatingIp, &id, &mut body)?;
                self.tell(step, Kind::FloatingIp, &id, body)
            }
        }
    }

    fn hide(&mut self, id: &Id, secret: &[&'static str]) {
        if !secret.is_empty() {
            self.secret.entry(id.clone()).or_default().extend(secret);
        }
    }

    /// Says so when the plan speaks of something that is not there.
    fn expect(&mut self, step: &Step, kind: Kind, id: &Id) {
        if !self.cloud.knows(kind, id) {
            // What went with something else that the plan deletes is no surprise.
            let known_before =
                self.delta.touched.iter().any(|(touched, other)| *touched == kind && other == id);
            if !known_before {
                self.note(NoteKind::NotKnown, step, format!("osel does not know {} {id}", kind.singular()));
            }
        }
    }

    /// Merges an object as the API would show it afterwards.
    pub(super) fn tell(
        &mut self,
        step: &Step,
        kind: Kind,
        id: &Id,
        mut body: Body,
    ) -> Result<Delta, PlanError> {
        body.insert("id".to_owned(), id.to_string().into());
        let text = Value::Object(body).to_string();
        let object = read_object(kind, text.as_bytes()).map_err(|source| PlanError::Object {
            at: step.resource.to_string(),
            kind: kind.singular(),
            source,
        })?;
        Ok(self.cloud.merge_read(self.now, self.at, true, &[object], true))
    }

    /// What the bus would tell.
    fn event(&mut self, change: Change) -> Delta {
        let event = Event {
            message_id: None,
            event_type: Box::default(),
            publisher: None,
            timestamp: self.at,
            request_id: None,
            actor: Actor::default(),
            target: None,
            outcome: EventOutcome::Success,
            change,
        };
        self.cloud.apply(self.now, &event)
    }

    fn attach(&mut self, step: &Step, interface: &Interface) -> Delta {
        let port = match &interface.port {
            Some(port) => port.clone(),
            None => {
                let port = Id::new(&format!("{}/port", step.resource));
                self.places.add_id(port.clone(), &step.resource);
                port
            }
        };
        let network = self.network_of(interface);
        if network.is_none() {
            self.note(NoteKind::NotKnown, step, "osel does not know on which network this interface is");
            return Delta::default();
        }
        self.event(Change::Interface(InterfaceChange {
            attached: true,
            router_id: interface.router.clone(),
            port_id: port,
            network_id: network,
            subnet_ids: interface.subnet.iter().cloned().collect(),
            project_id: None,
        }))
    }

    /// The network on which an interface is.
    pub(super) fn network_of(&self, interface: &Interface) -> Option<Id> {
        let by_subnet = interface.subnet.as_ref().and_then(|subnet| self.cloud.subnet(subnet));
        let by_port = interface.port.as_ref().and_then(|port| self.cloud.port_slot(port));
        by_subnet
            .and_then(|subnet| subnet.network_id.clone())
            .or_else(|| self.cloud.port(by_port?).network_id.clone())
    }

    fn detach(&mut self, step: &Step, interface: &Interface) -> Delta {
        let port = interface.port.clone().or_else(|| self.interface_on(interface));
        let Some(port) = port else {
            self.note(NoteKind::NotKnown, step, "osel knows no such interface of this router");
            return Delta::default();
        };
        self.event(Change::Deleted { kind: Kind::Port, id: port, last: None })
    }

    /// The port by which a router stands on a subnet; one that is told without addresses, by its network.
    fn interface_on(&self, interface: &Interface) -> Option<Id> {
        let subnet = interface.subnet.as_ref()?;
        let network = self.cloud.subnet(subnet).and_then(|subnet| subnet.network_id.as_ref());
        let slots = self.cloud.interfaces_of(&interface.router);
        let ports: Vec<_> = slots.into_iter().map(|slot| self.cloud.port(slot)).collect();
        let on_subnet = ports
            .iter()
            .find(|port| port.fixed_ips.iter().any(|fixed| fixed.subnet_id.as_ref() == Some(subnet)));
        let on_network = || {
            ports.iter().find(|port| {
                port.fixed_ips.is_empty() && network.is_some() && port.network_id.as_ref() == network
            })
        };
        on_subnet.or_else(on_network).map(|port| port.id.clone())
    }

    fn change_addresses(
        &mut self,
        step: &Step,
        group: &Id,
        add: &[Value],
        remove: &[Value],
    ) -> Result<Delta, PlanError> {
        self.expect(step, Kind::AddressGroup, group);
        let read = |values: &[Value]| {
            let body = Body::from_iter([
                ("id".to_owned(), group.to_string().into()),
                ("addresses".to_owned(), values.to_vec().into()),
            ]);
            let text = Value::Object(body).to_string();
            let object = read_object(Kind::AddressGroup, text.as_bytes());
            object.map_err(|source| PlanError::Object {
                at: step.resource.to_string(),
                kind: Kind::AddressGroup.singular(),
                source,
            })
        };
        // Both are read as addresses first, so that one spelling of an address takes away another.
        let (mut all, removed) = (read(add)?, read(remove)?);
        let known = self.cloud.address_group(group).unwrap_or_default().to_vec();
        if let (
            osel_core::event::Object::AddressGroup(all),
            osel_core::event::Object::AddressGroup(removed),
        ) = (&mut all, removed)
        {
            let mut addresses: BTreeSet<_> =
                known.into_iter().chain(all.addresses.take().unwrap_or_default()).collect();
            removed.addresses.iter().flatten().for_each(|address| {
                addresses.remove(address);
            });
            all.addresses = Some(addresses.into_iter().collect());
        }
        Ok(self.cloud.merge_read(self.now, self.at, true, &[all], true))
    }

    fn change_groups(
        &mut self,
        step: &Step,
        port: &Id,
        add: &[Id],
        remove: &[Id],
    ) -> Result<Delta, PlanError> {
        self.expect(step, Kind::Port, port);
        let slot = self.cloud.port_slot(port);
        let mut groups: BTreeSet<Id> = slot
            .map(|slot| self.cloud.port(slot).security_groups.to_vec())
            .unwrap_or_default()
            .into_iter()
            .collect();
        groups.extend(add.iter().cloned());
        groups.retain(|group| add.contains(group) || !remove.contains(group));
        let groups: Vec<Value> = groups.iter().map(|group| group.to_string().into()).collect();
        self.tell(step, Kind::Port, port, Body::from_iter([("security_groups".to_owned(), groups.into())]))
    }
}
