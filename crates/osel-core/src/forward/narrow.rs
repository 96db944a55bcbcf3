//! Finding the one line at which a receiver fails, without taking a receiver that fails for a line that is bad.
//!
//! A receiver that says that it failed may have failed at something in the batch. When that happens again and again, batches are halved
//! until one line alone fails again and again: it is *suspected*. What is behind it is then tried right after it. If that passes,
//! the suspected line is to blame, and is given up; if that fails as well, again and again, it is suspected too. When more lines are
//! suspected than [`SUSPECTS_MAX`], or nothing is behind them, everything waits: no line is given up before a later one has passed, and none
//! is handed over after a later one has. A line that the receiver names, or calls too large alone, is suspected at once: a limit that is set too
//! low, as of a proxy, and a receiver that likes nothing of ours say the same of every line.

use super::limits::{FAILED_TRIES, SUSPECTS_MAX};

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The next batch at once.
    Next,
    /// A wait, and then from the first line again.
    Wait,
}

/// How far the search has come.
#[derive(Clone, Debug)]
pub(super) struct Narrow {
    /// The most lines of a batch.
    items: usize,
    items_max: usize,
    /// How often in a row what is behind the suspected lines has failed.
    tries: usize,
    /// So many lines at the front are suspected.
    suspects: usize,
    /// What was said of those of them that have just failed once more.
    failed: Vec<String>,
}

impl Narrow {
    /// Nothing has failed, and a batch has so many lines at most.
    pub(super) fn new(items_max: usize) -> Self {
        Self { items: items_max, items_max, tries: 0, suspects: 0, failed: Vec::new() }
    }

    /// Which of the waiting lines the next batch begins with: those before have just failed.
    pub(super) fn at(&self) -> usize {
        self.failed.len()
    }

    /// The most lines of the next batch.
    pub(super) fn items(&self) -> usize {
        if self.suspects > 0 { 1 } else { self.items }
    }

    /// A batch has passed: what is to be said of the lines before it, which are to blame.
    pub(super) fn passed(&mut self) -> Vec<String> {
        let items = self.items.saturating_mul(2).min(self.items_max);
        let passed = std::mem::replace(self, Self { items, ..Self::new(self.items_max) });
        passed.failed
    }

    /// The receiver failed at a batch of so many lines; `is_last` says that no line waits behind it.
    pub(super) fn failed(&mut self, lines: usize, is_last: bool, words: &str) -> Then {
        if self.at() < self.suspects {
            self.failed.push(words.to_owned());
            if !is_last {
                return Then::Next;
            }
        } else {
            self.count(lines);
        }
        self.failed.clear();
        Then::Wait
    }

    /// The receiver refuses one line alone: whether it is that line is known when it takes a later one.
    pub(super) fn alone_refused(&mut self, is_last: bool, words: &str) -> Then {
        if self.at() == self.suspects && self.suspects < SUSPECTS_MAX {
            self.suspects += 1;
            self.tries = 0;
        }
        self.failed(1, is_last, words)
    }

    fn count(&mut self, lines: usize) {
        self.tries += 1;
        if lines > 1 && (self.tries >= FAILED_TRIES || self.items < self.items_max) {
            (self.items, self.tries) = (lines / 2, 0);
        } else if lines == 1 && self.tries >= FAILED_TRIES && self.suspects < SUSPECTS_MAX {
            self.suspects += 1;
            self.tries = 0;
        }
    }

    /// So many lines were more than the receiver takes at once.
    pub(super) fn too_large(&mut self, lines: usize) {
        *self = Self { items: (lines / 2).max(1), ..Self::new(self.items_max) };
    }

    /// The receiver has judged single lines: it does not fail.
    pub(super) fn judged(&mut self) {
        *self = Self { items: self.items, ..Self::new(self.items_max) };
    }

    /// Something else was in the way, which says nothing of lines.
    pub(super) fn interrupted(&mut self) {
        self.failed.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Sends lines 0 to `lines` to a receiver that fails at the bad ones: which were given up, after how many batches.
    fn given_up(lines: usize, items_max: usize, bad: &[usize]) -> (Vec<usize>, usize) {
        let mut narrow = Narrow::new(items_max);
        let mut waiting: Vec<usize> = (0..lines).collect();
        let (mut given_up, mut passed) = (Vec::new(), BTreeSet::new());
        for batch in 0..1_000 {
            if waiting.is_empty() {
                return (given_up, batch);
            }
            let at = narrow.at();
            let end = (at + narrow.items()).min(waiting.len());
            assert!(at < end, "an empty batch");
            if waiting[at..end].iter().any(|line| bad.contains(line)) {
                narrow.failed(end - at, end == waiting.len(), "no");
            } else {
                assert!(waiting[at..end].iter().all(|line| passed.iter().all(|before| before < line)));
                passed.extend(waiting.drain(at..end));
                assert_eq!(narrow.passed().len(), at);
                given_up.extend(waiting.drain(..at));
            }
        }
        (given_up, usize::MAX)
    }

    #[test]
    fn a_bad_line_is_found_and_nothing_else_given_up() {
        assert_eq!(given_up(100, 50, &[]), (vec![], 2));
        for bad in 0..99 {
            let (found, batches) = given_up(100, 50, &[bad]);
            assert_eq!(found, [bad]);
            assert!(batches < 50, "{bad}: {batches}");
        }
        assert_eq!(given_up(20, 8, &[0, 1, 2, 9, 18]).0, [0, 1, 2, 9, 18]);
    }

    #[test]
    fn when_everything_fails_it_is_the_receiver() {
        let all: Vec<usize> = (0..20).collect();
        assert_eq!(given_up(20, 8, &all), (vec![], usize::MAX));
        // The last one waits for a later one to pass.
        assert_eq!(given_up(20, 8, &[19]), (vec![], usize::MAX));
        let in_a_row = |count: usize| (3..3 + count).collect::<Vec<_>>();
        let bad = in_a_row(SUSPECTS_MAX);
        assert_eq!(given_up(20, 8, &bad).0, bad);
        assert_eq!(given_up(20, 8, &in_a_row(SUSPECTS_MAX + 1)), (vec![], usize::MAX));
    }

    #[test]
    fn whoever_recovers_gets_everything() {
        let mut narrow = Narrow::new(4);
        let mut waits = 0;
        while waits < 200 {
            let at = narrow.at();
            waits += usize::from(narrow.failed(narrow.items().min(20 - at), false, "no") == Then::Wait);
        }
        // Back: what is tried first after a wait is the first line.
        assert_eq!(narrow.at(), 0);
        assert!(narrow.passed().is_empty());
        assert_eq!(narrow.items(), 2);
    }
}
