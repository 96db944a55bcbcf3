//! What a record says about an event: its kind, its target by name, and the facts that its sentence is made of.

use super::attempts::Step;
use super::naming::{name, name_target, server_of_target};
use super::record::Detail;
use crate::event::{Change, Event, Kind, Object, Rule, Target};
use crate::ids::Id;
use crate::model::{CloudModel, RuleState, Source, View, net_text};
use crate::names::{Directory, NameKind};
use crate::trail::RecordKind;

pub(super) struct Described {
    pub(super) kind: RecordKind,
    pub(super) target: Option<Target>,
    pub(super) detail: Detail,
    pub(super) personal: Detail,
    /// The half of a request that the event is.
    pub(super) step: Option<Step>,
}

/// Describes an event with the names that are known before it is applied: what it deletes still has one.
pub(super) fn describe(cloud: &CloudModel, names: &Directory, event: &Event) -> Described {
    let mut detail = Detail::new();
    let mut set = |key: &'static str, value: Option<String>| {
        if let Some(value) = value {
            detail.insert(key.into(), value);
        }
    };
    let kind = match &event.change {
        Change::Objects { verb, objects } => {
            set("verb", verb.map(|verb| verb.as_str().to_owned()));
            if let [Object::Rule(rule)] = &objects[..] {
                set("rule", rule_text(rule));
                set("group", rule.security_group_id.as_ref().map(|id| group_name(cloud, id)));
            }
            if objects.len() > 1 {
                set("extra", Some(format!("{} at once", objects.len())));
            }
            if verb.is_some() { RecordKind::Change } else { RecordKind::Activity }
        }
        Change::Deleted { kind, id, last } => {
            set("verb", Some("delete".to_owned()));
            if *kind == Kind::Rule {
                let known = cloud.described_rule(id);
                set(
                    "rule",
                    match last.as_deref() {
                        Some(Object::Rule(rule)) => rule_text(rule),
                        // Of a rule whose direction nobody told nothing is known.
                        _ => {
                            known.filter(|rule| rule.is_directed()).map(|rule| state_text(rule, rule.ingress))
                        }
                    },
                );
                let group = known.and_then(|rule| rule.security_group_id.as_ref());
                set("group", group.map(|id| group_name(cloud, id)));
            }
            RecordKind::Change
        }
        Change::Interface(interface) => {
            set("verb", Some(if interface.attached { "attach" } else { "detach" }.to_owned()));
            set("extra", Some(format!("interface port {}", interface.port_id)));
            RecordKind::Change
        }
        Change::Attempt(attempt) => {
            set("verb", Some(attempt.verb.as_str().to_owned()));
            if let [Object::Rule(rule)] = &attempt.asked[..] {
                set("rule", rule_text(rule));
                set("group", rule.security_group_id.as_ref().map(|id| group_name(cloud, id)));
            }
            RecordKind::Change
        }
        Change::Identity(change) => {
            set("verb", Some(change.verb.as_str().to_owned()));
            set("reason", change.reason.as_deref().map(|reason| unnamed(reason, event).to_owned()));
            set(
                "extra",
                change.member.as_ref().map(|member| {
                    format!("{} user {}", if member.added { "added" } else { "removed" }, member.user_id)
                }),
            );
            RecordKind::Change
        }
        Change::Role(role) => {
            set("verb", Some(if role.granted { "grant" } else { "revoke" }.to_owned()));
            for (key, id) in [
                ("role", &role.role_id),
                ("user", &role.user_id),
                ("user_group", &role.group_id),
                ("on_project", &role.project_id),
                ("on_domain", &role.domain_id),
            ] {
                set(key, id.as_ref().map(Id::to_string));
            }
            set("inherited", role.inherited.then(|| "true".to_owned()));
            let named = |word: &str, id: &Option<Id>| id.as_ref().map(|id| format!("{word} {id}"));
            let whom = named("to user", &role.user_id).or(named("to group", &role.group_id));
            let scope = named("on project", &role.project_id).or(named("on domain", &role.domain_id));
            let below = role.inherited.then(|| "for all projects below it".to_owned());
            let role = named("role", &role.role_id);
            set(
                "extra",
                Some([role, whom, scope, below].into_iter().flatten().collect::<Vec<_>>().join(" ")),
            );
            RecordKind::Change
        }
        Change::Authentication(method) => {
            set("reason", method.reason.as_deref().map(|reason| unnamed(reason, event).to_owned()));
            set("reason_code", method.reason_code.as_deref().map(str::to_owned));
            set("identity_provider", method.identity_provider.as_deref().map(str::to_owned));
            RecordKind::Authentication
        }
        Change::Access(call) => {
            set("action", Some(call.action.to_string()));
            set("path", Some(call.path.to_string()));
            set("type_uri", Some(call.type_uri.to_string()));
            set("correlation", call.correlation.as_ref().map(Id::to_string));
            set("status", call.status.map(|status| status.to_string()));
            RecordKind::Access
        }
        Change::Activity(activity) => {
            set("verb", Some(activity.action.to_string()));
            set("service", Some(activity.service.to_string()));
            set("extra", activity.detail.as_deref().map(str::to_owned));
            // What the network service did is a change, whether the model knows the resource or not.
            if activity.service == "network" { RecordKind::Change } else { RecordKind::Activity }
        }
        Change::Unmodelled => RecordKind::Activity,
    };
    if let Change::Role(role) = &event.change {
        for (key, kind, id) in [
            ("role_name", NameKind::Role, &role.role_id),
            ("user_group_name", NameKind::Group, &role.group_id),
            ("on_project_name", NameKind::Project, &role.project_id),
            ("on_domain_name", NameKind::Domain, &role.domain_id),
        ] {
            if let Some(name) = name(names, kind, id.as_ref(), event.timestamp) {
                detail.insert(key.into(), name.into());
            }
        }
    }
    if let Some(server) = server_of_target(cloud, names, event).filter(|_| !is_a_strangers(cloud, event)) {
        detail.insert("server".into(), server.id.to_string());
        detail.insert("server_name".into(), server.name.into());
    }
    let personal = match &event.change {
        Change::Role(role) => name(names, NameKind::User, role.user_id.as_ref(), event.timestamp),
        _ => None,
    };
    let personal = personal.map(|name| ("user_name".into(), name.into())).into_iter().collect();
    Described { kind, target: target(cloud, names, event), detail, personal, step: step(cloud, event) }
}

