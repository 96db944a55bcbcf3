//! One source: its state machine, the task that carries out its orders, and what waits between the two.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use osel_core::engine::{Engine, SourceGap, SourceLedger};
use osel_core::intake::{
    BatchNumber, BrokerTrouble, ConnectionNumber, Cursor, GapCause, Intake, IntakeInput, IntakeOrder,
    OpenGap, Queue,
};
use osel_core::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::recorder::{RecordError, Recorder};
use super::kind::{SourceKind, SourceSettings, Tell};
use super::log::{self, Words};
use super::status::{SourceState, SourceStatus, Watched};
use crate::source::place::Place;
use crate::source::words::{Arrived, BusEvent, BusOrder};
use crate::store::CursorRow;

/// How long a store may take to answer before it counts as one that takes nothing. A database that hangs is given up after half a minute.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// A batch that the store was given.
struct Given {
    batch: BatchNumber,
    /// As the writer knows it.
    number: u64,
    /// How far the source was read with it.
    place: Option<Place>,
    given: Instant,
    given_at: Timestamp,
}

/// Since when the store has not answered, and that in words; none where it answers in time.
pub(super) fn unanswered(taps: &[Tap]) -> Option<(Timestamp, String)> {
    let since = taps.iter().filter_map(Tap::unanswered).min()?;
    Some((since, "it does not answer".to_owned()))
}

/// Since when the store takes nothing: as known, or since the oldest batch waits that it was given.
pub(super) fn troubled_since(known: Option<&(Timestamp, String)>, taps: &[Tap]) -> Option<Timestamp> {
    if let Some((since, _)) = known {
        return Some(*since);
    }
    taps.iter().filter_map(|tap| tap.batches.front()).map(|given| given.given_at).min()
}

/// A source and all that the loop keeps of it.
pub(super) struct Tap {
    name: Arc<str>,
    region: Option<Arc<str>>,
    kind: SourceKind,
    pub(super) intake: Intake,
    settings: SourceSettings,
    orders: UnboundedSender<BusOrder>,
    task: JoinHandle<()>,
    /// Where the task tells what happens, and where it runs.
    ground: (Tell, Handle),
    /// The connection that was ordered last.
    ordered: Option<ConnectionNumber>,
    epoch: u64,
    cursor: Cursor,
    /// How far its messages were handed to the engine, where it is read from a place on.
    place: Option<Place>,
    /// How far they are durable.
    durable_place: Option<Place>,
    /// Something was lost before what is read now, and no batch has that yet.
    holds_place: bool,
    /// Arrived and not handed to the engine, with the connection.
    waiting: VecDeque<(ConnectionNumber, Arrived)>,
    /// Ordered and not durable.
    batches: VecDeque<Given>,
    pub(super) words: Words,
    /// Gaps that the next batch has to tell.
    gaps: Vec<SourceGap>,
    /// What the queue takes is not whole, as last seen.
    is_broken: bool,
    /// Something may have been missed, and nothing is from now on; nobody has asked for that yet.
    was_broken: bool,
    /// Messages were handed to the engine since the last batch.
    has_open: bool,
    is_idle: bool,
    has_exited: bool,
    pub(super) watched: Watched,
    out: Vec<IntakeOrder>,
}

impl Tap {
    /// Starts the task of a source.
    pub(super) fn start(
        settings: SourceSettings,
        epoch: u64,
        cursors: &[CursorRow],
        tell: impl Fn(BusEvent) + Send + Sync + 'static,
        tokio: &Handle,
    ) -> Self {
        let (orders, receiver) = unbounded_channel();
        let (kind, limits, (name, region)) = (settings.kind(), settings.limits(), settings.names());
        let row = cursors.iter().find(|row| row.source == *name);
        let place = row.and_then(|row| Place::parse(row.place.as_deref()?));
        let ground: (Tell, Handle) = (Arc::new(tell), tokio.clone());
        let task = settings.start(place, receiver, Arc::clone(&ground.0), tokio);
        Self {
            name,
            region,
            kind,
            intake: Intake::new(limits),
            settings,
            orders,
            task,
            ground,
            ordered: None,
            epoch,
            cursor: row.map(cursor_of).unwrap_or_default(),
            place,
            durable_place: place,
            holds_place: false,
            waiting: VecDeque::new(),
            batches: VecDeque::new(),
            words: Words::default(),
            gaps: Vec::new(),
            is_broken: false,
            was_broken: false,
            has_open: false,
            is_idle: false,
            has_exited: false,
            watched: Watched::default(),
            out: Vec::new(),
        }
    }

