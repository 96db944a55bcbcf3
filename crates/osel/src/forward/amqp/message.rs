//! What is published of a record.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use osel_core::format::Format;

use crate::config::RoutingKey;
use crate::forward::receiver::Item;

/// Says that a message outlives a restart of the broker.
const PERSISTENT: u8 = 2;
/// Who publishes.
const APP_ID: &str = "osel";

/// A record as it is published.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) routing_key: String,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn of(item: &Item, format: Format, routing_key: &RoutingKey) -> Self {
        let content_type = if format.is_json() { "application/json" } else { "text/plain" };
        let mut headers = FieldTable::default();
        // Signed, since AMQP's unsigned numbers are no part of what RabbitMQ understands.
        headers
            .insert("osel_seq".into(), AMQPValue::LongLongInt(i64::try_from(item.seq).unwrap_or(i64::MAX)));
        let mut text = |name: &str, value: &str| {
            headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
        };
        text("osel_severity", item.severity.as_str());
        if let Some(event_type) = &item.event_type {
            text("osel_event_type", event_type);
        }
        let seconds = item.time.micros().div_euclid(1_000_000);
        let properties = BasicProperties::default()
            .with_content_type(content_type.into())
            .with_content_encoding("utf-8".into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(item.id.as_str().into())
            .with_timestamp(u64::try_from(seconds).unwrap_or(0))
            .with_type(item.kind.as_str().into())
            .with_app_id(APP_ID.into())
            .with_headers(headers);
        Self {
            id: item.id.clone(),
            routing_key: routing_key.of(item.kind, item.severity, item.event_type.as_deref()),
            properties,
            body: item.line.clone(),
        }
    }
}
