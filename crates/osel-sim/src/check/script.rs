//! What arrives at the engine, in order: messages, pages of the API's answers, time.

use std::collections::BTreeSet;
use std::sync::Arc;

use osel_core::decode::{read_assignment, read_named, read_object};
use osel_core::engine::{ATTEMPT_SECONDS, Named, RunId};
use osel_core::event::{Assignment, Kind, Object, Properties, RawMessage};
use osel_core::names::NameKind;
use osel_core::time::Timestamp;
use serde_json::Value;

use super::failure::Failure;
use super::plan::Plan;
use super::world::{Snapshot, World};
use crate::cloud::Message;
use crate::random::Random;
use crate::schedule::Schedule;

/// How many objects a page has: few, so that small clouds have several.
const PAGE_OBJECTS: usize = 40;

/// One input, before decoding.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) at: Timestamp,
    pub(super) what: What,
}

/// What arrives.
#[derive(Clone, Debug)]
pub(super) enum What {
    Message(RawMessage),
    /// Objects and names that the API showed, as of the time.
    Page(RunId, Arc<Page>),
    /// The end of a read of these kinds.
    ReadEnd(RunId, Timestamp, Vec<Kind>),
    /// The process is killed in the middle of a read, and another one goes on from what is durable.
    Killed,
    Tick,
}

/// A page of the API's answers.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) taken_at: Timestamp,
    pub(super) objects: Vec<Object>,
    pub(super) names: Vec<Named>,
    pub(super) assignments: Vec<Assignment>,
}

/// All that arrives in one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    pub(super) arrivals: Vec<Arrival>,
    /// Up to here everything came from the bus, except for the reads before the last.
    pub(super) before_last_read: usize,
    /// Up to here the last read.
    pub(super) after_last_read: usize,
    /// The messages that came at all, without repetitions; forged and broken ones are not among them.
    pub(super) heard: Vec<Message>,
    pub(super) lost: Vec<Message>,
    /// The bodies that were cut short. What is cut to the same bytes again is a repetition, whenever it arrives.
    pub(super) broken: BTreeSet<Vec<u8>>,
    /// How many copies have another content under a known id.
    pub(super) forged: usize,
}

/// The reads of a world, parsed once for all its scripts.
#[derive(Clone, Debug)]
pub(super) struct Reads {
    first: Option<Read>,
    middle: Option<Read>,
    /// The same once more, by the process that goes on after one was killed.
    again: Option<Read>,
    last: Read,
}

#[derive(Clone, Debug)]
struct Read {
    run: RunId,
    taken_at: Timestamp,
    pages: Vec<Arc<Page>>,
    complete: Vec<Kind>,
}

impl Reads {
    pub(super) fn parse(world: &World) -> Result<Self, Failure> {
        let parse = |run: u64, snapshot: &Option<Snapshot>| {
            snapshot.as_ref().map(|snapshot| Read::parse(RunId(run), snapshot)).transpose()
        };
        Ok(Self {
            first: parse(1, &world.first)?,
            middle: parse(2, &world.middle)?,
            again: parse(3, &world.middle)?,
            last: Read::parse(RunId(4), &world.last)?,
        })
    }
}

impl Read {
    fn parse(run: RunId, snapshot: &Snapshot) -> Result<Self, Failure> {
        let failed = |error| Failure::new("inventory", error);
        let taken_at = Timestamp::from_micros(snapshot.taken_at);
        let mut objects = Vec::new();
        let mut complete = Vec::new();
        let listed = |collection: &str| snapshot.state[collection].as_array();
        for kind in Kind::ALL {
            let Some(list) = listed(kind.plural()) else { continue };
            complete.push(kind);
            for object in list {
                objects.push(read_object(kind, object.to_string().as_bytes()).map_err(failed)?);
            }
        }
        let mut names = Vec::new();
        for kind in NameKind::ALL {
            for one in listed(&format!("{}s", kind.as_str())).into_iter().flatten() {
                let (id, name, _) = read_named(one.to_string().as_bytes()).map_err(failed)?;
                names.extend(name.map(|name| Named { kind, id, name, at: taken_at }));
            }
        }
        let mut pages: Vec<Page> = Vec::new();
        for objects in objects.chunks(PAGE_OBJECTS) {
            pages.push(Page {
                taken_at,
                objects: objects.to_vec(),
                names: Vec::new(),
                assignments: Vec::new(),
            });
        }
        let shown = listed(Assignment::PLURAL).into_iter().flatten();
        let assignments = shown.map(|one| read_assignment(one.to_string().as_bytes()).map_err(failed));
        let assignments = assignments.collect::<Result<Vec<_>, _>>()?;
        pages.push(Page { taken_at, objects: Vec::new(), names, assignments });
        Ok(Self { run, taken_at, pages: pages.into_iter().map(Arc::new).collect(), complete })
    }

    fn arrivals(&self, at: Timestamp) -> impl Iterator<Item = Arrival> + '_ {
        self.parts().map(move |what| Arrival { at, what })
    }

    /// Its pages and its end.
    fn parts(&self) -> impl Iterator<Item = What> + '_ {
        let pages = self.pages.iter().map(move |page| What::Page(self.run, Arc::clone(page)));
        pages.chain([What::ReadEnd(self.run, self.taken_at, self.complete.clone())])
    }
}

