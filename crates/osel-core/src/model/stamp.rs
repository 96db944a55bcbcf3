//! Which of two statements about an object is the later one, decided field by field.
//!
//! Notifications come late, twice and out of order, and a body lacks the keys that its caller may not see. So each field
//! keeps the stamp of the message that said it last; nearly always that is the object's own stamp, and only exceptions cost
//! memory. It must not look at the values: only at who said what when.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::Id;
use crate::time::Timestamp;

/// The place of a statement in an object's history: `revision_number` or 0, then time, then `message_id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// `revision_number`, 0 where there is none.
    pub revision: u64,
    /// The notification's timestamp, or the time an inventory was taken.
    pub time: Timestamp,
    /// The notification's id, one for all objects that it speaks of; none for what an API answered, and none is before all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Arc<Id>>,
}

/// A set of fields of one kind of object; bit `n` is the field with the number `n`.
pub type Fields = u16;

/// How far the clock of the cloud may be behind ours while it still counts that an event of "before" a read has a higher revision than
/// what the read showed. Hosts that nobody synchronises differ by seconds, seldom by more; each second more would give a forged
/// revision a second more in which it is believed.
pub const CLOCK_SKEW_SECONDS: i64 = 60;

/// The most revisions that an object may be ahead of what a read showed for the reason of [`CLOCK_SKEW_SECONDS`]: what is said within so
/// short a time is a handful of calls. A forged revision that shall hold for long has to be higher.
pub const REVISION_JUMP_MAX: u64 = 16;

impl Stamp {
    /// Whether this event is later than what a read showed at its time, although its own time is earlier: then the clocks differ, and
    /// revisions do not.
    fn outruns(&self, read_at: Timestamp, revision: u64) -> bool {
        self.message.is_some()
            && revision > 0
            && self.revision.checked_sub(revision).is_some_and(|jump| (1..=REVISION_JUMP_MAX).contains(&jump))
            && self.time.plus_seconds(CLOCK_SKEW_SECONDS) >= read_at
    }
}

/// What the last complete read of a kind showed of each of its objects. Of those that were as the model had them nothing else is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindRead {
    /// When: whatever the bus says of an earlier time is history.
    pub at: Timestamp,
    /// The fields that it showed of every object.
    pub given: Fields,
}

impl Default for KindRead {
    fn default() -> Self {
        Self { at: Timestamp::MIN, given: 0 }
    }
}

/// Who said what last about the fields of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldStamps {
    /// The latest statement about any field.
    stamp: Stamp,
    /// What has ever been said.
    said: Fields,
    /// Fields whose latest statement is older than `stamp`, each with its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[allow(clippy::box_collection, reason = "nearly always none, and then it costs one word")]
    behind: Option<Box<Vec<(Fields, Stamp)>>>,
    /// An API read at this time showed the object: whatever the bus says of an earlier time is history.
    read_at: Timestamp,
}

impl Default for FieldStamps {
    fn default() -> Self {
        let never = Stamp { revision: 0, time: Timestamp::MIN, message: None };
        Self { stamp: never, said: 0, behind: None, read_at: Timestamp::MIN }
    }
}

impl FieldStamps {
    /// The latest statement about any field.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The latest statement about one field, if any was made.
    pub fn of(&self, field: Fields) -> Option<&Stamp> {
        if self.said & field == 0 {
            return None;
        }
        let own = self.behind.iter().flat_map(|behind| behind.iter()).find(|(fields, _)| fields & field != 0);
        Some(own.map_or(&self.stamp, |(_, stamp)| stamp))
    }

    /// What has ever been said about the object.
    pub fn said(&self) -> Fields {
        self.said
    }

    /// When the API was last read for it; [`Timestamp::MIN`] when it never was.
    pub fn read_at(&self) -> Timestamp {
        self.read_at
    }

    /// Takes the statement `stamp` about `given` fields and returns those for which it is news. `read` is the last complete read of the
    /// object's kind.
    pub fn admit(&mut self, given: Fields, stamp: &Stamp, read: KindRead) -> Fields {
        let read_at = self.read_at.max(read.at);
        let is_history = stamp.time < read_at;
        if !is_history && (*stamp > self.stamp || self.said == 0) {
            self.move_on(given, given, stamp);
            return given;
        }
        // An older statement: news only for fields that were never said, or said even earlier. Of what the API has shown since,
        // whatever revision it claims says nothing, unless it is the next one.
        let is_shown = |field: Fields, own: Option<&Stamp>| {
            (stamp.time < self.read_at && own.is_some_and(|own| own.time >= self.read_at))
                || (stamp.time < read.at && read.given & field != 0)
        };
        let news = self.fields_where(given, |field, own| {
            let is_later = own.is_none_or(|own| own < stamp);
            is_later && (!is_shown(field, own) || own.is_some_and(|own| stamp.outruns(read_at, own.revision)))
        });
        self.take_behind(news, stamp);
        news
    }

