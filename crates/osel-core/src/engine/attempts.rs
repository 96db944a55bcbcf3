//! Requests that began: Neutron says `.start` before it asks whether the caller may, and `.end` only when all went well.
//!
//! A start whose end does not come within [`ATTEMPT_SECONDS`] was denied or failed, and becomes a record of its own. Ends that come
//! before their starts are remembered as long, by event time alone: a tick that only forgot one would not be journaled, so that whoever
//! folds the journal would remember it still.
//!
//! Time passes for a request in two ways, and never by the mere reception of messages: what waited in a queue while osel was away
//! comes long after it was sent and all at once, and the end of a request waits behind its start. So messages let event time pass,
//! counted from the latest event time known when the start came (a sender's clock may be behind); and [`Input::Tick`], which the
//! loop gives when nothing waits to be read, lets the loop's clock pass.
//!
//! [`Input::Tick`]: super::Input::Tick

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::{Detail, RecordBody};
use crate::decode::Subject;
use crate::event::{Actor, Outcome, Target};
use crate::exposure::Judged;
use crate::ids::Id;
use crate::time::Timestamp;

/// How long, in event time or on the loop's clock, the end of a request is waited for. Neutron's calls take milliseconds to seconds; the
/// longest that was observed took 28 s, because the broker was away and Neutron waited for it.
pub const ATTEMPT_SECONDS: i64 = 30;
/// The most open requests; beyond it the oldest count as failed at once.
pub const ATTEMPTS_MAX: usize = 100_000;

/// The two halves of a request meet under this: its id and the event type without its phase.
pub(super) type Stem = (Option<Arc<str>>, Id, Arc<str>);

/// A half of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Start(Stem),
    End(Stem),
}

/// When it is over: as soon as event time or the loop's clock is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    event_time: Timestamp,
    clock: Timestamp,
}

/// An open request: what its record will say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Open {
    stem: Stem,
    time: Timestamp,
    deadline: Deadline,
    seq: u64,
    actor: OpenActor,
    target: Option<OpenTarget>,
    detail: Detail,
    personal: Detail,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OpenActor {
    user_id: Option<Id>,
    user_name: Option<Box<str>>,
    project_id: Option<Id>,
    project_name: Option<Box<str>>,
    address: Option<Box<str>>,
    agent: Option<Box<str>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OpenTarget {
    kind: Box<str>,
    id: Option<Id>,
    name: Option<Box<str>>,
    project_id: Option<Id>,
}

#[derive(Debug, Default)]
pub(super) struct Attempts {
    open: BTreeMap<Stem, Vec<Open>>,
    ended: BTreeMap<Stem, Deadline>,
    /// What waits, by the event time at which it is over; an end has the number 0.
    by_event_time: BTreeSet<(Timestamp, u64, Stem)>,
    /// The open requests, by the clock at which they are.
    by_clock: BTreeSet<(Timestamp, u64, Stem)>,
    /// The latest event time seen that was not after its own reception.
    event_time: Timestamp,
}

/// One line of the state, for snapshots.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptLine {
    /// A request without an end so far.
    Open(Box<Open>),
    /// An end without a start so far.
    Ended(Stem, Deadline),
    /// How far event time has come.
    EventTime(Timestamp),
}

impl Open {
    /// Forgets what is said of a person but the id; whether there was anything.
    pub(super) fn forget(&mut self, subject: &Subject) -> bool {
        let mut changed = false;
        let actor = &mut self.actor;
        if subject.is(actor.user_id.as_ref(), actor.user_name.as_deref(), actor.address.as_deref()) {
            changed |= actor.user_name.is_some() || actor.address.is_some() || actor.agent.is_some();
            (actor.user_name, actor.address, actor.agent) = (None, None, None);
        }
        let target = self.target.as_mut().filter(|target| &*target.kind == "user");
        if let Some(target) = target
            && subject.is(target.id.as_ref(), target.name.as_deref(), None)
        {
            changed |= target.name.take().is_some();
        }
        let has_role = self.detail.get("user").map(|id| Id::new(id));
        if has_role.is_some_and(|user| subject.is(Some(&user), None, None)) {
            changed |= !self.personal.is_empty();
            self.personal.clear();
        }
        changed
    }
}

impl Attempts {
    /// Takes a half of a request that `record`, with number `seq`, tells of.
    pub(super) fn note(&mut self, step: Step, record: &RecordBody, seq: u64, now: Timestamp) {
        self.pass(record, now);
        let deadline = Deadline {
            event_time: self.event_time.plus_seconds(ATTEMPT_SECONDS),
            clock: now.plus_seconds(ATTEMPT_SECONDS),
        };
        match step {
            Step::End(stem) => {
                if let Some(opened) = self.open.remove(&stem) {
                    for open in opened {
                        self.forget(open.deadline, open.seq, &open.stem);
                    }
                    return;
                }
                if let Some(before) = self.ended.insert(stem.clone(), deadline) {
                    self.forget(before, 0, &stem);
                }
                self.await_until(deadline, 0, &stem);
            }
            Step::Start(stem) if self.ended.contains_key(&stem) => {}
            Step::Start(stem) => {
                let actor = &record.actor;
                self.insert(Open {
                    stem,
                    time: record.time,
                    deadline,
                    seq,
                    actor: OpenActor {
                        user_id: actor.user_id.clone(),
                        user_name: actor.user_name.clone(),
                        project_id: actor.project_id.clone(),
                        project_name: actor.project_name.clone(),
                        address: actor.address.clone(),
                        agent: actor.agent.clone(),
                    },
                    target: record.target.as_ref().map(|target| OpenTarget {
                        kind: target.kind.as_ref().into(),
                        id: target.id.clone(),
                        name: target.name.clone(),
                        project_id: target.project_id.clone(),
                    }),
                    detail: record.detail.clone(),
                    personal: record.personal.clone(),
                });
            }
        }
    }

