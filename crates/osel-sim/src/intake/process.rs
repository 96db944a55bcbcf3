//! One process: the intake, its driver, and as much of an engine as recognises repetitions.
//!
//! The driver is the simplest one that keeps the promises of the inputs; what a real one does in tasks are
//! single actions here, so that a kill may come between any two of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use osel_core::intake::{
    BatchNumber, BrokerTrouble, ConnectionNumber, Cursor, GapCause, Intake, IntakeInput, IntakeOrder, Limits,
    LogLine,
};
use osel_core::time::Timestamp;

use super::broker::{Broker, Message};
use super::store::{Answer, Entry, Prepared, Store};
use super::world::Time;
use crate::random::Random;

/// How many deliveries the broker sends ahead.
pub(super) const PREFETCH: usize = 6;

/// What a process is made of; all of it dies with it.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) intake: Intake,
    limits: Limits,
    epoch: u64,
    /// Orders of the last step that are not carried out yet.
    pub(super) orders: VecDeque<IntakeOrder>,
    /// What happened and was not told yet.
    pub(super) inbox: VecDeque<IntakeInput>,
    /// Deliveries that the client library holds.
    pub(super) buffer: VecDeque<(ConnectionNumber, u64, Message)>,
    /// When a tick is due.
    pub(super) wake_at: Option<Timestamp>,
    /// A connection to be made.
    pub(super) connect: Option<(Timestamp, usize, ConnectionNumber)>,
    /// The connection, as both sides call it.
    pub(super) connection: Option<(ConnectionNumber, u64)>,
    /// Batches on their way to the store.
    pub(super) commits: VecDeque<BatchNumber>,
    prepared: BTreeMap<BatchNumber, Prepared>,
    last_prepared: u64,
    seen: BTreeSet<u64>,
    entries: Vec<Entry>,
    /// Connections whose end was told.
    ended: BTreeSet<ConnectionNumber>,
    pub(super) is_idle_told: bool,
    pub(super) has_exited: bool,
    is_deposed: bool,
    /// For the budget of lines.
    pub(super) began_at: Timestamp,
    pub(super) lines: u64,
    pub(super) reminders: u64,
    pub(super) starts: u64,
    pub(super) violations: Vec<String>,
}

impl Process {
    /// A process that does not lead.
    pub(super) fn new(limits: Limits, time: Time) -> Self {
        Self {
            intake: Intake::new(limits),
            limits,
            epoch: 0,
            orders: VecDeque::new(),
            inbox: VecDeque::new(),
            buffer: VecDeque::new(),
            wake_at: None,
            connect: None,
            connection: None,
            commits: VecDeque::new(),
            prepared: BTreeMap::new(),
            last_prepared: 0,
            seen: BTreeSet::new(),
            entries: Vec::new(),
            ended: BTreeSet::new(),
            is_idle_told: true,
            has_exited: false,
            is_deposed: false,
            began_at: time.world,
            lines: 0,
            reminders: 0,
            starts: 0,
            violations: Vec::new(),
        }
    }

    /// Takes over the store and folds it.
    pub(super) fn lead(&mut self, store: &mut Store, time: Time) {
        self.epoch = store.open();
        self.last_prepared = store.head;
        self.forget_engine();
        self.seen = store.records.keys().copied().collect();
        self.starts += 1;
        self.is_deposed = false;
        self.step(time, IntakeInput::Start { epoch: self.epoch, cursor: store.cursor });
    }

    fn forget_engine(&mut self) {
        self.seen.clear();
        self.entries.clear();
        self.prepared.clear();
        self.commits.clear();
    }

    /// Whether this is the process that the store takes commits from.
    pub(super) fn leads(&self, store: &Store) -> bool {
        self.epoch == store.epoch
    }

