//! What came of a plan: rows with the step that opened them, and the way by which the internet gets there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use osel_core::engine::record::RowDocument;
use osel_core::exposure::{
    Hop, Judged, JudgedRow, Question, Reason, SourceFilter, Verdict, public_address, reach,
};
use osel_core::ids::Id;
use osel_core::model::{CloudModel, Kind, MemberChange, Row, Source, Via, View, net_text};

use super::growth::ChangedMembers;
use super::guide::turning_ports;
use super::note::{Note, NoteKind};
use super::overlay::ByExposure;
use super::place::Placeholders;
use super::step::Step;

/// The most rows for which a way is looked for, at some fifty microseconds each; the rest counts as reachable.
pub const PATHS_MAX: usize = 10_000;

/// What a plan does to the exposure.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The steps of the plan.
    pub steps: Vec<Step>,
    /// Rows that come, in the order of contract §4.
    pub opened: Vec<ChangedRow>,
    /// Rows that go.
    pub closed: Vec<ChangedRow>,
    /// Groups used as a source whose addresses change.
    pub members: Vec<ChangedMembers>,
    /// What the judgement rests on.
    pub notes: Vec<Note>,
    pub(super) cloud: CloudModel,
    pub(super) places: Placeholders,
    pub(super) secret: BTreeMap<Id, Vec<&'static str>>,
    /// Texts of the plan that must not be shown.
    pub(super) secrets: BTreeSet<String>,
}

/// The most ports of a range that are asked about; firewalls have a few dozen rules.
const PORTS_MAX: usize = 256;

/// A row that comes or goes.
#[derive(Debug)]
pub struct ChangedRow {
    /// The row, and whether others cover it.
    pub judged: JudgedRow,
    /// The number of the step that does it.
    pub step: usize,
    /// Whether a packet from the public internet gets there; of what was not asked, yes.
    pub internet: bool,
    /// The way of such a packet, or what stops it; for rows that open something, where their source has a public address.
    pub way: Option<Way>,
}

impl ChangedRow {
    /// Whether it admits something that was not admitted before. Two equal rows that come together cover each other, and yet are new.
    pub fn is_new(&self) -> bool {
        !self.judged.covered_before
    }
}

/// A packet from the public internet and how far it gets.
#[derive(Debug)]
pub struct Way {
    /// An address that the row's source has.
    pub from: IpAddr,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// Why a value is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// There is none before this resource is made.
    KnownAfterApply(Arc<str>),
    /// The plan marks it as sensitive.
    Sensitive,
}

/// A row as it may be shown.
#[derive(Debug)]
pub struct ShownRow {
    /// The row; what is hidden is here as the model has it.
    pub document: RowDocument,
    /// The keys whose values are not shown.
    pub hidden: BTreeMap<&'static str, Hidden>,
    /// Words that must not be shown in notes either, and what stands for them.
    scrubbed: Vec<(String, &'static str)>,
}

/// Questions for ways: how many were asked, and what is worked out once for all of them.
#[derive(Debug, Default)]
pub(super) struct Asking {
    asked: usize,
    not_asked: usize,
    turning: Option<BTreeSet<u16>>,
}

impl Asking {
    /// What becomes of a packet from there by a row; none where too much was asked already.
    pub(super) fn ask(&mut self, cloud: &CloudModel, row: &Row, from: IpAddr) -> Option<Verdict> {
        if self.asked == PATHS_MAX {
            self.not_asked += 1;
            return None;
        }
        self.asked += 1;
        let verdict = reach(cloud, &question(row, from));
        // A firewall may stop the first port of a range and let another one pass.
        let (Some((min, max)), Reason::NoRule) = (row.permission.ports, verdict.reason) else {
            return Some(verdict);
        };
        let turning = self.turning.get_or_insert_with(|| turning_ports(cloud));
        let others = turning
            .range(min..=max)
            .map(|port| reach(cloud, &Question { port: Some(*port), ..question(row, from) }));
        let admitted = others.take(PORTS_MAX).find(|verdict| verdict.reachable);
        Some(admitted.unwrap_or(verdict))
    }
}

impl Outcome {
    pub(super) fn of(
        judged: Judged,
        steps: Vec<Step>,
        opened: &BTreeMap<ByExposure, usize>,
        closed: &BTreeMap<ByExposure, usize>,
    ) -> Self {
        let rows = |rows: Vec<JudgedRow>, by: &BTreeMap<ByExposure, usize>| {
            let rows = rows.into_iter().map(|judged| {
                let JudgedRow { row, redundant, covered_before } = judged;
                let row = ByExposure(row);
                let step = by.get(&row).copied().unwrap_or_default();
                let judged = JudgedRow { row: row.0, redundant, covered_before };
                ChangedRow { judged, step, internet: false, way: None }
            });
            rows.collect()
        };
        Self {
            steps,
            opened: rows(judged.opened, opened),
            closed: rows(judged.closed, closed),
            members: judged.members.into_iter().map(ChangedMembers::of).collect(),
            ..Self::default()
        }
    }

