//! Scans from plan to verdict: what waits, what is under way, and what the answers mean.
//!
//! What waits is kept per address (of a network, of a region), so that a boot storm is one scan of each address and not one per event;
//! what waits longest goes first. How much may wait and how much may be under way has a name, and what finds no room is said in the
//! trail. A scan's life is in the trail under its id: the command's record, then the scan's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::{Detail, RecordBody};
use super::{Engine, Output, system_record};
use crate::event::{self, Outcome};
use crate::exposure::Judged;
use crate::ids::Id;
use crate::plan::{CommandId, Expected, Place, ProbeState, ScanVerdict, Target, Transport, wanted};
use crate::scan::expected_list;
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// The most addresses that wait to be scanned; beyond it a change is recorded as not scanned, with this reason.
pub const PENDING_SCANS_MAX: usize = 10_000;
/// The most scans under way at once.
pub const RUNNING_SCANS_MAX: usize = 16;
/// The most addresses that one record names as not scanned; the rest is counted. A record is to stay some ten kilobytes.
pub(super) const UNSCANNED_NAMED_MAX: usize = 500;

/// A command to scan one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanCommand {
    /// Its id, which every record about it carries.
    pub id: CommandId,
    /// The record that planned it.
    pub seq: u64,
    /// The address.
    pub address: IpAddr,
    /// The ports, with whether each is exposed.
    #[serde(with = "expected_list")]
    pub expected: Expected,
    /// The first record that asked for it.
    pub cause: u64,
    /// The region of the change.
    pub region: Option<Arc<str>>,
    /// The network that has the address; none for a floating IP.
    #[serde(default)]
    pub network_id: Option<Id>,
    /// Whether more ports changed than are scanned.
    #[serde(default)]
    pub partial: bool,
    /// The project of the address.
    pub project_id: Option<Id>,
}

/// What came of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanOutcome {
    /// The command.
    pub id: CommandId,
    /// Which scanner.
    pub scanner: String,
    /// What was found at each port.
    pub found: Vec<(Transport, u16, ProbeState)>,
    /// Why it could not be done, when it could not.
    pub error: Option<String>,
}

/// Whose address a scan is for.
type Key = (Option<Arc<str>>, Place);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    target: Target,
    /// The first record that asked for it.
    cause: u64,
}

/// Scans that wait or run.
#[derive(Debug, Default)]
pub(super) struct Scans {
    pending: BTreeMap<Key, Pending>,
    /// The same by the record that asked first.
    queue: BTreeSet<(u64, Key)>,
    running: BTreeMap<CommandId, ScanCommand>,
}

/// One line of the state, for snapshots.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct ScanLine(ScanLineKind);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScanLineKind {
    Pending(Key, Pending),
    Running(ScanCommand),
}

impl Scans {
    /// Has an address scanned; false when too many others wait.
    fn enqueue(&mut self, key: &Key, cause: u64, target: Target) -> bool {
        if let Some(pending) = self.pending.get_mut(key) {
            pending.target.merge(target);
            return true;
        }
        if self.pending.len() >= PENDING_SCANS_MAX {
            return false;
        }
        self.insert(key.clone(), Pending { target, cause });
        true
    }

    fn insert(&mut self, key: Key, pending: Pending) {
        self.queue.insert((pending.cause, key.clone()));
        self.pending.insert(key, pending);
    }

    /// Takes out what waits longest.
    fn dequeue(&mut self) -> Option<(Key, Pending)> {
        let (_, key) = self.queue.pop_first()?;
        self.pending.remove_entry(&key)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = ScanLine> + '_ {
        let pending =
            self.pending.iter().map(|(key, pending)| ScanLineKind::Pending(key.clone(), pending.clone()));
        pending.chain(self.running.values().cloned().map(ScanLineKind::Running)).map(ScanLine)
    }

    pub(super) fn restore(&mut self, line: ScanLine) {
        match line.0 {
            ScanLineKind::Pending(key, pending) => self.insert(key, pending),
            ScanLineKind::Running(command) => {
                self.running.insert(command.id.clone(), command);
            }
        }
    }
}

impl Engine {
    /// Commands that were given out and have no outcome yet: after a restart they are given out again.
    pub fn running_scans(&self) -> impl Iterator<Item = &ScanCommand> {
        self.scans.running.values()
    }

    /// Corrects what is under way by what the store has: a command that was written down keeps its id, its ports and its cause.
    pub fn set_running_scans(&mut self, commands: impl IntoIterator<Item = ScanCommand>) {
        self.scans.running = commands.into_iter().map(|command| (command.id.clone(), command)).collect();
    }

    /// Whether any scan waits or runs.
    pub fn scans_are_open(&self) -> bool {
        !self.scans.pending.is_empty() || !self.scans.running.is_empty()
    }

