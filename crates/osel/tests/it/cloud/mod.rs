//! Stores of objects and receivers of OpenTelemetry, each beside a program that others wrote.

mod otlp;
mod s3;
mod server;
mod swift;

use osel::config::{HttpReceiverConfig, ObjectCompression, ObjectContent, ObjectsConfig, TlsConfig};
use osel::forward::receiver::{Batch, Item};
use osel_core::format::Severity;
use osel_core::forward::BatchNumber;
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;
use serde_json::json;

/// These records, one line each.
fn batch(records: std::ops::RangeInclusive<u64>) -> Batch {
    let item = |seq| Item {
        seq,
        id: format!("{:032x}-{seq}", 7),
        time: Timestamp::from_micros(1_767_225_600_123_456),
        recorded_at: Timestamp::from_micros(1_767_225_600_200_000),
        kind: RecordKind::Change,
        severity: Severity::High,
        event_type: Some("security_group_rule.create.end".to_owned()),
        line: line(seq).into_bytes(),
    };
    Batch { number: BatchNumber(1), is_fetched: false, items: records.map(item).collect() }
}

fn line(seq: u64) -> String {
    json!({"seq": seq, "sentence": "ann opened \"web\" — to all"}).to_string()
}

fn http() -> HttpReceiverConfig {
    HttpReceiverConfig { tls: TlsConfig::default(), proxy: None, answer_seconds: 20 }
}

fn objects() -> ObjectsConfig {
    ObjectsConfig {
        prefix: "osel/".to_owned(),
        content: ObjectContent::Lines,
        compression: ObjectCompression::Gzip,
        object_bytes: 8_000_000,
        object_age: std::time::Duration::from_secs(300),
    }
}
