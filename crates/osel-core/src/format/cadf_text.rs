//! One line of text per event of the identity service, as small consumers of CADF have always written them.
//!
//! `USER AUTH: success: NAME` for a login, else `USER CREATED: success: user NAME at TIME by ACTOR (ID) (project: NAME (ID)).` with
//! the words of whatever was created, updated or deleted. Names are those of the record, valid then; else those that the directory
//! has learnt since; else there is the id. Other services' events have no line. Nothing here is hashed.

use super::fit::one_line;
use crate::engine::record::Record;
use crate::ids::Id;
use crate::names::{Directory, NameKind};
use crate::trail::PartClass;

/// What stands for a name, or for an id, that nobody knows.
const UNKNOWN: &str = "unknown";

/// The line of a record; none when it is not about identity.
pub fn cadf_text(record: &Record, names: &Directory) -> Option<String> {
    let event = record.body.event_type.as_deref()?.strip_prefix("identity.")?;
    let outcome = if record.body.outcome.is_empty() { UNKNOWN } else { &record.body.outcome };
    let names = Names { record, names };
    let user_id = record.body.user_id.as_ref();
    let actor = names.find(record.personal.user_name.as_deref(), NameKind::User, user_id);
    if event == "authenticate" {
        let name = actor.or_else(|| user_id.map(Id::to_string)).unwrap_or_else(|| UNKNOWN.to_owned());
        return Some(one_line(&format!("USER AUTH: {outcome}: {name}")));
    }
    let (resource, operation) = event.rsplit_once('.')?;
    // `OS-TRUST:trust`, `role_assignment`
    let resource = resource.rsplit(':').next().unwrap_or(resource).replace('_', " ");
    let what = if resource == "role assignment" { names.role_assignment() } else { names.target(&resource) };
    let project_id = record.body.project_id.as_ref();
    let project = names.find(record.body.project_name.as_deref(), NameKind::Project, project_id);
    Some(one_line(&format!(
        "{} {}: {outcome}: {resource} {what} at {} by {} (project: {}).",
        resource.to_uppercase(),
        operation.to_uppercase(),
        record.header.time,
        with_id(actor.as_deref(), user_id),
        with_id(project.as_deref(), project_id),
    )))
}

struct Names<'a> {
    record: &'a Record,
    names: &'a Directory,
}

impl Names<'_> {
    /// The name of something: the record's own, else what the directory says.
    fn find(&self, own: Option<&str>, kind: NameKind, id: Option<&Id>) -> Option<String> {
        let own = own.filter(|name| !name.is_empty()).map(str::to_owned);
        // Where the record's names of persons were erased, they are not brought back by another way.
        let erased = kind == NameKind::User && self.record.missing.contains(&PartClass::Personal);
        own.or_else(|| {
            let known = self.names.name_at(kind, id.filter(|_| !erased)?, self.record.header.time)?;
            Some(known.name.to_owned())
        })
    }

    /// A name, else the id.
    fn name_or_id(&self, own: Option<&str>, kind: Option<NameKind>, id: Option<&Id>) -> String {
        let name = match kind {
            Some(kind) => self.find(own, kind, id),
            None => own.map(str::to_owned),
        };
        name.or_else(|| id.map(Id::to_string)).unwrap_or_else(|| UNKNOWN.to_owned())
    }

    fn target(&self, resource: &str) -> String {
        let id = self.record.body.target.as_ref().and_then(|target| target.id.as_ref());
        self.name_or_id(self.record.target_name(), NameKind::from_word(resource), id)
    }

    /// `ROLE to user NAME on project NAME`, from the details that the engine gives a role assignment.
    fn role_assignment(&self) -> String {
        let detail = |key: &str| self.record.body.detail.get(key).map(String::as_str);
        let personal = |key: &str| self.record.personal.detail.get(key).map(String::as_str);
        let name = |id: &str, name, kind| self.name_or_id(name, Some(kind), Some(&Id::new(id)));
        let mut text = detail("role")
            .map_or_else(|| UNKNOWN.to_owned(), |role| name(role, detail("role_name"), NameKind::Role));
        for (key, words, own, kind) in [
            ("user", " to user ", personal("user_name"), NameKind::User),
            ("user_group", " to group ", detail("user_group_name"), NameKind::Group),
            ("on_project", " on project ", detail("on_project_name"), NameKind::Project),
            ("on_domain", " on domain ", detail("on_domain_name"), NameKind::Domain),
        ] {
            if let Some(id) = detail(key) {
                text.push_str(words);
                text.push_str(&name(id, own, kind));
            }
        }
        if detail("inherited").is_some() {
            text.push_str(" (inherited)");
        }
        text
    }
}

