//! Logging in: what Keystone is sent, and what it says of the token that it gives.

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use osel_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::Catalog;
use super::client::{ANSWER_BYTES_MAX, ReadError};
use super::clouds::{ApplicationCredential, Cloud, Domain, Holder, Login, Scope};
use crate::http::Http;

/// A token is renewed this long before its end, in microseconds: as keystoneauth does, longer than any request takes.
const EARLY_MICROS: i64 = 120_000_000;
/// The shortest life that a token is taken to have, in microseconds: a shorter one, or a clock that lies, must not make osel log in
/// for each request.
const LIFE_MICROS_MIN: i64 = 60_000_000;
/// How much of what Keystone says of a refusal is read.
pub(super) const REFUSAL_BYTES_MAX: usize = 16 << 10;
const TOKEN_HEADER: &str = "x-subject-token";

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenScope {
    /// A project, by its id.
    Project(String),
    /// Something with which Neutron shows nothing.
    Other(&'static str),
}

impl TokenScope {
    /// Whether it is for a domain, of which alone Keystone speaks then.
    pub(super) fn is_domain(&self) -> bool {
        *self == Self::Other(DOMAIN)
    }
}

/// What a token for a domain is for.
const DOMAIN: &str = "a domain";

/// A token, and what Keystone says of it.
pub(super) struct Session {
    /// The token, as a header that is never shown.
    pub(super) token: HeaderValue,
    /// When to get another, by our own clock.
    renew_at: Timestamp,
    /// What it is for.
    pub(super) scope: TokenScope,
    /// Its roles by name, implied ones too, sorted.
    pub(super) roles: Vec<String>,
    /// The user's id.
    user_id: String,
    /// The user's name, for the log.
    pub(super) user: String,
    /// Where the services are.
    pub(super) catalog: Catalog,
}

impl Session {
    /// Whether it is still good for a request.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        now < self.renew_at
    }

    /// Whether it stands for the same user with the same roles at the same place: whom a service shows the same as the other.
    pub(super) fn has_rights_of(&self, other: &Self) -> bool {
        (&self.user_id, &self.scope, &self.roles) == (&other.user_id, &other.scope, &other.roles)
    }

    /// Whether it has the role that makes an administrator by Neutron's default policy.
    pub(super) fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role.eq_ignore_ascii_case("admin"))
    }
}

#[derive(Deserialize)]
struct Told {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    issued_at: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    project: Option<Named>,
    #[serde(default)]
    domain: Option<Named>,
    #[serde(default)]
    system: Option<Value>,
    #[serde(default)]
    roles: Vec<Named>,
    #[serde(default)]
    user: Option<Named>,
    #[serde(default)]
    catalog: Option<Catalog>,
}

#[derive(Default, Deserialize)]
struct Named {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
}

/// Logs in.
pub(super) async fn log_in(
    http: &mut Http,
    cloud: &Cloud,
    clock: fn() -> Timestamp,
) -> Result<Session, ReadError> {
    let url = format!("{}/auth/tokens", cloud.auth_url);
    let body = request(&cloud.login, &cloud.scope).to_string();
    let before = clock();
    let answer = http.send(Method::POST, &url, &[], Some(body.into())).await?;
    match answer.status {
        StatusCode::CREATED => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(ReadError::Login { url }),
        // A schema that is not kept is told with the body that does not keep it.
        _ => return Err(ReadError::of(answer, url, &[cloud.login.secret()]).await.unexplained()),
    }
    let mut token = answer
        .headers
        .get(TOKEN_HEADER)
        .cloned()
        .ok_or_else(|| ReadError::NotUnderstood { url: url.clone(), source: None })?;
    token.set_sensitive(true);
    let body = answer.whole(ANSWER_BYTES_MAX).await?;
    let told: Told = serde_json::from_slice(&body)
        .map_err(|error| ReadError::NotUnderstood { url, source: Some(error.into()) })?;
    Ok(session(token, told.token, before))
}

fn session(header: HeaderValue, told: Token, now: Timestamp) -> Session {
    // By how long it lives, not by when it ends: the two clocks need not agree.
    let point = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse).map(Timestamp::micros);
    let life = match (point(&told.issued_at), point(&told.expires_at)) {
        (Some(issued), Some(expires)) => expires.saturating_sub(issued).saturating_sub(EARLY_MICROS),
        _ => 0,
    };
    let renew_at = Timestamp::from_micros(now.micros().saturating_add(life.max(LIFE_MICROS_MIN)));
    let scope = match (told.project, told.domain, told.system) {
        (Some(project), ..) => TokenScope::Project(project.id),
        (None, Some(_), _) => TokenScope::Other(DOMAIN),
        (None, None, Some(_)) => TokenScope::Other("the system"),
        (None, None, None) => TokenScope::Other("nothing"),
    };
    let mut roles: Vec<String> = told.roles.into_iter().map(|role| role.name).collect();
    roles.sort_unstable();
    let user = told.user.unwrap_or_default();
    Session {
        token: header,
        renew_at,
        scope,
        roles,
        user_id: user.id,
        user: user.name,
        catalog: told.catalog.unwrap_or_default(),
    }
}

