//! Two questions about the daemon: whether it is alive, and whether it does its work.
//!
//! *Alive* says that restarting it would not help; *ready* that it listened to every source and may write. A broker that goes away later
//! takes neither away: that is a thing for an alarm on `osel_source_connected`, not for whoever restarts programs. Nor does a receiver of
//! records that is away, slow, or refuses them; how each forwarder does stands in both answers, for people.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use serde::Serialize;
use tokio::sync::watch;

use crate::runtime::forward::ForwarderStatus;
use crate::runtime::service::{Phase, SOURCE_FAILED, ServiceStatus};

/// A loop that has not been heard of for so long is stuck: it speaks twice a second, and nothing in it takes seconds but the snapshot of a
/// large model.
const BEAT_AGE_MAX: Duration = Duration::from_secs(20);

/// An answer in JSON that nobody keeps.
type Answer = (StatusCode, [(HeaderName, &'static str); 2], String);

#[derive(Serialize)]
struct Document {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forwarders: Vec<Forwarder>,
}

/// How a forwarder does.
#[derive(Debug, PartialEq, Serialize)]
struct Forwarder {
    name: String,
    /// `up to date`, `behind`, or `in trouble`.
    state: &'static str,
    behind_records: u64,
    behind_seconds: u64,
    dead_letters: usize,
    /// Since when, and what.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

/// `GET /healthz`.
pub(super) async fn live(State(status): State<watch::Receiver<ServiceStatus>>) -> Answer {
    let status = status.borrow();
    answer(["alive", "stuck"], stuck(&status), forwarders(&status))
}

/// `GET /readyz`.
pub(super) async fn ready(State(status): State<watch::Receiver<ServiceStatus>>) -> Answer {
    let status = status.borrow();
    answer(["ready", "not ready"], unready(&status), forwarders(&status))
}

fn answer([good, bad]: [&'static str; 2], reasons: Vec<String>, forwarders: Vec<Forwarder>) -> Answer {
    let (code, status) =
        if reasons.is_empty() { (StatusCode::OK, good) } else { (StatusCode::SERVICE_UNAVAILABLE, bad) };
    let document = Document { status, reasons, forwarders };
    let text = serde_json::to_string(&document).unwrap_or_default();
    (code, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], text)
}

/// How each forwarder does.
fn forwarders(status: &ServiceStatus) -> Vec<Forwarder> {
    let of = |forwarder: &ForwarderStatus| {
        let behind_records = status.records.saturating_sub(forwarder.row.place);
        Forwarder {
            name: forwarder.name.to_string(),
            state: match (&forwarder.trouble, behind_records) {
                (Some(_), _) => "in trouble",
                (None, 0) => "up to date",
                (None, _) => "behind",
            },
            behind_records,
            behind_seconds: forwarder.lag.as_secs(),
            dead_letters: forwarder.letters,
            trouble: forwarder.trouble.as_ref().map(|(since, words)| format!("since {since}: {words}")),
        }
    };
    status.forwarders.iter().map(of).collect()
}

/// Why it is stuck, if it is. While it starts there is no loop that could be.
fn stuck(status: &ServiceStatus) -> Vec<String> {
    let age = status.beat.elapsed();
    let is_stuck = status.phase != Phase::Starting && age > BEAT_AGE_MAX;
    let reason = || format!("the loop has not been heard of for {} s", age.as_secs());
    is_stuck.then(reason).into_iter().collect()
}

/// Why it is not ready, if so.
fn unready(status: &ServiceStatus) -> Vec<String> {
    let mut reasons = stuck(status);
    match status.phase {
        Phase::Starting => reasons.push("the store is not open".to_owned()),
        Phase::StandingBy => reasons.push("another process leads the store".to_owned()),
        Phase::Stopping => reasons.push("it was told to stop".to_owned()),
        Phase::Running => {}
    }
    if let Some((since, words)) = &status.store_trouble {
        reasons.push(format!("the store takes nothing since {since}: {words}"));
    }
    let unheard = status.sources.iter().filter(|source| !source.was_connected);
    reasons.extend(unheard.map(|source| format!("source `{}` was not connected yet", source.name)));
    // No outage of others, which would end by itself.
    let failed = status.sources.iter().filter(|source| source.has_failed);
    reasons.extend(
        failed.map(|source| format!("source `{}` since {}: {SOURCE_FAILED}", source.name, source.since)),
    );
    reasons
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use osel_core::time::Timestamp;

    use super::*;
    use crate::runtime::service::{SourceKind, SourceState, SourceStatus};
    use crate::store::ForwarderRow;

    fn source(name: &str, was_connected: bool) -> SourceStatus {
        SourceStatus {
            name: name.into(),
            kind: SourceKind::RabbitMq,
            state: SourceState::Connecting,
            since: Timestamp::EPOCH,
            was_connected,
            has_failed: false,
            reconnects: 0,
            gaps: 0,
            received: 0,
            recorded: 0,
            duplicate: 0,
            ignored: 0,
            quarantined: 0,
            last_event: None,
            waiting: None,
            bound_exchanges: None,
            in_flight_messages: 0,
            in_flight_bytes: 0,
        }
    }

    fn running(sources: Vec<SourceStatus>) -> ServiceStatus {
        ServiceStatus { phase: Phase::Running, sources, ..ServiceStatus::starting() }
    }

    #[test]
    fn a_loop_that_is_not_heard_of_is_stuck() {
        let mut status = running(Vec::new());
        assert_eq!(stuck(&status), [""; 0]);
        status.beat = Instant::now() - BEAT_AGE_MAX - Duration::from_secs(1);
        assert_eq!(stuck(&status), ["the loop has not been heard of for 21 s"]);
        // A long fold is no stuck loop, but not ready either.
        status.phase = Phase::Starting;
        assert_eq!(stuck(&status), [""; 0]);
        assert_eq!(unready(&status), ["the store is not open"]);
        // Who stands by is alive as long as it looks for the lead.
        status.phase = Phase::StandingBy;
        assert_eq!(stuck(&status).len(), 1);
        assert_eq!(unready(&ServiceStatus::standing_by()), ["another process leads the store"]);
    }

    #[test]
    fn ready_is_who_writes_and_has_heard_every_source() {
        let mut status = running(vec![source("one", true), source("two", false)]);
        assert_eq!(unready(&status), ["source `two` was not connected yet"]);
        status.sources.pop();
        // That it is away now is nothing that a restart would mend.
        assert_eq!(unready(&status), [""; 0]);
        // That osel broke down over it is.
        status.sources.push(SourceStatus { has_failed: true, ..source("three", true) });
        assert_eq!(
            unready(&status),
            [
                "source `three` since 1970-01-01T00:00:00.000000Z: its task has failed, which is a defect of osel: it is started again and again, \
                 and the log says more"
            ]
        );
        status.sources.pop();
        status.store_trouble = Some((Timestamp::EPOCH, "disk full".to_owned()));
        assert_eq!(
            unready(&status),
            ["the store takes nothing since 1970-01-01T00:00:00.000000Z: disk full"]
        );
    }

    #[test]
    fn a_forwarder_in_trouble_is_named_and_takes_no_readiness_away() {
        let mut status = running(Vec::new());
        status.records = 10;
        let row = |place| ForwarderRow { place, ..ForwarderRow::default() };
        let trouble = Some((Timestamp::EPOCH, "unavailable: nobody is there".to_owned()));
        let (lag, letters) = (Duration::from_millis(90_500), 2);
        status.forwarders = vec![
            ForwarderStatus { name: "siem".into(), row: row(7), lag, letters, trouble, ..Default::default() },
            ForwarderStatus { name: "file".into(), row: row(10), ..ForwarderStatus::default() },
            ForwarderStatus { name: "room".into(), row: row(9), ..ForwarderStatus::default() },
        ];
        let (code, _, text) = answer(["ready", "not ready"], unready(&status), forwarders(&status));
        assert_eq!(code, StatusCode::OK);
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            told["forwarders"][0],
            serde_json::json!({
                "name": "siem",
                "state": "in trouble",
                "behind_records": 3,
                "behind_seconds": 90,
                "dead_letters": 2,
                "trouble": "since 1970-01-01T00:00:00.000000Z: unavailable: nobody is there",
            })
        );
        assert_eq!(
            [&told["forwarders"][1]["state"], &told["forwarders"][2]["state"]],
            ["up to date", "behind"]
        );
    }
}
