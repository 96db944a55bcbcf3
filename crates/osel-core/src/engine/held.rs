//! What a read showed to be otherwise and waits to be merged, and which of it is merged in one step.
//!
//! A step takes few, so that it is short. Rows are told as of its end: if a rule came in one step and one of its ports went in the next,
//! a row would be told, and scanned, that never was. So what has rows in common goes into one step as far as it fits. Where it does not,
//! it is merged in the order that opens the least: what is gone and nobody replaces, then what others are made of, then who uses it, and
//! what was replaced last. Nothing here decides what differs.

use std::collections::{BTreeMap, VecDeque};

use super::reading::{GONE_HELD_MAX, MERGED_MAX};
use crate::event::{Kind, Object};
use crate::ids::{Id, Map, Set};
use crate::model::{Bulk, CloudModel, Tie, Ties};

/// How many rows count as much as an object in the size of a step: they are merged and told in about the same time.
pub const ROWS_AS_ONE: usize = 256;

/// The most rows of a step, but for an object that has more by itself, and what is merged before the end of a read.
pub const ROWS_MAX: usize = MERGED_MAX * ROWS_AS_ONE;

/// What is merged in one step.
#[derive(Debug, Default)]
pub(super) struct Portion {
    /// Shown, and not as they are known; with the text that the journal will have.
    pub(super) shown: Vec<(Object, Box<[u8]>)>,
    /// Known, and not shown.
    pub(super) gone: Vec<(Kind, Id)>,
}

impl Portion {
    fn len(&self) -> usize {
        self.shown.len() + self.gone.len()
    }

    /// Whether it is little enough for one step; a single object always is.
    fn fits(&self, cloud: &CloudModel) -> bool {
        let mut bulk = Bulk::new(cloud, ROWS_MAX);
        let mut size = |kind, id: &Id, shown| 1 + bulk.rows(kind, id, shown) / ROWS_AS_ONE;
        let objects = self.shown.iter().map(|(object, _)| object);
        let shown = objects.filter_map(|object| Some((object.kind(), object.id()?, Some(object))));
        let gone = self.gone.iter().map(|(kind, id)| (*kind, id, None));
        self.len() <= 1
            || self.len() <= MERGED_MAX
                && shown.chain(gone).map(|(kind, id, shown)| size(kind, id, shown)).sum::<usize>()
                    <= MERGED_MAX
    }
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// As it was found.
    pub(super) found: Portion,
    /// What was put into steps already, in their order.
    portions: VecDeque<Portion>,
}

impl Held {
    pub(super) fn len(&self) -> usize {
        self.found.len() + self.portions.iter().map(Portion::len).sum::<usize>()
    }

    /// How many more of what is gone may be held.
    pub(super) fn room_for_gone(&self) -> usize {
        GONE_HELD_MAX.saturating_sub(self.found.gone.len())
    }

