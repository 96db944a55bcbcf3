//! What the API showed, in pages, and what its silence means at the end.
//!
//! A page is held against the model. An object that is as it was is marked and forgotten; one that differs is held until the end of the
//! read, when it is known what is gone too: so that rows which one object opens and the absence of another closes did neither. What is
//! held is bounded ([`HELD_MAX`]); beyond it the first are merged on the way. How the end goes is in `closing`. What the bus says meanwhile
//! of a time before the read, of an object that was shown already, is `confirm`'s.
//!
//! What is merged is a [`ReadDifferences`], the only thing about a read that changes anything, and the only thing that is written down
//! of it (`differences`). A read that broke off tells of no absences.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::assignments::AssignmentReading;
use super::closing::Closing;
use super::confirm::Seen;
use super::differences::{OtherParts, ReadDifferences, ReadStep, Told};
use super::drift::Step;
use super::held::{Held, Portion};
use super::{Engine, Output};
use crate::event::{Kind, Object};
use crate::ids::Id;
use crate::model::{CLOCK_SKEW_SECONDS, CloudModel, Fields, each_shown};
use crate::names::{NameKind, Origin};
use crate::time::Timestamp;

/// The most differences of what was shown that are held to the end of a read, some megabytes with their texts. In a cloud that is
/// listened to, a read shows far fewer. Of more than these it is not known which have rows in common.
pub const HELD_MAX: usize = 2_000;

/// The most objects that were not shown and are held until all of them are found: a kind and an id each, so that they need no room of those
/// that were shown.
pub const GONE_HELD_MAX: usize = 10_000;

/// The most differences that are merged in one step, but for a page that brings more than may be held: some 60 µs each with the record that
/// tells it, a few milliseconds together.
pub const MERGED_MAX: usize = 64;

/// The most objects that are kept from being taken for gone because the bus spoke of them meanwhile: those of a minute of a busy cloud.
const SPOKEN_MAX: usize = 10_000;

/// Tells one read of a region from every other; a later one has a greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// One read of a region from its first page to its end.
#[derive(Clone, Debug)]
pub struct ReadRun {
    /// Which one; none in a journal from before they were told apart by more than their time, and of a look at single objects.
    pub id: Option<RunId>,
    /// The region that is read.
    pub region: Option<Arc<str>>,
    /// When the objects were as shown; where nobody says, the time that they count as of.
    pub at: Timestamp,
    /// Whether `at` is known: then it wins over whatever the bus said of an earlier time.
    pub exact: bool,
    /// The person who hands it in; none where an API is read.
    pub actor: Option<Arc<str>>,
}

impl ReadRun {
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self.id, other.id) {
            (None, None) => (self.at, self.exact) == (other.at, other.exact),
            (one, other) => one == other,
        }
    }
}

/// Objects that a read showed.
#[derive(Debug)]
pub struct ReadPage {
    /// The read.
    pub run: ReadRun,
    /// The objects.
    pub objects: Vec<Object>,
    /// The text of each object, as the journal will have it; empty where nobody keeps one.
    pub lines: Vec<Box<[u8]>>,
}

/// A name that a read showed.
#[derive(Clone, Debug)]
pub struct Named {
    /// What it belongs to.
    pub kind: NameKind,
    /// Which one.
    pub id: Id,
    /// The name.
    pub name: Box<str>,
    /// When it was read.
    pub at: Timestamp,
}

/// The end of a read.
#[derive(Debug)]
pub struct ReadEnd {
    /// The read.
    pub run: ReadRun,
    /// The kinds that were shown as a whole.
    pub complete: Vec<Kind>,
    /// Whether all role assignments were shown.
    pub has_all_assignments: bool,
    /// Where it came from, for the record: a file's name.
    pub origin: String,
}

/// A read that is under way. None of this is part of the state: after a restart the read is another one.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) run: ReadRun,
    /// Whether nothing was known before, so that differences mean nothing: then each page is merged at once, and nothing is told.
    pub(super) is_first: bool,
    /// How many objects of each kind were shown, and the fields that all of them had.
    pub(super) shown: BTreeMap<Kind, (u64, Fields)>,
    /// Those of them that are counted and have no mark by which that shows, since the model does not know them yet, or never will: what is
    /// held, with the rules in it, and what was deleted meanwhile.
    pub(super) unmarked: BTreeSet<(Kind, Id)>,
    pub(super) held: Held,
    /// Objects that the bus spoke of meanwhile, of shortly before the read by its clock: they may be newer than what a page has shown
    /// or shows yet, or gone.
    pub(super) spoken: BTreeSet<(Kind, Id)>,
    pub(super) told: Told,
    /// What came and went in the parts that were merged, as far as it may explain something in later ones.
    pub(super) merged: Step,
    /// The record that tells why it is read, where there is one.
    pub(super) cause: Option<u64>,
    pub(super) assignments: AssignmentReading,
    pub(super) closing: Option<Closing>,
    /// Whether it will not come to its end.
    pub(super) is_broken: bool,
}

