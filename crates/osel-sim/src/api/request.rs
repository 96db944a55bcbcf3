//! A request as the emulated services see it, free of HTTP.

use super::query::Query;

/// What somebody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path as it came, decoded where it needs to be, in parts between slashes; empty ones are left out.
    pub(super) path: Vec<String>,
    pub(super) query: Query,
    /// Scheme and host as the asker named them.
    pub(super) origin: String,
    /// `X-Auth-Token`.
    pub(super) token: Option<String>,
    /// `Accept`.
    pub(super) accept: Option<String>,
    /// `X-Subject-Token`.
    pub(super) subject: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn is_reading(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// The parts of the path.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The address of the path without the query.
    pub(super) fn address(&self) -> String {
        format!("{}/{}", self.origin, self.path.join("/"))
    }
}