    /// The region that its messages are of.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// What the state machine is told first. That the model has other regions than the source's is told to people: it may be mistyped.
    pub(super) fn start_input(&self, engine: &Engine) -> IntakeInput {
        let known: Vec<Option<&str>> = engine.regions().map(|region| region.map(|name| &**name)).collect();
        if !known.is_empty() && !known.contains(&self.region()) {
            log::new_region(&self.name, self.region(), &known);
        }
        IntakeInput::Start { epoch: self.epoch, cursor: self.cursor }
    }

    /// Takes what the task tells; what of it is for the state machine.
    pub(super) fn take(&mut self, event: BusEvent, chance: u64) -> Option<IntakeInput> {
        match event {
            BusEvent::Connected { connection, report } => {
                self.watched.failed(false);
                self.seen(report.queue);
                Some(IntakeInput::Connected { connection, report })
            }
            BusEvent::Checked { connection, mut report } => {
                // What waits here is not told yet.
                report.is_drained &= self.waiting.is_empty();
                self.seen(report.queue);
                Some(IntakeInput::Checked { connection, report })
            }
            BusEvent::ConnectFailed { connection, why, detail } => {
                self.words.broker = detail;
                self.watched.failed(false);
                Some(IntakeInput::ConnectFailed { connection, why, chance })
            }
            BusEvent::Lost { connection, why, detail } => {
                self.words.broker = detail;
                self.watched.disconnected();
                // They come again, by the next connection.
                self.waiting.retain(|(by, _)| *by != connection);
                Some(IntakeInput::Lost { connection, why, chance })
            }
            BusEvent::Host(place) => {
                self.words.host = place;
                None
            }
            BusEvent::Hosts(count) => Some(IntakeInput::Hosts { count }),
            BusEvent::Blocked(connection) => Some(IntakeInput::Blocked { connection }),
            BusEvent::Unblocked(connection) => Some(IntakeInput::Unblocked { connection }),
            BusEvent::Arrived { connection, messages } => {
                self.is_idle = false;
                self.waiting.extend(messages.into_iter().map(|arrived| (connection, arrived)));
                None
            }
            BusEvent::Waiting(messages) => {
                self.watched.waiting(messages);
                None
            }
            BusEvent::Unbound(exchanges) => {
                self.words.unbound = exchanges.join(", ");
                None
            }
            BusEvent::Bound(exchanges) => {
                self.watched.bound(exchanges);
                None
            }
            BusEvent::Exchange(change) => {
                log::exchange(&self.name, &change);
                None
            }
            BusEvent::Ended => {
                log::ended(&self.name);
                Some(IntakeInput::Ended)
            }
            BusEvent::Failed(words) => {
                self.words.broker = format!("its task has failed, which is a defect of osel{words}");
                self.watched.disconnected();
                self.watched.failed(true);
                self.begin_anew();
                let connection = self.ordered?;
                self.waiting.retain(|(by, _)| *by != connection);
                Some(IntakeInput::Lost { connection, why: BrokerTrouble::Failed, chance })
            }
        }
    }

    /// Starts the task again after it has broken down. It does nothing before it is ordered to connect, which waits as after any other loss.
    fn begin_anew(&mut self) {
        let (orders, receiver) = unbounded_channel();
        let (tell, tokio) = &self.ground;
        self.task = self.settings.start(self.durable_place, receiver, Arc::clone(tell), tokio);
        self.orders = orders;
        if self.intake.is_paused() {
            self.order(BusOrder::Pause);
        }
    }

