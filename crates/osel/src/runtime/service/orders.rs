//! Orders of people: handled between other things that happen, answered once what they changed is durable.

use std::collections::VecDeque;

use osel_core::engine::{OperatorOrder, Order};
use tokio::sync::oneshot;

use super::super::control::Answer;
use super::super::quarantine;
use super::super::recorder::forwarder_ordered;
use super::{Happening, Service, ServiceError, ServiceHandle};
use crate::store::{Entry, QuarantineItem};

/// How many orders may wait for the store. Whoever gives one waits for it; those who went away leave theirs until the store takes it.
const WAITING_MAX: usize = 256;

/// Orders that were handled and wait to be durable, each with the batch it is in.
#[derive(Debug, Default)]
pub(super) struct Orders(VecDeque<(u64, Answer, oneshot::Sender<Answer>)>);

impl Orders {
    /// Answers those that are in these batches.
    pub(super) fn durable(&mut self, durable: u64) {
        while self.0.front().is_some_and(|(batch, ..)| *batch <= durable) {
            if let Some((_, answer, reply)) = self.0.pop_front() {
                // Whoever asked may have gone away.
                let _ = reply.send(answer);
            }
        }
    }
}

impl ServiceHandle {
    /// Gives an order; the answer comes once it is durable, and never where the service ends before.
    pub fn order(&self, order: Order) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.send(Happening::Order(order, reply));
        answer
    }

    /// Has messages taken out of quarantine, each with its entry, that no other order is about meanwhile; the answer comes once it is durable.
    pub fn replay(&self, actor: String, held: Vec<(QuarantineItem, Entry)>) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.send(Happening::Replay(actor, held, reply));
        answer
    }
}

impl Service {
    /// Handles an order.
    pub(super) fn order(&mut self, order: Order, reply: oneshot::Sender<Answer>) -> Result<(), ServiceError> {
        let now = self.now();
        let unable = || self.recorder.judge_order(now, &order).err();
        let refused = self.order_refusal().or_else(|| Some(Answer::No(unable()?.to_string())));
        if let Some(refused) = refused {
            let _ = reply.send(refused);
            return Ok(());
        }
        let forwarder = forwarder_ordered(&order);
        let is_erasure = matches!(order.what, OperatorOrder::ErasePerson { .. });
        let answer = Answer::Done(self.recorder.order(now, order)?);
        self.forwarder_ordered(forwarder);
        if is_erasure {
            self.person_erased();
        }
        self.answer_when_durable(answer, reply);
        Ok(())
    }

    /// Replays messages.
    pub(super) fn replay(
        &mut self,
        actor: &str,
        held: &[(QuarantineItem, Entry)],
        reply: oneshot::Sender<Answer>,
    ) -> Result<(), ServiceError> {
        if let Some(refused) = self.order_refusal() {
            let _ = reply.send(refused);
            return Ok(());
        }
        let now = self.now();
        let replayed = held.iter().map(|held| quarantine::replay(&mut self.recorder, now, held, actor));
        let answer = Answer::Replayed(replayed.collect::<Result<_, _>>()?);
        self.answer_when_durable(answer, reply);
        Ok(())
    }

    /// Why no order is taken now, if none is.
    pub(super) fn order_refusal(&self) -> Option<Answer> {
        let why = if self.is_stopping {
            "osel is stopping".to_owned()
        } else if self.orders.0.len() >= WAITING_MAX {
            "too many orders wait for the store".to_owned()
        } else {
            let (since, words) = self.store_trouble.as_ref()?;
            format!("the store takes nothing since {since}: {words}")
        };
        Some(Answer::Refused(why))
    }

    /// Answers once what was handled so far is durable.
    pub(super) fn answer_when_durable(&mut self, answer: Answer, reply: oneshot::Sender<Answer>) {
        // What it was judged by may be in the batch that is open, also where it changed nothing.
        let batch = self.recorder.given_batches() + u64::from(self.recorder.has_open());
        self.orders.0.push_back((batch, answer, reply));
        self.orders.durable(self.durable);
    }
}