    /// Asks for each new row, and for what groups gain, whether the public internet gets there.
    pub(super) fn find_ways(&mut self) {
        let mut filter = SourceFilter::internet();
        let mut asking = Asking::default();
        for changed in self.opened.iter_mut().filter(|changed| changed.is_new()) {
            let row = &changed.judged.row;
            if !filter.keeps(&self.cloud, row) {
                continue;
            }
            let known = sender(&self.cloud, row);
            let Some(from) = known.or_else(|| anybody(row.permission.ipv6)) else { continue };
            let Some(verdict) = asking.ask(&self.cloud, row, from) else {
                changed.internet = true;
                continue;
            };
            if known.is_some() {
                changed.internet = verdict.reachable;
                changed.way = Some(Way { from, verdict });
            } else {
                // A group that nobody described may have any address: what matters is that one gets as far as the rules.
                changed.internet = verdict.reachable || verdict.reason == Reason::NoRule;
            }
        }
        self.find_gained(&mut asking);
        if asking.not_asked > 0 {
            let text = format!(
                "{} more rows count as reachable from the internet; no way was looked for",
                asking.not_asked
            );
            self.notes.push(Note::of_plan(NoteKind::Remark, text));
        }
    }

    /// The resource that makes a row come or go.
    pub fn resource(&self, changed: &ChangedRow) -> &Arc<str> {
        &self.steps[changed.step].resource
    }

    /// The resource that makes an object which is not there yet.
    pub fn planned(&self, id: &Id) -> Option<&Arc<str>> {
        self.places.id(id)
    }

    pub(super) fn hide_secrets_in_notes(&mut self) {
        let mut notes = std::mem::take(&mut self.notes);
        notes.iter_mut().for_each(|note| note.text = self.without_secrets(&note.text));
        self.notes = notes;
    }

    /// A text in which words that must not be shown give way.
    fn without_secrets(&self, text: &str) -> String {
        let word = |word: &str| {
            let bare = word.trim_end_matches([',', ';', ':']);
            let rest = &word[bare.len()..];
            match self.secrets.contains(bare) {
                true => format!("{}{rest}", Hidden::Sensitive.words()),
                false => word.to_owned(),
            }
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }

    /// Whether an id must not be shown.
    pub fn is_secret(&self, id: &Id) -> bool {
        id.with_text(|text| self.secrets.contains(text))
    }

    /// A hop without what cannot or must not be shown.
    pub fn shown_hop(&self, shown: &ShownRow, way: &Way, hop: &Hop) -> Hop {
        let secret = hop.id.as_ref().is_some_and(|id| self.is_secret(id));
        Hop {
            id: if secret { None } else { hop.id.clone() },
            name: if secret { Some(Hidden::Sensitive.words().into()) } else { hop.name.clone() },
            note: self.shown_note(shown, way, hop),
            ..hop.clone()
        }
    }

    /// A row without what cannot or must not be shown.
    pub fn shown(&self, row: &Row) -> ShownRow {
        let mut hidden = BTreeMap::new();
        let mut scrubbed = Vec::new();
        let source = match &row.permission.source {
            Source::Group(id) | Source::AddressGroup(id) => Some(id),
            Source::Prefix(_) => None,
        };
        let ids = [
            ("port_id", Some(&row.port_id)),
            ("device_id", row.device_id.as_ref()),
            ("network_id", row.network_id.as_ref()),
            ("project_id", row.project_id.as_ref()),
            ("security_group_id", row.security_group_id.as_ref()),
            ("rule_id", row.rule_id.as_ref()),
            ("source", source),
        ];
        for (key, id) in ids {
            if let Some(resource) = id.and_then(|id| self.places.id(id)) {
                hidden.insert(key, Hidden::KnownAfterApply(Arc::clone(resource)));
            } else if id.is_some_and(|id| self.is_secret(id)) {
                hidden.insert(key, Hidden::Sensitive);
            }
        }
        let is_inner = matches!(row.via, Via::Fixed | Via::Pair);
        let inner = row.fixed_ip.and_then(|fixed| self.places.fixed(&row.port_id, fixed.addr()));
        let outer = if is_inner { inner } else { self.places.outer(row.address.addr()) };
        for (key, resource) in [("fixed_ip", inner), ("address", outer)] {
            if let Some(resource) = resource {
                hidden.insert(key, Hidden::KnownAfterApply(Arc::clone(resource)));
            }
        }
        for key in self.secret_keys(row, is_inner) {
            hidden.insert(key, Hidden::Sensitive);
        }
        for (key, address) in [("address", Some(row.address)), ("fixed_ip", row.fixed_ip)] {
            if let (Some(why), Some(address)) = (hidden.get(key), address) {
                scrubbed.push((net_text(address), why.words()));
            }
        }
        ShownRow { document: RowDocument::from(row), hidden, scrubbed }
    }

    fn secret_keys(&self, row: &Row, is_inner: bool) -> Vec<&'static str> {
        let of = |id: &Id| self.secret.get(id).into_iter().flatten().copied();
        let mut keys: Vec<&'static str> = row.rule_id.iter().flat_map(of).collect();
        keys.extend(of(&row.port_id).filter(|key| *key != "address" || is_inner));
        if !is_inner {
            let floating = self.cloud.floating_ips_at(row.address.addr());
            keys.extend(floating.into_iter().flat_map(|floating| of(&floating.id)));
        }
        keys
    }

