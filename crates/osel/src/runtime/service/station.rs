//! One scanner: its state machine, the calls to its adapter, and which of the steps it told are durable.
//!
//! A call is a task of its own; nothing here waits for one, and a scanner that hangs keeps nobody else from anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use osel_core::conduct::{Answer, Ask, Call, Conduct, ConductInput, ConductOrder, Taken, Told};
use osel_core::scan::{CommandId, ScanCommand, ScanReport, ScanState, ScanStep, Trouble};
use osel_core::time::Timestamp;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};

use super::super::recorder::{RecordError, Recorder};
use super::log::cut;
use super::scan_log as log;
use super::scan_status::{ScanTimes, ScannerStatus};
use crate::action::scanner::{Launched, ScanOrder, Scanner, Seen};

/// A scanner and what the loop has to know of it.
pub struct ScannerSettings {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its type.
    pub kind: Arc<str>,
    /// The most scans at one time.
    pub running_max: usize,
    /// Who is asked.
    pub scanner: Arc<dyn Scanner>,
}

/// Tells the loop what was answered.
pub(super) type Tell = Arc<dyn Fn(Ask, Result<Answer, Trouble>) + Send + Sync>;

/// A scanner and all that the loop keeps of it.
pub(super) struct Station {
    name: Arc<str>,
    kind: Arc<str>,
    scanner: Arc<dyn Scanner>,
    conduct: Conduct,
    /// What every title begins with.
    title: Arc<str>,
    tell: Tell,
    tokio: Handle,
    calls: BTreeMap<Ask, AbortHandle>,
    tasks: JoinSet<()>,
    /// What was told, with the batch that has it.
    told: VecDeque<(u64, Told)>,
    /// When commands were planned that are under way.
    planned: BTreeMap<CommandId, Timestamp>,
    ended: BTreeMap<ScanState, u64>,
    times: ScanTimes,
    out: Vec<ConductOrder>,
}

impl Station {
    /// One that has nothing to do yet.
    pub(super) fn new(settings: ScannerSettings, title: Arc<str>, tell: Tell, tokio: Handle) -> Self {
        let ScannerSettings { name, kind, running_max, scanner } = settings;
        Self {
            name,
            kind,
            conduct: Conduct::new(scanner.is_remote(), running_max),
            scanner,
            title,
            tell,
            tokio,
            calls: BTreeMap::new(),
            tasks: JoinSet::new(),
            told: VecDeque::new(),
            planned: BTreeMap::new(),
            ended: BTreeMap::new(),
            times: ScanTimes::default(),
            out: Vec::new(),
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether scans run elsewhere.
    pub(super) fn is_remote(&self) -> bool {
        self.scanner.is_remote()
    }

    /// When [`ConductInput::Tick`] is wanted.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.conduct.wake_at()
    }

    /// One step of the state machine, with all that it orders.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        chance: u64,
        input: ConductInput,
        recorder: &mut Recorder,
    ) -> Result<(), RecordError> {
        match &input {
            ConductInput::Given { life, .. } if !life.state.is_over() => {
                self.planned.insert(life.command.id.clone(), life.command.planned_at);
            }
            ConductInput::Answered(ask, _) => {
                self.calls.remove(ask);
                while self.tasks.try_join_next().is_some() {}
            }
            _ => {}
        }
        self.conduct.step(now, chance, input, &mut self.out);
        for order in std::mem::take(&mut self.out) {
            match order {
                ConductOrder::Call { ask, call, command, reference } => {
                    self.call(ask, call, &command, reference);
                }
                ConductOrder::Drop(ask) => {
                    if let Some(call) = self.calls.remove(&ask) {
                        call.abort();
                    }
                }
                ConductOrder::Tell(told, report) => {
                    self.count(now, &report);
                    recorder.scan_reported(now, *report)?;
                    // What changed nothing is durable with what was given before.
                    let open = u64::from(recorder.has_open());
                    self.told.push_back((recorder.given_batches() + open, told));
                }
                ConductOrder::Log(line) => log::line(&self.name, &line, self.conduct.words()),
            }
        }
        Ok(())
    }

    /// The next step that was told and is durable in these batches.
    pub(super) fn take_durable(&mut self, durable: u64) -> Option<Told> {
        let (_, told) = self.told.pop_front_if(|(batch, _)| *batch <= durable)?;
        Some(told)
    }

    /// How it does.
    pub(super) fn status(&self) -> ScannerStatus {
        ScannerStatus {
            name: Arc::clone(&self.name),
            kind: Arc::clone(&self.kind),
            is_up: self.conduct.is_up(),
            trouble: self
                .conduct
                .trouble()
                .map(|ongoing| (ongoing.since, format!("{}: {}", ongoing.why, cut(self.conduct.words())))),
            waiting: self.conduct.waiting(),
            running: self.conduct.running(),
            ended: self.ended.clone(),
            times: self.times.clone(),
        }
    }

    /// Ends all calls: their commands are given out again by the next process.
    pub(super) fn stop(&mut self) {
        self.calls.clear();
        self.tasks.abort_all();
    }

    /// Waits until calls that were ended are over, and with them the programs that they had started.
    pub(super) async fn ended(&mut self) {
        self.tasks.shutdown().await;
    }

    fn count(&mut self, now: Timestamp, report: &ScanReport) {
        let state = match &report.step {
            ScanStep::Launched { .. } => ScanState::Launched,
            ScanStep::Running => return,
            ScanStep::Ended(outcome) => ScanState::after(&outcome.end),
        };
        *self.ended.entry(state).or_default() += 1;
        if state.is_over()
            && let Some(planned) = self.planned.remove(&report.id)
        {
            self.times.add(now.micros().saturating_sub(planned.micros()));
        }
    }

    fn call(&mut self, ask: Ask, call: Call, command: &Arc<ScanCommand>, reference: String) {
        let (scanner, tell) = (Arc::clone(&self.scanner), Arc::clone(&self.tell));
        let order = ScanOrder {
            title: format!("{}-{}", self.title, command.id),
            command: ScanCommand::clone(command),
        };
        let task = async move {
            let answer = ask_scanner(&*scanner, call, &order, &reference).await;
            tell(ask, answer);
        };
        self.calls.insert(ask, self.tasks.spawn_on(task, &self.tokio));
    }
}

async fn ask_scanner(
    scanner: &dyn Scanner,
    call: Call,
    order: &ScanOrder,
    reference: &str,
) -> Result<Answer, Trouble> {
    let taken = |Launched { reference, left_out }| Taken { reference, left_out };
    Ok(match call {
        Call::Find => Answer::Found(scanner.find(order).await?.map(taken)),
        Call::Launch => Answer::Launched(taken(scanner.launch(order).await?)),
        Call::Status => Answer::State(scanner.status(order, reference).await?),
        Call::Fetch => {
            let Seen { scanner, hosts } = scanner.fetch(order, reference).await?;
            Answer::Seen { scanner, hosts }
        }
        Call::Cancel => {
            scanner.cancel(order, reference).await?;
            Answer::Done
        }
        Call::Forget => {
            scanner.forget(order, reference).await?;
            Answer::Done
        }
    })
}
