//! Addresses that Neutron gives and takes without a word.
//!
//! A subnet of IPv6 with `slaac` or `dhcpv6-stateless` gives every port on its network an address, those too that are there already; of
//! these no notification tells. When such a subnet is deleted they lose it, and no notification tells that either. A port's own body,
//! when one comes, lists what it has: so only what was said of a port before the subnet came or went is made up for here. (Neutron:
//! `add_auto_addrs_on_network_ports`; other subnets cannot be deleted while a port that is not Neutron's own has an address of them.)
//!
//! What follows depends on what was said when, not on the order in which it was heard.

use ipnet::IpNet;

use super::changes::{Changes, Teller, Telling};
use super::cloud::CloudModel;
use super::state::{PortState, SubnetState, is_interface_owner};
use super::table::Slot;
use crate::event::{FixedIp, Kind, Object};
use crate::ids::Id;
use crate::time::Timestamp;

/// The owner of a router's port for source translation: like interfaces of routers it gets no address by itself.
const SNAT_OWNER: &str = "network:router_centralized_snat";

/// So many subnets of a network give addresses at most: a project may have a hundred subnets in all, and each of them is asked about each port.
const GIVING_MAX: usize = 128;

impl SubnetState {
    /// The network whose ports it gives addresses.
    pub(super) fn gives_to(&self) -> Option<&Id> {
        self.network_id.as_ref().filter(|_| self.gives_addresses && self.created_at.is_some())
    }

    /// What it did to a port whose own list of addresses was told last at that time.
    fn did(&self, port: &PortState, told: Timestamp) -> Did {
        let (Some(IpNet::V6(prefix)), Some(created)) = (self.cidr, self.created_at) else {
            return Did::Nothing;
        };
        let owner = port.device_owner.as_deref().unwrap_or_default();
        let is_routers = port.router().is_some() || is_interface_owner(owner) || owner == SNAT_OWNER;
        let address = port.mac_address.filter(|_| !is_routers).and_then(|mac| mac.address_in(prefix));
        // Neutron says to the second when it was made. A port that was told of in that second and has an address of it lists it.
        let lists = |fixed: &FixedIp| {
            let is_given = address.is_some_and(|address| fixed.address == address);
            self.has(fixed) && IpNet::V6(prefix).contains(&fixed.address) && !is_given
        };
        if told >= created.plus_seconds(1) || (told >= created && port.fixed_ips.iter().any(lists)) {
            return Did::Nothing;
        }
        // Anew each time: its prefix may be another one now, and the port a router's.
        Did::Gave(
            address.map(|address| FixedIp { subnet_id: Some(self.id.clone()), address: address.into() }),
        )
    }

    /// Whether an address is one of it.
    fn has(&self, fixed: &FixedIp) -> bool {
        fixed.subnet_id.as_ref() == Some(&self.id)
    }
}

/// What a subnet did to a port without a word.
enum Did {
    /// The port's own list is later.
    Nothing,
    /// It gave this address and no other, or none.
    Gave(Option<FixedIp>),
}

impl CloudModel {
    /// When a port's own list of addresses was told last, by whomever; nothing when it never was.
    fn listed_at(&self, port: &PortState) -> Option<Timestamp> {
        let told = port.stamps.of(PortState::FIXED_IPS)?;
        Some(told.time.max(port.stamps.read_at()).max(self.read_at(Kind::Port)))
    }

    /// The subnets that give addresses on a network, by their ids.
    fn giving(&self, network: &Id) -> Vec<&SubnetState> {
        let slots = self.links.giving_subnets.get(network).into_iter().flatten();
        let mut giving: Vec<_> = slots.map(|&slot| self.subnets.at(slot)).collect();
        giving.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        giving
    }

    /// Gives a port what subnets gave it, and takes what went with a subnet, since its own list was told; whether that changed it.
    pub(super) fn settle_addresses(&mut self, slot: Slot) -> bool {
        let Some(fixed_ips) = self.settled_addresses(self.ports.at(slot)) else { return false };
        self.ports.at_mut(slot).fixed_ips = fixed_ips;
        true
    }

