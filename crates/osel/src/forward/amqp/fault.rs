//! What goes wrong with a broker, and what is to be done about it.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use osel_core::forward::{Refusal, RefusalKind};
use osel_core::intake::BrokerTrouble;
use osel_core::scan::{TEXT_CHARS_MAX, cut};

use crate::amqp::{DialError, trouble_of};
use crate::telemetry::chain;

/// How RabbitMQ words that a message is larger than it takes (`max_message_size`); its code alone says nothing of it.
const TOO_LARGE: &str = "message size";

/// What went wrong.
#[derive(Clone, Debug)]
pub(super) struct AmqpFault {
    kind: RefusalKind,
    words: String,
    /// Whether it is said of one message, while others may be taken.
    pub(super) is_of_one: bool,
}

impl AmqpFault {
    pub(super) fn new(kind: RefusalKind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into(), is_of_one: false }
    }

    /// There is no connection.
    pub(super) fn of_dial(error: &DialError) -> Self {
        let kind = match error.trouble() {
            BrokerTrouble::Unreachable if matches!(error, DialError::Slow(_)) => RefusalKind::Silent,
            trouble => kind_of(trouble),
        };
        Self::new(kind, chain(error))
    }

    /// What was tried, and an error of the connection or the channel.
    pub(super) fn of(what: &str, error: &lapin::Error) -> Self {
        Self::new(kind_of_error(error), format!("{what}: {error}"))
    }

    /// The broker will not have a message.
    pub(super) fn refused() -> Self {
        let words = "the broker refuses to keep a message (basic.nack): a queue is full and has `overflow = reject-publish`, or its leader is \
                     away";
        Self { is_of_one: true, ..Self::new(RefusalKind::Unavailable, words) }
    }

    /// No queue is bound for a message.
    pub(super) fn unroutable(routing_key: &str, says: &str) -> Self {
        let words = format!(
            "no queue is bound for routing key `{routing_key}` ({says}): bind one, or write unroutable = \"accept\""
        );
        Self { is_of_one: true, ..Self::new(RefusalKind::Misplaced, words) }
    }

    /// The refusal of a batch of which so many items were taken.
    pub(super) fn refusal(self, place: &str, taken: usize) -> Refusal {
        let words = cut(&format!("`{place}`: {}", self.words), TEXT_CHARS_MAX);
        Refusal { kind: self.kind, words, taken, wait: None }
    }
}

fn kind_of_error(error: &lapin::Error) -> RefusalKind {
    if let ErrorKind::ProtocolError(said) = error.kind() {
        match said.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED)
                if said.get_message().as_str().contains(TOO_LARGE) =>
            {
                return RefusalKind::TooLarge;
            }
            AMQPErrorKind::Soft(AMQPSoftError::CONTENTTOOLARGE) => return RefusalKind::TooLarge,
            // An exchange that is another than was asked for, or one that nobody may publish to.
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED | AMQPSoftError::RESOURCELOCKED) => {
                return RefusalKind::Denied;
            }
            _ => {}
        }
    }
    kind_of(trouble_of(error))
}

fn kind_of(trouble: BrokerTrouble) -> RefusalKind {
    match trouble {
        BrokerTrouble::Silent => RefusalKind::Silent,
        // `Cancelled` is what is not there: of a forwarder, its exchange.
        BrokerTrouble::Untrusted | BrokerTrouble::Denied | BrokerTrouble::Cancelled => RefusalKind::Denied,
        BrokerTrouble::Disorder => RefusalKind::Garbled,
        _ => RefusalKind::Unavailable,
    }
}
