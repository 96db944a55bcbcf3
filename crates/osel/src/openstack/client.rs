//! Questions to a cloud by one account: logged in, at its pace, and logged in again when a token is no longer good.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use osel_core::event::Kind;
use osel_core::pace::Spaced;
use osel_core::survey::ApiTrouble;
use osel_core::time::Timestamp;
use tokio::sync::Mutex;

use super::auth::{REFUSAL_BYTES_MAX, Session, TokenScope, log_in};
use super::catalog::{Catalog, Service};
use super::clouds::Cloud;
use super::cut::CutError;
use super::pace::Pace;
use super::reason::reason;
use super::settings::Account;
use super::view::Proofs;
use crate::http::{Answer, Http, HttpError, Trust, without_login};
use crate::tls::TrustError;

const AUTH_HEADER: HeaderName = HeaderName::from_static("x-auth-token");
/// The largest answer that is read whole: a catalog of a hundred regions has a tenth of it.
pub(super) const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("Keystone at `{url}` does not let this account in")]
    Login { url: String },
    #[error("the certificate of cloud `{0}` would not be verified, and nobody allowed that")]
    Insecure(String),
    #[error("cloud `{cloud}` has no service `{service:?}` for this interface{region}")]
    NoService { cloud: String, service: Service, region: String },
    #[error(
        "the catalog leads from https to `{url}`, where whoever listens reads the token: name the address by an endpoint override, or allow it by `insecure`"
    )]
    Clear { url: String },
    #[error("`{url}` refuses the token, also a new one")]
    Token { url: String },
    #[error(
        "this account has other rights since it logged in again: what is missing before `{url}` and behind it would not be the same"
    )]
    OtherRights { url: String },
    #[error("`{url}` is refused{reason}")]
    Refused { url: String, reason: String },
    #[error("`{url}` is not there{reason}")]
    Absent { url: String, reason: String },
    #[error(
        "`{url}` is not there, or hidden from this account: only who was shown all of its kind could tell"
    )]
    AbsentOrHidden { url: String },
    #[error("a `{kind}` cannot be asked for by its id alone")]
    NotAlone { kind: &'static str },
    #[error("`{url}` asks to be left alone")]
    Throttled { url: String, retry_after: Option<Duration> },
    #[error("`{url}` answers {status}{reason}")]
    Status { url: String, status: StatusCode, reason: String },
    #[error(
        "the list of `{url}` changes faster than it can be read: each page began at an object that was gone"
    )]
    Restless { url: String },
    #[error("the list of `{url}` does not end: it leads back to where it was, or beyond {objects} objects")]
    Endless { url: String, objects: u64 },
    #[error("the answer of `{url}` cannot be understood")]
    NotUnderstood { url: String, source: Option<Box<dyn std::error::Error + Send + Sync>> },
}

