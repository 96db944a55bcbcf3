//! From wishes to commands, and when to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::judge::address_record;
use super::text::{ADDRESSES_NAMED_MAX, first_of, ports_text};
use super::wish::Unscanned;
use crate::engine::record::RecordBody;
use crate::engine::{Engine, Output, system_record};
use crate::event::{self, Outcome};
use crate::ids::Id;
use crate::plan::{SCAN_PORTS_MAX, ScanPolicy, ScannerPolicy, Taken, WhyNot, Wish, WishKey};
use crate::scan::{CommandId, ScanCommand, ScanEnd, ScanLife, ScanOutcome, ScanReason, ScanTarget};
use crate::time::Timestamp;
use crate::trail::RecordKind;

impl Engine {
    /// Ends what takes too long, drops what waits too long, and gives out as many commands as are due and may run.
    pub(in crate::engine) fn launch_scans(&mut self, now: Timestamp, out: &mut Output) {
        self.expire_scans(now, out);
        self.call_off_forbidden(now, out);
        self.drop_orphans(now, out);
        let Some(policy) = self.options.scan.take() else { return };
        for scanner in &policy.scanners {
            self.drop_overdue(now, &policy, scanner, out);
            let mut running = self.scans.running_of(&scanner.name);
            while running < scanner.running_max.get() as usize {
                let Some(queue) = self.scans.queues.get_mut(&scanner.name) else { break };
                let Taken { wishes, forbidden } = queue.take(now, &policy, scanner, &mut self.scans.spent);
                for why in [WhyNot::Never, WhyNot::Project] {
                    let of_it = forbidden.iter().filter(|(_, other)| *other == why);
                    let told = of_it.map(|(key, _)| (key.clone(), 0));
                    self.tell_dropped(now, &scanner.name, why, told, out);
                }
                if wishes.is_empty() {
                    break;
                }
                self.plan_command(now, scanner, wishes, out);
                running += 1;
            }
        }
        self.options.scan = Some(policy);
    }

    /// When [`Self::launch_scans`] has something to do.
    pub(in crate::engine) fn scans_wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let expiry = self.scans.deadlines.first().map(|(at, _)| *at);
        let Some(policy) = &self.options.scan else {
            return expiry.into_iter().chain(self.orphans_at(now)).min();
        };
        let queues = policy.scanners.iter().filter_map(|scanner| {
            let queue = self.scans.queues.get(&scanner.name).filter(|queue| !queue.is_empty())?;
            let may_run = self.scans.running_of(&scanner.name) < scanner.running_max.get() as usize;
            let next = may_run.then(|| queue.next_at(now, policy, &self.scans.spent)).flatten();
            next.into_iter().chain(queue.overdue_at(policy)).min()
        });
        let forbidden = self.forbidden().next().map(|_| now);
        queues.chain(expiry).chain(self.orphans_at(now)).chain(forbidden).min()
    }

    /// Something waits for a scanner that is not there any more: at once, if so.
    fn orphans_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.orphaned().next().map(|_| now)
    }

    /// The names of scanners that something waits for and that are not there any more.
    fn orphaned(&self) -> impl Iterator<Item = &Arc<str>> {
        let is_there =
            |name: &str| self.options.scan.as_ref().is_some_and(|policy| policy.scanner(name).is_some());
        let queues = self.scans.queues.iter();
        queues.filter(move |(name, queue)| !queue.is_empty() && !is_there(name)).map(|(name, _)| name)
    }

    fn drop_orphans(&mut self, now: Timestamp, out: &mut Output) {
        let orphaned: Vec<Arc<str>> = self.orphaned().cloned().collect();
        for name in orphaned {
            let Some(queue) = self.scans.queues.get_mut(&name) else { continue };
            let mut dropped = Vec::new();
            while let Some((key, wish)) = queue.pop() {
                dropped.push((key, wish.causes.first().copied().unwrap_or(0)));
            }
            self.tell_dropped(now, &name, WhyNot::Scanner, dropped.into_iter(), out);
        }
    }

    fn drop_overdue(
        &mut self,
        now: Timestamp,
        policy: &ScanPolicy,
        scanner: &ScannerPolicy,
        out: &mut Output,
    ) {
        let Some(queue) = self.scans.queues.get_mut(&scanner.name) else { return };
        let mut dropped = Vec::new();
        while let Some((key, wish)) = queue.pop_overdue(now, policy) {
            dropped.push((key, wish.causes.first().copied().unwrap_or(0)));
        }
        self.tell_dropped(now, &scanner.name, WhyNot::Waited, dropped.into_iter(), out);
    }

    /// Records what waited and is not scanned after all, each region's with the first record that asked for any of it.
    fn tell_dropped(
        &mut self,
        now: Timestamp,
        scanner: &Arc<str>,
        why: WhyNot,
        dropped: impl Iterator<Item = (WishKey, u64)>,
        out: &mut Output,
    ) {
        let mut regions: BTreeMap<Option<Arc<str>>, (u64, Unscanned)> = BTreeMap::new();
        let mut places = BTreeSet::new();
        for (key, cause) in dropped {
            let (first, unscanned) =
                regions.entry(key.region.clone()).or_insert((cause, Unscanned::default()));
            *first = cause.min(*first);
            places.insert((key.region, key.place.network_id.clone(), key.place.address));
            unscanned.add(Some(scanner), why, key.place);
        }
        for (region, (cause, unscanned)) in regions {
            let cause = (cause > 0).then_some(cause);
            self.tell_unscanned(now, cause, region.as_ref(), unscanned, out);
        }
        let last = self.seq;
        self.settle(now, Some(last), places, out);
    }

    fn expire_scans(&mut self, now: Timestamp, out: &mut Output) {
        while let Some((_, id)) = self.scans.deadlines.first().filter(|(at, _)| *at <= now) {
            let id: CommandId = id.clone();
            let Some(life) = self.scans.end(&id) else { return };
            let scanner = life.command.scanner.to_string();
            let outcome = ScanOutcome { scanner, end: ScanEnd::Expired, hosts: Vec::new() };
            out.cancels.push(id);
            self.scan_ended(now, life, outcome, out);
        }
    }

    fn plan_command(
        &mut self,
        now: Timestamp,
        scanner: &ScannerPolicy,
        wishes: Vec<(WishKey, Wish)>,
        out: &mut Output,
    ) {
        let (region, reason) =
            wishes.first().map_or((None, ScanReason::Change), |(key, _)| (key.region.clone(), key.reason));
        let targets = wishes.into_iter().map(|(key, wish)| ScanTarget {
            address: key.place.address,
            network_id: key.place.network_id,
            project_id: wish.target.project_id,
            expected: wish.target.ports,
            partial: wish.target.partial,
            causes: wish.causes,
        });
        let command = ScanCommand {
            id: Id::new(&format!("scan-{}", self.seq + 1)),
            seq: self.seq + 1,
            scanner: Arc::clone(&scanner.name),
            kind: Arc::clone(&scanner.kind),
            region,
            targets: targets.collect(),
            reason,
            planned_at: now,
            expires_at: now.plus_seconds(i64::from(scanner.life_seconds_max.max(1))),
        };
        self.record(planned_record(now, &command), out);
        let life = ScanLife::planned(command.clone());
        out.commands.push(command);
        out.lives.push(life.clone());
        self.scans.begin(life);
    }
}

