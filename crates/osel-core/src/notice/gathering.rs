//! What one notice will say: counts of everything, and the lines that matter most. Its memory does not grow with the number of records.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::limits::{NOTICE_CAUSES_MAX, NOTICE_GROUPS_MAX, NOTICE_THREADS_MAX};
use super::message::{Notice, NoticeGroup, NoticeLine, told_time};
use super::telling::Telling;
use crate::engine::record::Record;
use crate::format::Severity;
use crate::trail::RecordKind;

/// By what lines belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// By the record that they all follow from.
    #[default]
    Incident,
    /// By project.
    Project,
    /// By the kind of record.
    Kind,
}

impl GroupBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Incident, Self::Project, Self::Kind];

    /// Its word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Project => "project",
            Self::Kind => "kind",
        }
    }
}

/// What a line belongs to. The order is that of groups which matter alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Incident(u64),
    Project(Option<String>),
    Kind(RecordKind),
    /// Of so many others that they are not counted one by one.
    Others,
}

/// A line, and where it stands among all: what is new before what is over, then by how much it matters, then by age.
#[derive(Clone, Debug)]
struct Shown {
    group: Group,
    line: NoticeLine,
    threads: Vec<String>,
}

/// The place of a line: the first ones are kept.
type Rank = (bool, Reverse<Severity>, u64);

/// What is gathered for one notice.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathering {
    told: u64,
    resolved: u64,
    /// How many that are new have which severity.
    news: BTreeMap<Severity, u64>,
    worst_resolved: Severity,
    groups: BTreeMap<Group, u64>,
    shown: BTreeMap<Rank, Shown>,
}

/// From which record others follow, as far as it is remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Causes(BTreeMap<u64, u64>);

impl Causes {
    /// The first cause of a record, which is remembered for those that follow from it.
    pub(super) fn first_of(&mut self, record: &Record) -> u64 {
        let seq = record.header.seq;
        let Some(cause) = record.body.cause.filter(|cause| *cause < seq) else { return seq };
        let first = self.0.get(&cause).copied().unwrap_or(cause);
        self.0.insert(seq, first);
        if self.0.len() > NOTICE_CAUSES_MAX {
            self.0.pop_first();
        }
        first
    }
}

impl Gathering {
    /// How many records are told.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    /// Adds what is told of a record, of which at most so many lines are kept.
    pub(super) fn add(&mut self, record: &Record, telling: Telling, by: GroupBy, cause: u64, lines: usize) {
        let Telling { severity, is_resolved, text, threads, project } = telling;
        self.told += 1;
        if is_resolved {
            self.resolved += 1;
            self.worst_resolved = self.worst_resolved.max(severity);
        } else {
            *self.news.entry(severity).or_default() += 1;
        }
        let group = match by {
            GroupBy::Incident => Group::Incident(cause),
            GroupBy::Project => Group::Project(project),
            GroupBy::Kind => Group::Kind(record.header.kind),
        };
        let has_room = self.groups.len() < NOTICE_GROUPS_MAX || self.groups.contains_key(&group);
        let group = if has_room { group } else { Group::Others };
        *self.groups.entry(group.clone()).or_default() += 1;
        let line = NoticeLine {
            seq: record.header.seq,
            time: told_time(record.header.time),
            severity: severity.as_str().to_owned(),
            is_resolved,
            text,
        };
        let rank = (is_resolved, Reverse(severity), record.header.seq);
        self.shown.insert(rank, Shown { group, line, threads });
        if self.shown.len() > lines {
            self.shown.pop_last();
        }
    }

    /// What it says, of records and times that whoever keeps it knows.
    pub(super) fn notice(self) -> Notice {
        let worst = self.news.keys().next_back().copied().unwrap_or(self.worst_resolved);
        let severities =
            self.news.iter().rev().map(|(severity, count)| (severity.as_str().to_owned(), *count)).collect();
        let more = self.told - self.shown.len() as u64;
        let mut threads = BTreeSet::new();
        let mut groups: Vec<(Group, Vec<NoticeLine>)> = Vec::new();
        // In the order of ranks, so that a group stands where its first line does.
        for Shown { group, line, threads: of_line } in self.shown.into_values() {
            for thread in of_line {
                if threads.len() < NOTICE_THREADS_MAX {
                    threads.insert(thread);
                }
            }
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, lines)) => lines.push(line),
                None => groups.push((group, vec![line])),
            }
        }
        let group = |(group, mut lines): (Group, Vec<NoticeLine>)| {
            lines.sort_by_key(|line| line.seq);
            let told = self.groups.get(&group).copied().unwrap_or_default();
            NoticeGroup { title: title(&group), told, lines }
        };
        Notice {
            told: self.told,
            resolved: self.resolved,
            severity: worst.as_str().to_owned(),
            severities,
            groups: groups.into_iter().map(group).collect(),
            more,
            threads: threads.into_iter().collect(),
            ..Notice::default()
        }
    }
}

fn title(group: &Group) -> String {
    match group {
        Group::Incident(seq) => format!("what follows from record {seq}"),
        Group::Project(Some(project)) => format!("project {project}"),
        Group::Project(None) => "no project".to_owned(),
        Group::Kind(kind) => kind.as_str().to_owned(),
        Group::Others => "others".to_owned(),
    }
}
