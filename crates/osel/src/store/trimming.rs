//! When old checkpoints of the log are removed: the same in every store.

use super::data::CHECKPOINTS_KEPT;

/// So many checkpoints may be added before those beyond [`CHECKPOINTS_KEPT`] are removed: to find them takes a step for each that is kept.
const TRIM_EVERY: usize = 256;

/// Counts the checkpoints that a writer added.
#[derive(Debug)]
pub(super) struct Trimming {
    added: usize,
}

impl Trimming {
    /// A writer's; the first checkpoint removes what an earlier writer left.
    pub(super) fn new() -> Self {
        Self { added: TRIM_EVERY }
    }

    /// Takes that so many are added, and says whether old ones are to be removed.
    pub(super) fn is_due(&mut self, added: usize) -> bool {
        self.added += added;
        let is_due = added > 0 && self.added > TRIM_EVERY;
        if is_due {
            self.added = 0;
        }
        is_due
    }

    /// How many of the latest checkpoints stay before the last of the others, as SQL has numbers.
    pub(super) fn kept() -> i64 {
        i64::try_from(CHECKPOINTS_KEPT).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_checkpoint_of_a_writer_and_then_every_so_many() {
        let mut trimming = Trimming::new();
        assert!(!trimming.is_due(0));
        assert!(trimming.is_due(1));
        assert!((0..TRIM_EVERY).all(|_| !trimming.is_due(1)));
        assert!(trimming.is_due(1));
        assert!(trimming.is_due(TRIM_EVERY + 1));
    }
}
