//! The emulated Neutron: versions, extensions, lists in pages, single objects; and Octavia, which lists alike.

use serde_json::{Value, json};

use super::accounts::Scope;
use super::answer::Answer;
use super::cloud::Part;
use super::collections::{self, Collection};
use super::query::Query;
use super::request::Request;
use super::rows::Row;
use super::state::State;
use super::tokens::Token;

/// Extensions that are there whatever the cloud has, unless they are said to be absent.
const EXTENSIONS: [&str; 13] = [
    "router",
    "security-group",
    "external-net",
    "pagination",
    "sorting",
    "filter-validation",
    "project-id",
    "standard-attr-revisions",
    "standard-attr-tag",
    "allowed-address-pairs",
    "port-security",
    "stateful-security-group",
    "floating-ip-port-forwarding",
];
/// Keys of a query that are no filters.
const WORDS: [&str; 6] = ["fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"];
/// The host of links that lead nowhere.
const FOREIGN: &str = "http://network.internal.invalid:9696";

/// Where links to other pages lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// To the next page.
    Right,
    /// To a host that nobody can reach.
    Foreign,
    /// To the page on which they stand.
    Looping,
}

/// What somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sight {
    All,
    Project(String),
    Nothing,
}

/// The answer to a request below `/network`.
pub(super) fn answer(state: &State, request: &Request, parts: &[&str], links: Links) -> Answer {
    if parts.is_empty() {
        let link = format!("{}/v2.0/", request.address());
        let version = json!({"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": link}]});
        return Answer::json(200, &json!({"versions": [version]}));
    }
    let ["v2.0", parts @ ..] = parts else { return Answer::no_such_page() };
    let Some(token) = state.token(request) else {
        return Answer::unauthorized(&format!("{}/identity", request.origin));
    };
    if !request.is_reading() {
        return Answer::of_neutron(
            405,
            "HTTPMethodNotAllowed",
            "The server could not comply with the request.",
        );
    }
    match parts {
        [] => {
            let shown = collections::ALL.iter().filter(|one| is_present(state, one));
            let shown = shown.map(|one| json!({"name": one.path, "collection": one.key, "links": []}));
            return Answer::json(200, &json!({"resources": shown.collect::<Value>()}));
        }
        ["extensions"] => {
            let all: Value = extensions(state).into_iter().map(extension).collect();
            return Answer::json(200, &json!({"extensions": all}));
        }
        ["extensions", alias] => {
            return match extensions(state).into_iter().find(|known| known == alias) {
                Some(alias) => Answer::json(200, &json!({"extension": extension(alias)})),
                None => {
                    not_found("ExtensionNotFound", &format!("Extension with alias {alias} does not exist"))
                }
            };
        }
        _ => {}
    }
    let Some((collection, rest)) = collections::at(parts).filter(|(found, _)| is_present(state, found))
    else {
        return not_found("HTTPNotFound", "The resource could not be found.");
    };
    let sight = sight(state, &token, collection.key);
    if state.options.refused.contains(collection.key) {
        let rule = format!("get_{}", collection.singular);
        let message = format!("(rule:{rule}) is disallowed by policy");
        return Answer::of_neutron(403, "PolicyNotAuthorized", &message);
    }
    match rest {
        [] => list(state, request, collection, &sight, &token, links),
        [id] => one(state, request, collection, &sight, id),
        [id, "port_forwardings"] if collection.key == "floatingips" => forwardings(state, &sight, id),
        [id, "port_forwardings", which] if collection.key == "floatingips" => {
            forwarding(state, &sight, id, which)
        }
        _ => not_found("HTTPNotFound", "The resource could not be found."),
    }
}

/// Whether there is an Octavia.
pub(super) fn has_balancers(state: &State) -> bool {
    collections::BALANCERS.iter().any(|one| state.cloud.has(one.key))
}

