//! One file from a place on, line by line, packed or not. A line that is not written to its end is waited for.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;
use osel_core::decode::BODY_BYTES_MAX;
use sha2::{Digest, Sha256};

use crate::source::place::Place;

/// The longest line that is kept whole: a body at its own limit as a text in JSON, where a quotation mark takes two bytes and the two of an
/// `é` six, and its properties. A recording that somebody replays may have longer ones; here nobody is to make osel as large as a file is.
pub(super) const LINE_BYTES_MAX: usize = 3 * BODY_BYTES_MAX + (1 << 20);
/// How much is read at once.
const READ_BYTES: usize = 256 << 10;
/// The memory that is kept for what is read: enough for lines as they are. One long line must not hold more for ever.
const BUFFER_BYTES_KEPT: usize = 4 * READ_BYTES;
/// A file is known by so many bytes of its first line: a message with its time of reception is among them.
const BEGINNING_BYTES: usize = 1024;
/// What packed files begin with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Which file it is, whatever it is called. It is given to no other file while this one is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

/// By what it is seen that somebody writes to a file: its length, and when that was.
type Extent = (u64, SystemTime);

/// What became of a packed file since it was opened.
pub(super) enum Rewritten {
    /// Nothing.
    Not,
    /// Somebody writes to it, for all that can be seen.
    Now,
    /// It is another one, and was left alone since the last look.
    Before,
}

/// Why a packed file is read no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It breaks off, as one does that somebody writes.
    CutShort,
    /// What follows cannot be unpacked, and that is told.
    Damaged,
}

/// A file that is being read.
pub(super) struct Tail {
    /// The same open file as the reader's, for its state.
    file: File,
    reader: Box<dyn Read + Send>,
    is_packed: bool,
    /// How it was when it was opened.
    opened_as: Extent,
    /// How it was when it was looked at last.
    seen_as: Extent,
    /// What was read and not taken as a line.
    buffer: Vec<u8>,
    /// How much of the buffer was taken.
    taken: usize,
    /// How much of it has no end of a line.
    searched: usize,
    /// Unpacked bytes that were taken as lines.
    offset: u64,
    beginning: Option<[u8; 16]>,
    /// A line too long to be kept: what is left of it, and how many bytes of it were dropped.
    cut: Option<(Vec<u8>, u64)>,
    /// Why what follows is not read.
    end: Option<End>,
    /// Where that was known before.
    known_damage: Option<u64>,
}

