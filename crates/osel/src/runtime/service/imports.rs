//! An inventory that somebody hands in, in the loop: it has its turn as the APIs have theirs, a part between the things that happen.

use std::collections::VecDeque;
use std::sync::Arc;

use osel_core::engine::{ReadEnd, ReadRun};
use osel_core::time::Timestamp;
use tokio::sync::oneshot;

use super::super::admission;
use super::super::control::Answer;
use super::super::control::import::ImportStep;
use super::tap::Tap;
use super::{Happening, Service, ServiceError, ServiceHandle};

/// What waits for its turn. Whoever hands in waits for each part, so that no more is here than the end of one and the begin of the next.
#[derive(Debug, Default)]
pub(super) struct Imports {
    waiting: VecDeque<(ImportStep, oneshot::Sender<Answer>)>,
    /// The one under way, and its name.
    run: Option<(ReadRun, String)>,
    ending: Option<Ending>,
}

/// One that was shown to its end, which the engine works on.
#[derive(Debug)]
struct Ending {
    run: ReadRun,
    reply: oneshot::Sender<Answer>,
    /// The last record before.
    before: u64,
    /// Another read had begun.
    is_late: bool,
}

impl Imports {
    /// Whether something waits to be handled.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty() || self.is_ending()
    }

    /// Whether the engine works on the end of one.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }
}

impl ServiceHandle {
    /// Tells the next of the inventory that is handed in; the answer comes once it is taken, that to its end once it is durable.
    pub fn import(&self, step: ImportStep) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.send(Happening::Import(step, reply));
        answer
    }
}

impl Service {
    /// Has a part of an inventory wait for its turn.
    pub(super) fn import(&mut self, step: ImportStep, reply: oneshot::Sender<Answer>) {
        match self.order_refusal() {
            // What was taken of it is left as it is all the same.
            Some(refused) if !matches!(step, ImportStep::BrokenOff) => _ = reply.send(refused),
            _ => self.imports.waiting.push_back((step, reply)),
        }
    }

    /// Handles the oldest part that waits.
    pub(super) fn import_turn(&mut self, now: Timestamp) -> Result<(), ServiceError> {
        let Some((step, reply)) = self.imports.waiting.pop_front() else { return Ok(()) };
        match (step, self.imports.run.take()) {
            (ImportStep::Begin { actor, begin }, None) => {
                let region: Option<Arc<str>> = begin.region.map(Into::into);
                // Also where the API has been asked and no page of it was handled yet: of the two the inventory would be the later one.
                let is_asked = self.apis.iter().any(|api| api.is_of(region.as_ref()) && api.is_reading());
                if is_asked || self.recorder.engine().is_reading_of(region.as_ref()) {
                    let why = "the API of this region is being read just now: try again when that has come to its end";
                    let _ = reply.send(Answer::Refused(why.to_owned()));
                    return Ok(());
                }
                let known = self.recorder.engine().regions().map(|known| known.map(|name| &**name));
                let sources = self.taps.iter().map(Tap::region);
                let taken_at = admission::of_a_source(region.as_deref(), sources)
                    .and_then(|()| admission::region(region.as_deref(), known))
                    .and_then(|()| admission::taken_at(begin.taken_at, now));
                let taken_at = match taken_at {
                    Ok(taken_at) => taken_at,
                    Err(unfit) => {
                        let _ = reply.send(Answer::Refused(unfit.to_string()));
                        return Ok(());
                    }
                };
                let at = taken_at.unwrap_or(now);
                let run = self.recorder.begin_read(region.as_ref(), at, taken_at.is_some());
                let run = ReadRun { actor: Some(actor.into()), ..run };
                tracing::info!(
                    inventory = begin.name,
                    actor = run.actor.as_deref(),
                    "an inventory is imported"
                );
                self.imports.run = Some((run, begin.name));
                let _ = reply.send(Answer::GoOn);
            }
            // The API is asked for what the rest would show, and its answer is later.
            (ImportStep::Page(_), Some((run, _))) if self.recorder.engine().is_over(&run) => {
                let why = "the API of this region is read since: what the inventory had shown before counts, and the rest of it is not taken";
                let _ = reply.send(Answer::Refused(why.to_owned()));
            }
            (ImportStep::Page(page), Some((run, name))) => {
                self.recorder.page(now, &run, page)?;
                self.imports.run = Some((run, name));
                let _ = reply.send(Answer::GoOn);
            }
            (ImportStep::End { complete, has_all_assignments }, Some((run, origin))) => {
                let engine = self.recorder.engine();
                let (before, is_late) = (engine.seq(), engine.is_over(&run));
                self.imports.ending = Some(Ending { run: run.clone(), reply, before, is_late });
                let end = ReadEnd { run, complete, has_all_assignments, origin };
                self.recorder.begin_read_end(now, end)?;
                self.import_ended();
            }
            (ImportStep::BrokenOff, Some((run, _))) => self.recorder.read_broken(now, &run)?,
            (step @ ImportStep::Begin { .. }, Some(run)) => {
                self.imports.run = Some(run);
                drop(step);
                let _ = reply.send(Answer::Refused("another inventory is being imported".to_owned()));
            }
            (_, None) => _ = reply.send(Answer::Refused("the inventory has not begun".to_owned())),
        }
        Ok(())
    }

    /// Answers once the engine has ended the read that came to its end, if it has.
    pub(super) fn import_ended(&mut self) {
        let engine = self.recorder.engine();
        let is_over = |ending: &mut Ending| !engine.is_closing_of(ending.run.region.as_ref());
        let Some(Ending { reply, before, is_late, .. }) = self.imports.ending.take_if(is_over) else {
            return;
        };
        let seq = engine.seq();
        let answer = if is_late {
            Answer::No(format!(
                "another read of the region had begun meanwhile: what the inventory showed counts, and what it did not show stays (record {seq})"
            ))
        } else {
            Answer::Done((seq > before).then_some(seq))
        };
        self.answer_when_durable(answer, reply);
    }

    /// The one under way will not come to its end.
    pub(super) fn import_stopped(&mut self, now: Timestamp) -> Result<(), ServiceError> {
        for (_, reply) in self.imports.waiting.drain(..) {
            let _ = reply.send(Answer::Refused("osel is stopping".to_owned()));
        }
        if let Some((run, _)) = self.imports.run.take() {
            self.recorder.read_broken(now, &run)?;
        }
        // There is no turn any more in which the rest would be merged.
        Ok(self.recorder.end_broken(now)?)
    }
}
