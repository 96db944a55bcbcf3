//! One notification as a whole: opening, redaction, digest, its head and context, and which service's reader
//! says what it means.
//!
//! [`Decoder`] is the only way in. Nothing here knows a payload; that is for the services' files.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest as _, Sha256};

use super::defect::{Defect, DefectKind, Fault};
use super::envelope::{self, BODY_BYTES_MAX, Envelope};
use super::scan::{Scratch, scan};
use super::tape::{Span, Tape, Value};
use super::{
    Decoded, audit, cinder, escape, glance, keystone, neutron, nova, octavia, other, redact, unparsed,
};
use crate::event::{Actor, Change, Digest, Event, Outcome, RawMessage, Target};
use crate::ids::{ID_BYTES_MAX, Id};
use crate::time::Timestamp;

/// Decodes one message. Whoever decodes many keeps a [`Decoder`].
pub fn decode(raw: &RawMessage) -> Decoded<'_> {
    Decoder::default().decode(raw)
}

/// Decodes messages one after the other, in room that is made once.
#[derive(Default)]
pub struct Decoder {
    scratch: Scratch,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is left in the room may be a secret.
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    /// Decodes one message; what was decoded before makes no difference.
    pub fn decode<'a>(&mut self, raw: &'a RawMessage) -> Decoded<'a> {
        let decoded = self.usual(raw).unwrap_or_else(|| self.any(raw));
        self.scratch.shrink();
        decoded
    }

    /// Decodes a message of the second format as releases write it, with each byte looked at once; nothing if it
    /// is anything else.
    pub(super) fn usual<'a>(&mut self, raw: &'a RawMessage) -> Option<Decoded<'a>> {
        if raw.properties.compression.is_some() || raw.body.len() > BODY_BYTES_MAX {
            return None;
        }
        let start = envelope::message_start(&raw.body)?;
        let (tape, after) = self.scratch.scan_wrapped(&raw.body, start)?;
        if !envelope::ends_after(&raw.body, after) {
            return None;
        }
        let found = Found::on(&tape, raw);
        let decoded = found.with_body(|| Cow::Owned(tape.text.as_bytes().to_vec()));
        let scanned = tape.scanned;
        self.scratch.take_back(scanned);
        Some(decoded)
    }

    /// Decodes any message, one step after the other.
    pub(super) fn any<'a>(&mut self, raw: &'a RawMessage) -> Decoded<'a> {
        let text = match envelope::text(raw) {
            Ok(text) => text,
            Err(unopened) => return unreadable(raw, unopened.bytes, unopened.defect),
        };
        let tape = match self.scratch.scan(&text) {
            Ok(tape) => tape,
            Err(fault) => return unreadable(raw, into_bytes(text), fault.in_bytes("")),
        };
        let (inner, known) = match envelope::open_scanned(tape.root()) {
            Ok(Envelope::None) => {
                let found = Found::on(&tape, raw);
                self.scratch.take_back(tape.scanned);
                return found.with_body(|| into_bytes(text));
            }
            Ok(Envelope::Message(inner)) => (inner, true),
            Ok(Envelope::OtherVersion(inner)) => (inner, false),
            Err(fault) => {
                let defect = fault.in_words(&tape);
                return unreadable(raw, into_bytes(text), defect);
            }
        };
        match scan(&inner) {
            Ok(tape) if known => {
                let found = Found::on(&tape, raw);
                found.with_body(|| Cow::Owned(inner.into_bytes()))
            }
            Ok(tape) => {
                // Kept in its envelope, so that a version that knows this one reads it as it was meant.
                let Decoded { message_id, event_type, .. } = Found::on(&tape, raw).decoded;
                let defect = Defect::new(DefectKind::UnknownVersion, "oslo.version");
                Decoded { message_id, event_type, ..unreadable(raw, into_bytes(text), defect) }
            }
            Err(fault) => unreadable(raw, into_bytes(text), fault.in_bytes("oslo.message")),
        }
    }
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