impl ReadError {
    /// What an answer that is none says, without what was sent and is secret.
    pub(super) async fn of(answer: Answer, url: String, sent: &[&str]) -> Self {
        let (status, retry_after) = (answer.status, answer.retry_after());
        let reason = reason(&answer.beginning(REFUSAL_BYTES_MAX).await, sent);
        match status {
            StatusCode::FORBIDDEN => Self::Refused { url, reason },
            StatusCode::NOT_FOUND => Self::Absent { url, reason },
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Self::Throttled { url, retry_after }
            }
            _ => Self::Status { url, status, reason },
        }
    }

    /// The same without the service's words, which may quote what it was sent.
    pub(super) fn unexplained(mut self) -> Self {
        if let Self::Refused { reason, .. } | Self::Absent { reason, .. } | Self::Status { reason, .. } =
            &mut self
        {
            reason.clear();
        }
        self
    }

    /// Whether the service itself says that this object is not there, by its id. A proxy that has lost the service answers 404 too, and
    /// so does Neutron for what a policy hides; neither knows of the object.
    pub(super) fn is_gone(&self, id: &str) -> bool {
        matches!(self, Self::Absent { reason, .. } if reason.contains(id))
    }

    /// Whether it says that the object is gone behind which a page was to begin. Nova, for which its marker is a part of the question,
    /// says 400.
    pub(super) fn is_marker_gone(&self, marker: &str) -> bool {
        match self {
            Self::Absent { .. } => true,
            Self::Status { status: StatusCode::BAD_REQUEST, reason, .. } => {
                reason.contains("marker") && reason.contains(marker)
            }
            _ => false,
        }
    }

    /// A list that is none.
    pub(super) fn cut(url: String, error: CutError) -> Self {
        Self::NotUnderstood { url, source: Some(error.into()) }
    }

    /// What kind of trouble it is.
    pub(super) fn trouble(&self) -> ApiTrouble {
        match self {
            Self::Http(HttpError::Trust(_) | HttpError::Untrusted(..))
            | Self::Insecure(_)
            | Self::Clear { .. } => ApiTrouble::Untrusted,
            Self::Http(
                HttpError::Unreachable(..)
                | HttpError::NoTunnel { .. }
                | HttpError::Slow(_)
                | HttpError::Broken(..),
            ) => ApiTrouble::Unreachable,
            Self::Login { .. } | Self::Token { .. } => ApiTrouble::Denied,
            Self::Refused { .. } | Self::AbsentOrHidden { .. } | Self::NotAlone { .. } => ApiTrouble::Refused,
            Self::Throttled { retry_after, .. } => ApiTrouble::Throttled { retry_after: *retry_after },
            Self::Http(
                HttpError::Url(_) | HttpError::Proxy(_) | HttpError::Request(_) | HttpError::TooLarge(..),
            )
            | Self::NoService { .. }
            | Self::OtherRights { .. }
            | Self::Absent { .. }
            | Self::Status { .. }
            | Self::Restless { .. }
            | Self::Endless { .. }
            | Self::NotUnderstood { .. } => ApiTrouble::Broken,
        }
    }

    /// Whether the same question may have an answer a little later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => status.is_server_error(),
            // A list that was cut off, by a proxy for instance.
            Self::NotUnderstood { .. } => true,
            _ => matches!(self.trouble(), ApiTrouble::Unreachable | ApiTrouble::Throttled { .. }),
        }
    }

    /// Why a list is not shown, for whoever has to mend it: the status, and what the service says.
    pub(super) fn refusal(&self) -> String {
        let words = self.words();
        match self {
            Self::Refused { .. } => format!("{}: {words}", StatusCode::FORBIDDEN.as_str()),
            Self::Absent { .. } => format!("{}: {words}", StatusCode::NOT_FOUND.as_str()),
            // The others say it, or had no answer.
            _ => words,
        }
    }

    /// The error and its causes in one line.
    pub(super) fn words(&self) -> String {
        let mut words = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if !words.ends_with(&text) {
                words.push_str(": ");
                words.push_str(&text);
            }
            cause = error.source();
        }
        words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

impl From<TrustError> for ReadError {
    fn from(error: TrustError) -> Self {
        Self::Http(error.into())
    }
}

/// What all orders of one driver share.
pub(super) struct Shared {
    pub(super) clock: fn() -> Timestamp,
    pace: Arc<Pace>,
    /// The token, and the account that it was got with: a changed account gets its own.
    session: Mutex<Option<(Cloud, Arc<Session>)>>,
    /// What the last read of everything was shown whole.
    whole: std::sync::Mutex<Option<Whole>>,
    logins: Logins,
}

/// Who has logged in, told in few lines: a service that is away, or a token that is refused again and again, has a client log in with
/// each attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Logins(Arc<std::sync::Mutex<(String, Spaced)>>);

impl Logins {
    /// How many logins there were, when they are to be told now: that of another user at once, and those of the same one now and then.
    fn happened(&self, now: Timestamp, who: String) -> Option<u64> {
        // What is kept only spares lines: it is right whoever panicked.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != who {
            *last = (who, Spaced::default());
        }
        last.1.happened(now)
    }
}

/// Kinds that were shown whole, and to whom: another account, or this one with other roles, may be shown less.
struct Whole {
    cloud: Cloud,
    scope: TokenScope,
    roles: Vec<String>,
    kinds: Vec<Kind>,
    witnesses: Witnesses,
    proofs: Proofs,
}

