//! The live state of one region: the objects and the links between them.
//!
//! Objects refer to each other by id in OpenStack; here by slot, so that a change of a group finds its sets, a set its ports and
//! an address its ports without a search. How a message changes all this is in `apply`; what it means for exposure in `expand`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::index::{Index, short_hash};
use super::permission::host;
use super::service_state::{
    AddressScopeState, FirewallGroupState, FirewallPolicyState, FirewallRuleState, ListenerState,
    LoadBalancerState, SubnetPoolState,
};
use super::sketch::Sketch;
use super::slots::Slots;
use super::stamp::KindRead;
use super::state::{
    AddressGroupState, FloatingIpState, ForwardingState, GroupState, NetworkState, PortState,
    RbacPolicyState, RouterState, RuleState, SubnetState, TrunkState,
};
use super::table::{Slot, Table};
use super::tags::TagLists;
use super::tombstone::Tombstones;
use crate::event::Kind;
use crate::ids::{Id, Map, Set};

/// What an operator can set about the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelOptions {
    /// Whether the allowed address pairs of a group's ports count as its addresses (ML2/OVS does, OVN does not).
    pub group_members_include_pairs: bool,
    /// Prefixes that the outside routes to fixed IPs directly.
    pub routed_prefixes: Vec<IpNet>,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self { group_members_include_pairs: true, routed_prefixes: Vec::new() }
    }
}

/// The live state of one region. A copy is as large as the original: whoever asks what would be takes one.
#[derive(Clone, Debug, Default)]
pub struct CloudModel {
    pub(super) region: Option<Arc<str>>,
    pub(super) options: ModelOptions,
    pub(super) ports: Table<PortState>,
    pub(super) groups: Table<GroupState>,
    pub(super) rules: Table<RuleState>,
    pub(super) address_groups: Table<AddressGroupState>,
    pub(super) floating_ips: Table<FloatingIpState>,
    pub(super) forwardings: Table<ForwardingState>,
    pub(super) routers: Table<RouterState>,
    pub(super) networks: Table<NetworkState>,
    pub(super) subnets: Table<SubnetState>,
    pub(super) rbac_policies: Table<RbacPolicyState>,
    pub(super) trunks: Table<TrunkState>,
    pub(super) address_scopes: Table<AddressScopeState>,
    pub(super) subnet_pools: Table<SubnetPoolState>,
    pub(super) firewall_groups: Table<FirewallGroupState>,
    pub(super) firewall_policies: Table<FirewallPolicyState>,
    pub(super) firewall_rules: Table<FirewallRuleState>,
    pub(super) load_balancers: Table<LoadBalancerState>,
    pub(super) listeners: Table<ListenerState>,
    pub(super) links: Links,
    pub(super) tombstones: Tombstones,
    /// When each kind was last read as a whole: an object that was not there then is not made by an earlier message, and one that was
    /// is not changed by one. Shared with each statement while it is merged.
    pub(super) reads: Arc<BTreeMap<Kind, KindRead>>,
    /// Words that many objects share.
    pub(super) words: BTreeSet<Arc<str>>,
    pub(super) tag_lists: TagLists,
}

