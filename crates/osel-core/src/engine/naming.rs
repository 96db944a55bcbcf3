//! Names that were valid at the time of an event, from the directory, where the message has none.

use crate::event::{Event, Target};
use crate::ids::Id;
use crate::names::{Directory, NameKind};
use crate::time::Timestamp;

/// Gives the actor the names that were valid then.
pub(super) fn name_actor(names: &Directory, event: &mut Event) {
    let at = event.timestamp;
    let actor = &mut event.actor;
    if actor.user_name.is_none() {
        actor.user_name = name(names, NameKind::User, actor.user_id.as_ref(), at);
    }
    if actor.project_name.is_none() {
        actor.project_name = name(names, NameKind::Project, actor.project_id.as_ref(), at);
    }
}

/// Gives a user, project, domain, group or role the name that was valid then.
pub(super) fn name_target(names: &Directory, target: &mut Target, at: Timestamp) {
    if let (None, Some(kind)) = (&target.name, NameKind::from_word(&target.kind)) {
        target.name = name(names, kind, target.id.as_ref(), at);
    }
}

/// The name that an id had then.
pub(super) fn name(names: &Directory, kind: NameKind, id: Option<&Id>, at: Timestamp) -> Option<Box<str>> {
    names.name_at(kind, id?, at).map(|known| known.name.into())
}
