//! How far forwarders have come: their rows, written with whichever batch is given next.
//!
//! A row alone is no reason for a batch: whoever drives decides how often one is made of rows only. What somebody orders of a forwarder
//! changes its row in the batch that has the order's record, so that after a crash both are there or neither.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use osel_core::engine::{ForwarderOrder, OperatorOrder, Order, OrderRefusal};
use osel_core::time::Timestamp;

use super::Recorder;
use crate::store::{DeadLetterChange, ForwarderRow};

/// Why an order cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The engine says so.
    #[error(transparent)]
    Engine(#[from] OrderRefusal),
    /// There is no such forwarder.
    #[error("there is no forwarder `{0}` with a place in this store")]
    UnknownForwarder(String),
}

/// The rows of all forwarders, and what of them no batch has yet.
#[derive(Debug, Default)]
pub(super) struct Forwarders {
    rows: BTreeMap<String, ForwarderRow>,
    changed: BTreeSet<String>,
    letters: Vec<DeadLetterChange>,
    /// The last record of batches that are on their way to the store: no more than the writer has in flight.
    given: VecDeque<(u64, u64)>,
    /// The last record that is known to be durable.
    durable: u64,
}

/// What an order says of a forwarder, if it does.
pub fn ordered(order: &Order) -> Option<(String, ForwarderOrder)> {
    match &order.what {
        OperatorOrder::Forwarder { forwarder, what } => Some((forwarder.clone(), *what)),
        _ => None,
    }
}

impl Forwarders {
    /// As the store has them, with its last record.
    pub(super) fn new(rows: Vec<ForwarderRow>, durable: u64) -> Self {
        let rows = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
        Self { rows, durable, ..Self::default() }
    }

    /// Whether something waits for a batch.
    pub(super) fn has_changed(&self) -> bool {
        !self.changed.is_empty() || !self.letters.is_empty()
    }

    /// Carries out what was ordered, as far as it is a matter of rows.
    pub(super) fn ordered(&mut self, now: Timestamp, order: Option<(String, ForwarderOrder)>) {
        let Some((forwarder, what)) = order else { return };
        match what {
            ForwarderOrder::Rewind { seq } => {
                let row = ForwarderRow {
                    name: forwarder.clone(),
                    begin: seq,
                    place: seq,
                    updated_at: now,
                    ..ForwarderRow::default()
                };
                self.put(row);
                self.letters.push(DeadLetterChange::DropAfter { forwarder, seq });
            }
            ForwarderOrder::Resend { seq } => {
                self.letters.push(DeadLetterChange::Resend { forwarder, seq });
            }
            ForwarderOrder::Discard { seq } => {
                self.letters.push(DeadLetterChange::Discard { forwarder, seq });
            }
        }
    }

    fn put(&mut self, row: ForwarderRow) {
        self.changed.insert(row.name.clone());
        self.rows.insert(row.name.clone(), row);
    }

    /// Gives what waits to a batch.
    pub(super) fn take(&mut self, rows: &mut Vec<ForwarderRow>, letters: &mut Vec<DeadLetterChange>) {
        let changed = std::mem::take(&mut self.changed);
        rows.extend(changed.iter().filter_map(|name| self.rows.get(name).cloned()));
        letters.append(&mut self.letters);
    }

    /// That batch was given, with all records up to this one.
    pub(super) fn given(&mut self, batch: u64, seq: u64) {
        self.given.push_back((batch, seq));
    }
}

impl Recorder {
    /// Whether an order can be done at `now`.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn judge_order(&self, now: Timestamp, order: &Order) -> Result<(), Refused> {
        if let OperatorOrder::Forwarder { forwarder, .. } = &order.what
            && !self.forwarders.rows.contains_key(forwarder)
        {
            return Err(Refused::UnknownForwarder(forwarder.clone()));
        }
        Ok(self.engine.judge_order(now, order)?)
    }

    /// How far a forwarder has come, ahead of the store by what no batch has yet; none when it never began.
    pub fn forwarder(&self, name: &str) -> Option<&ForwarderRow> {
        self.forwarders.rows.get(name)
    }

    /// Takes how far a forwarder has come, which is written with the next batch.
    pub fn forwarded(&mut self, row: ForwarderRow) {
        self.forwarders.put(row);
    }

    /// Takes what became of dead letters, which is written with the next batch.
    pub fn letters(&mut self, letters: Vec<DeadLetterChange>) {
        self.forwarders.letters.extend(letters);
    }

    /// Whether something of forwarders waits for a batch, which it does not bring about.
    pub fn has_forwarded(&self) -> bool {
        self.forwarders.has_changed()
    }

    /// The last record of which it is known that it is durable, when so many batches are.
    pub fn durable_seq(&mut self, durable: u64) -> u64 {
        let Forwarders { given, durable: seq, .. } = &mut self.forwarders;
        while let Some((_, last)) = given.pop_front_if(|(batch, _)| *batch <= durable) {
            *seq = last;
        }
        *seq
    }
}
