//! Records as DMTF's CADF events (DSP0262): the identity service's and the audit filter's as they came, ours in the same form.
//!
//! An event that came as CADF leaves as the very payload that came, byte for byte but for ends of lines; what osel made of it stands in the
//! other forms. Everything else becomes an event whose attachment `osel` has what CADF has no place for.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fit::{LINE_BYTES_MAX, fit_line, line_ends_escaped};
use super::told::{PRODUCT, Told, UNKNOWN, VERSION};
use crate::engine::record::json::Object;
use crate::trail::RecordKind;

/// What a CADF event says it is.
const EVENT_URI: &str = "http://schemas.dmtf.org/cloud/audit/1.0/event";
/// Who acts.
const ACCOUNT_URI: &str = "service/security/account/user";
/// Who says what osel found out, and what osel does.
const OSEL_URI: &str = "service/security/audit";

/// The line of a record.
pub(super) fn line(told: &Told<'_>) -> Vec<u8> {
    told.message.and_then(payload).unwrap_or_else(|| fit_line(event(told)))
}

/// What is read of a notification, to find out whether it is one of CADF's.
#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, rename = "typeURI")]
    type_uri: Cow<'a, str>,
}

/// The payload of a CADF notification, if it is one and has room in a line.
fn payload(message: &str) -> Option<Vec<u8>> {
    let notification: Notification<'_> = serde_json::from_str(message).ok()?;
    let text = notification.payload.get();
    let payload: Payload<'_> = serde_json::from_str(text).ok()?;
    if payload.type_uri != EVENT_URI || text.len() > LINE_BYTES_MAX {
        return None;
    }
    // These ends of lines stand between tokens only, the others within texts.
    let line = text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }).collect();
    Some(line_ends_escaped(line)).filter(|line| line.len() <= LINE_BYTES_MAX)
}

fn event(told: &Told<'_>) -> Vec<u8> {
    let mut out = told.line();
    let record = told.record;
    let mut line = Object::begin(&mut out);
    line.text("typeURI", EVENT_URI);
    line.text("id", &told.id);
    line.text("eventType", "activity");
    line.text("eventTime", &record.header.time.to_string());
    line.text("action", &action(told));
    line.text("outcome", told.outcome());
    initiator(told, line.object("initiator"));
    target(told, line.object("target"));
    let mut observer = line.object("observer");
    observer.text("typeURI", OSEL_URI);
    observer.text("id", told.store);
    observer.text("name", PRODUCT);
    observer.end();
    if let Some(reason) = told.detail("reason").or_else(|| told.detail("status").map(|_| "HTTP")) {
        let mut within = line.object("reason");
        within.text("reasonType", reason);
        within.text("reasonCode", told.detail("reason_code").or(told.detail("status")).unwrap_or(UNKNOWN));
        within.end();
    }
    line.text("severity", told.severity.as_str());
    line.text("name", &told.sentence);
    let mut attachments = line.list("attachments");
    let mut attachment = attachments.object();
    attachment.text("typeURI", "mime:application/json");
    attachment.text("name", PRODUCT);
    let mut content = attachment.object("content");
    content.text("version", VERSION);
    content.text_if("event_type", told.event_type());
    content.text_if("message_id", record.body.message_id.as_deref());
    content.text_if("region", record.body.region.as_deref());
    told.rest(content.object("record"));
    content.end();
    attachment.end();
    attachments.end();
    line.end();
    out
}

/// One of CADF's actions, with OpenStack's word behind it where there is a finer one.
fn action(told: &Told<'_>) -> Cow<'static, str> {
    match told.kind() {
        RecordKind::Authentication => "authenticate/login".into(),
        RecordKind::Scan | RecordKind::Command => "evaluate/scan".into(),
        RecordKind::Finding => "evaluate/finding".into(),
        RecordKind::Drift => "monitor/drift".into(),
        RecordKind::Gap => "monitor/gap".into(),
        RecordKind::System => "configure".into(),
        RecordKind::Access => match told.detail("action") {
            Some(action) if is_action(action) => action.to_owned().into(),
            _ => UNKNOWN.into(),
        },
        RecordKind::Change | RecordKind::Activity => match told.detail("verb") {
            Some("grant") => "allow/grant".into(),
            Some("attach" | "add") => "update/attach".into(),
            Some("detach") => "update/detach".into(),
            Some("send") => "send".into(),
            Some("accept") => "allow/accept".into(),
            Some(verb) if is_action(verb) => verb.to_owned().into(),
            Some(verb) => format!("update/{verb}").into(),
            None => UNKNOWN.into(),
        },
    }
}

/// Whether a word, up to its first slash, is an action of DSP0262.
fn is_action(word: &str) -> bool {
    matches!(
        word.split('/').next().unwrap_or_default(),
        "backup"
            | "capture"
            | "create"
            | "configure"
            | "read"
            | "update"
            | "delete"
            | "monitor"
            | "start"
            | "stop"
            | "deploy"
            | "undeploy"
            | "enable"
            | "disable"
            | "send"
            | "receive"
            | "authenticate"
            | "revoke"
            | "renew"
            | "restore"
            | "evaluate"
            | "allow"
            | "deny"
            | "notify"
    )
}

fn initiator(told: &Told<'_>, mut initiator: Object<'_>) {
    let (body, personal) = (&told.record.body, &told.record.personal);
    if told.has_user() {
        initiator.text("typeURI", ACCOUNT_URI);
        match &body.user_id {
            Some(id) => initiator.id("id", id),
            None => initiator.text("id", UNKNOWN),
        }
        initiator.text_if("name", told.user_name());
    } else {
        let is_ours = told.service() == PRODUCT;
        initiator.text("typeURI", if is_ours { OSEL_URI } else { UNKNOWN });
        initiator.text("id", if is_ours { told.store } else { UNKNOWN });
        initiator.text("name", told.service());
    }
    initiator.id_if("project_id", body.project_id.as_ref());
    initiator.id_if("request_id", body.request_id.as_ref());
    if personal.address.is_some() || personal.agent.is_some() {
        let mut host = initiator.object("host");
        host.text_if("address", personal.address.as_deref());
        host.text_if("agent", personal.agent.as_deref());
        host.end();
    }
    initiator.end();
}

fn target(told: &Told<'_>, mut target: Object<'_>) {
    let kind = told.target_kind();
    let uri: Cow<'_, str> = match (told.service(), kind) {
        (_, None) => UNKNOWN.into(),
        ("identity", Some("user")) => "data/security/account/user".into(),
        ("identity", Some(kind)) => format!("data/security/{kind}").into(),
        ("compute", Some(kind)) => format!("compute/{kind}").into(),
        ("image" | "volume", Some(kind)) => format!("storage/{kind}").into(),
        ("network", Some(kind)) => format!("network/{kind}").into(),
        (_, Some("address")) => "network/address".into(),
        (service, Some(kind)) => format!("service/{service}/{kind}").into(),
    };
    target.text("typeURI", &uri);
    match told.target_id() {
        Some(id) => target.id("id", id),
        None => target.text("id", UNKNOWN),
    }
    target.text_if("name", told.target_name());
    target.end();
}
