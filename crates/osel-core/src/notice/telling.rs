//! What is told of one record, if anything is.
//!
//! A record passes the filter, or says that something is over whose begin passed it: as far as the record tells, since nobody remembers what
//! was told months ago. So a finding that is resolved is told by whoever is told such findings, though its record itself matters to nobody.

use crate::engine::record::{Record, sentence};
use crate::format::{Severity, cut_text, one_line, row_id};
use crate::forward::Filter;
use crate::trail::RecordKind;

use super::limits::{NOTICE_LINE_CHARS_MAX, NOTICE_THREADS_MAX};

/// What is told of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Telling {
    /// How much it matters; of what is over, how much it mattered.
    pub(super) severity: Severity,
    /// Something is over.
    pub(super) is_resolved: bool,
    /// A line without anything in it that could end it or turn it around.
    pub(super) text: String,
    /// What it belongs to: the same names when it begins and when it is over.
    pub(super) threads: Vec<String>,
    /// The project, by its name where that is known.
    pub(super) project: Option<String>,
}

impl Telling {
    /// What is told of a record to whoever has that filter.
    pub(super) fn of(filter: &Filter, record: &Record) -> Option<Self> {
        let told = match (resolved_finding(record), closed(record)) {
            (Some(severity), _) => filter.passes(record, severity).then_some((severity, true)),
            (None, over) => {
                let severity = Severity::of(record);
                if filter.passes(record, severity) {
                    Some((severity, false))
                } else {
                    over.filter(|severity| filter.passes_closing(record, *severity))
                        .map(|severity| (severity, true))
                }
            }
        };
        let (severity, is_resolved) = told?;
        let mut text = one_line(&sentence(record));
        cut_text(&mut text, NOTICE_LINE_CHARS_MAX);
        Some(Self { severity, is_resolved, text, threads: threads(record), project: project(record) })
    }
}

/// How much a finding mattered that a record says to be resolved.
fn resolved_finding(record: &Record) -> Option<Severity> {
    let detail = |key: &str| record.body.detail.get(key).map(String::as_str);
    let is_resolved = record.header.kind == RecordKind::Finding && detail("state") == Some("resolved");
    is_resolved.then(|| detail("severity").and_then(Severity::of_finding_word)).flatten()
}

/// How much it mattered that what a record closed was open, if nothing else admits the same.
fn closed(record: &Record) -> Option<Severity> {
    let wide = record.wide.iter().filter(|wide| !wide.opened).flat_map(|wide| &wide.examples);
    let rows = record.closed.iter().chain(wide).filter(|judged| !judged.redundant);
    rows.map(|judged| Severity::of_new_row(&judged.row)).max()
}

fn threads(record: &Record) -> Vec<String> {
    if let Some(finding) = record.body.detail.get("finding") {
        return vec![format!("finding-{}", word(finding))];
    }
    let wide = record.wide.iter().flat_map(|wide| wide.examples.iter().map(|judged| (wide.opened, judged)));
    let rows = record.opened.iter().map(|judged| (true, judged));
    let rows = rows.chain(record.closed.iter().map(|judged| (false, judged))).chain(wide);
    // Of what came, also rows that came together with their equals; of what went, only what nothing else admits.
    let rows = rows.filter(|(opened, judged)| !judged.changes_nothing(*opened));
    let mut threads: Vec<String> = rows
        .take(NOTICE_THREADS_MAX)
        .map(|(_, judged)| format!("exposure-{}", row_id(&judged.row)))
        .collect();
    if threads.is_empty() {
        threads.push(format!("record-{}", record.header.seq));
    }
    threads.dedup();
    threads
}

/// A name as it may stand anywhere; ours have nothing else in them.
fn word(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

fn project(record: &Record) -> Option<String> {
    let body = &record.body;
    let target = body.target.as_ref().and_then(|target| target.project_id.as_ref());
    let of_rows = || record.rows_at_hand().find_map(|judged| judged.row.project_id.as_ref());
    let id = target.or(body.project_id.as_ref()).or_else(of_rows)?;
    let is_actors = body.project_id.as_ref() == Some(id);
    let name = body.project_name.as_deref().filter(|_| is_actors);
    let mut name = name.map_or_else(|| id.to_string(), one_line);
    cut_text(&mut name, 64);
    Some(name)
}
