//! What becomes of a command, step by step, each of them durable before the next.

use std::collections::BTreeMap;

use super::judge::{address_record, judged_record, unseen};
use super::last::LastKey;
use super::launch::command_record;
use super::text::{ADDRESSES_NAMED_MAX, first_of};
use crate::engine::record::RecordBody;
use crate::engine::{Engine, Output};
use crate::event::{Actor, Outcome};
use crate::plan::Place;
use crate::scan::{
    CommandId, LeftOut, ScanEnd, ScanLife, ScanOutcome, ScanReport, ScanState, ScanStep, TEXT_CHARS_MAX, cut,
};
use crate::time::Timestamp;
use crate::trail::RecordKind;

impl Engine {
    /// Takes what has become of a command. What is said of one that is unknown or over changes nothing: the same may be said twice after a
    /// crash, and a result may come when nobody waits for it any more.
    pub(in crate::engine) fn scan_report(&mut self, now: Timestamp, report: ScanReport, out: &mut Output) {
        let Some(life) = self.scans.running.get_mut(&report.id) else { return };
        match report.step {
            ScanStep::Launched { reference, left_out } if life.state == ScanState::Planned => {
                life.state = ScanState::Launched;
                life.launched_at = Some(now);
                (life.reference, life.left_out) = (Some(reference), left_out);
                let life = life.clone();
                self.record(launched_record(now, &life), out);
                out.lives.push(life);
            }
            ScanStep::Running if life.state != ScanState::Running => {
                life.state = ScanState::Running;
                life.running_at = Some(now);
                out.lives.push(life.clone());
            }
            ScanStep::Launched { .. } | ScanStep::Running => {}
            ScanStep::Ended(outcome) => {
                if let Some(life) = self.scans.end(&report.id) {
                    self.scan_ended(now, life, outcome, out);
                }
            }
        }
    }

    /// Has a command called off by order of `actor`; false when there is none of that id under way, or it is called off already. It is over
    /// when the scanner says so, or by its time.
    pub(in crate::engine) fn cancel_scan(
        &mut self,
        now: Timestamp,
        actor: &str,
        id: &CommandId,
        out: &mut Output,
    ) -> bool {
        let whose = Actor { user_name: Some(actor.into()), ..Actor::default() };
        self.call_off(now, id, actor, whose, out)
    }

    /// The same, by order of somebody or of the policy, as `by` says it.
    pub(super) fn call_off(
        &mut self,
        now: Timestamp,
        id: &CommandId,
        by: &str,
        actor: Actor,
        out: &mut Output,
    ) -> bool {
        let Some(life) = self.scans.running.get_mut(id).filter(|life| !life.is_cancelled) else {
            return false;
        };
        life.is_cancelled = true;
        let life = life.clone();
        let text = format!("scan {id} by {} is called off by {by}", life.command.scanner);
        let mut record = whole_record(now, &life, text);
        record.outcome = Outcome::Success;
        record.actor = actor;
        self.record(record, out);
        out.lives.push(life);
        out.cancels.push(id.clone());
        true
    }

    /// Judges what came of a command, address by address, and ends its life.
    pub(super) fn scan_ended(
        &mut self,
        now: Timestamp,
        life: ScanLife,
        outcome: ScanOutcome,
        out: &mut Output,
    ) {
        let state = ScanState::after(&outcome.end);
        let life = ScanLife { state, ended_at: Some(now), outcome: Some(outcome), ..life };
        let Some(outcome) = &life.outcome else { return };
        let command = &life.command;
        if outcome.end != ScanEnd::Finished && command.targets.len() > 1 {
            let mut record = command_record(now, command, ended_text(&life, outcome));
            record.outcome = Outcome::Failure;
            self.record(record, out);
        }
        let mut hosts: BTreeMap<_, _> = outcome.hosts.iter().map(|host| (host.address, host)).collect();
        for target in &command.targets {
            let unseen = unseen(&life, target, outcome);
            let host = hosts.remove(&target.address).unwrap_or(&unseen);
            let place = Place { network_id: target.network_id.clone(), address: target.address };
            let (scanner, region) = (command.scanner.clone(), command.region.clone());
            let states = host.states();
            let difference = self.scans.last.note(LastKey { scanner, region, place }, self.seq + 1, &states);
            let record = judged_record(now, command, target, outcome, (host, &states), &difference);
            let seq = self.record(record, out);
            self.note_scan(now, seq, &life, target, host, out);
        }
        out.lives.push(life);
    }
}

fn ended_text(life: &ScanLife, outcome: &ScanOutcome) -> String {
    let ScanLife { command, .. } = life;
    let what = format!("scan {} of {} addresses by {}", command.id, command.targets.len(), command.scanner);
    match &outcome.end {
        ScanEnd::Finished => format!("{what} ended"),
        ScanEnd::Failed(why) => format!("{what} failed: {}", cut(why, TEXT_CHARS_MAX)),
        ScanEnd::Cancelled => format!("{what} was called off"),
        ScanEnd::Expired => format!("{what} took longer than it may"),
    }
}

/// A record about a command that is under way: of its only address, so that its project sees it, or as a whole.
fn whole_record(now: Timestamp, life: &ScanLife, text: String) -> RecordBody {
    match &life.command.targets[..] {
        [target] => {
            let record = address_record(now, RecordKind::Command, &life.command, target, text);
            RecordBody { cause: Some(life.command.seq), ..record }
        }
        _ => command_record(now, &life.command, text),
    }
}

/// That a scanner has taken a command.
fn launched_record(now: Timestamp, life: &ScanLife) -> RecordBody {
    let reference = cut(life.reference.as_deref().unwrap_or_default(), TEXT_CHARS_MAX);
    let text = format!("scan {} launched by {} as {reference}", life.command.id, life.command.scanner);
    let mut record = whole_record(now, life, text);
    record.outcome = Outcome::Pending;
    record.detail.insert("reference".into(), reference);
    record.detail.insert("scanner".into(), life.command.scanner.to_string());
    if !life.left_out.is_empty() {
        let text = |left: &LeftOut| format!("{}: {}", left.address, cut(&left.why, TEXT_CHARS_MAX));
        record
            .detail
            .insert("left_out".into(), first_of(life.left_out.iter().map(text), ADDRESSES_NAMED_MAX));
    }
    record
}
