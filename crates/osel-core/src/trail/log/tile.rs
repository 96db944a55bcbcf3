//! Tiles and entry bundles (C2SP `tlog-tiles`): which files a log of some size consists of, how they are called and what is in them.
//!
//! Only whole tiles are hashed upward, so a full tile never changes; the last one of each level grows until it is full. Nothing here
//! serves anything: a [`Resource`] is a name, its content is made where the records are.

use super::super::canonical::CANONICAL_BYTES_MAX;
use super::super::hash::{Hash, leaf_hash};
use super::text::TREE_SIZE_MAX;

/// Hashes in a full tile, entries in a full bundle: C2SP's tiles are of height 8.
pub const TILE_WIDTH: u64 = 256;
/// Levels of tiles: 256^8 leaves are more than a checkpoint can tell.
pub const TILE_LEVELS: u8 = 8;
/// The longest entry of a bundle, by the two bytes before it: a record's longest form.
pub const ENTRY_BYTES_MAX: usize = CANONICAL_BYTES_MAX;
const _: () = assert!(ENTRY_BYTES_MAX == u16::MAX as usize);

const HASH_BYTES: usize = size_of::<Hash>();
const ENTRY_LENGTH_BYTES: usize = 2;
/// Every leaf's level has eight bits of a leaf's number.
const LEVEL_BITS: u32 = TILE_WIDTH.ilog2();

/// What a log serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// The latest checkpoint.
    Checkpoint,
    /// Hashes: of leaves at level 0, of full tiles of the level below at the others.
    Tile {
        /// From 0, below [`TILE_LEVELS`].
        level: u8,
        /// Which one of its level, from 0.
        index: u64,
        /// How many hashes, from 1 to [`TILE_WIDTH`].
        width: u16,
    },
    /// The entries whose hashes are the tile of level 0 with the same index and width.
    Entries {
        /// Which one, from 0.
        index: u64,
        /// How many entries, from 1 to [`TILE_WIDTH`].
        width: u16,
    },
}

/// Why bytes are no tile or bundle, or an entry cannot be put into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// It has not whole hashes, none, or more than a tile has.
    #[error("a tile has 1 to {TILE_WIDTH} hashes of 32 bytes, not {bytes} bytes")]
    Hashes {
        /// How long it is.
        bytes: usize,
    },
    /// An entry is longer than its length can tell.
    #[error("an entry of {bytes} bytes is longer than {ENTRY_BYTES_MAX}")]
    EntryLong {
        /// How long it is.
        bytes: usize,
    },
    /// The bundle ends within an entry.
    #[error("the bundle ends within entry {entry}")]
    Cut {
        /// Which one, from 0.
        entry: usize,
    },
    /// It has no entries, or more than a bundle has.
    #[error("a bundle has 1 to {TILE_WIDTH} entries")]
    Entries,
    /// The tile has more or fewer hashes than the bundle has entries.
    #[error("{entries} entries do not go with {hashes} hashes")]
    Widths {
        /// Entries in the bundle.
        entries: usize,
        /// Hashes in the tile.
        hashes: usize,
    },
    /// An entry is not the one whose hash the tile has.
    #[error("entry {entry} of the bundle has another hash than the tile says")]
    Hash {
        /// Which one, from 0.
        entry: usize,
    },
}

impl Resource {
    /// Where it is served, below the log's prefix and without a slash before it.
    pub fn path(&self) -> String {
        let (folder, index, width) = match self {
            Self::Checkpoint => return "checkpoint".to_owned(),
            Self::Tile { level, index, width } => (format!("tile/{level}/"), *index, *width),
            Self::Entries { index, width } => ("tile/entries/".to_owned(), *index, *width),
        };
        let mut path = format!("{:03}", index % 1000);
        let mut above = index / 1000;
        while above > 0 {
            path = format!("x{:03}/{path}", above % 1000);
            above /= 1000;
        }
        let partial = if self.is_full() { String::new() } else { format!(".p/{width}") };
        folder + &path + &partial
    }

