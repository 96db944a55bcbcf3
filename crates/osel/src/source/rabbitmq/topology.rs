//! What must be in place at the broker for nothing to pass by: our queue, its bindings, and the means to see when one was gone.
//!
//! AMQP tells neither bindings nor dropped messages, so two things of our own stand for them:
//!
//! - A **mark** for each exchange we are bound to, an exchange of ours that nothing uses. It is not durable, like the services'
//!   exchanges: what takes theirs away, and our binding with it, takes the mark away too (a restart of the broker). The exchange
//!   may be back by the time we look, the mark is not. Where operators made their exchanges durable, the marks are durable too.
//! - The queue **dropped**, at most one message long, into which the broker puts what our bounded queue drops. That something is in it
//!   says that the queue overflowed.
//!
//! Exchanges of others are only asked for, never declared: an exchange made with other flags than its service wants would keep that
//! service from publishing. Our names begin with `osel.`, and nothing else is written.

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::options::{
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};
use osel_core::intake::{CURSOR_AGE_MICROS, GapCause, Queue};
use osel_core::time::Timestamp;

/// How long an exchange that has just vanished is looked for every second: after a restart of the broker its service makes it again with
/// the first message, and what is published until we are bound to it passes by.
const RETURNING_SECONDS: i64 = 60;
/// How long it is looked for at every check after that.
const EXPECTED_SECONDS: i64 = 600;
/// How often it is looked for then. The broker logs each time that it is not there.
const EXPECTED_WAIT_SECONDS: i64 = 60;
/// The longest wait for an exchange that was never there; the first one is as long as between two checks.
const UNKNOWN_WAIT_SECONDS_MAX: i64 = 300;
/// How often bindings are made again although nothing says that they are gone: somebody may have removed one by hand.
const REBIND_SECONDS: i64 = 300;

/// How often a quorum queue may deliver a message before it discards it: more often than ever happens. RabbitMQ 4 has a limit of 20 by
/// default, also for queues that were made before it, and takes -1 for none; RabbitMQ 3 takes -1 too, and discards whatever comes back once.
const DELIVERIES_MAX: i64 = 1 << 30;

/// The kind of queue that is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Quorum where the broker has it, else classic.
    Auto,
    /// Quorum: kept by a majority of a cluster's nodes.
    Quorum,
    /// Classic: kept by one node.
    Classic,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The queue's name, which begins with `osel.`.
    pub queue: String,
    /// The services' exchanges.
    pub exchanges: Vec<String>,
    /// The topics of notifications: bound as `TOPIC.*`.
    pub topics: Vec<String>,
    /// The kind of queue.
    pub kind: Kind,
    /// The most bytes that the queue keeps before it drops the oldest messages.
    pub length_bytes_max: u64,
    /// Whether the services' exchanges survive a restart of the broker.
    pub durable_exchanges: bool,
}

/// What is known of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    /// Nothing yet.
    Unknown,
    /// There, and bound to our queue.
    Bound,
    /// There, and not bound; it was last seen absent then.
    Unbound(Option<Timestamp>),
    /// Not there: when that was seen last and first, whether we were bound to it before, when to look again.
    Absent { seen: Timestamp, since: Timestamp, expected: bool, next: Timestamp },
    /// We may not read it.
    Denied,
}

/// What changed about an exchange, to be told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is bound now.
    Bound(String),
    /// It was bound and is not there any more.
    Gone(String),
    /// The broker does not let us read it.
    Denied(String),
}

/// What a look at the broker showed.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// As `intake` wants it.
    pub queue: Queue,
    /// Since when messages may have passed by, where that is longer ago than the last look.
    pub unbound_since: Option<Timestamp>,
    /// Messages that wait, and consumers.
    pub messages: u32,
    /// How many consumers there are, ours among them.
    pub consumers: u32,
}

/// The things at the broker, as far as they are known.
#[derive(Debug)]
pub struct Topology {
    wanted: Wanted,
    exchanges: BTreeMap<String, Exchange>,
    changes: Vec<Change>,
    bound_at: Timestamp,
    /// Nothing was looked at by this connection.
    is_new: bool,
    /// An exchange that we were bound to is not there, as the first look of a connection showed. It may have been there meanwhile,
    /// without our binding, and have gone again.
    is_lost: bool,
}

impl Topology {
    /// Nothing is known yet.
    pub fn new(wanted: Wanted) -> Self {
        let exchanges = wanted.exchanges.iter().map(|name| (name.clone(), Exchange::Unknown)).collect();
        let bound_at = Timestamp::EPOCH;
        Self { wanted, exchanges, changes: Vec::new(), bound_at, is_new: true, is_lost: false }
    }

