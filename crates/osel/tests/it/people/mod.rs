//! People who are told: mail by a real server, rooms for chat by simulated services, and what the frame makes of records for them.

mod chat;
mod mail;
mod rooms;
mod server;
mod told;

use std::sync::Arc;

use osel::config::{ForwardConfig, NoticeConfig, Place, ReceiverConfig};
use osel::forward::now::ConfigNow;
use osel::forward::receiver::{Batch, Item};
use osel_core::format::{Format, Severity};
use osel_core::forward::BatchNumber;
use osel_core::notice::{Cadence, GroupBy, Notice, NoticeGroup, NoticeLine};
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;

/// What is told as soon as there is something.
fn notices() -> NoticeConfig {
    NoticeConfig {
        cadence: Cadence::Grouped { wait_seconds: 0, interval_seconds: 0, urgent_min: Severity::Critical },
        group_by: GroupBy::Incident,
        lines_max: 20,
        link_base: Some("https://osel.example".to_owned()),
        subject_template: None,
        body_template: None,
    }
}

/// A table that always says the same.
fn always(receiver: ReceiverConfig) -> ConfigNow {
    let table = ForwardConfig {
        name: "people".to_owned(),
        receiver,
        format: Format::Sentence,
        filter: Default::default(),
        from: Default::default(),
        pseudonyms: false,
        place: Place::Nowhere,
    };
    Arc::new(move || table.clone())
}

fn notice(texts: &[&str]) -> Notice {
    let line = |(seq, text): (u64, &&str)| NoticeLine {
        seq,
        time: "2026-11-26 10:00:00 UTC".to_owned(),
        severity: "critical".to_owned(),
        is_resolved: false,
        text: (*text).to_owned(),
    };
    let told = texts.len() as u64;
    Notice {
        first: 1,
        last: told,
        since: "2026-11-26 10:00:00 UTC".to_owned(),
        until: "2026-11-26 10:05:00 UTC".to_owned(),
        told,
        severity: "critical".to_owned(),
        severities: vec![("critical".to_owned(), told)],
        groups: vec![NoticeGroup {
            title: "what follows from record 1".to_owned(),
            told,
            lines: (1..).zip(texts).map(line).collect(),
        }],
        threads: vec!["finding-f00d".to_owned()],
        ..Notice::default()
    }
}

/// The batch of a message.
fn batch(number: u64, notice: &Notice) -> Batch {
    let time = Timestamp::from_micros(1_767_225_600_123_456);
    let item = Item {
        seq: number,
        id: format!("{:032x}-{number}", 7),
        time,
        recorded_at: time,
        kind: RecordKind::System,
        severity: Severity::Critical,
        event_type: None,
        line: serde_json::to_vec(notice).unwrap(),
    };
    Batch { number: BatchNumber(number), is_fetched: false, items: vec![item] }
}
