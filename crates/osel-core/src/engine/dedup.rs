//! Whether a message came before: redelivered, or published over a second topic, driver or exchange.
//!
//! A repetition has the same id *and* the same content. The same id with another content is no repetition but a conflict, so that a
//! forged or reused id suppresses no evidence. Without an id the content alone decides.
//!
//! The window is counted from the coming that has the record, by the clock of reception. A repetition does not prolong it and changes
//! nothing here: it is not journaled, and folding the journal has to find the same. A clock that is set back makes nobody forgotten.
//!
//! What a broker delivers *again* is another matter: it was in our hands when we were killed, or the connection went, and comes with the
//! next one, be that after a weekend. It is recognised as long as it is remembered, and the last so many messages are, however old.
//!
//! The content is the notification's JSON as it is spelt, but for white space between tokens (see [`Digest`]): other keys' order or
//! another spelling of a number is another content. That is deliberate: a copy of a topic, driver or exchange is made of one text, while
//! to know that two texts mean the same would take their whole value, and would open a way for a forger to be taken for the original.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::event::Digest;
use crate::ids::{Id, Map};
use crate::time::Timestamp;

/// `dedup.window`: how long a message counts as having come before. Copies over topics come within seconds.
pub const DEDUP_WINDOW_SECONDS: i64 = 3600;
/// The most messages that are remembered, of however few ids; what a broker redelivers is at most what was prefetched, thousands.
/// About 60 MB.
pub const DEDUP_MESSAGES_MAX: usize = 1 << 19;

/// So many messages are remembered however old they are, for what the broker delivers again: some times what all sources together
/// have in their hands. About 2 MB.
pub const DEDUP_REDELIVERED_MAX: usize = 1 << 14;

/// Half of a digest: against a forger it is still 128 bits of SHA-256.
type Short = [u8; 16];

/// What a message is recognised by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coming<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) digest: &'a Digest,
    /// An id in a body that cannot be read may be anybody's: only the content counts.
    pub(super) is_readable: bool,
    /// The broker says that it has delivered it before.
    pub(super) is_redelivered: bool,
}

/// Whether a message was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Never,
    Before,
    /// Its id was, with another content.
    Conflicting,
}

/// One remembered message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Id>,
    content: Short,
}

#[derive(Debug, Default)]
pub(super) struct Dedup {
    by_id: Map<Id, Contents>,
    /// With when each came.
    without_id: Map<Short, Timestamp>,
    /// As they came.
    order: VecDeque<Remembered>,
}

/// The contents that came under one id, each with when it came: one, unless an id was forged or used again. Then they may be as many as
/// there are messages, and none may cost a search.
#[derive(Debug)]
enum Contents {
    One(Short, Timestamp),
    Many(Box<Many>),
}

#[derive(Debug)]
struct Many {
    came: Map<Short, Timestamp>,
    /// When the last of them came.
    latest: Timestamp,
}

impl Contents {
    fn came(&self, content: &Short) -> Option<Timestamp> {
        match self {
            Self::One(one, at) => (one == content).then_some(*at),
            Self::Many(many) => many.came.get(content).copied(),
        }
    }

    fn latest(&self) -> Timestamp {
        match self {
            Self::One(_, at) => *at,
            Self::Many(many) => many.latest,
        }
    }

    fn insert(&mut self, content: Short, at: Timestamp) {
        match self {
            Self::One(one, came) if *one == content => *came = at,
            Self::One(one, came) => {
                let latest = at.max(*came);
                let came = [(*one, *came), (content, at)].into_iter().collect();
                *self = Self::Many(Box::new(Many { came, latest }));
            }
            Self::Many(many) => {
                many.came.insert(content, at);
                many.latest = many.latest.max(at);
            }
        }
    }

