//! The cloud's memory and clock, and how a call becomes notifications.
//!
//! Objects are kept as an administrator's API shows them, with what only a deletion shows beside (see
//! [`super::shape`]). What belongs together is put together when it is shown: a group's rules, a network's
//! subnets, a floating IP's port.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::release::Release;
use super::shape::{self, View};
use super::wire::{Actor, Message, Wire, object, second_time};
use crate::random::Random;

/// 2026-11-21T00:00:00Z: when the simulated cloud is switched on.
const SWITCHED_ON: i64 = 1_795_219_200_000_000;

/// At most so many later notifications overtake one that a slow worker sends.
const OVERTAKEN_BY: u64 = 20;

/// Everything the APIs list, in the order of [`Cloud::state`].
const COLLECTIONS: [&str; 17] = [
    "address_groups",
    "domains",
    "floatingips",
    "groups",
    "networks",
    "ports",
    "projects",
    "rbac_policies",
    "role_assignments",
    "roles",
    "routers",
    "security_group_rules",
    "security_groups",
    "subnets",
    "trunks",
    "users",
    "subnetpools",
];

/// What a simulated cloud is made from.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// The release whose shapes it sends.
    pub release: Release,
    /// The seed of all chance.
    pub seed: u64,
    /// How many projects there are at the start.
    pub projects: usize,
    /// Whether things happen of which Neutron sends nothing (address groups' members, forwardings, default
    /// groups).
    pub silent: bool,
    /// Whether several API workers send late, with bodies older or newer than their own change.
    pub racing: bool,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self { release: Release::TwentyTwentySix, seed: 1, projects: 3, silent: false, racing: false }
    }
}

/// A simulated cloud.
pub struct Cloud {
    pub(super) options: CloudOptions,
    pub(super) random: Random,
    pub(super) actors: Vec<Actor>,
    /// Addresses handed out per subnet, so that each is new until the subnet is worn out.
    pub(super) handed_out: BTreeMap<String, u64>,
    pub(super) made: u64,
    now: i64,
    objects: BTreeMap<&'static str, BTreeMap<String, Value>>,
    wire: Wire,
    sent: Vec<Message>,
    late: Vec<Late>,
}

/// What the APIs answered a call: the ids of what was made, or nothing when it was refused.
pub(super) type Made = Option<Vec<String>>;

/// A call that was let in.
pub(super) struct Request {
    pub(super) id: String,
    pub(super) actor: Actor,
    pub(super) resource: &'static str,
    pub(super) verb: &'static str,
}

/// A notification that a slow worker has yet to send.
struct Late {
    after: u64,
    request: Request,
    collection: &'static str,
    ids: Vec<String>,
    bulk: bool,
    /// The body as it was when the call was done; read again when sent where there is none.
    bodies: Option<Vec<Value>>,
}

impl Cloud {
    /// A cloud with an external network, its projects and their default groups.
    pub fn new(options: CloudOptions) -> Self {
        let mut random = Random::new(options.seed);
        let wire = Wire::new(options.release, random.fork(1));
        let objects = COLLECTIONS.into_iter().map(|collection| (collection, BTreeMap::new())).collect();
        let mut cloud = Self {
            options,
            random,
            actors: Vec::new(),
            handed_out: BTreeMap::new(),
            made: 0,
            now: SWITCHED_ON,
            objects,
            wire,
            sent: Vec::new(),
            late: Vec::new(),
        };
        cloud.set_up();
        cloud
    }

    /// The truth: every object as the APIs of the release show it to an administrator.
    pub fn state(&self) -> Value {
        let mut state = Map::new();
        for (collection, objects) in &self.objects {
            if shape::exists(self.options.release, collection) {
                let shown =
                    objects.keys().filter_map(|id| self.shown(collection, id, View::Listed)).collect();
                state.insert((*collection).to_owned(), Value::Array(shown));
            }
        }
        Value::Object(state)
    }

    /// The truth as `osel inventory import` takes it.
    pub fn inventory(&self) -> Value {
        let mut state = self.state();
        state["taken_at"] = json!(super::wire::offset_time(self.now));
        state
    }

