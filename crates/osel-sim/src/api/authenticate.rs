//! `/v3/auth`: who somebody is, what for, and whether a token is one.

use serde_json::{Value, json};

use super::accounts::{Account, Scope};
use super::answer::Answer;
use super::request::Request;
use super::state::State;
use super::tokens::{self, Token};

/// Why nobody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// 400: it is no request for a token.
    Malformed,
    /// 401 with the text that all get.
    Unknown,
    /// 401 with a text of its own.
    ScopedCredential,
}

/// Who somebody showed to be.
struct Shown {
    account: Account,
    methods: Vec<&'static str>,
    /// The scope that the credential has.
    scope: Option<Scope>,
    credential: Option<String>,
    /// The token that was shown.
    parent: Option<Token>,
}

/// `POST /v3/auth/tokens`.
pub(super) fn issue(state: &mut State, request: &Request, keystone: &str) -> Answer {
    let refused = match enter(state, &request.body) {
        Ok(token) => {
            let with_catalog = token.scope != Scope::Unscoped && !request.query.flag("nocatalog");
            let Some(account) = state.account(&token.user) else { return Answer::unauthorized(keystone) };
            let catalog = with_catalog.then(|| state.catalog(&request.origin));
            let body = tokens::shown(&token, account, catalog);
            let text = state.tokens.give_out(token);
            return Answer::json(201, &body).with("x-subject-token", text);
        }
        Err(refused) => refused,
    };
    match refused {
        Refused::Malformed => Answer::of_keystone(400, "Expecting to find `auth` in the request body."),
        Refused::Unknown => Answer::unauthorized(keystone),
        Refused::ScopedCredential => {
            Answer::of_keystone(401, "Application credentials cannot request a scope.")
        }
    }
}

/// `GET` and `DELETE /v3/auth/tokens`, by a token about a token.
pub(super) fn about_token(state: &mut State, request: &Request, own: &Token) -> Answer {
    let Some(subject) = request.subject.as_deref() else {
        return Answer::of_keystone(404, "No token in the request.");
    };
    let Some(token) = state.tokens.find(subject, &state.options).cloned() else {
        return Answer::of_keystone(404, "Failed to validate token");
    };
    if token != *own && !own.has_role("admin") && !(own.scope == Scope::System && own.has_role("reader")) {
        return Answer::of_keystone(
            403,
            "You are not authorized to perform the requested action: identity:validate_token.",
        );
    }
    if request.method == "DELETE" {
        state.tokens.revoke(subject);
        return Answer::text(204, String::new());
    }
    let Some(account) = state.account(&token.user) else {
        return Answer::of_keystone(404, "Failed to validate token");
    };
    let with_catalog = token.scope != Scope::Unscoped && !request.query.flag("nocatalog");
    let catalog = with_catalog.then(|| state.catalog(&request.origin));
    let body = tokens::shown(&token, account, catalog);
    Answer::json(200, &body).with("x-subject-token", subject.to_owned())
}

/// `GET /v3/auth/projects` and its siblings: what one could ask a scope for.
pub(super) fn scopes(state: &State, token: &Token, what: &str) -> Option<Answer> {
    let grants = state.account(&token.user)?.grants.iter();
    let objects = |collection: &str, ids: Vec<&str>| -> Value {
        ids.into_iter().filter_map(|id| state.cloud.get(collection, id)).collect()
    };
    let body = match what {
        "projects" => {
            let ids = grants.filter_map(|grant| match &grant.scope {
                Scope::Project(id) => Some(id.as_str()),
                _ => None,
            });
            json!({"projects": objects("projects", ids.collect()), "links": {"next": null}})
        }
        "domains" => {
            let ids = grants.filter_map(|grant| match &grant.scope {
                Scope::Domain(id) => Some(id.as_str()),
                _ => None,
            });
            json!({"domains": objects("domains", ids.collect()), "links": {"next": null}})
        }
        "system" => {
            let is_granted = grants.into_iter().any(|grant| grant.scope == Scope::System);
            json!({"system": if is_granted { vec![json!({"all": true})] } else { Vec::new() }})
        }
        _ => return None,
    };
    Some(Answer::json(200, &body))
}

fn enter(state: &mut State, body: &[u8]) -> Result<Token, Refused> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Refused::Malformed)?;
    let auth = body.get("auth").ok_or(Refused::Malformed)?;
    let identity = auth.get("identity").ok_or(Refused::Malformed)?;
    let methods = identity["methods"].as_array().ok_or(Refused::Malformed)?;
    let Some([method]) = methods.first_chunk::<1>().filter(|_| methods.len() == 1) else {
        return Err(Refused::Unknown);
    };
    let shown = match method.as_str() {
        Some("password") => by_password(state, &identity["password"]["user"])?,
        Some("application_credential") => {
            let shown = by_credential(state, &identity["application_credential"])?;
            if auth.get("scope").is_some() {
                return Err(Refused::ScopedCredential);
            }
            shown
        }
        Some("token") => by_token(state, &identity["token"])?,
        _ => return Err(Refused::Unknown),
    };
    if !shown.account.is_enabled {
        return Err(Refused::Unknown);
    }
    let scope = match shown.scope {
        Some(scope) => scope,
        None => scope(state, auth.get("scope"), &shown.account)?,
    };
    let roles = shown.account.roles(&scope);
    if roles.is_empty() && scope != Scope::Unscoped {
        return Err(Refused::Unknown);
    }
    let issued_at = tokens::now();
    let lifetime = i64::try_from(state.options.token_lifetime.as_micros()).unwrap_or(i64::MAX);
    let expires_at = osel_core::time::Timestamp::from_micros(issued_at.micros().saturating_add(lifetime));
    let mut audit_ids = vec![state.tokens.audit_id()];
    audit_ids.extend(shown.parent.iter().filter_map(|parent| parent.audit_ids.first().cloned()));
    Ok(Token {
        user: shown.account.id,
        methods: shown.methods,
        scope,
        roles,
        issued_at,
        expires_at: shown.parent.map_or(expires_at, |parent| parent.expires_at),
        audit_ids,
        credential: shown.credential,
    })
}

