//! The addresses that Neutron gives to ports: of which subnets, and which family those have.

use ipnet::IpNet;
use osel_core::ids::Id;
use osel_core::model::{SubnetState, View};
use serde_json::{Value, json};

use super::neutron::text;
use super::note::NoteKind;
use super::overlay::Overlay;
use super::step::{Body, Step};

impl Overlay {
    /// Keeps of a subnet that the plan makes what the model does not hold: its family, where its range is one of a pool.
    pub(super) fn note_family(&mut self, id: &Id, body: &Body) {
        // Neutron takes a number in a text too.
        match body.get("ip_version") {
            Some(version) if *version == 6 || *version == "6" => self.families.insert(id.clone(), true),
            Some(version) if *version == 4 || *version == "4" => self.families.insert(id.clone(), false),
            _ => None,
        };
    }

    /// Whether a subnet is of IPv6; of one that tells neither range nor version nobody knows.
    fn family(&self, subnet: &SubnetState) -> Option<bool> {
        subnet.cidr.map(is_ipv6).or_else(|| self.families.get(&subnet.id).copied())
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
            Some(asked) => self.complete(step, id, network, asked),
            None => self.left_to_neutron(step, id, network),
        };
        body.insert("fixed_ips".to_owned(), addresses.into());
    }

    /// An address of each family that the network has.
    fn left_to_neutron(&mut self, step: &Step, id: &Id, network: &Id) -> Vec<Value> {
        let subnets: Vec<_> = self.cloud.subnets_of(network).into_iter().cloned().collect();
        let mut chosen = Vec::new();
        for ipv6 in [false, true] {
            let of_family = |subnet: &&SubnetState| self.family(subnet).is_none_or(|of| of == ipv6);
            if let Some(subnet) = subnets.iter().find(of_family) {
                chosen.push(self.choose(step, (id, network), &subnet.id, (subnet.cidr, ipv6)));
            }
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

    /// An address of a subnet for a port, as Neutron would choose one.
    fn choose(&mut self, step: &Step, port: (&Id, &Id), subnet: &Id, wanted: (Option<IpNet>, bool)) -> Value {
        let address = self.places.choose_fixed(&self.cloud, port, wanted, &step.resource);
        json!({"subnet_id": subnet.to_string(), "ip_address": address.to_string()})
    }
}

fn is_ipv6(net: IpNet) -> bool {
    matches!(net, IpNet::V6(_))
}
