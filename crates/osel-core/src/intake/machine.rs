//! The machine itself: every input leads through [`Intake::step`], and what is due by then is found in one
//! place after it.

use super::backoff::{Backoff, commit_wait};
use super::batch::Batches;
use super::continuity::{Continuity, Cursor, Queue, QueueReport};
use super::limits::{CURSOR_AGE_MICROS, Limits, STOP_WAIT_MICROS};
use super::words::{
    BatchNumber, BrokerTrouble, ConnectionNumber, IntakeInput, IntakeOrder, LogLine, StoreTrouble, Why,
};
use crate::pace::{Clock, Moment, REMINDER_MICROS, STEADY_MICROS, Trouble};
use crate::time::Timestamp;

/// Whether to consume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not started, or deposed.
    Waiting,
    Running,
    /// Only what was taken is still committed, until then at most.
    Ending(Option<Moment>),
    Exited,
}

/// The way to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    None,
    /// Ordered, not answered.
    Ordered(ConnectionNumber),
    /// It stands since then; the tag that must come next.
    Up(ConnectionNumber, Moment, u64),
}

/// How the store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Store {
    Well,
    /// So many commits failed; the oldest is repeated then, unless it is under way.
    Failing(usize, Option<Moment>),
}

/// The state machine of one source. Time never comes from elsewhere than the steps.
#[derive(Clone, Debug)]
pub struct Intake {
    limits: Limits,
    clock: Clock,
    phase: Phase,
    epoch: u64,
    link: Link,
    /// The queue is there, as seen by the connection that stands.
    has_queue: bool,
    last_connection: u64,
    was_connected: bool,
    backoff: Backoff,
    batches: Batches,
    continuity: Continuity,
    store: Store,
    is_paused: bool,
    is_idle: bool,
    /// When the cursor was last sent to the store.
    cursor_sent: Option<Moment>,
    broker_trouble: Trouble<Why>,
    store_trouble: Trouble<Why>,
    queue_trouble: Trouble<Why>,
    alarm_trouble: Trouble<Why>,
    remind_at: Option<Moment>,
}

