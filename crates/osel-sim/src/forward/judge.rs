//! The verdict on a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use osel_core::forward::{Account, LineId};

use super::people::untold;
use super::receiver::Kind;
use super::trail::{RECORDS, against, ids_of, rendered};
use super::world::World;

/// What a run was like, and what went against the promises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What it was sent to.
    pub kind: Option<Kind>,
    /// How many actions were taken.
    pub actions: u64,
    /// How many faults there were.
    pub faults: u64,
    /// How many processes were killed.
    pub kills: u64,
    /// How often the place was set back.
    pub rewinds: u64,
    /// How many lines became dead letters.
    pub letters: u64,
    /// How many messages people were sent.
    pub messages: u64,
    /// How many lines came once more.
    pub repeated: u64,
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
        let kind = self.kind.map_or_else(String::new, |kind| format!("{kind:?}, "));
        write!(
            f,
            "seed {}: {kind}{} actions, {} faults, {} kills, {} rewinds, {} dead letters, {} repeated",
            self.seed, self.actions, self.faults, self.kills, self.rewinds, self.letters, self.repeated
        )?;
        self.violations.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}

/// Looks at what is left when everything is at rest and all dead letters were sent again.
pub(super) fn judge(world: &mut World) {
    let mut found = Vec::new();
    let arrived = &world.receiver.arrived;
    let mut times: BTreeMap<LineId, usize> = BTreeMap::new();
    for line in arrived {
        *times.entry(*line).or_default() += 1;
    }
    let is_for_people = world.kind == Kind::People;
    for seq in untold(world).into_iter().filter(|_| is_for_people) {
        found.push(format!("nobody was told of {seq}"));
    }
    let lines = (1..=RECORDS).flat_map(ids_of).filter(|line| !is_for_people && !times.contains_key(line));
    for line in lines {
        found.push(format!("{line} is lost"));
    }
    for (line, times) in &times {
        world.report.repeated += *times as u64 - 1;
        let may = 1 + world.may_repeat.get(line).copied().unwrap_or(0);
        if *times > may {
            found.push(format!("{line} came {times} times, where {may} could be"));
        }
    }
    if is_for_people {
        world.report.messages = world.receiver.arrived.len() as u64;
    }
    overtaken(world, &mut found);
    accounted(world, &mut found);
    world.report.violations.extend(found);
}

/// Lines come for the first time in the order of the trail, but for those that were dead letters or were lost by whoever had taken them.
fn overtaken(world: &World, found: &mut Vec<String>) {
    let is_late = |line: &LineId| world.refused.contains(line) || world.failed.contains_key(line);
    let mut seen = BTreeSet::new();
    for line in &world.receiver.arrived {
        let is_first = !seen.contains(line);
        let last = seen.last().copied();
        if is_first && !is_late(line) && !world.receiver.lost.contains(line) {
            if last.is_some_and(|last| last > *line) {
                found.push(format!("{line} came after {last:?}"));
            }
            seen.insert(*line);
        }
    }
}

/// The account says what became of every record.
fn accounted(world: &World, found: &mut Vec<String>) {
    let account = world.store.account;
    let Account { begin, place, delivered, filtered, dead, lines, bytes, .. } = account;
    let all: Vec<_> = (begin + 1..=RECORDS).map(rendered).collect();
    let without_lines = all.iter().filter(|record| record.lines.is_empty()).count() as u64;
    let with_lines = all.len() as u64 - without_lines;
    if (place, delivered, filtered, dead) != (RECORDS, with_lines, without_lines, 0) {
        found.push(format!("the account is {account:?}"));
    }
    let of_lines: Vec<usize> = all.into_iter().flat_map(|record| record.lines).collect();
    let (count, size) = (of_lines.len() as u64, of_lines.iter().sum::<usize>() as u64);
    // Dead letters before the record to which it was set back count as lines as well.
    if world.report.rewinds == 0 && world.kind != Kind::People && (lines, bytes) != (count, size) {
        found.push(format!("the account has {lines} lines and {bytes} bytes of {count} and {size}"));
    }
    let bad = (1..=RECORDS).flat_map(ids_of).filter(|line| against(*line).is_some()).count() as u64;
    let is_judging = matches!(world.kind, Kind::Service | Kind::Indexer);
    if is_judging && world.report.letters < bad && world.report.rewinds == 0 {
        found.push(format!("{} of {bad} bad lines became dead letters", world.report.letters));
    }
}
