//! One forwarder: its machine, the calls to its receiver, and the lines that it holds.
//!
//! It waits for one of six things: a word of the loop, an answer of the receiver, a page that was read, records that became durable, a
//! time that has come. What it holds is bounded by the machine, which orders no more to be read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use osel_core::forward::{
    Account, BatchNumber, Forward, ForwardInput, ForwardOrder, LineId, Mark, Page, Progress, Rendered, Which,
};
use osel_core::time::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::sync::watch;
use tokio::time::sleep;

use super::courier::{Answer, Call, serve};
use super::defect::Defect;
use super::letters::{Letters, change_of, key_of};
use super::log;
use super::reader::{Read, Reading, Wanted, Was};
use super::ready::{Ready, prepare};
use super::report::{ForwarderStatus, Report};
use super::settings::{ForwarderSettings, Names, ReaderAccess, Steer};
use crate::forward::receiver::{Batch, Item};
use crate::store::{DeadLetterChange, ForwarderRow};

/// The most marks that are remembered: of batches on their way, of which there are a few; those before are of batches that failed.
const MARKS_MAX: usize = 1_000;
/// It looks around that often although nothing is due: clocks may be set.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The longest mark of a driver that is kept: it names a place, and says no more.
const MARK_BYTES_MAX: usize = 1000;

/// What a forwarder has to do with others.
pub struct Way {
    /// Opens the store for reading.
    pub access: ReaderAccess,
    /// The store's id.
    pub store: Arc<str>,
    /// What the loop says.
    pub steers: UnboundedReceiver<Steer>,
    /// The last record that is durable.
    pub head: watch::Receiver<u64>,
    /// Names that were learnt.
    pub names: Names,
    /// Tells the loop.
    pub tell: Arc<dyn Fn(Report) + Send + Sync>,
    /// The system's clock.
    pub clock: fn() -> Timestamp,
    /// By which word of the loop it begins.
    pub generation: u64,
}

/// A forwarder at work.
pub struct Carrier {
    name: Arc<str>,
    forward: Forward,
    calls: UnboundedSender<Call>,
    /// Lines that were read, by record, until the place has passed them.
    held: BTreeMap<u64, Vec<Item>>,
    /// Lines of dead letters that were read.
    fetched: BTreeMap<u64, Vec<Item>>,
    reading: Reading,
    /// What the driver had as its mark after it was given a batch.
    marks: BTreeMap<BatchNumber, Option<String>>,
    row: ForwarderRow,
    is_changed: bool,
    letters: Vec<DeadLetterChange>,
    generation: u64,
    /// It was told to go back, and has not done so yet: to this generation.
    set_back_to: Option<u64>,
    status: ForwarderStatus,
    retries_before: u64,
    clock: fn() -> Timestamp,
    head: watch::Receiver<u64>,
    tell: Arc<dyn Fn(Report) + Send + Sync>,
}

impl Carrier {
    /// Forwards from where the row stands until the loop wants an end, or is gone.
    pub async fn run(settings: ForwarderSettings, row: ForwarderRow, mut way: Way) {
        let kind = Arc::from(settings.config.receiver.as_str());
        let name: Arc<str> = settings.config.name.as_str().into();
        let status =
            ForwarderStatus { name: Arc::clone(&name), kind, row: row.clone(), ..ForwarderStatus::default() };
        let Some(ready) = prepare(&settings, row, status, &mut way).await else { return };
        let Ready { receiver, work, letters, row, status } = ready;
        let (answers, answered) = channel(1);
        // One call at a time and a reset for each: what waits here is bounded by the machine.
        let (calls, called) = unbounded_channel();
        let Letters { known, wanted } = letters;
        let Way { steers, head, names, tell, clock, generation, .. } = way;
        let mut this = Self {
            name,
            forward: Forward::new(receiver.limits(), account_of(&row), known).waiting(receiver.call_time()),
            calls,
            held: BTreeMap::new(),
            fetched: BTreeMap::new(),
            reading: Reading::new(work, names),
            marks: BTreeMap::new(),
            retries_before: row.retries,
            row,
            is_changed: false,
            letters: Vec::new(),
            generation,
            set_back_to: None,
            status,
            clock,
            head,
            tell,
        };
        // It ends with this task, whatever it is at.
        let mut driver = tokio::task::JoinSet::new();
        driver.spawn(serve(receiver, called, answers));
        let ended = this.forward(steers, answered, wanted).await;
        let ended = match ended {
            None => return,
            Some(Ok(())) => Ok(()),
            Some(Err(defect)) => Err(defect.explained(&mut driver).await.to_string()),
        };
        this.report(Some(ended));
    }

