//! The records of a run: what each of them becomes, and which lines a receiver will not take.

use osel_core::forward::{LineId, Rendered};

/// How many records a trail has in the end. The last one is taken by every receiver, so that one that fails before it can be told from a
/// receiver that fails.
pub(super) const RECORDS: u64 = 60;

/// What a receiver has against a line before it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// It refuses the line and would take the others.
    Refuses,
    /// It fails whenever the line is in a batch.
    Fails,
}

/// The bytes of the lines of a record: a third of all have none, some have several, some have one that is too large for every batch.
fn lines_of(seq: u64) -> Vec<usize> {
    match seq % 9 {
        0 | 3 => Vec::new(),
        5 => vec![20, 20, 20],
        7 => vec![200],
        _ => vec![10],
    }
}

/// What it becomes.
pub(super) fn rendered(seq: u64) -> Rendered {
    Rendered::of(seq, lines_of(seq))
}

/// The lines of a record.
pub(super) fn ids_of(seq: u64) -> impl Iterator<Item = LineId> {
    (0_u32..).take(lines_of(seq).len()).map(move |line| LineId { seq, line })
}

/// What receivers that look at lines have against one.
pub(super) fn against(id: LineId) -> Option<Against> {
    match id.seq {
        RECORDS => None,
        seq if seq % 11 == 4 && id.line == 0 => Some(Against::Refuses),
        // Two in a row.
        seq if seq % 17 == 10 || seq % 17 == 11 => Some(Against::Fails),
        _ => None,
    }
}
