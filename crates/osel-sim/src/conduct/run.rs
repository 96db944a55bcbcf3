//! One run: a plan of kills and faults, the processes that live through it, and what is left in the end.

use std::collections::{BTreeMap, BTreeSet};

use osel_core::conduct::{Answer, Call};
use osel_core::scan::{
    CommandId, Expected, ScanCommand, ScanLife, ScanReason, ScanState, ScanTarget, Trouble,
};
use osel_core::time::Timestamp;

use super::process::{Killed, live};
use super::remote::Remote;

/// How a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The scanner has done nothing, and says so.
    Says(Trouble),
    /// The scanner has done it, and what comes is this.
    Did(Trouble),
    /// The scanner has done nothing, and no answer comes.
    Lost,
    /// The scanner has done it, and no answer comes.
    DidAndLost,
}

/// What goes wrong in a run.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The boundaries at which the process is killed, counted over all processes.
    pub kills: BTreeSet<u64>,
    /// The how-manieth call fails, and how.
    pub fault: Option<(u64, Fault)>,
    /// The boundary after which somebody calls the scan off.
    pub cancel: Option<u64>,
    /// The call that the scanner denies the first command, whatever happens.
    pub denied: Option<Call>,
    /// How many commands wait behind it.
    pub others: u64,
    /// For how many seconds the scanner does not list what it has taken.
    pub unlisted_seconds: i64,
    /// For how many seconds commands live, if not for a day.
    pub life_seconds: Option<i64>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many boundaries there were.
    pub boundaries: u64,
    /// How many calls the scanner had.
    pub calls: u64,
    /// How many scans were made at the scanner.
    pub launches: usize,
    /// Whether something is left there.
    pub has_left: bool,
    /// The call that failed.
    pub failed: Option<Call>,
    /// How often the end of the command was judged.
    pub ends: u32,
    /// How it ended.
    pub state: ScanState,
    /// How and when each command ended, by its id.
    pub ended: BTreeMap<CommandId, (ScanState, Timestamp)>,
}

/// Everything that outlives a process.
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) store: BTreeMap<CommandId, ScanLife>,
    pub(super) ends: u32,
    pub(super) ended: BTreeMap<CommandId, (ScanState, Timestamp)>,
    remote: Remote,
    plan: Plan,
    boundaries: u64,
    calls: u64,
    failed: Option<Call>,
}

impl World {
    /// Something has happened that a kill may follow.
    pub(super) fn boundary(&mut self) -> Result<(), Killed> {
        self.boundaries += 1;
        if self.plan.kills.remove(&self.boundaries) { Err(Killed) } else { Ok(()) }
    }

    /// The command that is called off now, if it is.
    pub(super) fn cancels(&mut self) -> Option<CommandId> {
        self.plan.cancel.take_if(|at| *at <= self.boundaries)?;
        self.store.keys().next().cloned()
    }

    /// Asks the scanner; none when no answer comes.
    pub(super) fn ask(
        &mut self,
        call: Call,
        command: &ScanCommand,
        reference: &str,
    ) -> Option<Result<Answer, Trouble>> {
        self.calls += 1;
        let calls = self.calls;
        let fault = self.plan.fault.take_if(|(at, _)| *at == calls).map(|(_, fault)| fault);
        self.failed = self.failed.or(fault.as_ref().map(|_| call));
        if self.plan.denied == Some(call) && command.id == id(0) {
            return Some(Err(Trouble::Denied("not with this account".to_owned())));
        }
        self.remote.now = self.now;
        match fault {
            None => Some(self.remote.answer(call, command, reference)),
            Some(Fault::Says(trouble)) => Some(Err(trouble)),
            Some(Fault::Lost) => None,
            Some(Fault::Did(trouble)) => {
                let _ = self.remote.answer(call, command, reference);
                Some(Err(trouble))
            }
            Some(Fault::DidAndLost) => {
                let _ = self.remote.answer(call, command, reference);
                None
            }
        }
    }
}

/// Plays a plan until a process comes to rest.
pub fn run(plan: Plan) -> Report {
    // A day is beyond every wait of one failure.
    let expires_at = Timestamp::EPOCH.plus_seconds(plan.life_seconds.unwrap_or(86_400));
    let lives = (0..=plan.others).map(|number| ScanLife::planned(command(number, expires_at)));
    let remote = Remote { unlisted_seconds: plan.unlisted_seconds, ..Remote::default() };
    let mut world = World {
        now: Timestamp::EPOCH.plus_seconds(1),
        store: lives.map(|life| (life.command.id.clone(), life)).collect(),
        ends: 0,
        ended: BTreeMap::new(),
        remote,
        plan,
        boundaries: 0,
        calls: 0,
        failed: None,
    };
    let mut is_first = true;
    while let Err(Killed) = live(&mut world, is_first) {
        is_first = false;
        world.now = world.now.plus_seconds(1);
    }
    Report {
        boundaries: world.boundaries,
        calls: world.calls,
        launches: world.remote.made.len(),
        has_left: world.remote.has_left(),
        failed: world.failed,
        ends: world.ends,
        state: world.store[&id(0)].state,
        ended: world.ended,
    }
}

/// The id of a command; the first one's number is 0.
fn id(number: u64) -> CommandId {
    CommandId::new(&format!("scan-{}", number + 2))
}

fn command(number: u64, expires_at: Timestamp) -> ScanCommand {
    let target = |address: &str| ScanTarget {
        address: address.parse().expect("an address"),
        network_id: None,
        project_id: None,
        expected: Expected::from([((osel_core::scan::Transport::Tcp, 22), true)]),
        partial: false,
        causes: vec![1],
    };
    ScanCommand {
        id: id(number),
        seq: number + 2,
        scanner: "far".into(),
        kind: "simulated".into(),
        region: None,
        targets: vec![target("192.0.2.1"), target("192.0.2.2")],
        reason: ScanReason::Change,
        planned_at: Timestamp::EPOCH,
        expires_at,
    }
}
