//! A role that a user or a group has somewhere: data only.

use serde::{Deserialize, Serialize};

use super::{NameKind, RoleAssignment};
use crate::ids::Id;

/// A role that is given to somebody somewhere. Two that are equal are the same one: Keystone gives them no ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Assignment {
    /// Who has it.
    pub holder: Holder,
    /// Where.
    pub scope: AssignmentScope,
    /// The role.
    pub role: Id,
    /// Whether the projects below have it instead of the project or domain itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inherited: bool,
}

/// Who has a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// One user.
    User(Id),
    /// Each user of a group.
    Group(Id),
}

/// Where somebody has a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentScope {
    /// On the cloud itself.
    System,
    /// On a project.
    Project(Id),
    /// On a domain.
    Domain(Id),
}

impl Assignment {
    /// What Keystone calls the collection.
    pub const PLURAL: &'static str = "role_assignments";
    /// What one of them is called.
    pub const SINGULAR: &'static str = "role_assignment";

    /// What an event gave or took; nothing where it does not say who, what or where.
    pub fn of_event(told: &RoleAssignment) -> Option<Self> {
        let user = || told.user_id.clone().map(Holder::User);
        let group = || told.group_id.clone().map(Holder::Group);
        let project = || told.project_id.clone().map(AssignmentScope::Project);
        let domain = || told.domain_id.clone().map(AssignmentScope::Domain);
        Some(Self {
            holder: user().or_else(group)?,
            scope: project().or_else(domain)?,
            role: told.role_id.clone()?,
            inherited: told.inherited,
        })
    }

    /// What it hangs on: with one of these it goes, without a word of its own.
    pub fn parts(&self) -> impl Iterator<Item = (NameKind, &Id)> {
        let holder = match &self.holder {
            Holder::User(id) => (NameKind::User, id),
            Holder::Group(id) => (NameKind::Group, id),
        };
        let scope = match &self.scope {
            AssignmentScope::System => None,
            AssignmentScope::Project(id) => Some((NameKind::Project, id)),
            AssignmentScope::Domain(id) => Some((NameKind::Domain, id)),
        };
        [Some(holder), scope, Some((NameKind::Role, &self.role))].into_iter().flatten()
    }
}
