//! Reads as journals had them before only differences were written down: whole pages, then the end. Folded, never written any more.
//!
//! What they do to the model is what they did then: every object shown is merged, and what none showed is gone. Nothing is told: the
//! records were written then.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::reading::{ReadEnd, ReadRun};
use super::{Engine, ReadPage};
use crate::event::Kind;
use crate::model::each_shown;
use crate::time::Timestamp;

/// The old reads that are under way, one for each region at most.
pub(super) type OldReadings = BTreeMap<Option<Arc<str>>, ReadRun>;

impl Engine {
    pub(super) fn old_page(&mut self, now: Timestamp, page: &ReadPage) {
        let ReadPage { run, objects, .. } = page;
        if !self.is_old_over(run) {
            self.begin_old(run);
        }
        let is_under_way = self.old_readings.get(&run.region).is_some_and(|old| old.is(run));
        let cloud = self.cloud_or_new(run.region.clone());
        cloud.merge_read(now, run.at, run.exact, objects, false);
        for object in objects.iter().filter(|_| is_under_way) {
            // As it was then: rules in a group's body counted as shown, forwardings in a floating IP's did not.
            let own = object.kind();
            each_shown(object, &mut |kind, id, _| {
                if kind == own || kind == Kind::Rule {
                    cloud.mark(kind, id);
                }
            });
        }
    }

    pub(super) fn old_read_end(&mut self, now: Timestamp, end: &ReadEnd) {
        let ReadEnd { run, complete, .. } = end;
        if self.is_old_over(run) {
            return;
        }
        self.begin_old(run);
        self.old_readings.remove(&run.region);
        self.informed.insert(run.region.clone());
        let cloud = self.cloud_or_new(run.region.clone());
        for &kind in complete {
            if run.exact {
                cloud.confirm(kind, run.at, 0);
            }
            let mut gone = Vec::new();
            cloud.unshown(kind, 0..cloud.slots(kind), run.at, usize::MAX, &mut gone);
            gone.sort_unstable();
            cloud.merge_shown(now, run.at, run.exact, (&[], &gone), false);
        }
        cloud.clear_marks();
    }

    fn is_old_over(&self, run: &ReadRun) -> bool {
        let is_under_way = self.old_readings.get(&run.region).is_some_and(|old| old.is(run));
        !is_under_way && run.id.is_some_and(|id| self.runs.get(&run.region).is_some_and(|last| id <= *last))
    }

    fn begin_old(&mut self, run: &ReadRun) {
        let region = &run.region;
        if self.old_readings.get(region).is_some_and(|old| old.is(run)) {
            return;
        }
        if let Some(id) = run.id {
            self.runs.insert(region.clone(), id);
        }
        self.cloud_or_new(region.clone()).clear_marks();
        self.old_readings.insert(region.clone(), run.clone());
    }
}
