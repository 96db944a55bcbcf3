//! Two questions about the daemon: whether it is alive, and whether it does its work.
//!
//! *Alive* says that restarting it would not help; *ready* that it listened to every source and may write. A broker that goes away later
//! takes neither away: that is a thing for an alarm on `osel_source_connected`, not for whoever restarts programs.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use serde::Serialize;
use tokio::sync::watch;

use crate::runtime::service::{Phase, ServiceStatus};

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
}

/// `GET /healthz`.
pub(super) async fn live(State(status): State<watch::Receiver<ServiceStatus>>) -> Answer {
    answer(["alive", "stuck"], stuck(&status.borrow()))
}

/// `GET /readyz`.
pub(super) async fn ready(State(status): State<watch::Receiver<ServiceStatus>>) -> Answer {
    answer(["ready", "not ready"], unready(&status.borrow()))
}

fn answer([good, bad]: [&'static str; 2], reasons: Vec<String>) -> Answer {
    let (code, status) =
        if reasons.is_empty() { (StatusCode::OK, good) } else { (StatusCode::SERVICE_UNAVAILABLE, bad) };
    let document = Document { status, reasons };
    let text = serde_json::to_string(&document).unwrap_or_default();
    (code, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], text)
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
    reasons
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use osel_core::time::Timestamp;

    use super::*;
    use crate::runtime::service::{SourceKind, SourceState, SourceStatus};

    fn source(name: &str, was_connected: bool) -> SourceStatus {
        SourceStatus {
            name: name.into(),
            kind: SourceKind::RabbitMq,
            state: SourceState::Connecting,
            since: Timestamp::EPOCH,
            was_connected,
            reconnects: 0,
            gaps: 0,
            received: 0,
            recorded: 0,
            duplicate: 0,
            ignored: 0,
            quarantined: 0,
            last_event: None,
            waiting: None,
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
        status.store_trouble = Some((Timestamp::EPOCH, "disk full".to_owned()));
        assert_eq!(
            unready(&status),
            ["the store takes nothing since 1970-01-01T00:00:00.000000Z: disk full"]
        );
    }
}
