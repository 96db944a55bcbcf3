//! Whether what osel has kept agrees with what the broker was given: the promise of the bus, as a function.
//!
//! Pure: it sees what publishers were told, what was broken and when, and what osel says. Truth about bindings comes from the broker,
//! who gives back a message that reached no queue; never from osel.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::mem::{Discriminant, discriminant};

use osel_core::time::Timestamp;

use super::super::super::Fate;
use super::fault::Loss;

/// What a gap may be wider than the outage (issue of the bus).
const SLACK_MICROS: i64 = 5_000_000;
/// How many ids of one kind of failure are shown.
const SHOWN: usize = 5;

/// A message that was published.
#[derive(Clone, Debug)]
pub struct Sent {
    pub id: String,
    /// Not published before.
    pub begun: Timestamp,
    /// Nor after.
    pub ended: Timestamp,
    pub fate: Fate,
}

/// A span in which something was broken, from before the first fault until osel was seen to consume with nothing broken.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    pub from: Timestamp,
    pub to: Timestamp,
    pub loss: Loss,
}

/// A gap as the trail has it.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    pub from: Timestamp,
    pub to: Timestamp,
    pub loss: Loss,
}

/// The counts of the source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ledger {
    pub received: u64,
    pub recorded: u64,
    pub duplicate: u64,
    pub ignored: u64,
    pub quarantined: u64,
}

/// What osel has kept.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The ids of messages with records, each as often as it has one.
    pub ids: Vec<String>,
    pub gaps: Vec<Gap>,
    pub ledger: Ledger,
    /// What `audit verify` complains of.
    pub unverified: Option<String>,
    pub log_lines: usize,
}

/// What was done to it.
#[derive(Clone, Debug, Default)]
pub struct Done {
    pub sent: Vec<Sent>,
    /// In order.
    pub outages: Vec<Outage>,
    pub log_lines_max: usize,
}

/// How many messages had which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub confirmed: usize,
    pub recorded: usize,
    /// Confirmed, not recorded, and in a gap.
    pub in_gaps: usize,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Confirmed, not recorded, and in no gap.
    Lost(String),
    /// It was in our queue, which lost nothing, and is not recorded.
    LostFromQueue(String),
    Twice(String),
    /// A record of a message that nobody sent.
    Invented(String),
    /// A gap where nothing was absent.
    GapWithoutCause(usize),
    /// So many microseconds of a gap lie outside of every outage.
    GapTooWide(usize, i64),
    /// An outage with a loss that no gap tells.
    Untold(usize),
    /// Received is not the sum of its parts.
    Unbalanced,
    /// The ledger counts other records than the trail has.
    Miscounted(usize),
    Unverified(String),
    TooManyLines(usize),
}

/// Judges a seed.
pub fn judge(done: &Done, kept: &Kept) -> (Counts, Vec<Broken>) {
    let mut broken = Vec::new();
    let mut records: BTreeMap<&str, usize> = BTreeMap::new();
    for id in &kept.ids {
        *records.entry(id).or_default() += 1;
    }
    let mut counts = Counts { recorded: records.len(), ..Counts::default() };
    let mut sent_ids: Vec<&str> = Vec::with_capacity(done.sent.len());
    for sent in &done.sent {
        sent_ids.push(&sent.id);
        let count = records.get(sent.id.as_str()).copied().unwrap_or(0);
        if count > 1 {
            broken.push(Broken::Twice(sent.id.clone()));
        }
        if sent.fate == Fate::Unknown {
            continue;
        }
        counts.confirmed += 1;
        if count > 0 {
            continue;
        }
        // It was published at one moment of its span.
        let within = |gap: &&Gap| gap.from <= sent.ended && sent.begun <= gap.to;
        let worst = kept.gaps.iter().filter(within).map(|gap| gap.loss).max();
        match (worst, sent.fate) {
            (None, _) => broken.push(Broken::Lost(sent.id.clone())),
            (Some(Loss::Nothing | Loss::Bindings), Fate::Queued) => {
                broken.push(Broken::LostFromQueue(sent.id.clone()));
            }
            (Some(_), _) => counts.in_gaps += 1,
        }
    }
    sent_ids.sort_unstable();
    let is_invented = |id: &&&str| sent_ids.binary_search(id).is_err();
    broken.extend(records.keys().filter(is_invented).map(|id| Broken::Invented((*id).to_owned())));
    judge_gaps(done, kept, &mut broken);
    judge_books(done, kept, &mut broken);
    (counts, broken)
}

fn judge_gaps(done: &Done, kept: &Kept, broken: &mut Vec<Broken>) {
    let meets = |gap: &Gap, outage: &Outage| gap.from <= outage.to && outage.from <= gap.to;
    for (at, gap) in kept.gaps.iter().enumerate() {
        let met: Vec<&Outage> = done.outages.iter().filter(|outage| meets(gap, outage)).collect();
        if !met.iter().any(|outage| outage.loss != Loss::Nothing && outage.loss >= gap.loss) {
            broken.push(Broken::GapWithoutCause(at));
        }
        let inside = |outage: &&Outage| outage.to.min(gap.to).micros() - outage.from.max(gap.from).micros();
        let outside = gap.to.micros() - gap.from.micros() - met.iter().map(inside).sum::<i64>();
        if outside > SLACK_MICROS {
            broken.push(Broken::GapTooWide(at, outside));
        }
    }
    for (at, outage) in done.outages.iter().enumerate() {
        let tells = |gap: &Gap| gap.loss >= outage.loss && meets(gap, outage);
        if outage.loss != Loss::Nothing && !kept.gaps.iter().any(tells) {
            broken.push(Broken::Untold(at));
        }
    }
}

fn judge_books(done: &Done, kept: &Kept, broken: &mut Vec<Broken>) {
    let Ledger { received, recorded, duplicate, ignored, quarantined } = kept.ledger;
    if received != recorded + duplicate + ignored + quarantined {
        broken.push(Broken::Unbalanced);
    }
    if recorded != kept.ids.len() as u64 {
        broken.push(Broken::Miscounted(kept.ids.len()));
    }
    broken.extend(kept.unverified.clone().map(Broken::Unverified));
    if kept.log_lines > done.log_lines_max {
        broken.push(Broken::TooManyLines(kept.log_lines));
    }
}

/// What is told when a seed fails.
pub struct Report<'a> {
    pub done: &'a Done,
    pub kept: &'a Kept,
    pub broken: &'a [Broken],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, kept, broken } = self;
        let mut shown: HashMap<Discriminant<Broken>, usize> = HashMap::new();
        for one in *broken {
            let count = shown.entry(discriminant(one)).or_default();
            *count += 1;
            if *count <= SHOWN {
                writeln!(f, "{one:?}")?;
                if let Broken::Lost(id) | Broken::LostFromQueue(id) | Broken::Twice(id) = one {
                    let sent = done.sent.iter().find(|sent| sent.id == *id);
                    writeln!(f, "  {sent:?}")?;
                }
            }
        }
        writeln!(f, "{} promises were broken", broken.len())?;
        for (at, Outage { from, to, loss }) in done.outages.iter().enumerate() {
            writeln!(f, "outage {at}: {from} to {to}: {loss:?}")?;
        }
        for (at, Gap { from, to, loss }) in kept.gaps.iter().enumerate() {
            writeln!(f, "gap {at}: {from} to {to}: {loss:?}")?;
        }
        write!(f, "{:?}, {} records, {} lines", kept.ledger, kept.ids.len(), kept.log_lines)
    }
}

#[cfg(test)]
mod tests;
