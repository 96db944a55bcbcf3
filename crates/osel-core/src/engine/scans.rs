//! Scans from plan to verdict: what waits, what is under way, and what the answers mean.
//!
//! What waits is kept per address (of a network, of a region), so that a boot storm is one scan of each address and not one per event;
//! what waits longest goes first. How much may wait and how much may be under way has a name, and what finds no room is said in the
//! trail. A scan's life is in the trail under its id: the command's record, then the scan's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::{Detail, RecordBody};
use super::{Engine, Output, system_record};
use crate::event::{self, Outcome};
use crate::exposure::Judged;
use crate::ids::Id;
use crate::plan::{Place, ScanVerdict, Target, wanted};
use crate::scan::{
    CommandId, Expected, OldCommand, ProbeState, ScanCommand, ScanEnd, ScanLife, ScanOutcome, ScanReason,
    ScanReport, ScanState, ScanStep, ScanTarget, Transport,
};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// The most addresses that wait to be scanned; beyond it a change is recorded as not scanned, with this reason.
pub const PENDING_SCANS_MAX: usize = 10_000;
/// The most addresses that one record names as not scanned; the rest is counted. A record is to stay some ten kilobytes.
pub(super) const UNSCANNED_NAMED_MAX: usize = 500;

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
    running: BTreeMap<CommandId, ScanLife>,
}

/// One line of the state, for snapshots.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct ScanLine(ScanLineKind);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScanLineKind {
    Pending(Key, Pending),
    Life(Box<ScanLife>),
    /// As earlier forms have what is under way.
    #[serde(skip_serializing)]
    Running(OldCommand),
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
        let lives = self.running.values().map(|life| ScanLineKind::Life(Box::new(life.clone())));
        pending.chain(lives).map(ScanLine)
    }

    pub(super) fn restore(&mut self, line: ScanLine) {
        match line.0 {
            ScanLineKind::Pending(key, pending) => self.insert(key, pending),
            ScanLineKind::Life(life) => {
                self.running.insert(life.command.id.clone(), *life);
            }
            ScanLineKind::Running(old) => {
                let command = ScanCommand::from(old);
                self.running.insert(command.id.clone(), ScanLife::planned(command));
            }
        }
    }
}

impl Engine {
    /// Commands that are not over: after a restart they are given out again, with how far they had come.
    pub fn running_scans(&self) -> impl Iterator<Item = &ScanLife> {
        self.scans.running.values()
    }

    /// Corrects what is under way by what the store has: a command that was written down keeps its id, its ports and its cause.
    pub fn set_running_scans(&mut self, lives: impl IntoIterator<Item = ScanLife>) {
        self.scans.running = lives.into_iter().map(|life| (life.command.id.clone(), life)).collect();
    }

    /// Whether any scan waits or runs.
    pub fn scans_are_open(&self) -> bool {
        !self.scans.pending.is_empty() || !self.scans.running.is_empty()
    }

    pub(super) fn rescan_now(&mut self, key: Key, target: Target, cause: u64) {
        self.scans.enqueue(&key, cause, target);
    }

    /// Whether a scan that waits or is under way will tell of a place what is wanted of it.
    pub(super) fn will_be_scanned(
        &self,
        region: Option<&Arc<str>>,
        place: &Place,
        wanted: impl Fn(&Expected) -> bool,
    ) -> bool {
        let waits = self.scans.pending.get(&(region.cloned(), place.clone()));
        let is_there = |target: &ScanTarget| {
            target.address == place.address
                && target.network_id == place.network_id
                && wanted(&target.expected)
        };
        let mut running = self.scans.running.values().map(|life| &life.command);
        waits.is_some_and(|pending| wanted(&pending.target.ports))
            || running
                .any(|command| command.region.as_ref() == region && command.targets.iter().any(is_there))
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
        let policy = self.options.scan.clone().unwrap_or_default();
        let Some(scanner) = policy.scanners.first() else { return };
        while self.scans.running.len() < scanner.running_max.get() as usize {
            let Some(((region, place), Pending { target, cause })) = self.scans.dequeue() else { return };
            let id = Id::new(&format!("scan-{}", self.seq + 1));
            let target = ScanTarget {
                address: place.address,
                network_id: place.network_id,
                project_id: target.project_id,
                expected: target.ports,
                partial: target.partial,
                causes: vec![cause],
            };
            let command = ScanCommand {
                id: id.clone(),
                seq: self.seq + 1,
                scanner: Arc::clone(&scanner.name),
                kind: Arc::clone(&scanner.kind),
                region,
                targets: vec![target],
                reason: ScanReason::Change,
                planned_at: now,
                expires_at: now.plus_seconds(scanner.life_seconds_max.into()),
            };
            let target = &command.targets[0];
            let text = format!("scan of {}, {}, planned", target.address, ports_text(target.expected.keys()));
            let mut record = scan_record(now, RecordKind::Command, &command, target, text);
            record.outcome = Outcome::Pending;
            if target.partial {
                record.detail.insert("note".into(), "a sample: more ports changed".to_owned());
            }
            self.record(record, out);
            let life = ScanLife::planned(command.clone());
            out.commands.push(command);
            out.lives.push(life.clone());
            self.scans.running.insert(id, life);
        }
    }

