//! Inputs as entries of the journal, and back: folding the entries of a store gives the engine that wrote them.

use std::borrow::Cow;
use std::sync::Arc;

use osel_core::decode::{Decoded, Defect, DefectKind, decode};
use osel_core::engine::{
    Engine, EngineOptions, Input, LogKeyChange, OptionsLine, Order, Output, Replay, Retention, SourceGap,
};
use osel_core::event::{Compression, Digest, Properties, RawMessage};
use osel_core::scan::{CommandId, read_report};
use osel_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::read_entries;
use crate::source::recording::compression;
use crate::store::{Entry, EntryKind};

/// What stands beside a message's body.
#[derive(Debug, Serialize, Deserialize)]
struct MessageHead<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    region: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    exchange: Cow<'a, str>,
    #[serde(borrow, default)]
    routing_key: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    redelivered: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    properties: Option<&'a RawValue>,
    /// Of the notification before anything was removed from it.
    digest: Cow<'a, str>,
    /// Why it is in quarantine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    quarantined: bool,
    /// By whose order it was taken out of quarantine: only in the entry of such an order.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    replay: Option<ReplayHead<'a>>,
}

/// What stands beside the order to take a message out of quarantine. The order has the message as its body, as it was read then.
#[derive(Debug, Serialize, Deserialize)]
struct ReplayHead<'a> {
    /// The message's number in quarantine.
    id: u64,
    #[serde(borrow)]
    actor: Cow<'a, str>,
    received_at: Timestamp,
    /// That it was quarantined under.
    #[serde(borrow)]
    digest: Cow<'a, str>,
}

/// What stands in the entry of any other order; a message's head has no such word.
#[derive(Debug, Serialize, Deserialize)]
struct OrderHead {
    order: Order,
}

/// What stands in an entry about osel itself.
#[derive(Debug, Default, Serialize, Deserialize)]
struct SystemHead {
    /// The options that hold from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<OptionsLine>,
    /// A span of time in which messages of a source may have been lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gap: Option<SourceGap>,
    /// Something that went from the store, or how full it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention: Option<Retention>,
    /// That another key signs the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_key: Option<LogKeyChange>,
}

/// The head of the entry that tells options.
pub fn options_head(options: &EngineOptions) -> Vec<u8> {
    let head = SystemHead { options: Some(options.into()), ..SystemHead::default() };
    serde_json::to_vec(&head).unwrap_or_default()
}

/// The head of the entry that tells a gap of a source.
pub fn gap_head(gap: &SourceGap) -> Vec<u8> {
    let head = SystemHead { gap: Some(gap.clone()), ..SystemHead::default() };
    serde_json::to_vec(&head).unwrap_or_default()
}

/// The head of the entry that tells what goes from the store.
pub fn retention_head(retention: &Retention) -> Vec<u8> {
    let head = SystemHead { retention: Some(retention.clone()), ..SystemHead::default() };
    serde_json::to_vec(&head).unwrap_or_default()
}

/// The head of the entry that tells that another key signs the log.
pub fn log_key_head(change: &LogKeyChange) -> Vec<u8> {
    let head = SystemHead { log_key: Some(change.clone()), ..SystemHead::default() };
    serde_json::to_vec(&head).unwrap_or_default()
}

/// Writes the heads of messages' entries. All but the digest hardly ever changes from one message to the next, and is kept.
#[derive(Debug, Default)]
pub struct MessageHeads {
    starts: Vec<HeadStart>,
}

/// A head up to its digest, and what it was made of.
#[derive(Debug)]
struct HeadStart {
    region: Option<Arc<str>>,
    exchange: Arc<str>,
    routing_key: Arc<str>,
    redelivered: bool,
    properties: Arc<str>,
    text: Vec<u8>,
}

impl MessageHeads {
    /// The most starts that are kept: the exchanges of a cloud with their topics. Beyond it, each is made when it is needed.
    const KEPT_MAX: usize = 16;
    /// The longest start that is kept.
    const KEPT_BYTES_MAX: usize = 4096;

