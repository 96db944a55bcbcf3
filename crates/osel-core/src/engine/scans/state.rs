//! What is kept of scans between inputs, and its lines in snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::last::{LastKey, LastResult, LastResults};
use crate::engine::Engine;
use crate::plan::{DUE_LONG_AGO, Place, Queue, Rank, Spent, Target, Wish, WishKey};
use crate::scan::{BUILTIN, CommandId, Expected, OldCommand, ScanCommand, ScanLife, ScanReason, ScanTarget};
use crate::time::Timestamp;

/// Scans that wait or run.
#[derive(Debug, Default)]
pub(in crate::engine) struct Scans {
    /// What waits, by the scanner's name.
    pub(super) queues: BTreeMap<Arc<str>, Queue>,
    pub(super) running: BTreeMap<CommandId, ScanLife>,
    /// When each of these has to be over.
    pub(super) deadlines: BTreeSet<(Timestamp, CommandId)>,
    pub(super) spent: Spent,
    pub(super) last: LastResults,
    /// Whether what is under way was not held against the policy since that became another one.
    pub(super) is_policy_new: bool,
}

/// One line of the state, for snapshots.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct ScanLine(ScanLineKind);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScanLineKind {
    /// Something waits for the scanner of that name.
    Wish(Arc<str>, WishKey, Wish),
    Life(Box<ScanLife>),
    Spent(Spent),
    Last(LastKey, LastResult),
    /// As earlier forms have what waits: the time of its change is not known any more.
    #[serde(skip_serializing)]
    Pending((Option<Arc<str>>, Place), OldPending),
    /// As earlier forms have what is under way.
    #[serde(skip_serializing)]
    Running(OldCommand),
}

#[derive(Clone, Debug, Deserialize)]
struct OldPending {
    target: Target,
    cause: u64,
}

impl Scans {
    pub(in crate::engine) fn lines(&self) -> impl Iterator<Item = ScanLine> + '_ {
        let wishes = self.queues.iter().flat_map(|(scanner, queue)| {
            let wishes = queue.wishes();
            wishes.map(|(key, wish)| ScanLineKind::Wish(Arc::clone(scanner), key.clone(), wish.clone()))
        });
        let lives = self.running.values().map(|life| ScanLineKind::Life(Box::new(life.clone())));
        let spent = (self.spent != Spent::default()).then(|| ScanLineKind::Spent(self.spent.clone()));
        let last = self.last.iter().map(|(key, last)| ScanLineKind::Last(key.clone(), last.clone()));
        wishes.chain(lives).chain(spent).chain(last).map(ScanLine)
    }

    pub(in crate::engine) fn restore(&mut self, line: ScanLine) {
        match line.0 {
            ScanLineKind::Wish(scanner, key, wish) => {
                self.queues.entry(scanner).or_default().restore(key, wish);
            }
            ScanLineKind::Life(life) => self.begin(*life),
            ScanLineKind::Spent(spent) => self.spent = spent,
            ScanLineKind::Last(key, last) => self.last.put(key, last),
            ScanLineKind::Pending((region, place), OldPending { target, cause }) => {
                let key = WishKey { region, place, reason: ScanReason::Change };
                let (rank, due) = (Rank::default(), DUE_LONG_AGO);
                let wish = Wish { target, rank, due, causes: vec![cause] };
                self.queues.entry(BUILTIN.into()).or_default().restore(key, wish);
            }
            ScanLineKind::Running(old) => self.begin(ScanLife::planned(ScanCommand::from(old))),
        }
    }

    /// How many wishes wait.
    pub(super) fn waiting(&self) -> usize {
        self.queues.values().map(Queue::len).sum()
    }

    /// How many commands of a scanner are under way.
    pub(super) fn running_of(&self, scanner: &str) -> usize {
        self.running.values().filter(|life| &*life.command.scanner == scanner).count()
    }

    /// A command is under way from now on.
    pub(super) fn begin(&mut self, life: ScanLife) {
        let queue = self.queues.entry(Arc::clone(&life.command.scanner)).or_default();
        life.command.targets.iter().for_each(|target| queue.occupy(target.address));
        self.deadlines.insert((life.command.expires_at, life.command.id.clone()));
        self.running.insert(life.command.id.clone(), life);
    }

    /// A command is over.
    pub(super) fn end(&mut self, id: &CommandId) -> Option<ScanLife> {
        let life = self.running.remove(id)?;
        self.deadlines.remove(&(life.command.expires_at, life.command.id.clone()));
        if let Some(queue) = self.queues.get_mut(&life.command.scanner) {
            life.command.targets.iter().for_each(|target| queue.free(target.address));
        }
        Some(life)
    }

    /// Other options hold: nothing is set aside by the old ones, and what is under way may be forbidden.
    pub(in crate::engine) fn reconsider(&mut self) {
        self.is_policy_new = true;
        self.queues.values_mut().for_each(Queue::reconsider);
    }
}

impl Engine {
    /// Commands that are not over: after a restart they are given out again, with how far they had come.
    pub fn running_scans(&self) -> impl Iterator<Item = &ScanLife> {
        self.scans.running.values()
    }

    /// Corrects what is under way by what the store has: a command that was written down keeps its id, its ports and its cause.
    pub fn set_running_scans(&mut self, lives: impl IntoIterator<Item = ScanLife>) {
        self.scans.running.clear();
        self.scans.deadlines.clear();
        self.scans.queues.values_mut().for_each(Queue::free_all);
        lives.into_iter().for_each(|life| self.scans.begin(life));
    }

    /// Whether a scan that waits or is under way will tell of a place what is wanted of it.
    pub(in crate::engine) fn will_be_scanned(
        &self,
        region: Option<&Arc<str>>,
        place: &Place,
        wanted: impl Fn(&Expected) -> bool,
    ) -> bool {
        let keys = [ScanReason::Change, ScanReason::Confirm].map(|reason| WishKey {
            region: region.cloned(),
            place: place.clone(),
            reason,
        });
        let waits = self.scans.queues.values().flat_map(|queue| keys.iter().filter_map(|key| queue.get(key)));
        let is_there = |target: &ScanTarget| {
            target.address == place.address
                && target.network_id == place.network_id
                && wanted(&target.expected)
        };
        let mut running = self.scans.running.values().map(|life| &life.command);
        waits.into_iter().any(|wish| wanted(&wish.target.ports))
            || running
                .any(|command| command.region.as_ref() == region && command.targets.iter().any(is_there))
    }

    /// How many wishes to scan something wait.
    pub fn waiting_scans(&self) -> usize {
        self.scans.waiting()
    }

    /// Whether any scan waits or runs.
    pub fn scans_are_open(&self) -> bool {
        self.waiting_scans() > 0 || !self.scans.running.is_empty()
    }
}
