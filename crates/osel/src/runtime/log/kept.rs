//! What a store keeps of the log's tree, as whoever computes with it asks for it: leaves and nodes alike, by level and place.

use std::ops::{ControlFlow, Range};

use osel_core::trail::Hash;

use crate::store::{JournalError, Reader};

/// The hashes of a level (0: leaves, the records' own) from the place `range.start` to before `range.end`, as many of them as there are
/// without a gap.
///
/// # Errors
/// When the store cannot be read.
pub fn hashes(reader: &mut dyn Reader, level: u8, range: Range<u64>) -> Result<Vec<Hash>, JournalError> {
    let Range { start, end } = range;
    let mut hashes = Vec::new();
    if start >= end {
        return Ok(hashes);
    }
    if level == 0 {
        // Record n is leaf n - 1.
        reader.leaves(start + 1..=end, &mut |hash| {
            hashes.push(Hash(hash));
            ControlFlow::Continue(())
        })?;
        return Ok(hashes);
    }
    let mut due = start;
    reader.nodes(level, start..=end - 1, &mut |node| {
        if node.index != due {
            return ControlFlow::Break(());
        }
        due += 1;
        hashes.push(Hash(node.hash));
        ControlFlow::Continue(())
    })?;
    Ok(hashes)
}

/// The same as the functions of `osel_core::trail::log` take it.
pub fn kept(
    reader: &mut dyn Reader,
) -> impl FnMut(u8, Range<u64>) -> Result<Vec<Hash>, JournalError> + use<'_> {
    |level, range| hashes(reader, level, range)
}
