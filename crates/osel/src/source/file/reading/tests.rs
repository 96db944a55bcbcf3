//! Rotation, packing and cutting step by step, without a clock: what the reader finds at each moment.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use osel_core::time::Timestamp;

use super::super::tail::LINE_BYTES_MAX;
use super::*;

/// A folder that goes with the test. A file's lines are no messages, which is nothing to whoever reads it.
struct Folder(PathBuf, Cell<SystemTime>);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("osel-reading-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path, Cell::new(SystemTime::UNIX_EPOCH))
    }

    fn at(&self, ending: &str) -> PathBuf {
        self.0.join(format!("bus{ending}"))
    }

    fn append(&self, ending: &str, text: &str) {
        let mut file = File::options().create(true).append(true).open(self.at(ending)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        // The system's own are the same for all that is written within some milliseconds.
        self.1.set(self.1.get() + Duration::from_secs(1));
        file.set_modified(self.1.get()).unwrap();
    }

    /// Writes a packed file, over what is there.
    fn pack(&self, ending: &str, text: &str) {
        self.append(".unpacked", text);
        fs::write(self.at(ending), self.packed(".unpacked")).unwrap();
        self.append(ending, "");
        self.remove(".unpacked");
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }

    fn remove(&self, ending: &str) {
        fs::remove_file(self.at(ending)).unwrap();
    }

    /// What a file is when it is packed.
    fn packed(&self, ending: &str) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&fs::read(self.at(ending)).unwrap()).unwrap();
        packed.finish().unwrap()
    }

    fn open(&self, place: Option<Place>) -> (Reading, bool) {
        let settings = Settings {
            source: "captured".into(),
            region: None,
            path: self.at(""),
            follow: true,
            clock: || Timestamp::EPOCH,
        };
        Reading::open(settings, place).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All lines that are there, with a `!` where something was lost, and the place behind them.
fn all(reading: &mut Reading) -> (String, Option<Place>) {
    let (mut lines, mut last) = (Vec::new(), None);
    loop {
        let (found, place, outcome) = look(reading);
        lines.extend(found);
        last = place.or(last);
        if matches!(outcome, Outcome::AtEnd | Outcome::Ended) {
            return (lines.join(" "), last);
        }
    }
}

/// The same until the file is left alone until the next look.
fn look(reading: &mut Reading) -> (Vec<String>, Option<Place>, Outcome) {
    let (mut lines, mut last) = (Vec::new(), None);
    loop {
        let Chunk { found, outcome, is_lost } = reading.chunk().unwrap();
        if is_lost {
            lines.push("!".to_owned());
        }
        for Found { message, place, .. } in found {
            lines.push(String::from_utf8(message.split().1.body.into_owned()).unwrap());
            last = place.or(last);
        }
        if !matches!(outcome, Outcome::More) {
            return (lines, last, outcome);
        }
    }
}

#[test]
fn what_is_packed_just_now_is_not_read_twice() {
    let folder = Folder::new("packing");
    folder.append("", "a\nb\n");
    let place = all(&mut folder.open(None).0).1;
    folder.append("", "c\n");
    folder.rename("", ".1");
    folder.append("", "d\n");
    let packed = folder.packed(".1");
    for length in [0, 5, packed.len() - 4, packed.len()] {
        fs::write(folder.at(".1.gz"), &packed[..length]).unwrap();
        let (mut reading, is_lost) = folder.open(place);
        assert_eq!((all(&mut reading).0.as_str(), is_lost), ("c d", false), "{length}");
    }
    // It becomes whole while the file is read that it was made of.
    let (mut reading, _) = folder.open(place);
    reading.chunk().unwrap();
    folder.remove(".1");
    assert_eq!(all(&mut reading).0, "d");
    assert_eq!(all(&mut folder.open(place).0).0, "c d");
}

#[test]
fn files_are_renamed_while_an_older_one_is_read() {
    let folder = Folder::new("renamed");
    folder.append("", "a\n");
    let (mut reading, _) = folder.open(None);
    assert_eq!(all(&mut reading).0, "a");
    let rotate = |kept: usize| {
        for number in (1..=kept).rev().filter(|number| folder.at(&format!(".{number}")).exists()) {
            folder.rename(&format!(".{number}"), &format!(".{}", number + 1));
        }
        folder.rename("", ".1");
    };
    rotate(0);
    folder.append("", "b\n");
    // The next one is known by its name.
    assert!(matches!(reading.chunk().unwrap().outcome, Outcome::AtEndOfOlder));
    for (kept, line) in [(1, "c\n"), (2, "d\n"), (3, "")] {
        rotate(kept);
        folder.append("", line);
    }
    assert_eq!(all(&mut reading).0, "b c d");
    // What is open was removed: there is no telling what else was.
    folder.append("", "e\n");
    assert_eq!(all(&mut reading).0, "e");
    rotate(0);
    folder.append("", "f\n");
    rotate(0);
    folder.append("", "g\n");
    assert_eq!(all(&mut reading).0, "! f g");
    // Where nothing is kept, the path's file is the next one.
    [".1", ".2", ".3", ".4", ""].iter().for_each(|ending| folder.remove(ending));
    folder.append("", "h\n");
    assert_eq!(all(&mut reading).0, "h");
}

#[test]
fn what_is_written_to_the_old_file_after_its_renaming_is_read() {
    let folder = Folder::new("late");
    folder.append("", "a\n");
    let (mut reading, _) = folder.open(None);
    folder.rename("", ".1");
    assert_eq!(all(&mut reading).0, "a");
    folder.append("", "");
    for line in ["b", "c"] {
        // However long nobody writes.
        assert_eq!([(); 3].map(|()| all(&mut reading).0), ["", "", ""]);
        folder.append(".1", &format!("{line}\n"));
        assert_eq!(all(&mut reading).0, line);
    }
    folder.append("", "e\n");
    assert!(matches!(reading.chunk().unwrap().outcome, Outcome::AtEndOfOlder));
    folder.append(".1", "d\n");
    assert_eq!(all(&mut reading).0, "d e");
}

#[test]
fn a_copy_that_is_put_in_place_is_not_read_again() {
    let folder = Folder::new("copy");
    folder.append("", "a\nb\n");
    let (mut reading, _) = folder.open(None);
    assert_eq!(all(&mut reading).0, "a b");
    for kept in ["", ".1"] {
        fs::copy(folder.at(""), folder.at(".new")).unwrap();
        folder.append(".new", "c\n");
        if !kept.is_empty() {
            folder.rename("", kept);
        }
        folder.rename(".new", "");
        assert_eq!(all(&mut reading).0, "c");
    }
    // It begins alike and has less than was read.
    fs::write(folder.at(".new"), "a\n").unwrap();
    folder.rename(".new", "");
    assert_eq!(all(&mut reading).0, "! a");
}

#[test]
fn a_file_is_cut_long_before_its_end_was_seen() {
    let folder = Folder::new("cut");
    let many = |name: &str| (0..40_000).map(|number| format!("{name}{number:05}-----\n")).collect::<String>();
    folder.append("", &many("a"));
    let (mut reading, _) = folder.open(None);
    reading.chunk().unwrap();
    // What follows has grown beyond the place by the time it is looked for.
    fs::write(folder.at(""), many("b")).unwrap();
    let lines = all(&mut reading).0;
    // What was read from the disk before is not lost; then comes all that is new.
    let (before, after) = lines.split_once(" ! ").unwrap();
    assert!(before.split(' ').all(|line| line.starts_with('a')), "{before}");
    let wanted: Vec<String> = many("b").lines().map(str::to_owned).collect();
    assert!(after.split(' ').eq(wanted), "{}", after.len());
}

/// One of many lines that do not pack well.
fn line(number: u32) -> String {
    format!("{}\n", number.wrapping_mul(2_654_435_761))
}

#[test]
fn damage_is_told_once_and_may_be_put_right() {
    let folder = Folder::new("damage");
    folder.append(".1", &(0..20_000).map(line).collect::<String>());
    let packed = folder.packed(".1");
    fs::write(folder.at(""), &packed[..packed.len() / 2]).unwrap();
    let (lines, place) = all(&mut folder.open(None).0);
    assert_eq!(lines.matches('!').count(), 1);
    assert!(place.unwrap().is_damaged);
    let (mut reading, is_lost) = folder.open(place);
    assert_eq!((all(&mut reading), is_lost), ((String::new(), None), false));
    fs::write(folder.at(""), &packed).unwrap();
    let after = all(&mut folder.open(place).0).0;
    assert!(after.ends_with(line(19_999).trim_end()) && !after.contains('!'), "{after}");
}

/// The lines that are read while a packed file is written in pieces, the last of which makes it whole; with a look after each. And how they are read to its end.
fn read_in_pieces(folder: &Folder, pieces: &[&[u8]]) -> (Vec<String>, String) {
    fs::write(folder.at(""), pieces[0]).unwrap();
    folder.append("", "");
    let (mut reading, _) = folder.open(None);
    let mut lines = look(&mut reading).0;
    for piece in &pieces[1..] {
        File::options().append(true).open(folder.at("")).unwrap().write_all(piece).unwrap();
        folder.append("", "");
        lines.extend(look(&mut reading).0);
    }
    (lines, all(&mut reading).0)
}

/// It was told as cut short, which is a gap in the trail.
#[test]
fn a_packed_file_that_is_still_written_is_waited_for() {
    let folder = Folder::new("written");
    folder.append(".1", &(0..20_000).map(line).collect::<String>());
    let packed = folder.packed(".1");
    folder.remove(".1");
    let wanted: Vec<String> = (0..20_000).map(|number| line(number).trim_end().to_owned()).collect();
    let half = packed.len() / 2;
    // Before there is a line, in the midst of them, and where only the sum is not there.
    for at in [5, 12, half, packed.len() - 4] {
        let (mut before, after) = read_in_pieces(&folder, &[&packed[..at], &packed[at..]]);
        assert!(!before.contains(&"!".to_owned()), "{at}");
        before.extend(after.split_whitespace().map(str::to_owned));
        assert!(before == wanted, "{at}: {} lines", before.len());
    }
    // Written bit by bit for longer than it is waited, it is read as far as it is there.
    let steps = usize::try_from(GROWING_LOOKS_MAX).unwrap() + 10;
    let mut pieces = vec![&packed[..half]];
    pieces.extend(packed[half..].chunks(half.div_ceil(steps) + 1));
    let parts = pieces.len();
    let (before, after) = read_in_pieces(&folder, &pieces);
    assert!(parts > usize::try_from(GROWING_LOOKS_MAX).unwrap(), "{parts}");
    assert!(before.len() > 15_000 && before == wanted[..before.len()], "{}", before.len());
    assert!(after.split_whitespace().eq(&wanted[before.len()..]), "{after}");
}

#[test]
fn a_packed_file_that_stays_cut_short_is_told_after_a_bounded_time() {
    let folder = Folder::new("stays");
    folder.append(".1", &(0..20_000).map(line).collect::<String>());
    let packed = folder.packed(".1");
    folder.remove(".1");
    let looks = |is_touched: bool, is_renamed: bool| {
        fs::write(folder.at(""), &packed[..packed.len() / 2]).unwrap();
        let (mut reading, _) = folder.open(None);
        if is_renamed {
            folder.rename("", ".1.gz");
        }
        let (mut looks, mut is_lost) = (0, false);
        while !is_lost {
            looks += 1;
            if is_touched {
                folder.append("", "");
            }
            let (lines, _, outcome) = look(&mut reading);
            is_lost = lines.contains(&"!".to_owned());
            assert_eq!(matches!(outcome, Outcome::CutShort), !is_lost, "{looks}");
        }
        assert!(!all(&mut reading).0.contains('!'), "it is told once");
        looks
    };
    assert_eq!(looks(false, false), STILL_LOOKS_MAX);
    assert_eq!(looks(false, true), STILL_LOOKS_MAX);
    folder.remove(".1.gz");
    // Whatever touches it, nothing is written.
    let looks = looks(true, false);
    assert!((GROWING_LOOKS_MAX..=2 * GROWING_LOOKS_MAX).contains(&looks), "{looks}");
}

#[test]
fn behind_a_packed_file_at_the_path_the_next_one_is_awaited() {
    let folder = Folder::new("packed");
    folder.append("", "a\n");
    let (mut reading, _) = folder.open(None);
    assert_eq!(all(&mut reading).0, "a");
    // A rotation packs and renames in the wrong order. What has no end in there gets none.
    folder.rename("", ".1");
    folder.pack("", "b\nc");
    let (lines, place) = all(&mut reading);
    assert_eq!(lines, "b c");
    assert_eq!(all(&mut reading).0, "");
    for reading in [&mut reading, &mut folder.open(place).0] {
        assert!(matches!(reading.chunk().unwrap().outcome, Outcome::AtEnd));
    }
    folder.rename("", ".2");
    assert_eq!(all(&mut reading).0, "");
    folder.append("", "d\n");
    assert_eq!(all(&mut reading).0, "d");
    // Written over where it lies; there is no telling what was in there before that.
    folder.pack("", "e\n");
    assert_eq!(all(&mut reading).0, "! e");
    fs::write(folder.at(""), "f\n").unwrap();
    folder.append("", "g\n");
    // Whoever writes may be at it still.
    assert_eq!([(); 2].map(|()| all(&mut reading).0), ["", "! f g"]);
}

/// The half of a line that is there was taken for one, and the other half for the next.
#[test]
fn the_last_line_of_a_packed_file_that_is_not_whole_yet_waits_for_its_end() {
    let folder = Folder::new("half");
    folder.append(".1", &(0..20_000).map(line).collect::<String>());
    let packed = folder.packed(".1");
    folder.remove(".1");
    fs::write(folder.at(""), &packed[..packed.len() / 2]).unwrap();
    let (mut reading, _) = folder.open(None);
    let lines = [(); 3].map(|()| all(&mut reading).0).join(" ");
    let whole: Vec<String> = (0..20_000).map(|number| line(number).trim_end().to_owned()).collect();
    let found: Vec<&str> = lines.split(' ').filter(|line| !line.is_empty() && *line != "!").collect();
    assert!(found.len() > 1000 && found.iter().zip(&whole).all(|(found, whole)| found == whole));
}

#[test]
fn a_packed_file_that_grows_is_read_on() {
    let folder = Folder::new("grows");
    folder.pack("", "a\nb\n");
    let (mut reading, _) = folder.open(None);
    assert_eq!(all(&mut reading).0, "a b");
    folder.pack(".more", "c\n");
    let more = fs::read(folder.at(".more")).unwrap();
    File::options().append(true).open(folder.at("")).unwrap().write_all(&more).unwrap();
    folder.append("", "");
    assert_eq!([(); 2].map(|()| all(&mut reading).0), ["", "c"]);
}

#[test]
fn of_a_line_that_is_too_long_no_more_is_kept_than_tells_so() {
    let folder = Folder::new("long");
    let lines = ["x".repeat(BODY_BYTES_MAX + (1 << 20)), "y".repeat(LINE_BYTES_MAX + (1 << 20))];
    folder.append("", &(lines.join("\n") + "\nz\n"));
    let (mut reading, _) = folder.open(None);
    let mut found = Vec::new();
    while found.len() < lines.len() {
        found.extend(reading.chunk().unwrap().found);
    }
    assert!(found.iter().all(|found| found.bytes == BODY_BYTES_MAX + 1));
    for (Found { message, .. }, first) in found.into_iter().zip(*b"xy") {
        let (_, decoded, _) = message.split();
        assert_eq!(decoded.body.first(), Some(&first));
        let reason = decoded.result.unwrap_err().to_string();
        let wanted =
            "the body is larger than is accepted, at a line that is no captured message and ends at byte ";
        assert!(reason.starts_with(wanted), "{reason}");
    }
    assert_eq!(all(&mut reading).0, "z");
}