impl Tail {
    /// A file from its start.
    ///
    /// # Errors
    /// When it is not there, cannot be read or is no file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // A pipe without a writer would never be opened.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let file = File::open(path)?;
        let opened_as = extent(&file)?;
        let mut start = [0; GZIP.len()];
        let is_packed = file.read_at(&mut start, 0)? == GZIP.len() && start == GZIP;
        let reader: Box<dyn Read + Send> = if is_packed {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, file.try_clone()?)))
        } else {
            Box::new(file.try_clone()?)
        };
        Ok(Self {
            file,
            reader,
            is_packed,
            opened_as,
            seen_as: opened_as,
            buffer: Vec::new(),
            taken: 0,
            searched: 0,
            offset: 0,
            beginning: None,
            cut: None,
            end: None,
            known_damage: None,
        })
    }

    /// A file from a place on; none when it is not that file, or no longer has all that was read of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn resume(path: &Path, place: Place) -> io::Result<Option<Self>> {
        let mut tail = Self::open(path)?;
        if !tail.begins_as(place)? {
            return Ok(None);
        }
        if tail.is_packed {
            while (tail.buffer.len() as u64) < place.offset - tail.offset {
                tail.offset += tail.buffer.len() as u64;
                tail.buffer.clear();
                if !tail.fill()? {
                    return Ok(None);
                }
            }
            tail.taken = usize::try_from(place.offset - tail.offset).map_err(io::Error::other)?;
        } else {
            if tail.file.metadata()?.len() < place.offset {
                return Ok(None);
            }
            tail.file.seek(SeekFrom::Start(place.offset))?;
            tail.buffer.clear();
        }
        tail.offset = place.offset;
        tail.beginning = Some(place.beginning);
        // It is tried all the same: it may have been put right.
        tail.known_damage = place.is_damaged.then_some(place.offset);
        Ok(Some(tail))
    }

    /// Whether this file, of which no line was taken yet, begins as the one with that place.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn begins_as(&mut self, place: Place) -> io::Result<bool> {
        while self.buffer.len() < BEGINNING_BYTES && !self.buffer.contains(&b'\n') && self.fill()? {}
        Ok(beginning(&self.buffer) == Some(place.beginning))
    }

    /// Reads on; whether there was anything.
    ///
    /// # Errors
    /// When it cannot be read, or what is packed is damaged.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.end.is_some() {
            return Ok(false);
        }
        self.buffer.drain(..std::mem::take(&mut self.taken));
        if self.cut.is_some() || self.buffer.len() > LINE_BYTES_MAX {
            let dropped = self.buffer.len() as u64;
            let (_, before) = self.cut.get_or_insert_with(|| {
                // One byte more than a body may have: the decoder says that it is too large.
                (self.buffer.get(..=BODY_BYTES_MAX).unwrap_or(&self.buffer).to_vec(), 0)
            });
            *before += dropped;
            self.buffer.clear();
            self.searched = 0;
        }
        if self.buffer.len() <= READ_BYTES && self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        }
        let length = self.buffer.len();
        self.buffer.resize(length + READ_BYTES, 0);
        let read = loop {
            match self.reader.read(self.buffer.get_mut(length..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        read.map(|read| read > 0)
    }

    /// The next line without its end, of what was read. `is_all` says that nothing follows: then what has no end is a line as well.
    pub(super) fn line(&mut self, is_all: bool) -> Option<Vec<u8>> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let end = rest.get(self.searched..).and_then(|rest| memchr::memchr(b'\n', rest));
        let length = match end {
            Some(end) => self.searched + end + 1,
            None if is_all && (!rest.is_empty() || self.cut.is_some()) => rest.len(),
            None => {
                self.searched = rest.len();
                return None;
            }
        };
        let line = rest.get(..length).unwrap_or_default();
        if self.beginning.is_none() {
            self.beginning = match &self.cut {
                Some((kept, _)) => beginning(kept),
                None => beginning(line),
            };
        }
        let (line, dropped) = match self.cut.take() {
            Some(cut) => cut,
            None => (line.strip_suffix(b"\n").unwrap_or(line).to_vec(), 0),
        };
        self.taken += length;
        self.searched = 0;
        self.offset += dropped + length as u64;
        Some(line)
    }

    /// Where the last line that was taken ends; none before the first.
    pub(super) fn place(&self) -> Option<Place> {
        Some(Place { beginning: self.beginning?, offset: self.offset, is_damaged: self.is_damaged() })
    }

    /// Reads no further, since what follows cannot be unpacked; whether that is new.
    pub(super) fn is_newly_damaged(&mut self) -> bool {
        self.end = Some(End::Damaged);
        !self.is_known_damage()
    }

    /// Whether it was known before that what follows here cannot be unpacked.
    pub(super) fn is_known_damage(&self) -> bool {
        self.known_damage == Some(self.offset)
    }

    /// Whether what is packed breaks off or cannot be unpacked, which is told.
    pub(super) fn is_damaged(&self) -> bool {
        self.end == Some(End::Damaged)
    }

    /// Reads no further for now: it breaks off, and may be written to yet.
    pub(super) fn breaks_off(&mut self) {
        self.end = Some(End::CutShort);
    }

    /// Whether it breaks off, and that is not told.
    pub(super) fn is_cut_short(&self) -> bool {
        self.end == Some(End::CutShort)
    }

    /// Whether it has as much as when it was opened, or more.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(super) fn has_grown(&self) -> io::Result<bool> {
        Ok(extent(&self.file)?.0 >= self.opened_as.0)
    }

    /// Whether it is read from beginning to end, and not as it grows.
    pub(super) fn is_packed(&self) -> bool {
        self.is_packed
    }

    /// Whether something was read of which no line was taken.
    pub(super) fn has_part(&self) -> bool {
        self.buffer.len() > self.taken || self.cut.is_some()
    }

    /// Whether it still is what it was when it was read: files are cut to be used again.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn is_whole(&self) -> io::Result<bool> {
        if self.is_packed {
            return Ok(true);
        }
        let waiting = (self.buffer.len() - self.taken) as u64;
        let read = self.offset + self.cut.as_ref().map_or(0, |(_, dropped)| *dropped) + waiting;
        if self.file.metadata()?.len() < read {
            return Ok(false);
        }
        let Some(known) = self.beginning else { return Ok(true) };
        let mut start = [0; BEGINNING_BYTES];
        let length = self.file.read_at(&mut start, 0)?;
        Ok(beginning(start.get(..length).unwrap_or_default()) == Some(known))
    }

    /// Whether a packed file was written to since it was opened, which nothing that is read of it shows.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(super) fn rewritten(&mut self) -> io::Result<Rewritten> {
        let now = extent(&self.file)?;
        let before = std::mem::replace(&mut self.seen_as, now);
        Ok(match () {
            () if now != before => Rewritten::Now,
            () if now != self.opened_as => Rewritten::Before,
            () => Rewritten::Not,
        })
    }

    /// Whether that path leads to this file.
    ///
    /// # Errors
    /// When one of the two cannot be asked.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<bool> {
        Ok(FileId::of(&self.file.metadata()?) == FileId::of(&fs::metadata(path)?))
    }

    /// Which file it is, and when it was written to last.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(super) fn state(&self) -> io::Result<(FileId, SystemTime)> {
        let metadata = self.file.metadata()?;
        Ok((FileId::of(&metadata), metadata.modified()?))
    }
}

