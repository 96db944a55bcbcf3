//! The receiver, and its driver as far as it has a memory: what arrives, and what is said of it.
//!
//! Whenever something arrives, or may, and nobody is told, the world is told instead: that is what may come twice.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use osel_core::forward::{BatchLimits, BatchNumber, LineId, Refusal, RefusalKind, Taken};
use osel_core::time::Timestamp;

use super::faults::Fault;
use super::trail::{Against, against};
use crate::random::Random;

/// How long what was written to a stream is on its way.
const WIRE_SECONDS: i64 = 1;
/// How long a stream has to stand before what was written to it counts as arrived.
const SETTLE_SECONDS: i64 = 2;
/// How long a service may take to index what it took.
const INDEX_SECONDS_MAX: u64 = 15;

/// What kind of receiver it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file: what was written is there, and a mark says up to where.
    File,
    /// A service that answers when it has kept a batch: a webhook.
    Service,
    /// A service that says later what it has kept, if it does not forget to: Splunk.
    Indexer,
    /// A stream to whoever reads it, and never says anything: syslog.
    Stream,
    /// People, who are told of many records by one message: mail.
    People,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::File, Self::Service, Self::Indexer, Self::Stream, Self::People];

    pub(super) fn limits(self) -> BatchLimits {
        let awaited = match self {
            Self::File | Self::Service | Self::People => 1,
            Self::Indexer | Self::Stream => 3,
        };
        // As objects of a store are written: what comes is gathered.
        let linger = if self == Self::Service { Duration::from_secs(3) } else { Duration::ZERO };
        let items = if self == Self::People { 1 } else { 4 };
        BatchLimits { items, bytes: 60, awaited, linger }
    }

    /// Whether it looks at lines before it takes them.
    fn judges(self) -> bool {
        matches!(self, Self::Service | Self::Indexer)
    }
}

/// A batch of which nothing is known.
#[derive(Clone, Debug)]
struct Awaited {
    number: BatchNumber,
    lines: Vec<LineId>,
    at: Timestamp,
}

/// The receiver.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    kind: Kind,
    /// All that arrived, in order.
    pub(super) arrived: Vec<LineId>,
    /// What it took and lost.
    pub(super) lost: BTreeSet<LineId>,
    /// It has nothing against any line any more.
    pub(super) is_mended: bool,
    awaited: VecDeque<Awaited>,
    /// Of an indexer: batches that it will index by then.
    to_index: VecDeque<Awaited>,
    /// Of a stream: lines that were written, and when they arrive.
    wire: VecDeque<(LineId, Timestamp)>,
    is_broken: bool,
    /// Of a file: up to here it has what was sent.
    length: usize,
    /// So many lines the last batch brought to the file: they may be torn off with the process.
    fresh: usize,
}

