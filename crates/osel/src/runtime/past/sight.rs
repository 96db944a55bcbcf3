//! What of the changes is seen from somewhere.
//!
//! A row comes into sight when it opens, and also when the group that it has as its source gains an address of the vantage; it goes out of
//! sight likewise. So what is in sight before a record, and what the record changed, gives what is in sight after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use osel_core::engine::{Engine, Version};
use osel_core::event::Kind;
use osel_core::exposure::SourceFilter;
use osel_core::model::{PortState, Row, Source, StateLine, View};

use super::timeline::{Change, Timeline, cmp};

/// A look at changes from a vantage.
#[derive(Debug)]
pub struct Sight {
    filter: SourceFilter,
}

/// A group of a region as a source.
type Group = (Option<Arc<str>>, Source);

impl Sight {
    /// A look at what a filter keeps.
    pub fn new(filter: SourceFilter) -> Self {
        Self { filter }
    }

    /// Goes on until after the next record that brought any row into sight or out of it, and says which: sorted, each once. The timeline
    /// must know what groups as sources stand for.
    pub fn next_change(&mut self, timeline: &mut Timeline) -> Option<Change> {
        loop {
            let (seq, versions) = timeline.next_versions()?;
            let groups = self.groups_in(timeline.engine(), &versions);
            let before = self.seen(timeline.engine(), &groups);
            let all = timeline.apply(seq, versions);
            groups.iter().for_each(|(region, source)| self.filter.forget(region.as_ref(), source));
            let engine = timeline.engine();
            let mut change = self.of_change(engine, &all, &before);
            let after = self.seen(engine, &groups);
            for ((group, ipv6), is_seen) in after {
                // Of a region that was not there before there was no row to see.
                if before.get(&(group.clone(), ipv6)).is_none_or(|was_seen| *was_seen == is_seen) {
                    continue;
                }
                let into = if is_seen { &mut change.opened } else { &mut change.closed };
                into.extend(stayed(engine, &group, ipv6, &all.opened));
            }
            if !change.is_empty() {
                change.opened.sort_by(cmp);
                change.closed.sort_by(cmp);
                return Some(change);
            }
        }
    }

    /// The groups that versions may bring into sight or out of it.
    fn groups_in(&self, engine: &Engine, versions: &[Version]) -> BTreeSet<Group> {
        let mut groups = BTreeSet::new();
        for Version { region, line, .. } in versions {
            let mut add = |source: Source| {
                groups.insert((region.clone(), source));
            };
            let known = |id| {
                let cloud = engine.cloud(region.as_ref())?;
                Some(cloud.port(cloud.port_slot(id)?))
            };
            match line {
                StateLine::SecurityGroup(group) => add(Source::Group(group.id.clone())),
                StateLine::AddressGroup(group) => add(Source::AddressGroup(group.id.clone())),
                StateLine::Gone { kind: Kind::SecurityGroup, id } => add(Source::Group(id.clone())),
                StateLine::Gone { kind: Kind::AddressGroup, id } => add(Source::AddressGroup(id.clone())),
                StateLine::Gone { kind: Kind::Port, id } => self.groups_of(known(id), &mut add),
                StateLine::Port(port) => {
                    self.groups_of(known(&port.id), &mut add);
                    self.groups_of(Some(port), &mut add);
                }
                _ => {}
            }
        }
        groups
    }

    /// The groups that a port may bring into sight.
    fn groups_of(&self, port: Option<&PortState>, add: &mut impl FnMut(Source)) {
        let Some(port) = port else { return };
        let mut fixed = port.fixed_ips.iter().map(|fixed| fixed.address.into());
        if fixed.any(|address| self.filter.meets(address))
            || port.allowed_address_pairs.iter().any(|pair| self.filter.meets(*pair))
        {
            port.security_groups.iter().for_each(|group| add(Source::Group(group.clone())));
        }
    }

    /// Which groups are seen now, for each family.
    fn seen(&mut self, engine: &Engine, groups: &BTreeSet<Group>) -> BTreeMap<(Group, bool), bool> {
        let mut seen = BTreeMap::new();
        for group in groups {
            let Some(cloud) = engine.cloud(group.0.as_ref()) else { continue };
            for ipv6 in [false, true] {
                seen.insert((group.clone(), ipv6), self.filter.keeps_source(cloud, ipv6, &group.1));
            }
        }
        seen
    }

    /// Those rows of a change that are seen: of rows that closed by what groups were before.
    fn of_change(&mut self, engine: &Engine, all: &Change, before: &BTreeMap<(Group, bool), bool>) -> Change {
        let mut keeps =
            |row: &&Row| engine.cloud(row.region.as_ref()).is_none_or(|cloud| self.filter.keeps(cloud, row));
        let opened = all.opened.iter().filter(&mut keeps).cloned().collect();
        let was_seen = |row: &&Row| {
            let source = (row.region.clone(), row.permission.source.clone());
            before.get(&(source, row.permission.ipv6)).copied().unwrap_or_else(|| keeps(row))
        };
        let closed = all.closed.iter().filter(was_seen).cloned().collect();
        Change { seq: all.seq, opened, closed }
    }
}

/// The rows with a group as source that were there all along.
fn stayed(engine: &Engine, (region, source): &Group, ipv6: bool, opened: &[Row]) -> Vec<Row> {
    let mut rows = engine.cloud(region.as_ref()).map_or_else(Vec::new, |cloud| cloud.rows_from(source));
    rows.retain(|row| {
        row.permission.ipv6 == ipv6 && opened.binary_search_by(|other| cmp(other, row)).is_err()
    });
    rows.sort_by(cmp);
    rows.dedup();
    rows
}
