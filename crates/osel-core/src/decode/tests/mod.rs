//! Whole messages: the recorded corpora, hostile bodies, and random ones.

mod corpus;
mod hostile;
mod neutron;
mod random;
mod services;

use crate::event::{Event, RawMessage};

use super::{Decoded, Defect, decode};

/// A message with this body, as if from the network service.
fn message(body: impl Into<Vec<u8>>) -> RawMessage {
    RawMessage {
        source: "test".into(),
        region: None,
        exchange: "neutron".into(),
        routing_key: "notifications.info".into(),
        redelivered: false,
        received_at: crate::time::Timestamp::parse("2026-11-21T00:00:00Z").unwrap(),
        properties: crate::event::Properties::default(),
        body: body.into(),
    }
}

/// A notification of the first format.
fn plain(event_type: &str, payload: &str) -> String {
    format!(
        r#"{{"message_id":"m-1","publisher_id":"network.ctl1","event_type":"{event_type}","priority":"INFO","payload":{payload},"timestamp":"2026-11-21 00:41:06.558259","_unique_id":"u1"}}"#
    )
}

fn event(event_type: &str, payload: &str) -> Event {
    let raw = message(plain(event_type, payload));
    decode(&raw).result.expect("this is a good message")
}

fn defect(event_type: &str, payload: &str) -> Defect {
    let raw = message(plain(event_type, payload));
    decode(&raw).result.expect_err("this is a bad message")
}

/// The text of a body; bodies in tests are UTF-8.
fn body_text(decoded: &Decoded<'_>) -> String {
    String::from_utf8(decoded.body.to_vec()).unwrap()
}
