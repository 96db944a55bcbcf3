//! What one record says, as the engine makes it, and the parts that it becomes.
//!
//! Parts are JSON with a fixed order of keys: what is the same is written the same. Personal data stand in a part for each person so that
//! each can be erased; rows stand in one part per project so that a project can be shown its own. The message itself is a part
//! too, kept with the journal's entry and not twice.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::exposure_part::exposure_parts;
use super::json::Object;
use super::wide::WideRows;
use crate::event::{Actor, Kind, Outcome, Target};
use crate::exposure::Judged;
use crate::ids::Id;
use crate::model::{MemberChange, net_text};
use crate::time::Timestamp;
use crate::trail::{Part, PartClass, Person, RecordKind};

/// Facts that a sentence is made of, by name; both sides are short texts, and nearly all names are written in this program.
pub type Detail = BTreeMap<Cow<'static, str>, String>;

/// What one record says.
#[derive(Clone, Debug)]
pub struct RecordBody {
    /// What it is about.
    pub kind: RecordKind,
    /// When it happened, by the message's own word.
    pub time: Timestamp,
    /// When it was received or found out.
    pub recorded_at: Timestamp,
    /// The source of the message.
    pub source: Option<Arc<str>>,
    /// The region.
    pub region: Option<Arc<str>>,
    /// The message's id; none for what only follows from a message.
    pub message_id: Option<Box<str>>,
    /// The request that caused it.
    pub request_id: Option<Id>,
    /// The notification's type.
    pub event_type: Option<Box<str>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Who, with the names that were valid then.
    pub actor: Actor,
    /// To what.
    pub target: Option<Target>,
    /// The record it follows from.
    pub cause: Option<u64>,
    /// The message's id was used before for another content.
    pub conflicting: bool,
    /// What became reachable or unreachable.
    pub exposure: Judged,
    /// Which of these rows are not written down one by one, because a rule has them on many ports.
    pub wide: Vec<WideRows>,
    /// More.
    pub detail: Detail,
    /// More that is about a person: names of users other than the actor.
    pub personal: Detail,
}

/// The part that everybody who may read the record reads.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BodyPart {
    /// The part's version.
    pub v: u8,
    /// See [`RecordBody`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Arc<str>>,
    /// See [`RecordBody`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// See [`RecordBody`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Box<str>>,
    /// See [`RecordBody`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Id>,
    /// See [`RecordBody`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<Box<str>>,
    /// CADF's word.
    pub outcome: Box<str>,
    /// The actor's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Id>,
    /// The actor's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Id>,
    /// That project's name then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_name: Option<Box<str>>,
    /// To what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetPart>,
    /// The record it follows from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// The message's id was used before for another content.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conflicting: bool,
    /// Groups whose addresses changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberPart>,
    /// More.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: Detail,
}

/// To what something was done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TargetPart {
    /// The resource's kind.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Its name then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// Its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Id>,
}

/// A group whose addresses changed: one of the two ids is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MemberPart {
    /// The security group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group: Option<Id>,
    /// The address group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_group: Option<Id>,
    /// Addresses that came.
    pub gained: Vec<Box<str>>,
    /// Addresses that went.
    pub lost: Vec<Box<str>>,
}

/// A part that is about a person, or what all such parts of a record say together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalPart {
    /// The part's version.
    pub v: u8,
    /// The user's name then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<Box<str>>,
    /// The client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Box<str>>,
    /// The client's user agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Box<str>>,
    /// The name of the user that something was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_name: Option<Box<str>>,
    /// More.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: Detail,
}

impl PersonalPart {
    /// Takes what a further part of the record says, about the same person or another one.
    pub(super) fn add(&mut self, other: Self) {
        let Self { v, user_name, address, agent, target_name, detail } = other;
        self.v = self.v.max(v);
        for (known, said) in [
            (&mut self.user_name, user_name),
            (&mut self.address, address),
            (&mut self.agent, agent),
            (&mut self.target_name, target_name),
        ] {
            *known = known.take().or(said);
        }
        self.detail.extend(detail);
    }
}

