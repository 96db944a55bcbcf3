//! The end of a read, in steps of a few milliseconds: what its pages did not show is looked for, what was held is merged, and the read is
//! told.
//!
//! What the bus says between two steps of a time before the read is history: the first step writes down which kinds were shown as a
//! whole. A read that broke off tells of no absences; what it had shown is merged in the same way, also while the next one is under way.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::confirm::Seen;
use super::differences::{CompleteKind, OtherParts, ReadStep};
use super::held::Portion;
use super::looks::{Look, LookWhy};
use super::reading::{ReadEnd, ReadRun, Reading, differences};
use super::{Engine, Output};
use crate::event::{Kind, Object};
use crate::ids::Id;
use crate::model::{CloudModel, Fields, Slot, each_shown};
use crate::time::Timestamp;

/// How many slots are looked through for unshown objects in one step: about a millisecond.
pub const SLOTS_PER_STEP: u32 = 1 << 16;

/// The most reads of one region that broke off and are not merged to their ends. A caller that makes all steps of one before it begins the
/// next but one has one. Of more all that is left of the first is merged in one step.
pub const BROKEN_MAX: usize = 4;

/// All pages have come, and what they did not show is looked for.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) complete: Vec<Kind>,
    origin: String,
    /// The kinds that were not looked through, the next one last: what has addresses, and what hangs on others, goes before them.
    left: Vec<Kind>,
    /// The next slot of the next kind.
    slot: Slot,
    /// Whether all of them were looked through.
    has_looked: bool,
    /// Whether it is written down that the kinds were shown as a whole.
    is_told: bool,
}

