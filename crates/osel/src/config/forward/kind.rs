//! The types of receivers: one line each, here and where they are built.

use std::path::Path;

use osel_core::format::Format;

use super::super::keys;
use super::super::section::Section;
use super::amqp::{self, AmqpConfig};
use super::chat::{self, ChatConfig};
use super::file::{self, FileReceiverConfig};
use super::hec::{self, HecConfig};
use super::kafka::{self, KafkaConfig};
use super::mail::{self, MailConfig};
use super::otlp::{self, OtlpConfig};
use super::people::NoticeConfig;
use super::s3::{self, S3Config};
use super::swift::{self, SwiftConfig};
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
    /// A container of Swift.
    Swift(Box<SwiftConfig>),
    /// A receiver of OpenTelemetry's logs.
    Otlp(Box<OtlpConfig>),
    /// A bucket of S3.
    S3(Box<S3Config>),
    /// Any receiver of requests over HTTP.
    Webhook(Box<WebhookConfig>),
    /// People, by mail.
    Mail(Box<MailConfig>),
    /// People, in a room for chat.
    Chat(Box<ChatConfig>),
    /// An exchange of a broker.
    Amqp(Box<AmqpConfig>),
    /// A topic of Kafka.
    Kafka(Box<KafkaConfig>),
}

/// All types.
const TYPES: &[Type] = &[
    file::TYPE,
    syslog::TYPE,
    hec::TYPE,
    webhook::TYPE,
    mail::TYPE,
    chat::SLACK,
    chat::MATTERMOST,
    chat::TEAMS,
    s3::TYPE,
    amqp::TYPE,
    swift::TYPE,
    otlp::TYPE,
    kafka::TYPE,
];

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

    /// The file that it writes, if it writes one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(&file.path),
            _ => None,
        }
    }

    /// What people are told, and when; none of a receiver for programs.
    pub fn notices(&self) -> Option<&NoticeConfig> {
        match self {
            Self::Mail(mail) => Some(&mail.notices),
            Self::Chat(chat) => Some(&chat.notices),
            Self::File(_)
            | Self::Syslog(_)
            | Self::Hec(_)
            | Self::Webhook(_)
            | Self::Swift(_)
            | Self::Otlp(_)
            | Self::Kafka(_)
            | Self::S3(_)
            | Self::Amqp(_) => None,
        }
    }

    fn of_type(&self) -> &'static Type {
        match self {
            Self::File(_) => &file::TYPE,
            Self::Syslog(_) => &syslog::TYPE,
            Self::Hec(_) => &hec::TYPE,
            Self::Swift(_) => &swift::TYPE,
            Self::Otlp(_) => &otlp::TYPE,
            Self::S3(_) => &s3::TYPE,
            Self::Webhook(_) => &webhook::TYPE,
            Self::Mail(_) => &mail::TYPE,
            Self::Chat(chat) => chat.service.of_type(),
            Self::Amqp(_) => &amqp::TYPE,
            Self::Kafka(_) => &kafka::TYPE,
        }
    }
}

/// All types, in the order of the reference.
pub(in crate::config) fn types() -> &'static [Type] {
    TYPES
}
