//! Objects as the model holds them: merged from every statement about them, field by field.
//!
//! Each state knows its own fields and how a statement ([`crate::event::Object`]) is merged into it. What follows from a merge
//! for other objects (sets, indexes, rows) is not decided here but in `apply`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::floating::forwarding_id;
use super::permission::{Permission, Source};
use super::stamp::{FieldStamps, Fields};
use crate::event::{self, FixedIp, Gateway, Mac, PortRange, Route, Tags};
use crate::ids::Id;
use crate::time::Timestamp;

/// What a merge needs to know of an object state.
pub trait State {
    /// What messages say of such an object.
    type Told;

    /// A state of which nothing was said yet.
    fn unknown(id: Id) -> Self;
    /// Its id.
    fn id(&self) -> &Id;
    /// The project that owns it.
    fn project_id(&self) -> Option<&Id>;
    /// Who said what last.
    fn stamps(&self) -> &FieldStamps;
    /// Who said what last, to be changed.
    fn stamps_mut(&mut self) -> &mut FieldStamps;
    /// The fields that a statement speaks of.
    fn given(told: &Self::Told) -> Fields;
    /// Takes the fields in `news` from the statement.
    fn take(&mut self, told: &Self::Told, news: Fields);
}

/// Whether a field has the value that is assumed when it is not written down.
pub(super) fn absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

macro_rules! state {
    ($(#[$doc:meta])* $state:ident from $told:path { $($(#[$field_doc:meta])* $field:ident : $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $state {
            /// Its id.
            pub id: Id,
            /// Who said what last.
            pub stamps: FieldStamps,
            /// The project that owns it.
            #[serde(default, skip_serializing_if = "absent")]
            pub project_id: Option<Id>,
            $($(#[$field_doc])* #[serde(default, skip_serializing_if = "absent")] pub $field: $type,)*
        }
    };
}

macro_rules! merged {
    ($state:ident from $told:path $(as $told_name:ident)?, also { $($also:ident : $default:expr),* }, $($bit:literal $field:ident = $default_field:expr => |$value:ident| $take:expr;)*) => {
        impl State for $state {
            type Told = $told;

            fn unknown(id: Id) -> Self {
                Self { id, stamps: FieldStamps::default(), project_id: None, $($field: $default_field,)* $($also: $default,)* }
            }

            fn id(&self) -> &Id {
                &self.id
            }

            fn project_id(&self) -> Option<&Id> {
                self.project_id.as_ref()
            }

            fn stamps(&self) -> &FieldStamps {
                &self.stamps
            }

            fn stamps_mut(&mut self) -> &mut FieldStamps {
                &mut self.stamps
            }

            fn given(told: &Self::Told) -> Fields {
                let mut given = Fields::from(told.version.project_id.is_some());
                $(given |= Fields::from(told.$field.is_some()) << $bit;)*
                given
            }

            fn take(&mut self, told: &Self::Told, news: Fields) {
                $(let $told_name = told;)?
                if let (Some(project_id), true) = (&told.version.project_id, news & 1 != 0) {
                    self.project_id.clone_from(project_id);
                }
                $(if let (Some($value), true) = (&told.$field, news & (1 << $bit) != 0) {
                    self.$field = $take;
                })*
            }
        }
    };
}

pub(super) use {merged, state};

/// What `router.interface.create` says of a port; of two the later one counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The router.
    pub router_id: Id,
    /// The notification's time.
    pub time: Timestamp,
    /// The notification's id, which decides between equal times.
    pub message: Option<Arc<Id>>,
}

impl PartialOrd for Interface {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some((self.time, &self.message).cmp(&(other.time, &other.message)))
    }
}