    /// Removes the coming of a content at a time; true when nothing is left.
    fn remove(&mut self, content: &Short, at: Timestamp) -> bool {
        match self {
            Self::One(one, came) => one == content && *came == at,
            Self::Many(many) => {
                if many.came.get(content) == Some(&at) {
                    many.came.remove(content);
                }
                many.came.is_empty()
            }
        }
    }
}

impl Dedup {
    /// Looks a message up and remembers it, unless it came before.
    pub(super) fn see(&mut self, now: Timestamp, coming: Coming<'_>) -> Seen {
        let horizon = now.plus_seconds(-DEDUP_WINDOW_SECONDS);
        let content = short(coming.digest);
        let id = coming.id.filter(|_| coming.is_readable).map(Id::new);
        let within = |came: Option<Timestamp>| came.is_some_and(|came| came >= horizon);
        let before = |came: Option<Timestamp>| within(came) || (coming.is_redelivered && came.is_some());
        let seen = match &id {
            None if before(self.without_id.get(&content).copied()) => Seen::Before,
            None => Seen::Never,
            Some(id) => match self.by_id.get(id) {
                Some(contents) if before(contents.came(&content)) => Seen::Before,
                Some(contents) if within(Some(contents.latest())) => Seen::Conflicting,
                _ => Seen::Never,
            },
        };
        if seen != Seen::Before {
            // After a clock was set back some stay longer than they count: memory has its own bound.
            while self.order.len() >= DEDUP_REDELIVERED_MAX
                && self.order.front().is_some_and(|oldest| oldest.at < horizon)
            {
                self.forget_oldest();
            }
            self.remember(Remembered { at: now, id, content });
        }
        seen
    }

    /// Looks a message up that came at `at`, was quarantined and can be read by now, and remembers it. Its own coming is no earlier
    /// one. It may be known by either of two digests: what it reads as by now, and what it was quarantined under.
    pub(super) fn see_again(&mut self, at: Timestamp, id: Option<&str>, digests: [&Digest; 2]) -> Seen {
        let contents = digests.map(short);
        let id = id.map(Id::new);
        // What is remembered for the broker's sake alone is over.
        let horizon = self.order.back().map_or(at, |last| last.at).plus_seconds(-DEDUP_WINDOW_SECONDS);
        let known = |content: &Short| match &id {
            None => self.without_id.get(content).is_some_and(|&came| came != at && came >= horizon),
            Some(id) => {
                let came = self.by_id.get(id).and_then(|contents| contents.came(content));
                came.is_some_and(|came| came >= horizon)
            }
        };
        if contents.iter().any(known) {
            return Seen::Before;
        }
        let seen = match &id {
            Some(id) if self.by_id.get(id).is_some_and(|contents| contents.latest() >= horizon) => {
                Seen::Conflicting
            }
            _ => Seen::Never,
        };
        // As if it came with the last one: the window is about time on the bus.
        let at = self.order.back().map_or(at, |last| last.at);
        let other = Some(contents[1]).filter(|other| *other != contents[0]);
        for content in [Some(contents[0]), other].into_iter().flatten() {
            if id.is_some() || !self.without_id.contains_key(&content) {
                self.remember(Remembered { at, id: id.clone(), content });
            }
        }
        seen
    }

    pub(super) fn remember(&mut self, message: Remembered) {
        while self.order.len() >= DEDUP_MESSAGES_MAX {
            self.forget_oldest();
        }
        let Remembered { at, id, content } = &message;
        match id {
            Some(id) => match self.by_id.get_mut(id) {
                Some(contents) => contents.insert(*content, *at),
                None => {
                    self.by_id.insert(id.clone(), Contents::One(*content, *at));
                }
            },
            None => {
                self.without_id.insert(*content, *at);
            }
        }
        self.order.push_back(message);
    }

