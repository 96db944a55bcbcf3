//! Up to where a file is known to have what was sent.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

use flate2::{Crc, CrcReader};
use osel_core::time::Timestamp;

/// The form of marks that is written and understood.
const VERSION: &str = "1";

/// A file, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// By what a line is recognised: a file's number is given to another one soon after it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineSum {
    /// How long it is, with its end.
    bytes: u64,
    /// CRC-32, which is enough for what nobody forges.
    sum: u32,
}

impl LineSum {
    pub(super) fn of(line: &[u8]) -> Self {
        let mut sum = Crc::new();
        sum.update(line);
        Self { bytes: line.len() as u64, sum: sum.sum() }
    }

    /// Whether a file has that line before a length.
    pub(super) fn is_before(self, file: &File, length: u64) -> io::Result<bool> {
        let Some(start) = length.checked_sub(self.bytes) else { return Ok(false) };
        let mut content = BufReader::new(file);
        content.seek(SeekFrom::Start(start))?;
        let mut line = CrcReader::new(content.take(self.bytes));
        io::copy(&mut line, &mut io::sink())?;
        Ok(line.crc().sum() == self.sum && u64::from(line.crc().amount()) == self.bytes)
    }
}

/// What is kept with the place: all that was sent before it is in that file up to that length, or in files before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub(super) file: FileId,
    /// In bytes.
    pub(super) length: u64,
    /// The line before that.
    pub(super) end: LineSum,
    /// When the last record in it was recorded.
    pub(super) last: Timestamp,
    /// What the file is called once it is rotated, behind its own name: it is found by that when it was compressed.
    pub(super) born: String,
}

impl Mark {
    /// Reads what [`Display`](fmt::Display) wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next()? != VERSION {
            return None;
        }
        let mut number = || words.next()?.parse::<u64>().ok();
        let (device, inode, length, micros) = (number()?, number()?, number()?, number()?);
        let end = LineSum { bytes: number()?, sum: u32::try_from(number()?).ok()? };
        let born = words.next().filter(|born| super::rotated::is_stem(born))?.to_owned();
        let last = Timestamp::from_micros(i64::try_from(micros).ok()?);
        words.next().is_none().then_some(Self { file: FileId { device, inode }, length, end, last, born })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file: FileId { device, inode }, length, end: LineSum { bytes, sum }, last, born } = self;
        write!(f, "{VERSION} {device} {inode} {length} {} {bytes} {sum} {born}", last.micros().max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_nothing_else_is() {
        let mark = Mark {
            file: FileId { device: 64_769, inode: 4_711 },
            length: 1_234_567,
            end: LineSum::of(b"line\n"),
            last: Timestamp::parse("2026-11-26T10:00:00Z").unwrap(),
            born: "20261126T090000Z-000000000042".to_owned(),
        };
        let text = mark.to_string();
        assert_eq!(Mark::parse(&text), Some(mark));
        for odd in ["", "1", "2 1 1 1 1 1 1 20261126T090000Z-000000000042", "1 1 1 1 1 1 1 ../x"] {
            assert_eq!(Mark::parse(odd), None, "{odd}");
        }
        assert_eq!(Mark::parse(&format!("{text} more")), None);
    }
}
