//! What the index lacks, made of the records one step at a time: a leaf of some thousand records, or one segment of a block that is full.

use std::ops::{ControlFlow, RangeInclusive};

use osel_core::search::{BLOCK_RECORDS, LEAF_RECORDS, Leaf, SEARCH_FORM, block_of};

use super::super::record::read_record;
use super::merge::merge;
use crate::store::{Expiry, JournalError, NewSegment, Reader, Segment};

/// The segments of a block are not made one when they have more bytes together: usual ones have a tenth of it, and one segment is written in
/// one transaction.
const MERGED_BYTES_MAX: u64 = 64 << 20;

/// Which records are to be in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// As many as make whole leaves: more come.
    WholeLeaves,
    /// All of them.
    Any,
}

/// The next segment that the index is to have; none when it lacks nothing.
///
/// # Errors
/// When the store cannot be read.
pub fn next_step(reader: &mut dyn Reader, wanted: Lacking) -> Result<Option<NewSegment>, JournalError> {
    // Before anything that a segment is made of.
    let generation = reader.index_generation()?;
    let segments = present(reader)?;
    let full = segments.chunk_by(|one, other| block_of(one.first) == block_of(other.first));
    if let Some(block) = full.into_iter().find(|block| is_to_be_merged(block)) {
        let gone = reader.expiry()?;
        return merge(reader, block, generation, &gone).map(Some);
    }
    let head = reader.head()?.seq;
    let Some(records) = next_leaf(&segments, head, wanted) else { return Ok(None) };
    let gone = reader.expiry()?;
    leaf(reader, records, generation, &gone).map(Some)
}

/// The segments that can be read, in order.
pub(super) fn present(reader: &mut dyn Reader) -> Result<Vec<Segment>, JournalError> {
    let mut segments = Vec::new();
    reader.segments(&mut |segment| {
        if segment.form == SEARCH_FORM {
            segments.push(segment);
        }
        ControlFlow::Continue(())
    })?;
    Ok(segments)
}

fn is_to_be_merged(block: &[Segment]) -> bool {
    let (Some(first), Some(last)) = (block.first(), block.last()) else { return false };
    let is_whole = block.windows(2).all(|pair| pair[0].last + 1 == pair[1].first)
        && first.first <= (block_of(first.first) * BLOCK_RECORDS).max(1)
        && (last.last + 1).is_multiple_of(BLOCK_RECORDS);
    is_whole && block.len() > 1 && block.iter().map(|segment| segment.bytes).sum::<u64>() <= MERGED_BYTES_MAX
}

/// The first records that no segment has, as far as they make a leaf.
fn next_leaf(segments: &[Segment], head: u64, wanted: Lacking) -> Option<RangeInclusive<u64>> {
    let mut first = 1;
    let mut behind = u64::MAX;
    for segment in segments {
        if segment.first > first {
            behind = segment.first - 1;
            break;
        }
        first = segment.last + 1;
    }
    let end = (first / LEAF_RECORDS + 1) * LEAF_RECORDS - 1;
    let last = end.min(behind).min(head);
    let is_whole = last == end || last == behind;
    (first <= last && (is_whole || wanted == Lacking::Any)).then_some(first..=last)
}

fn leaf(
    reader: &mut dyn Reader,
    records: RangeInclusive<u64>,
    generation: u64,
    gone: &Expiry,
) -> Result<NewSegment, JournalError> {
    let first = *records.start();
    let mut last = first;
    let mut leaf = Leaf::default();
    reader.records(records, &mut |stored| {
        last = stored.seq;
        match read_record(&stored) {
            Some(record) => {
                leaf.add(record, |class| stored.seq <= gone.limit(class, stored.kind));
            }
            // Whoever searches comes upon it, and is told.
            None => leaf.add_unlisted(stored.seq),
        }
        if leaf.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(NewSegment { first, last, form: SEARCH_FORM, generation, pages: leaf.finish() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first: u64, last: u64) -> Segment {
        Segment { first, last, form: SEARCH_FORM, bytes: 10 }
    }

    #[test]
    fn leaves_are_made_from_the_first_record_that_the_index_lacks() {
        let check = |segments: &[(u64, u64)], head, wanted, leaf: Option<(u64, u64)>| {
            let segments: Vec<Segment> =
                segments.iter().map(|(first, last)| segment(*first, *last)).collect();
            assert_eq!(next_leaf(&segments, head, wanted), leaf.map(|(first, last)| first..=last));
        };
        check(&[], 0, Lacking::Any, None);
        check(&[], 4094, Lacking::WholeLeaves, None);
        check(&[], 4094, Lacking::Any, Some((1, 4094)));
        check(&[], 4095, Lacking::WholeLeaves, Some((1, 4095)));
        check(&[], 99_999, Lacking::WholeLeaves, Some((1, 4095)));
        check(&[(1, 4095)], 9000, Lacking::WholeLeaves, Some((4096, 8191)));
        check(&[(1, 4095), (4096, 8191)], 9000, Lacking::WholeLeaves, None);
        check(&[(1, 10)], 9000, Lacking::WholeLeaves, Some((11, 4095)));
        check(&[(1, 10), (21, 4095)], 9000, Lacking::WholeLeaves, Some((11, 20)));
        check(&[(4096, 8191)], 9000, Lacking::WholeLeaves, Some((1, 4095)));
    }

    #[test]
    fn a_block_is_merged_once_it_is_full() {
        assert!(!is_to_be_merged(&[]));
        assert!(!is_to_be_merged(&[segment(1, 65_535)]));
        assert!(is_to_be_merged(&[segment(1, 4095), segment(4096, 65_535)]));
        assert!(!is_to_be_merged(&[segment(1, 4095), segment(4097, 65_535)]));
        assert!(!is_to_be_merged(&[segment(1, 4095), segment(4096, 65_534)]));
        assert!(!is_to_be_merged(&[segment(65_537, 70_000), segment(70_001, 131_071)]));
        assert!(is_to_be_merged(&[segment(65_536, 70_000), segment(70_001, 131_071)]));
        let large = Segment { bytes: MERGED_BYTES_MAX, ..segment(4096, 65_535) };
        assert!(!is_to_be_merged(&[segment(1, 4095), large]));
    }
}
