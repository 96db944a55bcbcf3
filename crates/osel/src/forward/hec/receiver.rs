//! Splunk as the forwarder sees it.
//!
//! One collector is used at a time. It is spoken to over one connection that is kept, with one channel of ours, since acknowledgements
//! belong to both. Nothing of it is kept for the next run: what was not acknowledged until then is sent again, by the same ids.

use std::time::{Duration, Instant};

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue};
use osel_core::format::Format;
use osel_core::forward::{BatchNumber, Refusal, RefusalKind, Taken};
use serde_json::json;

use super::acks::Acks;
use super::answer::Answer;
use super::body::{self, body, packed};
use super::cookies::Cookies;
use crate::config::{ForwardConfig, HecAcks, HecConfig, HecEndpoint, ReceiverConfig, Secret};
use crate::forward::http::{ANSWER_BYTES_MAX, leads_to, may_have_arrived, of_http, origin, reached, refusal};
use crate::forward::now::ConfigNow;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Receiver};
use crate::http::{Http, HttpError};

/// Names our channel.
const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// The number of the first acknowledgement of a channel.
const FIRST_ACK: u64 = 0;

/// Splunk.
pub struct Hec {
    config: HecConfig,
    format: Format,
    now: ConfigNow,
    /// Which of the collectors is used.
    at: usize,
    /// The way there; none before it is first used, and after it has to be made anew.
    way: Option<Way>,
    /// Names us to the collectors, with whom what is awaited is known by it; none before it is first used.
    channel: Option<HeaderValue>,
    /// Whether the token has indexer acknowledgement, once that is known.
    gives_acks: Option<bool>,
    acks: Acks,
}

/// A way to the collectors.
struct Way {
    http: Http,
    channel: HeaderValue,
    login: HeaderValue,
    cookies: Cookies,
}

impl std::fmt::Debug for Hec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hec").field("collector", &self.collector()).finish_non_exhaustive()
    }
}

impl Hec {
    /// The receiver of that table; `now` gives the table anew, should Splunk refuse us.
    pub fn new(config: HecConfig, format: Format, now: ConfigNow) -> Self {
        Self { config, format, now, at: 0, way: None, channel: None, gives_acks: None, acks: Acks::default() }
    }

    fn collector(&self) -> &str {
        // There is at least one; there may be fewer than when the place was chosen.
        let at = self.at.checked_rem(self.config.urls.len()).unwrap_or(0);
        self.config.urls.get(at).map_or("", String::as_str)
    }

