//! One sentence that says what a record says: for people, made when it is read and never hashed.

use std::fmt::Write;

use super::document::Record;
use super::wide::EXAMPLES;
use crate::exposure::JudgedRow;
use crate::model::{Row, Source, net_text, sort_by_row};
use crate::trail::{PartClass, RecordKind};

/// The most rows that a sentence names; the rest is counted.
const ROWS_NAMED: usize = EXAMPLES;

/// Of a row that opened where the same was admitted before, by another rule or by what the same record closed.
pub const WAS_OPEN: &str = "was open before";
/// Of a row that closed where the same is admitted still.
pub const STILL_OPEN: &str = "still open";

/// The sentence of a record.
pub fn sentence(record: &Record) -> String {
    let detail = |key: &str| record.body.detail.get(key).map(String::as_str);
    let mut text = match record.header.kind {
        _ if record.missing.contains(&PartClass::Body) => {
            "what happened is not here: not kept any more, or not for whoever reads this".to_owned()
        }
        RecordKind::Authentication => authentication(record),
        RecordKind::Access => access(record),
        RecordKind::Change | RecordKind::Activity => change(record),
        _ => {
            let text =
                detail("text").or(record.body.event_type.as_deref()).unwrap_or("nothing more is known");
            // A person's name stands with the personal data, and the text has the id.
            match (detail("user"), record.personal.detail.get("user_name")) {
                (Some(id), Some(name)) => text.replace(&format!("user {id}"), &format!("user {name}")),
                _ => text.to_owned(),
            }
        }
    };
    if let Some(note) = detail("note") {
        let _ = write!(text, " ({note})");
    }
    if record.body.conflicting {
        text.push_str(" (its message id was used before with another content)");
    }
    let mut separator = ": ";
    let opened = (true, "opened", &record.opened, record.opened_count());
    let closed = (false, "closed", &record.closed, record.closed_count());
    for (came, word, rows, count) in [opened, closed] {
        let wide = record.wide.iter().filter(|wide| wide.opened == came);
        // Each rule's examples are the first of its rows, so that the first of them all are among these.
        let mut rows: Vec<&JudgedRow> = rows.iter().chain(wide.flat_map(|wide| &wide.examples)).collect();
        if !rows.is_empty() {
            if rows.len() < count {
                sort_by_row(&mut rows, |judged| &judged.row);
            }
            let is_open = |row: &JudgedRow| row.changes_nothing(came);
            let note = if came { WAS_OPEN } else { STILL_OPEN };
            let _ = write!(text, "{separator}{word} {}", rows_text(&rows, count, note, is_open));
            separator = "; ";
        }
    }
    for members in &record.body.members {
        let (kind, id) = match (&members.security_group, &members.address_group) {
            (Some(id), _) => ("security group", id),
            (_, Some(id)) => ("address group", id),
            _ => continue,
        };
        for (word, addresses) in [("gained", &members.gained), ("lost", &members.lost)] {
            if !addresses.is_empty() {
                let _ = write!(text, "{separator}{kind} {id} {word} {}", addresses.join(", "));
                separator = "; ";
            }
        }
    }
    text
}

fn who(record: &Record) -> String {
    let user = match (&record.personal.user_name, &record.body.user_id) {
        (Some(name), _) => name.to_string(),
        (None, Some(id)) if record.missing.contains(&PartClass::Personal) => {
            format!("user {id} (name not kept or not shown)")
        }
        (None, Some(id)) => format!("user {id} (name unknown)"),
        (None, None) => return "somebody".to_owned(),
    };
    match (&record.body.project_name, &record.body.project_id) {
        (Some(name), _) => format!("{user} (project {name})"),
        (None, Some(id)) => format!("{user} (project {id})"),
        (None, None) => user,
    }
}

fn whence(record: &Record) -> String {
    record.personal.address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default()
}