/// By list, which is a kind and a filter, the id of the last object that it showed of another project. It stands for the end of the list: one
/// that ends before it has lost it, or its object is gone.
pub(super) type Witnesses = BTreeMap<(Kind, &'static str), String>;

impl Shared {
    pub(super) fn new(clock: fn() -> Timestamp) -> Self {
        Self::told_by(clock, Logins::default())
    }

    /// With logins that are told together with those before.
    pub(super) fn told_by(clock: fn() -> Timestamp, logins: Logins) -> Self {
        let pace = Arc::new(Pace::new());
        Self { clock, pace, session: Mutex::default(), whole: Default::default(), logins }
    }

    /// For another token at the same cloud, which is asked no faster for that.
    pub(super) fn beside(&self) -> Self {
        Self { pace: Arc::clone(&self.pace), ..Self::told_by(self.clock, self.logins.clone()) }
    }
}

/// Asks for one order, over connections of its own.
pub(super) struct Client {
    pub(super) shared: Arc<Shared>,
    pub(super) account: Account,
    http: Http,
    session: Arc<Session>,
    /// The session whose rights all answers have to be by.
    held: Option<Arc<Session>>,
}

impl Client {
    /// Logs in, unless a token is still good.
    pub(super) async fn new(shared: Arc<Shared>, account: Account) -> Result<Self, ReadError> {
        let cloud = &account.cloud;
        if !cloud.verify && !account.insecure {
            return Err(ReadError::Insecure(cloud.name.clone()));
        }
        let (files, verify, timeout) = (cloud.tls.clone(), cloud.verify, cloud.timeout);
        let read = tokio::task::spawn_blocking(move || Trust::read(&files, verify, timeout)).await;
        let trust = match read {
            Ok(Ok(trust)) => Some(trust),
            // Whoever only speaks `http` needs no authorities.
            Ok(Err(TrustError::NoRoots)) | Err(_) => None,
            Ok(Err(error)) => return Err(error.into()),
        };
        let mut http = Http::new(trust);
        let session = current(&shared, &account, &mut http, None).await?;
        Ok(Self { shared, account, http, session, held: None })
    }

    /// The token that is in use, and what Keystone says of it.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// From now on nothing is asked with other rights than the account has now. A token is renewed in the middle of lists, and roles may
    /// have been given or taken meanwhile: what a list then does not show would be taken as gone.
    pub(super) fn hold_rights(&mut self) {
        self.held = Some(Arc::clone(&self.session));
    }

    /// Notes which kinds a read of everything was shown whole, what proves it, and by what the next one knows the ends of their lists.
    pub(super) fn know_whole(&self, kinds: &[Kind], mut witnesses: Witnesses, proofs: Proofs) {
        witnesses.retain(|(kind, _), _| kinds.contains(kind));
        // A list that was not whole has its end where it had it before.
        for (list, id) in self.witnesses() {
            if !kinds.contains(&list.0) {
                witnesses.insert(list, id);
            }
        }
        let Session { scope, roles, .. } = &**self.held.as_ref().unwrap_or(&self.session);
        let (cloud, kinds) = (self.account.cloud.clone(), kinds.to_vec());
        let whole = Whole { cloud, scope: scope.clone(), roles: roles.clone(), kinds, witnesses, proofs };
        *self.shared.whole.lock().unwrap_or_else(PoisonError::into_inner) = Some(whole);
    }

    /// The ends of lists that this account was shown.
    pub(super) fn witnesses(&self) -> Witnesses {
        let whole = self.shared.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let own = whole.as_ref().filter(|whole| whole.cloud == self.account.cloud);
        own.map(|whole| whole.witnesses.clone()).unwrap_or_default()
    }

    /// Where this account was shown all of a kind, objects that it would not be shown if it no longer were: those of the kind. Where there are
    /// none, others are proof for an administrator.
    pub(super) fn proofs(&self, kind: Kind) -> Vec<(Kind, String)> {
        let whole = self.shared.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let own = whole.as_ref().filter(|whole| {
            whole.kinds.contains(&kind)
                && whole.cloud == self.account.cloud
                && (&whole.scope, &whole.roles) == (&self.session.scope, &self.session.roles)
        });
        let Some(whole) = own else { return Vec::new() };
        let of_kind = whole.proofs.get(&kind).into_iter().flatten().map(|id| (kind, id.clone()));
        let of_kind: Vec<_> = of_kind.collect();
        if !of_kind.is_empty() || !self.session.is_admin() {
            return of_kind;
        }
        let others = whole.proofs.iter().filter(|(other, _)| **other != kind);
        others.filter_map(|(other, ids)| Some((*other, ids.first()?.clone()))).collect()
    }

    /// Where a service is.
    pub(super) fn url(&self, service: Service) -> Option<String> {
        self.session.catalog.url(service, &self.account.cloud)
    }

    /// The answer to a question below a service's version; it is a good one.
    pub(super) async fn get(&mut self, service: Service, path: &str) -> Result<(Answer, String), ReadError> {
        self.get_with(service, path, &[]).await
    }

    /// The same, asked for with these headers besides.
    pub(super) async fn get_with(
        &mut self,
        service: Service,
        path: &str,
        more: &[(HeaderName, HeaderValue)],
    ) -> Result<(Answer, String), ReadError> {
        self.ask(Method::GET, service, path, more, None).await
    }

    /// The answer to a request below a service's version; it is a good one.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        service: Service,
        path: &str,
        more: &[(HeaderName, HeaderValue)],
        body: Option<Bytes>,
    ) -> Result<(Answer, String), ReadError> {
        let mut is_new = false;
        loop {
            let base = self.url(service).ok_or_else(|| self.no_service(service))?;
            let url = format!("{base}/{path}");
            let shown = without_login(url.split_once('?').map_or(url.as_str(), |(url, _)| url));
            if lays_open(&self.account, service, &url) {
                return Err(ReadError::Clear { url: shown });
            }
            self.shared.pace.turn(self.account.requests_per_second).await;
            if !self.session.is_good((self.shared.clock)()) {
                self.session = current(&self.shared, &self.account, &mut self.http, None).await?;
            }
            if self.held.as_ref().is_some_and(|held| !held.has_rights_of(&self.session)) {
                return Err(ReadError::OtherRights { url: shown });
            }
            let headers = [&[(AUTH_HEADER, self.session.token.clone())], more].concat();
            let answer = self.http.send(method.clone(), &url, &headers, body.clone()).await?;
            match answer.status {
                StatusCode::OK | StatusCode::CREATED => return Ok((answer, shown)),
                StatusCode::UNAUTHORIZED if is_new => return Err(ReadError::Token { url: shown }),
                StatusCode::UNAUTHORIZED => {
                    // It was revoked, or Keystone's keys were changed.
                    let refused = Arc::clone(&self.session);
                    self.session =
                        current(&self.shared, &self.account, &mut self.http, Some(&refused)).await?;
                    is_new = true;
                }
                _ => return Err(self.refusal(answer, shown).await),
            }
        }
    }

    /// The same, read whole, as text.
    pub(super) async fn text(&mut self, service: Service, path: &str) -> Result<(String, String), ReadError> {
        let (answer, url) = self.get(service, path).await?;
        match String::from_utf8(answer.whole(ANSWER_BYTES_MAX).await?) {
            Ok(text) => Ok((text, url)),
            Err(error) => Err(ReadError::NotUnderstood { url, source: Some(error.into()) }),
        }
    }

    /// What an answer that is none says.
    pub(super) async fn refusal(&self, answer: Answer, url: String) -> ReadError {
        let token = self.session.token.to_str().unwrap_or_default();
        ReadError::of(answer, url, &[token, self.account.cloud.login.secret()]).await
    }

    fn no_service(&self, service: Service) -> ReadError {
        let cloud = &self.account.cloud;
        let has = self.session.catalog.regions(service).join("`, `");
        let region = match &cloud.region_name {
            Some(region) if has.is_empty() => format!(" in region `{region}`"),
            Some(region) => format!(" in region `{region}`: there are `{has}`"),
            None => String::new(),
        };
        ReadError::NoService { cloud: cloud.name.clone(), service, region }
    }
}

