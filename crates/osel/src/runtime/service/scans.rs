//! Scans that follow from records: carried out beside the loop, a few at a time, their outcomes told back.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::mpsc::Sender;

use osel_core::engine::{ScanCommand, ScanOutcome};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

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
    running: usize,
    tasks: JoinSet<()>,
}

impl Scans {
    /// None yet.
    pub(super) fn new(limits: ScanLimits, tokio: Handle, sender: Sender<Happening>) -> Self {
        Self { limits, tokio, sender, waiting: VecDeque::new(), running: 0, tasks: JoinSet::new() }
    }

    /// Carries a command out, now or when there is room.
    pub(super) fn launch(&mut self, command: ScanCommand) {
        self.waiting.push_back(command);
        self.launch_waiting();
    }

    /// One has ended.
    pub(super) fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
        while self.tasks.try_join_next().is_some() {}
        self.launch_waiting();
    }

    /// Ends all: their commands are given out again by the next process.
    pub(super) fn stop(&mut self) {
        self.waiting.clear();
        self.tasks.abort_all();
    }

    fn launch_waiting(&mut self) {
        while self.running < SCANS_AT_ONCE
            && let Some(command) = self.waiting.pop_front()
        {
            self.running += 1;
            let (limits, sender) = (self.limits, self.sender.clone());
            let task = async move {
                let outcome = carry_out(&command, limits).await;
                let _ = sender.send(Happening::Scanned(outcome));
            };
            self.tasks.spawn_on(task, &self.tokio);
        }
    }
}

async fn carry_out(command: &ScanCommand, limits: ScanLimits) -> ScanOutcome {
    let mut spec = PortSpec::new();
    for &(transport, port) in command.expected.keys() {
        spec.add(transport.into(), port, port);
    }
    let mut plan = ScanPlan::new(vec![(command.address, spec)]);
    // Each of those that run together has its share.
    let share =
        |all: NonZeroU32| NonZeroU32::new(all.get() / SCANS_AT_ONCE as u32).unwrap_or(NonZeroU32::MIN);
    plan.rate = Some(share(limits.rate));
    plan.rate_per_host = Some(limits.rate_per_host);
    plan.concurrency = Some(share(limits.concurrency));
    let mut found = Vec::new();
    let scanned =
        scan(&plan, |result| found.push((result.protocol.into(), result.port, result.probe_state())));
    let error = scanned.await.err().map(|error| chain(&error));
    ScanOutcome { id: command.id.clone(), scanner: "builtin".to_owned(), found, error }
}