    /// The next message for the engine, while messages are taken.
    pub(super) fn next_message(&mut self) -> Option<(ConnectionNumber, Arrived)> {
        if self.intake.is_paused() {
            return None;
        }
        let next = self.waiting.pop_front();
        self.has_open |= next.is_some();
        if let Some((_, Arrived { place: Some(place), .. })) = &next {
            self.place = Some(*place);
        }
        next
    }

    /// One step of the state machine, with its orders; whether messages are taken again.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        input: IntakeInput,
        recorder: &mut Recorder,
    ) -> Result<bool, RecordError> {
        let mut resumed = false;
        self.intake.step(now, input, &mut self.out);
        for order in std::mem::take(&mut self.out) {
            match order {
                IntakeOrder::ConnectAt { at, host, connection } => {
                    let wait = at.micros().saturating_sub(now.micros());
                    let wait = Duration::from_micros(u64::try_from(wait).unwrap_or(0));
                    self.ordered = Some(connection);
                    self.order(BusOrder::ConnectIn { wait, host, connection });
                }
                IntakeOrder::Disconnect { connection } => {
                    self.waiting.retain(|(by, _)| *by != connection);
                    self.order(BusOrder::Disconnect(connection));
                }
                IntakeOrder::Mend { connection, why } => self.order(BusOrder::Mend { connection, why }),
                IntakeOrder::Pause => self.order(BusOrder::Pause),
                IntakeOrder::Resume => {
                    self.order(BusOrder::Resume);
                    resumed = true;
                }
                IntakeOrder::Commit { batch, cursor } => self.commit(now, batch, cursor, recorder)?,
                IntakeOrder::Acknowledge { connection, up_to } => {
                    self.order(BusOrder::Acknowledge { connection, up_to });
                }
                IntakeOrder::Gap(gap) => {
                    let cause = self.kind.gap_cause(gap.why);
                    let (source, region) = (Arc::clone(&self.name), self.region.clone());
                    self.watched.gap();
                    self.gaps.push(SourceGap { source, region, from: gap.from, to: gap.to, cause });
                }
                IntakeOrder::Log(line) => {
                    log::line(&self.name, self.kind, &line, &self.words);
                }
                IntakeOrder::Exit => self.has_exited = true,
            }
        }
        self.watched.is(self.state(), now);
        Ok(resumed)
    }

    fn state(&self) -> SourceState {
        match (self.has_exited, self.intake.is_listening(), self.intake.is_paused()) {
            (true, ..) => SourceState::Ended,
            (false, false, _) => SourceState::Connecting,
            (false, true, false) => SourceState::Listening,
            (false, true, true) => SourceState::Held,
        }
    }

    /// How it does; `ledgers` are those of all sources.
    pub(super) fn status(&self, ledgers: &BTreeMap<Arc<str>, SourceLedger>) -> SourceStatus {
        self.watched.status(&self.name, self.kind, &self.intake, ledgers.get(&self.name))
    }

    fn commit(
        &mut self,
        now: Timestamp,
        batch: BatchNumber,
        cursor: Cursor,
        recorder: &mut Recorder,
    ) -> Result<(), RecordError> {
        if self.batches.iter().any(|given| given.batch == batch) {
            // Ordered before: the writer has kept it.
            return recorder.retry();
        }
        // With the cursor that says that they are told, and in no batch that another source closes before.
        for gap in self.gaps.drain(..) {
            self.was_broken = true;
            recorder.gap(now, gap)?;
        }
        (self.has_open, self.holds_place) = (false, false);
        let number = recorder.close_batch(vec![cursor_row(&self.name, cursor, self.place)])?;
        let place = self.place;
        self.batches.push_back(Given { batch, number, place, given: Instant::now(), given_at: now });
        Ok(())
    }

    /// Since when the store has not answered for a batch, where that is longer than it should be.
    pub(super) fn unanswered(&self) -> Option<Timestamp> {
        let late = self.batches.front().filter(|batch| batch.given.elapsed() >= ANSWER_TIME);
        late.map(|batch| batch.given_at)
    }

    fn order(&self, order: BusOrder) {
        // The task ends only with this, or breaks down, and then another one is told what counts by then.
        let _ = self.orders.send(order);
    }

    /// The next batch that is durable with the writer's batch of that number, and how long that took.
    pub(super) fn take_durable(&mut self, durable: u64) -> Option<(BatchNumber, Duration)> {
        let given = self.batches.pop_front_if(|given| given.number <= durable)?;
        self.durable_place = given.place;
        Some((given.batch, given.given.elapsed()))
    }

    /// The region, if something may have been missed there that a read of its API can show: a gap was told, or the queue is in place that
    /// was not. Where nothing was ever promised there is no gap, and yet nobody listened.
    pub(super) fn take_missed(&mut self) -> Option<Option<Arc<str>>> {
        std::mem::take(&mut self.was_broken).then(|| self.region.clone())
    }

    fn seen(&mut self, queue: Queue) {
        self.holds_place |= queue == Queue::Missing;
        let was_broken =
            std::mem::replace(&mut self.is_broken, !matches!(queue, Queue::Kept | Queue::Unknown));
        self.was_broken |= was_broken && !self.is_broken;
    }

    /// The batches that are not durable.
    pub(super) fn batches(&self) -> Vec<BatchNumber> {
        self.batches.iter().map(|given| given.batch).collect()
    }

    /// Whether no place may be written but by this tap's own batch, which has the gap that comes before it.
    pub(super) fn holds_place(&self) -> bool {
        self.holds_place
    }

    /// Whether messages wait for this tap to order their batch.
    pub(super) fn has_open(&self) -> bool {
        self.has_open
    }

    /// Whether it has nothing at hand now and had before.
    pub(super) fn becomes_idle(&mut self) -> bool {
        let becomes = self.waiting.is_empty() && !self.is_idle;
        self.is_idle |= becomes;
        becomes
    }

    /// Whether many messages wait at its broker.
    pub(super) fn is_behind(&self) -> bool {
        self.watched.is_behind()
    }

    /// Whether its state machine is at its end.
    pub(super) fn has_exited(&self) -> bool {
        self.has_exited
    }
}

