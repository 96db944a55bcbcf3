//! Requests that began: Neutron says `.start` before it asks whether the caller may, and `.end` only when all went well.
//!
//! A start whose end does not come within [`ATTEMPT_SECONDS`] was denied or failed, and becomes a record of its own. Ends that come
//! before their starts are remembered as long.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::record::{Detail, RecordBody};
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
pub(super) type Stem = (Option<std::sync::Arc<str>>, Id, Box<str>);

/// A half of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Start(Stem),
    End(Stem),
}

/// An open request: what its record will say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Open {
    stem: Stem,
    time: Timestamp,
    expires: Timestamp,
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
    ended: BTreeMap<Stem, Timestamp>,
    by_expiry: BTreeSet<(Timestamp, u64, Stem)>,
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
    Ended(Stem, Timestamp),
    /// How far event time has come.
    EventTime(Timestamp),
}

impl Attempts {
    /// Takes a half of a request that `record`, with number `seq`, tells of.
    pub(super) fn note(&mut self, step: Step, record: &RecordBody, seq: u64, now: Timestamp) {
        self.event_time = self.event_time.max(record.time.min(now));
        match step {
            Step::End(stem) => {
                if let Some(opened) = self.open.remove(&stem) {
                    for open in opened {
                        self.by_expiry.remove(&(open.expires, open.seq, open.stem));
                    }
                    return;
                }
                let expires = now.plus_seconds(ATTEMPT_SECONDS);
                self.by_expiry.insert((expires, 0, stem.clone()));
                if let Some(before) = self.ended.insert(stem.clone(), expires)
                    && before != expires
                {
                    self.by_expiry.remove(&(before, 0, stem));
                }
            }
            Step::Start(stem) if self.ended.contains_key(&stem) => {}
            Step::Start(stem) => {
                let actor = &record.actor;
                self.insert(Open {
                    stem,
                    time: record.time,
                    expires: record.time.min(now).plus_seconds(ATTEMPT_SECONDS).max(now),
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

    fn insert(&mut self, open: Open) {
        self.by_expiry.insert((open.expires, open.seq, open.stem.clone()));
        self.open.entry(open.stem.clone()).or_default().push(open);
    }

    /// The records of the requests whose time is over.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<RecordBody> {
        let reached = now.max(self.event_time);
        let mut records = Vec::new();
        while let Some((expires, ..)) = self.by_expiry.first() {
            if *expires >= reached && self.by_expiry.len() <= ATTEMPTS_MAX {
                break;
            }
            let Some((_, seq, stem)) = self.by_expiry.pop_first() else { break };
            if seq == 0 {
                self.ended.remove(&stem);
                continue;
            }
            let Some(list) = self.open.get_mut(&stem) else { continue };
            if let Some(at) = list.iter().position(|open| open.seq == seq) {
                records.push(failed(list.swap_remove(at), now));
            }
            if list.is_empty() {
                self.open.remove(&stem);
            }
        }
        records
    }

    /// When the next one expires.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.by_expiry.first().map(|(expires, ..)| *expires)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = AttemptLine> + '_ {
        let open = self.open.values().flatten().map(|open| AttemptLine::Open(Box::new(open.clone())));
        let ended = self.ended.iter().map(|(stem, expires)| AttemptLine::Ended(stem.clone(), *expires));
        open.chain(ended).chain([AttemptLine::EventTime(self.event_time)])
    }

    pub(super) fn restore(&mut self, line: AttemptLine) {
        match line {
            AttemptLine::Open(open) => self.insert(*open),
            AttemptLine::Ended(stem, expires) => {
                self.by_expiry.insert((expires, 0, stem.clone()));
                self.ended.insert(stem, expires);
            }
            AttemptLine::EventTime(time) => self.event_time = time,
        }
    }
}

fn failed(open: Open, now: Timestamp) -> RecordBody {
    let Open { stem, time, seq, actor, target, mut detail, personal, .. } = open;
    detail.insert("note".to_owned(), "denied or failed: the request began and never ended".to_owned());
    let (region, request_id, event) = stem;
    RecordBody {
        kind: crate::trail::RecordKind::Change,
        time,
        recorded_at: now,
        source: None,
        region,
        message_id: None,
        request_id: Some(request_id),
        event_type: Some(event),
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
