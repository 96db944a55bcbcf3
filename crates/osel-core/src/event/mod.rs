//! What comes in, and what it means: [`RawMessage`] before decoding, [`Event`] after it.
//!
//! Only data lives here. `decode` makes these values from bytes; `model` merges the [`Object`]s; `engine` turns the rest into
//! records. Nothing here is serialisable on purpose: what is stored has a wire form of its own, with a version.

mod assignment;
mod change;
mod mac;
mod message;
mod name_kind;
mod object;
mod object_services;
mod tags;

pub use assignment::{Assignment, AssignmentScope, Holder};
pub use change::{
    AccessCall, Activity, Attempt, AuthMethod, Change, IdentityChange, InterfaceChange, Membership,
    RoleAssignment, Verb,
};
pub use mac::Mac;
pub use message::{
    Actor, ClientAddress, Compression, Digest, Event, Outcome, Properties, RawMessage, Target,
};
pub use name_kind::NameKind;
pub use object::{
    AddressGroup, FixedIp, FloatingIp, Forwarding, Gateway, Kind, Network, Object, Port, PortRange,
    RbacPolicy, Router, Rule, SecurityGroup, Subnet, Trunk, Version,
};
pub use object_services::{
    AddressScope, FirewallGroup, FirewallPolicy, FirewallRule, Listener, LoadBalancer, Route, SubnetPool,
};
pub use tags::{TAG_CHARS_MAX, TAGS_MAX, Tags, is_tag};