    /// The queue's name.
    pub fn queue(&self) -> &str {
        &self.wanted.queue
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// After how long to look again, at the latest as long as between two checks.
    pub fn look_within(&self) -> Duration {
        let is_returning = |exchange: &Exchange| match exchange {
            Exchange::Absent { seen, since, expected: true, .. } => {
                *seen < since.plus_seconds(RETURNING_SECONDS)
            }
            _ => false,
        };
        let is_soon = self.exchanges.values().any(is_returning);
        if is_soon { Duration::from_secs(1) } else { Duration::from_micros(CURSOR_AGE_MICROS) }
    }

    /// A new connection: what is bound is looked at anew, and what was absent may be back.
    pub fn forget(&mut self, now: Timestamp) {
        self.is_new = true;
        for exchange in self.exchanges.values_mut() {
            match exchange {
                Exchange::Absent { next, .. } => *next = now,
                Exchange::Denied => *exchange = Exchange::Unknown,
                Exchange::Unknown | Exchange::Bound | Exchange::Unbound(_) => {}
            }
        }
    }

    /// Looks at everything. The queue is asked for on `channel`, so that all deliveries of that channel from before are there when the
    /// answer is; a queue that is not there ends the channel.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn look(
        &mut self,
        connection: &Connection,
        channel: &Channel,
        now: Timestamp,
    ) -> Result<Look, lapin::Error> {
        let mut probe = Probe { connection, channel: None };
        self.look_at_exchanges(&mut probe, now).await?;
        let dropped = probe.queue(&self.dropped()).await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let name = self.wanted.queue.as_str().into();
        let queue = match channel.queue_declare(name, passive, FieldTable::default()).await {
            Ok(queue) => queue,
            Err(error) if is_soft(&error, &AMQPSoftError::NOTFOUND) => {
                return Ok(Look { queue: Queue::Missing, unbound_since: None, messages: 0, consumers: 0 });
            }
            Err(error) => return Err(error),
        };
        let unbound = self.exchanges.values().filter_map(|exchange| match exchange {
            Exchange::Unbound(since) => Some(*since),
            _ => None,
        });
        let unbound: Vec<_> = unbound.collect();
        let state = match dropped {
            Some(messages) if messages > 0 => Queue::Overflowed,
            _ if self.is_lost || !unbound.is_empty() => Queue::Unbound,
            Some(_) => Queue::Kept,
            None => {
                self.declare_dropped(&mut probe).await?;
                Queue::Unknown
            }
        };
        Ok(Look {
            queue: state,
            unbound_since: unbound.into_iter().flatten().min(),
            messages: queue.message_count(),
            consumers: queue.consumer_count(),
        })
    }

    async fn look_at_exchanges(&mut self, probe: &mut Probe<'_>, now: Timestamp) -> Result<(), lapin::Error> {
        let rebind = now >= self.bound_at.plus_seconds(REBIND_SECONDS);
        let names: Vec<String> = self.exchanges.keys().cloned().collect();
        for name in names {
            let before = self.exchanges[&name];
            if matches!(before, Exchange::Denied)
                || matches!(before, Exchange::Absent { next, .. } if next > now)
            {
                continue;
            }
            let mark = self.mark(&name);
            let after = match probe.exchange(&name).await? {
                Presence::Denied => Exchange::Denied,
                Presence::There => match before {
                    Exchange::Absent { seen, .. } => Exchange::Unbound(Some(seen)),
                    Exchange::Unbound(since) => Exchange::Unbound(since),
                    Exchange::Bound | Exchange::Unknown | Exchange::Denied => {
                        match probe.exchange(&mark).await? {
                            Presence::There => Exchange::Bound,
                            Presence::Absent | Presence::Denied => Exchange::Unbound(None),
                        }
                    }
                },
                Presence::Absent => self.absent(probe, &name, before, now).await?,
            };
            self.is_lost |= self.is_new && matches!(after, Exchange::Absent { expected: true, .. });
            if after == Exchange::Bound && rebind {
                self.bind(probe, &name).await?;
            }
            self.set(&name, before, after);
        }
        self.is_new = false;
        if rebind {
            self.bound_at = now;
        }
        Ok(())
    }

