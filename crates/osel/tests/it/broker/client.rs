//! AMQP spoken directly: notifications in volume, and a look at queues that costs a millisecond.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::time::Duration;

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::ground::until;

/// So many messages may be unconfirmed: enough to hide the way to the broker and back.
const UNCONFIRMED_MAX: usize = 500;
/// For what the broker does at once, unless it is busy.
const LIMIT: Duration = Duration::from_secs(60);

/// A message as it was delivered.
#[derive(Debug)]
pub struct Message {
    pub exchange: String,
    pub routing_key: String,
    pub redelivered: bool,
    pub body: Vec<u8>,
    pub properties: BasicProperties,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody knows: it was not confirmed.
    Unknown,
    /// Confirmed, and nobody knows whether it is in a queue.
    Taken,
    /// Confirmed, and in at least one queue.
    Queued,
    /// Confirmed, and in no queue.
    Unrouted,
}

/// A connection to a broker. Each call has a channel of its own, since a broker closes the channel of one that fails.
pub struct Client {
    connection: Connection,
    runtime: Runtime,
    /// How long a call may take: a broker that ends just then may leave it without an answer.
    limit: Duration,
}

impl Client {
    /// Connects by a URL such as `Node::url`.
    pub fn connect(url: &str) -> lapin::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let connection = runtime.block_on(Connection::connect(url, ConnectionProperties::default()))?;
        Ok(Self { connection, runtime, limit: LIMIT })
    }

    /// As [`Self::connect`] for a broker that may be about to stop, which takes connections and never answers; nothing where there is
    /// no connection within the limit, which holds for every call as well.
    pub fn connect_within(url: &str, limit: Duration) -> Option<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let connecting = Connection::connect(url, ConnectionProperties::default());
        let connection = runtime.block_on(async { timeout(limit, connecting).await }).ok()?.ok()?;
        Some(Self { connection, runtime, limit })
    }

    fn with<T>(&self, call: impl AsyncFnOnce(&Channel) -> lapin::Result<T>) -> lapin::Result<T> {
        let calling = async {
            let channel = self.connection.create_channel().await?;
            let result = call(&channel).await;
            if result.is_ok() {
                channel.close(200, "done".into()).await?;
            }
            result
        };
        let late = || Err(io::Error::from(io::ErrorKind::TimedOut).into());
        self.runtime.block_on(async { timeout(self.limit, calling).await.unwrap_or_else(|_| late()) })
    }

    /// Whether the connection is there, as far as this side knows.
    pub fn is_connected(&self) -> bool {
        self.connection.status().connected()
    }

    /// Declares a topic exchange, as oslo.messaging does when `durable` is false.
    pub fn declare_exchange(&self, name: &str, durable: bool) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions { durable, ..Default::default() };
        self.declare_exchange_with(name, options)
    }

    /// Asks whether an exchange is there; an error when it is not.
    pub fn expect_exchange(&self, name: &str) -> lapin::Result<()> {
        self.declare_exchange_with(name, ExchangeDeclareOptions { passive: true, ..Default::default() })
    }

    fn declare_exchange_with(&self, name: &str, options: ExchangeDeclareOptions) -> lapin::Result<()> {
        self.with(async |channel| {
            let table = FieldTable::default();
            channel.exchange_declare(name.into(), ExchangeKind::Topic, options, table).await
        })
    }

    pub fn delete_exchange(&self, name: &str) -> lapin::Result<()> {
        self.with(async |channel| {
            channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await
        })
    }

    /// Declares a durable queue of this type: `classic`, `quorum`.
    pub fn declare_queue(&self, name: &str, kind: &str) -> lapin::Result<()> {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.with(async |channel| channel.queue_declare(name.into(), options, arguments).await.map(|_| ()))
    }

    pub fn delete_queue(&self, name: &str) -> lapin::Result<()> {
        self.with(async |channel| {
            channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.map(|_| ())
        })
    }

    pub fn bind(&self, queue: &str, exchange: &str, routing_key: &str) -> lapin::Result<()> {
        self.with(async |channel| {
            let (options, table) = (QueueBindOptions::default(), FieldTable::default());
            channel.queue_bind(queue.into(), exchange.into(), routing_key.into(), options, table).await
        })
    }

    pub fn unbind(&self, queue: &str, exchange: &str, routing_key: &str) -> lapin::Result<()> {
        self.with(async |channel| {
            let table = FieldTable::default();
            channel.queue_unbind(queue.into(), exchange.into(), routing_key.into(), table).await
        })
    }

    /// Messages that wait in a queue, and its consumers; an error when it is not there.
    pub fn queue(&self, name: &str) -> lapin::Result<(u32, u32)> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        self.with(async |channel| {
            let queue = channel.queue_declare(name.into(), options, FieldTable::default()).await?;
            Ok((queue.message_count(), queue.consumer_count()))
        })
    }

    /// Waits until so many messages wait in a queue.
    #[track_caller]
    pub fn await_messages(&self, queue: &str, count: u32) {
        until(&format!("{count} messages in `{queue}`"), LIMIT, || {
            self.queue(queue).is_ok_and(|(messages, _)| messages == count)
        });
    }

    /// Takes the next message off a queue, or nothing when none waits.
    pub fn take(&self, queue: &str) -> lapin::Result<Option<Message>> {
        self.with(async |channel| {
            let message = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await?;
            Ok(message.map(|message| Message {
                exchange: message.delivery.exchange.to_string(),
                routing_key: message.delivery.routing_key.to_string(),
                redelivered: message.delivery.redelivered,
                body: message.delivery.data,
                properties: message.delivery.properties,
            }))
        })
    }

    /// Publishes bodies to an exchange, persistent as oslo.messaging's, and tells for each whether the broker confirmed it. After an
    /// error nothing more is published, and what is unconfirmed may or may not have arrived.
    pub fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        bodies: &[impl AsRef<[u8]>],
    ) -> (Vec<bool>, lapin::Result<()>) {
        let mut confirms = Vec::with_capacity(bodies.len());
        let result = self.with(async |channel| {
            send(channel, exchange, routing_key, bodies, BasicPublishOptions::default(), &mut confirms).await
        });
        let mut confirmed: Vec<bool> = confirms.iter().map(Confirmation::is_ack).collect();
        confirmed.resize(bodies.len(), false);
        (confirmed, result)
    }

    /// As [`Self::publish`], and asks the broker to give back what reaches no queue. Bodies differ from one another.
    pub fn publish_to_queues(
        &self,
        exchange: &str,
        routing_key: &str,
        bodies: &[impl AsRef<[u8]>],
    ) -> Vec<Fate> {
        let mut confirms = Vec::with_capacity(bodies.len());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        // After an error, or too late, what is confirmed is confirmed.
        let _ = self
            .with(async |channel| send(channel, exchange, routing_key, bodies, options, &mut confirms).await);
        let mut fates: Vec<Fate> = confirms
            .iter()
            .map(|confirm| if confirm.is_ack() { Fate::Queued } else { Fate::Unknown })
            .collect();
        fates.resize(bodies.len(), Fate::Unknown);
        // The library hands what came back to whichever confirm is next.
        let returned: HashSet<Vec<u8>> = confirms
            .into_iter()
            .filter_map(Confirmation::take_message)
            .map(|returned| returned.delivery.data)
            .collect();
        for (fate, body) in fates.iter_mut().zip(bodies) {
            if *fate == Fate::Queued && returned.contains(body.as_ref()) {
                *fate = Fate::Unrouted;
            }
        }
        fates
    }
}

/// Publishes, and notes what is confirmed as it comes.
async fn send(
    channel: &Channel,
    exchange: &str,
    routing_key: &str,
    bodies: &[impl AsRef<[u8]>],
    options: BasicPublishOptions,
    confirms: &mut Vec<Confirmation>,
) -> lapin::Result<()> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut open = VecDeque::new();
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_delivery_mode(2);
    for body in bodies {
        if open.len() == UNCONFIRMED_MAX {
            let oldest: lapin::PublisherConfirm = open.pop_front().expect("it is full");
            confirms.push(oldest.await?);
        }
        let (exchange, key) = (exchange.into(), routing_key.into());
        let properties = properties.clone();
        open.push_back(channel.basic_publish(exchange, key, options, body.as_ref(), properties).await?);
    }
    for confirm in open {
        confirms.push(confirm.await?);
    }
    Ok(())
}
