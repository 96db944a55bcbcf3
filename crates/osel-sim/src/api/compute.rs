//! The emulated Nova: the list of servers, with ids and names.
//!
//! It is there where the cloud has servers. The servers of all projects are shown to administrators and to the role that Neutron shows
//! everything to; others are refused that list and shown their own.

use serde_json::{Value, json};

use super::accounts::Scope;
use super::answer::Answer;
use super::cloud::Part;
use super::request::Request;
use super::state::State;

/// The collection, in an inventory and in the path.
pub(super) const SERVERS: &str = "servers";
/// The most servers of a page (`[api] max_limit`), also where nobody asked for pages.
const PAGE_MAX: usize = 1000;

/// The answer to a request below `/compute`.
pub(super) fn answer(state: &State, request: &Request, parts: &[&str]) -> Answer {
    let Some(token) = state.token(request) else { return Answer::unauthorized(&request.origin) };
    if parts != ["v2.1", SERVERS] || !request.is_reading() || state.options.absent.contains(SERVERS) {
        return Answer::no_such_page();
    }
    let query = &request.query;
    let is_for_all = query.get("all_tenants").is_some_and(|wanted| matches!(wanted, "1" | "true" | "True"));
    let auditor = state.options.auditor_role.as_deref();
    let may_see_all = token.has_role("admin") || auditor.is_some_and(|role| token.has_role(role));
    let Scope::Project(own) = &token.scope else { return forbidden("index") };
    if state.options.refused.contains(SERVERS) || is_for_all && !may_see_all {
        return forbidden("index:get_all_tenants");
    }
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let (mut found, mut has_more): (Vec<Value>, bool) = (Vec::new(), false);
    state.cloud.each(SERVERS, Part { after: query.get("marker"), ..Part::default() }, &mut |id, text| {
        let server: Value = serde_json::from_str(text).unwrap_or_default();
        if is_for_all || server["tenant_id"] == **own {
            has_more = found.len() >= limit;
            if !has_more {
                let link = json!({"rel": "self", "href": format!("{}/{id}", request.address())});
                found.push(json!({"id": id, "name": server["name"], "links": [link]}));
            }
        }
        !has_more
    });
    let last = found.last().and_then(|server| server["id"].as_str()).filter(|_| has_more);
    let next = last.map(|id| format!("{}?{}", request.address(), query.turned(id, false)));
    let mut body = json!({SERVERS: found});
    if let Some(next) = next {
        body["servers_links"] = json!([{"rel": "next", "href": next}]);
    }
    Answer::json(200, &body)
}

/// The answer where the server at which a page begins was deleted.
pub(super) fn marker_gone(marker: &str) -> Answer {
    let message = format!("marker [{marker}] not found");
    Answer::json(400, &json!({"badRequest": {"code": 400, "message": message}}))
}

fn forbidden(rule: &str) -> Answer {
    let message = format!("Policy doesn't allow os_compute_api:servers:{rule} to be performed.");
    Answer::json(403, &json!({"forbidden": {"code": 403, "message": message}}))
}
