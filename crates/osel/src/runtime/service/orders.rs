//! Orders of people: handled between other things that happen, answered once what they changed is durable.

use std::collections::VecDeque;

use osel_core::engine::Order;
use tokio::sync::oneshot;

use super::super::control::Answer;
use super::{Happening, Service, ServiceError, ServiceHandle};

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
}

impl Service {
    /// Handles an order.
    pub(super) fn order(&mut self, order: Order, reply: oneshot::Sender<Answer>) -> Result<(), ServiceError> {
        let now = self.now();
        let refused = if self.is_stopping {
            Some(Answer::Refused("osel is stopping".to_owned()))
        } else if self.orders.0.len() >= WAITING_MAX {
            Some(Answer::Refused("too many orders wait for the store".to_owned()))
        } else if let Some((since, words)) = &self.store_trouble {
            Some(Answer::Refused(format!("the store takes nothing since {since}: {words}")))
        } else {
            self.recorder.engine().judge_order(now, &order).err().map(|why| Answer::No(why.to_string()))
        };
        if let Some(refused) = refused {
            let _ = reply.send(refused);
            return Ok(());
        }
        let answer = Answer::Done(self.recorder.order(now, order)?);
        // What it was judged by may be in the batch that is open, also where it changed nothing.
        let batch = self.recorder.given_batches() + u64::from(self.recorder.has_open());
        self.orders.0.push_back((batch, answer, reply));
        self.orders.durable(self.durable);
        Ok(())
    }
}
