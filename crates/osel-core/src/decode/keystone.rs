//! The identity service's notifications, in CADF and in the `basic` format.
//!
//! Neither says what a change was, only to what; the names are for the directory (`names`) to find. Ids that
//! Keystone makes up for an event alone are not taken for ids of anything.

use std::borrow::Cow;

use super::cadf::Cadf;
use super::notification::{Meaning, Notice};
use super::tape::Value;
use crate::event::{
    Activity, AuthMethod, Change, IdentityChange, Membership, Outcome, RoleAssignment, Target, Verb,
};

/// Reads a notification of the identity service.
pub(super) fn read(notice: Notice<'_>) -> Option<Meaning> {
    let rest = notice.event_type.strip_prefix("identity.")?;
    let payload = notice.payload.filter(|payload| payload.is_object())?;
    let cadf = Cadf::read(payload);
    let is_basic = cadf.initiator.is_none() && cadf.action.is_none();
    let mut meaning = match rest.rsplit_once('.') {
        None if rest == "authenticate" => authentication(cadf),
        None => return None,
        Some((resource, operation)) => match (verb(operation), verb(resource)) {
            (Some(verb), _) => change(cadf, payload, resource, verb),
            // Before Kilo: `identity.created.role_assignment`.
            (None, Some(verb)) => change(cadf, payload, operation, verb),
            (None, None) => other(cadf, resource, operation),
        },
    };
    meaning.request_id = cadf.request_id().or_else(|| payload.loose_id_of(&["request_id"]));
    meaning.time = cadf.time();
    if !is_basic {
        meaning.actor = Some(cadf.actor());
    }
    Some(meaning)
}

fn verb(word: &str) -> Option<Verb> {
    match word {
        "created" => Some(Verb::Create),
        "updated" => Some(Verb::Update),
        "deleted" => Some(Verb::Delete),
        _ => None,
    }
}

fn authentication(cadf: Cadf<'_>) -> Meaning {
    let (reason, reason_code) = cadf.reason();
    let credential = cadf.initiator.and_then(|initiator| initiator.get("credential"));
    let identity_provider =
        credential.and_then(|credential| credential.loose_text_of(&["identity_provider"]));
    // The target's id is made up; who tried to log in is the initiator.
    let actor = cadf.actor();
    let target =
        Target { kind: Cow::Borrowed("user"), id: actor.user_id, name: actor.user_name, project_id: None };
    let method = AuthMethod { reason, reason_code, identity_provider };
    Meaning::new(Change::Authentication(method), Some(target), cadf.outcome())
}

fn change(cadf: Cadf<'_>, payload: Value<'_>, resource: &str, verb: Verb) -> Meaning {
    if resource == "role_assignment" {
        return role_assignment(cadf, payload, verb);
    }
    let id = cadf.resource_info.and_then(Value::loose_id);
    let id = id.or_else(|| cadf.target?.loose_id_of(&["id"]));
    let (reason, code) = cadf.reason();
    let mut outcome = cadf.outcome();
    // A password that was refused is told as a success with a reason.
    if resource == "user" && verb == Verb::Update && code.is_some_and(|code| code.starts_with('4')) {
        outcome = Outcome::Failure;
    }
    let member = payload.loose_id_of(&["actor_id"]).and_then(|user_id| {
        let operation = payload.get("actor_operation")?.text()?;
        let added = match operation.as_ref() {
            "added" => true,
            "removed" => false,
            _ => return None,
        };
        Some(Membership { user_id, added })
    });
    let target =
        Target { kind: Cow::Owned(resource.to_owned()), id: id.clone(), name: None, project_id: None };
    let change = IdentityChange { verb, resource: resource.into(), id, member, reason };
    Meaning::new(Change::Identity(change), Some(target), outcome)
}

fn role_assignment(cadf: Cadf<'_>, payload: Value<'_>, verb: Verb) -> Meaning {
    let mut role = RoleAssignment {
        granted: verb != Verb::Delete,
        role_id: None,
        user_id: None,
        group_id: None,
        project_id: None,
        domain_id: None,
        inherited: false,
    };
    for (key, value) in payload.members() {
        match key {
            b"role" => role.role_id = value.loose_id(),
            b"user" => role.user_id = value.loose_id(),
            b"group" => role.group_id = value.loose_id(),
            b"project" => role.project_id = value.loose_id(),
            b"domain" => role.domain_id = value.loose_id(),
            b"inherited_to_projects" => role.inherited = value.flag().ok().flatten().unwrap_or(false),
            _ => {}
        }
    }
    let (kind, id) = match (&role.user_id, &role.group_id) {
        (Some(user), _) => ("user", Some(user.clone())),
        (None, Some(group)) => ("group", Some(group.clone())),
        (None, None) => ("role_assignment", None),
    };
    let target = Target { kind: Cow::Borrowed(kind), id, name: None, project_id: role.project_id.clone() };
    Meaning::new(Change::Role(role), Some(target), cadf.outcome())
}

/// An operation that is none of the three.
fn other(cadf: Cadf<'_>, resource: &str, operation: &str) -> Meaning {
    let outcome = cadf.outcome();
    let id = cadf.resource_info.and_then(Value::loose_id);
    let target = Target { kind: Cow::Owned(resource.to_owned()), id, name: None, project_id: None };
    let activity = Activity {
        service: Cow::Borrowed("identity"),
        action: operation.into(),
        done: outcome != Outcome::Pending,
        detail: None,
        outcome,
    };
    Meaning::new(Change::Activity(activity), Some(target), outcome)
}
