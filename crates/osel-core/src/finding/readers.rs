//! Who reads findings, and since when nobody does.
//!
//! The first listener of this kind died of that: it went on finding, and nobody noticed that nobody looked. So whoever takes findings out of
//! osel says how far it has read, and findings that nobody has read for a set time raise an alarm, once, until somebody reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scan::cut;
use crate::time::Timestamp;

/// The most readers that are remembered; beyond it the one that was heard of least recently goes. A site has a handful.
pub const READERS_MAX: usize = 64;
/// The longest name of a reader, in characters.
pub const READER_CHARS_MAX: usize = 100;
/// How often at most it is written down how far one reader has come, unless that ends an alarm.
pub const READ_EVERY_SECONDS: i64 = 300;

/// How far a reader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    seq: u64,
    at: Timestamp,
}

/// All readers, and what none of them has read.
#[derive(Debug, Default)]
pub struct Readers {
    marks: BTreeMap<String, Mark>,
    unread: Option<Unread>,
}

/// Records of findings that nobody has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unread {
    /// The first, or the one after which somebody has stopped.
    first: u64,
    /// Since when it is waited for a reader.
    since: Timestamp,
    last: u64,
    /// The record of the alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alarm: Option<u64>,
}

/// One line of the state, for snapshots.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadersLine(Line);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Mark(String, Mark),
    Unread(Unread),
}

/// The name under which a reader is remembered.
pub fn reader_name(name: &str) -> String {
    cut(name, READER_CHARS_MAX)
}

impl Readers {
    /// Takes that a finding has a record.
    pub fn produced(&mut self, now: Timestamp, seq: u64) {
        match &mut self.unread {
            Some(unread) => unread.last = seq,
            None => self.unread = Some(Unread { first: seq, since: now, last: seq, alarm: None }),
        }
    }

    /// Since when findings wait that nobody has read; none when there are none.
    pub fn unread_since(&self) -> Option<Timestamp> {
        self.unread.map(|unread| unread.since)
    }

    /// The first record that nobody has read; none when everything was.
    pub fn unread_from(&self) -> Option<u64> {
        self.unread.map(|unread| unread.first)
    }

    /// Whether the alarm is raised.
    pub fn is_alarmed(&self) -> bool {
        self.unread.is_some_and(|unread| unread.alarm.is_some())
    }

    /// When the alarm is due.
    pub fn alarm_at(&self, seconds: u32) -> Option<Timestamp> {
        let unread = self.unread.filter(|unread| unread.alarm.is_none())?;
        Some(unread.since.plus_seconds(seconds.into()))
    }

    /// Takes that the alarm has this record.
    pub fn alarmed(&mut self, seq: u64) {
        if let Some(unread) = &mut self.unread {
            unread.alarm = Some(seq);
        }
    }

    /// Whether it should be written down at `now` that a reader has come so far.
    pub fn is_worth_noting(&self, now: Timestamp, reader: &str, seq: u64) -> bool {
        let ends_alarm = self.unread.is_some_and(|unread| unread.alarm.is_some() && seq >= unread.first);
        ends_alarm || self.note_at(reader, seq).is_some_and(|at| at <= now)
    }

    /// From when on it should be written down that a reader has come so far; none when it has come farther before.
    pub fn note_at(&self, reader: &str, seq: u64) -> Option<Timestamp> {
        match self.marks.get(reader) {
            Some(mark) => (seq > mark.seq).then(|| mark.at.plus_seconds(READ_EVERY_SECONDS)),
            None => Some(Timestamp::EPOCH),
        }
    }

    /// Takes how far a reader has come; gives back the record of the alarm that ends by it.
    pub fn read(&mut self, now: Timestamp, reader: &str, seq: u64) -> Option<u64> {
        let mark = self.marks.entry(reader_name(reader)).or_insert(Mark { seq, at: now });
        *mark = Mark { seq: seq.max(mark.seq), at: now };
        if self.marks.len() > READERS_MAX {
            let least = self.marks.iter().min_by_key(|(name, mark)| (mark.at, *name));
            let least = least.map(|(name, _)| name.clone()).unwrap_or_default();
            self.marks.remove(&least);
        }
        let unread = self.unread.filter(|unread| seq >= unread.first)?;
        // Somebody reads: for what is left it is waited anew.
        self.unread = (seq < unread.last).then_some(Unread {
            first: seq + 1,
            since: now,
            last: unread.last,
            alarm: None,
        });
        unread.alarm
    }

    /// The lines that make up the state.
    pub fn lines(&self) -> impl Iterator<Item = ReadersLine> + '_ {
        let marks = self.marks.iter().map(|(name, mark)| Line::Mark(name.clone(), *mark));
        marks.chain(self.unread.map(Line::Unread)).map(ReadersLine)
    }

    /// Puts back one line.
    pub fn restore(&mut self, line: ReadersLine) {
        match line.0 {
            Line::Mark(name, mark) => _ = self.marks.insert(name, mark),
            Line::Unread(unread) => self.unread = Some(unread),
        }
    }
}
