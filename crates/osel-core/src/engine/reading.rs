//! What the API showed, in pages, and what its silence means at the end.
//!
//! A page is held against the model. An object that is as it was is marked and forgotten; one that differs is held, and merged together
//! with the others at the end of the read, when it is known what is gone too: so that rows which one object opens and the absence of
//! another closes did neither. What is held is bounded ([`HELD_MAX`]); beyond it a part is merged on the way. Absence is judged in
//! slices ([`SLOTS_PER_STEP`]), each of which is a step of a few milliseconds; what the bus says between two of them of a time before the
//! read is history by then. What it says so before, of an object that was shown already, is `confirm`'s.
//!
//! What is merged is a [`ReadDifferences`], the only thing about a read that changes anything, and the only thing that is written down
//! of it (`differences`). A read that broke off tells of no absences.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::assignments::AssignmentReading;
use super::confirm::Seen;
use super::differences::{CompleteKind, ReadDifferences, ReadStep, Told};
use super::looks::{Look, LookWhy};
use super::{Engine, Output};
use crate::event::{Kind, Object};
use crate::ids::Id;
use crate::model::{CLOCK_SKEW_SECONDS, CloudModel, Fields, Slot, each_shown};
use crate::names::{NameKind, Origin};
use crate::time::Timestamp;

/// The most objects that are held and merged in one step: some 60 ms of a large cloud, most of them for the records that tell it, and a few
/// megabytes with their texts. In a cloud that is listened to, a read shows fewer that differ, and with fewer at a time more rows would be
/// told that one object opens and another closes.
pub const HELD_MAX: usize = 1_000;

/// How many slots are looked through for unshown objects in one step: about a millisecond.
pub const SLOTS_PER_STEP: u32 = 1 << 16;

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

/// What is gathered for one step.
#[derive(Debug, Default)]
struct Held {
    objects: Vec<Object>,
    text: Vec<u8>,
    gone: Vec<(Kind, Id)>,
}

impl Held {
    fn is_full(&self) -> bool {
        self.objects.len() + self.gone.len() >= HELD_MAX
    }
}

/// A read that is under way. None of this is part of the state: after a restart the read is another one.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) run: ReadRun,
    /// Whether nothing was known before, so that differences mean nothing: then each page is merged at once, and nothing is told.
    is_first: bool,
    /// How many objects of each kind were shown, and the fields that all of them had.
    pub(super) shown: BTreeMap<Kind, (u64, Fields)>,
    held: Held,
    /// Objects that the bus spoke of meanwhile, of shortly before the read by its clock: they may be newer than what a page has shown
    /// or shows yet, or gone.
    spoken: BTreeSet<(Kind, Id)>,
    pub(super) told: Told,
    /// The record that tells why it is read, where there is one.
    pub(super) cause: Option<u64>,
    pub(super) assignments: AssignmentReading,
    closing: Option<Closing>,
}

