//! A notice: what one message says. Drivers and templates read it; it is never stored.

use serde::{Deserialize, Serialize};

use super::limits::NOTICE_HEADING_CHARS_MAX;
use crate::format::{Severity, cut_text};
use crate::time::Timestamp;

/// What one message says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The first record that it is about, by its number, and the last one.
    pub first: u64,
    /// See `first`.
    pub last: u64,
    /// When the first of them was recorded, and the last one; of a digest the period.
    pub since: String,
    /// See `since`.
    pub until: String,
    /// Whether it is one of a period.
    pub is_digest: bool,
    /// How many records are told.
    pub told: u64,
    /// How many of them say that something is over.
    pub resolved: u64,
    /// The highest severity of the others; of what is over where there are none.
    pub severity: String,
    /// How many of the others have which severity, from the highest; without those that none has.
    pub severities: Vec<(String, u64)>,
    /// Lines, by what they belong to; the ones that matter most, first what matters most.
    pub groups: Vec<NoticeGroup>,
    /// How many of the records that are told have no line.
    pub more: u64,
    /// Names of what it is about: what is over has those that it had when it began.
    pub threads: Vec<String>,
}

/// A time as people read it.
pub(super) fn told_time(time: Timestamp) -> String {
    let text = time.to_string();
    // What is behind the seconds is for whoever orders records, who has their numbers.
    text.get(..19).map_or(text.clone(), |text| format!("{} UTC", text.replace('T', " ")))
}

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeGroup {
    /// What they have in common.
    pub title: String,
    /// How many records of it are told, with or without a line.
    pub told: u64,
    /// Lines, in the order of the trail.
    pub lines: Vec<NoticeLine>,
}

/// What is said of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeLine {
    /// The record.
    pub seq: u64,
    /// When it happened.
    pub time: String,
    /// How much it matters, or mattered.
    pub severity: String,
    /// Whether it says that something is over.
    pub is_resolved: bool,
    /// What happened, in a line.
    pub text: String,
}

impl Notice {
    /// One that is no notice but a test, about no record.
    pub fn of_test(time: Timestamp, text: &str) -> Self {
        let time = told_time(time);
        let line = NoticeLine {
            seq: 0,
            time: time.clone(),
            severity: Severity::Informational.as_str().to_owned(),
            is_resolved: false,
            text: text.to_owned(),
        };
        Self {
            since: time.clone(),
            until: time,
            told: 1,
            severity: line.severity.clone(),
            severities: vec![(line.severity.clone(), 1)],
            groups: vec![NoticeGroup { title: "test".to_owned(), told: 1, lines: vec![line] }],
            ..Self::default()
        }
    }

    /// What it is about, in a few words and one line.
    pub fn heading(&self) -> String {
        let line = self.lines().next().filter(|_| self.told == 1 && !self.is_digest);
        let mut heading = match line {
            Some(line) if line.is_resolved => format!("resolved: {}", line.text),
            Some(line) => format!("{}: {}", line.severity, line.text),
            None => self.counts(),
        };
        cut_text(&mut heading, NOTICE_HEADING_CHARS_MAX);
        heading
    }

    /// How many of what, in one line, with nothing in it that anybody named.
    pub fn counts(&self) -> String {
        let mut words = Vec::new();
        for (severity, count) in &self.severities {
            words.push(format!("{count} {severity}"));
        }
        if self.resolved > 0 {
            words.push(format!("{} resolved", self.resolved));
        }
        let what = if words.is_empty() { "nothing to tell".to_owned() } else { words.join(", ") };
        if self.is_digest { format!("digest: {what}") } else { what }
    }

    /// All its lines.
    pub fn lines(&self) -> impl Iterator<Item = &NoticeLine> {
        self.groups.iter().flat_map(|group| &group.lines)
    }

    /// The command that shows all records which it is about.
    pub fn search(&self) -> String {
        format!("osel audit search --seq {}..{}", self.first, self.last)
    }

    /// The same with so many lines at most, for a receiver that takes no more.
    pub fn with_lines(&self, lines: usize) -> Self {
        let mut left = lines;
        let mut groups = self.groups.clone();
        for group in &mut groups {
            group.lines.truncate(left);
            left -= group.lines.len();
        }
        groups.retain(|group| !group.lines.is_empty());
        let shown: usize = groups.iter().map(|group| group.lines.len()).sum();
        Self { groups, more: self.told.saturating_sub(shown as u64), ..self.clone() }
    }

    /// The same without anything that somebody in the cloud has named, for a receiver that will not take it as it is.
    pub fn bare(&self) -> Self {
        Self { groups: Vec::new(), more: self.told, ..self.clone() }
    }
}