state! {
    /// A port.
    PortState from event::Port {
        /// Its name; empty when it has none.
        name: Box<str>,
        /// Its network.
        network_id: Option<Id>,
        /// The server or other device it belongs to.
        device_id: Option<Id>,
        /// What made it, for example `compute:nova` or `network:dhcp`; a few words on a million ports, so they are shared.
        device_owner: Option<Arc<str>>,
        /// Administrative state.
        admin_state_up: bool,
        /// Whether security groups are enforced.
        port_security_enabled: bool,
        /// The address of its interface.
        mac_address: Option<Mac>,
        /// Its addresses.
        fixed_ips: Box<[FixedIp]>,
        /// Allowed address pairs, in network form.
        allowed_address_pairs: Box<[IpNet]>,
        /// Its security groups, sorted, each once.
        security_groups: Box<[Id]>,
        /// Its tags.
        tags: Tags,
        /// The router whose interface it is, told by `router.interface.create`.
        interface_of: Option<Box<Interface>>,
    }
}
merged! { PortState from event::Port, also { interface_of: None },
    1 name = Box::from("") => |name| name.clone();
    2 network_id = None => |network_id| Some(network_id.clone());
    3 device_id = None => |device_id| device_id.clone();
    4 device_owner = None => |owner| owner.as_deref().map(Arc::from);
    5 admin_state_up = true => |up| *up;
    6 port_security_enabled = true => |enabled| *enabled;
    7 fixed_ips = Box::default() => |fixed_ips| fixed_ips.clone().into();
    8 allowed_address_pairs = Box::default() => |pairs| pairs.clone().into();
    9 security_groups = Box::default() => |groups| sorted(groups);
    10 tags = Tags::default() => |tags| tags.clone();
    11 mac_address = None => |address| Some(*address);
}

fn sorted(ids: &[Id]) -> Box<[Id]> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}

/// Whether the network service owns what has this owner.
pub fn is_trusted_owner(owner: &str) -> bool {
    owner.starts_with("network:") || owner.starts_with("neutron:")
}

/// Whether an owner is that of a router's interface.
pub fn is_interface_owner(owner: &str) -> bool {
    const INTERFACES: [&str; 3] = [
        "network:router_interface",
        "network:router_interface_distributed",
        "network:ha_router_replicated_interface",
    ];
    INTERFACES.contains(&owner)
}

impl PortState {
    /// The field that holds the addresses.
    pub(super) const FIXED_IPS: Fields = 1 << 7;
    /// The field that holds the tags.
    pub(super) const TAGS: Fields = 1 << 10;

    /// The field that holds the owner.
    const DEVICE_OWNER: Fields = 1 << 4;

    /// Whether Neutron never filters it: owned by the network service, or a router's interface.
    pub fn trusted(&self) -> bool {
        self.interface().is_some() || self.device_owner.as_deref().is_some_and(is_trusted_owner)
    }

    /// The router whose interface it is by the word of an event, unless its own, later body names another owner. One without any may
    /// have been read before the port became the interface, and sent after that.
    fn interface(&self) -> Option<&Interface> {
        let interface = self.interface_of.as_deref()?;
        let has_other = self.device_owner.as_deref().is_some_and(|owner| !is_trusted_owner(owner));
        let told = self.stamps.of(Self::DEVICE_OWNER).map(|told| told.time);
        (!has_other || told <= Some(interface.time)).then_some(interface)
    }

    /// Whether it is the interface of a router on its network.
    pub fn router(&self) -> Option<&Id> {
        if let Some(interface) = self.interface() {
            return Some(&interface.router_id);
        }
        self.device_owner.as_deref().filter(|owner| is_interface_owner(owner)).and(self.device_id.as_ref())
    }
}

state! {
    /// A security group; its rules are objects of their own.
    GroupState from event::SecurityGroup {
        /// Its name.
        name: Box<str>,
        /// Whether replies pass by themselves; nothing where nobody said, and then they do.
        stateful: Option<bool>,
        /// Its tags.
        tags: Tags,
    }
}
merged! { GroupState from event::SecurityGroup, also { },
    1 name = Box::from("") => |name| name.clone();
    2 stateful = None => |stateful| Some(*stateful);
    3 tags = Tags::default() => |tags| tags.clone();
}

