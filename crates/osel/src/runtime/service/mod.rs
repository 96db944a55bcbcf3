//! The daemon's loop: one thread that owns the engine, and everything that can happen as one closed enum.
//!
//! Taps bring messages, the writer tells what is durable, scans bring outcomes; each is handled to its end before the next. What is to
//! be done outside is ordered only once its record is durable. The loop never waits for the broker, the store or a scan: it waits for
//! the next thing to happen, or for the next deadline.

mod apis;
mod clerk;
mod defects;
mod finding_status;
mod forwards;
mod handle;
mod imports;
mod indexer;
mod keeper;
mod kind;
mod log;
mod orders;
mod scan_log;
mod scan_status;
mod scans;
mod station;
mod status;
mod survey_log;
mod survey_status;
mod surveyor;
mod tap;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use osel_core::conduct::{Answer, Ask};
use osel_core::engine::{Engine, EngineOptions, Order};
use osel_core::event::Assignment;
use osel_core::intake::{IntakeInput, StoreTrouble};
use osel_core::scan::Trouble;
use osel_core::survey::SurveyInput;
use osel_core::time::Timestamp;
use osel_core::trail::log::KeyName;
use osel_core::witness::Alarm;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

pub use self::clerk::Clerk;
pub use self::finding_status::FindingsStatus;
pub use self::forwards::ForwarderRenewal;
use self::forwards::{Forwards, Ground};
pub use self::handle::ServiceHandle;
use self::imports::Imports;
use self::indexer::{Indexed, Indexer};
use self::keeper::{Keeper, Surveyed};
pub use self::kind::{SourceKind, SourceSettings};
use self::orders::Orders;
pub use self::scan_status::{ScanTimes, ScannerStatus};
pub use self::scans::ScannerRenewal;
pub use self::station::ScannerSettings;
use self::station::Station;
use self::status::Monitor;
pub use self::status::{Phase, SOURCE_FAILED, ServiceStatus, SourceState, SourceStatus, Times};
pub use self::survey_status::{ApiStatus, LastRead};
pub use self::surveyor::ApiSettings;
use self::surveyor::Surveyor;
use self::tap::Tap;
use super::control;
use super::control::import::ImportStep;
use super::forward::{ForwarderSettings, ReaderAccess};
use super::log::{KeyFound, KeySource, KeyWatch, Signer};
use super::recorder::{RecordError, Recorder};
use super::retention::Policy;
use super::state::Follower;
use super::witnessing::{WitnessEvent, WitnessStatus};
use super::writer::{OnFailure, Written};
use crate::openstack::words::ApiEvent;
use crate::source::words::BusEvent;
use crate::store::{Entry, ErrorClass, Journal, JournalError, QuarantineItem};
use crate::telemetry::{Supervisor, chain};

/// How many things are handled before deadlines are looked at.
const HAPPENINGS_AT_ONCE: usize = 64;
/// The loop looks around that often although nothing is due: clocks may be set.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long a write that failed waits when nobody else asks for it to be tried again.
const RETRY_WAIT: Duration = Duration::from_secs(5);

/// How long the store may take for the last batch, and the last acknowledgements may be on their way: with what `intake` waits for the
/// store it is within the 5 s of a stop.
const STORE_END_TIME: Duration = Duration::from_millis(400);
const LINK_END_TIME: Duration = Duration::from_millis(400);
/// How long a look for the log's key that is under way at the end is waited for: a file is read by then, and a key manager is not needed.
const KEY_END_TIME: Duration = Duration::from_millis(200);
/// How long calls to scanners may take to end, which are not waited for but to kill the programs among them.
const CALLS_END_TIME: Duration = Duration::from_millis(400);