impl Receiver {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            arrived: Vec::new(),
            lost: BTreeSet::new(),
            is_mended: !kind.judges(),
            awaited: VecDeque::new(),
            to_index: VecDeque::new(),
            wire: VecDeque::new(),
            is_broken: false,
            length: 0,
            fresh: 0,
        }
    }

    /// A new process begins; whether it may write again what is there.
    pub(super) fn resume(&mut self, mark: Option<usize>) -> bool {
        self.length = mark.unwrap_or(0);
        mark.is_none() && !self.arrived.is_empty()
    }

    pub(super) fn mark(&self) -> Option<usize> {
        (self.kind == Kind::File).then_some(self.length)
    }

    /// Everything that was handed over and has arrived or may yet.
    pub(super) fn handed(&self) -> impl Iterator<Item = LineId> {
        let indexed = self.to_index.iter().flat_map(|batch| &batch.lines);
        let written = self.wire.iter().map(|(line, _)| line);
        self.arrived.iter().chain(indexed).chain(written).copied()
    }

    /// What happens by itself as time passes.
    pub(super) fn pass(&mut self, now: Timestamp) {
        while let Some(batch) = self.to_index.pop_front_if(|batch| batch.at <= now) {
            self.arrived.extend(batch.lines);
        }
        while let Some((line, _)) = self.wire.pop_front_if(|(_, at)| *at <= now) {
            self.arrived.push(line);
        }
    }

    /// It is handed a batch: its answer, or none. `unknown` gets what may have arrived without a word.
    pub(super) fn send(
        &mut self,
        now: Timestamp,
        (batch, lines): (BatchNumber, &[LineId]),
        fault: Option<Fault>,
        random: &mut Random,
        unknown: &mut Vec<LineId>,
    ) -> Option<Result<Taken, Refusal>> {
        self.pass(now);
        self.fresh = 0;
        assert!(!self.is_broken || self.awaited.is_empty(), "what was lost with a connection comes first");
        match fault {
            None => {}
            Some(Fault::Away | Fault::Breaks) => {
                if self.kind == Kind::Stream && fault == Some(Fault::Breaks) {
                    self.wire.extend(lines.iter().map(|line| (*line, now)));
                    unknown.extend(lines);
                }
                self.break_off(random, unknown);
                return Some(Err(refusal(RefusalKind::Unavailable, 0)));
            }
            Some(Fault::Busy(seconds)) => {
                let wait = Some(Duration::from_secs(seconds));
                return Some(Err(Refusal { wait, ..refusal(RefusalKind::Unavailable, 0) }));
            }
            // What people are told is not looked at before it is taken: it is the receiver that fails.
            Some(Fault::Fails) if self.kind == Kind::People => {
                return Some(Err(refusal(RefusalKind::Unavailable, 0)));
            }
            Some(Fault::Fails) => return Some(Err(refusal(RefusalKind::Failed, 0))),
            Some(Fault::Denied) => return Some(Err(refusal(RefusalKind::Denied, 0))),
            Some(Fault::Hangs(false)) => return None,
            Some(Fault::AnswerLost | Fault::Hangs(true)) if self.kind == Kind::File => {
                // What is in the file is known.
                return Some(Err(refusal(RefusalKind::Unavailable, 0)));
            }
            Some(Fault::AnswerLost | Fault::Hangs(true)) => {
                if self.takes(lines) {
                    unknown.extend(lines);
                    self.take(now, batch, lines, random);
                    self.awaited.retain(|awaited| awaited.number != batch);
                }
                let kind = if random.percent(50) { RefusalKind::Silent } else { RefusalKind::Garbled };
                return (fault == Some(Fault::AnswerLost)).then_some(Err(refusal(kind, 0)));
            }
            Some(Fault::Part) => {
                let taken = random.index(lines.len() + 1);
                if self.kind == Kind::File {
                    self.write(&lines[..taken]);
                    return Some(Err(refusal(RefusalKind::Unavailable, taken)));
                }
                let kind = if lines.len() > 1 { RefusalKind::TooLarge } else { RefusalKind::Unavailable };
                return Some(Err(refusal(kind, 0)));
            }
        }
        if !self.takes(lines) {
            let place = lines.iter().position(|id| against(*id) == Some(Against::Refuses));
            let is_failing = lines.iter().any(|id| against(*id) == Some(Against::Fails));
            return Some(Err(match place {
                Some(place) if !is_failing && self.kind == Kind::Indexer => {
                    // It has taken those before, and will not say whether they were indexed.
                    unknown.extend(&lines[..place]);
                    self.index(now, batch, lines[..place].to_vec(), random);
                    refusal(RefusalKind::Item(place), 0)
                }
                Some(place) if !is_failing => refusal(RefusalKind::Item(place), 0),
                _ => refusal(RefusalKind::Failed, 0),
            }));
        }
        Some(Ok(self.take(now, batch, lines, random)))
    }

    fn takes(&self, lines: &[LineId]) -> bool {
        self.is_mended || lines.iter().all(|id| against(*id).is_none())
    }

    fn take(&mut self, now: Timestamp, number: BatchNumber, lines: &[LineId], random: &mut Random) -> Taken {
        let lines = lines.to_vec();
        match self.kind {
            Kind::File => {
                self.write(&lines);
                Taken::Kept
            }
            Kind::Service | Kind::People => {
                self.arrived.extend(lines);
                Taken::Kept
            }
            Kind::Indexer => {
                let at = self.index(now, number, lines.clone(), random);
                self.awaited.push_back(Awaited { number, lines, at });
                Taken::Awaited
            }
            Kind::Stream => {
                // A new connection, if the last one broke and that was told.
                self.is_broken = false;
                self.wire.extend(lines.iter().map(|line| (*line, now.plus_seconds(WIRE_SECONDS))));
                self.awaited.push_back(Awaited { number, lines, at: now.plus_seconds(SETTLE_SECONDS) });
                Taken::Awaited
            }
        }
    }

    /// Will index lines, in the order in which it took them: by when.
    fn index(
        &mut self,
        now: Timestamp,
        number: BatchNumber,
        lines: Vec<LineId>,
        random: &mut Random,
    ) -> Timestamp {
        let before = self.to_index.back().map_or(now, |batch| batch.at);
        let seconds = random.between(1, INDEX_SECONDS_MAX);
        let at = before.max(now.plus_seconds(seconds.cast_signed()));
        self.to_index.push_back(Awaited { number, lines, at });
        at
    }

    /// Writes what is not there yet.
    fn write(&mut self, lines: &[LineId]) {
        for line in lines {
            if self.arrived.get(self.length) != Some(line) {
                self.arrived.push(*line);
                self.length = self.arrived.len() - 1;
                self.fresh += 1;
            }
            self.length += 1;
        }
    }

    /// It is asked what has arrived.
    pub(super) fn confirm(
        &mut self,
        now: Timestamp,
        fault: Option<Fault>,
        random: &mut Random,
        unknown: &mut Vec<LineId>,
    ) -> Option<Result<Vec<BatchNumber>, Refusal>> {
        self.pass(now);
        match (self.kind, fault) {
            (_, Some(Fault::Hangs(_))) => return None,
            (Kind::Stream, Some(Fault::Away | Fault::Breaks)) => self.break_off(random, unknown),
            (Kind::Indexer, Some(Fault::Breaks)) => {
                self.break_off(random, unknown);
                return Some(Err(refusal(RefusalKind::Unavailable, 0)));
            }
            // It says each of them once, and nobody hears it.
            (Kind::Indexer, Some(Fault::AnswerLost)) => {
                self.said(now, unknown);
                return Some(Ok(Vec::new()));
            }
            (Kind::Indexer, Some(_)) => return Some(Ok(Vec::new())),
            _ => {}
        }
        if self.is_broken {
            return Some(Err(refusal(RefusalKind::Unavailable, 0)));
        }
        Some(Ok(self.said(now, &mut Vec::new())))
    }

    fn said(&mut self, now: Timestamp, lines: &mut Vec<LineId>) -> Vec<BatchNumber> {
        let mut said = Vec::new();
        while let Some(batch) = self.awaited.pop_front_if(|batch| batch.at <= now) {
            lines.extend(batch.lines);
            said.push(batch.number);
        }
        said
    }

    /// The connection breaks, or the service is started anew.
    fn break_off(&mut self, random: &mut Random, unknown: &mut Vec<LineId>) {
        match self.kind {
            Kind::Stream => {
                self.wire.truncate(random.index(self.wire.len() + 1));
                self.arrived.extend(self.wire.drain(..).map(|(line, _)| line));
                self.is_broken = true;
            }
            Kind::Indexer => {
                self.lost.extend(self.to_index.drain(..).flat_map(|batch| batch.lines));
                unknown.extend(self.awaited.drain(..).flat_map(|batch| batch.lines));
            }
            Kind::File | Kind::Service | Kind::People => {}
        }
    }

    /// The driver lets go of what it awaits: all of it is unknown.
    pub(super) fn reset(&mut self, unknown: &mut Vec<LineId>, random: &mut Random) {
        if self.kind == Kind::Stream {
            self.break_off(random, unknown);
            self.is_broken = false;
        }
        unknown.extend(self.awaited.drain(..).flat_map(|batch| batch.lines));
    }

    /// The process is gone, and was handing over a batch, or not.
    pub(super) fn killed(&mut self, is_sending: bool, unknown: &mut Vec<LineId>, random: &mut Random) {
        self.reset(unknown, random);
        if is_sending {
            let torn = random.index(self.fresh + 1);
            self.arrived.truncate(self.arrived.len() - torn);
        }
    }
}

fn refusal(kind: RefusalKind, taken: usize) -> Refusal {
    Refusal { kind, words: "as it is".to_owned(), taken, wait: None }
}
