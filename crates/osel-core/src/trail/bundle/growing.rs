//! The tree that grows beside a bundle that is checked.

use super::super::hash::Hash;
use super::super::merkle::Tree;

/// A tree whose last two leaves can still be put into question.
#[derive(Clone, Debug, Default)]
pub(super) struct Growing {
    settled: Tree,
    recent: Vec<Hash>,
}

impl Growing {
    /// How many leaves can still be put into question.
    const RECENT: usize = 2;

    pub(super) fn push(&mut self, leaf: Hash) {
        if self.recent.len() == Self::RECENT {
            self.settled.push(self.recent.remove(0));
        }
        self.recent.push(leaf);
    }

    pub(super) fn root(&self) -> Hash {
        self.root_over(&self.recent)
    }

    /// The root that there would be with another leaf before the last.
    pub(super) fn root_with(&self, before_last: Hash) -> Hash {
        match *self.recent {
            [_, last] => self.root_over(&[before_last, last]),
            _ => self.root(),
        }
    }

    fn root_over(&self, recent: &[Hash]) -> Hash {
        let mut tree = self.settled.clone();
        recent.iter().for_each(|&leaf| tree.push(leaf));
        tree.root()
    }
}
