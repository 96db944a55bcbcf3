//! Lines that are in the file already and were not known to be: what was written before osel was stopped and before its place was kept.
//!
//! They are compared with what is sent next, a line at a time, for as long as they are the same. The first difference ends that: whatever
//! comes then is written behind what is there, so that a record may be there twice but never not at all.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::mark::{FileId, Mark};
use super::rotated;

/// The most files that are looked through: so many were rotated between two commits of the store, or since the beginning of a forwarder
/// whose place was never kept. With more, what they have is written again.
const FILES_MAX: usize = 64;
/// How much is read at once.
const READ_BYTES: usize = 1 << 16;

/// How a line compares with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// It is there.
    Same,
    /// Nothing more is there.
    AtEnd,
    /// The end of the current file is its beginning, and no end of line follows: it was being written.
    Torn,
    /// Something else is there.
    Other,
}

/// How far a file has what was sent.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) file: FileId,
    /// In bytes.
    pub(super) length: u64,
    /// What it is called once it is rotated, behind its own name; none as long as none of its records is known.
    pub(super) born: Option<String>,
}

/// What may be there: the rest of one file, and those that came after it. The last one is the current one.
pub(super) struct Ahead {
    parts: VecDeque<Part>,
}

struct Part {
    content: BufReader<Box<dyn Read + Send>>,
    spot: Spot,
}

impl Ahead {
    /// What lies beyond a mark; without one, all that there is. `current` is read from its beginning.
    pub(super) fn beyond(mark: Option<&Mark>, path: &Path, mut current: File) -> io::Result<Self> {
        let metadata = current.metadata()?;
        let file = FileId::of(&metadata);
        let (mut parts, mut skipped): (VecDeque<Part>, u64) = (VecDeque::new(), 0);
        // How far the current file is known without being read again.
        let (mut start, mut born) = (0, None);
        let stems: Vec<String> = rotated::all(path)?.into_keys().collect();
        // What was rotated is known by its name: its number may be another file's by now, once it was compressed.
        let later = match mark {
            None => Some(&stems[..]),
            Some(mark) => stems.iter().position(|stem| *stem == mark.born).map(|at| &stems[at..]),
        };
        if let Some(later) = later {
            if later.len() < FILES_MAX {
                parts = later.iter().map(|stem| Part::rotated(path, stem)).collect::<io::Result<_>>()?;
                skipped = mark.map_or(0, |mark| mark.length);
            }
        } else if let Some(mark) = mark {
            if mark.file == file {
                // Otherwise it was emptied, or is another one with the same number: what it has came after that.
                if metadata.len() >= mark.length && mark.end.is_before(&current, mark.length)? {
                    (start, born) = (mark.length, Some(mark.born.clone()));
                }
                current.seek(SeekFrom::Start(start))?;
            } else if let Some(moved) = rotated::moved(path, mark.file) {
                let spot = Spot { file: mark.file, length: 0, born: Some(mark.born.clone()) };
                parts.push_back(Part::new(Box::new(rotated::read_only(&moved)?), spot));
                skipped = mark.length;
            }
        }
        parts.push_back(Part::new(Box::new(current), Spot { file, length: start, born }));
        if let Some(first) = parts.front_mut() {
            first.spot.length += io::copy(&mut first.content.by_ref().take(skipped), &mut io::sink())?;
        }
        Ok(Self { parts })
    }

    /// Compares the next line, which has no end of line.
    pub(super) fn compare(&mut self, line: &[u8]) -> Compared {
        loop {
            let is_current = self.parts.len() == 1;
            let Some(part) = self.parts.front_mut() else { return Compared::AtEnd };
            match part.compare(line) {
                Ok(Compared::AtEnd) if !is_current => {
                    self.parts.pop_front();
                }
                Ok(Compared::Torn) if !is_current => return Compared::Other,
                Ok(compared) => return compared,
                // What cannot be read cannot be relied upon.
                Err(_) => return Compared::Other,
            }
        }
    }

    /// Where the comparison is.
    pub(super) fn spot(&mut self) -> Option<&mut Spot> {
        self.parts.front_mut().map(|part| &mut part.spot)
    }

    /// How far it came in the current file.
    pub(super) fn end(mut self) -> Option<Spot> {
        self.parts.pop_back().map(|part| part.spot)
    }
}

impl Part {
    fn new(content: Box<dyn Read + Send>, spot: Spot) -> Self {
        Self { content: BufReader::with_capacity(READ_BYTES, content), spot }
    }

    fn rotated(path: &Path, stem: &str) -> io::Result<Self> {
        let (content, file) = rotated::open(path, stem)?;
        Ok(Self::new(content, Spot { file, length: 0, born: Some(stem.to_owned()) }))
    }

    fn compare(&mut self, line: &[u8]) -> io::Result<Compared> {
        let mut same = 0;
        while same < line.len() {
            let there = self.content.fill_buf()?;
            if there.is_empty() {
                return Ok(if same == 0 { Compared::AtEnd } else { Compared::Torn });
            }
            let count = there.len().min(line.len() - same);
            if there[..count] != line[same..same + count] {
                return Ok(Compared::Other);
            }
            self.content.consume(count);
            same += count;
        }
        match self.content.fill_buf()?.first() {
            Some(b'\n') => {
                self.content.consume(1);
                self.spot.length += line.len() as u64 + 1;
                Ok(Compared::Same)
            }
            Some(_) => Ok(Compared::Other),
            None => Ok(if line.is_empty() { Compared::AtEnd } else { Compared::Torn }),
        }
    }
}
