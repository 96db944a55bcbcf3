//! What a record says was opened and closed, against the judge's difference of the rows before and after; and
//! which addresses came to the groups that rules name, against the groups' members before and after.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use osel_core::engine::record::{ExposureDocument, MemberPart};
use osel_core::ids::Id;
use osel_core::model::{CloudModel, Row, Source, StateLine, View, net_text};
use serde_json::Value;

use super::failure::{Failure, ensure, same};
use super::fold::shown;
use super::machine::{Machine, Stored};
use crate::judge;

/// The judge's brute force is slow: what changes more rows than that is left to other samples.
const ROWS_MAX: usize = 40;

/// What a machine knows before an arrival.
#[derive(Debug)]
pub(super) struct Before {
    rows: Vec<Row>,
    members: Members,
}

/// Addresses by group.
type Members = BTreeMap<Id, BTreeSet<IpNet>>;

impl Before {
    pub(super) fn of(machine: &Machine) -> Self {
        Self { rows: machine.rows(), members: machine.cloud().map(members).unwrap_or_default() }
    }

    /// Fails when the records together do not say what changed since then. Says whether anything did.
    pub(super) fn is_explained(&self, machine: &Machine, records: &[Stored]) -> Result<bool, Failure> {
        let (mut opened_told, mut closed_told, mut told) = (Vec::new(), Vec::new(), Told::new());
        let mut summaries = Vec::new();
        for record in records {
            let exposure = &record.body.exposure;
            let mut read = record.read()?;
            ensure(read.expand(machine.engine()), "rows of rules on many ports come back", || {
                format!("{:?}", read.wide)
            })?;
            ensure(
                read.opened == exposure.opened && read.closed == exposure.closed,
                "records keep their rows",
                || format!("{:?}\nread as {:?} and {:?}", exposure, read.opened, read.closed),
            )?;
            let document = read.document();
            let rows = |rows: &[_]| -> Vec<Value> {
                rows.iter().map(|row| serde_json::to_value(row).unwrap_or_default()).collect()
            };
            opened_told.extend(rows(&document.exposure.opened));
            closed_told.extend(rows(&document.exposure.closed));
            add_members(&mut told, &document.exposure);
            summaries.push(document.summary);
        }
        let after = machine.rows();
        self.explain_members(machine, told)?;
        if opened_told.len() + closed_told.len() > ROWS_MAX {
            return Ok(true);
        }
        opened_told.sort_by(judge::compare_rows);
        closed_told.sort_by(judge::compare_rows);
        let list = |rows: &[Row]| -> Vec<Value> { rows.iter().map(shown).collect() };
        let (opened, closed) = judge::delta(&list(&self.rows), &list(&after));
        let changed = !opened.is_empty() || !closed.is_empty();
        let because = |failure: Failure| Failure {
            what: format!("{} ({})", failure.what, summaries.join("; ")),
            ..failure
        };
        same("opened rows", opened_told, opened).map_err(because)?;
        same("closed rows", closed_told, closed).map_err(because)?;
        Ok(changed)
    }

    fn explain_members(&self, machine: &Machine, mut told: Told) -> Result<(), Failure> {
        let after = machine.cloud().map(members).unwrap_or_default();
        let mut expected = BTreeMap::new();
        // A group that rules begin or cease to name has no line: the rules' rows say it.
        for (group, now) in &after {
            let Some(then) = self.members.get(group) else { continue };
            let gained: BTreeSet<String> = now.difference(then).map(|net| net_text(*net)).collect();
            let lost: BTreeSet<String> = then.difference(now).map(|net| net_text(*net)).collect();
            if !gained.is_empty() || !lost.is_empty() {
                expected.insert(group.clone(), (gained, lost));
            }
        }
        told.retain(|group, _| self.members.contains_key(group) && after.contains_key(group));
        ensure(told == expected, "members of groups", || format!("told {told:?}\nexpected {expected:?}"))
    }
}

/// What records say that groups gained and lost.
type Told = BTreeMap<Id, (BTreeSet<String>, BTreeSet<String>)>;

fn add_members(told: &mut Told, exposure: &ExposureDocument<'_>) {
    for MemberPart { security_group, gained, lost, .. } in exposure.members {
        if let Some(group) = security_group {
            let (gains, losses) = told.entry(group.clone()).or_default();
            gains.extend(gained.iter().map(|text| text.to_string()));
            losses.extend(lost.iter().map(|text| text.to_string()));
        }
    }
}

/// The members of every group that an ingress rule names as its source.
fn members(cloud: &CloudModel) -> Members {
    let named = cloud.lines().filter_map(|line| match line {
        StateLine::Rule(rule) if rule.security_group_id.is_some() => match rule.permission()?.source {
            Source::Group(id) => Some(id),
            _ => None,
        },
        _ => None,
    });
    let named: BTreeSet<Id> = named.collect();
    named.into_iter().map(|id| (id.clone(), cloud.members_of(&id).into_iter().collect())).collect()
}
