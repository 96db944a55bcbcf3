//! Questions to the broker whose answer may be "no".
//!
//! Each "no" ends the channel it was asked on, and so they have channels of their own. It decides nothing.

use lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

/// How the broker's texts name a queue or an exchange of ours.
const OURS: &str = "'osel.";

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// It is not.
    Absent,
    /// We may not read it.
    Denied,
    /// We may not do that with what is ours.
    Forbidden,
}

/// Asks, on a channel that is opened when it is needed.
pub struct Probe<'a> {
    connection: &'a Connection,
    channel: Option<Channel>,
}

impl<'a> Probe<'a> {
    /// Asks by this connection.
    pub fn new(connection: &'a Connection) -> Self {
        Self { connection, channel: None }
    }

    /// A channel that nobody consumes on.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn channel(&mut self) -> Result<&Channel, lapin::Error> {
        let channel = match self.channel.take() {
            Some(channel) => channel,
            None => self.connection.create_channel().await?,
        };
        Ok(self.channel.insert(channel))
    }

    /// Closes its channel. One that is only dropped may still be closing when the connection is, which then breaks off.
    pub async fn finish(self) {
        if let Some(channel) = self.channel {
            // It is closed either way.
            let _ = channel.close(200, "OK".into()).await;
        }
    }

    /// Whether an error was an answer that ended the channel only, so that something else can be tried on a new one.
    pub fn is_refused(&mut self, error: &lapin::Error) -> bool {
        let is_refused = error.is_amqp_error() && self.connection.status().connected();
        if is_refused {
            self.channel = None;
        }
        is_refused
    }

    /// Whether an exchange is there.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn exchange(&mut self, name: &str) -> Result<Presence, lapin::Error> {
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let channel = self.channel().await?;
        let asked =
            channel.exchange_declare(name.into(), ExchangeKind::Topic, passive, FieldTable::default()).await;
        self.presence(asked)
    }

    /// Sees to it that an exchange of ours is not there.
    ///
    /// # Errors
    /// When the connection breaks or the broker refuses it.
    pub async fn delete_exchange(&mut self, name: &str) -> Result<(), lapin::Error> {
        let options = ExchangeDeleteOptions::default();
        self.channel().await?.exchange_delete(name.into(), options).await
    }

    /// How many messages a queue has; none when it is not there.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn queue(&mut self, name: &str) -> Result<Option<u32>, lapin::Error> {
        Ok(self.queue_counts(name).await?.map(|(messages, _)| messages))
    }

    /// How many messages and how many consumers a queue has; none when it is not there.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn queue_counts(&mut self, name: &str) -> Result<Option<(u32, u32)>, lapin::Error> {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        match self.channel().await?.queue_declare(name.into(), passive, FieldTable::default()).await {
            Ok(queue) => Ok(Some((queue.message_count(), queue.consumer_count()))),
            Err(error) if is_soft(&error, &AMQPSoftError::NOTFOUND) => {
                self.channel = None;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Binds a queue to an exchange. Absent when one of the two is.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn bind(&mut self, queue: &str, exchange: &str, key: &str) -> Result<Presence, lapin::Error> {
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        let channel = self.channel().await?;
        let bound = channel.queue_bind(queue.into(), exchange.into(), key.into(), options, arguments).await;
        self.presence(bound)
    }

    /// Whether [`Self::bind`] would be allowed. Nothing but an attempt tells; the one without consequences is to remove a binding that
    /// nobody has: it needs the same permissions, and that it is not there is no error.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn may_bind(
        &mut self,
        queue: &str,
        exchange: &str,
        key: &str,
    ) -> Result<Presence, lapin::Error> {
        let mut arguments = FieldTable::default();
        // Bindings with other arguments are other bindings: ours has none.
        arguments.insert("osel-asks".into(), AMQPValue::Boolean(true));
        let channel = self.channel().await?;
        let asked = channel.queue_unbind(queue.into(), exchange.into(), key.into(), arguments).await;
        self.presence(asked)
    }

    /// Removes a binding, if it is there.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn unbind(&mut self, queue: &str, exchange: &str, key: &str) -> Result<Presence, lapin::Error> {
        let channel = self.channel().await?;
        let unbound =
            channel.queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default()).await;
        self.presence(unbound)
    }

    fn presence(&mut self, asked: Result<(), lapin::Error>) -> Result<Presence, lapin::Error> {
        let Err(error) = asked else { return Ok(Presence::There) };
        self.channel = None;
        if is_soft(&error, &AMQPSoftError::NOTFOUND) {
            Ok(Presence::Absent)
        } else if is_soft(&error, &AMQPSoftError::ACCESSREFUSED) {
            // It asks for permissions for both ends of a binding, and its text names the one that is missing.
            Ok(if error.to_string().contains(OURS) { Presence::Forbidden } else { Presence::Denied })
        } else {
            Err(error)
        }
    }
}

/// Whether the broker answered so.
pub fn is_soft(error: &lapin::Error, wanted: &AMQPSoftError) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(found) => found == wanted,
            AMQPErrorKind::Hard(_) => false,
        },
        _ => false,
    }
}
