//! The APIs in the loop, and inventories that are handed in: their turn between the things that happen, and what leads to a question.

use std::sync::Arc;

use osel_core::survey::{Look, SurveyInput};
use osel_core::time::Timestamp;

use super::surveyor::Surveyor;
use super::{ApiSchedule, Service, ServiceError};
use crate::openstack::words::ApiEvent;

/// How many batches may be on their way to the store while something of an API is handled: giving one more must not make the loop wait, and
/// a store that takes nothing must not be given pages.
const BATCHES_AHEAD: u64 = 1;

impl Service {
    /// The driver of an API tells something.
    pub(super) fn api(&mut self, index: usize, event: ApiEvent) -> Result<(), ServiceError> {
        match self.apis[index].take(event) {
            Some(input) => self.survey(index, input),
            None => Ok(()),
        }
    }

    /// One step of an API's state machine, with all that it orders.
    pub(super) fn survey(&mut self, index: usize, input: SurveyInput) -> Result<(), ServiceError> {
        let mut chance = [0; 8];
        getrandom::fill(&mut chance).map_err(ServiceError::Random)?;
        let now = self.now();
        Ok(self.apis[index].step(now, u64::from_ne_bytes(chance), input, &mut self.recorder)?)
    }

    /// Tells the API of a region what happened there.
    fn survey_region(&mut self, region: Option<&Arc<str>>, input: SurveyInput) -> Result<(), ServiceError> {
        match self.apis.iter().position(|api| api.is_of(region)) {
            Some(index) => self.survey(index, input),
            None => Ok(()),
        }
    }

    /// Something of a source may have been missed, if so.
    pub(super) fn survey_missed(&mut self, tap: usize) -> Result<(), ServiceError> {
        match self.taps[tap].take_missed() {
            Some(region) => self.survey_region(region.as_ref(), SurveyInput::Gap),
            None => Ok(()),
        }
    }

    /// Has looked at what records ask for that are durable.
    pub(super) fn launch_looks(&mut self) -> Result<(), ServiceError> {
        for look in self.recorder.take_looks(self.durable) {
            let wished = SurveyInput::Wished(Look { kind: look.kind, id: look.id, cause: look.cause });
            self.survey_region(look.region.as_ref(), wished)?;
        }
        Ok(())
    }

    /// Gives each API its turn: one thing of what its driver told, a step of a few milliseconds.
    pub(super) fn survey_turn(&mut self) -> Result<(), ServiceError> {
        if !self.may_survey() {
            return Ok(());
        }
        let now = self.now();
        let is_ending = self.apis.iter().any(Surveyor::is_ending) || self.imports.is_ending();
        if is_ending || self.recorder.engine().has_broken() {
            let is_closing = self.recorder.read_on(now)?;
            self.import_ended();
            if is_closing {
                // A page would have to bring this to its end first, in one long step.
                return Ok(());
            }
            for index in 0..self.apis.len() {
                if let Some(input) = self.apis[index].read_ended(now) {
                    self.survey(index, input)?;
                }
            }
        }
        self.import_turn(now)?;
        for index in 0..self.apis.len() {
            if let Some(input) = self.apis[index].handle(now, &mut self.recorder)? {
                self.survey(index, input)?;
            }
        }
        Ok(())
    }

    /// Whether something of an API waits for its turn and may have it.
    pub(super) fn has_survey_turn(&self) -> bool {
        let has_work = self.apis.iter().any(Surveyor::has_work) || self.imports.has_work();
        (has_work || self.recorder.engine().has_broken()) && self.may_survey()
    }

    fn may_survey(&self) -> bool {
        let ahead = self.recorder.given_batches().saturating_sub(self.durable);
        !self.is_stopping && self.retry_at.is_none() && ahead <= BATCHES_AHEAD
    }

    /// When one of the state machines waits for time to pass.
    pub(super) fn survey_wake_at(&self) -> Option<Timestamp> {
        let wake_at = self.apis.iter().filter_map(Surveyor::wake_at).min();
        wake_at.filter(|_| !self.is_stopping)
    }

    /// Those whose state machines wait for this time.
    pub(super) fn survey_deadlines(&mut self, now: Timestamp) -> Result<(), ServiceError> {
        for index in 0..self.apis.len() {
            if !self.is_stopping && self.apis[index].wake_at().is_some_and(|at| at <= now) {
                self.survey(index, SurveyInput::Tick)?;
            }
        }
        Ok(())
    }

    /// The configuration was read again.
    pub(super) fn survey_renewed(&mut self, schedules: &[ApiSchedule]) -> Result<(), ServiceError> {
        for ApiSchedule { region, every } in schedules {
            self.survey_region(region.as_ref(), Surveyor::renewal(*every))?;
        }
        Ok(())
    }
}
