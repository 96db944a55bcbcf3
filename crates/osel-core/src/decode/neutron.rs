//! The network service's notifications: what they change, and what was asked of it.
//!
//! Neutron tells every API call twice, `.start` with the caller's own text and `.end` with the object. The
//! `.end` of a modelled kind is read strictly: a body that is half understood must not half change the model.
//! The `.start` is read as far as it goes. Objects themselves are read in `neutron_objects`; what the change
//! means is for `model`.

use std::borrow::Cow;

use super::defect::{DefectKind, Fault};
use super::neutron_objects::{existing, object};
use super::notification::{Meaning, Notice};
use super::tape::Value;
use crate::event::{Activity, Attempt, Change, InterfaceChange, Kind, Object, Outcome, Target, Verb};
use crate::ids::Id;

/// Reads a notification of the network service; nothing when it is none.
pub(super) fn read(notice: Notice<'_>) -> Result<Option<Meaning>, Fault> {
    let Some((resource, verb, phase)) = words(notice.event_type) else { return Ok(None) };
    if let ("router", "interface", Some(verb @ ("create" | "delete"))) = (resource, verb, phase) {
        return interface(notice, verb == "create").map(Some);
    }
    let kind = Kind::from_singular(resource);
    match (kind, verb_of(verb), phase) {
        (Some(kind), Some(Verb::Delete), Some("end")) => deleted(notice, kind).map(Some),
        (Some(kind), Some(verb), Some("end")) => objects(notice, kind, Some(verb)).map(Some),
        (Some(kind), None, None) if verb == "exists" => objects(notice, kind, None).map(Some),
        (kind, Some(verb), Some("start")) if kind.is_some() || is_from_neutron(notice) => {
            Ok(Some(attempt(notice, resource, kind, verb)))
        }
        (_, _, Some("start" | "end")) if is_from_neutron(notice) => Ok(Some(other(notice, resource, verb))),
        _ if matches!(resource, "agent" | "l3_agent" | "dhcp_agent") && is_from_neutron(notice) => {
            Ok(Some(other(notice, resource, verb)))
        }
        _ => Ok(None),
    }
}

/// The two or three words of an event type.
fn words(event_type: &str) -> Option<(&str, &str, Option<&str>)> {
    let dot = |text: &str| text.bytes().position(|byte| byte == b'.');
    let first = dot(event_type)?;
    let (resource, rest) = (&event_type[..first], &event_type[first + 1..]);
    match dot(rest) {
        None => Some((resource, rest, None)),
        Some(second) => {
            let phase = &rest[second + 1..];
            dot(phase).is_none().then_some((resource, &rest[..second], Some(phase)))
        }
    }
}

fn verb_of(word: &str) -> Option<Verb> {
    match word {
        "create" => Some(Verb::Create),
        "update" => Some(Verb::Update),
        "delete" => Some(Verb::Delete),
        _ => None,
    }
}

fn is_from_neutron(notice: Notice<'_>) -> bool {
    notice.publisher.starts_with("network.")
        || (notice.publisher.is_empty() && notice.exchange.contains("neutron"))
}

/// The payload, which must be an object.
fn payload(notice: Notice<'_>) -> Result<Value<'_>, Fault> {
    match notice.payload {
        Some(payload) if payload.is_object() => Ok(payload),
        Some(payload) => Err(payload.fault(DefectKind::WrongType)),
        None => Err(notice.root.fault(DefectKind::WrongType)),
    }
}

/// The bodies in a payload: under the singular name, or in a list under the plural one.
fn bodies<'t>(payload: Value<'t>, kind: Kind) -> Result<Vec<Value<'t>>, Fault> {
    if let Some(body) = payload.get(kind.singular()) {
        return Ok(vec![body]);
    }
    match payload.get(kind.plural()) {
        Some(bodies) => bodies.list(|body| Ok(Some(body))),
        None => Err(payload.fault(DefectKind::MissingId)),
    }
}

/// The value of `port_id` for a `port`, and so on.
fn id_beside<'t>(payload: Value<'t>, resource: &str) -> Option<Value<'t>> {
    let is_id = |key: &[u8]| key.strip_suffix(b"_id") == Some(resource.as_bytes());
    payload.members().find(|(key, _)| is_id(key)).map(|(_, value)| value)
}

fn objects(notice: Notice<'_>, kind: Kind, verb: Option<Verb>) -> Result<Meaning, Fault> {
    let bodies = bodies(payload(notice)?, kind)?;
    let objects = bodies.into_iter().map(|body| existing(kind, body)).collect::<Result<Vec<_>, _>>()?;
    let target = target_of(Cow::Borrowed(kind.singular()), &objects);
    let outcome = if verb.is_some() { Outcome::Success } else { Outcome::Unknown };
    Ok(Meaning::new(Change::Objects { verb, objects }, Some(target), outcome))
}

fn deleted(notice: Notice<'_>, kind: Kind) -> Result<Meaning, Fault> {
    let payload = payload(notice)?;
    let last = payload.get(kind.singular()).map(|body| object(kind, body)).transpose()?;
    let beside = id_beside(payload, kind.singular()).map_or(Ok(None), Value::id)?;
    let id = beside.or_else(|| last.as_ref().and_then(Object::id).cloned());
    let id = id.ok_or(payload.fault(DefectKind::MissingId))?;
    let target = Target {
        kind: Cow::Borrowed(kind.singular()),
        id: Some(id.clone()),
        name: last.as_ref().and_then(name_of),
        project_id: last.as_ref().and_then(|last| last.version().project_id.clone().flatten()),
    };
    let change = Change::Deleted { kind, id, last: last.map(Box::new) };
    Ok(Meaning::new(change, Some(target), Outcome::Success))
}

