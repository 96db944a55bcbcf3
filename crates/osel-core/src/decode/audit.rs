//! API calls as middleware tells them: keystonemiddleware's audit filter, Swift's CADF, oslo.messaging's
//! request notifier.
//!
//! The audit filter sends two halves that share a correlation id. Its context is made up, so the actor is the
//! initiator or nobody. The object's id is in the path only.

use std::borrow::Cow;

use super::cadf::{Cadf, known_id, known_text};
use super::notification::{Meaning, Notice};
use super::tape::Value;
use crate::event::{AccessCall, Actor, Change, Kind, Outcome, Target};
use crate::ids::Id;

/// Ids in paths have at least this many characters; words and versions have fewer, or no digit.
const ID_IN_PATH_BYTES_MIN: usize = 32;

/// Reads one half of an API call.
pub(super) fn read(notice: Notice<'_>) -> Option<Meaning> {
    let payload = notice.payload.filter(|payload| payload.is_object())?;
    match notice.event_type {
        "audit.http.request" => Some(cadf_call(Cadf::read(payload), false)),
        "audit.http.response" => Some(cadf_call(Cadf::read(payload), true)),
        // Swift tells a call once, when it has answered.
        "objectstore.http.request" | "objectstore.http.response" => {
            let cadf = Cadf::read(payload);
            let answered = cadf.outcome() != Outcome::Pending;
            Some(cadf_call(cadf, answered))
        }
        "http.request" => Some(bare_call(payload, false)),
        "http.response" => Some(bare_call(payload, true)),
        _ => None,
    }
}

fn cadf_call(cadf: Cadf<'_>, response: bool) -> Meaning {
    let target = cadf.target;
    let type_uri = target.and_then(|target| target.loose_text_of(&["typeURI"])).unwrap_or_default();
    let in_metadata = || target?.get("metadata")?.loose_text_of(&["path"]);
    let path = cadf.path.and_then(Value::loose_text).or_else(in_metadata).unwrap_or_default();
    let (_, code) = cadf.reason();
    let actor = cadf.actor();
    let kind = kind_of(&type_uri, &path);
    let id = id_in_path(&path, &kind);
    let call = AccessCall {
        response,
        correlation: cadf.tags.and_then(correlation).or_else(|| cadf.id.and_then(Value::loose_id)),
        action: cadf.action.and_then(Value::loose_text).unwrap_or_default(),
        path,
        status: code.and_then(|code| code.parse().ok()),
        type_uri,
    };
    let target =
        Target { kind, id: id.or_else(|| swift_id(&call.type_uri, target)), name: None, project_id: None };
    Meaning {
        request_id: cadf.request_id(),
        time: cadf.time(),
        actor: Some(actor),
        ..Meaning::new(Change::Access(call), Some(target), cadf.outcome())
    }
}

/// `correlation_id?value=…` among the tags.
fn correlation(tags: Value<'_>) -> Option<Id> {
    tags.items().find_map(|tag| Some(Id::new(tag.text()?.strip_prefix("correlation_id?value=")?)))
}

/// Swift's containers and objects are named, so the target's id is the account's, the container's or the
/// object's.
fn swift_id(type_uri: &str, target: Option<Value<'_>>) -> Option<Id> {
    if type_uri.starts_with("service/storage/object") { known_id(target?.get("id")?) } else { None }
}

/// What a call is about, by the type URI: `service/network/security-groups/security-group` is about a `security_group`, as the service's
/// own notifications call it. Of a resource that the filter's map does not know the URI names the service only: there the path tells, if it
/// has a collection that we know; other words of a path may be whatever the caller likes.
fn kind_of(type_uri: &str, path: &str) -> Cow<'static, str> {
    let words: Vec<&str> = type_uri.split('/').collect();
    let told = match words[..] {
        ["service", _] => {
            let parts = parts_of(path);
            place_of_id(&parts).and_then(|place| one_of(parts.get(place.checked_sub(1)?)?))
        }
        // One of them, an action on one, or a list of all with everything about them.
        [.., collection, _] => one_of(collection),
        _ => None,
    };
    match (told, words.last()) {
        (Some(kind), _) => Cow::Borrowed(kind),
        (None, Some(&word)) if !word.is_empty() && word != "unknown" => Cow::Owned(word.to_owned()),
        _ => Cow::Borrowed("api"),
    }
}

