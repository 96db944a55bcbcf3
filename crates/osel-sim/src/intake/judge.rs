//! The verdict on a run.

use std::fmt;

use osel_core::time::Timestamp;

use super::process::Process;
use super::world::{World, later};

/// How much earlier than a gap its cause may lie: it happened while an earlier gap was being closed. (A gap
/// may be wider than the outage by as much.)
const SLACK_MICROS: i64 = 5_000_000;

/// What a run was like, and what went against the promises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How many actions were taken.
    pub actions: u64,
    /// How many faults there were.
    pub faults: u64,
    /// How many processes were killed.
    pub kills: u64,
    /// How often another process took the lead.
    pub takeovers: u64,
    /// How many messages were published.
    pub published: u64,
    /// How many of them the broker did not keep.
    pub lost: u64,
    /// How many gaps are durable.
    pub gaps: u64,
    /// How many lines all processes logged.
    pub lines: u64,
    /// What must never happen, and did.
    pub violations: Vec<String>,
}

impl Report {
    /// Whether all promises were kept.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} actions, {} faults, {} kills, {} takeovers, {} published, {} lost, {} gaps, \
             {} lines",
            self.seed,
            self.actions,
            self.faults,
            self.kills,
            self.takeovers,
            self.published,
            self.lost,
            self.gaps,
            self.lines
        )?;
        self.violations.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}

impl Process {
    /// What a process leaves to the report, with the budget of lines it had.
    pub(super) fn settle_accounts(self, now: Timestamp, clocks: bool, report: &mut Report) {
        let seconds = now.micros().saturating_sub(self.began_at.micros()) / 1_000_000;
        let seconds = u64::try_from(seconds).unwrap_or(0);
        // Four kinds of trouble with at most five lines each, which begin anew after a steady minute at the
        // earliest.
        let budget = 20 * (seconds / 60 + 1) + self.reminders + 4 * self.starts + 1;
        if self.lines > budget && !clocks {
            report.violations.push(format!("{} lines in {seconds} s", self.lines));
        }
        if self.reminders > seconds / 600 && !clocks {
            report.violations.push(format!("{} reminders in {seconds} s", self.reminders));
        }
        report.lines += self.lines;
        report.violations.extend(self.violations);
    }
}

/// Every message is durable once, or inside a durable gap; and no gap is there without a cause.
pub(super) fn judge(world: World) -> Report {
    let World { mut report, broker, store, published, processes, now, faults, .. } = world;
    for process in processes {
        process.settle_accounts(now, faults.clocks, &mut report);
    }
    report.violations.extend(broker.violations);
    let lost: std::collections::BTreeSet<u64> = broker.lost.iter().map(|message| message.id).collect();
    for message in &published {
        let count = store.records.get(&message.id).copied().unwrap_or(0);
        let at = message.published_at;
        let is_told = store.gaps.iter().any(|gap| gap.from <= at && at <= gap.to);
        let was_promised = store.promised_from.is_some_and(|from| from <= at);
        match count {
            1 => {}
            0 if !lost.contains(&message.id) => {
                report.violations.push(format!("message {} vanished", message.id));
            }
            0 if is_told || !was_promised || faults.clocks => {}
            0 => report.violations.push(format!("message {} of {at} is in no gap", message.id)),
            _ => report.violations.push(format!("message {} has {count} records", message.id)),
        }
    }
    for gap in store.gaps.iter().filter(|_| !faults.clocks) {
        let begin = later(gap.from, -SLACK_MICROS);
        if !broker.breaks.iter().any(|(from, to)| *from <= gap.to && begin <= *to) {
            report.violations.push(format!("nothing happened in the gap {gap:?}"));
        }
    }
    report.published = published.len() as u64;
    report.lost = lost.len() as u64;
    report.gaps = store.gaps.len() as u64;
    report
}
