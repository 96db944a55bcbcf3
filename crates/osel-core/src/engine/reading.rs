//! What the API showed, in pages, and what its silence means at the end.
//!
//! Objects of a page go through the same merge as events. When all pages of a kind have come, what none of them showed is gone,
//! unless a later event spoke of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::record::{RecordBody, widen};
use super::{Engine, Output, Version, system_record};
use crate::event::{Kind, Object};
use crate::exposure::{Judged, judge};
use crate::ids::Id;
use crate::model::CloudModel;
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

/// The read that is under way.
#[derive(Debug, Default)]
pub(super) struct Reading {
    shown: BTreeMap<Kind, BTreeSet<Id>>,
    /// What has changed so far, when it is judged.
    changed: Judged,
    /// Whether there was a model before, so that differences mean something.
    judged: Option<bool>,
}

impl Engine {
    pub(super) fn learn_names(&mut self, now: Timestamp, names: &[Named]) {
        for named in names {
            self.names.learn(named.kind, &named.id, &named.name, named.at.min(now), Origin::Inventory);
        }
    }

    pub(super) fn page(&mut self, now: Timestamp, page: &ReadPage, out: &mut Output) {
        let options = self.options.model.clone();
        let region = page.region.clone();
        let cloud =
            self.clouds.entry(region.clone()).or_insert_with(|| CloudModel::new(region.clone(), options));
        let judged = *self.reading.judged.get_or_insert_with(|| cloud.count(Kind::Port) > 0);
        for object in &page.objects {
            if let Some(id) = object.id() {
                self.reading.shown.entry(object.kind()).or_default().insert(id.clone());
            }
            if let Object::SecurityGroup(group) = object {
                let rules = group.rules.iter().flatten().filter_map(|rule| rule.version.id.clone());
                self.reading.shown.entry(Kind::Rule).or_default().extend(rules);
            }
        }
        let delta = cloud.merge_read(now, page.at, page.exact, &page.objects, judged);
        for (kind, id) in &delta.touched {
            // A page has no record of its own: the read's record, the next one, is where its versions show.
            out.versions.push(Version {
                seq: self.seq + 1,
                region: region.clone(),
                line: cloud.line(*kind, id),
            });
        }
        self.reading.changed.append(judge(cloud, delta));
    }

    pub(super) fn read_end(&mut self, now: Timestamp, end: &ReadEnd, out: &mut Output) {
        let Reading { shown, mut changed, judged } = std::mem::take(&mut self.reading);
        let judged = judged.unwrap_or(false);
        if let Some(cloud) = self.clouds.get_mut(&end.region) {
            for &kind in &end.complete {
                let nothing = BTreeSet::new();
                let shown = shown.get(&kind).unwrap_or(&nothing);
                let delta = cloud.retain_read(now, end.at, end.exact, kind, shown, judged);
                for (kind, id) in &delta.touched {
                    let line = cloud.line(*kind, id);
                    out.versions.push(Version { seq: self.seq + 1, region: end.region.clone(), line });
                }
                changed.append(judge(cloud, delta));
            }
        }
        changed.sort();
        // What is written down as a rule on many ports must be true of the model as it is at the end of the read.
        let wide = self.cloud(end.region.as_ref()).map(|cloud| widen(cloud, &changed)).unwrap_or_default();
        let counts: Vec<String> = end
            .complete
            .iter()
            .map(|kind| format!("{} {}", shown.get(kind).map_or(0, BTreeSet::len), kind.plural()))
            .collect();
        let differs = !changed.opened.is_empty() || !changed.closed.is_empty();
        let kind = if differs { RecordKind::Drift } else { RecordKind::System };
        let text = format!("inventory {} read: {}", end.origin, counts.join(", "));
        let time = if end.exact { end.at } else { now };
        let record = RecordBody {
            region: end.region.clone(),
            exposure: changed,
            wide,
            ..system_record(now, time, kind, text)
        };
        self.record(record, out);
    }
}
