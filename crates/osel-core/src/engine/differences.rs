//! What a read showed to be otherwise than it was known: merged, told as drift, and written down as it is.
//!
//! All that a read does to the state is here, and depends on nothing but the state and the [`ReadDifferences`]: who folds a journal does
//! the same again without knowing what else was shown. Each object that differs has one record of kind `drift`; of very many the first
//! [`DRIFT_RECORDS_MAX`] of a run, and the rest is told together, part by part, so that every row is told exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::drift::{Step, describe};
use super::reading::ReadRun;
use super::record::{RecordBody, widen};
use super::{Engine, Output, Version, system_record};
use crate::event::{Kind, Object};
use crate::exposure::{Judged, judge_parts};
use crate::ids::Id;
use crate::model::{Difference, Fields};
use crate::time::Timestamp;
use crate::trail::RecordKind;

/// The most records of single objects in one run. So many differences at once have one reason, such as an outage of the bus, and nobody
/// reads a thousand records to find it.
pub const DRIFT_RECORDS_MAX: u64 = 1_000;

/// A part of a read that changes something.
#[derive(Clone, Debug)]
pub struct ReadDifferences {
    /// The read.
    pub run: ReadRun,
    /// Objects that are not as they were known, as they were shown.
    pub objects: Vec<Object>,
    /// The same as text, for the journal; empty where nobody keeps one.
    pub text: Vec<u8>,
    /// Objects that were known and were not shown.
    pub gone: Vec<(Kind, Id)>,
    /// Objects that were shown as they are known, each with the fields that were shown: what the bus said of them before is history.
    pub confirmed: Vec<(Kind, Id, Fields)>,
    /// What other parts of the read say of these.
    pub others: OtherParts,
    /// Which part of the read.
    pub step: ReadStep,
    /// What was told of the run before.
    pub told: Told,
    /// The record that led to the read.
    pub cause: Option<u64>,
    /// Whether nothing is told of it: before the read nothing was known.
    pub is_silent: bool,
}

/// What other parts of a read made or take away, as far as that explains something in this one: a part is small, and a network has more
/// ports than go in the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherParts {
    /// What was made before.
    pub made: Vec<(Kind, Id)>,
    /// What went before, or was not shown either.
    pub gone: Vec<(Kind, Id)>,
}

/// Which part of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadStep {
    /// One on the way.
    Part,
    /// An event of before the read spoke of objects that it had shown already.
    Confirmed,
    /// All pages have come, and what they did not show is looked for in more steps than one.
    Closing {
        /// The kinds that were shown as a whole.
        complete: Vec<CompleteKind>,
    },
    /// The last one, with the kinds that were shown as a whole.
    End {
        /// The kinds.
        complete: Vec<CompleteKind>,
        /// Where they came from, for the record.
        origin: String,
    },
    /// The last one of a read that did not come to its end.
    BrokenOff,
    /// The end of a read came when another had begun.
    TooLate {
        /// Where it came from, for the record.
        origin: String,
    },
    /// Single objects were looked at.
    Looked,
}

/// A kind that was shown as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompleteKind {
    /// The kind.
    pub kind: Kind,
    /// How many objects were shown.
    pub shown: u64,
    /// The fields that all of them had.
    pub given: Fields,
}

/// What was told of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Records of single objects.
    pub records: u64,
    /// Objects that differed.
    pub objects: u64,
}

impl Engine {
    /// How many objects of each region and kind were not as they were known, as far as this engine has found it out itself: not by folding.
    pub fn drift(&self) -> &BTreeMap<(Option<Arc<str>>, Kind), u64> {
        &self.drift
    }

    /// The same of role assignments.
    pub fn assignment_drift(&self) -> &BTreeMap<Option<Arc<str>>, u64> {
        &self.assignment_drift
    }

