//! What is written down of reads of the API, and back: differences, names, and what older versions wrote.
//!
//! The first version wrote every page and the end ([`Form::Pages`]). Since then only what differed is written, and what is gone by its
//! ids: a read that differs in nothing is one small entry at its end. Nothing here decides what differs.

use std::sync::Arc;

use osel_core::decode::{Item, ItemPage, read_item};
use osel_core::engine::{
    AssignmentChange, AssignmentDifferences, CompleteKind, Engine, Input, Named, OtherParts, Output,
    ReadDifferences, ReadEnd, ReadPage, ReadRun, ReadStep, RunId, Told,
};
use osel_core::event::{Assignment, Kind};
use osel_core::ids::Id;
use osel_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::Entry;

/// What stands beside a part of a read.
#[derive(Debug, Serialize, Deserialize)]
struct ReadHead {
    #[serde(default)]
    form: Form,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<Arc<str>>,
    at: Timestamp,
    exact: bool,
    /// Who handed it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<Arc<str>>,
    /// The end of a read of the first form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<OldEnd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<Step>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<(Kind, Id)>,
    /// Objects that were as they were known, each with the fields that were shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    confirmed: Vec<(Kind, Id, u16)>,
    /// What other parts of the read made and took away that explains something in this one; none from when a part was all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others_made: Vec<(Kind, Id)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others_gone: Vec<(Kind, Id)>,
    /// Records and objects that were told of the run before.
    #[serde(default, skip_serializing_if = "is_zero")]
    told: (u64, u64),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    silent: bool,
    /// With this all role assignments were shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    whole: bool,
}

/// Which version wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    /// Whole pages: the first, which had no word for it.
    #[default]
    Pages,
    /// What differed.
    Differences,
    /// Names that were not known.
    Names,
    /// Role assignments that were otherwise than known.
    Assignments,
}

#[derive(Debug, Serialize, Deserialize)]
struct OldEnd {
    complete: Vec<Kind>,
    origin: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Part,
    Confirmed,
    /// As at the end.
    Closing {
        complete: Vec<(Kind, u64, u16)>,
    },
    /// Of each kind: how many objects were shown, and the fields that all had.
    End {
        complete: Vec<(Kind, u64, u16)>,
        origin: String,
    },
    BrokenOff,
    TooLate {
        origin: String,
    },
    Looked,
}

fn is_zero(told: &(u64, u64)) -> bool {
    *told == (0, 0)
}

/// The head of the entry of a read's differences; its body is their text.
pub fn differences_head(part: &ReadDifferences) -> Vec<u8> {
    let step = match &part.step {
        ReadStep::Part => Step::Part,
        ReadStep::Confirmed => Step::Confirmed,
        ReadStep::Closing { complete } => Step::Closing { complete: write_kinds(complete) },
        ReadStep::End { complete, origin } => {
            Step::End { complete: write_kinds(complete), origin: origin.clone() }
        }
        ReadStep::BrokenOff => Step::BrokenOff,
        ReadStep::TooLate { origin } => Step::TooLate { origin: origin.clone() },
        ReadStep::Looked => Step::Looked,
    };
    let head = ReadHead {
        step: Some(step),
        gone: part.gone.clone(),
        confirmed: part.confirmed.clone(),
        others_made: part.others.made.clone(),
        others_gone: part.others.gone.clone(),
        told: (part.told.records, part.told.objects),
        cause: part.cause,
        silent: part.is_silent,
        ..head(&part.run, Form::Differences)
    };
    serde_json::to_vec(&head).unwrap_or_default()
}

/// The head of the entry of names that a read showed; its body is their text.
pub fn names_head(run: &ReadRun) -> Vec<u8> {
    serde_json::to_vec(&head(run, Form::Names)).unwrap_or_default()
}

/// One line of an entry of role assignments.
#[derive(Serialize, Deserialize)]
struct ChangeLine {
    #[serde(rename = "a")]
    assignment: Assignment,
    #[serde(rename = "g")]
    given: bool,
    /// Whether it is news.
    #[serde(rename = "t")]
    is_told: bool,
}

/// The entry of a read's differences in role assignments: head and body.
pub fn assignments_entry(part: &AssignmentDifferences) -> (Vec<u8>, Vec<u8>) {
    let head = ReadHead {
        told: (part.told.records, part.told.objects),
        cause: part.cause,
        whole: part.is_whole,
        ..head(&part.run, Form::Assignments)
    };
    let mut body = Vec::new();
    for AssignmentChange { assignment, given, is_told } in part.changes.iter().cloned() {
        let line = ChangeLine { assignment, given, is_told };
        body.extend(serde_json::to_vec(&line).unwrap_or_default());
        body.push(b'\n');
    }
    (serde_json::to_vec(&head).unwrap_or_default(), body)
}

fn changes(body: &[u8]) -> Vec<AssignmentChange> {
    let lines = body.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    lines
        .map(|ChangeLine { assignment, given, is_told }| AssignmentChange { assignment, given, is_told })
        .collect()
}

