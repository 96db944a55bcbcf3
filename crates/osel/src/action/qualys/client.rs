//! One request to the API and its answer.
//!
//! Each request has a connection of its own, since one that was kept and breaks would be asked again: a launch is never sent twice by the
//! way it travels. Redirects are not followed, and what an answer says is cleared of our password before anybody sees it.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use osel_core::scan::{TEXT_CHARS_MAX, Trouble, cut};
use zeroize::Zeroizing;

use super::document::{self, DOCUMENT_BYTES_MAX, Listed, Simple};
use super::refusal::{Failure, Refusal, Wait, words};
use crate::action::xml::XmlError;
use crate::config::QualysConfig;
use crate::http::{Answer, Http, Proxy, Trust, basic, without_login};

/// The largest result: some ten thousand hosts with a hundred detections each, texts of which osel has no use included.
pub(super) const RESULT_BYTES_MAX: usize = 128 << 20;
/// The most parts of one list; each has a thousand or more.
const PARTS_MAX: usize = 100;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Launch, fetch, cancel, delete.
    Scan,
    /// The list of scans, which has a version of its own.
    List,
    Address,
    Exclusion,
    Appliance,
}

/// Parameters of a request.
pub(super) type Form = Vec<(&'static str, String)>;

/// The API as it is reached for one order.
pub(super) struct Client {
    pub(super) config: QualysConfig,
    trust: Option<Trust>,
    proxy: Option<Proxy>,
    answer_time: Duration,
    login: HeaderValue,
}

impl Client {
    /// Reads the certificates anew; it blocks.
    ///
    /// # Errors
    /// When a file cannot be read, or the proxy is none.
    pub(super) fn new(config: QualysConfig) -> Result<Self, Trouble> {
        let unavailable = |words: String| Trouble::Unavailable(words);
        let answer_time = Duration::from_secs(config.answer_seconds.into());
        let trust = match config.url.starts_with("https:") {
            true => Some(Trust::read(&config.tls, true, None).map_err(|error| unavailable(words(&error)))?),
            false => None,
        };
        let proxy = match &config.proxy {
            None => None,
            Some(given) => {
                let proxy = Proxy::new(&given.url).map_err(|error| unavailable(words(&error)))?;
                Some(match &given.login {
                    None => proxy,
                    Some((user, password)) => proxy.with_login(user.expose(), password.expose()),
                })
            }
        };
        let login = basic(config.user.expose(), config.password.expose());
        Ok(Self { config, trust, proxy, answer_time, login })
    }

    /// Asks for what changes something or is refused.
    pub(super) async fn order(&self, endpoint: Endpoint, form: &Form) -> Result<Simple, Failure> {
        let (status, wait, body) = self.asked(endpoint, form).await?;
        let simple = document::simple(&body).map_err(|error| self.misunderstood(status, &wait, &error))?;
        self.granted(status, wait, simple)
    }

    /// Asks for a list, in as many parts as there are; each is shown to `each` as it came.
    pub(super) async fn list<T>(
        &self,
        endpoint: Endpoint,
        form: &Form,
        mut each: impl FnMut(&[u8]) -> Result<Listed<T>, XmlError>,
        mut take: impl FnMut(T),
    ) -> Result<(), Failure> {
        let mut further: Vec<(String, String)> = Vec::new();
        for _ in 0..PARTS_MAX {
            let mut asked: Vec<(&str, &str)> =
                form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            asked.retain(|(name, _)| !further.iter().any(|(other, _)| other == name));
            asked.extend(further.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let (status, wait, body) = self.sent(endpoint, &asked).await?;
            let listed = each(&body).map_err(|error| self.misunderstood(status, &wait, &error))?;
            let next = match listed {
                Listed::Simple(simple) => return self.granted(status, wait, simple).map(|_| ()),
                Listed::Part(part, next) => {
                    take(part);
                    next
                }
            };
            let Some(next) = next else { return Ok(()) };
            // Of the URL only what it asks for counts: who is asked, and with what password, stands in the configuration.
            let query = next.split_once('?').map_or("", |(_, query)| query);
            let parameters: Vec<(String, String)> =
                form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            if parameters == further || parameters.is_empty() {
                return Err(Failure::Garbled("a list that goes on with itself".to_owned()));
            }
            further = parameters;
        }
        Err(Failure::Garbled(format!("a list of more than {PARTS_MAX} parts")))
    }

    /// Asks for the result of a scan, which is JSON.
    pub(super) async fn result(&self, form: &Form) -> Result<Vec<u8>, Failure> {
        let asked: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.answer(Endpoint::Scan, &asked).await?;
        let (status, wait) = (answer.status.as_u16(), Wait::of(&answer.headers));
        let time = Duration::from_secs(self.config.result_seconds.into());
        let body = answer.whole_within(RESULT_BYTES_MAX, time).await?;
        // Its type is no help: results have been seen as `text/html`.
        if body.trim_ascii_start().starts_with(b"[") && status == 200 {
            return Ok(body);
        }
        let simple = document::simple(&body).map_err(|error| self.misunderstood(status, &wait, &error))?;
        Err(match self.granted(status, wait, simple) {
            Err(failure) => failure,
            Ok(simple) => {
                Failure::Garbled(format!("`{}` in place of a result", cut(&simple.text, TEXT_CHARS_MAX)))
            }
        })
    }

    async fn asked(&self, endpoint: Endpoint, form: &Form) -> Result<(u16, Wait, Vec<u8>), Failure> {
        let asked: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.sent(endpoint, &asked).await
    }

    async fn sent(&self, endpoint: Endpoint, form: &[(&str, &str)]) -> Result<(u16, Wait, Vec<u8>), Failure> {
        let answer = self.answer(endpoint, form).await?;
        let (status, wait) = (answer.status.as_u16(), Wait::of(&answer.headers));
        Ok((status, wait, answer.whole(DOCUMENT_BYTES_MAX).await?))
    }

    /// Sends a form.
    async fn answer(&self, endpoint: Endpoint, form: &[(&str, &str)]) -> Result<Answer, Failure> {
        let versions = &self.config.versions;
        let (version, path) = match endpoint {
            Endpoint::Scan => (&versions.scan, "scan"),
            Endpoint::List => (&versions.list, "scan"),
            Endpoint::Address => (&versions.address, "asset/ip"),
            Endpoint::Exclusion => (&versions.exclusion, "asset/excluded_ip"),
            Endpoint::Appliance => (&versions.appliance, "appliance"),
        };
        let url = format!("{}/api/{version}/fo/{path}/", self.config.url);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [
            (AUTHORIZATION, self.login.clone()),
            (HeaderName::from_static("x-requested-with"), HeaderValue::from_static("osel")),
            (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (ACCEPT, HeaderValue::from_static("*/*")),
        ];
        let mut http = Http::new(self.trust.clone()).over(self.proxy.clone()).within(self.answer_time);
        let answer = http.send(Method::POST, &url, &headers, Some(Bytes::from(body))).await?;
        if answer.status.is_redirection() {
            let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            // What follows the host may be of one session.
            let host = without_login(to).split('/').take(3).collect::<Vec<_>>().join("/");
            return Err(Failure::Elsewhere(self.told(&host)));
        }
        Ok(answer)
    }

    /// What is there, unless it is a refusal.
    fn granted(&self, status: u16, wait: Wait, simple: Simple) -> Result<Simple, Failure> {
        let text = self.cleared(&simple.text).into_owned();
        if simple.code.is_some() || status != 200 {
            return Err(Failure::Refused(Refusal { status, code: simple.code, text, wait }));
        }
        Ok(Simple { text, ..simple })
    }

    /// What a body that cannot be read means: of an answer that is none of Qualys, its status says more.
    fn misunderstood(&self, status: u16, wait: &Wait, error: &XmlError) -> Failure {
        if status != 200 {
            return Failure::Refused(Refusal { status, code: None, text: String::new(), wait: *wait });
        }
        Failure::Garbled(self.told(&error.to_string()))
    }

    /// A text of somebody else as it may be told. It is cut only then: half a password would not be found.
    pub(super) fn told(&self, text: &str) -> String {
        cut(&self.cleared(text), TEXT_CHARS_MAX)
    }

    /// A text of somebody else, without our password should it be in there.
    fn cleared<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let (user, password) = (self.config.user.expose(), self.config.password.expose());
        let encoded = Zeroizing::new(STANDARD.encode(format!("{user}:{password}")));
        let has = |secret: &str| !secret.is_empty() && text.contains(secret);
        if !has(password) && !has(&encoded) {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.replace(encoded.as_str(), "***").replace(password, "***"))
    }
}
