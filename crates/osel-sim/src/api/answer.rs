//! Answers and the shapes that errors of the services have.

use serde_json::{Value, json};

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Answer {
    /// A document.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    /// A document that is text already.
    pub(super) fn text(status: u16, body: String) -> Self {
        Self { status, content_type: "application/json", headers: Vec::new(), body }
    }

    /// The same with a header.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// What Keystone says of a mistake.
    pub(super) fn of_keystone(code: u16, message: &str) -> Self {
        let title = match code {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Error",
        };
        Self::json(code, &json!({"error": {"code": code, "message": message, "title": title}}))
    }

    /// What Keystone says to all who do not get in, and what its middleware says before other services.
    pub(super) fn unauthorized(keystone: &str) -> Self {
        Self::of_keystone(401, "The request you have made requires authentication.")
            .with("www-authenticate", format!("Keystone uri=\"{keystone}\""))
    }

    /// What Neutron says of a mistake.
    pub(super) fn of_neutron(code: u16, kind: &str, message: &str) -> Self {
        Self::json(code, &json!({"NeutronError": {"type": kind, "message": message, "detail": ""}}))
    }

    /// What Octavia says of a mistake.
    pub(super) fn of_octavia(code: u16, message: &str) -> Self {
        let fault = if code < 500 { "Client" } else { "Server" };
        Self::json(code, &json!({"faultcode": fault, "faultstring": message, "debuginfo": null}))
    }

    /// What a web server says of a path that no service has.
    pub(super) fn no_such_page() -> Self {
        let body = "<!doctype html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n".to_owned();
        Self { status: 404, content_type: "text/html; charset=utf-8", headers: Vec::new(), body }
    }
}
