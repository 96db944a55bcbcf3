//! A witness over HTTP (C2SP tlog-witness): `POST /add-checkpoint`, and what it cosigned last of each log.
//!
//! One request at a time is judged, since each is compared with what the one before has left on the disk. There is no other authentication than
//! the logs' signatures.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::routing::{get, post};
use osel_core::witness::{AddCheckpoint, REQUEST_BYTES_MAX, Refused};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use super::server::serve_on;
use crate::witness::{MemoryError, Refusal, Witness};

const TEXT: &str = "text/plain; charset=utf-8";
/// The type of a conflict's answer, which is nothing but the size.
const SIZE: &str = "text/x.tlog.size";
/// What is right now may be another in a moment.
const NOT_AT_ALL: &str = "no-store";

type Answer = (StatusCode, [(HeaderName, &'static str); 2], String);
type Shared = Arc<Mutex<Witness>>;

/// Answers to whoever connects, for as long as it is asked to.
pub async fn serve_witness(listener: &TcpListener, witness: Witness) {
    let pages = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{hash}/checkpoint", get(latest))
        .with_state(Arc::new(Mutex::new(witness)));
    serve_on(listener, &pages).await;
}

async fn add_checkpoint(State(witness): State<Shared>, body: Body) -> Answer {
    let Ok(body) = to_bytes(body, REQUEST_BYTES_MAX).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long, or broke off");
    };
    let request = match AddCheckpoint::read(&body) {
        Ok(request) => request,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    // It waits for the disk.
    let judged = spawn_blocking(move || judge(&witness, &request)).await;
    judged.unwrap_or_else(|_| refusal(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed"))
}

fn judge(witness: &Shared, request: &AddCheckpoint) -> Answer {
    // A cosignature of no time would be one of a log that was never checked.
    let Some(seconds) = seconds_now() else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "the clock of the witness stands before 1970");
    };
    let added = lock(witness).add(request, seconds);
    let refused = match added {
        Ok(cosigned) => {
            tracing::debug!(log = cosigned.origin.as_str(), size = cosigned.size, "cosigned");
            return (StatusCode::OK, [(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NOT_AT_ALL)], cosigned.line);
        }
        Err(Refusal::Refused(refused)) => refused,
        Err(Refusal::Memory(error)) => return forgetful(&error),
    };
    let code = match &refused {
        Refused::Conflict { seen } => {
            let headers = [(CONTENT_TYPE, SIZE), (CACHE_CONTROL, NOT_AT_ALL)];
            return (StatusCode::CONFLICT, headers, format!("{seen}\n"));
        }
        Refused::NoCheckpoint(_) | Refused::Backwards { .. } => StatusCode::BAD_REQUEST,
        Refused::UnknownLog(_) => StatusCode::NOT_FOUND,
        Refused::Unsigned(_) => StatusCode::FORBIDDEN,
        Refused::Split { .. } => {
            // Its log signed both: this is evidence, and somebody should look.
            let note = &request.note;
            tracing::error!(note, old = request.old, "a log shows another past than it did before");
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refused::Inconsistent(error) => {
            // Checkpoints are public, and anybody may send one with a proof that proves nothing.
            let (note, why) = (&request.note, error.to_string());
            tracing::warn!(
                note,
                old = request.old,
                why,
                "a checkpoint is not proved to go on from what was seen"
            );
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    refusal(code, &refused.to_string())
}

fn forgetful(error: &MemoryError) -> Answer {
    let why = crate::telemetry::chain(error);
    tracing::error!(why, "nothing is cosigned: it could not be remembered");
    refusal(StatusCode::SERVICE_UNAVAILABLE, "the witness cannot write down what it sees")
}

async fn latest(State(witness): State<Shared>, Path(hash): Path<String>) -> Answer {
    // Only what was signed by a log and by us is said, so that it may be read by anybody.
    // Whoever adds holds it while a disk is waited for.
    let note = spawn_blocking(move || lock(&witness).latest(&hash).map(str::to_owned)).await.ok().flatten();
    match note {
        Some(note) => (StatusCode::OK, [(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NOT_AT_ALL)], note),
        None => refusal(StatusCode::NOT_FOUND, "nothing of such a log was cosigned here"),
    }
}

fn refusal(code: StatusCode, sentence: &str) -> Answer {
    (code, [(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NOT_AT_ALL)], format!("{sentence}\n"))
}

fn seconds_now() -> Option<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs()).filter(|seconds| *seconds > 0)
}

/// A panic while it was held has changed nothing that is on the disk, and what is in memory is written after it.
fn lock(witness: &Shared) -> MutexGuard<'_, Witness> {
    witness.lock().unwrap_or_else(PoisonError::into_inner)
}
