//! What may go, decided from values: how old things are, how much there is, what the disk budget says.
//!
//! Inputs go behind a snapshot only, so that what is decided about them is which snapshot becomes the checkpoint. By age the day is what
//! counts: whatever the hour, one day's content goes at once and is told by one record.

use osel_core::engine::{BudgetState, RetentionWhy};
use osel_core::time::Timestamp;
use osel_core::trail::PartClass;

use super::kinds::{self, KindGoes, KindLimits, OldKinds};
use crate::config::RetentionConfig;
use crate::store::{Expiry, Head, Holdings, SnapshotInfo};

/// How many snapshots are kept whatever their age: `--at` starts from the one before the moment asked for, so that these bound how far
/// it has to go for what was lately.
pub const RECENT_SNAPSHOTS: usize = 16;
/// So many of them are sure to be kept while a decision is made and written down: more are not made meanwhile.
const STEADY_SNAPSHOTS: usize = RECENT_SNAPSHOTS / 2;

/// From this share of the disk budget on it is said that it will be used up.
const TIGHT_PERCENT: u64 = 80;
/// From this share on the oldest of what may go goes earlier than its age.
const BITING_PERCENT: u64 = 95;
/// To this share the store shrinks then, so that it is not soon there again.
const AIM_PERCENT: u64 = 90;
/// A share must fall so far below a mark before it counts as left, so that nothing is said twice an hour.
const SLACK_PERCENT: u64 = 2;

/// A snapshot is wanted when a part of one so-manieth of what should go would go behind it: it costs something itself.
const SNAPSHOT_GAIN: u64 = 10;

const DAY_MICROS: i64 = 86_400_000_000;
/// Where nothing goes, snapshots of so long a time are one: that bounds how many add up in years, and how far a question about last year has
/// to go.
const WEEK_MICROS: i64 = 7 * DAY_MICROS;
/// So far the clock may be ahead of the last message before it is not believed any more: clouds are that quiet over night, and so much too
/// early something goes at most.
const AHEAD_MICROS: i64 = DAY_MICROS;

/// The parts of a record other than the message, which goes with its input.
pub const RECORD_CLASSES: [PartClass; 3] = [PartClass::Body, PartClass::Personal, PartClass::Exposure];

/// How much of something is kept; none of both is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// For so many days.
    pub days: Option<u32>,
    /// As far as it has no more bytes.
    pub bytes: Option<u64>,
}

/// What is kept for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Inputs: the journal, the messages of records, object versions and snapshots.
    pub inputs: Limit,
    /// The parts of records.
    pub records: Limit,
    /// The personal parts of records, in days.
    pub personal_days: Option<u32>,
    /// The bytes of messages in quarantine, in days; those of inputs that stay, stay longer.
    pub quarantine_days: Option<u32>,
    /// Findings after they were resolved, in days; their records are records like others.
    pub findings_days: Option<u32>,
    /// How many bytes the store may take.
    pub budget_bytes: Option<u64>,
    /// What holds for the kinds of records instead.
    pub kinds: KindLimits,
}

/// A store as it is.
#[derive(Clone, Debug)]
pub struct Kept {
    /// How far it has come.
    pub head: Head,
    /// What may go already.
    pub expiry: Expiry,
    /// How much there is.
    pub holdings: Holdings,
    /// Its snapshots, latest first.
    pub snapshots: Vec<SnapshotInfo>,
    /// The latest time that a message told; none when no message did lately.
    pub told: Option<Timestamp>,
    /// The latest time at which messages were quarantined that are held from before the checkpoint; none when none are.
    pub held: Option<Timestamp>,
    /// The last record that is older than [`Policy::records`] allows; 0 for none.
    pub old_record: u64,
    /// The last record that is older than [`Policy::personal_days`] allows; 0 for none.
    pub old_person: u64,
    /// The same two of the kinds that have limits of their own.
    pub old_kinds: OldKinds,
}

/// What is to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The snapshot that becomes the checkpoint behind which inputs go.
    pub checkpoint: Option<(SnapshotInfo, RetentionWhy)>,
    /// All parts of records up to this go.
    pub records: Option<(u64, RetentionWhy)>,
    /// Personal parts of records up to this go.
    pub personal: Option<u64>,
    /// What goes kind by kind instead, where kinds have limits of their own.
    pub kinds: Vec<KindGoes>,
    /// Bytes of messages quarantined before this go.
    pub quarantine: Option<(Timestamp, RetentionWhy)>,
    /// How full the store is.
    pub budget: BudgetState,
    /// More should go than there is a snapshot for: one is wanted now.
    pub wants_snapshot: bool,
}

impl From<&RetentionConfig> for Policy {
    fn from(config: &RetentionConfig) -> Self {
        Self {
            inputs: Limit { days: config.inputs_days, bytes: config.inputs_bytes_max },
            records: Limit { days: config.records_days, bytes: config.records_bytes_max },
            personal_days: config.personal_days,
            quarantine_days: config.quarantine_days,
            findings_days: config.findings_days,
            budget_bytes: config.budget_bytes,
            kinds: KindLimits::of(&config.classes),
        }
    }
}