    /// What is known of an exchange that is not there.
    async fn absent(
        &self,
        probe: &mut Probe<'_>,
        name: &str,
        before: Exchange,
        now: Timestamp,
    ) -> Result<Exchange, lapin::Error> {
        let (since, expected) = match before {
            Exchange::Absent { since, expected, .. } => (since, expected),
            Exchange::Bound | Exchange::Unbound(_) => (now, true),
            Exchange::Unknown | Exchange::Denied => {
                (now, probe.exchange(&self.mark(name)).await? == Presence::There)
            }
        };
        let waited = now.micros().saturating_sub(since.micros()) / 1_000_000;
        let first = i64::try_from(CURSOR_AGE_MICROS / 1_000_000).unwrap_or(1);
        let wait = match expected {
            true if waited < RETURNING_SECONDS => 1,
            true if waited < EXPECTED_SECONDS => first,
            true => EXPECTED_WAIT_SECONDS,
            false => waited.clamp(first, UNKNOWN_WAIT_SECONDS_MAX),
        };
        Ok(Exchange::Absent { seen: now, since, expected, next: now.plus_seconds(wait) })
    }

    fn set(&mut self, name: &str, before: Exchange, after: Exchange) {
        match (before, after) {
            (Exchange::Bound, Exchange::Absent { .. }) => self.changes.push(Change::Gone(name.to_owned())),
            (Exchange::Denied, Exchange::Denied) => {}
            (_, Exchange::Denied) => self.changes.push(Change::Denied(name.to_owned())),
            _ => {}
        }
        self.exchanges.insert(name.to_owned(), after);
    }

    /// Puts everything right: declares what is ours and binds every exchange that is there.
    ///
    /// # Errors
    /// When the connection breaks or the broker refuses what is ours.
    pub async fn mend(
        &mut self,
        connection: &Connection,
        why: GapCause,
        now: Timestamp,
    ) -> Result<(), lapin::Error> {
        let mut probe = Probe { connection, channel: None };
        self.declare_dropped(&mut probe).await?;
        if probe.queue(&self.wanted.queue).await?.is_none() {
            let arguments = |quorum| self.arguments(quorum);
            self.declare_queue(&mut probe, &self.wanted.queue, arguments).await?;
            for exchange in self.exchanges.values_mut() {
                if *exchange == Exchange::Bound {
                    *exchange = Exchange::Unbound(None);
                }
            }
        }
        let names: Vec<String> = self.exchanges.keys().cloned().collect();
        for name in names {
            match self.exchanges[&name] {
                Exchange::Unbound(_) => {
                    let before = self.exchanges[&name];
                    let after = match self.bind(&mut probe, &name).await? {
                        Presence::There => {
                            self.changes.push(Change::Bound(name.clone()));
                            Exchange::Bound
                        }
                        Presence::Denied => Exchange::Denied,
                        Presence::Absent => self.absent(&mut probe, &name, before, now).await?,
                    };
                    self.set(&name, before, after);
                }
                Exchange::Absent { expected: true, .. } => {
                    // Its binding went with it, and so the mark must not say that there is one.
                    let mark = self.mark(&name);
                    probe
                        .channel()
                        .await?
                        .exchange_delete(mark.into(), ExchangeDeleteOptions::default())
                        .await?;
                }
                Exchange::Unknown | Exchange::Bound | Exchange::Absent { .. } | Exchange::Denied => {}
            }
        }
        let dropped = self.dropped();
        self.is_lost = false;
        if why >= GapCause::Overflowed && probe.queue(&dropped).await?.is_some() {
            probe.channel().await?.queue_purge(dropped.into(), QueuePurgeOptions::default()).await?;
        }
        Ok(())
    }

    async fn bind(&self, probe: &mut Probe<'_>, exchange: &str) -> Result<Presence, lapin::Error> {
        for topic in &self.wanted.topics {
            let (queue, key) = (self.wanted.queue.as_str().into(), format!("{topic}.*").into());
            let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
            let channel = probe.channel().await?;
            let bound = channel.queue_bind(queue, exchange.into(), key, options, arguments).await;
            let presence = probe.presence(bound)?;
            if presence != Presence::There {
                return Ok(presence);
            }
        }
        let durable = self.wanted.durable_exchanges;
        let mark = ExchangeDeclareOptions { durable, internal: true, ..ExchangeDeclareOptions::default() };
        let channel = probe.channel().await?;
        let name = self.mark(exchange).into();
        channel.exchange_declare(name, ExchangeKind::Fanout, mark, FieldTable::default()).await?;
        Ok(Presence::There)
    }

