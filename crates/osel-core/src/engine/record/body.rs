//! What one record says, as the engine makes it, and the parts that it becomes.
//!
//! Parts are JSON with a fixed order of keys: what is the same is written the same. Personal data stand in a part of their own so that
//! they can be erased; rows stand in one part per project so that a project can be shown its own. The message itself is a part
//! too, kept with the journal's entry and not twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::exposure_part::exposure_parts;
use super::wide::WideRows;
use crate::event::{Actor, Kind, Outcome, Target};
use crate::exposure::Judged;
use crate::ids::Id;
use crate::model::{MemberChange, net_text};
use crate::time::Timestamp;
use crate::trail::Part;
use crate::trail::{PartClass, RecordKind};

/// Facts that a sentence is made of, by name; both sides are short texts.
pub type Detail = BTreeMap<String, String>;

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

/// The part that is about a person.
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

/// The version of the parts that this version writes.
pub const PART_VERSION: u8 = 1;

impl RecordBody {
    /// The record's parts in their order, without the payload, which the shell adds from the message.
    pub fn parts(&self) -> Vec<Part> {
        let actor = &self.actor;
        let body = BodyPart {
            v: PART_VERSION,
            source: self.source.clone(),
            region: self.region.clone(),
            message_id: self.message_id.clone(),
            request_id: self.request_id.clone(),
            event_type: self.event_type.clone(),
            outcome: self.outcome.as_str().into(),
            user_id: actor.user_id.clone(),
            project_id: actor.project_id.clone(),
            project_name: actor.project_name.clone(),
            target: self.target.as_ref().map(|target| TargetPart {
                kind: target.kind.as_ref().into(),
                id: target.id.clone(),
                name: target.name.clone().filter(|_| !is_person(target)),
                project_id: target.project_id.clone(),
            }),
            cause: self.cause,
            conflicting: self.conflicting,
            members: self.exposure.members.iter().map(member_part).collect(),
            detail: self.detail.clone(),
        };
        let mut parts = vec![Part { class: PartClass::Body, project: self.project(), bytes: json(&body) }];
        let personal = PersonalPart {
            v: PART_VERSION,
            user_name: actor.user_name.clone(),
            address: actor.address.clone(),
            agent: actor.agent.clone(),
            target_name: self
                .target
                .as_ref()
                .filter(|target| is_person(target))
                .and_then(|target| target.name.clone()),
            detail: self.personal.clone(),
        };
        if personal != (PersonalPart { v: PART_VERSION, ..PersonalPart::default() }) {
            parts.push(Part { class: PartClass::Personal, project: self.project(), bytes: json(&personal) });
        }
        exposure_parts(&self.exposure, &self.wide, &mut parts);
        parts
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

/// A part's bytes. These types have string keys only and no floats, so that writing cannot fail.
pub(super) fn json(part: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(part).unwrap_or_default()
}
