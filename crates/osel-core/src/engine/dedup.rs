//! Whether a message came before: redelivered, or published over a second topic, driver or exchange.
//!
//! A repetition has the same id *and* the same content. The same id with another content is no repetition but a conflict, so that a
//! forged or reused id suppresses no evidence. Without an id the content alone decides.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};

use crate::event::Digest;
use crate::ids::{Id, Map};
use crate::time::Timestamp;

/// `dedup.window`: how long a message is remembered. Copies over topics come within seconds, redeliveries after a reconnect within
/// the longest backoff and a restart.
pub const DEDUP_WINDOW_SECONDS: i64 = 3600;
/// The most messages that are remembered; what a broker redelivers is at most what was prefetched, thousands. About 60 MB.
pub const DEDUP_MESSAGES_MAX: usize = 1 << 19;

/// Half of a digest: against a forger it is still 128 bits of SHA-256.
type Short = [u8; 16];

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

/// The contents that came under one id: nearly always one, which needs no memory of its own then.
#[derive(Debug)]
struct Contents {
    first: Short,
    others: Vec<Short>,
}

impl Contents {
    fn contains(&self, content: &Short) -> bool {
        self.first == *content || self.others.contains(content)
    }

    /// Takes one out; says whether it was the last.
    fn remove(&mut self, content: &Short) -> bool {
        if self.first != *content {
            self.others.retain(|other| other != content);
            return false;
        }
        match self.others.pop() {
            Some(other) => self.first = other,
            None => return true,
        }
        false
    }
}

#[derive(Debug, Default)]
pub(super) struct Dedup {
    /// Contents by id. Messages without an id are all under none.
    by_id: Map<Id, Contents>,
    /// With when each came.
    without_id: Map<Short, Timestamp>,
    order: VecDeque<Remembered>,
}

impl Dedup {
    /// Looks a message up and remembers it.
    pub(super) fn see(&mut self, now: Timestamp, id: Option<&str>, digest: &Digest, readable: bool) -> Seen {
        self.forget(now);
        let content = short(digest);
        // An id in a body that cannot be read may be anybody's: only the content counts.
        let id = id.filter(|_| readable).map(Id::new);
        let seen = match &id {
            None if self.without_id.contains_key(&content) => Seen::Before,
            None => Seen::Never,
            Some(id) => match self.by_id.get(id) {
                None => Seen::Never,
                Some(contents) if contents.contains(&content) => Seen::Before,
                Some(_) => Seen::Conflicting,
            },
        };
        if seen != Seen::Before {
            self.remember(Remembered { at: now, id, content });
        }
        seen
    }

    /// Looks a message up that came at `at`, was quarantined and can be read by now, and remembers it. Its own coming is no earlier
    /// one. It may be known by either of two digests: what it reads as by now, and what it was quarantined under.
    pub(super) fn see_again(&mut self, at: Timestamp, id: Option<&str>, digests: [&Digest; 2]) -> Seen {
        let contents = digests.map(short);
        let id = id.map(Id::new);
        let known = |content: &Short| match &id {
            None => self.without_id.get(content).is_some_and(|&came| came != at),
            Some(id) => self.by_id.get(id).is_some_and(|contents| contents.contains(content)),
        };
        if contents.iter().any(known) {
            return Seen::Before;
        }
        let seen = match &id {
            Some(id) if self.by_id.contains_key(id) => Seen::Conflicting,
            _ => Seen::Never,
        };
        // As if it came with the last one: the window is about time on the bus, and its order must stay.
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
        match &message.id {
            Some(id) => match self.by_id.entry(id.clone()) {
                Entry::Occupied(known) => known.into_mut().others.push(message.content),
                Entry::Vacant(new) => {
                    new.insert(Contents { first: message.content, others: Vec::new() });
                }
            },
            None => {
                self.without_id.insert(message.content, message.at);
            }
        }
        self.order.push_back(message);
    }

