//! Addresses that Neutron gives and takes without a word.
//!
//! A subnet of IPv6 with `slaac` or `dhcpv6-stateless` gives every port on its network an address, those too that are there already; of
//! these no notification tells. When such a subnet is deleted they lose it, and no notification tells that either. A port's own body,
//! when one comes, lists what it has: so only what was said of a port before the subnet came or went is made up for here. (Neutron:
//! `add_auto_addrs_on_network_ports`; other subnets cannot be deleted while a port that is not Neutron's own has an address of them.)
//!
//! What follows depends on what was said when, not on the order in which it was heard.

use ipnet::IpNet;

use super::changes::Changes;
use super::cloud::CloudModel;
use super::state::{PortState, State, SubnetState, is_interface_owner};
use super::table::Slot;
use crate::event::{FixedIp, Kind};
use crate::ids::Id;
use crate::time::Timestamp;

/// The owner of a router's port for source translation: like interfaces of routers it gets no address by itself.
const SNAT_OWNER: &str = "network:router_centralized_snat";

impl SubnetState {
    /// The network whose ports it gives addresses.
    pub(super) fn gives_to(&self) -> Option<&Id> {
        self.network_id.as_ref().filter(|_| self.gives_addresses && self.created_at.is_some())
    }

    /// The address that a port got when the subnet came, if what is known of the port is older.
    fn gave(&self, port: &PortState) -> Option<FixedIp> {
        let told = port.stamps.of(PortState::FIXED_IPS)?;
        let (Some(IpNet::V6(prefix)), Some(created)) = (self.cidr, self.created_at) else { return None };
        // Neutron says to the second when it was made. A port that was told of in that second and has such an address lists it.
        let is_older = told.time < created.plus_seconds(1);
        let is_own = port
            .device_owner
            .as_deref()
            .is_some_and(|owner| is_interface_owner(owner) || owner == SNAT_OWNER);
        let has_one = port.fixed_ips.iter().any(|fixed| fixed.subnet_id.as_ref() == Some(&self.id));
        if !is_older || is_own || has_one {
            return None;
        }
        let address = port.mac_address?.address_in(prefix)?;
        Some(FixedIp { subnet_id: Some(self.id.clone()), address: address.into() })
    }
}

impl CloudModel {
    /// Gives a port what subnets gave it, and takes what went with a subnet, since its own list was told; whether that changed it.
    pub(super) fn settle_addresses(&mut self, slot: Slot) -> bool {
        let port = self.ports.at(slot);
        let Some(told) = port.stamps.of(PortState::FIXED_IPS) else { return false };
        let mut fixed_ips = Vec::new();
        let has_gone = |fixed: &FixedIp| {
            let died = fixed.subnet_id.as_ref().and_then(|id| self.tombstones.get(Kind::Subnet, id));
            died.is_some_and(|died| told.time <= died)
        };
        // Nearly always the port was told of after any subnet went.
        let is_changed = told.time <= self.tombstones.last_subnet() && port.fixed_ips.iter().any(has_gone);
        if is_changed {
            fixed_ips.extend(port.fixed_ips.iter().filter(|fixed| !has_gone(fixed)).cloned());
        }
        let giving = port.network_id.as_ref().and_then(|network| self.links.giving_subnets.get(network));
        let given: Vec<FixedIp> =
            giving.into_iter().flatten().filter_map(|&subnet| self.subnets.at(subnet).gave(port)).collect();
        if given.is_empty() && !is_changed {
            return false;
        }
        if !is_changed {
            fixed_ips.extend(port.fixed_ips.iter().cloned());
        }
        fixed_ips.extend(given);
        self.ports.at_mut(slot).fixed_ips = fixed_ips.into();
        true
    }

    /// Gives the ports of a subnet's network what it gave them.
    pub(super) fn give_addresses(&mut self, subnet: &Id, changes: &mut Changes) {
        let Some(subnet) = self.subnets.get(subnet) else { return };
        let Some(network) = subnet.gives_to() else { return };
        let ports = self.ports_of_network(network, |port| subnet.gave(port).is_some());
        for port in ports {
            self.remember(Kind::Port, &port, changes);
            self.change_port(&port, changes, |_| false);
        }
    }

    /// Takes the addresses of a subnet that went at `died` from the ports of its network, as far as they were told before. Where nobody
    /// said which network that is, all ports are looked at: it is seldom that a subnet goes of which nothing was ever said.
    pub(super) fn take_addresses(
        &mut self,
        subnet: &Id,
        network: Option<&Id>,
        died: Timestamp,
        changes: &mut Changes,
    ) {
        let is_of_it = |fixed: &FixedIp| fixed.subnet_id.as_ref() == Some(subnet);
        let had_some = |port: &PortState| {
            let told = port.stamps.of(PortState::FIXED_IPS);
            told.is_some_and(|told| told.time <= died) && port.fixed_ips.iter().any(is_of_it)
        };
        let ports = match network {
            Some(network) => self.ports_of_network(network, had_some),
            None => self
                .ports
                .iter()
                .filter(|(_, port)| had_some(port))
                .map(|(_, port)| port.id.clone())
                .collect(),
        };
        for port in ports {
            self.remember(Kind::Port, &port, changes);
            self.change_port(&port, changes, |port| {
                port.fixed_ips = port.fixed_ips.iter().filter(|fixed| !is_of_it(fixed)).cloned().collect();
                true
            });
        }
    }

    fn ports_of_network(&self, network: &Id, wanted: impl Fn(&PortState) -> bool) -> Vec<Id> {
        let Some(slot) = self.networks.slot(network) else { return Vec::new() };
        let ports = self.links.networks.get(slot).into_iter().flatten();
        let ports = ports.map(|&port| self.ports.at(port)).filter(|port| wanted(port));
        ports.map(|port| port.id().clone()).collect()
    }
}
