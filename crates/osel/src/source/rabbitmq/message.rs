//! A delivery as a message: where it came from, its properties as JSON, and what decoding makes of it.

use std::sync::Arc;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use osel_core::decode::Decoder;
use osel_core::event::{Properties, RawMessage};
use osel_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::source::decoding::Prepared;
use crate::source::recording::compression;
use crate::source::salts::Salts;
use crate::source::words::Arrived;

/// How deep headers may lie in each other; services send none, or one.
const HEADER_DEPTH_MAX: usize = 8;

/// Turns deliveries of one connection into messages.
pub struct Reader {
    source: Arc<str>,
    region: Option<Arc<str>>,
    /// The properties of the last message: those of the next one are nearly always the same.
    last: (BasicProperties, Properties),
    decoder: Decoder,
    salts: Salts,
}

impl Reader {
    /// For the messages of one source.
    pub fn new(source: Arc<str>, region: Option<Arc<str>>) -> Self {
        let none = BasicProperties::default();
        let text = properties(&none);
        Self { source, region, last: (none, text), decoder: Decoder::default(), salts: Salts::default() }
    }

    /// Decodes a delivery that was received at `now`.
    pub fn read(&mut self, delivery: Delivery, now: Timestamp) -> Arrived {
        let Delivery { delivery_tag, exchange, routing_key, redelivered, properties: found, data, .. } =
            delivery;
        if found != self.last.0 {
            let text = properties(&found);
            self.last = (found, text);
        }
        let bytes = data.len();
        let message = RawMessage {
            source: Arc::clone(&self.source),
            region: self.region.clone(),
            exchange: exchange.as_str().into(),
            routing_key: routing_key.as_str().into(),
            redelivered,
            received_at: now,
            properties: self.last.1.clone(),
            body: data,
        };
        let message = Prepared::new(message, &mut self.decoder, &mut self.salts);
        Arrived { tag: delivery_tag, bytes, message, place: None }
    }
}

fn properties(found: &BasicProperties) -> Properties {
    let mut json = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            json.insert(key.to_owned(), value);
        }
    };
    let text =
        |text: &Option<lapin::types::ShortString>| text.as_ref().map(|text| Value::from(text.as_str()));
    put("content_type", text(found.content_type()));
    put("content_encoding", text(found.content_encoding()));
    put("headers", found.headers().as_ref().map(|headers| table(headers, HEADER_DEPTH_MAX)));
    put("delivery_mode", found.delivery_mode().map(Value::from));
    put("priority", found.priority().map(Value::from));
    put("correlation_id", text(found.correlation_id()));
    put("reply_to", text(found.reply_to()));
    put("expiration", text(found.expiration()));
    put("message_id", text(found.message_id()));
    put("timestamp", found.timestamp().map(Value::from));
    put("type", text(found.kind()));
    put("user_id", text(found.user_id()));
    put("app_id", text(found.app_id()));
    put("cluster_id", text(found.cluster_id()));
    let json = if json.is_empty() { String::new() } else { Value::Object(json).to_string() };
    Properties { compression: compression(&json), json: json.into() }
}

fn table(fields: &FieldTable, depth: usize) -> Value {
    let fields = fields.inner().iter();
    Value::Object(fields.map(|(key, found)| (key.as_str().to_owned(), value(found, depth))).collect())
}

fn value(found: &AMQPValue, depth: usize) -> Value {
    let Some(deeper) = depth.checked_sub(1) else { return Value::Null };
    match found {
        AMQPValue::Boolean(truth) => Value::from(*truth),
        AMQPValue::ShortShortInt(number) => Value::from(*number),
        AMQPValue::ShortShortUInt(number) => Value::from(*number),
        AMQPValue::ShortInt(number) => Value::from(*number),
        AMQPValue::ShortUInt(number) => Value::from(*number),
        AMQPValue::LongInt(number) => Value::from(*number),
        AMQPValue::LongUInt(number) => Value::from(*number),
        AMQPValue::LongLongInt(number) => Value::from(*number),
        AMQPValue::Float(number) => Value::from(*number),
        AMQPValue::Double(number) => Value::from(*number),
        AMQPValue::Timestamp(seconds) => Value::from(*seconds),
        AMQPValue::ShortString(text) => Value::from(text.as_str()),
        AMQPValue::LongString(text) => Value::from(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ByteArray(bytes) => Value::from(String::from_utf8_lossy(bytes.as_slice()).into_owned()),
        AMQPValue::FieldArray(items) => {
            Value::Array(items.as_slice().iter().map(|item| value(item, deeper)).collect())
        }
        AMQPValue::FieldTable(fields) => table(fields, deeper),
        AMQPValue::DecimalValue(number) => {
            Value::from(f64::from(number.value) / 10_f64.powi(i32::from(number.scale)))
        }
        AMQPValue::Void => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use osel_core::event::Compression;

    use super::*;

    #[test]
    fn properties_are_those_that_kombu_sets() {
        let plain = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into())
            .with_delivery_mode(2)
            .with_priority(0)
            .with_headers(FieldTable::default());
        let found = properties(&plain);
        assert_eq!(
            &*found.json,
            r#"{"content_encoding":"utf-8","content_type":"application/json","delivery_mode":2,"headers":{},"priority":0}"#
        );
        assert_eq!(found.compression, None);
        let mut headers = FieldTable::default();
        headers.insert("compression".into(), AMQPValue::LongString("application/x-gzip".into()));
        let packed = properties(&plain.with_headers(headers));
        assert_eq!(packed.compression, Some(Compression::Gzip));
        assert_eq!(&*properties(&BasicProperties::default()).json, "");
    }

    #[test]
    fn headers_deeper_than_the_limit_are_cut() {
        // Besides the levels there are the word `headers` and the innermost key, whose value is cut.
        let mut inner = FieldTable::default();
        for _ in 0..100 {
            let mut outer = FieldTable::default();
            outer.insert("h".into(), AMQPValue::FieldTable(inner));
            inner = outer;
        }
        let json = properties(&BasicProperties::default().with_headers(inner)).json;
        assert_eq!(json.matches('h').count(), HEADER_DEPTH_MAX + 2);
    }
}
