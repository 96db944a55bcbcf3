//! What waits for one scanner, and which of it makes the next command.
//!
//! A place waits once, whatever changes there meanwhile, so that a boot storm is one scan of each address and not one per event. Places of a
//! region go together: as soon as one of them has waited for its window, as many as fit into a command are taken, the most urgent ones
//! first. What has been due for [`STARVING_SECONDS`] goes before all others, so that nothing waits for ever behind what is urgent.
//!
//! Only the wishes are state. Which of them are set aside, because their address is being scanned or their project has used up its hour,
//! is found out anew by whoever has the same wishes, and changes nothing about what is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Place, Rank, ScanPolicy, ScannerPolicy, Spent, Target, WhyNot};
use crate::scan::ScanReason;
use crate::time::Timestamp;

/// The most wishes that wait, of all scanners together; beyond it a change is recorded as not scanned, with this reason.
pub const PENDING_SCANS_MAX: usize = 10_000;
/// What has been due for so long goes before everything that is more urgent: longer than a storm of changes lasts.
pub const STARVING_SECONDS: i64 = 600;
/// The most records that are named as the causes of one wish; the first ones are kept, since they say for how long it has been wanted.
pub const CAUSES_MAX: usize = 16;

/// When something was due that an earlier version let wait: nobody knows, so that it is not held to have waited too long.
pub const DUE_LONG_AGO: Timestamp = Timestamp::MIN;

/// What a wish is for: there is one of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WishKey {
    /// The region of the place.
    pub region: Option<Arc<str>>,
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: ScanReason,
}

/// Something that waits to be scanned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// What of the place.
    pub target: Target,
    /// How soon.
    pub rank: Rank,
    /// When it need not wait for others any more.
    pub due: Timestamp,
    /// The records that asked for it, the first one first.
    pub causes: Vec<u64>,
}

impl Wish {
    /// Takes what is said later of the same place: it counts, but does not begin to wait anew.
    fn merge(&mut self, later: Self) {
        self.target.merge(later.target);
        self.rank = self.rank.min(later.rank);
        for cause in later.causes {
            if self.causes.len() < CAUSES_MAX && !self.causes.contains(&cause) {
                self.causes.push(cause);
            }
        }
    }

    fn first_cause(&self) -> u64 {
        self.causes.first().copied().unwrap_or(0)
    }
}

/// What makes one command, all of one region and one reason, and what turned out to be never scanned.
#[derive(Debug, Default)]
pub struct Taken {
    /// What is scanned, in the order of addresses; no address twice.
    pub wishes: Vec<(WishKey, Wish)>,
    /// What waited until the policy came to forbid it, and why it does.
    pub forbidden: Vec<(WishKey, WhyNot)>,
}

/// When something is due, its first cause, and its key: a total order.
type Due = (Timestamp, u64, WishKey);

/// What can be taken of one region for one reason.
#[derive(Debug, Default)]
struct Lane {
    by_due: BTreeMap<Due, Rank>,
    by_rank: BTreeSet<(Rank, Due)>,
}

/// What is taken next of a lane, in the order in which it goes before that of others: what starves is of the first class.
type Head = (u8, Rank, Due);

impl Lane {
    fn insert(&mut self, rank: Rank, due: Due) {
        self.by_due.insert(due.clone(), rank);
        self.by_rank.insert((rank, due));
    }

    fn remove(&mut self, rank: Rank, due: &Due) -> bool {
        self.by_rank.remove(&(rank, due.clone()));
        self.by_due.remove(due).is_some()
    }

    /// What starves, else what is most urgent.
    fn head(&self, now: Timestamp) -> Option<Head> {
        let (oldest, rank) = self.by_due.first_key_value()?;
        if oldest.0.plus_seconds(STARVING_SECONDS) <= now {
            return Some((0, *rank, oldest.clone()));
        }
        self.by_rank.first().map(|(rank, due)| (1, *rank, due.clone()))
    }

    fn first_due(&self) -> Option<&Due> {
        self.by_due.first_key_value().map(|(due, _)| due)
    }
}

type LaneKey = (Option<Arc<str>>, ScanReason);

/// Whether a wish can be taken now.
enum Admission {
    Taken,
    /// Its address is being scanned.
    Blocked,
    /// Its project has used up its hour.
    Held,
    /// The policy has come to forbid it.
    Forbidden(WhyNot),
}

/// What waits for one scanner.
#[derive(Debug, Default)]
pub struct Queue {
    wishes: BTreeMap<WishKey, Wish>,
    /// All of them.
    by_due: BTreeSet<Due>,
    /// Those that are not set aside.
    lanes: BTreeMap<LaneKey, Lane>,
    /// The addresses of commands that are under way.
    busy: BTreeSet<IpAddr>,
    /// Set aside until their address is not busy any more.
    blocked: BTreeMap<IpAddr, BTreeSet<WishKey>>,
    /// Set aside until this hour is over.
    held: BTreeSet<WishKey>,
    held_hour: i64,
}