/// All pages have come, and what they did not show is looked for.
#[derive(Debug)]
struct Closing {
    complete: Vec<Kind>,
    origin: String,
    /// The kinds that were not looked through, the next one last: what hangs on others goes before them.
    left: Vec<Kind>,
    /// The next slot of the next kind.
    slot: Slot,
    /// Whether it is written down that the kinds were shown as a whole.
    is_told: bool,
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
        !self.readings.is_empty()
    }

    /// Whether [`Input::ReadOn`](super::Input::ReadOn) has anything to do: a read whose pages have all come is not at its end yet.
    pub fn is_closing(&self) -> bool {
        self.readings.values().any(|reading| reading.closing.is_some())
    }

    /// Whether a read of a region is under way.
    pub fn is_reading_of(&self, region: Option<&Arc<str>>) -> bool {
        self.readings.contains_key(&region.cloned())
    }

    /// Whether a read of a region has shown all its pages and is not at its end yet.
    pub fn is_closing_of(&self, region: Option<&Arc<str>>) -> bool {
        self.readings.get(&region.cloned()).is_some_and(|reading| reading.closing.is_some())
    }

    /// The latest run of any region, 0 before the first: the next one's number is greater.
    pub fn last_run(&self) -> u64 {
        self.runs.values().map(|run| run.0).max().unwrap_or(0)
    }

    pub(super) fn page(&mut self, now: Timestamp, page: ReadPage, out: &mut Output) {
        let ReadPage { run, objects, lines } = page;
        if self.is_over(&run) {
            // It was shown all the same; of what was not shown it says nothing.
            let (objects, text) = self.differing(&run, objects, lines);
            if !objects.is_empty() {
                let held = Held { objects, text, gone: Vec::new() };
                let part = differences(run, held, ReadStep::Part, Told::default(), None);
                self.merge_differences(now, part, out);
            }
            return;
        }
        self.begin_reading(now, &run, out);
        let mut reading = self.take_reading(&run.region);
        let mut cloud = self.clouds.get_mut(&run.region);
        for object in &objects {
            each_shown(object, &mut |kind, id, given| {
                let is_again = cloud.as_deref_mut().and_then(|cloud| cloud.mark(kind, id)) == Some(false);
                let (count, fields) = reading.shown.entry(kind).or_insert((0, Fields::MAX));
                *count += u64::from(!is_again);
                *fields &= given;
            });
        }
        let (objects, text) = self.differing(&run, objects, lines);
        reading.held.objects.extend(objects);
        reading.held.text.extend(text);
        let is_due = reading.held.is_full() || (reading.is_first && !reading.held.objects.is_empty());
        if is_due && out.differences.is_none() {
            self.merge_part(now, &mut reading, ReadStep::Part, out);
        }
        self.readings.insert(run.region, reading);
    }

    /// The objects that are not as they are known, with their text.
    pub(super) fn differing(
        &self,
        run: &ReadRun,
        objects: Vec<Object>,
        lines: Vec<Box<[u8]>>,
    ) -> (Vec<Object>, Vec<u8>) {
        // A region is made by what is written down of it, and only by that.
        let nothing = CloudModel::default();
        let cloud = self.clouds.get(&run.region).unwrap_or(&nothing);
        let (mut found, mut text) = (Vec::new(), Vec::new());
        let mut lines = lines.into_iter();
        for object in objects {
            let line = lines.next();
            if cloud.differs(run.at, run.exact, &object) {
                found.push(object);
                text.extend_from_slice(line.as_deref().unwrap_or_default());
            }
        }
        (found, text)
    }

    pub(super) fn read_end(&mut self, now: Timestamp, end: ReadEnd, out: &mut Output) {
        let ReadEnd { run, complete, has_all_assignments, origin } = end;
        if self.is_over(&run) {
            let step = ReadStep::TooLate { origin };
            let part = differences(run, Held::default(), step, Told::default(), None);
            self.merge_differences(now, part, out);
            return;
        }
        self.begin_reading(now, &run, out);
        if let Some(reading) = self.readings.get_mut(&run.region) {
            let left = Kind::ALL.into_iter().filter(|kind| complete.contains(kind)).collect();
            reading.assignments.end(has_all_assignments);
            reading.closing.get_or_insert(Closing { complete, origin, left, slot: 0, is_told: false });
        }
        if out.differences.is_none() {
            self.read_on(now, out);
        }
    }

    /// Ends a read that will not come to its end.
    pub(super) fn read_broken(&mut self, now: Timestamp, run: &ReadRun, out: &mut Output) {
        if self.readings.get(&run.region).is_some_and(|reading| reading.run.is(run)) {
            self.break_off(now, &run.region, out);
        }
    }

    /// One step towards the end of a read whose pages have all come.
    pub(super) fn read_on(&mut self, now: Timestamp, out: &mut Output) {
        let found = self.readings.iter().find(|(_, reading)| reading.closing.is_some());
        let Some(region) = found.map(|(region, _)| region.clone()) else { return };
        let mut reading = self.take_reading(&region);
        if self.close_assignments(now, &mut reading, out) {
            self.readings.insert(region, reading);
            return;
        }
        // Of what is held the bus may have made something since its page came.
        self.mark_shown(&region, &reading.held.objects);
        let is_over = self.look_for_unshown(&mut reading);
        let Some(closing) = &mut reading.closing else { return };
        let complete = closing.complete.iter().map(|&kind| {
            let (shown, given) = reading.shown.get(&kind).copied().unwrap_or((0, Fields::MAX));
            CompleteKind { kind, shown, given }
        });
        let complete = complete.collect();
        if is_over {
            let step = ReadStep::End { complete, origin: std::mem::take(&mut closing.origin) };
            self.merge_part(now, &mut reading, step, out);
            self.wishes.forget(&region);
            self.ask_of_spoken(now, reading, out);
            return;
        }
        if !std::mem::replace(&mut closing.is_told, true) {
            // From now on nothing can come into slots that were looked through, or kinds that were, unless it is later than the read.
            let run = reading.run.clone();
            let step = ReadStep::Closing { complete };
            let mut part = differences(run, Held::default(), step, reading.told, reading.cause);
            part.is_silent = reading.is_first;
            self.merge_differences(now, part, out);
        } else if reading.held.is_full() {
            self.merge_part(now, &mut reading, ReadStep::Part, out);
        }
        self.readings.insert(region, reading);
    }

    /// Marks what was shown, as far as it is known by now.
    fn mark_shown(&mut self, region: &Option<Arc<str>>, objects: &[Object]) {
        let Some(cloud) = self.clouds.get_mut(region) else { return };
        for object in objects {
            each_shown(object, &mut |kind, id, _| _ = cloud.mark(kind, id));
        }
    }

    /// Looks through some slots for objects that were not shown; whether all were looked through.
    fn look_for_unshown(&self, reading: &mut Reading) -> bool {
        let Some(cloud) = self.clouds.get(&reading.run.region) else { return true };
        let Some(closing) = &mut reading.closing else { return true };
        let mut budget = SLOTS_PER_STEP;
        while let Some(&kind) = closing.left.last() {
            let end = cloud.slots(kind).min(closing.slot.saturating_add(budget));
            let slots = closing.slot..end;
            let next = cloud.unshown(kind, slots, reading.run.at, HELD_MAX, &mut reading.held.gone);
            budget -= next.saturating_sub(closing.slot);
            closing.slot = next;
            if next < cloud.slots(kind) {
                return false;
            }
            closing.left.pop();
            closing.slot = 0;
        }
        true
    }

    /// Merges what is held of a read; it is then no longer held.
    fn merge_part(&mut self, now: Timestamp, reading: &mut Reading, step: ReadStep, out: &mut Output) {
        let mut held = std::mem::take(&mut reading.held);
        let run = reading.run.clone();
        if let Some(cloud) = self.clouds.get(&run.region) {
            // Meanwhile the bus may have spoken of one.
            let spoken = &reading.spoken;
            held.gone.retain(|gone| !spoken.contains(gone) && cloud.is_unshown(gone.0, &gone.1, run.at));
        }
        let told = reading.told;
        let mut differences = differences(run, held, step, told, reading.cause);
        differences.is_silent = reading.is_first;
        reading.told = self.merge_differences(now, differences, out);
        // Only now those that were not known have a place for a mark.
        if let Some(part) = &out.differences {
            self.mark_shown(&reading.run.region, &part.objects);
        }
    }

    /// At the end of a read: what the bus spoke of meanwhile, of so short a time before it, is looked at, since nobody can say which is
    /// newer: a page that was fetched before a deletion may be handled after it.
    fn ask_of_spoken(&mut self, now: Timestamp, reading: Reading, out: &mut Output) {
        let (region, at) = (reading.run.region.clone(), reading.run.at);
        let is_whole = |kind| reading.closing.as_ref().is_some_and(|closing| closing.complete.contains(kind));
        let has_part = !reading.shown.keys().all(is_whole);
        if has_part {
            self.seen.insert(region.clone(), Seen::of(&reading));
        }
        let cloud = self.cloud_or_new(region.clone());
        if !has_part {
            cloud.clear_marks();
        }
        let spoken = reading.spoken.into_iter();
        let open: Vec<_> = spoken.filter(|(kind, id)| cloud.is_known_before(*kind, id, at)).collect();
        for (kind, id) in open {
            let (region, cause, why) = (region.clone(), self.seq, LookWhy::UnsureClock);
            self.wish(now, Look { region, kind, id, cause, why }, out);
        }
    }

    /// Whether a run has ended, or another of its region has begun since: what it does not show stays.
    pub fn is_over(&self, run: &ReadRun) -> bool {
        let under_way = self.readings.get(&run.region);
        if under_way.is_some_and(|reading| reading.run.is(run)) {
            return false;
        }
        let last = self.runs.get(&run.region).copied();
        let last = last.max(under_way.and_then(|reading| reading.run.id));
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
            held: Held::default(),
            spoken: BTreeSet::new(),
            told: Told::default(),
            cause,
            assignments: AssignmentReading::default(),
            closing: None,
        };
        self.readings.insert(region.clone(), reading);
    }

    /// The read under way never came to its end: nothing can be said of what it did not show, and what it showed counts.
    fn break_off(&mut self, now: Timestamp, region: &Option<Arc<str>>, out: &mut Output) {
        let mut reading = self.take_reading(region);
        reading.held.gone.clear();
        self.merge_part(now, &mut reading, ReadStep::BrokenOff, out);
        self.seen.insert(region.clone(), Seen::of(&reading));
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

fn differences(run: ReadRun, held: Held, step: ReadStep, told: Told, cause: Option<u64>) -> ReadDifferences {
    let Held { objects, text, gone } = held;
    let confirmed = Vec::new();
    ReadDifferences { run, objects, text, gone, confirmed, step, told, cause, is_silent: false }
}
