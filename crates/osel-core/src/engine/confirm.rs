//! What a page showed as it is known, held fast against what the bus says later of a time before the read.
//!
//! Of an unchanged object a page leaves nothing but a mark, and no state. An event of before the read that speaks of such an object could
//! undo what the API showed: while the read is under way, and up to the next one where it broke off or did not show the whole kind. So the
//! engine first takes that the object was shown, as a step of the read that is written down before the event: who folds the journal
//! refuses the event for the same reason. It must not change what an object is. A restart forgets the marks, and with them what a read
//! that was not whole had seen.
//!
//! An object that was shown to be otherwise is not confirmed before it is merged: until then an event of before the read tells more than is
//! known, and who did what the read would only find. Only its deletion is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::differences::{ReadDifferences, ReadStep, Told};
use super::held::Portion;
use super::reading::{ReadRun, Reading, differences};
use super::{Engine, Output};
use crate::event::{Change, Event, Kind};
use crate::ids::Id;
use crate::model::Fields;
use crate::time::Timestamp;

/// What a read that is no longer under way has shown and not as a whole. The marks are still there; none of it is part of the state.
#[derive(Debug)]
pub(super) struct Seen {
    run: ReadRun,
    /// The fields that it showed of all of a kind.
    given: BTreeMap<Kind, Fields>,
}

impl Seen {
    pub(super) fn of(reading: &Reading) -> Self {
        let given = reading.shown.iter().map(|(kind, (_, given))| (*kind, *given));
        Self { run: reading.run.clone(), given: given.collect() }
    }

    /// The read.
    pub(super) fn run(&self) -> &ReadRun {
        &self.run
    }
}

impl Engine {
    /// Before an event is taken: confirms what it speaks of and the last read of the region has shown.
    pub(super) fn confirm_shown(
        &mut self,
        now: Timestamp,
        region: &Option<Arc<str>>,
        event: &Event,
        out: &mut Output,
    ) {
        let under_way = self.readings.get(region).map(|reading| (&reading.run, reading.told));
        let seen = || self.seen.get(region).map(|seen| (&seen.run, Told::default()));
        let Some((run, told)) = under_way.or_else(seen) else { return };
        let at = run.at;
        // A read of an unknown time is never against the bus.
        if !run.exact || event.timestamp >= at {
            return;
        }
        // What all of the kind had is not more than what one of them had.
        let given = |kind: &Kind| match self.readings.get(region) {
            Some(reading) => reading.shown.get(kind).map_or(0, |(_, given)| *given),
            None => self.seen.get(region).and_then(|seen| seen.given.get(kind)).map_or(0, |given| *given),
        };
        let Some(cloud) = self.clouds.get(region) else { return };
        // That something is gone which was shown is against the read, however it was shown.
        let is_deletion = match &event.change {
            Change::Deleted { .. } => true,
            Change::Interface(interface) => !interface.attached,
            _ => false,
        };
        let mut spoken = cloud.spoken_of(event);
        spoken.retain(|(kind, id)| cloud.is_to_confirm(*kind, id, at));
        if !spoken.is_empty() && !is_deletion {
            let waiting = self.waiting(region);
            spoken.retain(|(kind, id)| !waiting.contains(&(*kind, id)));
        }
        if spoken.is_empty() {
            return;
        }
        let confirmed = spoken.into_iter().map(|(kind, id)| {
            let given = given(&kind);
            (kind, id, given)
        });
        let confirmed = confirmed.collect();
        let part = differences(run.clone(), Portion::default(), ReadStep::Confirmed);
        let part = ReadDifferences { confirmed, told, is_silent: true, ..part };
        self.merge_differences(now, part, out);
    }

    /// What reads have shown to be otherwise than it is known, which is not merged yet.
    fn waiting(&self, region: &Option<Arc<str>>) -> BTreeSet<(Kind, &Id)> {
        let broken = self.broken.iter().filter(|broken| broken.run.region == *region);
        broken.chain(self.readings.get(region)).flat_map(|reading| reading.held.shown_ids()).collect()
    }
}