fn extent(file: &File) -> io::Result<Extent> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified()?))
}

/// What a file is known by: its first line, or so much of it; none of a line that has not ended.
fn beginning(text: &[u8]) -> Option<[u8; 16]> {
    let first = text.get(..BEGINNING_BYTES).unwrap_or(text);
    let first = match memchr::memchr(b'\n', first) {
        Some(end) => first.get(..end)?,
        None if first.len() == BEGINNING_BYTES => first,
        None => return None,
    };
    Sha256::digest(first).first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::PathBuf;

    use super::*;

    /// A file that goes with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, content: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("osel-tail-{name}-{}", std::process::id()));
            fs::write(&path, content).unwrap();
            Self(path)
        }

        fn append(&self, content: &[u8]) {
            File::options().append(true).open(&self.0).unwrap().write_all(content).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// All lines that can be had now.
    fn lines(tail: &mut Tail) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        loop {
            while let Some(line) = tail.line(false) {
                lines.push(line);
            }
            if !tail.fill().unwrap() {
                return lines;
            }
        }
    }

    #[test]
    fn a_line_is_taken_when_it_has_its_end() {
        let file = Scratch::new("lines", b"one\ntw");
        let mut tail = Tail::open(&file.0).unwrap();
        assert_eq!(lines(&mut tail), [b"one"]);
        assert_eq!(tail.place().unwrap().offset, 4);
        assert!(tail.has_part() && tail.is_whole().unwrap());
        file.append(b"o\n\nthree");
        assert_eq!(lines(&mut tail), [&b"two"[..], b""]);
        // Nobody will write on.
        assert_eq!(tail.line(true).as_deref(), Some(&b"three"[..]));
        assert_eq!((tail.line(true), tail.place().unwrap().offset), (None, 14));
    }

    #[test]
    fn a_place_is_found_again_in_the_same_file_only() {
        let file = Scratch::new("place", b"one\ntwo\nthree\n");
        let mut tail = Tail::open(&file.0).unwrap();
        assert!(tail.place().is_none());
        tail.fill().unwrap();
        tail.line(false).unwrap();
        let place = tail.place().unwrap();
        assert_eq!(lines(&mut Tail::resume(&file.0, place).unwrap().unwrap()), [&b"two"[..], b"three"]);
        for other in [&b"One\ntwo\nthree\n"[..], b"one", b"on", b""] {
            fs::write(&file.0, other).unwrap();
            assert!(Tail::resume(&file.0, place).unwrap().is_none(), "{other:?}");
        }
        // It begins as the other did and is shorter than what was read.
        let later = Place { offset: 9, ..place };
        fs::write(&file.0, "one\ntwo\n").unwrap();
        assert!(Tail::resume(&file.0, later).unwrap().is_none());
    }

    #[test]
    fn what_was_cut_is_noticed_although_it_has_grown() {
        let file = Scratch::new("cut", b"one\n");
        let mut tail = Tail::open(&file.0).unwrap();
        lines(&mut tail);
        file.append(b"two\n");
        assert!(tail.is_whole().unwrap());
        fs::write(&file.0, "another\nand one more\n").unwrap();
        assert!(!tail.is_whole().unwrap());
        fs::write(&file.0, "").unwrap();
        assert!(!tail.is_whole().unwrap());
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let file = Scratch::new("long", b"");
        let block = vec![b'x'; 1 << 20];
        let blocks = 2 * LINE_BYTES_MAX / block.len();
        (0..blocks).for_each(|_| file.append(&block));
        file.append(b"\nnext\n");
        let mut tail = Tail::open(&file.0).unwrap();
        let (mut lengths, mut largest) = (Vec::new(), 0);
        while tail.fill().unwrap() {
            largest = largest.max(tail.buffer.capacity());
            // What is left out needs no more memory than what is read at once.
            assert!(tail.cut.is_none() || tail.buffer.capacity() <= BUFFER_BYTES_KEPT);
            lengths.extend(std::iter::from_fn(|| tail.line(false)).map(|line| line.len()));
        }
        assert_eq!(lengths, [BODY_BYTES_MAX + 1, 4]);
        assert!(largest <= 6 * BODY_BYTES_MAX, "{largest}");
        // What it took is given back.
        let kept = tail.buffer.capacity();
        assert!(kept <= BUFFER_BYTES_KEPT, "{kept}");
        let place = tail.place().unwrap();
        assert_eq!(place.offset, (blocks * block.len() + 6) as u64);
        assert!(Tail::resume(&file.0, place).unwrap().is_some());
    }
}