    /// The head of a message's entry.
    pub fn head(&mut self, raw: &RawMessage, digest: &Digest, quarantined: bool) -> Vec<u8> {
        if quarantined {
            return message_head(raw, digest, true);
        }
        let found = self.starts.iter().find(|start| start.is_of(raw));
        let Some(start) = found else {
            let head = message_head(raw, digest, false);
            self.keep(raw, &head);
            return head;
        };
        let mut head = Vec::with_capacity(start.text.len() + 2 * digest.len() + HEAD_END.len());
        head.extend_from_slice(&start.text);
        push_hex(digest, &mut head);
        head.extend_from_slice(HEAD_END);
        head
    }

    fn keep(&mut self, raw: &RawMessage, head: &[u8]) {
        let start = head.len().checked_sub(2 * size_of::<Digest>() + HEAD_END.len());
        let Some(text) =
            start.and_then(|end| head.get(..end)).filter(|text| text.len() <= Self::KEPT_BYTES_MAX)
        else {
            return;
        };
        if self.starts.len() == Self::KEPT_MAX {
            self.starts.clear();
        }
        self.starts.push(HeadStart {
            region: raw.region.clone(),
            exchange: Arc::clone(&raw.exchange),
            routing_key: Arc::clone(&raw.routing_key),
            redelivered: raw.redelivered,
            properties: Arc::clone(&raw.properties.json),
            text: text.to_vec(),
        });
    }
}

impl HeadStart {
    fn is_of(&self, raw: &RawMessage) -> bool {
        self.exchange == raw.exchange
            && self.properties == raw.properties.json
            && self.routing_key == raw.routing_key
            && self.redelivered == raw.redelivered
            && self.region == raw.region
    }
}

/// What follows the digest in the head of a message that is not in quarantine.
const HEAD_END: &[u8] = b"\"}";

/// The head of a message's entry.
fn message_head(raw: &RawMessage, digest: &Digest, quarantined: bool) -> Vec<u8> {
    let head = MessageHead {
        region: raw.region.as_deref().map(Cow::Borrowed),
        exchange: Cow::Borrowed(&raw.exchange),
        routing_key: Cow::Borrowed(&raw.routing_key),
        redelivered: raw.redelivered,
        properties: serde_json::from_str(&raw.properties.json).ok(),
        digest: Cow::Owned(hex(digest)),
        quarantined,
        replay: None,
    };
    serde_json::to_vec(&head).unwrap_or_default()
}

/// The head of the entry of an order to take a message out of quarantine.
pub fn replay_head(replay: &Replay<'_>) -> Vec<u8> {
    let raw = replay.raw;
    let head = MessageHead {
        region: raw.region.as_deref().map(Cow::Borrowed),
        exchange: Cow::Borrowed(&raw.exchange),
        routing_key: Cow::Borrowed(&raw.routing_key),
        redelivered: raw.redelivered,
        properties: serde_json::from_str(&raw.properties.json).ok(),
        digest: Cow::Owned(hex(&replay.decoded.digest)),
        quarantined: false,
        replay: Some(ReplayHead {
            id: replay.id,
            actor: Cow::Borrowed(replay.actor),
            received_at: raw.received_at,
            digest: Cow::Owned(hex(&replay.held_digest)),
        }),
    };
    serde_json::to_vec(&head).unwrap_or_default()
}

/// The head of the entry of an order about findings or scans.
pub fn order_head(order: &Order) -> Vec<u8> {
    serde_json::to_vec(&OrderHead { order: order.clone() }).unwrap_or_default()
}

