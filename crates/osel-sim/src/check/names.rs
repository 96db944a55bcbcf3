//! The directory of names: who acted is known by the name of that time, whenever one asks.

use osel_core::engine::Engine;
use osel_core::ids::Id;
use osel_core::names::NameKind;
use osel_core::time::Timestamp;
use serde_json::Value;

use super::failure::{Failure, ensure};
use super::machine::Stored;
use super::plan::Plan;
use super::script::{Script, text};
use super::world::World;

/// The name of the check.
const CHECK: &str = "names";

/// Fails when the directory does not answer the name that the caller had at the time of a message that was heard.
///
/// A slow worker's message has the name of a token from before: then a name comes back after another, and the
/// directory need not know the moment. Who has such messages is left out.
pub(super) fn are_right(engine: &Engine, script: &Script, world: &World, plan: &Plan) -> Result<(), Failure> {
    for message in &script.heard {
        if plan.cloud.racing {
            break;
        }
        let payload = &message.notification["payload"];
        let (user, name) = match text(message, "_context_user_id") {
            "" => (&payload["initiator"]["user_id"], &payload["initiator"]["username"]),
            _ => (&message.notification["_context_user_id"], &message.notification["_context_user_name"]),
        };
        let (Some(user), Some(name)) = (user.as_str(), name.as_str()) else { continue };
        let at = Timestamp::from_micros(message.sent_at);
        let known = engine.names().name_at(NameKind::User, &Id::new(user), at);
        ensure(known.is_some_and(|known| known.name == name), CHECK, || {
            format!("user {user} is {name} at {at}, the directory says {known:?}")
        })?;
    }
    // Projects keep their names; every one of them was in the last read.
    for project in world.last.state["projects"].as_array().into_iter().flatten() {
        let (Some(id), Some(name)) = (project["id"].as_str(), project["name"].as_str()) else { continue };
        let at = Timestamp::from_micros(world.last.taken_at);
        let known = engine.names().name_at(NameKind::Project, &Id::new(id), at);
        ensure(known.is_some_and(|known| known.name == name), CHECK, || {
            format!("project {id} is {name}, the directory says {known:?}")
        })?;
    }
    Ok(())
}

/// Fails when a record does not name who acted as the message does.
pub(super) fn are_recorded(script: &Script, records: &[Stored]) -> Result<(), Failure> {
    let said = |message: &crate::cloud::Message, key: &str| -> Option<String> {
        message.notification.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    let by_id: std::collections::BTreeMap<&str, &Stored> =
        records.iter().filter_map(|record| Some((record.body.message_id.as_deref()?, record))).collect();
    for message in &script.heard {
        let Some(record) = by_id.get(text(message, "message_id")) else { continue };
        let actor = &record.body.actor;
        let pairs = [
            (said(message, "_context_user_name"), actor.user_name.as_deref().map(str::to_owned)),
            (said(message, "_context_project_name"), actor.project_name.as_deref().map(str::to_owned)),
        ];
        for (expected, found) in pairs {
            ensure(expected.is_none() || expected == found, CHECK, || {
                format!("{:?} was recorded as by {found:?}, it was {expected:?}", message.notification)
            })?;
        }
    }
    Ok(())
}