impl Intake {
    /// An intake that waits for [`IntakeInput::Start`].
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            clock: Clock::default(),
            phase: Phase::Waiting,
            epoch: 0,
            link: Link::None,
            has_queue: false,
            last_connection: 0,
            was_connected: false,
            backoff: Backoff::new(limits.hosts),
            batches: Batches::new(limits),
            continuity: Continuity::default(),
            store: Store::Well,
            is_paused: false,
            is_idle: false,
            cursor_sent: None,
            broker_trouble: Trouble::default(),
            store_trouble: Trouble::default(),
            queue_trouble: Trouble::default(),
            alarm_trouble: Trouble::default(),
            remind_at: None,
        }
    }

    /// Takes what happened and adds what is to be done, in its order. Any input is taken in any state; what
    /// does not fit (a late answer, another connection) changes nothing or is undone.
    pub fn step(&mut self, now: Timestamp, what: IntakeInput, out: &mut Vec<IntakeOrder>) {
        self.clock.advance(now);
        if self.phase == Phase::Exited {
            return;
        }
        self.settle(out);
        self.take(what, out);
        if matches!(self.phase, Phase::Running | Phase::Ending(_)) {
            self.send_batches(out);
            self.pause_or_resume(out);
            self.mend(out);
            self.remind(out);
            self.finish(out);
        }
    }

    /// When a [`IntakeInput::Tick`] is wanted if nothing else happens; none when time alone changes nothing.
    /// It is later than the last step's `now`, and a span from it: see [`IntakeOrder::ConnectAt`].
    pub fn wake_at(&self) -> Option<Timestamp> {
        let deadline = match self.phase {
            Phase::Waiting | Phase::Exited => return None,
            Phase::Running => None,
            Phase::Ending(deadline) => deadline,
        };
        let repeat = match self.store {
            Store::Failing(_, at) => at,
            Store::Well => None,
        };
        let (is_running, is_well) = (self.phase == Phase::Running, self.store == Store::Well);
        let moment = self.clock.moment();
        let deadlines = [
            deadline,
            repeat.filter(|_| !self.batches.is_under_way()),
            self.batches.ripens_at().filter(|_| is_well),
            self.connection().filter(|_| is_running).and_then(|_| self.continuity.mend_at(moment)),
            self.remind_at,
        ];
        let settles = self.troubles().map(Trouble::settles_at);
        let first = deadlines.into_iter().chain(settles).flatten().min()?;
        Some(self.clock.time(first))
    }

    /// The bytes of messages that were handed over and are not durable.
    pub fn bytes_in_flight(&self) -> u64 {
        self.batches.bytes()
    }

    /// How many messages were handed over and are not durable.
    pub fn messages_in_flight(&self) -> u64 {
        self.batches.messages()
    }

    /// The connection that stands, if one does.
    pub fn connection(&self) -> Option<ConnectionNumber> {
        match self.link {
            Link::Up(connection, ..) => Some(connection),
            _ => None,
        }
    }

    /// Whether messages can come: a connection stands, and the queue is there.
    pub fn is_listening(&self) -> bool {
        self.has_queue && self.connection().is_some()
    }

    /// Whether deliveries are not to be taken now.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    fn take(&mut self, what: IntakeInput, out: &mut Vec<IntakeOrder>) {
        match what {
            IntakeInput::Start { epoch, cursor } => self.start(epoch, cursor, out),
            IntakeInput::Hosts { count } => self.backoff.set_hosts(count),
            IntakeInput::Renewed => self.renewed(out),
            IntakeInput::Connected { connection, report } => self.connected(connection, report, out),
            IntakeInput::ConnectFailed { connection, why, chance }
            | IntakeInput::Lost { connection, why, chance } => self.lost(connection, why, chance, out),
            IntakeInput::Checked { connection, report } if self.is_up(connection) => {
                self.report(false, report, out);
            }
            IntakeInput::Delivered { connection, tag, bytes } => self.delivered(connection, tag, bytes, out),
            IntakeInput::Idle => self.is_idle = true,
            IntakeInput::Committed { batch } => self.committed(batch, out),
            IntakeInput::CommitFailed { batch, why } => self.commit_failed(batch, why, out),
            IntakeInput::Blocked { connection } if self.is_up(connection) => {
                let line = self.alarm_trouble.happened(self.clock.now(), Why::Alarm);
                log(line, out);
            }
            IntakeInput::Unblocked { connection } if self.is_up(connection) => {
                log(self.alarm_trouble.ended(self.clock.moment()), out);
            }
            IntakeInput::Deposed { epoch } if epoch == self.epoch => self.deposed(out),
            IntakeInput::Ended => self.end(None, out),
            IntakeInput::Stop => self.end(Some(self.clock.moment().plus(STOP_WAIT_MICROS)), out),
            IntakeInput::Tick
            | IntakeInput::Deposed { .. }
            | IntakeInput::Checked { .. }
            | IntakeInput::Blocked { .. }
            | IntakeInput::Unblocked { .. } => {}
        }
    }

    fn start(&mut self, epoch: u64, cursor: Cursor, out: &mut Vec<IntakeOrder>) {
        if self.phase != Phase::Waiting {
            return;
        }
        self.phase = Phase::Running;
        self.epoch = epoch;
        self.continuity = Continuity::new(cursor);
        self.was_connected = false;
        self.is_idle = false;
        self.connect(0, out);
    }

    fn connected(&mut self, connection: ConnectionNumber, report: QueueReport, out: &mut Vec<IntakeOrder>) {
        if self.link != Link::Ordered(connection) {
            if !self.is_up(connection) {
                out.push(IntakeOrder::Disconnect { connection });
            }
            return;
        }
        self.link = Link::Up(connection, self.clock.moment(), 1);
        self.has_queue = false;
        self.report(true, report, out);
    }

    /// The queue is there: until then the way to the broker is not won, since it may refuse to make one.
    fn listens(&mut self, out: &mut Vec<IntakeOrder>) {
        let first = LogLine::Connected { host: self.backoff.host() };
        let line = self.broker_trouble.ended(self.clock.moment()).map(LogLine::from);
        log(line.or((!self.was_connected && self.broker_trouble.ongoing().is_none()).then_some(first)), out);
        (self.has_queue, self.was_connected) = (true, true);
    }

    fn lost(
        &mut self,
        connection: ConnectionNumber,
        why: BrokerTrouble,
        chance: u64,
        out: &mut Vec<IntakeOrder>,
    ) {
        match self.link {
            Link::Ordered(current) | Link::Up(current, ..) if current == connection => {}
            _ => return,
        }
        self.link = Link::None;
        self.continuity.lost();
        // Nobody says when the alarm ends. It counts as ended, and as unsteady should the next connection
        // bring it again.
        log(self.alarm_trouble.ended(self.clock.moment()), out);
        if self.phase == Phase::Running {
            log(self.broker_trouble.happened(self.clock.now(), Why::Broker(why)), out);
            let wait = self.backoff.failed(chance);
            self.connect(wait, out);
        }
    }

    /// What failed is tried at once, and what is tried just now once more: it may have begun with what was wrong.
    fn renewed(&mut self, out: &mut Vec<IntakeOrder>) {
        let has_failed = self.broker_trouble.ongoing().is_some();
        if self.phase == Phase::Running && matches!(self.link, Link::Ordered(_)) && has_failed {
            self.disconnect(out);
            self.backoff.reset();
            self.connect(0, out);
        }
    }

    fn connect(&mut self, wait: u64, out: &mut Vec<IntakeOrder>) {
        self.last_connection += 1;
        let connection = ConnectionNumber(self.last_connection);
        self.link = Link::Ordered(connection);
        let at = self.clock.time(self.clock.moment().plus(wait));
        out.push(IntakeOrder::ConnectAt { at, host: self.backoff.host(), connection });
    }

    fn disconnect(&mut self, out: &mut Vec<IntakeOrder>) {
        if let Link::Ordered(connection) | Link::Up(connection, ..) = self.link {
            out.push(IntakeOrder::Disconnect { connection });
        }
        self.link = Link::None;
    }

    fn report(&mut self, connected: bool, report: QueueReport, out: &mut Vec<IntakeOrder>) {
        if !self.has_queue && report.queue != Queue::Missing {
            self.listens(out);
        }
        let (now, moment) = (self.clock.now(), self.clock.moment());
        let finding = self.continuity.report(now, moment, connected, report);
        if let Some(why) = finding.began {
            log(self.queue_trouble.happened(now, Why::Queue(why)), out);
        }
        if let Some(gap) = finding.ended {
            out.push(IntakeOrder::Gap(gap));
            // A gap that is found as a whole had no beginning to tell; one that comes and goes has been told.
            let end = self.queue_trouble.ended(moment);
            let is_told = end.is_none() && self.queue_trouble.ongoing().is_some();
            log((!is_told).then_some(LogLine::Gap(gap)), out);
            log(end, out);
        }
        let is_old = self.cursor_sent.is_none_or(|sent| moment.since(sent) >= CURSOR_AGE_MICROS);
        if finding.is_urgent || !connected && is_old && self.continuity.is_ahead() && self.batches.is_empty()
        {
            self.batches.urge();
        }
    }

    fn delivered(
        &mut self,
        connection: ConnectionNumber,
        tag: u64,
        bytes: usize,
        out: &mut Vec<IntakeOrder>,
    ) {
        if matches!(self.phase, Phase::Waiting | Phase::Exited) {
            return;
        }
        self.is_idle = false;
        let moment = self.clock.moment();
        let Link::Up(current, _, next) = &mut self.link else {
            return self.batches.add(moment, None, bytes);
        };
        if *current != connection {
            self.batches.add(moment, None, bytes);
        } else if *next == tag {
            *next = next.saturating_add(1);
            self.batches.add(moment, Some((connection, tag)), bytes);
        } else {
            // Tags that do not follow one another: the connection is not what it was (a library that
            // reconnects by itself), or a delivery went by us. A multiple acknowledgement would take what we
            // have not got.
            self.batches.add(moment, None, bytes);
            out.push(IntakeOrder::Disconnect { connection });
            self.lost(connection, BrokerTrouble::Disorder, u64::MAX, out);
        }
    }

    fn committed(&mut self, batch: BatchNumber, out: &mut Vec<IntakeOrder>) {
        let Some(durable) = self.batches.committed(batch) else { return };
        if let Some(cursor) = durable.cursor {
            self.continuity.committed(cursor);
        }
        if let Some((connection, up_to)) = durable.last
            && self.is_up(connection)
        {
            out.push(IntakeOrder::Acknowledge { connection, up_to });
        }
        if self.store != Store::Well {
            self.store = Store::Well;
            log(self.store_trouble.ended(self.clock.moment()), out);
        }
    }

    fn commit_failed(&mut self, batch: BatchNumber, why: StoreTrouble, out: &mut Vec<IntakeOrder>) {
        if !self.batches.failed(batch) {
            return;
        }
        let (failures, at) = match self.store {
            Store::Well => (0, None),
            Store::Failing(failures, at) => (failures, at),
        };
        // Batches that were under way behind the one that failed fail with it: that is one failure.
        if at.is_none() {
            let wait = commit_wait(failures, why);
            self.store = Store::Failing(failures.saturating_add(1), Some(self.clock.moment().plus(wait)));
            log(self.store_trouble.happened(self.clock.now(), Why::Store(why)), out);
        }
    }

    fn deposed(&mut self, out: &mut Vec<IntakeOrder>) {
        self.batches.drop_all();
        self.store = Store::Well;
        match self.phase {
            Phase::Running => {
                self.disconnect(out);
                self.phase = Phase::Waiting;
                out.push(IntakeOrder::Log(LogLine::Deposed));
            }
            // There is nothing left to wait for: `finish` does the rest.
            Phase::Ending(_) | Phase::Waiting | Phase::Exited => {}
        }
        for trouble in self.troubles_mut() {
            *trouble = Trouble::default();
        }
        self.remind_at = None;
    }

    fn end(&mut self, deadline: Option<Moment>, out: &mut Vec<IntakeOrder>) {
        self.phase = match self.phase {
            Phase::Running => {
                // A connection that does not stand yet is of no use any more.
                if matches!(self.link, Link::Ordered(_)) {
                    self.disconnect(out);
                }
                Phase::Ending(deadline)
            }
            Phase::Ending(before) => Phase::Ending(before.or(deadline)),
            Phase::Waiting => {
                out.push(IntakeOrder::Exit);
                Phase::Exited
            }
            Phase::Exited => Phase::Exited,
        };
    }

    fn settle(&mut self, out: &mut Vec<IntakeOrder>) {
        let moment = self.clock.moment();
        for trouble in self.troubles_mut() {
            log(trouble.settle(moment), out);
        }
        if let Link::Up(_, since, _) = self.link
            && moment.since(since) >= STEADY_MICROS
        {
            self.backoff.reset();
        }
    }

    fn send_batches(&mut self, out: &mut Vec<IntakeOrder>) {
        let moment = self.clock.moment();
        if let Store::Failing(failures, Some(at)) = self.store {
            if at > moment || self.batches.is_under_way() {
                return;
            }
            self.store = Store::Failing(failures, None);
            if let Some((batch, cursor)) = self.batches.repeat() {
                out.push(IntakeOrder::Commit { batch, cursor });
            }
        }
        if self.store != Store::Well {
            return;
        }
        while let Some((batch, cursor)) = self.batches.repeat() {
            out.push(IntakeOrder::Commit { batch, cursor });
        }
        let cursor = self.continuity.cursor();
        loop {
            let is_last = matches!(self.phase, Phase::Ending(_));
            let is_stopped = self.is_paused || self.batches.bytes() > self.limits.pause_above();
            // With nothing on the way to the store, nothing but more messages could make the open batch ripe
            // sooner.
            let hurry = is_last || self.batches.is_none_in_flight() && (self.is_idle || is_stopped);
            let Some(batch) = self.batches.close(moment, hurry, cursor) else { break };
            self.cursor_sent = Some(moment);
            out.push(IntakeOrder::Commit { batch, cursor });
        }
    }

    fn pause_or_resume(&mut self, out: &mut Vec<IntakeOrder>) {
        let is_stuck = self.store != Store::Well || self.phase != Phase::Running || self.batches.is_full();
        // Between the two lies room, so that the source is not stopped and started with every message.
        let above = self.limits.pause_above();
        if !self.is_paused && (is_stuck || self.batches.bytes() > above) {
            self.is_paused = true;
            out.push(IntakeOrder::Pause);
        } else if self.is_paused && !is_stuck && self.batches.bytes() <= above / 2 {
            self.is_paused = false;
            out.push(IntakeOrder::Resume);
        }
    }

    fn mend(&mut self, out: &mut Vec<IntakeOrder>) {
        let moment = self.clock.moment();
        if self.phase == Phase::Running
            && let Link::Up(connection, ..) = self.link
            && self.continuity.mend_at(moment).is_some_and(|at| at <= moment)
        {
            let why = self.continuity.mending(moment);
            out.push(IntakeOrder::Mend { connection, why });
        }
    }

    fn remind(&mut self, out: &mut Vec<IntakeOrder>) {
        let ongoing: Vec<_> = self.troubles().into_iter().filter_map(Trouble::ongoing).collect();
        let moment = self.clock.moment();
        if ongoing.is_empty() {
            self.remind_at = None;
        } else if *self.remind_at.get_or_insert(moment.plus(REMINDER_MICROS)) <= moment {
            self.remind_at = Some(moment.plus(REMINDER_MICROS));
            out.push(IntakeOrder::Log(LogLine::Still(ongoing)));
        }
    }

    fn finish(&mut self, out: &mut Vec<IntakeOrder>) {
        let Phase::Ending(deadline) = self.phase else { return };
        let is_late = deadline.is_some_and(|at| at <= self.clock.moment());
        if !self.batches.is_empty() && !is_late {
            return;
        }
        if !self.batches.is_empty() {
            out.push(IntakeOrder::Log(LogLine::Unfinished { messages: self.batches.messages() }));
        }
        self.disconnect(out);
        out.push(IntakeOrder::Exit);
        self.phase = Phase::Exited;
    }

    fn is_up(&self, connection: ConnectionNumber) -> bool {
        self.connection() == Some(connection)
    }

    fn troubles(&self) -> [&Trouble<Why>; 4] {
        [&self.broker_trouble, &self.store_trouble, &self.queue_trouble, &self.alarm_trouble]
    }

    fn troubles_mut(&mut self) -> [&mut Trouble<Why>; 4] {
        [&mut self.broker_trouble, &mut self.store_trouble, &mut self.queue_trouble, &mut self.alarm_trouble]
    }
}

fn log(line: Option<impl Into<LogLine>>, out: &mut Vec<IntakeOrder>) {
    out.extend(line.map(|line| IntakeOrder::Log(line.into())));
}
