//! Rows in a record: factored into rules, ports and the cells where they meet, one part per project.
//!
//! Ten rules on a port's two addresses are ten rules, one port and twenty short cells. They are expanded when read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::body::{PART_VERSION, json};
use crate::exposure::{Judged, JudgedRow};
use crate::ids::Id;
use crate::model::{Permission, Protocol, Row, Source, Via, host, net_text};
use crate::trail::PARTS_ALWAYS_FIT;
use crate::trail::Part;
use crate::trail::PartClass;

/// The rows of one project.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExposurePart {
    /// The part's version.
    v: u8,
    rules: Vec<RulePart>,
    ports: Vec<PortPart>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    opened: Vec<Cell>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    closed: Vec<Cell>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct RulePart {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<Id>,
    ipv6: bool,
    protocol: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ports: Option<(u16, u16)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    source: SourcePart,
}

/// Where packets may come from, as rows show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourcePart {
    /// A prefix in network form.
    Prefix(Box<str>),
    /// A security group's ports.
    SecurityGroup(Id),
    /// An address group.
    AddressGroup(Id),
}

impl From<&Source> for SourcePart {
    fn from(source: &Source) -> Self {
        match source {
            Source::Prefix(prefix) => Self::Prefix(prefix.to_string().into()),
            Source::Group(id) => Self::SecurityGroup(id.clone()),
            Source::AddressGroup(id) => Self::AddressGroup(id.clone()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct PortPart {
    id: Id,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_id: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_owner: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network_id: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<Arc<str>>,
}

/// Rule, port, address, way, inner address where it differs, flags (1 redundant, 2 covered before).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cell(u32, u32, Box<str>, Box<str>, Option<Box<str>>, u8);

const REDUNDANT: u8 = 1;
const COVERED_BEFORE: u8 = 2;

#[derive(Default)]
struct Factors {
    rules: BTreeMap<RulePart, u32>,
    ports: BTreeMap<PortPart, u32>,
    part: ExposurePart,
}

impl Factors {
    fn cell(&mut self, judged: &JudgedRow) -> Cell {
        let row = &judged.row;
        let rule = RulePart {
            group: row.security_group_id.clone(),
            rule: row.rule_id.clone(),
            ipv6: row.permission.ipv6,
            protocol: row.permission.protocol.name().into(),
            ports: row.permission.ports,
            icmp_type: row.permission.icmp_type,
            icmp_code: row.permission.icmp_code,
            source: SourcePart::from(&row.permission.source),
        };
        let port = PortPart {
            id: row.port_id.clone(),
            device_id: row.device_id.clone(),
            device_owner: row.device_owner.clone(),
            network_id: row.network_id.clone(),
            region: row.region.clone(),
        };
        let rule = factor(&mut self.rules, &mut self.part.rules, rule);
        let port = factor(&mut self.ports, &mut self.part.ports, port);
        let flags = u8::from(judged.redundant) * REDUNDANT + u8::from(judged.covered_before) * COVERED_BEFORE;
        let inner = row.fixed_ip.filter(|inner| *inner != row.address).map(|inner| net_text(inner).into());
        Cell(rule, port, net_text(row.address).into(), row.via.as_str().into(), inner, flags)
    }
}

fn factor<T: Clone + Ord>(known: &mut BTreeMap<T, u32>, list: &mut Vec<T>, value: T) -> u32 {
    if let Some(&at) = known.get(&value) {
        return at;
    }
    let at = list.len() as u32;
    list.push(value.clone());
    known.insert(value, at);
    at
}

/// Adds the rows of a delta as one part per project. Should there be more projects than a record has room for, the last ones share
/// a part that belongs to nobody, so that only an operator sees it.
pub(super) fn exposure_parts(judged: &Judged, parts: &mut Vec<Part>) {
    let mut projects: BTreeMap<Option<Id>, Factors> = BTreeMap::new();
    for (rows, opened) in [(&judged.opened, true), (&judged.closed, false)] {
        for row in rows {
            let mut project = row.row.project_id.clone();
            // One for the payload and one for the shared part are left free.
            if !projects.contains_key(&project) && projects.len() + parts.len() + 2 >= PARTS_ALWAYS_FIT {
                project = None;
            }
            let factors = projects.entry(project).or_default();
            let cell = factors.cell(row);
            if opened { factors.part.opened.push(cell) } else { factors.part.closed.push(cell) }
        }
    }
    for (project, mut factors) in projects {
        factors.part.v = PART_VERSION;
        parts.push(Part { class: PartClass::Exposure, project, bytes: json(&factors.part) });
    }
}

impl ExposurePart {
    /// The rows that the part stands for: opened ones, closed ones.
    pub fn expand(&self, project: Option<&Id>) -> (Vec<JudgedRow>, Vec<JudgedRow>) {
        let rows = |cells: &[Cell]| cells.iter().filter_map(|cell| self.row(cell, project)).collect();
        (rows(&self.opened), rows(&self.closed))
    }

    fn row(&self, cell: &Cell, project: Option<&Id>) -> Option<JudgedRow> {
        let Cell(rule, port, address, via, inner, flags) = cell;
        let rule = self.rules.get(*rule as usize)?;
        let port = self.ports.get(*port as usize)?;
        let via = Via::from_word(via)?;
        let address = read_net(address)?;
        let fixed_ip = match inner {
            Some(inner) => read_net(inner),
            None => Some(address).filter(|_| matches!(via, Via::Fixed | Via::Pair)),
        };
        let source = match &rule.source {
            SourcePart::Prefix(prefix) => Source::Prefix(prefix.parse().ok()?),
            SourcePart::SecurityGroup(id) => Source::Group(id.clone()),
            SourcePart::AddressGroup(id) => Source::AddressGroup(id.clone()),
        };
        let permission = Permission {
            ipv6: rule.ipv6,
            protocol: Protocol::read(Some(&rule.protocol), rule.ipv6),
            ports: rule.ports,
            icmp_type: rule.icmp_type,
            icmp_code: rule.icmp_code,
            source,
        };
        let row = Row {
            address,
            via,
            fixed_ip,
            port_id: port.id.clone(),
            device_id: port.device_id.clone(),
            device_owner: port.device_owner.clone(),
            project_id: project.cloned(),
            network_id: port.network_id.clone(),
            region: port.region.clone(),
            permission,
            security_group_id: rule.group.clone(),
            rule_id: rule.rule.clone(),
        };
        Some(JudgedRow {
            row,
            redundant: flags & REDUNDANT != 0,
            covered_before: flags & COVERED_BEFORE != 0,
        })
    }
}

fn read_net(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse().ok().map(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(project: &str, port: &str, address: &str, rule: &str) -> JudgedRow {
        let row = Row {
            address: read_net(address).expect("an address"),
            via: Via::Floating,
            fixed_ip: read_net("10.0.0.9"),
            port_id: Id::new(port),
            device_id: Some(Id::new("server")),
            device_owner: Some("compute:nova".into()),
            project_id: Some(Id::new(project)),
            network_id: Some(Id::new("network")),
            region: Some("north".into()),
            permission: Permission::new(false, Some("tcp"), Some(22), Some(23), Source::family(false)),
            security_group_id: Some(Id::new("group")),
            rule_id: Some(Id::new(rule)),
        };
        JudgedRow { row, redundant: rule == "r2", covered_before: false }
    }

    #[test]
    fn rows_come_back_from_parts_project_by_project() {
        let judged = Judged {
            opened: vec![row("a", "p1", "192.0.2.1", "r1"), row("a", "p1", "192.0.2.1", "r2")],
            closed: vec![row("b", "p2", "192.0.2.2", "r1")],
            members: vec![],
        };
        let mut parts = Vec::new();
        exposure_parts(&judged, &mut parts);
        assert_eq!(
            parts.iter().map(|part| part.project.clone()).collect::<Vec<_>>(),
            [Some(Id::new("a")), Some(Id::new("b"))]
        );
        let read = |part: &Part| -> (Vec<JudgedRow>, Vec<JudgedRow>) {
            let read: ExposurePart = serde_json::from_slice(&part.bytes).expect("JSON");
            read.expand(part.project.as_ref())
        };
        assert_eq!(read(&parts[0]), (judged.opened.clone(), vec![]));
        assert_eq!(read(&parts[1]), (vec![], judged.closed.clone()));
    }
}