    /// None when the loop is gone.
    async fn forward(
        &mut self,
        mut steers: UnboundedReceiver<Steer>,
        mut answers: tokio::sync::mpsc::Receiver<Answer>,
        wanted: Which,
    ) -> Option<Result<(), Defect>> {
        let mut happened = Some(ForwardInput::Resend(wanted));
        let head = *self.head.borrow_and_update();
        if let Err(defect) = self.step(ForwardInput::Head(head)) {
            return Some(Err(defect));
        }
        loop {
            if let Some(happened) = happened.take()
                && let Err(defect) = self.step(happened)
            {
                return Some(Err(defect));
            }
            self.reading.begin((self.clock)(), *self.head.borrow(), !self.held.is_empty());
            self.tell_if_changed();
            if self.forward.is_over() {
                return Some(Ok(()));
            }
            let wait = self.wait();
            happened = tokio::select! {
                steer = steers.recv() => Some(self.steered(steer?)),
                answer = answers.recv() => match answer {
                    Some(answer) => Some(self.answered(answer)),
                    None => return Some(Err(Defect::Driver(String::new()))),
                },
                was = self.reading.done() => match was {
                    Ok(was) => self.was_read(was),
                    Err(defect) => return Some(Err(defect)),
                },
                changed = self.head.changed() => {
                    changed.ok()?;
                    Some(ForwardInput::Head(*self.head.borrow_and_update()))
                }
                () = sleep(wait) => Some(ForwardInput::Tick),
            };
        }
    }

    fn wait(&self) -> Duration {
        let now = (self.clock)();
        let until = |at: Timestamp| at.micros().saturating_sub(now.micros());
        let micros = self.forward.wake_at().into_iter().chain(self.reading.retry_at()).map(until).min();
        let wait = micros.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
        wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
    }

    fn steered(&mut self, steer: Steer) -> ForwardInput {
        match steer {
            Steer::Rewind { seq, generation } => {
                self.set_back_to = Some(generation);
                ForwardInput::Rewind(seq)
            }
            Steer::Resend(which) => ForwardInput::Resend(which),
            Steer::Discard(which) => ForwardInput::Discard(which),
            Steer::Renewed => {
                self.reading.hurry();
                ForwardInput::Renewed
            }
            Steer::Stop => ForwardInput::Stop,
        }
    }

    /// Lets go of all that belongs to the account before, once nothing more is ordered of it.
    fn set_back(&mut self) {
        if let Some(generation) = self.set_back_to.take() {
            self.generation = generation;
            self.held.clear();
            self.fetched.clear();
            self.letters.clear();
            self.retries_before = 0;
            self.reading.is_set_back();
        }
    }

    fn answered(&mut self, answer: Answer) -> ForwardInput {
        match answer {
            Answer::Sent { batch, result, mark, took } => {
                self.status.times.add(took);
                self.status.batches += u64::from(result.is_ok());
                self.marks.insert(batch, mark.filter(|mark| mark.len() <= MARK_BYTES_MAX));
                if self.marks.len() > MARKS_MAX {
                    self.marks.pop_first();
                }
                ForwardInput::Sent(batch, result)
            }
            Answer::Confirmed(asked, result) => ForwardInput::Confirmed(asked, result),
            Answer::Closed(result) => ForwardInput::Closed(result),
        }
    }

    fn was_read(&mut self, was: Was) -> Option<ForwardInput> {
        let Read { wanted, page, is_stale } = was?;
        if page.incomplete > 0 && !is_stale {
            if self.status.incomplete == 0 {
                tracing::warn!(
                    forwarder = &*self.name,
                    records = page.incomplete,
                    "retention or an erasure was quicker than the receiver: records are sent without what had gone before"
                );
            }
            self.status.incomplete += page.incomplete;
        }
        let rendered = |(seq, items): &(u64, Vec<Item>)| {
            let mut rendered = Rendered::of(*seq, items.iter().map(|item| item.line.len()).collect());
            (rendered.covers, rendered.told) = page.together.unwrap_or((1, 1));
            rendered
        };
        let records: Vec<Rendered> = page.records.iter().map(rendered).collect();
        let lines = match wanted {
            Wanted::Read { .. } => &mut self.held,
            Wanted::Fetch(_) => {
                self.fetched.clear();
                &mut self.fetched
            }
        };
        if !is_stale {
            lines.extend(page.records);
        }
        Some(match wanted {
            Wanted::Read { after, .. } => ForwardInput::Read(Page { after, through: page.through, records }),
            Wanted::Fetch(_) => ForwardInput::Fetched(records),
        })
    }

    /// One step of the machine, with all that it orders.
    fn step(&mut self, what: ForwardInput) -> Result<(), Defect> {
        let mut chance = [0; 8];
        // Without random numbers waits are no different from each other, which is no reason to deliver nothing.
        let _ = getrandom::fill(&mut chance);
        if matches!(what, ForwardInput::Rewind(_)) {
            // It may be set to a record that became durable just now.
            let head = *self.head.borrow_and_update();
            self.step(ForwardInput::Head(head))?;
            self.set_back();
        }
        let mut out = Vec::new();
        self.forward.step((self.clock)(), u64::from_ne_bytes(chance), what, &mut out);
        out.into_iter().try_for_each(|order| self.obey(order))
    }

