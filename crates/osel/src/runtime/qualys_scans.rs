//! Which scans of Qualys followed from a record, for the format of the first OSEL.
//!
//! A command is planned some time after the records that asked for it. Records are asked about in their order, and commands are read in
//! theirs, some way ahead: so both are read once, and what is kept is bounded, however long the trail.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::ControlFlow;

use osel_core::engine::record::Record;
use osel_core::format::Osel11Scan;
use osel_core::scan::read_life;
use osel_core::time::Timestamp;

use crate::store::{JournalError, Reader};

/// How long after a record the command may be planned that it asked for: longer than scans are put off by windows, quiet hours and budgets.
const AHEAD_SECONDS: i64 = 7 * 86_400;
/// The most addresses of records that are kept. What lies further ahead is not found by then; a week of a large cloud has fewer.
const KEPT_MAX: usize = 200_000;

/// The scans of the records that were asked about last and of those to come.
#[derive(Debug, Default)]
pub struct QualysScans {
    /// By record: what became of its addresses.
    kept: BTreeMap<u64, BTreeMap<IpAddr, Osel11Scan>>,
    count: usize,
    /// The record of the last command that was read.
    read: u64,
    /// When the next command was planned that was too far ahead; never where there is none, and unknown where it was not looked for.
    beyond: Option<Timestamp>,
}

impl QualysScans {
    /// What became of the addresses of a record. Those of earlier ones are forgotten.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(
        &mut self,
        reader: &mut dyn Reader,
        record: &Record,
    ) -> Result<BTreeMap<IpAddr, Osel11Scan>, JournalError> {
        let (seq, until) = (record.header.seq, record.header.recorded_at.plus_seconds(AHEAD_SECONDS));
        let later = self.kept.split_off(&seq);
        self.count -= self.kept.values().map(BTreeMap::len).sum::<usize>();
        self.kept = later;
        if self.beyond.is_none_or(|beyond| beyond <= until) {
            self.read_ahead(reader, seq, until)?;
        }
        Ok(self.kept.get(&seq).cloned().unwrap_or_default())
    }

    /// Reads the commands that were planned until then.
    fn read_ahead(
        &mut self,
        reader: &mut dyn Reader,
        seq: u64,
        until: Timestamp,
    ) -> Result<(), JournalError> {
        // What it follows from is before it.
        let from = self.read.max(seq) + 1;
        self.beyond = Some(Timestamp::MAX);
        let mut last = None;
        reader.commands_from(from, &mut |row| {
            // A record may have planned several: they are read together.
            if last != Some(row.seq) && self.count >= KEPT_MAX {
                self.beyond = None;
                return ControlFlow::Break(());
            }
            let Some(life) = read_life(row.seq, &row.body) else { return ControlFlow::Continue(()) };
            if life.command.planned_at > until {
                self.beyond = Some(life.command.planned_at);
                return ControlFlow::Break(());
            }
            last = Some(row.seq);
            for target in &life.command.targets {
                let Some(scan) = Osel11Scan::of(&life, target) else { continue };
                for &cause in target.causes.iter().filter(|&&cause| cause >= seq) {
                    self.keep(cause, target.address, &scan);
                }
            }
            ControlFlow::Continue(())
        })?;
        self.read = last.unwrap_or(self.read);
        Ok(())
    }

    /// The first scan that includes an address counts; the reason why there is none is the last one.
    fn keep(&mut self, cause: u64, address: IpAddr, scan: &Osel11Scan) {
        let scans = self.kept.entry(cause).or_default();
        match scans.get(&address) {
            Some(Osel11Scan::Launched(_)) => {}
            known => {
                self.count += usize::from(known.is_none());
                scans.insert(address, scan.clone());
            }
        }
    }
}
