//! The way through a file and what it was before: chunks of messages, and what happened to the file.
//!
//! All of this blocks; `link` calls it where that harms nobody.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use osel_core::decode::Decoder;
use osel_core::event::RawMessage;

use super::Settings;
use super::rotated;
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
    /// The files that come after the one that is read, oldest first.
    later: VecDeque<PathBuf>,
    /// The end of the file was seen, and nothing came since then.
    was_at_end: bool,
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
        let (tail, later) = match found {
            Some((tail, later)) => (tail, later.into()),
            None => (Tail::open(&settings.path)?, VecDeque::new()),
        };
        let messages = Messages::new(settings.source.clone(), settings.region.clone());
        let decoder = Decoder::default();
        Ok((Self { settings, tail, later, was_at_end: false, messages, decoder }, is_lost))
    }

    /// Reads on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn chunk(&mut self) -> io::Result<Chunk> {
        let mut chunk = Chunk { found: Vec::new(), outcome: Outcome::More, is_lost: false };
        // What follows a part of a line that was cut would be taken for the rest of it.
        if self.was_at_end && self.later.is_empty() && !self.tail.is_whole()? {
            chunk.is_lost = self.was_cut()?;
        }
        let mut bytes = 0;
        while chunk.found.len() < CHUNK_MESSAGES && bytes < CHUNK_BYTES {
            if let Some(line) = self.tail.line(false) {
                bytes += line.len();
                chunk.found.extend(self.message(line));
                continue;
            }
            match self.tail.fill() {
                Ok(true) => self.was_at_end = false,
                Ok(false) if chunk.found.is_empty() => {
                    self.at_end(&mut chunk)?;
                    break;
                }
                Ok(false) => break,
                Err(error) if self.tail.is_packed() && is_damage(&error) => {
                    // No attempt will read on behind that.
                    chunk.is_lost = true;
                    self.go_on(&mut chunk)?;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(chunk)
    }

    /// Nothing more can be read of this file now.
    fn at_end(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        let was_at_end = std::mem::replace(&mut self.was_at_end, true);
        let is_once = !self.settings.follow || self.tail.is_packed();
        if self.later.is_empty() && !is_once {
            chunk.outcome = Outcome::AtEnd;
            match self.tail.is_at(&self.settings.path) {
                Ok(true) => {}
                Ok(false) => {
                    chunk.outcome = Outcome::AtEndOfOlder;
                    self.was_renamed();
                }
                // Between its renaming and its making anew.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        } else if was_at_end || self.tail.is_packed() || !self.settings.follow {
            self.go_on(chunk)?;
        } else {
            // Whoever wrote to it may do so once more before it takes the new one.
            chunk.outcome = Outcome::AtEndOfOlder;
        }
        Ok(())
    }

    /// Leaves this file for the one that came after it.
    fn go_on(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        while let Some(line) = self.tail.line(true) {
            // The last line has no end, and nobody will write it.
            chunk.found.extend(self.message(line));
        }
        self.was_at_end = false;
        let Some(next) = self.later.front() else {
            chunk.outcome = Outcome::Ended;
            return Ok(());
        };
        match Tail::open(next) {
            Ok(tail) => {
                self.tail = tail;
                self.later.pop_front();
            }
            // The next one is packed just now, and may have been read by another name; or it is the one itself, and not there yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.later.len() > 1 => {
                chunk.is_lost = true;
                self.later.pop_front();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => chunk.outcome = Outcome::AtEndOfOlder,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The path leads to another file than the one that is open.
    fn was_renamed(&mut self) {
        let found =
            self.tail.place().and_then(|place| rotated::find(&self.settings.path, place).ok().flatten());
        self.later = match found {
            Some((_, later)) if !later.is_empty() => later.into(),
            // It was removed, and we have it still: what is written now is in the new one.
            _ => VecDeque::from([self.settings.path.clone()]),
        };
    }

    /// The file was emptied to be used again, perhaps after a copy was made of it; whether what was in it is lost.
    fn was_cut(&mut self) -> io::Result<bool> {
        let (place, had_part) = (self.tail.place(), self.tail.has_part());
        self.was_at_end = false;
        if let Some(place) = place
            && let Some((tail, later)) = rotated::find(&self.settings.path, place)?
        {
            self.tail = tail;
            self.later = later.into();
            return Ok(false);
        }
        self.tail = Tail::open(&self.settings.path)?;
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

/// Whether it is what was packed that is wrong, and not its way to us.
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}