/// Whether a catalog that came over a safe way leads to one that is none, and nobody has said that it may.
fn lays_open(account: &Account, service: Service, url: &str) -> bool {
    let cloud = &account.cloud;
    let is_said = account.insecure || Catalog::own_url(service, cloud).is_some();
    is_clear(url) && !is_clear(&cloud.auth_url) && !is_said
}

/// Whether whoever listens on the way reads what goes to a URL.
fn is_clear(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
}

/// A token that is good, and not the one that was refused.
async fn current(
    shared: &Shared,
    account: &Account,
    http: &mut Http,
    refused: Option<&Arc<Session>>,
) -> Result<Arc<Session>, ReadError> {
    // Who comes second waits, and takes what the first one got.
    let mut kept = shared.session.lock().await;
    if let Some((cloud, session)) = &*kept
        && *cloud == account.cloud
        && session.is_good((shared.clock)())
        && refused.is_none_or(|refused| !Arc::ptr_eq(refused, session))
    {
        return Ok(Arc::clone(session));
    }
    *kept = None;
    shared.pace.turn(account.requests_per_second).await;
    let session = Arc::new(log_in(http, &account.cloud, shared.clock).await?);
    let (cloud, user) = (&account.cloud.name, &session.user);
    let verified = account.cloud.verify && !is_clear(&account.cloud.auth_url);
    let who = format!("{user} at {} of {cloud}, {verified}", account.cloud.auth_url);
    if let Some(logins) = shared.logins.happened((shared.clock)(), who) {
        tracing::info!(cloud, user, verified, logins, "logged in at the cloud's API");
        if !account.cloud.verify {
            tracing::warn!(cloud, "certificates are not verified: whoever answers is believed");
        }
    }
    *kept = Some((account.cloud.clone(), Arc::clone(&session)));
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openstack::REQUESTS_PER_SECOND;
    use crate::openstack::clouds::{Selection, read};

    fn account(auth_url: &str, more: &[(&str, &str)]) -> Account {
        let mut selection = Selection::default();
        let own = [
            ("OS_AUTH_URL", auth_url),
            ("OS_USERNAME", "osel"),
            ("OS_USER_DOMAIN_ID", "d"),
            ("OS_PASSWORD", "p"),
        ];
        selection.environment =
            own.iter().chain(more).map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Account {
            cloud: read(&selection).unwrap(),
            requests_per_second: REQUESTS_PER_SECOND,
            insecure: false,
        }
    }

    #[test]
    fn a_token_that_came_over_tls_is_sent_over_nothing_less_unless_somebody_says_so() {
        let open = |account: &Account, url| lays_open(account, Service::Network, url);
        let safe = account("https://keystone.example", &[]);
        assert!(open(&safe, "http://neutron.example:9696/v2.0/ports"));
        assert!(open(&safe, "HTTP://neutron.example:9696/v2.0/ports"));
        assert!(!open(&safe, "https://neutron.example:9696/v2.0/ports"));
        assert!(!open(&account("http://keystone.example", &[]), "http://neutron.example:9696/v2.0/ports"));
        let own = [("OS_NETWORK_ENDPOINT_OVERRIDE", "http://127.0.0.1:9696")];
        assert!(!open(&account("https://keystone.example", &own), "http://127.0.0.1:9696/v2.0/ports"));
        assert!(!open(&Account { insecure: true, ..safe }, "http://neutron.example:9696/v2.0/ports"));
    }

    #[test]
    fn logins_of_one_user_are_told_now_and_then_and_those_of_another_at_once() {
        let logins = Logins::default();
        let told = |second, who: &str| logins.happened(Timestamp::EPOCH.plus_seconds(second), who.to_owned());
        assert_eq!(
            [told(0, "a"), told(1, "a"), told(599, "a"), told(600, "a")],
            [Some(1), None, None, Some(3)]
        );
        assert_eq!([told(601, "b"), told(602, "b")], [Some(1), None]);
    }

    #[test]
    fn why_a_list_is_refused_is_told_with_the_status() {
        let (url, reason) = ("u".to_owned(), ": (rule:get_port) is disallowed by policy".to_owned());
        let refused = ReadError::Refused { url: url.clone(), reason };
        assert_eq!(refused.refusal(), "403: `u` is refused: (rule:get_port) is disallowed by policy");
        let status = ReadError::Status { url, status: StatusCode::BAD_REQUEST, reason: ": no".to_owned() };
        assert_eq!(status.refusal(), "`u` answers 400 Bad Request: no");
    }

    #[test]
    fn only_who_knows_the_object_can_say_that_it_is_gone() {
        let absent =
            |body: &str| ReadError::Absent { url: "u".to_owned(), reason: reason(body.as_bytes(), &[]) };
        let gone = r#"{"NeutronError": {"type": "PortNotFound", "message": "Port p-1 could not be found.", "detail": ""}}"#;
        assert!(absent(gone).is_gone("p-1"));
        assert!(
            absent(r#"{"faultcode": "Client", "faultstring": "Listener p-1 not found."}"#).is_gone("p-1")
        );
        for other in [
            // What Neutron says of what a policy hides, before and after it was looked up.
            r#"{"NeutronError": {"type": "HTTPNotFound", "message": "The resource could not be found.", "detail": ""}}"#,
            r#"{"type": "HTTPNotFound", "message": "The resource could not be found.", "detail": ""}"#,
            "<html>404 /ports/p-1 Not Found</html>",
            "",
        ] {
            assert!(!absent(other).is_gone("p-1"), "{other}");
        }
    }
}
