//! The files that were rotated: their names, and which of them are there.
//!
//! One is called `FILE.TIME-SEQ`, by the first record in it, and `FILE.TIME-SEQ.gz` or `.zst` once it is compressed: in the order of their
//! names they are in that of the trail, and the one that has a record is found without looking into any.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use osel_core::time::Timestamp;
use rustix::fs::OFlags;

use super::mark::FileId;
use crate::config::FileCompression;

/// `20261126T090000Z`
const TIME_BYTES: usize = 16;
/// So many digits has the number of a record, so that names sort as numbers do: a trail of a million a second has as many in ten days, and
/// more of them only sort less well.
const SEQ_DIGITS: usize = 12;
/// How many files may begin with the same record, which takes as many times of setting back.
const SAME_MAX: u32 = 10_000;

/// What follows the file's name in that of a file which begins with this record.
fn stem(recorded_at: Timestamp, seq: u64) -> String {
    let text = recorded_at.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    let time: String = seconds.chars().filter(|c| c.is_ascii_digit() || *c == 'T').collect();
    format!("{time}Z-{seq:0SEQ_DIGITS$}")
}

/// Whether a text is such an ending of a name.
pub(super) fn is_stem(text: &str) -> bool {
    let Some((time, rest)) = text.split_at_checked(TIME_BYTES) else { return false };
    let is_time = time.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_time
        && rest
            .strip_prefix('-')
            .is_some_and(|rest| rest.split('-').count() <= 2 && rest.split('-').all(is_number))
}

/// The name that a file with this first record will have, which no other one has.
pub(super) fn free_stem(path: &Path, recorded_at: Timestamp, seq: u64) -> io::Result<String> {
    let first = stem(recorded_at, seq);
    let taken = all(path)?;
    // Set back and sent again, a record may begin a second file.
    let others = (2..=SAME_MAX).map(|number| format!("{first}-{number}"));
    let free = std::iter::once(first.clone()).chain(others).find(|stem| !taken.contains_key(stem));
    free.ok_or_else(|| io::Error::other("too many files begin with the same record"))
}

/// The path of a rotated file as long as it is not compressed.
pub(super) fn plain(path: &Path, stem: &str) -> PathBuf {
    beside(path, &format!(".{stem}"))
}

/// The path of a rotated file, by how it is compressed.
pub(super) fn packed(path: &Path, stem: &str, compression: FileCompression) -> PathBuf {
    beside(path, &format!(".{stem}{}", ending(compression)))
}

/// A name that begins with the file's.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(ending);
    path.with_file_name(name)
}

fn ending(compression: FileCompression) -> &'static str {
    match compression {
        FileCompression::None => "",
        FileCompression::Gzip => ".gz",
        FileCompression::Zstd => ".zst",
    }
}

/// The folder of a file.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// All rotated files by the ends of their names, each with the forms in which it is there: two for a moment, while one is compressed.
pub(super) fn all(path: &Path) -> io::Result<BTreeMap<String, Vec<FileCompression>>> {
    let mut found: BTreeMap<String, Vec<FileCompression>> = BTreeMap::new();
    for rest in endings(path)? {
        for compression in FileCompression::ALL {
            if let Some(stem) = rest.strip_suffix(ending(compression)).filter(|stem| is_stem(stem)) {
                found.entry(stem.to_owned()).or_default().push(compression);
            }
        }
    }
    Ok(found)
}

/// What stands behind the file's name and a dot in the names of other files of its folder.
fn endings(path: &Path) -> io::Result<Vec<String>> {
    let prefix = beside(path, ".");
    let prefix = prefix.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let mut endings = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        // Ours are text throughout.
        if let Some(rest) = entry?.file_name().to_str().and_then(|name| name.strip_prefix(&prefix)) {
            endings.push(rest.to_owned());
        }
    }
    Ok(endings)
}

/// Where somebody else has moved the file to, if it is still in its folder and its name begins with the old one.
pub(super) fn moved(path: &Path, file: FileId) -> Option<PathBuf> {
    let paths = endings(path).ok()?.into_iter().map(|rest| beside(path, &format!(".{rest}")));
    paths
        .into_iter()
        .find(|path| fs::symlink_metadata(path).is_ok_and(|metadata| FileId::of(&metadata) == file))
}

/// The content of a rotated file, whatever it is compressed with, and the file.
pub(super) fn open(path: &Path, stem: &str) -> io::Result<(Box<dyn Read + Send>, FileId)> {
    // While we look it may be compressed, and is there in that form before it goes in the other.
    for compression in FileCompression::ALL {
        let file = match read_only(&packed(path, stem, compression)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        let id = FileId::of(&file.metadata()?);
        let content: Box<dyn Read + Send> = match compression {
            FileCompression::None => Box::new(file),
            FileCompression::Gzip => Box::new(GzDecoder::new(file)),
            FileCompression::Zstd => Box::new(zstd::Decoder::new(file)?),
        };
        return Ok((content, id));
    }
    Err(io::ErrorKind::NotFound.into())
}

/// A file as it is called, and not one that a link leads to.
pub(super) fn read_only(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_file_is_named_by_its_first_record() {
        let at = Timestamp::parse("2026-11-26T09:05:07.123456Z").unwrap();
        assert_eq!(stem(at, 4_711), "20261126T090507Z-000000004711");
        for good in ["20261126T090507Z-000000004711", "20261126T090507Z-1", "20261126T090507Z-1-2"] {
            assert!(is_stem(good), "{good}");
        }
        for odd in [
            "",
            "1",
            "20261126T090507Z",
            "20261126T090507Z-",
            "20261126T090507Z-1-2-3",
            "20261126T090507Z-x",
            "é0261126T09050Z-1",
        ] {
            assert!(!is_stem(odd), "{odd}");
        }
    }
}