/// The answer to a request below `/load-balancer`.
pub(super) fn balancers(state: &State, request: &Request, parts: &[&str], links: Links) -> Answer {
    let ["v2" | "v2.0", "lbaas", name, rest @ ..] = parts else { return Answer::no_such_page() };
    let Some(token) = state.token(request) else {
        return Answer::unauthorized(&format!("{}/identity", request.origin));
    };
    let known = collections::BALANCERS.iter().find(|one| one.path == *name);
    let known = known.filter(|one| state.cloud.has(one.key) && !state.options.absent.contains(one.key));
    let (Some(collection), true) = (known, request.is_reading()) else {
        return Answer::of_octavia(404, "Not Found");
    };
    if state.options.refused.contains(collection.key) {
        return Answer::of_octavia(403, "Policy does not allow this request to be performed.");
    }
    let sight = sight(state, &token, collection.key);
    let answer = match rest {
        [] => list(state, request, collection, &sight, &token, links),
        [id] => one(state, request, collection, &sight, id),
        _ => return Answer::of_octavia(404, "Not Found"),
    };
    match answer.status {
        200 => answer,
        code => Answer::of_octavia(code, &format!("{} {} was refused.", collection.singular, rest.join("/"))),
    }
}

/// The answer where the object at which a page begins was deleted.
pub(super) fn marker_gone(parts: &[&str], marker: &str) -> Answer {
    let found = parts.split_first().and_then(|(_, rest)| collections::at(rest));
    let name = found.map_or("resource", |(collection, _)| collection.singular);
    unknown(name, marker)
}

/// The answer of a list that shows nothing.
pub(super) fn nothing(parts: &[&str]) -> Answer {
    match parts.split_first().and_then(|(_, rest)| collections::at(rest)) {
        Some((collection, [])) => Answer::json(200, &json!({collection.key: []})),
        _ => Answer::no_such_page(),
    }
}

fn sight(state: &State, token: &Token, collection: &str) -> Sight {
    let Scope::Project(project) = &token.scope else { return Sight::Nothing };
    let is_auditor = state.options.auditor_role.as_deref().is_some_and(|role| token.has_role(role));
    let sees_all = (token.has_role("admin") || is_auditor) && !state.options.hidden.contains(collection);
    if sees_all { Sight::All } else { Sight::Project(project.clone()) }
}

fn is_present(state: &State, collection: &Collection) -> bool {
    let is_there = collection.extension.is_none() || state.cloud.has(collection.key);
    is_there && !state.options.absent.contains(collection.key)
}