    /// One step of the machine; its orders are carried out before the next.
    pub(super) fn step(&mut self, time: Time, what: IntakeInput) {
        let mut out = Vec::new();
        self.intake.step(time.clock, what, &mut out);
        if self.has_exited && !out.is_empty() {
            self.violations.push(format!("ordered {out:?} after the exit"));
        }
        self.orders.extend(out);
        if self.intake.bytes_in_flight() > self.limits.bytes_in_flight_max {
            self.violations.push(format!("{} bytes in flight", self.intake.bytes_in_flight()));
        }
        let wake_at = self.intake.wake_at();
        // Timers run on spans, not on the clock that may be set.
        self.wake_at = wake_at.map(|at| time.after(at));
        if wake_at.is_some_and(|at| at <= time.clock) {
            self.violations.push(format!("wants a tick that changes nothing after {what:?}"));
        }
        if what == (IntakeInput::Deposed { epoch: self.epoch }) {
            self.is_deposed = true;
            self.forget_engine();
        }
        if let IntakeInput::Lost { connection, .. } = what {
            self.ended.insert(connection);
        }
    }

    /// The next message that was told.
    pub(super) fn take_input(&mut self, time: Time) {
        let Some(what) = self.inbox.pop_front() else { return };
        if let IntakeInput::Committed { batch } = what {
            self.prepared.remove(&batch);
        }
        self.step(time, what);
    }

    /// The next delivery that the library holds goes to the engine and is told.
    pub(super) fn take_delivery(&mut self, time: Time) {
        let Some((connection, tag, message)) = self.buffer.pop_front() else { return };
        let is_new = self.seen.insert(message.id);
        self.entries.push(if is_new { Entry::Message(message.id) } else { Entry::Duplicate });
        self.is_idle_told = false;
        self.step(time, IntakeInput::Delivered { connection, tag, bytes: message.bytes });
    }

    /// The store's thread does the next commit.
    pub(super) fn work_store(&mut self, store: &mut Store, random: &mut Random) {
        let Some(batch) = self.commits.pop_front() else { return };
        let Some(prepared) = self.prepared.get(&batch) else { return };
        self.inbox.push_back(match store.commit(prepared, random) {
            Answer::Durable => IntakeInput::Committed { batch },
            Answer::Failed(why) => IntakeInput::CommitFailed { batch, why },
            Answer::Deposed => IntakeInput::Deposed { epoch: prepared.epoch },
        });
    }

    /// Killed: a transaction that was on its way may still become durable.
    pub(super) fn die(&self, store: &mut Store, random: &mut Random) {
        for batch in &self.commits {
            if random.below(2) != 0 {
                break;
            }
            if let Some(prepared) = self.prepared.get(batch)
                && store.trouble.is_none()
            {
                store.apply(prepared);
            }
        }
    }

    /// The next order. What an acknowledgement takes off the queue must be durable.
    pub(super) fn obey(&mut self, time: Time, broker: &mut Broker, store: &Store) {
        let Some(order) = self.orders.pop_front() else { return };
        match order {
            IntakeOrder::ConnectAt { at, host, connection } => {
                self.connect = Some((time.after(at), host, connection));
            }
            IntakeOrder::Disconnect { connection } => self.disconnect(connection, time, broker),
            IntakeOrder::Mend { connection, why } => self.mend(connection, why, time, broker, store),
            IntakeOrder::Pause | IntakeOrder::Resume => {}
            IntakeOrder::Commit { batch, cursor } => self.commit(batch, cursor),
            IntakeOrder::Acknowledge { connection, up_to } => {
                if self.ended.contains(&connection) {
                    self.violations.push(format!("acknowledged on connection {connection}, which was lost"));
                }
                if let Some((current, consumer)) = self.connection
                    && current == connection
                {
                    for message in broker.acknowledge(consumer, up_to) {
                        if !store.records.contains_key(&message.id) {
                            self.violations.push(format!("message {} acknowledged, not durable", message.id));
                        }
                    }
                }
            }
            IntakeOrder::Gap(gap) => self.entries.push(Entry::Gap(gap)),
            IntakeOrder::Log(line) => {
                self.lines += 1;
                self.reminders += u64::from(matches!(line, LogLine::Still(_)));
            }
            IntakeOrder::Exit => self.has_exited = true,
        }
    }

    fn disconnect(&mut self, connection: ConnectionNumber, time: Time, broker: &mut Broker) {
        if self.connect.is_some_and(|(.., ordered)| ordered == connection) {
            self.connect = None;
        }
        if let Some((_, consumer)) = self.connection.take_if(|(current, _)| *current == connection) {
            broker.disconnect(consumer, time.world);
            self.buffer.clear();
        }
    }

