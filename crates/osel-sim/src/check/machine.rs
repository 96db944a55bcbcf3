//! The engine with its trail, driven as the shell drives it, in memory and with salts from the seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use osel_core::decode::{Decoded, decode};
use osel_core::engine::record::{Record, RecordBody};
use osel_core::engine::{
    Disposition, Engine, EngineLine, EngineOptions, Input, LookWhy, Looked, Named, OperatorOrder, Order,
    Output, ReadDifferences, ReadEnd, ReadPage, ReadRun, RunId, Version,
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
    Read { differences: Vec<ReadDifferences>, names: Vec<Named> },
    /// That time passed.
    Tick,
}

/// What came of one arrival.
#[derive(Debug, Default)]
pub(super) struct Came {
    pub(super) disposition: Option<Disposition>,
    /// What the journal keeps of it; nothing when it changed nothing.
    pub(super) kept: Vec<Kept>,
    /// What a part of a read changed.
    pub(super) differences: Vec<ReadDifferences>,
    /// Objects that are to be looked at.
    pub(super) looks: Vec<osel_core::engine::Look>,
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
    bench: Bench,
}

/// What the API showed.
#[derive(Clone, Debug, Default)]
struct Shown {
    /// In the read that is under way.
    so_far: Objects,
    /// In the last read that ended, with its time.
    ended: Option<(Timestamp, Arc<Objects>)>,
}

type Objects = BTreeMap<(Kind, Id), Object>;

impl Shown {
    fn note(&mut self, what: &What) {
        match what {
            What::Page(_, page) => {
                let objects = page.objects.iter();
                let objects =
                    objects.filter_map(|object| Some(((object.kind(), object.id()?.clone()), object)));
                self.so_far.extend(objects.map(|(key, object)| (key, object.clone())));
            }
            What::ReadEnd(_, at, _) => {
                self.ended = Some((*at, Arc::new(std::mem::take(&mut self.so_far))));
            }
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
            bench,
        }
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

    /// Another process that goes on from the lines of this one.
    pub(super) fn restarted(&self) -> Result<Self, Failure> {
        let mut engine = Engine::new(self.options.clone());
        let mut region = None;
        for line in self.lines() {
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
            bench: self.bench.clone(),
        })
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
                let page_objects = ReadPage { run, objects: page.objects.clone(), lines: Vec::new() };
                self.read(arrival.at, Input::Page(page_objects), page.names.clone())
            }
            What::ReadEnd(run, at, complete) => {
                let run = self.run(*run, *at);
                let origin = "the simulation".to_owned();
                let end = ReadEnd { run, complete: complete.clone(), has_all_assignments: false, origin };
                self.read(arrival.at, Input::ReadEnd(end), Vec::new())
            }
            What::Tick => {
                let came = self.handle(arrival.at, Input::Tick, None)?;
                // Only a tick that had an effect is kept.
                let kept = if came.records.is_empty() { Vec::new() } else { vec![Kept::Tick] };
                Ok(Came { kept, ..came })
            }
        }
    }

    /// Answers wishes to look at objects of which a read and the bus may say different things: as the API showed them in that read.
    fn answer(&mut self, now: Timestamp, came: &mut Came) -> Result<(), Failure> {
        let Some((at, shown)) = self.shown.ended.clone() else { return Ok(()) };
        for look in std::mem::take(&mut came.looks) {
            if look.why != LookWhy::UnsureClock {
                continue;
            }
            let found = shown.get(&(look.kind, look.id.clone())).cloned();
            let absent = if found.is_none() { vec![(look.kind, look.id)] } else { Vec::new() };
            let objects = found.into_iter().collect();
            let (region, cause) = (look.region, Some(look.cause));
            let looked = Looked { region, at, cause, objects, lines: Vec::new(), absent };
            let more = self.read(now, Input::Looked(looked), Vec::new())?;
            came.add(more);
        }
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
        if !came.differences.is_empty() || !names.is_empty() {
            came.kept = vec![Kept::Read { differences: came.differences.clone(), names }];
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
            (_, Kept::Read { differences, names }) => {
                let mut came = Came::default();
                for part in differences {
                    came.add(self.handle(arrival.at, Input::Differences(part.clone()), None)?);
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
        let differences = came.differences.clone();
        if !differences.is_empty() {
            came.kept.push(Kept::Read { differences, names: Vec::new() });
        }
        came.kept.push(Kept::Message { body, digest });
        Ok(came)
    }

    fn handle(&mut self, now: Timestamp, input: Input<'_>, payload: Option<&[u8]>) -> Result<Came, Failure> {
        self.out.clear();
        self.engine.handle(now, input, &mut self.out);
        let mut came = Came {
            disposition: self.out.disposition.take(),
            differences: self.out.differences.take().into_iter().collect(),
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
                parts.push(osel_core::trail::Part { class, project, bytes });
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