    /// What is served at a path that a client names; none when the path is not exactly as [`Self::path`] writes it, or no tree
    /// reaches as far.
    pub fn parse(path: &str) -> Option<Self> {
        if path == "checkpoint" {
            return Some(Self::Checkpoint);
        }
        let (folder, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|&width| 0 < width && width < FULL)?),
            None => (rest, FULL),
        };
        let mut index = 0_u64;
        for group in number.split('/') {
            let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
            index = index.checked_mul(1000)?.checked_add(group)?;
        }
        let (resource, level) = if folder == "entries" {
            (Self::Entries { index, width }, 0)
        } else {
            let level = folder.parse().ok().filter(|&level| level < TILE_LEVELS)?;
            (Self::Tile { level, index, width }, level)
        };
        // Where it begins is a leaf that a tree can have, so that nobody who works with its place has to think of an overflow.
        let last = TREE_SIZE_MAX.checked_shr(LEVEL_BITS * (u32::from(level) + 1)).unwrap_or(0);
        (index <= last && resource.path() == path).then_some(resource)
    }

    /// Whether it never changes: a tile or bundle that has all that it can have.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Checkpoint => false,
            Self::Tile { width, .. } | Self::Entries { width, .. } => *width == FULL,
        }
    }
}

/// [`TILE_WIDTH`] as a width.
const FULL: u16 = TILE_WIDTH as u16;

/// All tiles and bundles of a tree: the full ones and the last of each level, which is not full. Entries first, then upward, so
/// that what a hash stands for is there before it.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Resource> {
    let entries = widths(size).map(|(index, width)| Resource::Entries { index, width });
    let tiles = (0..TILE_LEVELS).flat_map(move |level| {
        let nodes = size >> (LEVEL_BITS * u32::from(level));
        widths(nodes).map(move |(index, width)| Resource::Tile { level, index, width })
    });
    entries.chain(tiles)
}

/// Index and width of what holds so many hashes or entries.
fn widths(count: u64) -> impl Iterator<Item = (u64, u16)> {
    let (full, rest) = (count / TILE_WIDTH, (count % TILE_WIDTH) as u16);
    (0..full).map(|index| (index, FULL)).chain((rest > 0).then_some((full, rest)))
}

/// Adds an entry to a bundle.
///
/// # Errors
/// When it is too long for one; `out` is as before.
pub fn push_entry(out: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
    let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryLong { bytes: entry.len() })?;
    out.extend(length.to_be_bytes());
    out.extend(entry);
    Ok(())
}

/// The entries of a bundle, full or not.
///
/// # Errors
/// When it is cut, or has too many.
pub fn read_entries(mut bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let cut = TileError::Cut { entry: entries.len() };
        let (length, rest) = bytes.split_first_chunk::<ENTRY_LENGTH_BYTES>().ok_or(cut)?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(cut)?;
        if entries.len() == usize::from(FULL) {
            return Err(TileError::Entries);
        }
        entries.push(entry);
        bytes = rest;
    }
    if entries.is_empty() { Err(TileError::Entries) } else { Ok(entries) }
}

