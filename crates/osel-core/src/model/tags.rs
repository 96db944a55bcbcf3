//! Lists of tags that many objects have are one list in memory, and a change of one is noted.
//!
//! Whoever owns an object chooses its tags, so what is shared is bounded in number and size; what finds no room is kept once per object.
//! Nothing may depend on whether a list is shared.

use std::collections::BTreeSet;

use super::changes::Changes;
use crate::event::Tags;

/// The most lists that are shared: a large cloud has some thousands of clusters, each with a list of its own. With
/// [`SHARED_BYTES_MAX`] they take 8 MB and their overhead at the very most.
const SHARED_LISTS_MAX: usize = 16_384;
/// The longest list that is shared, in bytes of its texts: those of programs have a few words.
const SHARED_BYTES_MAX: usize = 512;

/// The lists that are shared.
#[derive(Clone, Debug, Default)]
pub(super) struct TagLists {
    lists: BTreeSet<Tags>,
    /// How many found no room since those that nobody has any more were thrown out.
    refused: usize,
}

impl TagLists {
    /// Has a list that is equal to one that is known be that one.
    pub(super) fn share(&mut self, tags: &mut Tags) {
        if tags.is_empty() {
            return;
        }
        if let Some(known) = self.lists.get(tags) {
            tags.clone_from(known);
            return;
        }
        if tags.iter().map(str::len).sum::<usize>() > SHARED_BYTES_MAX {
            return;
        }
        if self.lists.len() >= SHARED_LISTS_MAX {
            self.refused += 1;
            // Seldom enough that looking through all of them costs next to nothing each time.
            if self.refused < SHARED_LISTS_MAX {
                return;
            }
            self.refused = 0;
            self.lists.retain(|list| !list.is_alone());
        }
        if self.lists.len() < SHARED_LISTS_MAX {
            self.lists.insert(tags.clone());
        }
    }

    /// Takes that an object with these tags, or one that nobody knew, has those now. Of a new one that is no change: whatever hangs on its
    /// tags hangs on its rows as well.
    pub(super) fn note(&mut self, before: Option<&Tags>, after: &mut Tags, changes: &mut Changes) {
        match before {
            Some(before) if before == after => after.clone_from(before),
            _ => {
                changes.retagged |= before.is_some();
                self.share(after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(tag: &str) -> Tags {
        Tags::new([tag])
    }

    #[test]
    fn equal_lists_are_one() {
        let mut lists = TagLists::default();
        let (mut one, mut other) = (list("a"), list("a"));
        lists.share(&mut one);
        lists.share(&mut other);
        drop(lists);
        assert!(!one.is_alone());
        drop(other);
        assert!(one.is_alone());
        let mut long = Tags::new((0..3).map(|number| number.to_string().repeat(200)));
        TagLists::default().share(&mut long);
        assert!(long.is_alone());
    }

    /// Somebody who invents tags fills memory to a bound, and does not keep others from sharing for ever.
    #[test]
    fn what_is_shared_is_bounded() {
        let mut lists = TagLists::default();
        for number in 0..SHARED_LISTS_MAX {
            lists.share(&mut list(&format!("junk {number}")));
        }
        let mut kept = list("web");
        for _ in 0..SHARED_LISTS_MAX - 1 {
            lists.share(&mut kept);
            assert!(kept.is_alone());
        }
        assert_eq!(lists.lists.len(), SHARED_LISTS_MAX);
        lists.share(&mut kept);
        assert!(!kept.is_alone());
        assert_eq!(lists.lists.len(), 1);
    }
}
