//! What the task of a source is told, what it tells, and what it has to know for that.

use std::sync::Arc;
use std::time::Duration;

use osel_core::intake::{BrokerTrouble, ConnectionNumber, GapCause, QueueReport};
use osel_core::time::Timestamp;
use tokio::time::Instant;

use super::dial::Address;
use super::exchange::{Change, Now};
use super::message::Arrived;
use super::topology::Wanted;

/// What a source needs to know.
pub struct Settings {
    /// The source's name.
    pub source: Arc<str>,
    /// The region it belongs to.
    pub region: Option<Arc<str>>,
    /// What has to be in place.
    pub wanted: Wanted,
    /// The longest time for a connection to stand, and for a look at the broker.
    pub connect_time: Duration,
    /// The address of a host by its index; asked for each attempt, since passwords change.
    pub address: Arc<dyn Fn(usize) -> Result<Address, String> + Send + Sync>,
    /// The system's clock.
    pub clock: fn() -> Timestamp,
}

impl Settings {
    /// The present moment, by the clock that people read and by one that is never set.
    pub(super) fn now(&self) -> Now {
        Now { time: (self.clock)(), moment: Instant::now() }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusOrder {
    /// Connect after that time.
    ConnectIn {
        /// The time to wait.
        wait: Duration,
        /// The host's index.
        host: usize,
        /// What the connection is called.
        connection: ConnectionNumber,
    },
    /// Close the connection, or do not make it.
    Disconnect(ConnectionNumber),
    /// Put queue and bindings right, then look at them.
    Mend {
        /// By which connection.
        connection: ConnectionNumber,
        /// Why.
        why: GapCause,
    },
    /// Hand over no more messages.
    Pause,
    /// Hand them over again.
    Resume,
    /// All deliveries up to this one are durable.
    Acknowledge {
        /// Of which connection.
        connection: ConnectionNumber,
        /// The last of them.
        up_to: u64,
    },
}

/// What happened.
#[derive(Debug)]
pub enum BusEvent {
    /// A connection stands.
    Connected {
        /// Which.
        connection: ConnectionNumber,
        /// How the queue was found.
        report: QueueReport,
    },
    /// A connection could not be made.
    ConnectFailed {
        /// Which.
        connection: ConnectionNumber,
        /// Why.
        why: BrokerTrouble,
        /// In words.
        detail: String,
    },
    /// A connection is gone.
    Lost {
        /// Which.
        connection: ConnectionNumber,
        /// Why.
        why: BrokerTrouble,
        /// In words.
        detail: String,
    },
    /// The queue was looked at.
    Checked {
        /// By which connection.
        connection: ConnectionNumber,
        /// How it was found.
        report: QueueReport,
    },
    /// The broker holds publishers back.
    Blocked(ConnectionNumber),
    /// It does so no longer.
    Unblocked(ConnectionNumber),
    /// Messages, in the order of their tags.
    Arrived {
        /// By which connection.
        connection: ConnectionNumber,
        /// The messages.
        messages: Vec<Arrived>,
    },
    /// Something about an exchange is new.
    Exchange(Change),
}
