//! The engine with its trail, driven as the shell drives it, in memory and with salts from the seed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use osel_core::decode::{Decoded, Subject, decode, read_object};
use osel_core::engine::record::{Record, RecordBody};
use osel_core::engine::{
    AssignmentDifferences, AssignmentPage, Disposition, Engine, EngineLine, EngineOptions, Input, Look,
    LookWhy, Looked, Named, OperatorOrder, Order, Output, ReadDifferences, ReadEnd, ReadPage, ReadRun, RunId,
    Sought, Version,
};
use osel_core::event::{Digest, Kind, Object, RawMessage};
use osel_core::exposure;
use osel_core::ids::Id;
use osel_core::model::{CloudModel, Row};
use osel_core::time::Timestamp;
use osel_core::trail::{Canonical, Chain, Draft, Hash, PartClass, Salt, Sealed};

use super::failure::Failure;
use super::plan::Plan;
use super::scans::{self, Bench, Happens};
use super::script::{Arrival, What};
use super::world::Snapshot;
use crate::random::Random;

/// A record as a store has it, with what the engine made it from.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) body: RecordBody,
    pub(super) sealed: Sealed,
    /// The bytes of its parts, in order.
    pub(super) parts: Vec<Vec<u8>>,
}

impl Stored {
    /// The record as it is read back from its parts.
    pub(super) fn read(&self) -> Result<Record, Failure> {
        let canonical =
            Canonical::read(&self.sealed.canonical).map_err(|error| Failure::new("trail", error))?;
        let parts = self.sealed.parts.iter().zip(&self.parts);
        let projects: Vec<Option<String>> =
            self.sealed.parts.iter().map(|part| part.project.as_ref().map(ToString::to_string)).collect();
        let parts = parts
            .zip(&projects)
            .map(|((part, bytes), project)| (part.class, project.as_deref(), Some(bytes.as_slice())));
        Ok(Record::read(canonical.header, self.sealed.hash, parts))
    }
}

/// An arrival as the journal keeps it.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// A message.
    Message { body: Vec<u8>, digest: Digest },
    /// What a part of a read changed.
    Read { parts: Vec<ReadPart>, names: Vec<Named> },
    /// That time passed.
    Tick,
}

/// What a part of a read changed.
#[derive(Clone, Debug)]
pub(super) enum ReadPart {
    Objects(ReadDifferences),
    Assignments(AssignmentDifferences),
}

/// What came of one arrival.
#[derive(Debug, Default)]
pub(super) struct Came {
    pub(super) disposition: Option<Disposition>,
    /// What the journal keeps of it; nothing when it changed nothing.
    pub(super) kept: Vec<Kept>,
    /// What a part of a read changed.
    pub(super) differences: Vec<ReadDifferences>,
    /// The same with what it changed of role assignments, in order.
    parts: Vec<ReadPart>,
    /// How many single objects were answered for.
    pub(super) looked: usize,
    /// Objects that are to be looked at.
    pub(super) looks: Vec<Look>,
    pub(super) records: Vec<Stored>,
    pub(super) versions: Vec<Version>,
}

impl Came {
    /// Adds what came of a further step.
    fn add(&mut self, more: Self) {
        self.kept.extend(more.kept);
        self.records.extend(more.records);
        self.versions.extend(more.versions);
        self.differences.extend(more.differences);
        self.parts.extend(more.parts);
        self.looked += more.looked;
        self.looks.extend(more.looks);
    }
}

/// An engine with its trail.
#[derive(Debug)]
pub(super) struct Machine {
    options: EngineOptions,
    region: Option<Arc<str>>,
    engine: Engine,
    chain: Chain,
    salts: Random,
    out: Output,
    shown: Shown,
    present: Present,
    bench: Bench,
}

/// The cloud as somebody sees it who asks for single objects.
#[derive(Clone, Debug)]
struct Present {
    /// How it was, one moment after another; none where nobody answers.
    moments: Arc<Vec<Snapshot>>,
    /// What was wished for, with how many arrivals go before the answer.
    wishes: VecDeque<(usize, Look)>,
    chance: Random,
}

/// The most arrivals that go before the answer to a wish.
const ANSWER_AFTER_MAX: u64 = 4;

impl Present {
    /// What was said of an object at the last moment until then: when that was, and the object.
    fn object(&self, now: Timestamp, kind: Kind, id: &Id) -> Option<(Timestamp, Option<Object>)> {
        let until = self.moments.partition_point(|moment| moment.taken_at <= now.micros());
        let Snapshot { state, taken_at } = self.moments.get(until.checked_sub(1)?)?;
        let listed = state[kind.plural()].as_array()?;
        let found = listed.iter().find(|object| object["id"].as_str().is_some_and(|of| *id == Id::new(of)));
        let object = found.map(|object| read_object(kind, object.to_string().as_bytes()));
        Some((Timestamp::from_micros(*taken_at), object.transpose().ok()?))
    }
}