/// Does to the engine what the entry once did. What comes out was written down then.
pub fn fold(engine: &mut Engine, entry: &Entry, out: &mut Output) {
    out.clear();
    match entry.kind {
        EntryKind::MESSAGE => fold_message(engine, entry, out),
        EntryKind::INVENTORY => read_entries::fold(engine, entry, out),
        EntryKind::OUTCOME => {
            let address_of = |id: &CommandId| {
                let life = engine.running_scans().find(|life| life.command.id == *id)?;
                life.command.targets.first().map(|target| target.address)
            };
            if let Some(report) = read_report(&entry.body, address_of) {
                engine.handle(entry.at, Input::Scan(report), out);
            }
        }
        EntryKind::ORDER => fold_order(engine, entry, out),
        EntryKind::SYSTEM => {
            let head: Option<SystemHead> = serde_json::from_slice(&entry.head).ok();
            let Some(SystemHead { options, gap, retention, log_key }) = head else { return };
            if let Some(options) = options {
                engine.handle(entry.at, Input::Options(options.into()), out);
            }
            if let Some(gap) = gap {
                engine.handle(entry.at, Input::SourceGap(gap), out);
            }
            if let Some(retention) = retention {
                engine.handle(entry.at, Input::Retention(retention), out);
            }
            if let Some(change) = log_key {
                engine.handle(entry.at, Input::LogKey(change), out);
            }
        }
        _ => engine.handle(entry.at, Input::Tick, out),
    }
}

