//! One source's way to its broker: carries out what `intake` orders, and tells what happens.
//!
//! One task, one connection at a time, one channel on which it consumes. It decides nothing: when to connect, when to mend, what to
//! acknowledge are orders. It never reconnects by itself, and the AMQP library must not either: delivery tags begin anew with
//! each connection.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer, Event};
use osel_core::intake::{
    BATCH_MESSAGES, BATCHES_IN_FLIGHT, BrokerTrouble, ConnectionNumber, GapCause, Queue, QueueReport,
};
use osel_core::time::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::StreamExt;

use super::message::Reader;
use super::settings::Settings;
use super::topology::{Look, Topology};
use crate::amqp::{DialError, Keeper, dial, trouble_of};
use crate::source::words::{Arrived, BusEvent, BusOrder, Change};
use crate::telemetry::chain;

/// How many messages the broker sends ahead: what can be in batches at one time and once more a batch on the way. With less the store
/// would wait for the network, with more nothing would be faster; the bytes are bounded by the gate.
const PREFETCH: u16 = ((BATCHES_IN_FLIGHT + 2) * BATCH_MESSAGES) as u16;
/// The most messages that are handed over at once.
const CHUNK_MESSAGES: usize = 256;
/// How long a broker may take to close a connection that is given up.
const CLOSE_TIME: Duration = Duration::from_millis(500);
/// After how long a look at the queue is tried again that could not be made.
const CHECK_AGAIN: Duration = Duration::from_secs(1);
/// After how many looks that show no consumer ours has ended: while a quorum queue has no leader, RabbitMQ says that it has neither messages
/// nor consumers.
const LOOKS_WITHOUT_US_MAX: u32 = 2;
/// For how many heartbeats a second consumer may be one of ours whose connection has broken: the broker lets it go after two.
const HEARTBEATS_OF_A_BROKEN_ONE: u32 = 3;
/// The same where there are no heartbeats.
const BROKEN_TIME: Duration = Duration::from_secs(180);

/// Runs until the sender of orders is gone.
pub async fn run(
    settings: Settings,
    mut orders: UnboundedReceiver<BusOrder>,
    tell: impl Fn(BusEvent) + Send,
) {
    let topology = Topology::new(settings.wanted.clone());
    let mut link = Link { settings, topology, up: None, due: None, is_paused: false, tell };
    loop {
        let happened = tokio::select! {
            order = orders.recv() => match order {
                Some(order) => Happened::Order(order),
                None => break,
            },
            () = until(link.due.map(|due| due.at)) => Happened::Due,
            happened = Up::next(&mut link.up, link.is_paused) => happened,
        };
        match happened {
            Happened::Order(order) => link.obey(order).await,
            Happened::Due => link.connect(&mut orders).await,
            Happened::Delivery(delivery) => link.hand_over(*delivery),
            Happened::Ended(why, detail) => link.lost(why, &detail),
            Happened::Blocked(is_blocked) => link.blocked(is_blocked),
            Happened::CheckDue => link.check().await,
            Happened::Nothing => {}
        }
    }
    if let Some(up) = link.up.take() {
        up.close().await;
    }
}

enum Happened {
    Order(BusOrder),
    Due,
    Delivery(Box<Delivery>),
    Ended(BrokerTrouble, String),
    Blocked(bool),
    CheckDue,
    Nothing,
}

/// Why a connection is at its end, and in words.
type Ended = (BrokerTrouble, String);

/// Why a consumer's stream has ended.
fn ended(connection: &Connection, error: Option<lapin::Error>) -> Ended {
    match error {
        Some(error) => (trouble_of(&error), error.to_string()),
        None if connection.status().connected() => {
            (BrokerTrouble::Cancelled, "the broker has ended the consumer".to_owned())
        }
        None => (BrokerTrouble::Closed, "the connection has ended".to_owned()),
    }
}

/// A connection to be made.
#[derive(Clone, Copy)]
struct Due {
    at: Instant,
    host: usize,
    connection: ConnectionNumber,
}

struct Link<T> {
    settings: Settings,
    topology: Topology,
    up: Option<Up>,
    due: Option<Due>,
    is_paused: bool,
    tell: T,
}

/// A connection that stands.
struct Up {
    number: ConnectionNumber,
    /// Host and port.
    place: String,
    connection: Connection,
    channel: Channel,
    consumer: Option<Consumer>,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
    gate: Keeper,
    /// Tags and sizes of what was handed over and is not acknowledged.
    open: VecDeque<(u64, u64)>,
    reader: Reader,
    check_at: Instant,
    /// How many looks in a row showed no consumer though we are one.
    looks_without_us: u32,
    /// How long the broker may keep a consumer of ours whose connection has broken.
    broken_time: Duration,
    /// Since when somebody else consumes, and whether that was told.
    shared: Option<(Instant, bool)>,
}

