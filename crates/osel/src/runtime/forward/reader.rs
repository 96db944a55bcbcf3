//! What is to be read for a forwarder, one thing at a time, on a thread that may block.
//!
//! A read that fails is tried again until it succeeds: the store may be away, and what is damaged is passed over by nobody.

use std::future::pending;
use std::sync::Arc;

use osel_core::names::Directory;
use osel_core::time::Timestamp;
use tokio::task::{JoinHandle, spawn_blocking};

use super::defect::{Defect, last_words};
use super::reading::{Page, ReadError, Work};
use super::settings::Names;
use crate::telemetry::chain;

/// How long a read waits that failed, or found nothing that may go yet.
const RETRY_SECONDS: i64 = 5;

/// What is to be read.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Read { after: u64, records: u64, bytes: usize },
    Fetch(Vec<u64>),
}

/// What was read; nothing of what is tried again.
pub(super) type Was = Option<Read>;

/// What was read.
pub(super) struct Read {
    pub(super) wanted: Wanted,
    pub(super) page: Page,
    /// The forwarder was set back since it was wanted.
    pub(super) is_stale: bool,
}

/// One that waits.
#[derive(Debug)]
struct Waiting {
    wanted: Wanted,
    is_stale: bool,
    not_before: Option<Timestamp>,
}

type Task = JoinHandle<(Work, Result<Option<Page>, ReadError>)>;

/// The reading of one forwarder.
pub(super) struct Reading {
    /// Away while something is read.
    work: Option<Work>,
    names: Names,
    /// One of each sort at most: the machine orders no more.
    read: Option<Waiting>,
    fetch: Option<Waiting>,
    under_way: Option<(Waiting, Task)>,
    /// As the last read found it.
    gathered_from: Option<Timestamp>,
    trouble: Option<(Timestamp, String)>,
    now: Timestamp,
}

impl Reading {
    pub(super) fn new(work: Work, names: Names) -> Self {
        let now = Timestamp::EPOCH;
        let (read, fetch, under_way) = (None, None, None);
        Self { work: Some(work), names, read, fetch, under_way, gathered_from: None, trouble: None, now }
    }

    /// Has something read.
    pub(super) fn want(&mut self, wanted: Wanted) {
        let place = match wanted {
            Wanted::Read { .. } => &mut self.read,
            Wanted::Fetch(_) => &mut self.fetch,
        };
        *place = Some(Waiting { wanted, is_stale: false, not_before: None });
    }

    /// The forwarder was set back: what is read from before is of no use.
    pub(super) fn is_set_back(&mut self) {
        let waiting = [&mut self.read, &mut self.fetch].into_iter().filter_map(Option::as_mut);
        for waiting in waiting.chain(self.under_way.as_mut().map(|(waiting, _)| waiting)) {
            (waiting.is_stale, waiting.not_before) = (true, None);
        }
        self.gathered_from = None;
    }

    /// What failed is tried again at once.
    pub(super) fn hurry(&mut self) {
        for waiting in [&mut self.read, &mut self.fetch].into_iter().flatten() {
            waiting.not_before = None;
        }
    }

    /// Begins with what is next, if nothing is under way; of records up to `head`. `is_sending` says that lines that were read are on their
    /// way, or wait for it.
    pub(super) fn begin(&mut self, now: Timestamp, head: u64, is_sending: bool) {
        self.now = now;
        let is_due = |waiting: &mut Waiting| waiting.not_before.is_none_or(|at| at <= now);
        if self.under_way.is_some() {
            return;
        }
        let Some(next) = self.fetch.take_if(is_due).or_else(|| self.read.take_if(is_due)) else { return };
        let Some(mut work) = self.work.take() else { return };
        let (wanted, is_stale) = (next.wanted.clone(), next.is_stale);
        let names = Arc::clone(&self.names.borrow());
        let task = spawn_blocking(move || {
            // What is of no use need not be read, only answered.
            let page = if is_stale {
                Ok(Some(Page::default()))
            } else {
                read(&mut work, (now, is_sending), &wanted, head, &names)
            };
            (work, page)
        });
        self.under_way = Some((next, task));
    }

    /// Waits until something was read.
    ///
    /// # Errors
    /// When reading has come to an end that it must not have.
    pub(super) async fn done(&mut self) -> Result<Was, Defect> {
        let Some((_, task)) = &mut self.under_way else { return pending().await };
        let (work, page) = task.await.map_err(|error| Defect::Reading(last_words(error)))?;
        self.gathered_from = work.gathered_from();
        self.work = Some(work);
        let Some((waiting, _)) = self.under_way.take() else { return Ok(None) };
        let is_fetch = matches!(waiting.wanted, Wanted::Fetch(_));
        let page = match page {
            Ok(page) => {
                self.trouble = None;
                page
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        };
        let Waiting { wanted, is_stale, .. } = waiting;
        if let Some(page) = page {
            return Ok(Some(Read { wanted, page, is_stale }));
        }
        let place = if is_fetch { &mut self.fetch } else { &mut self.read };
        *place = Some(Waiting { wanted, is_stale, not_before: Some(self.now.plus_seconds(RETRY_SECONDS)) });
        Ok(None)
    }

    /// When something is tried again.
    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        let waiting = [&self.read, &self.fetch].into_iter().flatten();
        waiting.filter_map(|waiting| waiting.not_before).min().filter(|_| self.under_way.is_none())
    }

    /// When the first record was recorded that is gathered for people, and is not on its way.
    pub(super) fn gathered_from(&self) -> Option<Timestamp> {
        self.gathered_from
    }

    /// Why nothing can be read, and since when.
    pub(super) fn trouble(&self) -> Option<&(Timestamp, String)> {
        self.trouble.as_ref()
    }

    fn failed(&mut self, error: &ReadError) {
        let since = self.trouble.take().map_or(self.now, |(since, _)| since);
        self.trouble = Some((since, format!("records cannot be read: {}", chain(error))));
    }
}

fn read(
    work: &mut Work,
    (now, is_sending): (Timestamp, bool),
    wanted: &Wanted,
    head: u64,
    names: &Directory,
) -> Result<Option<Page>, ReadError> {
    match wanted {
        Wanted::Read { after, .. } if work.has_notices() => work.gather(now, *after, head, is_sending),
        Wanted::Read { after, records, bytes } => work.read(now, *after, *records, *bytes, head, names),
        Wanted::Fetch(seqs) => work.fetch(seqs, names).map(Some),
    }
}
