//! A receiver of OpenTelemetry's logs as the forwarder sees it.
//!
//! One that answers that it took a request but for some records does not say which, and must not be sent the same again. Those records are
//! sent one by one then, so that each that it will not take is known; what it had taken comes twice, by one `log.record.uid`.

use std::io::{self, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::Method;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use osel_core::format::Format;
use osel_core::forward::{Refusal, RefusalKind, Taken};
use prost::Message;

use super::answer::{Answered, PROTOBUF, answered, words};
use super::record::request;
use crate::config::{ForwardConfig, OtlpConfig, ReceiverConfig};
use crate::forward::http::{
    ANSWER_BYTES_MAX, answers, configured, leads_to, of_http, of_status, origin, quoted, reached, refusal,
    said,
};
use crate::forward::now::ConfigNow;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Item, Receiver};
use crate::http::Http;

/// A receiver of OpenTelemetry's logs.
pub struct Otlp {
    config: OtlpConfig,
    format: Format,
    now: ConfigNow,
    /// The way there; none before it is first used, and after it has to be made anew.
    way: Option<Way>,
    /// Lines up to this one are sent one by one.
    singly_through: Option<String>,
}

/// A way to the receiver.
struct Way {
    http: Http,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Otlp {
    /// The receiver of that table; `now` gives the table anew, should it refuse us.
    pub fn new(config: OtlpConfig, format: Format, now: ConfigNow) -> Self {
        Self { config, format, now, way: None, singly_through: None }
    }

    /// The way there, with what the configuration says now.
    async fn made(&self) -> Result<(OtlpConfig, Way), Refusal> {
        let (now, before) = (self.now.clone(), self.config.clone());
        let made = tokio::task::spawn_blocking(move || {
            let ForwardConfig { receiver, .. } = now();
            // It may have become something else, which the next start makes of it.
            let config = match receiver {
                ReceiverConfig::Otlp(config) => {
                    let OtlpConfig { batch_records, batch_bytes, .. } = before;
                    OtlpConfig { batch_records, batch_bytes, ..*config }
                }
                _ => before,
            };
            let http = reached(&config.http, config.url.starts_with("https:"))?;
            Ok::<_, Refusal>((config, http))
        });
        let made = made.await.map_err(|error| refusal(RefusalKind::Unavailable, &error.to_string()))?;
        let (config, http) = made?;
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF))];
        if config.packs {
            headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        headers.extend(configured(&config.headers)?);
        Ok((config, Way { http, headers }))
    }

    /// Sends these, and says what was taken of them.
    async fn posted(&mut self, items: &[Item]) -> Result<Answered, Refusal> {
        if self.way.is_none() {
            let (config, way) = self.made().await?;
            self.config = config;
            self.way = Some(way);
        }
        let Some(way) = &mut self.way else {
            return Err(refusal(RefusalKind::Unavailable, "the way to the receiver was given up"));
        };
        let body = request(items, self.format).encode_to_vec();
        let body = if self.config.packs { packed(&body) } else { Ok(body) };
        let body =
            body.map_err(|error| refusal(RefusalKind::Unavailable, &format!("cannot pack: {error}")))?;
        let answer = way.http.send(Method::POST, &self.config.url, &way.headers, Some(body.into())).await;
        let answer = answer.map_err(|error| of_http(&error))?;
        let (status, wait) = (answer.status.as_u16(), answer.retry_after());
        let content_type = answer.headers.get(CONTENT_TYPE).cloned();
        let content_type = content_type.as_ref().and_then(|given| given.to_str().ok()).unwrap_or_default();
        if (200..300).contains(&status) {
            // All of it: what was not taken may stand at its end.
            let answer = answer.whole(ANSWER_BYTES_MAX).await.map_err(|error| of_http(&error))?;
            return answered(content_type, &answer)
                .map_err(|error| refusal(RefusalKind::Garbled, &error.to_string()));
        }
        let leads_to = leads_to(&answer.headers, self.config.headers.iter().map(|(_, value)| value));
        // Read to its end, so that the connection can be used again.
        let answer = answer.beginning(ANSWER_BYTES_MAX).await;
        let said = self.said(&words(content_type == PROTOBUF, answer));
        let words = format!("the receiver answers {}", answers(status, leads_to.as_deref(), &said));
        Err(Refusal { wait, ..refusal(of_status(status), &words) })
    }

    fn said(&self, words: &[u8]) -> String {
        said(words, self.config.headers.iter().map(|(_, value)| value))
    }

    async fn given(&mut self, items: &[Item]) -> Result<Taken, Refusal> {
        let mut taken = 0;
        while taken < items.len() {
            let is_last = |item: &Item| self.singly_through.as_ref() == Some(&item.id);
            let is_singly = items[taken..].iter().any(is_last);
            let rest = if is_singly { &items[taken..=taken] } else { &items[taken..] };
            match self.posted(rest).await.map_err(|refusal| Refusal { taken, ..refusal })? {
                Answered::All => taken += rest.len(),
                Answered::Not(count, words) if count >= rest.len() => {
                    let said = quoted(&self.said(words.as_bytes()));
                    let words = format!("the receiver does not take it{said}");
                    // Of those that are sent one by one it has just taken others: it is this one that it does not take.
                    let kind = if is_singly { RefusalKind::Item(taken) } else { RefusalKind::Suspect };
                    return Err(Refusal { taken, ..refusal(kind, &words) });
                }
                Answered::Not(..) => self.singly_through = rest.last().map(|item| item.id.clone()),
            }
        }
        self.singly_through = None;
        Ok(Taken::Kept)
    }
}

fn packed(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(body)?;
    packer.finish()
}

impl Receiver for Otlp {
    fn target(&self) -> String {
        origin(&self.config.url)
    }

    fn limits(&self) -> BatchLimits {
        let OtlpConfig { batch_records: items, batch_bytes: bytes, .. } = self.config;
        BatchLimits { items, bytes, awaited: 1, linger: Duration::ZERO }
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(async move {
            let taken = self.given(&batch.items).await;
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