impl Limit {
    /// Whether anything goes at all.
    pub fn is_set(&self) -> bool {
        self.days.is_some() || self.bytes.is_some()
    }
}

/// The time that ages are counted from: the clock's, unless it is ahead of what messages told by more than a day.
///
/// What goes never comes back, so that a host that begins with a wrong year must not decide it alone. Where no message says what time it
/// is, nothing is old.
pub fn believed(now: Timestamp, told: Option<Timestamp>) -> Timestamp {
    told.map_or(Timestamp::MIN, |told| {
        now.min(Timestamp::from_micros(told.micros().saturating_add(AHEAD_MICROS)))
    })
}

/// The beginning of the day from which on things are kept for so many days; none for ever.
pub fn cutoff(now: Timestamp, days: Option<u32>) -> Option<Timestamp> {
    let today = now.micros().div_euclid(DAY_MICROS);
    days.map(|days| Timestamp::from_micros((today - i64::from(days)) * DAY_MICROS))
}

/// Of how many weeks the last snapshot is kept where inputs have no limit, so that nothing else bounds them: questions about a year begin
/// near their moment, and what can be worked out anew does not fill a disk.
pub const WEEKS_MAX: usize = 52;

/// Which snapshots are kept: the latest ones, and the last of each day while those before a limit go, else of each of [`WEEKS_MAX`] weeks;
/// one bit for each of those given, latest first.
pub fn kept_snapshots(recent: usize, daily: bool) -> impl FnMut(&SnapshotInfo) -> bool {
    let (span, mut left) = if daily { (DAY_MICROS, usize::MAX) } else { (WEEK_MICROS, WEEKS_MAX) };
    let mut seen = 0;
    let mut span_before = None;
    move |info| {
        let its_span = info.made_at.micros().div_euclid(span);
        seen += 1;
        // The last of its span, unless that goes on.
        let is_last = span_before.is_some_and(|before| before != its_span);
        span_before = Some(its_span);
        if seen <= recent {
            return true;
        }
        let is_kept = is_last && left > 0;
        left -= usize::from(is_kept);
        is_kept
    }
}

/// Decides what goes from a store in which nothing is on its way out; `before` is how full it was the last time.
pub fn plan(policy: &Policy, kept: &Kept, now: Timestamp, before: BudgetState) -> Plan {
    let now = believed(now, kept.told);
    let level = policy
        .budget_bytes
        .map_or(BudgetState::Within, |budget| level(kept.holdings.used_bytes, budget, before));
    let is_biting = level == BudgetState::Biting;
    let over_budget = policy
        .budget_bytes
        .filter(|_| is_biting)
        .map_or(0, |budget| kept.holdings.used_bytes.saturating_sub(percent(budget, AIM_PERCENT)));

    let quarantine = quarantine(policy, kept, now, over_budget);
    // What nobody could read is older than any input, and goes first.
    let over_budget = if matches!(quarantine, Some((_, RetentionWhy::Budget))) { 0 } else { over_budget };
    let (checkpoint, wants_snapshot) = inputs(policy, kept, now, over_budget);
    // What is kept of records is worth more than inputs: it goes when no input can.
    let spared = if checkpoint.is_some() || wants_snapshot { 0 } else { over_budget };
    // Only behind the checkpoint: a record stays as long as its input, and the one that tells the checkpoint's digest with it.
    let behind = checkpoint.map_or(0, |(info, _)| info.seq).max(kept.expiry.checkpoint.seq);
    let kinds = if policy.kinds.is_any() { kinds::goes(policy, kept, spared, behind) } else { Vec::new() };
    let records = records(policy, kept, spared, behind).filter(|_| !policy.kinds.is_any());
    let gone = |class: PartClass| kept.expiry.parts.get(&class.code()).copied().unwrap_or(0);
    let going = records.map_or(0, |(seq, _)| seq);
    let old_person = kept.old_person.min(kept.head.seq);
    let eases = kinds.iter().any(|goes| !goes.is_personal)
        || checkpoint.is_some()
        || wants_snapshot
        || records.is_some()
        || matches!(quarantine, Some((_, RetentionWhy::Budget)));
    Plan {
        checkpoint,
        records,
        personal: Some(old_person)
            .filter(|&seq| seq > gone(PartClass::Personal).max(going) && !policy.kinds.is_any()),
        kinds,
        quarantine,
        budget: if is_biting && !eases { BudgetState::Exhausted } else { level },
        wants_snapshot,
    }
}

/// How full a store is, before it is known whether anything may go.
fn level(used: u64, budget: u64, before: BudgetState) -> BudgetState {
    let reaches = |mark: u64, was_there: bool| {
        let slack = if was_there { SLACK_PERCENT } else { 0 };
        used >= percent(budget, mark - slack)
    };
    if reaches(BITING_PERCENT, matches!(before, BudgetState::Biting | BudgetState::Exhausted)) {
        BudgetState::Biting
    } else if reaches(TIGHT_PERCENT, before != BudgetState::Within) {
        BudgetState::Tight
    } else {
        BudgetState::Within
    }
}