/// What the API showed.
#[derive(Clone, Debug, Default)]
struct Shown {
    /// Which read is under way, and in it.
    so_far: (Option<RunId>, Objects),
    /// In the last read that ended, with its time.
    ended: Option<(Timestamp, Arc<Objects>)>,
}

type Objects = BTreeMap<(Kind, Id), Object>;

impl Shown {
    fn note(&mut self, what: &What) {
        match what {
            What::Page(run, page) => {
                // What one showed that broke off, the next one did not.
                if self.so_far.0 != Some(*run) {
                    self.so_far = (Some(*run), Objects::new());
                }
                let objects = page.objects.iter();
                let objects =
                    objects.filter_map(|object| Some(((object.kind(), object.id()?.clone()), object)));
                self.so_far.1.extend(objects.map(|(key, object)| (key, object.clone())));
            }
            What::ReadEnd(_, at, _) => {
                self.ended = Some((*at, Arc::new(std::mem::take(&mut self.so_far).1)));
            }
            // What the process that is no more had been shown is forgotten with it.
            What::Killed => self.so_far = (None, Objects::new()),
            What::Message(_) | What::Tick => {}
        }
    }
}

impl Machine {
    pub(super) fn new(plan: &Plan) -> Self {
        let scan = plan.scans.then(|| scans::policy(plan.seed));
        let bench = Bench::new(scan.clone(), plan.seed);
        let options = EngineOptions { model: plan.model.clone(), scan, ..EngineOptions::default() };
        Self {
            engine: Engine::new(options.clone()),
            options,
            region: plan.region.map(Arc::from),
            chain: Chain::new(),
            salts: Random::new(plan.seed ^ 0x5A17),
            out: Output::default(),
            shown: Shown::default(),
            present: Present {
                moments: Arc::default(),
                wishes: VecDeque::new(),
                chance: Random::new(plan.seed ^ 0x100C),
            },
            bench,
        }
    }

    /// The same, with somebody who answers for single objects by how the cloud was at these moments.
    pub(super) fn asking(mut self, moments: &Arc<Vec<Snapshot>>) -> Self {
        self.present.moments = Arc::clone(moments);
        self
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The hash of the last record.
    pub(super) fn hash(&self) -> Hash {
        self.chain.head().hash
    }

    /// The cloud as the engine knows it.
    pub(super) fn cloud(&self) -> Option<&CloudModel> {
        self.engine.cloud(self.region.as_ref())
    }

    /// The rows of the cloud, in the engine's order.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.cloud().map(exposure::rows).unwrap_or_default()
    }

    /// The whole state as a snapshot has it, one JSON text a line.
    pub(super) fn lines(&self) -> Vec<String> {
        self.engine.lines().map(|line| serde_json::to_string(&line).unwrap_or_default()).collect()
    }

