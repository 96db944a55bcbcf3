//! The world: one action at a time, chosen by chance, until all is published and everything is whole again.

use std::collections::BTreeSet;

use osel_core::intake::{IntakeInput, Limits};
use osel_core::time::Timestamp;

use super::broker::{Broker, Message};
use super::judge::{Report, judge};
use super::process::Process;
use super::store::Store;
use crate::random::Random;

/// 2026-11-21T00:00:00Z.
const BEGIN_MICROS: i64 = 1_795_219_200_000_000;
/// How many messages a run publishes.
const MESSAGES: u64 = 60;
/// How many actions a run may take before the faults stop.
const FAULTY_ACTIONS: u64 = 1500;
/// How many actions it may take to become whole when nothing goes wrong any more. Ten times what was ever
/// seen.
const HEALING_ACTIONS: u64 = 20_000;
/// How many hosts the broker has.
const HOSTS: usize = 3;

/// The time in the world, and what the clock of the processes shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    pub(super) world: Timestamp,
    pub(super) clock: Timestamp,
}

impl Time {
    /// When a time of the clock comes if the clock is left alone.
    pub(super) fn after(self, at: Timestamp) -> Timestamp {
        later(self.world, at.micros().saturating_sub(self.clock.micros()))
    }
}

/// That time and so much more.
pub(super) fn later(time: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(time.micros().saturating_add(micros))
}

/// What may go wrong in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// One fault in so many actions; none for 0.
    pub one_in: u64,
    /// Whether clocks jump, too. Times of gaps mean nothing then and are not judged.
    pub clocks: bool,
}

/// Something that can be done now.
#[derive(Clone, Copy, Debug)]
enum Action {
    Publish,
    Restart,
    Obey(usize),
    TakeInput(usize),
    TakeDelivery(usize),
    TellIdle(usize),
    WorkStore(usize),
    Receive(usize),
    Connect(usize),
    Look(usize),
    Tick(usize),
}

/// All there is.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) now: Timestamp,
    pub(super) clock_ahead: i64,
    pub(super) limits: Limits,
    pub(super) broker: Broker,
    pub(super) store: Store,
    pub(super) processes: Vec<Process>,
    /// When a process is started that leads.
    pub(super) restart_at: Option<Timestamp>,
    /// When the broker notices that a client is dead.
    pub(super) half_open: Vec<(Timestamp, u64)>,
    pub(super) heal_at: Option<Timestamp>,
    pub(super) published: Vec<Message>,
    publish_at: Timestamp,
    look_at: Timestamp,
    pub(super) faults: Faults,
    /// Nobody takes the place of who ends.
    pub(super) is_stopping: bool,
    pub(super) report: Report,
}

/// Plays one seed with everything that can go wrong.
pub fn run(seed: u64) -> Report {
    let faults = Faults { one_in: 20 + seed % 7 * 20, clocks: seed % 4 == 3 };
    World::new(seed, faults).play(&BTreeSet::new())
}

