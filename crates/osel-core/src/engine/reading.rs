//! What the API showed, in pages, and what its silence means at the end.
//!
//! Objects of a page go through the same merge as events. When all pages of a kind have come, what none of them showed is gone,
//! unless a later event spoke of it. Pages belong to a run: what one showed is told of another's absences as little as a run that
//! broke off tells any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::{RecordBody, widen};
use super::{Engine, Output, Version, system_record};
use crate::event::{Kind, Object};
use crate::exposure::judge;
use crate::ids::Id;
use crate::model::Delta;
use crate::names::{NameKind, Origin};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// Tells one read of a region from every other; a later one has a greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// One read of a region from its first page to its end.
#[derive(Clone, Debug)]
pub struct ReadRun {
    /// Which one; none in a journal from before they were told apart by more than their time.
    pub id: Option<RunId>,
    /// The region that is read.
    pub region: Option<Arc<str>>,
    /// When the objects were as shown; where nobody says, the time that they count as of.
    pub at: Timestamp,
    /// Whether `at` is known: then it wins over whatever the bus said of an earlier time.
    pub exact: bool,
}

impl ReadRun {
    fn is(&self, other: &Self) -> bool {
        match (self.id, other.id) {
            (None, None) => (self.at, self.exact) == (other.at, other.exact),
            (one, other) => one == other,
        }
    }
}

/// Objects that a read showed.
#[derive(Debug)]
pub struct ReadPage {
    /// The read.
    pub run: ReadRun,
    /// The objects.
    pub objects: Vec<Object>,
}

/// A name that a read showed.
#[derive(Clone, Debug)]
pub struct Named {
    /// What it belongs to.
    pub kind: NameKind,
    /// Which one.
    pub id: Id,
    /// The name.
    pub name: Box<str>,
    /// When it was read.
    pub at: Timestamp,
}

/// The end of a read.
#[derive(Debug)]
pub struct ReadEnd {
    /// The read.
    pub run: ReadRun,
    /// The kinds that were shown as a whole.
    pub complete: Vec<Kind>,
    /// Where it came from, for the record: a file's name.
    pub origin: String,
}

/// A read that is under way.
#[derive(Debug)]
pub(super) struct Reading {
    run: ReadRun,
    shown: BTreeMap<Kind, BTreeSet<Id>>,
    /// What has changed so far, when that is worked out. Judged at the end: what a page opens a later one, or the absence of
    /// something, may close.
    changed: Delta,
    /// Whether there was a model before, so that differences mean something.
    judged: bool,
}

impl Engine {
    pub(super) fn learn_names(&mut self, now: Timestamp, names: &[Named]) {
        for named in names {
            self.names.learn(named.kind, &named.id, &named.name, named.at.min(now), Origin::Inventory);
        }
    }

    /// Whether a read is under way. What it has shown so far is not part of a snapshot: there must be none now.
    pub fn is_reading(&self) -> bool {
        !self.readings.is_empty()
    }

    /// The latest run of any region, 0 before the first: the next one's number is greater.
    pub fn last_run(&self) -> u64 {
        self.runs.values().map(|run| run.0).max().unwrap_or(0)
    }

    pub(super) fn page(&mut self, now: Timestamp, page: &ReadPage, out: &mut Output) {
        let ReadPage { run, objects } = page;
        let region = &run.region;
        let is_over = self.is_over(run);
        if !is_over {
            self.begin_reading(now, run, out);
        }
        let judged = match self.readings.get_mut(region) {
            Some(reading) if !is_over => {
                for object in objects {
                    if let Some(id) = object.id() {
                        reading.shown.entry(object.kind()).or_default().insert(id.clone());
                    }
                    if let Object::SecurityGroup(group) = object {
                        let rules = group.rules.iter().flatten().filter_map(|rule| rule.version.id.clone());
                        reading.shown.entry(Kind::Rule).or_default().extend(rules);
                    }
                }
                reading.judged
            }
            Some(reading) => reading.judged,
            None => true,
        };
        let delta = self.cloud_or_new(region.clone()).merge_read(now, run.at, run.exact, objects, judged);
        self.note_versions(region, &delta, out);
        if let Some(reading) = self.readings.get_mut(region) {
            reading.changed.append(delta);
        } else {
            // It was shown all the same, and the bus may say otherwise later; of what was not shown it says nothing.
            self.record_read(
                now,
                now,
                region.clone(),
                "inventory page after the end of its read".to_owned(),
                delta,
                out,
            );
        }
    }