/// The version of the parts that this version writes.
pub const PART_VERSION: u8 = 1;

/// A part that was written behind others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPart {
    /// See [`Part`].
    pub class: PartClass,
    /// See [`Part`].
    pub project: Option<Id>,
    /// See [`Part`].
    pub person: Option<Person>,
    /// Where it was written.
    pub place: Range<usize>,
}

impl RecordBody {
    /// The record's parts in their order, without the payload, which the shell adds from the message.
    pub fn parts(&self) -> Vec<Part> {
        let (mut bytes, mut parts) = (Vec::new(), Vec::new());
        self.write_parts(&mut bytes, &mut parts);
        let parts = parts.into_iter().map(|WrittenPart { class, project, person, place }| {
            let bytes = bytes.get(place).unwrap_or_default().to_vec();
            Part { class, project, person, bytes }
        });
        parts.collect()
    }

    /// [`Self::parts`], their bytes behind what is in `out`, where many records can be in one piece of memory.
    pub fn write_parts(&self, out: &mut Vec<u8>, parts: &mut Vec<WrittenPart>) {
        let start = out.len();
        self.body_part(out);
        let (class, project, place) = (PartClass::Body, self.project(), start..out.len());
        parts.push(WrittenPart { class, project, person: None, place });
        self.personal_parts(out, parts);
        exposure_parts(&self.exposure, &self.wide, out, parts);
    }

    /// [`BodyPart`] as JSON.
    fn body_part(&self, out: &mut Vec<u8>) {
        let mut part = Object::begin(out);
        part.number("v", PART_VERSION.into());
        part.text_if("source", self.source.as_deref());
        part.text_if("region", self.region.as_deref());
        part.text_if("message_id", self.message_id.as_deref());
        part.id_if("request_id", self.request_id.as_ref());
        part.text_if("event_type", self.event_type.as_deref());
        part.text("outcome", self.outcome.as_str());
        part.id_if("user_id", self.actor.user_id.as_ref());
        part.id_if("project_id", self.actor.project_id.as_ref());
        part.text_if("project_name", self.actor.project_name.as_deref());
        if let Some(target) = &self.target {
            let mut within = part.object("target");
            within.text("type", &target.kind);
            within.id_if("id", target.id.as_ref());
            within.text_if("name", target.name.as_deref().filter(|_| !is_person(target)));
            within.id_if("project_id", target.project_id.as_ref());
            within.end();
        }
        if let Some(cause) = self.cause {
            part.number("cause", cause);
        }
        if self.conflicting {
            part.value("conflicting", &true);
        }
        if !self.exposure.members.is_empty() {
            let members: Vec<MemberPart> = self.exposure.members.iter().map(member_part).collect();
            part.value("members", &members);
        }
        part.texts_if("detail", &self.detail);
        part.end();
    }

    /// A part for each person, as [`PersonalPart`] in JSON: who acted, whom it was done to, and whose name is in [`Self::personal`].
    fn personal_parts(&self, out: &mut Vec<u8>, parts: &mut Vec<WrittenPart>) {
        let persons = [self.acting(), self.target_person(), self.named_person()];
        for (place, person) in persons.iter().enumerate() {
            let Some(person) = person else { continue };
            let is_theirs = |place: usize| persons.get(place).is_some_and(|of| of.as_ref() == Some(person));
            if (0..place).any(is_theirs) {
                // It stands with what was written of them first.
                continue;
            }
            let start = out.len();
            let mut part = Object::begin(out);
            part.number("v", PART_VERSION.into());
            if is_theirs(0) {
                part.text_if("user_name", self.actor.user_name.as_deref());
                part.text_if("address", self.actor.address.as_deref());
                part.text_if("agent", self.actor.agent.as_deref());
            }
            if is_theirs(1) {
                part.text_if("target_name", self.target_name());
            }
            if is_theirs(2) {
                part.texts_if("detail", &self.personal);
            }
            part.end();
            let (class, project, place) = (PartClass::Personal, self.project(), start..out.len());
            parts.push(WrittenPart { class, project, person: Some(person.clone()), place });
        }
    }

