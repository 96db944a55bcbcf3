//! The load balancer service's notifications: of load balancers alone, after they were created, changed or deleted.
//!
//! Listeners are in none of them: the model knows those from the API or an inventory only.

use std::borrow::Cow;

use super::defect::{DefectKind, Fault};
use super::neutron_objects::object;
use super::notification::{Meaning, Notice};
use crate::event::{Change, Kind, Outcome, Target, Verb};

/// Reads a notification of the load balancer service; nothing when it is none, or of another form.
pub(super) fn read(notice: Notice<'_>) -> Result<Option<Meaning>, Fault> {
    let verb = match notice.event_type {
        "octavia.loadbalancer.create.end" => Verb::Create,
        "octavia.loadbalancer.update.end" => Verb::Update,
        "octavia.loadbalancer.delete.end" => Verb::Delete,
        _ => return Ok(None),
    };
    let Some(payload) = notice.payload.filter(|payload| payload.is_object()) else { return Ok(None) };
    let kind = Kind::LoadBalancer;
    let told = object(kind, payload)?;
    let id = told.id().cloned().ok_or(payload.fault(DefectKind::MissingId))?;
    let target = Target {
        kind: Cow::Borrowed(kind.singular()),
        id: Some(id.clone()),
        name: payload.loose_text_of(&["name"]),
        project_id: told.version().project_id.clone().flatten(),
    };
    let change = match verb {
        Verb::Delete => Change::Deleted { kind, id, last: Some(Box::new(told)) },
        _ => Change::Objects { verb: Some(verb), objects: vec![told] },
    };
    Ok(Some(Meaning::new(change, Some(target), Outcome::Success)))
}
