//! Whatever happens beside reads, folding what was written down gives the engine that wrote it, and a whole read gives the truth: of what
//! did not change since, no message that comes later and is older takes anything back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::{Listener, at, run};
use crate::decode::{decode, read_object};
use crate::engine::{Engine, EngineOptions, Input, Look, Looked, Output, ReadEnd, ReadPage, ReadRun};
use crate::event::{Kind, Object, Properties, RawMessage};
use crate::ids::Id;
use crate::model::StateLine;

const PORTS: usize = 5;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A port is made or renamed, with or without a message, which may come late.
    Set { port: usize, name: u8, told_after: Option<usize> },
    /// A port is deleted, with or without a message.
    Delete { port: usize, is_told: bool },
    /// The next page of the read under way, or the first of a new one.
    Page,
    /// The end of it.
    End,
    /// It does not come to its end.
    Break,
    /// One port is looked at.
    Look { port: usize },
    /// So much time passes that no clock can be so far behind.
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let port = 0..PORTS;
    prop_oneof![
        4 => (port.clone(), 0..4_u8, proptest::option::of(0..4_usize))
            .prop_map(|(port, name, told_after)| Step::Set { port, name, told_after }),
        2 => (port.clone(), any::<bool>()).prop_map(|(port, is_told)| Step::Delete { port, is_told }),
        4 => Just(Step::Page),
        2 => Just(Step::End),
        1 => Just(Step::Break),
        1 => port.prop_map(|port| Step::Look { port }),
        1 => Just(Step::Wait),
    ]
}

/// The truth: of each slot the incarnation, the name, the revision. A deleted port's id does not come back.
type Truth = BTreeMap<usize, (usize, u8, u64)>;

/// Ids with names, in order.
type Ports = Vec<(String, String)>;

#[derive(Default)]
struct World {
    live: Engine,
    folded: Engine,
    truth: Truth,
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
    reading: Option<(ReadRun, usize)>,
    runs: u64,
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

    fn object(&self, slot: usize) -> Option<Object> {
        let (incarnation, name, revision) = self.truth.get(&slot)?;
        let fields =
            json!({"id": id(slot, *incarnation), "name": format!("n{name}"), "revision_number": revision});
        Some(read_object(Kind::Port, fields.to_string().as_bytes()).unwrap())
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
        assert!(!self.live.is_closing());
    }

    fn page(&mut self) {
        if self.reading.is_none() {
            self.runs += 1;
            self.reading = Some((run(Some(self.runs), "north", self.second), 0));
        }
        let Some((run, next)) = &mut self.reading else { return };
        let (run, slot) = (run.clone(), *next);
        *next += 1;
        let objects = self.object(slot).into_iter().collect();
        self.read(Input::Page(ReadPage { run, objects, lines: Vec::new() }));
    }

    fn end(&mut self) {
        // Only when all was shown.
        while self.reading.as_ref().is_some_and(|(_, next)| *next < PORTS) {
            self.page();
        }
        if let Some((run, _)) = self.reading.take() {
            self.read_at = (run.at.micros() - at(0).micros()) / 1_000_000;
            let end = ReadEnd {
                run,
                complete: vec![Kind::Port],
                has_all_assignments: false,
                origin: "test".to_owned(),
            };
            self.read(Input::ReadEnd(end));
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
                self.truth.insert(port, (incarnation, name, revision + 1));
                self.changed.insert(port, self.second);
                self.last.insert(port, incarnation);
                let fields = json!({"id": id(port, incarnation), "name": format!("n{name}"), "revision_number": revision + 1});
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
            Step::Page => self.page(),
            Step::End if self.reading.is_some() => self.end(),
            Step::End => {}
            Step::Break => {
                if let Some((run, _)) = self.reading.take() {
                    self.read(Input::ReadBroken(run));
                }
            }
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
            self.object(slot).into_iter().filter(|object| object.id() == Some(&wanted)).collect();
        let absent = if objects.is_empty() { vec![(Kind::Port, wanted)] } else { Vec::new() };
        let (region, at) = (Some("north".into()), at(self.second));
        self.read(Input::Looked(Looked { region, at, cause: None, objects, lines: Vec::new(), absent }));
    }

    /// The ports that are known and those that there are, of the slots that did not change since a time.
    fn compare(&self, since: i64) -> (Ports, Ports) {
        let is_meant = |slot: &usize| self.changed.get(slot).is_none_or(|changed| *changed < since);
        let slots: Vec<String> = (0..PORTS).filter(is_meant).map(|slot| format!("p{slot}-")).collect();
        let lines = self.live.clouds().flat_map(|cloud| cloud.lines());
        let known = lines.filter_map(|line| match line {
            StateLine::Port(port) => Some((port.id.to_string(), port.name.to_string())),
            _ => None,
        });
        let truth = self
            .truth
            .iter()
            .map(|(slot, (incarnation, name, _))| (id(*slot, *incarnation), format!("n{name}")));
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

proptest! {
    #[test]
    fn folding_differences_gives_the_same_engine(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::default();
        for step in &steps {
            world.take(step);
            prop_assert_eq!(lines(&world.live), lines(&world.folded));
            let (known, truth) = world.compare(world.read_at);
            prop_assert_eq!(known, truth, "what was read at {}", world.read_at);
        }
        // After all messages have come, a whole read shows how it is.
        for (_, raw) in std::mem::take(&mut world.late) {
            world.hear(&raw);
        }
        world.second += 100;
        world.end();
        world.page();
        world.end();
        prop_assert_eq!(lines(&world.live), lines(&world.folded));
        let (known, truth) = world.compare(i64::MAX);
        prop_assert_eq!(known, truth);
        // Another process that goes on from a snapshot is the same.
        let mut listener = Listener::with(EngineOptions::default());
        std::mem::swap(&mut listener.engine, &mut world.live);
        let before = lines(&listener.engine);
        listener.restart();
        prop_assert_eq!(lines(&listener.engine), before);
    }
}
