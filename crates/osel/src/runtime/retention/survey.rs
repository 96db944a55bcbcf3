//! Looking at a store: what the policy says of it, what it would be told as, and whether the checkpoint can be relied on.
//!
//! A survey reads beside the writer and takes as long as it takes: it is no work for the loop's thread.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use osel_core::engine::{BudgetState, Retention, RetentionWhy};
use osel_core::time::Timestamp;
use osel_core::trail::PartClass;

use super::kinds::KindGoes;
use super::policy::{Kept, Plan, Policy, RECORD_CLASSES, believed, cutoff, plan};
use crate::runtime::snapshots;
use crate::store::{Checkpoint, Expiry, JournalError, QuarantineState, RESOLVED, Reader, SnapshotInfo};

/// Among so many of the last records it is looked for what time messages told: enough that those that came late or lied do not count.
const TOLD_RECORDS: u64 = 1000;
/// So many times that is looked for further back while there is no message at all: what osel itself tells is far less.
const TOLD_PAGES_MAX: u64 = 20;

/// What is to be written down, and what may go then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is told.
    pub told: Vec<Retention>,
    /// What may go, if anything more may.
    pub expiry: Option<Expiry>,
    /// Findings that were resolved before this go; their records say all that was.
    pub resolved_before: Option<Timestamp>,
    /// How full the store is.
    pub budget: BudgetState,
    /// More should go than there is a snapshot for: one is wanted now.
    pub wants_snapshot: bool,
    /// A snapshot that should have become the checkpoint cannot be read: nothing goes behind it, at most behind an earlier one.
    pub unreadable: Option<u64>,
    /// The clock is ahead of all messages by more than is believed: until when ages are counted instead.
    pub counted_until: Option<Timestamp>,
}

/// A store as it is, with what of it is older than a policy allows.
///
/// # Errors
/// When the store cannot be read.
pub fn look(reader: &mut dyn Reader, policy: &Policy, now: Timestamp) -> Result<Kept, JournalError> {
    let head = reader.head()?;
    let told = told(reader, head.seq)?;
    let now = believed(now, told);
    let mut old = |days| match cutoff(now, days) {
        // What is as of the first moment of a day is of that day.
        Some(cutoff) => reader.seq_at(Timestamp::from_micros(cutoff.micros() - 1)),
        None => Ok(0),
    };
    let (old_record, old_person) = (old(policy.records.days)?, old(policy.personal_days)?);
    let old_kinds = policy.kinds.old(old)?;
    let expiry = reader.expiry()?;
    let held = held(reader, &expiry, now)?;
    Ok(Kept {
        // It was read first, so that nothing else is behind it.
        head,
        expiry,
        held,
        holdings: reader.holdings()?,
        snapshots: reader.snapshots()?,
        told,
        old_record,
        old_person,
        old_kinds,
    })
}

/// When the last of the messages was quarantined that are held from before the checkpoint.
fn held(reader: &mut dyn Reader, expiry: &Expiry, now: Timestamp) -> Result<Option<Timestamp>, JournalError> {
    let mut held = None;
    reader.quarantine(Some(QuarantineState::Held), &mut |item| {
        // They come in the order in which they were put there.
        if item.entry > expiry.checkpoint.entry {
            return ControlFlow::Break(());
        }
        // One from ahead would take those to come with it.
        held = held.max(Some(item.at).filter(|at| (expiry.quarantine_before..=now).contains(at)));
        ControlFlow::Continue(())
    })?;
    Ok(held)
}

/// The latest time that a message told, of those that were recorded last.
fn told(reader: &mut dyn Reader, head: u64) -> Result<Option<Timestamp>, JournalError> {
    let mut until = head;
    for _ in 0..TOLD_PAGES_MAX {
        let from = until.saturating_sub(TOLD_RECORDS) + 1;
        let mut told = None;
        if until > 0 {
            reader.records(from..=until, &mut |record| {
                // Also where the message itself is gone by now. All else is told by the clock that is in question.
                if record.parts.iter().any(|part| part.class == PartClass::Payload.code()) {
                    told = told.max(Some(record.time.min(record.as_of)));
                }
                ControlFlow::Continue(())
            })?;
        }
        if told.is_some() || from == 1 {
            return Ok(told);
        }
        until = from - 1;
    }
    Ok(None)
}