    fn mend(
        &mut self,
        connection: ConnectionNumber,
        why: GapCause,
        time: Time,
        broker: &mut Broker,
        store: &Store,
    ) {
        let consumer = self.connection.filter(|(current, _)| *current == connection);
        let Some((_, consumer)) = consumer.filter(|(_, consumer)| broker.is_up(*consumer)) else { return };
        if self.leads(store) {
            broker.mend(time.world, why >= GapCause::Overflowed);
        }
        let report = broker.report(consumer, time.clock, self.buffer.is_empty());
        self.inbox.push_back(IntakeInput::Checked { connection, report });
    }

    fn commit(&mut self, batch: BatchNumber, cursor: Cursor) {
        if let Some(before) = self.prepared.get(&batch) {
            if before.cursor != cursor {
                self.violations.push(format!("batch {batch} was repeated with another cursor"));
            }
        } else {
            self.last_prepared += 1;
            let entries = std::mem::take(&mut self.entries);
            let (epoch, number) = (self.epoch, self.last_prepared);
            self.prepared.insert(batch, Prepared { epoch, number, entries, cursor });
        }
        if self.commits.contains(&batch) {
            self.violations.push(format!("batch {batch} was ordered twice at a time"));
        }
        self.commits.push_back(batch);
        if self.prepared.len() > self.limits.batches_in_flight {
            self.violations.push(format!("{} batches in flight", self.prepared.len()));
        }
    }

    /// The time has come to connect.
    pub(super) fn try_connect(&mut self, time: Time, broker: &mut Broker, random: &mut Random) {
        let Some((_, host, connection)) = self.connect.take() else { return };
        if !broker.hosts_up.get(host).copied().unwrap_or(false) {
            let why = if random.below(4) == 0 { BrokerTrouble::Denied } else { BrokerTrouble::Unreachable };
            self.inbox.push_back(IntakeInput::ConnectFailed { connection, why, chance: random.bits() });
            return;
        }
        let consumer = broker.connect();
        self.connection = Some((connection, consumer));
        let report = broker.report(consumer, time.clock, self.buffer.is_empty());
        self.inbox.push_back(IntakeInput::Connected { connection, report });
    }

    /// The driver looks whether its connection still stands, and at the queue if it does.
    pub(super) fn look(&mut self, time: Time, broker: &Broker, random: &mut Random) {
        let Some((connection, consumer)) = self.connection else { return };
        if broker.is_up(consumer) {
            let report = broker.report(consumer, time.clock, self.buffer.is_empty());
            self.inbox.push_back(IntakeInput::Checked { connection, report });
            return;
        }
        self.connection = None;
        // A library may still hand out what it holds of a connection that is gone.
        if random.below(2) == 0 {
            self.buffer.clear();
        }
        let why = if random.below(2) == 0 { BrokerTrouble::Closed } else { BrokerTrouble::Silent };
        self.inbox.push_back(IntakeInput::Lost { connection, why, chance: random.bits() });
    }

    /// Whether its connection is gone without its knowing.
    pub(super) fn is_cut(&self, broker: &Broker) -> bool {
        self.connection.is_some_and(|(_, consumer)| !broker.is_up(consumer))
    }

    /// Whether it was deposed and waits.
    pub(super) fn stands_by(&self) -> bool {
        self.starts > 0 && self.is_deposed && self.orders.is_empty()
    }

    /// Whether it is connected and has nothing to do.
    pub(super) fn rests(&self) -> bool {
        self.intake.connection().is_some()
            && !self.intake.is_paused()
            && self.intake.bytes_in_flight() == 0
            && self.orders.is_empty()
            && self.inbox.is_empty()
            && self.buffer.is_empty()
            && self.commits.is_empty()
    }

    /// Whether the broker may send one more delivery.
    pub(super) fn wants_delivery(&self, broker: &Broker) -> bool {
        let Some((connection, consumer)) = self.connection else { return false };
        self.intake.connection() == Some(connection)
            && broker.is_ready()
            && broker.is_up(consumer)
            && broker.unacknowledged(consumer) < PREFETCH
    }

    /// The broker sends one more delivery.
    pub(super) fn receive(&mut self, broker: &mut Broker) {
        if let Some((connection, consumer)) = self.connection
            && let Some((tag, message)) = broker.deliver(consumer)
        {
            self.buffer.push_back((connection, tag, message));
        }
    }
}