    /// Takes what the API answered at `stamp.time`: it wins over every earlier statement, whatever revision that claimed.
    pub fn admit_read(&mut self, given: Fields, stamp: &Stamp, exact: bool) -> Fields {
        if exact && stamp.time < self.read_at {
            return 0;
        }
        let news = self.fields_where(given, |_, own| {
            own.is_none_or(|own| {
                (own.time <= stamp.time || own < stamp) && !own.outruns(stamp.time, stamp.revision)
            })
        });
        if news != 0 && (self.said == 0 || self.stamp.time <= stamp.time || *stamp > self.stamp) {
            self.move_on(given, news, stamp);
        } else {
            self.take_behind(news, stamp);
        }
        if exact {
            self.read_at = self.read_at.max(stamp.time);
        }
        news
    }

    /// Takes that an API read at this time showed these fields as they are known.
    pub fn confirm(&mut self, given: Fields, at: Timestamp) {
        let stamp = Stamp { revision: self.stamp.revision, time: at, message: None };
        self.admit_read(given, &stamp, true);
    }

    /// Those of the given fields whose latest statement, if there is any, is as wanted.
    fn fields_where(&self, given: Fields, wanted: impl Fn(Fields, Option<&Stamp>) -> bool) -> Fields {
        let fields = (0..Fields::BITS).map(|bit| 1 << bit).filter(|field| given & field != 0);
        fields.filter(|&field| wanted(field, self.of(field))).fold(0, |news, field| news | field)
    }

    /// The object's latest statement is this one, with `news` among the fields it gives.
    fn move_on(&mut self, given: Fields, news: Fields, stamp: &Stamp) {
        let kept = self.said & !news;
        if kept == 0 {
            self.behind = None;
        } else {
            self.fall_behind(news, kept);
        }
        self.stamp = stamp.clone();
        self.said |= given;
    }

    fn take_behind(&mut self, news: Fields, stamp: &Stamp) {
        if news != 0 {
            self.set_behind(news, stamp.clone());
            self.said |= news;
        }
    }

    /// Before the object's stamp moves on: `given` fields go with it, `kept` fields stay where they are.
    fn fall_behind(&mut self, given: Fields, kept: Fields) {
        let mut behind = self.behind.take().unwrap_or_default();
        let mut already = 0;
        behind.retain_mut(|(fields, _)| {
            *fields &= !given;
            already |= *fields;
            *fields != 0
        });
        let newly = kept & !already;
        if newly != 0 {
            behind.push((newly, self.stamp.clone()));
        }
        self.behind = Some(behind);
    }

