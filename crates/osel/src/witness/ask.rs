//! A witness elsewhere: one question over HTTP, and what the answer means.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use osel_core::trail::log::{Checkpoint, KeyName, NOTE_BYTES_MAX, Note, TREE_SIZE_MAX};
use osel_core::witness::{AddCheckpoint, Reply, cosigned};

use super::memory::name_of;
use crate::config::{TlsConfig, WitnessConfig};
use crate::http::{Http, HttpError, Trust};
use crate::telemetry::chain;

/// How long a witness may take: it writes to a disk, and the next question comes in seconds.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// What is read of a refusal.
const REFUSAL_BYTES_MAX: usize = 300;

/// What was answered, and what was cosigned if it was: the note with the witness' line.
pub struct Asked {
    /// What it means.
    pub reply: Reply,
    /// The cosigned note.
    pub note: Option<String>,
}

impl From<Reply> for Asked {
    fn from(reply: Reply) -> Self {
        Self { reply, note: None }
    }
}

/// Asks a witness to cosign.
pub async fn ask(witness: &WitnessConfig, request: &AddCheckpoint) -> Asked {
    match exchange(witness, request).await {
        Ok(asked) => asked,
        // Whom we do not trust is nobody's witness until somebody mends it.
        Err(error @ (HttpError::Trust(_) | HttpError::Untrusted(..) | HttpError::Url(_))) => {
            Reply::Refused(chain(&error)).into()
        }
        Err(error) => Reply::Unavailable(chain(&error)).into(),
    }
}

/// The last checkpoint of a log that a witness has cosigned: signed by the witness, as whoever stands between cannot.
///
/// # Errors
/// What stands in its place, in words.
pub async fn last_signed(witness: &WitnessConfig, origin: &KeyName) -> Result<Checkpoint, String> {
    let url = format!("{}/{}/checkpoint", witness.url, name_of(origin));
    let exchange = async {
        let headers = [(ACCEPT, HeaderValue::from_static("*/*"))];
        let answer = way(witness).await?.send(Method::GET, &url, &headers, None).await?;
        let status = answer.status;
        Ok::<_, HttpError>((status, answer.whole(NOTE_BYTES_MAX).await?))
    };
    let (status, body) = exchange.await.map_err(|error| chain(&error))?;
    if status != StatusCode::OK {
        return Err(format!("`{url}` answers {status}"));
    }
    let is_signed = Note::read(&body).is_ok_and(|note| note.cosigned_at(&witness.key).is_some());
    let checkpoint = Checkpoint::read_unverified(&body).ok();
    match checkpoint.filter(|checkpoint| is_signed && checkpoint.origin == *origin) {
        Some(checkpoint) => Ok(checkpoint),
        None => Err(format!("`{url}` is no checkpoint of this log that is signed by {}", witness.key)),
    }
}

/// The way to a witness.
async fn way(witness: &WitnessConfig) -> Result<Http, HttpError> {
    let trust = if witness.url.starts_with("https://") {
        let files = TlsConfig {
            ca_file: witness.ca_file.clone(),
            cert_file: None,
            key_file: None,
            server_name: None,
            external: false,
        };
        // It reads files.
        let read = tokio::task::spawn_blocking(move || Trust::read(&files, true, Some(ANSWER_TIME)));
        let read = read.await.map_err(|error| HttpError::Unreachable(witness.url.clone(), error.into()))?;
        Some(read?)
    } else {
        None
    };
    Ok(Http::new(trust).within(ANSWER_TIME))
}

async fn exchange(witness: &WitnessConfig, request: &AddCheckpoint) -> Result<Asked, HttpError> {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (ACCEPT, HeaderValue::from_static("*/*")),
    ];
    let url = format!("{}/add-checkpoint", witness.url);
    let body = Some(Bytes::from(request.text()));
    let answer = way(witness).await?.send(Method::POST, &url, &headers, body).await?;
    let status = answer.status;
    if status == StatusCode::OK {
        let body = answer.whole(NOTE_BYTES_MAX).await?;
        let lines = String::from_utf8_lossy(&body);
        return Ok(match cosigned(&request.note, &lines, &witness.key) {
            Ok(Some((note, _))) => Asked { reply: Reply::Cosigned, note: Some(note) },
            Ok(None) => {
                let words = format!("it answers without a signature by {}", witness.key);
                Reply::Refused(words).into()
            }
            Err(error) => Reply::Unproved(error.to_string()).into(),
        });
    }
    let body = answer.beginning(REFUSAL_BYTES_MAX).await;
    let words = String::from_utf8_lossy(&body);
    let words = words.trim();
    let said = format!("it answers {status}: {words}");
    Ok(match status {
        StatusCode::CONFLICT => match words.parse::<u64>() {
            Ok(size) if size <= TREE_SIZE_MAX => Reply::Conflict(size),
            _ => Reply::Garbled(said),
        },
        StatusCode::UNPROCESSABLE_ENTITY => Reply::Inconsistent,
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Reply::Unavailable(said),
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Reply::Refused(said),
        _ => Reply::Garbled(said),
    }
    .into())
}
