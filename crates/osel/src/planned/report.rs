//! What came of a plan as one JSON document.
//!
//! Rows have the keys of contract §4. A value that nobody knows yet, or that the plan marks as sensitive, is null, and `hidden` says so.

use std::collections::BTreeMap;

use osel_core::model::Kind;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::growth::ChangedMembers;
use super::note::Note;
use super::outcome::{ChangedRow, Hidden, Outcome, ShownRow, Way};

/// The answer of `osel whatif -o json`.
#[derive(Debug, Serialize)]
pub struct Report {
    opened: Vec<Map<String, Value>>,
    closed: Vec<Map<String, Value>>,
    members: Vec<Map<String, Value>>,
    notes: Vec<NoteReport>,
    resources: Vec<ResourceReport>,
}

#[derive(Debug, Serialize)]
struct NoteReport {
    kind: &'static str,
    resource: Option<String>,
    opens: bool,
    text: String,
}

/// What one resource or request does.
#[derive(Debug, Default, Serialize)]
struct ResourceReport {
    resource: String,
    opened: usize,
    new: usize,
    internet: usize,
    closed: usize,
}

impl Report {
    /// The report of an outcome.
    pub fn new(outcome: &Outcome) -> Self {
        let rows = |rows: &[ChangedRow], opened: bool| {
            rows.iter().map(|row| row_report(outcome, row, opened)).collect()
        };
        Self {
            opened: rows(&outcome.opened, true),
            closed: rows(&outcome.closed, false),
            members: outcome.members.iter().map(|change| member_report(outcome, change)).collect(),
            notes: outcome.notes.iter().map(NoteReport::from).collect(),
            resources: resources(outcome),
        }
    }
}

impl From<&Note> for NoteReport {
    fn from(note: &Note) -> Self {
        let resource = note.resource.as_deref().map(str::to_owned);
        Self { kind: note.kind.as_str(), resource, opens: note.opens, text: note.text.clone() }
    }
}

fn row_report(outcome: &Outcome, changed: &ChangedRow, opened: bool) -> Map<String, Value> {
    let shown = outcome.shown(&changed.judged.row);
    let Ok(Value::Object(mut row)) = serde_json::to_value(&shown.document) else { return Map::new() };
    row.insert("redundant".to_owned(), changed.judged.redundant.into());
    for (key, why) in &shown.hidden {
        let value = row.get_mut(*key);
        match (value, why) {
            // That it is a group stays to be seen.
            (Some(Value::Object(source)), Hidden::KnownAfterApply(_)) => {
                source.values_mut().for_each(|value| *value = Value::Null);
            }
            (Some(value), _) => *value = Value::Null,
            (None, _) => {}
        }
    }
    row.insert("hidden".to_owned(), hidden(&shown));
    row.insert("resource".to_owned(), outcome.resource(changed).to_string().into());
    if opened {
        row.insert("new".to_owned(), changed.is_new().into());
        row.insert("internet".to_owned(), changed.internet.into());
        let way = changed.way.as_ref().map(|way| way_report(outcome, &shown, way));
        row.insert("reach".to_owned(), way.unwrap_or_default());
    }
    row
}

fn hidden(shown: &ShownRow) -> Value {
    let why = shown.hidden.iter().map(|(key, why)| {
        let why = match why {
            Hidden::KnownAfterApply(resource) => json!({"why": "known_after_apply", "resource": &**resource}),
            Hidden::Sensitive => json!({"why": "sensitive"}),
        };
        ((*key).to_owned(), why)
    });
    why.collect::<Map<_, _>>().into()
}

fn way_report(outcome: &Outcome, shown: &ShownRow, way: &Way) -> Value {
    let hops = way.verdict.path.iter().map(|hop| {
        let hop = outcome.shown_hop(shown, way, hop);
        let planned = hop.id.as_ref().and_then(|id| outcome.planned(id));
        let id = hop.id.as_ref().filter(|_| planned.is_none());
        json!({
            "type": hop.kind.singular(),
            "id": id,
            "name": hop.name,
            "note": hop.note,
            "resource": planned.map(|resource| &**resource),
        })
    });
    json!({
        "from": (!shown.hides_sender()).then(|| way.from.to_string()),
        "reachable": way.verdict.reachable,
        "reason": way.verdict.reason.as_str(),
        "path": hops.collect::<Vec<_>>(),
    })
}

fn member_report(outcome: &Outcome, members: &ChangedMembers) -> Map<String, Value> {
    let change = &members.change;
    let list = |addresses: &[ipnet::IpNet]| -> (Vec<String>, usize) {
        let shown: Vec<_> =
            addresses.iter().filter_map(|address| outcome.shown_member(change, *address)).collect();
        let hidden = addresses.len() - shown.len();
        (shown, hidden)
    };
    let key = if change.kind == Kind::AddressGroup { "address_group" } else { "security_group" };
    let planned = outcome.planned(&change.id);
    let id = (planned.is_none() && !outcome.is_secret(&change.id)).then(|| change.id.to_string());
    let ((gained, gained_hidden), (lost, lost_hidden)) = (list(&change.gained), list(&change.lost));
    Map::from_iter([
        (key.to_owned(), json!(id)),
        ("resource".to_owned(), json!(planned.map(|resource| &**resource))),
        ("gained".to_owned(), json!(gained)),
        ("gained_hidden".to_owned(), json!(gained_hidden)),
        ("lost".to_owned(), json!(lost)),
        ("lost_hidden".to_owned(), json!(lost_hidden)),
        ("new".to_owned(), json!(members.new)),
        ("internet".to_owned(), json!(members.internet)),
    ])
}

/// Each resource once, in the order of its first step.
fn resources(outcome: &Outcome) -> Vec<ResourceReport> {
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all: Vec<ResourceReport> = Vec::new();
    let mut at_step = Vec::with_capacity(outcome.steps.len());
    for step in &outcome.steps {
        let at = *place.entry(&step.resource).or_insert_with(|| {
            all.push(ResourceReport { resource: step.resource.to_string(), ..ResourceReport::default() });
            all.len() - 1
        });
        at_step.push(at);
    }
    for row in &outcome.opened {
        let report = &mut all[at_step[row.step]];
        report.opened += 1;
        report.new += usize::from(row.is_new());
        report.internet += usize::from(row.internet);
    }
    for row in &outcome.closed {
        all[at_step[row.step]].closed += 1;
    }
    all
}
