//! The driver of Splunk against the simulated one: every answer, every mishap, and seeds of them.

mod answers;
mod client;
mod mishaps;
mod seeds;

use std::sync::Arc;

use osel::config::{
    ForwardConfig, HecAcks, HecConfig, HecEndpoint, HttpReceiverConfig, Place, ReceiverConfig, Secret,
    TlsConfig,
};
use osel::forward::hec::Hec;
use osel::forward::receiver::{Batch, Item};
use osel_core::format::{Format, Severity};
use osel_core::forward::BatchNumber;
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;
use osel_sim::scanners::http::Served;
use osel_sim::splunk::{Indexed, Options, Splunk, Token};

/// A simulated Splunk with this set-up, whose only token is `a-token`.
fn served(change: impl FnOnce(&mut Options)) -> Served<Splunk> {
    let mut options = Options::default();
    change(&mut options);
    Served::start(Splunk::new(options), None).unwrap()
}

/// The same whose token has indexer acknowledgement.
fn acknowledging(polls_until_written: u32) -> Served<Splunk> {
    served(|options| {
        options.tokens = vec![Token { has_acks: true, ..Token::new("a-token") }];
        options.polls_until_written = polls_until_written;
    })
}

fn config(url: &str) -> HecConfig {
    HecConfig {
        urls: vec![url.to_owned()],
        token: Secret::new("a-token".to_owned()),
        endpoint: HecEndpoint::Event,
        acks: HecAcks::Auto,
        ack_seconds: 3600,
        awaited_max: 8,
        index: None,
        source: "osel".to_owned(),
        sourcetype: None,
        host: None,
        has_fields: true,
        packs: true,
        batch_events: 500,
        batch_bytes: 1_000_000,
        http: HttpReceiverConfig { tls: TlsConfig::default(), proxy: None, answer_seconds: 20 },
    }
}

/// The driver of a configuration that stays as it is.
fn driver(config: &HecConfig) -> Hec {
    driver_of(config, Arc::new(|config| config.clone()))
}

/// The driver of a configuration that becomes what `now` makes of it.
fn driver_of(config: &HecConfig, now: Arc<dyn Fn(&HecConfig) -> HecConfig + Send + Sync>) -> Hec {
    let first = config.clone();
    let table = move || ForwardConfig {
        name: "splunk".to_owned(),
        receiver: ReceiverConfig::Hec(Box::new(now(&first))),
        format: Format::Native,
        filter: Default::default(),
        pseudonyms: false,
        from: Default::default(),
        place: Place::Nowhere,
    };
    Hec::new(config.clone(), Format::Native, Arc::new(table))
}

fn item(seq: u64) -> Item {
    Item {
        seq,
        id: format!("{:032x}-{seq}", 7),
        time: Timestamp::from_micros(1_767_225_600_123_456),
        recorded_at: Timestamp::from_micros(1_767_225_600_200_000),
        kind: RecordKind::Change,
        severity: Severity::High,
        event_type: Some("security_group_rule.create.end".to_owned()),
        line: format!("{{\"seq\":{seq}}}").into_bytes(),
    }
}

fn batch(number: u64, items: std::ops::RangeInclusive<u64>) -> Batch {
    Batch { number: BatchNumber(number), is_fetched: false, items: items.map(item).collect() }
}

/// The records of events, by the numbers in them.
fn seqs(events: &[Indexed]) -> Vec<u64> {
    let seq = |event: &Indexed| match &event.event {
        serde_json::Value::String(line) => {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap()
        }
        event => event["seq"].as_u64().unwrap(),
    };
    events.iter().map(seq).collect()
}
