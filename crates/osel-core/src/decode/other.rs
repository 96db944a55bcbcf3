//! Services without a file of their own: actor, target and outcome, by the names that most of them use.
//!
//! What such an event means for exposure is not known here; it is kept for the trail. What is in no list is
//! not read at all.

use std::borrow::Cow;

use super::cadf::Cadf;
use super::notification::{Meaning, Notice};
use super::tape::{Value, cut};
use crate::event::{Activity, Actor, Change, Outcome, Target};

/// The longest detail of an activity, in bytes: it becomes part of a sentence.
const DETAIL_BYTES_MAX: usize = 512;

/// First words of event types, the service they belong to, and whether the resource is the next word.
const SERVICES: [(&str, &str, bool); 16] = [
    ("alarm", "alarm", false),
    ("octavia", "load-balancer", true),
    ("dns", "dns", true),
    ("orchestration", "orchestration", true),
    ("trove", "database", true),
    ("baremetal", "baremetal", true),
    ("share", "share", false),
    ("share_snapshot", "share", false),
    ("share_group", "share", false),
    ("share_network", "share", false),
    ("magnum", "container-infra", true),
    ("barbican", "key-manager", true),
    ("secret", "key-manager", false),
    ("sahara", "data-processing", true),
    ("lease", "reservation", false),
    ("zaqar", "messaging", true),
];

/// Where in its course an action is, by the last word of the event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Start,
    Progress,
    End,
    Error,
}

/// The event type without its phase, and the phase.
pub(super) fn phase_of(event_type: &str) -> (&str, Option<Phase>) {
    let Some((stem, last)) = event_type.rsplit_once('.') else { return (event_type, None) };
    let phase = match last {
        "start" => Phase::Start,
        "progress" | "scheduled" => Phase::Progress,
        "end" | "success" => Phase::End,
        "error" | "fail" | "failed" => Phase::Error,
        _ => return (event_type, None),
    };
    (stem, Some(phase))
}

/// An activity with the outcome that its phase and its priority tell.
pub(super) fn activity(
    notice: Notice<'_>,
    service: Cow<'static, str>,
    action: &str,
    phase: Option<Phase>,
    target: Target,
    detail: Option<String>,
) -> Meaning {
    let (done, outcome) = match phase {
        Some(Phase::Error) => (true, Outcome::Failure),
        _ if notice.is_error => (true, Outcome::Failure),
        Some(Phase::Start | Phase::Progress) => (false, Outcome::Pending),
        Some(Phase::End) | None => (true, Outcome::Success),
    };
    let detail =
        detail.filter(|detail| !detail.is_empty()).map(|detail| cut(&detail, DETAIL_BYTES_MAX).into());
    let activity = Activity { service, action: action.into(), done, detail, outcome };
    Meaning::new(Change::Activity(activity), Some(target), outcome)
}

/// Reads a notification of one of the services that are known by name.
pub(super) fn read(notice: Notice<'_>) -> Option<Meaning> {
    let (stem, phase) = phase_of(notice.event_type);
    let (first, rest) = stem.split_once('.')?;
    let (_, service, names_resource) = SERVICES.iter().find(|(word, _, _)| *word == first)?;
    let (resource, action) = match rest.split_once('.') {
        Some((resource, action)) if *names_resource => (resource, action),
        _ => (first, rest),
    };
    // Designate's audit plugin sends lists of changes to one object.
    let payload = notice.payload.map(|payload| payload.items().next().unwrap_or(payload));
    let payload = payload.filter(|payload| payload.is_object())?;
    let is_alarm = *service == "alarm";
    let body = payload.get(resource).filter(|body| body.is_object()).unwrap_or(payload);
    let (own_id, own_name) = (format!("{resource}_id"), format!("{resource}_name"));
    let id_keys: [&str; 6] = [&own_id, "id", "uuid", "stack_identity", "resource_info", "name"];
    let cadf = Cadf::read(payload);
    let is_cadf = cadf.initiator.is_some() && cadf.target.is_some();
    let named = if is_alarm { payload.get("detail").unwrap_or(body) } else { body };
    let target = Target {
        kind: Cow::Owned(resource.to_owned()),
        id: cadf
            .target
            .filter(|_| is_cadf)
            .and_then(|target| target.loose_id_of(&["id"]))
            .or_else(|| body.loose_id_of(&id_keys)),
        name: named.loose_text_of(&["name", "display_name", &own_name]),
        project_id: body.loose_id_of(&["project_id", "tenant_id", "tenant", "owner"]),
    };
    let action = action.replace('.', "_");
    let service = Cow::Borrowed(*service);
    let mut meaning = activity(notice, service, &action, phase, target, detail(payload, body, is_alarm));
    if is_cadf {
        meaning.actor = Some(cadf.actor());
        meaning.outcome = cadf.outcome();
        meaning.request_id = cadf.request_id();
        meaning.time = cadf.time();
    } else if is_alarm {
        // Who changed it; the alarm's owner is in the detail. The evaluator has no user.
        let (user_id, project_id) = (payload.loose_id_of(&["user_id"]), payload.loose_id_of(&["project_id"]));
        meaning.actor = Some(Actor { user_id, project_id, ..Actor::default() });
    }
    Some(meaning)
}

fn detail(payload: Value<'_>, body: Value<'_>, is_alarm: bool) -> Option<String> {
    if is_alarm {
        let detail = payload.get("detail")?;
        let state = detail.loose_text_of(&["state"])?;
        return Some(match detail.loose_text_of(&["state_reason"]) {
            Some(reason) => format!("state {state}: {reason}"),
            None => format!("state {state}"),
        });
    }
    let words =
        [("vip_address", "address"), ("state_reason", "reason"), ("status", "status"), ("state", "state")];
    words.iter().find_map(|(key, word)| Some(format!("{word} {}", body.loose_text_of(&[key])?)))
}
