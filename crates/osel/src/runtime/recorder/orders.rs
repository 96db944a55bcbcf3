//! Orders about findings and scans, written down like any other input.
//!
//! How far somebody has read findings is told often and is worth little: it is written down now and then, or at once when it ends an alarm.
//! What is told between waits here and is lost with the process, which costs no more than an alarm too many.

use std::collections::BTreeMap;
use std::sync::Arc;

use osel_core::engine::{Engine, Input, OperatorOrder, Order};
use osel_core::finding::{READERS_MAX, reader_name};
use osel_core::time::Timestamp;

use super::super::{entries, forgetting};
use super::{RecordError, Recorder, forwarding};
use crate::store::EntryKind;

/// How far readers have come that is not written down yet, by their names, each with who said so; no more than the engine remembers.
#[derive(Debug, Default)]
pub(super) struct UnnotedReads(BTreeMap<String, (u64, String)>);

impl UnnotedReads {
    fn add(&mut self, consumer: &str, seq: u64, actor: String) {
        if self.0.len() < READERS_MAX || self.0.contains_key(consumer) {
            let (known, _) = self.0.entry(consumer.to_owned()).or_insert((seq, actor));
            *known = seq.max(*known);
        }
    }

    /// When the first of them can be written down.
    pub(super) fn note_at(&self, engine: &Engine) -> Option<Timestamp> {
        self.0.iter().filter_map(|(consumer, (seq, _))| engine.note_read_at(consumer, *seq)).min()
    }
}

impl Recorder {
    /// Takes an order; gives back the number of its first record. None when there is nothing to tell, also of one that cannot be done: whoever
    /// wants to know why asks [`Self::judge_order`] before.
    ///
    /// # Errors
    /// When the batch is full and cannot be committed.
    pub fn order(&mut self, now: Timestamp, mut order: Order) -> Result<Option<u64>, RecordError> {
        if self.judge_order(now, &order).is_err() {
            return Ok(None);
        }
        if let OperatorOrder::FindingsRead { consumer, seq } = &order.what {
            let name = reader_name(consumer);
            if !self.engine.is_worth_noting(now, &order) {
                if self.engine.note_read_at(&name, *seq).is_some() {
                    self.unnoted.add(&name, *seq, order.actor);
                }
                return Ok(None);
            }
            self.unnoted.0.remove(&name);
        }
        if self.reads.has(now, &order) {
            return Ok(None);
        }
        self.tell_changes(now)?;
        let erased = forgetting::take_sought(&self.engine, &mut order);
        let head = entries::order_head(&order);
        let ordered = forwarding::ordered(&order);
        let before = self.engine.seq();
        self.entry += 1;
        self.handle(now, Input::Order(order));
        let first = (self.engine.seq() > before).then_some(before + 1);
        self.forwarders.ordered(now, ordered);
        self.seal()?;
        self.push_entry(now, EntryKind::ORDER, Arc::default(), head, Vec::new());
        if let (Some(subject), Some(seq)) = (erased, first) {
            self.batch.erasure = Some(forgetting::erasure(&subject, seq));
            // One transaction orders one erasure.
            self.commit()?;
        }
        self.commit_if_full()?;
        Ok(first)
    }

    /// Writes down how far readers have come of whom that was not for a while.
    pub(super) fn note_reads(&mut self, now: Timestamp) -> Result<(), RecordError> {
        let due =
            |consumer: &str, seq: u64| self.engine.note_read_at(consumer, seq).is_none_or(|at| at <= now);
        let ready = self.unnoted.0.extract_if(.., |consumer, (seq, _)| due(consumer, *seq));
        for (consumer, (seq, actor)) in ready.collect::<Vec<_>>() {
            self.order(now, Order { actor, what: OperatorOrder::FindingsRead { consumer, seq } })?;
        }
        Ok(())
    }
}
