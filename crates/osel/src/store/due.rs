//! What of a record and of a block of inputs is due to go: the part of letting go that is the same in every store.
//!
//! It changes values and knows no tables; where they come from and go back to is each store's own.

use super::data::{Entry, PartContent, StoredPart};

/// How many records lose parts in one step at most: a quarter of a megabyte, rewritten in a few milliseconds.
pub(super) const RECORDS_AT_ONCE: u64 = 128;
/// How many blocks of versions go in one step; each has a few kilobytes, and 4 MiB at most.
pub(super) const VERSIONS_AT_ONCE: i64 = 4;
/// The class that stands for all parts that lie in entries: makers count theirs from 1.
pub(super) const IN_ENTRY: u8 = 0;

/// Takes away the parts of a record that may go, by class up to which record they do; whether there were any.
pub(super) fn erase_parts(parts: &mut [StoredPart], seq: u64, limits: &[(u8, u64)]) -> bool {
    let is_due = |class: u8| limits.iter().any(|(limited, limit)| *limited == class && seq <= *limit);
    let mut erased = false;
    for part in parts {
        let due = match part.content {
            PartContent::InEntry => is_due(IN_ENTRY) || is_due(part.class),
            PartContent::Bytes(_) => is_due(part.class),
            PartContent::Gone => false,
        };
        if due {
            part.content = PartContent::Gone;
            part.salt = [0; 16];
            erased = true;
        }
    }
    erased
}

/// Takes everything from the entries of a block but from those that are held; whether there was anything.
pub(super) fn keep_held(entries: &mut [Entry], held: &[u64]) -> bool {
    let mut changed = false;
    for entry in entries.iter_mut().filter(|entry| !entry.erased && !held.contains(&entry.number)) {
        let Entry { number, at, kind, .. } = *entry;
        *entry =
            Entry { number, at, kind, source: "".into(), head: Vec::new(), body: Vec::new(), erased: true };
        changed = true;
    }
    changed
}