    /// What was sent since the last time, in the order of sending. Slow workers may still hold something
    /// back.
    pub fn drain(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.sent)
    }

    /// Lets slow workers send what they held back.
    pub fn settle(&mut self) {
        for late in std::mem::take(&mut self.late) {
            self.send_late(late);
        }
    }

    /// The cloud's time, in microseconds since 1970.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Everybody who calls the APIs; the first is the administrator.
    pub fn actors(&self) -> &[Actor] {
        &self.actors
    }

    /// Lets up to that many milliseconds pass.
    pub(super) fn wait(&mut self, milliseconds: u64) {
        self.now += 1 + self.random.below(milliseconds * 1000).cast_signed();
    }

    /// A call comes in and is announced; whether it will be refused is not known yet.
    pub(super) fn call(
        &mut self,
        actor: &Actor,
        resource: &'static str,
        verb: &'static str,
        payload: Value,
    ) -> Request {
        let request = self.silent_call(actor, resource, verb);
        self.send(&request, "start", payload);
        request
    }

    /// A call of a kind that Neutron does not announce.
    pub(super) fn silent_call(
        &mut self,
        actor: &Actor,
        resource: &'static str,
        verb: &'static str,
    ) -> Request {
        self.wait(400);
        Request { id: format!("req-{}", self.random.uuid()), actor: actor.clone(), resource, verb }
    }

    /// The call made or changed the objects; the answer is sent, now or later.
    pub(super) fn done(
        &mut self,
        request: Request,
        collection: &'static str,
        ids: &[String],
        bulk: bool,
    ) -> Made {
        let overtaken = self.options.racing && self.random.percent(25);
        if overtaken {
            let stale = self.random.percent(50) && self.options.release.has_revision(collection);
            let bodies = stale.then(|| self.bodies(&request, collection, ids));
            let after = self.random.between(1, OVERTAKEN_BY);
            self.late.push(Late { after, request, collection, ids: ids.to_vec(), bulk, bodies });
        } else {
            let bodies = self.bodies(&request, collection, ids);
            self.send_bodies(&request, collection, bodies, bulk);
        }
        Some(ids.to_vec())
    }

    /// The call deleted the object, which looked like this.
    pub(super) fn deleted(&mut self, request: &Request, id: &str, body: Value) -> Made {
        let mut payload = Map::new();
        payload.insert(format!("{}_id", request.resource), id.into());
        if self.options.release.is_modern() {
            payload.insert(request.resource.to_owned(), body);
        }
        self.send(request, "end", Value::Object(payload));
        Some(vec![id.to_owned()])
    }

    /// Sends one notification of a call: `RESOURCE.VERB.PHASE`, or without a phase where there is only one.
    pub(super) fn send(&mut self, request: &Request, phase: &str, payload: Value) {
        self.wait(15);
        let dot = if phase.is_empty() { "" } else { "." };
        let event_type = format!("{}.{}{dot}{phase}", request.resource, request.verb);
        let message = self.wire.neutron(self.now, &request.actor, &request.id, &event_type, payload);
        self.sent.push(message);
        self.let_workers_go_on();
    }

    /// Sends a notification of Keystone.
    pub(super) fn send_identity(&mut self, event_type: &str, payload: Value) {
        self.wait(15);
        let message = self.wire.keystone(self.now, event_type, payload);
        self.sent.push(message);
    }

    /// Takes in a new object; gives it the fields that every object has.
    pub(super) fn insert(&mut self, collection: &'static str, mut fields: Value) -> String {
        let id = fields["id"].as_str().map_or_else(|| self.random.uuid(), str::to_owned);
        self.made += 1;
        let time = second_time(self.now);
        let mut common = object(json!({
            "id": id, "created_at": time, "updated_at": time, "description": "", "tags": [],
            "standard_attr_id": self.made, "revision_number": 0,
        }));
        if let Some(project) = fields["project_id"].as_str() {
            common.insert("tenant_id".to_owned(), project.into());
        }
        if let Some(fields) = fields.as_object_mut() {
            common.append(fields);
        }
        self.objects.entry(collection).or_default().insert(id.clone(), Value::Object(common));
        id
    }

    /// Changes fields of an object; its revision grows.
    pub(super) fn change(&mut self, collection: &'static str, id: &str, changes: Value) {
        let time = second_time(self.now);
        let Some(found) = self.objects.get_mut(collection).and_then(|all| all.get_mut(id)) else { return };
        for (key, value) in object(changes) {
            found[key] = value;
        }
        let revision = found["revision_number"].as_u64().unwrap_or(0) + 1;
        found["revision_number"] = revision.into();
        found["updated_at"] = time.into();
    }

    /// Lets the revision of an object grow because of something beside it.
    pub(super) fn touch(&mut self, collection: &'static str, id: &str) {
        self.change(collection, id, json!({}));
    }

    pub(super) fn remove(&mut self, collection: &'static str, id: &str) {
        if let Some(all) = self.objects.get_mut(collection) {
            all.remove(id);
        }
    }

    pub(super) fn get(&self, collection: &str, id: &str) -> Option<&Value> {
        self.objects.get(collection)?.get(id)
    }

    /// A text of an object, empty where it has none.
    pub(super) fn field(&self, collection: &str, id: &str, key: &str) -> String {
        self.get(collection, id).and_then(|found| found[key].as_str()).unwrap_or("").to_owned()
    }

    /// The ids of the objects that are as wanted.
    pub(super) fn ids(&self, collection: &str, wanted: impl Fn(&Value) -> bool) -> Vec<String> {
        let all = self.objects.get(collection).into_iter().flatten();
        all.filter(|(_, found)| wanted(found)).map(|(id, _)| id.clone()).collect()
    }

    /// One of the objects that are as wanted.
    pub(super) fn any(&mut self, collection: &str, wanted: impl Fn(&Value) -> bool) -> Option<String> {
        let ids = self.ids(collection, wanted);
        self.random.pick(&ids).cloned()
    }

    /// An object put together with what belongs to it and cut to what is visible.
    pub(super) fn shown(&self, collection: &str, id: &str, view: View) -> Option<Value> {
        let mut found = self.get(collection, id)?.clone();
        let release = self.options.release;
        match collection {
            "security_groups" => {
                let rules = self.ids("security_group_rules", |rule| rule["security_group_id"] == id);
                let rules = rules.iter().filter_map(|rule| self.get("security_group_rules", rule));
                let rules: Vec<_> = rules.map(|rule| shape::inner_rule(release, rule)).collect();
                found["security_group_rules"] = json!(rules);
            }
            "networks" => found["subnets"] = json!(self.ids("subnets", |subnet| subnet["network_id"] == id)),
            "subnets" => {
                let network = found["network_id"].as_str().and_then(|network| self.get("networks", network));
                found["router:external"] =
                    network.map_or(Value::Null, |network| network["router:external"].clone());
            }
            "floatingips" => {
                let port = found["port_id"].as_str().and_then(|port| self.get("ports", port));
                found["port_details"] = port.map_or(Value::Null, shape::port_details);
            }
            _ => {}
        }
        Some(shape::cut(release, collection, found, view))
    }

    fn bodies(&self, request: &Request, collection: &str, ids: &[String]) -> Vec<Value> {
        let view = if request.verb == "create" {
            View::Created { admin: request.actor.is_admin }
        } else {
            View::Updated { admin: request.actor.is_admin }
        };
        ids.iter().filter_map(|id| self.shown(collection, id, view)).collect()
    }

    fn send_bodies(&mut self, request: &Request, collection: &str, mut bodies: Vec<Value>, bulk: bool) {
        let mut payload = Map::new();
        if bulk {
            payload.insert(collection.to_owned(), Value::Array(bodies));
        } else if let Some(body) = bodies.pop() {
            payload.insert(request.resource.to_owned(), body);
        } else {
            // Deleted before the slow worker read it: that call ends as an error, without `.end`.
            return;
        }
        self.send(request, "end", Value::Object(payload));
    }

    fn let_workers_go_on(&mut self) {
        for late in &mut self.late {
            late.after = late.after.saturating_sub(1);
        }
        if let Some(at) = self.late.iter().position(|late| late.after == 0) {
            let late = self.late.remove(at);
            self.send_late(late);
        }
    }

    fn send_late(&mut self, late: Late) {
        let bodies = late.bodies.unwrap_or_else(|| self.bodies(&late.request, late.collection, &late.ids));
        if !bodies.is_empty() {
            self.send_bodies(&late.request, late.collection, bodies, late.bulk);
        }
    }
}