#[cold]
fn unreadable<'a>(raw: &RawMessage, bytes: Cow<'a, [u8]>, defect: Defect) -> Decoded<'a> {
    let (message_id, event_type) =
        (unparsed::glimpse(&bytes, "message_id"), unparsed::glimpse(&bytes, "event_type"));
    let masked = match unparsed::mask(&bytes) {
        Cow::Borrowed(_) => None,
        Cow::Owned(masked) => Some(masked),
    };
    Decoded {
        body: masked.map_or(bytes, Cow::Owned),
        digest: Sha256::digest(&raw.body).into(),
        message_id,
        event_type,
        result: Err(defect),
    }
}

/// What a scanned notification means, before its text is handed on.
struct Found<'a> {
    /// All but the body.
    decoded: Decoded<'a>,
    /// The text without its secrets, where it had any.
    redacted: Option<Vec<u8>>,
}

impl<'a> Found<'a> {
    fn on(tape: &Tape<'_>, raw: &RawMessage) -> Self {
        let (bytes, secrets) = (tape.text.as_bytes(), &tape.scanned.secrets);
        let mut shapes = redact::shapes(bytes);
        shapes.extend(redact::told(bytes, false));
        shapes.retain(|span| {
            let before = secrets.partition_point(|secret| secret.start <= span.start);
            before == 0 || secrets[before - 1].end < span.end
        });
        if shapes.is_empty() && tape.scanned.parameters.is_empty() {
            let redacted = (!secrets.is_empty()).then(|| redact::apply(bytes, secrets));
            return Self { decoded: read(tape, raw), redacted };
        }
        Self::on_redacted(tape, raw, shapes)
    }

    /// For secrets inside of texts: the event is read from the redacted text, so that none can be taken over.
    #[cold]
    fn on_redacted(tape: &Tape<'_>, raw: &RawMessage, mut spans: Vec<Span>) -> Self {
        spans.extend_from_slice(&tape.scanned.secrets);
        spans.extend_from_slice(&tape.scanned.parameters);
        let redacted = redact::apply(tape.text.as_bytes(), &redact::merge(spans));
        let digest = digest(tape, Head::read(tape.root()).unique_id);
        // Masks are ASCII and stand for whole characters, so this is UTF-8 still.
        let text = String::from_utf8_lossy(&redacted);
        let decoded = match scan(&text) {
            Ok(tape) => Decoded { digest, ..read(&tape, raw) },
            // Two keys that differed in a token only are one key now.
            Err(fault) => Decoded {
                body: Cow::Borrowed(&[]),
                digest,
                message_id: None,
                event_type: None,
                result: Err(fault.in_bytes("the redacted text")),
            },
        };
        drop(text);
        Self { decoded, redacted: Some(redacted) }
    }

    fn with_body(self, body: impl FnOnce() -> Cow<'a, [u8]>) -> Decoded<'a> {
        Decoded { body: self.redacted.map_or_else(body, Cow::Owned), ..self.decoded }
    }
}

/// What a tape says, all but the body.
fn read<'a>(tape: &Tape<'_>, raw: &RawMessage) -> Decoded<'a> {
    let root = tape.root();
    let head = Head::read(root);
    Decoded {
        body: Cow::Borrowed(&[]),
        digest: digest(tape, head.unique_id),
        message_id: head.message_id.clone(),
        event_type: head.event_type.clone(),
        result: head.event(raw, root).map_err(|fault| fault.in_words(tape)),
    }
}

/// The digest of a notification without its `_unique_id`, whose value that is, and without white space
/// outside of strings.
fn digest(tape: &Tape<'_>, unique_id: Option<Value<'_>>) -> Digest {
    let bytes = tape.text.as_bytes();
    let (before, after) = match unique_id {
        None => (bytes, &[][..]),
        Some(value) => {
            // Either comma beside the member goes with it.
            let (start, end) = tape.extent(value.at);
            let before = bytes[..start].trim_ascii_end();
            let after = bytes[end..].trim_ascii_start();
            match (before, after) {
                (before, [b',', after @ ..]) => (before, after),
                ([before @ .., b','], after) => (before, after),
                (before, after) => (before, after),
            }
        }
    };
    let mut sha = Sha256::new();
    if tape.scanned.has_space {
        sha.update(escape::without_space(before));
        sha.update(escape::without_space(after));
    } else {
        sha.update(before);
        sha.update(after);
    }
    sha.finalize().into()
}