/// Looks at a store and decides; `before` is how full it was the last time.
///
/// # Errors
/// When the store cannot be read.
pub fn survey(
    reader: &mut dyn Reader,
    policy: &Policy,
    now: Timestamp,
    before: BudgetState,
) -> Result<Decision, JournalError> {
    let mut kept = look(reader, policy, now)?;
    let mut unreadable = None;
    let (plan, checkpoint) = loop {
        let plan = plan(policy, &kept, now, before);
        let Some((info, why)) = plan.checkpoint else { break (plan, None) };
        if let Some(told) = horizon(reader, &info, why)? {
            break (plan, Some((info, told)));
        }
        // As if it were not there: nothing goes behind it, parts of records neither.
        unreadable = unreadable.or(Some(info.id));
        kept.snapshots.retain(|other| other.id != info.id);
    };
    let until = believed(now, kept.told);
    let mut decision = Decision {
        budget: plan.budget,
        wants_snapshot: plan.wants_snapshot,
        unreadable,
        // A store without messages is not one with a wrong clock.
        counted_until: kept.told.map(|_| until).filter(|&until| until < now),
        ..Decision::default()
    };
    if plan.budget != before
        && let Some(budget_bytes) = policy.budget_bytes
    {
        let used_bytes = kept.holdings.used_bytes;
        decision.told.push(Retention::Budget { state: plan.budget, used_bytes, budget_bytes });
    }
    let mut expiry = kept.expiry.clone();
    if let Some((info, told)) = checkpoint {
        decision.told.push(told);
        expiry.checkpoint = Checkpoint { snapshot: info.id, seq: info.seq, entry: info.entry };
    }
    parts(&plan, &mut expiry, &mut decision.told);
    if let Some((before, why)) = plan.quarantine {
        expiry.quarantine_before = before;
        let since_ever = kept.expiry.quarantine_before == Timestamp::MIN;
        // In a store without quarantined messages nothing goes, and nothing is to be told.
        if holds_before(reader, before, (!since_ever).then_some(kept.expiry.quarantine_before))? {
            decision.told.push(Retention::Quarantine { before, why });
        }
    }
    decision.resolved_before = resolved_before(reader, cutoff(until, policy.findings_days))?;
    let tells = decision.told.iter().any(|told| !matches!(told, Retention::Budget { .. }));
    decision.expiry = Some(expiry).filter(|_| tells);
    Ok(decision)
}

/// What is told of inputs that go; none when the snapshot cannot be relied on.
fn horizon(
    reader: &mut dyn Reader,
    info: &SnapshotInfo,
    why: RetentionWhy,
) -> Result<Option<Retention>, JournalError> {
    let digest = match snapshots::digest(reader, info) {
        Err(JournalError::Damaged { .. }) => None,
        digest => digest?,
    };
    let Some(digest) = digest else { return Ok(None) };
    let Some(record) = reader.record(info.seq)? else { return Ok(None) };
    let before = record.as_of;
    Ok(Some(Retention::Inputs { entry: info.entry, seq: info.seq, before, digest, why }))
}

fn parts(plan: &Plan, expiry: &mut Expiry, told: &mut Vec<Retention>) {
    let mut going = |classes: &[PartClass], seq: u64, why| {
        let words: BTreeSet<String> = classes.iter().map(|class| class.as_str().to_owned()).collect();
        for class in classes {
            let limit = expiry.parts.entry(class.code()).or_default();
            *limit = seq.max(*limit);
        }
        told.push(Retention::Parts { classes: words, kinds: BTreeSet::new(), seq, why });
    };
    if let Some((seq, why)) = plan.records {
        going(&RECORD_CLASSES, seq, why);
    }
    if let Some(seq) = plan.personal {
        going(&[PartClass::Personal], seq, RetentionWhy::Age);
    }
    parts_of_kinds(&plan.kinds, expiry, told);
}

/// The same kind by kind; kinds of which the same goes are told by one record.
fn parts_of_kinds(goes: &[KindGoes], expiry: &mut Expiry, told: &mut Vec<Retention>) {
    let same = |one: &KindGoes, other: &KindGoes| {
        (one.is_personal, one.seq, one.why) == (other.is_personal, other.seq, other.why)
    };
    for (place, first) in goes.iter().enumerate() {
        if goes[..place].iter().any(|earlier| same(earlier, first)) {
            continue;
        }
        let classes: &[PartClass] = if first.is_personal { &[PartClass::Personal] } else { &RECORD_CLASSES };
        let mut kinds = BTreeSet::new();
        for goes in goes[place..].iter().filter(|later| same(first, later)) {
            kinds.insert(goes.kind.as_str().to_owned());
            for class in classes {
                let limit = expiry.kinds.entry((class.code(), goes.kind.code())).or_default();
                *limit = goes.seq.max(*limit);
            }
        }
        let classes = classes.iter().map(|class| class.as_str().to_owned()).collect();
        told.push(Retention::Parts { classes, kinds, seq: first.seq, why: first.why });
    }
}

/// The cutoff, if a finding was resolved before it.
fn resolved_before(
    reader: &mut dyn Reader,
    cutoff: Option<Timestamp>,
) -> Result<Option<Timestamp>, JournalError> {
    let Some(cutoff) = cutoff else { return Ok(None) };
    let mut found = None;
    reader.findings(Some(RESOLVED), &mut |row| match row.updated_at < cutoff {
        true => {
            found = Some(cutoff);
            ControlFlow::Break(())
        }
        false => ControlFlow::Continue(()),
    })?;
    Ok(found)
}

/// Whether messages are held that were quarantined within that time.
fn holds_before(
    reader: &mut dyn Reader,
    before: Timestamp,
    since: Option<Timestamp>,
) -> Result<bool, JournalError> {
    use std::ops::ControlFlow::{Break, Continue};

    let mut found = false;
    reader.quarantine(Some(QuarantineState::Held), &mut |item| {
        found = item.at < before && since.is_none_or(|since| item.at >= since);
        // They come in the order in which they were put there.
        if found || item.at >= before { Break(()) } else { Continue(()) }
    })?;
    Ok(found)
}
