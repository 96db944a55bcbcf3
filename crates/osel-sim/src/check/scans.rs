//! Simulated scanners, and a judge of what they are asked: by the records and commands alone, without a look at the engine's queues.
//!
//! What scanners say comes some records after their command, by chance from the command's number, so that whoever folds the journal hears
//! the same at the same place. Some are slow, some fail, some are called off, some never say anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU32;

use osel_core::engine::{Engine, Output};
use osel_core::model::Protocol;
use osel_core::plan::{QuietHours, ScanPolicy, ScannerPolicy};
use osel_core::scan::{
    CommandId, HostResult, PortFound, ProbeState, ScanCommand, ScanEnd, ScanOutcome, ScanReport, ScanStep,
};
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;
use serde_json::Value;

use super::failure::{Failure, ensure};
use crate::random::Random;

/// The name of the checks.
const CHECK: &str = "scans keep to the policy";
const NOTHING_LOST: &str = "what changed is scanned, waits, or is told not to be";
/// How many records later a scanner says its next word, at most.
const RECORDS_LATER_MAX: u64 = 12;

/// What may be scanned in the run of a seed.
pub(super) fn policy(seed: u64) -> ScanPolicy {
    let mut random = Random::new(seed ^ 0x5CA2);
    let chance = |random: &mut Random, percent, most| {
        random.percent(percent).then(|| NonZeroU32::MIN.saturating_add(random.below(most) as u32))
    };
    let scanners =
        ["builtin", "slow"].into_iter().take(random.between(1, 2) as usize).map(|name| ScannerPolicy {
            name: name.into(),
            window_seconds: random.below(4) as u32,
            batch_addresses_max: NonZeroU32::MIN.saturating_add(random.below(4) as u32),
            running_max: NonZeroU32::MIN.saturating_add(random.below(3) as u32),
            takes_udp: random.percent(60),
            takes_ipv6: random.percent(60),
            life_seconds_max: random.between(5, 60) as u32,
            ..ScannerPolicy::builtin()
        });
    let scanners = scanners.collect();
    let never = random.percent(30).then_some("10.0.0.8/29");
    let prefixes = |texts: &[&str]| texts.iter().filter_map(|text| text.parse().ok()).collect();
    let minute = |random: &mut Random| random.below(1440) as u16;
    let quiet_hours = random
        .percent(20)
        .then(|| QuietHours { from_minute: minute(&mut random), to_minute: minute(&mut random) });
    ScanPolicy {
        allowed_prefixes: prefixes(&["10.0.0.0/24"]),
        never_prefixes: never.map(|never| prefixes(&[never])).unwrap_or_default(),
        closed: random.percent(70),
        quiet_hours,
        hour_budget: chance(&mut random, 30, 12),
        project_hour_budget: chance(&mut random, 30, 6),
        sensitive_ports: vec![22],
        wait_seconds_max: random.between(10, 4000) as u32,
        scanners,
        ..ScanPolicy::default()
    }
}

/// Something that happens to a command.
#[derive(Clone, Debug)]
pub(super) enum Happens {
    /// Its scanner says something.
    Said(ScanReport),
    /// A person calls it off.
    CalledOff(CommandId),
}

/// Scanners, and who watches over them.
#[derive(Clone, Debug, Default)]
pub(super) struct Bench {
    policy: Option<ScanPolicy>,
    seed: u64,
    /// What happens after which record.
    coming: BTreeSet<(u64, u64)>,
    happens: BTreeMap<(u64, u64), Happens>,
    number: u64,
    /// The commands that are under way, as told by commands and lives.
    running: BTreeMap<CommandId, ScanCommand>,
    /// Addresses in the hour, of all projects and of each.
    hour: i64,
    spent: BTreeMap<Option<String>, u32>,
    /// For each scanner and address the last record that wanted it scanned.
    wanted: BTreeMap<(String, IpAddr), u64>,
    /// The same of the last record by which it was taken or refused.
    answered: BTreeMap<(String, IpAddr), u64>,
}

