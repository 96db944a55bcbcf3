//! Whatever happens beside reads and between their steps, folding what was written down gives the engine that wrote it, and a whole read
//! gives the truth: of what did not change since, no message and no page that comes later and is older takes anything back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::{Listener, at, run};
use crate::decode::{decode, read_object};
use crate::engine::{
    Engine, EngineOptions, Input, Look, Looked, MERGED_MAX, Output, ReadEnd, ReadPage, ReadRun,
};
use crate::event::{Kind, Object, Properties, RawMessage};
use crate::ids::Id;
use crate::model::StateLine;

/// Slots of one port each. The one after them is a slot of [`MANY`].
const PORTS: usize = 5;
/// As many as do not go into one step of a read, and come, change and go in silence all at once.
const MANY: usize = MERGED_MAX + 6;
/// Reads that are over, of which pages may still come.
const OLDER: usize = 2;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A port is made or renamed, with or without a message, which may come late.
    Set { port: usize, name: u8, told_after: Option<usize> },
    /// A port is deleted, with or without a message.
    Delete { port: usize, is_told: bool },
    /// Very many ports come, get another name, or go, in silence.
    Many { name: Option<u8> },
    /// The next page of the read under way, or the first of a new one.
    Page,
    /// The first page of a new read, whatever was under way.
    Another,
    /// The end of it.
    End,
    /// One step towards the end of a read.
    ReadOn,
    /// It does not come to its end.
    Break,
    /// A page of a read that is over, as the cloud was when that began, or its end.
    Late { read: usize, slot: Option<usize> },
    /// One port is looked at.
    Look { port: usize },
    /// So much time passes that no clock can be so far behind.
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let port = 0..PORTS;
    let late = prop_oneof![5 => Just(Some(PORTS)), 4 => port.clone().prop_map(Some), 1 => Just(None)];
    prop_oneof![
        4 => (port.clone(), 0..2_u8, proptest::option::of(0..4_usize))
            .prop_map(|(port, name, told_after)| Step::Set { port, name, told_after }),
        2 => (port.clone(), any::<bool>()).prop_map(|(port, is_told)| Step::Delete { port, is_told }),
        3 => proptest::option::weighted(0.9, 0..2_u8).prop_map(|name| Step::Many { name }),
        4 => Just(Step::Page),
        3 => Just(Step::Another),
        3 => Just(Step::End),
        5 => Just(Step::ReadOn),
        1 => Just(Step::Break),
        4 => (0..OLDER, late).prop_map(|(read, slot)| Step::Late { read, slot }),
        1 => port.prop_map(|port| Step::Look { port }),
        1 => Just(Step::Wait),
    ]
}

/// The truth: of each slot the incarnation, the name, the revision. A deleted port's id does not come back.
type Truth = BTreeMap<usize, (usize, u8, u64)>;

/// A read, with how each slot was when it began.
type Older = (ReadRun, Vec<Vec<Object>>);

/// Ids with names, in order.
type Ports = Vec<(String, String)>;

#[derive(Default)]
struct World {
    live: Engine,
    folded: Engine,
    truth: Truth,
    /// The ports of the last slot: how often they were made anew, their name and revision.
    many: Option<(usize, u8, u64)>,
    /// When each slot changed last.
    changed: BTreeMap<usize, i64>,
    /// The last port of each slot.
    last: BTreeMap<usize, usize>,
    /// When the last read began that came to its end.
    read_at: i64,
    /// Objects that are to be looked at.
    looks: Vec<Look>,
    born: usize,
    second: i64,
    /// Messages on their way, each with how many steps it still takes.
    late: Vec<(usize, RawMessage)>,
    /// With the number of its pages.
    reading: Option<(Older, usize)>,
    /// The read whose end the engine works on.
    closing: Option<ReadRun>,
    older: Vec<Older>,
    runs: u64,
}

fn ended(run: ReadRun) -> ReadEnd {
    ReadEnd { run, complete: vec![Kind::Port], has_all_assignments: false, origin: "test".to_owned() }
}