/// Plays one seed and kills the leader before each of these actions.
pub fn run_killing(seed: u64, faults: Faults, kills: &BTreeSet<u64>) -> Report {
    World::new(seed, faults).play(kills)
}

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        let mut random = Random::new(seed);
        let now = Timestamp::from_micros(BEGIN_MICROS);
        let limits = Limits {
            hosts: HOSTS,
            batch_messages: 1 + random.index(8),
            batch_bytes: 50 + random.below(500),
            batch_age_micros: Some(20_000),
            batches_in_flight: 1 + random.index(3),
            bytes_in_flight_max: 200 + random.below(600),
            body_bytes_max: 100,
        };
        let capacity = 4 + random.index(60);
        let mut world = Self {
            random,
            now,
            clock_ahead: 0,
            limits,
            broker: Broker::new(HOSTS, capacity),
            store: Store { is_flaky: faults.one_in > 0, ..Store::default() },
            processes: Vec::new(),
            restart_at: Some(now),
            half_open: Vec::new(),
            heal_at: None,
            published: Vec::new(),
            publish_at: now,
            look_at: now,
            faults,
            is_stopping: false,
            report: Report { seed, ..Report::default() },
        };
        if world.random.below(2) == 0 {
            world.broker.mend(now, true);
        }
        world
    }

    fn play(mut self, kills: &BTreeSet<u64>) -> Report {
        while !self.is_done() && self.report.actions < FAULTY_ACTIONS {
            if kills.contains(&self.report.actions) {
                self.kill();
            }
            if self.faults.one_in > 0 && self.random.below(self.faults.one_in) == 0 {
                self.fault();
            }
            self.act();
        }
        self.heal();
        let until = self.report.actions + HEALING_ACTIONS;
        while !self.is_done() && self.report.actions < until {
            self.act();
        }
        if !self.is_done() {
            let (processes, cursor) = (&self.processes, &self.store.cursor);
            self.report.violations.push(format!("did not become whole again: {cursor:?}, {processes:?}"));
        }
        self.stop_well();
        judge(self)
    }

    /// The time, with the clock as it stands.
    pub(super) fn time(&self) -> Time {
        Time { world: self.now, clock: later(self.now, self.clock_ahead) }
    }

    /// By chance some time within so many microseconds.
    pub(super) fn soon(&mut self, micros: u64) -> Timestamp {
        later(self.now, i64::try_from(self.random.below(micros)).unwrap_or(i64::MAX))
    }

    /// Everything that was published is delivered and durable, and the one leader rests.
    fn is_done(&self) -> bool {
        let [process] = self.processes.as_slice() else { return false };
        self.published.len() as u64 >= MESSAGES
            && process.leads(&self.store)
            && process.rests()
            && self.broker.is_drained()
            && self.broker.is_in_place()
            && self.store.cursor.gap.is_none()
            && self.half_open.is_empty()
    }

    /// A stop of a healthy process leaves nothing behind.
    fn stop_well(&mut self) {
        self.is_stopping = true;
        for index in 0..self.processes.len() {
            let time = self.time();
            self.processes[index].step(time, IntakeInput::Stop);
        }
        for _ in 0..1000 {
            if self.processes.is_empty() {
                return;
            }
            self.act();
        }
        self.report.violations.push("did not stop".to_owned());
    }

    /// One action of all that are possible now; if there is none, time passes until there is.
    fn act(&mut self) {
        self.report.actions += 1;
        // Now and then something takes its time: answers are old when they are read.
        let span = if self.random.below(50) == 0 { 1_000_000 } else { 300 };
        self.now = later(self.soon(span), 1);
        self.due();
        let actions = self.actions();
        if actions.is_empty() {
            self.pass_time();
            return;
        }
        let action = actions[self.random.index(actions.len())];
        self.perform(action);
        for index in (0..self.processes.len()).rev() {
            if self.processes[index].has_exited && self.processes[index].orders.is_empty() {
                self.bury(index);
            }
        }
    }

    /// What happens by itself at its time.
    fn due(&mut self) {
        if self.heal_at.is_some_and(|at| at <= self.now) {
            self.heal_at = None;
            self.broker.hosts_up.fill(true);
            self.store.trouble = None;
        }
        for index in (0..self.half_open.len()).rev() {
            if self.half_open[index].0 <= self.now {
                let (_, consumer) = self.half_open.swap_remove(index);
                self.broker.disconnect(consumer, self.now);
            }
        }
    }

    fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if (self.published.len() as u64) < MESSAGES && self.publish_at <= self.now {
            actions.push(Action::Publish);
        }
        if self.restart_at.is_some_and(|at| at <= self.now) {
            actions.push(Action::Restart);
        }
        for (index, process) in self.processes.iter().enumerate() {
            // What the store's thread and the network do goes on beside the driver.
            if !process.commits.is_empty() {
                actions.push(Action::WorkStore(index));
            }
            if process.wants_delivery(&self.broker) {
                actions.push(Action::Receive(index));
            }
            if !process.orders.is_empty() {
                actions.push(Action::Obey(index));
                continue;
            }
            if !process.inbox.is_empty() {
                actions.push(Action::TakeInput(index));
            }
            if !process.buffer.is_empty() && !process.intake.is_paused() {
                actions.push(Action::TakeDelivery(index));
            }
            if process.buffer.is_empty() && !process.is_idle_told {
                actions.push(Action::TellIdle(index));
            }
            if process.connect.is_some_and(|(at, ..)| at <= self.now) {
                actions.push(Action::Connect(index));
            }
            if process.connection.is_some() && (self.look_at <= self.now || process.is_cut(&self.broker)) {
                actions.push(Action::Look(index));
            }
            if process.wake_at.is_some_and(|at| at <= self.now) {
                actions.push(Action::Tick(index));
            }
        }
        actions
    }

    fn perform(&mut self, action: Action) {
        let time = self.time();
        match action {
            Action::Publish => self.publish(),
            Action::Restart => self.lead_anew(),
            Action::Obey(index) => self.processes[index].obey(time, &mut self.broker, &self.store),
            Action::TakeInput(index) => self.processes[index].take_input(time),
            Action::TakeDelivery(index) => self.processes[index].take_delivery(time),
            Action::TellIdle(index) => {
                self.processes[index].is_idle_told = true;
                self.processes[index].step(time, IntakeInput::Idle);
            }
            Action::WorkStore(index) => self.processes[index].work_store(&mut self.store, &mut self.random),
            Action::Receive(index) => self.processes[index].receive(&mut self.broker),
            Action::Connect(index) => {
                self.processes[index].try_connect(time, &mut self.broker, &mut self.random);
            }
            Action::Look(index) => {
                self.look_at = later(self.soon(3_500_000), 500_000);
                self.processes[index].look(time, &self.broker, &mut self.random);
            }
            Action::Tick(index) => self.processes[index].step(time, IntakeInput::Tick),
        }
    }

    fn publish(&mut self) {
        let id = self.published.len() as u64;
        let bytes = 1 + self.random.index(self.limits.body_bytes_max as usize);
        let message = Message { id, bytes, published_at: self.now };
        self.published.push(message);
        self.broker.publish(message);
        let wait = if self.random.below(8) == 0 { 20_000_000 } else { 2000 };
        self.publish_at = self.soon(wait);
    }

    /// The leader's place is taken: by a new process, or by one that had it before.
    pub(super) fn lead_anew(&mut self) {
        self.restart_at = None;
        let time = self.time();
        let standby = self.processes.iter().position(|process| process.stands_by());
        let index = standby.unwrap_or_else(|| {
            self.processes.push(Process::new(self.limits, time));
            self.processes.len() - 1
        });
        self.processes[index].lead(&mut self.store, time);
    }

    /// To the next thing that has its time.
    fn pass_time(&mut self) {
        let mut times = vec![later(self.now, 4_000_000)];
        times.extend(self.restart_at);
        times.extend(self.heal_at);
        times.extend(self.half_open.iter().map(|(at, _)| *at));
        if (self.published.len() as u64) < MESSAGES {
            times.push(self.publish_at);
        }
        for process in &self.processes {
            times.extend(process.wake_at);
            times.extend(process.connect.map(|(at, ..)| at));
            times.extend(process.connection.map(|_| self.look_at));
        }
        self.now = times.into_iter().min().unwrap_or(self.now).max(self.now);
    }
}
