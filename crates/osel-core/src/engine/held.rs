//! What a read showed to be otherwise and waits to be merged, and which of it is merged in one step.
//!
//! A step takes few, so that it is short. Rows are told as of its end: if a rule came in one step and one of its ports went in the next,
//! a row would be told, and scanned, that never was. So what has rows in common goes into one step as far as it fits. Where it does not,
//! it is merged in the order that opens the least: what is gone and nobody replaces, then what others are made of, then who uses it, and
//! what was replaced last. Nothing here decides what differs.

use std::collections::{BTreeMap, VecDeque};

use super::reading::{HELD_MAX, MERGED_MAX};
use crate::event::{Kind, Object};
use crate::ids::{Id, Map, Set};
use crate::model::{CloudModel, Tie, Ties};

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

    fn append(&mut self, mut other: Self) {
        self.shown.append(&mut other.shown);
        self.gone.append(&mut other.gone);
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

    /// How many more may be held.
    pub(super) fn room(&self) -> usize {
        HELD_MAX.saturating_sub(self.len())
    }

    /// What was shown and waits.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Object> {
        let portions = self.portions.iter().chain([&self.found]);
        portions.flat_map(|portion| &portion.shown).map(|(object, _)| object)
    }

    /// Nothing is said of what was not shown.
    pub(super) fn forget_gone(&mut self) {
        for portion in self.portions.iter_mut().chain([&mut self.found]) {
            portion.gone.clear();
        }
    }

    /// All of it.
    pub(super) fn take(&mut self) -> Portion {
        let mut all = Portion::default();
        self.portions.drain(..).for_each(|portion| all.append(portion));
        all.append(std::mem::take(&mut self.found));
        all
    }

    /// The first that were shown.
    pub(super) fn take_first(&mut self, count: usize) -> Portion {
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

    /// Puts what was found into steps.
    pub(super) fn arrange(&mut self, cloud: &CloudModel) {
        let Portion { shown, gone } = std::mem::take(&mut self.found);
        let mut nodes: Vec<Node> =
            shown.iter().filter_map(|(object, _)| Node::shown(cloud, object)).collect();
        // Whatever has no id is nothing that could be merged.
        let shown = shown.into_iter().filter(|(object, _)| object.id().is_some());
        nodes.extend(gone.iter().map(|(kind, id)| Node::gone(cloud, *kind, id)));
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
    stage: usize,
}

impl Node {
    fn shown(cloud: &CloudModel, object: &Object) -> Option<Self> {
        let kind = object.kind();
        Some(Self { kind, is_shown: true, ties: cloud.ties(kind, object.id()?, Some(object)), stage: 0 })
    }

    fn gone(cloud: &CloudModel, kind: Kind, id: &Id) -> Self {
        Self { kind, is_shown: false, ties: cloud.ties(kind, id, None), stage: 0 }
    }

    /// When it is merged, where not all can be at once. `shown` is what those change that are shown.
    fn stage(&self, shown: &Set<&Tie>) -> usize {
        let place = Kind::ALL.into_iter().position(|kind| kind == self.kind).unwrap_or(0);
        let has_address = matches!(self.kind, Kind::Port | Kind::FloatingIp | Kind::Forwarding);
        let is_replaced = || self.ties.changed.iter().any(|tie| shown.contains(tie));
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

    let mut portions: Vec<Vec<usize>> = Vec::new();
    for places in together {
        match portions.last_mut() {
            Some(last) if last.len() + places.len() <= MERGED_MAX => last.extend(places),
            _ => portions.extend(places.chunks(MERGED_MAX).map(<[usize]>::to_vec)),
        }
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
