//! The addresses that Neutron gives to ports: of which subnets, and which family those have.

use std::net::IpAddr;

use ipnet::IpNet;
use osel_core::event::FixedIp;
use osel_core::ids::Id;
use osel_core::model::{Delta, Kind, SubnetState, View, is_trusted_owner};
use serde_json::{Value, json};

use super::error::PlanError;
use super::neutron::text;
use super::note::NoteKind;
use super::overlay::Overlay;
use super::step::{Body, Step};

/// Modes in which a port computes its address by itself, so that every port of the network has one.
const AUTOMATIC: [&str; 2] = ["slaac", "dhcpv6-stateless"];

impl Overlay {
    /// Keeps of a subnet that the plan makes what the model does not hold: its family, where its range is one of a pool, and whether
    /// every port on its network gets an address of it.
    pub(super) fn note_subnet(&mut self, id: &Id, body: &Body) {
        // Neutron takes a number in a text too.
        match body.get("ip_version") {
            Some(version) if *version == 6 || *version == "6" => self.families.insert(id.clone(), true),
            Some(version) if *version == 4 || *version == "4" => self.families.insert(id.clone(), false),
            _ => None,
        };
        let automatic = text(body, "ipv6_address_mode").is_some_and(|mode| AUTOMATIC.contains(&mode));
        self.automatic.insert(id.clone(), automatic);
    }

    /// Whether a subnet is of IPv6; of one that tells neither range nor version nobody knows.
    fn family(&self, subnet: &SubnetState) -> Option<bool> {
        subnet.cidr.map(is_ipv6).or_else(|| self.families.get(&subnet.id).copied())
    }

    /// Whether every port on its network gets an address of a subnet, asked for or not. The model does not hold how addresses of a subnet
    /// come about: of one of IPv6 only the plan that makes it knows.
    fn is_automatic(&self, subnet: &SubnetState) -> Option<bool> {
        match self.family(subnet) {
            Some(false) => Some(false),
            _ => self.automatic.get(&subnet.id).copied(),
        }
    }

    /// A new subnet gives each port on its network an address, where its addresses come about like that. Routers get none, nor does
    /// what serves DHCP; neither is filtered.
    pub(super) fn give_addresses(&mut self, step: &Step, id: &Id) -> Result<Delta, PlanError> {
        let mut delta = Delta::default();
        let Some(subnet) = self.cloud.subnet(id).cloned() else { return Ok(delta) };
        let (Some(network), Some(true)) = (subnet.network_id.clone(), self.is_automatic(&subnet)) else {
            return Ok(delta);
        };
        for slot in self.cloud.ports_on(&network) {
            let port = self.cloud.port(slot);
            if port.trusted() || port.fixed_ips.iter().any(|fixed| fixed.subnet_id.as_ref() == Some(id)) {
                continue;
            }
            let (port, mut addresses) = (port.id.clone(), entries(&port.fixed_ips));
            addresses.push(self.choose(step, (&port, &network), id, (subnet.cidr, true)));
            let body = Body::from_iter([("fixed_ips".to_owned(), addresses.into())]);
            delta.append(self.tell(step, Kind::Port, &port, body)?);
        }
        Ok(delta)
    }

    /// Fills in the addresses that Neutron chooses.
    pub(super) fn fill_addresses(&mut self, step: &Step, id: &Id, network: &Id, body: &mut Body) {
        let asked = match body.get("fixed_ips") {
            Some(Value::Array(asked)) => Some(asked.clone()),
            None | Some(Value::Null) => None,
            // Something else is refused when it is read.
            Some(_) => return,
        };
        let addresses = match asked {
            Some(asked) => {
                let asked = self.complete(step, id, network, asked);
                let slot = self.cloud.port_slot(id);
                let trusted = text(body, "device_owner").is_some_and(is_trusted_owner)
                    || slot.is_some_and(|slot| self.cloud.port(slot).trusted());
                if trusted { asked } else { self.with_automatic(step, id, network, asked) }
            }
            None => self.left_to_neutron(step, id, network),
        };
        body.insert("fixed_ips".to_owned(), addresses.into());
    }