impl Reading {
    /// An object has a mark by now; whether it was counted before that.
    pub(super) fn is_marked_late(&mut self, kind: Kind, id: &Id) -> bool {
        !self.unmarked.is_empty() && self.unmarked.remove(&(kind, id.clone()))
    }
}

impl Engine {
    pub(super) fn learn_names(&mut self, now: Timestamp, names: &[Named]) {
        for named in names {
            self.names.learn(named.kind, &named.id, &named.name, named.at.min(now), Origin::Inventory);
        }
    }

    /// Whether a name that was read is the one that is known: then learning it again changes nothing worth writing down.
    pub fn knows_name(&self, named: &Named) -> bool {
        let known = self.names.name_at(named.kind, &named.id, named.at);
        known.is_some_and(|known| !known.later && *known.name == *named.name)
    }

    /// Whether a read is under way.
    pub fn is_reading(&self) -> bool {
        !(self.readings.is_empty() && self.broken.is_empty())
    }

    /// Whether it is known of single objects that a read which is over has shown them: a restart forgets that.
    pub fn has_marks(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Whether [`Input::ReadOn`](super::Input::ReadOn) has anything to do: a read whose pages have all come, or will not come, is not at its
    /// end yet.
    pub fn is_closing(&self) -> bool {
        !self.broken.is_empty() || self.readings.values().any(|reading| reading.closing.is_some())
    }

    /// Whether a read of a region is under way.
    pub fn is_reading_of(&self, region: Option<&Arc<str>>) -> bool {
        self.readings.contains_key(&region.cloned())
    }

    /// Whether something is left of a read that broke off. It is merged before all else.
    pub fn has_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Whether a read of a region whose pages have all come, or will not come, is not at its end yet.
    pub fn is_closing_of(&self, region: Option<&Arc<str>>) -> bool {
        self.broken.iter().any(|reading| reading.run.region.as_ref() == region)
            || self.readings.get(&region.cloned()).is_some_and(|reading| reading.closing.is_some())
    }

    /// The latest run of any region, 0 before the first: the next one's number is greater.
    pub fn last_run(&self) -> u64 {
        self.runs.values().map(|run| run.0).max().unwrap_or(0)
    }

    pub(super) fn page(&mut self, now: Timestamp, page: ReadPage, out: &mut Output) {
        let ReadPage { run, objects, lines } = page;
        if self.is_over(&run) {
            // It was shown all the same; of what was not shown it says nothing.
            let shown = self.differing(&run, objects, lines);
            if !shown.is_empty() {
                let part = differences(run, Portion { shown, gone: Vec::new() }, ReadStep::Part);
                self.merge_differences(now, part, out);
            }
            return;
        }
        self.begin_reading(now, &run, out);
        let mut reading = self.take_reading(&run.region);
        let mut cloud = self.clouds.get_mut(&run.region);
        for object in &objects {
            each_shown(object, &mut |kind, id, given| {
                let is_new = match cloud.as_deref_mut().and_then(|cloud| cloud.mark(kind, id)) {
                    // It may have come to be known by another way since it was counted.
                    Some(is_new) => !reading.is_marked_late(kind, id) && is_new,
                    None => reading.unmarked.insert((kind, id.clone())),
                };
                let (count, fields) = reading.shown.entry(kind).or_insert((0, Fields::MAX));
                *count += u64::from(is_new);
                *fields &= given;
            });
        }
        reading.held.found.shown.extend(self.differing(&run, objects, lines));
        let held = reading.held.len();
        let due = match held.saturating_sub(HELD_MAX) {
            // Nothing is told of them, and nobody looks at their rows.
            _ if reading.is_first => held,
            0 => 0,
            more => more.max(MERGED_MAX),
        };
        if due > 0 && out.differences.is_none() {
            let portion = reading.held.take_early(due);
            self.merge_part(now, &mut reading, portion, ReadStep::Part, out);
        }
        self.readings.insert(run.region, reading);
    }

    /// The objects that are not as they are known, or will not be once what is left of reads that broke off is merged; each with its text.
    /// Of what a later read has shown already an earlier one knows nothing new.
    pub(super) fn differing(
        &self,
        run: &ReadRun,
        objects: Vec<Object>,
        lines: Vec<Box<[u8]>>,
    ) -> Vec<(Object, Box<[u8]>)> {
        // A region is made by what is written down of it, and only by that.
        let nothing = CloudModel::default();
        let cloud = self.clouds.get(&run.region).unwrap_or(&nothing);
        let mut waiting = BTreeSet::new();
        let broken = self.broken.iter().filter(|broken| broken.run.region == run.region);
        for object in broken.flat_map(|broken| broken.held.shown()) {
            each_shown(object, &mut |kind, id, _| _ = waiting.insert((kind, id.clone())));
        }
        let waits = |object: &Object| {
            let mut waits = false;
            if !waiting.is_empty() {
                each_shown(object, &mut |kind, id, _| waits |= waiting.contains(&(kind, id.clone())));
            }
            waits
        };
        let was_shown = self.shown_later(run);
        let was_shown = |object: &Object| object.id().is_some_and(|id| was_shown(object.kind(), id));
        let lines = lines.into_iter().chain(std::iter::repeat_with(Box::default));
        objects
            .into_iter()
            .zip(lines)
            .filter(|(object, _)| !was_shown(object))
            .filter(|(object, _)| cloud.differs(run.at, run.exact, object) || waits(object))
            .collect()
    }

    /// Which objects the last read of the region has shown, under way or not whole, where that is of a later time than a run: as they were
    /// known, of which there is nothing but a mark, or to be merged yet. Whatever is of no known time is earlier than what the API is read
    /// for after it.
    pub(super) fn shown_later(&self, run: &ReadRun) -> impl Fn(Kind, &Id) -> bool {
        let under_way = self.readings.get(&run.region);
        let seen = || self.seen.get(&run.region).map(Seen::run);
        let last = under_way.map(|reading| &reading.run).or_else(seen);
        let is_later = last.is_some_and(|last| {
            let is_before = run.at < last.at || !run.exact && run.id < last.id;
            !last.is(run) && last.exact && is_before
        });
        let cloud = self.clouds.get(&run.region);
        let held = under_way.filter(|_| is_later).into_iter();
        let held: BTreeSet<(Kind, &Id)> = held.flat_map(|reading| reading.held.shown_ids()).collect();
        move |kind, id| {
            let is_marked = || cloud.is_some_and(|cloud| cloud.is_marked(kind, id));
            is_later && (is_marked() || held.contains(&(kind, id)))
        }
    }

    /// Whether a run has ended, or another of its region has begun since: what it does not show stays.
    pub fn is_over(&self, run: &ReadRun) -> bool {
        let under_way = self.readings.get(&run.region);
        if under_way.is_some_and(|reading| reading.run.is(run)) {
            return false;
        }
        let last = self.runs.get(&run.region).copied();
        let broken = self.broken.iter().filter(|broken| broken.run.region == run.region);
        let broken = broken.filter_map(|broken| broken.run.id).max();
        let last = last.max(under_way.and_then(|reading| reading.run.id)).max(broken);
        run.id.is_some_and(|id| last.is_some_and(|last| id <= last))
    }

    /// Makes sure that this read is the one under way.
    pub(super) fn begin_reading(&mut self, now: Timestamp, run: &ReadRun, out: &mut Output) {
        let region = &run.region;
        if self.readings.get(region).is_some_and(|reading| !reading.run.is(run)) {
            self.break_off(now, region, out);
        }
        if self.readings.contains_key(region) {
            return;
        }
        self.seen.remove(region);
        let cause = self.lost.get(region).copied();
        let cloud = self.clouds.get_mut(region);
        let is_empty = cloud.as_ref().is_none_or(|cloud| cloud.count(Kind::Port) == 0);
        let is_first = is_empty && !self.informed.contains(region);
        if let Some(cloud) = cloud {
            cloud.clear_marks();
        }
        let reading = Reading {
            run: run.clone(),
            is_first,
            shown: BTreeMap::new(),
            unmarked: BTreeSet::new(),
            held: Held::default(),
            spoken: BTreeSet::new(),
            told: Told::default(),
            merged: Step::default(),
            cause,
            assignments: AssignmentReading::default(),
            closing: None,
            is_broken: false,
        };
        self.readings.insert(region.clone(), reading);
    }

    pub(super) fn take_reading(&mut self, region: &Option<Arc<str>>) -> Reading {
        self.readings.remove(region).expect("it was looked up or made just before")
    }

    /// Notes what the bus spoke of while a read is under way, of so short a time before the read that by another clock it was after it.
    pub(super) fn note_spoken(&mut self, region: &Option<Arc<str>>, time: Timestamp, touched: &[(Kind, Id)]) {
        let Some(reading) = self.readings.get_mut(region) else { return };
        let at = reading.run.at;
        let is_close = time <= at && time.plus_seconds(CLOCK_SKEW_SECONDS) >= at;
        if is_close && reading.spoken.len() < SPOKEN_MAX {
            reading.spoken.extend(touched.iter().cloned());
        }
    }
}

/// A part of a read that says nothing but what differs.
pub(super) fn differences(run: ReadRun, portion: Portion, step: ReadStep) -> ReadDifferences {
    let (mut objects, mut text) = (Vec::with_capacity(portion.shown.len()), Vec::new());
    for (object, line) in portion.shown {
        objects.push(object);
        text.extend_from_slice(&line);
    }
    let gone = portion.gone;
    ReadDifferences {
        run,
        objects,
        text,
        gone,
        confirmed: Vec::new(),
        others: OtherParts::default(),
        step,
        told: Told::default(),
        cause: None,
        is_silent: false,
    }
}
