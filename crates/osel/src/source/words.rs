//! What the task of a source is told and what it tells, whatever it reads from: `intake` drives all of them by the same words.
//!
//! A bus is what messages come from: a broker, or a file in which another program records one. What only one kind of bus has (an
//! exchange, publishers that are held back) the others never tell.

use std::time::Duration;

use osel_core::intake::{BrokerTrouble, ConnectionNumber, GapCause, QueueReport};

use super::decoding::Prepared;
use super::place::Place;

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
    /// So many hosts there are by now.
    Hosts(usize),
    /// This is the host that is connected to next: its name and port.
    Host(String),
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
    /// So many messages wait at the broker.
    Waiting(u64),
    /// The next report says that the queue is not bound to all it should be: to these it is not.
    Unbound(Vec<String>),
    /// So many exchanges are bound.
    Bound(usize),
    /// Something about an exchange is new.
    Exchange(Change),
    /// A bus that ends has ended, and all that came from it is acknowledged.
    Ended,
    /// The task has broken down, with what it said last: it tells nothing more, and takes no order.
    Failed(String),
}

/// A message with its place on its connection.
#[derive(Debug)]
pub struct Arrived {
    /// Its number on the connection.
    pub tag: u64,
    /// The size of its body as received.
    pub bytes: usize,
    /// The message, decoded.
    pub message: Prepared,
    /// Where it ends in what is read from a place on; none for a queue.
    pub place: Option<Place>,
}

/// What changed about exchanges and our queue, to be told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is bound now.
    Bound(String),
    /// It was bound and is not there any more.
    Gone(String),
    /// The broker does not let us read it.
    Denied(String),
    /// The broker does not let us bind our own queue to it.
    Forbidden(String),
    /// None of the exchanges is bound, and these are not there.
    Unheard(Vec<String>),
    /// One of them is bound now.
    Heard,
    /// It is not wanted any more, and unbound.
    Released(String),
    /// It is not wanted any more, and the broker does not let us unbind it.
    Held(String),
    /// Our queue was made otherwise than it would be now; what differs, in the broker's words.
    Otherwise(String),
    /// Somebody else takes messages off our queue.
    Shared,
    /// Nobody else does any more.
    Alone,
}