    /// Takes what has become of a command. What is said of one that is unknown or over changes nothing: the same may be said twice after a
    /// crash.
    pub(super) fn scan_report(&mut self, now: Timestamp, report: ScanReport, out: &mut Output) {
        let Some(life) = self.scans.running.get_mut(&report.id) else { return };
        match report.step {
            ScanStep::Launched { reference, left_out } if life.state == ScanState::Planned => {
                life.state = ScanState::Launched;
                life.launched_at = Some(now);
                (life.reference, life.left_out) = (Some(reference), left_out);
                let life = life.clone();
                let record = launched_record(now, &life);
                self.record(record, out);
                out.lives.push(life);
            }
            ScanStep::Running if !matches!(life.state, ScanState::Running) => {
                life.state = ScanState::Running;
                life.running_at = Some(now);
                out.lives.push(life.clone());
            }
            ScanStep::Launched { .. } | ScanStep::Running => {}
            ScanStep::Ended(outcome) => {
                if let Some(life) = self.scans.running.remove(&report.id) {
                    self.scan_ended(now, life, outcome, out);
                }
            }
        }
    }

    fn scan_ended(&mut self, now: Timestamp, life: ScanLife, outcome: ScanOutcome, out: &mut Output) {
        let state = ScanState::after(&outcome.end);
        let life = ScanLife { state, ended_at: Some(now), outcome: Some(outcome), ..life };
        let Some(outcome) = &life.outcome else { return };
        for target in &life.command.targets {
            let record = judged_record(now, &life, target, outcome);
            let seq = self.record(record, out);
            if let Some(host) = outcome.hosts.iter().find(|host| host.address == target.address) {
                self.note_scan(now, seq, &life, target, host, out);
            }
        }
        out.lives.push(life);
    }
}

/// That a scanner has taken a command.
fn launched_record(now: Timestamp, life: &ScanLife) -> RecordBody {
    let command = &life.command;
    let reference = life.reference.as_deref().unwrap_or_default();
    let text = format!("scan {} launched by {} as {reference}", command.id, command.scanner);
    let mut record = system_record(now, now, RecordKind::Command, text);
    record.outcome = Outcome::Pending;
    record.cause = Some(command.seq);
    record.region.clone_from(&command.region);
    record.detail.insert("command".into(), command.id.to_string());
    record.detail.insert("reference".into(), reference.to_owned());
    record
}

/// What a scan says of one address.
fn judged_record(now: Timestamp, life: &ScanLife, target: &ScanTarget, outcome: &ScanOutcome) -> RecordBody {
    let host = outcome.hosts.iter().find(|host| host.address == target.address);
    let found: BTreeMap<(Transport, u16), ProbeState> = host
        .into_iter()
        .flat_map(|host| &host.ports)
        .map(|found| ((found.transport, found.port), found.state))
        .collect();
    let mut verdicts: BTreeMap<ScanVerdict, Vec<(Transport, u16)>> = BTreeMap::new();
    for (port, exposed) in &target.expected {
        let state = found.get(port).copied().unwrap_or(ProbeState::NotProbed);
        verdicts.entry(ScanVerdict::of(*exposed, state)).or_default().push(*port);
    }
    let sums: Vec<String> = verdicts
        .iter()
        .map(|(verdict, ports)| format!("{}: {}", verdict.as_str(), ports_text(ports.iter())))
        .collect();
    let text = match &outcome.end {
        ScanEnd::Failed(error) => {
            format!("scan of {} by {} failed: {error}", target.address, outcome.scanner)
        }
        _ => format!("scan of {} by {}: {}", target.address, outcome.scanner, sums.join("; ")),
    };
    let mut record = scan_record(now, RecordKind::Scan, &life.command, target, text);
    let is_finished = outcome.end == ScanEnd::Finished;
    record.outcome = if is_finished { Outcome::Success } else { Outcome::Failure };
    record.detail.insert("scanner".into(), outcome.scanner.clone());
    for (verdict, ports) in &verdicts {
        record.detail.insert(verdict.as_str().replace(' ', "_").into(), ports_text(ports.iter()));
    }
    record
}

fn scan_record(
    now: Timestamp,
    kind: RecordKind,
    command: &ScanCommand,
    target: &ScanTarget,
    text: String,
) -> RecordBody {
    let mut detail = Detail::from([("text".into(), text)]);
    detail.insert("command".into(), command.id.to_string());
    detail.insert("address".into(), target.address.to_string());
    detail.insert("ports".into(), ports_text(target.expected.keys()));
    if let Some(network) = &target.network_id {
        detail.insert("network".into(), network.to_string());
    }
    RecordBody {
        cause: target.causes.first().copied(),
        region: command.region.clone(),
        target: Some(event::Target {
            kind: "address".into(),
            id: Some(Id::new(&target.address.to_string())),
            name: None,
            project_id: target.project_id.clone(),
        }),
        detail,
        ..system_record(now, now, kind, String::new())
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