    /// What was shown and waits.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Object> {
        let portions = self.portions.iter().chain([&self.found]);
        portions.flat_map(|portion| &portion.shown).map(|(object, _)| object)
    }

    /// The same by its ids, without what stands in it.
    pub(super) fn shown_ids(&self) -> impl Iterator<Item = (Kind, &Id)> {
        self.shown().filter_map(|object| Some((object.kind(), object.id()?)))
    }

    /// Nothing is said of what was not shown.
    pub(super) fn forget_gone(&mut self) {
        for portion in self.portions.iter_mut().chain([&mut self.found]) {
            portion.gone.clear();
        }
        // A step in which nothing is merged would be an entry that says nothing.
        self.portions.retain(|portion| portion.len() > 0);
    }

    /// All that was shown, in the order of its steps.
    pub(super) fn take_shown(&mut self) -> Portion {
        let portions =
            std::mem::take(&mut self.portions).into_iter().chain([std::mem::take(&mut self.found)]);
        Portion { shown: portions.flat_map(|portion| portion.shown).collect(), gone: Vec::new() }
    }

    /// All of it, where that is one step.
    pub(super) fn take_last(&mut self, cloud: &CloudModel) -> Option<Portion> {
        match self.portions.len() {
            0 if self.found.fits(cloud) => Some(std::mem::take(&mut self.found)),
            1 if self.found.len() == 0 => self.portions.pop_front(),
            _ => None,
        }
    }

    /// The first that were shown, before it is known what is gone: those by which ports that are gone would be told as open come last.
    pub(super) fn take_early(&mut self, count: usize) -> Portion {
        let opens = |kind| matches!(kind, Kind::SecurityGroup | Kind::Rule | Kind::AddressGroup);
        self.found.shown.sort_by_key(|(object, _)| opens(object.kind()));
        let shown = self.found.shown.drain(..count.min(self.found.shown.len())).collect();
        Portion { shown, gone: Vec::new() }
    }

    /// Whether anything was put into steps that were not made yet.
    pub(super) fn has_portions(&self) -> bool {
        !self.portions.is_empty()
    }

    /// What was put together for the next step, if anything was.
    pub(super) fn next_portion(&mut self) -> Option<Portion> {
        self.portions.pop_front()
    }

    /// Puts what is gone and nobody replaces into steps, before all is found that is gone; whether that made any. What was shown waits:
    /// what it opens may be on a port that is gone too.
    pub(super) fn arrange_gone(&mut self, cloud: &CloudModel) -> bool {
        let mut bulk = Bulk::new(cloud, ROWS_MAX);
        let shown = self.found.shown.iter();
        let shown: Vec<Node> =
            shown.filter_map(|(object, _)| Node::shown(cloud, &mut bulk, object)).collect();
        let shown: Set<&Tie> = shown.iter().flat_map(|node| &node.ties.changed).collect();
        let (mut first, mut nodes, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (kind, id) in std::mem::take(&mut self.found.gone) {
            let node = Node::gone(cloud, &mut bulk, kind, &id);
            if node.stage(&shown) == 0 {
                first.push((kind, id));
                nodes.push(node);
            } else {
                rest.push((kind, id));
            }
        }
        self.found.gone = rest;
        let steps = portions(&mut nodes).into_iter();
        let steps = steps.map(|places| places.into_iter().map(|at| first[at].clone()).collect());
        self.portions.extend(steps.map(|gone| Portion { shown: Vec::new(), gone }));
        !self.portions.is_empty()
    }

    /// Puts what was found into steps.
    pub(super) fn arrange(&mut self, cloud: &CloudModel) {
        let Portion { shown, gone } = std::mem::take(&mut self.found);
        let mut bulk = Bulk::new(cloud, ROWS_MAX);
        let mut nodes: Vec<Node> =
            shown.iter().filter_map(|(object, _)| Node::shown(cloud, &mut bulk, object)).collect();
        // Whatever has no id is nothing that could be merged.
        let shown = shown.into_iter().filter(|(object, _)| object.id().is_some());
        nodes.extend(gone.iter().map(|(kind, id)| Node::gone(cloud, &mut bulk, *kind, id)));
        tie_groups(cloud, &mut nodes);
        let order = portions(&mut nodes);
        let mut shown: Vec<Option<_>> = shown.map(Some).collect();
        for places in order {
            let mut portion = Portion::default();
            for at in places {
                match shown.get_mut(at) {
                    Some(object) => portion.shown.extend(object.take()),
                    None => portion.gone.push(gone[at - shown.len()].clone()),
                }
            }
            self.portions.push_back(portion);
        }
    }
}

/// A difference, and what it has to do with others.
#[derive(Debug)]
struct Node {
    kind: Kind,
    is_shown: bool,
    ties: Ties,
    /// How much of a step it takes.
    size: usize,
    stage: usize,
}

impl Node {
    fn shown(cloud: &CloudModel, bulk: &mut Bulk<'_>, object: &Object) -> Option<Self> {
        Some(Self::new(cloud, bulk, (object.kind(), object.id()?), Some(object)))
    }

    fn gone(cloud: &CloudModel, bulk: &mut Bulk<'_>, kind: Kind, id: &Id) -> Self {
        Self::new(cloud, bulk, (kind, id), None)
    }

