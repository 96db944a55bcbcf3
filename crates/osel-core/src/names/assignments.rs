//! Who has which role where, by the time of the event: what the bus told and reads of Keystone showed.
//!
//! Of each assignment the words that were said of it are kept, given or taken, with their times; which holds at a time is the last one
//! until then. What is kept does not depend on the order in which words came. A read of all assignments is the end of history: what is
//! said later of a time before it changes what was, and not what is. Nothing here tells anybody: what differs is told by `engine`.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::event::Assignment;
use crate::time::Timestamp;

/// The most assignments that are held of one region: one takes about 200 bytes, and the largest clouds have some hundred thousand. Beyond
/// it those that were taken are forgotten, and where there are none, new ones are not learnt.
pub const ASSIGNMENTS_MAX: usize = 1 << 20;

/// How many words of each sort are kept of one assignment, besides the first by which it was given: who gives and takes the same role
/// again and again does it by a program, of which nobody needs each run.
pub const WORDS_MAX: usize = 4;

/// Within this time before a read the bus keeps its word, whatever the read shows: clocks of hosts differ by seconds, and a message may be
/// under way. The next read tells. As long as the model's `CLOCK_SKEW_SECONDS`, for the same reason.
pub const DOUBT_SECONDS: i64 = 60;

/// That an assignment was given or taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AssignmentWord {
    /// When; of what a read showed, when that began.
    pub at: Timestamp,
    /// Given, or else taken.
    pub given: bool,
    /// Whether a read showed it; else the bus told it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shown: bool,
}

/// One assignment with its words, for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignmentLine {
    /// The assignment.
    #[serde(rename = "a")]
    pub assignment: Assignment,
    /// What was said of it, sorted.
    #[serde(rename = "w")]
    pub words: Vec<AssignmentWord>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    /// Sorted, and never empty.
    words: Box<[AssignmentWord]>,
    /// The read that showed it last; no part of the state.
    round: u32,
}

/// The assignments of one region.
#[derive(Clone, Debug)]
pub struct Assignments {
    known: BTreeMap<Assignment, Entry>,
    /// When all were read last.
    read_at: Option<Timestamp>,
    /// How many of those that are known were taken by the last word.
    taken: usize,
    /// How many were not learnt, or forgotten, for want of room.
    forgotten: u64,
    /// The read that is under way, told apart from earlier ones.
    round: u32,
    max: usize,
}

impl Default for Assignments {
    fn default() -> Self {
        Self::with_max(ASSIGNMENTS_MAX)
    }
}

impl Assignments {
    /// None, and never more than so many.
    pub fn with_max(max: usize) -> Self {
        Self { known: BTreeMap::new(), read_at: None, taken: 0, forgotten: 0, round: 0, max }
    }

    /// Takes a word. Where it is of so long before the last read that it is history, what was known at the time of that stays.
    pub fn learn(&mut self, assignment: &Assignment, word: AssignmentWord) {
        if !self.known.contains_key(assignment) && !self.has_room() {
            self.forgotten += 1;
            return;
        }
        let entry = self.known.entry(assignment.clone()).or_default();
        let was_taken = entry.is_taken();
        let read = self.read_at.filter(|read| word.at.plus_seconds(DOUBT_SECONDS) < *read);
        let then = read.map(|at| (at, entry.is_given(at)));
        entry.add(word);
        if let Some((at, given)) = then
            && entry.is_given(at) != given
        {
            entry.add(AssignmentWord { at, given, shown: true });
        }
        let is_taken = entry.is_taken();
        self.taken = self.taken + usize::from(is_taken) - usize::from(was_taken);
    }

    /// Makes room where there is none by forgetting all that were taken; whether there is.
    fn has_room(&mut self) -> bool {
        if self.known.len() >= self.max && self.taken > 0 {
            self.known.retain(|_, entry| !entry.is_taken());
            self.forgotten += self.taken as u64;
            self.taken = 0;
        }
        self.known.len() < self.max
    }

    /// The last word about an assignment.
    pub fn last(&self, assignment: &Assignment) -> Option<AssignmentWord> {
        self.known.get(assignment)?.last()
    }

    /// Since when an assignment is known to have been given at a time; none where it was not.
    pub fn given_since(&self, assignment: &Assignment, at: Timestamp) -> Option<Timestamp> {
        self.known.get(assignment)?.given_since(at)
    }

    /// Takes that all assignments were shown by a read that began then.
    pub fn read_whole(&mut self, at: Timestamp) {
        self.read_at = self.read_at.max(Some(at));
    }

    /// When all assignments were read last.
    pub fn read_at(&self) -> Option<Timestamp> {
        self.read_at
    }

