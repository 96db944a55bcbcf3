//! Hashes of a store's log, a tile at a time: proofs of records that lie beside each other need the same ones again and again.

use std::ops::Range;

use osel_core::trail::Hash;
use osel_core::trail::log::TILE_WIDTH;

use crate::runtime::log::kept;
use crate::store::{JournalError, Reader};

/// So many tiles are kept, of 8 KiB each: a proof needs two of each level, and there are three levels in a log of ten million records.
const TILES_MAX: usize = 16;

/// The tiles of the log at one size.
#[derive(Debug)]
pub(super) struct Tiles {
    size: u64,
    /// With level and place, the one used last at the end.
    kept: Vec<((u8, u64), Vec<Hash>)>,
}

impl Tiles {
    pub(super) fn new(size: u64) -> Self {
        Self { size, kept: Vec::new() }
    }

    /// The hashes of a level in a range of their places, as far as the store has them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn hashes(
        &mut self,
        reader: &mut dyn Reader,
        level: u8,
        range: Range<u64>,
    ) -> Result<Vec<Hash>, JournalError> {
        let mut hashes = Vec::new();
        let mut next = range.start;
        while next < range.end {
            let (tile, offset) = (next / TILE_WIDTH, (next % TILE_WIDTH) as usize);
            let wanted = (range.end - next).min(TILE_WIDTH - offset as u64) as usize;
            let found = self.tile(reader, level, tile)?;
            let Some(part) = found.get(offset..offset + wanted) else { break };
            hashes.extend_from_slice(part);
            next += wanted as u64;
        }
        Ok(hashes)
    }

    fn tile(&mut self, reader: &mut dyn Reader, level: u8, tile: u64) -> Result<&[Hash], JournalError> {
        let name = (level, tile);
        let found = match self.kept.iter().position(|(kept, _)| *kept == name) {
            Some(at) => self.kept.remove(at),
            None => {
                let full = self.size.checked_shr(u32::from(level) * TILE_WIDTH.ilog2()).unwrap_or(0);
                let first = tile.saturating_mul(TILE_WIDTH);
                let end = first.saturating_add(TILE_WIDTH).min(full);
                if self.kept.len() == TILES_MAX {
                    self.kept.remove(0);
                }
                (name, kept::hashes(reader, level, first..end)?)
            }
        };
        self.kept.push(found);
        Ok(self.kept.last().map_or(&[], |(_, hashes)| hashes))
    }
}
