//! Requests to the scanner: who asks, what comes back within bounds, and what it means when something else does.
//!
//! A client lives for one order: configuration, secrets and certificates are read for it, so that they can be exchanged while we run.
//! What makes a scan is never sent twice by itself: `Http` repeats only what changes nothing.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use osel_core::scan::{TEXT_CHARS_MAX, Trouble, cut};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::session::{self, Sessions};
use super::trouble::{Effect, Refusal, garbled, of_http, said, told};
use crate::config::{NessusConfig, NessusLogin, Secret};
use crate::http::{Answer, Http, Trust};

/// The largest document: the details of a scan of thousands of hosts, or a list of tens of thousands of scans.
const DOCUMENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The most of a refusal that is looked at.
const REFUSAL_BYTES_MAX: usize = 4096;
/// The longest word for a scanner's own state that is repeated.
const STATE_CHARS_MAX: usize = 40;
/// What stands in the place of a secret that a scanner sends back to us.
const HIDDEN: &str = "***";

/// The scanner, for one order.
pub(super) struct Client<'a> {
    /// How it was configured at the order's time.
    pub(super) config: NessusConfig,
    http: Http,
    sessions: &'a Sessions,
}

/// What a scanner says of its own state.
#[derive(Deserialize)]
struct ServerStatus {
    status: String,
}

/// What a session begins with.
#[derive(Deserialize)]
struct Begun {
    token: String,
}

impl<'a> Client<'a> {
    /// Reads what the configuration names; it blocks.
    ///
    /// # Errors
    /// When nothing can be trusted.
    pub(super) fn trust(config: &NessusConfig) -> Result<Option<Trust>, Trouble> {
        if !config.url.starts_with("https://") {
            return Ok(None);
        }
        let time = Duration::from_secs(config.answer_seconds.get().into());
        let trust = Trust::read(&config.tls, true, Some(time));
        trust.map(Some).map_err(|error| Trouble::Unavailable(told(&error)))
    }

    pub(super) fn new(config: NessusConfig, trust: Option<Trust>, sessions: &'a Sessions) -> Self {
        Self { http: Http::new(trust), config, sessions }
    }

