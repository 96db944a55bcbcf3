//! The types of receivers: one line each, here and where they are built.

use osel_core::format::Format;

use super::super::keys;
use super::super::section::Section;
use super::amqp::{self, AmqpConfig};
use super::file::{self, FileReceiverConfig};
use super::hec::{self, HecConfig};
use super::kafka::{self, KafkaConfig};
use super::syslog::{self, SyslogConfig};
use super::webhook::{self, WebhookConfig};

/// What a receiver is, with what only receivers of its type have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverConfig {
    /// A file of this machine.
    File(Box<FileReceiverConfig>),
    /// A syslog server.
    Syslog(Box<SyslogConfig>),
    /// Splunk.
    Hec(Box<HecConfig>),
    /// Any receiver of requests over HTTP.
    Webhook(Box<WebhookConfig>),
    /// An exchange of a broker.
    Amqp(Box<AmqpConfig>),
    /// A topic of Kafka.
    Kafka(Box<KafkaConfig>),
}

/// All types.
const TYPES: &[Type] = &[file::TYPE, syslog::TYPE, hec::TYPE, webhook::TYPE, amqp::TYPE, kafka::TYPE];

/// A type of receiver, as its file here describes it.
pub(in crate::config) struct Type {
    /// Its name in the configuration.
    pub(in crate::config) name: &'static str,
    /// What stands about it in the example and the reference.
    pub(in crate::config) section: keys::Section,
    /// Its own keys, with paths `forward.TYPE.KEY`.
    pub(in crate::config) keys: &'static [keys::Key],
    /// Reads its own keys from the forwarder's table.
    pub(in crate::config) read: fn(&mut Section<'_>) -> Option<ReceiverConfig>,
    /// The form of records when nobody says otherwise.
    pub(in crate::config) format: Format,
}

impl ReceiverConfig {
    /// Its name in the configuration.
    pub fn as_str(&self) -> &'static str {
        self.of_type().name
    }

    fn of_type(&self) -> &'static Type {
        match self {
            Self::File(_) => &file::TYPE,
            Self::Syslog(_) => &syslog::TYPE,
            Self::Hec(_) => &hec::TYPE,
            Self::Webhook(_) => &webhook::TYPE,
            Self::Amqp(_) => &amqp::TYPE,
            Self::Kafka(_) => &kafka::TYPE,
        }
    }
}

/// All types, in the order of the reference.
pub(in crate::config) fn types() -> &'static [Type] {
    TYPES
}