fn authentication(record: &Record) -> String {
    let reason = record.body.detail.get("reason").map(|reason| format!(": {reason}")).unwrap_or_default();
    match &*record.body.outcome {
        "success" => format!("{} logged in{}", who(record), whence(record)),
        "failure" => format!("login of {}{} failed{reason}", who(record), whence(record)),
        other => format!("login of {}{}: {other}{reason}", who(record), whence(record)),
    }
}

fn access(record: &Record) -> String {
    let detail = |key: &str| record.body.detail.get(key).map_or("", String::as_str);
    let status = match detail("status") {
        "" => record.body.outcome.to_string(),
        status => format!("{}, {status}", record.body.outcome),
    };
    format!("{}{} called {} {}: {status}", who(record), whence(record), detail("action"), detail("path"))
}

fn change(record: &Record) -> String {
    let body = &record.body;
    let detail = |key: &str| body.detail.get(key).map(String::as_str);
    let Some(verb) = detail("verb") else {
        // Kept and counted, not interpreted: the event type is all that can be said.
        return format!("{}: {}", who(record), body.event_type.as_deref().unwrap_or("event type unknown"));
    };
    let done = match &*body.outcome {
        "failure" => format!("failed to {verb}"),
        "pending" => format!("asked to {verb}"),
        _ => past(verb),
    };
    let mut text = format!("{} {done}", who(record));
    match &body.target {
        Some(target) => {
            let _ = write!(text, " {}", target.kind.replace('_', " "));
            match (record.target_name(), &target.id) {
                (Some(name), _) => {
                    let _ = write!(text, " {name}");
                }
                (None, Some(id)) => {
                    let _ = write!(text, " {id}");
                }
                (None, None) => {}
            }
        }
        None => {
            let _ =
                write!(text, " something ({})", body.event_type.as_deref().unwrap_or("event type unknown"));
        }
    }
    let words = [
        ("server_name", " of server "),
        ("rule", " "),
        ("group", " in security group "),
        ("extra", ": "),
        ("reason", ": "),
    ];
    for (key, before) in words {
        if let Some(value) = detail(key) {
            let _ = write!(text, "{before}{value}");
        }
    }
    text
}

/// The past of the verbs that APIs use; others are shown as they are.
fn past(verb: &str) -> String {
    match verb {
        "send" => "downloaded".to_owned(),
        _ if verb.ends_with("ed") => verb.to_owned(),
        _ if verb.ends_with('e') => format!("{verb}d"),
        "create" | "update" | "delete" => format!("{verb}d"),
        "change" => "changed".to_owned(),
        "attach" | "detach" | "add" | "accept" | "upload" | "grant" => format!("{verb}ed"),
        _ => format!("did {verb} on"),
    }
}

/// Some rows, those first which changed something: the others have the note.
fn rows_text(rows: &[&JudgedRow], count: usize, note: &str, is_open: impl Fn(&JudgedRow) -> bool) -> String {
    let telling = rows.iter().filter(|row| !is_open(row)).chain(rows.iter().filter(|row| is_open(row)));
    let row_text = |judged: &JudgedRow| match row_words(&judged.row) {
        words if is_open(judged) => format!("{words} ({note})"),
        words => words,
    };
    let named: Vec<String> = telling.take(ROWS_NAMED).map(|judged| row_text(judged)).collect();
    let mut text = named.join(", ");
    if count > named.len() {
        let _ = write!(text, " and {} more", count - named.len());
    }
    text
}

/// A row as a sentence has it: `192.0.2.1 tcp 22 from 0.0.0.0/0`.
pub(crate) fn row_words(row: &Row) -> String {
    let permission = &row.permission;
    let mut text = format!("{} {}{}", row.address_text(), permission.protocol.name(), permission.words());
    let source = match &permission.source {
        Source::Prefix(prefix) => net_text(*prefix),
        Source::Group(id) => format!("security group {id}"),
        Source::AddressGroup(id) => format!("address group {id}"),
    };
    let _ = write!(text, " from {source}");
    text
}
