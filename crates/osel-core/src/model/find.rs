//! Looking up what [`View`](super::View) has no need of: for whoever works out what Neutron would make of a request.

use super::cloud::CloudModel;
use super::state::{FloatingIpState, ForwardingState, SubnetState};
use crate::ids::Id;

impl CloudModel {
    /// A subnet.
    pub fn subnet(&self, id: &Id) -> Option<&SubnetState> {
        self.subnets.get(id)
    }

    /// The subnets of a network, in order of their ids.
    pub fn subnets_of(&self, network: &Id) -> Vec<&SubnetState> {
        let slots = self.links.subnets_by_network.get(network).into_iter().flatten();
        let mut subnets: Vec<&SubnetState> = slots.map(|&slot| self.subnets.at(slot)).collect();
        subnets.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        subnets
    }

    /// A floating IP.
    pub fn floating_ip(&self, id: &Id) -> Option<&FloatingIpState> {
        self.floating_ips.get(id)
    }

    /// A port forwarding.
    pub fn forwarding(&self, id: &Id) -> Option<&ForwardingState> {
        self.forwardings.get(id)
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
}
