//! Batches from the first message to the acknowledgement.
//!
//! Batches become durable in the order in which they were closed. What a durable batch acknowledges is the
//! last tag of the connection that is up then: tags of earlier connections are void, since the broker
//! delivers those messages again.

use std::collections::VecDeque;

use super::continuity::Cursor;
use super::limits::Limits;
use super::words::{BatchNumber, ConnectionNumber};
use crate::pace::Moment;

/// The last delivery of something, by the connection it came by.
pub(super) type LastTag = (ConnectionNumber, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    UnderWay,
    Failed,
    Durable,
}

#[derive(Clone, Debug)]
struct Closed {
    number: BatchNumber,
    cursor: Cursor,
    messages: u64,
    bytes: u64,
    last: Option<LastTag>,
    state: State,
}

#[derive(Clone, Debug, Default)]
struct Open {
    messages: u64,
    bytes: u64,
    last: Option<LastTag>,
    since: Option<Moment>,
    is_urgent: bool,
}

/// What a commit that succeeded brought about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Durable {
    /// The cursor of the last batch that is durable with all before it.
    pub(super) cursor: Option<Cursor>,
    /// The last of its deliveries, if any has to be acknowledged.
    pub(super) last: Option<LastTag>,
}

/// The open batch, and those that were closed and are not yet durable.
#[derive(Clone, Debug)]
pub(super) struct Batches {
    limits: Limits,
    open: Open,
    closed: VecDeque<Closed>,
    bytes: u64,
    number: u64,
}

impl Batches {
    /// Nothing was delivered yet.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, open: Open::default(), closed: VecDeque::new(), bytes: 0, number: 0 }
    }

    /// A message was handed to the engine; without a tag when it cannot be acknowledged.
    pub(super) fn add(&mut self, moment: Moment, last: Option<LastTag>, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.open.messages = self.open.messages.saturating_add(1);
        self.open.bytes = self.open.bytes.saturating_add(bytes);
        self.open.last = last.or(self.open.last);
        self.open.since.get_or_insert(moment);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The open batch is not to wait, even when it is empty.
    pub(super) fn urge(&mut self) {
        self.open.is_urgent = true;
    }

    /// Everything uncommitted is no more.
    pub(super) fn drop_all(&mut self) {
        self.open = Open::default();
        self.closed.clear();
        self.bytes = 0;
    }

    /// Closes the open batch if it is ready and there is room; `hurry` when it is not to wait for more.
    pub(super) fn close(&mut self, moment: Moment, hurry: bool, cursor: Cursor) -> Option<BatchNumber> {
        let is_old = self.ripens_at().is_some_and(|at| at <= moment);
        let is_ready = self.open.is_urgent || self.is_full() || self.open.messages > 0 && (hurry || is_old);
        if !is_ready || !self.has_room() {
            return None;
        }
        self.number += 1;
        let number = BatchNumber(self.number);
        let Open { messages, bytes, last, .. } = std::mem::take(&mut self.open);
        self.closed.push_back(Closed { number, cursor, messages, bytes, last, state: State::UnderWay });
        Some(number)
    }

    /// A batch is durable; nothing when it is none of those that are not.
    pub(super) fn committed(&mut self, number: BatchNumber) -> Option<Durable> {
        self.closed.iter_mut().find(|batch| batch.number == number)?.state = State::Durable;
        let mut durable = Durable::default();
        while let Some(batch) = self.closed.pop_front_if(|batch| batch.state == State::Durable) {
            self.bytes = self.bytes.saturating_sub(batch.bytes);
            durable = Durable { cursor: Some(batch.cursor), last: batch.last.or(durable.last) };
        }
        Some(durable)
    }

    /// A commit failed; whether it was under way.
    pub(super) fn failed(&mut self, number: BatchNumber) -> bool {
        let found = self.closed.iter_mut().find(|batch| batch.number == number);
        let under_way = found.filter(|batch| batch.state == State::UnderWay);
        under_way.map(|batch| batch.state = State::Failed).is_some()
    }

    /// The oldest batch that failed goes to the store again.
    pub(super) fn repeat(&mut self) -> Option<(BatchNumber, Cursor)> {
        let batch = self.closed.iter_mut().find(|batch| batch.state == State::Failed)?;
        batch.state = State::UnderWay;
        Some((batch.number, batch.cursor))
    }

    /// Whether the store has not answered for some batch.
    pub(super) fn is_under_way(&self) -> bool {
        self.closed.iter().any(|batch| batch.state == State::UnderWay)
    }

    /// When the open batch has waited for long enough, if it may be closed then.
    pub(super) fn ripens_at(&self) -> Option<Moment> {
        let (since, age) = (self.open.since?, self.limits.batch_age_micros?);
        self.has_room().then(|| since.plus(age))
    }

    /// Whether the open batch has all it may have.
    pub(super) fn is_full(&self) -> bool {
        let messages = u64::try_from(self.limits.batch_messages).unwrap_or(u64::MAX);
        self.open.messages > 0
            && (self.open.messages >= messages || self.open.bytes >= self.limits.batch_bytes)
    }

    /// Whether one more batch may go to the store.
    pub(super) fn has_room(&self) -> bool {
        self.closed.len() < self.limits.batches_in_flight.max(1)
    }

    /// Whether no closed batch waits to be durable.
    pub(super) fn is_none_in_flight(&self) -> bool {
        self.closed.is_empty()
    }

    /// Whether there is nothing to be made durable.
    pub(super) fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.open.messages == 0 && !self.open.is_urgent
    }

    /// The bytes of messages that were handed over and are not durable.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many messages were handed over and are not durable.
    pub(super) fn messages(&self) -> u64 {
        self.closed.iter().fold(self.open.messages, |sum, batch| sum.saturating_add(batch.messages))
    }
}
