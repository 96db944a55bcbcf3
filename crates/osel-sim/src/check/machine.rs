//! The engine with its trail, driven as the shell drives it, in memory and with salts from the seed.

use std::sync::Arc;

use osel_core::decode::{Decoded, decode};
use osel_core::engine::record::{Record, RecordBody};
use osel_core::engine::{
    Disposition, Engine, EngineLine, EngineOptions, Input, Output, ReadEnd, ReadPage, ReadRun, RunId,
    ScanCommand, ScanOutcome, Version,
};
use osel_core::event::{Digest, RawMessage};
use osel_core::exposure;
use osel_core::model::{CloudModel, Row};
use osel_core::plan::{ProbeState, ScanPolicy};
use osel_core::time::Timestamp;
use osel_core::trail::{Canonical, Chain, Draft, Hash, PartClass, Salt, Sealed};

use super::failure::Failure;
use super::plan::Plan;
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

/// A message as the journal keeps it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    body: Vec<u8>,
    digest: Digest,
}

/// What came of one arrival.
#[derive(Debug, Default)]
pub(super) struct Came {
    pub(super) disposition: Option<Disposition>,
    /// What the journal keeps of a message.
    pub(super) kept: Option<Kept>,
    pub(super) records: Vec<Stored>,
    pub(super) versions: Vec<Version>,
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
}

impl Machine {
    pub(super) fn new(plan: &Plan) -> Self {
        let scan = plan.scans.then(|| ScanPolicy {
            allowed_prefixes: ["10.0.0.0/24"].iter().filter_map(|text| text.parse().ok()).collect(),
        });
        let options = EngineOptions { model: plan.model.clone(), scan };
        Self {
            engine: Engine::new(options.clone()),
            options,
            region: plan.region.map(Arc::from),
            chain: Chain::new(),
            salts: Random::new(plan.seed ^ 0x5A17),
            out: Output::default(),
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
        })
    }

    /// Is told how an object looks, and nothing else.
    pub(super) fn restore(&mut self, version: Version) {
        self.engine.restore_object(version.region, version.line);
    }

    /// Takes one arrival.
    pub(super) fn take(&mut self, arrival: &Arrival) -> Result<Came, Failure> {
        match &arrival.what {
            What::Message(raw) => self.message(arrival.at, raw, decode(raw)),
            What::Page(page) => {
                let run = self.run(arrival, page.taken_at);
                let objects = ReadPage { run, objects: page.objects.clone() };
                let mut came = self.handle(arrival.at, Input::Page(objects), None)?;
                if !page.names.is_empty() {
                    let more = self.handle(arrival.at, Input::Names(page.names.clone()), None)?;
                    came.records.extend(more.records);
                }
                Ok(came)
            }
            What::ReadEnd(at, complete) => {
                let end = ReadEnd {
                    run: self.run(arrival, *at),
                    complete: complete.clone(),
                    origin: "the simulation".to_owned(),
                };
                self.handle(arrival.at, Input::ReadEnd(end), None)
            }
            What::Tick => self.handle(arrival.at, Input::Tick, None),
        }
    }

    /// The read that an arrival belongs to: all of one arrive at once.
    fn run(&self, arrival: &Arrival, taken_at: Timestamp) -> ReadRun {
        let id = u64::try_from(arrival.at.micros()).ok().map(RunId);
        ReadRun { id, region: self.region.clone(), at: taken_at, exact: true }
    }

    /// Takes a message again as the journal kept it.
    pub(super) fn take_again(&mut self, arrival: &Arrival, kept: &Kept) -> Result<Came, Failure> {
        let What::Message(raw) = &arrival.what else { return self.take(arrival) };
        let raw = RawMessage { body: kept.body.clone(), ..raw.clone() };
        let mut decoded = decode(&raw);
        decoded.digest = kept.digest;
        self.message(arrival.at, &raw, decoded)
    }

    fn message(&mut self, now: Timestamp, raw: &RawMessage, decoded: Decoded<'_>) -> Result<Came, Failure> {
        let body = decoded.body.clone().into_owned();
        let digest = decoded.digest;
        let mut came = self.handle(now, Input::Message(raw, decoded), Some(&body))?;
        came.kept = Some(Kept { body, digest });
        Ok(came)
    }

    fn handle(&mut self, now: Timestamp, input: Input<'_>, payload: Option<&[u8]>) -> Result<Came, Failure> {
        self.out.clear();
        self.engine.handle(now, input, &mut self.out);
        let mut came = Came { disposition: self.out.disposition.take(), ..Came::default() };
        self.seal(payload, &mut came)?;
        let mut commands = std::mem::take(&mut self.out.commands);
        while let Some(command) = commands.pop() {
            self.out.clear();
            self.engine.handle(now, Input::Scanned(scanned(&command)), &mut self.out);
            self.seal(None, &mut came)?;
            commands.append(&mut self.out.commands);
        }
        Ok(came)
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

/// A scan that finds open what should be, and a closed port everywhere else.
fn scanned(command: &ScanCommand) -> ScanOutcome {
    let state = |exposed: bool| if exposed { ProbeState::Open } else { ProbeState::Closed };
    let found =
        command.expected.iter().map(|(&(transport, port), &exposed)| (transport, port, state(exposed)));
    ScanOutcome {
        id: command.id.clone(),
        scanner: "simulated".to_owned(),
        found: found.collect(),
        error: None,
    }
}
