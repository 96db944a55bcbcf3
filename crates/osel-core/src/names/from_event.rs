//! What an event says of names: who acted, in which project, what was acted on, and what is gone.
//!
//! Of targets that Keystone does not name only servers are learned, and only from the compute service, whose messages have the name in
//! their body; what other services call a server is something else.

use super::directory::Directory;
use super::sightings::Origin;
use crate::event::{Change, Event, IdentityChange, NameKind, Outcome, Target, Verb};
use crate::time::Timestamp;

impl Directory {
    /// Learns every name of an event, and the end of a user, project, domain, group, role or server.
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
            && (kind.is_of_keystone() || is_of_compute(&event.change))
        {
            self.learn(kind, id, name, at, Origin::Body);
        }
        if let (Change::Activity(activity), Some(Target { kind, id: Some(id), .. })) =
            (&event.change, &event.target)
            && is_of_compute(&event.change)
            && NameKind::from_word(kind) == Some(NameKind::Server)
            && *activity.action == *"delete"
            && activity.done
            && activity.outcome == Outcome::Success
        {
            self.deleted(NameKind::Server, id, at);
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

fn is_of_compute(change: &Change) -> bool {
    matches!(change, Change::Activity(activity) if activity.service == "compute")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Activity, Actor};
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

    fn of_server(service: &'static str, action: &str, name: Option<&str>, outcome: Outcome) -> Event {
        let done = outcome != Outcome::Pending;
        let service = service.into();
        let activity = Activity { service, action: action.into(), done, detail: None, outcome };
        let mut event = event(Change::Activity(activity), outcome);
        event.target = Some(Target {
            kind: "server".into(),
            id: Some(Id::new("s")),
            name: name.map(Into::into),
            project_id: None,
        });
        event
    }

    #[test]
    fn a_servers_name_is_learned_renamed_and_survives_its_end() {
        let mut directory = Directory::new();
        let time = Timestamp::from_micros;
        let words = [
            (10, "create", "web", Outcome::Success),
            (20, "update", "web-old", Outcome::Success),
            (30, "delete", "web-old", Outcome::Pending),
            (35, "delete", "web-old", Outcome::Failure),
        ];
        for (at, action, name, outcome) in words {
            directory.learn_event(&of_server("compute", action, Some(name), outcome), time(at));
        }
        let known = |directory: &Directory, at| {
            let known = directory.name_at(NameKind::Server, &Id::new("s"), time(at)).expect("heard");
            (known.name.to_owned(), known.deleted_at)
        };
        assert_eq!(known(&directory, 15), ("web".to_owned(), None));
        assert_eq!(known(&directory, 36), ("web-old".to_owned(), None));
        directory.learn_event(&of_server("compute", "delete", None, Outcome::Success), time(40));
        assert_eq!(known(&directory, 99), ("web-old".to_owned(), Some(time(40))));
        assert_eq!(known(&directory, 15).0, "web");
    }

    #[test]
    fn what_another_service_calls_a_server_is_none_of_computes() {
        let mut directory = Directory::new();
        directory
            .learn_event(&of_server("database", "create", Some("db"), Outcome::Success), Timestamp::EPOCH);
        assert_eq!(directory.name_at(NameKind::Server, &Id::new("s"), Timestamp::EPOCH), None);
    }
}
