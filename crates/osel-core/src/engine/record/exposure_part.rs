//! Rows in a record: factored into rules, ports and the cells where they meet, one part per project.
//!
//! Ten rules on a port's two addresses are ten rules, one port and twenty short cells, which are expanded as they are read. A rule that
//! came to or went from many ports at once is one entry of about a kilobyte, whatever their number; the model of that moment is needed
//! to expand it (see `wide`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::body::{PART_VERSION, WrittenPart, write_json};
use super::wide::{WideRows, mark, marked};
use crate::exposure::{Judged, JudgedRow};
use crate::ids::Id;
use crate::model::{Permission, Protocol, Row, Source, Via, host, net_text};
use crate::trail::PARTS_ALWAYS_FIT;
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    wide_opened: Vec<WidePart>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    wide_closed: Vec<WidePart>,
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
    /// Where the part is not the project's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project_id: Option<Id>,
}

/// Rule, port, address, way, inner address where it differs, flags (1 redundant, 2 covered before).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cell(u32, u32, Box<str>, Box<str>, Option<Box<str>>, u8);

/// A rule on many ports: see [`WideRows`]. Its rule's number among the rules, and cells as examples.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WidePart {
    rule: u32,
    /// The ports' project where the part is not that project's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project_id: Option<Id>,
    rows: u32,
    ports: u32,
    digest: Box<str>,
    marks: Box<str>,
    examples: Vec<Cell>,
}

#[derive(Default)]
struct Factors {
    rules: BTreeMap<RulePart, u32>,
    ports: BTreeMap<PortPart, u32>,
    part: ExposurePart,
}

impl Factors {
    fn cell(&mut self, judged: &JudgedRow, shared: bool) -> Cell {
        let row = &judged.row;
        let rule = self.rule(row.security_group_id.as_ref(), row.rule_id.as_ref(), &row.permission);
        let port = PortPart {
            id: row.port_id.clone(),
            device_id: row.device_id.clone(),
            device_owner: row.device_owner.clone(),
            network_id: row.network_id.clone(),
            region: row.region.clone(),
            project_id: row.project_id.clone().filter(|_| shared),
        };
        let port = factor(&mut self.ports, &mut self.part.ports, port);
        let inner = row.fixed_ip.filter(|inner| *inner != row.address).map(|inner| net_text(inner).into());
        Cell(rule, port, net_text(row.address).into(), row.via.as_str().into(), inner, mark(judged))
    }

    fn rule(&mut self, group: Option<&Id>, rule: Option<&Id>, permission: &Permission) -> u32 {
        let rule = RulePart {
            group: group.cloned(),
            rule: rule.cloned(),
            ipv6: permission.ipv6,
            protocol: permission.protocol.name().into(),
            ports: permission.ports,
            icmp_type: permission.icmp_type,
            icmp_code: permission.icmp_code,
            source: SourcePart::from(&permission.source),
        };
        factor(&mut self.rules, &mut self.part.rules, rule)
    }