/// The head of a notification: everything beside the payload.
#[derive(Default)]
struct Head<'t> {
    message_id: Option<Box<str>>,
    event_type: Option<Box<str>>,
    publisher: Option<Box<str>>,
    /// Whether the priority is `ERROR` or `CRITICAL`.
    is_error: bool,
    timestamp: Option<Timestamp>,
    payload: Option<Value<'t>>,
    unique_id: Option<Value<'t>>,
    context: Context<'t>,
    /// The first thing that is wrong with it.
    fault: Option<Fault>,
}

impl<'t> Head<'t> {
    fn read(root: Value<'t>) -> Self {
        let mut head = Self::default();
        for (key, value) in root.members() {
            if let Some(name) = key.strip_prefix(b"_context_") {
                head.context.take(name, value);
                continue;
            }
            match key {
                // Kafka's driver keeps the context as one object.
                b"_context" => value.members().for_each(|(name, value)| head.context.take(name, value)),
                b"message_id" => head.message_id = head.bounded(value),
                b"event_type" => head.event_type = head.bounded(value),
                b"publisher_id" => head.publisher = value.loose_text(),
                b"priority" => {
                    let priority = value.text().unwrap_or_default();
                    head.is_error =
                        ["error", "critical"].iter().any(|word| priority.eq_ignore_ascii_case(word));
                }
                b"timestamp" => head.timestamp = value.text().and_then(|text| Timestamp::parse(&text)),
                b"_unique_id" => head.unique_id = Some(value),
                b"payload" => head.payload = Some(value).filter(|payload| !payload.is_null()),
                _ => {}
            }
        }
        if head.event_type.is_none() {
            head.fault.get_or_insert(root.fault(DefectKind::NotANotification));
        }
        head
    }

    /// A text that tells messages apart: too long a one is a fault, since half of it would tell less.
    fn bounded(&mut self, value: Value<'t>) -> Option<Box<str>> {
        let read = value.text_or_null().and_then(|text| match text {
            Some(text) if text.len() > ID_BYTES_MAX => Err(value.fault(DefectKind::TooLong)),
            text => Ok(text.filter(|text| !text.is_empty()).map(Into::into)),
        });
        read.unwrap_or_else(|fault| {
            self.fault.get_or_insert(fault);
            None
        })
    }

    fn event(self, raw: &RawMessage, root: Value<'t>) -> Result<Event, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let event_type = self.event_type.unwrap_or_default();
        let meaning = meaning(Notice {
            event_type: &event_type,
            publisher: self.publisher.as_deref().unwrap_or_default(),
            exchange: &raw.exchange,
            is_error: self.is_error,
            payload: self.payload,
            root,
        })?;
        Ok(Event {
            message_id: self.message_id,
            publisher: self.publisher,
            timestamp: self.timestamp.or(meaning.time).unwrap_or(raw.received_at),
            request_id: meaning.request_id.or_else(|| self.context.request_id()),
            actor: meaning.actor.unwrap_or_else(|| self.context.actor()),
            target: meaning.target,
            outcome: meaning.outcome,
            change: meaning.change,
            event_type,
        })
    }
}

/// What a service's reader is given.
#[derive(Clone, Copy)]
pub(super) struct Notice<'t> {
    pub(super) event_type: &'t str,
    pub(super) publisher: &'t str,
    pub(super) exchange: &'t str,
    /// Whether the sender gave it the priority of an error.
    pub(super) is_error: bool,
    /// The payload, unless it is null or missing.
    pub(super) payload: Option<Value<'t>>,
    /// The whole notification, to have a place for what is missing.
    pub(super) root: Value<'t>,
}