impl Script {
    /// What arrives when the messages go through this schedule.
    pub(super) fn write(
        plan: &Plan,
        schedule: &Schedule,
        world: &World,
        reads: &Reads,
        random: &mut Random,
    ) -> Self {
        let is_plan = schedule.seed == plan.schedule.seed;
        let mut script = Self::default();
        let delivered = schedule.deliver(world.sent.clone());
        script.lost = delivered.dropped;
        let mut on_time = Vec::new();
        let mut late = Vec::new();
        let mut heard = BTreeSet::new();
        let back = if is_plan { plan.away_seconds * 1_000_000 } else { 0 };
        let back = delivered.messages.first().map_or(0, |(at, _)| at + back);
        for (place, (at, message)) in delivered.messages.into_iter().enumerate() {
            let at = at.max(back + place as i64);
            if heard.insert(text(&message, "message_id").to_owned()) {
                script.heard.push(message.clone());
            }
            let held_back = is_plan && random.percent(plan.hold_back_percent);
            let to = if held_back { &mut late } else { &mut on_time };
            if is_plan && plan.noise {
                script.add_noise(at, &message, plan, to, random);
            }
            to.push((at, raw(plan, &message, message.body().into_bytes(), at)));
        }
        if let Some(first) = &reads.first {
            script.arrivals.extend(first.arrivals(first.taken_at));
        }
        script.add_messages(on_time, plan, reads, random);
        script.before_last_read = script.arrivals.len();

        let now = script.now().max(reads.last.taken_at);
        script.arrivals.extend(reads.last.arrivals(now));
        script.after_last_read = script.arrivals.len();
        let shift = now.micros();
        script.arrivals.extend(late.into_iter().map(|(at, mut raw)| {
            let at = Timestamp::from_micros(shift.max(at));
            raw.received_at = at;
            Arrival { at, what: What::Message(raw) }
        }));
        let end = script.now().plus_seconds(2 * ATTEMPT_SECONDS);
        script.arrivals.push(Arrival { at: end, what: What::Tick });
        script
    }

    /// The time of the last arrival.
    fn now(&self) -> Timestamp {
        self.arrivals.last().map_or(Timestamp::EPOCH, |arrival| arrival.at)
    }

    fn add_messages(
        &mut self,
        messages: Vec<(i64, RawMessage)>,
        plan: &Plan,
        reads: &Reads,
        random: &mut Random,
    ) {
        let read = reads.middle.as_ref();
        let count = messages.len();
        let earliest =
            |read: &Read| messages.iter().position(|(at, _)| *at >= read.taken_at.micros()).unwrap_or(count);
        // An answer comes when it was given, or some time later.
        let mut parts: Vec<(usize, What)> = Vec::new();
        if let Some(read) = read {
            let earliest = earliest(read);
            let mut place = earliest + random.index(count - earliest + 1);
            spread(&mut parts, read, &mut place, plan, count, random);
            if plan.read_breaks_off || plan.read_is_killed {
                parts.truncate(random.index(parts.len()));
            }
            if let (true, Some(again)) = (plan.read_is_killed, &reads.again) {
                place = parts.last().map_or(place, |(place, _)| *place);
                parts.push((place, What::Killed));
                spread(&mut parts, again, &mut place, plan, count, random);
            }
        }
        let mut parts = parts.into_iter().peekable();
        let mut last = self.now();
        for (place, (at, raw)) in messages.into_iter().enumerate() {
            let at = Timestamp::from_micros(at).max(last);
            while let Some((_, what)) = parts.next_if(|(wanted, _)| *wanted == place) {
                self.arrivals.push(Arrival { at, what });
            }
            if random.percent(3) {
                self.arrivals.push(Arrival { at, what: What::Tick });
            }
            self.arrivals.push(Arrival { at, what: What::Message(raw) });
            last = at;
        }
        if let Some(read) = read {
            let at = last.max(read.taken_at);
            self.arrivals.extend(parts.map(|(_, what)| Arrival { at, what }));
        }
    }

    /// Now and then a body that was cut short, or one with a known id and another content.
    fn add_noise(
        &mut self,
        at: i64,
        message: &Message,
        plan: &Plan,
        to: &mut Vec<(i64, RawMessage)>,
        random: &mut Random,
    ) {
        if random.percent(2) {
            let mut body = message.body().into_bytes();
            body.truncate(random.between(1, body.len() as u64 - 1) as usize);
            self.broken.insert(body.clone());
            to.push((at, raw(plan, message, body, at)));
        }
        let is_start =
            message.notification["event_type"].as_str().is_some_and(|name| name.ends_with(".start"));
        if random.percent(2) && !is_start {
            let mut forged = message.clone();
            forged.notification["_context_forged"] = self.forged.into();
            self.forged += 1;
            to.push((at, raw(plan, &forged, forged.body().into_bytes(), at)));
        }
    }
}

/// Adds the parts of a read from a place on, with messages between them where the plan says so.
fn spread(
    parts: &mut Vec<(usize, What)>,
    read: &Read,
    place: &mut usize,
    plan: &Plan,
    count: usize,
    random: &mut Random,
) {
    for part in read.parts() {
        parts.push((*place, part));
        if plan.read_is_spread {
            *place = count.min(*place + random.index(4));
        }
    }
}

/// A text of a notification.
pub(super) fn text<'a>(message: &'a Message, key: &str) -> &'a str {
    message.notification[key].as_str().unwrap_or("")
}

/// Every text in a value, at any depth.
pub(super) fn texts<'a>(value: &'a Value, each: &mut impl FnMut(&'a str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(all) => all.iter().for_each(|one| texts(one, each)),
        Value::Object(fields) => fields.values().for_each(|one| texts(one, each)),
        _ => {}
    }
}

fn raw(plan: &Plan, message: &Message, body: Vec<u8>, at: i64) -> RawMessage {
    RawMessage {
        source: Arc::from(message.exchange),
        region: plan.region.map(Arc::from),
        exchange: message.exchange.into(),
        routing_key: format!("{}.info", message.topic).into(),
        redelivered: message.redelivered,
        received_at: Timestamp::from_micros(at),
        properties: Properties::default(),
        body,
    }
}
