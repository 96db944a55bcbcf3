//! Which records are sent to a receiver.
//!
//! What cannot be seen of a record any more (retention, erasure) does not match: a project's receiver is not told what may be another's.

use std::collections::BTreeSet;

use crate::engine::record::Record;
use crate::format::Severity;
use crate::ids::Id;
use crate::trail::RecordKind;

/// A filter: a record passes when all that is asked for is true of it. The default lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// It is of one of these kinds; none: of any.
    pub kinds: BTreeSet<RecordKind>,
    /// It matters at least so much.
    pub severity_min: Severity,
    /// The actor's, the target's or an affected address's project is one of these; none: whichever it is.
    pub projects: BTreeSet<Id>,
    /// Its event type begins with one of these; none: whatever it is.
    pub event_types: Vec<String>,
    /// It opened an address to somebody who had no access before.
    pub exposing_only: bool,
}

impl Filter {
    /// Whether a record that matters so much passes.
    pub fn passes(&self, record: &Record, severity: Severity) -> bool {
        self.passes_closing(record, severity) && (!self.exposing_only || exposes(record))
    }

    /// Whether the begin of what a record closes would have passed, had it mattered so much: what is closed exposed somebody once.
    pub(crate) fn passes_closing(&self, record: &Record, severity: Severity) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&record.header.kind))
            && severity >= self.severity_min
            && (self.event_types.is_empty() || self.has_type(record))
            && (self.projects.is_empty() || self.has_project(record))
    }

    fn has_type(&self, record: &Record) -> bool {
        let event_type = record.body.event_type.as_deref().unwrap_or_default();
        self.event_types.iter().any(|begin| event_type.starts_with(begin.as_str()))
    }

    fn has_project(&self, record: &Record) -> bool {
        let target = record.body.target.as_ref();
        let of_body = [record.body.project_id.as_ref(), target.and_then(|target| target.project_id.as_ref())];
        let of_rows = record.rows_at_hand().map(|judged| judged.row.project_id.as_ref());
        let of_wide = record.wide.iter().map(|wide| wide.project_id.as_ref());
        let mut all = of_body.into_iter().chain(of_rows).chain(of_wide).flatten();
        all.any(|project| self.projects.contains(project))
    }
}

/// Whether it opened an address to somebody who had no access before. Rules on many ports have such rows among their examples, if any.
fn exposes(record: &Record) -> bool {
    let of_wide = record.wide.iter().filter(|wide| wide.opened).flat_map(|wide| &wide.examples);
    record.opened.iter().chain(of_wide).any(|judged| !judged.covered_before)
}