/// The message of an entry as it can be decoded again.
pub fn raw_message(entry: &Entry) -> RawMessage {
    let head: Option<MessageHead<'_>> = serde_json::from_slice(&entry.head).ok();
    let text = |pick: fn(&MessageHead<'_>) -> Arc<str>| head.as_ref().map(pick).unwrap_or_default();
    RawMessage {
        source: Arc::clone(&entry.source),
        region: head.as_ref().and_then(|head| head.region.as_deref()).map(Arc::from),
        exchange: text(|head| head.exchange.as_ref().into()),
        routing_key: text(|head| head.routing_key.as_ref().into()),
        redelivered: head.as_ref().is_some_and(|head| head.redelivered),
        received_at: entry.at,
        properties: Properties {
            compression: None,
            json: text(|head| head.properties.map_or("", RawValue::get).into()),
        },
        body: entry.body.clone(),
    }
}

/// The message of a quarantined entry, to be decoded once more, with the digest that it was quarantined under.
pub fn held_message(entry: &Entry) -> (RawMessage, Digest) {
    let mut raw = raw_message(entry);
    // Bytes that could not be unpacked are kept packed; of all others the unpacked text is kept, which begins otherwise.
    let packed = match compression(&raw.properties.json) {
        Some(Compression::Gzip) => raw.body.starts_with(&[0x1f, 0x8b]) || raw.body.starts_with(b"x"),
        Some(Compression::Bzip2) => raw.body.starts_with(b"BZh"),
        Some(_) => true,
        None => false,
    };
    raw.properties.compression = compression(&raw.properties.json).filter(|_| packed);
    let head: Option<MessageHead<'_>> = serde_json::from_slice(&entry.head).ok();
    let digest = head.and_then(|head| unhex(&head.digest)).unwrap_or_default();
    (raw, digest)
}

fn fold_order(engine: &mut Engine, entry: &Entry, out: &mut Output) {
    if let Ok(OrderHead { order }) = serde_json::from_slice(&entry.head) {
        engine.handle(entry.at, Input::Order(order), out);
        return;
    }
    let head: Option<MessageHead<'_>> = serde_json::from_slice(&entry.head).ok();
    let Some((head, order)) = head.and_then(|mut head| head.replay.take().map(|order| (head, order))) else {
        engine.handle(entry.at, Input::Tick, out);
        return;
    };
    let mut raw = raw_message(entry);
    raw.received_at = order.received_at;
    let mut decoded = decode(&raw);
    if let Some(digest) = unhex(&head.digest) {
        decoded.digest = digest;
    }
    let held_digest = unhex(&order.digest).unwrap_or(decoded.digest);
    let replay = Replay { raw: &raw, decoded, held_digest, id: order.id, actor: &order.actor };
    engine.handle(entry.at, Input::Replay(replay), out);
}

fn fold_message(engine: &mut Engine, entry: &Entry, out: &mut Output) {
    let head: Option<MessageHead<'_>> = serde_json::from_slice(&entry.head).ok();
    let mut raw = raw_message(entry);
    // What is in the journal was found to be no repetition, by whichever version: one that remembers longer must not find otherwise.
    raw.redelivered = false;
    let mut decoded: Decoded<'_> = decode(&raw);
    if let Some(digest) = head.as_ref().and_then(|head| unhex(&head.digest)) {
        decoded.digest = digest;
    }
    if head.is_some_and(|head| head.quarantined) && decoded.result.is_ok() {
        // It was not understood when it was handled, and so it stays until somebody replays it.
        decoded.result = Err(Defect { kind: DefectKind::Syntax, at: "quarantine".into() });
    }
    engine.handle(entry.at, Input::Message(&raw, decoded), out);
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = Vec::with_capacity(2 * bytes.len());
    push_hex(bytes, &mut digits);
    // Digits and letters of ASCII.
    String::from_utf8(digits).unwrap_or_default()
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

fn unhex(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    if text.len() != 2 * digest.len() || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(exchange: &str, region: Option<&str>, redelivered: bool, properties: &str) -> RawMessage {
        RawMessage {
            source: "bus".into(),
            region: region.map(Arc::from),
            exchange: exchange.into(),
            routing_key: "notifications.info".into(),
            redelivered,
            received_at: Timestamp::EPOCH,
            properties: Properties { compression: None, json: properties.into() },
            body: Vec::new(),
        }
    }

    /// A version that remembered less had it recorded: nothing that follows may be otherwise for a version that remembers more.
    #[test]
    fn what_is_in_the_journal_was_no_repetition() {
        let mut engine = Engine::new(EngineOptions::default());
        let mut out = Output::default();
        for (number, days) in [(1, 0), (2, 3)] {
            let mut raw = raw("neutron", None, number > 1, "{}");
            raw.body = br#"{"message_id":"m","event_type":"image.send","payload":{}}"#.to_vec();
            let digest = decode(&raw).digest;
            let entry = Entry {
                number,
                at: Timestamp::EPOCH.plus_seconds(days * 86_400),
                kind: EntryKind::MESSAGE,
                source: Arc::clone(&raw.source),
                head: message_head(&raw, &digest, false),
                body: raw.body,
                erased: false,
            };
            fold(&mut engine, &entry, &mut out);
            assert_eq!(out.disposition, Some(osel_core::engine::Disposition::Recorded(number)), "{number}");
        }
    }

    #[test]
    fn kept_heads_are_those_that_would_be_made_anew() {
        let mut heads = MessageHeads::default();
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MessageHeads::KEPT_BYTES_MAX));
        let many: Vec<String> = (0..2 * MessageHeads::KEPT_MAX).map(|number| format!("e{number}")).collect();
        let mut messages = vec![
            raw("neutron", None, false, r#"{"headers": {}}"#),
            raw("neutron", None, true, r#"{"headers": {}}"#),
            raw("neutron", Some("north"), false, r#"{"headers": {}}"#),
            raw("a \"b\"", None, false, ""),
            raw("", Some(""), false, "no JSON"),
            raw("keystone", None, false, &long),
        ];
        messages.extend(many.iter().map(|exchange| raw(exchange, None, false, "{}")));
        for (round, message) in std::iter::repeat_n(&messages, 3).flatten().enumerate() {
            let digest = [round as u8; 32];
            for quarantined in [false, true] {
                let head = heads.head(message, &digest, quarantined);
                assert_eq!(head, message_head(message, &digest, quarantined), "{message:?}");
            }
            assert!(heads.starts.len() <= MessageHeads::KEPT_MAX);
        }
    }
}