/// What a daemon is made of.
pub struct ServiceSettings {
    /// The sources.
    pub sources: Vec<SourceSettings>,
    /// The APIs that are asked as a second opinion.
    pub apis: Vec<ApiSettings>,
    /// What the engine goes by.
    pub options: EngineOptions,
    /// Who scans.
    pub scanners: Vec<ScannerSettings>,
    /// What is kept for how long.
    pub policy: Policy,
    /// The system's clock.
    pub clock: fn() -> Timestamp,
    /// Where the status is told.
    pub status: watch::Sender<ServiceStatus>,
    /// Who is told that the loop is alive.
    pub supervisor: Supervisor,
    /// The engine of one who stood by.
    pub follower: Option<Follower>,
    /// Where the key is that signs the log.
    pub log_key: KeySource,
    /// Where records are sent.
    pub forwarders: Vec<ForwarderSettings>,
    /// Opens the store for whoever reads it beside the loop.
    pub reader: ReaderAccess,
}

/// When the API of a region is asked.
#[derive(Clone, Debug)]
pub struct ApiSchedule {
    /// The region.
    pub region: Option<Arc<str>>,
    /// The longest time between two reads of everything.
    pub every: Duration,
}

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store cannot be read or written, and waiting does not help.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A witness has seen another log.
    #[error(
        "the witness `{witness}` has seen another state of this log: {alarm}. Nothing more is taken, and nothing is acknowledged; docs/witness.md says what to do"
    )]
    Witnessed {
        /// The name of the witness.
        witness: KeyName,
        /// What it has seen.
        alarm: Alarm,
    },
    /// Another process has taken the store over.
    #[error("another process leads the store")]
    Deposed(#[source] JournalError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

/// Everything that can happen.
#[derive(Debug)]
enum Happening {
    /// Something of a source.
    Bus(usize, BusEvent),
    /// Something of an API.
    Api(usize, ApiEvent),
    /// Something has become of a batch.
    Written,
    /// Something of a witness of the log.
    Witness(Box<WitnessEvent>),
    /// A scanner has answered a call.
    Scanner(usize, Ask, Box<Result<Answer, Trouble>>),
    /// A person or the system wants an end.
    Stop,
    /// The configuration was read again: buses that may be mended.
    Renewed,
    /// Options that hold from now on.
    Options(Box<EngineOptions>),
    /// What is kept from now on.
    Policy(Policy),
    /// The configuration was read again: scanners that may be mended.
    Scanners(Vec<ScannerRenewal>),
    /// The configuration was read again: schedules that hold from now on.
    Schedules(Vec<ApiSchedule>),
    /// It was looked what may go from the store.
    Surveyed(Box<Surveyed>),
    /// The next of the search index was made.
    Indexed(Box<Indexed>),
    /// The key of the log may be another one.
    RenewLogKey,
    /// It was looked for the key of the log, in this turn.
    LogKey(u64, Box<KeyFound>),
    /// A forwarder tells something.
    Forwarded(u64),
    /// The configuration was read again: forwarders that are as they were, or others.
    Forwarders(Vec<ForwarderRenewal>),
    /// Somebody orders something, and waits for what becomes of it.
    Order(Order, oneshot::Sender<control::Answer>),
    /// Somebody has messages taken out of quarantine.
    Replay(String, Vec<(QuarantineItem, Entry)>, oneshot::Sender<control::Answer>),
    /// The next of an inventory that somebody hands in.
    Import(ImportStep, oneshot::Sender<control::Answer>),
}

/// The daemon.
pub struct Service {
    recorder: Recorder,
    taps: Vec<Tap>,
    apis: Vec<Surveyor>,
    stations: Vec<Station>,
    forwards: Forwards,
    log_key: KeyWatch,
    /// Whether what is found where the log's key is to be has not been told yet.
    is_key_awaited: bool,
    keeper: Keeper,
    indexer: Indexer,
    orders: Orders,
    imports: Imports,
    inbox: Receiver<Happening>,
    handle: ServiceHandle,
    tokio: Handle,
    clock: fn() -> Timestamp,
    /// Batches that are durable.
    durable: u64,
    /// When what failed is tried again, if nobody does before.
    retry_at: Option<Instant>,
    /// Since when the store takes nothing, and what it said last.
    store_trouble: Option<(Timestamp, String)>,
    commits: Times,
    /// How the witnesses of the log do.
    witnesses: Vec<WitnessStatus>,
    monitor: Monitor,
    is_stopping: bool,
}

impl Service {
    /// Goes on with a store; the sources begin at once, on the runtime of `tokio`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn start(
        journal: Box<dyn Journal>,
        settings: ServiceSettings,
        tokio: &Handle,
    ) -> Result<Self, ServiceError> {
        let ServiceSettings {
            sources,
            apis,
            options,
            scanners,
            policy,
            clock,
            status,
            supervisor,
            follower,
            log_key,
            forwarders,
            reader: access,
        } = settings;
        let (sender, inbox) = channel();
        let handle = ServiceHandle(sender.clone());
        let mut reader = journal.reader().map_err(RecordError::from)?;
        let indexed = journal.reader().map_err(RecordError::from)?;
        let cursors = reader.cursors().map_err(RecordError::from)?;
        let (epoch, store_id) = (journal.info().epoch, journal.info().id.clone());
        let written = sender.clone();
        let notify = move || {
            let _ = written.send(Happening::Written);
        };
        let mut recorder = Recorder::resume_with(journal, &options, follower, OnFailure::Keep, notify)?;
        recorder.sign_with(Signer::new(clock));
        let found = sender.clone();
        let tell = move |turn, key| {
            let _ = found.send(Happening::LogKey(turn, Box::new(key)));
        };
        let log_key = KeyWatch::start(log_key, tell, tokio);
        recorder.snapshot_daily(policy.inputs.is_set());
        let mut taps = Vec::new();
        for (index, settings) in sources.into_iter().enumerate() {
            let sender = sender.clone();
            let tell = move |event| {
                let _ = sender.send(Happening::Bus(index, event));
            };
            taps.push(Tap::start(settings, epoch, &cursors, tell, tokio));
        }
        let apis = apis.into_iter().enumerate().map(|(index, settings)| {
            let sender = sender.clone();
            let tell = move |event| {
                let _ = sender.send(Happening::Api(index, event));
            };
            Surveyor::start(settings, tell, tokio)
        });
        let apis = apis.collect();
        let stations = scans::stations(scanners, &store_id, &sender, tokio);
        let ended = scans::last_ended(&stations, clock(), &mut *reader).map_err(RecordError::from)?;
        let ground = Ground {
            access,
            store: store_id.as_str().into(),
            clock,
            tokio: tokio.clone(),
            sender: sender.clone(),
        };
        let forwards = Forwards::start(ground, forwarders, &mut recorder);
        let mut this = Self {
            recorder,
            taps,
            apis,
            stations,
            forwards,
            log_key,
            is_key_awaited: true,
            keeper: Keeper::new(policy, reader),
            indexer: Indexer::new(indexed),
            orders: Orders::default(),
            imports: Imports::default(),
            inbox,
            handle,
            tokio: tokio.clone(),
            clock,
            durable: 0,
            retry_at: None,
            store_trouble: None,
            commits: Times::default(),
            witnesses: Vec::new(),
            monitor: Monitor::new(status, supervisor),
            is_stopping: false,
        };
        for index in 0..this.taps.len() {
            let start = this.taps[index].start_input(this.recorder.engine());
            this.step(index, start)?;
        }
        for index in 0..this.apis.len() {
            this.survey(index, SurveyInput::Start)?;
        }
        this.launch_scans(true)?;
        this.clean_scanners(ended)?;
        Ok(this)
    }

    /// How to tell it something from another thread.
    pub fn handle(&self) -> ServiceHandle {
        self.handle.clone()
    }

    /// Runs until it is told to stop and has committed what it can.
    ///
    /// # Errors
    /// When it cannot go on, and neither waiting nor trying again helps.
    pub fn run(mut self) -> Result<(), ServiceError> {
        while !self.is_done() {
            match self.inbox.recv_timeout(self.wait()) {
                Ok(happening) => {
                    self.handle_one(happening)?;
                    for _ in 1..HAPPENINGS_AT_ONCE {
                        let Ok(happening) = self.inbox.try_recv() else {
                            self.is_idle()?;
                            break;
                        };
                        self.handle_one(happening)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.is_idle()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.survey_turn()?;
            self.deadlines()?;
            self.tell();
        }
        self.stations.iter_mut().for_each(Station::stop);
        self.apis.clear();
        self.await_log_key();
        // The taps have waited for what they took; this is what followed from it.
        if !self.recorder.end_within(STORE_END_TIME)? {
            tracing::warn!("stopped before the store had taken everything: what is missing comes again");
        }
        self.tokio.block_on(tap::end(self.taps, LINK_END_TIME));
        let stations = &mut self.stations;
        let calls = async {
            for station in stations {
                station.ended().await;
            }
        };
        // One that does not hear that it is ended is left behind.
        let _ = self.tokio.block_on(async { timeout(CALLS_END_TIME, calls).await });
        Ok(())
    }

    fn log_key_found(&mut self, turn: u64, found: KeyFound) {
        if self.log_key.is_of_now(turn) {
            self.is_key_awaited = false;
            self.recorder.take_log_key(found);
        }
    }

    /// Waits a moment for a key that is being looked for, so that a daemon that ran for less than that signs what it has recorded.
    fn await_log_key(&mut self) {
        let end = Instant::now() + KEY_END_TIME;
        while self.is_key_awaited {
            // Nothing else that comes now is of use any more.
            match self.inbox.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Happening::LogKey(turn, found)) => self.log_key_found(turn, *found),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn is_done(&self) -> bool {
        self.is_stopping && self.taps.iter().all(Tap::has_exited) && self.forwards.are_over()
    }

    fn tell(&mut self) {
        let now = self.now();
        let Self {
            monitor,
            recorder,
            taps,
            apis,
            stations,
            forwards,
            store_trouble,
            commits,
            witnesses,
            is_stopping,
            ..
        } = self;
        monitor.tell(|| ServiceStatus {
            phase: if *is_stopping { Phase::Stopping } else { Phase::Running },
            beat: Instant::now(),
            store_trouble: store_trouble.clone().or_else(|| tap::unanswered(taps)),
            records: recorder.engine().seq(),
            snapshot_at: recorder.snapshot_at(),
            log: recorder.log_status(),
            witnesses: witnesses.clone(),
            commits: commits.clone(),
            sources: taps.iter().map(|tap| tap.status(recorder.engine().ledger())).collect(),
            apis: apis.iter().map(Surveyor::status).collect(),
            scanners: stations.iter().map(Station::status).collect(),
            forwarders: forwards.status(now),
            findings: FindingsStatus::of(recorder.engine(), now),
            drift: drift(recorder.engine()),
        });
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn wait(&self) -> Duration {
        if self.has_survey_turn() {
            return Duration::ZERO;
        }
        let deadlines = self.taps.iter().map(|tap| tap.intake.wake_at());
        let first = deadlines
            .chain([self.survey_wake_at(), self.scans_wake_at(), self.recorder.wake_at()])
            .flatten()
            .min();
        let micros = first.map(|at| at.micros().saturating_sub(self.now().micros()));
        let wait = micros.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
        let retry = self.retry_at.map(|at| at.saturating_duration_since(Instant::now()));
        wait.unwrap_or(LONGEST_WAIT)
            .min(retry.unwrap_or(LONGEST_WAIT))
            .min(self.recorder.log_wait().unwrap_or(LONGEST_WAIT))
            .min(self.forwards.wait(&self.recorder, self.may_commit_places()).unwrap_or(LONGEST_WAIT))
            .min(LONGEST_WAIT)
            .min(self.monitor.wait())
    }

    fn handle_one(&mut self, happening: Happening) -> Result<(), ServiceError> {
        match happening {
            Happening::Bus(index, event) => self.bus(index, event),
            Happening::Api(index, event) => self.api(index, event),
            Happening::Written => self.written(),
            Happening::Scanner(index, ask, answer) => self.scanner(index, ask, *answer),
            Happening::Scanners(renewals) => self.scans_renewed(&renewals),
            Happening::Stop => {
                self.is_stopping = true;
                self.forwards.stop();
                self.import_stopped(self.now())?;
                (0..self.taps.len()).try_for_each(|index| self.step(index, IntakeInput::Stop))
            }
            Happening::Renewed => {
                (0..self.taps.len()).try_for_each(|index| self.step(index, IntakeInput::Renewed))
            }
            Happening::Options(options) => {
                self.recorder.set_options(*options);
                Ok(())
            }
            Happening::Policy(policy) => {
                self.recorder.snapshot_daily(policy.inputs.is_set());
                self.keeper.set_policy(policy);
                Ok(())
            }
            Happening::Witness(event) => self.witness(*event),
            Happening::Indexed(indexed) => self.indexed(*indexed),
            Happening::RenewLogKey => {
                self.recorder.put_log_key_down();
                self.log_key.renew();
                self.is_key_awaited = true;
                Ok(())
            }
            Happening::LogKey(turn, found) => {
                self.log_key_found(turn, *found);
                Ok(())
            }
            Happening::Forwarded(number) => self.forwarder_told(number),
            Happening::Forwarders(all) => {
                self.forwards.renew(all, &mut self.recorder);
                Ok(())
            }
            Happening::Order(order, reply) => self.order(order, reply),
            Happening::Replay(actor, held, reply) => self.replay(&actor, &held, reply),
            Happening::Import(step, reply) => {
                self.import(step, reply);
                Ok(())
            }
            Happening::Schedules(schedules) => self.survey_renewed(&schedules),
            Happening::Surveyed(surveyed) => {
                let now = self.now();
                Ok(self.keeper.surveyed(now, *surveyed, &mut self.recorder)?)
            }
        }
    }

    fn witness(&mut self, event: WitnessEvent) -> Result<(), ServiceError> {
        match event {
            WitnessEvent::Status(status) => {
                self.witnesses.retain(|other| other.key != status.key);
                self.witnesses.push(status);
            }
            WitnessEvent::Cosigned(row) => self.recorder.witnessed(row),
            WitnessEvent::Alarm(key, alarm) => {
                return Err(ServiceError::Witnessed { witness: key.name().clone(), alarm });
            }
        }
        Ok(())
    }

    fn bus(&mut self, index: usize, event: BusEvent) -> Result<(), ServiceError> {
        let mut chance = [0; 8];
        if matches!(event, BusEvent::ConnectFailed { .. } | BusEvent::Lost { .. } | BusEvent::Failed(_)) {
            getrandom::fill(&mut chance).map_err(ServiceError::Random)?;
        }
        if let Some(input) = self.taps[index].take(event, u64::from_ne_bytes(chance)) {
            self.step(index, input)?;
        }
        self.deliver(index)
    }

    /// Hands waiting messages to the engine, as far as the intake takes them.
    fn deliver(&mut self, index: usize) -> Result<(), ServiceError> {
        while let Some((connection, arrived)) = self.taps[index].next_message() {
            let (message, decoded, committed) = arrived.message.split();
            self.taps[index].watched.received();
            if let Ok(event) = &decoded.result {
                self.taps[index].watched.handled(message.received_at, event.timestamp);
            }
            if let Some(place) = arrived.place.filter(|_| !self.taps[index].holds_place()) {
                self.recorder.read_to(&message.source, place);
            }
            self.recorder.message_committed(message.received_at, &message, decoded, committed)?;
            let (tag, bytes) = (arrived.tag, arrived.bytes);
            self.step(index, IntakeInput::Delivered { connection, tag, bytes })?;
        }
        Ok(())
    }

    /// One step of a tap's state machine, with all that it orders.
    fn step(&mut self, index: usize, input: IntakeInput) -> Result<(), ServiceError> {
        let now = self.now();
        let resumed = self.taps[index].step(now, input, &mut self.recorder)?;
        self.survey_missed(index)?;
        if resumed { self.deliver(index) } else { Ok(()) }
    }

    fn written(&mut self) -> Result<(), ServiceError> {
        for written in self.recorder.take_written()? {
            match written {
                Written::Durable(batch) => {
                    self.durable = batch;
                    self.retry_at = None;
                    self.store_trouble = None;
                    for index in 0..self.taps.len() {
                        while let Some((batch, time)) = self.taps[index].take_durable(batch) {
                            self.commits.add(time);
                            self.step(index, IntakeInput::Committed { batch })?;
                        }
                    }
                }
                Written::Failed(error) => self.failed(error)?,
                Written::NotExpired(error) => self.keeper.not_expired(&error),
                Written::Indexed(result) => self.indexer.written(result),
            }
        }
        self.orders.durable(self.durable);
        self.forwards.durable(self.durable, &mut self.recorder);
        self.launch_scans(false)?;
        self.launch_looks()
    }

    fn failed(&mut self, error: JournalError) -> Result<(), ServiceError> {
        if matches!(error, JournalError::Deposed { .. }) {
            return Err(ServiceError::Deposed(error));
        }
        let why = match error.class() {
            ErrorClass::Transient => StoreTrouble::Transient,
            ErrorClass::Permanent | ErrorClass::Config | ErrorClass::Bug => StoreTrouble::Permanent,
        };
        self.retry_at = Some(Instant::now() + RETRY_WAIT);
        let words = chain(&error);
        let since = tap::troubled_since(self.store_trouble.as_ref(), &self.taps);
        self.store_trouble = Some((since.unwrap_or_else(|| self.now()), words.clone()));
        for index in 0..self.taps.len() {
            self.taps[index].words.store.clone_from(&words);
            for batch in self.taps[index].batches() {
                self.step(index, IntakeInput::CommitFailed { batch, why })?;
            }
        }
        Ok(())
    }

    /// Nothing waits to be handled.
    fn is_idle(&mut self) -> Result<(), ServiceError> {
        for index in 0..self.taps.len() {
            if self.taps[index].becomes_idle() {
                self.step(index, IntakeInput::Idle)?;
            }
        }
        let now = self.now();
        if self.recorder.wake_at().is_some_and(|at| at <= now) {
            self.recorder.tick(now)?;
        }
        self.recorder.log_turn(now)?;
        // What no tap's batch takes along: outcomes, ticks.
        if self.recorder.has_open() && self.retry_at.is_none() && !self.taps.iter().any(Tap::has_open) {
            self.recorder.close_batch(Vec::new())?;
        }
        self.commit_places()
    }

    fn deadlines(&mut self) -> Result<(), ServiceError> {
        let now = self.now();
        for index in 0..self.taps.len() {
            if self.taps[index].intake.wake_at().is_some_and(|at| at <= now) {
                self.step(index, IntakeInput::Tick)?;
            }
        }
        self.survey_deadlines(now)?;
        self.scans_deadlines(now)?;
        self.forwards.turn(&mut self.recorder);
        if self.retry_at.is_none() && !self.is_stopping {
            self.keeper.begin_if_due(now, &self.recorder, &self.tokio, &self.handle.0);
            self.indexer.begin_if_due(&self.taps, &self.tokio, &self.handle.0);
        }
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.retry_at = Some(Instant::now() + RETRY_WAIT);
            self.recorder.retry()?;
        }
        Ok(())
    }
}

fn drift(engine: &Engine) -> Vec<(Option<Arc<str>>, &'static str, u64)> {
    let objects =
        engine.drift().iter().map(|((region, kind), count)| (region.clone(), kind.singular(), *count));
    let assignments = engine.assignment_drift().iter();
    objects.chain(assignments.map(|(region, count)| (region.clone(), Assignment::SINGULAR, *count))).collect()
}
