//! One cloud's API: its state machine, the task that asks, and what waits between the two.
//!
//! What the task tells waits here for its turn, a page at a time between the things that happen on the buses, and while the store is behind
//! it waits on: no event waits for an answer of the API, and nothing here does. The driver is never more than a few pages ahead of what was
//! taken, so that what waits is bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use osel_core::decode::ItemPage;
use osel_core::engine::{ReadEnd, ReadRun};
use osel_core::survey::{Look, Reason, Survey, SurveyInput, SurveyOrder, Ticket};
use osel_core::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::super::recorder::{RecordError, Recorder};
use super::survey_log as log;
use super::survey_status::{ApiStatus, ApiWatched};
use crate::openstack;
use crate::openstack::words::{ApiEvent, ApiOrder, Refusal};

/// An API and when it is asked.
pub struct ApiSettings {
    /// The region of the sources whose cloud it tells of.
    pub region: Option<Arc<str>>,
    /// The longest time between two reads of everything.
    pub every: Duration,
    /// How it is asked.
    pub driver: openstack::Settings,
}

/// A read of everything that is under way.
#[derive(Debug)]
struct Reading {
    ticket: Ticket,
    reason: Reason,
    ordered: Instant,
    /// There once the driver has begun to ask.
    run: Option<ReadRun>,
    objects: usize,
    /// It came to its end, which the engine works on; what was refused.
    ending: Option<Vec<Refusal>>,
}

/// An API and all that the loop keeps of it.
pub(super) struct Surveyor {
    region: Option<Arc<str>>,
    survey: Survey,
    orders: UnboundedSender<ApiOrder>,
    task: JoinHandle<()>,
    /// Told by the driver and not handled.
    waiting: VecDeque<ApiEvent>,
    reading: Option<Reading>,
    looking: Option<(Ticket, Look)>,
    /// What the API, or the way to it, said last.
    words: String,
    /// What was told of reads.
    told: log::Reads,
    watched: ApiWatched,
    out: Vec<SurveyOrder>,
}

impl Surveyor {
    /// Starts the task.
    pub(super) fn start(
        settings: ApiSettings,
        tell: impl Fn(ApiEvent) + Send + Sync + 'static,
        tokio: &Handle,
    ) -> Self {
        let (orders, receiver) = unbounded_channel();
        let ApiSettings { region, every, driver } = settings;
        Self::new(region, every, orders, tokio.spawn(openstack::run(driver, receiver, tell)))
    }

    /// With a task that takes these orders.
    fn new(
        region: Option<Arc<str>>,
        every: Duration,
        orders: UnboundedSender<ApiOrder>,
        task: JoinHandle<()>,
    ) -> Self {
        Self {
            region,
            survey: Survey::new(micros(every)),
            orders,
            task,
            waiting: VecDeque::new(),
            reading: None,
            looking: None,
            words: String::new(),
            told: log::Reads::default(),
            watched: ApiWatched::default(),
            out: Vec::new(),
        }
    }

    /// Whether it is asked about this region.
    pub(super) fn is_of(&self, region: Option<&Arc<str>>) -> bool {
        self.region.as_ref() == region
    }

