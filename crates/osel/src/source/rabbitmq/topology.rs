//! What must be in place at the broker for nothing to pass by: our queue, its bindings, and the means to see when one was gone.
//!
//! AMQP tells neither bindings nor dropped messages, so things of our own stand for them:
//!
//! - A **mark** for each exchange we are bound to, an exchange of ours that is itself bound to our queue and that nobody publishes to.
//!   What takes our binding away takes the mark away too: a restart of the broker, since the mark is not durable, like the services'
//!   exchanges; the end of our queue, since the broker deletes an exchange that is `auto-delete` with its last binding. The exchange may
//!   be back by the time we look, the mark is not. Where operators made their exchanges durable, the marks are durable too.
//! - A **memory** of each exchange we were ever bound to, a durable exchange of ours that is bound to nothing. It outlives the broker's
//!   restarts: where it is there and neither the exchange nor the mark is, the exchange may have been back without our binding.
//! - The queue **dropped**, at most one message long, into which the broker puts what our bounded queue drops. That something is in it
//!   says that the queue overflowed.
//!
//! What is bound and wanted no more is unbound: see `stray`.
//!
//! Exchanges of others are only asked for, never declared: an exchange made with other flags than its service wants would keep that
//! service from publishing. Our names begin with `osel.`, and nothing else is written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueuePurgeOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};
use osel_core::intake::{GapCause, Queue};
use osel_core::time::Timestamp;
use tokio::time::Instant;

use super::exchange::{CHECK_WAIT, Exchange, Now, Question, RETURNING_WAIT, Refused};
use super::probe::{Presence, Probe, is_soft};
use super::stray::{Stray, Strays};
use crate::config::{DEFAULT_EXCHANGES, DEFAULT_TOPICS, QueueKind};
use crate::source::words::Change;

/// How often bindings are made again although nothing says that they are gone: somebody may have removed one by hand, or an exchange with
/// it that its service made again at once. Nobody tells of that, so that no more than this may be lost by it.
const REBIND_WAIT: Duration = Duration::from_secs(20);

/// How often a quorum queue may deliver a message before it discards it: more often than ever happens. RabbitMQ 4 has a limit of 20 by
/// default, also for queues that were made before it, and takes -1 for none; RabbitMQ 3 takes -1 too, and discards whatever comes back once.
const DELIVERIES_MAX: i64 = 1 << 30;

/// The argument that says which type of queue it is.
const TYPE_ARGUMENT: &str = "x-queue-type";

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
    pub kind: QueueKind,
    /// The most bytes that the queue keeps before it drops the oldest messages.
    pub length_bytes_max: u64,
    /// Whether the services' exchanges survive a restart of the broker.
    pub durable_exchanges: bool,
}

/// What a look at the broker showed.
#[derive(Clone, Debug)]
pub struct Look {
    /// As `intake` wants it.
    pub queue: Queue,
    /// Since when messages may have passed by, where that is longer ago than the last look.
    pub unbound_since: Option<Timestamp>,
    /// The exchanges by which they may have passed.
    pub unbound: Vec<String>,
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
    /// When all bindings were made again, and all of that went well.
    bound_at: Option<Instant>,
    /// Nothing was looked at by this connection.
    is_new: bool,
    /// An exchange that we were bound to is not there, as the first look of a connection showed. It may have been there meanwhile,
    /// without our binding, and have gone again.
    is_lost: bool,
    /// Bindings that showed and are not wanted.
    strays: Strays,
    /// It was looked for what a configuration before this process may have had bound.
    has_released: bool,
    /// Our queue was compared with what is wanted.
    has_compared: bool,
    /// What is to be told of our queue, and of bindings that are not wanted.
    untold: Vec<Change>,
    /// It was told that no exchange is there to be bound.
    told_unheard: bool,
}

impl Topology {
    /// Nothing is known yet.
    pub fn new(wanted: Wanted) -> Self {
        let exchanges = wanted.exchanges.iter().map(|name| (name.clone(), Exchange::new())).collect();
        Self {
            wanted,
            exchanges,
            bound_at: None,
            is_new: true,
            is_lost: false,
            strays: Strays::default(),
            has_released: false,
            has_compared: false,
            untold: Vec::new(),
            told_unheard: false,
        }
    }

    /// The queue's name.
    pub fn queue(&self) -> &str {
        &self.wanted.queue
    }

