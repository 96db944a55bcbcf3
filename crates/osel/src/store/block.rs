//! Many small things compressed as one: the entries of a commit, its object versions, the chunks of a
//! snapshot.
//!
//! Messages of one cloud repeat each other, so that a batch compresses far better than each alone, and costs
//! one row. A block carries a checksum and the number it begins with: a damaged or misplaced one is found
//! when it is read.

use std::fmt;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, get_frame_content_size};

use osel_core::time::Timestamp;

use super::code::{Malformed, Take, put_bytes};
use super::data::{Entry, EntryKind, VALUE_BYTES_MAX, VersionSet};

/// Level 1 keeps up with the bus on one core; higher ones win a tenth in size for a multiple of the time.
const LEVEL: i32 = 1;
/// A block ends once it has this many bytes uncompressed, so that one entry is read back without reading
/// hundreds.
const BLOCK_BYTES_TARGET: usize = 4 << 20;
/// The most bytes that a block may claim: one value of the largest size that completes a block begun by
/// others.
const BLOCK_BYTES_MAX: usize = BLOCK_BYTES_TARGET + VALUE_BYTES_MAX + (1 << 20);
/// Working memory that is kept from one block to the next; what an inventory needed beyond it is given back.
const KEPT_BYTES_MAX: usize = 16 << 20;
const ENTRIES_FORM: u8 = 1;
const VERSIONS_FORM: u8 = 2;
const ERASED: u8 = 1;

/// Packs blocks, keeping its working memory.
pub struct Packer {
    compressor: Compressor<'static>,
    raw: Vec<u8>,
    packed: Vec<u8>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    /// A packer.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> std::io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self { compressor, raw: Vec::new(), packed: Vec::new() })
    }

    /// Packs as many of the entries, which follow each other, as fit a block; returns how many and the block.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn entries(&mut self, entries: &[Entry]) -> std::io::Result<(usize, &[u8])> {
        self.begin(ENTRIES_FORM);
        self.raw.extend_from_slice(&entries.first().map_or(0, |first| first.number).to_le_bytes());
        let mut count = 0;
        for entry in entries {
            self.raw.push(entry.kind.0);
            self.raw.push(if entry.erased { ERASED } else { 0 });
            self.raw.extend_from_slice(&entry.at.micros().to_le_bytes());
            put_bytes(&mut self.raw, entry.source.as_bytes());
            put_bytes(&mut self.raw, &entry.head);
            put_bytes(&mut self.raw, &entry.body);
            count += 1;
            if self.raw.len() >= BLOCK_BYTES_TARGET {
                break;
            }
        }
        Ok((count, self.end()?))
    }

    /// Packs as many of the versions as fit a block; returns how many and the block.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn versions(&mut self, versions: &[VersionSet]) -> std::io::Result<(usize, &[u8])> {
        self.begin(VERSIONS_FORM);
        let mut count = 0;
        for version in versions {
            self.raw.extend_from_slice(&version.seq.to_le_bytes());
            put_bytes(&mut self.raw, &version.data);
            count += 1;
            if self.raw.len() >= BLOCK_BYTES_TARGET {
                break;
            }
        }
        Ok((count, self.end()?))
    }

    /// Packs bytes as they are.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<&[u8]> {
        self.raw.clear();
        self.raw.extend_from_slice(bytes);
        self.end()
    }

    fn begin(&mut self, form: u8) {
        self.raw.clear();
        self.raw.push(form);
    }

    fn end(&mut self) -> std::io::Result<&[u8]> {
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(self.raw.len()));
        self.compressor.compress_to_buffer(&self.raw, &mut self.packed)?;
        self.raw.clear();
        self.raw.shrink_to(KEPT_BYTES_MAX);
        if self.packed.capacity() > KEPT_BYTES_MAX {
            self.packed.shrink_to_fit();
        }
        Ok(&self.packed)
    }
}

/// Unpacks a block into the bytes that were packed.
///
/// # Errors
/// When it is damaged.
pub fn unpack(block: &[u8]) -> Result<Vec<u8>, Malformed> {
    let damaged = Malformed("a compressed block is damaged");
    let size = get_frame_content_size(block).ok().flatten().ok_or(damaged)?;
    let size = usize::try_from(size).ok().filter(|size| *size <= BLOCK_BYTES_MAX).ok_or(damaged)?;
    let mut decompressor =
        Decompressor::new().map_err(|_| Malformed("there is no memory to read a block"))?;
    let bytes = decompressor.decompress(block, size).map_err(|_| damaged)?;
    if bytes.len() == size { Ok(bytes) } else { Err(damaged) }
}