    /// An address of each family that the network has, and one of each subnet that gives one to every port.
    fn left_to_neutron(&mut self, step: &Step, id: &Id, network: &Id) -> Vec<Value> {
        let subnets: Vec<_> = self.cloud.subnets_of(network).into_iter().cloned().collect();
        let mut chosen = Vec::new();
        for ipv6 in [false, true] {
            let of_family = |subnet: &&SubnetState| {
                self.family(subnet).is_none_or(|of| of == ipv6) && self.is_automatic(subnet) != Some(true)
            };
            if let Some(subnet) = subnets.iter().find(of_family) {
                chosen.push(self.choose(step, (id, network), &subnet.id, (subnet.cidr, ipv6)));
            }
        }
        let automatic: Vec<_> =
            subnets.iter().filter(|subnet| self.is_automatic(subnet) == Some(true)).collect();
        for subnet in automatic {
            chosen.push(self.choose(step, (id, network), &subnet.id, (subnet.cidr, true)));
        }
        if chosen.is_empty() {
            self.note(
                NoteKind::Unknown,
                step,
                "its network has no subnet that osel knows; judged with an IPv4 address",
            );
            let address = self.places.choose_fixed(&self.cloud, (id, network), (None, false), &step.resource);
            chosen.push(json!({"ip_address": address.to_string()}));
        }
        chosen
    }

    /// An address for each entry that asks for a subnet alone; of a subnet whose family is not known, one of each.
    fn complete(&mut self, step: &Step, id: &Id, network: &Id, asked: Vec<Value>) -> Vec<Value> {
        let mut addresses = Vec::with_capacity(asked.len());
        for mut entry in asked {
            if let Some(entry) = entry.as_object_mut()
                && entry.get("ip_address").is_none_or(Value::is_null)
            {
                let subnet = text(entry, "subnet_id").map(Id::new);
                let subnet = subnet.and_then(|subnet| self.cloud.subnet(&subnet)).cloned();
                let cidr = subnet.as_ref().and_then(|subnet| subnet.cidr);
                // An entry without a subnet gets one of Neutron's choice: that of IPv4 as ever.
                let family = subnet.as_ref().map_or(Some(false), |subnet| self.family(subnet));
                if let (Some(subnet), None) = (&subnet, family) {
                    addresses.push(self.choose(step, (id, network), &subnet.id, (None, true)));
                }
                let wanted = (cidr, family.unwrap_or_default());
                let address = self.places.choose_fixed(&self.cloud, (id, network), wanted, &step.resource);
                entry.insert("ip_address".to_owned(), address.to_string().into());
            }
            addresses.push(entry);
        }
        addresses
    }

    /// The addresses that are asked for, with those of subnets that give one to every port: one that it has already stays.
    fn with_automatic(&mut self, step: &Step, id: &Id, network: &Id, mut asked: Vec<Value>) -> Vec<Value> {
        let had = self.cloud.port_slot(id).map(|slot| self.cloud.port(slot).fixed_ips.to_vec());
        let subnets: Vec<_> = self.cloud.subnets_of(network).into_iter().cloned().collect();
        for subnet in subnets {
            let automatic = self.is_automatic(&subnet);
            if automatic == Some(false) || asked.iter().any(|entry| is_of(entry, &subnet)) {
                continue;
            }
            let kept = had.iter().flatten().find(|fixed| fixed.subnet_id.as_ref() == Some(&subnet.id));
            match kept {
                Some(kept) => asked.extend(entries(std::slice::from_ref(kept))),
                // A port that is there and has none of a subnet that is there got none.
                None if had.is_some() && automatic.is_none() => continue,
                None => asked.push(self.choose(step, (id, network), &subnet.id, (subnet.cidr, true))),
            }
            if automatic.is_none() {
                let text = format!(
                    "whether subnet {} gives every port on its network an address is not known; judged as if it did",
                    subnet.id
                );
                self.note(NoteKind::Unknown, step, text);
            }
        }
        asked
    }

    /// An address of a subnet for a port, as Neutron would choose one.
    fn choose(&mut self, step: &Step, port: (&Id, &Id), subnet: &Id, wanted: (Option<IpNet>, bool)) -> Value {
        let address = self.places.choose_fixed(&self.cloud, port, wanted, &step.resource);
        json!({"subnet_id": subnet.to_string(), "ip_address": address.to_string()})
    }
}

/// Whether an entry of `fixed_ips` is of a subnet, by its word or by its address.
fn is_of(entry: &Value, subnet: &SubnetState) -> bool {
    let address = entry["ip_address"].as_str().and_then(|address| address.parse::<IpAddr>().ok());
    match entry["subnet_id"].as_str() {
        Some(id) => Id::new(id) == subnet.id,
        None => address.is_some_and(|address| subnet.cidr.is_some_and(|cidr| cidr.contains(&address))),
    }
}

/// Addresses as Neutron's API has them.
fn entries(fixed: &[FixedIp]) -> Vec<Value> {
    let entry = |fixed: &FixedIp| {
        let subnet = fixed.subnet_id.as_ref().map(ToString::to_string);
        json!({"subnet_id": subnet, "ip_address": fixed.address.to_string()})
    };
    fixed.iter().map(entry).collect()
}

pub(super) fn is_ipv6(net: IpNet) -> bool {
    matches!(net, IpNet::V6(_))
}