fn percent(whole: u64, percent: u64) -> u64 {
    share(whole, percent, 100)
}

/// `whole` × `part` / `of`, rounded up.
fn share(whole: u64, part: u64, of: u64) -> u64 {
    let product = u128::from(whole) * u128::from(part);
    u64::try_from(product.div_ceil(u128::from(of.max(1)))).unwrap_or(u64::MAX)
}

/// Until when messages in quarantine are not held any longer; those from before the checkpoint only as long as there is room.
fn quarantine(
    policy: &Policy,
    kept: &Kept,
    now: Timestamp,
    over_budget: u64,
) -> Option<(Timestamp, RetentionWhy)> {
    let old = cutoff(now, policy.quarantine_days)?;
    let held = kept.held.filter(|_| over_budget > 0).map(|at| Timestamp::from_micros(at.micros() + 1));
    let due = match held.filter(|&held| held > old) {
        Some(held) => (held, RetentionWhy::Budget),
        None => (old, RetentionWhy::Age),
    };
    Some(due).filter(|(time, _)| *time > kept.expiry.quarantine_before)
}

/// The checkpoint that is due, and whether a later one would be that there is none for.
fn inputs(
    policy: &Policy,
    kept: &Kept,
    now: Timestamp,
    over_budget: u64,
) -> (Option<(SnapshotInfo, RetentionWhy)>, bool) {
    if !policy.inputs.is_set() {
        return (None, false);
    }
    let done = kept.expiry.checkpoint.entry;
    let mut is_steady = kept_snapshots(STEADY_SNAPSHOTS, true);
    let mut candidates: Vec<&SnapshotInfo> =
        kept.snapshots.iter().filter(|info| is_steady(info) && info.entry > done && info.seq > 0).collect();
    candidates.reverse();
    let cutoff = cutoff(now, policy.inputs.days);
    // None that comes after one of lately is old, whatever the clock said when it was made.
    let is_recent = |info: &SnapshotInfo| cutoff.is_none_or(|cutoff| (cutoff..=now).contains(&info.made_at));
    let old = candidates.iter().take_while(|info| !is_recent(info));
    let old = old.filter(|info| cutoff.is_some_and(|cutoff| info.made_at < cutoff)).last();
    let mut chosen = old.map(|info| (**info, RetentionWhy::Age));
    let mut wants_snapshot = false;
    // Of snapshots one stays in any case, however large the model is.
    let states = kept.snapshots.len() as u64;
    let snapshot_bytes = share(kept.holdings.snapshot_bytes, states.saturating_sub(1), states);
    let bytes = kept.holdings.input_bytes + kept.holdings.version_bytes + snapshot_bytes;
    let too_many = policy.inputs.bytes.map_or(0, |most| bytes.saturating_sub(most));
    for (excess, why) in [(too_many, RetentionWhy::Size), (over_budget, RetentionWhy::Budget)] {
        if excess == 0 || bytes == 0 {
            continue;
        }
        // As if all inputs were equally large.
        let wanted = done.saturating_add(share(kept.head.entry - done, excess.min(bytes), bytes));
        let enough = candidates.iter().find(|info| info.entry >= wanted);
        let newest = kept.snapshots.first().map_or(0, |info| info.entry).max(done);
        let behind_a_new_one = share(bytes, kept.head.entry - newest, kept.head.entry - done);
        wants_snapshot |= enough.is_none() && behind_a_new_one >= excess / SNAPSHOT_GAIN;
        let best = enough.or(candidates.last());
        if let Some(best) = best.filter(|best| chosen.is_none_or(|(info, _)| best.entry > info.entry)) {
            chosen = Some((**best, why));
        }
    }
    (chosen, wants_snapshot)
}

/// The last record whose parts are to go.
fn records(policy: &Policy, kept: &Kept, over_budget: u64, behind: u64) -> Option<(u64, RetentionWhy)> {
    if !policy.records.is_set() {
        return None;
    }
    let done = kept.expiry.parts.get(&PartClass::Body.code()).copied().unwrap_or(0);
    Some(due(policy, kept, (kept.old_record, done), over_budget, behind)).filter(|(seq, _)| *seq > done)
}

/// Up to which record parts are to go, of those from `done` to `behind`: what is `old`, too much by size, or by the budget.
pub(super) fn due(
    policy: &Policy,
    kept: &Kept,
    (old, done): (u64, u64),
    over_budget: u64,
    behind: u64,
) -> (u64, RetentionWhy) {
    let bytes = kept.holdings.part_bytes;
    let too_many = policy.records.bytes.map_or(0, |most| bytes.saturating_sub(most));
    let left = kept.head.seq.saturating_sub(done);
    let by_share = |excess: u64| if bytes == 0 { 0 } else { done + share(left, excess.min(bytes), bytes) };
    // Of equal ones the first, which is the plainer reason.
    let mut due = (old.min(behind), RetentionWhy::Age);
    for (excess, why) in [(too_many, RetentionWhy::Size), (over_budget, RetentionWhy::Budget)] {
        let seq = by_share(excess).min(behind);
        if seq > due.0 {
            due = (seq, why);
        }
    }
    due
}
