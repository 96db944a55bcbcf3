//! The block storage service's notifications: volumes, snapshots, backups, their types and transfers.

use std::borrow::Cow;

use super::notification::{Meaning, Notice};
use super::other::{activity, phase_of};
use super::tape::Value;
use crate::event::Target;

/// First words of its event types.
const RESOURCES: [&str; 14] = [
    "volume",
    "snapshot",
    "backup",
    "group",
    "group_snapshot",
    "consistencygroup",
    "cgsnapshot",
    "group_type",
    "volume_type",
    "volume_type_project",
    "volume_type_extra_specs",
    "volume_type_encryption",
    "qos_specs",
    "qos_spec",
];

/// Reads a notification of the block storage service.
pub(super) fn read(notice: Notice<'_>) -> Option<Meaning> {
    let (stem, phase) = phase_of(notice.event_type);
    let (resource, action) = stem.split_once('.')?;
    if !RESOURCES.contains(&resource) {
        return None;
    }
    let payload = notice.payload.filter(|payload| payload.is_object())?;
    // Types come wrapped in their collection's name.
    let body = payload.get("volume_types").filter(|types| types.is_object()).unwrap_or(payload);
    let own_id = format!("{resource}_id");
    let target = Target {
        kind: Cow::Owned(resource.to_owned()),
        id: body.loose_id_of(&[&own_id, "id", "volume_id", "volume_type_id", "type_id"]),
        name: body.loose_text_of(&["display_name", "name"]),
        project_id: body.loose_id_of(&["tenant_id", "project_id"]),
    };
    let action = action.replace('.', "_");
    let detail = detail(body, &action);
    Some(activity(notice, Cow::Borrowed("volume"), &action, phase, target, detail))
}

fn detail(body: Value<'_>, action: &str) -> Option<String> {
    let text = |key: &str| body.loose_text_of(&[key]);
    match action {
        // The payload has the new owner already.
        "transfer_accept" => Some(format!("new owner project {}", text("tenant_id")?)),
        "access_add" | "access_remove" => Some(format!("project {}", text("project_id")?)),
        "attach" | "detach" => {
            let attachments = body.get("volume_attachment")?.items().filter_map(|attachment| {
                let server = attachment.loose_text_of(&["instance_uuid", "attached_host"])?;
                Some(match attachment.loose_text_of(&["attach_mode"]) {
                    Some(mode) => format!("server {server} ({mode})"),
                    None => format!("server {server}"),
                })
            });
            Some(attachments.collect::<Vec<_>>().join(", ")).filter(|servers| !servers.is_empty())
        }
        "reset_status" => Some(format!("status {}", text("status")?)),
        _ => None,
    }
}
