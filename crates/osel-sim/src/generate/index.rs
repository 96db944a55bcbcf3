//! The generated cloud by collection and id, so that an API can page through a million ports whose texts nobody keeps.
//!
//! Ids are worked out from numbers and look like chance, and an API lists by id: what is kept is the order, eight bytes for each
//! object.

use std::ops::Range;

use super::fill::OUTSIDE;
use super::identifiers::Kind;
use super::inventory::Objects;
use super::stream::Generator;
use super::world::World;

/// Where an object of the generated cloud is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    kind: Kind,
    number: u32,
}

/// The collections that a generated cloud has, by their keys in an inventory.
pub const COLLECTIONS: [&str; 12] = [
    "domains",
    "projects",
    "users",
    "networks",
    "subnets",
    "routers",
    "security_groups",
    "security_group_rules",
    "ports",
    "floatingips",
    "address_groups",
    "rbac_policies",
];

/// A generated cloud whose objects are found by id.
pub struct Indexed {
    generator: Generator,
    /// By collection as in [`COLLECTIONS`]: its places in the order of their ids, with those that are gone.
    orders: [Vec<Place>; COLLECTIONS.len()],
    /// By collection: how many numbers of each part are in its order.
    counted: [Vec<u64>; COLLECTIONS.len()],
}

impl Indexed {
    /// The cloud of a generator as it is now.
    pub fn new(generator: Generator) -> Self {
        let mut made = Self {
            generator,
            orders: std::array::from_fn(|_| Vec::new()),
            counted: std::array::from_fn(|_| Vec::new()),
        };
        made.order_new();
        made
    }

    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// Lets the cloud go on.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Generator) -> T) -> T {
        let result = change(&mut self.generator);
        self.order_new();
        result
    }

    /// The places of a collection by id, from the first after `after`, or backwards from the last before it.
    pub fn places(
        &self,
        collection: &str,
        after: Option<&str>,
        backwards: bool,
    ) -> Box<dyn Iterator<Item = (String, Place)> + '_> {
        let Some(at) = COLLECTIONS.iter().position(|known| *known == collection) else {
            return Box::new(std::iter::empty());
        };
        let order = &self.orders[at];
        let named = |place: &Place| (self.id(*place), *place);
        if backwards {
            let end = after.map_or(order.len(), |id| order.partition_point(|place| *self.id(*place) < *id));
            Box::new(order[..end].iter().rev().map(named))
        } else {
            let start = after.map_or(0, |id| order.partition_point(|place| *self.id(*place) <= *id));
            Box::new(order[start..].iter().map(named))
        }
    }

    /// Where the object of that id is.
    pub fn find(&self, collection: &str, id: &str) -> Option<Place> {
        let at = COLLECTIONS.iter().position(|known| *known == collection)?;
        let order = &self.orders[at];
        let found = order.partition_point(|place| *self.id(*place) < *id);
        order.get(found).copied().filter(|place| self.id(*place) == id)
    }

    /// The object's JSON text; empty where it is not there any more.
    pub fn text(&self, place: Place) -> String {
        self.objects().text_of(place.kind, place.number)
    }

    /// The rules of a security group, with their ids.
    pub fn rules(&self, group: Place) -> Vec<(String, Place)> {
        let Some(found) = self.generator.world.groups.get(group.number as usize) else { return Vec::new() };
        let places = found.rules.iter().map(|rule| Place { kind: Kind::Rule, number: *rule });
        places.map(|place| (self.id(place), place)).collect()
    }

    fn id(&self, place: Place) -> String {
        let mut id = String::with_capacity(36);
        self.generator.identifiers.write(&mut id, place.kind, u64::from(place.number));
        id
    }

    fn objects(&self) -> Objects<'_> {
        self.generator.objects()
    }

    /// Takes in what was made since the last time.
    fn order_new(&mut self) {
        let identifiers = self.generator.identifiers;
        for (at, collection) in COLLECTIONS.iter().enumerate() {
            let mut is_new = false;
            for (part, (kind, numbers)) in parts(&self.generator.world, collection).into_iter().enumerate() {
                if self.counted[at].len() <= part {
                    self.counted[at].push(numbers.start);
                }
                let from = self.counted[at][part];
                let new = (from..numbers.end).map(|number| Place { kind, number: number as u32 });
                is_new |= from < numbers.end;
                self.orders[at].extend(new);
                self.counted[at][part] = numbers.end;
            }
            if is_new {
                let key = |place: &Place| identifiers.rank(place.kind, u64::from(place.number));
                self.orders[at].sort_by_cached_key(key);
            }
        }
    }
}

/// What a collection is made of: kinds, and which numbers of them there are.
fn parts(world: &World, collection: &str) -> Vec<(Kind, Range<u64>)> {
    let all = |count: usize| 0..count as u64;
    let outside = OUTSIDE..OUTSIDE + 1;
    let networks = all(world.networks.len());
    match collection {
        "domains" => vec![(Kind::Domain, 1..2)],
        "projects" => vec![(Kind::Project, all(world.projects.len()))],
        "users" => vec![(Kind::User, all(world.projects.len()))],
        "networks" => vec![(Kind::Network, networks), (Kind::Network, outside)],
        "subnets" => {
            vec![(Kind::Subnet, networks.clone()), (Kind::Subnet6, networks), (Kind::Subnet, outside)]
        }
        "routers" => vec![(Kind::Router, all(world.projects.len()))],
        "security_groups" => vec![(Kind::Group, all(world.groups.len()))],
        "security_group_rules" => vec![(Kind::Rule, all(world.rules.len()))],
        "ports" => vec![(Kind::Port, all(world.ports.len())), (Kind::Interface, networks)],
        "floatingips" => vec![(Kind::FloatingIp, all(world.floating_ips.len()))],
        _ => Vec::new(),
    }
}
