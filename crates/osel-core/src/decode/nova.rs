//! The compute service's notifications, legacy (`compute.instance.*`) and versioned (`instance.*`,
//! `nova_object.*`).
//!
//! With both formats on each action comes twice under different ids; that is for the reader of the trail. The
//! versioned one names the real caller, the legacy one only what is in the context. Other services' versioned
//! objects have the same shape and are unwrapped by [`unwrapped`] too.

use std::borrow::Cow;

use super::notification::{Meaning, Notice};
use super::other::{Phase, activity, phase_of};
use super::tape::Value;
use crate::event::{Actor, Target};

/// First words of the legacy event types that come from the compute service, and what they are about.
const LEGACY: [(&str, &str); 7] = [
    ("keypair", "keypair"),
    ("servergroup", "server_group"),
    ("aggregate", "aggregate"),
    ("compute_task", "server"),
    ("scheduler", "server"),
    ("HostAPI", "host"),
    ("flavor", "flavor"),
];

/// Reads a notification of the compute service.
pub(super) fn read(notice: Notice<'_>) -> Option<Meaning> {
    let payload = notice.payload.filter(|payload| payload.is_object())?;
    if let Some((service, data)) = unwrapped(payload) {
        return versioned(notice, service, data);
    }
    legacy(notice, payload)
}

/// The data of a versioned object (`nova_object.data`), and the service's name for it.
pub(super) fn unwrapped(payload: Value<'_>) -> Option<(&'static str, Value<'_>)> {
    payload.members().find_map(|(key, data)| {
        let owner = key.strip_suffix(b"_object.data")?;
        let service = match owner {
            b"nova" => "compute",
            b"ironic" => "baremetal",
            b"masakari" => "instance-ha",
            b"cinder" => "volume",
            b"watcher" => "infra-optim",
            b"cyborg" => "accelerator",
            _ => "versioned",
        };
        Some((service, data))
    })
}

/// A member that may be a versioned object itself.
fn inner<'t>(data: Value<'t>, key: &str) -> Option<Value<'t>> {
    let value = data.get(key)?;
    Some(unwrapped(value).map_or(value, |(_, data)| data))
}

fn versioned(notice: Notice<'_>, service: &'static str, data: Value<'_>) -> Option<Meaning> {
    let (stem, phase) = phase_of(notice.event_type);
    let (resource, action) = stem.rsplit_once('.').unwrap_or(("", stem));
    // `baremetal.node.power_set`: the resource is the word before the action.
    let resource = resource.rsplit('.').next().unwrap_or_default();
    let target = Target {
        kind: match resource {
            "instance" => Cow::Borrowed("server"),
            "" => Cow::Borrowed(service),
            other => Cow::Owned(other.to_owned()),
        },
        id: data.loose_id_of(&["uuid", "flavorid", "id", "instance_uuid", "name"]),
        name: data.loose_text_of(&["display_name", "name"]),
        project_id: data.loose_id_of(&["tenant_id", "project_id"]),
    };
    let mut meaning =
        activity(notice, Cow::Borrowed(service), action, phase, target, versioned_detail(data, action));
    let user_id = data.loose_id_of(&["action_initiator_user"]);
    if user_id.is_some() {
        let project_id = data.loose_id_of(&["action_initiator_project"]);
        meaning.actor = Some(Actor { user_id, project_id, ..Actor::default() });
    }
    Some(meaning)
}

fn versioned_detail(data: Value<'_>, action: &str) -> Option<String> {
    if let Some(fault) = inner(data, "fault") {
        return Some(fault.loose_text_of(&["exception_message", "exception"])?.into());
    }
    match action {
        "interface_attach" | "interface_detach" => {
            let ports = data.get("ip_addresses")?.items().filter_map(|entry| {
                let entry = unwrapped(entry).map_or(entry, |(_, data)| data);
                let address = entry.loose_text_of(&["address"])?;
                Some(match entry.loose_text_of(&["port_uuid"]) {
                    Some(port) => format!("{address} on port {port}"),
                    None => address.into(),
                })
            });
            Some(ports.collect::<Vec<_>>().join(", ")).filter(|ports| !ports.is_empty())
        }
        "update" => {
            let states = inner(data, "state_update")?;
            let (old, new) = (states.loose_text_of(&["old_state"])?, states.loose_text_of(&["state"])?);
            (old != new).then(|| format!("state {old} to {new}"))
        }
        "volume_attach" | "volume_detach" => Some(format!("volume {}", data.loose_text_of(&["volume_id"])?)),
        "volume_swap" => {
            let (old, new) =
                (data.loose_text_of(&["old_volume_id"])?, data.loose_text_of(&["new_volume_id"])?);
            Some(format!("volume {old} to {new}"))
        }
        "lock" => Some(data.loose_text_of(&["locked_reason"])?.into()),
        "share_attach" | "share_detach" => Some(format!("share {}", data.loose_text_of(&["share_id"])?)),
        "create" | "import" => Some(format!("fingerprint {}", data.loose_text_of(&["fingerprint"])?)),
        _ => None,
    }
}

fn legacy(notice: Notice<'_>, payload: Value<'_>) -> Option<Meaning> {
    let (stem, phase) = phase_of(notice.event_type);
    let (first, rest) = stem.split_once('.')?;
    let (kind, action) = match first {
        "compute" => match rest.split_once('.') {
            Some(("instance", action)) => ("server", action),
            _ => return None,
        },
        // Others have notifications of these names too; the compute service's publishers say so.
        _ if ["compute.", "api.", "conductor.", "scheduler."]
            .iter()
            .any(|p| notice.publisher.starts_with(p)) =>
        {
            (LEGACY.iter().find(|(word, _)| *word == first)?.1, rest)
        }
        _ => return None,
    };
    let target = Target {
        kind: Cow::Borrowed(kind),
        id: match kind {
            "server" => payload.loose_id_of(&["instance_id", "instance_uuid"]),
            "keypair" => payload.loose_id_of(&["key_name"]),
            "server_group" => payload.loose_id_of(&["server_group_id"]),
            "aggregate" => payload.loose_id_of(&["aggregate_id"]),
            _ => payload.loose_id_of(&["id", "host_name"]),
        },
        // A server's messages speak of its key too, which is no name of it.
        name: match kind {
            "server" => payload.loose_text_of(&["display_name"]),
            _ => payload.loose_text_of(&["display_name", "key_name", "name"]),
        },
        project_id: payload.loose_id_of(&["tenant_id", "project_id"]),
    };
    let action = action.replace('.', "_");
    let detail = legacy_detail(payload, &action, phase);
    Some(activity(notice, Cow::Borrowed("compute"), &action, phase, target, detail))
}

fn legacy_detail(payload: Value<'_>, action: &str, phase: Option<Phase>) -> Option<String> {
    if phase == Some(Phase::Error) {
        let exception = payload.get("exception")?;
        return Some(
            exception.loose_text().or_else(|| exception.loose_text_of(&["kwargs", "message"]))?.into(),
        );
    }
    match action {
        "volume_attach" | "volume_detach" => {
            Some(format!("volume {}", payload.loose_text_of(&["volume_id"])?))
        }
        "update" => {
            let (old, new) = (payload.loose_text_of(&["old_state"])?, payload.loose_text_of(&["state"])?);
            (old != new).then(|| format!("state {old} to {new}"))
        }
        _ => None,
    }
}