/// The hashes of a tile, full or not.
///
/// # Errors
/// When it is no tile.
pub fn read_hashes(bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if hashes.is_empty() || hashes.len() > usize::from(FULL) || !rest.is_empty() {
        return Err(TileError::Hashes { bytes: bytes.len() });
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// Checks a bundle's entries against the hashes of its tile of level 0.
///
/// # Errors
/// The first entry that is another one, or that they are not as many.
pub fn check_entries(entries: &[&[u8]], hashes: &[Hash]) -> Result<(), TileError> {
    if entries.len() != hashes.len() {
        return Err(TileError::Widths { entries: entries.len(), hashes: hashes.len() });
    }
    match entries.iter().zip(hashes).position(|(entry, hash)| leaf_hash(entry) != *hash) {
        Some(entry) => Err(TileError::Hash { entry }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_written() {
        let tile = |level, index, width| Resource::Tile { level, index, width };
        let entries = |index, width| Resource::Entries { index, width };
        for (resource, path) in [
            (Resource::Checkpoint, "checkpoint"),
            (tile(0, 0, 256), "tile/0/000"),
            (tile(0, 999, 256), "tile/0/999"),
            (tile(0, 1000, 256), "tile/0/x001/000"),
            (tile(7, 0, 1), "tile/7/000.p/1"),
            (tile(1, 1_234_067, 44), "tile/1/x001/x234/067.p/44"),
            (entries(1_234_067, 256), "tile/entries/x001/x234/067"),
            (entries(0, 255), "tile/entries/000.p/255"),
            (tile(0, TREE_SIZE_MAX >> 8, 255), "tile/0/x036/x028/x797/x018/x963/967.p/255"),
        ] {
            assert_eq!(resource.path(), path);
            assert_eq!(Resource::parse(path), Some(resource), "{path}");
        }
        for path in [
            "",
            "/checkpoint",
            "checkpoint/",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/+00",
            "tile/00/000",
            "tile/+0/000",
            "tile/8/000",
            "tile/63/000",
            "tile/256/000",
            "tile/data/000",
            "tile/8/0/000",
            "tile/0/x1/000",
            "tile/0/x000/000",
            "tile/0/x001/00",
            "tile/0/001/000",
            "tile/0/x001",
            "tile/0/xx001/000",
            "tile/0/x001/x000",
            "tile/0/x001//000",
            "tile/0/000/",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/044",
            "tile/0/000.p/+44",
            "tile/0/000.p/44/",
            "tile/0/000.p/44.p/44",
            "tile/0/..",
            "tile/entries",
            "tile/entries/000.P/1",
            "tile/7/001",
            // One more than a tree can have, and more than a number can.
            "tile/0/x036/x028/x797/x018/x963/968",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(Resource::parse(path), None, "{path}");
        }
        assert_eq!(Resource::parse(&format!("tile/0/{}000", "x000/".repeat(10_000))), None);
    }

    #[test]
    fn what_a_tree_consists_of() {
        let paths = |size| tiles_of(size).map(|resource| resource.path()).collect::<Vec<_>>();
        assert!(paths(0).is_empty());
        assert_eq!(paths(1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(paths(256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        let all: Vec<_> = tiles_of(70_000).collect();
        let level = |wanted| {
            let of_level =
                |resource: &&Resource| matches!(resource, Resource::Tile { level, .. } if *level == wanted);
            let tiles: Vec<_> = all.iter().filter(of_level).collect();
            let full = tiles.iter().filter(|tile| tile.is_full()).count();
            (full, tiles.last().map(|tile| tile.path()))
        };
        assert_eq!(level(0), (273, Some("tile/0/273.p/112".to_owned())));
        assert_eq!(level(1), (1, Some("tile/1/001.p/17".to_owned())));
        assert_eq!(level(2), (0, Some("tile/2/000.p/1".to_owned())));
        assert_eq!(level(3), (0, None));
        assert_eq!(all.len(), 2 * 274 + 2 + 1);
        // The largest tree has tiles at every level, of names that are read.
        let top = Resource::Tile { level: 7, index: 0, width: 127 };
        let nodes = TREE_SIZE_MAX >> 56;
        assert_eq!(
            widths(nodes).map(|(index, width)| Resource::Tile { level: 7, index, width }).last(),
            Some(top)
        );
        assert_eq!(Resource::parse(&top.path()), Some(top));
    }

    #[test]
    fn bundles_are_whole() {
        let mut bytes = Vec::new();
        let longest = vec![b'x'; ENTRY_BYTES_MAX];
        for entry in [&b""[..], b"one", &longest] {
            push_entry(&mut bytes, entry).expect("fits");
        }
        assert_eq!(read_entries(&bytes), Ok(vec![&b""[..], b"one", &longest]));
        for (end, entry) in [(1, 0), (3, 1), (6, 1), (8, 2), (bytes.len() - 1, 2)] {
            assert_eq!(read_entries(&bytes[..end]), Err(TileError::Cut { entry }), "{end}");
        }
        assert_eq!(read_entries(b""), Err(TileError::Entries));
        assert_eq!(read_entries(&[0; 512]).map(|entries| entries.len()), Ok(256));
        assert_eq!(read_entries(&[0; 514]), Err(TileError::Entries));
        let before = bytes.clone();
        let long = TileError::EntryLong { bytes: ENTRY_BYTES_MAX + 1 };
        assert_eq!(push_entry(&mut bytes, &[0; ENTRY_BYTES_MAX + 1]), Err(long));
        assert_eq!(bytes, before);
    }

    #[test]
    fn tiles_have_whole_hashes_and_not_too_many() {
        assert_eq!(read_hashes(&[7; 64]), Ok(vec![Hash([7; 32]); 2]));
        assert_eq!(read_hashes(&[7; 8192]).map(|hashes| hashes.len()), Ok(256));
        for bytes in [0, 31, 33, 8191, 8193, 8224] {
            assert_eq!(read_hashes(&vec![7; bytes]), Err(TileError::Hashes { bytes }));
        }
    }
}