    /// Notes what an event wants scanned.
    pub(super) fn plan_scans(
        &mut self,
        now: Timestamp,
        seq: u64,
        region: Option<&Arc<str>>,
        exposure: &Judged,
        out: &mut Output,
    ) {
        let Some(policy) = &self.options.scan else { return };
        let Some(cloud) = self.clouds.get(&region.cloned()) else { return };
        let mut unscanned = BTreeSet::new();
        for (place, target) in wanted(cloud, policy, &exposure.opened, &exposure.closed) {
            let key = (region.cloned(), place);
            if !self.scans.enqueue(&key, seq, target) {
                unscanned.insert(key.1);
            }
        }
        if !unscanned.is_empty() {
            let count = unscanned.len();
            let text = format!("{count} addresses are not scanned: {PENDING_SCANS_MAX} others wait already");
            let named = unscanned.iter().take(UNSCANNED_NAMED_MAX).map(|place| place.address.to_string());
            let mut named = named.collect::<Vec<_>>().join(", ");
            if count > UNSCANNED_NAMED_MAX {
                named.push_str(&format!(" and {} more", count - UNSCANNED_NAMED_MAX));
            }
            let mut record = system_record(now, now, RecordKind::Command, text);
            record.detail.insert("unscanned".into(), named);
            record.outcome = Outcome::Failure;
            self.record(RecordBody { cause: Some(seq), region: region.cloned(), ..record }, out);
        }
    }

    /// Gives out as many waiting scans as may run.
    pub(super) fn launch_scans(&mut self, now: Timestamp, out: &mut Output) {
        while self.scans.running.len() < RUNNING_SCANS_MAX {
            let Some(((region, place), Pending { target, cause })) = self.scans.dequeue() else { return };
            let id = Id::new(&format!("scan-{}", self.seq + 1));
            let command = ScanCommand {
                id: id.clone(),
                seq: self.seq + 1,
                address: place.address,
                expected: target.ports,
                cause,
                region,
                network_id: place.network_id,
                partial: target.partial,
                project_id: target.project_id,
            };
            let text =
                format!("scan of {}, {}, planned", command.address, ports_text(command.expected.keys()));
            let mut record = self.scan_record(now, RecordKind::Command, &command, text);
            record.outcome = Outcome::Pending;
            if command.partial {
                record.detail.insert("note".into(), "a sample: more ports changed".to_owned());
            }
            self.record(record, out);
            out.commands.push(command.clone());
            self.scans.running.insert(id, command);
        }
    }

    /// Takes a scan's answer and judges it.
    pub(super) fn scan_outcome(&mut self, now: Timestamp, outcome: &ScanOutcome, out: &mut Output) {
        // The same outcome may come twice after a crash: the second time there is nothing to judge.
        let Some(command) = self.scans.running.remove(&outcome.id) else { return };
        let found: BTreeMap<(Transport, u16), ProbeState> =
            outcome.found.iter().map(|&(transport, port, state)| ((transport, port), state)).collect();
        let mut verdicts: BTreeMap<ScanVerdict, Vec<(Transport, u16)>> = BTreeMap::new();
        for (port, exposed) in &command.expected {
            let state = found.get(port).copied().unwrap_or(ProbeState::NotProbed);
            verdicts.entry(ScanVerdict::of(*exposed, state)).or_default().push(*port);
        }
        let sums: Vec<String> = verdicts
            .iter()
            .map(|(verdict, ports)| format!("{}: {}", verdict.as_str(), ports_text(ports.iter())))
            .collect();
        let mut text = format!("scan of {} by {}: {}", command.address, outcome.scanner, sums.join("; "));
        if let Some(error) = &outcome.error {
            text = format!("scan of {} by {} failed: {error}", command.address, outcome.scanner);
        }
        let mut record = self.scan_record(now, RecordKind::Scan, &command, text);
        record.outcome = if outcome.error.is_some() { Outcome::Failure } else { Outcome::Success };
        record.detail.insert("scanner".into(), outcome.scanner.clone());
        for (verdict, ports) in &verdicts {
            record.detail.insert(verdict.as_str().replace(' ', "_").into(), ports_text(ports.iter()));
        }
        self.record(record, out);
    }

    fn scan_record(
        &self,
        now: Timestamp,
        kind: RecordKind,
        command: &ScanCommand,
        text: String,
    ) -> RecordBody {
        let mut detail = Detail::from([("text".into(), text)]);
        detail.insert("command".into(), command.id.to_string());
        detail.insert("address".into(), command.address.to_string());
        detail.insert("ports".into(), ports_text(command.expected.keys()));
        if let Some(network) = &command.network_id {
            detail.insert("network".into(), network.to_string());
        }
        RecordBody {
            cause: Some(command.cause),
            region: command.region.clone(),
            target: Some(event::Target {
                kind: "address".into(),
                id: Some(Id::new(&command.address.to_string())),
                name: None,
                project_id: command.project_id.clone(),
            }),
            detail,
            ..system_record(now, now, kind, String::new())
        }
    }
}

/// Ports as people write them, runs as ranges: `tcp 22, 80-90; udp 53`.
fn ports_text<'a>(ports: impl Iterator<Item = &'a (Transport, u16)>) -> String {
    let mut ranges: Vec<(Transport, u16, u16)> = Vec::new();
    for &(transport, port) in ports {
        match ranges.last_mut() {
            Some((last, _, end)) if *last == transport && end.checked_add(1) == Some(port) => *end = port,
            _ => ranges.push((transport, port, port)),
        }
    }
    let of = |wanted: Transport| {
        let texts: Vec<String> = ranges
            .iter()
            .filter(|(transport, ..)| *transport == wanted)
            .map(|(_, first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
            .collect();
        (!texts.is_empty()).then(|| format!("{} {}", wanted.as_str(), texts.join(", ")))
    };
    [of(Transport::Tcp), of(Transport::Udp)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}
