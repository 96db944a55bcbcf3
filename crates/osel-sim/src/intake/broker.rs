//! A broker with one queue of ours: what is published, delivered, given back, dropped and lost.

use std::collections::{BTreeMap, VecDeque};

use osel_core::intake::{Queue, QueueReport};
use osel_core::time::Timestamp;

/// A published message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) bytes: usize,
    pub(super) published_at: Timestamp,
}

/// A connection as the broker sees it.
#[derive(Clone, Debug, Default)]
struct Consumer {
    last_tag: u64,
    unacknowledged: VecDeque<(u64, Message)>,
}

/// The broker. Connections are numbered by itself: it does not know what an intake calls them.
#[derive(Clone, Debug)]
pub(super) struct Broker {
    pub(super) hosts_up: Vec<bool>,
    exists: bool,
    bound: bool,
    overflowed: bool,
    capacity: usize,
    ready: VecDeque<Message>,
    consumers: BTreeMap<u64, Consumer>,
    last_consumer: u64,
    /// What never reached the queue, or was dropped from it or with it.
    pub(super) lost: Vec<Message>,
    /// When the queue was not in place or dropped something.
    pub(super) breaks: Vec<(Timestamp, Timestamp)>,
    broken_since: Option<Timestamp>,
    /// An acknowledgement that no client may send.
    pub(super) violations: Vec<String>,
}

impl Broker {
    /// A broker without our queue.
    pub(super) fn new(hosts: usize, capacity: usize) -> Self {
        Self {
            hosts_up: vec![true; hosts],
            exists: false,
            bound: false,
            overflowed: false,
            capacity,
            ready: VecDeque::new(),
            consumers: BTreeMap::new(),
            last_consumer: 0,
            lost: Vec::new(),
            breaks: Vec::new(),
            broken_since: None,
            violations: Vec::new(),
        }
    }

    /// A service publishes; whether the queue has it.
    pub(super) fn publish(&mut self, message: Message) {
        if !(self.exists && self.bound) {
            self.lost.push(message);
            return;
        }
        self.ready.push_back(message);
        self.drop_head(message.published_at);
    }

    fn drop_head(&mut self, now: Timestamp) {
        while self.ready.len() > self.capacity {
            self.lost.extend(self.ready.pop_front());
            self.overflowed = true;
            self.breaks.push((now, now));
        }
    }

    /// A client connects.
    pub(super) fn connect(&mut self) -> u64 {
        self.last_consumer += 1;
        self.consumers.insert(self.last_consumer, Consumer::default());
        self.last_consumer
    }

    /// Whether a connection stands.
    pub(super) fn is_up(&self, consumer: u64) -> bool {
        self.consumers.contains_key(&consumer)
    }

    /// How many deliveries a connection has not acknowledged.
    pub(super) fn unacknowledged(&self, consumer: u64) -> usize {
        self.consumers.get(&consumer).map_or(0, |consumer| consumer.unacknowledged.len())
    }

    /// The next delivery to a connection.
    pub(super) fn deliver(&mut self, consumer: u64) -> Option<(u64, Message)> {
        let consumer = self.consumers.get_mut(&consumer)?;
        let message = self.ready.pop_front()?;
        consumer.last_tag += 1;
        consumer.unacknowledged.push_back((consumer.last_tag, message));
        Some((consumer.last_tag, message))
    }

    /// A multiple acknowledgement: what it takes off the queue for ever.
    pub(super) fn acknowledge(&mut self, consumer: u64, up_to: u64) -> Vec<Message> {
        let Some(consumer) = self.consumers.get_mut(&consumer) else { return Vec::new() };
        if !consumer.unacknowledged.iter().any(|(tag, _)| *tag == up_to) && self.exists {
            self.violations.push(format!("acknowledged the unknown delivery tag {up_to}"));
        }
        let mut taken = Vec::new();
        while let Some((_, message)) = consumer.unacknowledged.pop_front_if(|(tag, _)| *tag <= up_to) {
            taken.push(message);
        }
        taken
    }

    /// A connection is gone, by whatever reason: what it had goes back to its place.
    pub(super) fn disconnect(&mut self, consumer: u64, now: Timestamp) {
        let Some(consumer) = self.consumers.remove(&consumer) else { return };
        self.ready.extend(consumer.unacknowledged.into_iter().map(|(_, message)| message));
        self.ready.make_contiguous().sort_unstable_by_key(|message| message.id);
        self.drop_head(now);
    }

    /// All connections are gone; with an exchange that is not durable, the binding as well.
    pub(super) fn restart(&mut self, now: Timestamp, keeps_binding: bool) {
        while let Some((&consumer, _)) = self.consumers.first_key_value() {
            self.disconnect(consumer, now);
        }
        if !keeps_binding {
            self.unbind(now);
        }
    }

    /// The exchange vanishes and the binding with it.
    pub(super) fn unbind(&mut self, now: Timestamp) {
        if self.bound {
            self.broken_since.get_or_insert(now);
        }
        self.bound = false;
    }

    /// Somebody deletes the queue: everything in it is gone, its consumers are cancelled.
    pub(super) fn delete(&mut self, now: Timestamp) {
        if self.exists {
            self.broken_since.get_or_insert(now);
        }
        (self.exists, self.bound) = (false, false);
        self.lost.extend(self.ready.drain(..));
        while let Some((_, consumer)) = self.consumers.pop_first() {
            self.lost.extend(consumer.unacknowledged.into_iter().map(|(_, message)| message));
        }
    }

    /// The queue is declared and bound; what it dropped may be accounted for.
    pub(super) fn mend(&mut self, now: Timestamp, knows_overflow: bool) {
        (self.exists, self.bound) = (true, true);
        self.overflowed &= !knows_overflow;
        if let Some(since) = self.broken_since.take() {
            self.breaks.push((since, now));
        }
    }

    /// A look at the queue by a client that has everything told that was delivered to it, or not.
    pub(super) fn report(&self, consumer: u64, asked_at: Timestamp, all_told: bool) -> QueueReport {
        let queue = match (self.exists, self.bound, self.overflowed) {
            (false, ..) => Queue::Missing,
            (.., true) => Queue::Overflowed,
            (_, false, _) => Queue::Unbound,
            _ => Queue::Kept,
        };
        let others = self.consumers.iter().filter(|(number, _)| **number != consumer);
        let is_with_others = others.into_iter().any(|(_, other)| !other.unacknowledged.is_empty());
        QueueReport {
            queue,
            asked_at,
            is_drained: all_told && self.ready.is_empty() && !is_with_others,
            unbound_since: None,
        }
    }

    /// Whether nothing is left to be delivered or acknowledged.
    pub(super) fn is_drained(&self) -> bool {
        self.ready.is_empty() && self.consumers.values().all(|consumer| consumer.unacknowledged.is_empty())
    }

    /// Whether the queue is in place and nobody has to be told of a loss.
    pub(super) fn is_in_place(&self) -> bool {
        self.exists && self.bound && !self.overflowed
    }

    /// Whether something waits for a consumer.
    pub(super) fn is_ready(&self) -> bool {
        self.exists && !self.ready.is_empty()
    }
}
