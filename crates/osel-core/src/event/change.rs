//! The closed list of what an event can mean.

use std::borrow::Cow;

use super::{Kind, Object, Outcome};
use crate::ids::Id;

/// What was done, in the words of OpenStack's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// `create`, `created`, …
    Create,
    /// `update`, `updated`, …
    Update,
    /// `delete`, `deleted`, …
    Delete,
}

impl Verb {
    /// The verb in the infinitive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What an event changes in the cloud, or tells about it.
#[derive(Clone, Debug)]
pub enum Change {
    /// Objects of the network service as they stand after a request (`create.end`, `update.end`, `exists`).
    Objects {
        /// Created or updated; nothing for a periodic `exists`.
        verb: Option<Verb>,
        /// One, or several after a bulk request.
        objects: Vec<Object>,
    },
    /// An object of the network service is gone (`delete.end`).
    Deleted {
        /// What it was.
        kind: Kind,
        /// Which one.
        id: Id,
        /// How it looked before, where the message says so.
        last: Option<Box<Object>>,
    },
    /// A router got or lost an interface (`router.interface.create`, `.delete`).
    Interface(InterfaceChange),
    /// A request to the network service has begun (`.start`); without an `.end` it was denied or failed.
    Attempt(Attempt),
    /// Keystone created, updated or deleted something, in CADF or `basic` form.
    Identity(IdentityChange),
    /// A role was given or taken.
    Role(RoleAssignment),
    /// A login was tried.
    Authentication(AuthMethod),
    /// One half of an API call seen by the audit middleware (`audit.http.request`, `audit.http.response`).
    Access(AccessCall),
    /// A typed event of another service: its actor, target and outcome are all that is modelled.
    Activity(Activity),
    /// Kept and counted, not interpreted.
    Unmodelled,
}

/// A router's interface came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceChange {
    /// True for `create`.
    pub attached: bool,
    /// The router.
    pub router_id: Id,
    /// The interface's port.
    pub port_id: Id,
    /// The network of that port.
    pub network_id: Option<Id>,
    /// The subnets that the port serves.
    pub subnet_ids: Vec<Id>,
    /// The router's project.
    pub project_id: Option<Id>,
}

/// A request that has begun.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What was asked.
    pub verb: Verb,
    /// The resource by the event type's first word; not only modelled kinds.
    pub resource: Box<str>,
    /// The object asked for, where an id was given (not for `create`).
    pub id: Option<Id>,
    /// The objects as the caller asked for them, where the kind is modelled; ids are made up by nobody yet.
    pub asked: Vec<Object>,
}

/// Keystone created, updated or deleted something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityChange {
    /// What was done.
    pub verb: Verb,
    /// Keystone's word for the resource: `user`, `project`, `OS-TRUST:trust`, …
    pub resource: Box<str>,
    /// The resource's id.
    pub id: Option<Id>,
    /// A group's member that came or went (`basic` only).
    pub member: Option<Membership>,
    /// Keystone's reason, where it gives one (a refused password, for example).
    pub reason: Option<Box<str>>,
}

/// A user came to a group or left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The user.
    pub user_id: Id,
    /// True when added.
    pub added: bool,
}

/// A role was given to or taken from a user or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// True when given.
    pub granted: bool,
    /// The role.
    pub role_id: Option<Id>,
    /// To this user, or
    pub user_id: Option<Id>,
    /// to this group,
    pub group_id: Option<Id>,
    /// on this project, or
    pub project_id: Option<Id>,
    /// on this domain.
    pub domain_id: Option<Id>,
    /// Whether projects below inherit it.
    pub inherited: bool,
}

/// How a login was tried, and why it failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthMethod {
    /// Keystone's reason, where it gives one.
    pub reason: Option<Box<str>>,
    /// The reason's code: `401`, `404`, …
    pub reason_code: Option<Box<str>>,
    /// The identity provider of a federated login.
    pub identity_provider: Option<Box<str>>,
}

/// One half of an API call, as the audit middleware tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessCall {
    /// False for the request, true for the response.
    pub response: bool,
    /// What both halves share (`correlation_id`, else the CADF event's id).
    pub correlation: Option<Id>,
    /// CADF's action: `read/list`, `create`, `update/add_addresses`, …
    pub action: Box<str>,
    /// The path with its query, secrets removed.
    pub path: Box<str>,
    /// The service's type URI: `service/network/ports`.
    pub type_uri: Box<str>,
    /// The HTTP status, in the response.
    pub status: Option<u16>,
}

/// A typed event of Nova, Glance, Cinder, Barbican or another service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The service: `compute`, `image`, `volume`, …
    pub service: Cow<'static, str>,
    /// What was done, without the resource and the phase: `create`, `interface_attach`, …
    pub action: Box<str>,
    /// Where it ended: the `.end` of an action, or a single event; false for `.start`.
    pub done: bool,
    /// More that a reader wants to know: an image's new visibility, the project it is shared with, a volume's new owner.
    pub detail: Option<Box<str>>,
    /// The service's own word for the outcome, where it differs from the event's.
    pub outcome: Outcome,
}
