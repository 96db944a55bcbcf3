//! Which rows of a delta change what can be reached, and which only repeat what is open anyway.

use std::ops::Range;

use ipnet::IpNet;

use super::coverage::permission_covered;
use crate::ids::{Id, Map, Set};
use crate::model::{Delta, MemberChange, Permission, Row, Slot, View, sort_by_row};

/// A row that came or went.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedRow {
    /// The row.
    pub row: Row,
    /// Covered by the other rows of its address that are there after the event.
    pub redundant: bool,
    /// For an opened row: covered by what was there before. Two equal rows that came together are redundant to each other and
    /// yet open something; what is to be scanned is decided by this.
    pub covered_before: bool,
}

/// A delta with its rows judged and in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// Rows that came.
    pub opened: Vec<JudgedRow>,
    /// Rows that went.
    pub closed: Vec<JudgedRow>,
    /// Groups used as a source whose addresses changed.
    pub members: Vec<MemberChange>,
}

/// Rows of one address: ports of the same network that share an address (a virtual IP) count together; equal addresses of
/// different networks are different places.
type Place<'a> = (Option<&'a Id>, IpNet);

impl JudgedRow {
    /// Whether the world does not look different for it: of what came, what was there before had it; of what went, what is there now has it.
    pub fn changes_nothing(&self, came: bool) -> bool {
        if came { self.covered_before } else { self.redundant }
    }
}

/// What is found out about a row: (redundant, covered before).
type Verdict = (bool, bool);

impl Judged {
    /// What parts of one change did, together.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.opened.extend(part.opened);
            all.closed.extend(part.closed);
            all.members.extend(part.members);
        }
        for rows in [&mut all.opened, &mut all.closed] {
            sort_by_row(rows, |judged| &judged.row);
        }
        all
    }
}

/// Judges a delta against the cloud as it is after the event.
pub fn judge(view: &impl View, delta: Delta) -> Judged {
    judge_parts(view, vec![delta]).pop().unwrap_or_default()
}

/// Judges the parts of one change, each of whose rows are told apart from the others', against the cloud as it is after all of them.
pub fn judge_parts(view: &impl View, parts: Vec<Delta>) -> Vec<Judged> {
    let mut whole = Delta::default();
    let mut sizes = Vec::with_capacity(parts.len());
    for part in parts {
        sizes.push((part.opened.len(), part.closed.len(), part.members));
        whole.opened.extend(part.opened);
        whole.closed.extend(part.closed);
    }
    let mut verdicts = verdicts(view, &whole).into_iter();
    let mut judged = |rows: Vec<Row>| {
        let rows = rows.into_iter().zip(verdicts.by_ref());
        rows.map(|(row, (redundant, covered_before))| JudgedRow { row, redundant, covered_before })
            .collect::<Vec<_>>()
            .into_iter()
    };
    let (mut opened, mut closed) = (judged(whole.opened), judged(whole.closed));
    let sorted = |rows: &mut dyn Iterator<Item = JudgedRow>, count: usize| {
        let mut rows: Vec<JudgedRow> = rows.take(count).collect();
        sort_by_row(&mut rows, |judged| &judged.row);
        rows
    };
    let parts = sizes.into_iter().map(|(came, gone, members)| Judged {
        opened: sorted(&mut opened, came),
        closed: sorted(&mut closed, gone),
        members,
    });
    parts.collect()
}

/// The verdicts about the opened rows, then about the closed ones.
fn verdicts(view: &impl View, delta: &Delta) -> Vec<Verdict> {
    let rows: Vec<&Row> = delta.opened.iter().chain(&delta.closed).collect();
    let (order, ends) = by_place(&rows);
    let sorted: Vec<&Row> = order.iter().map(|&at| rows[at]).collect();
    let mut told = Vec::with_capacity(rows.len());
    let (mut last, mut start) = (None, 0);
    for end in ends {
        let opened = order[start..end].partition_point(|&at| at < delta.opened.len());
        let (came, gone) = sorted[start..end].split_at(opened);
        Case { came, gone }.judge(view, &mut last, &mut told);
        start = end;
    }
    let mut verdicts = vec![(false, true); rows.len()];
    order.iter().zip(told).for_each(|(&at, verdict)| verdicts[at] = verdict);
    verdicts
}

/// The numbers of the rows, place by place and in order within each, and where each place ends.
fn by_place(rows: &[&Row]) -> (Vec<usize>, Vec<usize>) {
    let mut places: Map<Place<'_>, usize> = Map::default();
    places.reserve(rows.len());
    let mut counts: Vec<usize> = Vec::new();
    let place_of = rows.iter().map(|row| {
        let next = places.len();
        let place = *places.entry((row.network_id.as_ref(), row.address)).or_insert(next);
        counts.resize(counts.len().max(place + 1), 0);
        counts[place] += 1;
        place
    });
    let place_of: Vec<usize> = place_of.collect();
    let mut ends = counts;
    let mut sum = 0;
    for end in &mut ends {
        // Where the place begins; filling it moves this to where it ends.
        (*end, sum) = (sum, sum + *end);
    }
    let mut order = vec![0; rows.len()];
    for (at, place) in place_of.into_iter().enumerate() {
        order[ends[place]] = at;
        ends[place] += 1;
    }
    (order, ends)
}

/// What came and what went at one place.
#[derive(Clone, Copy)]
struct Case<'a> {
    came: &'a [&'a Row],
    gone: &'a [&'a Row],
}

/// The last case of a set of groups, and where its verdicts are. A rule makes the same case on every port of a set, so that one
/// answer is enough.
struct Known<'a> {
    set: Slot,
    case: Case<'a>,
    told: Range<usize>,
}

