//! What a file was called after it was rotated: the files beside it that `logrotate` and its like make.
//!
//! Names shift while one looks, so none is kept: each question is answered by the folder as it is now, and an answer in the middle of
//! which something was renamed is none.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::tail::{FileId, Tail};
use crate::source::place::Place;

/// The most files beside the one that are looked at, the latest of them: a year of daily ones.
const FILES_MAX: usize = 400;

/// A greater number behind a name is a date.
const COUNTED_MAX: i64 = 100_000;

/// How often it is looked again when something was renamed meanwhile: a rotation renames many files, but each takes microseconds.
const LOOKS_MAX: usize = 5;

/// The file that has a place, read from there on. None when none has it any more.
///
/// # Errors
/// When the file itself is there and cannot be read, or files are renamed all the time.
pub(super) fn find(path: &Path, place: Place) -> io::Result<Option<Tail>> {
    for _ in 0..LOOKS_MAX {
        if let Some(tail) = resume(path, place)? {
            return Ok(Some(tail));
        }
        let files = files(path);
        if let Some((tail, _)) = search(&files, place) {
            return Ok(Some(tail));
        }
        // It may have been packed or renamed between the list and its opening.
        if is_as_it_was(path, &files) {
            return Ok(None);
        }
    }
    Err(io::Error::other("the files beside it are renamed all the time"))
}

/// What comes after a file that is no longer at its path.
pub(super) enum After {
    /// The path leads to a copy of it, which has all that was read: reading goes on there.
    Copy(Tail),
    /// The file that came next; and whether others that came before it may be gone.
    Next(Tail, bool),
    /// Nothing was written to one that came after it.
    Nothing,
    /// Something was renamed while it was looked for.
    Moving,
}

/// What came after a file that was renamed, packed or removed while it was read.
///
/// # Errors
/// When a file is there and cannot be read.
pub(super) fn after(path: &Path, own: &Tail) -> io::Result<After> {
    let (files, place) = (files(path), own.place());
    if let Some(place) = place
        && let Some(tail) = resume(path, place)?
    {
        return Ok(After::Copy(tail));
    }
    let (later, mut is_lost) = later(path, &files, own)?;
    for file in later.iter().rev().filter(|file| file.length > 0) {
        let mut tail = match Tail::open(&file.path) {
            Ok(tail) => tail,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(After::Moving),
            Err(error) => return Err(error),
        };
        // What cannot be unpacked is told when it is read.
        let is_alike = place.is_some_and(|place| tail.begins_as(place).unwrap_or(false));
        if is_alike && file.path != path {
            // Another copy of what was read.
            continue;
        }
        // At the path it would be one that was cut.
        is_lost |= is_alike;
        // From its start again, where what is wrong with it is seen as well.
        let again = Tail::open(&file.path)?;
        if again.state()?.0 != file.id || !is_as_it_was(path, &files) {
            return Ok(After::Moving);
        }
        return Ok(After::Next(again, is_lost));
    }
    Ok(After::Nothing)
}

/// Those of the files that came after the one that is read, the latest first; and whether there may have been others.
fn later<'a>(path: &Path, files: &'a [Beside], own: &Tail) -> io::Result<(&'a [Beside], bool)> {
    let (id, changed) = own.state()?;
    let before = |at: usize| files.get(..at).unwrap_or_default();
    if let Some(at) = files.iter().position(|file| file.id == id) {
        return Ok((before(at), false));
    }
    // It was packed or removed. The path's file came after it, whatever its time is.
    let count = files.iter().take_while(|file| file.path == path || file.changed > changed).count();
    if before(count).iter().all(|file| file.length == 0) {
        // That is asked four times a second as long as nothing comes: what is packed is not read for it.
        return Ok((&[], false));
    }
    if let Some((_, at)) = own.place().and_then(|place| search(files, place)) {
        return Ok((before(at), false));
    }
    // Removed with what came after it, for all that can be known, unless nothing else was kept.
    Ok((before(count), before(count).iter().any(|file| file.path != path)))
}

/// The first of the files that has a place.
fn search(files: &[Beside], place: Place) -> Option<(Tail, usize)> {
    // One that cannot be read, or is damaged, is not what is looked for.
    let resume = |file: &Beside| Tail::resume(&file.path, place).ok().flatten();
    files.iter().enumerate().find_map(|(at, file)| Some((resume(file)?, at)))
}

/// The path's file from a place on; none when it is not there, which it is not between its renaming and its making anew.
fn resume(path: &Path, place: Place) -> io::Result<Option<Tail>> {
    match Tail::resume(path, place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        tail => tail,
    }
}

/// A file that is there.
struct Beside {
    path: PathBuf,
    id: FileId,
    length: u64,
    changed: SystemTime,
}

/// Whether nothing was renamed, made or removed since the files were listed.
fn is_as_it_was(path: &Path, before: &[Beside]) -> bool {
    let names = |file: &Beside| (file.path.clone(), file.id);
    // In the order of their names: one that is written to goes to another place.
    let sorted = |files: &[Beside]| {
        let mut names: Vec<_> = files.iter().map(names).collect();
        names.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        names
    };
    sorted(&files(path)) == sorted(before)
}

/// The file at the path, if it is there, and those that it was before, as far as their names tell; the latest first.
fn files(path: &Path) -> Vec<Beside> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else { return Vec::new() };
    let mut found: Vec<(i64, Beside)> = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if let Some(age) = age(&entry.file_name(), name)
            && let Some(file) = Beside::at(entry.path())
        {
            found.push((age, file));
        }
    }
    let paths: Vec<PathBuf> = found.iter().map(|(_, file)| file.path.clone()).collect();
    // What is packed just now stands beside what it is made of, which goes when it is whole.
    found.retain(|(_, file)| {
        file.path.extension() != Some(OsStr::new("gz")) || !paths.contains(&file.path.with_extension(""))
    });
    found.sort_unstable_by(|(one_age, one), (other_age, other)| {
        (other.changed, other_age, &other.path).cmp(&(one.changed, one_age, &one.path))
    });
    found.truncate(FILES_MAX);
    Beside::at(path.to_owned()).into_iter().chain(found.into_iter().map(|(_, file)| file)).collect()
}

impl Beside {
    fn at(path: PathBuf) -> Option<Self> {
        let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let (id, length, changed) = (FileId::of(&metadata), metadata.len(), metadata.modified().ok()?);
        Some(Self { path, id, length, changed })
    }
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
