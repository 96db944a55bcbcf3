//! Lines as log records of OpenTelemetry, with the names of its semantic conventions where they have one.

use osel_core::format::{Format, Severity};
use osel_core::time::Timestamp;
use serde::Deserialize;

use super::messages::{
    KeyValue, LogRecord, LogsRequest, Resource, ResourceLogs, Scope, ScopeLogs, Value, attribute, text,
};
use crate::forward::receiver::Item;

/// What says it.
const NAME: &str = "osel";

/// A request with these lines, which are of one store.
pub(super) fn request(items: &[Item], format: Format) -> LogsRequest {
    let store = items.first().and_then(|item| item.id.split('-').next()).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let attributes = [("service.name", NAME), ("service.instance.id", store), ("service.version", version)];
    let told = |(key, value): (&str, &str)| attribute(key, Value::Text(value.to_owned()));
    LogsRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: attributes.map(told).into() }),
            scope_logs: vec![ScopeLogs {
                scope: Some(Scope { name: NAME.to_owned(), version: version.to_owned() }),
                log_records: items.iter().map(|item| record(item, format)).collect(),
            }],
        }],
    }
}

fn record(item: &Item, format: Format) -> LogRecord {
    LogRecord {
        time_unix_nano: nanos(item.time),
        observed_time_unix_nano: nanos(item.recorded_at),
        severity_number: number(item.severity),
        severity_text: item.severity.as_str().to_owned(),
        body: text(String::from_utf8_lossy(&item.line)),
        attributes: attributes(item, format),
        event_name: item.event_type.clone().unwrap_or_default(),
    }
}

/// In nanoseconds since 1970; what was before did not happen in a cloud.
fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.micros()).unwrap_or(0).saturating_mul(1000)
}

/// `SeverityNumber`: what somebody should look at is a warning or worse.
fn number(severity: Severity) -> i32 {
    match severity {
        Severity::Informational => 9,
        Severity::Low => 10,
        Severity::Medium => 13,
        Severity::High => 17,
        Severity::Critical => 21,
    }
}

/// What an attribute is made of, of a record in our own form.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Native {
    source: Option<String>,
    request_id: Option<String>,
    outcome: Option<String>,
    region: Option<String>,
    actor: NativeActor,
}

/// Who.
#[derive(Default, Deserialize)]
#[serde(default)]
struct NativeActor {
    user_id: Option<String>,
    user_name: Option<String>,
    project_id: Option<String>,
    address: Option<String>,
    agent: Option<String>,
}

fn attributes(item: &Item, format: Format) -> Vec<KeyValue> {
    let words = |key, value: &str| attribute(key, Value::Text(value.to_owned()));
    let mut attributes = vec![
        words("log.record.uid", &item.id),
        attribute("osel.seq", Value::Number(i64::try_from(item.seq).unwrap_or(i64::MAX))),
        words("osel.kind", item.kind.as_str()),
    ];
    if format == Format::Native
        && let Ok(Native { source, request_id, outcome, region, actor }) = serde_json::from_slice(&item.line)
    {
        let told = [
            ("osel.source", source),
            ("osel.request_id", request_id),
            ("osel.outcome", outcome),
            ("osel.project.id", actor.project_id),
            ("cloud.region", region),
            ("user.id", actor.user_id),
            ("user.name", actor.user_name),
            ("client.address", actor.address),
            ("user_agent.original", actor.agent),
        ];
        attributes.extend(told.into_iter().filter_map(|(key, value)| Some(words(key, &value?))));
    }
    attributes
}
