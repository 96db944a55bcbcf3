//! The cloud as it stands before the stream: projects, groups and their ports by Zipf's law.

use super::world::{Project, RuleKind, World};
use crate::random::Random;

/// Ports per project on average, where nobody says how many projects there are.
const PORTS_PER_PROJECT: usize = 200;
/// Ports per network of a project at the start: an eighth of its addresses, so that the stream finds room.
const PORTS_PER_NETWORK: usize = 2000;
/// Ports per security group, where nobody says how many groups there are.
const PORTS_PER_GROUP: usize = 10;
/// Of a hundred ports so many have only their project's default group.
const DEFAULT_ONLY_PERCENT: u64 = 30;

/// What a cloud of a given number of ports looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many projects there are; one for each 200 ports where nothing is said. The first is the largest.
    pub projects: Option<usize>,
    /// How many security groups a project has with its default group; one for each ten of its ports where nothing is said.
    pub groups_per_project: Option<usize>,
    /// A group has from one to so many rules that people wrote.
    pub rules_per_group: u64,
    /// Of a hundred ports so many have a floating IP.
    pub floating_percent: u64,
    /// Of a hundred networks so many have a subnet of version 6 too.
    pub v6_percent: u64,
}

impl Default for Shape {
    /// With the rules that every group has, ten rules in a group on average.
    fn default() -> Self {
        Self {
            projects: None,
            groups_per_project: None,
            rules_per_group: 14,
            floating_percent: 2,
            v6_percent: 30,
        }
    }
}

/// A cloud with that many ports, shared out among its projects by Zipf's law.
pub(super) fn plan(ports: usize, shape: &Shape, random: &mut Random) -> World {
    let mut world = World::default();
    let count = shape.projects.unwrap_or(ports / PORTS_PER_PROJECT).max(1);
    for size in zipf_sizes(ports, count) {
        add_project(&mut world, size, shape, random);
    }
    world
}

/// Adds a project that people of the stream may fill.
pub(super) fn add_bare_project(world: &mut World) -> u32 {
    let number = super::world::next(&world.projects);
    world.projects.push(Project { is_alive: true, router_revision: 3, ..Project::default() });
    world.users += 1;
    number
}

fn add_project(world: &mut World, ports: usize, shape: &Shape, random: &mut Random) {
    let project = add_bare_project(world);
    world.add_group(project, true);
    for _ in 1..shape.groups_per_project.unwrap_or(ports / PORTS_PER_GROUP).max(1) {
        let group = world.add_group(project, false);
        for _ in 0..random.between(1.min(shape.rules_per_group), shape.rules_per_group) {
            world.add_rule(group, RuleKind::Written);
        }
        world.groups[group as usize].revision = super::world::next(&world.groups[group as usize].rules);
    }
    add_sets(world, project, random);
    world.projects[project as usize].has_network = true;
    for _ in 0..ports.div_ceil(PORTS_PER_NETWORK).max(1) {
        let has_v6 = random.percent(shape.v6_percent);
        world.add_network(project, has_v6);
    }
    for _ in 0..ports {
        let network = random.pick(&world.project(project).networks).copied().unwrap_or(0);
        let set = some_set(world, project, random);
        let is_booted = random.percent(80);
        let port = world.add_port(network, set, is_booted);
        if random.percent(shape.floating_percent) {
            let floating_ip = world.add_floating_ip(project);
            world.associate(floating_ip, Some(port));
        }
        if random.percent(1) {
            world.ports[port as usize].pair = 1 + random.below(250) as u8;
        }
    }
}

/// The sets of groups that the ports of a project have: the default group, each group, some pairs.
fn add_sets(world: &mut World, project: u32, random: &mut Random) {
    let groups = world.project(project).groups.clone();
    world.add_set(project, groups.first().copied().into_iter().collect());
    for group in groups.iter().skip(1) {
        let mut set = vec![*group];
        match random.below(3) {
            0 => set.extend(groups.first()),
            1 => set.extend(random.pick(&groups)),
            _ => {}
        }
        world.add_set(project, set);
    }
}

/// A set of groups of a project: the first ones far more often than the last.
pub(super) fn some_set(world: &World, project: u32, random: &mut Random) -> u32 {
    let sets = &world.project(project).sets;
    let place = if random.percent(DEFAULT_ONLY_PERCENT) { 0 } else { zipf_place(sets.len(), random) };
    sets.get(place).copied().unwrap_or(0)
}

/// A place in a list of that length, drawn by Zipf's law with exponent 1.
pub(super) fn zipf_place(length: usize, random: &mut Random) -> usize {
    // The logarithm of the rank is even: exp(u · ln n), cut to whole numbers.
    let rank = (length as f64 + 1.0).powf(random.fraction());
    (rank as usize).saturating_sub(1).min(length.saturating_sub(1))
}

/// Shares of a whole by Zipf's law with exponent 1, none of them empty while there is enough.
fn zipf_sizes(whole: usize, count: usize) -> Vec<usize> {
    let harmonic: f64 = (1..=count).map(|rank| 1.0 / rank as f64).sum();
    let mut sizes: Vec<usize> =
        (1..=count).map(|rank| ((whole as f64 / harmonic / rank as f64) as usize).max(1)).collect();
    let given: usize = sizes.iter().sum();
    if let Some(first) = sizes.first_mut() {
        *first = (*first + whole).saturating_sub(given).max(1);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_has_the_ports_groups_and_rules_it_was_asked_for() {
        let world = plan(20_000, &Shape::default(), &mut Random::new(1));
        assert_eq!(world.ports.len(), 20_000);
        assert!((1800..2300).contains(&world.groups.len()), "{}", world.groups.len());
        assert!((16_000..24_000).contains(&world.rules.len()), "{}", world.rules.len());
    }

    #[test]
    fn groups_are_sized_by_zipfs_law() {
        let world = plan(20_000, &Shape::default(), &mut Random::new(1));
        let mut sizes: Vec<u32> = world.groups.iter().map(|group| group.ports).collect();
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        assert!(sizes[0] > 1000, "the largest group is large: {}", sizes[0]);
        assert!(sizes[sizes.len() / 2] <= 10, "the middle one is small: {}", sizes[sizes.len() / 2]);
        let total: usize = world.groups.iter().map(|group| group.ports as usize).sum();
        let named: usize = world.ports.iter().map(|port| world.sets[port.set as usize].len()).sum();
        assert_eq!(total, named);
    }

    #[test]
    fn the_smallest_cloud_is_a_cloud() {
        let world = plan(1, &Shape::default(), &mut Random::new(1));
        assert_eq!((world.projects.len(), world.ports.len(), world.groups.len()), (1, 1, 1));
    }

    #[test]
    fn a_shape_is_kept() {
        let shape = Shape {
            projects: Some(7),
            groups_per_project: Some(5),
            rules_per_group: 0,
            floating_percent: 100,
            v6_percent: 0,
        };
        let world = plan(700, &shape, &mut Random::new(1));
        assert_eq!((world.projects.len(), world.ports.len(), world.groups.len()), (7, 700, 35));
        // Two for each group, and two more for each default group.
        assert_eq!(world.rules.len(), 35 * 2 + 7 * 2);
        assert_eq!(world.floating_ips.len(), 700);
        assert!(world.networks.iter().all(|network| !network.has_v6));
    }
}
