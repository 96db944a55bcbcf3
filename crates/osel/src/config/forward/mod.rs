//! `[[forward]]`: where records are sent, and with what each receiver is reached.
//!
//! Each type of receiver is one file here, with its keys and their reading ([`Type`](kind::Type)); `table` reads what all have in common.

mod amqp;
mod chat;
mod file;
mod filter;
mod hec;
mod http;
mod kafka;
mod kind;
mod mail;
mod objects;
mod otlp;
mod people;
mod routing;
mod s3;
mod swift;
mod syslog;
mod table;
mod webhook;

pub(super) use amqp::refuse_loops;
pub use amqp::{AmqpConfig, AmqpExchangeKind, AmqpUnroutable};
pub use chat::{ChatConfig, ChatService};
pub use file::{FileCompression, FileReceiverConfig};
pub use hec::{HecAcks, HecConfig, HecEndpoint};
pub use http::HttpReceiverConfig;
pub use kafka::{KafkaCompression, KafkaConfig, KafkaKey, KafkaLogin, KafkaMechanism};
pub use kind::ReceiverConfig;
pub(super) use kind::types;
pub use mail::{MailConfig, MailSecurity};
pub use objects::{ObjectCompression, ObjectContent, ObjectsConfig};
pub use otlp::OtlpConfig;
pub use people::{NoticeConfig, TEMPLATE_STEPS_MAX};
pub use routing::RoutingKey;
pub use s3::{S3Config, S3Encryption};
pub use swift::SwiftConfig;
pub use syslog::{SyslogConfig, SyslogFraming, SyslogMessage, SyslogTransport};
pub(super) use table::forwards;
pub use table::{ForwardConfig, ForwardFrom};
pub use webhook::{WebhookBody, WebhookConfig, WebhookMethod};

use super::keys;

/// The tables of the example: that of all forwarders, and one of each type.
pub(super) fn sections() -> impl Iterator<Item = &'static keys::Section> {
    std::iter::once(&table::SECTION).chain(types().iter().map(|known| &known.section))
}

/// All keys: those of all forwarders, and those of the types.
pub(super) fn keys() -> impl Iterator<Item = &'static keys::Key> {
    table::KEYS.iter().chain(types().iter().flat_map(|known| known.keys))
}
