//! Scanners in the loop: commands are handed to them once they are durable, and what becomes of them is told to the engine.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use osel_core::conduct::{Answer, Ask, ConductInput};
use osel_core::scan::{CommandId, ScanEnd, ScanLife, ScanOutcome, ScanReport, ScanStep, Trouble, read_life};
use osel_core::time::Timestamp;
use tokio::runtime::Handle;

use super::station::{ScannerSettings, Station};
use super::{Happening, Service, ServiceError};
use crate::store::{JournalError, Reader};

/// How many characters of the store's id stand in the titles of scans: as many as no two stores of one customer share.
const STORE_ID_CHARS: usize = 12;
/// How many of a scanner's last commands that are over are removed from it once more after a start: as many may have ended without.
const CLEANED_AT_START: usize = 16;
/// How far back those are looked for: twice the longest that a scan elsewhere takes unless its life is set otherwise, in seconds.
const CLEANED_SECONDS: i64 = 2 * 86_400;

/// Has a scanner renewed: its name and the most scans at one time.
pub type ScannerRenewal = (Arc<str>, usize);

/// All scanners, one for each table of the configuration.
pub(super) fn stations(
    scanners: Vec<ScannerSettings>,
    store_id: &str,
    sender: &Sender<Happening>,
    tokio: &Handle,
) -> Vec<Station> {
    let store_id: String = store_id.chars().take(STORE_ID_CHARS).collect();
    let title: Arc<str> = format!("osel-{store_id}").into();
    let station = |(index, settings)| {
        let sender = sender.clone();
        let tell = move |ask, answer| {
            // The loop may have ended.
            let _ = sender.send(Happening::Scanner(index, ask, Box::new(answer)));
        };
        Station::new(settings, Arc::clone(&title), Arc::new(tell), tokio.clone())
    };
    scanners.into_iter().enumerate().map(station).collect()
}

/// The last commands of scanners elsewhere that are over: a process that was killed may have left something there.
pub(super) fn last_ended(
    stations: &[Station],
    now: Timestamp,
    reader: &mut dyn Reader,
) -> Result<Vec<ScanLife>, JournalError> {
    let mut last: BTreeMap<Arc<str>, VecDeque<ScanLife>> = BTreeMap::new();
    for station in stations.iter().filter(|station| station.is_remote()) {
        last.insert(Arc::clone(station.name()), VecDeque::new());
    }
    if last.is_empty() {
        return Ok(Vec::new());
    }
    let from = reader.seq_at(now.plus_seconds(-CLEANED_SECONDS))?;
    reader.commands_from(from, &mut |row| {
        let life = read_life(row.seq, &row.body).filter(|life| life.state.is_over());
        if let Some(life) = life
            && let Some(of_scanner) = last.get_mut(&life.command.scanner)
        {
            if of_scanner.len() == CLEANED_AT_START {
                of_scanner.pop_front();
            }
            of_scanner.push_back(life);
        }
        ControlFlow::Continue(())
    })?;
    Ok(last.into_values().flatten().collect())
}

impl Service {
    /// One step of a scanner's state machine, with all that it orders.
    fn conduct(&mut self, index: usize, input: ConductInput) -> Result<(), ServiceError> {
        let mut chance = [0; 8];
        getrandom::fill(&mut chance).map_err(ServiceError::Random)?;
        let now = self.now();
        let Some(station) = self.stations.get_mut(index) else { return Ok(()) };
        station.step(now, u64::from_ne_bytes(chance), input, &mut self.recorder)?;
        Ok(())
    }

    /// A scanner has answered.
    pub(super) fn scanner(
        &mut self,
        index: usize,
        ask: Ask,
        answer: Result<Answer, Trouble>,
    ) -> Result<(), ServiceError> {
        if self.is_stopping { Ok(()) } else { self.conduct(index, ConductInput::Answered(ask, answer)) }
    }

    /// Hands out what is durable: commands, orders to give them up, and leave to go on.
    pub(super) fn launch_scans(&mut self, is_resumed: bool) -> Result<(), ServiceError> {
        if self.is_stopping {
            return Ok(());
        }
        for life in self.recorder.take_commands(self.durable) {
            self.give(life, is_resumed)?;
        }
        for id in self.recorder.take_cancels(self.durable) {
            for index in 0..self.stations.len() {
                self.conduct(index, ConductInput::Cancel(id.clone()))?;
            }
        }
        self.scans_durable()
    }

    /// Has what ended before the start removed from the scanners.
    pub(super) fn clean_scanners(&mut self, lives: Vec<ScanLife>) -> Result<(), ServiceError> {
        lives.into_iter().try_for_each(|life| self.give(life, true))
    }

    fn scans_durable(&mut self) -> Result<(), ServiceError> {
        for index in 0..self.stations.len() {
            while let Some(told) = self.stations[index].take_durable(self.durable) {
                self.conduct(index, ConductInput::Durable(told))?;
            }
        }
        Ok(())
    }

    fn give(&mut self, life: ScanLife, is_resumed: bool) -> Result<(), ServiceError> {
        let is_its = |station: &Station| *station.name() == life.command.scanner;
        if let Some(index) = self.stations.iter().position(is_its) {
            return self.conduct(index, ConductInput::Given { life: Box::new(life), is_resumed });
        }
        let why = "no scanner of that name is configured any more".to_owned();
        let report = failed(&life.command.id, &life.command.scanner, why);
        Ok(self.recorder.scan_reported(self.now(), report)?)
    }

    /// When one of the state machines waits for time to pass.
    pub(super) fn scans_wake_at(&self) -> Option<Timestamp> {
        self.stations.iter().filter_map(Station::wake_at).min().filter(|_| !self.is_stopping)
    }

    /// Those whose state machines wait for this time, or for what became durable without a batch of its own.
    pub(super) fn scans_deadlines(&mut self, now: Timestamp) -> Result<(), ServiceError> {
        if self.is_stopping {
            return Ok(());
        }
        for index in 0..self.stations.len() {
            if self.stations[index].wake_at().is_some_and(|at| at <= now) {
                self.conduct(index, ConductInput::Tick)?;
            }
        }
        self.scans_durable()
    }

    /// The configuration was read again.
    pub(super) fn scans_renewed(&mut self, renewals: &[ScannerRenewal]) -> Result<(), ServiceError> {
        for (name, running_max) in renewals {
            if let Some(index) = self.stations.iter().position(|station| station.name() == name) {
                self.conduct(index, ConductInput::Renewed { running_max: *running_max })?;
            }
        }
        Ok(())
    }
}

fn failed(id: &CommandId, scanner: &str, why: String) -> ScanReport {
    let outcome = ScanOutcome { scanner: scanner.to_owned(), end: ScanEnd::Failed(why), hosts: Vec::new() };
    ScanReport { id: id.clone(), step: ScanStep::Ended(outcome) }
}
