//! Reads of the API on their way into the journal: what differs is written down, and nothing else.

use std::collections::VecDeque;
use std::sync::Arc;

use osel_core::decode::ItemPage;
use osel_core::engine::{
    AssignmentPage, Input, LOOKS_PENDING_MAX, Look, Looked, Named, ReadEnd, ReadPage, ReadRun, RunId,
};
use osel_core::event::Kind;
use osel_core::ids::Id;
use osel_core::time::Timestamp;

use super::super::read_entries::{self, Parts};
use super::{RecordError, Recorder, take_durable};
use crate::store::EntryKind;

/// Wishes that were not handed out yet, each with the batch that its record is in.
#[derive(Debug, Default)]
pub(super) struct Looks(VecDeque<(u64, Look)>);

impl Looks {
    pub(super) fn add(&mut self, batch: u64, looks: impl Iterator<Item = Look>) {
        // Where nobody may ask the API nobody takes them; a wish is no duty.
        let room = LOOKS_PENDING_MAX.saturating_sub(self.0.len());
        self.0.extend(looks.take(room).map(|look| (batch, look)));
    }

    fn take(&mut self, durable: u64) -> Vec<Look> {
        take_durable(&mut self.0, durable)
    }
}

impl Recorder {
    /// A read that begins now, to be named with each of its pages and its end.
    pub fn begin_read(&mut self, region: Option<&Arc<str>>, at: Timestamp, exact: bool) -> ReadRun {
        self.last_run = self.last_run.max(self.engine.last_run()) + 1;
        ReadRun { id: Some(RunId(self.last_run)), region: region.cloned(), at, exact, actor: None }
    }

    /// Takes a page of an inventory.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn page(&mut self, now: Timestamp, run: &ReadRun, page: ItemPage) -> Result<(), RecordError> {
        self.end_closing(now, run.region.as_ref())?;
        self.tell_changes(now)?;
        let Parts { objects, lines, names, assignments } = read_entries::take_apart(page, run.at);
        self.take_reading(now, Input::Page(ReadPage { run: run.clone(), objects, lines }))?;
        if !assignments.is_empty() {
            self.take_reading(now, Input::Assignments(AssignmentPage { run: run.clone(), assignments }))?;
        }
        self.take_names(now, run, names)
    }

    /// Takes the end of an inventory, and brings the read to its end.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn read_end(&mut self, now: Timestamp, end: ReadEnd) -> Result<(), RecordError> {
        let region = end.run.region.clone();
        self.begin_read_end(now, end)?;
        self.end_closing(now, region.as_ref())
    }

    /// Takes the end of an inventory. What it did not show is looked for in steps, for which [`Self::read_on`] is called until there is
    /// nothing more to do.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn begin_read_end(&mut self, now: Timestamp, end: ReadEnd) -> Result<(), RecordError> {
        self.end_closing(now, end.run.region.as_ref())?;
        self.tell_changes(now)?;
        self.take_reading(now, Input::ReadEnd(end))
    }

    /// Goes one step of a few milliseconds towards the end of a read. Whether there is more to do.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn read_on(&mut self, now: Timestamp) -> Result<bool, RecordError> {
        if self.engine.is_closing() {
            self.tell_changes(now)?;
            self.take_reading(now, Input::ReadOn)?;
        }
        Ok(self.engine.is_closing())
    }

    /// Ends a read that will not come to its end: what it has shown counts, what it has not shown stays. Of more than goes into a step of
    /// a few milliseconds the rest is left to [`Self::read_on`].
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn read_broken(&mut self, now: Timestamp, run: &ReadRun) -> Result<(), RecordError> {
        self.tell_changes(now)?;
        self.take_reading(now, Input::ReadBroken(run.clone()))
    }

    /// Merges what was left of reads that broke off, before the end of all.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn end_broken(&mut self, now: Timestamp) -> Result<(), RecordError> {
        while self.engine.has_broken() {
            self.read_on(now)?;
        }
        Ok(())
    }

    /// Takes what the API said of single objects that it was asked for at `at`, because of the record `cause`: those that are there, and
    /// those that are not.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn looked(
        &mut self,
        now: Timestamp,
        region: Option<Arc<str>>,
        at: Timestamp,
        cause: Option<u64>,
        page: ItemPage,
        absent: Vec<(Kind, Id)>,
    ) -> Result<(), RecordError> {
        self.tell_changes(now)?;
        let run = ReadRun { id: None, region: region.clone(), at, exact: true, actor: None };
        let Parts { objects, lines, names, .. } = read_entries::take_apart(page, at);
        let looked = Looked { region, at, cause, objects, lines, absent };
        self.take_reading(now, Input::Looked(looked))?;
        self.take_names(now, &run, names)
    }

    /// The objects that are to be looked at whose records are durable in these batches; each is handed out once.
    pub fn take_looks(&mut self, durable: u64) -> Vec<Look> {
        self.looks.take(durable)
    }

    /// Brings a read of this region to its end, if one is on the way there; the next one of the region would break it off. Those of
    /// other regions go on step by step.
    fn end_closing(&mut self, now: Timestamp, region: Option<&Arc<str>>) -> Result<(), RecordError> {
        while self.engine.is_closing_of(region) {
            self.read_on(now)?;
        }
        Ok(())
    }

    /// Writes down what a message had to be preceded by: it would not be folded as it was handled otherwise. It has no records.
    pub(super) fn push_confirmed(&mut self, now: Timestamp) {
        if let Some(part) = self.out.differences.take() {
            self.entry += 1;
            let head = read_entries::differences_head(&part);
            self.push_entry(now, EntryKind::INVENTORY, Arc::default(), head, part.text);
        }
    }

    /// Handles a part of a read, and writes down what it changed.
    fn take_reading(&mut self, now: Timestamp, input: Input<'_>) -> Result<(), RecordError> {
        self.entry += 1;
        self.handle(now, input);
        let (head, body) = match (self.out.differences.take(), self.out.assignments.take()) {
            (Some(part), _) => (read_entries::differences_head(&part), part.text),
            (None, Some(part)) => read_entries::assignments_entry(&part),
            (None, None) => {
                self.entry -= 1;
                return Ok(());
            }
        };
        self.seal()?;
        self.push_entry(now, EntryKind::INVENTORY, Arc::default(), head, body);
        self.commit_if_full()
    }

    /// Takes names that a read showed; those that are known already are not news.
    fn take_names(
        &mut self,
        now: Timestamp,
        run: &ReadRun,
        mut names: Vec<(Named, Box<[u8]>)>,
    ) -> Result<(), RecordError> {
        names.retain(|(named, _)| !self.engine.knows_name(named));
        if names.is_empty() {
            return Ok(());
        }
        let (names, lines): (Vec<Named>, Vec<Box<[u8]>>) = names.into_iter().unzip();
        self.entry += 1;
        self.handle(now, Input::Names(names));
        self.seal()?;
        let head = read_entries::names_head(run);
        self.push_entry(now, EntryKind::INVENTORY, Arc::default(), head, lines.concat());
        self.commit_if_full()
    }
}