/// Who points to whom, by slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    pub(super) ports: Slots<PortLinks>,
    pub(super) groups: Slots<GroupLinks>,
    pub(super) rules: Slots<RuleLinks>,
    /// The ports of a network, by the network's slot.
    pub(super) networks: Slots<Vec<Slot>>,
    pub(super) sets: Slots<GroupSet>,
    pub(super) free_sets: Vec<Slot>,
    /// Sets by their groups.
    pub(super) set_of: Index,
    /// Which port answers for an address: (address or pair, network's slot, port's slot).
    pub(super) addresses: BTreeSet<(IpNet, Slot, Slot)>,
    /// Addresses that several ports of one network answer for: (address, network's slot). A few virtual IPs, so that it costs
    /// little to ask first.
    pub(super) shared: Set<(IpNet, Slot)>,
    /// How many entries of `addresses` have each prefix length, IPv4 and IPv6.
    pub(super) prefix_lengths: [BTreeMap<u8, u32>; 2],
    pub(super) floating_by_port: Map<Id, Vec<Slot>>,
    pub(super) floating_by_address: Map<IpAddr, Vec<Slot>>,
    pub(super) forwardings_by_floating: Map<Id, Vec<Slot>>,
    pub(super) forwardings_by_port: Map<Id, Vec<Slot>>,
    pub(super) subnets_by_network: Map<Id, Vec<Slot>>,
    /// Those of them that give every port an address, see `auto_addresses`.
    pub(super) giving_subnets: Map<Id, Vec<Slot>>,
    /// Router interfaces: (network's slot, port's slot).
    pub(super) interfaces: BTreeSet<(Slot, Slot)>,
    pub(super) interfaces_by_router: Map<Id, Vec<Slot>>,
    /// Routers by the addresses of their external gateways.
    pub(super) routers_by_gateway: Map<IpAddr, Vec<Slot>>,
    /// Policies that make a network external.
    pub(super) external_by_policy: Map<Id, Vec<Slot>>,
    /// Routers by the next hops of their extra routes.
    pub(super) routers_by_next_hop: Map<IpAddr, Vec<Slot>>,
    /// Trunks by the ports they carry.
    pub(super) trunks_by_sub_port: Map<Id, Vec<Slot>>,
    pub(super) firewall_groups_by_port: Map<Id, Vec<Slot>>,
    pub(super) load_balancers_by_port: Map<Id, Vec<Slot>>,
    pub(super) listeners_by_load_balancer: Map<Id, Vec<Slot>>,
}

impl Links {
    /// Whether more than one port of a network answers for an address.
    fn is_shared(&self, address: IpNet, network: Slot) -> bool {
        let range = (address, network, 0)..=(address, network, Slot::MAX);
        self.addresses.range(range).nth(1).is_some()
    }
}

/// No set, no network: the port is not linked.
pub(super) const NOWHERE: Slot = Slot::MAX;

#[derive(Clone, Copy, Debug)]
pub(super) struct PortLinks {
    /// The set of groups it has.
    pub(super) set: Slot,
    /// Its place in the set's list of ports.
    pub(super) place_in_set: u32,
    /// Its network.
    pub(super) network: Slot,
    /// Its place in the network's list of ports.
    pub(super) place_in_network: u32,
}

impl Default for PortLinks {
    fn default() -> Self {
        Self { set: NOWHERE, place_in_set: 0, network: NOWHERE, place_in_network: 0 }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct GroupLinks {
    pub(super) rules: Vec<Slot>,
    pub(super) sets: Vec<Slot>,
    /// Rules that name this group as their source.
    pub(super) named_by: Vec<Slot>,
}

/// Where a rule is linked; what exactly it admits is worked out from its state, which costs a few nanoseconds and saves 68 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleLinks {
    /// The slot of its group.
    pub(super) group: Slot,
    /// What it admits, roughly; none when it admits nothing, else it is in the lists of the group's sets.
    pub(super) sketch: Option<Sketch>,
}

impl RuleLinks {
    /// Whether it admits anything.
    pub(super) fn permits(self) -> bool {
        self.sketch.is_some()
    }
}

impl Default for RuleLinks {
    fn default() -> Self {
        Self { group: NOWHERE, sketch: None }
    }
}

/// The ports that have exactly these groups, and what all of them admit: worked out once for all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupSet {
    pub(super) groups: Box<[Slot]>,
    pub(super) ports: Vec<Slot>,
    /// The rules of all the groups that admit anything.
    pub(super) rules: Vec<Slot>,
}

/// Takes one value out of a short list.
pub(super) fn unlist(list: &mut Vec<Slot>, slot: Slot) {
    if let Some(at) = list.iter().position(|&other| other == slot) {
        list.swap_remove(at);
    }
}

/// Takes one value out of a short list in a map, and the list when it is empty.
pub(super) fn unmap<K: std::hash::Hash + Eq>(map: &mut Map<K, Vec<Slot>>, key: &K, slot: Slot) {
    if let Some(list) = map.get_mut(key) {
        unlist(list, slot);
        if list.is_empty() {
            map.remove(key);
        }
    }
}

