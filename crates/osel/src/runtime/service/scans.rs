//! Scans that follow from records: carried out beside the loop, a few at a time, their outcomes told back.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::mpsc::Sender;

use osel_core::scan::{
    CommandId, HostResult, PortFound, ScanCommand, ScanEnd, ScanOutcome, ScanReport, ScanStep,
};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};

use super::Happening;
use crate::action::scan::{PortSpec, ScanPlan, scan};
use crate::telemetry::chain;

/// How many addresses are scanned at one time; the engine gives out more only as these end.
const SCANS_AT_ONCE: usize = 8;

/// How hard a scan may try.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// Connections and datagrams per second over all scans.
    pub rate: NonZeroU32,
    /// Connections and datagrams per second to one address.
    pub rate_per_host: NonZeroU32,
    /// Probes out at the same time over all scans.
    pub concurrency: NonZeroU32,
}

/// The scans under way and those that wait.
pub(super) struct Scans {
    limits: ScanLimits,
    tokio: Handle,
    sender: Sender<Happening>,
    waiting: VecDeque<ScanCommand>,
    running: BTreeMap<CommandId, AbortHandle>,
    tasks: JoinSet<()>,
}

impl Scans {
    /// None yet.
    pub(super) fn new(limits: ScanLimits, tokio: Handle, sender: Sender<Happening>) -> Self {
        Self {
            limits,
            tokio,
            sender,
            waiting: VecDeque::new(),
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Carries a command out, now or when there is room.
    pub(super) fn launch(&mut self, command: ScanCommand) {
        self.waiting.push_back(command);
        self.launch_waiting();
    }

    /// Gives a command up, which ends it.
    pub(super) fn give_up(&mut self, id: &CommandId) {
        let waiting = self.waiting.len();
        self.waiting.retain(|command| command.id != *id);
        let running = self.running.get(id);
        if let Some(task) = running {
            task.abort();
        }
        if running.is_some() || self.waiting.len() < waiting {
            let outcome =
                ScanOutcome { scanner: SCANNER.to_owned(), end: ScanEnd::Cancelled, hosts: Vec::new() };
            let report = ScanReport { id: id.clone(), step: ScanStep::Ended(outcome) };
            let _ = self.sender.send(Happening::Scanned(report));
        }
    }

    /// One has ended.
    pub(super) fn ended(&mut self, id: &CommandId) {
        self.running.remove(id);
        while self.tasks.try_join_next().is_some() {}
        self.launch_waiting();
    }

    /// Ends all: their commands are given out again by the next process.
    pub(super) fn stop(&mut self) {
        self.waiting.clear();
        self.tasks.abort_all();
    }

    fn launch_waiting(&mut self) {
        while self.running.len() < SCANS_AT_ONCE
            && let Some(command) = self.waiting.pop_front()
        {
            let (limits, sender) = (self.limits, self.sender.clone());
            let id = command.id.clone();
            let task = async move {
                let outcome = carry_out(&command, limits).await;
                let report = ScanReport { id: command.id, step: ScanStep::Ended(outcome) };
                let _ = sender.send(Happening::Scanned(report));
            };
            self.running.insert(id, self.tasks.spawn_on(task, &self.tokio));
        }
    }
}

/// Who scans.
const SCANNER: &str = "builtin";

async fn carry_out(command: &ScanCommand, limits: ScanLimits) -> ScanOutcome {
    let targets = command.targets.iter().map(|target| {
        let mut spec = PortSpec::new();
        for &(transport, port) in target.expected.keys() {
            spec.add(transport.into(), port, port);
        }
        (target.address, spec)
    });
    let mut plan = ScanPlan::new(targets.collect());
    // Each of those that run together has its share.
    let share =
        |all: NonZeroU32| NonZeroU32::new(all.get() / SCANS_AT_ONCE as u32).unwrap_or(NonZeroU32::MIN);
    plan.rate = Some(share(limits.rate));
    plan.rate_per_host = Some(limits.rate_per_host);
    plan.concurrency = Some(share(limits.concurrency));
    let mut hosts: Vec<HostResult> =
        command.targets.iter().map(|target| HostResult::new(target.address)).collect();
    let scanned = scan(&plan, |result| {
        if let Some(host) = hosts.iter_mut().find(|host| host.address == result.address) {
            host.ports.push(PortFound::new(result.protocol.into(), result.port, result.probe_state()));
        }
    });
    let end = scanned.await.map_or_else(|error| ScanEnd::Failed(chain(&error)), |_| ScanEnd::Finished);
    ScanOutcome { scanner: SCANNER.to_owned(), end, hosts }
}