fn id(slot: usize, incarnation: usize) -> String {
    format!("p{slot}-{incarnation}")
}

impl World {
    fn message(&self, event_type: &str, payload: &serde_json::Value) -> RawMessage {
        let sent = at(self.second);
        let body = json!({
            "message_id": format!("m{}", self.second), "event_type": event_type, "publisher_id": "network.ctl1",
            "priority": "INFO", "timestamp": sent.to_string().trim_end_matches('Z'), "payload": payload,
        });
        RawMessage {
            source: "bus".into(),
            region: Some("north".into()),
            exchange: "neutron".into(),
            routing_key: "notifications.info".into(),
            redelivered: false,
            received_at: sent,
            properties: Properties::default(),
            body: body.to_string().into_bytes(),
        }
    }

    /// How the ports of a slot are: their ids, their name and their revision.
    fn shown(&self, slot: usize) -> Vec<(String, String, u64)> {
        let (made, (_, name, revision)) = match (slot, self.truth.get(&slot), self.many) {
            (PORTS, _, Some(many)) => ((0..MANY).map(|number| many.0 * 1_000 + number).collect(), many),
            (_, Some(port), _) => (vec![port.0], *port),
            _ => return Vec::new(),
        };
        made.into_iter().map(|number| (id(slot, number), format!("n{name}"), revision)).collect()
    }

    fn objects(&self, slot: usize) -> Vec<Object> {
        let ports = self.shown(slot).into_iter().map(|(id, name, revision)| {
            let fields = json!({"id": id, "name": name, "revision_number": revision});
            read_object(Kind::Port, fields.to_string().as_bytes()).unwrap()
        });
        ports.collect()
    }

    fn hear(&mut self, raw: &RawMessage) {
        let now = at(self.second);
        let mut out = Output::default();
        self.live.handle(now, Input::Message(raw, decode(raw)), &mut out);
        self.looks.append(&mut out.looks);
        if let Some(part) = out.differences {
            self.folded.handle(now, Input::Differences(part), &mut Output::default());
        }
        self.folded.handle(now, Input::Message(raw, decode(raw)), &mut Output::default());
    }

    /// A part of a read: the other engine is told what would be in the journal.
    fn read(&mut self, input: Input<'_>) {
        let now = at(self.second);
        let mut out = Output::default();
        self.live.handle(now, input, &mut out);
        self.looks.append(&mut out.looks);
        if let Some(part) = out.differences {
            self.folded.handle(now, Input::Differences(part), &mut Output::default());
        }
        if let Some(run) = self.closing.take_if(|_| !self.live.is_closing()) {
            self.read_at = (run.at.micros() - at(0).micros()) / 1_000_000;
        }
    }

    /// The read under way is over; pages of it may still come.
    fn is_over(&mut self) -> Option<ReadRun> {
        let (older, _) = self.reading.take()?;
        let run = older.0.clone();
        self.older.insert(0, older);
        self.older.truncate(OLDER);
        Some(run)
    }

    fn page(&mut self) {
        if self.reading.is_none() {
            // If one is at its end, it is broken off.
            self.closing = None;
            self.runs += 1;
            let shows = (0..=PORTS).map(|slot| self.objects(slot)).collect();
            self.reading = Some(((run(Some(self.runs), "north", self.second), shows), 0));
        }
        let Some(((run, _), pages)) = &mut self.reading else { return };
        let run = run.clone();
        *pages += 1;
        // Some reads begin with the last slot and some with the first, so that a page of one may be late that another has shown.
        let nth = *pages - 1;
        let slot = if self.runs % 2 == 1 { PORTS.checked_sub(nth) } else { Some(nth) };
        let slot = slot.filter(|slot| *slot <= PORTS);
        let objects = slot.map_or_else(Vec::new, |slot| self.objects(slot));
        self.read(Input::Page(ReadPage { run, objects, lines: Vec::new() }));
    }