    /// The same without what is counted: a repetition is counted and not journaled, and the store corrects the count.
    pub(super) fn uncounted(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| !line.starts_with(r#"{"ledger":"#));
        lines
    }

    /// The same without a person, as snapshots are rewritten.
    pub(super) fn lines_without(&self, subject: &Subject) -> Vec<String> {
        let without = |mut line: EngineLine| {
            line.forget(subject);
            serde_json::to_string(&line).unwrap_or_default()
        };
        self.engine.lines().map(without).collect()
    }

    /// Another process that goes on from the lines of this one.
    pub(super) fn restarted(&self) -> Result<Self, Failure> {
        self.restarted_from(self.lines())
    }

    /// Another process that goes on from these lines.
    pub(super) fn restarted_from(&self, lines: Vec<String>) -> Result<Self, Failure> {
        let mut engine = Engine::new(self.options.clone());
        let mut region = None;
        for line in lines {
            let line: EngineLine = serde_json::from_str(&line)
                .map_err(|error| Failure::new("restart", format!("{error}: {line}")))?;
            engine.restore(line, &mut region);
        }
        Ok(Self {
            options: self.options.clone(),
            region: self.region.clone(),
            engine,
            chain: Chain::resume(self.chain.head()),
            salts: self.salts.clone(),
            out: Output::default(),
            shown: self.shown.clone(),
            present: self.present.clone(),
            bench: self.bench.clone(),
        })
    }

    /// Is told to erase a user.
    pub(super) fn erase(&mut self, now: Timestamp, user: &str) -> Result<Came, Failure> {
        let (user, reason) = (Some(Id::new(user)), "asked for it".to_owned());
        let what = OperatorOrder::ErasePerson { user, reason, sought: Sought::default() };
        self.handle(now, Input::Order(Order { actor: "somebody".to_owned(), what }), None)
    }

    /// Is told how an object looks, and nothing else.
    pub(super) fn restore(&mut self, version: Version) {
        self.engine.restore_object(version.region, version.line);
    }

    /// Takes one arrival.
    pub(super) fn take(&mut self, arrival: &Arrival) -> Result<Came, Failure> {
        self.shown.note(&arrival.what);
        let mut came = self.take_it(arrival)?;
        self.answer(arrival.at, &mut came)?;
        Ok(came)
    }

    fn take_it(&mut self, arrival: &Arrival) -> Result<Came, Failure> {
        match &arrival.what {
            What::Message(raw) => self.message(arrival.at, raw, decode(raw)),
            What::Page(run, page) => {
                let run = self.run(*run, page.taken_at);
                let objects = ReadPage { run: run.clone(), objects: page.objects.clone(), lines: Vec::new() };
                let mut came = self.read(arrival.at, Input::Page(objects), Vec::new())?;
                let assigned = AssignmentPage { run, assignments: page.assignments.clone() };
                came.add(self.read(arrival.at, Input::Assignments(assigned), page.names.clone())?);
                Ok(came)
            }
            What::ReadEnd(run, at, complete) => {
                let run = self.run(*run, *at);
                let origin = "the simulation".to_owned();
                let end = ReadEnd { run, complete: complete.clone(), has_all_assignments: true, origin };
                self.read(arrival.at, Input::ReadEnd(end), Vec::new())
            }
            What::Killed => {
                *self = self.restarted()?;
                self.present.wishes.clear();
                Ok(Came::default())
            }
            What::Tick => {
                let came = self.handle(arrival.at, Input::Tick, None)?;
                // Only a tick that had an effect is kept.
                let kept = if came.records.is_empty() { Vec::new() } else { vec![Kept::Tick] };
                Ok(Came { kept, ..came })
            }
        }
    }

    /// Answers wishes to look at single objects: those of which a read and the bus may say different things at once, as the API showed
    /// them in that read; where somebody answers, these by how the cloud is now, and all others some arrivals later.
    fn answer(&mut self, now: Timestamp, came: &mut Came) -> Result<(), Failure> {
        for look in std::mem::take(&mut came.looks) {
            if look.why == LookWhy::UnsureClock {
                self.answer_one(now, look, came)?;
            } else if !self.present.moments.is_empty() {
                let wait = self.present.chance.below(ANSWER_AFTER_MAX) as usize;
                self.present.wishes.push_back((wait, look));
            }
        }
        let mut left = VecDeque::new();
        for (wait, look) in std::mem::take(&mut self.present.wishes) {
            match wait.checked_sub(1) {
                Some(wait) => left.push_back((wait, look)),
                None => self.answer_one(now, look, came)?,
            }
        }
        self.present.wishes = left;
        Ok(())
    }

    fn answer_one(&mut self, now: Timestamp, look: Look, came: &mut Came) -> Result<(), Failure> {
        let Look { region, kind, id, cause, .. } = look;
        // A forwarding cannot be asked for by its id alone.
        let present = self.present.object(now, kind, &id).filter(|_| kind != Kind::Forwarding);
        let shown = || {
            let (at, shown) = self.shown.ended.as_ref()?;
            Some((*at, shown.get(&(kind, id.clone())).cloned()))
        };
        let is_present = present.is_some();
        let Some((at, found)) = present.or_else(shown) else { return Ok(()) };
        let absent = if found.is_none() { vec![(kind, id)] } else { Vec::new() };
        let objects = found.into_iter().collect();
        let looked = Looked { region, at, cause: Some(cause), objects, lines: Vec::new(), absent };
        let mut more = self.read(now, Input::Looked(looked), Vec::new())?;
        more.looked = usize::from(is_present);
        came.add(more);
        Ok(())
    }

    /// Takes a part of a read, with all the steps that follow from it.
    fn read(&mut self, now: Timestamp, input: Input<'_>, names: Vec<Named>) -> Result<Came, Failure> {
        let mut came = self.handle(now, input, None)?;
        while self.engine.is_closing() {
            came.add(self.handle(now, Input::ReadOn, None)?);
        }
        if !names.is_empty() {
            came.add(self.handle(now, Input::Names(names.clone()), None)?);
        }
        if !came.parts.is_empty() || !names.is_empty() {
            came.kept = vec![Kept::Read { parts: std::mem::take(&mut came.parts), names }];
        }
        Ok(came)
    }

    fn run(&self, run: RunId, taken_at: Timestamp) -> ReadRun {
        ReadRun { id: Some(run), region: self.region.clone(), at: taken_at, exact: true, actor: None }
    }

    /// Takes an arrival again as the journal kept it.
    pub(super) fn take_again(&mut self, arrival: &Arrival, kept: &Kept) -> Result<Came, Failure> {
        match (&arrival.what, kept) {
            (What::Message(raw), Kept::Message { body, digest }) => {
                let raw = RawMessage { body: body.clone(), ..raw.clone() };
                let mut decoded = decode(&raw);
                decoded.digest = *digest;
                self.message(arrival.at, &raw, decoded)
            }
            (_, Kept::Read { parts, names }) => {
                let mut came = Came::default();
                for part in parts.iter().cloned() {
                    let input = match part {
                        ReadPart::Objects(part) => Input::Differences(part),
                        ReadPart::Assignments(part) => Input::AssignmentDifferences(part),
                    };
                    came.add(self.handle(arrival.at, input, None)?);
                }
                if !names.is_empty() {
                    came.add(self.handle(arrival.at, Input::Names(names.clone()), None)?);
                }
                Ok(came)
            }
            _ => self.take_it(arrival),
        }
    }

    fn message(&mut self, now: Timestamp, raw: &RawMessage, decoded: Decoded<'_>) -> Result<Came, Failure> {
        let body = decoded.body.clone().into_owned();
        let digest = decoded.digest;
        let mut came = self.handle(now, Input::Message(raw, decoded), Some(&body))?;
        // What a read had shown of the same objects goes before it.
        let parts = std::mem::take(&mut came.parts);
        if !parts.is_empty() {
            came.kept.push(Kept::Read { parts, names: Vec::new() });
        }
        // A repetition changes nothing but its count.
        if came.disposition != Some(Disposition::Duplicate) {
            came.kept.push(Kept::Message { body, digest });
        }
        Ok(came)
    }

    fn handle(&mut self, now: Timestamp, input: Input<'_>, payload: Option<&[u8]>) -> Result<Came, Failure> {
        self.out.clear();
        self.engine.handle(now, input, &mut self.out);
        let mut came = Came {
            disposition: self.out.disposition.take(),
            differences: self.out.differences.iter().cloned().collect(),
            parts: parts_of(&mut self.out),
            looks: std::mem::take(&mut self.out.looks),
            ..Came::default()
        };
        self.bench.watch(now, &self.engine, &self.out)?;
        self.seal(payload, &mut came)?;
        while let Some(happens) = self.bench.next(self.engine.seq()) {
            self.out.clear();
            match happens {
                Happens::Said(report) => self.engine.handle(now, Input::Scan(report), &mut self.out),
                Happens::CalledOff(id) => {
                    let what = OperatorOrder::CancelScan { id };
                    let order = Order { actor: "somebody".to_owned(), what };
                    self.engine.handle(now, Input::Order(order), &mut self.out);
                }
            }
            self.bench.watch(now, &self.engine, &self.out)?;
            self.seal(None, &mut came)?;
        }
        Ok(came)
    }

    /// Fails when a change that was to be scanned has been forgotten.
    pub(super) fn no_scan_is_lost(&self) -> Result<(), Failure> {
        self.bench.nothing_is_lost(&self.lines())
    }

    fn seal(&mut self, payload: Option<&[u8]>, came: &mut Came) -> Result<(), Failure> {
        let mut payload = payload.filter(|_| matches!(came.disposition, Some(Disposition::Recorded(_))));
        for body in self.out.records.drain(..) {
            let mut parts = body.parts();
            if let Some(payload) = payload.take() {
                let (class, project, bytes) = (PartClass::Payload, body.project(), payload.to_vec());
                parts.push(osel_core::trail::Part { class, project, person: None, bytes });
            }
            let draft =
                Draft { time: body.time, recorded_at: body.recorded_at, kind: body.kind, parts: &parts };
            let salts = &mut self.salts;
            let mut salt = || -> Salt {
                let number = (u128::from(salts.bits()) << 64) | u128::from(salts.bits());
                number.to_be_bytes()
            };
            let sealed = self.chain.seal(&draft, &mut salt).map_err(|error| Failure::new("trail", error))?;
            came.records.push(Stored {
                body,
                sealed,
                parts: parts.into_iter().map(|part| part.bytes).collect(),
            });
        }
        came.versions.append(&mut self.out.versions);
        Ok(())
    }
}

/// What an output says of a read.
fn parts_of(out: &mut Output) -> Vec<ReadPart> {
    let assignments = out.assignments.take().map(ReadPart::Assignments);
    out.differences.take().map(ReadPart::Objects).into_iter().chain(assignments).collect()
}
