//! What a file was called after it was rotated: the files beside it that `logrotate` and its like make.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::tail::Tail;
use crate::source::place::Place;

/// The most files beside the one that are looked at, the latest of them: a year of daily ones.
const FILES_MAX: usize = 400;

/// A greater number behind a name is a date.
const COUNTED_MAX: i64 = 100_000;

/// The file that has a place, read from there on, and those that came after it, oldest first. None when none has it any more.
///
/// # Errors
/// When the file itself is there and cannot be read.
pub(super) fn find(path: &Path, place: Place) -> io::Result<Option<(Tail, Vec<PathBuf>)>> {
    match Tail::resume(path, place) {
        Ok(Some(tail)) => return Ok(Some((tail, Vec::new()))),
        Ok(None) => {}
        // Between its renaming and its making anew.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut later = vec![path.to_owned()];
    for older in beside(path) {
        // One that cannot be read, or is damaged, is not what is looked for.
        if let Ok(Some(tail)) = Tail::resume(&older, place) {
            later.reverse();
            return Ok(Some((tail, later)));
        }
        later.push(older);
    }
    Ok(None)
}

/// The files that the one was before, as far as their names tell; the latest first.
fn beside(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else { return Vec::new() };
    let mut found: Vec<(SystemTime, i64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if let Some(age) = age(&entry.file_name(), name)
            && let Ok(changed) = entry.metadata().and_then(|metadata| metadata.modified())
        {
            found.push((changed, age, entry.path()));
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.truncate(FILES_MAX);
    found.into_iter().map(|(.., path)| path).collect()
}

/// Whether a file is one that was rotated, by its name: behind the other's it has a number or a date, and `.gz` when it was packed. Of two
/// that were written to in the same moment the one with the greater value is the later.
fn age(name: &OsStr, before: &OsStr) -> Option<i64> {
    let ending = name.to_str()?.strip_prefix(before.to_str()?)?;
    let ending = ending.strip_suffix(".gz").unwrap_or(ending).strip_prefix(['.', '-'])?;
    if !ending.bytes().all(|byte| byte.is_ascii_digit() || b".-_:TZ".contains(&byte)) {
        return None;
    }
    let digits: String = ending.chars().filter(char::is_ascii_digit).collect();
    let number: i64 = digits.parse().ok()?;
    // A number counts up with each rotation, a date is that of the rotation.
    Some(if number < COUNTED_MAX { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_are_known_by_their_endings() {
        let check = |name: &str, wanted: Option<i64>| {
            assert_eq!(age(OsStr::new(name), OsStr::new("bus.jsonl")), wanted, "{name}");
        };
        check("bus.jsonl.1", Some(-1));
        check("bus.jsonl.12.gz", Some(-12));
        check("bus.jsonl-20261125", Some(20_261_125));
        check("bus.jsonl.2026-11-25T00:00:00Z.gz", Some(20_261_125_000_000));
        for name in [
            "bus.jsonl",
            "bus.jsonl.gz",
            "bus.jsonl.bak",
            "bus.jsonl.1.swp",
            "bus.jsonl1",
            "a.jsonl.1",
            "bus.jsonl.-",
        ] {
            check(name, None);
        }
    }
}