impl GroupState {
    /// The field that holds the tags.
    pub(super) const TAGS: Fields = 1 << 3;

    /// Whether anybody ever described it; a group that is only named by ports and rules is not.
    pub fn described(&self) -> bool {
        self.stamps.said() != 0
    }
}

state! {
    /// A rule of a security group.
    RuleState from event::Rule {
        /// The group it belongs to.
        security_group_id: Option<Id>,
        /// True for `ingress`.
        ingress: bool,
        /// True for `IPv6`.
        ipv6: bool,
        /// The protocol as sent, shared with all rules of the same.
        protocol: Option<Arc<str>>,
        /// A port or an ICMP type.
        port_range_min: Option<i32>,
        /// A port or an ICMP code.
        port_range_max: Option<i32>,
        /// From these addresses,
        remote_ip_prefix: Option<IpNet>,
        /// or from this group's ports,
        remote_group_id: Option<Box<Id>>,
        /// or from this address group.
        remote_address_group_id: Option<Box<Id>>,
    }
}
merged! { RuleState from event::Rule, also { },
    1 security_group_id = None => |group| Some(group.clone());
    2 ingress = false => |ingress| *ingress;
    3 ipv6 = false => |ipv6| *ipv6;
    4 protocol = None => |protocol| protocol.as_deref().map(Arc::from);
    5 port_range_min = None => |min| *min;
    6 port_range_max = None => |max| *max;
    7 remote_ip_prefix = None => |prefix| *prefix;
    8 remote_group_id = None => |group| group.clone().map(Box::new);
    9 remote_address_group_id = None => |group| group.clone().map(Box::new);
}

/// What a rule is to others: to the ports of its group, and to the group it names, in whichever direction: without that group it is
/// void.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) permission: Option<Permission>,
    pub(super) source: Option<Box<Id>>,
}

impl RuleState {
    /// The field that holds the protocol.
    pub(super) const PROTOCOL: Fields = 1 << 4;

    /// The bit of its direction.
    const INGRESS: Fields = 1 << 2;

    /// The rule that one statement alone describes.
    pub fn from_told(told: &event::Rule) -> Self {
        let mut state = Self::unknown(told.version.id.clone().unwrap_or_else(|| Id::new("")));
        state.take(told, Fields::MAX);
        state
    }

    /// Whether somebody told its direction.
    pub fn is_directed(&self) -> bool {
        self.stamps.said() & Self::INGRESS != 0
    }

    /// What it admits to its ports; nothing for an egress rule.
    pub fn permission(&self) -> Option<Permission> {
        self.ingress.then(|| self.admits())
    }

    /// What it is to others.
    pub(super) fn standing(&self) -> Standing {
        Standing { permission: self.permission(), source: self.remote_group_id.clone() }
    }

    /// What it admits, in whichever direction.
    pub fn admits(&self) -> Permission {
        let source = match (&self.remote_group_id, &self.remote_address_group_id, self.remote_ip_prefix) {
            (Some(group), _, _) => Source::Group(Id::clone(group)),
            (_, Some(group), _) => Source::AddressGroup(Id::clone(group)),
            (_, _, Some(prefix)) => Source::Prefix(prefix),
            (None, None, None) => Source::family(self.ipv6),
        };
        let (min, max) = (self.port_range_min, self.port_range_max);
        Permission::new(self.ipv6, self.protocol.as_deref(), min, max, source)
    }
}

state! {
    /// An address group.
    AddressGroupState from event::AddressGroup {
        /// Its name.
        name: Box<str>,
        /// Its addresses, in network form.
        addresses: Box<[IpNet]>,
    }
}
merged! { AddressGroupState from event::AddressGroup, also { },
    1 name = Box::from("") => |name| name.clone();
    2 addresses = Box::default() => |addresses| addresses.clone().into();
}

