//! Which objects an event may change: those that it speaks of, and those that go with one that it deletes.
//!
//! Asked before the event is merged, and only while a read is under way. It must not change anything.

use super::cloud::CloudModel;
use super::shown::each_shown;
use super::state::PortState;
use crate::event::{Change, Event, Kind, Object};
use crate::ids::Id;

impl CloudModel {
    /// The objects that an event may change, as far as they are named by it or hang on what it deletes; some may not be known.
    pub fn spoken_of(&self, event: &Event) -> Vec<(Kind, Id)> {
        let mut found = Vec::new();
        match &event.change {
            Change::Objects { objects, .. } => {
                for object in objects {
                    each_shown(object, &mut |kind, id, _| found.push((kind, id.clone())));
                    if let Object::Subnet(subnet) = object
                        && subnet.gives_addresses == Some(true)
                    {
                        let network = subnet.network_id.iter();
                        found.extend(named(network.flat_map(|network| self.ports_on(network))));
                    }
                }
            }
            Change::Deleted { kind, id, .. } => {
                found.push((*kind, id.clone()));
                found.extend(self.hanging_on(*kind, id));
            }
            Change::Interface(interface) => found.push((Kind::Port, interface.port_id.clone())),
            _ => {}
        }
        found
    }

    /// What goes with an object.
    fn hanging_on(&self, kind: Kind, id: &Id) -> Vec<(Kind, Id)> {
        match kind {
            Kind::SecurityGroup => self.rules_around(id).into_iter().map(|rule| (Kind::Rule, rule)).collect(),
            Kind::FloatingIp => {
                let slots = self.links.forwardings_by_floating.get(id).into_iter().flatten();
                slots.map(|&slot| (Kind::Forwarding, self.forwardings.at(slot).id.clone())).collect()
            }
            Kind::Subnet => named(self.ports_with_addresses_of(id)).collect(),
            Kind::Network => {
                let subnets = self.links.subnets_by_network.get(id).into_iter().flatten();
                let subnets = subnets.map(|&slot| (Kind::Subnet, self.subnets.at(slot).id.clone()));
                subnets.chain(named(self.ports_on(id))).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn named<'a>(ports: impl Iterator<Item = &'a PortState>) -> impl Iterator<Item = (Kind, Id)> {
    ports.map(|port| (Kind::Port, port.id.clone()))
}
