//! `GET /metrics`: the status in the words of OpenMetrics. What each means stands in docs/operations.md.

use std::fmt;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use osel_core::time::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;

use super::{metrics_api, metrics_forward, metrics_scan, metrics_witness};
use crate::runtime::service::{Phase, ServiceStatus, SourceStatus};

/// What a scraper is told that it gets.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers a scraper.
pub(super) async fn page(
    State(status): State<watch::Receiver<ServiceStatus>>,
) -> (StatusCode, [(HeaderName, &'static str); 1], String) {
    let (code, page) = match text_of(status.borrow().clone()) {
        Ok(page) => (StatusCode::OK, page),
        // The only failure is that of a text that has no more memory.
        Err(fmt::Error) => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
    };
    (code, [(CONTENT_TYPE, OPEN_METRICS)], page)
}

fn text_of(status: ServiceStatus) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("osel");
    registry.register_collector(Box::new(Scrape(status)));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

/// One scrape of a status.
#[derive(Debug)]
struct Scrape(ServiceStatus);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Self(status) = self;
        let out = &mut encoder;
        let has_store = matches!(status.phase, Phase::Running | Phase::Stopping);
        out.encode_descriptor("build", "The program.", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        gauge(
            out,
            "loop_age",
            "Time since the loop was heard of.",
            Some(&Unit::Seconds),
            status.beat.elapsed().as_secs_f64(),
        )?;
        gauge(
            out,
            "store_writable",
            "Whether the store takes writes.",
            None,
            // One that is not open yet takes none.
            flag(has_store && status.store_trouble.is_none()),
        )?;
        if has_store {
            // No counter: it goes on over starts, and back by what a kill kept from being durable.
            gauge(out, "trail_records", "Records of the trail.", None, status.records as f64)?;
        }
        if let Some(at) = status.log.signed_at {
            // No counters, as above.
            let signed = status.log.signed as f64;
            gauge(
                out,
                "log_signed_records",
                "Records that the last checkpoint of the log stands for.",
                None,
                signed,
            )?;
            let help = "When the last checkpoint of the log was signed.";
            gauge(out, "log_signed_timestamp", help, Some(&Unit::Seconds), seconds(at))?;
        }
        out.encode_descriptor(
            "log_key_failures",
            "How often the key of the log could not be had, since the start.",
            None,
            MetricType::Counter,
        )?
        .encode_counter::<NoLabelSet, _, u64>(&status.log.failures, None)?;
        if let Some(at) = status.snapshot_at {
            gauge(
                out,
                "snapshot_timestamp",
                "When the last snapshot was made.",
                Some(&Unit::Seconds),
                seconds(at),
            )?;
        }
        let buckets: Vec<(f64, u64)> = status.commits.buckets().collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let help = "Time of a batch from its closing to its being durable.";
        out.encode_descriptor("commit_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(status.commits.sum_seconds(), count, &buckets, None)?;
        self.sources(out)?;
        metrics_api::encode(out, &self.0)?;
        metrics_scan::encode(out, &self.0)?;
        metrics_witness::encode(out, &self.0)?;
        metrics_forward::encode(out, &self.0)
    }
}

impl Scrape {
    fn sources(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let in_seconds = Some(&Unit::Seconds);
        self.gauges(out, "source_connected", "Whether the source is connected.", None, |source| {
            Some(flag(source.state.is_connected()))
        })?;
        self.gauges(
            out,
            "source_state_since",
            "Since when it is connected, or is not.",
            in_seconds,
            |source| (source.since != Timestamp::EPOCH).then(|| seconds(source.since)),
        )?;
        self.counters(out, "source_received", "Messages that came, since the start.", |source| {
            source.received
        })?;
        self.ledger(out)?;
        self.counters(out, "source_reconnects", "Connections after the first, since the start.", |source| {
            source.reconnects
        })?;
        self.counters(
            out,
            "source_gaps",
            "Spans in which messages may be missing, since the start.",
            |source| source.gaps,
        )?;
        self.gauges(
            out,
            "source_last_event_timestamp",
            "The time of the newest event that was handled.",
            in_seconds,
            |source| source.last_event.map(|(time, _)| seconds(time)),
        )?;
        self.gauges(
            out,
            "source_lag",
            "How long after it happened the newest event was handled.",
            in_seconds,
            |source| source.last_event.map(|(_, micros)| micros as f64 / 1e6),
        )?;
        self.gauges(
            out,
            "source_waiting_messages",
            "Messages in the queue at the broker.",
            None,
            |source| source.waiting.map(|count| count as f64),
        )?;
        self.gauges(
            out,
            "source_bound_exchanges",
            "Exchanges that osel's queue is bound to.",
            None,
            |source| source.bound_exchanges.map(|count| count as f64),
        )?;
        self.gauges(out, "source_in_flight_messages", "Messages taken and not durable.", None, |source| {
            Some(source.in_flight_messages as f64)
        })?;
        self.gauges(
            out,
            "source_in_flight",
            "Bytes of messages taken and not durable.",
            Some(&Unit::Bytes),
            |source| Some(source.in_flight_bytes as f64),
        )
    }

    /// What became of the messages: a replay of the quarantine moves counts, so that they are no counters.
    fn ledger(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "What became of the messages that came, over all starts.";
        let mut family = out.encode_descriptor("source_ledger", help, None, MetricType::Gauge)?;
        for source in &self.0.sources {
            let SourceStatus { recorded, duplicate, ignored, quarantined, .. } = *source;
            for (outcome, count) in [
                ("recorded", recorded),
                ("duplicate", duplicate),
                ("ignored", ignored),
                ("quarantined", quarantined),
            ] {
                let [name, kind] = labels(source);
                family.encode_family(&[name, kind, ("outcome", outcome)])?.encode_gauge(&count)?;
            }
        }
        Ok(())
    }

    fn counters(
        &self,
        out: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: impl Fn(&SourceStatus) -> u64,
    ) -> Result<(), fmt::Error> {
        let mut family = out.encode_descriptor(name, help, None, MetricType::Counter)?;
        for source in &self.0.sources {
            let labels = labels(source);
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&value(source), None)?;
        }
        Ok(())
    }

    fn gauges(
        &self,
        out: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: impl Fn(&SourceStatus) -> Option<f64>,
    ) -> Result<(), fmt::Error> {
        let mut family = out.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for source in &self.0.sources {
            if let Some(value) = value(source) {
                let labels = labels(source);
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}

fn labels(source: &SourceStatus) -> [(&'static str, &str); 2] {
    [("source", &source.name), ("type", source.kind.as_str())]
}

fn gauge(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: f64,
) -> Result<(), fmt::Error> {
    out.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
}

pub(super) fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// A time as seconds since 1970.
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.micros() as f64 / Duration::from_secs(1).as_micros() as f64
}

#[cfg(test)]
mod tests {
    use osel_core::scan::ScanState;

    use super::*;
    use crate::runtime::forward::ForwarderStatus;
    use crate::runtime::service::{ScanTimes, ScannerStatus};
    use crate::store::ForwarderRow;

    #[test]
    fn scanners_have_their_numbers() {
        let scanner = ScannerStatus {
            name: "near".into(),
            kind: "builtin".into(),
            is_up: Some(false),
            trouble: None,
            waiting: 3,
            running: 2,
            ended: [(ScanState::Judged, 7)].into(),
            times: ScanTimes::default(),
        };
        let page = text_of(ServiceStatus { scanners: vec![scanner], ..ServiceStatus::starting() }).unwrap();
        for line in [
            "osel_scanner_up{scanner=\"near\"} 0.0",
            "osel_scans_waiting{scanner=\"near\"} 3.0",
            "osel_scans_running{scanner=\"near\"} 2.0",
            "osel_scans_total{scanner=\"near\",state=\"judged\"} 7",
            "osel_scans_total{scanner=\"near\",state=\"expired\"} 0",
            "osel_scan_seconds_count{scanner=\"near\"} 0",
        ] {
            assert!(page.lines().any(|known| known == line), "{line}\n{page}");
        }
    }

    #[test]
    fn forwarders_have_their_numbers() {
        let row = ForwarderRow { place: 7, delivered: 4, filtered: 2, dead: 1, ..ForwarderRow::default() };
        let forwarder = ForwarderStatus {
            name: "siem".into(),
            is_up: Some(false),
            trouble: Some((Timestamp::EPOCH, "silent: no answer".to_owned())),
            row,
            lag: Duration::from_millis(1500),
            letters: 2,
            batches: 5,
            retries: 6,
            defects: 3,
            ..ForwarderStatus::default()
        };
        let status = ServiceStatus { records: 10, forwarders: vec![forwarder], ..ServiceStatus::starting() };
        let page = text_of(status).unwrap();
        for line in [
            "osel_forward_up{forwarder=\"siem\"} 0.0",
            "osel_forward_trouble{forwarder=\"siem\"} 1.0",
            "osel_forward_lag_records{forwarder=\"siem\"} 3.0",
            "osel_forward_lag_seconds{forwarder=\"siem\"} 1.5",
            "osel_forward_dead_letters{forwarder=\"siem\"} 2.0",
            "osel_forward_records{forwarder=\"siem\",outcome=\"delivered\"} 4",
            "osel_forward_records{forwarder=\"siem\",outcome=\"filtered\"} 2",
            "osel_forward_records{forwarder=\"siem\",outcome=\"dead\"} 1",
            "osel_forward_batches_total{forwarder=\"siem\"} 5",
            "osel_forward_retries_total{forwarder=\"siem\"} 6",
            "osel_forward_defects_total{forwarder=\"siem\"} 3",
            "osel_forward_send_seconds_count{forwarder=\"siem\"} 0",
        ] {
            assert!(page.lines().any(|known| known == line), "{line}\n{page}");
        }
    }

    #[test]
    fn a_store_that_is_not_open_takes_no_writes_and_has_no_numbers() {
        let unopened = ServiceStatus::unopened(Timestamp::EPOCH, "disk full".to_owned());
        for status in [ServiceStatus::starting(), unopened] {
            let page = text_of(status).unwrap();
            assert!(page.contains("\nosel_store_writable 0.0\n"), "{page}");
            assert!(!page.contains("trail_records"), "{page}");
        }
        let running = ServiceStatus { phase: Phase::Running, records: 7, ..ServiceStatus::starting() };
        let page = text_of(running).unwrap();
        assert!(page.contains("\nosel_store_writable 1.0\n"), "{page}");
        // What goes on over starts is no counter.
        assert!(page.contains("\nosel_trail_records 7.0\n"), "{page}");
    }
}