state! {
    /// A floating IP.
    FloatingIpState from event::FloatingIp {
        /// The outer address.
        floating_ip_address: Option<IpAddr>,
        /// The network it is taken from.
        floating_network_id: Option<Id>,
        /// The inner address.
        fixed_ip_address: Option<IpAddr>,
        /// The port it leads to.
        port_id: Option<Id>,
        /// The router that translates.
        router_id: Option<Id>,
        /// The forwardings that its body lists, by id.
        forwardings: Box<[Id]>,
        /// Its tags.
        tags: Tags,
    }
}
merged! { FloatingIpState from event::FloatingIp as told, also { },
    1 floating_ip_address = None => |address| Some(*address);
    2 floating_network_id = None => |network| Some(network.clone());
    3 fixed_ip_address = None => |address| *address;
    4 port_id = None => |port| port.clone();
    5 router_id = None => |router| router.clone();
    6 forwardings = Box::default() => |list| listed(told, list);
    7 tags = Tags::default() => |tags| tags.clone();
}
/// The forwardings that a floating IP's body lists.
fn listed(told: &event::FloatingIp, list: &[event::Forwarding]) -> Box<[Id]> {
    let Some(id) = &told.version.id else { return Box::default() };
    list.iter().map(|each| forwarding_id(id, each)).collect()
}

impl FloatingIpState {
    /// The field that holds the list of forwardings.
    pub const FORWARDINGS: Fields = 1 << 6;
    /// The field that holds the tags.
    pub(super) const TAGS: Fields = 1 << 7;
}

state! {
    /// A port forwarding of a floating IP.
    ForwardingState from event::Forwarding {
        /// Its floating IP; unknown when only events told of it.
        floatingip_id: Option<Id>,
        /// The protocol as sent.
        protocol: Option<Box<str>>,
        /// The port it leads to.
        internal_port_id: Option<Id>,
        /// The inner address.
        internal_ip_address: Option<IpAddr>,
        /// Inner ports.
        internal: Option<PortRange>,
        /// Outer ports.
        external: Option<PortRange>,
    }
}
merged! { ForwardingState from event::Forwarding, also { },
    1 floatingip_id = None => |id| Some(id.clone());
    2 protocol = None => |protocol| Some(protocol.clone());
    3 internal_port_id = None => |port| Some(port.clone());
    4 internal_ip_address = None => |address| Some(*address);
    5 internal = None => |range| Some(*range);
    6 external = None => |range| Some(*range);
}

state! {
    /// A router.
    RouterState from event::Router {
        /// Its name.
        name: Box<str>,
        /// Administrative state.
        admin_state_up: bool,
        /// Its external gateways.
        gateways: Box<[Gateway]>,
        /// Its extra routes.
        routes: Box<[Route]>,
        /// Whether it stands on every host that it serves.
        distributed: bool,
    }
}
merged! { RouterState from event::Router, also { },
    1 name = Box::from("") => |name| name.clone();
    2 admin_state_up = true => |up| *up;
    3 gateways = Box::default() => |gateways| gateways.clone().into();
    4 routes = Box::default() => |routes| routes.clone().into();
    5 distributed = false => |distributed| *distributed;
}

impl RouterState {
    /// Its addresses on external networks, each once.
    pub fn gateway_addresses(&self) -> BTreeSet<IpAddr> {
        let fixed_ips = self.gateways.iter().flat_map(|gateway| &gateway.external_fixed_ips);
        fixed_ips.map(|fixed| fixed.address).collect()
    }

    /// The next hops of its extra routes, each once.
    pub fn next_hops(&self) -> BTreeSet<IpAddr> {
        self.routes.iter().map(|route| route.next_hop).collect()
    }
}