fn extensions(state: &State) -> Vec<&'static str> {
    let present = collections::ALL.iter().filter(|one| is_present(state, one));
    let own = EXTENSIONS.into_iter().filter(|alias| !state.options.absent.contains(*alias));
    let mut all: Vec<&str> = own.chain(present.filter_map(|one| one.extension)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn extension(alias: &str) -> Value {
    json!({"alias": alias, "name": alias, "description": "", "updated": "2012-01-01T10:00:00-00:00", "links": []})
}

fn not_found(kind: &str, message: &str) -> Answer {
    Answer::of_neutron(404, kind, message)
}

/// What Neutron says of an id that it does not know.
fn unknown(singular: &str, id: &str) -> Answer {
    let mut kind = String::new();
    for word in singular.split('_') {
        let (first, rest) = word.split_at(1.min(word.len()));
        kind.push_str(&first.to_uppercase());
        kind.push_str(rest);
    }
    let words = singular.replace('_', " ");
    not_found(&format!("{kind}NotFound"), &format!("The {words} {id} could not be found."))
}

fn bad_request(message: &str) -> Answer {
    Answer::of_neutron(400, "HTTPBadRequest", message)
}

/// Whether an object is shown to somebody.
fn is_seen(row: &Row<'_>, sight: &Sight) -> bool {
    match sight {
        Sight::All => true,
        Sight::Project(project) => {
            row.says("project_id", project) || row.is_true("shared") || row.is_true("router:external")
        }
        Sight::Nothing => false,
    }
}

/// An object that is shown to somebody, with these fields only where some are named.
fn shown(text: &str, sight: &Sight, filters: &[(&str, Vec<&str>)], fields: &[&str]) -> Option<String> {
    if *sight == Sight::All && filters.is_empty() && fields.is_empty() {
        return Some(text.to_owned());
    }
    let row = Row::new(text)?;
    let is_met = is_seen(&row, sight) && filters.iter().all(|(key, wanted)| row.is_met(key, wanted));
    is_met.then(|| if fields.is_empty() { text.to_owned() } else { row.cut(fields) })
}

fn one(state: &State, request: &Request, collection: &Collection, sight: &Sight, id: &str) -> Answer {
    let fields: Vec<&str> = request.query.all("fields").collect();
    let text = state.cloud.text(collection.key, id, is_nested(collection, &fields));
    match text.and_then(|text| shown(&text, sight, &[], &fields)) {
        Some(text) => Answer::text(200, format!("{{\"{}\": {text}}}", collection.singular)),
        None => unknown(collection.singular, id),
    }
}

/// Whether what hangs on objects is to be shown with them.
fn is_nested(collection: &Collection, fields: &[&str]) -> bool {
    let child = match collection.key {
        "security_groups" => "security_group_rules",
        "floatingips" => "port_forwardings",
        _ => return false,
    };
    fields.is_empty() || fields.contains(&child)
}

fn forwardings(state: &State, sight: &Sight, floating_ip: &str) -> Answer {
    if state
        .cloud
        .text("floatingips", floating_ip, false)
        .and_then(|text| shown(&text, sight, &[], &[]))
        .is_none()
    {
        return unknown("floatingip", floating_ip);
    }
    let all = state.cloud.texts_of_children("floatingips", floating_ip);
    let all: Value = all.values().map(|text| own_forwarding(text)).collect();
    Answer::json(200, &json!({"port_forwardings": all}))
}

fn forwarding(state: &State, sight: &Sight, floating_ip: &str, id: &str) -> Answer {
    let parent = state.cloud.text("floatingips", floating_ip, false);
    if parent.and_then(|text| shown(&text, sight, &[], &[])).is_none() {
        return unknown("floatingip", floating_ip);
    }
    match state.cloud.texts_of_children("floatingips", floating_ip).get(id) {
        Some(text) => Answer::json(200, &json!({"port_forwarding": own_forwarding(text)})),
        None => unknown("port_forwarding", id),
    }
}

/// A port forwarding as its own collection shows it: without the floating IP, which stands in the path.
fn own_forwarding(text: &str) -> Value {
    let mut object: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("floatingip_id");
    }
    object
}

fn list(
    state: &State,
    request: &Request,
    collection: &Collection,
    sight: &Sight,
    token: &Token,
    links: Links,
) -> Answer {
    let query = &request.query;
    let asked = match Asked::read(state, collection, query) {
        Ok(asked) => asked,
        Err(message) => return bad_request(&message),
    };
    // Who is no administrator sees only the rules of the own project where nothing is filtered, whatever the policy says.
    let own_only = collection.key == "security_group_rules"
        && asked.filters.is_empty()
        && !token.has_role("admin")
        && *sight == Sight::All;
    let sight = match &token.scope {
        Scope::Project(project) if own_only => &Sight::Project(project.clone()),
        _ => sight,
    };
    if let Some(marker) = asked.marker.filter(|_| *sight != Sight::Nothing) {
        let text = state.cloud.text(collection.key, marker, false);
        if text.and_then(|text| shown(&text, sight, &[], &[])).is_none() {
            return unknown(collection.singular, marker);
        }
    }
    let nested = is_nested(collection, &asked.fields);
    let mut found: Vec<(String, String)> = Vec::new();
    let mut visit = |id: &str, text: &str| {
        found.extend(shown(text, sight, &asked.filters, &asked.fields).map(|text| (id.to_owned(), text)));
        found.len() < asked.limit
    };
    let ids = asked.filters.iter().find(|(key, _)| *key == "id").map(|(_, ids)| ids);
    if *sight == Sight::Nothing {
        // It is no error: there is nothing.
    } else if let Some(ids) = ids.filter(|_| asked.marker.is_none()) {
        let mut ids = ids.clone();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let text = state.cloud.text(collection.key, id, nested);
            if text.is_some_and(|text| !visit(id, &text)) {
                break;
            }
        }
    } else {
        let backwards = asked.is_descending != asked.is_reversed;
        let part = Part { after: asked.marker, backwards, nested };
        state.cloud.each(collection.key, part, &mut visit);
    }
    if asked.is_reversed {
        found.reverse();
    }
    let mut body = format!("{{\"{}\": [", collection.key);
    for (place, (_, text)) in found.iter().enumerate() {
        body.push_str(if place == 0 { "" } else { ", " });
        body.push_str(text);
    }
    body.push(']');
    if asked.is_paged {
        let address = request.address();
        let ids = found.first().map(|(id, _)| id.as_str()).zip(found.last().map(|(id, _)| id.as_str()));
        let links = ids.map(|ids| page_links(&address, query, &asked, ids, found.len(), links));
        if let Some(links) = links.filter(|links| !links.is_empty()) {
            body.push_str(&format!(", \"{}_links\": {}", collection.key, Value::Array(links)));
        }
    }
    body.push('}');
    Answer::text(200, body)
}

