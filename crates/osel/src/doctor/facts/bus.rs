//! What the bus says by AMQP.

use std::collections::BTreeMap;

use crate::source::rabbitmq::Presence;

/// What osel would listen to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The exchanges it would bind to.
    pub exchanges: Vec<String>,
    /// Those of them that should be there: all that somebody has named, or of the defaults those that no cloud is without.
    pub needed: Vec<String>,
    /// The topics it would bind for.
    pub topics: Vec<String>,
}

impl Wanted {
    /// The topic of a queue or routing key of notifications, such as `notifications` of `notifications.info`.
    pub fn topic_of(name: &str) -> Option<&str> {
        let (topic, priority) = name.rsplit_once('.')?;
        PRIORITIES.contains(&priority).then_some(topic)
    }

    /// The topic of a key of notifications. Ceilometer and Aodh hand on measurements and alarms among themselves by the same means, with the
    /// priority `sample`: those are none.
    pub fn topic_of_notifications(key: &str) -> Option<&str> {
        Self::topic_of(key).filter(|topic| key[topic.len()..] != *SAMPLE)
    }

    /// Whether a queue is one that publishers declare for notifications that osel would hear.
    pub fn is_notifications(&self, queue: &str) -> bool {
        Self::topic_of(queue).is_some_and(|topic| self.topics.iter().any(|wanted| wanted == topic))
    }
}

/// The priorities of oslo.messaging's notifier, as they stand at the end of routing keys.
const PRIORITIES: [&str; 7] = ["audit", "debug", "info", "warn", "error", "critical", "sample"];

/// The end of keys of what is measured.
const SAMPLE: &str = ".sample";

/// A bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// What it is called: host, port and virtual host.
    pub name: String,
    /// As whom osel logs in.
    pub user: String,
    /// Whether by TLS.
    pub tls: bool,
    /// The exchanges that osel would bind to.
    pub exchanges: BTreeMap<String, Presence>,
    /// Queues of notifications that were asked for; none where there is none of that name.
    pub queues: BTreeMap<String, Option<Counts>>,
    /// Queues of notifications that osel's user may not ask for.
    pub refused: Vec<String>,
}

/// What is in a queue, and who reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that wait.
    pub messages: u64,
    /// Who consumes.
    pub consumers: u64,
    /// Messages that waited when it was looked at first, where it was looked at twice.
    pub messages_before: Option<u64>,
}
