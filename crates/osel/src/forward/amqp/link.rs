//! The connection to the broker, with the exchange seen to.

use std::time::Duration;

use lapin::options::{ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ExchangeKind};
use osel_core::forward::RefusalKind;
use tokio::time::timeout;

use super::fault::AmqpFault;
use crate::amqp::{Address, Keeper, dial};
use crate::config::{AmqpConfig, AmqpExchangeKind, BrokerHost};

/// A broker that is there answers sooner, also across regions; the next host is tried after this time.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long it may take until the exchange is seen to.
const EXCHANGE_TIME: Duration = Duration::from_secs(10);
/// How long an end in order may take: a stopping osel has two seconds.
const CLOSE_TIME: Duration = Duration::from_millis(1500);

/// A connection that stands, and its one channel, on which the broker confirms.
pub(super) struct Link {
    connection: Connection,
    pub(super) channel: Channel,
    /// What the library reads ends with it.
    _keeper: Keeper,
}

impl Link {
    /// Connects to one of the hosts and sees to the exchange.
    pub(super) async fn connect(config: &AmqpConfig, host: &BrokerHost) -> Result<Self, AmqpFault> {
        let address = Address {
            host: host.host.clone(),
            port: host.port,
            user: host.user.clone(),
            password: host.password.expose().to_owned(),
            vhost: config.url.vhost.clone(),
            tls: config.tls.clone(),
            heartbeat: config.heartbeat_seconds,
        };
        let dialled = dial(&address, CONNECT_TIME).await;
        let (connection, keeper) = dialled.map_err(|error| AmqpFault::of_dial(&error))?;
        let channel = timeout(EXCHANGE_TIME, prepared(&connection, config)).await;
        let slow = |_| AmqpFault::new(RefusalKind::Silent, "it does not answer in time");
        Ok(Self { channel: channel.map_err(slow)??, connection, _keeper: keeper })
    }

    /// Whether it stands, as far as is known.
    pub(super) fn is_up(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Whether the broker has said that it takes nothing for now.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Ends it in order.
    pub(super) async fn close(self) {
        // A broker that is away is left all the same.
        let _ = timeout(CLOSE_TIME, self.connection.close(200, "OK".into())).await;
    }
}

/// A channel on which the broker confirms, and on which the exchange was found or made.
async fn prepared(connection: &Connection, config: &AmqpConfig) -> Result<Channel, AmqpFault> {
    let failed = |error: lapin::Error| AmqpFault::of("cannot open a channel", &error);
    let channel = connection.create_channel().await.map_err(failed)?;
    channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(failed)?;
    let exchange = &config.exchange;
    let (kind, options, tried) = match config.declare {
        None => (
            // Of one that is only asked for, the kind does not matter.
            ExchangeKind::Topic,
            ExchangeDeclareOptions { passive: true, ..Default::default() },
            format!("exchange `{exchange}` cannot be had: make it, or have osel make it by `declare`"),
        ),
        Some(kind) => (
            kind_of(kind),
            ExchangeDeclareOptions { durable: true, ..Default::default() },
            format!("exchange `{exchange}` cannot be declared"),
        ),
    };
    let declared = channel.exchange_declare(exchange.as_str().into(), kind, options, FieldTable::default());
    declared.await.map_err(|error| AmqpFault::of(&tried, &error))?;
    Ok(channel)
}

fn kind_of(kind: AmqpExchangeKind) -> ExchangeKind {
    match kind {
        AmqpExchangeKind::Topic => ExchangeKind::Topic,
        AmqpExchangeKind::Direct => ExchangeKind::Direct,
        AmqpExchangeKind::Fanout => ExchangeKind::Fanout,
    }
}