impl Up {
    /// What happens next on a connection; nothing where there is none.
    async fn next(up: &mut Option<Self>, is_paused: bool) -> Happened {
        let Some(up) = up else { return pending().await };
        let Up { consumer, events, check_at, connection, .. } = up;
        let delivery = async {
            match consumer {
                Some(consumer) if !is_paused => consumer.next().await,
                _ => pending().await,
            }
        };
        tokio::select! {
            delivery = delivery => match delivery {
                Some(Ok(delivery)) => Happened::Delivery(Box::new(delivery)),
                end => {
                    let (why, detail) = ended(connection, end.and_then(Result::err));
                    Happened::Ended(why, detail)
                }
            },
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(_)) => Happened::Blocked(true),
                Some(Event::ConnectionUnblocked) => Happened::Blocked(false),
                // What ended only a channel is told to whoever used it.
                Some(Event::Error(error)) if !connection.status().connected() => {
                    Happened::Ended(trouble_of(&error), error.to_string())
                }
                Some(_) => Happened::Nothing,
                None => Happened::Ended(BrokerTrouble::Closed, "the connection ended".to_owned()),
            },
            () = sleep_until(*check_at) => Happened::CheckDue,
        }
    }

    /// Takes what has arrived by now, beginning with `first`, and says why nothing more will come, if that is so.
    fn take(
        &mut self,
        first: Option<Delivery>,
        settings: &Settings,
        topology: &mut Topology,
    ) -> (Vec<Arrived>, Option<Ended>) {
        let mut messages = Vec::new();
        let now = (settings.clock)();
        let mut next = first;
        while messages.len() < CHUNK_MESSAGES {
            if next.is_none() {
                let Some(consumer) = &mut self.consumer else { break };
                next = match ready_now(consumer.next()) {
                    None => break,
                    Some(Some(Ok(delivery))) => Some(delivery),
                    Some(end) => return (messages, Some(ended(&self.connection, end.and_then(Result::err)))),
                };
            }
            let Some(delivery) = next.take() else { break };
            topology.heard(delivery.exchange.as_str(), delivery.routing_key.as_str());
            let arrived = self.reader.read(delivery, now);
            self.open.push_back((arrived.tag, arrived.bytes as u64));
            messages.push(arrived);
        }
        (messages, None)
    }

    /// What is to be told of somebody who consumes besides us: a copy of our store, or a second source for the same bus, which takes
    /// messages that are missing here then.
    fn take_sharing(&mut self, is_shared: bool) -> Option<Change> {
        if !is_shared {
            return self.shared.take().filter(|(_, is_told)| *is_told).map(|_| Change::Alone);
        }
        let (since, is_told) = self.shared.get_or_insert((Instant::now(), false));
        let is_due = !*is_told && since.elapsed() >= self.broken_time;
        *is_told |= is_due;
        is_due.then_some(Change::Shared)
    }

    async fn consume(&mut self, queue: &str) -> Result<(), lapin::Error> {
        self.channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let consumer =
            self.channel.basic_consume(queue.into(), "osel".into(), options, FieldTable::default()).await?;
        self.consumer = Some(consumer);
        Ok(())
    }

    async fn close(self) {
        // Whether it answers or not: what is not acknowledged comes again.
        let _ = timeout(CLOSE_TIME, self.connection.close(200, "OK".into())).await;
    }
}

impl<T: Fn(BusEvent) + Send> Link<T> {
    async fn obey(&mut self, order: BusOrder) {
        match order {
            BusOrder::ConnectIn { wait, host, connection } => {
                self.due = Some(Due { at: Instant::now() + wait, host, connection });
            }
            BusOrder::Disconnect(connection) => {
                self.due = self.due.filter(|due| due.connection != connection);
                if let Some(up) = self.up.take_if(|up| up.number == connection) {
                    up.close().await;
                }
            }
            BusOrder::Mend { connection, why } => self.mend(connection, why).await,
            BusOrder::Pause => self.is_paused = true,
            BusOrder::Resume => self.is_paused = false,
            BusOrder::Acknowledge { connection, up_to } => self.acknowledge(connection, up_to).await,
        }
    }

