//! What groups that rules name as their source gain, and whether anybody gets in by it.
//!
//! A row names its source, so that addresses which come to the group open no row: what they open is asked for here.

use std::collections::{BTreeMap, BTreeSet};

use osel_core::exposure::public_address;
use osel_core::ids::{Id, Set};
use osel_core::model::{CloudModel, Kind, MemberChange, Slot, Source, View};

use super::addresses::is_ipv6;
use super::outcome::{Asking, Outcome};

/// A group used as a source whose addresses change.
#[derive(Debug)]
pub struct ChangedMembers {
    /// What it gains and loses.
    pub change: MemberChange,
    /// Whether a port admits something from what it gains.
    pub new: bool,
    /// Whether a public address among that gets to such a port; of what was not asked, yes.
    pub internet: bool,
}

impl ChangedMembers {
    /// A change before anybody has asked what it opens.
    pub(super) fn of(change: MemberChange) -> Self {
        Self { change, new: false, internet: false }
    }

    fn source(&self) -> Source {
        let id = self.change.id.clone();
        if self.change.kind == Kind::AddressGroup { Source::AddressGroup(id) } else { Source::Group(id) }
    }
}

impl Outcome {
    /// Asks of each group that gains addresses which ports admit them, and whether the public internet gets there.
    pub(super) fn find_gained(&mut self, asking: &mut Asking) {
        let growing = self.members.iter().filter(|members| !members.change.gained.is_empty());
        let growing: BTreeSet<Source> = growing.map(ChangedMembers::source).collect();
        if growing.is_empty() {
            return;
        }
        let ports = ports_by_source(&self.cloud, &growing);
        let mut rows = Vec::new();
        for members in &mut self.members {
            let source = members.source();
            for &slot in ports.get(&source).into_iter().flatten() {
                rows.clear();
                self.cloud.rows_of(slot, &mut rows);
                for row in rows.iter().filter(|row| row.permission.source == source) {
                    let ipv6 = row.permission.ipv6;
                    let gained = || members.change.gained.iter().filter(|net| is_ipv6(**net) == ipv6);
                    members.new |= gained().next().is_some();
                    let public = gained().filter_map(|net| public_address(*net)).min();
                    if let (Some(from), false) = (public, members.internet) {
                        members.internet =
                            asking.ask(&self.cloud, row, from).is_none_or(|verdict| verdict.reachable);
                    }
                }
                if members.internet {
                    break;
                }
            }
        }
    }
}

/// The ports of the groups that have a rule with one of these sources.
fn ports_by_source(cloud: &CloudModel, wanted: &BTreeSet<Source>) -> BTreeMap<Source, Vec<Slot>> {
    let mut groups: BTreeMap<Source, Set<Id>> = BTreeMap::new();
    for id in cloud.ids(Kind::Rule) {
        let Some(rule) = cloud.described_rule(&id).filter(|rule| rule.ingress) else { continue };
        let by_group = rule.remote_group_id.as_deref().cloned().map(Source::Group);
        let source =
            by_group.or_else(|| rule.remote_address_group_id.as_deref().cloned().map(Source::AddressGroup));
        if let (Some(source), Some(group)) =
            (source.filter(|source| wanted.contains(source)), &rule.security_group_id)
        {
            groups.entry(source).or_default().insert(group.clone());
        }
    }
    let mut ports: BTreeMap<Source, Vec<Slot>> = BTreeMap::new();
    for slot in cloud.ports() {
        let own = &cloud.port(slot).security_groups;
        for (source, groups) in &groups {
            if own.iter().any(|group| groups.contains(group)) {
                ports.entry(source.clone()).or_default().push(slot);
            }
        }
    }
    ports
}
