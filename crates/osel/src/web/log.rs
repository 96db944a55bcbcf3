//! `/log/`: the Merkle log over the records as C2SP's tlog-tiles, for auditors, monitors and mirrors.
//!
//! Everybody who may connect gets the records' canonical bytes: numbers, times, kinds, ids of projects and commitments, but nothing that a
//! commitment hides. A path is taken only as C2SP writes it. All requests share one reader of the store, each for the rows of one tile, so
//! that nobody outside decides how many connections a store has or how long it is read. The loop takes no part in it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode, Uri};
use axum::routing::get;
use osel_core::trail::log::Resource;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::runtime::log::{Found, ReadError, find};
use crate::store::{JournalError, Reader};

/// Opens the store for reading, as it is named now.
pub type OpenReader = Arc<dyn Fn() -> Result<Box<dyn Reader>, JournalError> + Send + Sync>;

/// How long a request waits for the store, others before it included: a tile takes milliseconds, and who fetches a log tries again.
const READ_TIME: Duration = Duration::from_secs(10);
/// Below this path is the log.
const PREFIX: &str = "/log/";

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// A checkpoint is followed by the next within a second or so.
const FOR_A_SECOND: &str = "max-age=1";
/// A tile of some width has its bytes for ever; this is a year, as long as caches are told anything.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// What is not there now may be in a moment.
const NOT_AT_ALL: &str = "no-store";

type Answer = (StatusCode, [(HeaderName, &'static str); 2], Vec<u8>);

/// The pages of the log of the store that this opens.
pub(super) fn pages(open: OpenReader) -> Router {
    let slot = Arc::new(Mutex::new(Slot { open, reader: None, is_told: false }));
    Router::new().route(&format!("{PREFIX}{{*resource}}"), get(page)).with_state(slot)
}

/// The reader that all requests share.
struct Slot {
    open: OpenReader,
    /// None before the first request, and after one that failed.
    reader: Option<Box<dyn Reader>>,
    /// It was said that the store cannot be read.
    is_told: bool,
}

impl Slot {
    /// Reads a resource, by a new reader if there is none. It blocks.
    fn find(&mut self, resource: &Resource) -> Result<Found, ReadError> {
        let mut reader = match self.reader.take().map_or_else(|| (self.open)(), Ok) {
            // It is about to be made, or being made.
            Err(JournalError::Missing { .. } | JournalError::NotAStore { .. }) => {
                return Ok(Found::NoCheckpoint);
            }
            reader => reader?,
        };
        let found = find(&mut *reader, resource)?;
        self.reader = Some(reader);
        Ok(found)
    }

    /// The same as an answer; trouble is told when it begins.
    fn answer(&mut self, resource: &Resource) -> Answer {
        let found = self.find(resource);
        let was_told = std::mem::replace(&mut self.is_told, found.is_err());
        match found {
            Ok(Found::Bytes(bytes)) => match resource {
                Resource::Checkpoint => {
                    (StatusCode::OK, [(CONTENT_TYPE, TEXT), (CACHE_CONTROL, FOR_A_SECOND)], bytes)
                }
                _ => (StatusCode::OK, [(CONTENT_TYPE, BYTES), (CACHE_CONTROL, FOR_EVER)], bytes),
            },
            Ok(Found::NoCheckpoint) => {
                refusal(StatusCode::NOT_FOUND, "this log has no checkpoint: nothing of it is signed yet")
            }
            Ok(Found::Nothing) => refusal(StatusCode::NOT_FOUND, "the log is not that large"),
            Err(error) => {
                if !was_told {
                    let error = error.to_string();
                    tracing::warn!(error, "the log cannot be served over HTTP: each request tries again");
                }
                refusal(StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read now")
            }
        }
    }
}

async fn page(State(slot): State<Arc<Mutex<Slot>>>, uri: Uri) -> Answer {
    // Not as it may be decoded: a path has one form.
    let Some(resource) = uri.path().strip_prefix(PREFIX).and_then(Resource::parse) else {
        return refusal(
            StatusCode::NOT_FOUND,
            "a log has a checkpoint and tiles: see https://c2sp.org/tlog-tiles",
        );
    };
    let answer = async {
        let slot: OwnedMutexGuard<Slot> = slot.lock_owned().await;
        // It keeps its place until it has read, also when nobody waits for it any more.
        spawn_blocking(move || { slot }.answer(&resource)).await
    };
    match timeout(READ_TIME, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "the store is busy: try again"),
    }
}

fn refusal(code: StatusCode, sentence: &str) -> Answer {
    (code, [(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NOT_AT_ALL)], format!("{sentence}\n").into_bytes())
}