    /// What is to be told about exchanges by now.
    pub fn take_changes(&mut self, moment: Instant) -> Vec<Change> {
        let mut changes = std::mem::take(&mut self.untold);
        changes.extend(
            self.exchanges.iter_mut().filter_map(|(name, exchange)| exchange.take_change(name, moment)),
        );
        changes.extend(self.take_unheard());
        changes
    }

    /// How many exchanges are bound.
    pub fn bound_count(&self) -> usize {
        self.exchanges.values().filter(|exchange| exchange.is_bound()).count()
    }

    /// What is to be told of there being none that is bound, or of its end. Those that we were bound to and that went are told one by one.
    fn take_unheard(&mut self) -> Option<Change> {
        if self.bound_count() > 0 {
            return std::mem::take(&mut self.told_unheard).then_some(Change::Heard);
        }
        let is_never = |exchange: &Exchange| exchange.is_absent() && !exchange.is_lost();
        let is_unheard = self.exchanges.values().all(|exchange| is_never(exchange) || exchange.is_denied());
        let absent = self.exchanges.iter().filter(|(_, exchange)| is_never(exchange));
        let absent: Vec<String> = absent.map(|(name, _)| name.clone()).collect();
        if !is_unheard || absent.is_empty() || self.told_unheard {
            return None;
        }
        self.told_unheard = true;
        Some(Change::Unheard(absent))
    }

    /// A message came from this exchange, under this routing key.
    pub fn heard(&mut self, exchange: &str, routing_key: &str) {
        let is_topic = |(topic, _): (&str, &str)| self.wanted.topics.iter().any(|wanted| wanted == topic);
        let is_wanted =
            self.exchanges.contains_key(exchange) && routing_key.rsplit_once('.').is_none_or(is_topic);
        if !is_wanted {
            self.strays.note(exchange, routing_key);
        }
    }

    /// After how long to look again, at the latest as long as between two checks.
    pub fn look_within(&self, moment: Instant) -> Duration {
        let is_soon = self.exchanges.values().any(|exchange| exchange.is_returning(moment));
        if is_soon { RETURNING_WAIT } else { CHECK_WAIT }
    }

    /// A new connection: everything is looked at and bound anew.
    pub fn forget(&mut self, moment: Instant) {
        self.is_new = true;
        self.strays.forget();
        for exchange in self.exchanges.values_mut() {
            exchange.forget(moment);
        }
    }