/// Lets the tasks carry out what they were ordered, acknowledgements among it, and end.
pub(super) async fn end(taps: Vec<Tap>, time: Duration) {
    // Without anybody to give orders, a task ends.
    let tasks: Vec<_> = taps.into_iter().map(|tap| tap.task).collect();
    let all = async {
        for task in tasks {
            let _ = task.await;
        }
    };
    // What is not acknowledged by then comes again.
    let _ = timeout(time, all).await;
}

const CAUSES: [GapCause; 4] =
    [GapCause::LongOutage, GapCause::Unbound, GapCause::Overflowed, GapCause::Missing];

/// A cursor as the store keeps it; a cause is its place in the list above, which therefore only grows.
fn cursor_row(name: &str, cursor: Cursor, place: Option<Place>) -> CursorRow {
    let code = |why| CAUSES.iter().position(|cause| *cause == why).and_then(|at| u8::try_from(at).ok());
    let gap = cursor.gap.and_then(|gap| Some((gap.from, code(gap.why)?)));
    let place = place.map(|place| place.to_string());
    CursorRow { source: name.to_owned(), unbroken: cursor.unbroken, drained: cursor.drained, gap, place }
}

fn cursor_of(row: &CursorRow) -> Cursor {
    // A cause that this version does not know is the worst.
    let cause = |code: u8| CAUSES.get(usize::from(code)).copied().unwrap_or(GapCause::Missing);
    Cursor {
        unbroken: row.unbroken,
        drained: row.drained,
        gap: row.gap.map(|(from, code)| OpenGap { from, why: cause(code) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_from_the_store() {
        let time = |seconds| Some(Timestamp::EPOCH.plus_seconds(seconds));
        let gaps = CAUSES.map(|why| Some(OpenGap { from: Timestamp::EPOCH, why }));
        for gap in gaps.into_iter().chain([None]) {
            let cursor = Cursor { unbroken: time(5), drained: time(4), gap };
            assert_eq!(cursor_of(&cursor_row("one", cursor, None)), cursor);
        }
        assert_eq!(cursor_of(&cursor_row("one", Cursor::default(), None)), Cursor::default());
    }
}