/// A reason without the name of the user that Keystone ends it with, as in `Could not find user: NAME.`: names stand with the personal data.
fn unnamed<'a>(reason: &'a str, event: &Event) -> &'a str {
    let target = event.target.as_ref().filter(|target| target.kind == "user");
    let names = [&event.actor.user_name, target.map_or(&None, |target| &target.name)];
    let said = reason.trim_end_matches('.').rsplit_once(": ");
    said.filter(|(_, word)| {
        let word = word.to_lowercase();
        names.into_iter().flatten().any(|name| name.to_lowercase() == word)
    })
    .map_or(reason, |(what, _)| what)
}

/// The target with the name and the owner that the model knows, where the message has none: older releases tell of what is deleted by its
/// id alone.
fn target(cloud: &CloudModel, names: &Directory, event: &Event) -> Option<Target> {
    let mut target = event.target.clone()?;
    // The audit filter's words for things are the caller's to choose: they name nobody.
    if !matches!(event.change, Change::Access(_)) {
        name_target(names, &mut target, event.timestamp);
    }
    let Some((id, kind)) = target.id.as_ref().zip(Kind::from_singular(&target.kind)) else {
        return Some(target);
    };
    if target.name.is_none() && !is_a_strangers(cloud, event) {
        target.name = cloud.name_of(kind, id).map(Into::into);
    }
    if target.project_id.is_none() && !is_asked(event) {
        target.project_id = cloud.project_of(kind, id).cloned();
    }
    Some(target)
}

/// Whether it was only asked for, perhaps by somebody who may not: the record is the caller's and no matter of whoever owns the thing.
fn is_asked(event: &Event) -> bool {
    matches!(event.change, Change::Access(_) | Change::Attempt(_))
}

/// Whether a caller asked for something that is not known to be their project's: whoever tries ids must not learn from their own trail what
/// other tenants call their things.
fn is_a_strangers(cloud: &CloudModel, event: &Event) -> bool {
    if !is_asked(event) {
        return false;
    }
    let owner = event.target.as_ref().and_then(|target| {
        let kind = Kind::from_singular(&target.kind)?;
        target.project_id.as_ref().or_else(|| cloud.project_of(kind, target.id.as_ref()?))
    });
    owner.is_none() || owner != event.actor.project_id.as_ref()
}

fn group_name(cloud: &CloudModel, id: &Id) -> String {
    cloud.name_of(Kind::SecurityGroup, id).map_or_else(|| id.to_string(), str::to_owned)
}

fn rule_text(rule: &Rule) -> Option<String> {
    Some(state_text(&RuleState::from_told(rule), rule.ingress?))
}

fn state_text(state: &RuleState, ingress: bool) -> String {
    let permission = state.admits();
    let mut text = if ingress { "ingress " } else { "egress " }.to_owned();
    text.push_str(&permission.protocol.name());
    text.push_str(&permission.words());
    text.push_str(if ingress { " from " } else { " to " });
    match &permission.source {
        Source::Prefix(prefix) => text.push_str(&net_text(*prefix)),
        Source::Group(id) => text.push_str(&format!("security group {id}")),
        Source::AddressGroup(id) => text.push_str(&format!("address group {id}")),
    }
    text
}

fn step(cloud: &CloudModel, event: &Event) -> Option<Step> {
    let request = event.request_id.clone()?;
    let (stem, end) = match &event.change {
        Change::Attempt(_) => (event.event_type.strip_suffix(".start")?, false),
        Change::Objects { verb: Some(_), .. } | Change::Deleted { .. } | Change::Activity(_) => {
            (event.event_type.strip_suffix(".end")?, true)
        }
        _ => return None,
    };
    // Regions share nothing: the same id in another one is another request.
    let stem = (cloud.region().cloned(), request, stem.into());
    Some(if end { Step::End(stem) } else { Step::Start(stem) })
}