fn interface(notice: Notice<'_>, attached: bool) -> Result<Meaning, Fault> {
    let payload = payload(notice)?;
    let body = payload.get("router_interface").unwrap_or(payload);
    let required = |key: &str| {
        let id = body.get(key).map_or(Ok(None), Value::id)?;
        id.ok_or(body.fault(DefectKind::MissingId))
    };
    let optional = |key: &str| body.get(key).map_or(Ok(None), Value::id);
    let mut subnet_ids = body.get("subnet_ids").map_or(Ok(Vec::new()), |list| list.list(Value::id))?;
    if subnet_ids.is_empty() {
        subnet_ids.extend(optional("subnet_id")?);
    }
    let project_id = optional("project_id")?.or(optional("tenant_id")?);
    let change = InterfaceChange {
        attached,
        router_id: required("id")?,
        port_id: required("port_id")?,
        network_id: optional("network_id")?,
        subnet_ids,
        project_id: project_id.clone(),
    };
    let target =
        Target { kind: Cow::Borrowed("router"), id: Some(change.router_id.clone()), name: None, project_id };
    Ok(Meaning::new(Change::Interface(change), Some(target), Outcome::Success))
}

fn attempt(notice: Notice<'_>, resource: &str, kind: Option<Kind>, verb: Verb) -> Meaning {
    let mut asked = Vec::new();
    let mut id = None;
    if let Some(payload) = notice.payload {
        if verb != Verb::Create {
            let beside = id_beside(payload, resource).or_else(|| payload.get("id"));
            id = beside.and_then(Value::loose_id);
        }
        if let Some(kind) = kind {
            // A caller may send anything; what cannot be read was not asked for in words that Neutron knows.
            let bodies = bodies(payload, kind).unwrap_or_default();
            asked = bodies
                .into_iter()
                .map(|body| object(kind, body))
                .collect::<Result<_, _>>()
                .unwrap_or_default();
        }
    }
    let name = kind.map_or_else(|| Cow::Owned(resource.to_owned()), |kind| Cow::Borrowed(kind.singular()));
    let mut target = target_of(name, &asked);
    target.id.clone_from(&id);
    if verb != Verb::Create {
        // What is asked for is no name that it has: anybody can ask.
        target.name = None;
    }
    let attempt = Attempt { verb, resource: resource.into(), id, asked };
    Meaning::new(Change::Attempt(attempt), Some(target), Outcome::Pending)
}

/// Resources that are not modelled: what was done to which.
fn other(notice: Notice<'_>, resource: &str, verb: &str) -> Meaning {
    let done = !notice.event_type.ends_with(".start");
    let body = notice.payload.map(|payload| payload.get(resource).unwrap_or(payload));
    let beside = notice.payload.and_then(|payload| id_beside(payload, resource)).and_then(Value::loose_id);
    let of_tag = |key: &str, old_key: &str| body.and_then(|body| body.loose_text_of(&[key, old_key]));
    let (kind, id) = match resource {
        "tag" => (
            of_tag("obj_resource", "parent_resource")
                .map_or(Cow::Borrowed("tag"), |kind| Cow::Owned(kind.into())),
            of_tag("obj_resource_id", "parent_resource_id").map(|id| Id::new(&id)),
        ),
        _ => (Cow::Owned(resource.to_owned()), beside.or_else(|| body?.loose_id_of(&["id"]))),
    };
    let target = Target {
        kind,
        id,
        name: body.and_then(|body| body.loose_text_of(&["name"])),
        project_id: body.and_then(|body| body.loose_id_of(&["project_id", "tenant_id"])),
    };
    let outcome = if done { Outcome::Success } else { Outcome::Pending };
    let action = if resource == "tag" { format!("{verb}_tag") } else { verb.to_owned() };
    let activity =
        Activity { service: Cow::Borrowed("network"), action: action.into(), done, detail: None, outcome };
    Meaning::new(Change::Activity(activity), Some(target), outcome)
}

fn target_of(kind: Cow<'static, str>, objects: &[Object]) -> Target {
    let (mut id, mut name) = (None, None);
    if let [object] = objects {
        id = object.id().cloned();
        name = name_of(object);
    }
    let project_of = |object: &Object| object.version().project_id.clone().flatten();
    let project_id = objects.first().and_then(project_of);
    let is_shared = objects.iter().skip(1).any(|object| project_of(object) != project_id);
    Target { kind, id, name, project_id: project_id.filter(|_| !is_shared) }
}

fn name_of(object: &Object) -> Option<Box<str>> {
    let name = match object {
        Object::Port(port) => &port.name,
        Object::SecurityGroup(group) => &group.name,
        Object::AddressGroup(group) => &group.name,
        Object::Router(router) => &router.name,
        Object::Network(network) => &network.name,
        Object::Subnet(subnet) => &subnet.name,
        Object::AddressScope(scope) => &scope.name,
        Object::SubnetPool(pool) => &pool.name,
        Object::FirewallGroup(group) => &group.name,
        Object::FirewallPolicy(policy) => &policy.name,
        Object::FirewallRule(rule) => &rule.name,
        Object::LoadBalancer(balancer) => &balancer.name,
        Object::Listener(listener) => &listener.name,
        Object::Rule(_)
        | Object::FloatingIp(_)
        | Object::Forwarding(_)
        | Object::RbacPolicy(_)
        | Object::Trunk(_) => return None,
    };
    name.clone().filter(|name| !name.is_empty())
}
