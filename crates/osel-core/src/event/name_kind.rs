//! What Keystone and the compute service keep and give names to.

use serde::{Deserialize, Serialize};

/// What a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// A user.
    User,
    /// A project.
    Project,
    /// A domain.
    Domain,
    /// A group of users.
    Group,
    /// A role.
    Role,
    /// A server of the compute service.
    Server,
}

impl NameKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::User, Self::Project, Self::Domain, Self::Group, Self::Role, Self::Server];

    /// Whether Keystone lists it.
    pub fn is_of_keystone(self) -> bool {
        self != Self::Server
    }

    /// The API's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Domain => "domain",
            Self::Group => "group",
            Self::Role => "role",
            Self::Server => "server",
        }
    }

    /// The collection's name in the API.
    pub fn plural(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Project => "projects",
            Self::Domain => "domains",
            Self::Group => "groups",
            Self::Role => "roles",
            Self::Server => "servers",
        }
    }

    /// The kind that is called so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}
