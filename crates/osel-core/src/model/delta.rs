//! What one event changed.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::event::Kind;
use crate::ids::Id;

/// What one event changed, before anybody judges it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Rows that are there now and were not before.
    pub opened: Vec<Row>,
    /// Rows that were there before and are not now.
    pub closed: Vec<Row>,
    /// Groups used as a source whose addresses changed, one line each.
    pub members: Vec<MemberChange>,
    /// What the model would have to know and does not.
    pub gaps: Vec<Gap>,
    /// Objects that changed or went, each once, in order of kind and id.
    pub touched: Vec<(Kind, Id)>,
    /// Objects of which something was not believed, because a read showed otherwise within
    /// [`CLOCK_SKEW_SECONDS`](super::CLOCK_SKEW_SECONDS) after it: if the clocks differ, it was true.
    pub unsure: Vec<(Kind, Id)>,
    /// Whether the tags of any object that was known changed.
    pub retagged: bool,
}

impl Delta {
    /// Whether no exposure changed.
    pub fn is_quiet(&self) -> bool {
        self.opened.is_empty() && self.closed.is_empty() && self.members.is_empty()
    }
}

/// The addresses of a group that rules name as their source changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberChange {
    /// A security group, or an address group.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
    /// Addresses that came.
    pub gained: Vec<IpNet>,
    /// Addresses that went.
    pub lost: Vec<IpNet>,
}

/// Something that a row would depend on and that nobody ever described.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The object that refers to it.
    pub port_id: Id,
    /// The group that nobody described.
    pub security_group_id: Id,
}
