//! Role assignments that Keystone showed, against those that the bus told: what differs is told as drift and written down.
//!
//! As with objects a read shows pages, what is as it was known leaves nothing but a mark, and what differs is held to the end: the bus may
//! tell of it meanwhile. At the end those that are known and were not shown are looked for, in slices ([`ASSIGNMENTS_PER_STEP`]). Only an
//! [`AssignmentDifferences`] changes the state, and only that is written down. Of a read that breaks off what is held is forgotten: the
//! next one shows it again.
//!
//! Keystone is often shared by regions, and its notifications come over the bus of one of them: what a region's read shows and the bus of
//! another told is no news.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::differences::{DRIFT_RECORDS_MAX, Told};
use super::naming::name;
use super::reading::{MERGED_MAX, ReadRun, Reading};
use super::record::{Detail, RecordBody};
use super::{Engine, Explanation, Output, system_record};
use crate::event::{Assignment, AssignmentScope, Change, Event, Holder, NameKind, Outcome, Target};
use crate::names::{AssignmentWord, DOUBT_SECONDS};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// How many assignments are looked through in one step for those that were not shown: about two milliseconds, since each one's user,
/// role and place are asked for.
pub const ASSIGNMENTS_PER_STEP: usize = 1 << 12;

/// The most that differ and are held to the end of a read; beyond it the first are merged on the way, which opens nothing.
const HELD_MAX: usize = 1_000;

/// Role assignments that a read showed.
#[derive(Debug)]
pub struct AssignmentPage {
    /// The read.
    pub run: ReadRun,
    /// The assignments.
    pub assignments: Vec<Assignment>,
}

/// What a part of a read says of role assignments otherwise than it was known.
#[derive(Clone, Debug)]
pub struct AssignmentDifferences {
    /// The read.
    pub run: ReadRun,
    /// What differs.
    pub changes: Vec<AssignmentChange>,
    /// What was told of the run before.
    pub told: Told,
    /// The record that led to the read.
    pub cause: Option<u64>,
    /// Whether with this all assignments were shown.
    pub is_whole: bool,
}

/// One assignment that is not as it was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentChange {
    /// Which one.
    pub assignment: Assignment,
    /// Whether it is there.
    pub given: bool,
    /// Whether it is news to a person.
    pub is_told: bool,
}

/// What a read that is under way has to do with assignments. None of this is part of the state.
#[derive(Debug, Default)]
pub(super) struct AssignmentReading {
    /// Shown and not known so.
    held: Vec<Assignment>,
    has_begun: bool,
    closing: Option<Closing>,
}

/// All assignments were shown, and those that were not are looked for.
#[derive(Debug, Default)]
struct Closing {
    /// The last one that was looked at.
    last: Option<Assignment>,
    /// Whether all were looked through.
    has_looked: bool,
    /// Found and not merged yet: those of one step of looking at the most.
    found: Vec<AssignmentChange>,
}

impl AssignmentReading {
    /// The pages have come to their end, with all assignments or without.
    pub(super) fn end(&mut self, is_whole: bool) {
        self.closing = is_whole.then(Closing::default);
    }
}

impl Engine {
    /// Takes what an event says of an assignment.
    pub(super) fn learn_assignment(&mut self, region: &Option<Arc<str>>, event: &Event, at: Timestamp) {
        if let Change::Role(role) = &event.change
            && matches!(event.outcome, Outcome::Success | Outcome::Unknown)
            && let Some(assignment) = Assignment::of_event(role)
        {
            let word = AssignmentWord { at, given: role.granted, shown: false };
            self.assignments.entry(region.clone()).or_default().learn(&assignment, word);
        }
    }

    /// Since when somebody is known to have had a role at a time, by what any region says; none where nobody had it. With a user, a
    /// group, a project, a domain or a role their assignments go, without a word.
    pub fn assigned_since(&self, assignment: &Assignment, at: Timestamp) -> Option<Timestamp> {
        let books = self.assignments.values();
        let since = books.filter_map(|book| book.given_since(assignment, at)).min()?;
        (!self.has_gone_with_part(assignment, since, at)).then_some(since)
    }

    /// Whether something that an assignment hangs on was deleted between two times.
    fn has_gone_with_part(&self, assignment: &Assignment, from: Timestamp, until: Timestamp) -> bool {
        assignment
            .parts()
            .any(|(kind, id)| self.names.deleted_at(kind, id).is_some_and(|at| from <= at && at <= until))
    }

    pub(super) fn assignment_page(&mut self, now: Timestamp, page: AssignmentPage, out: &mut Output) {
        let AssignmentPage { run, assignments } = page;
        if self.is_over(&run) {
            return;
        }
        self.begin_reading(now, &run, out);
        let mut reading = self.take_reading(&run.region);
        // One that is made here and stays empty is no part of the state.
        let book = self.assignments.entry(run.region.clone()).or_default();
        if !std::mem::replace(&mut reading.assignments.has_begun, true) {
            book.begin_round();
        }
        for assignment in &assignments {
            book.mark(assignment);
        }
        let is_first = book.read_at().is_none();
        let differing = assignments.into_iter().filter(|one| self.is_against(&run, one, true));
        reading.assignments.held.extend(differing);
        let held = reading.assignments.held.len();
        let due = match held.saturating_sub(HELD_MAX) {
            // Next to nothing is told of them.
            _ if is_first => held,
            0 => 0,
            more => more.max(MERGED_MAX),
        };
        if due > 0 && out.differences.is_none() {
            let changes = self.held_changes(&mut reading, due);
            self.merge_reading(now, &mut reading, changes, false, out);
        }
        self.readings.insert(run.region, reading);
    }