fn by_password(state: &State, user: &Value) -> Result<Shown, Refused> {
    let password = user["password"].as_str().ok_or(Refused::Malformed)?;
    let account = named(state, user)?;
    if account.password != password {
        return Err(Refused::Unknown);
    }
    Ok(Shown { account, methods: vec!["password"], scope: None, credential: None, parent: None })
}

fn by_credential(state: &State, shown: &Value) -> Result<Shown, Refused> {
    let secret = shown["secret"].as_str().ok_or(Refused::Malformed)?;
    let found = match (shown["id"].as_str(), shown["name"].as_str()) {
        (Some(id), _) => state.options.accounts.iter().find_map(|account| {
            let credential = account.credentials.iter().find(|credential| credential.id == id)?;
            Some((account.clone(), credential.clone()))
        }),
        (None, Some(name)) => {
            let account = named(state, &shown["user"])?;
            let credential = account.credentials.iter().find(|credential| credential.name == name).cloned();
            credential.map(|credential| (account, credential))
        }
        (None, None) => return Err(Refused::Malformed),
    };
    let (account, credential) =
        found.filter(|(_, credential)| credential.secret == secret).ok_or(Refused::Unknown)?;
    Ok(Shown {
        account,
        methods: vec!["application_credential"],
        scope: Some(Scope::Project(credential.project)),
        credential: Some(credential.id),
        parent: None,
    })
}

fn by_token(state: &State, shown: &Value) -> Result<Shown, Refused> {
    let text = shown["id"].as_str().ok_or(Refused::Malformed)?;
    let token = state.tokens.find(text, &state.options).ok_or(Refused::Unknown)?.clone();
    let account = state.account(&token.user).ok_or(Refused::Unknown)?.clone();
    let mut methods = vec!["token"];
    methods.extend(token.methods.iter().filter(|method| **method != "token"));
    Ok(Shown { account, methods, scope: None, credential: token.credential.clone(), parent: Some(token) })
}

/// The account of a user that is named by id, or by name and domain.
fn named(state: &State, user: &Value) -> Result<Account, Refused> {
    let mut accounts = state.options.accounts.iter();
    let found = match (user["id"].as_str(), user["name"].as_str()) {
        (Some(id), _) => accounts.find(|account| account.id == id),
        (None, Some(name)) => {
            // All accounts are of the default domain.
            if domain(state, &user["domain"])? != "default" {
                return Err(Refused::Unknown);
            }
            accounts.find(|account| account.name == name)
        }
        (None, None) => return Err(Refused::Malformed),
    };
    found.cloned().ok_or(Refused::Unknown)
}

/// The id of a domain that is given by id or name.
fn domain(state: &State, domain: &Value) -> Result<String, Refused> {
    match (domain["id"].as_str(), domain["name"].as_str()) {
        (Some(id), _) => Ok(id.to_owned()),
        (None, Some(name)) => by_name(state, "domains", name, &|_, _| true).ok_or(Refused::Unknown),
        (None, None) => Err(Refused::Malformed),
    }
}

fn scope(state: &State, scope: Option<&Value>, account: &Account) -> Result<Scope, Refused> {
    let Some(scope) = scope.filter(|scope| **scope != json!("unscoped")) else { return Ok(Scope::Unscoped) };
    if let Some(project) = scope.get("project") {
        let id = match (project["id"].as_str(), project["name"].as_str()) {
            (Some(id), _) => id.to_owned(),
            (None, Some(name)) => {
                let domain = domain(state, &project["domain"])?;
                // An inventory may have a project of the same name as one of the accounts' own.
                let is_granted = |id: &str| !account.roles(&Scope::Project(id.to_owned())).is_empty();
                by_name(state, "projects", name, &|id, project| {
                    project["domain_id"] == *domain && is_granted(id)
                })
                .ok_or(Refused::Unknown)?
            }
            (None, None) => return Err(Refused::Malformed),
        };
        return Ok(Scope::Project(id));
    }
    if scope.get("domain").is_some() {
        return domain(state, &scope["domain"]).map(Scope::Domain);
    }
    if scope["system"]["all"] == json!(true) {
        return Ok(Scope::System);
    }
    Err(Refused::Malformed)
}

fn by_name(
    state: &State,
    collection: &str,
    name: &str,
    is_meant: &dyn Fn(&str, &Value) -> bool,
) -> Option<String> {
    let mut found = None;
    state.cloud.each(collection, super::cloud::Part::default(), &mut |id, text| {
        let object: Value = serde_json::from_str(text).unwrap_or_default();
        if object["name"] == name && is_meant(id, &object) {
            found = Some(id.to_owned());
        }
        found.is_none()
    });
    found
}
