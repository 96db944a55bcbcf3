//! What the API showed, in pages, and what its silence means at the end.
//!
//! Objects of a page go through the same merge as events. When all pages of a kind have come, what none of them showed is gone,
//! unless a later event spoke of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::record::{RecordBody, widen};
use super::{Engine, Output, Version, system_record};
use crate::event::{Kind, Object};
use crate::exposure::judge;
use crate::ids::Id;
use crate::model::Delta;
use crate::names::{NameKind, Origin};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// Objects that a read showed.
#[derive(Debug)]
pub struct ReadPage {
    /// The region that was read.
    pub region: Option<Arc<str>>,
    /// When the objects were as shown; where nobody says, the time that they count as of.
    pub at: Timestamp,
    /// Whether `at` is known: then it wins over whatever the bus said of an earlier time.
    pub exact: bool,
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
    /// The region that was read.
    pub region: Option<Arc<str>>,
    /// As for [`ReadPage`].
    pub at: Timestamp,
    /// As for [`ReadPage`].
    pub exact: bool,
    /// The kinds that were shown as a whole.
    pub complete: Vec<Kind>,
    /// Where it came from, for the record: a file's name.
    pub origin: String,
}

/// A read that is under way.
#[derive(Debug)]
pub(super) struct Reading {
    at: Timestamp,
    exact: bool,
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

    pub(super) fn page(&mut self, now: Timestamp, page: &ReadPage, out: &mut Output) {
        let region = page.region.clone();
        self.begin_reading(now, &region, page.at, page.exact, out);
        let Some(reading) = self.readings.get_mut(&region) else { return };
        let Some(cloud) = self.clouds.get_mut(&region) else { return };
        for object in &page.objects {
            if let Some(id) = object.id() {
                reading.shown.entry(object.kind()).or_default().insert(id.clone());
            }
            if let Object::SecurityGroup(group) = object {
                let rules = group.rules.iter().flatten().filter_map(|rule| rule.version.id.clone());
                reading.shown.entry(Kind::Rule).or_default().extend(rules);
            }
        }
        let delta = cloud.merge_read(now, page.at, page.exact, &page.objects, reading.judged);
        for (kind, id) in &delta.touched {
            // A page has no record of its own: the read's record, the next one, is where its versions show.
            out.versions.push(Version {
                seq: self.seq + 1,
                region: region.clone(),
                line: cloud.line(*kind, id),
            });
        }
        reading.changed.append(delta);
    }

    pub(super) fn read_end(&mut self, now: Timestamp, end: &ReadEnd, out: &mut Output) {
        self.begin_reading(now, &end.region, end.at, end.exact, out);
        let Some(reading) = self.readings.get_mut(&end.region) else { return };
        let Some(cloud) = self.clouds.get_mut(&end.region) else { return };
        let nothing = BTreeSet::new();
        let mut counts = Vec::new();
        for &kind in &end.complete {
            let shown = reading.shown.get(&kind).unwrap_or(&nothing);
            counts.push(format!("{} {}", shown.len(), kind.plural()));
            let delta = cloud.retain_read(now, end.at, end.exact, kind, shown, reading.judged);
            for (kind, id) in &delta.touched {
                let line = cloud.line(*kind, id);
                out.versions.push(Version { seq: self.seq + 1, region: end.region.clone(), line });
            }
            reading.changed.append(delta);
        }
        let text = format!("inventory {} read: {}", end.origin, counts.join(", "));
        let time = if end.exact { end.at } else { now };
        self.end_reading(now, time, end.region.clone(), text, out);
    }

    /// Makes sure that this read is the one under way.
    fn begin_reading(
        &mut self,
        now: Timestamp,
        region: &Option<Arc<str>>,
        at: Timestamp,
        exact: bool,
        out: &mut Output,
    ) {
        let is_another = |reading: &Reading| (reading.at, reading.exact) != (at, exact);
        if self.readings.get(region).is_some_and(is_another) {
            // That one never came to its end, and nothing can be said of what it did not show.
            self.end_reading(now, now, region.clone(), "inventory not read to its end".to_owned(), out);
        }
        let judged = self.cloud_or_new(region.clone()).count(Kind::Port) > 0;
        self.readings.entry(region.clone()).or_insert_with(|| Reading {
            at,
            exact,
            shown: BTreeMap::new(),
            changed: Delta::default(),
            judged,
        });
    }

    /// Records what a read changed.
    fn end_reading(
        &mut self,
        now: Timestamp,
        time: Timestamp,
        region: Option<Arc<str>>,
        text: String,
        out: &mut Output,
    ) {
        let changed =
            self.readings.remove(&region).map(|reading| reading.changed.settled()).unwrap_or_default();
        let exposure = self.clouds.get(&region).map(|cloud| judge(cloud, changed)).unwrap_or_default();
        let differs = !exposure.opened.is_empty() || !exposure.closed.is_empty();
        let kind = if differs { RecordKind::Drift } else { RecordKind::System };
        // What is written down as a rule on many ports must be true of the model as it is at the end of the read.
        let wide = self.cloud(region.as_ref()).map(|cloud| widen(cloud, &exposure)).unwrap_or_default();
        let record = RecordBody { region, exposure, wide, ..system_record(now, time, kind, text) };
        self.record(record, out);
    }
}
