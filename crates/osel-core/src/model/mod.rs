//! The cloud as osel knows it: merged from notifications and API answers in any order.
//!
//! [`CloudModel::apply`] takes an event and says what changed; [`View`] is how `exposure` looks at the result. It must not decode,
//! judge or keep records.

mod apply;
mod auto_addresses;
mod bulk;
mod changes;
mod cloud;
mod delete;
mod delta;
mod difference;
mod expand;
mod find;
mod floating;
mod index;
mod members;
mod permission;
mod persist;
mod row;
mod service_state;
mod services;
mod shown;
mod sketch;
mod slots;
mod spoken;
mod stamp;
mod state;
mod table;
mod tags;
#[cfg(test)]
mod tests;
mod ties;
mod tombstone;
mod view;
mod words;

pub use bulk::Bulk;
pub use cloud::{CloudModel, ModelOptions};
pub use delta::{Delta, Gap, MemberChange};
pub use difference::{Difference, Merged};
pub use permission::{Permission, Ports, Protocol, Source, host};
pub use persist::{MODEL_FORMAT, StateLine};
pub use row::{Row, RowKey, Via, address_head, net_text, sort_by_row, sort_rows};
pub use service_state::{
    AddressScopeState, FirewallGroupState, FirewallPolicyState, FirewallRuleState, ListenerState,
    LoadBalancerState, SubnetPoolState,
};
pub use shown::each_shown;
pub use stamp::{CLOCK_SKEW_SECONDS, Fields, Stamp};
pub use state::{
    AddressGroupState, FloatingIpState, ForwardingState, GroupState, NetworkState, PortState,
    RbacPolicyState, RouterState, RuleState, SubnetState, TrunkState, is_interface_owner, is_trusted_owner,
};
pub use table::Slot;
pub use ties::{Tie, Ties};
pub use tombstone::{TOMBSTONE_SECONDS, TOMBSTONES_MAX};
pub use view::{ScopeOf, View};
pub use words::{TAGS, Words, words};

// What states are made of: whoever looks at a model needs no other words.
pub use crate::event::{Gateway, Kind, PortRange, Route, Tags};
