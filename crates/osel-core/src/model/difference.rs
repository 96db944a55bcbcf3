//! What a read changes, object by object: merged as one step, so that what one object opens and another closes did neither.
//!
//! Rows and members stand with the object whose statement brought them about. Nothing is judged or told here.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::changes::{Changes, Telling};
use super::cloud::CloudModel;
use super::delta::{Delta, MemberChange};
use super::persist::StateLine;
use super::row::Row;
use crate::event::{Kind, Object, SecurityGroup};
use crate::ids::Id;
use crate::time::Timestamp;

/// An object that was not as it was known.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
    /// How it was known; nothing when nobody had told of it.
    pub before: Option<StateLine>,
    /// How it is; nothing when it is gone.
    pub after: Option<StateLine>,
    /// The rows that came and went with it, and the members of groups.
    pub delta: Delta,
}

/// What merging a part of a read did.
#[derive(Debug, Default)]
pub struct Merged {
    /// The objects that changed, in the order in which they were merged; none where nobody asked for differences.
    pub differences: Vec<Difference>,
    /// Every object that was touched, if only by a new revision.
    pub touched: Vec<(Kind, Id)>,
    /// Whether the tags of any object that was known changed.
    pub retagged: bool,
}

impl CloudModel {
    /// Merges what a read at `at` showed, and takes out what it says is gone, in this order. Where `told`, says what differed.
    pub fn merge_shown(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        exact: bool,
        (objects, gone): (&[Object], &[(Kind, Id)]),
        told: bool,
    ) -> Merged {
        let telling = self.read_telling(now, at, exact);
        let mut steps = Steps { told, ..Steps::default() };
        for object in objects {
            let Some(id) = object.id() else { continue };
            match object {
                // Each rule is a step of its own: its rows are its own.
                Object::SecurityGroup(group @ SecurityGroup { rules: Some(rules), .. }) => {
                    let alone = Object::SecurityGroup(SecurityGroup { rules: None, ..group.clone() });
                    steps.tell(self, Kind::SecurityGroup, id, &alone, &telling);
                    for rule in rules {
                        if let Some(rule_id) = &rule.version.id {
                            steps.tell(self, Kind::Rule, rule_id, &Object::Rule(rule.clone()), &telling);
                        }
                    }
                }
                _ => steps.tell(self, object.kind(), id, object, &telling),
            }
        }
        for (kind, id) in gone {
            steps.take(*kind, id, |changes| self.delete(*kind, id, &telling, changes));
        }
        steps.merged(self)
    }
}

/// The steps of a merge: what each brought about.
#[derive(Debug, Default)]
struct Steps {
    told: bool,
    retagged: bool,
    /// The objects in the order in which they were touched first, each with how it was before.
    touched: BTreeMap<(Kind, Id), (usize, Option<StateLine>)>,
    /// The object that each step stands for: what was merged if that was touched, else the first that was.
    owners: Vec<(Kind, Id)>,
    opened: Vec<(Row, usize)>,
    closed: Vec<(Row, usize)>,
    /// Addresses that groups gained (true) or lost, each with the step.
    members: BTreeMap<(Kind, Id, IpNet), (bool, usize)>,
}

impl Steps {
    fn tell(&mut self, model: &mut CloudModel, kind: Kind, id: &Id, object: &Object, telling: &Telling) {
        self.take(kind, id, |changes| model.tell(object, telling, changes));
    }

    fn take(&mut self, kind: Kind, id: &Id, act: impl FnOnce(&mut Changes)) {
        let before = self.told.then(BTreeMap::new);
        let mut changes = Changes { silent: !self.told, before, ..Changes::default() };
        act(&mut changes);
        let mut before = changes.before.take().unwrap_or_default();
        let Delta { opened, closed, members, touched, retagged, .. } = changes.into_delta();
        self.retagged |= retagged;
        let main = (kind, id.clone());
        let is_main_touched = touched.contains(&main);
        let owner = if is_main_touched { main } else { touched.first().cloned().unwrap_or(main) };
        let step = self.owners.len();
        self.owners.push(owner);
        for key in touched {
            let place = self.touched.len();
            let before = before.remove(&key).flatten();
            self.touched.entry(key).or_insert((place, before));
        }
        self.opened.extend(opened.into_iter().map(|row| (row, step)));
        self.closed.extend(closed.into_iter().map(|row| (row, step)));
        for MemberChange { kind, id, gained, lost } in members {
            for (nets, is_gain) in [(lost, false), (gained, true)] {
                for net in nets {
                    let key = (kind, id.clone(), net);
                    // It came and went within the merge, or went and came.
                    if self.members.remove(&key).is_none() {
                        self.members.insert(key, (is_gain, step));
                    }
                }
            }
        }
    }

    fn merged(mut self, model: &CloudModel) -> Merged {
        let touched: Vec<(Kind, Id)> = self.touched.keys().cloned().collect();
        if !self.told {
            return Merged { differences: Vec::new(), touched, retagged: self.retagged };
        }
        let mut deltas = self.deltas();
        let mut objects: Vec<_> = self.touched.into_iter().collect();
        objects.sort_unstable_by_key(|(_, (place, _))| *place);
        let differences = objects.into_iter().filter_map(|(key, (_, before))| {
            let after = model.written(key.0, &key.1);
            let delta = deltas.remove(&key).unwrap_or_default();
            let (kind, id) = key;
            let difference = Difference { kind, id, before, after, delta };
            difference.is_any().then_some(difference)
        });
        Merged { differences: differences.collect(), touched, retagged: self.retagged }
    }

    /// What each object brought about, once what came and went again is left out.
    fn deltas(&mut self) -> BTreeMap<(Kind, Id), Delta> {
        let mut deltas: BTreeMap<(Kind, Id), Delta> = BTreeMap::new();
        let owners = &self.owners;
        let (opened, closed) = settled(std::mem::take(&mut self.opened), std::mem::take(&mut self.closed));
        for (row, step) in opened {
            deltas.entry(owners[step].clone()).or_default().opened.push(row);
        }
        for (row, step) in closed {
            deltas.entry(owners[step].clone()).or_default().closed.push(row);
        }
        for ((kind, id, net), (is_gain, step)) in std::mem::take(&mut self.members) {
            let members = &mut deltas.entry(owners[step].clone()).or_default().members;
            if members.last().is_none_or(|last| (last.kind, &last.id) != (kind, &id)) {
                members.push(MemberChange { kind, id, gained: Vec::new(), lost: Vec::new() });
            }
            if let Some(last) = members.last_mut() {
                if is_gain { last.gained.push(net) } else { last.lost.push(net) }
            }
        }
        deltas
    }
}

/// Rows with the step that brought them about.
type Rows = Vec<(Row, usize)>;

/// Leaves out rows that are on both sides.
fn settled(mut opened: Rows, mut closed: Rows) -> (Rows, Rows) {
    for rows in [&mut opened, &mut closed] {
        rows.sort_by(|(one, _), (other, _)| one.cmp_exposure(other));
    }
    let (mut came, mut gone) = (Rows::new(), Rows::new());
    let (mut opened, mut closed) = (opened.into_iter().peekable(), closed.into_iter().peekable());
    loop {
        let order = match (opened.peek(), closed.peek()) {
            (None, None) => return (came, gone),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp_exposure(other),
        };
        match order {
            std::cmp::Ordering::Less => came.extend(opened.next()),
            std::cmp::Ordering::Greater => gone.extend(closed.next()),
            std::cmp::Ordering::Equal => {
                opened.next();
                closed.next();
            }
        }
    }
}
