//! Role assignments as Keystone lists them.

use super::defect::{DefectKind, Fault};
use super::tape::{Token, Value};
use crate::event::{Assignment, AssignmentScope, Holder};
use crate::ids::Id;

/// Reads one entry of `role_assignments`: who, where, which role, and whether the projects below inherit it.
pub(super) fn assignment(body: Value<'_>) -> Result<Assignment, Fault> {
    if body.token() != Token::Object {
        return Err(body.fault(DefectKind::WrongType));
    }
    let (mut role, mut holder, mut scope, mut inherited) = (None, None, None, false);
    for (key, value) in body.members() {
        match key {
            b"role" => role = id_of(value)?,
            b"user" => holder = id_of(value)?.map(Holder::User).or(holder),
            b"group" => holder = id_of(value)?.map(Holder::Group).or(holder),
            b"scope" => (scope, inherited) = scope_of(value)?,
            _ => {}
        }
    }
    let missing = || body.fault(DefectKind::MissingId);
    Ok(Assignment {
        holder: holder.ok_or_else(missing)?,
        scope: scope.ok_or_else(missing)?,
        role: role.ok_or_else(missing)?,
        inherited,
    })
}

fn scope_of(value: Value<'_>) -> Result<(Option<AssignmentScope>, bool), Fault> {
    let (mut scope, mut inherited) = (None, false);
    let Some(value) = value.object_or_null()? else { return Ok((None, false)) };
    for (key, value) in value.members() {
        match key {
            b"project" => scope = id_of(value)?.map(AssignmentScope::Project).or(scope),
            b"domain" => scope = id_of(value)?.map(AssignmentScope::Domain).or(scope),
            b"system" => scope = value.object_or_null()?.map(|_| AssignmentScope::System).or(scope),
            b"OS-INHERIT:inherited_to" => inherited = !value.is_null(),
            _ => {}
        }
    }
    Ok((scope, inherited))
}

fn id_of(value: Value<'_>) -> Result<Option<Id>, Fault> {
    let Some(value) = value.object_or_null()? else { return Ok(None) };
    value.get("id").map_or(Ok(None), Value::id)
}

#[cfg(test)]
mod tests {
    use super::super::read_assignment;
    use super::*;

    #[test]
    fn each_scope_and_holder_is_read() {
        let check = |text: &str, holder, scope, inherited| {
            let role = Id::new("r");
            let wanted = Assignment { holder, scope, role, inherited };
            assert_eq!(read_assignment(text.as_bytes()).expect("sound"), wanted);
        };
        let (user, group) = (|| Holder::User(Id::new("u")), || Holder::Group(Id::new("g")));
        check(
            r#"{"scope": {"project": {"id": "p", "name": "demo"}}, "user": {"id": "u"}, "role": {"id": "r"}, "links": {}}"#,
            user(),
            AssignmentScope::Project(Id::new("p")),
            false,
        );
        check(
            r#"{"role": {"id": "r"}, "group": {"id": "g"}, "scope": {"OS-INHERIT:inherited_to": "projects", "domain": {"id": "d"}}}"#,
            group(),
            AssignmentScope::Domain(Id::new("d")),
            true,
        );
        check(
            r#"{"role": {"id": "r"}, "user": {"id": "u"}, "scope": {"system": {"all": true}}}"#,
            user(),
            AssignmentScope::System,
            false,
        );
    }

    #[test]
    fn what_does_not_say_who_what_or_where_is_a_defect() {
        for text in [
            "[]",
            "{}",
            r#"{"role": {"id": "r"}, "user": {"id": "u"}}"#,
            r#"{"role": {"id": "r"}, "user": {"id": "u"}, "scope": {}}"#,
            r#"{"role": {"id": "r"}, "user": {}, "scope": {"system": {}}}"#,
            r#"{"user": {"id": "u"}, "scope": {"system": {}}}"#,
            r#"{"role": "r", "user": {"id": "u"}, "scope": {"system": {}}}"#,
        ] {
            assert!(read_assignment(text.as_bytes()).is_err(), "{text}");
        }
    }
}
