//! The emulated Keystone: versions, authentication, and the lists of who there is.

use serde_json::{Value, json};

use super::accounts::Scope;
use super::answer::Answer;
use super::cloud::Part;
use super::query::Query;
use super::request::Request;
use super::state::State;
use super::tokens::Token;

/// Collections, and what one of each is called.
const COLLECTIONS: [(&str, &str); 5] = [
    ("users", "user"),
    ("projects", "project"),
    ("domains", "domain"),
    ("groups", "group"),
    ("roles", "role"),
];
/// Keys by which lists are filtered; all others are ignored.
const FILTERS: [&str; 7] =
    ["id", "name", "domain_id", "parent_id", "enabled", "is_domain", "default_project_id"];

/// What somebody may see.
enum Sight {
    All,
    Domain(String),
    Nothing,
}

/// The answer to a request below `/identity`.
pub(super) fn answer(state: &mut State, request: &Request, parts: &[&str]) -> Answer {
    let root = format!("{}/identity", request.origin);
    let keystone = format!("{root}/v3/");
    let version = || {
        json!({"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
               "links": [{"rel": "self", "href": keystone}],
               "media-types": [{"base": "application/json",
                                "type": "application/vnd.openstack.identity-v3+json"}]})
    };
    match parts {
        [] => {
            let body = json!({"versions": {"values": [version()]}});
            return Answer::json(300, &body).with("location", keystone.clone());
        }
        ["v3"] => return Answer::json(200, &json!({"version": version()})),
        ["v3", "auth", rest @ ..] => return state.authentication(request, rest, &keystone),
        ["v3", ..] => {}
        _ => return Answer::no_such_page(),
    }
    let Some(token) = state.token(request) else { return Answer::unauthorized(&keystone) };
    if !request.is_reading() {
        return Answer::of_keystone(405, "The method is not allowed for the requested URL.");
    }
    match parts {
        ["v3", "regions"] => {
            let regions = state.options.regions.iter().map(|id| json!({"id": id, "description": ""}));
            Answer::json(200, &json!({"regions": regions.collect::<Value>(), "links": {"next": null}}))
        }
        ["v3", "role_assignments"] => role_assignments(state, &token, request),
        ["v3", collection] => match COLLECTIONS.iter().find(|(known, _)| known == collection) {
            Some((collection, _)) => list(state, &token, request, collection),
            None => Answer::no_such_page(),
        },
        ["v3", collection, id] => match COLLECTIONS.iter().find(|(known, _)| known == collection) {
            Some((collection, singular)) => one(state, &token, collection, singular, id),
            None => Answer::no_such_page(),
        },
        _ => Answer::no_such_page(),
    }
}

fn sight(state: &State, token: &Token, collection: &str) -> Sight {
    if state.options.refused.contains(collection) {
        return Sight::Nothing;
    }
    match &token.scope {
        _ if token.has_role("admin") => Sight::All,
        Scope::System if token.has_role("reader") => Sight::All,
        Scope::Domain(id) if token.has_role("reader") && collection != "roles" => Sight::Domain(id.clone()),
        _ => Sight::Nothing,
    }
}

fn forbidden(action: &str) -> Answer {
    Answer::of_keystone(
        403,
        &format!("You are not authorized to perform the requested action: identity:{action}."),
    )
}

fn is_in_domain(object: &Value, domain: &str) -> bool {
    object["domain_id"] == domain || object["id"] == domain
}

fn one(state: &State, token: &Token, collection: &str, singular: &str, id: &str) -> Answer {
    let sight = sight(state, token, collection);
    let is_oneself = collection == "users" && token.user == id;
    if matches!(sight, Sight::Nothing) && !is_oneself {
        return forbidden(&format!("get_{singular}"));
    }
    match state.cloud.get(collection, id) {
        Some(object) if !matches!(&sight, Sight::Domain(domain) if !is_in_domain(&object, domain)) => {
            Answer::json(200, &json!({singular: object}))
        }
        _ => Answer::of_keystone(404, &format!("Could not find {singular}: {id}.")),
    }
}