    fn forget_oldest(&mut self) {
        let Some(Remembered { at, id, content }) = self.order.pop_front() else { return };
        match &id {
            Some(id) if self.by_id.get_mut(id).is_some_and(|contents| contents.remove(&content, at)) => {
                self.by_id.remove(id);
            }
            None if self.without_id.get(&content) == Some(&at) => {
                self.without_id.remove(&content);
            }
            // It came once more after its window, or its id has other contents.
            _ => {}
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Remembered> {
        self.order.iter()
    }
}

fn short(digest: &Digest) -> Short {
    let mut content = Short::default();
    content.copy_from_slice(&digest[..16]);
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(dedup: &mut Dedup, now: Timestamp, id: Option<&str>, digest: &Digest, is_readable: bool) -> Seen {
        dedup.see(now, Coming { id, digest, is_readable, is_redelivered: false })
    }

    /// So many others come.
    fn fill(dedup: &mut Dedup, now: Timestamp, count: usize) {
        for number in 0..count {
            let mut digest = [0xff; 32];
            digest[..8].copy_from_slice(&(number as u64 ^ now.micros() as u64).to_le_bytes());
            dedup.see(now, Coming { id: None, digest: &digest, is_readable: true, is_redelivered: false });
        }
    }

    #[test]
    fn a_repetition_is_the_same_id_and_the_same_content() {
        let mut dedup = Dedup::default();
        let now = Timestamp::EPOCH;
        assert_eq!(see(&mut dedup, now, Some("a"), &[1; 32], true), Seen::Never);
        assert_eq!(see(&mut dedup, now, Some("a"), &[1; 32], true), Seen::Before);
        assert_eq!(see(&mut dedup, now, Some("a"), &[2; 32], true), Seen::Conflicting);
        assert_eq!(see(&mut dedup, now, Some("a"), &[2; 32], true), Seen::Before);
        assert_eq!(see(&mut dedup, now, Some("b"), &[1; 32], true), Seen::Never);
        assert_eq!(see(&mut dedup, now, None, &[1; 32], true), Seen::Never);
        assert_eq!(see(&mut dedup, now, None, &[1; 32], true), Seen::Before);
    }

    #[test]
    fn an_unreadable_body_cannot_use_up_an_id() {
        let mut dedup = Dedup::default();
        assert_eq!(see(&mut dedup, Timestamp::EPOCH, Some("a"), &[9; 32], false), Seen::Never);
        assert_eq!(see(&mut dedup, Timestamp::EPOCH, Some("a"), &[1; 32], true), Seen::Never);
    }

    #[test]
    fn a_message_out_of_quarantine_is_no_repetition_of_itself() {
        let (then, later) = (Timestamp::EPOCH, Timestamp::EPOCH.plus_seconds(60));
        let mut dedup = Dedup::default();
        see(&mut dedup, then, Some("a"), &[9; 32], false);
        see(&mut dedup, then, None, &[8; 32], false);
        assert_eq!(dedup.see_again(then, Some("a"), [&[1; 32], &[9; 32]]), Seen::Never);
        assert_eq!(dedup.see_again(then, None, [&[2; 32], &[8; 32]]), Seen::Never);
        // From then on it is known by what it reads as, and by what it was.
        assert_eq!(see(&mut dedup, later, Some("a"), &[1; 32], true), Seen::Before);
        assert_eq!(see(&mut dedup, later, Some("a"), &[3; 32], true), Seen::Conflicting);
        assert_eq!(see(&mut dedup, later, None, &[2; 32], true), Seen::Before);
        assert_eq!(see(&mut dedup, later, None, &[8; 32], false), Seen::Before);
        // Copies that came otherwise: of the second topic, held too; and read by a later version.
        assert_eq!(dedup.see_again(then, Some("a"), [&[1; 32], &[7; 32]]), Seen::Before);
        see(&mut dedup, later, None, &[4; 32], true);
        assert_eq!(dedup.see_again(then, None, [&[4; 32], &[6; 32]]), Seen::Before);
        assert_eq!(dedup.see_again(then, Some("a"), [&[5; 32], &[5; 32]]), Seen::Conflicting);
        // What is remembered beyond its window is for the broker's deliveries alone.
        let over = later.plus_seconds(DEDUP_WINDOW_SECONDS + 1);
        see(&mut dedup, over, Some("c"), &[9; 32], true);
        assert_eq!(dedup.see_again(then, Some("a"), [&[1; 32], &[7; 32]]), Seen::Never);
        assert_eq!(dedup.see_again(then, None, [&[4; 32], &[6; 32]]), Seen::Never);
    }

    #[test]
    fn the_window_ends() {
        let mut dedup = Dedup::default();
        see(&mut dedup, Timestamp::EPOCH, Some("a"), &[1; 32], true);
        let later = Timestamp::EPOCH.plus_seconds(DEDUP_WINDOW_SECONDS + 1);
        assert_eq!(see(&mut dedup, later, Some("a"), &[1; 32], true), Seen::Never);
    }

    #[test]
    fn a_repetition_does_not_prolong_the_window() {
        let at = |second| Timestamp::EPOCH.plus_seconds(second);
        for id in [Some("a"), None] {
            let mut dedup = Dedup::default();
            let mut seen = |second| see(&mut dedup, at(second), id, &[1; 32], true);
            assert_eq!(seen(0), Seen::Never);
            assert_eq!(seen(DEDUP_WINDOW_SECONDS - 1), Seen::Before);
            assert_eq!(seen(DEDUP_WINDOW_SECONDS), Seen::Before);
            assert_eq!(seen(DEDUP_WINDOW_SECONDS + 1), Seen::Never);
            assert_eq!(seen(2 * DEDUP_WINDOW_SECONDS), Seen::Before);
            assert_eq!(seen(2 * DEDUP_WINDOW_SECONDS + 2), Seen::Never);
        }
    }

    #[test]
    fn a_conflict_ends_with_the_window_too() {
        let at = |second| Timestamp::EPOCH.plus_seconds(second);
        let mut dedup = Dedup::default();
        see(&mut dedup, at(0), Some("a"), &[1; 32], true);
        assert_eq!(see(&mut dedup, at(10), Some("a"), &[2; 32], true), Seen::Conflicting);
        assert_eq!(
            see(&mut dedup, at(DEDUP_WINDOW_SECONDS + 5), Some("a"), &[1; 32], true),
            Seen::Conflicting
        );
        assert_eq!(see(&mut dedup, at(3 * DEDUP_WINDOW_SECONDS), Some("a"), &[2; 32], true), Seen::Never);
    }

    /// Repetitions are not journaled: had one an effect, folding the journal would give something else.
    #[test]
    fn a_repetition_had_others_forgotten() {
        let at = |second| Timestamp::EPOCH.plus_seconds(second);
        let mut dedup = Dedup::default();
        see(&mut dedup, at(0), Some("a"), &[1; 32], true);
        see(&mut dedup, at(100), Some("b"), &[2; 32], true);
        let before: Vec<Remembered> = dedup.iter().cloned().collect();
        assert_eq!(see(&mut dedup, at(DEDUP_WINDOW_SECONDS + 50), Some("b"), &[2; 32], true), Seen::Before);
        assert_eq!(dedup.iter().cloned().collect::<Vec<_>>(), before);
        // A clock that is set back finds everything as it was.
        assert_eq!(see(&mut dedup, at(200), Some("a"), &[1; 32], true), Seen::Before);
    }

    #[test]
    fn a_clock_that_was_ahead_prolonged_the_window_of_what_came_after_it() {
        let at = |second| Timestamp::EPOCH.plus_seconds(second);
        let mut dedup = Dedup::default();
        see(&mut dedup, at(1000), Some("a"), &[1; 32], true);
        see(&mut dedup, at(0), Some("b"), &[2; 32], true);
        assert_eq!(see(&mut dedup, at(DEDUP_WINDOW_SECONDS), Some("b"), &[2; 32], true), Seen::Before);
        assert_eq!(see(&mut dedup, at(DEDUP_WINDOW_SECONDS + 1), Some("b"), &[2; 32], true), Seen::Never);
        // What is over and still held takes nothing away with it when it goes.
        fill(&mut dedup, at(DEDUP_WINDOW_SECONDS + 1001), DEDUP_REDELIVERED_MAX - 1);
        assert_eq!(dedup.order.len(), DEDUP_REDELIVERED_MAX);
        assert_eq!(see(&mut dedup, at(DEDUP_WINDOW_SECONDS + 1001), Some("b"), &[2; 32], true), Seen::Before);
    }

    /// Half a million contents under one id: each is evidence, none costs a search among the others.
    #[test]
    fn a_flood_of_one_id_is_recorded_and_bounded() {
        let mut dedup = Dedup::default();
        let digest = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_le_bytes());
            digest
        };
        assert_eq!(see(&mut dedup, Timestamp::EPOCH, Some("a"), &digest(0), true), Seen::Never);
        let flood = DEDUP_MESSAGES_MAX + 1000;
        let conflicts = (1..=flood).filter(|&number| {
            see(&mut dedup, Timestamp::EPOCH, Some("a"), &digest(number), true) == Seen::Conflicting
        });
        assert_eq!(conflicts.count(), flood);
        assert_eq!(dedup.order.len(), DEDUP_MESSAGES_MAX);
        let Contents::Many(many) = &dedup.by_id[&Id::new("a")] else { panic!("one content") };
        assert_eq!(many.came.len(), DEDUP_MESSAGES_MAX);
        assert_eq!(see(&mut dedup, Timestamp::EPOCH, Some("a"), &digest(flood), true), Seen::Before);
        // The first is forgotten by now: it gets a record once more rather than none.
        assert_eq!(see(&mut dedup, Timestamp::EPOCH, Some("a"), &digest(0), true), Seen::Conflicting);
        let later = Timestamp::EPOCH.plus_seconds(DEDUP_WINDOW_SECONDS + 1);
        fill(&mut dedup, later, 1);
        assert_eq!(dedup.order.len(), DEDUP_REDELIVERED_MAX, "of what is old only so many are left");
        fill(&mut dedup, later, DEDUP_REDELIVERED_MAX);
        assert!(!dedup.by_id.contains_key(&Id::new("a")), "and all of it is forgotten in time");
    }