    /// Merges and tells a part of a read; what has been told of the run with it, and what came and went.
    pub(super) fn merge_differences(
        &mut self,
        now: Timestamp,
        mut part: ReadDifferences,
        out: &mut Output,
    ) -> (Told, Step) {
        let run = &part.run;
        let region = run.region.clone();
        if let Some(id) = run.id {
            let last = self.runs.entry(region.clone()).or_insert(id);
            *last = id.max(*last);
        }
        // In one order whatever found them: what hangs on others before them, so that its rows stand with it.
        let place = |kind: Kind| Kind::ALL.into_iter().position(|other| other == kind);
        part.gone.sort_by(|(one, id), (other, other_id)| (place(*other), id).cmp(&(place(*one), other_id)));
        let seq = self.seq + 1;
        let shown = part.objects.iter().filter_map(|object| Some((object.kind(), object.id()?)));
        let gone = part.gone.iter().map(|(kind, id)| (*kind, id));
        let places = self.known_places(&region, shown.chain(gone));
        let cloud = self.cloud_or_new(region.clone());
        let shown = (&part.objects[..], &part.gone[..]);
        let merged = cloud.merge_shown(now, run.at, run.exact, shown, !part.is_silent);
        if let (ReadStep::End { complete, .. } | ReadStep::Closing { complete }, true) =
            (&part.step, run.exact)
        {
            for CompleteKind { kind, given, .. } in complete {
                cloud.confirm(*kind, run.at, *given);
            }
        }
        for (kind, id, given) in &part.confirmed {
            cloud.confirm_object(*kind, id, run.at, *given);
        }
        if part.step == ReadStep::Looked {
            for (kind, id) in &part.gone {
                cloud.bury_unseen(*kind, id, run.at, now);
            }
        }
        let own = Step::of(&merged.differences);
        let mut step = own.clone();
        step.learn(&part.others);
        let (told, told_by) = self.tell(now, &part, merged.differences, &step, out);
        if let Some(cloud) = self.clouds.get(&region) {
            let confirmed = part.confirmed.iter().map(|(kind, id, _)| (*kind, id.clone()));
            // An object looks as it does from the record on that tells of it; of the others it is the first one.
            let versions = merged.touched.into_iter().chain(confirmed).map(|object| Version {
                seq: told_by.get(&object).copied().unwrap_or(seq),
                region: region.clone(),
                line: cloud.line(object.0, &object.1),
            });
            let begun = out.versions.len();
            out.versions.extend(versions);
            out.versions[begun..].sort_by_key(|version| version.seq);
        }
        let cause = (self.seq >= seq).then_some(seq);
        self.settle(now, cause, places, out);
        // What came and went in silence is in no rows by which that is known.
        if merged.retagged || part.is_silent {
            self.review_retagged(now, cause, out);
        }
        self.tell_step(now, &part, told, out);
        if matches!(part.step, ReadStep::End { .. }) {
            self.informed.insert(region.clone());
            // A gap that was found meanwhile has a read of its own.
            if self.lost.get(&region) == part.cause.as_ref() {
                self.lost.remove(&region);
            }
        }
        out.differences = Some(part);
        // What was learnt of other parts is theirs.
        (told, own)
    }

    /// Tells what differed, object by object as far as that is of use; says besides which record tells of which object.
    fn tell(
        &mut self,
        now: Timestamp,
        part: &ReadDifferences,
        differences: Vec<Difference>,
        step: &Step,
        out: &mut Output,
    ) -> (Told, BTreeMap<(Kind, Id), u64>) {
        let region = &part.run.region;
        // Of a region that was never read as a whole nobody claimed that there is nothing else.
        let is_informed = self.informed.contains(region) || part.step == ReadStep::Looked;
        let mut told = part.told;
        let mut told_by = BTreeMap::new();
        let (mut together, mut of_together) = (Vec::new(), Vec::new());
        let mut counts: BTreeMap<Kind, u64> = BTreeMap::new();
        for (difference, judged) in self.judged(region, differences) {
            *self.drift.entry((region.clone(), difference.kind)).or_default() += 1;
            told.objects += 1;
            let is_news = difference.before.is_none() && !is_informed;
            if is_news || told.records == DRIFT_RECORDS_MAX {
                *counts.entry(difference.kind).or_default() += 1;
                together.push(judged);
                of_together.push((difference.kind, difference.id));
                continue;
            }
            told.records += 1;
            let seq = self.tell_one(now, part, (&difference, step), judged, out);
            told_by.insert((difference.kind, difference.id), seq);
        }
        if !counts.is_empty() {
            let list: Vec<String> =
                counts.iter().map(|(kind, count)| format!("{count} {}", kind.plural())).collect();
            let text = format!(
                "not told one by one, since they are too many or were never heard of: {}",
                list.join(", ")
            );
            let mut record = self.read_record(now, part, RecordKind::Drift, text, Judged::all(together));
            record.detail.insert("differences".into(), counts.values().sum::<u64>().to_string());
            let seq = self.record_and_scan(now, record, out);
            told_by.extend(of_together.into_iter().map(|object| (object, seq)));
        }
        (told, told_by)
    }

