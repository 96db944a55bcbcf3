//! Hours in which no scan is begun, and how much is scanned in one hour.
//!
//! Both are functions of engine time, which is UTC: an hour begins when its clock says so, and not when something happened, so that
//! whoever folds the same inputs counts the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{QuietHours, ScanPolicy};
use crate::ids::Id;
use crate::time::Timestamp;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_MINUTE: i64 = 60;
const MINUTES_PER_DAY: i64 = 1440;
const SECONDS_PER_HOUR: i64 = 3600;
/// The most projects whose scans of an hour are counted: more than clouds have. Of further ones nothing is begun before the hour is over.
pub const BUDGET_PROJECTS_MAX: usize = 100_000;

impl QuietHours {
    /// When the quiet is over that there is at `now`; none when there is none.
    pub fn over_at(&self, now: Timestamp) -> Option<Timestamp> {
        let seconds = now.micros().div_euclid(MICROS_PER_SECOND);
        let minute = seconds.div_euclid(SECONDS_PER_MINUTE).rem_euclid(MINUTES_PER_DAY);
        let (from, to) = (i64::from(self.from_minute), i64::from(self.to_minute));
        let long = (to - from).rem_euclid(MINUTES_PER_DAY);
        let passed = (minute - from).rem_euclid(MINUTES_PER_DAY);
        let begun = Timestamp::EPOCH.plus_seconds(seconds - seconds.rem_euclid(SECONDS_PER_MINUTE));
        (passed < long).then(|| begun.plus_seconds((long - passed) * SECONDS_PER_MINUTE))
    }
}

/// What was scanned within an hour: addresses, once for each command that has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The hour, counted from 1970.
    hour: i64,
    addresses: u32,
    #[serde(with = "project_list", default, skip_serializing_if = "BTreeMap::is_empty")]
    projects: BTreeMap<Option<Id>, u32>,
}

impl Spent {
    /// The hour that counts at `now`. A clock that is set back gives nothing back.
    pub fn hour(&self, now: Timestamp) -> i64 {
        now.micros().div_euclid(MICROS_PER_SECOND * SECONDS_PER_HOUR).max(self.hour)
    }

    /// When the next hour begins.
    pub fn next_hour(&self, now: Timestamp) -> Timestamp {
        Timestamp::EPOCH.plus_seconds((self.hour(now) + 1).saturating_mul(SECONDS_PER_HOUR))
    }

    /// How many more addresses may be scanned within the hour.
    pub fn left(&self, now: Timestamp, policy: &ScanPolicy) -> u32 {
        let spent = if self.hour(now) == self.hour { self.addresses } else { 0 };
        policy.hour_budget.map_or(u32::MAX, |budget| budget.get().saturating_sub(spent))
    }

    /// Whether one more address of a project may be scanned within the hour.
    pub fn has_left(&self, now: Timestamp, policy: &ScanPolicy, project: Option<&Id>) -> bool {
        let Some(budget) = policy.project_hour_budget else { return true };
        if self.hour(now) != self.hour {
            return true;
        }
        let spent = self.projects.get(&project.cloned());
        spent.map_or(self.projects.len() < BUDGET_PROJECTS_MAX, |spent| *spent < budget.get())
    }

    /// One address of a project is scanned.
    pub fn spend(&mut self, now: Timestamp, policy: &ScanPolicy, project: Option<&Id>) {
        let hour = self.hour(now);
        if hour != self.hour {
            *self = Self { hour, ..Self::default() };
        }
        self.addresses = self.addresses.saturating_add(1);
        if policy.project_hour_budget.is_some() {
            *self.projects.entry(project.cloned()).or_default() += 1;
        }
    }
}

/// A map with something else than texts as keys as a list, since JSON has no other keys.
mod project_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::ids::Id;

    pub(super) fn serialize<S: Serializer>(
        projects: &BTreeMap<Option<Id>, u32>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        projects.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Option<Id>, u32>, D::Error> {
        Ok(Vec::<(Option<Id>, u32)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect(text)
    }

    #[test]
    fn quiet_hours_go_over_midnight() {
        let check = |(from_minute, to_minute), now: &str, wanted: Option<&str>| {
            let quiet = QuietHours { from_minute, to_minute };
            assert_eq!(quiet.over_at(at(now)), wanted.map(at), "{quiet:?} at {now}");
        };
        check((480, 1020), "2026-11-26T07:59:59Z", None);
        check((480, 1020), "2026-11-26T08:00:00Z", Some("2026-11-26T17:00:00Z"));
        check((480, 1020), "2026-11-26T16:59:59.9Z", Some("2026-11-26T17:00:00Z"));
        check((480, 1020), "2026-11-26T17:00:00Z", None);
        check((1320, 360), "2026-11-26T23:10:05Z", Some("2026-11-27T06:00:00Z"));
        check((1320, 360), "2026-11-26T05:59:59Z", Some("2026-11-26T06:00:00Z"));
        check((1320, 360), "2026-11-26T06:00:00Z", None);
        check((600, 600), "2026-11-26T10:00:00Z", None);
        check((u16::MAX, 0), "1969-12-31T00:00:00Z", None);
    }

    #[test]
    fn an_hour_has_its_budget_and_each_project_its_own() {
        let of = NonZeroU32::new;
        let policy = ScanPolicy { hour_budget: of(3), project_hour_budget: of(2), ..ScanPolicy::default() };
        let (one, other) = (Id::new("one"), Id::new("other"));
        let now = at("2026-11-26T10:59:00Z");
        let mut spent = Spent::default();
        assert_eq!(spent.left(now, &policy), 3);
        for project in [Some(&one), Some(&one), None] {
            assert!(spent.has_left(now, &policy, project));
            spent.spend(now, &policy, project);
        }
        assert_eq!(spent.left(now, &policy), 0);
        let told =
            |spent: &Spent, now| [Some(&one), Some(&other), None].map(|p| spent.has_left(now, &policy, p));
        assert_eq!(told(&spent, now), [false, true, true]);
        assert_eq!(spent.next_hour(now), at("2026-11-26T11:00:00Z"));
        let text = serde_json::to_string(&spent).expect("JSON");
        assert_eq!(serde_json::from_str::<Spent>(&text).expect(&text), spent);

        // A clock that goes back gives nothing back, the next hour does.
        assert_eq!(spent.left(at("2026-11-26T09:00:00Z"), &policy), 0);
        let next = at("2026-11-26T11:00:00Z");
        assert_eq!((spent.left(next, &policy), told(&spent, next)), (3, [true; 3]));
        spent.spend(next, &policy, Some(&one));
        assert_eq!(spent.left(next, &policy), 2);
    }
}