    /// Whether a read says something else of an assignment than what is known, and knows better.
    fn is_against(&self, run: &ReadRun, assignment: &Assignment, given: bool) -> bool {
        let last = self.assignments.get(&run.region).and_then(|book| book.last(assignment));
        let Some(last) = last else { return given };
        let is_given = last.given && !self.has_gone_with_part(assignment, last.at, run.at);
        // A read of an unknown time is never against the bus.
        let knows_better = last.at.plus_seconds(DOUBT_SECONDS) < run.at && (run.exact || last.shown);
        is_given != given && knows_better
    }

    /// Takes up to `max` of those that were shown and not known so, as far as the bus has not told of them meanwhile.
    fn held_changes(&self, reading: &mut Reading, max: usize) -> Vec<AssignmentChange> {
        let held = &mut reading.assignments.held;
        let rest = held.len().saturating_sub(max);
        let run = &reading.run;
        let book = self.assignments.get(&run.region);
        // Two lists may show the same one, and so may a list that was begun again.
        let mut shown = BTreeSet::new();
        let taken = held.drain(rest..).filter(|one| self.is_against(run, one, true));
        let taken = taken.filter(|one| shown.insert(one.clone()));
        taken
            .map(|assignment| {
                let was_read = book.is_some_and(|book| book.read_at().is_some() && book.forgotten() == 0);
                let was_taken = book.is_some_and(|book| book.last(&assignment).is_some());
                let is_told = (was_read || was_taken) && !self.is_known_elsewhere(run, &assignment, true);
                AssignmentChange { assignment, given: true, is_told }
            })
            .collect()
    }

    /// Whether another region says the same of an assignment.
    fn is_known_elsewhere(&self, run: &ReadRun, assignment: &Assignment, given: bool) -> bool {
        let others = self.assignments.iter().filter(|(region, _)| **region != run.region);
        others.filter_map(|(_, book)| book.last(assignment)).any(|last| last.given == given)
    }

    /// One step of a read whose pages have all come; whether it had anything to do.
    pub(super) fn close_assignments(
        &mut self,
        now: Timestamp,
        reading: &mut Reading,
        out: &mut Output,
    ) -> bool {
        if !reading.assignments.held.is_empty() {
            let changes = self.held_changes(reading, MERGED_MAX);
            self.merge_reading(now, reading, changes, false, out);
            return true;
        }
        let Some(mut closing) = reading.assignments.closing.take() else { return false };
        if closing.found.is_empty() && !closing.has_looked {
            closing.has_looked = self.look_for_unassigned(&reading.run, &mut closing);
        }
        let due = closing.found.len().min(MERGED_MAX);
        let found = closing.found.drain(..due);
        // Meanwhile the bus may have told of one.
        let changes = found.filter(|change| self.is_against(&reading.run, &change.assignment, change.given));
        let changes = changes.collect();
        let is_over = closing.has_looked && closing.found.is_empty();
        self.merge_reading(now, reading, changes, is_over, out);
        if !is_over {
            reading.assignments.closing = Some(closing);
        }
        true
    }

    /// Looks through some assignments for those that are otherwise than the whole read has shown; whether all were looked through.
    fn look_for_unassigned(&self, run: &ReadRun, closing: &mut Closing) -> bool {
        let Some(book) = self.assignments.get(&run.region) else { return true };
        let mut looked = 0;
        let mut last = None;
        for (assignment, _, shown) in book.after(closing.last.as_ref()).take(ASSIGNMENTS_PER_STEP) {
            looked += 1;
            last = Some(assignment);
            if self.is_against(run, assignment, shown) {
                // What was shown as it was known is otherwise only because an older message came since: that is no news.
                let is_told = !shown && !self.is_known_elsewhere(run, assignment, false);
                let assignment = assignment.clone();
                closing.found.push(AssignmentChange { assignment, given: shown, is_told });
            }
        }
        closing.last = last.cloned();
        looked < ASSIGNMENTS_PER_STEP
    }

    fn merge_reading(
        &mut self,
        now: Timestamp,
        reading: &mut Reading,
        changes: Vec<AssignmentChange>,
        is_whole: bool,
        out: &mut Output,
    ) {
        if changes.is_empty() && !is_whole {
            return;
        }
        let (run, told, cause) = (reading.run.clone(), reading.told, reading.cause);
        let part = AssignmentDifferences { run, changes, told, cause, is_whole };
        reading.told = self.merge_assignments(now, part, out);
    }

