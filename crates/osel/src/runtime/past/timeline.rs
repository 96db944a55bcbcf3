//! Part of the clouds, taken from record to record: what each of them opened and closed.

use std::sync::Arc;
use std::vec;

use osel_core::engine::{Engine, EngineOptions, Version};
use osel_core::model::{Delta, Row, StateLine};

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
            let seq = self.later.peek()?.seq;
            let mut delta = Delta::default();
            while let Some(version) = self.later.next_if(|version| version.seq == seq) {
                delta.append(self.engine.restore_telling(version.region, version.line));
            }
            self.engine.set_seq(seq);
            let Delta { opened, closed, .. } = delta.settled();
            if !opened.is_empty() || !closed.is_empty() {
                return Some(Change { seq, opened, closed });
            }
        }
    }
}