    /// Who acted, where anything personal is known of them.
    fn acting(&self) -> Option<Person> {
        let Actor { user_id, user_name, address, agent, .. } = &self.actor;
        if user_name.is_none() && address.is_none() && agent.is_none() {
            return None;
        }
        Some(match (user_id, user_name, address) {
            (Some(id), ..) => Person::user(id),
            (None, Some(name), _) => Person::named(name),
            (None, None, Some(address)) => Person::at(address),
            (None, None, None) => Person::unknown(),
        })
    }

    /// The person that it was done to, where the name is known.
    fn target_person(&self) -> Option<Person> {
        let name = self.target_name()?;
        let id = self.target.as_ref().and_then(|target| target.id.as_ref());
        Some(id.map_or_else(|| Person::named(name), Person::user))
    }

    /// The person whose name is in [`Self::personal`]: the user of a role, whose id stands with the other details.
    fn named_person(&self) -> Option<Person> {
        let name = self.personal.values().next()?;
        let id = self.detail.get("user").map(|id| Id::new(id));
        Some(id.map_or_else(|| Person::named(name), |id| Person::user(&id)))
    }

    /// The target's name, where it is a person's.
    fn target_name(&self) -> Option<&str> {
        self.target.as_ref().filter(|target| is_person(target)).and_then(|target| target.name.as_deref())
    }

    /// The project that the record is about: its target's, else the actor's.
    pub fn project(&self) -> Option<Id> {
        let of_target = self.target.as_ref().and_then(|target| target.project_id.clone());
        of_target.or_else(|| self.actor.project_id.clone())
    }
}

fn is_person(target: &Target) -> bool {
    target.kind == "user"
}

fn member_part(change: &MemberChange) -> MemberPart {
    let of = |kind: Kind| (change.kind == kind).then(|| change.id.clone());
    let texts = |nets: &[ipnet::IpNet]| nets.iter().map(|net| net_text(*net).into()).collect();
    MemberPart {
        security_group: of(Kind::SecurityGroup),
        address_group: of(Kind::AddressGroup),
        gained: texts(&change.gained),
        lost: texts(&change.lost),
    }
}

