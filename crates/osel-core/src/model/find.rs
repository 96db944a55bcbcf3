//! Looking up what [`View`](super::View) has no need of: for whoever works out what Neutron would make of a request.

use super::cloud::CloudModel;
use super::state::{FloatingIpState, ForwardingState};
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
