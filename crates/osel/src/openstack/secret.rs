//! One secret of Barbican, the key manager, as text: asked for by its id at the address that the account's own catalog has.
//!
//! Nothing of the secret is kept here, logged or quoted in an error. Whether it is what somebody needs is not judged here.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ACCEPT, HeaderValue};
use osel_core::time::Timestamp;
use serde::Deserialize;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::catalog::Service;
use super::client::{Client, ReadError, Shared};
use super::settings::Account;
use crate::http::{Answer, HttpError};

/// The largest secret that is taken: a key of the log has a tenth, as in a file.
pub const SECRET_BYTES_MAX: usize = 4096;
/// The largest description of a secret that is read: Barbican's own limits are a tenth of it.
const DESCRIPTION_BYTES_MAX: usize = 64 << 10;
/// How long logging in and both questions may take together; whoever asked tries again later.
const SECRET_TIME: Duration = Duration::from_secs(60);
/// The state of a secret that may be used.
const ACTIVE: &str = "ACTIVE";
/// The types of content that are texts, or bytes that may be one. Certificates, for instance, have types of their own.
const CONTENT_TYPES: [&str; 2] = ["text/plain", "application/octet-stream"];

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be asked for, or the answer is none.
    #[error("{0}")]
    Read(String),
    /// It may not be used.
    #[error("secret `{id}` is in the state `{status}`")]
    NotActive {
        /// Which.
        id: String,
        /// Its state.
        status: String,
    },
    /// It was made without its content, which was never put there.
    #[error("secret `{id}` has no payload")]
    Empty {
        /// Which.
        id: String,
    },
    /// It is something else.
    #[error("secret `{id}` is `{content_type}`, and neither `text/plain` nor `application/octet-stream`")]
    ContentType {
        /// Which.
        id: String,
        /// What it is.
        content_type: String,
    },
    /// There is more of it than can be meant.
    #[error("secret `{id}` is larger than {SECRET_BYTES_MAX} bytes")]
    TooLarge {
        /// Which.
        id: String,
    },
    /// It is no text.
    #[error("secret `{id}` is not UTF-8")]
    NotText {
        /// Which.
        id: String,
    },
    /// It takes too long.
    #[error("secret `{id}` was not told within {} s", SECRET_TIME.as_secs())]
    Slow {
        /// Which.
        id: String,
    },
}

impl From<ReadError> for SecretError {
    fn from(error: ReadError) -> Self {
        Self::Read(error.words())
    }
}

impl From<HttpError> for SecretError {
    fn from(error: HttpError) -> Self {
        ReadError::from(error).into()
    }
}

/// What Barbican says of a secret, of which this is needed.
#[derive(Debug, Deserialize)]
struct Description {
    status: String,
    #[serde(default)]
    content_types: Option<ContentTypes>,
}

#[derive(Debug, Deserialize)]
struct ContentTypes {
    default: String,
}

/// Reads the secret of that id by an account, of which only the text is left.
///
/// # Errors
/// When the account cannot have it, nobody answers, or it is no text of a key's size.
pub async fn secret(
    account: Account,
    id: &str,
    clock: fn() -> Timestamp,
) -> Result<Zeroizing<String>, SecretError> {
    let read = read(account, id, clock);
    timeout(SECRET_TIME, read).await.unwrap_or_else(|_| Err(SecretError::Slow { id: id.to_owned() }))
}

async fn read(
    account: Account,
    id: &str,
    clock: fn() -> Timestamp,
) -> Result<Zeroizing<String>, SecretError> {
    let mut client = Client::new(Arc::new(Shared::new(clock)), account).await?;
    let path = format!("secrets/{id}");
    let (answer, url) = client.get(Service::KeyManager, &path).await?;
    let description: Description = serde_json::from_slice(&answer.whole(DESCRIPTION_BYTES_MAX).await?)
        .map_err(|error| ReadError::NotUnderstood { url, source: Some(error.into()) })?;
    let accepted = accepted(id, description)?;
    let (answer, _) =
        client.get_with(Service::KeyManager, &format!("{path}/payload"), &[(ACCEPT, accepted)]).await?;
    let bytes = payload(id, answer).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NotText { id: id.to_owned() })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// As what the payload is asked for: Barbican gives it as what it is, or not at all.
fn accepted(id: &str, description: Description) -> Result<HeaderValue, SecretError> {
    let id = || id.to_owned();
    let Description { status, content_types } = description;
    if status != ACTIVE {
        return Err(SecretError::NotActive { id: id(), status: plain(&status) });
    }
    let content_type = content_types.ok_or_else(|| SecretError::Empty { id: id() })?.default;
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    match CONTENT_TYPES.into_iter().find(|known| kind.eq_ignore_ascii_case(known)) {
        Some(known) => Ok(HeaderValue::from_static(known)),
        None => Err(SecretError::ContentType { id: id(), content_type: plain(&content_type) }),
    }
}

/// A word of the service, for an error: short, and harmless to terminals.
fn plain(text: &str) -> String {
    /// Longer than any word of Barbican's.
    const CHARS_MAX: usize = 60;
    text.chars().take(CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The payload. Its own buffer is overwritten, which cannot be said of those of the connection.
async fn payload(id: &str, mut answer: Answer) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    // It never grows: growing would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX));
    while let Some(piece) = answer.piece().await? {
        if bytes.len() + piece.len() > SECRET_BYTES_MAX {
            return Err(SecretError::TooLarge { id: id.to_owned() });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(description: &str, wanted: Result<&str, &str>) {
        let found = accepted("s", serde_json::from_str(description).unwrap());
        let found = found.map(|value| value.to_str().unwrap().to_owned()).map_err(|error| error.to_string());
        assert_eq!(found, wanted.map(str::to_owned).map_err(str::to_owned), "{description}");
    }

    #[test]
    fn a_payload_is_asked_for_as_what_it_is() {
        let of = |kind: &str| format!(r#"{{"status": "ACTIVE", "content_types": {{"default": "{kind}"}}}}"#);
        check(&of("text/plain"), Ok("text/plain"));
        check(&of("Text/Plain; charset=utf-8"), Ok("text/plain"));
        check(&of("application/octet-stream"), Ok("application/octet-stream"));
        check(
            &of("application/pkix-cert"),
            Err(
                "secret `s` is `application/pkix-cert`, and neither `text/plain` nor `application/octet-stream`",
            ),
        );
        check(r#"{"status": "ACTIVE"}"#, Err("secret `s` has no payload"));
        check(r#"{"status": "ACTIVE", "content_types": null}"#, Err("secret `s` has no payload"));
        check(
            r#"{"status": "PENDING\n", "content_types": {"default": "text/plain"}}"#,
            Err("secret `s` is in the state `PENDING `"),
        );
    }
}
