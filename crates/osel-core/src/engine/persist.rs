//! The engine's state written down line by line, and read back.
//!
//! A snapshot is a cache of what folding the journal gives, as long as the journal has all inputs. Its form is [`ENGINE_FORMAT`]; one of another
//! form is not read but worked out anew. The one behind which old inputs went cannot be worked out: whoever changes the form keeps a
//! reader of the earlier ones, or stores with a horizon are refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::attempts::AttemptLine;
use super::dedup::Remembered;
use super::scans::ScanLine;
use super::{Engine, OptionsLine, RunId, SourceLedger};
use crate::finding::{FindingsLine, ReadersLine};
use crate::model::{CloudModel, Delta, Gap, MODEL_FORMAT, StateLine};
use crate::names::{AssignmentLine, NameEntry};
use crate::time::Timestamp;

/// The form of the lines; raised with every change to them.
pub const ENGINE_FORMAT: u32 = 100 * MODEL_FORMAT + 9;

/// Earlier forms whose lines this version reads as they are: what has been added since may be missing.
const EARLIER_FORMATS: [u32; 6] = [305, 406, 407, 507, 508, 509];

/// Whether lines of this form can be read.
pub fn is_readable_format(format: u32) -> bool {
    format == ENGINE_FORMAT || EARLIER_FORMATS.contains(&format)
}

/// How an object looks after a record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// The record after which it looks like that.
    #[serde(rename = "s")]
    pub seq: u64,
    /// The region.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// The object.
    #[serde(rename = "o")]
    pub line: StateLine,
}

/// One line of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "a variant is what its type says")]
pub enum EngineLine {
    Seq(u64),
    Options(OptionsLine),
    Ledger(Arc<str>, SourceLedger),
    Remembered(Remembered),
    Attempt(AttemptLine),
    Name(NameEntry),
    Assignment(Option<Arc<str>>, AssignmentLine),
    /// When all role assignments of the region were read last.
    AssignmentsRead(Option<Arc<str>>, Timestamp),
    Scan(ScanLine),
    Finding(FindingsLine),
    Reader(ReadersLine),
    Gap(Option<Arc<str>>, Gap),
    Run(Option<Arc<str>>, RunId),
    /// The region was read as a whole once.
    Informed(Option<Arc<str>>),
    /// The latest record that says that messages of the region are missing; it was not read since.
    Lost(Option<Arc<str>>, u64),
    Region(Option<Arc<str>>),
    /// Of the last region named.
    Object(StateLine),
}

impl Engine {
    /// The lines that make up the whole state.
    pub fn lines(&self) -> impl Iterator<Item = EngineLine> + '_ {
        let ledgers =
            self.ledger.iter().map(|(source, ledger)| EngineLine::Ledger(Arc::clone(source), ledger.clone()));
        let clouds = self.clouds.iter().flat_map(|(region, cloud)| {
            std::iter::once(EngineLine::Region(region.clone())).chain(cloud.lines().map(EngineLine::Object))
        });
        let options = self.told_options().map(|options| EngineLine::Options(options.into()));
        let assignments = self.assignments.iter().flat_map(|(region, book)| {
            let read = book.read_at().map(|at| EngineLine::AssignmentsRead(region.clone(), at));
            let lines = book.lines().map(|line| EngineLine::Assignment(region.clone(), line));
            read.into_iter().chain(lines)
        });
        std::iter::once(EngineLine::Seq(self.seq))
            .chain(options)
            .chain(ledgers)
            .chain(self.dedup.iter().cloned().map(EngineLine::Remembered))
            .chain(self.attempts.lines().map(EngineLine::Attempt))
            .chain(self.names.entries().into_iter().map(EngineLine::Name))
            .chain(assignments)
            .chain(self.scans.lines().map(EngineLine::Scan))
            .chain(self.findings.lines().map(EngineLine::Finding))
            .chain(self.readers.lines().map(EngineLine::Reader))
            .chain(self.gaps.iter().map(|(region, gap)| EngineLine::Gap(region.clone(), gap.clone())))
            .chain(self.runs.iter().map(|(region, run)| EngineLine::Run(region.clone(), *run)))
            .chain(self.informed.iter().cloned().map(EngineLine::Informed))
            .chain(self.lost.iter().map(|(region, seq)| EngineLine::Lost(region.clone(), *seq)))
            .chain(clouds)
    }

    /// The objects of all regions.
    pub fn objects(&self) -> impl Iterator<Item = (Option<Arc<str>>, StateLine)> + '_ {
        self.clouds.iter().flat_map(|(region, cloud)| cloud.lines().map(move |line| (region.clone(), line)))
    }

    /// Puts back one line; `region` carries the last region named from line to line.
    pub fn restore(&mut self, line: EngineLine, region: &mut Option<Arc<str>>) {
        match line {
            EngineLine::Seq(seq) => self.seq = seq,
            EngineLine::Options(options) => self.set_options(options.into()),
            EngineLine::Ledger(source, ledger) => {
                self.ledger.insert(source, ledger);
            }
            EngineLine::Remembered(message) => self.dedup.remember(message),
            EngineLine::Attempt(line) => self.attempts.restore(line),
            EngineLine::Name(entry) => self.names.restore([entry]),
            EngineLine::Assignment(region, line) => {
                self.assignments.entry(region).or_default().restore(line);
            }
            EngineLine::AssignmentsRead(region, at) => {
                self.assignments.entry(region).or_default().read_whole(at);
            }
            EngineLine::Gap(region, gap) => {
                self.gaps.insert((region, gap));
            }
            EngineLine::Run(region, run) => {
                self.runs.insert(region, run);
            }
            EngineLine::Informed(region) => {
                self.informed.insert(region);
            }
            EngineLine::Lost(region, seq) => {
                self.lost.insert(region, seq);
            }
            EngineLine::Scan(line) => self.scans.restore(line),
            EngineLine::Finding(line) => self.findings.restore(line),
            EngineLine::Reader(line) => self.readers.restore(line),
            EngineLine::Region(name) => {
                self.cloud_or_new(name.clone());
                *region = name;
            }
            EngineLine::Object(line) => {
                if matches!(line, StateLine::ReadAt { given: None, .. }) {
                    // Earlier forms had no other word for a region that was read as a whole.
                    self.informed.insert(region.clone());
                }
                self.restore_object(region.clone(), line);
            }
        }
    }

    /// Puts an object back as it looked after some record.
    pub fn restore_object(&mut self, region: Option<Arc<str>>, line: StateLine) {
        self.cloud_or_new(region).restore(line);
    }

    /// The same, and says what it changed.
    pub fn restore_telling(&mut self, region: Option<Arc<str>>, line: StateLine) -> Delta {
        self.cloud_or_new(region).restore_telling(line)
    }

    /// The cloud of a region, which is made when nothing is known of it yet.
    pub(super) fn cloud_or_new(&mut self, region: Option<Arc<str>>) -> &mut CloudModel {
        let options = &self.options.model;
        self.clouds
            .entry(region)
            .or_insert_with_key(|region| CloudModel::new(region.clone(), options.clone()))
    }
}
