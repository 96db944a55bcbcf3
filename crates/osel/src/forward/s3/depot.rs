//! A bucket as a store of objects. Requests are signed in their URL, for a few minutes.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use osel_core::format::Format;
use osel_core::forward::{Refusal, RefusalKind};
use rusty_s3::actions::{ListObjectsV2, PutObject};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use sha2::{Digest, Sha256};

use super::answer::{code, kind};
use crate::config::{ForwardConfig, ReceiverConfig, S3Config, S3Encryption};
use crate::forward::http::{ANSWER_BYTES_MAX, answers, leads_to, of_http, origin, reached, refusal, said};
use crate::forward::now::ConfigNow;
use crate::forward::objects::{Depot, Object, ObjectReceiver};
use crate::forward::receiver::{Handed, Receiver};
use crate::http::{Answer, Http};

/// How long a signature is good: as long as a slow upload takes, and as clocks may differ.
const SIGNED_TIME: Duration = Duration::from_mins(15);
/// The longest listing that is read: a thousand names of the longest kind.
const LISTING_BYTES_MAX: usize = 4 << 20;

/// The receiver of that table; `now` gives the table anew, should the store refuse us.
pub fn s3(config: S3Config, format: Format, now: ConfigNow) -> impl Receiver {
    let objects = config.objects.clone();
    ObjectReceiver::new(S3 { config, now, way: None }, objects, format.is_json())
}

/// A bucket.
struct S3 {
    config: S3Config,
    now: ConfigNow,
    /// The way there; none before it is first used, and after it has to be made anew.
    way: Option<Way>,
}

/// A way to the bucket.
struct Way {
    http: Http,
    bucket: Bucket,
    credentials: Credentials,
}

impl S3 {
    /// The way there, with what the configuration says now.
    async fn way(&mut self) -> Result<&mut Way, Refusal> {
        if self.way.is_none() {
            let (now, before) = (self.now.clone(), self.config.clone());
            let made = tokio::task::spawn_blocking(move || {
                let ForwardConfig { receiver, .. } = now();
                // It may have become something else, which the next start makes of it.
                let config = match receiver {
                    ReceiverConfig::S3(config) => S3Config { objects: before.objects, ..*config },
                    _ => before,
                };
                let http = reached(&config.http, config.endpoint.starts_with("https:"))?;
                Ok::<_, Refusal>((config, http))
            });
            let made = made.await.map_err(|error| refusal(RefusalKind::Unavailable, &error.to_string()))?;
            let (config, http) = made?;
            let bucket = bucket(&config)?;
            let S3Config { key_id, key, token, .. } = &config;
            let credentials = match token {
                None => Credentials::new(key_id.expose(), key.expose()),
                Some(token) => Credentials::new_with_token(key_id.expose(), key.expose(), token.expose()),
            };
            self.config = config;
            self.way = Some(Way { http, bucket, credentials });
        }
        self.way
            .as_mut()
            .ok_or_else(|| refusal(RefusalKind::Unavailable, "the way to the store was given up"))
    }

    async fn put(&mut self, object: Object) -> Result<(), Refusal> {
        let sum = STANDARD.encode(Sha256::digest(&object.body));
        self.way().await?;
        let headers = headers(&self.config, object.content_type, &sum);
        let Way { http, bucket, credentials } = self.way().await?;
        let mut action = PutObject::new(bucket, Some(credentials), &object.name);
        for (name, value) in &headers {
            action.headers_mut().insert(*name, value.as_str());
        }
        let url = action.sign(SIGNED_TIME);
        let headers = sent(&headers)?;
        let answer = http.send(Method::PUT, url.as_str(), &headers, Some(object.body)).await;
        let answer = answer.map_err(|error| of_http(&error))?;
        match answer.status.as_u16() {
            200 => {
                // Read to its end, so that the connection can be used again.
                answer.beginning(ANSWER_BYTES_MAX).await;
                Ok(())
            }
            // The name is taken, and says what is in the object: we were here, and the answer was lost.
            412 if self.config.writes_once => Ok(()),
            _ => Err(self.refused("to take an object", answer).await),
        }
    }

