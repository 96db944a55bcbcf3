//! Looking up what [`View`](super::View) has no need of: for whoever works out what Neutron would make of a request, or what an event
//! takes away.

use std::net::IpAddr;

use super::cloud::CloudModel;
use super::state::{FloatingIpState, ForwardingState};
use crate::event::Kind;
use crate::ids::Id;

impl CloudModel {
    /// A floating IP.
    pub fn floating_ip(&self, id: &Id) -> Option<&FloatingIpState> {
        self.floating_ips.get(id)
    }

    /// A port forwarding.
    pub fn forwarding(&self, id: &Id) -> Option<&ForwardingState> {
        self.forwardings.get(id)
    }

    /// Whether a policy shares a network. Of one that is shared with single projects Neutron says `shared` to these only.
    pub fn is_shared_by_policy(&self, network: &Id) -> bool {
        self.rbac_policies.iter().any(|(_, policy)| policy.shared_network() == Some(network))
    }

    /// The single addresses that an object has, each with its network; without one where it is the outside's. Of ports and floating IPs alone.
    pub fn addresses_of(&self, kind: Kind, id: &Id) -> Vec<(Option<Id>, IpAddr)> {
        match kind {
            Kind::Port => {
                let Some(port) = self.ports.get(id) else { return Vec::new() };
                let pairs = port.allowed_address_pairs.iter();
                let single = pairs.filter(|pair| pair.prefix_len() == pair.max_prefix_len());
                let fixed = port.fixed_ips.iter().map(|fixed| fixed.address);
                fixed
                    .chain(single.map(|pair| pair.addr()))
                    .map(|address| (port.network_id.clone(), address))
                    .collect()
            }
            Kind::FloatingIp => {
                let address = self.floating_ips.get(id).and_then(|floating| floating.floating_ip_address);
                address.map(|address| (None, address)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The ports of a server or another device, in order of their ids.
    pub fn ports_of_device(&self, device: &Id) -> Vec<Id> {
        let ports = self.ports.iter().map(|(_, port)| port);
        let mut ids: Vec<Id> = ports
            .filter(|port| port.device_id.as_ref() == Some(device))
            .map(|port| port.id.clone())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// The port with the least id that has a security group, also one that nobody described or that went.
    pub fn port_of_group(&self, group: &Id) -> Option<Id> {
        let links = self.links.groups.get(self.groups.slot(group)?)?;
        let slots = links.sets.iter().flat_map(|&set| &self.links.sets[set].ports);
        slots.map(|&slot| &self.ports.at(slot).id).min().cloned()
    }
}