state! {
    /// A network.
    NetworkState from event::Network {
        /// Its name.
        name: Box<str>,
        /// Administrative state.
        admin_state_up: bool,
        /// `router:external`.
        external: bool,
        /// Whether other projects may use it.
        shared: bool,
        /// The address scope of its IPv4 addresses.
        ipv4_address_scope: Option<Box<Id>>,
        /// The address scope of its IPv6 addresses.
        ipv6_address_scope: Option<Box<Id>>,
    }
}
merged! { NetworkState from event::Network, also { },
    1 name = Box::from("") => |name| name.clone();
    2 admin_state_up = true => |up| *up;
    3 external = false => |external| *external;
    4 shared = false => |shared| *shared;
    5 ipv4_address_scope = None => |scope| scope.clone().map(Box::new);
    6 ipv6_address_scope = None => |scope| scope.clone().map(Box::new);
}

impl NetworkState {
    /// The field that says whether it is external.
    pub(super) const EXTERNAL: Fields = 1 << 3;
    /// The field that holds the address scope of its IPv4 addresses.
    pub(super) const IPV4_SCOPE: Fields = 1 << 5;
    /// The same of IPv6.
    pub(super) const IPV6_SCOPE: Fields = 1 << 6;
}

state! {
    /// A subnet.
    SubnetState from event::Subnet {
        /// Its name.
        name: Box<str>,
        /// Its network.
        network_id: Option<Id>,
        /// Its range of addresses.
        cidr: Option<IpNet>,
        /// The address that its hosts send everything else to.
        gateway_ip: Option<IpAddr>,
        /// The pool that its range is taken from.
        subnetpool_id: Option<Box<Id>>,
        /// Whether every port on its network has an address of it.
        gives_addresses: bool,
        /// When it was made, to the second.
        created_at: Option<Timestamp>,
    }
}
merged! { SubnetState from event::Subnet, also { },
    1 name = Box::from("") => |name| name.clone();
    2 network_id = None => |network| Some(network.clone());
    3 cidr = None => |cidr| Some(*cidr);
    4 gateway_ip = None => |gateway| *gateway;
    5 subnetpool_id = None => |pool| pool.clone().map(Box::new);
    6 gives_addresses = false => |gives| *gives;
    7 created_at = None => |time| Some(*time);
}

state! {
    /// An RBAC policy.
    RbacPolicyState from event::RbacPolicy {
        /// The kind of object it shares.
        object_type: Box<str>,
        /// The object it shares.
        object_id: Option<Id>,
        /// `access_as_shared` or `access_as_external`.
        action: Box<str>,
        /// The project it is shared with, `*` for all.
        target_project: Box<str>,
    }
}
merged! { RbacPolicyState from event::RbacPolicy, also { },
    1 object_type = Box::from("") => |kind| kind.clone();
    2 object_id = None => |id| Some(id.clone());
    3 action = Box::from("") => |action| action.clone();
    4 target_project = Box::from("") => |project| project.clone();
}

impl RbacPolicyState {
    /// The network that this policy shares, with all projects or with one.
    pub fn shared_network(&self) -> Option<&Id> {
        (&*self.object_type == "network" && &*self.action == "access_as_shared")
            .then_some(self.object_id.as_ref())
            .flatten()
    }

    /// The network that this policy makes external.
    pub fn external_network(&self) -> Option<&Id> {
        (&*self.object_type == "network" && &*self.action == "access_as_external")
            .then_some(self.object_id.as_ref())
            .flatten()
    }
}

state! {
    /// A trunk: a port that carries others.
    TrunkState from event::Trunk {
        /// The parent port.
        port_id: Option<Id>,
        /// The ports it carries.
        sub_ports: Box<[Id]>,
        /// Administrative state; nothing where nobody said, and then it is up.
        admin_state_up: Option<bool>,
    }
}
merged! { TrunkState from event::Trunk, also { },
    1 port_id = None => |port| Some(port.clone());
    2 sub_ports = Box::default() => |ports| ports.clone().into();
    3 admin_state_up = None => |up| Some(*up);
}