    /// Makes the way there, unless it is made, with what the configuration says now.
    async fn made(&mut self) -> Result<(), Refusal> {
        if self.way.is_some() {
            return Ok(());
        }
        let (now, before) = (self.now.clone(), self.config.clone());
        let made = tokio::task::spawn_blocking(move || {
            let ForwardConfig { receiver, .. } = now();
            // It may have become something else, which the next start makes of it.
            let config = if let ReceiverConfig::Hec(config) = receiver { *config } else { before };
            let is_tls = config.urls.iter().any(|url| url.starts_with("https:"));
            reached(&config.http, is_tls).map(|http| (config, http))
        });
        let made = made.await.map_err(|error| refusal(RefusalKind::Unavailable, &error.to_string()))?;
        let (config, http) = made?;
        let channel = self.channel.take().map_or_else(channel, Ok)?;
        self.channel = Some(channel.clone());
        let way = Way { http, channel, login: login(&config.token)?, cookies: Cookies::default() };
        self.config = config;
        self.way = Some(way);
        if self.config.acks == HecAcks::Always {
            // A token without them says so before it is given anything. What a collector says to a question about nothing is not documented,
            // so it is asked about something; whoever answers that in another way than by a clear no may still take events.
            let collector = self.collector().to_owned();
            match self.asked(&collector, &[FIRST_ACK]).await {
                Ok(arrived) => arrived.into_iter().for_each(|ack| self.acks.arrived(&collector, ack)),
                Err(refusal) if refusal.kind.needs_person() => {
                    self.way = None;
                    return Err(refusal);
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Hands a batch over.
    async fn given(&mut self, batch: &Batch) -> Result<Taken, Refusal> {
        self.made().await?;
        let collector = self.collector().to_owned();
        let body = body(&self.config, self.format, &batch.items);
        let (url, kind) = match self.config.endpoint {
            HecEndpoint::Event => (format!("{collector}/services/collector/event"), "application/json"),
            HecEndpoint::Raw => (self.raw_url(&collector), "text/plain; charset=utf-8"),
        };
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(kind))];
        let body = if self.config.packs {
            headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
            packed(&body)
        } else {
            body
        };
        let Some(way) = &mut self.way else { return Err(gone()) };
        let exchanged = way.exchanged(Method::POST, &url, headers, body).await.map_err(|error| {
            if may_have_arrived(&error) {
                self.acks.unheard(&collector);
            }
            of_http(&error)
        })?;
        let (answer, wait) = (exchanged.answer(&self.config.token), exchanged.wait);
        let ack = answer.to_events(batch.items.len()).map_err(|refusal| {
            if !answer.is_refusal_for_good(&refusal) {
                self.acks.unheard(&collector);
            }
            Refusal { wait, ..refusal }
        })?;
        self.gives_acks = Some(ack.is_some());
        match (ack, self.config.acks) {
            (None, HecAcks::Always) => Err(refusal(
                RefusalKind::Denied,
                "the collector gives no acknowledgement: switch indexer acknowledgement on for the token",
            )),
            (None, _) | (Some(_), HecAcks::Never) => Ok(Taken::Kept),
            (Some(ack), _) => {
                self.acks.took(batch.number, &collector, ack, Instant::now());
                Ok(Taken::Awaited)
            }
        }
    }

    /// What a refusal means for what comes next.
    fn refused(&mut self, mut refusal: Refusal) -> Refusal {
        if self.has_acks() {
            // What was taken before the refusal will not be acknowledged: it is sent again.
            refusal.taken = 0;
        }
        match refusal.kind {
            // Somebody acts on the configuration, or on what it names.
            RefusalKind::Denied | RefusalKind::Misplaced | RefusalKind::Unfit => self.way = None,
            RefusalKind::Unavailable | RefusalKind::Silent | RefusalKind::Failed => {
                self.at = (self.at + 1).checked_rem(self.config.urls.len()).unwrap_or(0);
            }
            RefusalKind::Item(_) | RefusalKind::Suspect | RefusalKind::Garbled | RefusalKind::TooLarge => {}
        }
        refusal
    }

    /// Whether what is taken counts only when it is acknowledged, as far as that is known.
    fn has_acks(&self) -> bool {
        match self.config.acks {
            HecAcks::Auto => self.gives_acks.unwrap_or(true),
            HecAcks::Always => true,
            HecAcks::Never => false,
        }
    }

    /// Asks for all that is on its way.
    async fn confirmed(&mut self) -> Result<Vec<BatchNumber>, Refusal> {
        if let Some(why) = self.acks.doubt() {
            return Err(refusal(RefusalKind::Silent, why));
        }
        let mut trouble = None;
        for (collector, acks) in self.acks.questions() {
            self.made().await?;
            match self.asked(&collector, &acks).await {
                Ok(arrived) => arrived.into_iter().for_each(|ack| self.acks.arrived(&collector, ack)),
                // Nobody will be told anything before somebody acts.
                Err(refusal) if refusal.kind.needs_person() => return Err(refusal),
                // It may say so the next time; what it said and nobody heard it never says again, which patience ends.
                Err(refusal) => trouble = Some(refusal.words),
            }
        }
        let taken = self.acks.taken();
        let patience = Duration::from_secs(self.config.ack_seconds.into());
        if taken.is_empty() && self.acks.is_late(Instant::now(), patience) {
            let mut words = format!("no acknowledgement within {} seconds", patience.as_secs());
            if let Some(trouble) = trouble {
                words = format!("{words}; at last: {trouble}");
            }
            return Err(refusal(RefusalKind::Silent, &words));
        }
        Ok(taken)
    }

    /// Lets go of all that is awaited, with the channel that it was sent by: an acknowledgement that comes later is for nobody.
    fn forget(&mut self) {
        self.acks.clear();
        self.channel = None;
        self.way = None;
    }

    /// Which of these have been written.
    async fn asked(&mut self, collector: &str, acks: &[u64]) -> Result<Vec<u64>, Refusal> {
        let url = format!("{collector}/services/collector/ack");
        let body = json!({"acks": acks}).to_string().into_bytes();
        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let Some(way) = &mut self.way else { return Err(gone()) };
        let exchanged = way.exchanged(Method::POST, &url, headers, body).await;
        let exchanged = exchanged.map_err(|error| of_http(&error))?;
        let (answer, wait) = (exchanged.answer(&self.config.token), exchanged.wait);
        answer.to_question().map_err(|refusal| Refusal { wait, ..refusal })
    }

    /// Whether the collector is well and knows us.
    async fn health(&mut self) -> Result<Option<String>, Refusal> {
        self.made().await?;
        let url = format!("{}/services/collector/health/1.0", self.collector());
        let Some(way) = &mut self.way else { return Err(gone()) };
        let exchanged = way.exchanged(Method::GET, &url, Vec::new(), Vec::new()).await;
        let exchanged = exchanged.map_err(|error| of_http(&error))?;
        let (answer, wait) = (exchanged.answer(&self.config.token), exchanged.wait);
        answer.to_health().map(Some).map_err(|refusal| Refusal { wait, ..refusal })
    }

    /// Where lines go: what an event says of itself stands in the URL.
    fn raw_url(&self, collector: &str) -> String {
        let HecConfig { index, source, sourcetype, host, .. } = &self.config;
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("source", source);
        for (name, value) in [("sourcetype", sourcetype), ("index", index), ("host", host)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        format!("{collector}/services/collector/raw?{}", query.finish())
    }
}

/// What was answered to a request.
struct Exchanged {
    status: u16,
    /// The pause that is asked for.
    wait: Option<Duration>,
    /// Where a redirect leads.
    leads_to: Option<String>,
    body: Vec<u8>,
}

impl Exchanged {
    fn answer<'a>(&'a self, token: &'a Secret) -> Answer<'a> {
        Answer { status: self.status, leads_to: self.leads_to.as_deref(), body: &self.body, token }
    }
}

impl Way {
    /// A request and its answer.
    async fn exchanged(
        &mut self,
        method: Method,
        url: &str,
        mut headers: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> Result<Exchanged, HttpError> {
        headers.push((AUTHORIZATION, self.login.clone()));
        headers.push((CHANNEL, self.channel.clone()));
        headers.extend(self.cookies.header().map(|cookies| (COOKIE, cookies)));
        let body = (method != Method::GET).then(|| Bytes::from(body));
        let answer = self.http.send(method, url, &headers, body).await?;
        self.cookies.keep(&answer.headers);
        let (status, wait) = (answer.status.as_u16(), answer.retry_after());
        // Our secrets stand in headers, which no redirect repeats.
        let leads_to = leads_to(&answer.headers, []);
        Ok(Exchanged { status, wait, leads_to, body: answer.whole(ANSWER_BYTES_MAX).await? })
    }
}

/// What is said where there is no way, which is made before it is used.
fn gone() -> Refusal {
    refusal(RefusalKind::Unavailable, "the way to the collector was given up")
}

impl Receiver for Hec {
    fn target(&self) -> String {
        format!("Splunk at {}", origin(self.collector()))
    }

    fn limits(&self) -> BatchLimits {
        body::limits(&self.config)
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(async move { self.given(batch).await.map_err(|refusal| self.refused(refusal)) })
    }

    fn confirm(&mut self) -> Handed<'_, Vec<BatchNumber>> {
        Box::pin(async move {
            let confirmed = self.confirmed().await;
            if confirmed.is_err() {
                self.forget();
            }
            confirmed
        })
    }

    fn check(&mut self) -> Handed<'_, Option<String>> {
        Box::pin(async move { self.health().await.map_err(|refusal| self.refused(refusal)) })
    }

    fn reset(&mut self) {
        self.forget();
    }
}

/// A GUID by chance.
fn channel() -> Result<HeaderValue, Refusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| refusal(RefusalKind::Unavailable, &error.to_string()))?;
    // The version and the variant of a GUID that is chance.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let guid = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    Ok(HeaderValue::from_str(&guid).expect("hexadecimal digits and `-` are a header's"))
}

