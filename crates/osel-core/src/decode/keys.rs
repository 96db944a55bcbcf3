//! Keys that stand twice in one object: two readers may take two different values.
//!
//! A filter says of nearly every key at once that it is new. Small objects are compared where it does not,
//! large ones are sorted when they end, so that no object costs more than its size and a logarithm.

use super::defect::{DefectKind, Fault};
use super::tape::Scanned;

/// Objects with more keys than this are checked by sorting.
const KEYS_COMPARED_MAX: u32 = 64;

/// Keys of one object seen so far.
#[derive(Default)]
pub(super) struct Seen {
    filter: [u64; 8],
    count: u32,
}

impl Seen {
    /// Adds a key; true when one like it may be there and should be looked for now.
    #[inline(always)]
    pub(super) fn may_have(&mut self, key: &[u8]) -> bool {
        let hash = hash(key);
        let (slot, bit) = (hash as usize % 8, 1 << (hash >> 3 & 63));
        let before = self.filter[slot];
        self.filter[slot] |= bit;
        self.count += 1;
        before & bit != 0 && self.count <= KEYS_COMPARED_MAX
    }

    /// Whether there were too many to compare each with the others.
    #[inline(always)]
    pub(super) fn were_not_compared(&self) -> bool {
        self.count > KEYS_COMPARED_MAX
    }
}

/// A hash of a key that tells OpenStack's keys apart: from its length, its first and its last bytes.
#[inline(always)]
fn hash(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (first, last) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
            }
            _ => (key.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
        },
    };
    let mixed = (first ^ last.rotate_left(23) ^ key.len() as u64).wrapping_mul(FACTOR);
    mixed >> 52
}

fn repeated(key_start: usize) -> Fault {
    Fault::byte(DefectKind::DuplicateKey, key_start - 1)
}

/// Compares a key, which starts there, with those before it in its object.
pub(super) fn compare_with_others(
    text: &[u8],
    found: &Scanned,
    container: usize,
    key: &[u8],
    start: usize,
) -> Result<(), Fault> {
    let mut other = container + 1;
    while other < found.nodes.len() {
        if found.key(text, other) == key {
            return Err(repeated(start));
        }
        other = found.nodes[other].next as usize;
    }
    Ok(())
}

/// Compares all keys of an object with each other.
#[cold]
pub(super) fn compare_all(text: &[u8], found: &Scanned, container: usize) -> Result<(), Fault> {
    let mut keys = Vec::new();
    let mut at = container + 1;
    while at < found.nodes.len() {
        keys.push((found.key(text, at), at));
        at = found.nodes[at].next as usize;
    }
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(repeated(found.nodes[pair[1].1].key_start as usize)),
        None => Ok(()),
    }
}
