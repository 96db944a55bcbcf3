//! Which records a forwarder sends: the keys of its filter.

use osel_core::format::Severity;
use osel_core::forward::Filter;
use osel_core::ids::Id;
use osel_core::trail::RecordKind;

use super::super::listed;
use super::super::section::{Section, boolean, quoted, text};

/// The most projects of a list: each record is looked up in it.
const PROJECTS_MAX: usize = 4096;
/// The longest id of a project: Keystone's column.
const PROJECT_CHARS_MAX: usize = 64;
/// The most beginnings of event types: each record is compared with all of them.
const EVENT_TYPES_MAX: usize = 256;
/// The longest of them; no service has longer types.
const EVENT_TYPE_CHARS_MAX: usize = 128;

/// Reads the keys of a filter. Without any, everything passes.
pub(super) fn filter(section: &mut Section<'_>) -> Filter {
    let kinds = section.list("kinds", 1..=RecordKind::ALL.len(), |word| {
        RecordKind::from_word(word).ok_or_else(|| {
            let known = listed(RecordKind::ALL.map(RecordKind::as_str), " or ");
            format!("must be {known}, not `{}`", quoted(word))
        })
    });
    let severity_min = section.read("severity_min", |node| {
        let word = text(node)?;
        Severity::from_word(word).ok_or_else(|| {
            let known = Severity::ALL.map(|severity| format!("`{severity}`")).join(" or ");
            format!("must be {known}, not `{}`", quoted(word))
        })
    });
    let projects = section.list("projects", 1..=PROJECTS_MAX, |id| {
        if id.chars().count() > PROJECT_CHARS_MAX || id.contains(char::is_control) {
            return Err(format!("must be the id of a project, of at most {PROJECT_CHARS_MAX} characters"));
        }
        Ok(Id::new(id))
    });
    let event_types = section.list("event_types", 1..=EVENT_TYPES_MAX, |begin| {
        if begin.chars().count() > EVENT_TYPE_CHARS_MAX || begin.contains('*') {
            return Err(format!(
                "must be the beginning of an event type, such as `security_group_rule.`, without `*`, of at most \
                 {EVENT_TYPE_CHARS_MAX} characters"
            ));
        }
        Ok(begin.to_owned())
    });
    Filter {
        kinds: kinds.unwrap_or_default().into_iter().collect(),
        severity_min: severity_min.unwrap_or_default(),
        projects: projects.unwrap_or_default().into_iter().collect(),
        event_types: event_types.unwrap_or_default(),
        exposing_only: section.read("exposing_only", boolean).unwrap_or(false),
    }
}