    /// How many are known, those that were taken too.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many were not learnt, or forgotten, for want of room: what a read shows of them is no news.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// A read begins: none has been shown.
    pub fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Marks an assignment as shown, if it is known.
    pub fn mark(&mut self, assignment: &Assignment) {
        let round = self.round;
        if let Some(entry) = self.known.get_mut(assignment) {
            entry.round = round;
        }
    }

    /// Those behind one, in order, each with its last word and whether the read that is under way has shown it.
    pub fn after(
        &self,
        last: Option<&Assignment>,
    ) -> impl Iterator<Item = (&Assignment, AssignmentWord, bool)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.known.range((from, Bound::Unbounded));
        entries.filter_map(|(assignment, entry)| Some((assignment, entry.last()?, entry.round == self.round)))
    }

    /// All that is known, sorted.
    pub fn lines(&self) -> impl Iterator<Item = AssignmentLine> + '_ {
        self.known.iter().map(|(assignment, entry)| AssignmentLine {
            assignment: assignment.clone(),
            words: entry.words.to_vec(),
        })
    }

    /// Takes what [`Self::lines`] gave.
    pub fn restore(&mut self, line: AssignmentLine) {
        let AssignmentLine { assignment, words } = line;
        // A line without a word says nothing.
        if words.is_empty() || (!self.known.contains_key(&assignment) && !self.has_room()) {
            return;
        }
        let entry = self.known.entry(assignment).or_default();
        let was_taken = entry.is_taken();
        words.into_iter().for_each(|word| entry.add(word));
        let is_taken = entry.is_taken();
        self.taken = self.taken + usize::from(is_taken) - usize::from(was_taken);
    }
}

impl Entry {
    fn last(&self) -> Option<AssignmentWord> {
        self.words.last().copied()
    }

    /// Whether it was taken by the last word.
    fn is_taken(&self) -> bool {
        self.last().is_some_and(|last| !last.given)
    }

    /// The words until then.
    fn until(&self, at: Timestamp) -> &[AssignmentWord] {
        &self.words[..self.words.partition_point(|word| word.at <= at)]
    }

    fn is_given(&self, at: Timestamp) -> bool {
        self.until(at).last().is_some_and(|word| word.given)
    }

    fn given_since(&self, at: Timestamp) -> Option<Timestamp> {
        let until = self.until(at);
        let given = until.iter().rev().take_while(|word| word.given);
        given.last().map(|word| word.at)
    }