/// Reads the entries of a block that is kept as `first..=last`.
///
/// # Errors
/// When it is damaged or another block.
pub fn read_entries(block: &[u8], first: u64, last: u64) -> Result<Vec<Entry>, Malformed> {
    let raw = unpack(block)?;
    let mut from = Take(&raw);
    if from.byte()? != ENTRIES_FORM {
        return Err(Malformed("a block of entries is in an unknown form"));
    }
    if from.number()? != first {
        return Err(Malformed("a block of entries begins with another number"));
    }
    let mut entries = Vec::new();
    let mut number = first;
    while !from.is_empty() {
        let kind = EntryKind(from.byte()?);
        let erased = match from.byte()? {
            0 => false,
            ERASED => true,
            _ => return Err(Malformed("an entry has unknown flags")),
        };
        let at = Timestamp::from_micros(i64::from_le_bytes(from.array()?));
        let source = from.text()?.into();
        let (head, body) = (from.bytes()?.to_vec(), from.bytes()?.to_vec());
        entries.push(Entry { number, at, kind, source, head, body, erased });
        number = number.checked_add(1).ok_or(Malformed("an entry's number is beyond all numbers"))?;
    }
    if number.checked_sub(1) == Some(last) {
        Ok(entries)
    } else {
        Err(Malformed("a block of entries has another number of entries"))
    }
}

/// Reads the versions of a block.
///
/// # Errors
/// When it is damaged or another block.
pub fn read_versions(block: &[u8]) -> Result<Vec<VersionSet>, Malformed> {
    let raw = unpack(block)?;
    let mut from = Take(&raw);
    if from.byte()? != VERSIONS_FORM {
        return Err(Malformed("a block of versions is in an unknown form"));
    }
    let mut versions = Vec::new();
    while !from.is_empty() {
        versions.push(VersionSet { seq: from.number()?, data: from.bytes()?.to_vec() });
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: u64, body_bytes: usize) -> Vec<Entry> {
        (7..7 + count)
            .map(|number| Entry {
                number,
                at: Timestamp::from_micros(number as i64),
                kind: EntryKind::MESSAGE,
                source: "region-one".into(),
                head: format!("{{\"routing_key\":\"notifications.info\",\"n\":{number}}}").into_bytes(),
                body: vec![number as u8; body_bytes],
                erased: number == 8,
            })
            .collect()
    }

    #[test]
    fn entries_come_back() {
        let mut packer = Packer::new().unwrap();
        let entries = entries(5, 1000);
        let (count, block) = packer.entries(&entries).unwrap();
        assert_eq!(count, 5);
        assert!(block.len() < 500, "{}", block.len());
        assert_eq!(read_entries(block, 7, 11), Ok(entries));
        assert!(read_entries(block, 8, 12).is_err());
        assert!(read_entries(block, 7, 12).is_err());
        assert!(read_entries(block, 7, 10).is_err());
        assert!(read_versions(block).is_err());
    }

    #[test]
    fn a_block_ends_when_it_is_full() {
        let mut packer = Packer::new().unwrap();
        let entries = entries(3, BLOCK_BYTES_TARGET / 2);
        assert_eq!(packer.entries(&entries).unwrap().0, 2);
        assert_eq!(packer.entries(&entries[2..]).unwrap().0, 1);
    }

    #[test]
    fn versions_come_back() {
        let mut packer = Packer::new().unwrap();
        let versions: Vec<_> =
            (0..4).map(|at| VersionSet { seq: 3 + at / 2, data: vec![at as u8; at as usize] }).collect();
        let (count, block) = packer.versions(&versions).unwrap();
        assert_eq!((count, read_versions(block)), (4, Ok(versions)));
    }

    #[test]
    fn every_damaged_byte_is_found() {
        let mut packer = Packer::new().unwrap();
        let entries = entries(3, 40);
        let block = packer.entries(&entries).unwrap().1.to_vec();
        for at in 0..block.len() {
            for bit in 0..8 {
                let mut damaged = block.clone();
                damaged[at] ^= 1 << bit;
                // A flag of the frame may mean nothing; then the content is what it was.
                if let Ok(read) = read_entries(&damaged, 7, 9) {
                    assert_eq!(read, entries, "{at} {bit}");
                }
            }
        }
        for length in 0..block.len() {
            assert!(read_entries(&block[..length], 7, 9).is_err(), "{length}");
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        // A frame header that claims 2^40 bytes: magic, descriptor (8-byte size, single segment), size.
        let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1110_0000];
        bomb.extend_from_slice(&(1_u64 << 40).to_le_bytes());
        assert_eq!(unpack(&bomb), Err(Malformed("a compressed block is damaged")));
    }
}