    /// It was durable when osel was killed, and not acknowledged; then osel was down for a weekend.
    #[test]
    fn what_is_delivered_again_is_recognised_however_late() {
        let weekend = Timestamp::EPOCH.plus_seconds(60 * DEDUP_WINDOW_SECONDS);
        let again = |dedup: &mut Dedup, id, digest: &Digest| {
            dedup.see(weekend, Coming { id, digest, is_readable: true, is_redelivered: true })
        };
        let mut dedup = Dedup::default();
        for id in [Some("a"), None] {
            see(&mut dedup, Timestamp::EPOCH, id, &[1; 32], true);
        }
        fill(&mut dedup, weekend, DEDUP_REDELIVERED_MAX - 2);
        for id in [Some("a"), None] {
            assert_eq!(again(&mut dedup, id, &[1; 32]), Seen::Before);
            // The same id with something else is no repetition, and after the window no conflict either.
            assert_eq!(again(&mut dedup, id, &[2; 32]), Seen::Never);
        }
        // Whoever sends it anew after its window has a record of its own.
        assert_eq!(see(&mut dedup, weekend, Some("a"), &[1; 32], true), Seen::Conflicting);
        fill(&mut dedup, weekend.plus_seconds(DEDUP_WINDOW_SECONDS + 1), DEDUP_REDELIVERED_MAX);
        assert_eq!(again(&mut dedup, None, &[1; 32]), Seen::Never);
    }
}
