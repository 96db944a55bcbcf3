//! Records in ArcSight's Common Event Format: `CEF:0|osel|osel|VERSION|SIGNATURE|NAME|SEVERITY|key=value …`, one line each.
//!
//! Of what a record opened and closed only numbers and the sentence are told: CEF has no place for rows.

use std::fmt::Write;
use std::net::IpAddr;

use super::Severity;
use super::fit::{REST, cut_text, harmless, one_line};
use super::told::{PRODUCT, Told, VERSION};
use crate::trail::RecordKind;

/// The longest value of the keys that ArcSight gives 1023 characters.
const VALUE_CHARS_MAX: usize = 1023;
/// The longest field of the head: ArcSight's columns for signature and name.
const HEAD_CHARS_MAX: usize = 512;

/// The line of a record.
pub(super) fn line(told: &Told<'_>) -> Vec<u8> {
    let mut line = String::with_capacity(1024 + told.sentence.len());
    line.push_str("CEF:0");
    for field in [PRODUCT, PRODUCT, VERSION, &signature(told), &name(told)] {
        line.push('|');
        head(&mut line, field);
    }
    let _ = write!(line, "|{}|", severity(told.severity));
    let mut out = Extension { line, is_empty: true };
    extension(told, &mut out);
    out.line.into_bytes()
}

/// What happened, as a word that rules can be written for.
fn signature(told: &Told<'_>) -> String {
    match (told.kind(), told.event_type(), told.detail("kind")) {
        (RecordKind::Finding, _, Some(kind)) => format!("finding.{kind}"),
        (_, Some(event), _) => event.to_owned(),
        (kind, None, _) => kind.as_str().to_owned(),
    }
}

/// The same for people: nothing in it is one record's only.
fn name(told: &Told<'_>) -> String {
    match (told.kind(), told.detail("verb"), told.target_kind()) {
        (RecordKind::Finding, ..) => {
            let kind = told.detail("kind").unwrap_or_default().replace('_', " ");
            format!("finding {}: {kind}", told.detail("state").unwrap_or_default())
        }
        (kind, Some(verb), Some(target)) => format!("{kind}: {verb} {}", target.replace('_', " ")),
        (kind, ..) => format!("{kind}: {}", told.outcome()),
    }
}

fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

fn extension(told: &Told<'_>, out: &mut Extension) {
    let record = told.record;
    let (body, personal) = (&record.body, &record.personal);
    out.number("rt", told.recorded_millis());
    out.number("start", told.millis());
    out.text("externalId", &told.id);
    out.text("deviceExternalId", told.store);
    out.text("cat", told.kind().as_str());
    out.text("act", &told.operation());
    out.text("outcome", told.outcome());
    out.text_if("reason", told.detail("reason"));
    out.text("msg", &told.sentence);
    out.text_if("suser", told.user_name());
    out.id_if("suid", body.user_id.as_ref());
    match (told.client(), personal.address.as_deref()) {
        (Some(IpAddr::V4(ip)), _) => out.text("src", &ip.to_string()),
        (Some(IpAddr::V6(ip)), _) => out.labelled("c6a2", "Source IPv6 Address", &ip.to_string()),
        (None, Some(host)) => out.text("shost", host),
        (None, None) => {}
    }
    out.text_if("requestClientApplication", personal.agent.as_deref());
    out.text_if("request", told.detail("path"));
    match told.scanned() {
        Some(IpAddr::V4(ip)) => out.text("dst", &ip.to_string()),
        Some(IpAddr::V6(ip)) => out.labelled("c6a3", "Destination IPv6 Address", &ip.to_string()),
        None => {}
    }
    if let Some((transport, port)) = told.port() {
        out.text("proto", transport);
        out.number("dpt", port.into());
    }
    match told.detail("user") {
        Some(id) => {
            out.text("duid", id);
            out.text_if("duser", personal.detail.get("user_name").map(String::as_str));
        }
        None if told.target_kind() == Some("user") => {
            out.id_if("duid", told.target_id());
            out.text_if("duser", told.target_name());
        }
        None => {}
    }
    out.text_if("dhost", told.detail("server_name"));
    out.number("cn1", i64::try_from(record.header.seq).unwrap_or(i64::MAX));
    out.text("cn1Label", "Record");
    if told.has_exposure() {
        for (key, label, count) in
            [("cn2", "Opened", record.opened_count()), ("cn3", "Closed", record.closed_count())]
        {
            out.number(key, i64::try_from(count).unwrap_or(i64::MAX));
            out.text(&format!("{key}Label"), label);
        }
    }
    let project = body
        .project_name
        .as_deref()
        .map(str::to_owned)
        .or_else(|| body.project_id.as_ref().map(ToString::to_string));
    let target = told.target_name().map(str::to_owned).or_else(|| told.target_id().map(ToString::to_string));
    let target =
        told.target_kind().map(|kind| format!("{kind} {}", target.unwrap_or_default()).trim_end().to_owned());
    for (key, label, value) in [
        ("cs1", "Project", project.as_deref()),
        ("cs2", "Region", body.region.as_deref()),
        ("cs3", "Target", target.as_deref()),
        ("cs4", "Request", body.request_id.as_ref().map(ToString::to_string).as_deref()),
        ("cs5", "Record hash", Some(&*record.hash.to_string())),
        ("cs6", "Source", body.source.as_deref()),
    ] {
        if let Some(value) = value {
            out.labelled(key, label, value);
        }
    }
}

/// The pairs behind the head.
struct Extension {
    line: String,
    is_empty: bool,
}

impl Extension {
    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.is_empty) {
            self.line.push(' ');
        }
        self.line.push_str(key);
        self.line.push('=');
    }

    /// A pair, unless the value is empty: that is how CEF says nothing.
    fn text(&mut self, key: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        self.key(key);
        value(&mut self.line, text);
    }

    fn text_if(&mut self, key: &str, text: Option<&str>) {
        self.text(key, text.unwrap_or_default());
    }

    fn id_if(&mut self, key: &str, id: Option<&crate::ids::Id>) {
        if let Some(id) = id {
            id.with_text(|text| self.text(key, text));
        }
    }

    fn number(&mut self, key: &str, number: i64) {
        self.key(key);
        let _ = write!(self.line, "{number}");
    }

    /// A pair whose meaning stands in another.
    fn labelled(&mut self, key: &str, label: &str, text: &str) {
        if !text.is_empty() {
            self.text(key, text);
            self.text(&format!("{key}Label"), label);
        }
    }
}

/// A field of the head: `\` and `|` are escaped, and lines do not end in it.
fn head(line: &mut String, field: &str) {
    let mut field = one_line(field);
    cut_text(&mut field, HEAD_CHARS_MAX);
    for character in field.chars() {
        if matches!(character, '\\' | '|') {
            line.push('\\');
        }
        line.push(character);
    }
}

/// A value: `\` and `=` are escaped, ends of lines are written as such, and a pipe is left alone. Whatever else could turn or break a line is
/// not let through.
fn value(line: &mut String, text: &str) {
    for (at, character) in text.chars().enumerate() {
        if at == VALUE_CHARS_MAX - 1 && text.chars().nth(VALUE_CHARS_MAX).is_some() {
            line.push(REST);
            return;
        }
        match character {
            '\\' => line.push_str("\\\\"),
            '=' => line.push_str("\\="),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            other => line.push(harmless(other)),
        }
    }
}
