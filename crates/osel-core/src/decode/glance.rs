//! The image service's notifications.
//!
//! Their context is always empty, so there is no actor, except that a download says who received it.

use std::borrow::Cow;

use super::notification::{Meaning, Notice};
use super::other::{activity, phase_of};
use super::tape::Value;
use crate::event::{Actor, Target};

/// Reads a notification of the image service.
pub(super) fn read(notice: Notice<'_>) -> Option<Meaning> {
    let (first, rest) = notice.event_type.split_once('.')?;
    if first != "image" && !notice.publisher.starts_with("image.") {
        return None;
    }
    let payload = notice.payload;
    let of = |keys: &[&str]| payload.and_then(|payload| payload.loose_text_of(keys));
    let id_of = |keys: &[&str]| payload.and_then(|payload| payload.loose_id_of(keys));
    let target = |id_keys: &[&str], owner_keys: &[&str]| Target {
        kind: Cow::Owned(first.to_owned()),
        id: id_of(id_keys),
        name: of(&["name", "namespace"]),
        project_id: id_of(owner_keys),
    };
    let (action, phase) = phase_of(rest);
    let service = Cow::Borrowed("image");
    if let Some(action) = action.strip_prefix("member.") {
        let member = of(&["member_id"]).unwrap_or_default();
        let status = of(&["status"]).unwrap_or_default();
        let detail = Some(format!("project {member}, {status}"));
        let action = format!("member_{action}");
        return Some(activity(notice, service, &action, phase, target(&["image_id"], &[]), detail));
    }
    let detail = match payload {
        // A failed upload: the whole payload is the message.
        Some(payload) if !payload.is_object() => payload.loose_text().map(Into::into),
        Some(payload) if action == "send" => sent(payload),
        Some(payload) => described(payload),
        None => None,
    };
    let mut meaning = activity(
        notice,
        service,
        action,
        phase,
        target(&["id", "image_id", "task_id", "namespace"], &["owner", "owner_id"]),
        detail,
    );
    meaning.actor = Some(match payload.filter(|_| action == "send") {
        Some(payload) => Actor {
            user_id: payload.loose_id_of(&["receiver_user_id"]),
            project_id: payload.loose_id_of(&["receiver_tenant_id"]),
            address: payload.loose_text_of(&["destination_ip"]),
            ..Actor::default()
        },
        None => Actor::default(),
    });
    Some(meaning)
}

fn sent(payload: Value<'_>) -> Option<String> {
    let bytes = payload.get("bytes_sent")?.number()?;
    let to = payload.loose_text_of(&["receiver_user_id"]);
    Some(to.map_or_else(|| format!("{bytes} bytes"), |user| format!("{bytes} bytes to user {user}")))
}

fn described(payload: Value<'_>) -> Option<String> {
    let words: Vec<String> = ["visibility", "status", "checksum"]
        .iter()
        .filter_map(|key| Some(format!("{key} {}", payload.loose_text_of(&[key])?)))
        .collect();
    Some(words.join(", ")).filter(|words| !words.is_empty())
}