fn list(state: &State, token: &Token, request: &Request, collection: &str) -> Answer {
    let sight = sight(state, token, collection);
    if matches!(sight, Sight::Nothing) {
        return forbidden(&format!("list_{collection}"));
    }
    let options = &state.options;
    let query = &request.query;
    // Roles have no pages.
    let has_pages = options.has_identity_pages && collection != "roles";
    let asked = query.get("limit").filter(|_| has_pages).and_then(|limit| limit.parse().ok());
    let cap = if collection == "roles" { usize::MAX } else { options.identity_page_max };
    let limit = asked.unwrap_or(cap).min(cap);
    let after = query.get("marker").filter(|_| has_pages);
    let (mut found, mut is_cut): (Vec<Value>, bool) = (Vec::new(), false);
    state.cloud.each(collection, Part { after, ..Part::default() }, &mut |_, text| {
        let object: Value = serde_json::from_str(text).unwrap_or_default();
        let is_seen = !matches!(&sight, Sight::Domain(domain) if !is_in_domain(&object, domain));
        if is_seen && is_met(&object, query) {
            is_cut = found.len() >= limit;
            if !is_cut {
                found.push(object);
            }
        }
        !is_cut
    });
    let address = request.address();
    let mut next = Value::Null;
    if is_cut
        && has_pages
        && let Some(last) = found.last().and_then(|object| object["id"].as_str())
    {
        next = json!(format!("{address}?{}", query.turned(last, false)));
    }
    let mut body = json!({"links": {"next": next, "self": address, "previous": null}});
    body[collection] = Value::Array(found);
    if is_cut {
        body["truncated"] = json!(true);
    }
    Answer::json(200, &body)
}

/// Whether an object meets the filters of a query.
fn is_met(object: &Value, query: &Query) -> bool {
    query.pairs().all(|(key, wanted)| {
        let (name, how) = key.split_once("__").unwrap_or((key, "equals"));
        if !FILTERS.contains(&name) {
            return true;
        }
        let said = match &object[name] {
            Value::String(text) => text.clone(),
            Value::Bool(is_true) => {
                return how == "equals" && *is_true == !matches!(wanted, "0" | "false" | "False");
            }
            _ => return false,
        };
        let (said, wanted) = match how.strip_prefix('i') {
            Some(_) => (said.to_lowercase(), wanted.to_lowercase()),
            None => (said, wanted.to_owned()),
        };
        match how.strip_prefix('i').unwrap_or(how) {
            "contains" => said.contains(&wanted),
            "startswith" => said.starts_with(&wanted),
            "endswith" => said.ends_with(&wanted),
            _ => said == wanted,
        }
    })
}

/// `/v3/role_assignments`: all at once, whatever `limit` says.
fn role_assignments(state: &State, token: &Token, request: &Request) -> Answer {
    const FILTERS: [&str; 5] = ["user.id", "group.id", "role.id", "scope.project.id", "scope.domain.id"];
    let query = &request.query;
    let sight = sight(state, token, "role_assignments");
    if matches!(sight, Sight::Nothing) {
        return forbidden("list_role_assignments");
    }
    let at = |object: &Value, path: &str| {
        path.split('.').fold(object.clone(), |inner, key| inner.get(key).cloned().unwrap_or_default())
    };
    let mut found = Vec::new();
    state.cloud.each("role_assignments", Part::default(), &mut |_, text| {
        let mut object: Value = serde_json::from_str(text).unwrap_or_default();
        let is_met =
            FILTERS.iter().all(|path| query.get(path).is_none_or(|wanted| at(&object, path) == wanted))
                && (query.get("scope.system").is_none() || !at(&object, "scope.system").is_null());
        let is_seen = match &sight {
            Sight::Domain(domain) => {
                let project = at(&object, "scope.project.id");
                let project = project.as_str().and_then(|id| state.cloud.get("projects", id));
                at(&object, "scope.domain.id") == **domain
                    || project.is_some_and(|project| project["domain_id"] == **domain)
            }
            _ => true,
        };
        if is_met && is_seen {
            if query.flag("include_names") {
                for (key, collection) in [("role", "roles"), ("user", "users"), ("group", "groups")] {
                    name(state, &mut object[key], collection);
                }
                for (key, collection) in [("project", "projects"), ("domain", "domains")] {
                    name(state, &mut object["scope"][key], collection);
                }
                clean(&mut object);
            }
            object["links"] = json!({"assignment": request.address()});
            found.push(object);
        }
        true
    });
    let links = json!({"self": request.address(), "previous": null, "next": null});
    Answer::json(200, &json!({"role_assignments": found, "links": links}))
}

/// Adds the name to something that has an id.
fn name(state: &State, what: &mut Value, collection: &str) {
    if let Some(object) = what["id"].as_str().and_then(|id| state.cloud.get(collection, id)) {
        what["name"] = object["name"].clone();
        if let Some(domain) = object["domain_id"].as_str() {
            let named = state.cloud.get("domains", domain).map(|domain| domain["name"].clone());
            what["domain"] = json!({"id": domain, "name": named});
        }
    }
}

/// Takes out what indexing put there.
fn clean(object: &mut Value) {
    let fields = object.as_object_mut().into_iter();
    fields.for_each(|fields| fields.retain(|_, value| !value.is_null()));
    if let Some(scope) = object["scope"].as_object_mut() {
        scope.retain(|_, value| !value.is_null());
    }
}