    fn new(cloud: &CloudModel, bulk: &mut Bulk<'_>, (kind, id): (Kind, &Id), shown: Option<&Object>) -> Self {
        let size = 1 + bulk.rows(kind, id, shown) / ROWS_AS_ONE;
        Self { kind, is_shown: shown.is_some(), ties: cloud.ties(kind, id, shown), size, stage: 0 }
    }

    /// When it is merged, where not all can be at once. `shown` is what those change that are shown.
    fn stage(&self, shown: &Set<&Tie>) -> usize {
        let place = Kind::ALL.into_iter().position(|kind| kind == self.kind).unwrap_or(0);
        let has_address = matches!(self.kind, Kind::Port | Kind::FloatingIp | Kind::Forwarding);
        // That another lends the same address to a group is no reason to have rules told as open on a port that is gone.
        let replaces = |tie: &Tie| !matches!(tie, Tie::Lent(..)) && shown.contains(tie);
        let is_replaced = || self.ties.changed.iter().any(replaces);
        match self.is_shown {
            // What rows are made of before whoever uses it.
            true => 1 + 2 * place,
            // Rules that come would be told as open on it.
            false if has_address && !is_replaced() => 0,
            // After those that come, which may do the same, and before ports that would be told to be open by it.
            false if self.kind == Kind::Rule => 2 + 2 * place,
            // What hangs on others before them.
            false => 1 + 2 * Kind::ALL.len() + (Kind::ALL.len() - place),
        }
    }
}

/// Ties groups that one port has: their rules may open the same on it. One of those that change a group is tied for all of them.
fn tie_groups(cloud: &CloudModel, nodes: &mut [Node]) {
    let mut tied: Set<Id> = Set::default();
    for Node { ties, .. } in nodes {
        for tie in &ties.changed {
            if let Tie::Object(Kind::SecurityGroup, group) = tie
                && tied.insert(group.clone())
            {
                ties.used.extend(cloud.groups_beside(group));
            }
        }
    }
}

/// Which of the nodes go into which step, by their places.
fn portions(nodes: &mut [Node]) -> Vec<Vec<usize>> {
    let of_shown = nodes.iter().filter(|node| node.is_shown);
    let shown: Set<&Tie> = of_shown.flat_map(|node| &node.ties.changed).collect();
    let stages: Vec<usize> = nodes.iter().map(|node| node.stage(&shown)).collect();
    nodes.iter_mut().zip(stages).for_each(|(node, stage)| node.stage = stage);

    // Those that have to do with each other, by the first of them.
    let mut firsts = Firsts((0..nodes.len()).collect());
    let mut changed: Map<&Tie, usize> = Map::default();
    for (at, node) in nodes.iter().enumerate() {
        for tie in &node.ties.changed {
            firsts.unite(at, *changed.entry(tie).or_insert(at));
        }
    }
    for (at, node) in nodes.iter().enumerate() {
        for tie in &node.ties.used {
            if let Some(&other) = changed.get(tie) {
                firsts.unite(at, other);
            }
        }
    }
    let mut together: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..nodes.len() {
        together.entry(firsts.of(at)).or_default().push(at);
    }
    let mut together: Vec<Vec<usize>> = together.into_values().collect();
    for places in &mut together {
        places.sort_by_key(|&at| nodes[at].stage);
    }
    together.sort_by_key(|places| nodes[places[0]].stage);

    let (mut portions, mut portion, mut room) = (Vec::new(), Vec::new(), MERGED_MAX);
    for places in together {
        let whole = places.iter().map(|&at| nodes[at].size).sum::<usize>();
        let mut begins = whole > room;
        for at in places {
            let size = nodes[at].size;
            if (begins || size > room) && !portion.is_empty() {
                portions.push(std::mem::take(&mut portion));
                room = MERGED_MAX;
            }
            begins = false;
            portion.push(at);
            room = room.saturating_sub(size);
        }
    }
    if !portion.is_empty() {
        portions.push(portion);
    }
    portions
}

/// Sets of numbers, each known by its least.
struct Firsts(Vec<usize>);

impl Firsts {
    fn of(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.of(one), self.of(other));
        self.0[one.max(other)] = one.min(other);
    }
}