    /// A hop's note without what cannot or must not be shown. What is said of an object with secrets is not shown at all.
    fn shown_note(&self, shown: &ShownRow, way: &Way, hop: &Hop) -> Option<String> {
        let mut note = hop.note.clone()?;
        if hop.id.as_ref().is_some_and(|id| self.secret.contains_key(id)) {
            return Some(Hidden::Sensitive.words().to_owned());
        }
        for (word, instead) in &shown.scrubbed {
            note = without(&note, word, instead);
        }
        if shown.hides_sender() {
            note = without(&note, &way.from.to_string(), Hidden::Sensitive.words());
        }
        Some(self.without_secrets(&note))
    }

    /// What a group is called: the resource that makes it, or its id.
    pub fn shown_group(&self, id: &Id) -> String {
        match self.planned(id) {
            Some(resource) => resource.to_string(),
            None if self.is_secret(id) => Hidden::Sensitive.words().to_owned(),
            None => id.to_string(),
        }
    }

    /// An address that comes to a group or goes from it, where it is there already and may be shown.
    pub fn shown_member(&self, change: &MemberChange, address: IpNet) -> Option<String> {
        let is_secret = change.kind == Kind::AddressGroup && self.secret.contains_key(&change.id)
            || self.is_secret_address(address);
        let is_planned = self.places.addresses().any(|planned| address.addr() == planned);
        (!is_secret && !is_planned).then(|| net_text(address))
    }

    /// Whether a port that the plan makes has an address that must not be shown.
    fn is_secret_address(&self, address: IpNet) -> bool {
        self.secret.keys().filter_map(|id| self.cloud.port_slot(id)).any(|slot| {
            let port = self.cloud.port(slot);
            port.fixed_ips.iter().any(|fixed| fixed.address == address.addr())
                || port.allowed_address_pairs.contains(&address)
        })
    }
}

impl ShownRow {
    /// Whether a value is not shown.
    pub fn hides(&self, key: &str) -> Option<&Hidden> {
        self.hidden.get(key)
    }

    /// Whether the sender's address, which stems from the source, must not be shown.
    pub fn hides_sender(&self) -> bool {
        self.hides("source") == Some(&Hidden::Sensitive)
    }
}

impl Hidden {
    /// What stands for the value.
    pub fn words(&self) -> &'static str {
        match self {
            Self::KnownAfterApply(_) => "(new)",
            Self::Sensitive => "(sensitive)",
        }
    }
}

/// A text in which an address gives way to words; not where it is only a part of a longer one.
fn without(text: &str, address: &str, instead: &str) -> String {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(address) {
        let (before, found) = rest.split_at(at);
        let after = &found[address.len()..];
        out.push_str(before);
        let part = out.ends_with(is_part) || after.starts_with(is_part);
        out.push_str(if part { address } else { instead });
        rest = after;
    }
    out + rest
}

/// A public address that a row's source has.
fn sender(cloud: &CloudModel, row: &Row) -> Option<IpAddr> {
    let ipv6 = row.permission.ipv6;
    let of_family = |net: &IpNet| matches!(net, IpNet::V6(_)) == ipv6;
    let first = |nets: Vec<IpNet>| nets.into_iter().filter(of_family).filter_map(public_address).min();
    match &row.permission.source {
        Source::Prefix(prefix) => public_address(*prefix),
        Source::Group(id) => first(cloud.members_of(id)),
        Source::AddressGroup(id) => first(cloud.address_group(id).unwrap_or_default().to_vec()),
    }
}

/// The public address that stands for the whole internet.
fn anybody(ipv6: bool) -> Option<IpAddr> {
    match Source::family(ipv6) {
        Source::Prefix(all) => public_address(all),
        Source::Group(_) | Source::AddressGroup(_) => None,
    }
}

/// The question whether a packet from there gets in by a row.
fn question(row: &Row, from: IpAddr) -> Question {
    let permission = &row.permission;
    let port = permission.ports.map(|(min, _)| min).or(permission.icmp_type.map(u16::from));
    Question {
        icmp_code: permission.icmp_code,
        port_id: Some(row.port_id.clone()),
        ..Question::new(from, row.address.addr(), permission.protocol.clone(), port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gives_way_and_longer_ones_stay() {
        let text = without("240.0.0.1 to 240.0.0.10, 1240.0.0.1 and 240.0.0.1", "240.0.0.1", "(new)");
        assert_eq!(text, "(new) to 240.0.0.10, 1240.0.0.1 and (new)");
        assert_eq!(without("fd00::1 fd00::12", "fd00::1", "(new)"), "(new) fd00::12");
    }
}