/// What a service's reader makes of it. What it leaves out is filled in from the head and the context.
pub(super) struct Meaning {
    pub(super) change: Change,
    pub(super) target: Option<Target>,
    pub(super) outcome: Outcome,
    /// The actor, where the payload names one (or nobody can be named): then the context is not asked.
    pub(super) actor: Option<Actor>,
    pub(super) request_id: Option<Id>,
    pub(super) time: Option<Timestamp>,
}

impl Meaning {
    /// A meaning that leaves actor, request and time to the context.
    pub(super) fn new(change: Change, target: Option<Target>, outcome: Outcome) -> Self {
        Self { change, target, outcome, actor: None, request_id: None, time: None }
    }

    /// Kept and counted.
    pub(super) fn unmodelled(notice: Notice<'_>) -> Self {
        Self::new(Change::Unmodelled, None, if notice.is_error { Outcome::Failure } else { Outcome::Unknown })
    }
}

/// Asks the services' readers in turn; the network service's first, which sends the most.
fn meaning(notice: Notice<'_>) -> Result<Meaning, Fault> {
    if let Some(meaning) = neutron::read(notice)? {
        return Ok(meaning);
    }
    let word = notice.event_type.split('.').next().unwrap_or_default();
    let meaning = match word {
        "identity" => keystone::read(notice),
        "audit" | "http" | "objectstore" => audit::read(notice),
        "image" | "task" | "metadef_namespace" => glance::read(notice),
        "octavia" => octavia::read(notice)?.or_else(|| other::read(notice)),
        _ => nova::read(notice).or_else(|| cinder::read(notice)).or_else(|| other::read(notice)),
    };
    Ok(meaning.unwrap_or_else(|| Meaning::unmodelled(notice)))
}

/// The request context that most services put beside the payload, `_context_` taken off.
#[derive(Default)]
struct Context<'t> {
    user_id: Option<Value<'t>>,
    user: Option<Value<'t>>,
    user_name: Option<Value<'t>>,
    user_domain: Option<Value<'t>>,
    project_id: Option<Value<'t>>,
    project: Option<Value<'t>>,
    project_name: Option<Value<'t>>,
    tenant_id: Option<Value<'t>>,
    tenant: Option<Value<'t>>,
    tenant_name: Option<Value<'t>>,
    request_id: Option<Value<'t>>,
    remote_address: Option<Value<'t>>,
}

impl<'t> Context<'t> {
    fn take(&mut self, name: &[u8], value: Value<'t>) {
        let place = match name {
            b"user_id" => &mut self.user_id,
            b"user" => &mut self.user,
            b"user_name" => &mut self.user_name,
            b"user_domain" => &mut self.user_domain,
            b"project_id" => &mut self.project_id,
            b"project" => &mut self.project,
            b"project_name" => &mut self.project_name,
            b"tenant_id" => &mut self.tenant_id,
            b"tenant" => &mut self.tenant,
            b"tenant_name" => &mut self.tenant_name,
            b"request_id" => &mut self.request_id,
            b"remote_address" => &mut self.remote_address,
            _ => return,
        };
        *place = Some(value);
    }

    fn request_id(&self) -> Option<Id> {
        self.request_id?.loose_id()
    }

    fn actor(&self) -> Actor {
        let id = |places: &[Option<Value<'t>>]| places.iter().flatten().find_map(|value| value.loose_id());
        let text =
            |places: &[Option<Value<'t>>]| places.iter().flatten().find_map(|value| value.loose_text());
        Actor {
            user_id: id(&[self.user_id, self.user]),
            user_name: text(&[self.user_name]),
            user_domain_id: id(&[self.user_domain]),
            project_id: id(&[self.project_id, self.project, self.tenant_id, self.tenant]),
            project_name: text(&[self.project_name, self.tenant_name]),
            address: text(&[self.remote_address]),
            agent: None,
        }
    }
}