    /// The addresses that a port has, if they are others than are known.
    fn settled_addresses(&self, port: &PortState) -> Option<Box<[FixedIp]>> {
        let told = self.listed_at(port)?;
        let giving =
            port.network_id.as_ref().filter(|network| self.links.giving_subnets.contains_key(*network));
        // Nearly always no subnet gives any, and the port was told of after any went.
        if giving.is_none() && told > self.tombstones.last_subnet() {
            return None;
        }
        let has_gone = |fixed: &FixedIp| {
            let died = fixed.subnet_id.as_ref().and_then(|id| self.tombstones.get(Kind::Subnet, id));
            died.is_some_and(|died| told <= died)
        };
        let mut fixed_ips = port.fixed_ips.to_vec();
        fixed_ips.retain(|fixed| !has_gone(fixed));
        let giving = giving.map(|network| self.giving(network)).unwrap_or_default();
        for (place, subnet) in giving.into_iter().enumerate() {
            if let Did::Gave(given) = subnet.did(port, told) {
                fixed_ips.retain(|fixed| !subnet.has(fixed));
                fixed_ips.extend(given.filter(|_| place < GIVING_MAX));
            }
        }
        if *fixed_ips == *port.fixed_ips {
            return None;
        }
        // As Neutron lists them, by their texts.
        fixed_ips.sort_by_cached_key(|fixed| (fixed.address.to_string(), fixed.subnet_id.clone()));
        (*fixed_ips != *port.fixed_ips).then(|| fixed_ips.into())
    }

    /// Gives the ports of a subnet's network what it gave them. Of what a read shows nothing has to be worked out: it shows ports too.
    pub(super) fn give_addresses(&mut self, subnet: &Id, telling: &Telling, changes: &mut Changes) {
        let network = self.subnets.get(subnet).and_then(SubnetState::gives_to);
        let Some(network) = network.filter(|_| telling.teller == Teller::Bus) else { return };
        let ports = self.unsettled(self.ports_on(network));
        self.settle(&ports, changes);
    }

    /// Deletes a subnet that a message calls deleted, and takes its addresses from the ports of its network, as far as they were told before.
    /// Where nobody said which network that is, all ports are looked at: it is seldom that one goes of which nothing was ever said, not
    /// even in the end.
    pub(super) fn delete_subnet(
        &mut self,
        id: &Id,
        last: Option<&Object>,
        telling: &Telling,
        changes: &mut Changes,
    ) {
        let known = self.subnets.get(id).and_then(|subnet| subnet.network_id.clone());
        let is_new = self.tombstones.get(Kind::Subnet, id).is_none_or(|died| died < telling.time);
        self.delete(Kind::Subnet, id, telling, changes);
        if !(is_new && self.gone(Kind::Subnet, Some(id), telling)) {
            return;
        }
        let told = match last {
            Some(Object::Subnet(subnet)) => subnet.network_id.as_ref(),
            _ => None,
        };
        let had_some = |port: &&PortState| has_address_of(port, id);
        let ports = match told.or(known.as_ref()) {
            Some(network) => self.unsettled(self.ports_on(network).filter(had_some)),
            None => self.unsettled(self.ports.iter().map(|(_, port)| port).filter(had_some)),
        };
        self.settle(&ports, changes);
    }

    /// The ports that have an address of a subnet.
    pub(super) fn ports_with_addresses_of(&self, subnet: &Id) -> impl Iterator<Item = &PortState> {
        let network = self.subnets.get(subnet).and_then(|subnet| subnet.network_id.as_ref());
        let ports = network.into_iter().flat_map(|network| self.ports_on(network));
        ports.filter(move |port| has_address_of(port, subnet))
    }

    /// The ports of a network.
    pub(super) fn ports_on(&self, network: &Id) -> impl Iterator<Item = &PortState> {
        let ports = self.networks.slot(network).and_then(|slot| self.links.networks.get(slot));
        ports.into_iter().flatten().map(|&port| self.ports.at(port))
    }

    /// Those of these ports that have other addresses than are known.
    fn unsettled<'a>(&self, ports: impl Iterator<Item = &'a PortState>) -> Vec<Id> {
        ports.filter(|port| self.settled_addresses(port).is_some()).map(|port| port.id.clone()).collect()
    }

    fn settle(&mut self, ports: &[Id], changes: &mut Changes) {
        for port in ports {
            self.remember(Kind::Port, port, changes);
            self.change_port(port, changes, |_| false);
        }
    }
}

fn has_address_of(port: &PortState, subnet: &Id) -> bool {
    port.fixed_ips.iter().any(|fixed| fixed.subnet_id.as_ref() == Some(subnet))
}