fn head(run: &ReadRun, form: Form) -> ReadHead {
    let ReadRun { id, region, at, exact, actor } = run.clone();
    ReadHead {
        form,
        run: id,
        region,
        at,
        exact,
        actor,
        end: None,
        step: None,
        gone: Vec::new(),
        confirmed: Vec::new(),
        others_made: Vec::new(),
        others_gone: Vec::new(),
        told: (0, 0),
        cause: None,
        silent: false,
        whole: false,
    }
}

/// Does to the engine what a part of a read once did.
pub(super) fn fold(engine: &mut Engine, entry: &Entry, out: &mut Output) {
    let Ok(head) = serde_json::from_slice::<ReadHead>(&entry.head) else { return };
    let ReadHead {
        form,
        run: id,
        region,
        at,
        exact,
        actor,
        end,
        step,
        gone,
        confirmed,
        others_made,
        others_gone,
        told,
        cause,
        silent,
        whole,
    } = head;
    let run = ReadRun { id, region, at, exact, actor };
    if let Some(OldEnd { complete, origin }) = end {
        let end = ReadEnd { run, complete, has_all_assignments: false, origin };
        engine.handle(entry.at, Input::OldReadEnd(end), out);
        return;
    }
    let told = Told { records: told.0, objects: told.1 };
    if form == Form::Assignments {
        let part = AssignmentDifferences { run, changes: changes(&entry.body), told, cause, is_whole: whole };
        engine.handle(entry.at, Input::AssignmentDifferences(part), out);
        return;
    }
    let (objects, names) = items(&entry.body, at);
    match form {
        Form::Pages => {
            let page = ReadPage { run, objects, lines: Vec::new() };
            engine.handle(entry.at, Input::OldPage(page), out);
            engine.handle(entry.at, Input::Names(names), out);
        }
        Form::Names => engine.handle(entry.at, Input::Names(names), out),
        Form::Assignments => {}
        Form::Differences => {
            let Some(step) = step else { return };
            let part = ReadDifferences {
                run,
                objects,
                text: Vec::new(),
                gone,
                confirmed,
                others: OtherParts { made: others_made, gone: others_gone },
                step: read_step(step),
                told,
                cause,
                is_silent: silent,
            };
            engine.handle(entry.at, Input::Differences(part), out);
        }
    }
}

fn read_step(step: Step) -> ReadStep {
    match step {
        Step::Part => ReadStep::Part,
        Step::Confirmed => ReadStep::Confirmed,
        Step::Closing { complete } => ReadStep::Closing { complete: read_kinds(complete) },
        Step::End { complete, origin } => ReadStep::End { complete: read_kinds(complete), origin },
        Step::BrokenOff => ReadStep::BrokenOff,
        Step::TooLate { origin } => ReadStep::TooLate { origin },
        Step::Looked => ReadStep::Looked,
    }
}

fn write_kinds(complete: &[CompleteKind]) -> Vec<(Kind, u64, u16)> {
    complete.iter().map(|of| (of.kind, of.shown, of.given)).collect()
}

fn read_kinds(complete: Vec<(Kind, u64, u16)>) -> Vec<CompleteKind> {
    complete.into_iter().map(|(kind, shown, given)| CompleteKind { kind, shown, given }).collect()
}

/// The items of an entry's text.
fn items(text: &[u8], at: Timestamp) -> (Vec<osel_core::event::Object>, Vec<Named>) {
    let (mut objects, mut names) = (Vec::new(), Vec::new());
    for line in text.split(|&byte| byte == b'\n') {
        let Some(tab) = line.iter().position(|&byte| byte == b'\t') else { continue };
        let Ok(collection) = std::str::from_utf8(&line[..tab]) else { continue };
        match read_item(collection, &line[tab + 1..]) {
            Some(Ok(Item::Object(object))) => objects.push(object),
            Some(Ok(Item::Named { kind, id, name: Some(name) })) => names.push(Named { kind, id, name, at }),
            _ => {}
        }
    }
    (objects, names)
}

/// A page taken apart.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Its objects.
    pub(super) objects: Vec<osel_core::event::Object>,
    /// The text of each.
    pub(super) lines: Vec<Box<[u8]>>,
    /// Its names, each with its text.
    pub(super) names: Vec<(Named, Box<[u8]>)>,
    /// Its role assignments.
    pub(super) assignments: Vec<Assignment>,
}

/// Takes a page apart into objects and names, each with its text.
pub(super) fn take_apart(page: ItemPage, at: Timestamp) -> Parts {
    let ItemPage { items, text } = page;
    let mut parts = Parts::default();
    for (item, line) in items.into_iter().zip(text.split_inclusive(|&byte| byte == b'\n')) {
        match item {
            Item::Object(object) => {
                parts.objects.push(object);
                parts.lines.push(line.into());
            }
            Item::Named { kind, id, name: Some(name) } => {
                parts.names.push((Named { kind, id, name, at }, line.into()));
            }
            Item::Named { name: None, .. } => {}
            Item::Assignment(assignment) => parts.assignments.push(assignment),
        }
    }
    parts
}