/// Writes a part's bytes behind what is in `out`. These types have string keys only and no floats, so that writing cannot fail.
pub(super) fn write_json(part: &impl Serialize, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, part);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> RecordBody {
        let person = Target {
            kind: "user".into(),
            id: Some(Id::new("0134e963d2cb47acb1cbded3d170eb51")),
            name: Some("Zoë \"Z\" \\ \u{1}".into()),
            project_id: Some(Id::new("odd \"project\"")),
        };
        RecordBody {
            kind: RecordKind::Change,
            time: Timestamp::EPOCH,
            recorded_at: Timestamp::EPOCH,
            source: Some("bus".into()),
            region: Some("north".into()),
            message_id: Some("m".into()),
            request_id: Some(Id::new("req-1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac")),
            event_type: Some("identity.user.updated".into()),
            outcome: Outcome::Success,
            actor: Actor {
                user_id: Some(Id::new("1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac")),
                user_name: Some("ada".into()),
                user_domain_id: None,
                project_id: Some(Id::new("p")),
                project_name: Some("aster".into()),
                address: Some("192.0.2.1".into()),
                agent: Some("curl\t8".into()),
            },
            target: Some(person),
            cause: Some(7),
            conflicting: true,
            exposure: Judged {
                members: vec![MemberChange {
                    kind: Kind::SecurityGroup,
                    id: Id::new("g"),
                    gained: vec!["10.0.0.1/32".parse().expect("a net")],
                    lost: vec![],
                }],
                ..Judged::default()
            },
            wide: Vec::new(),
            detail: Detail::from([("verb".into(), "update".into()), ("extra".into(), "\n".into())]),
            personal: Detail::from([("user_name".into(), "bob".into())]),
        }
    }

    fn json(part: &impl Serialize) -> Vec<u8> {
        serde_json::to_vec(part).expect("it has string keys only")
    }

    /// What is written is what the types that it is read into would be written as, to the byte.
    fn check(record: &RecordBody) {
        for part in record.parts() {
            let again = match part.class {
                PartClass::Body => json(&serde_json::from_slice::<BodyPart>(&part.bytes).expect("a body")),
                PartClass::Personal => {
                    json(&serde_json::from_slice::<PersonalPart>(&part.bytes).expect("personal data"))
                }
                PartClass::Exposure | PartClass::Payload => continue,
            };
            assert_eq!(String::from_utf8_lossy(&part.bytes), String::from_utf8_lossy(&again));
        }
    }

    #[test]
    fn parts_are_written_as_their_types_are() {
        let full = full();
        check(&full);
        assert_eq!(full.parts().len(), 4);
        let body: BodyPart = serde_json::from_slice(&full.parts()[0].bytes).expect("a body");
        assert_eq!(
            (body.conflicting, body.cause, body.members.len(), body.detail.len()),
            (true, Some(7), 1, 2)
        );
        assert_eq!(body.target.expect("a target").name, None, "a person's name is personal");
        let of_target: PersonalPart = serde_json::from_slice(&full.parts()[2].bytes).expect("personal data");
        assert_eq!(of_target.target_name, full.target.as_ref().and_then(|target| target.name.clone()));
        assert_eq!(of_target.user_name, None, "another person's");

        let thing = full.target.clone().map(|target| Target { kind: "port".into(), ..target });
        check(&RecordBody { target: thing, ..full.clone() });
        let bare = RecordBody {
            source: None,
            region: None,
            message_id: None,
            request_id: None,
            event_type: None,
            actor: Actor::default(),
            target: None,
            cause: None,
            conflicting: false,
            exposure: Judged::default(),
            detail: Detail::new(),
            personal: Detail::new(),
            ..full
        };
        check(&bare);
        assert_eq!(bare.parts().len(), 1, "nothing about a person");
    }

    /// Whom the personal parts are about.
    fn persons(record: &RecordBody) -> Vec<Person> {
        record.parts().into_iter().filter_map(|part| part.person).collect()
    }

    #[test]
    fn each_person_has_a_part() {
        let user = |id: &str| Person::user(&Id::new(id));
        let [actor, target] =
            ["1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac", "0134e963d2cb47acb1cbded3d170eb51"].map(user);
        assert_eq!(persons(&full()), [actor.clone(), target.clone(), Person::named("bob")]);

        let mut role = full();
        role.detail.insert("user".into(), "0134e963d2cb47acb1cbded3d170eb51".into());
        assert_eq!(persons(&role), [actor.clone(), target], "the target is the one who has the role");

        let mut own = full();
        own.personal.clear();
        own.target.as_mut().expect("a target").id = own.actor.user_id.clone();
        assert_eq!(persons(&own), [actor], "who changes their own name is one person");
        let parts = own.parts();
        let part: PersonalPart = serde_json::from_slice(&parts[1].bytes).expect("personal data");
        assert!(part.user_name.is_some() && part.target_name.is_some());
    }

    #[test]
    fn nothing_personal_is_nobodys() {
        let mut record = full();
        (record.target, record.actor.user_id) = (None, None);
        record.personal.clear();
        assert_eq!(persons(&record), [Person::named("ada")]);
        record.actor.user_name = None;
        assert_eq!(persons(&record), [Person::at("192.0.2.1")]);
        record.actor.address = None;
        assert_eq!(persons(&record), [Person::unknown()]);
        record.actor.agent = None;
        assert_eq!(persons(&record), []);
    }
}