    fn set_behind(&mut self, fields: Fields, stamp: Stamp) {
        let mut behind = self.behind.take().unwrap_or_default();
        behind.retain_mut(|(others, _)| {
            *others &= !fields;
            *others != 0
        });
        behind.push((fields, stamp));
        self.behind = Some(behind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(revision: u64, second: i64) -> Stamp {
        Stamp { revision, time: Timestamp::EPOCH.plus_seconds(second), message: Some(Arc::new(Id::new("m"))) }
    }

    /// A statement of the bus where no kind was read as a whole.
    fn hear(stamps: &mut FieldStamps, given: Fields, stamp: &Stamp) -> Fields {
        stamps.admit(given, stamp, KindRead::default())
    }

    /// The cloud's clock is two seconds behind: a change of after the read seems to be from before it.
    #[test]
    fn the_next_revision_is_later_than_a_read_whatever_the_clocks_say() {
        let read = Stamp { revision: 5, time: Timestamp::EPOCH.plus_seconds(100), message: None };
        let (next, forged, old) = (stamp(6, 98), stamp(6 + REVISION_JUMP_MAX, 98), stamp(6, 39));
        for (event, wins) in [(&next, true), (&forged, false), (&old, false), (&stamp(4, 99), false)] {
            for read_first in [true, false] {
                let mut stamps = FieldStamps::default();
                if read_first {
                    stamps.admit_read(1, &read, true);
                    assert_eq!(hear(&mut stamps, 1, event) == 1, wins, "{event:?}");
                } else {
                    hear(&mut stamps, 1, event);
                    assert_eq!(stamps.admit_read(1, &read, true) == 0, wins, "{event:?}");
                }
                assert_eq!(stamps.of(1), Some(if wins { event } else { &read }), "{read_first}");
            }
        }
    }

    #[test]
    fn the_higher_revision_of_a_read_is_later_than_an_event_whatever_the_clocks_say() {
        let read = Stamp { revision: 5, time: Timestamp::EPOCH.plus_seconds(10), message: None };
        for read_first in [true, false] {
            let mut stamps = FieldStamps::default();
            if read_first {
                stamps.admit_read(1, &read, true);
            }
            hear(&mut stamps, 1, &stamp(4, 12));
            if !read_first {
                stamps.admit_read(1, &read, true);
            }
            assert_eq!(stamps.of(1), Some(&read), "{read_first}");
        }
    }

    /// A complete read that found an object as it was leaves no stamp on it, and what is older is history all the same.
    #[test]
    fn what_a_complete_read_confirmed_is_not_undone_by_history() {
        let at = Timestamp::EPOCH.plus_seconds(100);
        let read = KindRead { at, given: 0b01 };
        let mut stamps = FieldStamps::default();
        hear(&mut stamps, 0b01, &stamp(5, 10));
        assert_eq!(stamps.admit(0b11, &stamp(7, 20), read), 0b10, "only what the read did not show");
        assert_eq!(stamps.admit(0b01, &stamp(6, 99), read), 0b01, "the clock is behind: the read showed 5");
        assert_eq!(stamps.admit(0b01, &stamp(8, 101), read), 0b01, "later than the read");
    }

    /// Field by field the latest statement wins, in whatever order they come.
    #[test]
    fn any_order_ends_the_same() {
        let statements =
            [(stamp(1, 1), 0b111), (stamp(2, 2), 0b101), (stamp(3, 3), 0b001), (stamp(2, 5), 0b1010)];
        let expected = [(0, 2), (1, 3), (2, 1), (3, 3)];
        let orders = permutations(4);
        for order in orders {
            let mut stamps = FieldStamps::default();
            let mut values = [usize::MAX; 4];
            for &which in &order {
                let (stamp, given) = &statements[which];
                let news = stamps.admit(*given, stamp, KindRead::default());
                for (bit, value) in values.iter_mut().enumerate() {
                    if news & (1 << bit) != 0 {
                        *value = which;
                    }
                }
            }
            for (bit, which) in expected {
                assert_eq!(values[bit], which, "field {bit} in order {order:?}");
                assert_eq!(stamps.of(1 << bit), Some(&statements[which].0));
            }
        }
    }

    #[test]
    fn a_read_wins_over_a_forged_revision() {
        let mut stamps = FieldStamps::default();
        hear(&mut stamps, 1, &stamp(1_000_000, 10));
        let read = Stamp { revision: 5, time: Timestamp::EPOCH.plus_seconds(11), message: None };
        assert_eq!(stamps.admit_read(1, &read, true), 1);
        assert_eq!(hear(&mut stamps, 1, &stamp(1_000_001, 10)), 0, "what was before the read is history");
        assert_eq!(hear(&mut stamps, 1, &stamp(6, 12)), 1);
    }

    #[test]
    fn a_read_does_not_undo_a_later_event() {
        let mut stamps = FieldStamps::default();
        hear(&mut stamps, 1, &stamp(6, 12));
        let read = Stamp { revision: 5, time: Timestamp::EPOCH.plus_seconds(11), message: None };
        assert_eq!(stamps.admit_read(1, &read, true), 0);
    }

    #[test]
    fn a_read_that_came_after_a_later_event_was_forgotten() {
        let read = Stamp { revision: 5, time: Timestamp::EPOCH.plus_seconds(10), message: None };
        let (forged, later) = (stamp(1_000_000, 9), stamp(6, 12));
        let take = |stamps: &mut FieldStamps, stamp: &Stamp| match stamp.message {
            Some(_) => hear(stamps, 1, stamp),
            None => stamps.admit_read(1, stamp, true),
        };
        for order in [[&read, &later, &forged], [&later, &read, &forged], [&forged, &read, &later]] {
            let mut stamps = FieldStamps::default();
            for stamp in order {
                take(&mut stamps, stamp);
            }
            assert_eq!((stamps.of(1), stamps.read_at()), (Some(&later), read.time), "{order:?}");
        }
    }

    #[test]
    fn what_a_read_does_not_show_is_known_from_history() {
        let read = Stamp { revision: 5, time: Timestamp::EPOCH.plus_seconds(10), message: None };
        for read_first in [true, false] {
            let mut stamps = FieldStamps::default();
            if read_first {
                stamps.admit_read(0b01, &read, true);
            }
            hear(&mut stamps, 0b11, &stamp(3, 8));
            if !read_first {
                stamps.admit_read(0b01, &read, true);
            }
            assert_eq!((stamps.of(0b01), stamps.of(0b10)), (Some(&read), Some(&stamp(3, 8))), "{read_first}");
        }
    }

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![vec![]];
        }
        let mut all = Vec::new();
        for shorter in permutations(n - 1) {
            for at in 0..n {
                let mut longer = shorter.clone();
                longer.insert(at, n - 1);
                all.push(longer);
            }
        }
        all
    }
}