impl Bench {
    pub(super) fn new(policy: Option<ScanPolicy>, seed: u64) -> Self {
        Self { policy, seed, ..Self::default() }
    }

    /// What happens next by the time of that record.
    pub(super) fn next(&mut self, seq: u64) -> Option<Happens> {
        let key = *self.coming.first().filter(|(after, _)| *after <= seq)?;
        self.coming.remove(&key);
        self.happens.remove(&key)
    }

    /// Takes what came of an input at `now`.
    pub(super) fn watch(&mut self, now: Timestamp, engine: &Engine, out: &Output) -> Result<(), Failure> {
        let Some(policy) = self.policy.clone() else { return Ok(()) };
        let first = engine.seq() - out.records.len() as u64 + 1;
        for (seq, record) in (first..).zip(&out.records) {
            let opened = record.exposure.opened.iter().filter(|judged| !judged.covered_before);
            for judged in opened {
                let row = &judged.row;
                let is_probed = !matches!(row.permission.protocol, Protocol::Number(number) if number != 6 && number != 17);
                let is_one = row.address.prefix_len() == row.address.max_prefix_len();
                let address = row.address.addr();
                if is_probed
                    && is_one
                    && policy.allowed_prefixes.iter().any(|prefix| prefix.contains(&address))
                {
                    for scanner in &policy.scanners {
                        self.wanted.insert((scanner.name.to_string(), address), seq);
                    }
                }
            }
            if let (RecordKind::Command, Some(named)) = (record.kind, record.detail.get("unscanned")) {
                let by = record.detail.get("scanner");
                for scanner in
                    policy.scanners.iter().filter(|scanner| by.is_none_or(|by| **by == *scanner.name))
                {
                    for address in named.split(", ").filter_map(|text| text.parse().ok()) {
                        self.answered.insert((scanner.name.to_string(), address), seq);
                    }
                }
            }
        }
        for life in out.lives.iter().filter(|life| life.state.is_over()) {
            ensure(self.running.remove(&life.command.id).is_some(), CHECK, || {
                format!("ended twice: {life:?}")
            })?;
        }
        for command in &out.commands {
            self.keeps_to(&policy, now, command)?;
            self.plan(command);
        }
        Ok(())
    }

    fn keeps_to(
        &mut self,
        policy: &ScanPolicy,
        now: Timestamp,
        command: &ScanCommand,
    ) -> Result<(), Failure> {
        let told = || format!("{command:?} at {now} by {policy:?}");
        let scanner = policy.scanners.iter().find(|scanner| scanner.name == command.scanner);
        let scanner = scanner.ok_or_else(|| Failure::new(CHECK, told()))?;
        let count = command.targets.len();
        ensure((1..=scanner.batch_addresses_max.get() as usize).contains(&count), CHECK, told)?;
        let others = || self.running.values().filter(|other| other.scanner == command.scanner);
        ensure(others().count() < scanner.running_max.get() as usize, CHECK, told)?;
        let addresses: BTreeSet<IpAddr> = command.targets.iter().map(|target| target.address).collect();
        let busy =
            others().flat_map(|other| &other.targets).any(|target| addresses.contains(&target.address));
        ensure(addresses.len() == count && !busy, CHECK, told)?;
        for target in &command.targets {
            let address = target.address;
            ensure(!policy.never_prefixes.iter().any(|prefix| prefix.contains(&address)), CHECK, told)?;
            ensure(scanner.takes_ipv6 || address.is_ipv4(), CHECK, told)?;
            let udp = target.expected.keys().any(|(transport, _)| transport.as_str() == "udp");
            ensure(!target.expected.is_empty() && (scanner.takes_udp || !udp), CHECK, told)?;
            ensure(
                !target.causes.is_empty() && target.causes.iter().all(|cause| *cause < command.seq),
                CHECK,
                told,
            )?;
            self.answered.insert((command.scanner.to_string(), address), command.seq);
        }
        let minutes = now.micros().div_euclid(60_000_000);
        if let Some(QuietHours { from_minute, to_minute }) = policy.quiet_hours {
            let minute = minutes.rem_euclid(1440) as u16;
            let is_quiet = match from_minute <= to_minute {
                true => (from_minute..to_minute).contains(&minute),
                false => minute >= from_minute || minute < to_minute,
            };
            ensure(!is_quiet, CHECK, told)?;
        }
        if minutes.div_euclid(60) > self.hour {
            self.hour = minutes.div_euclid(60);
            self.spent.clear();
        }
        for target in &command.targets {
            *self.spent.entry(target.project_id.as_ref().map(ToString::to_string)).or_default() += 1;
        }
        let all: u32 = self.spent.values().sum();
        ensure(policy.hour_budget.is_none_or(|budget| all <= budget.get()), CHECK, told)?;
        let most = self.spent.values().copied().max().unwrap_or(0);
        ensure(policy.project_hour_budget.is_none_or(|budget| most <= budget.get()), CHECK, told)?;
        self.running.insert(command.id.clone(), command.clone());
        Ok(())
    }

