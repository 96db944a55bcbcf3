//! A webhook as the forwarder sees it.
//!
//! A request that was answered with success is where it is to be; there is no more to know. What is sent again after a lost answer has the
//! same name, by which a receiver can leave it out.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use osel_core::format::Format;
use osel_core::forward::{Refusal, RefusalKind, Taken};

use super::body::{self, body, content_type};
use super::sign;
use super::template::Template;
use crate::config::{ForwardConfig, ReceiverConfig, Secret, WebhookBody, WebhookConfig, WebhookMethod};
use crate::forward::http::{
    ANSWER_BYTES_MAX, answers, configured, leads_to, of_http, of_status, origin, reached, refusal, said,
};
use crate::forward::now::ConfigNow;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Receiver};
use crate::http::Http;

/// A receiver of requests over HTTP.
pub struct Webhook {
    config: WebhookConfig,
    format: Format,
    now: ConfigNow,
    /// The way there; none before it is first used, and after it has to be made anew.
    way: Option<Way>,
}

/// A way to the receiver.
struct Way {
    http: Http,
    headers: Vec<(HeaderName, HeaderValue)>,
    template: Option<Template>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("at", &origin(self.config.url.expose())).finish_non_exhaustive()
    }
}

impl Webhook {
    /// The receiver of that table; `now` gives the table anew, should it refuse us.
    pub fn new(config: WebhookConfig, format: Format, now: ConfigNow) -> Self {
        Self { config, format, now, way: None }
    }

    /// The way there, with what the configuration says now.
    async fn made(&self) -> Result<(WebhookConfig, Way), Refusal> {
        let (now, before) = (self.now.clone(), self.config.clone());
        let made = tokio::task::spawn_blocking(move || {
            let ForwardConfig { receiver, .. } = now();
            // It may have become something else, which the next start makes of it.
            let config = match receiver {
                ReceiverConfig::Webhook(config) => as_begun(*config, before),
                _ => before,
            };
            let http = reached(&config.http, config.url.expose().starts_with("https:"))?;
            Ok::<_, Refusal>((config, http))
        });
        let made = made.await.map_err(|error| refusal(RefusalKind::Unavailable, &error.to_string()))?;
        let (config, http) = made?;
        let headers = headers(&config, self.format)?;
        let template = match &config.body {
            WebhookBody::Template(text) => {
                let template = Template::new(text);
                Some(
                    template
                        .map_err(|error| refusal(RefusalKind::Denied, &format!("no template: {error}")))?,
                )
            }
            WebhookBody::Single | WebhookBody::Array | WebhookBody::Lines => None,
        };
        Ok((config, Way { http, headers, template }))
    }

    async fn given(&mut self, batch: &Batch) -> Result<Taken, Refusal> {
        if self.way.is_none() {
            let (config, way) = self.made().await?;
            self.config = config;
            self.way = Some(way);
        }
        let Some(way) = &mut self.way else {
            return Err(refusal(RefusalKind::Unavailable, "the way to the receiver was given up"));
        };
        let Batch { items, .. } = batch;
        let body = body(&self.config, self.format, way.template.as_ref(), items)?;
        let method = match self.config.method {
            WebhookMethod::Post => Method::POST,
            WebhookMethod::Put => Method::PUT,
        };
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut headers = sign::headers(&sign::id(items), seconds, &body, &self.config.secrets);
        headers.extend_from_slice(&way.headers);
        let answer = way.http.send(method, self.config.url.expose(), &headers, Some(Bytes::from(body))).await;
        let answer = answer.map_err(|error| of_http(&error))?;
        let (status, wait) = (answer.status.as_u16(), answer.retry_after());
        let leads_to = leads_to(&answer.headers, self.secrets());
        // Read to its end, so that the connection can be used again.
        let answer = answer.beginning(ANSWER_BYTES_MAX).await;
        if (200..300).contains(&status) {
            return Ok(Taken::Kept);
        }
        let said = said(&answer, self.secrets());
        let words = format!("the receiver answers {}", answers(status, leads_to.as_deref(), &said));
        Err(Refusal { wait, ..refusal(of_status(status), &words) })
    }

    /// What an answer must not repeat.
    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let WebhookConfig { url, headers, secrets, .. } = &self.config;
        std::iter::once(url).chain(secrets).chain(headers.iter().map(|(_, value)| value))
    }
}

/// A table as it is now, with what batches were made for at the start: that changes when the configuration is read as a whole.
fn as_begun(now: WebhookConfig, before: WebhookConfig) -> WebhookConfig {
    let WebhookConfig { body, content_type, batch_records, batch_bytes, .. } = before;
    WebhookConfig { body, content_type, batch_records, batch_bytes, ..now }
}

/// What each request has besides its name and signature.
fn headers(config: &WebhookConfig, format: Format) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let content = HeaderValue::from_str(content_type(config, format))
        .map_err(|_| refusal(RefusalKind::Denied, "the content type is no text for a header"))?;
    let mut headers = vec![(CONTENT_TYPE, content)];
    headers.extend(configured(&config.headers)?);
    // What it answers is not read but for its beginning.
    if !headers.iter().any(|(name, _)| name == ACCEPT) {
        headers.push((ACCEPT, HeaderValue::from_static("*/*")));
    }
    Ok(headers)
}

impl Receiver for Webhook {
    fn target(&self) -> String {
        origin(self.config.url.expose())
    }

    fn limits(&self) -> BatchLimits {
        body::limits(&self.config)
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(async move {
            let taken = self.given(batch).await;
            if taken.as_ref().is_err_and(|refusal| refusal.kind.needs_person()) {
                // Somebody acts on the configuration, or on what it names.
                self.way = None;
            }
            taken
        })
    }

    fn reset(&mut self) {
        self.way = None;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{HttpReceiverConfig, TlsConfig};

    pub(in crate::forward::webhook) fn config(url: &str) -> WebhookConfig {
        WebhookConfig {
            url: Secret::new(url.to_owned()),
            method: WebhookMethod::Post,
            body: WebhookBody::Array,
            content_type: None,
            headers: Vec::new(),
            secrets: Vec::new(),
            batch_records: 100,
            batch_bytes: 1_000_000,
            http: HttpReceiverConfig { tls: TlsConfig::default(), proxy: None, answer_seconds: 30 },
        }
    }

    #[test]
    fn a_receiver_shows_no_secret() {
        let config = WebhookConfig {
            secrets: vec![Secret::new("hunter2".to_owned())],
            ..config("https://h.example/hunter2")
        };
        let table = |config: &WebhookConfig| ForwardConfig {
            name: "hook".to_owned(),
            receiver: ReceiverConfig::Webhook(Box::new(config.clone())),
            format: Format::Native,
            filter: Default::default(),
            pseudonyms: false,
            from: Default::default(),
            place: crate::config::Place::Nowhere,
        };
        let now = table(&config);
        let webhook = Webhook::new(config, Format::Native, std::sync::Arc::new(move || now.clone()));
        assert_eq!(webhook.target(), "https://h.example");
        assert!(!format!("{webhook:?}").contains("hunter2"));
    }
}