    /// When [`SurveyInput::Tick`] is wanted.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.survey.wake_at()
    }

    /// Whether something waits to be handled.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty() || self.is_ending()
    }

    /// Whether everything is being read, from the order to the end of it.
    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Whether the engine works on the end of a read.
    pub(super) fn is_ending(&self) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.ending.is_some())
    }

    /// What the driver tells; what of it is for the state machine before it is handled.
    pub(super) fn take(&mut self, event: ApiEvent) -> Option<SurveyInput> {
        let input = match &event {
            ApiEvent::Page { ticket, .. } => Some(SurveyInput::Paged(*ticket)),
            ApiEvent::Began { .. } => None,
            end => Some(SurveyInput::Told(end.ticket())),
        };
        self.waiting.push_back(event);
        input
    }

    /// Another schedule holds, and what a person had to mend may be mended.
    pub(super) fn renewal(every: Duration) -> SurveyInput {
        SurveyInput::Renewed { every_micros: micros(every) }
    }

    /// Handles the oldest thing that waits; what of it is for the state machine. Nothing is handled while a read is being ended.
    pub(super) fn handle(
        &mut self,
        now: Timestamp,
        recorder: &mut Recorder,
    ) -> Result<Option<SurveyInput>, RecordError> {
        if self.is_ending() {
            return Ok(None);
        }
        let Some(event) = self.waiting.pop_front() else { return Ok(None) };
        let ticket = event.ticket();
        if let Some(reading) = self.reading.as_mut().filter(|reading| reading.ticket == ticket) {
            return match event {
                ApiEvent::Began { at, .. } => {
                    reading.run = Some(recorder.begin_read(self.region.as_ref(), at, true));
                    Ok(Some(SurveyInput::Began(ticket)))
                }
                ApiEvent::Page { page, .. } => {
                    reading.objects += page.items.len();
                    if let Some(run) = &reading.run {
                        recorder.page(now, run, page)?;
                    }
                    Ok(Some(SurveyInput::Handled(ticket)))
                }
                ApiEvent::Ended { complete, has_all_assignments, refused, origin, .. } => {
                    if let Some(run) = reading.run.clone() {
                        let end = ReadEnd { run, complete, has_all_assignments, origin };
                        recorder.begin_read_end(now, end)?;
                    }
                    reading.ending = Some(refused);
                    Ok(None)
                }
                ApiEvent::Failed { trouble, words, .. } => {
                    self.words = words;
                    self.broken(now, recorder)?;
                    Ok(Some(SurveyInput::Failed(ticket, trouble)))
                }
                ApiEvent::Found { .. } | ApiEvent::Absent { .. } => Ok(None),
            };
        }
        let Some((_, look)) = self.looking.take_if(|(looking, _)| *looking == ticket) else {
            // Of an order that was aborted.
            return Ok(None);
        };
        let (region, cause) = (self.region.clone(), Some(look.cause));
        match event {
            ApiEvent::Found { page, at, .. } => recorder.looked(now, region, at, cause, page, Vec::new())?,
            ApiEvent::Absent { kind, id, at, .. } => {
                let page = ItemPage::default();
                recorder.looked(now, region, at, cause, page, vec![(kind, id)])?;
            }
            ApiEvent::Failed { trouble, words, .. } => {
                self.words = words;
                self.watched.failed();
                return Ok(Some(SurveyInput::Failed(ticket, trouble)));
            }
            ApiEvent::Began { .. } | ApiEvent::Page { .. } | ApiEvent::Ended { .. } => {}
        }
        self.watched.looked();
        Ok(Some(SurveyInput::Answered(ticket)))
    }

    /// The engine has ended the read that came to its end, if one did.
    pub(super) fn read_ended(&mut self, now: Timestamp) -> Option<SurveyInput> {
        let reading = self.reading.take_if(|reading| reading.ending.is_some())?;
        let refused = reading.ending.unwrap_or_default();
        let time = reading.ordered.elapsed();
        let region = region_name(self.region.as_ref());
        self.told.read(region, now, reading.reason, reading.objects, time);
        self.told.refused(region, now, &refused);
        self.watched.read(now, time, reading.objects, refused.len());
        Some(SurveyInput::Ended(reading.ticket))
    }

    /// The read under way does not come to its end.
    fn broken(&mut self, now: Timestamp, recorder: &mut Recorder) -> Result<(), RecordError> {
        self.watched.failed();
        match self.reading.take() {
            Some(Reading { run: Some(run), .. }) => recorder.read_broken(now, &run),
            _ => Ok(()),
        }
    }

    /// One step of the state machine, with its orders.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        chance: u64,
        input: SurveyInput,
        recorder: &mut Recorder,
    ) -> Result<(), RecordError> {
        self.survey.step(now, chance, input, &mut self.out);
        for order in std::mem::take(&mut self.out) {
            match order {
                SurveyOrder::ReadAll { ticket, reason } => {
                    let ordered = Instant::now();
                    self.reading =
                        Some(Reading { ticket, reason, ordered, run: None, objects: 0, ending: None });
                    self.order(ApiOrder::ReadAll { ticket });
                }
                SurveyOrder::ReadOne { ticket, look } => {
                    self.order(ApiOrder::ReadOne { ticket, kind: look.kind, id: look.id.clone() });
                    self.looking = Some((ticket, look));
                }
                SurveyOrder::Taken(ticket) => self.order(ApiOrder::Taken { ticket }),
                SurveyOrder::Abort(ticket) => {
                    self.order(ApiOrder::Abort { ticket });
                    "the driver says nothing".clone_into(&mut self.words);
                    if self.looking.take_if(|(looking, _)| *looking == ticket).is_some() {
                        self.watched.failed();
                    } else {
                        self.broken(now, recorder)?;
                    }
                }
                SurveyOrder::Log(line) => log::line(region_name(self.region.as_ref()), line, &self.words),
            }
        }
        self.watched.is_up(self.survey.is_up(), now);
        Ok(())
    }

    fn order(&self, order: ApiOrder) {
        // The task ends only with this.
        let _ = self.orders.send(order);
    }

    /// How it does.
    pub(super) fn status(&self) -> ApiStatus {
        let trouble = self.survey.trouble().map(|ongoing| (ongoing.since, log::trouble(ongoing.why)));
        self.watched.status(self.region.clone(), self.is_reading(), self.survey.looks_waiting(), trouble)
    }
}

impl Drop for Surveyor {
    /// Whatever it asks just now is of no use to anybody any more.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The name of a region where there may be none.
pub(super) fn region_name(region: Option<&Arc<str>>) -> &str {
    region.map_or("", |region| region)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
