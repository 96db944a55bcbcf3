//! The way through a file and what it was before: chunks of messages, and what happened to the file.
//!
//! All of this blocks; `link` calls it where that harms nobody.

use std::io;
use std::path::Path;

use osel_core::decode::Decoder;
use osel_core::event::RawMessage;

use super::Settings;
use super::rotated::{self, After};
use super::tail::Tail;
use crate::source::decoding::Prepared;
use crate::source::place::Place;
use crate::source::recording::Messages;

/// The most messages that are handed over at once.
const CHUNK_MESSAGES: usize = 256;
/// The bytes after which a chunk is handed over.
const CHUNK_BYTES: usize = 4 << 20;

/// A message that was read, with the size of its body.
pub(super) struct Found {
    pub(super) message: Prepared,
    pub(super) bytes: usize,
    pub(super) place: Option<Place>,
}

/// What came of reading on.
pub(super) enum Outcome {
    /// There may be more.
    More,
    /// All that was written was read; more may be written.
    AtEnd,
    /// All of a file was read that was renamed; more may come before the next one has its turn.
    AtEndOfOlder,
    /// All was read, and no more will be written.
    Ended,
}

/// What was read.
pub(super) struct Chunk {
    pub(super) found: Vec<Found>,
    pub(super) outcome: Outcome,
    /// Something was cut off or is damaged before it was read: what was written is not what comes.
    pub(super) is_lost: bool,
}

/// Reads one source.
pub(super) struct Reading {
    settings: Settings,
    tail: Tail,
    /// The file that is read was renamed, and another one comes after it.
    is_older: bool,
    /// The next file was seen to have something, and nothing came in this one since then.
    is_followed: bool,
    messages: Messages,
    decoder: Decoder,
}

impl Reading {
    /// Goes on at a place, or begins the file; whether what lay between the place and the file is lost.
    ///
    /// # Errors
    /// When the file is not there or cannot be read.
    pub(super) fn open(settings: Settings, place: Option<Place>) -> io::Result<(Self, bool)> {
        let found = match place {
            Some(place) => rotated::find(&settings.path, place)?,
            None => None,
        };
        let is_lost = place.is_some() && found.is_none();
        let tail = match found {
            Some(tail) => tail,
            None => Tail::open(&settings.path)?,
        };
        let is_older = !is_at(&tail, &settings.path)?.unwrap_or(false);
        let messages = Messages::new(settings.source.clone(), settings.region.clone());
        let decoder = Decoder::default();
        Ok((Self { settings, tail, is_older, is_followed: false, messages, decoder }, is_lost))
    }