fn with_id(name: Option<&str>, id: Option<&Id>) -> String {
    let id = id.map_or_else(|| UNKNOWN.to_owned(), Id::to_string);
    format!("{} ({id})", name.unwrap_or(UNKNOWN))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::record::{BodyPart, PersonalPart, TargetPart};
    use crate::names::Origin;
    use crate::time::Timestamp;
    use crate::trail::{Hash, Header, RecordKind};

    fn record(event_type: &str, body: BodyPart, personal: PersonalPart) -> Record {
        let time = Timestamp::parse("2026-11-21T03:12:00.5Z").expect("a time");
        Record {
            header: Header {
                seq: 1,
                previous: Hash::ZERO,
                time,
                recorded_at: time,
                as_of: time,
                kind: RecordKind::Change,
            },
            hash: Hash::ZERO,
            body: BodyPart { event_type: Some(event_type.into()), outcome: "success".into(), ..body },
            personal,
            opened: Vec::new(),
            closed: Vec::new(),
            missing: Vec::new(),
            wide: Vec::new(),
        }
    }

    fn by_admin(target: &str) -> (BodyPart, PersonalPart) {
        let target = TargetPart { kind: "x".into(), id: Some(Id::new(target)), ..TargetPart::default() };
        let body = BodyPart {
            user_id: Some(Id::new("u1")),
            project_id: Some(Id::new("p1")),
            project_name: Some("ops".into()),
            target: Some(target),
            ..BodyPart::default()
        };
        (body, PersonalPart { user_name: Some("admin".into()), ..PersonalPart::default() })
    }

    fn heard(kind: NameKind, id: &str, name: &str) -> Directory {
        let mut names = Directory::new();
        names.learn(kind, &Id::new(id), name, Timestamp::MAX, Origin::Inventory);
        names
    }

    fn check(record: &Record, names: &Directory, wanted: &str) {
        assert_eq!(cadf_text(record, names).as_deref(), Some(wanted));
    }

    #[test]
    fn logins() {
        let nobody = Directory::new();
        let (body, personal) = by_admin("t");
        let login = record(
            "identity.authenticate",
            BodyPart::default(),
            PersonalPart { user_name: Some("nova".into()), ..PersonalPart::default() },
        );
        check(&login, &nobody, "USER AUTH: success: nova");
        let mut login = record("identity.authenticate", body, PersonalPart::default());
        login.body.outcome = "failure".into();
        check(&login, &nobody, "USER AUTH: failure: u1");
        check(&login, &heard(NameKind::User, "u1", "admin"), "USER AUTH: failure: admin");
        check(
            &record("identity.authenticate", BodyPart::default(), personal),
            &nobody,
            "USER AUTH: success: admin",
        );
        let unknown = record("identity.authenticate", BodyPart::default(), PersonalPart::default());
        check(&unknown, &nobody, "USER AUTH: success: unknown");
    }

    #[test]
    fn what_was_made_by_whom() {
        let (body, mut personal) = by_admin("t1");
        let tail = "at 2026-11-21T03:12:00.500000Z by admin (u1) (project: ops (p1)).";
        let nobody = Directory::new();
        for (event_type, words) in [
            ("identity.user.created", "USER CREATED: success: user t1"),
            ("identity.project.deleted", "PROJECT DELETED: success: project t1"),
            ("identity.group.updated", "GROUP UPDATED: success: group t1"),
            ("identity.domain.updated", "DOMAIN UPDATED: success: domain t1"),
            ("identity.role.created", "ROLE CREATED: success: role t1"),
            ("identity.credential.deleted", "CREDENTIAL DELETED: success: credential t1"),
            (
                "identity.application_credential.created",
                "APPLICATION CREDENTIAL CREATED: success: application credential t1",
            ),
            ("identity.OS-TRUST:trust.created", "TRUST CREATED: success: trust t1"),
            ("identity.project tag.created", "PROJECT TAG CREATED: success: project tag t1"),
        ] {
            let record = record(event_type, body.clone(), personal.clone());
            check(&record, &nobody, &format!("{words} {tail}"));
        }
        let later = record("identity.user.created", body.clone(), personal.clone());
        check(
            &later,
            &heard(NameKind::User, "t1", "alice"),
            &format!("USER CREATED: success: user alice {tail}"),
        );
        personal.target_name = Some("al\nice".into());
        let then = record("identity.user.created", body, personal);
        check(
            &then,
            &heard(NameKind::User, "t1", "alicia"),
            &format!("USER CREATED: success: user al ice {tail}"),
        );
    }

    #[test]
    fn role_assignments_name_role_user_and_scope() {
        let (mut body, mut personal) = by_admin("random");
        let detail = [
            ("role", "r1"),
            ("role_name", "member"),
            ("user", "u2"),
            ("on_project", "p2"),
            ("inherited", "true"),
        ];
        body.detail = detail.map(|(key, value)| (key.into(), value.to_owned())).into();
        personal.detail = BTreeMap::from([("user_name".into(), "bob".to_owned())]);
        check(
            &record("identity.role_assignment.created", body, personal),
            &heard(NameKind::Project, "p2", "web"),
            "ROLE ASSIGNMENT CREATED: success: role assignment member to user bob on project web (inherited) \
             at 2026-11-21T03:12:00.500000Z by admin (u1) (project: ops (p1)).",
        );
    }

    #[test]
    fn who_is_not_known_is_said_to_be_unknown() {
        let names = heard(NameKind::User, "u1", "admin");
        let (mut body, _) = by_admin("t1");
        body.project_name = None;
        let tail = "(project: unknown (p1)).";
        let mut record = record("identity.user.deleted", body, PersonalPart::default());
        let begin = "USER DELETED: success: user t1 at 2026-11-21T03:12:00.500000Z by";
        check(&record, &names, &format!("{begin} admin (u1) {tail}"));
        record.missing.push(PartClass::Personal);
        check(&record, &names, &format!("{begin} unknown (u1) {tail}"));
        (record.body.user_id, record.body.project_id) = (None, None);
        check(&record, &names, &format!("{begin} unknown (unknown) (project: unknown (unknown))."));
    }

    #[test]
    fn other_services_have_no_line() {
        let (body, personal) = by_admin("t1");
        for event_type in ["port.create.end", "audit.http.request", "identity.what"] {
            assert_eq!(
                cadf_text(&record(event_type, body.clone(), personal.clone()), &Directory::new()),
                None
            );
        }
    }
}
