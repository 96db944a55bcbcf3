//! Who is shown all records, and says when somebody is to be told of them.

use super::cadence::Cadence;
use super::gathering::{Causes, Gathering, GroupBy};
use super::limits::NOTICE_LINES_MAX;
use super::message::{Notice, told_time};
use super::telling::Telling;
use crate::engine::record::Record;
use crate::forward::Filter;
use crate::time::Timestamp;

/// What is told to whom, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeSettings {
    /// Which records.
    pub filter: Filter,
    /// When.
    pub cadence: Cadence,
    /// By what lines belong together.
    pub group_by: GroupBy,
    /// The most lines of one notice, up to [`NOTICE_LINES_MAX`].
    pub lines_max: usize,
}

/// What is to be done with the records that were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing yet: they are looked at, and others may follow.
    Wait,
    /// None of them up to this one is to be told.
    Pass(u64),
    /// They are told by this, the last one included.
    Tell(Box<Notice>),
}

/// Gathers records until a notice is due.
#[derive(Clone, Debug)]
pub struct Teller {
    settings: NoticeSettings,
    causes: Causes,
    /// The next notice is about what is behind this record.
    after: u64,
    /// Records up to this one were looked at.
    looked_to: u64,
    /// When the first of them was recorded, and the last one.
    recorded: Option<(Timestamp, Timestamp)>,
    gathering: Gathering,
    /// When the first that is told was looked at.
    since: Option<Timestamp>,
    /// One of them does not wait.
    is_urgent: bool,
    /// The next record belongs to a later notice.
    is_full: bool,
    /// When the last notice was under way.
    told_at: Option<Timestamp>,
}

impl Teller {
    /// One that has not been shown anything.
    pub fn new(settings: NoticeSettings) -> Self {
        Self {
            settings,
            causes: Causes::default(),
            after: 0,
            looked_to: 0,
            recorded: None,
            gathering: Gathering::default(),
            since: None,
            is_urgent: false,
            is_full: false,
            told_at: None,
        }
    }

    /// The next notice is about what is behind this record. What was gathered is kept where that is so already.
    pub fn begin(&mut self, after: u64) {
        if self.after != after {
            self.begin_anew(after);
        }
    }

    /// The last record that was looked at: the one behind it is the next to be shown.
    pub fn looked_to(&self) -> u64 {
        self.looked_to
    }

    /// When the first record was recorded that the next notice is about; none before it was looked at.
    pub fn recorded_from(&self) -> Option<Timestamp> {
        self.recorded.map(|(first, _)| first)
    }

    /// Looks at the next record; false when it belongs to a later notice, and [`Self::turn`] comes first.
    pub fn look_at(&mut self, now: Timestamp, record: &Record) -> bool {
        let recorded_at = record.header.recorded_at;
        if self.is_over(now) && self.settings.cadence.period_of(now).is_some_and(|begin| recorded_at >= begin)
        {
            self.is_full = true;
            return false;
        }
        self.looked_to = record.header.seq;
        let first = self.recorded.map_or(recorded_at, |(first, _)| first);
        self.recorded = Some((first, recorded_at));
        let cause = self.causes.first_of(record);
        let Some(telling) = Telling::of(&self.settings.filter, record) else { return true };
        self.since.get_or_insert(now);
        if let Cadence::Grouped { urgent_min, .. } = self.settings.cadence {
            self.is_urgent |= !telling.is_resolved && telling.severity >= urgent_min;
        }
        let lines = self.settings.lines_max.clamp(1, NOTICE_LINES_MAX);
        self.gathering.add(record, telling, self.settings.group_by, cause, lines);
        true
    }

    /// What is to be done now that all records were looked at which there are, or which belong to this notice. While the notice before is
    /// under way none follows it.
    pub fn turn(&mut self, now: Timestamp, is_under_way: bool) -> Turn {
        if is_under_way {
            self.told_at = Some(now);
        }
        if self.looked_to == self.after {
            return Turn::Wait;
        }
        let is_due = match self.settings.cadence {
            Cadence::Grouped { .. } | Cadence::Digest { tells_empty: false, .. }
                if self.gathering.told() == 0 =>
            {
                let through = self.looked_to;
                self.begin_anew(through);
                return Turn::Pass(through);
            }
            Cadence::Grouped { wait_seconds, interval_seconds, .. } => {
                self.is_due(now, wait_seconds.into(), interval_seconds.into())
            }
            Cadence::Digest { .. } => self.is_full || self.is_over(now),
        };
        if is_under_way || !is_due {
            return Turn::Wait;
        }
        Turn::Tell(Box::new(self.told(now)))
    }

    /// Whether the period is over in which the first record was recorded.
    fn is_over(&self, now: Timestamp) -> bool {
        let begin = self.settings.cadence.period_of(now);
        begin.is_some_and(|begin| self.recorded.is_some_and(|(first, _)| first < begin))
    }

    fn is_due(&mut self, now: Timestamp, wait_seconds: i64, interval_seconds: i64) -> bool {
        // A clock that was set back must not put it off for as long.
        self.since = self.since.map(|since| since.min(now));
        self.told_at = self.told_at.map(|told_at| told_at.min(now));
        let gathered = self.since.is_some_and(|since| since.plus_seconds(wait_seconds) <= now);
        let apart = |seconds| self.told_at.is_none_or(|told_at| told_at.plus_seconds(seconds) <= now);
        (gathered && apart(interval_seconds)) || (self.is_urgent && apart(wait_seconds))
    }

    fn told(&mut self, now: Timestamp) -> Notice {
        let (first, last) = (self.after + 1, self.looked_to);
        let (since, until) = self.recorded.unwrap_or((now, now));
        let of_period = self.settings.cadence.period_of(since).zip(self.settings.cadence.period_of(now));
        let (since, until) = of_period.unwrap_or((since, until));
        let notice = Notice {
            first,
            last,
            since: told_time(since),
            until: told_time(until),
            is_digest: of_period.is_some(),
            ..std::mem::take(&mut self.gathering).notice()
        };
        self.begin_anew(last);
        self.told_at = Some(now);
        notice
    }

    fn begin_anew(&mut self, after: u64) {
        (self.after, self.looked_to) = (after, after);
        self.gathering = Gathering::default();
        (self.recorded, self.since) = (None, None);
        (self.is_urgent, self.is_full) = (false, false);
    }
}
