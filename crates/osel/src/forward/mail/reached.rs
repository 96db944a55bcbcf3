//! How far a message has come, recipient by recipient: what was said of each outlives the connection, and the call that it was said in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lettre::Address;
use osel_core::forward::Refusal;
use tokio::time::Instant;

/// How long a message that has reached somebody is tried for those for whom the server asks to come again. The next message waits so long:
/// servers that put off whom they do not know take the mail after some minutes, and a full mailbox stays full for days.
const LATER_TIME: Duration = Duration::from_mins(30);

/// How far a message has come. Each recipient is in one of its lists, or was not asked for yet.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Which message.
    name: String,
    /// Who has it.
    taken: BTreeSet<Address>,
    /// For whom the server will never take it, and its words.
    never: BTreeMap<Address, String>,
    /// For whom the server asks to come again, and why.
    later: BTreeMap<Address, Refusal>,
    /// The server does not like the whole letter: it gets the bare one.
    is_bare: bool,
    /// Since when nobody is left but those for whom it asks to come again.
    later_since: Option<Instant>,
}

/// What follows from how far a message has come.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// All have it whom the server knows, but for those for whom it was asked to come again for too long.
    Over,
    /// Nobody gets it, for that reason.
    Nobody(String),
    /// Some were not asked for: the time was over.
    Unasked(usize),
    /// The server asks to come again.
    Later(Refusal),
}

impl Reached {
    /// Begins with that message, or goes on with it.
    pub(super) fn go_on(&mut self, name: &str) {
        if self.name != name {
            *self = Self { name: name.to_owned(), ..Self::default() };
        }
    }

    /// Whether the bare letter is what it gets.
    pub(super) fn is_bare(&self) -> bool {
        self.is_bare
    }

    /// The bare letter is what it gets from now on.
    pub(super) fn be_bare(&mut self) {
        self.is_bare = true;
    }

    /// The server has taken it for them.
    pub(super) fn has_reached(&mut self, all: impl IntoIterator<Item = Address>) {
        for to in all {
            self.later.remove(&to);
            self.taken.insert(to);
        }
    }

    /// The server will never take it for them.
    pub(super) fn will_never(&mut self, to: Address, words: String) {
        self.later.remove(&to);
        self.never.insert(to, words);
    }

    /// The server asks to come again for them.
    pub(super) fn comes_later(&mut self, to: Address, why: Refusal) {
        self.later.insert(to, why);
    }

    /// To whom of all it is still to go. Those who were put off are the last: they keep nobody waiting who was not asked for yet.
    pub(super) fn waiting(&self, all: &[Address]) -> Vec<Address> {
        let is_open = |to: &&Address| !self.taken.contains(*to) && !self.never.contains_key(*to);
        let (late, unasked): (Vec<&Address>, Vec<&Address>) =
            all.iter().filter(is_open).partition(|to| self.later.contains_key(*to));
        unasked.into_iter().chain(late).cloned().collect()
    }

    /// For whom the server will never take it, and its words.
    pub(super) fn never(&self) -> &BTreeMap<Address, String> {
        &self.never
    }

    /// For whom it asks to come again, and why.
    pub(super) fn later(&self) -> &BTreeMap<Address, Refusal> {
        &self.later
    }

    /// What follows, for all of these recipients.
    pub(super) fn outcome(&mut self, all: &[Address], now: Instant) -> Outcome {
        let waiting = self.waiting(all);
        let unasked = waiting.iter().filter(|to| !self.later.contains_key(*to)).count();
        if unasked > 0 {
            return Outcome::Unasked(unasked);
        }
        if let Some(why) = waiting.first().and_then(|to| self.later.get(to)) {
            let since = *self.later_since.get_or_insert(now);
            let is_over = !self.taken.is_empty() && now.duration_since(since) >= LATER_TIME;
            return if is_over { Outcome::Over } else { Outcome::Later(why.clone()) };
        }
        match self.never.values().next() {
            Some(words) if self.taken.is_empty() => Outcome::Nobody(words.clone()),
            _ => Outcome::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use osel_core::forward::RefusalKind;

    use super::*;
    use crate::forward::http::refusal;

    fn people() -> Vec<Address> {
        ["ann@c.example", "bob@c.example", "cid@c.example"].map(|to| to.parse().unwrap()).to_vec()
    }

    fn later() -> Refusal {
        refusal(RefusalKind::Unavailable, "mailbox full")
    }

    #[test]
    fn who_is_put_off_keeps_the_others_from_the_next_message_for_a_time_only() {
        let (begin, people) = (Instant::now(), people());
        let mut reached = Reached::default();
        reached.has_reached(people[..2].to_vec());
        reached.comes_later(people[2].clone(), later());
        for (after, is_over) in [
            (Duration::ZERO, false),
            (LATER_TIME - Duration::from_secs(1), false),
            (LATER_TIME, true),
            (LATER_TIME * 2, true),
        ] {
            let wanted = if is_over { Outcome::Over } else { Outcome::Later(later()) };
            assert_eq!(reached.outcome(&people, begin + after), wanted, "{after:?}");
        }
        // Where nobody has it, the message is still to be told.
        reached.taken.clear();
        reached.never.extend(people[..2].iter().map(|to| (to.clone(), "unknown".to_owned())));
        assert_eq!(reached.outcome(&people, begin + LATER_TIME), Outcome::Later(later()));
    }

    #[test]
    fn a_letter_that_was_too_much_is_so_for_that_message_only() {
        let mut reached = Reached::default();
        reached.go_on("1");
        reached.be_bare();
        reached.go_on("1");
        assert!(reached.is_bare());
        reached.go_on("2");
        assert!(!reached.is_bare());
    }

    #[test]
    fn who_was_put_off_is_asked_for_behind_those_who_were_not() {
        let people = people();
        let mut reached = Reached::default();
        reached.go_on("1");
        reached.comes_later(people[0].clone(), later());
        assert_eq!(reached.waiting(&people), [people[1].clone(), people[2].clone(), people[0].clone()]);
        assert_eq!(reached.outcome(&people, Instant::now()), Outcome::Unasked(2));
        reached.will_never(people[1].clone(), "unknown".to_owned());
        reached.has_reached([people[2].clone()]);
        assert_eq!(reached.waiting(&people), people[..1]);
        reached.has_reached([people[0].clone()]);
        assert_eq!(reached.outcome(&people, Instant::now()), Outcome::Over);
        // The same message goes on, another one begins.
        reached.go_on("1");
        assert_eq!(reached.waiting(&people), []);
        reached.go_on("2");
        assert_eq!(reached.waiting(&people), people);
    }

    #[test]
    fn a_message_that_the_server_takes_for_nobody_is_not_over() {
        let people = people();
        let mut reached = Reached::default();
        for to in &people {
            reached.will_never(to.clone(), format!("no {to}"));
        }
        assert_eq!(reached.outcome(&people, Instant::now()), Outcome::Nobody("no ann@c.example".to_owned()));
        reached.has_reached([people[0].clone()]);
        assert_eq!(reached.outcome(&people, Instant::now()), Outcome::Over);
    }
}