    /// Reads on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn chunk(&mut self) -> io::Result<Chunk> {
        let mut chunk = Chunk { found: Vec::new(), outcome: Outcome::More, is_lost: false };
        let mut bytes = 0;
        while chunk.found.len() < CHUNK_MESSAGES && bytes < CHUNK_BYTES {
            if let Some(line) = self.tail.line(false) {
                bytes += line.len();
                chunk.found.extend(self.message(line));
                continue;
            }
            // What follows a part of a line that was cut would be taken for the rest of it.
            if !self.is_older && !self.tail.is_whole()? {
                if !chunk.found.is_empty() {
                    break;
                }
                chunk.is_lost = self.was_cut()?;
            }
            match self.tail.fill() {
                Ok(true) => self.is_followed = false,
                Ok(false) if chunk.found.is_empty() => {
                    self.at_end(&mut chunk)?;
                    break;
                }
                Ok(false) => break,
                Err(error) if self.tail.is_packed() && is_damage(&error) => {
                    // No attempt will read on behind that.
                    chunk.is_lost = self.tail.is_newly_damaged();
                    // Told once: whoever goes on from there knows.
                    if let Some(Found { place: Some(place), .. }) = chunk.found.last_mut() {
                        place.is_damaged = true;
                    }
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(chunk)
    }

    /// Nothing more can be read of this file now.
    fn at_end(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        let is_once = !self.settings.follow || self.tail.is_packed();
        // Where there is none it is between its renaming and its making anew.
        self.is_older |= !is_once && is_at(&self.tail, &self.settings.path)? == Some(false);
        if !self.is_older {
            self.end(chunk, is_once);
            return Ok(());
        }
        match rotated::after(&self.settings.path, &self.tail)? {
            After::Copy(tail) => self.begin(tail)?,
            After::Nothing => self.end(chunk, !self.settings.follow),
            After::Next(tail, is_lost) if self.is_followed || is_once => {
                self.last_line(chunk);
                chunk.is_lost |= is_lost;
                self.begin(tail)?;
            }
            // Whoever writes to the next one has left this one; but what it wrote to this one before that may not have been read.
            After::Next(..) => {
                self.is_followed = true;
                chunk.outcome = Outcome::AtEndOfOlder;
            }
            After::Moving => chunk.outcome = Outcome::AtEndOfOlder,
        }
        Ok(())
    }

    /// All that was written was read.
    fn end(&mut self, chunk: &mut Chunk, is_for_ever: bool) {
        chunk.outcome = Outcome::AtEnd;
        if is_for_ever {
            self.last_line(chunk);
            chunk.outcome = Outcome::Ended;
        }
    }

    /// Goes over to another file.
    fn begin(&mut self, tail: Tail) -> io::Result<()> {
        self.is_older = !is_at(&tail, &self.settings.path)?.unwrap_or(false);
        self.tail = tail;
        self.is_followed = false;
        Ok(())
    }

    /// The last line has no end, and nobody will write it.
    fn last_line(&mut self, chunk: &mut Chunk) {
        while let Some(line) = self.tail.line(true) {
            chunk.found.extend(self.message(line));
        }
    }

    /// The file was emptied to be used again, perhaps after a copy was made of it; whether what was in it is lost.
    fn was_cut(&mut self) -> io::Result<bool> {
        let (place, had_part) = (self.tail.place(), self.tail.has_part());
        if let Some(place) = place
            && let Some(tail) = rotated::find(&self.settings.path, place)?
        {
            self.begin(tail)?;
            return Ok(false);
        }
        self.begin(Tail::open(&self.settings.path)?)?;
        Ok(place.is_some() || had_part)
    }

    fn message(&mut self, line: Vec<u8>) -> Option<Found> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        let place = self.tail.place();
        let now = (self.settings.clock)();
        let (message, is_line) = match self.messages.read(&line) {
            Ok(recorded) => (recorded.message, true),
            // The decoder says what it is: a notification without its circumstances, or something for the quarantine.
            Err(_) => (self.messages.bare(line), false),
        };
        let bytes = message.body.len();
        let mut message = Prepared::new(RawMessage { received_at: now, ..message }, &mut self.decoder);
        if !is_line {
            message = message.defect_at(|| {
                let end = place.map_or(0, |place| place.offset);
                format!("a line that is no captured message and ends at byte {end} of its file")
            });
        }
        Some(Found { message, bytes, place })
    }
}

/// Whether the path leads to the file that is read; none when it leads to nothing.
fn is_at(tail: &Tail, path: &Path) -> io::Result<Option<bool>> {
    match tail.is_at(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        is_at => is_at.map(Some),
    }
}

/// Whether it is what was packed that is wrong, and not its way to us.
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use osel_core::time::Timestamp;

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
            let Chunk { found, outcome, is_lost } = reading.chunk().unwrap();
            if is_lost {
                lines.push("!".to_owned());
            }
            for Found { message, place, .. } in found {
                lines.push(String::from_utf8(message.split().1.body.into_owned()).unwrap());
                last = place.or(last);
            }
            if matches!(outcome, Outcome::AtEnd | Outcome::Ended) {
                return (lines.join(" "), last);
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
        let many =
            |name: &str| (0..40_000).map(|number| format!("{name}{number:05}-----\n")).collect::<String>();
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

    #[test]
    fn damage_is_told_once_and_may_be_put_right() {
        let folder = Folder::new("damage");
        let line = |number: u32| format!("{}\n", number.wrapping_mul(2_654_435_761));
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
}