fn login(token: &Secret) -> Result<HeaderValue, Refusal> {
    let mut login = HeaderValue::from_str(&format!("Splunk {}", token.expose()))
        .map_err(|_| refusal(RefusalKind::Denied, "the token is no text for a header"))?;
    login.set_sensitive(true);
    Ok(login)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{HttpReceiverConfig, TlsConfig};

    pub(in crate::forward::hec) fn config(url: &str) -> HecConfig {
        HecConfig {
            urls: vec![url.to_owned()],
            token: Secret::new("t".to_owned()),
            endpoint: HecEndpoint::Event,
            acks: HecAcks::Auto,
            ack_seconds: 300,
            awaited_max: 8,
            index: None,
            source: "osel".to_owned(),
            sourcetype: None,
            host: None,
            has_fields: true,
            packs: true,
            batch_events: 500,
            batch_bytes: 1_000_000,
            http: HttpReceiverConfig { tls: TlsConfig::default(), proxy: None, answer_seconds: 30 },
        }
    }

    #[test]
    fn a_channel_is_a_guid_that_is_chance() {
        let guid = channel().unwrap();
        let guid = guid.to_str().unwrap();
        let parts: Vec<usize> = guid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{guid}");
        assert!(guid.as_bytes()[14] == b'4' && b"89ab".contains(&guid.as_bytes()[19]), "{guid}");
        assert_ne!(channel().unwrap(), guid);
    }
}
