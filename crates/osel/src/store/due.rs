//! What of a record and of a block of inputs is due to go: the part of letting go that is the same in every store.
//!
//! It changes values and knows no tables; where they come from and go back to is each store's own.

use super::data::{Entry, Expiry, PartContent, StoredPart};

/// How many records lose parts in one step at most: a quarter of a megabyte, rewritten in a few milliseconds.
pub(super) const RECORDS_AT_ONCE: u64 = 128;
/// How many blocks of versions go in one step; each has a few kilobytes, and 4 MiB at most.
pub(super) const VERSIONS_AT_ONCE: i64 = 4;
/// The class that stands for all parts that lie in entries: makers count theirs from 1.
pub(super) const IN_ENTRY: u8 = 0;
/// The kind that stands for all kinds of records: makers count theirs from 1.
pub(super) const ANY_KIND: u8 = 0;

/// Up to which record parts go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Of which class they are.
    pub(super) class: u8,
    /// Of which kind their records are.
    pub(super) kind: u8,
    /// The last record that loses them.
    pub(super) seq: u64,
}

/// What an order says, limit by limit.
pub(super) fn limits(expiry: &Expiry) -> impl Iterator<Item = Limit> {
    let of_all = expiry.parts.iter().map(|(&class, &seq)| Limit { class, kind: ANY_KIND, seq });
    of_all.chain(expiry.kinds.iter().map(|(&(class, kind), &seq)| Limit { class, kind, seq }))
}

/// Adds a limit to what an order is read back as.
pub(super) fn add(expiry: &mut Expiry, Limit { class, kind, seq }: Limit) {
    match (class, kind) {
        (IN_ENTRY, _) => None,
        (_, ANY_KIND) => expiry.parts.insert(class, seq),
        _ => expiry.kinds.insert((class, kind), seq),
    };
}

/// Takes away the parts of the record of that number and kind that may go; whether there were any.
pub(super) fn erase_parts(parts: &mut [StoredPart], (seq, kind): (u64, u8), limits: &[Limit]) -> bool {
    let is_of_kind = |limit: &Limit| matches!(limit.kind, ANY_KIND) || limit.kind == kind;
    let is_due =
        |class: u8| limits.iter().any(|limit| limit.class == class && is_of_kind(limit) && seq <= limit.seq);
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