impl Queue {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.wishes.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    /// The wish with this key.
    pub fn get(&self, key: &WishKey) -> Option<&Wish> {
        self.wishes.get(key)
    }

    /// All that waits, in the order of keys.
    pub fn wishes(&self) -> impl Iterator<Item = (&WishKey, &Wish)> {
        self.wishes.iter()
    }

    /// Adds a wish to what waits of its place; false when it is new and there is no room for new ones.
    pub fn wish(&mut self, key: WishKey, wish: Wish, has_room: bool) -> bool {
        if !has_room && !self.wishes.contains_key(&key) {
            return false;
        }
        let mut wish = wish;
        match key.reason {
            ScanReason::Change => self.spare(&key, &wish.target),
            ScanReason::Confirm => {
                let change = WishKey { reason: ScanReason::Change, ..key.clone() };
                if let Some(change) = self.wishes.get(&change) {
                    wish.target.ports.retain(|port, _| !change.target.ports.contains_key(port));
                }
                if wish.target.ports.is_empty() {
                    return true;
                }
            }
        }
        let Some(mut known) = self.wishes.remove(&key) else {
            self.insert(key, wish);
            return true;
        };
        let due = (known.due, known.first_cause(), key);
        let is_ready = self.lane(&due.2).remove(known.rank, &due);
        known.merge(wish);
        if is_ready {
            self.lane(&due.2).insert(known.rank, due.clone());
        }
        self.wishes.insert(due.2, known);
        true
    }

    /// What is scanned because it changed need not be looked at once more.
    fn spare(&mut self, key: &WishKey, target: &Target) {
        let key = WishKey { reason: ScanReason::Confirm, ..key.clone() };
        let Some(wish) = self.wishes.get_mut(&key) else { return };
        wish.target.ports.retain(|port, _| !target.ports.contains_key(port));
        if wish.target.ports.is_empty() {
            self.remove(&key);
        }
    }

    /// Puts a wish back as it waited.
    pub fn restore(&mut self, key: WishKey, wish: Wish) {
        self.insert(key, wish);
    }

    fn insert(&mut self, key: WishKey, wish: Wish) {
        let due = (wish.due, wish.first_cause(), key.clone());
        self.by_due.insert(due.clone());
        self.lane(&key).insert(wish.rank, due);
        self.wishes.insert(key, wish);
    }

    fn remove(&mut self, key: &WishKey) -> Option<Wish> {
        let wish = self.wishes.remove(key)?;
        let due = (wish.due, wish.first_cause(), key.clone());
        self.by_due.remove(&due);
        self.lane(key).remove(wish.rank, &due);
        Some(wish)
    }

    fn lane(&mut self, key: &WishKey) -> &mut Lane {
        self.lanes.entry((key.region.clone(), key.reason)).or_default()
    }

    /// An address is scanned from now on: nothing of it is taken.
    pub fn occupy(&mut self, address: IpAddr) {
        self.busy.insert(address);
    }

    /// An address is not scanned any more.
    pub fn free(&mut self, address: IpAddr) {
        self.busy.remove(&address);
        for key in self.blocked.remove(&address).into_iter().flatten() {
            self.put_back(key);
        }
    }

    /// Forgets what was set aside by a policy of which nothing is known any more.
    pub fn reconsider(&mut self) {
        for key in std::mem::take(&mut self.held) {
            self.put_back(key);
        }
    }

    /// The commands that are under way have changed altogether: no address is scanned.
    pub fn free_all(&mut self) {
        for address in std::mem::take(&mut self.busy) {
            self.free(address);
        }
    }

    fn put_back(&mut self, key: WishKey) {
        // It may have gone meanwhile, or have come anew.
        if let Some(wish) = self.wishes.get(&key) {
            let (rank, due) = (wish.rank, (wish.due, wish.first_cause(), key));
            self.lane(&due.2).insert(rank, due.clone());
        }
    }

    /// Takes out what has waited too long, one at a time.
    pub fn pop_overdue(&mut self, now: Timestamp, policy: &ScanPolicy) -> Option<(WishKey, Wish)> {
        let (_, _, key) = self.by_due.first().filter(|(due, ..)| overdue_at(*due, policy) <= now)?;
        let key = key.clone();
        self.remove(&key).map(|wish| (key, wish))
    }

    /// Takes out anything.
    pub fn pop(&mut self) -> Option<(WishKey, Wish)> {
        let key = self.wishes.keys().next()?.clone();
        self.remove(&key).map(|wish| (key, wish))
    }

    /// Takes out what makes the next command, and counts its addresses as scanned. Nothing when nothing is due, it is quiet, or the hour is
    /// used up.
    pub fn take(
        &mut self,
        now: Timestamp,
        policy: &ScanPolicy,
        scanner: &ScannerPolicy,
        spent: &mut Spent,
    ) -> Taken {
        let mut taken = Taken::default();
        let count_max = scanner.batch_addresses_max.get().min(spent.left(now, policy));
        if count_max == 0 || policy.quiet_hours.is_some_and(|quiet| quiet.over_at(now).is_some()) {
            return taken;
        }
        if self.held_hour != spent.hour(now) {
            self.held_hour = spent.hour(now);
            self.reconsider();
        }
        let Some(lane) = self.choose(now, policy, spent, &mut taken) else { return taken };
        while taken.wishes.len() < count_max as usize
            && let Some(key) = self.head(&lane, now, policy, spent, &mut taken).map(|(_, _, due)| due.2)
        {
            if let Some(wish) = self.remove(&key) {
                spent.spend(now, policy, wish.target.project_id.as_ref());
                self.busy.insert(key.place.address);
                taken.wishes.push((key, wish));
            }
        }
        taken.wishes.sort_unstable_by_key(|(key, _)| key.place.address);
        taken
    }