impl<'a> Case<'a> {
    fn judge(self, view: &impl View, last: &mut Option<Known<'a>>, told: &mut Vec<Verdict>) {
        let Some((set, slot)) = self.lone_set(view) else { return self.judge_rows(view, told) };
        if let Some(known) = last
            && known.set == set
            && known.case.is_like(&self)
        {
            told.extend_from_within(known.told.clone());
            return;
        }
        let start = told.len();
        self.judge_set(view, slot, told);
        *last = Some(Known { set, case: self, told: start..told.len() });
    }

    /// From the rules of the port's set alone.
    fn judge_set(self, view: &impl View, slot: Slot, told: &mut Vec<Verdict>) {
        let asked: Vec<&Permission> = self.rows().map(|row| &row.permission).collect();
        let rules = view.rules_over(slot, &asked);
        let is = |row: &Row, rule: &Id, permission: &Permission| {
            row.rule_id.as_ref() == Some(rule) && row.permission == *permission
        };
        let all = || rules.iter().map(|(_, permission)| permission);
        let came = self.came.iter().map(|row| {
            let others = rules.iter().filter(|(rule, permission)| !is(row, rule, permission));
            let stayed = rules
                .iter()
                .filter(|(rule, permission)| !self.came.iter().any(|row| is(row, rule, permission)));
            let before = stayed.map(|(_, permission)| permission);
            let before = before.chain(self.gone.iter().map(|row| &row.permission));
            (
                permission_covered(&row.permission, others.map(|(_, permission)| permission)),
                permission_covered(&row.permission, before),
            )
        });
        let gone = self.gone.iter().map(|row| (permission_covered(&row.permission, all()), true));
        told.extend(came.chain(gone));
    }

    /// The set of groups that alone decides, where all rows of this place are of one port and one door.
    fn lone_set(&self, view: &impl View) -> Option<(Slot, Slot)> {
        let first = self.rows().next()?;
        let one_door = self.rows().all(|row| {
            row.port_id == first.port_id && row.via == first.via && row.fixed_ip == first.fixed_ip
        });
        let slot = view.port_slot(&first.port_id).filter(|_| one_door)?;
        let set = view.lone_set(slot, first.network_id.as_ref(), first.via, first.address)?;
        Some((set, slot))
    }

    fn rows(self) -> impl Iterator<Item = &'a Row> {
        self.came.iter().chain(self.gone).copied()
    }

    /// Whether another port of the same set is in the same case. A rule's id stands for its group too.
    fn is_like(&self, other: &Self) -> bool {
        let alike = |one: &[&Row], other: &[&Row]| {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| one.rule_id == other.rule_id && one.permission == other.permission)
        };
        alike(self.came, other.came) && alike(self.gone, other.gone)
    }

    /// The same from the rows themselves, wherever they come from.
    fn judge_rows(self, view: &impl View, told: &mut Vec<Verdict>) {
        let Some(first) = self.rows().next() else { return };
        let (address, network) = (first.address, first.network_id.as_ref());
        let mut slots = view.neighbours(address, network, &first.port_id);
        slots.extend(self.rows().filter_map(|row| view.port_slot(&row.port_id)));
        // A floating IP leads to several ports by its forwardings.
        for floating in view.floating_ips_at(address.addr()) {
            let forwardings = view.forwardings_of(&floating.id).into_iter();
            let ports = forwardings.filter_map(|forwarding| forwarding.internal_port_id.as_ref());
            slots.extend(ports.chain(&floating.port_id).filter_map(|port| view.port_slot(port)));
        }
        slots.sort_unstable();
        slots.dedup();
        let mut present = Vec::new();
        for slot in slots.into_iter().filter(|&slot| view.port(slot).network_id.as_ref() == network) {
            view.rows_of(slot, &mut present);
        }
        present.retain(|row| row.address == address);
        present.sort_unstable_by(Row::cmp_exposure);
        present.dedup_by(|one, other| one.same_exposure(other));
        // Many ports may share an address, with the same few permissions: who is not asked twice about one of them.
        let place_of = |row: &Row| present.binary_search_by(|other| other.cmp_exposure(row)).ok();
        let mut came = vec![false; present.len()];
        self.came.iter().filter_map(|row| place_of(row)).for_each(|at| came[at] = true);
        let mut now: Map<&Permission, usize> = Map::default();
        present.iter().for_each(|row| *now.entry(&row.permission).or_default() += 1);
        let stayed = present.iter().zip(&came).filter(|(_, came)| !**came).map(|(row, _)| row);
        let before: Set<&Permission> =
            stayed.chain(self.gone.iter().copied()).map(|row| &row.permission).collect();
        let mut known: Map<(&Permission, bool), Verdict> = Map::default();
        let came = self.came.iter().map(|row| {
            let asked = &row.permission;
            // Whether the row itself is the only one that admits this.
            let only = now.get(asked) == Some(&1) && place_of(row).is_some();
            *known.entry((asked, only)).or_insert_with(|| {
                let others = now.keys().copied().filter(|other| !only || *other != asked);
                (permission_covered(asked, others), permission_covered(asked, before.iter().copied()))
            })
        });
        told.extend(came);
        let mut known: Map<&Permission, bool> = Map::default();
        told.extend(self.gone.iter().map(|row| {
            let asked = &row.permission;
            let redundant =
                known.entry(asked).or_insert_with(|| permission_covered(asked, now.keys().copied()));
            (*redundant, true)
        }));
    }
}