impl Engine {
    pub(super) fn read_end(&mut self, now: Timestamp, end: ReadEnd, out: &mut Output) {
        let ReadEnd { run, complete, has_all_assignments, origin } = end;
        if self.is_over(&run) {
            let part = differences(run, Portion::default(), ReadStep::TooLate { origin });
            self.merge_differences(now, part, out);
            return;
        }
        self.begin_reading(now, &run, out);
        if let Some(reading) = self.readings.get_mut(&run.region) {
            let mut left: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| complete.contains(kind)).collect();
            // Ports and outer addresses first: before it is known which are gone nothing is told as open.
            left.sort_by_key(|kind| matches!(kind, Kind::Port | Kind::FloatingIp | Kind::Forwarding));
            reading.assignments.end(has_all_assignments);
            let closing = Closing { complete, origin, left, slot: 0, has_looked: false, is_told: false };
            reading.closing.get_or_insert(closing);
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

    /// The read under way never came to its end: nothing can be said of what it did not show, and what it showed counts.
    pub(super) fn break_off(&mut self, now: Timestamp, region: &Option<Arc<str>>, out: &mut Output) {
        let mut reading = self.take_reading(region);
        (reading.is_broken, reading.closing) = (true, None);
        reading.held.forget_gone();
        self.seen.insert(region.clone(), Seen::of(&reading));
        // They are for its end.
        (reading.spoken, reading.assignments, reading.unmarked) = Default::default();
        let before = self.broken.iter().filter(|broken| broken.run.region == *region).count();
        if before >= BROKEN_MAX {
            self.end_first_broken(now, region, out);
        }
        match before {
            0 => self.go_on_broken(now, reading, out),
            // In the order in which they were read.
            _ => self.broken.push_back(reading),
        }
    }

    /// Merges all that is left of the first read of a region that broke off.
    fn end_first_broken(&mut self, now: Timestamp, region: &Option<Arc<str>>, out: &mut Output) {
        let first = self.broken.iter().position(|broken| broken.run.region == *region);
        if let Some(mut reading) = first.and_then(|first| self.broken.remove(first)) {
            let portion = reading.held.take_shown();
            self.merge_part(now, &mut reading, portion, ReadStep::BrokenOff, out);
        }
    }

    /// One step towards the end of a read that broke off. The first is made at once, where no older one is left.
    fn go_on_broken(&mut self, now: Timestamp, mut reading: Reading, out: &mut Output) {
        let nothing = CloudModel::default();
        let cloud = self.clouds.get(&reading.run.region).unwrap_or(&nothing);
        if let Some(portion) = reading.held.take_last(cloud) {
            self.merge_part(now, &mut reading, portion, ReadStep::BrokenOff, out);
            return;
        }
        let portion = reading.held.next_portion().or_else(|| {
            reading.held.arrange(cloud);
            reading.held.next_portion()
        });
        self.merge_part(now, &mut reading, portion.unwrap_or_default(), ReadStep::Part, out);
        self.broken.push_front(reading);
    }

    /// One step towards the end of a read whose pages have all come, or will not come.
    pub(super) fn read_on(&mut self, now: Timestamp, out: &mut Output) {
        if let Some(reading) = self.broken.pop_front() {
            return self.go_on_broken(now, reading, out);
        }
        let found = self.readings.iter().find(|(_, reading)| reading.closing.is_some());
        let Some(region) = found.map(|(region, _)| region.clone()) else { return };
        let mut reading = self.take_reading(&region);
        let reading = if self.close_assignments(now, &mut reading, out) {
            Some(reading)
        } else {
            // Of what is held the bus may have made something since its page came.
            self.mark_shown(&region, &reading);
            self.look_for_unshown(&mut reading);
            self.close(now, reading, out)
        };
        if let Some(reading) = reading {
            self.readings.insert(region, reading);
        }
    }

    /// Merges what is due; gives the read back unless that was its end.
    fn close(&mut self, now: Timestamp, mut reading: Reading, out: &mut Output) -> Option<Reading> {
        let closing = reading.closing.as_mut()?;
        let complete = |closing: &Closing| {
            let complete = closing.complete.iter().map(|&kind| {
                let (shown, given) = reading.shown.get(&kind).copied().unwrap_or((0, Fields::MAX));
                CompleteKind { kind, shown, given }
            });
            complete.collect()
        };
        let nothing = CloudModel::default();
        let cloud = self.clouds.get(&reading.run.region).unwrap_or(&nothing);
        let last = if closing.has_looked { reading.held.take_last(cloud) } else { None };
        if let Some(portion) = last {
            let step =
                ReadStep::End { complete: complete(closing), origin: std::mem::take(&mut closing.origin) };
            self.merge_part(now, &mut reading, portion, step, out);
            self.wishes.forget(&reading.run.region);
            self.ask_of_spoken(now, reading, out);
            return None;
        }
        if !std::mem::replace(&mut closing.is_told, true) {
            // From now on nothing can come into slots that were looked through, or kinds that were, unless it is later than the read.
            let step = ReadStep::Closing { complete: complete(closing) };
            self.merge_part(now, &mut reading, Portion::default(), step, out);
        } else if let Some(portion) = reading.held.next_portion() {
            self.merge_part(now, &mut reading, portion, ReadStep::Part, out);
        } else if closing.has_looked || reading.held.room_for_gone() == 0 {
            // A step of its own, in which nothing is changed.
            if closing.has_looked || !reading.held.arrange_gone(cloud) {
                reading.held.arrange(cloud);
            }
        }
        Some(reading)
    }

    /// Marks what was shown, as far as it is known by now.
    fn mark_shown(&mut self, region: &Option<Arc<str>>, reading: &Reading) {
        if let Some(cloud) = self.clouds.get_mut(region) {
            reading.held.shown().for_each(|object| mark(cloud, object));
        }
    }

    /// Looks through some slots for objects that were not shown, as far as there is room for them.
    fn look_for_unshown(&self, reading: &mut Reading) {
        if reading.held.has_portions() {
            return;
        }
        let Some(closing) = reading.closing.as_mut().filter(|closing| !closing.has_looked) else { return };
        if let Some(cloud) = self.clouds.get(&reading.run.region) {
            let max = reading.held.found.gone.len() + reading.held.room_for_gone();
            let mut budget = SLOTS_PER_STEP;
            while let Some(&kind) = closing.left.last() {
                let end = cloud.slots(kind).min(closing.slot.saturating_add(budget));
                let found = &mut reading.held.found.gone;
                let next = cloud.unshown(kind, closing.slot..end, reading.run.at, max, found);
                budget -= next.saturating_sub(closing.slot);
                closing.slot = next;
                if next < cloud.slots(kind) {
                    return;
                }
                closing.left.pop();
                closing.slot = 0;
            }
        }
        closing.has_looked = true;
    }

    /// Merges a portion of what was held of a read.
    pub(super) fn merge_part(
        &mut self,
        now: Timestamp,
        reading: &mut Reading,
        mut portion: Portion,
        step: ReadStep,
        out: &mut Output,
    ) {
        let run = reading.run.clone();
        if let Some(cloud) = self.clouds.get(&run.region) {
            // Meanwhile the bus may have spoken of one.
            let spoken = &reading.spoken;
            portion.gone.retain(|gone| !spoken.contains(gone) && cloud.is_unshown(gone.0, &gone.1, run.at));
        }
        let others = self.other_parts(reading, &portion);
        let mut part = differences(run, portion, step);
        (part.others, part.told, part.cause, part.is_silent) =
            (others, reading.told, reading.cause, reading.is_first);
        let (told, step) = self.merge_differences(now, part, out);
        reading.told = told;
        reading.merged.extend(step);
        // Only now those that were not known have a place for a mark. One that broke off has no marks once the next has begun.
        let region = &reading.run.region;
        let has_marks =
            !reading.is_broken || self.seen.get(region).is_some_and(|seen| seen.run().is(&reading.run));
        if let (Some(part), Some(cloud), true) = (&out.differences, self.clouds.get_mut(region), has_marks) {
            for object in &part.objects {
                each_shown(object, &mut |kind, id, _| {
                    if cloud.mark(kind, id).is_some() {
                        reading.is_marked_late(kind, id);
                    }
                });
            }
        }
    }

    /// What other parts made or take away that explains something in this one. What will go is known by what the read did not show.
    fn other_parts(&self, reading: &Reading, portion: &Portion) -> OtherParts {
        let Some(cloud) = self.clouds.get(&reading.run.region) else { return OtherParts::default() };
        let complete = reading.closing.as_ref().map_or(&[][..], |closing| &closing.complete);
        let is_gone = |other: &(Kind, Id)| {
            let is_going = complete.contains(&other.0)
                && !reading.spoken.contains(other)
                && cloud.is_unshown(other.0, &other.1, reading.run.at);
            is_going || reading.merged.has_gone(other)
        };
        let objects = portion.shown.iter().map(|(object, _)| object);
        let shown = objects.filter_map(|object| Some((object.kind(), object.id()?, Some(object))));
        // Of what is there these two tell by themselves that something else has gone.
        let shown = shown.filter(|(kind, ..)| matches!(kind, Kind::FloatingIp | Kind::FirewallGroup));
        let all = portion.gone.iter().map(|(kind, id)| (*kind, id, None)).chain(shown);
        let gone: BTreeSet<_> =
            all.flat_map(|(kind, id, shown)| cloud.goes_with(kind, id, shown)).filter(is_gone).collect();
        let groups = portion.shown.iter().filter_map(|(object, _)| match object {
            Object::Rule(rule) => Some((Kind::SecurityGroup, rule.security_group_id.clone()?)),
            _ => None,
        });
        let made: BTreeSet<_> = groups.filter(|group| reading.merged.has_made(group)).collect();
        OtherParts { made: made.into_iter().collect(), gone: gone.into_iter().collect() }
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
}

fn mark(cloud: &mut CloudModel, object: &Object) {
    each_shown(object, &mut |kind, id, _| _ = cloud.mark(kind, id));
}
