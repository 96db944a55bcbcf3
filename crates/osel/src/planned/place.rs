//! Values that are there only after the change: what stands for them meanwhile, and whose they are.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use osel_core::ids::Id;
use osel_core::model::{CloudModel, View, host};

/// How many addresses of a subnet are tried from its end before one is made up. In a full subnet Neutron would refuse.
const TRIES_MAX: u32 = 1024;
/// Where addresses are made up: reserved for ever (240.0.0.0/4) and for documentation (3fff::/20), so that no object has one of them. Those
/// of IPv6 are global, as ones of a subnet that is not known yet may be: routers lead there without translating.
const MADE_UP_V4: u32 = 0xF000_0000;
const MADE_UP_V6: u128 = 0x3FFF << 112;

/// Ids and addresses that stand for those of the time after the change, each with the resource that will tell.
#[derive(Debug, Default)]
pub struct Placeholders {
    ids: BTreeMap<Id, Arc<str>>,
    fixed: BTreeMap<(Id, IpAddr), Arc<str>>,
    outer: BTreeMap<IpAddr, Arc<str>>,
    made_up: u32,
}

impl Placeholders {
    /// Notes that an id is none yet.
    pub fn add_id(&mut self, id: Id, resource: &Arc<str>) {
        self.ids.insert(id, Arc::clone(resource));
    }

    /// The resource that makes the object, where the id is none yet.
    pub fn id(&self, id: &Id) -> Option<&Arc<str>> {
        self.ids.get(id)
    }

    /// The resource that will tell an inner address of a port.
    pub fn fixed(&self, port: &Id, address: IpAddr) -> Option<&Arc<str>> {
        self.fixed.get(&(port.clone(), address))
    }

    /// The resource that will tell an outer address.
    pub fn outer(&self, address: IpAddr) -> Option<&Arc<str>> {
        self.outer.get(&address)
    }

    /// All addresses that are none yet.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.fixed.keys().map(|(_, address)| *address).chain(self.outer.keys().copied())
    }

    /// An address for a port on a network: a free one of the prefix, so that what is said about the prefix holds for it. Where that is
    /// not known, one of the family.
    pub fn choose_fixed(
        &mut self,
        cloud: &CloudModel,
        (port, network): (&Id, &Id),
        (prefix, ipv6): (Option<IpNet>, bool),
        resource: &Arc<str>,
    ) -> IpAddr {
        let nobody = Id::new("");
        let is_free = |address: &IpAddr| {
            !self.fixed.contains_key(&(port.clone(), *address))
                && cloud.neighbours(host(*address), Some(network), &nobody).is_empty()
        };
        let address =
            prefix.and_then(|prefix| from_end(prefix).find(is_free)).unwrap_or_else(|| self.make_up(ipv6));
        self.fixed.insert((port.clone(), address), Arc::clone(resource));
        address
    }

    /// An address for a floating IP.
    pub fn choose_outer(&mut self, resource: &Arc<str>) -> IpAddr {
        let address = self.make_up(false);
        self.outer.insert(address, Arc::clone(resource));
        address
    }

    fn make_up(&mut self, ipv6: bool) -> IpAddr {
        self.made_up += 1;
        match ipv6 {
            true => Ipv6Addr::from(MADE_UP_V6 + u128::from(self.made_up)).into(),
            false => Ipv4Addr::from(MADE_UP_V4 + self.made_up).into(),
        }
    }
}

/// The last addresses of a prefix that a port can have, from the end.
fn from_end(prefix: IpNet) -> impl Iterator<Item = IpAddr> {
    (1..=TRIES_MAX).map_while(move |back| {
        let address = match prefix {
            IpNet::V4(prefix) => Ipv4Addr::from(u32::from(prefix.broadcast()).checked_sub(back)?).into(),
            IpNet::V6(prefix) => {
                Ipv6Addr::from(u128::from(prefix.broadcast()).checked_sub(back.into())?).into()
            }
        };
        (prefix.contains(&address) && address != prefix.network()).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_from_the_end_of_a_prefix_and_end_with_it() {
        let all = |text: &str| {
            from_end(text.parse().unwrap()).map(|address| address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            all("10.0.0.0/29"),
            ["10.0.0.6", "10.0.0.5", "10.0.0.4", "10.0.0.3", "10.0.0.2", "10.0.0.1"]
        );
        assert!(all("10.0.0.7/32").is_empty() && all("0.0.0.0/32").is_empty());
        assert_eq!(all("fd00::/64").len(), 1024);
    }

    #[test]
    fn each_address_that_is_made_up_is_another_one() {
        let cloud = CloudModel::default();
        let (mut places, resource) = (Placeholders::default(), Arc::from("r"));
        let (port, network) = (Id::new("p"), Id::new("n"));
        let outer = places.choose_outer(&resource);
        let mut fixed = |prefix: Option<&str>| {
            let prefix: Option<IpNet> = prefix.map(|prefix| prefix.parse().unwrap());
            let ipv6 = matches!(prefix, Some(IpNet::V6(_)));
            places.choose_fixed(&cloud, (&port, &network), (prefix, ipv6), &resource)
        };
        let chosen = [
            outer,
            fixed(None),
            fixed(Some("10.0.0.0/30")),
            fixed(Some("10.0.0.0/30")),
            fixed(Some("10.0.0.0/30")),
            fixed(Some("fd00::/128")),
        ];
        let wanted = ["240.0.0.1", "240.0.0.2", "10.0.0.2", "10.0.0.1", "240.0.0.3", "3fff::4"];
        assert_eq!(chosen.map(|address| address.to_string()), wanted);
        assert!(places.fixed(&port, chosen[2]).is_some() && places.outer(chosen[2]).is_none());
    }
}