fn page_links(
    address: &str,
    query: &Query,
    asked: &Asked<'_>,
    (first, last): (&str, &str),
    count: usize,
    links: Links,
) -> Vec<Value> {
    let address = match links {
        Links::Foreign => {
            let path = address.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
            format!("{FOREIGN}/{}", path.map_or("", |(_, path)| path))
        }
        _ => address.to_owned(),
    };
    let mut shown = Vec::new();
    let is_full = count >= asked.limit;
    if is_full || asked.is_reversed {
        let next = match links {
            Links::Looping => query.shown(),
            _ => query.turned(last, false),
        };
        shown.push(json!({"rel": "next", "href": format!("{address}?{next}")}));
    }
    if asked.marker.is_some() && (is_full || !asked.is_reversed) {
        shown.push(json!({"rel": "previous", "href": format!("{address}?{}", query.turned(first, true))}));
    }
    shown
}

/// What a list is asked for.
struct Asked<'a> {
    limit: usize,
    is_paged: bool,
    marker: Option<&'a str>,
    is_descending: bool,
    /// Whether the page before the marker is meant.
    is_reversed: bool,
    fields: Vec<&'a str>,
    filters: Vec<(&'a str, Vec<&'a str>)>,
}

impl<'a> Asked<'a> {
    fn read(state: &State, collection: &Collection, query: &'a Query) -> Result<Self, String> {
        let mut filters: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut bogus = Vec::new();
        for (key, value) in query.pairs().filter(|(key, _)| !WORDS.contains(key)) {
            if !collection.is_filter(key) {
                bogus.push(key);
            } else if let Some((_, values)) = filters.iter_mut().find(|(known, _)| *known == key) {
                values.push(value);
            } else {
                filters.push((key, vec![value]));
            }
        }
        if !bogus.is_empty() && state.options.validates_filters {
            return Err(format!("['{}'] is invalid attribute for filtering", bogus.join("', '")));
        }
        let (keys, directions) = (query.all("sort_key").count(), query.all("sort_dir").count());
        if keys != directions {
            return Err("The number of sort_keys and sort_dirs must be same".to_owned());
        }
        if let Some(other) = query.all("sort_key").find(|key| *key != "id") {
            return Err(format!("['{other}'] is invalid attribute for sort_keys"));
        }
        let limit = match query.get("limit") {
            None => None,
            Some(text) => match text.parse::<usize>() {
                Ok(0) => None,
                Ok(limit) => Some(limit),
                Err(_) => return Err(format!("Limit must be an integer 0 or greater and not '{text}'")),
            },
        };
        let limit = match (limit, state.options.network_page_max) {
            (Some(limit), Some(most)) => Some(limit.min(most)),
            (limit, most) => limit.or(most),
        };
        let is_true = |text: &str| text.eq_ignore_ascii_case("true");
        Ok(Self {
            limit: limit.unwrap_or(usize::MAX),
            is_paged: limit.is_some(),
            marker: query.get("marker"),
            is_descending: query.get("sort_dir").is_some_and(|direction| direction == "desc"),
            is_reversed: query.get("page_reverse").is_some_and(is_true),
            fields: query.all("fields").collect(),
            filters,
        })
    }
}
