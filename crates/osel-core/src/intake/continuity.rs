//! Whether everything that was published is in the queue or was taken from it; if not, since when.
//!
//! A gap is opened in the [`Cursor`], which is durable before the queue is mended, and closed as a [`Gap`]
//! once the queue is seen in place. So a crash at any point leaves either the open gap in the store, or the
//! broken queue at the broker to be found again.

use super::limits::{LONG_OUTAGE_MICROS, MEND_WAIT_MICROS};
use crate::pace::Moment;
use crate::time::Timestamp;

/// How the queue was found: the last of these that is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// In place with all its bindings, and nothing was dropped from it.
    Kept,
    /// In place with all its bindings; whether something was dropped cannot be known.
    Unknown,
    /// It is there, but a binding is not.
    Unbound,
    /// It was full and has dropped its oldest messages since it was last mended.
    Overflowed,
    /// It is not there, nor what was in it.
    Missing,
}

/// What a look at the queue showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueReport {
    /// How it was found.
    pub queue: Queue,
    /// When the broker was asked: what was published later may be lost although the answer is good.
    pub asked_at: Timestamp,
    /// Whether all that was published before is delivered and told: nothing waited at the broker, nothing is
    /// with another consumer, and nothing waits in between.
    pub is_drained: bool,
    /// Since when messages may have passed by an exchange that was not there to be bound, where that is longer
    /// ago than the last good report: exchanges that nobody has ever seen are looked for less often.
    pub unbound_since: Option<Timestamp>,
}

/// Why messages are missing, the later the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapCause {
    /// The outage was so long that the queue may have overflowed.
    LongOutage,
    /// A binding was gone.
    Unbound,
    /// The queue was full.
    Overflowed,
    /// The queue was gone.
    Missing,
}

/// A gap that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenGap {
    /// Nothing published before is missing.
    pub from: Timestamp,
    /// Why.
    pub why: GapCause,
}

/// Messages published between two times may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Nothing published before is missing.
    pub from: Timestamp,
    /// Nothing published after is missing.
    pub to: Timestamp,
    /// Why.
    pub why: GapCause,
}

/// How far a source is known to be whole. Kept by the store with each batch, given back at the next start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// When the queue was last known to be in place; none before the first time: nothing was promised.
    pub unbroken: Option<Timestamp>,
    /// All that was published before has been taken out of the queue, or lies in a gap that was declared.
    pub drained: Option<Timestamp>,
    /// A gap that has not ended.
    pub gap: Option<OpenGap>,
}

/// What follows from a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Finding {
    /// A gap began.
    pub(super) began: Option<GapCause>,
    /// A gap ended, or was found as a whole.
    pub(super) ended: Option<Gap>,
    /// The cursor has to be made durable now.
    pub(super) is_urgent: bool,
}

/// The present cursor, the durable one, and whether to mend.
#[derive(Clone, Debug, Default)]
pub(super) struct Continuity {
    cursor: Cursor,
    durable: Cursor,
    /// When the queue was last seen in place, for a clock that is set back.
    seen: Option<Moment>,
    is_broken: bool,
    mend_again: Option<Moment>,
}

impl Continuity {
    /// What the store's last commit said.
    pub(super) fn new(cursor: Cursor) -> Self {
        Self { cursor, durable: cursor, ..Self::default() }
    }

    /// What the next batch has to keep.
    pub(super) fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Whether the durable cursor says less than the present one.
    pub(super) fn is_ahead(&self) -> bool {
        self.cursor != self.durable
    }

    /// A batch with this cursor is durable.
    pub(super) fn committed(&mut self, cursor: Cursor) {
        self.durable = cursor;
    }

    /// The connection is gone; the next one looks for itself.
    pub(super) fn lost(&mut self) {
        self.is_broken = false;
        self.mend_again = None;
    }

    /// Takes a report of `now`; `connected` when it is the first of its connection.
    pub(super) fn report(
        &mut self,
        now: Timestamp,
        moment: Moment,
        connected: bool,
        report: QueueReport,
    ) -> Finding {
        self.is_broken = !matches!(report.queue, Queue::Kept | Queue::Unknown);
        match report.queue {
            Queue::Kept | Queue::Unknown => self.in_place(now, moment, connected, report),
            Queue::Unbound => {
                let unbroken = self.cursor.unbroken;
                let from = unbroken.map(|seen| report.unbound_since.map_or(seen, |since| since.min(seen)));
                self.broken(now, GapCause::Unbound, from)
            }
            Queue::Overflowed => self.broken(now, GapCause::Overflowed, self.cursor.drained),
            Queue::Missing => self.broken(now, GapCause::Missing, self.cursor.drained),
        }
    }

    fn in_place(&mut self, now: Timestamp, moment: Moment, connected: bool, report: QueueReport) -> Finding {
        let asked_at = report.asked_at.min(now);
        let is_long =
            connected && report.queue == Queue::Unknown && self.outage(now, moment) > LONG_OUTAGE_MICROS;
        let long = OpenGap { from: self.cursor.drained.unwrap_or(now), why: GapCause::LongOutage };
        let ended = self.cursor.gap.take().or(is_long.then_some(long)).map(|open| Gap {
            from: open.from.min(now),
            to: open.from.max(now),
            why: open.why,
        });
        let is_accounted = ended.is_some_and(|gap| gap.why != GapCause::Unbound);
        if is_accounted {
            self.cursor.drained = Some(now);
        } else if report.is_drained || self.cursor.drained.is_none() {
            self.cursor.drained = Some(asked_at);
        }
        self.cursor.unbroken = Some(asked_at);
        self.seen = Some(moment);
        self.mend_again = None;
        Finding { began: None, ended, is_urgent: ended.is_some() }
    }

    fn broken(&mut self, now: Timestamp, why: GapCause, from: Option<Timestamp>) -> Finding {
        let Some(from) = from.or(self.cursor.unbroken) else {
            return Finding::default();
        };
        let mut gap = OpenGap { from: from.min(now), why };
        if let Some(before) = self.cursor.gap {
            gap = OpenGap { from: gap.from.min(before.from), why: why.max(before.why) };
        }
        let before = self.cursor.gap.replace(gap);
        Finding { began: before.is_none().then_some(why), ended: None, is_urgent: before != Some(gap) }
    }

    /// How long the queue was not seen, by the clock or by what passed of it.
    fn outage(&self, now: Timestamp, moment: Moment) -> u64 {
        let by_clock = self.cursor.unbroken.map_or(0, |seen| now.micros().saturating_sub(seen.micros()));
        let passed = self.seen.map_or(0, |seen| moment.since(seen));
        u64::try_from(by_clock).unwrap_or(0).max(passed)
    }

    /// When the queue may be mended, if it is broken and the gap is written down.
    pub(super) fn mend_at(&self, moment: Moment) -> Option<Moment> {
        let is_written = self.cursor.gap.is_none() || self.cursor.gap == self.durable.gap;
        (self.is_broken && is_written).then(|| self.mend_again.map_or(moment, |again| again.max(moment)))
    }

    /// It is being mended, as far as the gap says why: the next report tells how that went.
    pub(super) fn mending(&mut self, moment: Moment) -> GapCause {
        self.is_broken = false;
        self.mend_again = Some(moment.plus(MEND_WAIT_MICROS));
        // Where nothing was promised nothing can be missing: all may be put right.
        self.cursor.gap.map_or(GapCause::Missing, |gap| gap.why)
    }
}
