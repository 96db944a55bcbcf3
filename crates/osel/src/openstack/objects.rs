//! Objects of Swift, the object store: put into a container of the account's own project, and listed by name.
//!
//! Nothing is read, changed or removed here, and no container is made. Which objects there are to be is decided elsewhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use osel_core::time::Timestamp;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::catalog::Service;
use super::client::{ANSWER_BYTES_MAX, Client, Logins, ReadError, Shared};
use super::settings::Account;
use crate::http::HttpError;

/// How long Swift keeps an object before it removes it, in seconds.
const DELETE_AFTER: HeaderName = HeaderName::from_static("x-delete-after");
/// The most names of one listing: those of objects that begin with one record are a few.
const LISTED_MAX: usize = 1000;

/// An object on its way.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// Its container.
    pub container: String,
    /// Its name, of signs that need no quoting in a URL.
    pub name: String,
    /// What its content is said to be.
    pub content_type: &'static str,
    /// Its MD5 in hexadecimal digits, which Swift compares.
    pub md5: String,
    /// After how many seconds Swift removes it; none for never.
    pub delete_after: Option<u64>,
    /// What is in it.
    pub body: Bytes,
}

/// Why an object is not there.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct ObjectError {
    /// What stands in the way.
    pub trouble: ObjectTrouble,
    /// The same in words.
    pub words: String,
    /// The pause that the service asks for.
    pub wait: Option<Duration>,
}

/// What stands in the way of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectTrouble {
    /// Nobody is there, or there is too much to do.
    Unavailable,
    /// There is no answer in time.
    Silent,
    /// Somebody has to act: on the account, its rights, the container, or its quota.
    Denied,
    /// The answer cannot be understood.
    Garbled,
}

impl From<ReadError> for ObjectError {
    fn from(error: ReadError) -> Self {
        let mut wait = None;
        let trouble = match &error {
            ReadError::Http(HttpError::Unreachable(..) | HttpError::Broken(..)) => ObjectTrouble::Unavailable,
            ReadError::Http(HttpError::Slow(_)) => ObjectTrouble::Silent,
            ReadError::Http(HttpError::TooLarge(..)) | ReadError::NotUnderstood { .. } => {
                ObjectTrouble::Garbled
            }
            ReadError::Throttled { retry_after, .. } => {
                wait = *retry_after;
                ObjectTrouble::Unavailable
            }
            // 408 and 499 say that the object did not come whole, 422 that it was damaged on its way; 409 that another one is at it.
            ReadError::Status { status, .. }
                if status.is_server_error() || matches!(status.as_u16(), 408 | 409 | 422 | 499) =>
            {
                ObjectTrouble::Unavailable
            }
            _ => ObjectTrouble::Denied,
        };
        Self { trouble, words: error.words(), wait }
    }
}

impl From<HttpError> for ObjectError {
    fn from(error: HttpError) -> Self {
        ReadError::from(error).into()
    }
}

/// One of a listing.
#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(default)]
    name: String,
}

/// The account, read anew at each login, or why there is none. It may block.
pub type AccountNow = Arc<dyn Fn() -> Result<Account, String> + Send + Sync>;

/// The object store, as one account sees it.
pub struct ObjectStore {
    account: AccountNow,
    clock: fn() -> Timestamp,
    /// Logged in; none before it is first needed, and after somebody may have changed the account.
    client: Option<Client>,
    logins: Logins,
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore").finish_non_exhaustive()
    }
}

impl ObjectStore {
    /// That of an account. Nobody is asked before something is wanted.
    pub fn new(account: AccountNow, clock: fn() -> Timestamp) -> Self {
        Self { account, clock, client: None, logins: Logins::default() }
    }

    /// Has the account read and logged in again.
    pub fn reset(&mut self) {
        self.client = None;
    }

    /// Puts an object there: it is there as a whole when this is over.
    ///
    /// # Errors
    /// When it is not, as far as is known.
    pub async fn put(&mut self, object: NewObject) -> Result<(), ObjectError> {
        let NewObject { container, name, content_type, md5, delete_after, body } = object;
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))];
        headers.extend(HeaderValue::try_from(md5).ok().map(|sum| (ETAG, sum)));
        headers.extend(delete_after.map(|seconds| (DELETE_AFTER, seconds.into())));
        let path = format!("{container}/{name}");
        let client = self.client().await?;
        let (answer, url) =
            client.ask(Method::PUT, Service::ObjectStore, &path, &headers, Some(body)).await?;
        match answer.status {
            StatusCode::CREATED => Ok(()),
            _ => Err(client.refusal(answer, url).await.into()),
        }
    }

    /// Names of objects that begin so.
    ///
    /// # Errors
    /// When they are not told.
    pub async fn listed(&mut self, container: &str, beginning: &str) -> Result<Vec<String>, ObjectError> {
        let path = format!("{container}?format=json&limit={LISTED_MAX}&prefix={beginning}");
        let client = self.client().await?;
        let (answer, url) = client.get(Service::ObjectStore, &path).await?;
        let told = answer.whole(ANSWER_BYTES_MAX).await?;
        let listed: Vec<Listed> = serde_json::from_slice(&told)
            .map_err(|error| ReadError::NotUnderstood { url, source: Some(error.into()) })?;
        Ok(listed.into_iter().map(|object| object.name).collect())
    }

    async fn client(&mut self) -> Result<&mut Client, ObjectError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => {
                let of = |trouble, words| ObjectError { trouble, words, wait: None };
                let account = Arc::clone(&self.account);
                let read = spawn_blocking(move || account()).await;
                let account = read.map_err(|error| of(ObjectTrouble::Unavailable, error.to_string()))?;
                let account = account.map_err(|words| of(ObjectTrouble::Denied, words))?;
                Client::new(Arc::new(Shared::told_by(self.clock, self.logins.clone())), account).await?
            }
        };
        Ok(self.client.insert(client))
    }
}