    fn wide(&mut self, wide: &WideRows, shared: bool) -> WidePart {
        WidePart {
            rule: self.rule(Some(&wide.security_group_id), Some(&wide.rule_id), &wide.permission),
            project_id: wide.project_id.clone().filter(|_| shared),
            rows: wide.rows,
            ports: wide.ports,
            digest: wide.digest.to_string().into(),
            marks: wide.marks.clone(),
            examples: wide.examples.iter().map(|judged| self.cell(judged, shared)).collect(),
        }
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

/// The rows of a delta, by project.
#[derive(Default)]
struct Projects {
    by_id: BTreeMap<Option<Id>, Factors>,
    /// Parts that the record has already.
    other_parts: usize,
}

impl Projects {
    /// Where a project's rows go, and whether it shares the place with others.
    fn place(&mut self, project: Option<&Id>) -> (&mut Factors, bool) {
        let mut project = project.cloned();
        // One for the payload and one for the shared part are left free.
        let full = self.by_id.len() + self.other_parts + 2 >= PARTS_ALWAYS_FIT;
        let shared = full && !self.by_id.contains_key(&project);
        if shared {
            project = None;
        }
        (self.by_id.entry(project).or_default(), shared)
    }
}

/// Adds the rows of a delta as one part per project, those in `wide` as rules. Should there be more projects than a record has room
/// for, the last ones share a part that belongs to nobody, so that only an operator sees it.
pub(super) fn exposure_parts(
    judged: &Judged,
    wide: &[WideRows],
    out: &mut Vec<u8>,
    parts: &mut Vec<WrittenPart>,
) {
    let mut projects = Projects { other_parts: parts.len(), ..Projects::default() };
    let mut written = BTreeSet::new();
    for wide in wide {
        let (factors, shared) = projects.place(wide.project_id.as_ref());
        let part = factors.wide(wide, shared);
        let list = if wide.opened { &mut factors.part.wide_opened } else { &mut factors.part.wide_closed };
        list.push(part);
        let rule = (Some(&wide.security_group_id), Some(&wide.rule_id));
        written.insert((wide.opened, wide.project_id.as_ref(), rule));
    }
    for (rows, opened) in [(&judged.opened, true), (&judged.closed, false)] {
        for judged in rows {
            let row = &judged.row;
            let project = row.project_id.as_ref();
            let rule = (row.security_group_id.as_ref(), row.rule_id.as_ref());
            if written.contains(&(opened, project, rule)) {
                continue;
            }
            let (factors, shared) = projects.place(project);
            let cell = factors.cell(judged, shared);
            if opened { factors.part.opened.push(cell) } else { factors.part.closed.push(cell) }
        }
    }
    for (project, mut factors) in projects.by_id {
        factors.part.v = PART_VERSION;
        let start = out.len();
        write_json(&factors.part, out);
        parts.push(WrittenPart {
            class: PartClass::Exposure,
            project,
            person: None,
            place: start..out.len(),
        });
    }
}

/// What a part says, by itself.
#[derive(Debug, Default)]
pub(super) struct PartRows {
    pub(super) opened: Vec<JudgedRow>,
    pub(super) closed: Vec<JudgedRow>,
    pub(super) wide: Vec<WideRows>,
}

impl ExposurePart {
    /// The rows that the part has cells for, and the rules on many ports.
    pub(super) fn rows(&self, project: Option<&Id>) -> PartRows {
        let rows = |cells: &[Cell]| cells.iter().filter_map(|cell| self.row(cell, project)).collect();
        let wide = [(&self.wide_opened, true), (&self.wide_closed, false)];
        let wide = wide.into_iter().flat_map(|(list, opened)| list.iter().map(move |wide| (wide, opened)));
        PartRows {
            opened: rows(&self.opened),
            closed: rows(&self.closed),
            wide: wide.filter_map(|(wide, opened)| self.wide_rows(wide, opened, project)).collect(),
        }
    }

    fn wide_rows(&self, wide: &WidePart, opened: bool, project: Option<&Id>) -> Option<WideRows> {
        let rule = self.rules.get(wide.rule as usize)?;
        Some(WideRows {
            opened,
            project_id: wide.project_id.clone().or_else(|| project.cloned()),
            security_group_id: rule.group.clone()?,
            rule_id: rule.rule.clone()?,
            permission: rule.permission()?,
            rows: wide.rows,
            ports: wide.ports,
            digest: wide.digest.parse().ok()?,
            marks: wide.marks.clone(),
            examples: wide.examples.iter().filter_map(|cell| self.row(cell, project)).collect(),
        })
    }

    fn row(&self, cell: &Cell, project: Option<&Id>) -> Option<JudgedRow> {
        let Cell(rule, port, address, via, inner, mark) = cell;
        let rule = self.rules.get(*rule as usize)?;
        let port = self.ports.get(*port as usize)?;
        let via = Via::from_word(via)?;
        let address = read_net(address)?;
        let fixed_ip = match inner {
            Some(inner) => read_net(inner),
            None => Some(address).filter(|_| matches!(via, Via::Fixed | Via::Pair)),
        };
        let row = Row {
            address,
            via,
            fixed_ip,
            port_id: port.id.clone(),
            device_id: port.device_id.clone(),
            device_owner: port.device_owner.clone(),
            project_id: port.project_id.clone().or_else(|| project.cloned()),
            network_id: port.network_id.clone(),
            region: port.region.clone(),
            permission: rule.permission()?,
            security_group_id: rule.group.clone(),
            rule_id: rule.rule.clone(),
        };
        Some(marked(row, *mark))
    }
}

impl RulePart {
    fn permission(&self) -> Option<Permission> {
        let source = match &self.source {
            SourcePart::Prefix(prefix) => Source::Prefix(prefix.parse().ok()?),
            SourcePart::SecurityGroup(id) => Source::Group(id.clone()),
            SourcePart::AddressGroup(id) => Source::AddressGroup(id.clone()),
        };
        Some(Permission {
            ipv6: self.ipv6,
            protocol: Protocol::read(Some(&self.protocol), self.ipv6),
            ports: self.ports,
            icmp_type: self.icmp_type,
            icmp_code: self.icmp_code,
            source,
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
        let (mut bytes, mut parts) = (Vec::new(), Vec::new());
        exposure_parts(&judged, &[], &mut bytes, &mut parts);
        assert_eq!(
            parts.iter().map(|part| part.project.clone()).collect::<Vec<_>>(),
            [Some(Id::new("a")), Some(Id::new("b"))]
        );
        let read = |part: &WrittenPart| -> (Vec<JudgedRow>, Vec<JudgedRow>) {
            let read: ExposurePart = serde_json::from_slice(&bytes[part.place.clone()]).expect("JSON");
            let rows = read.rows(part.project.as_ref());
            assert_eq!(rows.wide, []);
            (rows.opened, rows.closed)
        };
        assert_eq!(read(&parts[0]), (judged.opened.clone(), vec![]));
        assert_eq!(read(&parts[1]), (vec![], judged.closed.clone()));
    }

    #[test]
    fn rows_of_projects_without_room_keep_their_project() {
        let names: Vec<String> =
            (0..PARTS_ALWAYS_FIT + 20).map(|number| format!("project-{number:03}")).collect();
        let judged = Judged {
            opened: names.iter().map(|name| row(name, name, "192.0.2.1", "r1")).collect(),
            ..Judged::default()
        };
        let (mut bytes, mut parts) = (Vec::new(), Vec::new());
        exposure_parts(&judged, &[], &mut bytes, &mut parts);
        assert!(parts.len() < PARTS_ALWAYS_FIT, "there is room for a payload");
        let mut found = Vec::new();
        for part in &parts {
            let read: ExposurePart = serde_json::from_slice(&bytes[part.place.clone()]).expect("JSON");
            found.extend(read.rows(part.project.as_ref()).opened);
        }
        found.sort_by_cached_key(|judged| judged.row.sort_key());
        assert_eq!(found, judged.opened);
    }
}
