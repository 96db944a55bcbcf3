//! Scans from plan to verdict: what waits, what is under way, and what the answers mean.
//!
//! What waits is kept per address, so that a boot storm is one scan of each address and not one per event; how much may wait and
//! how much may be under way has a name. A scan's life is in the trail under its id: the command's record, then the scan's.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::{Detail, RecordBody};
use super::{Engine, Output, system_record};
use crate::event::{Outcome, Target};
use crate::exposure::Judged;
use crate::ids::Id;
use crate::plan::{CommandId, Expected, ProbeState, ScanVerdict, Transport, wanted};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// The most addresses that wait to be scanned; beyond it a change is recorded as not scanned, with this reason.
pub const PENDING_SCANS_MAX: usize = 10_000;
/// The most scans under way at once.
pub const RUNNING_SCANS_MAX: usize = 16;

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

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    #[serde(with = "expected_list")]
    expected: Expected,
    cause: u64,
    region: Option<Arc<str>>,
    project_id: Option<Id>,
}

/// Scans that wait or run.
#[derive(Debug, Default)]
pub(super) struct Scans {
    pending: BTreeMap<IpAddr, Pending>,
    running: BTreeMap<CommandId, ScanCommand>,
}

/// One line of the state, for snapshots.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct ScanLine(ScanLineKind);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScanLineKind {
    Pending(IpAddr, Pending),
    Running(ScanCommand),
}

impl Scans {
    pub(super) fn lines(&self) -> impl Iterator<Item = ScanLine> + '_ {
        let pending =
            self.pending.iter().map(|(address, pending)| ScanLineKind::Pending(*address, pending.clone()));
        pending.chain(self.running.values().cloned().map(ScanLineKind::Running)).map(ScanLine)
    }

    pub(super) fn restore(&mut self, line: ScanLine) {
        match line.0 {
            ScanLineKind::Pending(address, pending) => {
                self.pending.insert(address, pending);
            }
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
        let wanted = wanted(cloud, policy, &exposure.opened, &exposure.closed);
        let mut refused = 0;
        for (address, expected) in wanted.targets {
            let full = self.scans.pending.len() >= PENDING_SCANS_MAX;
            if full && !self.scans.pending.contains_key(&address) {
                refused += 1;
                continue;
            }
            let rows = exposure.opened.iter().chain(&exposure.closed);
            let owner = rows.map(|judged| &judged.row).find(|row| row.address.addr() == address);
            let pending = self.scans.pending.entry(address).or_insert_with(|| Pending {
                expected: Expected::new(),
                cause: seq,
                region: region.cloned(),
                project_id: owner.and_then(|row| row.project_id.clone()),
            });
            // What a later event says of a port is what is expected of it.
            pending.expected.extend(expected);
        }
        if refused > 0 {
            let text =
                format!("{refused} addresses are not scanned: {PENDING_SCANS_MAX} others wait already");
            self.follow(now, now, RecordKind::Command, seq, region.cloned(), text, out);
        }
    }

    /// Gives out as many waiting scans as may run.
    pub(super) fn launch_scans(&mut self, now: Timestamp, out: &mut Output) {
        while self.scans.running.len() < RUNNING_SCANS_MAX {
            let Some((address, pending)) = self.scans.pending.pop_first() else { return };
            let Pending { expected, cause, region, project_id } = pending;
            let id = Id::new(&format!("scan-{}", self.seq + 1));
            let command = ScanCommand {
                id: id.clone(),
                seq: self.seq + 1,
                address,
                expected,
                cause,
                region: region.clone(),
                project_id,
            };
            let text = format!("scan of {address}, {}, planned", ports_text(command.expected.keys()));
            let mut record = self.scan_record(now, RecordKind::Command, &command, text);
            record.outcome = Outcome::Pending;
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
        RecordBody {
            cause: Some(command.cause),
            region: command.region.clone(),
            target: Some(Target {
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

/// A map with pairs as keys as a list, since JSON has no other keys than texts.
mod expected_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::plan::{Expected, Transport};

    pub(super) fn serialize<S: Serializer>(expected: &Expected, serializer: S) -> Result<S::Ok, S::Error> {
        let list: Vec<(Transport, u16, bool)> =
            expected.iter().map(|(&(transport, port), &exposed)| (transport, port, exposed)).collect();
        list.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Expected, D::Error> {
        let list = Vec::<(Transport, u16, bool)>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|(transport, port, exposed)| ((transport, port), exposed)).collect())
    }
}