    async fn listed(&mut self, beginning: &str) -> Result<Vec<String>, Refusal> {
        let Way { http, bucket, credentials } = self.way().await?;
        let mut action = ListObjectsV2::new(bucket, Some(credentials));
        action.with_prefix(beginning);
        let url = action.sign(SIGNED_TIME);
        let answer =
            http.send(Method::GET, url.as_str(), &sent(&[("accept", "*/*".to_owned())])?, None).await;
        let answer = answer.map_err(|error| of_http(&error))?;
        if answer.status.as_u16() != 200 {
            return Err(self.refused("to list objects, which is needed after a start", answer).await);
        }
        let listing = answer.whole(LISTING_BYTES_MAX).await.map_err(|error| of_http(&error))?;
        let listing = ListObjectsV2::parse_response(&String::from_utf8_lossy(&listing));
        let listing = listing.map_err(|error| {
            refusal(RefusalKind::Garbled, &format!("the store's listing cannot be read: {error}"))
        })?;
        Ok(listing.contents.into_iter().map(|object| object.key).collect())
    }

    /// What a refusal says.
    async fn refused(&self, what: &str, answer: Answer) -> Refusal {
        let (status, wait) = (answer.status.as_u16(), answer.retry_after());
        let S3Config { key, token, .. } = &self.config;
        let secrets = || [Some(key), token.as_ref()].into_iter().flatten();
        let leads_to = leads_to(&answer.headers, secrets());
        let answer = answer.beginning(ANSWER_BYTES_MAX).await;
        let code = code(&answer);
        let said = answers(status, leads_to.as_deref(), &said(&answer, secrets()));
        let words = format!("the store refuses {what}: it answers {said}");
        Refusal { wait, ..refusal(kind(status, &code), &words) }
    }

    /// What came of a call; what is refused for who we are is tried with what the configuration says then.
    fn after<T>(&mut self, result: Result<T, Refusal>) -> Result<T, Refusal> {
        if result.as_ref().is_err_and(|refusal| refusal.kind.needs_person()) {
            self.way = None;
        }
        result
    }
}

fn bucket(config: &S3Config) -> Result<Bucket, Refusal> {
    let S3Config { endpoint, region, bucket, is_in_path, .. } = config;
    let style = if *is_in_path { UrlStyle::Path } else { UrlStyle::VirtualHost };
    let endpoint = endpoint.parse().map_err(|_| refusal(RefusalKind::Denied, "the endpoint is no URL"))?;
    Bucket::new(endpoint, style, bucket.clone(), region.clone())
        .map_err(|error| refusal(RefusalKind::Denied, &format!("no bucket there: {error}")))
}

/// What a request has that writes an object, all of it signed. The sum is of the body, which is not signed by itself.
fn headers(config: &S3Config, content_type: &str, sum: &str) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", content_type.to_owned()),
        ("x-amz-checksum-sha256", sum.to_owned()),
        // Some stores look at the sum only where they are told which one it is.
        ("x-amz-sdk-checksum-algorithm", "SHA256".to_owned()),
    ];
    match &config.encryption {
        None => {}
        Some(S3Encryption::Own) => headers.push(("x-amz-server-side-encryption", "AES256".to_owned())),
        Some(S3Encryption::Managed(key)) => {
            headers.push(("x-amz-server-side-encryption", "aws:kms".to_owned()));
            let key = key.iter().map(|key| ("x-amz-server-side-encryption-aws-kms-key-id", key.clone()));
            headers.extend(key);
        }
    }
    if config.writes_once {
        headers.push(("if-none-match", "*".to_owned()));
    }
    headers
}

fn sent(headers: &[(&'static str, String)]) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let wrong = |_| refusal(RefusalKind::Denied, "a word of the configuration is no text for a header");
    let read = |(name, value): &(&'static str, String)| {
        Ok((HeaderName::from_static(name), HeaderValue::from_str(value).map_err(wrong)?))
    };
    headers.iter().map(read).collect()
}

impl Depot for S3 {
    fn target(&self) -> String {
        format!("{}/{}", origin(&self.config.endpoint), self.config.bucket)
    }

    fn put(&mut self, object: Object) -> Handed<'_, ()> {
        Box::pin(async move {
            let put = Self::put(self, object).await;
            self.after(put)
        })
    }

    fn listed<'a>(&'a mut self, beginning: &'a str) -> Handed<'a, Vec<String>> {
        Box::pin(async move {
            let listed = Self::listed(self, beginning).await;
            self.after(listed)
        })
    }

    fn reset(&mut self) {
        self.way = None;
    }
}
