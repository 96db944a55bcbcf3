//! What the forms of others ask of every record, looked up once.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{LINE_BYTES_MAX, ROWS_LISTED_MAX, Severity, Subject};
use crate::engine::record::json::Object;
use crate::engine::record::{Record, sentence};
use crate::ids::Id;
use crate::trail::{PartClass, RecordKind};

/// Whom the forms name as who says it.
pub(super) const PRODUCT: &str = "osel";
/// The version that says it.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What stands where a form insists on a name and nobody knows one.
pub(super) const UNKNOWN: &str = "unknown";

/// What nearly all lines need beside what their forms say: room for it is made at once.
const LINE_BYTES_USUAL: usize = 2048;

/// A record with what is made of it for every form.
pub(super) struct Told<'a> {
    pub(super) record: &'a Record,
    /// The id of its first line.
    pub(super) id: String,
    pub(super) store: &'a str,
    pub(super) sentence: String,
    pub(super) severity: Severity,
    /// The message, as text.
    pub(super) message: Option<&'a str>,
}

impl<'a> Told<'a> {
    pub(super) fn of(subject: &Subject<'a>) -> Self {
        let record = subject.record;
        Self {
            record,
            id: super::line_id(subject.store, record.header.seq, 0),
            store: subject.store,
            sentence: sentence(record),
            severity: Severity::of(record),
            message: subject.message.and_then(|bytes| std::str::from_utf8(bytes).ok()),
        }
    }

    /// An empty line with room.
    pub(super) fn line(&self) -> Vec<u8> {
        let message = self.message.map_or(0, str::len).min(LINE_BYTES_MAX);
        Vec::with_capacity(LINE_BYTES_USUAL + self.sentence.len() + message)
    }

    pub(super) fn kind(&self) -> RecordKind {
        self.record.header.kind
    }

    pub(super) fn detail(&self, key: &str) -> Option<&'a str> {
        self.record.body.detail.get(key).map(String::as_str)
    }

    pub(super) fn outcome(&self) -> &'a str {
        let outcome = &*self.record.body.outcome;
        if outcome.is_empty() { UNKNOWN } else { outcome }
    }

    pub(super) fn event_type(&self) -> Option<&'a str> {
        self.record.body.event_type.as_deref()
    }

    /// The name of who did it.
    pub(super) fn user_name(&self) -> Option<&'a str> {
        self.record.personal.user_name.as_deref().filter(|name| !name.is_empty())
    }

    pub(super) fn has_user(&self) -> bool {
        self.user_name().is_some() || self.record.body.user_id.is_some()
    }

    /// The client's address, where it is one.
    pub(super) fn client(&self) -> Option<IpAddr> {
        self.record.personal.address.as_deref()?.parse().ok()
    }

    /// What a scan or a finding is about.
    pub(super) fn scanned(&self) -> Option<IpAddr> {
        self.detail("address")?.parse().ok()
    }

    /// The port of a finding.
    pub(super) fn port(&self) -> Option<(&'a str, u16)> {
        let (transport, port) = self.detail("port")?.split_once(' ')?;
        Some((transport, port.parse().ok()?))
    }

    pub(super) fn target_kind(&self) -> Option<&'a str> {
        self.record.body.target.as_ref().map(|target| &*target.kind)
    }

    pub(super) fn target_id(&self) -> Option<&'a Id> {
        self.record.body.target.as_ref()?.id.as_ref()
    }

    pub(super) fn target_name(&self) -> Option<&'a str> {
        self.record.target_name().filter(|name| !name.is_empty())
    }

    /// The service that says it, by OpenStack's word for its type; osel itself for what it found out.
    pub(super) fn service(&self) -> &'a str {
        if let Some(service) = self.detail("service") {
            return service;
        }
        match (self.kind(), self.event_type()) {
            (_, Some(event)) if event.starts_with("identity.") => "identity",
            // `service/network/ports`
            (RecordKind::Access, _) => {
                self.detail("type_uri").and_then(|uri| uri.split('/').nth(1)).unwrap_or(UNKNOWN)
            }
            (RecordKind::Change, Some(_)) => "network",
            // `compute_task.migrate_server`, `volume.create.start`
            (RecordKind::Activity, Some(event)) => event.split('.').next().unwrap_or(UNKNOWN),
            _ => PRODUCT,
        }
    }

    /// What was done, in a word or few: the event type, else what the record's facts say.
    pub(super) fn operation(&self) -> Cow<'a, str> {
        if let (Some(action), Some(path)) = (self.detail("action"), self.detail("path")) {
            return format!("{action} {path}").into();
        }
        if let Some(event) = self.event_type() {
            return event.into();
        }
        let what =
            ["retention", "log", "why", "state", "cause"].into_iter().find(|key| self.detail(key).is_some());
        match what {
            Some(key) => format!("{} {key} {}", self.kind(), self.detail(key).unwrap_or_default()).into(),
            None => self.kind().as_str().into(),
        }
    }

    /// Milliseconds since 1970.
    pub(super) fn millis(&self) -> i64 {
        self.record.header.time.micros().div_euclid(1000)
    }

    pub(super) fn recorded_millis(&self) -> i64 {
        self.record.header.recorded_at.micros().div_euclid(1000)
    }

    pub(super) fn has_exposure(&self) -> bool {
        let record = self.record;
        record.opened_count() + record.closed_count() + record.body.members.len() > 0
    }

    /// Writes what no form has a place for: what the trail says of the record, and what it opened and closed.
    pub(super) fn rest(&self, mut out: Object<'_>) {
        let (header, body) = (&self.record.header, &self.record.body);
        out.number("seq", header.seq);
        out.text("kind", header.kind.as_str());
        out.text("hash", &self.record.hash.to_string());
        out.text("as_of", &header.as_of.to_string());
        out.text("recorded_at", &header.recorded_at.to_string());
        out.text_if("source", body.source.as_deref());
        out.text("outcome", self.outcome());
        if let Some(cause) = body.cause {
            out.number("cause", cause);
        }
        if body.conflicting {
            out.value("conflicting", &true);
        }
        if !self.record.missing.is_empty() {
            let missing: Vec<&str> =
                self.record.missing.iter().map(|class: &PartClass| class.as_str()).collect();
            out.value("missing", &missing);
        }
        out.text_if("project_name", body.project_name.as_deref());
        let target_project = body.target.as_ref().and_then(|target| target.project_id.as_ref());
        out.id_if("target_project_id", target_project);
        out.texts_if("detail", &body.detail);
        if self.has_exposure() {
            out.value("exposure", &self.record.exposure_of(ROWS_LISTED_MAX));
        }
        out.end();
    }
}