    fn obey(&mut self, order: ForwardOrder) -> Result<(), Defect> {
        let call = match order {
            ForwardOrder::Read { after, records, bytes } => {
                self.reading.want(Wanted::Read { after, records, bytes });
                return Ok(());
            }
            ForwardOrder::Fetch(seqs) => {
                self.reading.want(Wanted::Fetch(seqs));
                return Ok(());
            }
            ForwardOrder::Place(progress) => {
                self.placed(*progress);
                return Ok(());
            }
            ForwardOrder::Log(line) => {
                log::line(&self.name, &line, self.forward.words());
                return Ok(());
            }
            ForwardOrder::Send { batch, is_fetched, lines } => {
                let held = if is_fetched { &self.fetched } else { &self.held };
                let item = |id: LineId| held.get(&id.seq)?.get(usize::try_from(id.line).ok()?).cloned();
                let items: Option<Vec<Item>> = lines.into_iter().map(item).collect();
                Call::Send(Batch { number: batch, is_fetched, items: items.ok_or(Defect::Lines)? })
            }
            ForwardOrder::Confirm(asked) => Call::Confirm(asked),
            ForwardOrder::Reset => Call::Reset,
            ForwardOrder::Close => Call::Close,
        };
        self.calls.send(call).map_err(|_| Defect::Driver(String::new()))
    }

    fn placed(&mut self, progress: Progress) {
        let Progress { account, mark, dead, gone } = progress;
        self.held = self.held.split_off(&account.place.saturating_add(1));
        match mark {
            Mark::Same => {}
            Mark::After(batch) => {
                self.row.mark = self.marks.get(&batch).cloned().flatten();
                self.marks = self.marks.split_off(&batch);
            }
            Mark::Nothing => self.row.mark = None,
        }
        let row = row_of(&self.row, account, (self.clock)());
        self.row = row;
        self.is_changed = true;
        let now = self.row.updated_at;
        self.letters.extend(dead.into_iter().map(|letter| change_of(&self.name, letter, now)));
        self.letters.extend(gone.into_iter().map(|id| DeadLetterChange::Drop(key_of(&self.name, id))));
    }

    /// Tells the loop when there is something that it does not know.
    fn tell_if_changed(&mut self) {
        let of_machine = self
            .forward
            .trouble()
            .map(|ongoing| (ongoing.since, format!("{}: {}", ongoing.why, log::cut(self.forward.words()))));
        let trouble = self.reading.trouble().cloned().or(of_machine);
        if self.row.trouble != trouble {
            self.row.trouble = trouble;
            self.row.updated_at = (self.clock)();
            self.is_changed = true;
        }
        // Those that were not taken count at once, and not when the place moves again.
        let retries = self.forward.account().retries;
        if self.row.retries != retries {
            self.row.retries = retries;
            self.row.updated_at = (self.clock)();
            self.is_changed = true;
        }
        let oldest = self.held.first_key_value().and_then(|(_, items)| items.first());
        let oldest = oldest.map(|item| item.recorded_at).or(self.reading.gathered_from());
        let (is_up, letters) = (self.forward.is_up(), self.forward.letters());
        let status = &mut self.status;
        if self.is_changed || (status.is_up, status.oldest, status.letters) != (is_up, oldest, letters) {
            (status.is_up, status.oldest, status.letters) = (is_up, oldest, letters);
            status.retries += self.row.retries.saturating_sub(self.retries_before);
            self.retries_before = self.row.retries;
            self.report(None);
        }
    }

    fn report(&mut self, ended: Option<Result<(), String>>) {
        self.status.trouble.clone_from(&self.row.trouble);
        self.status.row.clone_from(&self.row);
        (self.tell)(Report {
            generation: self.generation,
            row: std::mem::take(&mut self.is_changed).then(|| self.row.clone()),
            letters: std::mem::take(&mut self.letters),
            status: Some(self.status.clone()),
            ended,
        });
    }
}

fn account_of(row: &ForwarderRow) -> Account {
    Account {
        begin: row.begin,
        place: row.place,
        delivered: row.delivered,
        filtered: row.filtered,
        dead: row.dead,
        lines: row.lines,
        bytes: row.bytes,
        batches: row.batches,
        retries: row.retries,
    }
}

fn row_of(before: &ForwarderRow, account: Account, now: Timestamp) -> ForwarderRow {
    let Account { begin, place, delivered, filtered, dead, lines, bytes, batches, retries } = account;
    ForwarderRow {
        begin,
        place,
        delivered,
        filtered,
        dead,
        lines,
        bytes,
        batches,
        retries,
        updated_at: now,
        ..before.clone()
    }
}
