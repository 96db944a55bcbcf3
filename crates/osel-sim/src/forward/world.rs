//! Everything that outlives a process: the trail, the store, the receiver, and what may have come twice.

use std::collections::{BTreeMap, BTreeSet};

use osel_core::forward::{Account, BatchNumber, LineId, Refusal, RefusalKind, Taken};
use osel_core::time::Timestamp;

use super::faults::{Fault, Faults, draw};
use super::judge::{Report, judge};
use super::process::{Killed, live};
use super::receiver::{Kind, Receiver};
use super::trail::RECORDS;
use crate::random::Random;

/// For so long things go wrong: longer than any wait, and than it takes to give up what was never confirmed.
const FAULTS_SECONDS: i64 = 900;
/// Actions of a usual run: kills are drawn from them.
const ACTIONS: u64 = 600;
/// The most kills of a run.
const KILLS_MAX: u64 = 5;

/// What is durable.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub(super) account: Account,
    pub(super) letters: BTreeSet<LineId>,
    pub(super) mark: Option<usize>,
}

/// Everything that outlives a process.
pub(super) struct World {
    pub(super) kind: Kind,
    pub(super) now: Timestamp,
    pub(super) random: Random,
    pub(super) head: u64,
    pub(super) store: Store,
    pub(super) receiver: Receiver,
    /// How often a line may have come once more, since nobody could know that it had come.
    pub(super) may_repeat: BTreeMap<LineId, usize>,
    /// Lines that the receiver refused by themselves, and how often it failed at one alone.
    pub(super) refused: BTreeSet<LineId>,
    pub(super) failed: BTreeMap<LineId, usize>,
    /// The message to people that was made last of those which end with a record: the first one that it is about.
    pub(super) made: BTreeMap<u64, u64>,
    /// Messages that arrived: the first and the last record that each is about.
    pub(super) told: BTreeSet<(u64, u64)>,
    pub(super) report: Report,
    faults: Faults,
    grows_at: Timestamp,
    rewinds_at: Option<Timestamp>,
    /// The place was set back, and the store does not know yet.
    is_set_back: bool,
    kills: BTreeSet<u64>,
}

impl World {
    /// Something happens: the process may be killed before.
    pub(super) fn action(&mut self) -> Result<(), Killed> {
        self.report.actions += 1;
        if self.kills.remove(&self.report.actions) { Err(Killed) } else { Ok(()) }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet_at().is_none()
    }

    /// When nothing goes wrong any more; none from then on.
    pub(super) fn quiet_at(&self) -> Option<Timestamp> {
        let at = Timestamp::EPOCH.plus_seconds(FAULTS_SECONDS);
        (self.now < at).then_some(at)
    }

    pub(super) fn grows_at(&self) -> Option<Timestamp> {
        (self.head < RECORDS).then_some(self.grows_at)
    }

    pub(super) fn grow(&mut self) {
        self.head = RECORDS.min(self.head + self.random.between(1, 9));
        self.grows_at = self.now.plus_seconds(self.random.below(60).cast_signed());
    }

    pub(super) fn rewinds_at(&self) -> Option<Timestamp> {
        self.rewinds_at
    }

    /// Somebody sets the place back to that record.
    pub(super) fn rewind(&mut self, place: u64) -> u64 {
        (self.rewinds_at, self.is_set_back) = (None, true);
        self.report.rewinds += 1;
        let seq = self.random.below(place + 1);
        let again: Vec<_> = self.receiver.handed().filter(|line| line.seq > seq).collect();
        self.excuse(again);
        seq
    }

    pub(super) fn commit(&mut self, pending: &Store) {
        for letter in pending.letters.difference(&self.store.letters) {
            let has_failed = self.failed.get(letter).is_some_and(|times| *times >= 3);
            if !self.refused.contains(letter) && !has_failed {
                self.report.violations.push(format!("{letter} was given up"));
            }
            self.report.letters += 1;
        }
        self.store = pending.clone();
        self.is_set_back = false;
    }

