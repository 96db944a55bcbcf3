//! Part of the clouds, taken from record to record: what each of them opened and closed.

use std::cmp::Ordering;
use std::sync::Arc;
use std::vec;

use osel_core::engine::{Engine, EngineOptions, Version};
use osel_core::model::{Delta, Row, StateLine, Via, View};

/// What one record did to rows.
#[derive(Debug)]
pub struct Change {
    /// The record.
    pub seq: u64,
    /// Rows that are there after it and were not before.
    pub opened: Vec<Row>,
    /// Rows that were there before it and are not after.
    pub closed: Vec<Row>,
}

impl Change {
    /// Whether it did nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.closed.is_empty()
    }
}

/// Part of the clouds as it was after some record, and what comes later.
#[derive(Debug)]
pub struct Timeline {
    engine: Engine,
    later: std::iter::Peekable<vec::IntoIter<Version>>,
}

impl Timeline {
    /// The part as a snapshot has it, with the versions that came later, in order.
    pub(super) fn new(
        options: &EngineOptions,
        seq: u64,
        base: Vec<(Option<Arc<str>>, StateLine)>,
        later: Vec<Version>,
    ) -> Self {
        let mut engine = Engine::new(options.clone());
        engine.set_seq(seq);
        for (region, line) in base {
            engine.restore_object(region, line);
        }
        Self { engine, later: later.into_iter().peekable() }
    }

    /// The part as it is after the last record that was gone to.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Goes on until after a record.
    pub fn go_to(&mut self, seq: u64) {
        while let Some(version) = self.later.next_if(|version| version.seq <= seq) {
            self.engine.restore_object(version.region, version.line);
        }
        self.engine.set_seq(seq);
    }

    /// Goes on until after the next record that changed any row, and says how.
    pub fn next_change(&mut self) -> Option<Change> {
        loop {
            let (seq, versions) = self.next_versions()?;
            let change = self.apply(seq, versions);
            if !change.is_empty() {
                return Some(change);
            }
        }
    }

    /// The next record, and what it made of objects: to be given to [`Self::apply`], once the state before it was looked at.
    pub(super) fn next_versions(&mut self) -> Option<(u64, Vec<Version>)> {
        let seq = self.later.peek()?.seq;
        Some((seq, std::iter::from_fn(|| self.later.next_if(|version| version.seq == seq)).collect()))
    }

    /// Goes on until after a record, and says which rows it changed: sorted, each once.
    pub(super) fn apply(&mut self, seq: u64, versions: Vec<Version>) -> Change {
        let mut delta = Delta::default();
        for version in versions {
            delta.append(self.engine.restore_telling(version.region, version.line));
        }
        self.engine.set_seq(seq);
        let Delta { opened, closed, .. } = delta.settled();
        // A row is there while any of its like is: two floating IPs may have one address.
        let opened = of_each(opened, |row, copies| self.copies(row) == copies);
        let closed = of_each(closed, |row, _| self.copies(row) == 0);
        Change { seq, opened, closed }
    }

    /// How often a row is there now that may be there more than once.
    fn copies(&self, row: &Row) -> usize {
        let cloud = self.engine.cloud(row.region.as_ref());
        let port = cloud.and_then(|cloud| Some((cloud, cloud.port_slot(&row.port_id)?)));
        let Some((cloud, slot)) = port else { return 0 };
        let mut rows = Vec::new();
        cloud.rows_where(slot, &|address| address == row.address, &mut rows);
        rows.iter().filter(|other| *other == row).count()
    }
}

/// One of each of those equal rows that are wanted; asked is only of rows that may be there more than once.
fn of_each(mut rows: Vec<Row>, wanted: impl Fn(&Row, usize) -> bool) -> Vec<Row> {
    rows.sort_by(cmp);
    let equal = rows.chunk_by(|one, other| cmp(one, other).is_eq());
    let kept = equal.filter(|same| {
        // Fixed IPs and pairs of a port are told apart already.
        matches!(same[0].via, Via::Fixed | Via::Pair) || wanted(&same[0], same.len())
    });
    kept.map(|same| same[0].clone()).collect()
}

/// The order of the rows of a change.
pub(super) fn cmp(one: &Row, other: &Row) -> Ordering {
    one.cmp_exposure(other).then_with(|| one.region.cmp(&other.region))
}
