//! The emulated Barbican: secrets that are there already, their description and their payload, to whoever is of their project.
//!
//! It is there where [`Options::secrets`](super::Options) has any. As of the real one: the payload is given as bytes or as the text that it
//! is (406 for anything else), an id that is none is not found, and errors are documents with `title` and `description`.

use serde_json::{Value, json};

use super::accounts::Scope;
use super::answer::Answer;
use super::request::Request;
use super::state::State;

/// A secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The project that may read it.
    pub project: String,
    /// What the payload is, such as `text/plain`.
    pub content_type: String,
    /// The payload; none where it was never put there.
    pub payload: Option<String>,
}

/// The answer to a request below `/key-manager`.
pub(super) fn answer(state: &State, request: &Request, parts: &[&str]) -> Answer {
    let Some(token) = state.token(request) else { return Answer::unauthorized(&request.origin) };
    let (id, wants_payload) = match parts {
        ["v1", "secrets", id] => (*id, false),
        ["v1", "secrets", id, "payload"] => (*id, true),
        _ => return Answer::no_such_page(),
    };
    if !request.is_reading() {
        return refusal(405, "Method Not Allowed", "Sorry, that ain't gonna happen.");
    }
    let missing = || refusal(404, "Not Found", "Secret not found.");
    let Some(secret) = state.options.secrets.get(id) else { return missing() };
    if token.scope != Scope::Project(secret.project.clone()) {
        let what = if wants_payload { "Secret payload" } else { "Secret" };
        let said =
            format!("{what} retrieval attempt not allowed - please review your user/project privileges");
        return refusal(403, "Forbidden", &said);
    }
    if !wants_payload {
        return Answer::json(200, &description(request, id, secret));
    }
    let Some(payload) = &secret.payload else { return missing() };
    let accept = request.accept.as_deref().unwrap_or("*/*");
    let kind = |text: &str| text.split(';').next().unwrap_or_default().trim().to_owned();
    let content_type = match kind(accept).as_str() {
        // Whatever it is, it is bytes.
        "application/octet-stream" => "application/octet-stream",
        "text/plain" if kind(&secret.content_type) == "text/plain" => "text/plain; charset=UTF-8",
        _ => {
            let said = "Secret payload retrieval issue seen - Wrong payload content-type.";
            return refusal(406, "Not Acceptable", said);
        }
    };
    Answer { status: 200, content_type, headers: Vec::new(), body: payload.clone() }
}

fn description(request: &Request, id: &str, secret: &Secret) -> Value {
    let mut body = json!({
        "created": "2026-11-01T00:00:00", "updated": "2026-11-01T00:00:00", "status": "ACTIVE", "name": "log key",
        "secret_type": "opaque", "algorithm": null, "bit_length": null, "mode": null, "expiration": null,
        "creator_id": "ad1111111111111111111111111111ad",
        "secret_ref": format!("{}/key-manager/v1/secrets/{id}", request.origin),
    });
    if secret.payload.is_some() {
        body["content_types"] = json!({"default": secret.content_type});
    }
    body
}

fn refusal(code: u16, title: &str, description: &str) -> Answer {
    Answer::json(code, &json!({"code": code, "title": title, "description": description}))
}