    /// The lane from which the next command is taken: one in which something is due.
    fn choose(
        &mut self,
        now: Timestamp,
        policy: &ScanPolicy,
        spent: &Spent,
        taken: &mut Taken,
    ) -> Option<LaneKey> {
        let lanes: Vec<LaneKey> = self.lanes.keys().cloned().collect();
        let mut heads = Vec::new();
        for lane in lanes {
            // What cannot be taken makes nothing else due.
            while let Some(due) = self.lanes.get(&lane).and_then(Lane::first_due)
                && due.0 <= now
            {
                let key = due.2.clone();
                if self.is_set_aside(&key, now, policy, spent, taken) {
                    continue;
                }
                heads.extend(self.head(&lane, now, policy, spent, taken).map(|head| (head, lane.clone())));
                break;
            }
        }
        self.lanes.retain(|_, lane| !lane.by_due.is_empty());
        heads.into_iter().min().map(|(_, lane)| lane)
    }

    /// What of a lane is taken next; what cannot be is set aside.
    fn head(
        &mut self,
        lane: &LaneKey,
        now: Timestamp,
        policy: &ScanPolicy,
        spent: &Spent,
        taken: &mut Taken,
    ) -> Option<Head> {
        while let Some(head) = self.lanes.get(lane).and_then(|lane| lane.head(now)) {
            // What is to be looked at later must not be looked at now, whatever else is. All of it is equally urgent.
            if lane.1 == ScanReason::Confirm && head.2.0 > now {
                return None;
            }
            if !self.is_set_aside(&head.2.2, now, policy, spent, taken) {
                return Some(head);
            }
        }
        None
    }

    /// Sets a wish aside that cannot be taken now.
    fn is_set_aside(
        &mut self,
        key: &WishKey,
        now: Timestamp,
        policy: &ScanPolicy,
        spent: &Spent,
        taken: &mut Taken,
    ) -> bool {
        let Some(wish) = self.wishes.get(key) else { return false };
        let admission = self.admission(key, wish, now, policy, spent);
        let (rank, due) = (wish.rank, (wish.due, wish.first_cause(), key.clone()));
        match admission {
            Admission::Taken => return false,
            Admission::Blocked => {
                self.blocked.entry(key.place.address).or_default().insert(key.clone());
                self.lane(key).remove(rank, &due);
            }
            Admission::Held => {
                self.held.insert(key.clone());
                self.lane(key).remove(rank, &due);
            }
            Admission::Forbidden(why) => {
                self.remove(key);
                taken.forbidden.push((key.clone(), why));
            }
        }
        true
    }

    fn admission(
        &self,
        key: &WishKey,
        wish: &Wish,
        now: Timestamp,
        policy: &ScanPolicy,
        spent: &Spent,
    ) -> Admission {
        if let Some(why) = policy.refusal(key.place.address, wish.target.project_id.as_ref()) {
            Admission::Forbidden(why)
        } else if self.busy.contains(&key.place.address) {
            Admission::Blocked
        } else if !spent.has_left(now, policy, wish.target.project_id.as_ref()) {
            Admission::Held
        } else {
            Admission::Taken
        }
    }

    /// When [`Self::take`] may find something.
    pub fn next_at(&self, now: Timestamp, policy: &ScanPolicy, spent: &Spent) -> Option<Timestamp> {
        let due = self.lanes.values().filter_map(Lane::first_due).map(|(due, ..)| *due).min();
        let held = (!self.held.is_empty()).then(|| spent.next_hour(now));
        let first = due.into_iter().chain(held).min()?;
        let begin = first.max(now);
        let quiet = policy.quiet_hours.and_then(|quiet| quiet.over_at(begin));
        let used_up = (spent.left(begin, policy) == 0).then(|| spent.next_hour(begin));
        Some(quiet.max(used_up).unwrap_or(first))
    }

    /// When [`Self::pop_overdue`] finds something.
    pub fn overdue_at(&self, policy: &ScanPolicy) -> Option<Timestamp> {
        self.by_due.first().map(|(due, ..)| overdue_at(*due, policy))
    }
}

/// When something that is due at a time has waited too long. It is never at once: what is due has to have its chance.
fn overdue_at(due: Timestamp, policy: &ScanPolicy) -> Timestamp {
    if due == DUE_LONG_AGO {
        return Timestamp::MAX;
    }
    due.plus_seconds(i64::from(policy.wait_seconds_max.max(1)))
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
