//! What an event says of names: who acted, in which project, what was acted on, and what is gone.

use super::directory::Directory;
use super::sightings::Origin;
use crate::event::{Change, Event, IdentityChange, NameKind, Outcome, Verb};
use crate::time::Timestamp;

impl Directory {
    /// Learns every name of an event, and the end of a user, project, domain, group or role.
    ///
    /// `at` is the earlier of event time and reception.
    pub fn learn_event(&mut self, event: &Event, at: Timestamp) {
        let cadf = matches!(
            event.change,
            Change::Identity(_) | Change::Role(_) | Change::Authentication(_) | Change::Access(_)
        );
        let origin = if cadf { Origin::Cadf } else { Origin::Context };
        let actor = &event.actor;
        if let (Some(id), Some(name)) = (&actor.user_id, &actor.user_name) {
            self.learn(NameKind::User, id, name, at, origin);
        }
        if let (Some(id), Some(name)) = (&actor.project_id, &actor.project_name) {
            self.learn(NameKind::Project, id, name, at, origin);
        }
        if let Some(target) = &event.target
            && let (Some(kind), Some(id), Some(name)) =
                (NameKind::from_word(&target.kind), &target.id, &target.name)
        {
            self.learn(kind, id, name, at, Origin::Body);
        }
        if let Change::Identity(identity) = &event.change
            && let IdentityChange { verb: Verb::Delete, resource, id: Some(id), .. } = identity
            && let Some(kind) = NameKind::from_word(resource)
            // The `basic` format does not say how it ended; it is sent only after the deed.
            && matches!(event.outcome, Outcome::Success | Outcome::Unknown)
        {
            self.deleted(kind, id, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, Target};
    use crate::ids::Id;

    fn event(change: Change, outcome: Outcome) -> Event {
        Event {
            message_id: None,
            event_type: "identity.user.deleted".into(),
            publisher: None,
            timestamp: Timestamp::EPOCH,
            request_id: None,
            actor: Actor {
                user_id: Some(Id::new("u")),
                user_name: Some("admin".into()),
                project_id: Some(Id::new("p")),
                project_name: Some("ops".into()),
                ..Actor::default()
            },
            target: Some(Target {
                kind: "user".into(),
                id: Some(Id::new("gone")),
                name: Some("alice".into()),
                project_id: None,
            }),
            outcome,
            change,
        }
    }

    fn deletion() -> Change {
        Change::Identity(IdentityChange {
            verb: Verb::Delete,
            resource: "user".into(),
            id: Some(Id::new("gone")),
            member: None,
            reason: None,
        })
    }

    #[test]
    fn actor_target_and_deletion_are_learned() {
        let mut directory = Directory::new();
        let at = Timestamp::from_micros(5);
        directory.learn_event(&event(deletion(), Outcome::Success), at);
        let known = |kind, id: &str| directory.name_at(kind, &Id::new(id), at).expect("heard");
        assert_eq!(known(NameKind::User, "u").name, "admin");
        assert_eq!(known(NameKind::Project, "p").name, "ops");
        assert_eq!(known(NameKind::User, "u").origin, Origin::Cadf);
        let gone = known(NameKind::User, "gone");
        assert_eq!((gone.name, gone.origin, gone.deleted_at), ("alice", Origin::Body, Some(at)));
    }

    #[test]
    fn what_failed_deletes_nothing() {
        for outcome in [Outcome::Failure, Outcome::Pending] {
            let mut directory = Directory::new();
            directory.learn_event(&event(deletion(), outcome), Timestamp::EPOCH);
            let gone = directory.name_at(NameKind::User, &Id::new("gone"), Timestamp::EPOCH).expect("heard");
            assert_eq!(gone.deleted_at, None);
        }
    }

    #[test]
    fn other_services_name_the_actor_only() {
        let mut directory = Directory::new();
        let mut other = event(Change::Unmodelled, Outcome::Unknown);
        other.target = Some(Target {
            kind: "server".into(),
            id: Some(Id::new("s")),
            name: Some("web".into()),
            project_id: None,
        });
        directory.learn_event(&other, Timestamp::EPOCH);
        assert_eq!(directory.len(), 2);
        let user = directory.name_at(NameKind::User, &Id::new("u"), Timestamp::EPOCH).expect("heard");
        assert_eq!(user.origin, Origin::Context);
    }
}
