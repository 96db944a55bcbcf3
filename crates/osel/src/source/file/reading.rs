//! The way through a file and what it was before: chunks of messages, and what happened to the file.
//!
//! All of this blocks; `link` calls it where that harms nobody.

use std::io;
use std::path::Path;

use osel_core::decode::{BODY_BYTES_MAX, Decoder};
use osel_core::event::RawMessage;

use super::Settings;
use super::rotated::{self, After};
use super::tail::{Rewritten, Tail};
use crate::source::decoding::Prepared;
use crate::source::place::Place;
use crate::source::recording::Messages;
use crate::source::salts::Salts;

/// The most messages that are handed over at once.
const CHUNK_MESSAGES: usize = 256;
/// The bytes after which a chunk is handed over.
const CHUNK_BYTES: usize = 4 << 20;
/// How often a packed file that breaks off is looked at and found as it was, before that is told as a loss. Somebody may be writing it: `gzip` writes what it has
/// at once, but waits for whoever reads for it and for the disk. At four looks a second these are five seconds.
const STILL_LOOKS_MAX: u32 = 20;
/// How often one is looked at that changes all the time, before it is read on as far as it is written, or that is told as a loss where this brought no line: a
/// minute.
const GROWING_LOOKS_MAX: u32 = 240;

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
    /// A packed file breaks off, and may be written to yet.
    CutShort,
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

/// What is known of a packed file that breaks off, since its last line was read.
#[derive(Default)]
struct Waiting {
    /// That line, with which it is told that the file is damaged.
    held: Option<Found>,
    /// How often it was looked at since then.
    looks: u32,
    /// How often it was found as it was, one look after the other.
    still: u32,
    /// It was opened again since then.
    is_again: bool,
}

/// Reads one source.
pub(super) struct Reading {
    settings: Settings,
    tail: Tail,
    /// The file that is read was renamed, and another one comes after it.
    is_older: bool,
    /// The next file was seen to have something, and nothing came in this one since then.
    is_followed: bool,
    waiting: Waiting,
    messages: Messages,
    decoder: Decoder,
    salts: Salts,
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
        let (decoder, salts) = (Decoder::default(), Salts::default());
        let waiting = Waiting::default();
        let this = Self { settings, tail, is_older, is_followed: false, waiting, messages, decoder, salts };
        Ok((this, is_lost))
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
                Err(error) if self.tail.is_packed() && is_cut(&error) && !self.tail.is_known_damage() => {
                    self.tail.breaks_off();
                    self.waiting.held = chunk.found.pop();
                    break;
                }
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
        self.is_older |= self.settings.follow && is_at(&self.tail, &self.settings.path)? == Some(false);
        if self.tail.is_cut_short() {
            return self.at_cut(chunk);
        }
        if !self.is_older {
            if self.settings.follow && self.tail.is_packed() {
                return self.at_end_of_packed(chunk);
            }
            self.end(chunk, !self.settings.follow);
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

    /// All of a packed file was read that breaks off: once it is left alone it is read on, if it has more by then.
    fn at_cut(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        let (rewritten, waiting) = (self.tail.rewritten()?, &mut self.waiting);
        waiting.looks += 1;
        waiting.still = if matches!(rewritten, Rewritten::Not) { waiting.still + 1 } else { 0 };
        let is_long = waiting.looks >= GROWING_LOOKS_MAX;
        if waiting.still >= STILL_LOOKS_MAX || (is_long && waiting.is_again) {
            chunk.is_lost = self.tail.is_newly_damaged();
            let Waiting { held, .. } = std::mem::take(waiting);
            // Told once: whoever goes on from there knows.
            chunk.found.extend(held.map(|mut found| {
                found.place.iter_mut().for_each(|place| place.is_damaged = true);
                found
            }));
        } else if is_long || matches!(rewritten, Rewritten::Before) {
            chunk.found.extend(waiting.held.take());
            let looks = if is_long { 0 } else { waiting.looks };
            *waiting = Waiting { looks, is_again: true, ..Waiting::default() };
            // Of one of which no line was read all is read again.
            let is_whole = !self.is_older && self.tail.place().is_none() && self.tail.has_grown()?;
            chunk.is_lost = self.was_cut()? && !is_whole;
        } else {
            chunk.outcome = Outcome::CutShort;
        }
        Ok(())
    }

    /// All of a packed file was read that is at the path of one that is followed: a rotation put it there, and another one comes.
    fn at_end_of_packed(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        chunk.outcome = Outcome::AtEnd;
        match self.tail.rewritten()? {
            // One that breaks off may be written to yet, however late: the rest of its last line would be taken for another.
            Rewritten::Not if self.tail.is_damaged() => {}
            Rewritten::Not => self.last_line(chunk),
            Rewritten::Now => {}
            Rewritten::Before => {
                chunk.is_lost = self.was_cut()?;
                chunk.outcome = Outcome::More;
            }
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

    fn message(&mut self, mut line: Vec<u8>) -> Option<Found> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        self.waiting = Waiting::default();
        let place = self.tail.place();
        let now = (self.settings.clock)();
        let (message, is_line) = match self.messages.read(&line) {
            Ok(recorded) => (recorded.message, true),
            // The decoder says what it is: a notification without its circumstances, or something for the quarantine.
            Err(_) => {
                // One byte more than it reads says that it is too large.
                line.truncate(BODY_BYTES_MAX + 1);
                line.shrink_to_fit();
                (self.messages.bare(line), false)
            }
        };
        let bytes = message.body.len();
        let message = RawMessage { received_at: now, ..message };
        let mut message = Prepared::new(message, &mut self.decoder, &mut self.salts);
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

/// Whether it is that what was packed breaks off.
fn is_cut(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

#[cfg(test)]
mod tests;