    /// Each difference with its rows judged, all as one change: none covers another's.
    fn judged(
        &self,
        region: &Option<Arc<str>>,
        mut differences: Vec<Difference>,
    ) -> Vec<(Difference, Judged)> {
        let Some(cloud) = self.clouds.get(region) else { return Vec::new() };
        let deltas = differences.iter_mut().map(|difference| std::mem::take(&mut difference.delta)).collect();
        differences.into_iter().zip(judge_parts(cloud, deltas)).collect()
    }

    fn tell_one(
        &mut self,
        now: Timestamp,
        part: &ReadDifferences,
        (difference, step): (&Difference, &Step),
        exposure: Judged,
        out: &mut Output,
    ) -> u64 {
        let Some(cloud) = self.clouds.get(&part.run.region) else { return self.seq };
        let described = describe(cloud, difference, step);
        let mut record = self.read_record(now, part, RecordKind::Drift, described.text, exposure);
        record.target = Some(described.target);
        record.detail.extend(described.detail);
        self.record_and_scan(now, record, out)
    }

    /// Tells how the read ended, if it did.
    fn tell_step(&mut self, now: Timestamp, part: &ReadDifferences, told: Told, out: &mut Output) {
        let by = part.run.actor.as_ref().map(|actor| format!(", imported by {actor},")).unwrap_or_default();
        let text = match &part.step {
            ReadStep::Part | ReadStep::Confirmed | ReadStep::Closing { .. } | ReadStep::Looked => return,
            ReadStep::BrokenOff => format!("inventory{by} not read to its end"),
            ReadStep::TooLate { origin } => format!(
                "inventory {origin}{by} came to its end when another read had begun: what it did not show stays"
            ),
            ReadStep::End { complete, origin } => {
                let counts: Vec<String> =
                    complete.iter().map(|of| format!("{} {}", of.shown, of.kind.plural())).collect();
                let counts =
                    if counts.is_empty() { "nothing of the network".to_owned() } else { counts.join(", ") };
                format!("inventory {origin}{by} read: {counts}")
            }
        };
        let kind = if told.objects > 0 { RecordKind::Drift } else { RecordKind::System };
        let mut record = self.read_record(now, part, kind, text, Judged::default());
        // Who had it read; whoever made what differs, nobody knows.
        record.actor.user_name = part.run.actor.as_deref().map(Into::into);
        if !matches!(part.step, ReadStep::End { .. }) {
            record.time = now;
        }
        if told.objects > 0 {
            record.detail.insert("differences".into(), told.objects.to_string());
        }
        self.record(record, out);
    }

    /// A record of a read with what it opened and closed.
    fn read_record(
        &self,
        now: Timestamp,
        part: &ReadDifferences,
        kind: RecordKind,
        text: String,
        exposure: Judged,
    ) -> RecordBody {
        let ReadRun { region, at, exact, actor, .. } = &part.run;
        let wide = self.clouds.get(region).map(|cloud| widen(cloud, &exposure)).unwrap_or_default();
        let time = if *exact { (*at).min(now) } else { now };
        let mut record = RecordBody {
            region: region.clone(),
            cause: part.cause,
            exposure,
            wide,
            ..system_record(now, time, kind, text)
        };
        record.detail.extend(actor.iter().map(|actor| ("imported_by".into(), actor.to_string())));
        record
    }
}