    /// Makes the connection that is due, unless an order says otherwise meanwhile.
    async fn connect(&mut self, orders: &mut UnboundedReceiver<BusOrder>) {
        let Some(Due { host, connection, .. }) = self.due else { return };
        self.due = None;
        let outcome = {
            let Self { settings, topology, is_paused, tell, .. } = self;
            let mut attempt = std::pin::pin!(attempt(settings, topology, (host, connection), tell));
            loop {
                tokio::select! {
                    outcome = &mut attempt => break Some(outcome),
                    order = orders.recv() => match order {
                        Some(BusOrder::Disconnect(number)) if number == connection => break None,
                        Some(BusOrder::Pause) => *is_paused = true,
                        Some(BusOrder::Resume) => *is_paused = false,
                        // Of a connection that is no more.
                        Some(_) => {}
                        None => break None,
                    },
                }
            }
        };
        match outcome {
            None => {}
            Some(Ok((up, waiting, report))) => {
                self.tell_changes();
                (self.tell)(BusEvent::Connected { connection, report });
                (self.tell)(BusEvent::Waiting(waiting.into()));
                let has_queue = report.queue != Queue::Missing;
                self.up = Some(up);
                if has_queue {
                    self.consume().await;
                }
            }
            Some(Err((why, detail))) => (self.tell)(BusEvent::ConnectFailed { connection, why, detail }),
        }
    }

    async fn consume(&mut self) {
        let Some(up) = &mut self.up else { return };
        let consuming = timeout(self.settings.connect_time, up.consume(self.topology.queue())).await;
        self.end_unless(consuming);
    }

    async fn mend(&mut self, connection: ConnectionNumber, why: GapCause) {
        let Some(up) = self.up.as_mut().filter(|up| up.number == connection) else { return };
        let now = self.settings.now();
        let mending = self.topology.mend(&up.connection, why, now);
        let mended = timeout(self.settings.connect_time, mending).await;
        let is_consuming = up.consumer.is_some();
        self.tell_changes();
        if !self.end_unless(mended) {
            return;
        }
        if !is_consuming {
            self.reopen_channel().await;
            self.consume().await;
        }
        self.check().await;
    }

    /// A look at a queue that was not there has ended the channel.
    async fn reopen_channel(&mut self) {
        let Some(up) = &mut self.up else { return };
        if up.channel.status().connected() {
            return;
        }
        let opened = timeout(self.settings.connect_time, up.connection.create_channel()).await;
        let opened = opened.map(|opened| opened.map(|channel| up.channel = channel));
        self.end_unless(opened);
    }

    async fn check(&mut self) {
        let Some(up) = &mut self.up else { return };
        if up.gate.is_full() {
            // The answer could not be read either: once there is room.
            up.check_at = Instant::now() + CHECK_AGAIN;
            return;
        }
        let now = self.settings.now();
        let looking = self.topology.look(&up.connection, &up.channel, up.consumer.is_some(), now);
        let look = match timeout(self.settings.connect_time, looking).await {
            Ok(Ok(look)) => look,
            Ok(Err(error)) => return self.lost(trouble_of(&error), &error.to_string()),
            Err(_) => return self.lost(BrokerTrouble::Silent, "the broker did not answer"),
        };
        self.tell_changes();
        let Some(up) = &mut self.up else { return };
        up.check_at = look_at(&self.topology);
        let is_consuming = up.consumer.is_some();
        if look.queue == Queue::Missing && is_consuming {
            return self.lost(BrokerTrouble::Cancelled, "the queue is gone");
        }
        // What was on its way before the answer comes first.
        let mut is_here = is_consuming && !self.is_paused;
        while is_here {
            let (messages, end) = up.take(None, &self.settings, &mut self.topology);
            is_here = messages.len() == CHUNK_MESSAGES;
            if !messages.is_empty() {
                (self.tell)(BusEvent::Arrived { connection: up.number, messages });
            }
            if let Some((why, detail)) = end {
                return self.lost(why, &detail);
            }
        }
        up.looks_without_us = if is_consuming && look.consumers == 0 { up.looks_without_us + 1 } else { 0 };
        if up.looks_without_us >= LOOKS_WITHOUT_US_MAX {
            // Its end may have been told while nobody listened, or never.
            return self.lost(BrokerTrouble::Cancelled, "the broker has ended the consumer");
        }
        if let Some(change) = up.take_sharing(is_consuming && look.consumers > 1) {
            (self.tell)(BusEvent::Exchange(change));
        }
        // Without us among the consumers the broker's numbers are none.
        let is_all = is_consuming && !self.is_paused && look.consumers == 1;
        (self.tell)(BusEvent::Waiting(u64::from(look.messages)));
        let report = report(look, now.time, is_all, &self.tell);
        (self.tell)(BusEvent::Checked { connection: up.number, report });
    }

    fn hand_over(&mut self, first: Delivery) {
        let Some(up) = &mut self.up else { return };
        let (messages, end) = up.take(Some(first), &self.settings, &mut self.topology);
        (self.tell)(BusEvent::Arrived { connection: up.number, messages });
        if let Some((why, detail)) = end {
            self.lost(why, &detail);
        }
    }