    /// Lets event time pass by a message, which cannot be later than its reception.
    pub(super) fn pass(&mut self, record: &RecordBody, now: Timestamp) {
        self.event_time = self.event_time.max(record.time.min(now));
    }

    fn insert(&mut self, open: Open) {
        self.await_until(open.deadline, open.seq, &open.stem);
        self.open.entry(open.stem.clone()).or_default().push(open);
    }

    fn await_until(&mut self, deadline: Deadline, seq: u64, stem: &Stem) {
        self.by_event_time.insert((deadline.event_time, seq, stem.clone()));
        if seq > 0 {
            self.by_clock.insert((deadline.clock, seq, stem.clone()));
        }
    }

    fn forget(&mut self, deadline: Deadline, seq: u64, stem: &Stem) {
        self.by_event_time.remove(&(deadline.event_time, seq, stem.clone()));
        self.by_clock.remove(&(deadline.clock, seq, stem.clone()));
    }

    /// Forgets what open requests have of a user but the id.
    pub(super) fn forget_user(&mut self, id: &Id) {
        let subject = Subject { user: Some(id.to_string()), ..Subject::default() };
        for open in self.open.values_mut().flatten() {
            open.forget(&subject);
        }
    }

    /// The records of the requests whose time is over: by event time, and where `idle` by the clock.
    pub(super) fn expire(&mut self, now: Timestamp, idle: bool) -> Vec<RecordBody> {
        let mut records = Vec::new();
        while let Some((_, seq, stem)) = self.next_over(now, idle) {
            if seq == 0 {
                if let Some(deadline) = self.ended.remove(&stem) {
                    self.forget(deadline, 0, &stem);
                }
                continue;
            }
            let Some(list) = self.open.get_mut(&stem) else { continue };
            let found = list.iter().position(|open| open.seq == seq).map(|at| list.swap_remove(at));
            if list.is_empty() {
                self.open.remove(&stem);
            }
            if let Some(open) = found {
                self.forget(open.deadline, seq, &stem);
                records.push(failed(open, now));
            }
        }
        records
    }

    /// Takes out the first whose time is over.
    fn next_over(&mut self, now: Timestamp, idle: bool) -> Option<(Timestamp, u64, Stem)> {
        let is_over = |first: Option<&(Timestamp, u64, Stem)>, reached: Timestamp| {
            first.is_some_and(|(deadline, ..)| *deadline < reached)
        };
        if is_over(self.by_event_time.first(), self.event_time) || self.by_event_time.len() > ATTEMPTS_MAX {
            return self.by_event_time.pop_first();
        }
        if idle && is_over(self.by_clock.first(), now) {
            return self.by_clock.pop_first();
        }
        None
    }

    /// Gives up the open requests of a region: their ends may be among the messages that were lost, so that nobody can say that they
    /// failed.
    pub(super) fn give_up(&mut self, region: Option<&Arc<str>>) {
        let given_up: Vec<Stem> =
            self.open.keys().filter(|(of, ..)| of.as_ref() == region).cloned().collect();
        for stem in given_up {
            for open in self.open.remove(&stem).into_iter().flatten() {
                self.forget(open.deadline, open.seq, &stem);
            }
        }
    }

    /// Whether any call waits for its end.
    pub(super) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// When the next one expires by the clock.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.by_clock.first().map(|(deadline, ..)| *deadline)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = AttemptLine> + '_ {
        let open = self.open.values().flatten().map(|open| AttemptLine::Open(Box::new(open.clone())));
        let ended = self.ended.iter().map(|(stem, deadline)| AttemptLine::Ended(stem.clone(), *deadline));
        open.chain(ended).chain([AttemptLine::EventTime(self.event_time)])
    }

    pub(super) fn restore(&mut self, line: AttemptLine) {
        match line {
            AttemptLine::Open(open) => self.insert(*open),
            AttemptLine::Ended(stem, deadline) => {
                self.await_until(deadline, 0, &stem);
                self.ended.insert(stem, deadline);
            }
            AttemptLine::EventTime(time) => self.event_time = time,
        }
    }
}

fn failed(open: Open, now: Timestamp) -> RecordBody {
    let Open { stem, time, seq, actor, target, mut detail, personal, .. } = open;
    detail.insert("note".into(), "denied or failed: the request began and never ended".to_owned());
    let (region, request_id, event) = stem;
    RecordBody {
        kind: crate::trail::RecordKind::Change,
        time,
        recorded_at: now,
        source: None,
        region,
        message_id: None,
        request_id: Some(request_id),
        event_type: Some((&*event).into()),
        outcome: Outcome::Failure,
        actor: Actor {
            user_id: actor.user_id,
            user_name: actor.user_name,
            user_domain_id: None,
            project_id: actor.project_id,
            project_name: actor.project_name,
            address: actor.address,
            agent: actor.agent,
        },
        target: target.map(|target| Target {
            kind: target.kind.into_string().into(),
            id: target.id,
            name: target.name,
            project_id: target.project_id,
        }),
        cause: Some(seq),
        conflicting: false,
        exposure: Judged::default(),
        wide: Vec::new(),
        detail,
        personal,
    }
}