    fn fault(&mut self) -> Option<Fault> {
        let fault = if self.is_quiet() { None } else { draw(self.faults, &mut self.random) };
        self.report.faults += u64::from(fault.is_some());
        fault
    }

    pub(super) fn send(&mut self, batch: BatchNumber, lines: &[LineId]) -> Option<Result<Taken, Refusal>> {
        let fault = self.fault();
        let mut unknown = Vec::new();
        let before = self.receiver.arrived.len();
        let answer = self.receiver.send(self.now, (batch, lines), fault, &mut self.random, &mut unknown);
        let new = self.receiver.arrived.iter().skip(before);
        self.told.extend(new.filter_map(|line| Some((*self.made.get(&line.seq)?, line.seq))));
        self.excuse(unknown);
        if let Some(Err(refusal)) = &answer {
            match (refusal.kind, lines) {
                (RefusalKind::Item(place), _) => _ = self.refused.insert(lines[place]),
                (RefusalKind::Failed, [line]) => *self.failed.entry(*line).or_default() += 1,
                _ => {}
            }
        }
        answer
    }

    pub(super) fn confirm(&mut self) -> Option<Result<Vec<BatchNumber>, Refusal>> {
        let fault = self.fault();
        let mut unknown = Vec::new();
        let answer = self.receiver.confirm(self.now, fault, &mut self.random, &mut unknown);
        self.excuse(unknown);
        answer
    }

    pub(super) fn reset(&mut self) {
        let mut unknown = Vec::new();
        self.receiver.reset(&mut unknown, &mut self.random);
        self.excuse(unknown);
    }

    /// The process is gone, and another one begins from what is durable.
    pub(super) fn killed(&mut self, is_sending: bool) {
        self.report.kills += 1;
        let mut unknown = Vec::new();
        self.receiver.killed(is_sending, &mut unknown, &mut self.random);
        let (place, letters) = (self.store.account.place, &self.store.letters);
        let is_open = |line: &LineId| line.seq > place || letters.contains(line);
        // A file's mark says what is there, unless it was written anew from a place that nobody knows any more.
        let is_marked =
            self.kind == Kind::File && !self.receiver.resume(self.store.mark) && !self.is_set_back;
        if !is_marked {
            unknown.extend(self.receiver.handed().filter(is_open));
        }
        self.excuse(unknown);
        self.now = self.now.plus_seconds(1);
    }

    fn excuse(&mut self, lines: Vec<LineId>) {
        for line in lines.into_iter().collect::<BTreeSet<_>>() {
            *self.may_repeat.entry(line).or_default() += 1;
        }
    }
}

/// Plays a seed: faults, and kills at some actions.
pub fn run(seed: u64) -> Report {
    let mut random = Random::new(seed).fork(1);
    let kind = Kind::ALL[random.index(Kind::ALL.len())];
    let faults = Faults { one_in: random.between(2, 12), rewinds: random.percent(30) };
    let kills = (0..random.below(KILLS_MAX + 1)).map(|_| random.below(ACTIONS)).collect();
    run_killing(seed, kind, faults, kills)
}

/// Plays a seed with kills before these actions.
pub fn run_killing(seed: u64, kind: Kind, faults: Faults, kills: BTreeSet<u64>) -> Report {
    let mut random = Random::new(seed);
    let rewinds_at = Timestamp::EPOCH.plus_seconds(random.below(600).cast_signed());
    let mut world = World {
        kind,
        now: Timestamp::EPOCH.plus_seconds(1),
        random,
        head: 0,
        store: Store::default(),
        receiver: Receiver::new(kind),
        may_repeat: BTreeMap::new(),
        refused: BTreeSet::new(),
        failed: BTreeMap::new(),
        made: BTreeMap::new(),
        told: BTreeSet::new(),
        report: Report { seed, kind: Some(kind), ..Report::default() },
        faults,
        grows_at: Timestamp::EPOCH.plus_seconds(1),
        rewinds_at: faults.rewinds.then_some(rewinds_at),
        is_set_back: false,
        kills,
    };
    while let Err(Killed) = live(&mut world) {}
    judge(&mut world);
    world.report
}