    /// Asks for a document.
    ///
    /// # Errors
    /// When there is none, or it is not what was asked for.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Trouble> {
        let answer = self.ask(Method::GET, path, None, Effect::None).await?;
        self.document(answer, &format!("GET {}", shown(path)), Effect::None).await
    }

    /// Has something done, and reads what is said about it.
    ///
    /// # Errors
    /// When it was not done, or it is uncertain whether it was.
    pub(super) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &Value,
        effect: Effect,
    ) -> Result<T, Trouble> {
        let answer = self.ask(Method::POST, path, Some(body), effect).await?;
        self.document(answer, &format!("POST {path}"), effect).await
    }

    /// Has something ended or deleted, of which nothing is said but that it was.
    ///
    /// # Errors
    /// When it was not done.
    pub(super) async fn order(&mut self, method: Method, path: &str) -> Result<(), Trouble> {
        let answer = self.ask(method, path, None, Effect::Last).await?;
        // Read to its end, so that the connection can be used again; what it says does not matter.
        answer.beginning(REFUSAL_BYTES_MAX).await;
        Ok(())
    }

    /// Asks for something that is read as it comes in.
    ///
    /// # Errors
    /// When it is not given.
    pub(super) async fn stream(&mut self, path: &str) -> Result<Answer, Trouble> {
        self.ask(Method::GET, path, None, Effect::None).await
    }

    async fn document<T: DeserializeOwned>(
        &self,
        answer: Answer,
        what: &str,
        effect: Effect,
    ) -> Result<T, Trouble> {
        let body = answer.whole(DOCUMENT_BYTES_MAX).await.map_err(|error| of_http(&error, effect))?;
        serde_json::from_slice(&body)
            .map_err(|error| garbled(what, &self.without_secrets(&error.to_string(), None), effect))
    }

    /// Sends a request as who we are; a session that has expired is begun anew, once.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        effect: Effect,
    ) -> Result<Answer, Trouble> {
        let what = format!("{method} {}", shown(path));
        let body = body.map(|body| Bytes::from(body.to_string()));
        let mut is_renewed = false;
        loop {
            let (header, token) = self.identity(&mut is_renewed).await?;
            let answer = self.send(method.clone(), path, &[header], body.clone(), effect).await?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            if answer.status == StatusCode::UNAUTHORIZED
                && let Some(token) = &token
            {
                self.sessions.forget(token);
                if !is_renewed {
                    continue;
                }
            }
            return Err(self.refusal(answer, &what, effect, token.as_ref()).await);
        }
    }

    /// The header that says who we are, and the session's token if it is one; `is_new` becomes true where a session was just begun.
    async fn identity(
        &mut self,
        is_new: &mut bool,
    ) -> Result<((HeaderName, HeaderValue), Option<Secret>), Trouble> {
        let login = self.config.login.clone();
        let (username, password) = match &login {
            NessusLogin::Keys { access_key, secret_key } => {
                return Ok((session::keys(access_key, secret_key)?, None));
            }
            NessusLogin::Session { username, password } => (username, password),
        };
        if let Some(token) = self.sessions.token(&login) {
            return Ok((session::cookie(&token)?, Some(token)));
        }
        *is_new = true;
        let body = json!({"username": username, "password": password.expose()}).to_string();
        let answer = self.send(Method::POST, "/session", &[], Some(body.into()), Effect::None).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(answer, "POST /session", Effect::None, None).await);
        }
        let begun: Begun = self.document(answer, "POST /session", Effect::None).await?;
        let token = Secret::new(begun.token);
        let header = session::cookie(&token)?;
        self.sessions.keep(&login, &token);
        Ok((header, Some(token)))
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Option<Bytes>,
        effect: Effect,
    ) -> Result<Answer, Trouble> {
        let url = format!("{}{path}", self.config.url);
        self.http.send(method, &url, headers, body).await.map_err(|error| of_http(&error, effect))
    }

    /// What a refusal means. One that may come from a scanner that is still starting is explained by what it says of its state.
    async fn refusal(
        &mut self,
        answer: Answer,
        what: &str,
        effect: Effect,
        token: Option<&Secret>,
    ) -> Trouble {
        let (status, retry_after) = (answer.status, answer.retry_after());
        let body = answer.beginning(REFUSAL_BYTES_MAX).await;
        // Cut only then: half a secret would not be found.
        let mut text = cut(&self.without_secrets(&said(&body), token), TEXT_CHARS_MAX);
        if matches!(status.as_u16(), 500 | 503)
            && let Some(state) = self.server_state().await
        {
            let state = cut(&self.without_secrets(&state, token), STATE_CHARS_MAX);
            text.push_str(&format!(" (the scanner says that it is `{state}`)"));
        }
        Refusal { status, retry_after, text }.trouble(what, effect)
    }

    /// What the scanner says of its own state, whatever the status of the answer; nothing where it says nothing.
    async fn server_state(&mut self) -> Option<String> {
        let answer = self.send(Method::GET, "/server/status", &[], None, Effect::None).await.ok()?;
        let body = answer.beginning(REFUSAL_BYTES_MAX).await;
        Some(serde_json::from_slice::<ServerStatus>(&body).ok()?.status)
    }

    /// A text of the scanner without what it should not know, or not repeat.
    fn without_secrets(&self, text: &str, token: Option<&Secret>) -> String {
        let own = match &self.config.login {
            NessusLogin::Keys { access_key, secret_key } => [Some(access_key), Some(secret_key)],
            NessusLogin::Session { password, .. } => [Some(password), token],
        };
        let own = own.into_iter().flatten().map(Secret::expose).filter(|secret| !secret.is_empty());
        own.fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

/// A path as it may be told: whoever has the token of a report may download it without a login.
fn shown(path: &str) -> String {
    let rest = path.strip_prefix("/tokens/").map(|rest| rest.trim_start_matches(|c| c != '/'));
    rest.map_or_else(|| path.to_owned(), |rest| format!("/tokens/{HIDDEN}{rest}"))
}
