//! A hash map for look-up that grows in parts: one that doubles stops everything for as long as a million moves take.

use std::borrow::Borrow;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash};

use super::{FixedState, Map};

/// How many parts there are: of a million entries one has so many that doubling it takes about a millisecond.
const PARTS: usize = 32;

/// Where in a hash the part stands, in bits: what a part goes by itself are the first and the last ones.
const PART_SHIFT: u32 = 40;

/// Entries in parts by their hash; no order of theirs means anything.
#[derive(Clone, Debug)]
pub struct PartedMap<K, V> {
    /// None before there is an entry.
    parts: Vec<Map<K, V>>,
}

impl<K, V> Default for PartedMap<K, V> {
    fn default() -> Self {
        Self { parts: Vec::new() }
    }
}

impl<K: Hash + Eq, V> PartedMap<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Map::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(Map::is_empty)
    }

    /// The value of a key.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.parts.get(part_of(key))?.get(key)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.parts.get_mut(part_of(key))?.get_mut(key)
    }

    /// The place of a key.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, Map::default);
        }
        self.parts[part_of(&key)].entry(key)
    }

    /// Takes an entry out.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.parts.get_mut(part_of(key))?.remove(key)
    }

    /// All entries, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flatten()
    }
}

fn part_of<Q: Hash + ?Sized>(key: &Q) -> usize {
    (FixedState::default().hash_one(key) >> PART_SHIFT) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Id;
    use super::*;

    #[test]
    fn is_a_map_whose_parts_are_alike() {
        let (mut map, mut truth) = (PartedMap::default(), BTreeMap::new());
        assert!(map.is_empty() && map.get(&Id::new("1")).is_none() && map.remove(&Id::new("1")).is_none());
        let id = |number: u32| Id::from_uuid((u128::from(number) << 64).to_be_bytes());
        for number in 0..20_000_u32 {
            *map.entry(id(number % 16_000)).or_default() += 1;
            *truth.entry(id(number % 16_000)).or_default() += 1;
        }
        for number in (0..16_000).step_by(3) {
            assert_eq!(map.remove(&id(number)), truth.remove(&id(number)));
        }
        if let Some(value) = map.get_mut(&id(1)) {
            *value = 7;
            truth.insert(id(1), 7);
        }
        assert!(!map.is_empty() && map.len() == truth.len());
        assert_eq!(map.iter().map(|(id, value)| (id.clone(), *value)).collect::<BTreeMap<Id, i32>>(), truth);
        assert!(truth.iter().all(|(id, value)| map.get(id) == Some(value)));
        let largest = map.parts.iter().map(Map::len).max().unwrap_or_default();
        assert!(largest < 2 * map.len() / PARTS, "{largest} of {}", map.len());
    }
}
