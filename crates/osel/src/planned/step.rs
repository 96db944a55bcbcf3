//! What a plan does, in Neutron's words: data only.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use osel_core::ids::Id;
use osel_core::model::Kind;
use serde_json::{Map, Value};

use super::note::Note;

/// The most steps of a plan: Terraform itself needs hours for as many resources.
pub const STEPS_MAX: usize = 100_000;

/// An object as Neutron's API has it. A key that is missing was left to Neutron.
pub type Body = Map<String, Value>;

/// A plan: what is done in which order, and what is to be said about it.
#[derive(Debug, Default)]
pub struct Planned {
    /// What is done.
    pub steps: Vec<Step>,
    /// What was found while it was read.
    pub notes: Vec<Note>,
    /// Texts of it that must not be shown.
    pub secrets: BTreeSet<String>,
    /// Whether the steps are made in this very order; Terraform finds one of its own.
    pub in_order: bool,
    /// Ports and networks whose port security is not known and is taken as off, which is no mistake of the plan.
    pub taken_as_open: BTreeSet<Id>,
    /// New ports whose list of groups may turn out empty: then they get the default group, and no other.
    pub may_have_default: BTreeSet<Id>,
    /// Whether new ports are filtered on networks that the plan shows and does not change.
    pub port_security: BTreeMap<Id, bool>,
}

/// What one resource or request does.
#[derive(Debug)]
pub struct Step {
    /// Its name in the plan: `openstack_networking_port_v2.web`, `request 3`.
    pub resource: Arc<str>,
    /// The line of the plan that it stands on, from 1; 1 where that cannot be told.
    pub line: usize,
    /// What it does.
    pub acts: Vec<Act>,
}

/// One thing that is done to the cloud.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// An object is made.
    Create {
        /// What it is.
        kind: Kind,
        /// What stands for its id until it has one.
        id: Id,
        /// How it is asked for.
        body: Body,
        /// Keys of rows whose values stem from values that must not be shown.
        secret: Vec<&'static str>,
    },
    /// An object is changed; keys that are missing stay.
    Update {
        /// What it is.
        kind: Kind,
        /// Which one.
        id: Id,
        /// What is changed.
        body: Body,
        /// Keys of rows whose values stem from values that must not be shown.
        secret: Vec<&'static str>,
    },
    /// An object goes.
    Delete {
        /// What it is.
        kind: Kind,
        /// Which one.
        id: Id,
    },
    /// A router gets an interface.
    Attach(Interface),
    /// A router loses an interface.
    Detach(Interface),
    /// Addresses come to an address group and go from it.
    Addresses {
        /// The group.
        group: Id,
        /// What comes.
        add: Vec<Value>,
        /// What goes.
        remove: Vec<Value>,
    },
    /// Security groups come to a port and go from it; the others stay.
    Groups {
        /// The port.
        port: Id,
        /// What comes.
        add: Vec<Id>,
        /// What goes.
        remove: Vec<Id>,
    },
    /// A floating IP that is known by its address leads to a port, or to none.
    Associate {
        /// Its address.
        address: IpAddr,
        /// The port's id and its inner address, or null.
        body: Body,
    },
}

/// A router on a network: by a port that is there, or by one that Neutron makes on a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The router.
    pub router: Id,
    /// The port.
    pub port: Option<Id>,
    /// The subnet.
    pub subnet: Option<Id>,
}