    async fn acknowledge(&mut self, connection: ConnectionNumber, up_to: u64) {
        let Some(up) = self.up.as_mut().filter(|up| up.number == connection) else { return };
        let mut bytes = 0;
        while let Some((_, size)) = up.open.pop_front_if(|(tag, _)| *tag <= up_to) {
            bytes += size;
        }
        up.gate.release(bytes);
        let acknowledging = up.channel.basic_ack(up_to, BasicAckOptions { multiple: true });
        let acknowledged = timeout(self.settings.connect_time, acknowledging).await;
        self.end_unless(acknowledged);
    }

    fn blocked(&mut self, is_blocked: bool) {
        if let Some(up) = &self.up {
            let event = if is_blocked { BusEvent::Blocked } else { BusEvent::Unblocked };
            (self.tell)(event(up.number));
        }
    }

    /// Ends the connection where something did not go well; whether it goes on.
    fn end_unless<V>(
        &mut self,
        outcome: Result<Result<V, lapin::Error>, tokio::time::error::Elapsed>,
    ) -> bool {
        match outcome {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                self.lost(trouble_of(&error), &error.to_string());
                false
            }
            Err(_) => {
                self.lost(BrokerTrouble::Silent, "the broker did not answer");
                false
            }
        }
    }

    fn lost(&mut self, why: BrokerTrouble, detail: &str) {
        if let Some(up) = self.up.take() {
            let connection = up.number;
            let detail = format!("`{}`: {detail}", up.place);
            // In its own time: a broker that is gone does not answer.
            tokio::spawn(up.close());
            (self.tell)(BusEvent::Lost { connection, why, detail });
        }
    }

    fn tell_changes(&mut self) {
        (self.tell)(BusEvent::Bound(self.topology.bound_count()));
        for change in self.topology.take_changes(Instant::now()) {
            (self.tell)(BusEvent::Exchange(change));
        }
    }
}

async fn attempt(
    settings: &Settings,
    topology: &mut Topology,
    (host, number): (usize, ConnectionNumber),
    tell: &impl Fn(BusEvent),
) -> Result<(Up, u32, QueueReport), (BrokerTrouble, String)> {
    // Files may lie on a disk that does not answer: not on a thread that others need.
    let asked = Arc::clone(&settings.address);
    let asking = timeout(settings.connect_time, tokio::task::spawn_blocking(move || asked(host)));
    let late = || (BrokerTrouble::Unreachable, "the configuration cannot be read".to_owned());
    let address = asking.await.map_err(|_| late())?.map_err(|_| late())?;
    let (address, hosts) = address.map_err(|detail| (BrokerTrouble::Denied, detail))?;
    let place = address.place();
    tell(BusEvent::Hosts(hosts));
    tell(BusEvent::Host(place.clone()));
    let failed = |error: DialError| (error.trouble(), chain(&error));
    let (connection, gate) = dial(&address, settings.connect_time).await.map_err(failed)?;
    let broke = |error: lapin::Error| (trouble_of(&error), format!("`{place}`: {error}"));
    let looking = async {
        let events = Box::pin(connection.events_listener());
        let mut channel = connection.create_channel().await?;
        let now = settings.now();
        topology.forget(now.moment);
        let look = topology.look(&connection, &channel, false, now).await?;
        if look.queue == Queue::Missing {
            channel = connection.create_channel().await?;
        }
        Ok((events, channel, look, now.time))
    };
    let silent = |_| (BrokerTrouble::Silent, format!("`{place}` did not answer"));
    let looked = timeout(settings.connect_time, looking).await.map_err(silent)?;
    let (events, channel, look, asked_at) = looked.map_err(broke)?;
    let up = Up {
        number,
        place,
        connection,
        channel,
        consumer: None,
        events,
        gate,
        open: VecDeque::new(),
        reader: Reader::new(Arc::clone(&settings.source), settings.region.clone()),
        check_at: look_at(topology),
        looks_without_us: 0,
        broken_time: match address.heartbeat {
            0 => BROKEN_TIME,
            seconds => Duration::from_secs(seconds.into()) * HEARTBEATS_OF_A_BROKEN_ONE,
        },
        shared: None,
    };
    // Whether it is empty is for a look that knows our consumer: an answer without a leader looks like an empty queue.
    Ok((up, look.messages, report(look, asked_at, false, tell)))
}

/// When to look again.
fn look_at(topology: &Topology) -> Instant {
    let now = Instant::now();
    now + topology.look_within(now)
}

fn report(look: Look, asked_at: Timestamp, is_here: bool, tell: &impl Fn(BusEvent)) -> QueueReport {
    if look.queue == Queue::Unbound {
        tell(BusEvent::Unbound(look.unbound));
    }
    QueueReport {
        queue: look.queue,
        asked_at,
        is_drained: is_here && look.messages == 0,
        unbound_since: look.unbound_since,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// What a future gives without waiting.
fn ready_now<F: Future>(future: F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}