/// The body that logs in.
fn request(login: &Login, scope: &Scope) -> Value {
    let identity = match login {
        Login::Password { user, password } => {
            let mut user = holder(user);
            user["password"] = password.expose().into();
            json!({"methods": ["password"], "password": {"user": user}})
        }
        Login::ApplicationCredential { credential, secret } => {
            let mut body = match credential {
                ApplicationCredential::Id(id) => json!({"id": id}),
                ApplicationCredential::Name(name, user) => json!({"name": name, "user": holder(user)}),
            };
            body["secret"] = secret.expose().into();
            json!({"methods": ["application_credential"], "application_credential": body})
        }
        Login::Token(token) => json!({"methods": ["token"], "token": {"id": token.expose()}}),
    };
    let mut auth = json!({"identity": identity});
    let scope = match scope {
        Scope::Project(project) => Some(json!({"project": holder(project)})),
        Scope::Domain(own) => Some(json!({"domain": domain(own)})),
        Scope::System => Some(json!({"system": {"all": true}})),
        Scope::Trust(id) => Some(json!({"OS-TRUST:trust": {"id": id}})),
        Scope::Unsaid => None,
    };
    if let Some(scope) = scope {
        auth["scope"] = scope;
    }
    json!({"auth": auth})
}

fn holder(holder: &Holder) -> Value {
    match holder {
        Holder::Id(id) => json!({"id": id}),
        Holder::Name { name, domain: of } => json!({"name": name, "domain": domain(of)}),
    }
}

fn domain(domain: &Domain) -> Value {
    match domain {
        Domain::Id(id) => json!({"id": id}),
        Domain::Name(name) => json!({"name": name}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn check(login: &Login, scope: &Scope, wanted: &Value) {
        assert_eq!(request(login, scope), json!({"auth": wanted}));
    }

    #[test]
    fn each_way_to_log_in_is_written_as_keystone_wants_it() {
        let word = || Secret::new("a word".to_owned());
        let by_name =
            |name: &str| Holder::Name { name: name.to_owned(), domain: Domain::Name("Default".to_owned()) };
        let named = json!({"name": "osel", "domain": {"name": "Default"}});
        let password = Login::Password { user: by_name("osel"), password: word() };
        let mut with_password = named.clone();
        with_password["password"] = "a word".into();
        let identity = json!({"methods": ["password"], "password": {"user": with_password}});
        check(&password, &Scope::Unsaid, &json!({"identity": identity}));
        let scope = json!({"project": {"name": "p", "domain": {"name": "Default"}}});
        check(&password, &Scope::Project(by_name("p")), &json!({"identity": identity, "scope": scope}));
        check(&password, &Scope::System, &json!({"identity": identity, "scope": {"system": {"all": true}}}));
        let domain = Scope::Domain(Domain::Id("d".to_owned()));
        check(&password, &domain, &json!({"identity": identity, "scope": {"domain": {"id": "d"}}}));

        let by_id = ApplicationCredential::Id("c".to_owned());
        let body = json!({"id": "c", "secret": "a word"});
        check(
            &Login::ApplicationCredential { credential: by_id, secret: word() },
            &Scope::Unsaid,
            &json!({"identity": {"methods": ["application_credential"], "application_credential": body}}),
        );
        let of_user = ApplicationCredential::Name("n".to_owned(), by_name("osel"));
        let body = json!({"name": "n", "user": named, "secret": "a word"});
        check(
            &Login::ApplicationCredential { credential: of_user, secret: word() },
            &Scope::Unsaid,
            &json!({"identity": {"methods": ["application_credential"], "application_credential": body}}),
        );
        let token = json!({"methods": ["token"], "token": {"id": "a word"}});
        let project = Scope::Project(Holder::Id("p".to_owned()));
        check(
            &Login::Token(word()),
            &project,
            &json!({"identity": token, "scope": {"project": {"id": "p"}}}),
        );
    }

    fn told(body: Value, now: &str) -> Session {
        let token = serde_json::from_value(body).unwrap();
        session(HeaderValue::from_static("t"), token, Timestamp::parse(now).unwrap())
    }

    #[test]
    fn a_token_is_renewed_early_whatever_keystones_clock_says() {
        let body =
            json!({"issued_at": "2020-01-01T00:00:00.000000Z", "expires_at": "2020-01-01T01:00:00.000000Z"});
        let session = told(body, "2026-11-26T10:00:00Z");
        let at = |text| Timestamp::parse(text).unwrap();
        assert!(session.is_good(at("2026-11-26T10:57:59Z")));
        assert!(!session.is_good(at("2026-11-26T10:58:00Z")));
        let of_no_time = told(json!({}), "2026-11-26T10:00:00Z");
        assert!(
            of_no_time.is_good(at("2026-11-26T10:00:59Z")) && !of_no_time.is_good(at("2026-11-26T10:01:00Z"))
        );
    }

    #[test]
    fn rights_are_the_same_user_place_and_roles() {
        let session = |user: &str, project: &str, roles: [&str; 2]| {
            let roles = roles.map(|role| json!({"id": role, "name": role}));
            told(
                json!({"user": {"id": user, "name": "osel"}, "project": {"id": project}, "roles": roles}),
                "2026-11-26T10:00:00Z",
            )
        };
        let own = session("u", "p", ["admin", "member"]);
        assert!(own.has_rights_of(&session("u", "p", ["member", "admin"])));
        assert!(!own.has_rights_of(&session("v", "p", ["admin", "member"])));
        assert!(!own.has_rights_of(&session("u", "q", ["admin", "member"])));
        assert!(!own.has_rights_of(&session("u", "p", ["reader", "member"])));
    }

    #[test]
    fn what_a_token_is_for_is_told_apart() {
        let scope = |body| told(body, "2026-11-26T10:00:00Z").scope;
        assert_eq!(scope(json!({"project": {"id": "p", "name": "n"}})), TokenScope::Project("p".to_owned()));
        assert_eq!(scope(json!({"system": {"all": true}})), TokenScope::Other("the system"));
        assert_eq!(scope(json!({"domain": {"id": "d"}})), TokenScope::Other("a domain"));
        assert_eq!(scope(json!({})), TokenScope::Other("nothing"));
    }
}
