//! What all CADF events share: the initiator, the outcome, the reason, the time.
//!
//! Keystone, the audit middleware and Swift's middleware write the same object with small differences; what
//! their actions mean is for `keystone` and `audit`.

use super::tape::Value;
use crate::event::{Actor, Outcome};
use crate::ids::Id;
use crate::time::Timestamp;

/// What the audit middleware writes where it knows nothing.
pub(super) const UNKNOWN: &str = "unknown";

/// The members of a CADF event that readers ask for.
#[derive(Clone, Copy, Default)]
pub(super) struct Cadf<'t> {
    pub(super) action: Option<Value<'t>>,
    pub(super) id: Option<Value<'t>>,
    pub(super) outcome: Option<Value<'t>>,
    pub(super) initiator: Option<Value<'t>>,
    pub(super) target: Option<Value<'t>>,
    pub(super) reason: Option<Value<'t>>,
    pub(super) time: Option<Value<'t>>,
    pub(super) resource_info: Option<Value<'t>>,
    pub(super) path: Option<Value<'t>>,
    pub(super) tags: Option<Value<'t>>,
}

impl<'t> Cadf<'t> {
    /// Collects the members of a payload.
    pub(super) fn read(payload: Value<'t>) -> Self {
        let mut cadf = Self::default();
        for (key, value) in payload.members() {
            let place = match key {
                b"action" => &mut cadf.action,
                b"id" => &mut cadf.id,
                b"outcome" => &mut cadf.outcome,
                b"initiator" => &mut cadf.initiator,
                b"target" => &mut cadf.target,
                b"reason" => &mut cadf.reason,
                b"eventTime" => &mut cadf.time,
                b"resource_info" => &mut cadf.resource_info,
                b"requestPath" => &mut cadf.path,
                b"tags" => &mut cadf.tags,
                _ => continue,
            };
            *place = Some(value).filter(|value| !value.is_null());
        }
        cadf
    }

    /// The outcome, in CADF's words; without one the event only tells that something was done.
    pub(super) fn outcome(&self) -> Outcome {
        match self.outcome.and_then(Value::text).as_deref() {
            Some("success") | None => Outcome::Success,
            Some("failure") => Outcome::Failure,
            Some("pending") => Outcome::Pending,
            Some(_) => Outcome::Unknown,
        }
    }

    pub(super) fn time(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.time?.text()?)
    }

    /// The reason in words and its code, which may be a number or a text.
    pub(super) fn reason(&self) -> (Option<Box<str>>, Option<Box<str>>) {
        let Some(reason) = self.reason else { return (None, None) };
        let code = reason.get("reasonCode").and_then(Value::loose_id).map(|code| code.to_string().into());
        (reason.loose_text_of(&["reasonType"]), code)
    }

    pub(super) fn request_id(&self) -> Option<Id> {
        self.initiator?.loose_id_of(&["request_id"])
    }

    /// Who, by the initiator; nobody when there is none.
    pub(super) fn actor(&self) -> Actor {
        let mut actor = Actor::default();
        let Some(initiator) = self.initiator else { return actor };
        let (mut id, mut typed_name, mut domain) = (None, None, None);
        for (key, value) in initiator.members() {
            match key {
                b"user_id" => actor.user_id = known_id(value),
                b"id" => id = known_id(value),
                b"name" => actor.user_name = known_text(value).or(actor.user_name),
                b"username" => actor.user_name = actor.user_name.or_else(|| known_text(value)),
                b"user_name" => typed_name = known_text(value),
                b"domain_id" => domain = known_id(value),
                b"project_id" => actor.project_id = known_id(value),
                b"host" => {
                    actor.address = value.get("address").and_then(known_text);
                    actor.agent = value.get("agent").and_then(known_text);
                }
                // A federated login has no other name for the user.
                b"credential" => {
                    let federated =
                        || value.get("user")?.get("id").or_else(|| value.get("user")).and_then(known_id);
                    actor.user_id = actor.user_id.or_else(federated);
                }
                _ => {}
            }
        }
        actor.user_id = actor.user_id.or(id.filter(|id| !is_made_up(&id.text())));
        if typed_name.is_some() {
            // A login with a name that nobody has: the domain is the one that was typed too, not the scope of
            // a token.
            actor.user_domain_id = domain;
        }
        actor.user_name = actor.user_name.or(typed_name);
        actor
    }
}

/// Whether an initiator's id was made up for the event: Keystone's ids have no dashes, pycadf's own have.
pub(super) fn is_made_up(text: &str) -> bool {
    text.starts_with("openstack:")
        || (text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4)
}

pub(super) fn known_id(value: Value<'_>) -> Option<Id> {
    if value.text()? == UNKNOWN { None } else { value.loose_id() }
}

pub(super) fn known_text(value: Value<'_>) -> Option<Box<str>> {
    value.loose_text().filter(|text| &**text != UNKNOWN)
}
