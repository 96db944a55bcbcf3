//! What a bus does to messages on their way: twice, late, in another order, not at all.
//!
//! Takes what a cloud sent, from a seed, and gives what a listener receives. Bodies stay what they were,
//! except that a second sending has its own `_unique_id`, as oslo.messaging makes it.

use serde_json::Value;

use crate::cloud::Message;
use crate::random::Random;

/// The topic on which duplicates of the second kind arrive.
const SECOND_TOPIC: &str = "security_audit";

/// How messages lose their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reorder {
    /// They keep it.
    Keep,
    /// A message is overtaken by fewer than so many that were sent after it.
    Within(usize),
    /// Any order is as likely as any other.
    Totally,
}

/// What happens to messages.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The seed of all chance.
    pub seed: u64,
    /// How many in a hundred arrive a second time: redelivered, sent again, or on a second topic.
    pub duplicate_percent: u64,
    /// What becomes of their order.
    pub reorder: Reorder,
    /// At most so many milliseconds pass on the way.
    pub delay_milliseconds: u64,
    /// How many in a hundred are lost.
    pub drop_percent: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            seed: 1,
            duplicate_percent: 0,
            reorder: Reorder::Keep,
            delay_milliseconds: 50,
            drop_percent: 0,
        }
    }
}

/// What a listener receives.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The messages in the order of their arrival, each with when it came (microseconds since 1970).
    pub messages: Vec<(i64, Message)>,
    /// Those that never came.
    pub dropped: Vec<Message>,
}

impl Delivered {
    /// The lines of a recording of it.
    pub fn lines(&self) -> impl Iterator<Item = Value> {
        self.messages
            .iter()
            .enumerate()
            .map(|(at, (received_at, message))| message.line(at + 1, *received_at))
    }
}

impl Schedule {
    /// Sends messages on their way.
    pub fn deliver(&self, messages: Vec<Message>) -> Delivered {
        let mut random = Random::new(self.seed);
        let mut kept = Vec::with_capacity(messages.len());
        let mut dropped = Vec::new();
        for message in messages {
            if random.percent(self.drop_percent) {
                dropped.push(message);
                continue;
            }
            if random.percent(self.duplicate_percent) {
                kept.push(again(&message, &mut random));
            }
            kept.push(message);
        }
        match self.reorder {
            Reorder::Keep => {}
            Reorder::Within(window) => kept = overtaken(kept, window, &mut random),
            Reorder::Totally => random.shuffle(&mut kept),
        }
        let mut clock = 0;
        let timed = kept.into_iter().map(|message| {
            let delay = random.below(self.delay_milliseconds.max(1) * 1000).cast_signed();
            clock = (clock + 1).max(message.sent_at + delay);
            (clock, message)
        });
        Delivered { messages: timed.collect(), dropped }
    }
}

fn again(message: &Message, random: &mut Random) -> Message {
    let mut again = message.clone();
    match random.below(3) {
        0 => again.redelivered = true,
        1 => again.notification["_unique_id"] = random.hex32().into(),
        _ => {
            again.notification["_unique_id"] = random.hex32().into();
            SECOND_TOPIC.clone_into(&mut again.topic);
        }
    }
    again
}

fn overtaken(messages: Vec<Message>, window: usize, random: &mut Random) -> Vec<Message> {
    let mut placed: Vec<_> = messages
        .into_iter()
        .enumerate()
        .map(|(at, message)| (at + random.index(window.max(1)), at, message))
        .collect();
    placed.sort_by_key(|(place, at, _)| (*place, *at));
    placed.into_iter().map(|(_, _, message)| message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{Cloud, CloudOptions};

    fn sent() -> Vec<Message> {
        let mut cloud = Cloud::new(CloudOptions::default());
        cloud.run(100);
        cloud.drain()
    }

    fn ids(messages: &[(i64, Message)]) -> Vec<String> {
        messages.iter().map(|(_, message)| message.notification["message_id"].to_string()).collect()
    }

    #[test]
    fn without_faults_everything_arrives_once_and_in_order_with_growing_times() {
        let sent = sent();
        let delivered = Schedule::default().deliver(sent.clone());
        let expected: Vec<_> =
            sent.iter().map(|message| message.notification["message_id"].to_string()).collect();
        assert_eq!(ids(&delivered.messages), expected);
        assert!(delivered.messages.is_sorted_by(|one, other| one.0 < other.0));
        assert_eq!(delivered.lines().last().unwrap()["seq"], sent.len());
    }

    #[test]
    fn duplicates_are_the_same_notification() {
        let delivered = Schedule { duplicate_percent: 50, ..Schedule::default() }.deliver(sent());
        let mut kinds = std::collections::BTreeSet::new();
        let mut first: std::collections::BTreeMap<String, Message> = Default::default();
        for (_, message) in &delivered.messages {
            let Some(known) = first.insert(message.notification["message_id"].to_string(), message.clone())
            else {
                continue;
            };
            let without = |message: &Message| {
                let mut notification = message.notification.clone();
                notification.as_object_mut().unwrap().remove("_unique_id");
                notification
            };
            assert_eq!(without(&known), without(message));
            let same_send = known.notification["_unique_id"] == message.notification["_unique_id"];
            kinds.insert((same_send, known.topic.clone(), known.redelivered));
        }
        assert_eq!(kinds.len(), 3, "{kinds:?}");
    }

    #[test]
    fn order_is_lost_within_the_window_or_wholly() {
        let sent = sent();
        let expected: Vec<_> =
            sent.iter().map(|message| message.notification["message_id"].to_string()).collect();
        let moved = |reorder| {
            let delivered = Schedule { reorder, ..Schedule::default() }.deliver(sent.clone());
            let arrived = ids(&delivered.messages);
            assert_eq!(arrived.len(), expected.len());
            let place = |id: &String| expected.iter().position(|known| known == id).unwrap();
            arrived.iter().enumerate().map(|(at, id)| place(id).abs_diff(at)).max().unwrap()
        };
        assert_eq!(moved(Reorder::Keep), 0);
        assert!((1..8).contains(&moved(Reorder::Within(8))));
        assert!(moved(Reorder::Totally) > 20);
    }

    #[test]
    fn what_is_dropped_is_told() {
        let sent = sent();
        let delivered = Schedule { drop_percent: 20, ..Schedule::default() }.deliver(sent.clone());
        assert!(!delivered.dropped.is_empty());
        assert_eq!(delivered.messages.len() + delivered.dropped.len(), sent.len());
    }
}