    fn end(&mut self) {
        // Only when all was shown.
        while self.reading.as_ref().is_some_and(|(_, pages)| *pages <= PORTS) {
            self.page();
        }
        if let Some(run) = self.is_over() {
            self.closing = Some(run.clone());
            self.read(Input::ReadEnd(ended(run)));
        }
    }

    fn break_off(&mut self) {
        if let Some(run) = self.is_over().or_else(|| self.closing.take()) {
            self.read(Input::ReadBroken(run));
        }
    }

    fn late(&mut self, read: usize, slot: Option<usize>) {
        let Some((run, shows)) = self.older.get(read) else { return };
        let run = run.clone();
        // Until its end is through, its pages are its own.
        if self.closing.as_ref().is_some_and(|closing| closing.id == run.id) {
            return;
        }
        let input = match slot {
            Some(slot) => Input::Page(ReadPage { run, objects: shows[slot].clone(), lines: Vec::new() }),
            None => Input::ReadEnd(ended(run)),
        };
        self.read(input);
    }

    fn finish(&mut self) {
        while self.live.is_closing() {
            self.read(Input::ReadOn);
        }
    }

    fn take(&mut self, step: &Step) {
        self.second += 1;
        for (left, _) in &mut self.late {
            *left = left.saturating_sub(1);
        }
        while let Some(due) = self.late.iter().position(|(left, _)| *left == 0) {
            let (_, raw) = self.late.remove(due);
            self.hear(&raw);
        }
        match *step {
            Step::Set { port, name, told_after } => {
                let (incarnation, _, revision) = self.truth.get(&port).copied().unwrap_or_else(|| {
                    self.born += 1;
                    (self.born, 0, 0)
                });
                // Some changes move no revision on, and those are silent.
                let revision = revision + u64::from(told_after.is_some() || revision == 0);
                self.truth.insert(port, (incarnation, name, revision));
                self.changed.insert(port, self.second);
                self.last.insert(port, incarnation);
                let fields = json!({"id": id(port, incarnation), "name": format!("n{name}"), "revision_number": revision});
                let raw = self.message("port.update.end", &json!({"port": fields}));
                match told_after {
                    Some(0) => self.hear(&raw),
                    Some(steps) => self.late.push((steps, raw)),
                    None => {}
                }
            }
            Step::Delete { port, is_told } => {
                self.changed.insert(port, self.second);
                if let Some((incarnation, ..)) = self.truth.remove(&port)
                    && is_told
                {
                    let raw = self.message("port.delete.end", &json!({"port_id": id(port, incarnation)}));
                    self.hear(&raw);
                }
            }
            Step::Many { name } => {
                self.changed.insert(PORTS, self.second);
                self.many = match (name, self.many) {
                    (Some(name), Some((made, ..))) => Some((made, name, 1)),
                    (Some(name), None) => {
                        self.born += 1;
                        Some((self.born, name, 1))
                    }
                    (None, _) => None,
                };
            }
            Step::Page => self.page(),
            Step::Another => {
                self.is_over();
                self.page();
            }
            Step::End if self.reading.is_some() => self.end(),
            Step::End => {}
            Step::ReadOn => self.read(Input::ReadOn),
            Step::Break => self.break_off(),
            Step::Late { read, slot } => self.late(read, slot),
            Step::Look { port } => self.look(port),
            Step::Wait => self.second += 100,
        }
        for look in std::mem::take(&mut self.looks) {
            let slot = look.id.to_string()[1..].split('-').next().and_then(|slot| slot.parse().ok()).unwrap();
            self.look_at(slot, look.id);
        }
    }

    fn look(&mut self, port: usize) {
        if let Some(last) = self.last.get(&port) {
            self.look_at(port, Id::new(&id(port, *last)));
        }
    }

