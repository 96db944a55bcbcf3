//! What a page showed as it is known, held fast against what the bus says later of a time before the read.
//!
//! Of an unchanged object a page leaves nothing but a mark, and no state. As long as the read is under way, an event of before it that
//! speaks of such an object could undo what the API showed. So the engine first takes that the object was shown, as a step of the read that
//! is written down before the event: who folds the journal refuses the event for the same reason. It must not change what an object is.

use std::sync::Arc;

use super::differences::{ReadDifferences, ReadStep};
use super::{Engine, Output};
use crate::event::Event;
use crate::model::Fields;
use crate::time::Timestamp;

impl Engine {
    /// Before an event is taken: confirms what it speaks of and the read that is under way has shown.
    pub(super) fn confirm_shown(
        &mut self,
        now: Timestamp,
        region: &Option<Arc<str>>,
        event: &Event,
        out: &mut Output,
    ) {
        let Some(reading) = self.readings.get(region) else { return };
        let at = reading.run.at;
        // A read of an unknown time is never against the bus.
        if !reading.run.exact || event.timestamp >= at {
            return;
        }
        let Some(cloud) = self.clouds.get(region) else { return };
        let spoken = cloud.spoken_of(event).into_iter();
        let confirmed: Vec<_> = spoken
            .filter(|(kind, id)| cloud.is_to_confirm(*kind, id, at))
            // What all of the kind had is not more than what this one had.
            .map(|(kind, id)| {
                (kind, id, reading.shown.get(&kind).map_or(0, |(_, given): &(u64, Fields)| *given))
            })
            .collect();
        if confirmed.is_empty() {
            return;
        }
        let part = ReadDifferences {
            run: reading.run.clone(),
            objects: Vec::new(),
            text: Vec::new(),
            gone: Vec::new(),
            confirmed,
            step: ReadStep::Confirmed,
            told: reading.told,
            cause: None,
            is_silent: true,
        };
        self.merge_differences(now, part, out);
    }
}