    pub(super) fn read_end(&mut self, now: Timestamp, end: &ReadEnd, out: &mut Output) {
        let ReadEnd { run, complete, origin } = end;
        let region = &run.region;
        if self.is_over(run) {
            let text = format!(
                "inventory {origin} came to its end when another read had begun: what it did not show stays"
            );
            self.record_read(now, now, region.clone(), text, Delta::default(), out);
            return;
        }
        self.begin_reading(now, run, out);
        let Some(mut reading) = self.readings.remove(region) else { return };
        let nothing = BTreeSet::new();
        let mut counts = Vec::new();
        for &kind in complete {
            let shown = reading.shown.get(&kind).unwrap_or(&nothing);
            counts.push(format!("{} {}", shown.len(), kind.plural()));
            let cloud = self.cloud_or_new(region.clone());
            let delta = cloud.retain_read(now, run.at, run.exact, kind, shown, reading.judged);
            self.note_versions(region, &delta, out);
            reading.changed.append(delta);
        }
        let text = format!("inventory {origin} read: {}", counts.join(", "));
        let time = if run.exact { run.at } else { now };
        self.record_read(now, time, region.clone(), text, reading.changed.settled(), out);
    }

    /// Whether a run has ended, or another of its region has begun since.
    fn is_over(&self, run: &ReadRun) -> bool {
        let is_under_way = self.readings.get(&run.region).is_some_and(|reading| reading.run.is(run));
        !is_under_way && run.id.is_some_and(|id| self.runs.get(&run.region).is_some_and(|last| id <= *last))
    }

    /// Makes sure that this read is the one under way.
    fn begin_reading(&mut self, now: Timestamp, run: &ReadRun, out: &mut Output) {
        let region = &run.region;
        if self.readings.get(region).is_some_and(|reading| !reading.run.is(run))
            && let Some(broken_off) = self.readings.remove(region)
        {
            // That one never came to its end, and nothing can be said of what it did not show.
            let text = "inventory not read to its end".to_owned();
            self.record_read(now, now, region.clone(), text, broken_off.changed.settled(), out);
        }
        if let Some(id) = run.id {
            self.runs.insert(region.clone(), id);
        }
        let judged = self.cloud_or_new(region.clone()).count(Kind::Port) > 0;
        self.readings.entry(region.clone()).or_insert_with(|| Reading {
            run: run.clone(),
            shown: BTreeMap::new(),
            changed: Delta::default(),
            judged,
        });
    }

    /// Notes the versions of what a read changed. A page has no record of its own: the read's record, the next one, is where they show.
    fn note_versions(&self, region: &Option<Arc<str>>, delta: &Delta, out: &mut Output) {
        let Some(cloud) = self.clouds.get(region) else { return };
        let versions = delta.touched.iter().map(|(kind, id)| Version {
            seq: self.seq + 1,
            region: region.clone(),
            line: cloud.line(*kind, id),
        });
        out.versions.extend(versions);
    }

    /// Records what a read changed.
    fn record_read(
        &mut self,
        now: Timestamp,
        time: Timestamp,
        region: Option<Arc<str>>,
        text: String,
        changed: Delta,
        out: &mut Output,
    ) {
        let cloud = self.clouds.get(&region);
        let exposure = cloud.map(|cloud| judge(cloud, changed)).unwrap_or_default();
        // What is written down as a rule on many ports must be true of the model as it is at the end of the read.
        let wide = cloud.map(|cloud| widen(cloud, &exposure)).unwrap_or_default();
        let differs = !exposure.opened.is_empty() || !exposure.closed.is_empty();
        let kind = if differs { RecordKind::Drift } else { RecordKind::System };
        let record = RecordBody { region, exposure, wide, ..system_record(now, time, kind, text) };
        self.record(record, out);
    }
}
