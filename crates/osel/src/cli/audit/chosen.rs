//! Numbers of records that were chosen, few or very many.

use std::collections::BTreeMap;
use std::iter;

use osel_core::search::{BLOCK_RECORDS, Bits, block_of, place_in_block};

use crate::store::Numbers;

/// Numbers of records: two bytes each where they are scattered, a bit where they are many, so that ten million need two megabytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    blocks: BTreeMap<u64, Bits>,
}

impl Chosen {
    /// Adds one; says whether it is new.
    pub(super) fn insert(&mut self, seq: u64) -> bool {
        self.blocks.entry(block_of(seq)).or_default().insert(place_in_block(seq).into())
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.blocks.values().map(Bits::len).sum()
    }

    /// All of them in their order, those that follow each other together.
    pub(super) fn runs(&self) -> impl Iterator<Item = Numbers> {
        let mut numbers = self
            .blocks
            .iter()
            .flat_map(|(block, places)| {
                places.iter().map(move |place| block * BLOCK_RECORDS + u64::from(place))
            })
            .peekable();
        iter::from_fn(move || {
            let first = numbers.next()?;
            let mut last = first;
            while let Some(next) = numbers.next_if_eq(&(last + 1)) {
                last = next;
            }
            Some(first..=last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_comes_in_order_and_once() {
        let mut chosen = Chosen::default();
        assert_eq!((chosen.count(), chosen.runs().next()), (0, None));
        for seq in [65_536, 7, 3, 65_535, 4, 3, 5, 1 << 40] {
            chosen.insert(seq);
        }
        assert!(!chosen.insert(7) && chosen.insert(9));
        assert_eq!(chosen.count(), 8);
        let runs: Vec<Numbers> = chosen.runs().collect();
        assert_eq!(runs, [3..=5, 7..=7, 9..=9, 65_535..=65_536, (1 << 40)..=(1 << 40)]);
    }
}