    fn forget(&mut self, now: Timestamp) {
        let horizon = now.plus_seconds(-DEDUP_WINDOW_SECONDS);
        while let Some(oldest) = self.order.front() {
            if oldest.at >= horizon && self.order.len() < DEDUP_MESSAGES_MAX {
                return;
            }
            let Some(Remembered { id, content, .. }) = self.order.pop_front() else { return };
            match id {
                None => {
                    self.without_id.remove(&content);
                }
                Some(id) => {
                    if self.by_id.get_mut(&id).is_some_and(|contents| contents.remove(&content)) {
                        self.by_id.remove(&id);
                    }
                }
            }
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

    #[test]
    fn a_repetition_is_the_same_id_and_the_same_content() {
        let mut dedup = Dedup::default();
        let now = Timestamp::EPOCH;
        assert_eq!(dedup.see(now, Some("a"), &[1; 32], true), Seen::Never);
        assert_eq!(dedup.see(now, Some("a"), &[1; 32], true), Seen::Before);
        assert_eq!(dedup.see(now, Some("a"), &[2; 32], true), Seen::Conflicting);
        assert_eq!(dedup.see(now, Some("a"), &[2; 32], true), Seen::Before);
        assert_eq!(dedup.see(now, Some("b"), &[1; 32], true), Seen::Never);
        assert_eq!(dedup.see(now, None, &[1; 32], true), Seen::Never);
        assert_eq!(dedup.see(now, None, &[1; 32], true), Seen::Before);
    }

    #[test]
    fn an_unreadable_body_cannot_use_up_an_id() {
        let mut dedup = Dedup::default();
        assert_eq!(dedup.see(Timestamp::EPOCH, Some("a"), &[9; 32], false), Seen::Never);
        assert_eq!(dedup.see(Timestamp::EPOCH, Some("a"), &[1; 32], true), Seen::Never);
    }

    #[test]
    fn a_message_out_of_quarantine_is_no_repetition_of_itself() {
        let (then, later) = (Timestamp::EPOCH, Timestamp::EPOCH.plus_seconds(60));
        let mut dedup = Dedup::default();
        dedup.see(then, Some("a"), &[9; 32], false);
        dedup.see(then, None, &[8; 32], false);
        assert_eq!(dedup.see_again(then, Some("a"), [&[1; 32], &[9; 32]]), Seen::Never);
        assert_eq!(dedup.see_again(then, None, [&[2; 32], &[8; 32]]), Seen::Never);
        // From then on it is known by what it reads as, and by what it was.
        assert_eq!(dedup.see(later, Some("a"), &[1; 32], true), Seen::Before);
        assert_eq!(dedup.see(later, Some("a"), &[3; 32], true), Seen::Conflicting);
        assert_eq!(dedup.see(later, None, &[2; 32], true), Seen::Before);
        assert_eq!(dedup.see(later, None, &[8; 32], false), Seen::Before);
        // Copies that came otherwise: of the second topic, held too; and read by a later version.
        assert_eq!(dedup.see_again(then, Some("a"), [&[1; 32], &[7; 32]]), Seen::Before);
        dedup.see(later, None, &[4; 32], true);
        assert_eq!(dedup.see_again(then, None, [&[4; 32], &[6; 32]]), Seen::Before);
        assert_eq!(dedup.see_again(then, Some("a"), [&[5; 32], &[5; 32]]), Seen::Conflicting);
    }

    #[test]
    fn each_content_of_an_id_is_forgotten_by_itself() {
        let mut dedup = Dedup::default();
        let at = |seconds| Timestamp::EPOCH.plus_seconds(seconds * DEDUP_WINDOW_SECONDS / 4);
        for content in 1..=3 {
            dedup.see(at(content), Some("a"), &[content as u8; 32], true);
        }
        // By now the first is too old, then the second.
        assert_eq!(dedup.see(at(6), Some("a"), &[3; 32], true), Seen::Before);
        assert_eq!(dedup.see(at(6), Some("a"), &[2; 32], true), Seen::Before);
        assert_eq!(dedup.see(at(6), Some("a"), &[1; 32], true), Seen::Conflicting);
        assert_eq!(dedup.see(at(8), Some("a"), &[2; 32], true), Seen::Conflicting);
        // All are gone, and nothing is kept of the id.
        assert_eq!(dedup.see(at(20), Some("a"), &[1; 32], true), Seen::Never);
        assert_eq!((dedup.by_id.len(), dedup.order.len()), (1, 1));
    }

    #[test]
    fn the_window_ends() {
        let mut dedup = Dedup::default();
        dedup.see(Timestamp::EPOCH, Some("a"), &[1; 32], true);
        let later = Timestamp::EPOCH.plus_seconds(DEDUP_WINDOW_SECONDS + 1);
        assert_eq!(dedup.see(later, Some("a"), &[1; 32], true), Seen::Never);
        assert_eq!(dedup.order.len(), 1);
    }
}