/// The word for one thing of a collection that is known.
fn one_of(collection: &str) -> Option<&'static str> {
    let name = collection.replace('-', "_");
    let modelled = Kind::ALL.into_iter().find(|kind| kind.plural() == name).map(Kind::singular);
    modelled.or_else(|| OTHERS.into_iter().find(|(plural, _)| *plural == name).map(|(_, one)| one))
}

/// Collections of other services, and those of the network service that the model does not have.
const OTHERS: [(&str, &str); 8] = [
    ("servers", "server"),
    ("images", "image"),
    ("volumes", "volume"),
    ("snapshots", "snapshot"),
    ("quotas", "quota"),
    ("policies", "policy"),
    ("secrets", "secret"),
    ("containers", "container"),
];

/// The parts of a path before the query, without the ending that old clients write.
fn parts_of(path: &str) -> Vec<&str> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split('/').map(|part| part.strip_suffix(".json").unwrap_or(part)).collect()
}

/// The last part that looks like an id, and is not the project that stands behind the version in the paths of some services.
fn place_of_id(parts: &[&str]) -> Option<usize> {
    let is_version = |part: &str| {
        part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let follows_version = |place: usize| place.checked_sub(1).is_some_and(|before| is_version(parts[before]));
    (0..parts.len()).rev().find(|&place| is_id(parts[place]) && !follows_version(place))
}

/// The id of what a call is about: that behind the collection of its kind, else the last one.
fn id_in_path(path: &str, kind: &str) -> Option<Id> {
    let parts = parts_of(path);
    let is_kind = |place: usize| place > 0 && is_id(parts[place]) && one_of(parts[place - 1]) == Some(kind);
    let place = (0..parts.len()).rev().find(|&place| is_kind(place)).or_else(|| place_of_id(&parts));
    place.map(|place| Id::new(parts[place]))
}

fn is_id(part: &str) -> bool {
    (ID_IN_PATH_BYTES_MIN..=64).contains(&part.len())
        && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        && part.bytes().any(|byte| byte.is_ascii_digit())
}

/// `http.request` of oslo.messaging: the WSGI environment, and the answer in the response.
fn bare_call(payload: Value<'_>, response: bool) -> Meaning {
    let request = payload.get("request").unwrap_or(payload);
    let of = |keys: &[&str]| request.loose_text_of(keys);
    let mut path = of(&["PATH_INFO"]).unwrap_or_default().into_string();
    if let Some(query) = of(&["QUERY_STRING"]) {
        path = format!("{path}?{query}");
    }
    let status = payload.get("response").and_then(|answer| answer.loose_text_of(&["status"]));
    let status: Option<u16> = status.and_then(|status| status.get(..3)?.parse().ok());
    let outcome = match status {
        Some(status) if status < 400 => Outcome::Success,
        Some(_) => Outcome::Failure,
        None if response => Outcome::Unknown,
        None => Outcome::Pending,
    };
    let id = |keys: &[&str]| keys.iter().find_map(|key| known_id(request.get(key)?));
    let text = |keys: &[&str]| keys.iter().find_map(|key| known_text(request.get(key)?));
    let actor = Actor {
        user_id: id(&["HTTP_X_USER_ID"]),
        user_name: text(&["HTTP_X_USER_NAME", "HTTP_X_USER"]),
        user_domain_id: id(&["HTTP_X_USER_DOMAIN_ID"]),
        project_id: id(&["HTTP_X_PROJECT_ID", "HTTP_X_TENANT_ID"]),
        project_name: text(&["HTTP_X_PROJECT_NAME", "HTTP_X_TENANT_NAME"]),
        address: text(&["REMOTE_ADDR"]),
        agent: text(&["HTTP_USER_AGENT"]),
    };
    let target =
        Target { kind: Cow::Borrowed("api"), id: id_in_path(&path, "api"), name: None, project_id: None };
    let call = AccessCall {
        response,
        correlation: None,
        action: of(&["REQUEST_METHOD"]).map(|method| method.to_ascii_lowercase().into()).unwrap_or_default(),
        path: path.into(),
        type_uri: Box::default(),
        status,
    };
    Meaning { actor: Some(actor), ..Meaning::new(Change::Access(call), Some(target), outcome) }
}