/// Does the same with the table of a kind, whatever type its objects have; after `mut` with one that may be changed.
macro_rules! with_table {
    ($model:ident mut, $kind:expr, $table:ident => $do:expr) => {
        with_table!(@ [&mut $model], $kind, $table => $do)
    };
    ($model:ident, $kind:expr, $table:ident => $do:expr) => {
        with_table!(@ [&$model], $kind, $table => $do)
    };
    (@ [$($model:tt)+], $kind:expr, $table:ident => $do:expr) => {
        match $kind {
            Kind::Port => {
                let $table = $($model)+.ports;
                $do
            }
            Kind::SecurityGroup => {
                let $table = $($model)+.groups;
                $do
            }
            Kind::Rule => {
                let $table = $($model)+.rules;
                $do
            }
            Kind::AddressGroup => {
                let $table = $($model)+.address_groups;
                $do
            }
            Kind::FloatingIp => {
                let $table = $($model)+.floating_ips;
                $do
            }
            Kind::Forwarding => {
                let $table = $($model)+.forwardings;
                $do
            }
            Kind::Router => {
                let $table = $($model)+.routers;
                $do
            }
            Kind::Network => {
                let $table = $($model)+.networks;
                $do
            }
            Kind::Subnet => {
                let $table = $($model)+.subnets;
                $do
            }
            Kind::RbacPolicy => {
                let $table = $($model)+.rbac_policies;
                $do
            }
            Kind::Trunk => {
                let $table = $($model)+.trunks;
                $do
            }
            Kind::AddressScope => {
                let $table = $($model)+.address_scopes;
                $do
            }
            Kind::SubnetPool => {
                let $table = $($model)+.subnet_pools;
                $do
            }
            Kind::FirewallGroup => {
                let $table = $($model)+.firewall_groups;
                $do
            }
            Kind::FirewallPolicy => {
                let $table = $($model)+.firewall_policies;
                $do
            }
            Kind::FirewallRule => {
                let $table = $($model)+.firewall_rules;
                $do
            }
            Kind::LoadBalancer => {
                let $table = $($model)+.load_balancers;
                $do
            }
            Kind::Listener => {
                let $table = $($model)+.listeners;
                $do
            }
        }
    };
}
pub(super) use with_table;

impl CloudModel {
    /// A region of which nothing is known yet.
    pub fn new(region: Option<Arc<str>>, options: ModelOptions) -> Self {
        Self { region, options, ..Self::default() }
    }

    /// What an operator has set.
    pub fn options(&self) -> &ModelOptions {
        &self.options
    }

    /// Goes by other options from now on; what is known stays, since options are about what follows from it.
    pub fn set_options(&mut self, options: ModelOptions) {
        self.options = options;
    }

    /// How many objects of a kind are known; groups and networks that are only named by others count too.
    pub fn count(&self, kind: Kind) -> usize {
        with_table!(self, kind, table => table.len())
    }

