//! The body of a request: events one behind the other, or lines.

use std::borrow::Cow;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use osel_core::format::Format;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::config::{HecConfig, HecEndpoint};
use crate::forward::receiver::{BatchLimits, Item};

/// What stands around one event besides names that are configured: its keys, its time, and the fields of ours.
const ENVELOPE_BYTES: usize = 320;

/// An event.
#[derive(Serialize)]
struct Event<'a> {
    /// In seconds; Splunk reads the fraction.
    time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    source: &'a str,
    sourcetype: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Fields<'a>>,
    event: Told<'a>,
}

/// Fields that are indexed; Splunk takes texts alone.
#[derive(Serialize)]
struct Fields<'a> {
    osel_id: &'a str,
    osel_seq: String,
    osel_kind: &'a str,
    osel_severity: &'a str,
}

/// The record.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Json(&'a RawValue),
    Text(Cow<'a, str>),
}

/// How much a batch may have so that its body is no larger than configured.
pub(super) fn limits(config: &HecConfig) -> BatchLimits {
    let names =
        [Some(&config.source), config.sourcetype.as_ref(), config.index.as_ref(), config.host.as_ref()];
    let around = match config.endpoint {
        HecEndpoint::Event => ENVELOPE_BYTES + names.into_iter().flatten().map(String::len).sum::<usize>(),
        HecEndpoint::Raw => 1,
    };
    // At least half of the body is what it is about.
    let items = config.batch_events.min(config.batch_bytes / 2 / around).max(1);
    let awaited = usize::try_from(config.awaited_max).unwrap_or(usize::MAX).max(1);
    BatchLimits {
        items,
        bytes: config.batch_bytes.saturating_sub(items * around).max(1),
        awaited,
        linger: Duration::ZERO,
    }
}

/// The body for these items.
pub(super) fn body(config: &HecConfig, format: Format, items: &[Item]) -> Vec<u8> {
    let mut body = Vec::with_capacity(items.iter().map(|item| item.line.len() + ENVELOPE_BYTES).sum());
    for item in items {
        match config.endpoint {
            HecEndpoint::Raw => body.extend_from_slice(&item.line),
            HecEndpoint::Event => {
                let event = event(config, format, item);
                serde_json::to_writer(&mut body, &event).expect("texts and finite numbers are JSON");
            }
        }
        body.push(b'\n');
    }
    body
}

/// The same packed by gzip.
pub(super) fn packed(body: &[u8]) -> Vec<u8> {
    // What is saved by packing more tightly is less than the time that it takes.
    let mut packed = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    packed.write_all(body).and_then(|()| packed.finish()).expect("memory takes what is written to it")
}

/// What the source type is called unless somebody named it.
pub(super) fn sourcetype(config: &HecConfig, format: Format) -> Cow<'_, str> {
    config.sourcetype.as_deref().map_or_else(|| Cow::Owned(format!("osel:{format}")), Cow::Borrowed)
}

fn event<'a>(config: &'a HecConfig, format: Format, item: &'a Item) -> Event<'a> {
    let fields = config.has_fields.then(|| Fields {
        osel_id: &item.id,
        osel_seq: item.seq.to_string(),
        osel_kind: item.kind.as_str(),
        osel_severity: item.severity.as_str(),
    });
    let json = format.is_json().then(|| serde_json::from_slice::<&RawValue>(&item.line).ok()).flatten();
    Event {
        time: seconds(item.time.micros()),
        host: config.host.as_deref(),
        source: &config.source,
        sourcetype: sourcetype(config, format),
        index: config.index.as_deref(),
        fields,
        event: json.map_or_else(|| Told::Text(String::from_utf8_lossy(&item.line)), Told::Json),
    }
}

/// Microseconds as seconds with a fraction, exact to the microsecond for all times of people; Splunk has none before 1970.
#[expect(clippy::cast_precision_loss, reason = "a double has the microseconds of the next two centuries")]
fn seconds(micros: i64) -> f64 {
    micros.max(0) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::hec::receiver::tests::config;
    use crate::forward::http::tests::item;

    fn check(format: Format, line: &str, wanted: &str) {
        let config = HecConfig { index: Some("cloud".to_owned()), ..config("http://localhost") };
        let text = String::from_utf8(body(&config, format, &[item(7, line)])).unwrap();
        assert_eq!(text, format!("{wanted}\n"));
    }

    #[test]
    fn an_event_has_its_time_place_and_fields() {
        check(
            Format::Native,
            r#"{"seq":7, "n":18446744073709551616}"#,
            r#"{"time":1767225600.123456,"source":"osel","sourcetype":"osel:native","index":"cloud","fields":{"osel_id":"00-7","osel_seq":"7","osel_kind":"change","osel_severity":"high"},"event":{"seq":7, "n":18446744073709551616}}"#,
        );
        check(
            Format::Sentence,
            r#"ann opened "web""#,
            r#"{"time":1767225600.123456,"source":"osel","sourcetype":"osel:sentence","index":"cloud","fields":{"osel_id":"00-7","osel_seq":"7","osel_kind":"change","osel_severity":"high"},"event":"ann opened \"web\""}"#,
        );
    }

    #[test]
    fn a_body_is_no_larger_than_configured() {
        for (events, bytes, name) in [(500, 1_000_000, 1), (10_000, 1_000_000, 1), (500, 16_000, 200)] {
            let name = Some("x".repeat(name));
            let config = HecConfig {
                batch_events: events,
                batch_bytes: bytes,
                index: name.clone(),
                host: name.clone(),
                sourcetype: name,
                ..config("http://localhost")
            };
            let limits = limits(&config);
            assert!(limits.bytes * 2 >= bytes && limits.items >= 1, "{limits:?}");
            let id = format!("{}-{}-{}", "f".repeat(32), u64::MAX, u32::MAX);
            let line = format!("{{\"a\":\"{}\"}}", "y".repeat(limits.bytes / limits.items - 8));
            let items = vec![Item { id, seq: u64::MAX, ..item(1, &line) }; limits.items];
            let body = body(&config, Format::Native, &items);
            assert!(body.len() <= bytes, "{} of {bytes}", body.len());
        }
    }
}