    fn add(&mut self, word: AssignmentWord) {
        let mut words = std::mem::take(&mut self.words).into_vec();
        let is_same = |known: &&mut AssignmentWord| (known.at, known.given) == (word.at, word.given);
        if let Some(known) = words.iter_mut().find(is_same) {
            // Who is told by both was told by the bus.
            known.shown &= word.shown;
        } else {
            let place = words.partition_point(|known| *known < word);
            words.insert(place, word);
        }
        for given in [true, false] {
            // The first time that it was given is worth more than any repetition.
            let keep_first = usize::from(given);
            let mut seen = 0;
            let count = words.iter().filter(|word| word.given == given).count();
            let surplus = count.saturating_sub(WORDS_MAX + keep_first);
            words.retain(|word| {
                let is_of = word.given == given;
                seen += usize::from(is_of);
                !(is_of && seen > keep_first && seen <= keep_first + surplus)
            });
        }
        self.words = words.into_boxed_slice();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{AssignmentScope, Holder};
    use crate::ids::Id;

    fn assignment(user: &str) -> Assignment {
        let (holder, scope) = (Holder::User(Id::new(user)), AssignmentScope::Project(Id::new("p")));
        Assignment { holder, scope, role: Id::new("admin"), inherited: false }
    }

    fn word(second: i64, given: bool) -> AssignmentWord {
        AssignmentWord { at: at(second), given, shown: false }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::EPOCH.plus_seconds(second)
    }

    fn heard(words: &[(i64, bool)]) -> Assignments {
        let mut assignments = Assignments::default();
        for &(second, given) in words {
            assignments.learn(&assignment("u"), word(second, given));
        }
        assignments
    }

    fn since(assignments: &Assignments, second: i64) -> Option<i64> {
        let since = assignments.given_since(&assignment("u"), at(second))?;
        Some(since.micros() / 1_000_000)
    }

    #[test]
    fn the_last_word_until_then_holds() {
        let assignments = heard(&[(30, true), (10, true), (20, false), (12, true)]);
        let found: Vec<_> = [9, 10, 15, 20, 29, 30, 99].map(|at| since(&assignments, at)).into();
        assert_eq!(found, [None, Some(10), Some(10), None, None, Some(30), Some(30)]);
        assert_eq!(since(&Assignments::default(), 9), None);
    }

    #[test]
    fn what_is_given_every_hour_is_known_since_the_first_time() {
        let words: Vec<_> = (1..100).map(|hour| (hour * 3600, true)).collect();
        let assignments = heard(&words);
        assert_eq!(since(&assignments, 1_000_000), Some(3600));
        assert_eq!(assignments.lines().next().expect("one").words.len(), WORDS_MAX + 1);
    }

    #[test]
    fn a_late_word_of_before_a_whole_read_changes_what_was_and_not_what_is() {
        let mut assignments = heard(&[(10, true)]);
        assignments.read_whole(at(1000));
        assignments.learn(&assignment("u"), word(500, false));
        assert_eq!((since(&assignments, 600), since(&assignments, 1000)), (None, Some(1000)));
        // Never shown, and so never there at the time of the read.
        let other = assignment("other");
        assignments.learn(&other, word(500, true));
        assert_eq!(assignments.given_since(&other, at(600)), Some(at(500)));
        assert_eq!(assignments.given_since(&other, at(1000)), None);
        // So short before the read that it may be later.
        assignments.learn(&other, word(1000 - DOUBT_SECONDS, true));
        assert_eq!(assignments.given_since(&other, at(1000)), None, "the read was later");
        assignments.learn(&assignment("third"), word(1000 - DOUBT_SECONDS, true));
        assert!(assignments.given_since(&assignment("third"), at(1000)).is_some());
    }

    #[test]
    fn beyond_the_bound_those_that_were_taken_go_and_then_nobody_comes() {
        let mut assignments = Assignments::with_max(3);
        for (user, given) in [("a", true), ("b", false), ("c", true), ("d", true), ("e", true)] {
            assignments.learn(&assignment(user), word(1, given));
        }
        let held: Vec<_> = assignments.lines().map(|line| line.assignment).collect();
        assert_eq!(held, ["a", "c", "d"].map(assignment));
        assert_eq!(assignments.forgotten(), 2);
        assignments.learn(&assignment("a"), word(2, false));
        assignments.learn(&assignment("e"), word(3, true));
        assert_eq!((assignments.len(), assignments.forgotten()), (3, 3));
    }

    #[test]
    fn only_what_the_read_under_way_has_shown_is_marked() {
        let mut assignments = Assignments::default();
        for user in ["a", "b", "c"] {
            assignments.learn(&assignment(user), word(1, true));
        }
        assignments.begin_round();
        assignments.mark(&assignment("b"));
        assignments.mark(&assignment("nobody"));
        let shown = |last: Option<&Assignment>| -> Vec<bool> {
            assignments.after(last).map(|(_, _, shown)| shown).collect()
        };
        assert_eq!(shown(None), [false, true, false]);
        assert_eq!(shown(Some(&assignment("b"))), [false]);
        assignments.begin_round();
        assert!(assignments.after(None).all(|(_, _, shown)| !shown));
    }

    proptest! {
        #[test]
        fn any_order_ends_the_same(
            words in prop::collection::vec((0i64..30, any::<bool>(), any::<bool>()), 0..40),
            seed in any::<u64>(),
        ) {
            let take = |words: &[(i64, bool, bool)]| {
                let mut assignments = Assignments::default();
                for &(second, given, shown) in words {
                    assignments.learn(&assignment("u"), AssignmentWord { shown, ..word(second, given) });
                }
                assignments.lines().collect::<Vec<_>>()
            };
            let mut other = words.clone();
            other.sort_by_key(|(at, given, shown)| (*at as u64 + u64::from(*given) * 7 + u64::from(*shown)).wrapping_mul(seed | 1));
            prop_assert_eq!(take(&words), take(&other));
        }

        #[test]
        fn what_is_written_down_and_read_back_is_the_same(
            words in prop::collection::vec((0i64..3000, any::<bool>()), 0..40),
            read in 0i64..3000,
        ) {
            let mut assignments = Assignments::default();
            for (number, &(second, given)) in words.iter().enumerate() {
                if number == words.len() / 2 {
                    assignments.read_whole(at(read));
                }
                assignments.learn(&assignment("u"), word(second, given));
            }
            let mut again = Assignments::default();
            assignments.read_at().into_iter().for_each(|at| again.read_whole(at));
            assignments.lines().for_each(|line| again.restore(line));
            let lines = |of: &Assignments| of.lines().collect::<Vec<_>>();
            prop_assert_eq!(lines(&assignments), lines(&again));
        }
    }
}