    /// Declares what shows that our queue overflowed. Where that cannot be (a node that has it is down) nothing else has to wait for it:
    /// then it is not known.
    async fn declare_dropped(&self, probe: &mut Probe<'_>) -> Result<(), lapin::Error> {
        match self.try_declare_dropped(probe).await {
            Err(error) if error.is_amqp_error() && connection_stands(probe.connection) => {
                probe.channel = None;
                Ok(())
            }
            declared => declared,
        }
    }

    async fn try_declare_dropped(&self, probe: &mut Probe<'_>) -> Result<(), lapin::Error> {
        let name = self.dropped();
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        probe
            .channel()
            .await?
            .exchange_declare(name.as_str().into(), ExchangeKind::Fanout, durable, FieldTable::default())
            .await?;
        let arguments = |quorum| {
            let mut arguments = of_type(quorum);
            arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(1));
            arguments
        };
        self.declare_queue(probe, &name, arguments).await?;
        let (queue, exchange) = (name.as_str().into(), name.as_str().into());
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        probe.channel().await?.queue_bind(queue, exchange, "".into(), options, table).await
    }

    /// Declares a queue of ours as well as this broker can: what it does not know, it refuses.
    async fn declare_queue(
        &self,
        probe: &mut Probe<'_>,
        name: &str,
        arguments: impl Fn(bool) -> FieldTable,
    ) -> Result<(), lapin::Error> {
        let mut refused = None;
        for quorum in [true, false] {
            if matches!((self.wanted.kind, quorum), (Kind::Classic, true) | (Kind::Quorum, false)) {
                continue;
            }
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            match probe.channel().await?.queue_declare(name.into(), durable, arguments(quorum)).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_amqp_error() && connection_stands(probe.connection) => {
                    probe.channel = None;
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn arguments(&self, quorum: bool) -> FieldTable {
        let mut arguments = of_type(quorum);
        let text = |text: &str| AMQPValue::LongString(text.into());
        let bytes = i64::try_from(self.wanted.length_bytes_max).unwrap_or(i64::MAX);
        arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes));
        // Never `reject-publish`: it would refuse the services' own messages.
        arguments.insert("x-overflow".into(), text("drop-head"));
        arguments.insert("x-dead-letter-exchange".into(), text(&self.dropped()));
        if quorum {
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERIES_MAX));
        }
        arguments
    }

    fn dropped(&self) -> String {
        format!("{}.dropped", self.wanted.queue)
    }

    fn mark(&self, exchange: &str) -> String {
        format!("{}.bound.{exchange}", self.wanted.queue)
    }
}

/// The arguments of a queue of this type.
fn of_type(quorum: bool) -> FieldTable {
    let mut arguments = FieldTable::default();
    let name = if quorum { "quorum" } else { "classic" };
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(name.into()));
    arguments
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    There,
    Absent,
    Denied,
}

/// Asks on channels of its own: each "no" of the broker ends one.
struct Probe<'a> {
    connection: &'a Connection,
    channel: Option<Channel>,
}

impl Probe<'_> {
    async fn channel(&mut self) -> Result<&Channel, lapin::Error> {
        let channel = match self.channel.take() {
            Some(channel) => channel,
            None => self.connection.create_channel().await?,
        };
        Ok(self.channel.insert(channel))
    }

    async fn exchange(&mut self, name: &str) -> Result<Presence, lapin::Error> {
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let channel = self.channel().await?;
        let asked =
            channel.exchange_declare(name.into(), ExchangeKind::Topic, passive, FieldTable::default()).await;
        self.presence(asked)
    }

    /// How many messages a queue has; none when it is not there.
    async fn queue(&mut self, name: &str) -> Result<Option<u32>, lapin::Error> {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        match self.channel().await?.queue_declare(name.into(), passive, FieldTable::default()).await {
            Ok(queue) => Ok(Some(queue.message_count())),
            Err(error) if is_soft(&error, &AMQPSoftError::NOTFOUND) => {
                self.channel = None;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn presence(&mut self, asked: Result<(), lapin::Error>) -> Result<Presence, lapin::Error> {
        let Err(error) = asked else { return Ok(Presence::There) };
        self.channel = None;
        if is_soft(&error, &AMQPSoftError::NOTFOUND) {
            Ok(Presence::Absent)
        } else if is_soft(&error, &AMQPSoftError::ACCESSREFUSED) {
            Ok(Presence::Denied)
        } else {
            Err(error)
        }
    }
}

fn connection_stands(connection: &Connection) -> bool {
    connection.status().connected()
}

fn is_soft(error: &lapin::Error, wanted: &AMQPSoftError) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(found) => found == wanted,
            AMQPErrorKind::Hard(_) => false,
        },
        _ => false,
    }
}