    fn look_at(&mut self, slot: usize, wanted: Id) {
        let objects: Vec<Object> =
            self.objects(slot).into_iter().filter(|object| object.id() == Some(&wanted)).collect();
        let absent = if objects.is_empty() { vec![(Kind::Port, wanted)] } else { Vec::new() };
        let (region, at) = (Some("north".into()), at(self.second));
        self.read(Input::Looked(Looked { region, at, cause: None, objects, lines: Vec::new(), absent }));
    }

    /// The ports that are known and those that there are, of the slots that did not change since a time.
    fn compare(&self, since: i64) -> (Ports, Ports) {
        let is_meant = |slot: &usize| self.changed.get(slot).is_none_or(|changed| *changed < since);
        let slots: Vec<String> = (0..=PORTS).filter(is_meant).map(|slot| format!("p{slot}-")).collect();
        let lines = self.live.clouds().flat_map(|cloud| cloud.lines());
        let known = lines.filter_map(|line| match line {
            StateLine::Port(port) => Some((port.id.to_string(), port.name.to_string())),
            _ => None,
        });
        let truth = (0..=PORTS).flat_map(|slot| self.shown(slot)).map(|(id, name, _)| (id, name));
        let meant = |ports: &mut dyn Iterator<Item = (String, String)>| {
            let mut ports: Ports =
                ports.filter(|(id, _)| slots.iter().any(|slot| id.starts_with(slot))).collect();
            ports.sort();
            ports
        };
        let (mut known, mut truth) = (known, truth);
        (meant(&mut known), meant(&mut truth))
    }
}

fn lines(engine: &Engine) -> Vec<String> {
    engine.lines().map(|line| serde_json::to_string(&line).unwrap()).collect()
}

/// Takes the steps, and looks after each of them and in the end whether all is as it should be; after every fourth also whether both engines
/// are the same line by line, which takes long.
fn play(steps: &[Step]) {
    let mut world = World::default();
    for (number, step) in steps.iter().enumerate() {
        world.take(step);
        if number % 4 == 0 {
            assert_eq!(lines(&world.live), lines(&world.folded));
        }
        let (known, truth) = world.compare(world.read_at);
        assert_eq!(known, truth, "what was read at {}", world.read_at);
    }
    // After all messages have come, a whole read shows how it is.
    for (_, raw) in std::mem::take(&mut world.late) {
        world.hear(&raw);
    }
    world.second += 100;
    world.end();
    world.finish();
    world.page();
    world.end();
    world.finish();
    assert_eq!(lines(&world.live), lines(&world.folded));
    let (known, truth) = world.compare(i64::MAX);
    assert_eq!(known, truth);
    // Another process that goes on from a snapshot is the same.
    let mut listener = Listener::with(EngineOptions::default());
    std::mem::swap(&mut listener.engine, &mut world.live);
    let before = lines(&listener.engine);
    listener.restart();
    assert_eq!(lines(&listener.engine), before);
}

proptest! {
    #[test]
    fn folding_differences_gives_the_same_engine(steps in proptest::collection::vec(step(), 1..60)) {
        play(&steps);
    }
}

/// What chance seldom comes upon: something changes and changes back, and what an older read has to say of it comes late.
#[test]
fn what_changed_and_changed_back_is_as_the_newer_read_has_shown_it() {
    let (first, other) = (|| Step::Many { name: Some(0) }, || Step::Many { name: Some(1) });
    let late = || Step::Late { read: 0, slot: Some(PORTS) };
    let begin = || vec![first(), Step::Page, Step::End, other(), Step::Another];
    let ends = || std::iter::once(Step::End).chain((0..9).map(|_| Step::ReadOn));
    // A page of it; what is left of it; a page of it between the steps of the newer one's end.
    play(&[begin(), vec![first(), Step::Another, late()], ends().collect()].concat());
    play(&[begin(), vec![Step::Another, first(), Step::Another], ends().collect()].concat());
    let between = ends().flat_map(|step| [step, late()]).collect();
    play(&[begin(), vec![first(), Step::Another], between].concat());
}