    /// One allocation for a word that many objects have.
    pub(super) fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(word) = self.words.get(text) {
            return Arc::clone(word);
        }
        let word: Arc<str> = Arc::from(text);
        if self.words.len() < WORDS_MAX {
            self.words.insert(Arc::clone(&word));
        }
        word
    }

    /// Puts a port into its set, its network and the list of addresses.
    pub(super) fn link_port(&mut self, slot: Slot) {
        let port = self.ports.at(slot);
        let groups = port.security_groups.clone();
        let network_id = port.network_id.clone();
        let addresses = port_addresses(port);
        let router = port.router().cloned();
        let set = self.set_for(&groups);
        let network = network_id.map_or(NOWHERE, |id| self.networks.slot_or_insert(&id));
        let links = &mut self.links;
        if let Some(router) = router {
            links.interfaces.insert((network, slot));
            links.interfaces_by_router.entry(router).or_default().push(slot);
        }
        let mut places = PortLinks { set, network, ..PortLinks::default() };
        let members = &mut links.sets[set].ports;
        places.place_in_set = members.len() as u32;
        members.push(slot);
        if network != NOWHERE {
            let members = links.networks.grown(network);
            places.place_in_network = members.len() as u32;
            members.push(slot);
        }
        *links.ports.grown(slot) = places;
        for address in addresses {
            if links.addresses.insert((address, network, slot)) {
                *links.prefix_lengths[family(address)].entry(address.prefix_len()).or_default() += 1;
                if links.is_shared(address, network) {
                    links.shared.insert((address, network));
                }
            }
        }
    }

    /// Takes a port out of its set, its network and the list of addresses; before its state changes.
    pub(super) fn unlink_port(&mut self, slot: Slot) {
        let addresses = port_addresses(self.ports.at(slot));
        let router = self.ports.at(slot).router();
        let links = &mut self.links;
        let PortLinks { set, place_in_set, network, place_in_network } =
            std::mem::take(links.ports.grown(slot));
        if set == NOWHERE {
            return;
        }
        if let Some(router) = router {
            links.interfaces.remove(&(network, slot));
            unmap(&mut links.interfaces_by_router, router, slot);
        }
        let members = &mut links.sets[set].ports;
        members.swap_remove(place_in_set as usize);
        if let Some(&moved) = members.get(place_in_set as usize) {
            links.ports[moved].place_in_set = place_in_set;
        }
        let set_is_empty = members.is_empty();
        if network != NOWHERE {
            let members = &mut links.networks[network];
            members.swap_remove(place_in_network as usize);
            if let Some(&moved) = members.get(place_in_network as usize) {
                links.ports[moved].place_in_network = place_in_network;
            }
        }
        for address in addresses {
            if links.addresses.remove(&(address, network, slot)) {
                if !links.shared.is_empty() && !links.is_shared(address, network) {
                    links.shared.remove(&(address, network));
                }
                let lengths = &mut links.prefix_lengths[family(address)];
                if let Some(count) = lengths.get_mut(&address.prefix_len()) {
                    *count -= 1;
                    if *count == 0 {
                        lengths.remove(&address.prefix_len());
                    }
                }
            }
        }
        if set_is_empty {
            self.drop_set(set);
        }
    }

    /// The set of these groups, made when it is the first of its kind.
    fn set_for(&mut self, groups: &[Id]) -> Slot {
        let groups: Box<[Slot]> = groups.iter().map(|id| self.groups.slot_or_insert(id)).collect();
        let links = &mut self.links;
        let hash = short_hash(&groups);
        if let Some(set) = links.set_of.get(hash, |set| links.sets[set].groups == groups) {
            return set;
        }
        let set = links.free_sets.pop().unwrap_or_else(|| links.sets.push(GroupSet::default()));
        let mut rules = Vec::new();
        for &group in &groups {
            let group = links.groups.grown(group);
            group.sets.push(set);
            rules.extend(group.rules.iter().copied());
        }
        rules.retain(|&rule| links.rules[rule].permits());
        links.set_of.insert(hash, set);
        links.sets[set] = GroupSet { groups, ports: Vec::new(), rules };
        set
    }

    fn drop_set(&mut self, set: Slot) {
        let links = &mut self.links;
        let GroupSet { groups, .. } = std::mem::take(&mut links.sets[set]);
        links.set_of.remove(short_hash(&groups), set);
        links.free_sets.push(set);
        for &group in &groups {
            unlist(&mut links.groups[group].sets, set);
        }
        for &group in &groups {
            self.drop_unknown_group(group);
        }
    }

    /// Forgets a group that nobody described once nothing names it any more.
    pub(super) fn drop_unknown_group(&mut self, slot: Slot) {
        let links = self.links.groups.grown(slot);
        if links.rules.is_empty() && links.sets.is_empty() && links.named_by.is_empty() {
            let group = self.groups.at(slot);
            if !group.described() {
                let id = group.id.clone();
                self.groups.remove(&id);
            }
        }
    }

    /// Forgets a network that nobody described once no port names it any more.
    pub(super) fn drop_unknown_network(&mut self, slot: Slot) {
        use super::state::State;
        if slot != NOWHERE && self.links.networks.grown(slot).is_empty() {
            let network = self.networks.at(slot);
            if network.stamps().said() == 0 {
                let id = network.id.clone();
                self.networks.remove(&id);
            }
        }
    }
}

/// The most words that are shared; more are kept once per object. Device owners and protocols are a few dozen in any cloud.
const WORDS_MAX: usize = 4096;

/// 0 for IPv4, 1 for IPv6.
pub(super) fn family(address: IpNet) -> usize {
    usize::from(matches!(address, IpNet::V6(_)))
}

/// What a port answers for: its fixed IPs and its allowed address pairs.
fn port_addresses(port: &PortState) -> Vec<IpNet> {
    let fixed = port.fixed_ips.iter().map(|fixed| host(fixed.address));
    fixed.chain(port.allowed_address_pairs.iter().copied()).collect()
}