    /// Decides what becomes of a command.
    fn plan(&mut self, command: &ScanCommand) {
        let mut random = Random::new(self.seed ^ command.seq);
        let mut after = command.seq;
        let said = |step| Happens::Said(ScanReport { id: command.id.clone(), step });
        let mut steps = Vec::new();
        if random.percent(50) {
            let launched =
                ScanStep::Launched { reference: format!("ref/{}", command.seq), left_out: Vec::new() };
            steps.extend([said(launched), said(ScanStep::Running)]);
        }
        if random.percent(10) {
            steps.push(Happens::CalledOff(command.id.clone()));
        }
        if random.percent(90) {
            steps.push(said(ScanStep::Ended(outcome(command, &mut random))));
        }
        for step in steps {
            after += random.below(RECORDS_LATER_MAX);
            // What is said may be said again after a crash.
            for _ in 0..=u64::from(random.percent(20)) {
                self.number += 1;
                self.coming.insert((after, self.number));
                self.happens.insert((after, self.number), step.clone());
            }
        }
    }

    /// Fails when something that was wanted has been forgotten.
    pub(super) fn nothing_is_lost(&self, lines: &[String]) -> Result<(), Failure> {
        let waiting: BTreeSet<(String, IpAddr)> = lines.iter().filter_map(|line| waiting(line)).collect();
        for (key, seq) in &self.wanted {
            let is_answered = self.answered.get(key).is_some_and(|answered| answered > seq);
            ensure(is_answered || waiting.contains(key), NOTHING_LOST, || {
                format!("{key:?} by record {seq}")
            })?;
        }
        Ok(())
    }
}

/// Who waits to scan what, if a line of a snapshot says that.
fn waiting(line: &str) -> Option<(String, IpAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let wish = line.get("scan")?.get("wish")?;
    let address = wish.get(1)?.get("place")?.get("address")?.as_str()?;
    Some((wish.get(0)?.as_str()?.to_owned(), address.parse().ok()?))
}

/// What a scanner says in the end: of most, that open is what should be.
fn outcome(command: &ScanCommand, random: &mut Random) -> ScanOutcome {
    let end = match random.below(10) {
        0 => ScanEnd::Failed("no route".to_owned()),
        1 => ScanEnd::Cancelled,
        _ => ScanEnd::Finished,
    };
    let mut hosts = Vec::new();
    for target in command.targets.iter().filter(|_| random.percent(90)) {
        let state = |exposed: bool| if exposed { ProbeState::Open } else { ProbeState::Closed };
        let ports = target.expected.iter();
        let ports =
            ports.map(|(&(transport, port), &exposed)| PortFound::new(transport, port, state(exposed)));
        hosts.push(HostResult { ports: ports.collect(), ..HostResult::new(target.address) });
    }
    ScanOutcome { scanner: "simulated".to_owned(), end, hosts }
}