    /// Merges and tells a part of a read; what has been told of the run with it.
    pub(super) fn merge_assignments(
        &mut self,
        now: Timestamp,
        part: AssignmentDifferences,
        out: &mut Output,
    ) -> Told {
        let AssignmentDifferences { run, changes, is_whole, .. } = &part;
        let mut told = part.told;
        if let Some(id) = run.id {
            let last = self.runs.entry(run.region.clone()).or_insert(id);
            *last = id.max(*last);
        }
        let mut together = 0_u64;
        for change in changes {
            let word = AssignmentWord { at: run.at, given: change.given, shown: true };
            self.assignments.entry(run.region.clone()).or_default().learn(&change.assignment, word);
            if !change.is_told {
                continue;
            }
            told.objects += 1;
            *self.assignment_drift.entry(run.region.clone()).or_default() += 1;
            if told.records == DRIFT_RECORDS_MAX {
                together += 1;
                continue;
            }
            told.records += 1;
            let record = self.assignment_record(now, &part, change);
            self.record(record, out);
        }
        if together > 0 {
            let text =
                format!("not told one by one, since they are too many: {together} {}", Assignment::PLURAL);
            let detail = Detail::from([("text".into(), text), ("differences".into(), together.to_string())]);
            let record = drift_record(now, &part, detail);
            self.record(record, out);
        }
        if *is_whole && run.exact {
            self.assignments.entry(run.region.clone()).or_default().read_whole(run.at);
        }
        out.assignments = Some(part);
        told
    }

    /// The record of one difference. A user's name is a person's: it stands with the personal data, and the sentence has the id.
    fn assignment_record(
        &self,
        now: Timestamp,
        part: &AssignmentDifferences,
        change: &AssignmentChange,
    ) -> RecordBody {
        let AssignmentChange { assignment, given, .. } = change;
        let Assignment { holder, scope, role, inherited } = assignment;
        let at = part.run.at;
        let named = |kind, id| name(&self.names, kind, Some(id), at);
        let shown = |kind: NameKind, id| named(kind, id).map_or_else(|| id.to_string(), Into::into);
        let mut detail = Detail::from([("role".into(), role.to_string())]);
        let mut personal = Detail::new();
        let mut set = |key: &'static str, value: String| _ = detail.insert(key.into(), value);
        let whom = match holder {
            Holder::User(id) => {
                set("user", id.to_string());
                personal.extend(named(NameKind::User, id).map(|name| ("user_name".into(), name.into())));
                format!("user {id}")
            }
            Holder::Group(id) => {
                set("user_group", id.to_string());
                named(NameKind::Group, id).into_iter().for_each(|name| set("user_group_name", name.into()));
                format!("group {}", shown(NameKind::Group, id))
            }
        };
        let (place, project_id) = match scope {
            AssignmentScope::System => {
                set("on_system", "true".to_owned());
                ("the whole system".to_owned(), None)
            }
            AssignmentScope::Project(id) => {
                set("on_project", id.to_string());
                named(NameKind::Project, id).into_iter().for_each(|name| set("on_project_name", name.into()));
                (format!("project {}", shown(NameKind::Project, id)), Some(id.clone()))
            }
            AssignmentScope::Domain(id) => {
                set("on_domain", id.to_string());
                named(NameKind::Domain, id).into_iter().for_each(|name| set("on_domain_name", name.into()));
                (format!("domain {}", shown(NameKind::Domain, id)), None)
            }
        };
        named(NameKind::Role, role).into_iter().for_each(|name| set("role_name", name.into()));
        let below = if *inherited { ", inherited by projects below" } else { "" };
        let (difference, verb) = if *given {
            ("created", "is there and was not told by the bus")
        } else {
            ("gone", "was known and is not there any more")
        };
        let explanation = match scope {
            AssignmentScope::System => Explanation::SystemAssignment,
            _ => Explanation::Unexplained,
        };
        let role = shown(NameKind::Role, role);
        let why = explanation.sentence((0, 0));
        set("text", format!("role {role} on {place} for {whom}{below} {verb} ({why})"));
        set("difference", difference.to_owned());
        set("explanation", explanation.as_str().to_owned());
        if *inherited {
            set("inherited", "true".to_owned());
        }
        let (kind, id) = match holder {
            Holder::User(id) => (NameKind::User, id),
            Holder::Group(id) => (NameKind::Group, id),
        };
        let target =
            Target { kind: kind.as_str().into(), id: Some(id.clone()), name: named(kind, id), project_id };
        RecordBody { target: Some(target), personal, ..drift_record(now, part, detail) }
    }
}

/// A record of a read's differences.
fn drift_record(now: Timestamp, part: &AssignmentDifferences, mut detail: Detail) -> RecordBody {
    let ReadRun { region, at, exact, actor, .. } = &part.run;
    let time = if *exact { (*at).min(now) } else { now };
    detail.extend(actor.iter().map(|actor| ("imported_by".into(), actor.to_string())));
    RecordBody {
        region: region.clone(),
        cause: part.cause,
        detail,
        ..system_record(now, time, RecordKind::Drift, String::new())
    }
}
