//! Role assignments, as Keystone lists them: all at once, without pages and without ids.
//!
//! Of each only the ids and what it is are kept. The names that stand beside them are for those users and groups that no list has.

use std::borrow::Cow;

use osel_core::event::{Assignment, NameKind};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::catalog::Service;
use super::pages::List;

/// The lists: those of the system are asked for by themselves too, since not every Keystone shows them among all.
pub(super) const QUERIES: [&str; 2] = ["include_names", "scope.system=all&include_names"];

/// What is not known without them.
pub(super) const HIDES: &str =
    "who has which role where, when no event told: a role on the whole system is told by none";

pub(super) fn list(query: &str) -> List {
    let (service, path) = (Service::Identity, Assignment::PLURAL.to_owned());
    List { service, path, key: Assignment::PLURAL, query: query.to_owned() }
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    role: Named<'a>,
    #[serde(borrow)]
    user: Option<Named<'a>>,
    #[serde(borrow)]
    group: Option<Named<'a>>,
    #[serde(borrow)]
    scope: Scope<'a>,
}

#[derive(Deserialize)]
struct Scope<'a> {
    #[serde(borrow)]
    project: Option<Named<'a>>,
    #[serde(borrow)]
    domain: Option<Named<'a>>,
    system: Option<serde_json::Value>,
    #[serde(borrow, rename = "OS-INHERIT:inherited_to")]
    inherited_to: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Serialize)]
struct Named<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, skip_serializing)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing)]
    domain: Option<Box<Domain<'a>>>,
}

#[derive(Deserialize)]
struct Domain<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

/// One assignment, as far as it is needed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// What is kept. As it came where it is not understood, for whoever reads it to say so.
    pub(super) text: String,
    /// Whether it is on the whole system, so that both lists may show it.
    pub(super) is_of_system: bool,
    /// The users and groups that it names: kind, id, and the object.
    pub(super) names: Vec<(NameKind, String, String)>,
}

/// Takes of an assignment what is needed.
pub(super) fn kept(json: &str) -> Kept {
    let Ok(told) = serde_json::from_str::<Told<'_>>(json) else {
        return Kept { text: json.to_owned(), ..Kept::default() };
    };
    let Told { role, user, group, scope } = &told;
    let mut kept = json!({"role": role, "scope": {}});
    for (key, holder) in [("user", user), ("group", group)] {
        holder.iter().for_each(|holder| kept[key] = json!(holder));
    }
    for (key, place) in [("project", &scope.project), ("domain", &scope.domain)] {
        place.iter().for_each(|place| kept["scope"][key] = json!(place));
    }
    scope.system.iter().for_each(|system| kept["scope"]["system"] = system.clone());
    scope.inherited_to.iter().for_each(|to| kept["scope"]["OS-INHERIT:inherited_to"] = json!(to));
    let holders = [(NameKind::User, user), (NameKind::Group, group)].into_iter();
    let names = holders.filter_map(|(kind, holder)| {
        let Named { id, name, domain } = holder.as_ref()?;
        let domain_id = domain.as_ref().and_then(|domain| domain.id.as_ref());
        let named = json!({"id": id, "name": name.as_ref()?, "domain_id": domain_id});
        Some((kind, id.to_string(), named.to_string()))
    });
    Kept { text: kept.to_string(), is_of_system: scope.system.is_some(), names: names.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_and_names_are_told_apart() {
        let Kept { text, is_of_system, names } = kept(
            r#"{"links": {"assignment": "http://h/"}, "role": {"id": "r", "name": "admin"},
                "user": {"id": "u", "name": "a\"b", "domain": {"id": "ldap", "name": "Directory"}},
                "scope": {"OS-INHERIT:inherited_to": "projects", "domain": {"id": "d", "name": "D"}}}"#,
        );
        let wanted = r#"{"role":{"id":"r"},"scope":{"OS-INHERIT:inherited_to":"projects","domain":{"id":"d"}},"user":{"id":"u"}}"#;
        assert_eq!((text.as_str(), is_of_system), (wanted, false));
        let user = r#"{"domain_id":"ldap","id":"u","name":"a\"b"}"#.to_owned();
        assert_eq!(names, [(NameKind::User, "u".to_owned(), user)]);
        let system = r#"{"group":{"id":"g"},"role":{"id":"r"},"scope":{"system":{"all":true}}}"#;
        assert_eq!(kept(system), Kept { text: system.to_owned(), is_of_system: true, names: Vec::new() });
        let odd = r#"{"role": 3}"#;
        assert_eq!(kept(odd), Kept { text: odd.to_owned(), ..Kept::default() });
    }
}