    /// Looks at everything. The queue is asked for on `channel`, so that all deliveries of that channel from before are there when the
    /// answer is; a queue that is not there ends the channel. `is_consuming` says that one of its consumers is ours. While others have some, as
    /// a copy of the store that is tried beside it, nothing is unbound: it may be theirs.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn look(
        &mut self,
        connection: &Connection,
        channel: &Channel,
        is_consuming: bool,
        now: Now,
    ) -> Result<Look, lapin::Error> {
        let mut probe = Probe::new(connection);
        self.look_at_exchanges(&mut probe, now).await?;
        let dropped = probe.queue(&self.dropped()).await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let name = self.wanted.queue.as_str().into();
        let queue = match channel.queue_declare(name, passive, FieldTable::default()).await {
            Ok(queue) => queue,
            Err(error) if is_soft(&error, &AMQPSoftError::NOTFOUND) => {
                return Ok(Look {
                    queue: Queue::Missing,
                    unbound_since: None,
                    unbound: Vec::new(),
                    messages: 0,
                    consumers: 0,
                });
            }
            Err(error) => return Err(error),
        };
        if is_consuming {
            self.compare(&mut probe).await?;
        }
        if queue.consumer_count() <= u32::from(is_consuming) {
            self.release(&mut probe).await?;
        }
        let is_unbound = self.exchanges.values().any(Exchange::is_unbound);
        let state = match dropped {
            Some(messages) if messages > 0 => Queue::Overflowed,
            _ if self.is_lost || is_unbound => Queue::Unbound,
            Some(_) => Queue::Kept,
            None => {
                self.declare_dropped(&mut probe).await?;
                Queue::Unknown
            }
        };
        Ok(Look {
            queue: state,
            unbound_since: self.exchanges.values().filter_map(Exchange::unbound_since).min(),
            unbound: self.unbound(),
            messages: queue.message_count(),
            consumers: queue.consumer_count(),
        })
    }

    /// The exchanges that are not bound and should be.
    fn unbound(&self) -> Vec<String> {
        let is_unbound = |exchange: &Exchange| exchange.is_unbound() || self.is_lost && exchange.is_lost();
        let exchanges = self.exchanges.iter().filter(|(_, exchange)| is_unbound(exchange));
        exchanges.map(|(name, _)| name.clone()).collect()
    }

    async fn look_at_exchanges(&mut self, probe: &mut Probe<'_>, now: Now) -> Result<(), lapin::Error> {
        let is_old = |at: Instant| now.moment.saturating_duration_since(at) >= REBIND_WAIT;
        let rebind = self.is_new || self.bound_at.is_none_or(is_old);
        let mut is_all_bound = true;
        let names: Vec<String> = self.exchanges.keys().cloned().collect();
        for name in names {
            let mut exchange = self.exchanges[&name];
            self.look_at(probe, &name, &mut exchange, now).await?;
            if rebind && exchange.is_bound() {
                self.rebind(probe, &name, &mut exchange, now).await?;
                is_all_bound &= exchange.is_bound();
            }
            self.is_lost |= self.is_new && exchange.is_lost();
            self.exchanges.insert(name, exchange);
        }
        self.is_new = false;
        if rebind {
            self.bound_at = is_all_bound.then_some(now.moment);
        }
        Ok(())
    }

    async fn look_at(
        &self,
        probe: &mut Probe<'_>,
        name: &str,
        exchange: &mut Exchange,
        now: Now,
    ) -> Result<(), lapin::Error> {
        match exchange.question(now.moment) {
            Question::Nothing => {}
            Question::Permission => match self.may_bind(probe, name).await? {
                Presence::There => exchange.allowed(),
                Presence::Absent | Presence::Denied => exchange.denied(Refused::Exchange, now),
                Presence::Forbidden => exchange.denied(Refused::Own, now),
            },
            Question::Presence => match probe.exchange(name).await? {
                Presence::There => {
                    let is_marked = !exchange.needs_mark(self.is_new)
                        || probe.exchange(&self.mark(name)).await? == Presence::There;
                    exchange.there(is_marked);
                }
                Presence::Absent => self.absent(probe, name, exchange, now).await?,
                Presence::Denied | Presence::Forbidden => exchange.denied(Refused::Exchange, now),
            },
        }
        Ok(())
    }

    /// An exchange is not there. Our binding went with it, and so the mark must not say that there is one: the next process would believe
    /// it when the exchange is back.
    async fn absent(
        &self,
        probe: &mut Probe<'_>,
        name: &str,
        exchange: &mut Exchange,
        now: Now,
    ) -> Result<(), lapin::Error> {
        let mark = self.mark(name);
        let was_bound = exchange.is_unknown()
            && (probe.exchange(&mark).await? == Presence::There
                || probe.exchange(&self.memory(name)).await? == Presence::There);
        if !exchange.is_absent() {
            probe.delete_exchange(&mark).await?;
        }
        exchange.absent(was_bound, now);
        Ok(())
    }

    /// Binds again what is bound as far as we know. The mark is only bound, never made: if it has just gone, so has the binding.
    async fn rebind(
        &self,
        probe: &mut Probe<'_>,
        name: &str,
        exchange: &mut Exchange,
        now: Now,
    ) -> Result<(), lapin::Error> {
        let mut bound = probe.bind(&self.wanted.queue, &self.mark(name), "").await?;
        if bound == Presence::There {
            bound = self.bind(probe, name).await?;
        }
        match bound {
            Presence::There => exchange.bound(),
            Presence::Denied => exchange.denied(Refused::Exchange, now),
            Presence::Forbidden => exchange.forbidden(),
            Presence::Absent => {
                exchange.unbound();
                self.look_at(probe, name, exchange, now).await?;
            }
        }
        Ok(())
    }

    /// Puts everything right: declares what is ours and binds every exchange that is there.
    ///
    /// # Errors
    /// When the connection breaks or the broker refuses what is ours.
    pub async fn mend(
        &mut self,
        connection: &Connection,
        why: GapCause,
        now: Now,
    ) -> Result<(), lapin::Error> {
        let mut probe = Probe::new(connection);
        self.declare_dropped(&mut probe).await?;
        let names: Vec<String> = self.exchanges.keys().cloned().collect();
        if probe.queue(&self.wanted.queue).await?.is_none() {
            // First the marks: whoever finds the queue and a mark takes the queue for bound, and the connection may end at any time.
            for name in &names {
                probe.delete_exchange(&self.mark(name)).await?;
            }
            self.exchanges.values_mut().for_each(Exchange::unbound);
            let arguments = |quorum| self.arguments(quorum);
            self.declare_queue(&mut probe, &self.wanted.queue, arguments).await?;
        }
        for name in names {
            let mut exchange = self.exchanges[&name];
            if !exchange.is_unbound() {
                continue;
            }
            match self.bind_and_mark(&mut probe, &name).await? {
                Presence::There => exchange.bound(),
                Presence::Denied => exchange.denied(Refused::Exchange, now),
                Presence::Forbidden => exchange.denied(Refused::Own, now),
                Presence::Absent => self.look_at(&mut probe, &name, &mut exchange, now).await?,
            }
            self.exchanges.insert(name, exchange);
        }
        if std::mem::take(&mut self.is_lost) {
            // The gap says so by now. It would be told again at each start of an osel whose cloud has let the service go.
            for (name, _) in self.exchanges.iter().filter(|(_, exchange)| exchange.is_lost()) {
                probe.delete_exchange(&self.memory(name)).await?;
            }
        }
        let dropped = self.dropped();
        if why >= GapCause::Overflowed && probe.queue(&dropped).await?.is_some() {
            probe.channel().await?.queue_purge(dropped.into(), QueuePurgeOptions::default()).await?;
        }
        Ok(())
    }

    /// Whether our queue was made with other arguments than it would be now. Nothing but an attempt to make it tells, which changes nothing of
    /// one that is there; that is why it is asked only while we consume: should the queue go just then, the end of our consumer says so.
    async fn compare(&mut self, probe: &mut Probe<'_>) -> Result<(), lapin::Error> {
        if std::mem::replace(&mut self.has_compared, true) {
            // The broker logs each refusal.
            return Ok(());
        }
        let mut differing = Vec::new();
        for quorum in self.types() {
            match self.try_declare_queue(probe, &self.wanted.queue, self.arguments(quorum)).await {
                Ok(()) => return Ok(()),
                Err(error) if probe.is_refused(&error) => differing.extend(difference(&error.to_string())),
                Err(error) => return Err(error),
            }
        }
        // Where either type would do, that it is not the other one is no difference.
        let telling = differing.iter().position(|words| !words.contains(TYPE_ARGUMENT)).unwrap_or(0);
        if telling < differing.len() {
            self.untold.push(Change::Otherwise(differing.swap_remove(telling)));
        }
        Ok(())
    }

    /// Unbinds what is bound and wanted no more, as far as that shows.
    async fn release(&mut self, probe: &mut Probe<'_>) -> Result<(), lapin::Error> {
        if !self.has_released {
            for exchange in DEFAULT_EXCHANGES {
                if !self.exchanges.contains_key(exchange) {
                    self.release_exchange(probe, exchange, &[]).await?;
                }
            }
            self.has_released = true;
        }
        for Stray { exchange, topic } in self.strays.take() {
            if self.exchanges.contains_key(&exchange) {
                let key = binding_key(&topic);
                self.unbind(probe, &exchange, &[key]).await?;
            } else {
                self.release_exchange(probe, &exchange, &[topic]).await?;
            }
        }
        Ok(())
    }

    /// Unbinds an exchange, by `topics` and by those that are bound where nothing else is said; where there is a memory of it, that is told.
    async fn release_exchange(
        &mut self,
        probe: &mut Probe<'_>,
        exchange: &str,
        topics: &[String],
    ) -> Result<(), lapin::Error> {
        let memory = self.memory(exchange);
        let was_bound = probe.exchange(&memory).await? == Presence::There;
        if !was_bound && topics.is_empty() {
            return Ok(());
        }
        // First the mark: where it is, the binding is taken for one that is there.
        probe.delete_exchange(&self.mark(exchange)).await?;
        let topics = topics.iter().map(String::as_str).chain(DEFAULT_TOPICS);
        let keys = topics.map(binding_key).chain(self.keys()).collect::<BTreeSet<String>>();
        let keys: Vec<String> = keys.into_iter().collect();
        let is_unbound = self.unbind(probe, exchange, &keys).await?;
        if is_unbound {
            probe.delete_exchange(&memory).await?;
        }
        if was_bound {
            let change = if is_unbound { Change::Released } else { Change::Held };
            self.untold.push(change(exchange.to_owned()));
        }
        Ok(())
    }

    /// Unbinds our queue by these keys; whether it is not bound by any of them then.
    async fn unbind(
        &self,
        probe: &mut Probe<'_>,
        exchange: &str,
        keys: &[String],
    ) -> Result<bool, lapin::Error> {
        for key in keys {
            match probe.unbind(&self.wanted.queue, exchange, key).await? {
                Presence::There => {}
                // Without the exchange or the queue there is no binding.
                Presence::Absent => return Ok(true),
                Presence::Denied | Presence::Forbidden => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn bind(&self, probe: &mut Probe<'_>, exchange: &str) -> Result<Presence, lapin::Error> {
        for key in self.keys() {
            let bound = probe.bind(&self.wanted.queue, exchange, &key).await?;
            if bound != Presence::There {
                return Ok(bound);
            }
        }
        Ok(Presence::There)
    }

    async fn may_bind(&self, probe: &mut Probe<'_>, exchange: &str) -> Result<Presence, lapin::Error> {
        for key in self.keys() {
            let allowed = probe.may_bind(&self.wanted.queue, exchange, &key).await?;
            if allowed != Presence::There {
                return Ok(allowed);
            }
        }
        Ok(Presence::There)
    }

    /// Binds, and makes the memory and the mark that say so.
    async fn bind_and_mark(&self, probe: &mut Probe<'_>, exchange: &str) -> Result<Presence, lapin::Error> {
        let bound = self.bind(probe, exchange).await?;
        if bound != Presence::There {
            return Ok(bound);
        }
        let (mark, memory) = (self.mark(exchange), self.memory(exchange));
        // Of the mark one that was made with other flags could not be declared.
        probe.delete_exchange(&mark).await?;
        let own = ExchangeDeclareOptions { internal: true, ..ExchangeDeclareOptions::default() };
        let durable = ExchangeDeclareOptions { durable: true, ..own };
        let of_the_mark =
            ExchangeDeclareOptions { durable: self.wanted.durable_exchanges, auto_delete: true, ..own };
        for (name, flags) in [(&memory, durable), (&mark, of_the_mark)] {
            let (name, table) = (name.as_str().into(), FieldTable::default());
            probe.channel().await?.exchange_declare(name, ExchangeKind::Fanout, flags, table).await?;
        }
        probe.bind(&self.wanted.queue, &mark, "").await
    }

    /// Declares what shows that our queue overflowed. Where that cannot be (a node that has it is down) nothing else has to wait for it:
    /// then it is not known.
    async fn declare_dropped(&self, probe: &mut Probe<'_>) -> Result<(), lapin::Error> {
        match self.try_declare_dropped(probe).await {
            Err(error) if probe.is_refused(&error) => Ok(()),
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
        for quorum in self.types() {
            match self.try_declare_queue(probe, name, arguments(quorum)).await {
                Ok(()) => return Ok(()),
                Err(error) if probe.is_refused(&error) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn try_declare_queue(
        &self,
        probe: &mut Probe<'_>,
        name: &str,
        arguments: FieldTable,
    ) -> Result<(), lapin::Error> {
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        probe.channel().await?.queue_declare(name.into(), durable, arguments).await.map(drop)
    }

    /// The types of queue that are wanted, the better one first: whether it is a quorum queue.
    fn types(&self) -> impl Iterator<Item = bool> + use<> {
        let kind = self.wanted.kind;
        let is_wanted = move |quorum: &bool| {
            !matches!((kind, *quorum), (QueueKind::Classic, true) | (QueueKind::Quorum, false))
        };
        [true, false].into_iter().filter(is_wanted)
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

    /// What our queue is bound by.
    fn keys(&self) -> impl Iterator<Item = String> {
        self.wanted.topics.iter().map(|topic| binding_key(topic))
    }

    fn dropped(&self) -> String {
        format!("{}.dropped", self.wanted.queue)
    }

    fn mark(&self, exchange: &str) -> String {
        format!("{}.bound.{exchange}", self.wanted.queue)
    }

    fn memory(&self, exchange: &str) -> String {
        format!("{}.known.{exchange}", self.wanted.queue)
    }
}

/// What a topic is bound by: all its priorities.
fn binding_key(topic: &str) -> String {
    format!("{topic}.*")
}

/// The arguments of a queue of this type.
fn of_type(quorum: bool) -> FieldTable {
    let mut arguments = FieldTable::default();
    let name = if quorum { "quorum" } else { "classic" };
    arguments.insert(TYPE_ARGUMENT.into(), AMQPValue::LongString(name.into()));
    arguments
}

/// What a broker says of the first argument that a queue has otherwise than asked, without its preamble; none where it refuses for another
/// reason.
fn difference(said: &str) -> Option<String> {
    said.find("inequivalent arg").map(|at| said[at..].to_owned())
}