/// That a command was planned.
fn planned_record(now: Timestamp, command: &ScanCommand) -> RecordBody {
    let again = match command.reason {
        ScanReason::Change => "",
        ScanReason::Confirm => " once more",
    };
    let mut record = match &command.targets[..] {
        [target] => {
            let ports = ports_text(target.expected.keys());
            let text = format!("scan of {}, {ports}, planned{again}", target.address);
            address_record(now, RecordKind::Command, command, target, text)
        }
        targets => {
            let text = format!("scan of {} addresses by {} planned{again}", targets.len(), command.scanner);
            let mut record = command_record(now, command, text);
            record.cause = Some(command.cause());
            let addresses = targets.iter().map(|target| target.address.to_string());
            record.detail.insert("addresses".into(), first_of(addresses, ADDRESSES_NAMED_MAX));
            let ports = targets.iter().flat_map(|target| target.expected.keys());
            let ports: BTreeSet<_> = ports.copied().collect();
            let mut text = ports_text(ports.iter().take(SCAN_PORTS_MAX));
            if ports.len() > SCAN_PORTS_MAX {
                text.push_str(&format!(" and {} more", ports.len() - SCAN_PORTS_MAX));
            }
            record.detail.insert("ports".into(), text);
            record
        }
    };
    record.outcome = Outcome::Pending;
    record.detail.insert("scanner".into(), command.scanner.to_string());
    if command.targets.iter().any(|target| target.partial) {
        record.detail.insert("note".into(), "a sample: more ports changed".to_owned());
    }
    record
}

/// A record about a command as a whole. Only when all its addresses are of one project it is that project's.
pub(super) fn command_record(now: Timestamp, command: &ScanCommand, text: String) -> RecordBody {
    let mut record = system_record(now, now, RecordKind::Command, text);
    record.cause = Some(command.seq);
    record.region.clone_from(&command.region);
    record.detail.insert("command".into(), command.id.to_string());
    let project = command.targets.first().and_then(|target| target.project_id.as_ref());
    let is_shared = command.targets.iter().any(|target| target.project_id.as_ref() != project);
    record.target = Some(event::Target {
        kind: "scan".into(),
        id: Some(command.id.clone()),
        name: None,
        project_id: project.filter(|_| !is_shared).cloned(),
    });
    record
}
